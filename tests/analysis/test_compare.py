"""Two images side by side, as a picture and as a page that needs nothing else."""

import base64
import io
import re

import numpy as np
import pytest
import skimage.data
from PIL import Image

from glanet.analysis.compare import PANEL, compare, figure, page, place_of_most, slider
from glanet.evaluation.metrics import psnr_y, ssim_y


@pytest.fixture
def pair():
    """A photograph, and a copy with one square of it inverted."""
    a = skimage.data.astronaut()[:130, :190]
    b = a.copy()
    b[64:128, 128:190] = 255 - b[64:128, 128:190]
    return a, b


def test_scores_are_those_of_the_metrics(pair):
    found = compare(*pair, ("a", "b"))
    assert found.psnr_y == psnr_y(*pair, 0)
    assert found.ssim_y == ssim_y(*pair, 0)
    assert f"PSNR {found.psnr_y:.2f} dB" in found.facts()


@pytest.mark.parametrize("turned", [False, True])
def test_images_of_different_sizes_are_shown_without_scores(pair, turned):
    images = (pair[0][::2, ::2], pair[1])
    found = compare(*(images[::-1] if turned else images), ("a", "b"))
    assert found.a.shape == found.b.shape == pair[1].shape
    assert found.psnr_y is found.ssim_y is None
    assert "a: " + ("190 × 130" if turned else "95 × 65") in found.facts()
    assert "no PSNR and SSIM" in found.facts()


def test_identical_images_and_images_of_one_pixel_are_compared():
    dot = np.zeros((1, 1, 3), np.uint8)
    found = compare(dot, dot, ("a", "b"))
    assert found.facts().endswith("PSNR inf dB on Y")
    assert figure(found).size[0] == 3 * PANEL


def test_the_detail_is_where_the_images_differ_most(pair):
    drawn = np.asarray(figure(compare(*pair, ("a", "b"))))
    detail = drawn[PANEL + 60 : 2 * PANEL, 2 * PANEL + 20 : 3 * PANEL - 20]
    whole = drawn[40:PANEL, 2 * PANEL :]
    assert detail.mean() > 2 * whole[whole < 255].mean()


def test_the_page_loads_nothing_and_holds_both_images(pair):
    text = page(compare(*pair, ("<a>.png", '"b"&.png')))
    addresses = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert len(addresses) == 3
    images = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))))
        for address in addresses
        if address.startswith("data:image/png;base64,")
    ]
    assert np.array_equal(images[0], pair[0])
    assert np.array_equal(images[1], pair[1])
    assert len(images) == 3
    assert "<a>" not in text
    assert "&lt;a&gt;.png" in text
    assert "http" not in text


def test_the_slider_of_a_large_image_is_smaller():
    large = np.zeros((40, 3000, 3), np.uint8)
    assert "max-width:1600px" in slider(large, large, ("a", "b"))


def test_a_small_image_is_shown_as_wide_as_asked_for_and_with_its_pixels(pair):
    assert "max-width:570px" in slider(*pair, ("a", "b"), width=570)
    assert slider(*pair, ("a", "b"), width=570).count("image-rendering:pixelated") == 2
    assert "pixelated" not in slider(*pair, ("a", "b"), width=190)


@pytest.mark.parametrize("place", [(0, 0), (70, 100), (129, 189)])
def test_the_square_with_most_is_found_and_stays_inside(place):
    values = np.zeros((130, 190))
    values[place] = 1
    square = place_of_most(values, 60)
    assert values[square].shape == (60, 60)
    assert values[square].sum() == 1
    assert place_of_most(values, 500)[0] == slice(0, 130)
