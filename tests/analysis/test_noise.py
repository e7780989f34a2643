import numpy as np
import pytest
import torch
from torch import nn

from glanet import GLANet, ModelConfig
from glanet.analysis.noise import band_noise, noise_response
from glanet.analysis.probes import layers
from glanet.analysis.spectrum import FREQUENCY, power_spectrum
from glanet.errors import ArgumentError
from glanet.networks import build
from glanet.rivals.rcan import RCANConfig

BANDS = [(0, 1 / 8), (1 / 8, 1 / 4), (1 / 4, 1 / 2)]


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("low", "high"), BANDS)
def test_noise_has_waves_of_its_band_alone_and_variance_1(low, high, generator):
    noise = band_noise((4, 64, 64, 3), low, high, generator)
    np.testing.assert_allclose(noise.square().mean((1, 2, 3)), 1, rtol=1e-5)
    power = power_spectrum(noise).power.mean(0)
    outside = (low - 1 / 16 > FREQUENCY) | (high + 1 / 16 < FREQUENCY)
    assert power[outside].max() < 1e-3 * power.max()
    assert noise.mean().abs() < 1e-6


def test_a_band_without_a_wave_is_rejected(generator):
    with pytest.raises(ArgumentError, match=r"maps of 8×8 have no wave from 0\.01 to 0\.02"):
        band_noise((1, 8, 8, 1), 0.01, 0.02, generator)


class Blur(nn.Module):
    """Enlarges nothing, and passes waves below 1/8 only."""

    def __init__(self):
        super().__init__()
        self.part = nn.Identity()

    def forward(self, image):
        tokens = self.part(image.permute(0, 2, 3, 1))
        rows, columns = (torch.fft.fftfreq(size) for size in tokens.shape[1:3])
        passed = (torch.hypot(rows[:, None], columns) < 1 / 8)[..., None]
        tokens = torch.fft.ifft2(torch.fft.fft2(tokens, dim=(1, 2)) * passed, dim=(1, 2)).real
        return tokens.permute(0, 3, 1, 2)


@pytest.mark.parametrize("where", [None, "input", "output"])
def test_a_low_pass_hears_low_noise_alone_and_as_loud_as_it_is(where):
    model, images = Blur(), torch.rand(2, 3, 64, 64)
    place = {} if where is None else {"parts": [model.part], "where": where}
    found = noise_response(model, images, BANDS, strength=0.1, **place)
    assert found.shape == (2, 3)
    variance = images.var((2, 3)).mean(1)
    np.testing.assert_allclose(found[:, 0], 0.01 * variance, rtol=0.01)
    assert found[:, 1:].max() < 1e-10
    assert not model.part._forward_hooks
    assert not model.part._forward_pre_hooks


@pytest.mark.parametrize("config", [ModelConfig.preset("tiny"), RCANConfig.preset("tiny")])
def test_networks_of_any_kind_can_be_given_noise(config):
    found = noise_response(build(config), torch.rand(1, 3, 16, 16), BANDS)
    assert (found > 0).all()


def test_noise_at_one_branch_ends_with_the_measurement():
    model = GLANet.from_pretrained("tiny-x2")
    image, branch = torch.rand(1, 3, 16, 16), layers(model)["1.1"].attention
    before = model(image)
    assert (noise_response(model, image, BANDS, parts=[branch], where="output") > 0).all()
    assert torch.equal(model(image), before)


def test_another_place_is_rejected():
    with pytest.raises(ArgumentError, match="where is 'inside'"):
        noise_response(Blur(), torch.rand(1, 3, 16, 16), BANDS, where="inside")
