import math

import numpy as np
import pytest
from PIL import Image

from glanet.data.degradation import imresize, modcrop
from glanet.evaluation.metrics import psnr_rgb, psnr_y, rgb_to_y, ssim_y

BICUBIC = [
    ("Set5", 5, 2, 33.67, 0.9303),
    ("Set5", 5, 3, 30.40, 0.8689),
    ("Set5", 5, 4, 28.43, 0.8111),
    ("Set14", 14, 2, 30.32, 0.8699),
    ("Set14", 14, 3, 27.63, 0.7759),
    ("Set14", 14, 4, 26.09, 0.7048),
    ("B100", 100, 2, 29.56, 0.8434),
    ("B100", 100, 3, 27.21, 0.7391),
    ("B100", 100, 4, 25.96, 0.6681),
]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def pair(rng):
    """An image of 24×20 and a noisy copy of it."""
    hr = rng.integers(40, 216, (24, 20, 3), dtype=np.uint8)
    sr = (hr + rng.integers(-30, 31, hr.shape)).astype(np.uint8)
    return sr, hr


# The published protocol


@pytest.mark.parametrize(("name", "count", "scale", "psnr", "ssim"), BICUBIC)
def test_bicubic_scores_what_the_table_says(data_root, name, count, scale, psnr, ssim):
    paths = sorted((data_root / "benchmark" / name / "HR").glob("*.png"))
    assert len(paths) == count
    scores = []
    for path in paths:
        hr = modcrop(np.array(Image.open(path).convert("RGB")), scale)
        sr = imresize(imresize(hr, 1 / scale), scale)
        scores.append((psnr_y(sr, hr, scale), ssim_y(sr, hr, scale)))
    mean_psnr, mean_ssim = np.mean(scores, axis=0)
    assert mean_psnr == pytest.approx(psnr, abs=0.01)
    assert mean_ssim == pytest.approx(ssim, abs=0.0003)


def test_rgb_of_a_grey_file_scores_1_32_db_below_y(pair):
    # Y spans 219 levels where RGB spans 255: 20 log10(255 / 219) = 1.32 dB.
    sr, hr = (image[..., 0] for image in pair)
    expected = 20 * math.log10(255 / 219)
    assert psnr_y(sr, hr, 0) - psnr_rgb(sr, hr, 0) == pytest.approx(expected, abs=1e-10)


# Luma


@pytest.mark.parametrize(
    ("colour", "luma"),
    [
        ((0, 0, 0), 16),
        ((255, 255, 255), 235),
        ((255, 0, 0), 16 + 65.481),
        ((0, 255, 0), 16 + 128.553),
        ((0, 0, 255), 16 + 24.966),
        ((10, 100, 200), 16 + (654.81 + 12855.3 + 4993.2) / 255),
    ],
)
def test_luma_of_a_colour_is_the_weighted_sum_of_bt_601(colour, luma):
    y = rgb_to_y(np.array([[colour]], np.uint8))
    assert y.shape == (1, 1)
    assert y.dtype == np.float64
    assert y.item() == pytest.approx(luma, abs=1e-12)


def test_luma_of_grey_is_that_of_three_equal_channels(rng):
    grey = rng.integers(0, 256, (9, 7), dtype=np.uint8)
    np.testing.assert_allclose(rgb_to_y(grey), 16 + grey * (219 / 255), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(rgb_to_y(grey), rgb_to_y(np.stack([grey] * 3, axis=-1)))


# PSNR


@pytest.mark.parametrize("error", [1, 5, 60])
def test_psnr_of_a_constant_error_is_worked_out_by_hand(rng, error):
    hr = rng.integers(0, 256 - error, (8, 9, 3), dtype=np.uint8)
    sr = hr + np.uint8(error)
    assert psnr_rgb(sr, hr, 0) == pytest.approx(20 * math.log10(255 / error), abs=1e-10)
    # An equal error on R, G and B is 219 / 255 of it on Y.
    on_y = error * 219 / 255
    assert psnr_y(sr, hr, 0) == pytest.approx(20 * math.log10(255 / on_y), abs=1e-10)


def test_psnr_averages_the_squared_error_before_the_logarithm():
    hr = np.zeros((1, 4), np.uint8)
    sr = np.array([[2, 0, 0, 0]], np.uint8)
    assert psnr_rgb(sr, hr, 0) == pytest.approx(20 * math.log10(255), abs=1e-10)


def test_error_in_red_alone_counts_by_its_weight_in_luma():
    hr = np.zeros((4, 4, 3), np.uint8)
    sr = hr.copy()
    sr[..., 0] = 51
    assert psnr_y(sr, hr, 0) == pytest.approx(20 * math.log10(255 / (65.481 / 5)), abs=1e-10)
    assert psnr_rgb(sr, hr, 0) == pytest.approx(10 * math.log10(3 * 25), abs=1e-10)


def test_darker_and_brighter_by_the_same_amount_score_the_same():
    # In uint8, 10 - 20 would wrap around to 246.
    middle = np.full((3, 3, 3), 20, np.uint8)
    assert psnr_y(middle - np.uint8(10), middle, 0) == psnr_y(middle, middle - np.uint8(10), 0)
    assert psnr_rgb(middle - np.uint8(10), middle, 0) == pytest.approx(20 * math.log10(25.5))


@pytest.mark.parametrize("psnr", [psnr_y, psnr_rgb])
def test_psnr_of_identical_images_is_infinite(pair, psnr):
    _, hr = pair
    assert psnr(hr, hr, 2) == math.inf


# SSIM


def ssim_from_its_definition(a, b):
    """Wang et al. 2004, Eq. 13, position by position."""
    window = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(window, window) / window.sum() ** 2
    a, b = (np.lib.stride_tricks.sliding_window_view(image, (11, 11)) for image in (a, b))

    def mean(x):
        return (x * window).sum(axis=(-2, -1))

    va, vb, cov = mean(a * a) - mean(a) ** 2, mean(b * b) - mean(b) ** 2, mean(a * b)
    cov, c1, c2 = cov - mean(a) * mean(b), (0.01 * 255) ** 2, (0.03 * 255) ** 2
    luminance = (2 * mean(a) * mean(b) + c1) / (mean(a) ** 2 + mean(b) ** 2 + c1)
    return (luminance * (2 * cov + c2) / (va + vb + c2)).mean()


def test_ssim_equals_its_definition(pair):
    sr, hr = pair
    on_y = ssim_from_its_definition(rgb_to_y(sr), rgb_to_y(hr))
    assert ssim_y(sr, hr, 0) == pytest.approx(on_y, abs=1e-10)


def test_ssim_of_identical_images_is_one(pair):
    _, hr = pair
    assert ssim_y(hr, hr, 2) == 1


def test_ssim_of_two_constants_is_the_luminance_term():
    hr, sr = np.full((11, 11), 100, np.uint8), np.full((11, 11), 150, np.uint8)
    a, b = (16 + value * 219 / 255 for value in (100, 150))
    c1 = (0.01 * 255) ** 2
    expected = (2 * a * b + c1) / (a**2 + b**2 + c1)
    assert ssim_y(sr, hr, 0) == pytest.approx(expected, abs=1e-10)


# Both


@pytest.mark.parametrize("metric", [psnr_y, psnr_rgb, ssim_y])
def test_border_is_cut_from_every_side(pair, metric):
    sr, hr = pair
    assert metric(sr, hr, 3) == metric(sr[3:-3, 3:-3], hr[3:-3, 3:-3], 0)
    sr[:3], sr[-3:], sr[:, :3], sr[:, -3:] = 0, 0, 255, 255
    assert metric(sr, hr, 3) == metric(sr[3:-3, 3:-3], hr[3:-3, 3:-3], 0)
    assert metric(sr, hr, 2) < metric(sr, hr, 3)


@pytest.mark.parametrize("metric", [psnr_y, psnr_rgb, ssim_y])
def test_grey_is_measured_as_three_equal_channels(pair, metric):
    sr, hr = (image[..., 0] for image in pair)
    as_rgb = [np.stack([image] * 3, axis=-1) for image in (sr, hr)]
    assert metric(sr, hr, 1) == metric(*as_rgb, 1)
    assert metric(as_rgb[0], hr, 1) == metric(*as_rgb, 1)


@pytest.mark.parametrize("metric", [psnr_y, psnr_rgb, ssim_y])
def test_metrics_give_plain_floats_and_leave_the_images_alone(pair, metric):
    before = [image.copy() for image in pair]
    assert type(metric(*pair, 2)) is float
    assert all(map(np.array_equal, pair, before))


@pytest.mark.parametrize("metric", [psnr_y, psnr_rgb, ssim_y])
@pytest.mark.parametrize(
    ("sr", "hr", "border", "message"),
    [
        (np.zeros((24, 24, 3)), np.zeros((24, 24, 3)), 2, "float64"),
        (np.zeros((24, 24, 4), np.uint8), np.zeros((24, 24, 4), np.uint8), 2, r"\(24, 24, 4\)"),
        (np.zeros((3, 24, 24), np.uint8), np.zeros((3, 24, 24), np.uint8), 2, "channels last"),
        (
            np.zeros((24, 24, 3), np.uint8),
            np.zeros((25, 24, 3), np.uint8),
            2,
            r"\(24, 24, 3\).*\(25, 24, 3\)",
        ),
        (np.zeros((24, 24), np.uint8), np.zeros((24, 24), np.uint8), -1, "-1"),
        (np.zeros((24, 24), np.uint8), np.zeros((24, 24), np.uint8), 12, "0×0"),
    ],
)
def test_what_cannot_be_measured_is_rejected(metric, sr, hr, border, message):
    with pytest.raises(ValueError, match=message):
        metric(sr, hr, border)


def test_ssim_needs_11_by_11_pixels_inside_the_border(pair):
    sr, hr = (image[:15, :20] for image in pair)
    assert ssim_y(sr, hr, 2) < 1
    with pytest.raises(ValueError, match=r"9×14.*11×11"):
        ssim_y(sr, hr, 3)
    assert psnr_y(sr, hr, 3) > 0
