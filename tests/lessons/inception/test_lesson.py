import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from glanet.analysis.filters import response
from glanet.analysis.spectrum import power_spectrum
from glanet.course.kit.paths import NOTEBOOKS
from glanet.course.lessons.inception import exercises, figures
from glanet.course.lessons.inception.widgets import explore_kernels
from glanet.model.inception import ConvBranch, Inception
from glanet.model.tokens import TokenConv, TokenConv1x1
from tests.lessons.inception.variants import (
    RIGHT_PADS,
    branch_class,
    compose_by_impulses,
    compose_by_matrices,
    inception_class,
    pool_by_loops,
    pool_with_repeated_border,
)
from tests.lessons.verdicts import assert_named, assert_rejected, assert_right, message_on

# Max-pooling

NINE = [(i, j) for i in range(3) for j in range(3)]


def pool_with_rolls(tokens):
    for axis in (1, 2):
        around = [tokens.roll(shift, axis) for shift in (-1, 0, 1)]
        tokens = torch.stack(around).max(0).values
    return tokens


def pool_columns_and_channels(tokens):
    return pool_by_loops(tokens.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


@pytest.mark.parametrize(
    "right", [exercises.largest_of_nine, pool_by_loops, pool_with_repeated_border]
)
def test_max_pooling_in_other_words_is_right(right):
    assert_right(exercises.max_pool, right)


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (lambda x: pool_by_loops(x, outside=0.0), "pad with -inf"),
        (lambda x: pool_by_loops(x)[:, 1:-1, 1:-1], "the border is lost"),
        (lambda x: pool_by_loops(x, reach=(0, 1)), "not up and down"),
        (lambda x: pool_by_loops(x, reach=(1, 0)), "not left and right"),
        (pool_columns_and_channels, "columns and channels"),
        (pool_with_rolls, "torch.roll"),
        (lambda x: pool_by_loops(x, step=3), "three pixels at a time"),
        (lambda x: pool_by_loops(x, best=min), "the smallest"),
        (lambda x: pool_by_loops(x).max(-1, keepdim=True).values + 0 * x, "over the channels"),
    ],
)
def test_each_mistake_in_max_pooling_is_named(mistaken, says):
    assert_rejected(exercises.max_pool, mistaken, says)


def test_pooling_functions_are_rejected_though_the_numbers_are_right():
    for pool in (F.max_pool2d, torch.max_pool2d, nn.MaxPool2d(3, 1, 1)):
        options = () if isinstance(pool, nn.Module) else (3, 1, 1)
        assert_named(
            exercises.max_pool,
            lambda x, pool=pool, options=options: pool(x.permute(0, 3, 1, 2), *options).permute(
                0, 2, 3, 1
            ),
            "pooling functions are not allowed",
        )


@pytest.mark.parametrize("value", [-1, -100, -1e9])
def test_a_number_in_the_padding_is_named(value):
    def mistaken(tokens):
        padded = F.pad(tokens, (0, 0, 1, 1, 1, 1), value=value)
        return torch.stack(
            [padded[:, i : i + tokens.shape[1], j : j + tokens.shape[2]] for i, j in NINE]
        ).amax(0)

    assert_named(exercises.max_pool, mistaken, f"the padding holds {int(value):,}, which is larger")


def test_pooling_in_float32_is_told_so():
    pool = exercises.largest_of_nine
    says = "right, but in float32: compute in float64"
    assert message_on(exercises.max_pool, lambda x: pool(x.float())) == says


# A branch


def with_activations(*between):
    return branch_class("row", "column", pads=RIGHT_PADS, between=between)


@pytest.mark.parametrize("right", [ConvBranch, branch_class("row", "column", pads=RIGHT_PADS)])
def test_a_branch_in_other_words_is_right(right):
    assert_right(exercises.ConvBranch, right)


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (branch_class("column", "row", pads=RIGHT_PADS[::-1]), "the column comes before the row"),
        (branch_class("row", "column", pads=RIGHT_PADS[::-1]), "paddings are exchanged"),
        (branch_class("row", "column", pads=(lambda k: 0, lambda k: 0)), "nothing is padded"),
        (
            branch_class("row", "column", pads=(lambda k: (0, 1), lambda k: (1, 0))),
            "the padding is always 1",
        ),
        (
            branch_class(
                "row", "column", pads=(lambda k: (0, (k + 1) // 2), lambda k: ((k + 1) // 2, 0))
            ),
            "1 too large",
        ),
        (
            branch_class("row", "column", pads=(lambda k: (k - 1) // 2,) * 2),
            "on all four sides",
        ),
        (with_activations(nn.ReLU, nn.Identity, nn.Identity), "a ReLU after the 1×1:"),
        (with_activations(nn.Identity, nn.GELU, nn.Identity), "a GELU between row and column"),
        (with_activations(nn.ReLU, nn.ReLU, nn.Identity), "a ReLU after the 1×1 and one after"),
        (with_activations(nn.Identity, nn.Identity, nn.GELU), "a GELU after the column"),
        (with_activations(nn.GELU, nn.GELU, nn.GELU), "a GELU after each step"),
    ],
)
def test_each_mistake_in_a_branch_is_named(mistaken, says):
    assert_rejected(exercises.ConvBranch, mistaken, says)


def test_an_activation_that_counts_as_a_step_is_named_too():
    class Activated(nn.Sequential):
        def __init__(self, channels, width, k):
            super().__init__(
                TokenConv1x1(channels, width),
                nn.ReLU(),
                TokenConv(width, width, (1, k), padding=(0, k // 2)),
                TokenConv(width, width, (k, 1), padding=(k // 2, 0)),
            )

    assert_rejected(exercises.ConvBranch, Activated, "a ReLU after the 1×1:")


class Named(nn.Module):
    def __init__(self, channels, width, k):
        super().__init__()
        self.first = TokenConv1x1(channels, width)


class Depthwise(nn.Sequential):
    def __init__(self, channels, width, k):
        super().__init__(
            TokenConv1x1(channels, width),
            TokenConv(width, width, (1, k), padding=(0, k // 2), groups=width),
            TokenConv(width, width, (k, 1), padding=(k // 2, 0), groups=width),
        )


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (Named, "your class has no `0.weight`; it has first.weight, first.bias"),
        (Depthwise, "`1.weight` has the shape (4, 1, 1, 3), expected (4, 4, 1, 3)"),
    ],
)
def test_weights_that_do_not_fit_are_named_in_one_line(mistaken, says):
    assert_rejected(exercises.ConvBranch, mistaken, says)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda branch: branch.requires_grad_(False), "is frozen"),
        (lambda branch: branch.append(nn.Dropout(0.1)), "such as dropout"),
    ],
)
def test_a_branch_that_cannot_train_is_told_so(change, says):
    class Changed(ConvBranch):
        def __init__(self, *settings):
            super().__init__(*settings)
            change(self)

    assert_rejected(exercises.ConvBranch, Changed, says)


def test_convolutions_of_images_are_named():
    class OfImages(nn.Sequential):
        def __init__(self, channels, width, k):
            super().__init__(
                TokenConv1x1(channels, width),
                nn.Conv2d(width, width, (1, k), padding=(0, k // 2)),
                nn.Conv2d(width, width, (k, 1), padding=(k // 2, 0)),
            )

    assert_named(exercises.ConvBranch, OfImages, "use TokenConv")


def test_branches_in_a_plain_list_are_named():
    class Plain(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.branches = [ConvBranch(channels, channels // 4, 3)]

    assert_rejected(exercises.Inception, Plain, "nn.ModuleList")


# One kernel


@pytest.mark.parametrize(
    "right", [exercises.compose_by_einsum, compose_by_impulses, compose_by_matrices]
)
def test_composing_in_other_words_is_right(right):
    assert_right(exercises.compose, right)


def column_after_row_swapped(first, row, column):
    return compose_by_matrices(first, column.mT, row.mT).mT


def depthwise(first, row, column):
    products = (column * row).sum(1)  # (width, k, k): the channel that both share
    shared = torch.stack([column[:, m] * row[:, m] for m in range(len(first))], 1)
    assert torch.allclose(shared.sum(1), products)
    return (shared[:, :, None] * first[None, :, :, None, None]).sum(1)


def added(first, row, column):
    width, k = len(first), row.shape[-1]
    ones_row, ones_column = row.new_ones(width, width, 1, k), row.new_ones(width, width, k, 1)
    return compose_by_matrices(first, ones_row, column) + compose_by_matrices(
        first, row, ones_column
    )


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (lambda *w: compose_by_matrices(*w).mT, "the kernel is transposed"),
        (lambda *w: compose_by_matrices(*w).transpose(0, 1), "outputs come first"),
        (column_after_row_swapped, "the outputs of the row are the inputs of the column"),
        (lambda f, r, c: compose_by_matrices(f, r.transpose(0, 1), c), "the row's outputs"),
        (lambda f, r, c: compose_by_matrices(f, r, c.transpose(0, 1)), "the column's outputs"),
        (depthwise, "only one channel of the row"),
        (lambda f, r, c: compose_by_matrices(torch.eye(len(f)).to(f), r, c), "1×1 is missing"),
        (lambda f, r, c: compose_by_impulses(f, r, c).flip(2).flip(3), "the kernel is flipped"),
        (added, "row and column are added"),
    ],
)
def test_each_mistake_in_composing_is_named(mistaken, says):
    assert_rejected(exercises.compose, mistaken, says)


@pytest.mark.parametrize("size", [3, 5, 7])
def test_composed_kernel_plus_biases_equals_the_branch(size):
    branch = ConvBranch(6, 4, size).double()
    tokens = torch.randn(2, 9, 11, 6, dtype=torch.float64)
    kernels = exercises.compose_by_einsum(*(step.weight for step in branch))
    linear = F.conv2d(tokens.permute(0, 3, 1, 2), kernels, padding=size // 2).permute(0, 2, 3, 1)
    biases = branch(torch.zeros_like(tokens))
    torch.testing.assert_close(branch(tokens), linear + biases)
    # away from the border the biases are one number for each output channel; at it they are not
    inside = biases[:, size // 2 : -(size // 2), size // 2 : -(size // 2)]
    torch.testing.assert_close(inside, inside[:1, :1, :1].expand_as(inside))
    assert (biases[:, 0, 0] - inside[:, 0, 0]).abs().min() > 1e-4


def test_kernels_in_another_float_type_are_told_so():
    def into_zeros(first, row, column):
        kernels = torch.zeros(len(first), first.shape[1], row.shape[-1], row.shape[-1])
        kernels[:] = exercises.compose_by_einsum(first, row, column)
        return kernels

    assert message_on(exercises.compose, into_zeros) == "right, but in float32: compute in float64"

    def in_double(*weights):
        return exercises.compose_by_einsum(*(weight.double() for weight in weights))

    assert message_on(exercises.compose, in_double) == "right, but in float64: return float32"


# The module


@pytest.mark.parametrize("right", [Inception, inception_class()])
def test_inception_in_other_words_is_right(right):
    assert_right(exercises.Inception, right)


def take_turns(parts, tokens):
    joined = torch.empty_like(tokens)
    for i, part in enumerate(parts):
        joined[..., i::4] = part
    return joined


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (inception_class(order=(1, 2, 3, 0)), "the maximum comes last"),
        (inception_class(order=(0, 3, 2, 1)), "the kernels are in descending order"),
        (inception_class(order=(3, 2, 1, 0)), "the order is reversed"),
        (inception_class(join=lambda p, _: torch.cat([*reversed(p)], 3)), "joined in reverse"),
        (inception_class(join=lambda p, _: torch.hstack(p)), "joined along the rows"),
        (inception_class(join=lambda p, _: torch.dstack(p)), "joined along the columns"),
        (inception_class(join=lambda p, _: torch.stack(p).sum(0)), "are added"),
        (inception_class(join=take_turns), "alternate by channel"),
        (inception_class(join=lambda p, x: torch.cat(p, -1).add(x)), "the input is added"),
        (inception_class(join=lambda p, _: torch.cat(p, -1).clamp(min=0)), "a ReLU at the end"),
        (inception_class(join=lambda p, _: F.gelu(torch.cat(p, -1))), "a GELU at the end"),
    ],
)
def test_each_mistake_in_inception_is_named(mistaken, says):
    assert_rejected(exercises.Inception, mistaken, says)


# Instruments


def test_the_gain_of_a_branch_is_what_white_noise_measures():
    branch = ConvBranch(8, 8, 7).double()
    with torch.no_grad():
        measured = power_spectrum(branch(torch.randn(8, 128, 128, 8).double())).power.mean(0)
        predicted = response(exercises.compose_by_einsum(*(step.weight for step in branch))).gain
    np.testing.assert_allclose(measured / predicted, 1, atol=0.15)


# Figures


KERNELS = torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(1))


def test_a_kernel_is_shown_on_the_scale_of_its_branch():
    drawn = figures.kernel_and_response(KERNELS, output=1, source=2)
    left, right = (axes.images[0] for axes in drawn.axes[:2])
    np.testing.assert_array_equal(left.get_array(), KERNELS[1, 2])
    limit = KERNELS.abs().max().item()
    assert left.get_clim() == pytest.approx((-limit, limit))
    amplitude = right.get_array()
    assert amplitude[32, 32] == pytest.approx(abs(KERNELS[1, 2].sum().item()), rel=1e-5)
    assert right.get_clim() == pytest.approx((0, figures.transfer(KERNELS).max().item()))
    other = figures.kernel_and_response(KERNELS, output=0, source=0).axes[1].images[0]
    assert other.get_clim() == right.get_clim()
    assert "channel 2 → 1" in drawn.axes[0].get_title()


def test_gains_are_in_decibels_and_many_have_a_90_percent_range():
    many = torch.rand(50, 16).numpy() + 0.5
    one = torch.full((1, 16), 0.1)
    drawn = figures.gains({"fresh": {"3": many}, "trained": {"3": one, "7": 10 * one}})
    fresh, trained = drawn.axes
    np.testing.assert_allclose(
        fresh.lines[0].get_ydata(), 10 * np.log10(many.mean(0)), rtol=1e-5, atol=1e-5
    )
    assert len(fresh.collections) == 1
    inside = fresh.collections[0].get_datalim(fresh.transData)
    assert inside.y0 > 10 * np.log10(many.min())
    assert inside.y1 < 10 * np.log10(many.max())
    assert not trained.collections
    assert [line.get_ydata()[0] for line in trained.lines] == pytest.approx([-10, 0], abs=1e-5)
    assert fresh.get_ylim() == trained.get_ylim()


def test_pooling_draws_spectra_ratios_and_the_formula():
    power = {"input": torch.full((4, 16), 2.0), "max": torch.full((4, 16), 1.0)}
    power["average"] = torch.full((4, 16), 0.2)
    drawn = figures.pooling({"noise": power, "photographs": power})
    above, below = drawn.axes[0], drawn.axes[2]
    assert [line.get_ydata()[3] for line in above.lines] == pytest.approx(
        [3.01, 0, -6.99], abs=0.01
    )
    lines = {line.get_label(): line.get_ydata() for line in below.lines}
    assert lines["max"] == pytest.approx(np.full(16, -3.01), abs=0.01)
    assert lines["average"] == pytest.approx(np.full(16, -10), abs=0.01)
    assert lines["average, by formula"][0] == pytest.approx(0, abs=0.05)
    assert lines["average, by formula"].argmin() == 11  # first zero of three pixels: 1/3 and more
    labels = [text.get_text() for text in drawn.legends[0].get_texts()]
    assert labels == ["input", "max", "average", "average, by formula"]


def test_maps_of_branches_share_one_scale_about_zero():
    image = np.zeros((4, 6, 3), np.uint8)
    maps = {"a": np.linspace(-1, 1, 24).reshape(4, 6), "b": np.full((4, 6), 3.0)}
    drawn = figures.branch_maps(image, maps)
    photo, *others = drawn.axes[:3]
    np.testing.assert_array_equal(photo.images[0].get_array(), image)
    for axes, (title, shown) in zip(others, maps.items(), strict=True):
        assert axes.get_title() == title
        np.testing.assert_array_equal(axes.images[0].get_array(), shown)
        assert axes.images[0].get_clim() == (-3, 3)


def test_the_menus_and_sliders_reach_every_layer_branch_and_channel(sweep):
    kernels = {
        layer: {name: torch.randn(2, 3, int(name), int(name)) for name in "357"}
        for layer in ("layer 1", "layer 2")
    }
    widget = explore_kernels(kernels, output=1, source=2)
    assert sweep(widget) == 4
    assert "channel 2 → 1" in widget.f(**widget.kwargs).axes[0].get_title()
    assert widget.kwargs == {"layer": "layer 1", "branch": "3", "output": 1, "source": 2}


# The notebook


def test_a_small_example_stands_before_each_high_step():
    text = (NOTEBOOKS / "source" / "04_inception.py").read_text(encoding="utf-8")
    section_5, section_7 = (text.split(f"## {n} ·")[1].split("\n# ## ")[0] for n in (5, 7))
    assert "torch.einsum(" in section_5.split("**Exercise 3")[0]
    assert "by_formula = " in section_7.split("**Prediction.**")[0]
