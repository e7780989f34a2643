"""LR images like a camera's: each step does what it is named after, and the same each time."""

import io

import numpy as np
import pytest
from PIL import Image

from glanet.data import catalog, degradations
from glanet.data.degradation import imresize, modcrop
from glanet.data.images import read_rgb
from glanet.errors import ArgumentError


@pytest.fixture(scope="module")
def hr():
    return modcrop(read_rgb(catalog.hr_images("photos")[0]), 2)[:160, :160]


def degraded(name, hr, seed=0):
    return degradations.find(name, 2)(np.random.default_rng(seed), hr)


def steepness(image):
    return np.abs(np.diff(image.astype(float), axis=1)).mean()


@pytest.mark.parametrize(
    "name", ["bicubic", "bicubic+blur", "bicubic+noise", "bicubic+jpeg", "bicubic+jpeg70", "photo"]
)
def test_an_lr_image_is_uint8_half_as_large_and_the_same_each_time(hr, name):
    lr = degraded(name, hr)
    assert (lr.shape, lr.dtype) == ((80, 80, 3), np.uint8)
    assert np.array_equal(lr, degraded(name, hr))


def test_a_jpeg_of_a_given_quality_is_pillows(hr):
    file = io.BytesIO()
    Image.fromarray(imresize(hr, 1 / 2)).save(file, "JPEG", quality=70)
    expected = np.array(Image.open(file))
    for seed in (0, 1):
        assert np.array_equal(degraded("bicubic+jpeg70", hr, seed), expected)


def test_blur_keeps_the_mean_and_flattens_edges_and_noise_does_the_reverse(hr):
    plain = degraded("bicubic", hr)
    for seed in range(5):
        blurred, noisy = (degraded(f"bicubic+{name}", hr, seed) for name in ("blur", "noise"))
        assert abs(blurred.mean() - plain.mean()) < 0.2
        assert steepness(blurred) < steepness(plain) < steepness(noisy)


def test_photo_mixes_the_steps_by_their_shares(hr, monkeypatch):
    done = []
    for name in degradations.MIXTURE:
        step = lambda rng, image, name=name: done[-1].append(name) or image  # noqa: E731
        monkeypatch.setitem(degradations.STEPS, name, step)
    for seed in range(400):
        done.append([])
        assert np.array_equal(degraded("photo", hr[:8, :8], seed), imresize(hr[:8, :8], 1 / 2))
    for name, share in degradations.MIXTURE.items():
        assert np.mean([name in steps for steps in done]) == pytest.approx(share, abs=0.08)
    assert ["blur", "noise", "jpeg"] in done  # as in a camera
    assert [] in done


@pytest.mark.parametrize("name", ["blur", "bicubic+", "bicubic+fog", "bicubic+jpeg101", "photo+x"])
def test_an_unknown_degradation_is_rejected_with_all_that_there_are(name):
    says = r"expected bicubic, bicubic\+blur, .*, bicubic\+jpeg70, photo, or module:function"
    with pytest.raises(ArgumentError, match=says):
        degradations.find(name, 2)
