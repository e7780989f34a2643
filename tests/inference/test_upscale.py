from functools import partial
from importlib import import_module
from itertools import pairwise

import numpy as np
import pytest
import torch

from glanet import GLANet, ModelConfig
from glanet.data.tensors import to_image, to_tensor
from glanet.errors import ArgumentError
from glanet.inference import tile_that_fits, upscale, upscale_within
from glanet.inference.quadrants import in_quadrants
from glanet.inference.upscale import OVERLAP, _spans, self_ensemble


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = ModelConfig(channels=8, blocks=1, layers=2, heads=2, window=8, light_head=True)
    made = GLANet(config)
    torch.nn.init.normal_(made.reconstruct.to_image[0].weight, std=0.05)
    return made.eval()


def picture(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_upscale_is_the_models_answer_clamped_and_rounded(model):
    image = picture(11, 20)
    with torch.no_grad():
        answer = model(torch.tensor(image).permute(2, 0, 1)[None] / 255)[0].permute(1, 2, 0)
    expected = np.floor(np.clip(answer.numpy() * 255, 0, 255) + 0.5)
    assert np.abs(upscale(model, image) - expected).max() == 0


def test_pixels_survive_the_way_to_a_tensor_and_back():
    image = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    assert np.array_equal(to_image(to_tensor(image)), image)


def test_an_image_tensor_lies_channels_last():
    assert to_tensor(picture(5, 7)).is_contiguous(memory_format=torch.channels_last)


def test_training_mode_is_left_as_it_was_also_after_an_error(model):
    model.train()
    upscale(model, picture(8, 8))
    assert model.training
    with pytest.raises(ValueError, match="uint8"):
        upscale(model, picture(8, 8).astype(float))
    assert model.training
    model.eval()


@pytest.mark.parametrize(("size", "tile"), [(1, 72), (72, 72), (73, 72), (500, 96), (137, 80)])
def test_tiles_cover_all_overlap_enough_and_start_on_a_window(size, tile):
    spans = _spans(size, tile, multiple=8)
    assert spans[0].start == 0
    assert spans[-1].stop == size
    assert all(span.start % 8 == 0 and span.stop - span.start <= tile for span in spans)
    assert all(a.stop - b.start >= min(OVERLAP, size) for a, b in pairwise(spans))
    assert all(b.stop > a.stop for a, b in pairwise(spans))


def test_tiles_give_nearly_the_whole_images_answer_and_no_seam(model):
    image = picture(150, 210)
    whole = upscale(model, image).astype(int)
    tiled = upscale(model, image, tile=96).astype(int)
    assert np.abs(tiled - whole).mean() < 0.5
    inside = upscale(model, image[:72, :72], tile=72)
    assert np.array_equal(inside, upscale(model, image[:72, :72]))


def test_with_enough_overlap_tiles_give_the_whole_image(model):
    # two layers, one 3×3 each side: nothing reaches further than 32 LR pixels
    image = picture(80, 200)
    whole, tiled = upscale(model, image), upscale(model, image, tile=120)
    apart = np.abs(tiled.astype(int) - whole)[:, : 2 * 56]
    assert apart.max() <= 1  # blending divides what it multiplied: a value at .5 may tip


def test_the_ensemble_turns_every_view_back(model):
    with torch.no_grad():
        image = torch.rand(1, 3, 8, 12)

        def nearest(x):  # turns with the image, so that the mean is the answer itself
            return x.repeat_interleave(2, 2).repeat_interleave(2, 3)

        torch.testing.assert_close(self_ensemble(nearest, image), nearest(image))
        ensemble = self_ensemble(model, image)
        turned = self_ensemble(model, image.rot90(1, (2, 3)).flip(3))
        torch.testing.assert_close(turned, ensemble.rot90(1, (2, 3)).flip(3))
        assert not torch.allclose(ensemble, model(image))


def test_the_authors_cutting_also_goes_with_the_ensemble(model):
    image = picture(50, 60)
    tensor = to_tensor(image)
    with torch.no_grad():
        cut = in_quadrants(model, tensor, 2000)
        turned = self_ensemble(partial(in_quadrants, model, limit=2000), tensor)
    assert np.array_equal(upscale(model, image, cut_at=2000), to_image(cut))
    assert np.array_equal(upscale(model, image, ensemble=True, cut_at=2000), to_image(turned))
    assert not np.array_equal(upscale(model, image), to_image(cut))


def test_tiles_and_the_authors_cutting_exclude_each_other(model):
    with pytest.raises(ArgumentError, match="tile is 72 and cut_at 2000; expected one"):
        upscale(model, picture(50, 60), tile=72, cut_at=2000)


def test_ensemble_and_tiles_go_together(model):
    image = picture(100, 60)
    both = upscale(model, image, tile=72, ensemble=True).astype(int)
    assert np.abs(both - upscale(model, image, ensemble=True).astype(int)).mean() < 0.5


@pytest.mark.parametrize("tile", [0, 64, 100, -8])
def test_an_impossible_tile_is_rejected(model, tile):
    with pytest.raises(ValueError, match=f"tile is {tile}; expected a multiple of 8"):
        upscale(model, picture(9, 9), tile=tile)


def test_nan_in_an_answer_is_an_error():
    with pytest.raises(ValueError, match="NaN"):
        to_image(torch.full((1, 3, 2, 2), float("nan")))


@pytest.mark.parametrize("window", [4, 8])
def test_the_tile_that_fits_is_the_largest_for_the_memory(window):
    model = GLANet(ModelConfig.preset("tiny", window=window))
    memory = 4 * model.values_per_pixel * 100 * 200
    assert tile_that_fits(model, 100, 200, memory) is None
    tile = tile_that_fits(model, 101, 200, memory)
    assert tile % window == 0
    assert tile**2 <= 100 * 200 < (tile + window) ** 2
    smallest = tile_that_fits(model, 1000, 1000, 0)
    image = np.zeros((5, 9, 3), np.uint8)
    assert upscale(model, image, tile=smallest).shape == (10, 18, 3)


@pytest.mark.parametrize(
    ("free", "memory", "tile"), [(2, None, None), (1.99, None, 80), (2, 0, 72), (0, 1, 72)]
)
def test_upscaling_takes_half_of_the_memory_up_to_a_bound(model, monkeypatch, free, memory, tile):
    lr, whole = picture(80, 90), 4 * model.values_per_pixel * 80 * 90
    module = import_module("glanet.inference.upscale")  # which the function's name hides
    monkeypatch.setattr(module, "free_memory", lambda device: int(free * whole))
    bound = None if memory is None else memory * whole
    sr, used = upscale_within(model, lr, bound)
    assert used == tile
    assert np.array_equal(sr, upscale(model, lr, tile=tile))


def test_a_tile_that_is_given_is_used_also_with_the_ensemble(model):
    lr = picture(80, 90)
    sr, tile = upscale_within(model, lr, tile=72, ensemble=True)
    assert tile == 72
    assert np.array_equal(sr, upscale(model, lr, tile=72, ensemble=True))
