"""Tiles give the whole image's result, and leave no trace of themselves in it."""

import numpy as np
import pytest
import skimage.data

from glanet.inference import upscale
from glanet.inference.upscale import OVERLAP
from glanet.weights import load
from tests.inference.nearest import Nearest

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


def test_the_difference_has_no_peak_at_the_period_of_the_tiles(pair):
    whole, tiled = pair
    difference = (tiled - whole).mean(axis=2)
    assert difference.any()
    for rows in (difference, difference.T):
        periods = len(rows) // (2 * STEP)
        power = (np.abs(np.fft.rfft(rows[: periods * 2 * STEP], axis=0)) ** 2).mean(axis=1)
        for place in range(periods, 6 * periods, periods):  # the tiles' frequency, and harmonics
            beside = [*power[place - periods + 1 : place], *power[place + 1 : place + periods]]
            assert power[place] < 3 * np.median(beside)


def test_an_image_that_needs_no_view_beyond_a_pixel_is_the_same_in_tiles():
    image = np.random.default_rng(0).integers(0, 65536, (150, 200, 3)).astype(np.uint16)
    tiled = upscale(Nearest(), image, tile=TILE).astype(int)
    assert np.abs(tiled - image.repeat(2, axis=0).repeat(2, axis=1)).max() <= 1
