"""Notebook 14: its exercises name mistakes, its instruments measure what they say."""

import os
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F

from glanet.course.kit import checks
from glanet.course.lessons.speed import exercises, figures, instruments, kernels
from glanet.course.lessons.speed.instruments import Machine, Operation, Ratio
from glanet.course.lessons.speed.kernels import tl
from glanet.course.lessons.speed.widgets import explore_machines
from glanet.model.attention import attend
from tests.lessons.speed.variants import (
    conv_by_einops,
    fold_by_trying,
    kernel_step_by_step,
    pad_by_torch,
    softmax_as_a_mean,
)
from tests.lessons.verdicts import assert_named, assert_not_done, assert_rejected

CPU = torch.device("cpu")
TRITON = pytest.mark.skipif(exercises.attention_kernel.skipped, reason="triton is not installed")


# The roofline


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (lambda f, m, r, b: sorted([m / b, f / r])[0], "shorter of the two"),
        (lambda f, m, r, b: (f * b + m * r) / (r * b), "two times are added"),
        (lambda f, m, r, b: f / r, "arithmetic alone"),
        (lambda f, m, r, b: m / b, "moving the data alone"),
        (lambda f, m, r, b: min(r, b * f / m), "this is a rate"),
        (lambda f, m, r, b: max(f / b, m / r), "rates are exchanged"),
    ],
)
def test_each_mistake_on_the_roofline_is_named(mutant, says):
    assert_named(exercises.least_seconds, mutant, says)


# Tokens


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (lambda t, w, b: conv_by_einops(t, w, None), "bias is missing"),
        (lambda t, w, b: conv_by_einops(t, w, b).movedim(-1, 1), "still (B, C, H, W)"),
        (lambda t, w, b: conv_by_einops(t, w.flip(-1).flip(-2), b), "kernel is flipped"),
        (lambda t, w, b: conv_by_einops(t, w.mT, b), "rows and columns are exchanged"),
        (
            lambda t, w, b: torch.conv2d(t.movedim(-1, 1), w, b).movedim(1, -1),
            "borders are missing",
        ),
    ],
)
def test_each_mistake_in_a_convolution_of_tokens_is_named(mutant, says):
    assert_named(exercises.conv_tokens, mutant, says)


@pytest.mark.parametrize(
    "mutant",
    [
        lambda t, w, b: torch.conv2d(t.movedim(-1, 1).contiguous(), w, b, padding="same").movedim(
            1, -1
        ),
        lambda t, w, b: conv_by_einops(t.clone(), w, b),
        lambda t, w, b: torch.conv2d(
            F.pad(t.movedim(-1, 1), [w.shape[3] // 2] * 2 + [w.shape[2] // 2] * 2), w, b
        ).movedim(1, -1),
    ],
)
def test_a_convolution_that_copies_is_rejected(mutant):
    assert_rejected(exercises.conv_tokens, mutant, "it copies the features")


# Online softmax


class Softmax:
    """One pass in other words, with knobs to turn wrong."""

    start, share_rows, keep_sum, keep_mix, divide = float("-inf"), False, False, False, True

    def __init__(self, **knobs):
        vars(self).update(knobs)

    def __call__(self, blocks):
        rows = len(blocks[0][0])
        largest = torch.full((rows, 1), self.start, dtype=blocks[0][0].dtype)
        total, mixed = (
            0 * largest.clamp(min=0),
            torch.zeros(rows, blocks[0][1].shape[1]).to(largest),
        )
        for scores, values in blocks:
            found = scores.max() if self.share_rows else scores.max(1, keepdim=True)[0]
            new = torch.where(found > largest, found, largest)
            factor = torch.exp(largest - new)
            raised = torch.exp(scores - new)
            total = total * (1 if self.keep_sum else factor) + raised.sum(1)[:, None]
            mixed = mixed * (1 if self.keep_mix else factor) + raised @ values
            largest = new
        return mixed / total if self.divide else mixed


def joined(blocks):
    return torch.cat([scores for scores, _ in blocks], 1), torch.cat([v for _, v in blocks])


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (Softmax(keep_sum=True, keep_mix=True), "nothing is rescaled"),
        (Softmax(keep_sum=True), "old sum is not rescaled"),
        (Softmax(keep_mix=True), "old mixture is not rescaled"),
        (Softmax(start=0.0), "maximum starts at 0"),
        (Softmax(share_rows=True), "all rows share one maximum"),
        (Softmax(divide=False), "not divided by the sum"),
        (lambda blocks: softmax_as_a_mean(blocks[-1:]), "last block alone"),
        (lambda blocks: sum(s.softmax(1) @ v for s, v in blocks), "sum of the blocks' own"),
        (
            lambda blocks: (
                joined(blocks)[0].exp()
                @ joined(blocks)[1]
                / joined(blocks)[0].exp().sum(1, keepdim=True)
            ),
            "exponentials of large scores overflow",
        ),
    ],
)
def test_each_mistake_in_the_online_softmax_is_named(mutant, says):
    assert_named(exercises.online_softmax, mutant, says)


# Folding


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (lambda w1, b1, w2, b2: fold_by_trying(w2, b2, w1, b1), "two maps are in the wrong order"),
        (lambda w1, b1, w2, b2: (w2 @ w1, b2 + b1), "does not go through the second map"),
        (lambda w1, b1, w2, b2: (w2 @ w1, w2 @ b1), "second bias is missing"),
        (lambda w1, b1, w2, b2: ((w1.mT @ w2.mT), w2 @ b1 + b2), "the matrix is transposed"),
        (lambda w1, b1, w2, b2: (w1 @ w2, w2 @ b1 + b2), "matrices are in the wrong order"),
    ],
)
def test_each_mistake_in_folding_is_named(mutant, says):
    assert_named(exercises.fold, mutant, says)


def test_a_fold_without_its_bias_is_told_to_return_both():
    assert_rejected(exercises.fold, lambda w1, b1, w2, b2: w2 @ w1, "return two things")


def test_a_fold_of_wrong_shapes_reads_the_right_ones():
    def column(w1, b1, w2, b2):
        weight, bias = fold_by_trying(w1, b1, w2, b2)
        return weight, bias[:, None]

    assert_rejected(exercises.fold, column, "expected (3, 3) and (3,)")


# Alignment


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (lambda w, g, n: pad_by_torch(w, 1, g * n), "all zeros stand at the end"),
        (lambda w, g, n: pad_by_torch(w.flip(0), g, n).flip(0), "before the rows of their group"),
        (lambda w, g, n: pad_by_torch(w, g, n + len(w) // g), "`width` zeros are added"),
        (lambda w, g, n: pad_by_torch(w, g, len(w) // g), "nothing is added"),
    ],
)
def test_each_mistake_in_padding_is_named(mutant, says):
    assert_named(exercises.pad_rows, mutant, says)


# The kernel


def tiles(*arguments):
    """What a kernel loads: query, key, value and bias, and the places of its output."""
    q_at, k_at, v_at, bias_at, out_at, heads, N, d, D = arguments
    program = tl.program_id(0)
    pixel, channel = tl.arange(0, N), tl.arange(0, D)
    place = program * N * d + pixel[:, None] * d + channel[None, :]
    real = (channel < d)[None, :]
    loaded = [tl.load(at + place, mask=real, other=0.0) for at in (q_at, k_at, v_at)]
    pair = (program % heads) * N * N + pixel[:, None] * N + pixel[None, :]
    return *loaded, tl.load(bias_at + pair), out_at + place, real


def no_scale(
    q_at,
    k_at,
    v_at,
    bias_at,
    out_at,
    scale,
    heads: tl.constexpr,
    N: tl.constexpr,
    d: tl.constexpr,
    D: tl.constexpr,
):
    q, k, v, bias, place, real = tiles(q_at, k_at, v_at, bias_at, out_at, heads, N, d, D)
    scores = tl.dot(q, tl.trans(k), input_precision="ieee") + bias
    raised = tl.exp(scores - tl.max(scores, axis=1)[:, None])
    mixed = tl.dot(raised, v, input_precision="ieee") / tl.sum(raised, axis=1)[:, None]
    tl.store(place, mixed, mask=real)


def over_queries(
    q_at,
    k_at,
    v_at,
    bias_at,
    out_at,
    scale,
    heads: tl.constexpr,
    N: tl.constexpr,
    d: tl.constexpr,
    D: tl.constexpr,
):
    q, k, v, bias, place, real = tiles(q_at, k_at, v_at, bias_at, out_at, heads, N, d, D)
    scores = tl.dot(q, tl.trans(k), input_precision="ieee") * scale + bias
    raised = tl.exp(scores - tl.max(scores, axis=0)[None, :])
    weights = raised / tl.sum(raised, axis=0)[None, :]
    tl.store(place, tl.dot(weights, v, input_precision="ieee"), mask=real)


def unmasked_store(
    q_at,
    k_at,
    v_at,
    bias_at,
    out_at,
    scale,
    heads: tl.constexpr,
    N: tl.constexpr,
    d: tl.constexpr,
    D: tl.constexpr,
):
    q, k, v, bias, place, _ = tiles(q_at, k_at, v_at, bias_at, out_at, heads, N, d, D)
    scores = tl.dot(q, tl.trans(k), input_precision="ieee") * scale + bias
    raised = tl.exp(scores - tl.max(scores, axis=1)[:, None])
    weights = raised / tl.sum(raised, axis=1)[:, None]
    tl.store(place, tl.dot(weights, v, input_precision="ieee"))


def writes_nothing(
    q_at,
    k_at,
    v_at,
    bias_at,
    out_at,
    scale,
    heads: tl.constexpr,
    N: tl.constexpr,
    d: tl.constexpr,
    D: tl.constexpr,
):
    tl.program_id(0)


# `tiles` is plain Python, which Triton's interpreter calls and a GPU cannot
INTERPRETED = pytest.mark.skipif(torch.cuda.is_available(), reason="kernels run on the GPU")


@TRITON
@INTERPRETED
@pytest.mark.parametrize(
    ("mutant", "says"),
    [(no_scale, "scores are not scaled"), (over_queries, "softmax runs over the queries")],
)
def test_each_mistake_in_a_kernel_is_named(mutant, says):
    assert_named(exercises.attention_kernel, mutant, says)


@TRITON
@INTERPRETED
def test_a_kernel_that_stores_beyond_its_window_is_rejected():
    assert_rejected(exercises.attention_kernel, unmasked_store, "stores beyond its window")


@TRITON
def test_a_kernel_that_writes_nothing_is_not_done_yet():
    assert_not_done(exercises.attention_kernel, writes_nothing)


@TRITON
@pytest.mark.parametrize("kernel", [kernels.attention_kernel, kernel_step_by_step])
def test_a_kernel_is_window_attention_at_the_networks_size(kernel):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    query, key, value = torch.randn(3, 2, 6, 64, 10, device=device)
    bias = torch.randn(6, 64, 64, device=device)
    found = kernels.launch(kernel, query, key, value, bias)
    torch.testing.assert_close(found, attend(query, key, value, bias), atol=1e-5, rtol=0)


def test_without_its_package_an_exercise_is_skipped_by_name(monkeypatch, capsys):
    monkeypatch.setattr(checks.importlib.util, "find_spec", lambda name: None)
    exercise = exercises.attention_kernel
    assert exercise.check(writes_nothing) is exercise.reference
    assert capsys.readouterr().out == (
        "· attention_kernel: skipped, because triton is not installed here.\n"
    )


def test_without_triton_the_lesson_can_be_imported():
    code = """
import sys
sys.modules["triton"] = None  # as if it were not installed
from glanet.course.lessons.speed import exercises, widgets
from glanet.course.lessons.speed.kernels import tl

def kernel(heads: tl.constexpr): ...
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@TRITON
@INTERPRETED
def test_a_process_that_imported_triton_without_its_interpreter_is_told_so():
    code = """
import triton, torch
from glanet.course.lessons.speed import kernels
kernels.launch(kernels.attention_kernel, *torch.zeros(3, 1, 1, 16, 10), torch.zeros(1, 16, 16))
"""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert "KernelError: without a GPU, set TRITON_INTERPRET=1" in done.stderr


# Instruments


def test_a_ratio_is_the_median_of_the_rounds_and_its_range_leaves_out_the_extremes():
    first = [2.0] * 15
    others = [2.0 / ratio for ratio in [0.1] * 3 + [1.1] + [1.2] * 7 + [1.3] + [9.0] * 3]
    found = instruments.ratio(first, others)
    assert found.median == pytest.approx(1.2)
    assert (found.low, found.high) == (pytest.approx(1.1), pytest.approx(1.3))
    assert found.verdict == instruments.FASTER


@pytest.mark.parametrize(
    ("low", "high", "verdict", "says"),
    [
        (1.1, 1.3, "faster", "1.20 times as fast (1.10 to 1.30)"),
        (0.5, 0.9, "slower", "1.20 times as fast (0.50 to 0.90)"),
        (0.9, 1.3, "unchanged", "1.20 times as fast (0.90 to 1.30, within noise)"),
    ],
)
def test_a_range_that_holds_1_is_noise(low, high, verdict, says):
    found = Ratio(1.2, low, high, seconds=1.0)
    assert found.verdict == verdict
    assert str(found) == says


def test_the_range_holds_the_true_median_in_95_of_100_races():
    for rounds in (6, 9, 15, 31):
        held = 0
        for _ in range(1000):
            found = instruments.ratio(torch.randn(rounds).exp().tolist(), [1.0] * rounds)
            held += found.low <= 1 <= found.high
        assert held >= 930, rounds  # 950 on average at least, of which chance takes a few


def test_a_race_sees_which_way_does_more():
    small, large = torch.ones(64, 64), torch.ones(1024, 1024)
    found = instruments.race(
        {"large": lambda: large @ large, "small": lambda: small @ small}, CPU, rounds=3
    )
    assert found["small"].verdict == instruments.FASTER
    assert found["small"].seconds < found["large"].seconds
    assert (found["large"].low, found["large"].high) == (1, 1)


def test_operations_are_counted_in_flop_and_bytes():
    a, b, bias = torch.ones(8, 5), torch.ones(5, 3), torch.ones(3)
    product, addition = instruments.operations(lambda: (a @ b) + bias, CPU)
    assert (product.kind, product.flop) == ("matrix products", 2 * 8 * 5 * 3)
    assert product.moved == 4 * (8 * 5 + 5 * 3 + 8 * 3)
    assert (addition.kind, addition.flop) == ("additions, products", 8 * 3)
    assert addition.moved == 4 * (8 * 3 + 3 + 8 * 3)


def test_views_move_nothing_and_copies_compute_nothing():
    features = torch.ones(2, 3, 4)
    assert instruments.operations(lambda: features.permute(2, 0, 1)[:, 0].unsqueeze(0), CPU) == []
    (copy,) = instruments.operations(lambda: features.permute(2, 0, 1).contiguous(), CPU)
    assert (copy.kind, copy.flop, copy.moved) == ("copies", 0, 2 * features.nbytes)


def test_fused_attention_counts_the_flop_of_attention_step_by_step():
    query = torch.ones(2, 3, 64, 10)
    bias = torch.ones(1, 3, 64, 64)
    (fused,) = instruments.operations(
        lambda: F.scaled_dot_product_attention(query, query, query, attn_mask=bias), CPU
    )
    assert fused.kind == "fused attention"
    assert fused.flop == 2 * 3 * 4 * 64 * 64 * 10


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("aten::addmm", "matrix products"),
        ("aten::add_", "additions, products"),
        ("aten::mkldnn_convolution", "convolutions"),
        ("aten::max_pool2d_with_indices", "pooling"),
        ("aten::native_layer_norm", "LayerNorm"),
        ("aten::_scaled_dot_product_flash_attention_for_cpu", "fused attention"),
        ("aten::index", "copies"),
        ("aten::empty", "the rest"),
    ],
)
def test_an_operation_has_a_kind(name, kind):
    assert instruments.kind_of(name) == kind


def test_the_shares_of_time_add_up_and_nothing_else_is_printed(capfd):
    a = torch.ones(256, 256)
    shares = instruments.shares_of_time(lambda: (a @ a).softmax(-1), CPU)
    assert sum(shares.values()) == pytest.approx(1)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert {"matrix products", "softmax"} <= shares.keys()
    assert capfd.readouterr() == ("", "")


def test_sums_of_operations_are_sums():
    found = [Operation("a", 1, 2, 3.0), Operation("b", 10, 20, 30.0), Operation("a", 4, 5, 6.0)]
    assert instruments.by_kind(found) == {
        "b": Operation("b", 10, 20, 30.0),
        "a": Operation("a", 5, 7, 9.0),
    }
    assert list(instruments.by_kind(found)) == ["b", "a"]
    assert instruments.total(found) == Operation("", 15, 27, 39.0)


def test_a_machine_has_positive_limits():
    assert instruments.matrix_rate(CPU, side=64, rounds=1) > 0
    assert instruments.copy_rate(CPU, 2**14, rounds=1) > 0
    assert Machine(rate=30.0, bandwidth=10.0, cache=20.0).ridge == 3


# Figures

MACHINE = Machine(rate=100e9, bandwidth=10e9, cache=50e9)
WORKS = {
    "additions": Operation("", 10**6, 12 * 10**6, 2e-3),
    "products": Operation("", 2 * 10**9, 12 * 10**6, 0.04),
    "copies": Operation("", 0, 10**6, 1e-3),
}


def test_the_roofline_has_the_ridge_and_a_point_for_each_work_that_computes():
    axes = figures.roofline(MACHINE, WORKS).axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    assert "copies" not in lines
    x, y = lines["roof, data in memory"].get_data()
    assert y.max() == pytest.approx(100)
    assert y[x < 10] == pytest.approx(10 * x[x < 10])
    assert lines["ridge"].get_xdata()[0] == 10
    assert lines["products"].get_xydata().tolist() == [[pytest.approx(2e9 / 12e6), 50]]
    assert lines["additions"].get_color() == figures.MEMORY
    assert lines["products"].get_color() == figures.ARITHMETIC


def test_time_bars_show_every_share_in_percent():
    figure = figures.time_bars({"a": {"copies": 0.75, "GELU": 0.25}, "b": {"softmax": 1.0}})
    assert [axes.get_title() for axes in figure.axes] == ["a", "b"]
    assert [bar.get_width() for bar in figure.axes[0].patches] == [75, 25]


def test_bandwidths_mark_the_size_of_a_map():
    axes = figures.bandwidths({2**14: 1e9, 2**20: 5e9, 2**30: 2e9}, marked=2**21).axes[0]
    copies, marked = axes.lines
    assert copies.get_ydata().tolist() == [1, 5, 2]
    assert marked.get_xdata()[0] == 2**21
    assert [label.get_text() for label in axes.get_xticklabels()] == ["16 KiB", "1 GiB"]


def test_races_draw_a_range_for_each_change_and_grey_what_is_noise():
    found = {"faster": Ratio(1.5, 1.2, 1.8, 1.0), "noise": Ratio(1.0, 0.9, 1.1, 1.0)}
    axes = figures.races(found).axes[0]
    first, point, second, *_ = axes.lines
    assert list(first.get_xdata()) == [1.2, 1.8]
    assert point.get_xdata()[0] == 1.5
    assert second.get_color() == figures.GREY


def test_the_widget_draws_machines_at_all_ends(sweep):
    assert sweep(explore_machines(MACHINE, WORKS)) == 2


def test_on_another_machine_every_work_reaches_its_roof():
    widget = explore_machines(MACHINE, WORKS)
    axes = widget.f(rate=10.0, bandwidth=1.0).axes[0]
    points = {line.get_label(): line.get_ydata()[0] for line in axes.lines}
    assert points["products"] == pytest.approx(1000)  # the new rate
    assert points["additions"] == pytest.approx(10 / 12)
