from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

from glanet.data.degradation import (
    cubic_kernel,
    imresize,
    imresize_tensor,
    modcrop,
    resize_matrix,
    resize_to,
)

SCALES = [Fraction(1, 4), Fraction(1, 3), Fraction(1, 2), Fraction(2), Fraction(3), Fraction(4)]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def exact_kernel(x):
    x = abs(x)
    if x <= 1:
        return Fraction(3, 2) * x**3 - Fraction(5, 2) * x**2 + 1
    if x < 2:
        return -Fraction(1, 2) * x**3 + Fraction(5, 2) * x**2 - 4 * x + 2
    return Fraction(0)


def exact_matrix(size, scale):
    """The resize matrix in rational arithmetic, from its definition, one weight at a time."""
    stretch = min(scale, Fraction(1))
    matrix = []
    for i in range(-(-size * scale.numerator // scale.denominator)):
        centre = (i + Fraction(1, 2)) / scale - Fraction(1, 2)
        row = [Fraction(0)] * size
        for j in range(-8 * size - 20, 9 * size + 20):
            mirrored = j % (2 * size)
            row[min(mirrored, 2 * size - 1 - mirrored)] += exact_kernel(stretch * (centre - j))
        matrix.append([weight / sum(row) for weight in row])
    return matrix


def read(path):
    return np.array(Image.open(path).convert("RGB"))


# The benchmark's own files


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(("name", "count"), [("Set5", 5), ("Set14", 14)])
def test_all_57_lr_files_are_reproduced_bit_for_bit(data_root, name, count, scale):
    folder = data_root / "benchmark" / name
    paths = sorted((folder / "HR").glob("*.png"))
    assert len(paths) == count
    for path in paths:
        published = read(folder / "LR_bicubic" / f"X{scale}" / f"{path.stem}x{scale}.png")
        ours = imresize(modcrop(read(path), scale), 1 / scale)
        assert np.array_equal(ours, published), path.name


# The matrix


@pytest.mark.parametrize("scale", SCALES, ids=str)
@pytest.mark.parametrize("size", [1, 2, 5, 24])
def test_matrix_equals_rational_arithmetic(size, scale):
    exact = np.array(exact_matrix(size, scale), dtype=float)
    ours = resize_matrix(size, float(scale))
    assert ours.shape == exact.shape
    if scale in (Fraction(1, 3), 3):
        np.testing.assert_allclose(ours, exact, rtol=0, atol=1e-14)
    else:
        assert np.array_equal(ours, exact)


@pytest.mark.parametrize("scale", [Fraction(1, 3), Fraction(3)], ids=str)
def test_weights_of_scale_3_never_sum_to_a_half(scale):
    assert all(weight.denominator % 2 for row in exact_matrix(24, scale) for weight in row)


def test_halving_has_the_weights_worked_out_by_hand():
    inside = np.array([-3, -9, 29, 111, 111, 29, -9, -3]) / 256
    np.testing.assert_array_equal(resize_matrix(16, 0.5)[4, 5:13], inside)
    assert np.count_nonzero(resize_matrix(16, 0.5)[4]) == 8


def test_doubling_has_the_weights_worked_out_by_hand():
    inside = np.array([-3, 29, 111, -9]) / 128
    np.testing.assert_array_equal(resize_matrix(8, 2)[8, 2:6], inside)


def test_border_is_mirrored_with_its_sample_repeated():
    # The first output sample lies at 0.5 between samples 0 and 1; three taps fall left of the axis.
    folded = np.array([111 + 29, 111 - 9, 29 - 3, -9, -3]) / 256
    np.testing.assert_array_equal(resize_matrix(16, 0.5)[0, :5], folded)


@pytest.mark.parametrize("scale", [*map(float, SCALES), 0.7, 1.0, 1.5])
@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_rows_sum_to_one(size, scale):
    np.testing.assert_allclose(resize_matrix(size, scale).sum(axis=1), 1, rtol=0, atol=1e-14)


@pytest.mark.parametrize("scale", [3, 1 / 3, 0.7])
def test_resizing_commutes_with_mirroring(scale):
    matrix = resize_matrix(30, scale)
    np.testing.assert_allclose(matrix, matrix[::-1, ::-1], rtol=0, atol=1e-14)


def test_a_third_of_a_multiple_of_three_is_exact_at_every_size():
    for size in range(3, 1500, 3):
        assert resize_matrix(size, 1 / 3).shape == (size // 3, size)


def test_cached_matrix_cannot_be_changed_by_a_caller():
    with pytest.raises(ValueError, match="read-only"):
        resize_matrix(8, 2)[0, 0] = 0


def test_kernel_interpolates():
    np.testing.assert_array_equal(cubic_kernel(np.arange(-3, 4)), [0, 0, 0, 1, 0, 0, 0])
    assert cubic_kernel(0.5) == 0.5625
    assert cubic_kernel(-1.5) == -0.0625


# The image


@pytest.mark.parametrize("scale", [1 / 2, 1 / 3, 1 / 4, 2, 3, 4])
def test_imresize_is_two_matrices_rounded_after_each(rng, scale):
    image = rng.integers(0, 256, (150, 131, 3), dtype=np.uint8)

    def to_uint8(values):
        return np.clip(np.floor(values + 0.5), 0, 255)

    rows, columns = resize_matrix(150, scale), resize_matrix(131, scale)
    tall = to_uint8(np.einsum("oh,hwc->owc", rows, image))
    expected = to_uint8(np.einsum("ow,hwc->hoc", columns, tall))
    assert np.array_equal(imresize(image, scale), expected)


def test_a_half_is_rounded_up():
    # Halving [a, b] averages them: the mirrored weights of both add up to 1/2.
    assert imresize(np.array([[0], [1]], np.uint8), 0.5).item() == 1
    assert imresize(np.array([[2], [3]], np.uint8), 0.5).item() == 3


def test_rounding_and_clipping_happen_after_each_pass():
    # Height pass: 0.5 and 0 become 1 and 0. Width pass: 0.5 becomes 1. Rounded once: 0.25 is 0.
    assert imresize(np.array([[1, 0], [0, 0]], np.uint8), 0.5).item() == 1


def test_overshoot_beside_an_edge_is_clipped():
    edge = np.repeat(np.array([0, 255], np.uint8), 8)[:, None]
    exact = resize_matrix(16, 2) @ edge
    assert exact.min() < -10
    assert exact.max() > 265
    assert imresize(edge, 2)[:, 0].min() == 0
    assert imresize(edge, 2)[:, 0].max() == 255


def test_height_pass_comes_before_width_pass(rng):
    image = rng.integers(0, 256, (24, 24), dtype=np.uint8)
    width_first = imresize(image.T, 0.5).T
    assert not np.array_equal(imresize(image, 0.5), width_first)


def test_scale_1_changes_nothing(rng):
    image = rng.integers(0, 256, (7, 5, 3), dtype=np.uint8)
    assert np.array_equal(imresize(image, 1), image)


@pytest.mark.parametrize("scale", [0.1, 1 / 3, 0.5, 0.7, 1.5, 2, 3])
@pytest.mark.parametrize("grey", [0, 1, 128, 255])
def test_constant_images_stay_constant(grey, scale):
    resized = imresize(np.full((13, 17, 3), grey, np.uint8), scale)
    assert (resized == grey).all()


@pytest.mark.parametrize("scale", [0.01, 1 / 3, 0.5, 1, 2, 4])
def test_a_single_pixel_only_repeats(scale):
    pixel = np.array([[[7, 130, 255]]], np.uint8)
    resized = imresize(pixel, scale)
    assert (resized == pixel).all()
    assert resized.shape == (max(1, int(scale)), max(1, int(scale)), 3)


@pytest.mark.parametrize(
    ("shape", "scale", "expected"),
    [
        ((7, 5, 3), 1 / 2, (4, 3, 3)),
        ((7, 5, 3), 1 / 3, (3, 2, 3)),
        ((7, 5, 3), 1 / 4, (2, 2, 3)),
        ((7, 5, 3), 3, (21, 15, 3)),
        ((7, 5), 1 / 2, (4, 3)),
        ((7, 5, 1), 1 / 2, (4, 3, 1)),
        ((7, 5, 4), 2, (14, 10, 4)),
        ((1, 9), 1 / 2, (1, 5)),
    ],
)
def test_output_size_is_rounded_up(shape, scale, expected):
    resized = imresize(np.zeros(shape, np.uint8), scale)
    assert resized.shape == expected
    assert resized.dtype == np.uint8
    assert resized.flags.c_contiguous


def test_channels_are_resized_independently_and_grey_alike(rng):
    image = rng.integers(0, 256, (40, 33, 3), dtype=np.uint8)
    channels = [imresize(image[..., c], 1 / 3) for c in range(3)]
    assert np.array_equal(imresize(image, 1 / 3), np.stack(channels, axis=-1))


def test_a_view_is_resized_like_its_copy_and_left_alone(rng):
    image = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    view = image[::-1, 1:50:2]
    before = view.copy()
    assert np.array_equal(imresize(view, 0.5), imresize(before, 0.5))
    assert np.array_equal(view, before)


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (np.zeros((4, 4, 3)), TypeError, "float64.*imresize_tensor"),
        (np.zeros((4, 4), np.uint16), TypeError, "uint16"),
        ([[1, 2]], TypeError, "list"),
        (torch.zeros(4, 4, dtype=torch.uint8), TypeError, "torch.uint8"),
        (np.zeros(4, np.uint8), ValueError, r"\(4,\)"),
        (np.zeros((1, 4, 4, 3), np.uint8), ValueError, r"\(1, 4, 4, 3\)"),
        (np.zeros((0, 4, 3), np.uint8), ValueError, r"\(0, 4, 3\)"),
        (np.zeros((4, 4, 0), np.uint8), ValueError, r"\(4, 4, 0\)"),
    ],
)
def test_what_is_no_8_bit_image_is_rejected(image, error, message):
    with pytest.raises(error, match=message):
        imresize(image, 0.5)


@pytest.mark.parametrize("scale", [0, -2, float("nan"), float("inf")])
def test_an_invalid_scale_is_rejected(scale):
    with pytest.raises(ValueError, match=f"scale is {scale}"):
        imresize(np.zeros((4, 4), np.uint8), scale)


# The batch


def as_batch(image):
    return torch.from_numpy(image.copy()).permute(2, 0, 1)[None].double() / 255


def levels_apart(image, scale):
    """The largest difference, in grey levels, of the tensor's result and the uint8 function's."""
    resized = imresize_tensor(as_batch(image), scale)[0].permute(1, 2, 0).numpy()
    quantised = np.clip(np.floor(resized * 255 + 0.5), 0, 255)
    return np.abs(quantised - imresize(image, scale)).max()


@pytest.mark.parametrize("scale", [1 / 2, 1 / 3, 1 / 4, 2, 3, 4])
def test_batch_is_within_one_level_of_the_image(rng, scale):
    # The intermediate rounding is off by at most 1/2, which the width pass multiplies by at most
    # the absolute sum of its weights: less than 1 in all, so the rounded levels are neighbours.
    assert 0.5 * np.abs(resize_matrix(99, scale)).sum(axis=1).max() < 1
    image = rng.integers(32, 224, (99, 99, 3), dtype=np.uint8)
    assert levels_apart(image, scale) == 1


@pytest.mark.parametrize("scale", [1 / 2, 1 / 3, 1 / 4, 2, 3, 4])
def test_batch_is_within_37_levels_of_any_image(rng, scale):
    # The height pass overshoots by at most 255 times its negative weights, and the width pass
    # multiplies what was clipped as it does the rounding error above.
    matrix = resize_matrix(99, scale)
    overshoot = 255 * -np.minimum(matrix, 0).sum(axis=1).min()
    bound = overshoot * np.abs(matrix).sum(axis=1).max()
    assert bound < 37
    black_and_white = rng.integers(0, 2, (99, 99, 1), dtype=np.uint8) * 255
    assert 1 < levels_apart(black_and_white, scale) <= np.ceil(bound)


def test_batch_keeps_dtype_and_gives_the_same_numbers(rng):
    images = torch.from_numpy(rng.random((2, 3, 12, 18)))
    single = imresize_tensor(images.float(), 1 / 3)
    assert single.dtype == torch.float32
    assert single.shape == (2, 3, 4, 6)
    assert imresize_tensor(images.bfloat16(), 2).dtype == torch.bfloat16
    torch.testing.assert_close(
        single.double(), imresize_tensor(images, 1 / 3), rtol=0, atol=1e-6, check_dtype=False
    )


def test_batch_is_differentiable(rng):
    images = torch.from_numpy(rng.random((1, 2, 6, 8))).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: imresize_tensor(x, 0.5), images)


@pytest.mark.parametrize(
    ("images", "scale", "error", "message"),
    [
        (torch.zeros(1, 3, 4, 4, dtype=torch.uint8), 2, TypeError, "torch.uint8"),
        (torch.zeros(3, 4, 4), 2, ValueError, r"\(3, 4, 4\)"),
        (torch.zeros(1, 3, 0, 4), 2, ValueError, "0 samples"),
        (torch.zeros(1, 3, 4, 4), 0, ValueError, "scale is 0"),
    ],
)
def test_what_is_no_float_batch_is_rejected(images, scale, error, message):
    with pytest.raises(error, match=message):
        imresize_tensor(images, scale)


# The crop


def test_modcrop_drops_the_right_and_the_bottom():
    image = np.arange(7 * 11 * 3).reshape(7, 11, 3)
    assert np.array_equal(modcrop(image, 3), image[:6, :9])
    assert np.array_equal(modcrop(image[..., 0], 4), image[:4, :8, 0])
    assert np.array_equal(modcrop(image, 1), image)


@pytest.mark.parametrize(
    ("shape", "scale", "error", "message"),
    [
        ((2, 9, 3), 3, ValueError, r"\(2, 9, 3\).*multiple of 3"),
        ((9, 9, 3), 0, ValueError, "found 0"),
        ((9,), 3, ValueError, r"\(9,\)"),
        ((9, 9, 3), 1.5, TypeError, "1.5"),
    ],
)
def test_modcrop_rejects_what_it_cannot_crop(shape, scale, error, message):
    with pytest.raises(error, match=message):
        modcrop(np.zeros(shape), scale)


# resize_to


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_whole_scale_by_size_is_imresize(scale, dtype):
    image = np.random.default_rng(0).integers(0, 256, (9, 14, 3), dtype=np.uint8)
    resized = resize_to(image.astype(dtype), 9 * scale, 14 * scale)
    assert resized.dtype == dtype
    if dtype == np.uint8:
        assert np.array_equal(resized, imresize(image, scale))


@pytest.mark.parametrize("size", [(1, 1), (9, 14), (13, 21), (4, 60)])
def test_any_size_is_reached_and_a_flat_image_stays_flat(size):
    assert (resize_to(np.full((9, 14), 77, np.uint8), *size) == np.full(size, 77)).all()
    assert (resize_to(np.full((9, 14), 777, np.uint16), *size) == np.full(size, 777)).all()


def test_the_axis_of_the_smaller_scale_is_resized_first():
    image = np.random.default_rng(0).integers(0, 256, (9, 14), dtype=np.uint8)
    wide_first = resize_to(resize_to(image, 9, 7), 27, 7)
    assert np.array_equal(resize_to(image, 27, 7), wide_first)
    assert np.array_equal(resize_to(image.T, 7, 27), wide_first.T)


def test_a_size_without_pixels_is_rejected():
    with pytest.raises(ValueError, match="size is 5 × 0; expected 1 pixel or more"):
        resize_to(np.zeros((9, 14), np.uint8), 0, 5)
