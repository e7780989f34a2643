"""Notebook 06: its exercises name mistakes, its figures show what they claim."""

import numpy as np
import pytest
import torch

from glanet.course.lessons.shifted_windows import exercises, figures
from glanet.course.lessons.shifted_windows.widgets import explore_reach
from glanet.model.attention import WindowAttention, shift_mask
from tests.lessons.shifted_windows.variants import (
    ByDefinition,
    WindowByWindow,
    by_counting,
    cut_and_glued,
    moved,
    moving,
    of_nine_regions,
    one_by_one,
    pair_by_pair,
    parted,
    were_no_neighbours,
)
from tests.lessons.verdicts import assert_named, assert_rejected, assert_right, message_on

# The roll, by indices


def test_rolling_is_accepted_in_other_words():
    assert_right(exercises.on_rolled, cut_and_glued)
    assert_right(exercises.on_rolled, moving((-1, -1), (1, 1)))


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (moving((1, 1), (-1, -1)), "rolls the wrong way"),
        (moving((-1, -1), (0, 0)), "does not roll back"),
        (moving((-1, -1), (-1, -1)), "rolls back the same way"),
        (moving((-1, 0), (1, 0)), "only the rows"),
        (moving((0, -1), (0, 1)), "only the columns"),
        (
            lambda x, s, operation: operation(x.roll(-s, 0).roll(-s, 1)).roll(s, 0).roll(s, 1),
            "the batch is rolled",
        ),
        (
            lambda x, s, operation: operation(x.roll(-s, 2).roll(-s, 3)).roll(s, 3).roll(s, 2),
            "the channels are rolled",
        ),
        (
            lambda x, s, operation: (
                operation(x.flatten().roll(-s).view(x.shape)).flatten().roll(s).view(x.shape)
            ),
            "one long row",
        ),
        (lambda x, s, operation: operation(x), "nothing is rolled"),
        (lambda x, s, operation: moved(moved(x, -s, -s), s, s), "operation is not called"),
    ],
)
def test_each_mistake_in_rolling_is_named(mistaken, says):
    assert_rejected(exercises.on_rolled, mistaken, says)


# The mask, pair by pair


def corners_alike(a, b, sizes):
    height, width, _, shift = sizes
    far = [(p[0] >= height - shift) + (p[1] >= width - shift) for p in (a, b)]
    return far[0] != far[1]


def test_the_mask_is_accepted_in_other_words():
    assert_right(exercises.shift_mask, pair_by_pair(were_no_neighbours))
    assert_right(exercises.shift_mask, pair_by_pair(parted(0, 1)))


def test_the_nine_regions_of_swin_transformer_are_accepted():
    assert_right(exercises.shift_mask, of_nine_regions)


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (pair_by_pair(parted(0, 1, after=lambda n, m, s: s)), "first rows and columns"),
        (pair_by_pair(parted(0, 1, after=lambda n, m, s: n - m)), "whole windows"),
        (pair_by_pair(parted(0, 1, after=lambda n, m, s: n - m + s)), "at the wrong place"),
        (
            pair_by_pair(parted(0, 1, after=lambda n, m, s: n - s - 1)),
            "one row and one column too many",
        ),
        (pair_by_pair(parted(0)), "only top and bottom"),
        (pair_by_pair(parted(1)), "only left and right"),
        (pair_by_pair(corners_alike), "share a number"),
        (pair_by_pair(lambda *case: not were_no_neighbours(*case)), "the mask is inverted"),
        (pair_by_pair(were_no_neighbours, 100.0), "sign is wrong"),
        (pair_by_pair(were_no_neighbours, float("-inf")), "it uses -inf"),
        (lambda *sizes: of_nine_regions(*sizes) < 0, "these are booleans"),
        (lambda *sizes: of_nine_regions(*sizes).squeeze(1), "axis for the heads"),
        (lambda *sizes: 0 * of_nine_regions(*sizes) + of_nine_regions(*sizes)[-1], "of the last"),
    ],
)
def test_each_mistake_in_the_mask_is_named(mistaken, says):
    assert_rejected(exercises.shift_mask, mistaken, says)


def test_a_mask_of_distant_pixels_is_named():
    def dilated(height, width, window, shift):
        down, across = height // window, width // window
        side = torch.zeros(height, width)
        side[height - shift :] += 2
        side[:, width - shift :] += 1
        cut = torch.stack(
            [side[r::down, c::across].flatten() for r in range(down) for c in range(across)]
        )
        return -100.0 * (cut[:, None, :, None] != cut[:, None, None, :])

    assert_rejected(exercises.shift_mask, dilated, "distant pixels")


def test_height_and_width_exchanged_is_named():
    def exchanged(height, width, window, shift):
        return of_nine_regions(width, height, window, shift)

    assert_named(exercises.shift_mask, exchanged, "height and width are exchanged")


def test_a_mask_in_float64_is_told_so():
    says = "right, but in float64: return float32"
    assert message_on(exercises.shift_mask, lambda *sizes: of_nine_regions(*sizes).double()) == says


# Which window, position by position


def test_any_numbering_of_the_shifted_windows_is_accepted():
    assert_right(exercises.shifted_window, one_by_one(by_counting))
    assert_right(exercises.shifted_window, lambda position, m, s: 7 - (position + m - s) // m)


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (lambda p, m, s, n: (p - s) % 24 // m, "repeat after 24 positions"),
        (lambda p, m, s, n: p // m, "before the shift"),
        (lambda p, m, s, n: (p + s) // m, "the other way"),
        (lambda p, m, s, n: int((p - s) / m), "round down"),
        (lambda p, m, s, n: ((p - s) % n) // m, "first and last pixels share"),
        (lambda p, m, s, n: divmod(p - s, m)[1], "place inside the window"),
        (lambda p, m, s, n: p // s, "not `shift`"),
    ],
)
def test_each_mistake_in_the_shifted_window_is_named(number, says):
    assert_rejected(exercises.shifted_window, one_by_one(number), says)


# SW-MSA over the image as it stands, from whom each pixel may see


class Unshifted(ByDefinition):
    def __init__(self, *settings):
        super().__init__(*settings)
        self.shift = 0


class HalfAWindow(ByDefinition):
    def __init__(self, *settings):
        super().__init__(*settings)
        self.shift = self.window // 2


class EdgesMeet(ByDefinition):
    def pairs(self, size):
        number = (torch.arange(size) - self.shift) % size // self.window
        return number[:, None] == number


class NoPositionBias(ByDefinition):
    def score(self, height, width):
        return torch.zeros(height * width, height * width).to(self.bias_table)


def test_sw_msa_is_accepted_by_its_definition():
    assert_right(exercises.window_attention, ByDefinition)


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (Unshifted, "same pixels meet as in W-MSA"),
        (HalfAWindow, "always shifts by half a window"),
        (EdgesMeet, "the mask is missing"),
        (NoPositionBias, "position bias is missing"),
    ],
)
def test_mistakes_in_whom_a_pixel_sees_are_named(mistaken, says):
    assert_rejected(exercises.window_attention, mistaken, says)


class Unrolled(WindowByWindow):
    def away(self):
        return 0, 0

    def back(self):
        return self.shift, self.shift


class MaskOfTheTurnedImage(WindowByWindow):
    def masks(self, height, width):
        return super().masks(width, height)


class WholeWindow(WindowByWindow):
    def away(self):
        return -self.window, -self.window


class WrongWay(WindowByWindow):
    def away(self):
        return self.shift, self.shift


class NotBack(WindowByWindow):
    def back(self):
        return 0, 0


class BackTheSameWay(WindowByWindow):
    def back(self):
        return self.away()


class NotRolled(WindowByWindow):
    def away(self):
        return 0, 0


class OnlyRows(WindowByWindow):
    def away(self):
        return -self.shift, 0


class MaskOfTheLast(WindowByWindow):
    def masks(self, height, width):
        return (
            super()
            .masks(height, width)
            .flip(0)[:1]
            .expand(height * width // self.window**2, -1, -1, -1)
        )


class MaskSubtracted(WindowByWindow):
    def masks(self, height, width):
        return -super().masks(height, width)


class NoProj(WindowByWindow):
    def __init__(self, *settings):
        super().__init__(*settings)
        self.proj.forward = lambda mixed: mixed


class NoMask(WindowByWindow):
    def masks(self, height, width):
        return 0 * super().masks(height, width)


def test_sw_msa_is_accepted_window_by_window():
    assert_right(exercises.window_attention, WindowByWindow)


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (Unrolled, "attention reads the tokens that are not rolled"),
        (MaskOfTheTurnedImage, "height and width are exchanged in the mask"),
        (WholeWindow, "rolls by a whole window"),
        (WrongWay, "rolls the wrong way"),
        (NotBack, "does not roll back"),
        (BackTheSameWay, "rolls back the same way"),
        (NotRolled, "the roll is missing"),
        (OnlyRows, "only the rows are rolled"),
        (MaskOfTheLast, "mask of the last"),
        (MaskSubtracted, "mask is subtracted"),
        (NoMask, "mask is missing"),
        (NoProj, "proj is missing"),
    ],
)
def test_mistakes_in_rolling_and_masking_are_named(mistaken, says):
    assert_rejected(exercises.window_attention, mistaken, says)


def test_the_mask_the_notebook_compares_with_is_the_packages():
    theirs = shift_mask(8, 16, 8, 4, torch.float64, torch.device("cpu"))
    assert torch.equal(exercises.plain_mask(8, 16, 8, 4).double(), theirs)


# Figures


def lines(axes):
    """Where borders are drawn: heights of the level lines, places of the upright ones."""
    drawn = [line.get_xydata() for line in axes.lines if len(line.get_xydata()) == 2]
    level = sorted({xy[0, 1] for xy in drawn if xy[0, 1] == xy[1, 1]})
    upright = sorted({xy[0, 0] for xy in drawn if xy[0, 0] == xy[1, 0]})
    return level, upright


def test_numbered_images_show_their_numbers_and_windows():
    numbers = np.arange(24).reshape(4, 6)
    figure = figures.numbered({"plain": (numbers, (0, 0)), "shifted": (numbers, (1, 1))}, window=2)
    plain, shifted = figure.axes
    assert {t.get_position(): t.get_text() for t in plain.texts}[(5, 2)] == "17"
    assert lines(plain) == ([-0.5, 1.5, 3.5], [-0.5, 1.5, 3.5, 5.5])
    assert lines(shifted) == ([0.5, 2.5], [0.5, 2.5, 4.5])


def test_masks_are_white_where_a_pair_may_attend():
    mask = exercises.plain_mask(4, 6, 2, 1)
    figure = figures.masks(mask)
    assert len(figure.axes) == 6
    for values, axes in zip(mask[:, 0], figure.axes, strict=True):
        shown = axes.images[0]
        assert np.array_equal(shown.get_array(), values)
        assert shown.get_clim() == (-100, 0)
        assert shown.get_cmap().name == "gray"


def test_touched_marks_the_pixel_and_counts_what_changed():
    changed = torch.zeros(4, 8, dtype=torch.bool)
    changed[1, 2:5] = True
    figure = figures.touched({"one": changed, "two": ~changed}, row=1, column=3, window=4)
    one, two = figure.axes
    assert one.get_title() == "one\n3 pixels"
    assert two.get_title() == "two\n29 pixels"
    assert np.array_equal(one.images[0].get_array(), changed)
    assert lines(one) == ([-0.5, 3.5], [-0.5, 3.5, 7.5])
    assert [3, 1] in [line.get_xydata()[0].tolist() for line in one.lines]


def test_seams_draw_one_point_for_each_place_in_a_window():
    profiles = {"W-MSA": [1.0, 2.0], "SW-MSA": [2.0, 1.0], "input": [1.0, 1.0]}
    axes = figures.seams(profiles).axes[0]
    assert {line.get_label(): list(line.get_ydata()) for line in axes.lines} == profiles
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0–1", "1–0"]


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(100, 256, (16, 24, 3), dtype=np.uint8)


@pytest.mark.parametrize("shift", [0, 4])
@pytest.mark.parametrize(("row", "column"), [(0, 0), (2, 13), (9, 5), (15, 23)])
def test_reach_leaves_bright_what_a_pixel_sees(photo, row, column, shift):
    layer = WindowAttention(4, 1, 8, shift).double()
    tokens = torch.randn(1, 16, 24, 4, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(tokens)[0, row, column].sum(), tokens)
    seen = (gradient[0].abs().amax(-1) > 1e-12).numpy()

    image, rolled = figures.reach(photo, row=row, column=column, window=8, shift=shift).axes
    bright = (image.images[0].get_array() == photo).all(-1)
    assert np.array_equal(bright, seen)
    assert image.get_title() == f"image: {seen.sum()} pixels"
    expected = np.roll(np.where(seen[..., None], photo, photo // 3), (-shift, -shift), (0, 1))
    assert np.array_equal(rolled.images[0].get_array(), expected)
    place = {patch.get_bbox().bounds for patch in rolled.patches}
    assert place == {((column - shift) % 24 - 0.5, (row - shift) % 16 - 0.5, 1, 1)}


def test_the_widget_draws_at_all_ends_shifted_or_not(photo, sweep):
    widget = explore_reach(photo, row=2, column=3, window=8)
    assert sweep(widget) == 3
    for shifted, pixels in ((True, 16), (False, 64)):
        figure = widget.f(row=0, column=0, shifted=shifted)
        assert figure.axes[0].get_title() == f"image: {pixels} pixels"
