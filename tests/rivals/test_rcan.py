import pytest
import torch
from torch.autograd import gradcheck

from glanet.rivals.rcan import RCAN, RCANConfig
from tests.peak import values_per_pixel


def test_gradients_are_right():
    model = RCAN(RCANConfig(groups=1, blocks=1, channels=4, reduction=2)).double().eval()
    model.value_range = 1.0  # steps of 1e-6 of 255 would cross ReLUs
    assert gradcheck(model, torch.rand(1, 3, 4, 5, dtype=torch.float64, requires_grad=True))


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("preset", ["paper", "tiny"])
def test_memory_is_what_the_model_says(preset, scale):
    model = RCAN(RCANConfig.preset(preset, scale, groups=1, blocks=1)).eval()
    for side in (48, 96):
        assert values_per_pixel(model, side) == model.values_per_pixel
