"""What inference keeps gives the same numbers, and is gone afterwards."""

import numpy as np
import pytest
import torch

from glanet import GLANet, ModelConfig
from glanet.data.tensors import to_tensor
from glanet.inference import upscale
from glanet.inference.prepare import biases_kept


@pytest.fixture
def model():
    config = ModelConfig(channels=8, blocks=1, layers=2, heads=2, window=4, light_head=True)
    made = GLANet(config).eval()
    torch.nn.init.normal_(made.reconstruct.to_image[0].weight, std=0.05)
    return made


def shifted(model):
    return model.trunk.blocks[0].layers[1].attention


def test_bias_and_mask_are_computed_once(model):
    attention = shifted(model)
    with torch.no_grad(), biases_kept(model):
        bias = attention.position_bias(torch.float32)
        assert attention.position_bias(torch.float32) is bias
        mask = attention.mask(8, 12, torch.float32)
        assert attention.mask(8, 12, torch.float32) is mask
        assert attention.mask(12, 8, torch.float32).shape == mask.shape
        assert not torch.equal(attention.mask(12, 8, torch.float32), mask)


def test_the_numbers_are_the_same(model):
    lr = torch.rand(1, 3, 13, 18)
    with torch.no_grad():
        expected = model(lr)
        with biases_kept(model):
            assert torch.equal(model(lr), expected)
            assert torch.equal(model(lr.flip(2)), model(lr.flip(2)))


def test_nothing_is_kept_afterwards_even_if_it_failed(model):
    attention = shifted(model)
    with pytest.raises(RuntimeError, match="in between"), biases_kept(model):
        raise RuntimeError("in between")
    with torch.no_grad():
        before = attention.position_bias(torch.float32)
        attention.bias_table.mul_(2)
        torch.testing.assert_close(attention.position_bias(torch.float32), 2 * before)


def test_upscaling_sees_weights_that_have_changed(model):
    lr = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    first = upscale(model, lr)
    with torch.no_grad():
        shifted(model).bias_table.add_(5 * torch.randn(shifted(model).bias_table.shape))
        expected = model(to_tensor(lr))[0].clamp(0, 1).mul(255).round().byte()
    second = upscale(model, lr)
    assert not np.array_equal(first, second)
    assert np.array_equal(second, expected.permute(1, 2, 0).numpy())
