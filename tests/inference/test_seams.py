"""Tiles give the whole image's result, and leave no trace of themselves in it."""

import numpy as np
import pytest
import skimage.data
import torch

from glanet.data.tensors import to_tensor
from glanet.inference import upscale
from glanet.inference.upscale import OVERLAP
from glanet.weights import load

TILE = 72
STEP = TILE - OVERLAP


@pytest.fixture(scope="module", params=["tiny-x2", "light-x2"])
def pair(request):
    """The whole image's result and that of tiles, as 16-bit values in [0, 1]."""
    side = 5 * STEP + OVERLAP if request.param == "tiny-x2" else 3 * STEP + OVERLAP
    image = skimage.data.astronaut()[:side, 60 : 60 + side].astype(np.uint16) * 257
    model = load(request.param)
    return upscale(model, image) / 65535, upscale(model, image, tile=TILE) / 65535


def test_tiles_are_within_60_db_of_the_whole_image(pair):
    whole, tiled = pair
    assert 10 * np.log10(1 / np.mean((tiled - whole) ** 2)) >= 60


def test_the_seams_are_no_worse_than_what_lies_between(pair):
    whole, tiled = pair
    difference = np.abs(tiled - whole).mean(axis=(1, 2))
    phases = difference[: len(difference) // (2 * STEP) * 2 * STEP].reshape(-1, 2 * STEP)
    assert phases.mean(0).max() < 1 / 255


def test_no_frequency_of_the_tiles_stands_out_in_the_result(pair):
    whole, tiled = (image.mean(axis=2) - image.mean() for image in pair)
    for axis in (0, 1):
        length = whole.shape[axis] // (2 * STEP) * 2 * STEP
        before, after = (
            np.abs(np.fft.rfft(image.take(range(length), axis), axis=axis)).mean(axis=1 - axis)
            for image in (whole, tiled)
        )
        period = length // (2 * STEP)  # the frequency of the tiles, and then its harmonics
        harmonics = slice(period, None, period)
        np.testing.assert_allclose(after[harmonics], before[harmonics], rtol=0.02, atol=1e-3)


def test_weights_of_tiles_sum_to_1_so_that_a_flat_image_stays_flat():
    class Flat(torch.nn.Module):
        multiple, tiling = 8, True

        def __init__(self):
            super().__init__()
            self.config = load("tiny-x2").config
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, lr):
            return lr.repeat_interleave(2, 2).repeat_interleave(2, 3)

    image = np.random.default_rng(0).integers(0, 65536, (150, 200, 3)).astype(np.uint16)
    model = Flat()
    whole = to_tensor(image).repeat_interleave(2, 2).repeat_interleave(2, 3)
    tiled = to_tensor(upscale(model, image, tile=TILE))
    assert (whole - tiled).abs().max() <= 1.01 / 65535
