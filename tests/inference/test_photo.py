"""A photograph is enlarged with all that its file holds."""

from importlib import import_module

import numpy as np
import pytest
import torch

from glanet.data.formats import ImageFile
from glanet.data.metadata import Metadata
from glanet.errors import ArgumentError
from glanet.inference import upscale
from glanet.inference.photo import Enlarger, spread
from glanet.inference.upscale import OutOfMemoryError
from glanet.weights import load


@pytest.fixture(scope="module")
def tiny():
    return load("tiny-x2")


def noise(*shape, dtype=np.uint8):
    levels = np.iinfo(dtype).max + 1
    return np.random.default_rng(0).integers(0, levels, shape).astype(dtype)


def disc(colour, behind):
    """A disc of one colour on transparent pixels that hold another, 48 × 48."""
    rows, columns = np.mgrid[:48, :48]
    inside = (rows - 24) ** 2 + (columns - 24) ** 2 < 16**2
    rgb = np.where(inside[..., None], np.uint8(colour), np.uint8(behind))
    return ImageFile(rgb, (255 * inside).astype(np.uint8))


@pytest.mark.parametrize("behind", [(0, 0, 0), (0, 255, 0)])
@pytest.mark.parametrize("alpha", ["bicubic", "network"])
def test_what_lies_under_transparent_pixels_does_not_bleed_into_the_edge(tiny, behind, alpha):
    larger, _ = Enlarger(tiny, alpha=alpha)(disc((255, 0, 0), behind))
    visible = larger.alpha > 0
    assert larger.rgb[visible][:, 0].min() >= 250
    assert larger.rgb[visible][:, 1:].max() <= 5
    assert 0.9 < visible.sum() / (np.pi * 32**2) < 1.2


def test_colours_spread_to_the_nearest_transparent_pixels_only():
    rgb = np.array([[[9, 9, 9], [0, 0, 0], [0, 0, 0], [7, 7, 7]]], np.uint8)
    alpha = np.array([[1, 0, 0, 255]], np.uint8)
    assert spread(rgb, alpha)[0, :, 0].tolist() == [9, 9, 7, 7]
    assert spread(rgb, np.zeros_like(alpha)) is rgb
    assert spread(rgb, np.full_like(alpha, 1)) is rgb


def test_grey_stays_grey(tiny):
    grey = noise(20, 24, 1).repeat(3, axis=2)
    larger, _ = Enlarger(tiny)(ImageFile(grey, grey=True))
    assert (larger.rgb == larger.rgb[..., :1]).all()
    luma = upscale(tiny, grey) @ [0.299, 0.587, 0.114]
    assert np.abs(larger.rgb[..., 0] - luma).max() <= 0.51


def test_16_bits_give_16_bits_that_round_to_what_8_bits_give(tiny):
    eight = noise(20, 24, 3)
    larger, _ = Enlarger(tiny)(ImageFile(eight.astype(np.uint16) * 257))
    assert larger.rgb.dtype == np.uint16
    assert np.abs(larger.rgb / 257 - upscale(tiny, eight)).max() <= 0.51
    assert len(np.unique(larger.rgb)) > 1000


@pytest.mark.parametrize("scale", [1, 1.5, 2, 3, 7.3])
@pytest.mark.parametrize("size", [(1, 1), (13, 20)])
def test_any_scale_from_1_to_8_is_reached(tiny, scale, size):
    enlarger = Enlarger(tiny, scale)
    larger, _ = enlarger(ImageFile(noise(*size, 3), noise(*size)))
    expected = tuple(max(1, round(side * scale)) for side in size)
    assert larger.rgb.shape[:2] == larger.alpha.shape == expected
    assert enlarger.size(*size) == expected
    assert bool(enlarger.note) == (scale != 2)


def test_metadata_has_the_new_size(tiny):
    photo = ImageFile(noise(9, 14, 3), metadata=Metadata({0x8769: {0xA002: 14}}, dpi=(72, 72)))
    larger, _ = Enlarger(tiny)(photo)
    assert larger.metadata == Metadata({0x8769: {0xA002: 28}}, dpi=(144, 144))


def test_an_impossible_tile_is_rejected_before_any_work(tiny):
    with pytest.raises(ArgumentError, match="tile is 70"):
        Enlarger(tiny, tile=70)


@pytest.fixture
def runs_out(monkeypatch):
    """Memory for tiles of at most so many LR pixels a side: a function; returns the sides tried."""

    def prepare(limit, error):
        module = import_module("glanet.inference.upscale")
        tried, run = [], module.upscale

        def limited(model, image, tile=None, *rest, **options):
            tried.append(tile)
            if (tile or max(image.shape)) > limit:
                raise error
            return run(model, image, tile, *rest, **options)

        monkeypatch.setattr(module, "upscale", limited)
        return tried

    return prepare


ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory"),
    MemoryError(),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_out_of_memory_tries_smaller_tiles_and_says_so_once(tiny, runs_out, caplog, error):
    tried = runs_out(100, error)
    photo = ImageFile(noise(150, 160, 3))
    enlarger = Enlarger(tiny)
    larger, tile = enlarger(photo)
    assert (tried, tile) == ([None, 112, 72], 72)
    assert larger.rgb.shape == (300, 320, 3)
    assert caplog.messages[-1] == "Out of memory. Trying again in tiles of 72 LR pixels."
    caplog.clear()
    assert enlarger(photo)[1] == 72
    assert caplog.messages == []


def test_memory_that_is_short_for_the_smallest_tile_is_an_error(tiny, runs_out):
    runs_out(0, MemoryError())
    with pytest.raises(OutOfMemoryError, match=r"72 × 72 LR pixels .* do not fit .*Close other"):
        Enlarger(tiny)(ImageFile(noise(80, 90, 3)))


def test_another_runtime_error_is_not_taken_for_a_lack_of_memory(tiny, runs_out):
    runs_out(0, RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        Enlarger(tiny)(ImageFile(noise(80, 90, 3)))
