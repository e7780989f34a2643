"""Notebook 03: its exercises tell mistakes apart, its figures show what they claim."""

import matplotlib
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage, signal
from torch import nn

from glanet.course.lessons.shallow_features import exercises as shallow
from glanet.course.lessons.shallow_features.figures import (
    filters,
    missing,
    response,
    training_curve,
)
from glanet.course.lessons.shallow_features.widgets import explore_channels
from tests.lessons.shallow_features.variants import by_shifts
from tests.lessons.verdicts import assert_named, assert_rejected

# A convolution by hand


def in_float32(image, kernel):
    image, kernel = (
        torch.tensor(array, dtype=torch.float32)[None, None] for array in (image, kernel)
    )
    return F.conv2d(image, kernel, padding=1)[0, 0].numpy()


@pytest.mark.parametrize(
    ("right", "says"),
    [
        (lambda image, kernel: torch.tensor(by_shifts(image, kernel)), "as a torch tensor: return"),
        (lambda image, kernel: by_shifts(image, kernel).tolist(), "as a list: return a numpy"),
        (in_float32, "in float32: compute in float64"),
    ],
)
def test_a_right_convolution_in_another_type_is_rejected_in_words(right, says):
    assert_rejected(shallow.convolve, right, f"right, but {says}")


def cut_to_the_inside(image, kernel):
    answer = by_shifts(image, kernel)
    answer[[0, -1]] = 0
    answer[:, [0, -1]] = 0
    return answer


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (lambda x, k: signal.correlate2d(x, k, mode="valid"), "are missing"),
        (lambda x, k: signal.correlate2d(x, k, mode="full"), "are too many"),
        (lambda x, k: signal.correlate2d(x, k, mode="full")[2:, 2:], "one row too high"),
        (cut_to_the_inside, "still zero"),
        (
            lambda x, k: ndimage.correlate(x.astype(float), k, mode="nearest"),
            "padding repeats the outermost",
        ),
        (
            lambda x, k: ndimage.correlate(x.astype(float), k, mode="mirror"),
            "padding mirrors the image",
        ),
        (lambda x, k: signal.convolve2d(x, k, mode="same"), "turned by 180°"),
        (
            lambda x, k: ndimage.correlate(x.astype(float), k.swapaxes(0, 1), mode="constant"),
            "filter's rows and columns are swapped",
        ),
        (lambda x, k: by_shifts(x, k) / k.size, "mean of the nine products"),
    ],
)
def test_each_mistake_in_the_convolution_is_named(mistaken, says):
    assert_named(shallow.convolve, mistaken, says)


# Shallow features


def features(after=lambda maps: maps.movedim(1, -1), **options):
    """A class with one convolution, and ``after`` it something done to its maps (B, C, H, W)."""

    class Features(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.conv = nn.Conv2d(3, channels, 3, **{"padding": 1, **options})

        def forward(self, image):
            return after(self.conv(image))

    return Features


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (features(lambda maps: maps), "still planes"),
        (features(lambda maps: maps.transpose(1, 3)), "rows and columns are swapped"),
        (features(lambda maps: maps.view(-1, *maps.shape[2:], maps.shape[1])), "reshape and view"),
        (features(padding=0), "needs padding=1"),
        (features(padding_mode="replicate"), "repeats the outermost"),
        (features(padding_mode="reflect"), "mirrors the image"),
        (features(lambda maps: maps.movedim(1, -1).clamp_min(0)), "no ReLU"),
        (features(lambda maps: nn.GELU()(maps.movedim(1, -1))), "no activation"),
    ],
)
def test_each_mistake_in_the_shallow_features_is_named(mistaken, says):
    assert_named(shallow.shallow_features, mistaken, says)


def test_a_weight_with_no_bias_or_another_name_is_rejected():
    assert_rejected(shallow.shallow_features, features(bias=False), "conv.bias")

    class OtherName(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.convolution = nn.Conv2d(3, channels, 3, padding=1)

    assert_rejected(shallow.shallow_features, OtherName, "conv.weight")


# Pixel shuffle


def by_slices(channels, s, place=lambda c, i, j, colours, s: (c * s + i) * s + j):
    b, many, h, w = channels.shape
    out = torch.empty(b, many // s**2, h * s, w * s)
    for c in range(many // s**2):
        for i in range(s):
            for j in range(s):
                out[:, c, i::s, j::s] = channels[:, place(c, i, j, many // s**2, s)]
    return out


def pasted(channels, s):
    """The s² planes of a colour side by side, not interleaved."""
    b, many, h, w = channels.shape
    planes = channels.view(b, many // s**2, s, s, h, w)
    return torch.cat([torch.cat(list(row.unbind(2)), -1) for row in planes.unbind(2)], -2)


def half_pasted(channels, s, axis):
    b, many, h, w = channels.shape
    planes = channels.view(b, many // s**2, s, s, h, w).movedim(3, -1)  # B C i H W j
    if axis == "rows":
        return planes.reshape(b, -1, s * h, w * s)
    planes = channels.view(b, many // s**2, s, s, h, w).permute(0, 1, 4, 2, 3, 5)  # B C H i j W
    return planes.reshape(b, -1, h * s, s * w)


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (lambda x, s: by_slices(x, s, lambda c, i, j, n, s: (i * s + j) * n + c), "not (i j c)"),
        (lambda x, s: by_slices(x, s, lambda c, i, j, n, s: (c * s + j) * s + i), "not (c j i)"),
        (pasted, "small copies"),
        (lambda x, s: half_pasted(x, s, "rows"), "not (i h)"),
        (lambda x, s: half_pasted(x, s, "columns"), "not (j w)"),
        (lambda x, s: by_slices(x, s).mT, "rows and columns are swapped"),
        (lambda x, s: x.flatten().view(len(x), -1, s * x.shape[2], s * x.shape[3]), "reshape"),
        (lambda x, s: by_slices(x, 2), "always shuffles by 2"),
    ],
)
def test_each_mistake_in_the_pixel_shuffle_is_named(mistaken, says):
    assert_named(shallow.pixel_shuffle, mistaken, says)


# The light head


def head(
    before=lambda tokens: tokens.movedim(-1, 1), after=lambda image: image, zero=("weight", "bias")
):
    """A light head in other words, with what is done ``before`` and ``after`` its convolution."""

    class Head(nn.Module):
        def __init__(self, channels, scale):
            super().__init__()
            conv = nn.Conv2d(channels, 3 * scale * scale, 3, padding="same")
            for name in zero:
                getattr(conv, name).data.zero_()
            self.to_image = nn.Sequential(conv)
            self.scale = scale

        def forward(self, tokens):
            return after(by_slices(self.to_image(before(tokens)), self.scale))

    return Head


def test_a_head_that_cannot_be_trained_is_rejected():
    class Frozen(head()):
        def __init__(self, channels, scale):
            super().__init__(channels, scale)
            self.requires_grad_(False)

    assert_rejected(shallow.light_head, Frozen, "`to_image.0.weight` is frozen")
    detached = head(after=lambda image: image.detach())
    assert_rejected(shallow.light_head, detached, "no gradient reaches the weights")


@pytest.mark.parametrize("cls", [shallow.ShallowFeatures, shallow.LightHead])
def test_what_acts_in_training_only_is_rejected(cls):
    class Mine(cls):
        def forward(self, given):
            return F.dropout(super().forward(given), 0.5, self.training)

    exercise = shallow.light_head if cls is shallow.LightHead else shallow.shallow_features
    assert_rejected(exercise, Mine, "other numbers in training mode")


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (head(zero=()), "before training the head does not return 0"),
        (head(zero=["bias"]), "bias starts at zero but the weight does not"),
        (head(zero=["weight"]), "weight starts at zero but the bias does not"),
        (head(before=lambda t: t.transpose(1, 3)), "rows and columns are swapped"),
        (head(before=lambda t: t.reshape(len(t), t.shape[3], *t.shape[1:3])), "reshape and view"),
        (head(after=lambda image: image.movedim(1, -1)), "the layout of tokens"),
        (head(after=lambda image: image.clip(0, 1)), "clipped to 0…1"),
        (head(after=lambda image: image * (image > 0)), "negative answers are cut off"),
    ],
)
def test_each_mistake_in_the_light_head_is_named(mistaken, says):
    assert_named(shallow.light_head, mistaken, says)


# Figures


def test_filter_answers_are_shown_between_their_limits():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (6, 9, 3), dtype=np.uint8)
    kernel = np.array([[-1, 0, 1], [-0.5, 0, 0.254], [-0.001, 0, 1]])
    answer = rng.normal(size=(6, 9))
    picture, weights, shown, _ = response(image, kernel, answer, limit=4).axes
    assert np.array_equal(picture.images[0].get_array(), image)
    assert np.array_equal(weights.images[0].get_array(), kernel)
    texts = [text.get_text() for text in weights.texts]
    assert texts == ["-1", "0", "1", "-0.5", "0", "0.25", "0", "0", "1"]
    assert np.array_equal(shown.images[0].get_array(), answer)
    assert shown.images[0].get_clim() == (-4, 4)


def test_missing_detail_is_original_minus_base_in_the_square():
    rng = np.random.default_rng(0)
    original, base = rng.integers(0, 256, (2, 12, 15, 3), dtype=np.uint8)
    first, second, third, _ = missing(original, base, top=2, left=3, side=8).axes
    assert np.array_equal(first.images[0].get_array(), original[2:10, 3:11])
    assert np.array_equal(second.images[0].get_array(), base[2:10, 3:11])
    expected = (original[2:10, 3:11].astype(int) - base[2:10, 3:11]).mean(-1)
    np.testing.assert_allclose(third.images[0].get_array(), expected)
    low, high = third.images[0].get_clim()
    assert -low == high == pytest.approx(np.abs(expected).max())
    assert third.images[0].get_extent() == [3, 11, 10, 2]


def test_training_curve_is_the_loss_ratio_and_its_mean():
    losses, base = np.linspace(2, 1, 100), np.full(100, 2.0)
    single, mean, bilinear = training_curve(losses, base).axes[0].lines
    np.testing.assert_allclose(single.get_ydata(), losses / 2)
    assert single.get_xdata()[0] == 1
    np.testing.assert_allclose(mean.get_ydata()[0], losses[:2].mean() / 2)
    assert mean.get_xdata()[0] == 1.5
    assert set(bilinear.get_ydata()) == {1}


def test_filters_before_and_after_share_one_scale():
    before, after = np.random.default_rng(0).normal(size=(2, 5, 3, 3))
    *grid, _ = filters(before, after).axes
    for axes, kernel in zip(grid, [*before, *after], strict=True):
        assert np.array_equal(axes.images[0].get_array(), kernel)
        low, high = axes.images[0].get_clim()
        assert -low == high == max(abs(before).max(), abs(after).max())


def test_channel_explorer_draws_every_channel_on_its_scale(sweep):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (6, 9, 3), dtype=np.uint8)
    states = {
        name: (rng.normal(size=(4, 3, 3)), size * rng.normal(size=(6, 9, 4)))
        for name, size in (("trained", 1), ("untrained", 5))
    }
    widget = explore_channels(image, states, channel=2)
    assert sweep(widget) == 2
    assert widget.kwargs == {"channel": 2, "weights": "trained"}
    for name in states:
        drawn = widget.f(channel=3, weights=name)
        assert isinstance(drawn, matplotlib.figure.Figure)
        shown = drawn.axes[2].images[0]
        assert np.array_equal(shown.get_array(), states[name][1][..., 3])
        assert shown.get_clim()[1] == max(abs(maps[..., 3]).max() for _, maps in states.values())
