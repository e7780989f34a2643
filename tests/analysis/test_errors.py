import numpy as np
import pytest

from glanet.analysis.errors import error_spectrum
from glanet.analysis.spectrum import BANDS
from glanet.data.degradation import imresize
from glanet.evaluation.metrics import psnr_y


@pytest.fixture
def originals():
    rng = np.random.default_rng(0)
    coarse = rng.integers(60, 196, (3, 32, 32, 3), dtype=np.uint8)
    return np.stack([imresize(image, 2) for image in coarse])  # (3, 64, 64, 3)


def noisy(images, deviation, seed=1):
    noise = np.random.default_rng(seed).normal(0, deviation, (*images.shape[:3], 1))
    return np.clip(np.round(images + noise), 0, 255).astype(np.uint8)


def test_a_perfect_image_has_no_error_and_all_the_power(originals):
    found = error_spectrum(originals, originals, border=2)
    assert found.error.shape == found.power.shape == (3, BANDS)
    assert not found.error.any()
    np.testing.assert_array_equal(found.power, 1)


def test_a_grey_image_is_wrong_by_all_there_is_and_has_no_power(originals):
    grey = np.full_like(originals, 128)
    found = error_spectrum(grey, originals, border=2)
    np.testing.assert_allclose(found.error, 1)
    np.testing.assert_allclose(found.power, 0, atol=1e-12)


def test_half_the_contrast_is_a_quarter_of_power_and_error(originals):
    even = originals // 2 * 2
    found = error_spectrum((even // 2 + 64).astype(np.uint8), even, border=2)
    np.testing.assert_allclose(found.power, 0.25, rtol=1e-6)
    np.testing.assert_allclose(found.error, 0.25, rtol=1e-6)


def test_brightness_is_no_error_at_any_frequency(originals):
    found = error_spectrum(originals + 20, originals, border=2)
    np.testing.assert_allclose(found.error, 0, atol=1e-12)


def test_gain_over_another_is_in_decibels_and_antisymmetric(originals):
    better, worse = (
        error_spectrum(noisy(originals, deviation), originals, border=2) for deviation in (3, 9)
    )
    gain = better.gain_over(worse)
    assert gain.shape == (3, BANDS)
    assert gain.mean() == pytest.approx(20 * np.log10(3), abs=0.5)
    np.testing.assert_allclose(worse.gain_over(better), -gain)


def test_the_border_is_left_out_as_psnr_leaves_it_out(originals):
    framed = originals.copy()
    framed[:, :3], framed[:, -3:], framed[:, :, :3], framed[:, :, -3:] = 0, 0, 0, 0
    assert psnr_y(framed[0], originals[0], border=3) == np.inf
    assert not error_spectrum(framed, originals, border=3).error.any()
    assert error_spectrum(framed, originals, border=0).error.any()
    assert error_spectrum(framed, originals, border=2).error.any()


def test_an_image_shrunk_and_enlarged_is_right_below_and_wrong_above():
    rng = np.random.default_rng(0)
    fine = rng.integers(0, 256, (4, 96, 96, 3), dtype=np.uint8)
    blurred = np.stack([imresize(imresize(image, 1 / 2), 2) for image in fine])
    found = error_spectrum(blurred, fine, border=2)
    error = found.error.mean(0)
    assert error[1:4].max() < 0.2 < 0.8 < error[-4:].min()
    assert found.power.mean(0)[-4:].max() < 0.5
