import math
from fnmatch import fnmatch

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from glanet import ModelConfig
from glanet.course.lessons.the_whole_network import exercises, figures
from glanet.course.lessons.the_whole_network.figures import GROUPS, Terms, account, by_group
from glanet.course.lessons.the_whole_network.widgets import explore_parameters
from glanet.model import GLANet
from glanet.model.network import check_image
from glanet.model.reconstruction import SubPixel
from tests.lessons.verdicts import assert_rejected, assert_right

# Exercise 1


def walk(size, multiple, *, start=0, turn=True, length=None):
    """Index by index, as somebody walking between the walls 0 and size - 1."""
    place, step, seen = start, 1, []
    length = length or math.ceil(size / multiple) * multiple
    while len(seen) < length:
        seen.append(place)
        if turn and size > 1 and not 0 <= place + step < size:
            step = -step
        place = place + step if size > 1 else 0
    return seen


def test_walking_between_two_walls_gives_the_reflected_indices():
    assert_right(exercises.reflected_indices, walk)
    assert walk(3, 8) == [0, 1, 2, 1, 0, 1, 2, 1]


def back_and_forth(size, multiple, turns):
    """The row, then as many times as needed what ``turns`` says comes between two visits of 0."""
    length = -(-size // multiple) * multiple
    period = list(range(size)) + turns
    return (period * length)[:length]


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (lambda n, m: back_and_forth(n, m, list(range(n))[::-1]), "last pixel comes twice"),
        (lambda n, m: [min(i, n - 1) for i in range(len(walk(n, m)))], "repeated to the end"),
        (lambda n, m: back_and_forth(n, m, []), "starts again at 0"),
        (
            lambda n, m: [i if i < n else 2 * (n - 1) - i for i in range(len(walk(n, m)))],
            "goes past 0",
        ),
        (lambda n, m: (walk(n, 2 * n - 1) + [0] * m * n)[: len(walk(n, m))], "then stays at 0"),
        (lambda n, m: walk(n, 2 * n - 1)[: len(walk(n, m))], "and then it ends"),
        (
            lambda n, m: back_and_forth(n, m, list(range(n - 2, -1, -1))),
            "the first pixel comes twice",
        ),
        (lambda n, m: np.array(walk(n, m)[n:], dtype=int), "start with the row itself"),
        (lambda n, m: walk(n, m, length=n // m * m + m), "it needs no padding"),
        (lambda n, m: walk(n, m, length=m), "always one `multiple` long"),
        (
            lambda n, m: [walk(n, m)[abs(i - -n % m)] for i in range(len(walk(n, m)))],
            "padded at its start",
        ),
    ],
)
def test_each_mistake_in_the_indices_is_named(mutant, says):
    assert_rejected(exercises.reflected_indices, mutant, says)


# Exercise 2


class Head(nn.Module):
    """The head from its tensors, with its knobs to turn wrong."""

    slope, before, after = 0.01, True, False
    axes, pads, shared, last = (0, 3, 1, 2), (1, 1), False, staticmethod(lambda image: image)

    def __init__(self, channels, scale):
        super().__init__()
        self.reduce = nn.Sequential(nn.Conv2d(channels, 64, 3))
        factors = [scale] if scale < 4 else [2, 2]
        self.upsample = nn.ModuleList(SubPixel(64, 64, factor) for factor in factors)
        self.to_image = nn.Conv2d(64, 3, 3)

    def leak(self, features):
        return torch.where(features > 0, features, self.slope * features)

    def forward(self, tokens):
        image = tokens.permute(self.axes)
        image = F.conv2d(image, *self.reduce[0].parameters(), padding=self.pads[0])
        image = self.leak(image) if self.before else image
        for number in range(len(self.upsample)):
            image = self.upsample[-1 if self.shared else number](image)
        image = self.leak(image) if self.after else image
        return self.last(F.conv2d(image, *self.to_image.parameters(), padding=self.pads[1]))


def head(**knobs):
    return type("Mine", (Head,), knobs)


class Reshapes(Head):
    def forward(self, tokens):
        batch, height, width, channels = tokens.shape
        return super().forward(tokens.view(batch, channels, height, width).movedim(1, -1))


def test_the_head_computed_from_its_tensors_is_right():
    assert_right(exercises.paper_head, Head)


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (head(before=False), "activation is missing"),
        (head(slope=0.0), "ReLU sets negative numbers to 0"),
        (head(slope=0.2), "negative numbers by 0.2"),
        (head(slope=0.1), "negative numbers by 0.1"),
        (head(leak=lambda self, features: F.gelu(features)), "the activation is a GELU"),
        (Reshapes, "reshape mixes pixels and channels"),
        (head(before=False, after=True), "after the sub-pixel steps"),
        (head(after=True), "one activation too many"),
        (head(shared=True), "the same module"),
        (head(pads=(0, 1)), "first convolution has no padding"),
        (head(pads=(1, 0)), "last convolution has no padding"),
        (head(axes=(0, 3, 2, 1)), "rows and columns are swapped"),
        (head(last=lambda self, image: image.movedim(1, -1)), "(B, 3, sH, sW)"),
        (head(last=lambda self, image: image.clip(0, 1)), "able to be negative"),
    ],
)
def test_each_mistake_in_the_head_is_named(mutant, says):
    assert_rejected(exercises.paper_head, mutant, says)


def test_a_head_with_one_step_of_four_is_told_of_two():
    class OneStep(Head):
        def __init__(self, channels, scale):
            super().__init__(channels, scale)
            self.upsample = nn.ModuleList([SubPixel(64, 64, scale)])

    assert_rejected(
        exercises.paper_head,
        OneStep,
        "there are two steps of 2",
    )


# Exercise 3


def mirrored(image, multiple):
    for axis in (2, 3):
        index = torch.tensor(walk(image.shape[axis], multiple))
        image = image.index_select(axis, index)
    return image


def grown(image, multiple, value=None):
    """Padded outwards with ``value``, or with the edge."""
    for axis in (2, 3):
        missing = -image.shape[axis] % multiple
        edge = image.narrow(axis, -1, 1) if value is None else value + 0 * image.narrow(axis, 0, 1)
        image = torch.cat([image] + [edge] * missing, dim=axis)
    return image


def bilinear(image, scale, corners=False):
    return F.interpolate(image, scale_factor=scale, mode="bilinear", align_corners=corners)


def built(
    *,
    before=1,
    after=1,
    pad=mirrored,
    multiple=None,
    features=lambda model, shallow, deep: model.reconstruct(shallow + deep),
    base=lambda model, image, padded: bilinear(padded, model.config.scale),
    wants=lambda model: model.config.bilinear_base,
    crop=lambda image, h, w, s: image.narrow(2, 0, s * h).narrow(3, 0, s * w),
):
    """GLANet with another forward: padding first, the mean and the coarse image in other places."""

    class Mine(GLANet):
        def forward(self, image):
            check_image(image)
            padded = pad(image - before * self.mean, multiple or self.config.window)
            shallow = self.shallow(padded)
            enlarged = after * self.mean + features(self, shallow, self.trunk(shallow))
            if wants(self):
                coarse = base(self, image, padded)
                enlarged = enlarged[..., : coarse.shape[-2], : coarse.shape[-1]] + coarse
            return crop(enlarged, *image.shape[-2:], self.config.scale)

    return Mine


def test_the_network_in_another_order_of_its_steps_is_right():
    assert_right(exercises.gla_net, built())


def test_padding_before_the_mean_is_subtracted_is_right_too():
    class Mine(GLANet):
        def forward(self, image):
            check_image(image)
            padded = mirrored(image, self.config.window) - self.mean
            shallow = self.shallow(padded)
            enlarged = self.reconstruct(self.trunk(shallow) + shallow)
            if self.config.bilinear_base:
                enlarged += bilinear(padded, self.config.scale)
            rows, columns = (self.config.scale * side for side in image.shape[-2:])
            return enlarged[:, :, :rows, :columns] + self.mean

    assert_right(exercises.gla_net, Mine)


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (built(before=0), "never subtracted"),
        (built(after=0), "not added again"),
        (built(before=0, after=0), "never used"),
        (built(pad=lambda image, multiple: grown(image, multiple, 0)), "padded with zeros"),
        (built(pad=grown), "repeating its edge"),
        (built(multiple=8), "multiples of 8"),
        (built(features=lambda model, s, d: model.reconstruct(d)), "F_d alone"),
        (built(features=lambda model, s, d: model.reconstruct(s)), "F_s alone"),
        (
            built(features=lambda model, s, d: model.reconstruct(d + model.trunk.norm_in(s))),
            "LayerNorm(F_s)",
        ),
        (
            built(features=lambda model, s, d: sum(map(model.reconstruct, (s, d)))),
            "F_s and F_d separately",
        ),
        (built(wants=lambda model: False), "I_CSR is missing"),
        (built(wants=lambda model: True), "even where config.bilinear_base is False"),
        (built(wants=lambda model: not model.config.bilinear_base), "the wrong way round"),
        (built(after=2), "the mean is added twice"),
        (
            built(
                base=lambda model, image, padded: bilinear(
                    mirrored(image, model.config.window), model.config.scale
                )
            ),
            "includes the mean",
        ),
        (
            built(
                base=lambda model, image, padded: bilinear(image, model.config.scale) - model.mean
            ),
            "before padding",
        ),
        (
            built(
                base=lambda model, image, padded: bilinear(padded, model.config.scale, corners=True)
            ),
            "corner to corner",
        ),
        (built(crop=lambda image, h, w, s: image), "padding is still there"),
        (built(crop=lambda image, h, w, s: image[:, :, :h, :w]), "cropped to H × W"),
        (
            built(crop=lambda image, h, w, s: image[:, :, -s * h :, -s * w :]),
            "at the top left",
        ),
        (
            built(crop=lambda image, h, w, s: image[:, :, : s * w, : s * h]),
            "height and width are swapped",
        ),
        (
            built(crop=lambda image, h, w, s: image[:, :, : s * h, : s * w].clip(0, 1)),
            "clamped to [0, 1]",
        ),
    ],
)
def test_each_mistake_in_the_network_is_named(mutant, says):
    assert_rejected(exercises.gla_net, mutant, says)


@pytest.mark.parametrize("before", [1, 0])
def test_a_network_that_takes_anything_is_told_to_check(monkeypatch, before):
    monkeypatch.setattr(f"{__name__}.check_image", lambda image: None)
    assert_rejected(exercises.gla_net, built(before=before), "keep check_image(image)")


def test_a_network_that_passes_no_gradient_is_told_so():
    class Detached(GLANet):
        def forward(self, image):
            return super().forward(image).detach()

    assert_rejected(exercises.gla_net, Detached, "no gradient reaches the weights")


def test_padding_that_fails_on_small_images_is_described():
    def torchs(image, multiple):
        missing = [-side % multiple for side in image.shape[-2:]]
        return F.pad(image, (0, missing[1], 0, missing[0]), mode="reflect")

    assert_rejected(exercises.gla_net, built(pad=torchs), "it raised RuntimeError")


# Exercise 4


def layer(
    *,
    norms=2,
    bias=1,
    rows=lambda w: (2 * w - 1) ** 2,
    columns=lambda h: h,
    qkv=3,
    proj=1,
    parts=4,
    openings=4,
    kernel=lambda k: [k, k],
    fused=2,
    fusion=1,
    ratio=None,
    linears=2,
    whole=int,
):
    """A count of a layer as a list of matrices: (how many, inputs, outputs)."""

    def count(channels, heads, window, mlp_ratio):
        c, h, w = channels, heads, window
        width, hidden = c // parts, whole(c * (ratio or mlp_ratio))
        matrices = [(1, c, qkv * c), (proj, c, c), (openings, c, width), (fusion, fused * c, c)]
        matrices += [(1, c, hidden), (linears - 1, hidden, c)]
        total = sum(times * (a * b + bias * b) for times, a, b in matrices)
        places = [n for k in (3, 5, 7) for n in kernel(k)]
        total += sum(n * width * width + bias * width for n in places)
        return total + rows(w) * columns(h) + norms * 2 * c

    return count


def test_a_count_by_matrices_is_right():
    assert_right(exercises.layer_parameters, layer())
    assert layer()(180, 6, 8, 2) == 12.875 * 180**2 + 14.5 * 180 + 225 * 6


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (layer(bias=0), "biases are missing"),
        (layer(rows=lambda w: 0), "bias table is missing"),
        (layer(rows=lambda w: w * w), "not for each pixel"),
        (layer(rows=lambda w: (w * w) ** 2), "not for each pair"),
        (layer(columns=lambda h: 1), "one column"),
        (layer(norms=1), "one norm is missing"),
        (layer(norms=0), "both norms are missing"),
        (layer(kernel=lambda k: [k * k]), "counted as k×k"),
        (layer(kernel=lambda k: [k]), "one convolution of each branch is missing"),
        (layer(parts=1), "counted C wide"),
        (layer(openings=1), "branches 3, 5 and 7 are missing"),
        (layer(openings=3), "the max branch too"),
        (layer(fused=1), "it reads 2·C"),
        (layer(fusion=0), "fusion is missing"),
        (layer(proj=0), "output projection is missing"),
        (layer(qkv=1), "it is C to 3·C"),
        (layer(ratio=2), "always 2·C"),
        (layer(whole=round), "the hidden width is rounded"),
        (layer(whole=float), "not a whole number"),
        (layer(linears=1), "second layer is missing"),
    ],
)
def test_each_mistake_in_the_count_is_named(mutant, says):
    assert_rejected(exercises.layer_parameters, mutant, says)


# The account


CONFIGS = [
    ModelConfig.preset("tiny"),
    ModelConfig(channels=24, blocks=2, layers=1, heads=3, window=4, mlp_ratio=1.7, scale=4),
    ModelConfig(channels=24, blocks=2, layers=2, heads=2, scale=3, first_transition=False),
    ModelConfig(channels=10, blocks=2, layers=1, heads=2, inception=False, dense=False),
    ModelConfig(channels=8, blocks=1, layers=1, heads=2, light_head=True, scale=3),
    ModelConfig(channels=8, blocks=2, layers=1, heads=2, attention=False),
    ModelConfig(channels=8, blocks=1, layers=1, heads=2, first_transition=False),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_account_holds_every_parameter_once(config):
    parts = account(config)
    found = dict.fromkeys((part.label for part in parts), 0)
    for name, parameter in GLANet(config).named_parameters():
        (part,) = [part for part in parts if fnmatch(name, part.names)]
        found[part.label] += parameter.numel()
    assert found == {part.label: part.count(config) for part in parts}
    assert sum(by_group(config).values()) == sum(found.values())
    assert set(by_group(config)) == set(GROUPS) >= {part.group for part in parts}


@pytest.mark.parametrize(
    ("total", "settings"),
    [
        (18_142_847, {"scale": 2}),
        (18_327_487, {"scale": 3}),
        (18_290_559, {"scale": 4}),
        (11_752_487, {"scale": 2, "inception": False, "dense": False}),
        (11_937_127, {"scale": 3, "inception": False, "dense": False}),
        (11_900_199, {"scale": 4, "inception": False, "dense": False}),
    ],
)
def test_totals_of_gla_net_and_swinir_are_the_measured_ones(total, settings):
    assert sum(by_group(ModelConfig.preset("paper", **settings)).values()) == total


def test_formulas_add_multiply_and_print():
    terms = 2 * (Terms(square=0.5, linear=3) + Terms(heads=225, constant=4000))
    assert str(terms) == "C² + 6C + 450h + 8,000"
    assert str(Terms(linear=1, constant=1)) == "C + 1"
    assert terms.count(ModelConfig(channels=12, heads=6)) == 144 + 72 + 2700 + 8000


# Figures


def test_the_padding_is_shown_with_a_frame_around_what_was_there():
    image = np.random.default_rng(0).random((8, 12, 3))
    axes = figures.padding(image, height=5, width=10).axes[0]
    assert np.array_equal(axes.images[0].get_array(), image)
    assert {patch.get_bbox().bounds for patch in axes.patches} == {(0, 0, 10, 5)}


def test_equation_4_is_drawn_as_a_signed_map_and_two_pictures():
    rng = np.random.default_rng(0)
    added, base = rng.normal(0, 0.1, (4, 6, 3)), rng.random((4, 6, 3))
    signed, *pictures = [a for a in figures.equation_4(added, base, base + added).axes if a.images]
    shown = signed.images[0]
    assert np.allclose(shown.get_array(), added.mean(-1))
    assert shown.norm.vmin == -shown.norm.vmax == -np.abs(added.mean(-1)).max()
    assert np.array_equal(pictures[0].images[0].get_array(), base)
    assert np.array_equal(pictures[1].images[0].get_array(), (base + added).clip(0, 1))


def bars(config):
    """{row: length of what is filled there} and the texts of a figure."""
    axes = figures.parameter_bars(config).axes[0]
    lengths = dict.fromkeys(range(len(GROUPS)), 0)
    for patch in axes.patches:
        if patch.get_fill():
            lengths[round(patch.get_y() + patch.get_height() / 2)] += patch.get_width()
    return lengths, [text.get_text() for text in axes.texts], axes.get_title()


@pytest.mark.parametrize("config", CONFIGS)
def test_the_bars_are_shares_of_all_parameters_and_say_how_many(config):
    lengths, texts, title = bars(config)
    counts = by_group(config)
    total = sum(counts.values())
    expected = [100 * count / total for count in counts.values()]
    assert list(lengths.values()) == pytest.approx(expected)
    assert [f"{count:,}" for count in counts.values()] == texts[-len(GROUPS) :]
    assert title == f"{total:,} parameters"


def test_the_inception_bar_names_the_branches_that_are_wide_enough():
    assert bars(ModelConfig.preset("paper"))[1][:4] == ["max", "3", "5", "7"]
    assert "max" not in bars(ModelConfig(channels=12, blocks=1, layers=1))[1]


def test_the_papers_own_bars_fill_their_outlines():
    axes = figures.parameter_bars(figures.PAPER).axes[0]
    outlines = [patch.get_width() for patch in axes.patches if not patch.get_fill()]
    assert outlines == pytest.approx(list(bars(figures.PAPER)[0].values()))


def test_the_sliders_draw_a_figure_at_both_their_ends(sweep):
    assert sweep(explore_parameters()) == 7
