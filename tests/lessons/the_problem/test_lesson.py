"""Notebook 01: exercises, figures and sliders."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from glanet.course.lessons.the_problem import exercises as problem
from glanet.course.lessons.the_problem import figures
from glanet.course.lessons.the_problem.widgets import explore_aliasing, explore_unseen
from glanet.data import degradation
from tests.lessons.verdicts import assert_rejected, assert_right, message_on

# The kernel, one number at a time


def kernel_of(piece):
    """A kernel from a function of one float distance."""
    return np.vectorize(piece, otypes=[float])


def keys_piece(x, a=-0.5):
    x = abs(x)
    if x < 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * (x - 1) * (x - 2) ** 2 if x < 2 else 0.0  # factored: zeros at 1, and twice at 2


@pytest.mark.parametrize(
    ("piece", "words"),
    [
        (lambda x: keys_piece(x) if x > 0 else 1 - 2.5 * x**2 + 1.5 * x**3, "np.abs(distance)"),
        (
            lambda x: keys_piece(x) if abs(x) < 1 else (abs(x) - 1) * (abs(x) - 2) ** 2 / -2,
            "ends at a distance of 2",
        ),
        (
            lambda x: (abs(x) - 1) * (1.5 * x**2 - abs(x) - 1),
            "the first line of the formula ends at a distance of 1",
        ),
        (lambda x: keys_piece(x) if abs(x) < 1 else 0.0, "second line of the formula is missing"),
        (lambda x: keys_piece(x) if abs(x) < 1 else -keys_piece(x), "wrong sign"),
        (lambda x: keys_piece(x, -0.75), "a = -0.75"),
        (lambda x: keys_piece(x, -1), "a = -1"),
        (lambda x: 1 - abs(x) if abs(x) < 1 else 0.0, "triangle"),
        (
            lambda x: (
                0.0
                if abs(x) >= 2
                else 1.5 * abs(x) ** 3 - 2.5 * x**2 + 1
                if abs(x) > 1
                else (1 - abs(x)) * (abs(x) - 2) ** 2 / 2
            ),
            "the two lines are swapped",
        ),
    ],
)
def test_each_mistake_in_the_kernel_is_named(piece, words):
    assert_rejected(problem.cubic_kernel, kernel_of(piece), words)


def test_a_kernel_for_single_numbers_is_named():
    assert_rejected(problem.cubic_kernel, keys_piece, "choose with np.where")


# The matrix, by padding the identity with numpy or interpolating it with PyTorch


def padded_matrix(size, scale, *, mode="symmetric", shift=0.5, end=-0.5, narrow=None, divide=True):
    """`resize_matrix`, from the identity padded as numpy pads."""
    narrow = narrow or (1 if scale > 1 else scale)
    margin = 40
    padded = np.pad(np.eye(size), ((margin, margin), (0, 0)), mode=mode)
    rows = []
    for i in range(math.ceil(size * scale)):
        where = (i + shift) / scale + end
        weights = np.array(
            [keys_piece((p - where) * narrow) for p in range(-margin, size + margin)]
        )
        rows.append(weights @ padded / (weights.sum() if divide else 1))
    return np.stack(rows)


def by_pytorch(size, scale, align_corners):
    columns = torch.eye(size, dtype=torch.float64)[:, None, :, None].expand(-1, 1, -1, 8)
    resized = F.interpolate(
        columns, size=(math.ceil(size * scale), 8), mode="bicubic", align_corners=align_corners
    )
    return resized[:, 0, :, 0].T.numpy()


def test_a_matrix_from_the_padded_identity_is_right():
    assert_right(problem.resize_matrix, padded_matrix)


def dropped_outside(size, scale):
    """Weights outside are never taken; the others are divided by what is left of the sum."""
    lost = padded_matrix(size, scale, mode="constant")
    return (lost.T / lost.sum(1)).T


def last_one_wins(size, scale):
    narrow = min(1, scale)
    matrix = np.zeros((math.ceil(size * scale), size))
    for i in range(len(matrix)):
        where = (i + 0.5) / scale - 0.5
        first = math.floor(where - 2 / narrow)
        taken = range(first, math.ceil(where + 2 / narrow) + 1)
        weights = {p: keys_piece((p - where) * narrow) for p in taken}
        for p, weight in weights.items():
            q = p % (2 * size)
            matrix[i, q if q < size else 2 * size - 1 - q] = weight / sum(weights.values())
    return matrix


@pytest.mark.parametrize(
    ("mistaken", "words"),
    [
        (lambda n, s: padded_matrix(n, s, narrow=1), "must be stretched"),
        (lambda n, s: padded_matrix(n, s, narrow=s), "keeps its width"),
        (lambda n, s: padded_matrix(n, s, shift=0, end=0), "does not lie at i / scale"),
        (lambda n, s: padded_matrix(n, s, end=0), "half a pixel is still missing"),
        (lambda n, s: padded_matrix(n, s, mode="constant"), "weights outside the image are lost"),
        (dropped_outside, "dropped and the rest is divided"),
        (lambda n, s: padded_matrix(n, s, mode="edge"), "do not repeat its last pixel"),
        (lambda n, s: padded_matrix(n, s, mode="wrap"), "do not continue with its other end"),
        (lambda n, s: padded_matrix(n, s, mode="reflect"), "repeats the border pixel"),
        (lambda n, s: padded_matrix(n, s, divide=False), "must sum to 1"),
        (lambda n, s: padded_matrix(n, s)[: int(n * s)], "the last output pixel is missing"),
        (lambda n, s: np.transpose(padded_matrix(n, s)), "rows and columns are swapped"),
        (last_one_wins, "must add up"),
    ],
)
def test_each_mistake_in_the_matrix_is_named(mistaken, words):
    assert_rejected(problem.resize_matrix, mistaken, words)


def test_aligned_corners_are_named():
    def corners(size, scale):
        length = math.ceil(size * scale)
        where = np.linspace(0, size - 1, length)
        narrow = min(scale, 1)
        padded = np.pad(np.eye(size), ((40, 40), (0, 0)), mode="symmetric")
        weights = degradation.cubic_kernel(narrow * (np.arange(-40, size + 40) - where[:, None]))
        return weights / weights.sum(1, keepdims=True) @ padded

    assert_rejected(problem.resize_matrix, corners, "align_corners")


@pytest.mark.parametrize("align_corners", [True, False])
def test_pytorchs_own_bicubic_is_not_taken_for_right(align_corners):
    assert message_on(problem.resize_matrix, lambda n, s: by_pytorch(n, s, align_corners))


# The image, one channel and one line at a time


def by_lines(image, scale, *, after=(None, None), order=(0, 1), matrix=padded_matrix):
    """imresize with ``np.apply_along_axis``; ``after`` is done to all numbers after each pass."""
    values = image.astype(float)
    for axis, finish in zip(order, after, strict=True):
        weights = matrix(image.shape[axis], scale)
        values = np.apply_along_axis(weights.dot, axis, values)
        values = finish(values) if finish else values
    return values.astype(np.uint8)


def half_up(values):
    return np.trunc(np.clip(values, 0, 255) + 0.5)


def wrapped(values):
    return np.mod(np.floor(values + 0.5), 256)


def test_an_image_resized_line_by_line_is_right():
    def candidate(image, scale):
        return by_lines(image, scale, after=(half_up, half_up))

    assert_right(problem.imresize, candidate)


@pytest.mark.parametrize(
    ("decisions", "words"),
    [
        ({"after": (None, half_up)}, "rounds only once"),
        ({"after": (half_up, half_up), "order": (1, 0)}, "the width comes first"),
        ({"after": (lambda v: np.floor(v + 0.5), half_up)}, "does not clip"),
        ({"after": (lambda v: np.minimum(np.maximum(v, 0), 255), half_up)}, "does not round"),
        ({"after": [lambda v: np.rint(np.clip(v, 0, 255))] * 2}, "even neighbour"),
        ({"after": [lambda v: np.trunc(np.clip(v, 0, 255))] * 2}, "cut off"),
        ({"after": [wrapped] * 2}, "wrap around"),
        (
            {
                "after": (half_up, half_up),
                "matrix": lambda n, s: padded_matrix(n, s, narrow=1),
            },
            "without stretching",
        ),
    ],
)
def test_each_mistake_in_the_image_is_named(decisions, words):
    assert_rejected(
        problem.imresize, lambda image, scale: by_lines(image, scale, **decisions), words
    )


def one_pass(image, scale, axis):
    weights = padded_matrix(image.shape[axis], scale)
    return half_up(np.apply_along_axis(weights.dot, axis, image)).astype(np.uint8)


@pytest.mark.parametrize(
    ("mistaken", "words"),
    [
        (lambda image, s: one_pass(image, s, 0), "the width is not"),
        (lambda image, s: one_pass(image, s, 1), "the height is not"),
        (
            lambda image, s: one_pass(one_pass(image, s, 0), s, 1).transpose(1, 0, 2),
            "rows and columns are swapped",
        ),
        (
            lambda image, s: one_pass(one_pass(image, s, 0), s, 1).astype(float),
            "in float64: return uint8",
        ),
    ],
)
def test_a_missing_pass_swapped_sides_and_another_type_are_named(mistaken, words):
    assert_rejected(problem.imresize, mistaken, words)


# The spectrum, by matrices of waves


def waves_of(size):
    steps = np.arange(size)
    return np.exp(-2j * np.pi * np.outer(steps, steps) / size) / np.sqrt(size)


def fade_of(shape, half_waves=np.sin):
    height, width = (half_waves(np.pi * np.arange(n) / n) ** 2 for n in shape)
    return np.outer(height, width)


def by_matrices(image, *, centre="channel", fade=fade_of, level=True, finish=None):
    """`power_spectrum` with a Fourier matrix on either side of each channel."""
    window = fade(image.shape[:2])
    if level:
        window = window / np.sqrt(np.mean(window * window))
    powers = []
    for channel in np.moveaxis(image, -1, 0):
        mean = {"channel": channel.mean(), "all": image.mean(), "none": 0}[centre]
        amounts = waves_of(len(image)) @ ((channel - mean) * window) @ waves_of(image.shape[1])
        powers.append(amounts.real**2 + amounts.imag**2)
    return (finish or (lambda p: sum(p) / len(p)))(powers)


def test_a_spectrum_from_matrices_of_waves_is_right():
    assert_right(problem.power_spectrum, by_matrices)


def symmetric(shape):
    return np.outer(*[np.sin(np.pi * np.arange(n) / (n - 1)) ** 2 for n in shape])


def over_width_and_channels(image):
    window = fade_of(image.shape[:2])
    window = window / np.sqrt(np.mean(window**2))
    faded = (image - image.mean((0, 1))) * window[..., None]
    return (np.abs(waves_of(image.shape[1]) @ faded @ waves_of(3)) ** 2).mean(-1)


@pytest.mark.parametrize(
    ("mistaken", "words"),
    [
        (lambda i: by_matrices(i, centre="none"), "the mean is still in it"),
        (lambda i: by_matrices(i, centre="all"), "one mean is subtracted"),
        (lambda i: by_matrices(i, fade=np.ones), "the window is missing"),
        (lambda i: by_matrices(i, fade=symmetric), "np.hanning"),
        (lambda i: by_matrices(i, level=False), "reduces the power"),
        (
            lambda i: by_matrices(i, fade=lambda s: fade_of(s) * 4, level=False),
            "divided by its mean",
        ),
        (lambda i: by_matrices(i) * (i.shape[0] * i.shape[1]), "number of pixels"),
        (lambda i: by_matrices(i, finish=lambda p: np.sqrt(p).mean(0)), "amplitude"),
        (lambda i: np.log(by_matrices(i)), "no logarithm"),
        (lambda i: by_matrices(i, finish=sum), "channels are summed"),
        (lambda i: by_matrices(i.mean(-1)[..., None]), "before the transform"),
        (
            lambda i: np.roll(by_matrices(i), (i.shape[0] // 2, i.shape[1] // 2), (0, 1)),
            "frequency 0 is in the middle",
        ),
        (over_width_and_channels, "last two axes"),
    ],
)
def test_each_mistake_in_the_spectrum_is_named(mistaken, words):
    assert_rejected(problem.power_spectrum, mistaken, words)


# Figures and sliders


def test_kernel_weights_are_those_of_the_matrix_and_hollow_outside():
    upper, lower = figures.kernel_weights(12, {2: 11, 1 / 2: 1}).axes
    for axes, row in (
        (upper, degradation.resize_matrix(12, 2)[11]),
        (lower, degradation.resize_matrix(12, 1 / 2)[1]),
    ):
        stems = {
            int(x): y
            for line in axes.lines
            if line.get_marker() == "o"
            for x, y in zip(*line.get_data(), strict=True)
        }
        folded = np.zeros(12)
        for place, weight in stems.items():
            folded[problem.mirror(place, 12)] += weight
        np.testing.assert_allclose(folded, row, atol=1e-12)
    hollow = [line for line in lower.lines if line.get_markerfacecolor() == "white"]
    assert [list(line.get_xdata()) for line in hollow] == [[-1]]
    labels = [text.get_text() for text in lower.texts]
    assert labels == ["-3", "-9", "29", "111", "111", "29", "-9", "-3"]


def test_pictures_of_all_sizes_cover_the_same_square_and_are_clipped():
    large, small = np.full((8, 6, 3), 300.0), np.full((4, 3, 3), -5.0)
    left, right = figures.pictures({"large": large, "small": small}).axes
    assert left.images[0].get_extent() == right.images[0].get_extent()
    assert (left.images[0].get_array() == 255).all()
    assert (right.images[0].get_array() == 0).all()
    assert [text.get_text() for text in right.get_xticklabels()] == ["0", "3 pixels"]


def parted(size=16):
    rng = np.random.default_rng(0)
    image = rng.uniform(100, 150, (size, size, 3))
    rows = degradation.resize_matrix(size, 1 / 2)
    keep = np.linalg.pinv(rows) @ rows
    seen = np.einsum("ih,hwc,jw->ijc", keep, image, keep)
    return seen, image - seen, lambda i: np.einsum("oh,hwc,pw->opc", rows, i, rows)


def test_what_is_unseen_changes_the_large_image_and_not_the_small_one():
    seen, unseen, shrink = parted()
    figure = figures.large_and_small({"one": seen + unseen, "other": seen - 2 * unseen}, shrink)
    one, other, small, other_small = (axes.images[0].get_array() for axes in figure.axes)
    assert np.abs(one.astype(int) - other).max() > 20
    assert np.abs(small.astype(int) - other_small).max() <= 1  # cut to bytes to be shown
    assert small.shape == (8, 8, 3)


@pytest.mark.parametrize(("frequency", "scale", "alias"), [(0.4, 2, 0.1), (0.3, 3, 1 / 30)])
def test_kept_pixels_lie_on_the_alias_and_antialiased_ones_near_zero(frequency, scale, alias):
    kept, antialiased = figures.aliasing(frequency, scale).axes
    places, values = kept.lines[2].get_data()
    np.testing.assert_allclose(values, np.cos(2 * np.pi * alias * places), atol=1e-9)
    shown = antialiased.lines[2].get_data()
    inside = (shown[0] > 0) & (shown[0] < 24)
    assert inside.sum() == 24 // scale
    assert np.abs(shown[1][inside]).max() < 0.1


def test_a_slow_wave_is_shown_by_both_ways_at_the_right_places():
    for axes in figures.aliasing(0.02, 2).axes:
        places, values = axes.lines[2].get_data()
        inside = (places > 0) & (places < 24)
        wave = np.cos(2 * np.pi * 0.02 * places[inside])
        np.testing.assert_allclose(values[inside], wave, atol=0.01)


def test_spectra_are_drawn_as_given_with_the_end_of_lr_marked():
    frequency = np.linspace(0.01, 0.49, 9)
    names = ("LR", "original", "bicubic", "GLA-Net")
    curves = {name: (frequency, np.full(9, 10.0**i)) for i, name in enumerate(names)}
    axes = figures.spectra(curves, nyquist=0.25).axes[0]
    drawn = {line.get_label(): line.get_ydata() for line in axes.lines}
    for name, (_, power) in curves.items():
        np.testing.assert_array_equal(drawn[name], power)
    assert axes.get_yscale() == "log"
    assert any(list(line.get_xdata()) == [0.25, 0.25] for line in axes.lines)


def test_the_sliders_draw_a_figure_at_both_their_ends(sweep):
    assert sweep(explore_unseen(*parted())) == 1
    assert sweep(explore_aliasing()) == 2
