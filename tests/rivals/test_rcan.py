import pytest

from glanet.rivals.rcan import RCAN, RCANConfig
from tests.peak import values_per_pixel


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("preset", ["paper", "tiny"])
def test_memory_is_what_the_model_says(preset, scale):
    model = RCAN(RCANConfig.preset(preset, scale, groups=1, blocks=1)).eval()
    for side in (48, 96):
        assert values_per_pixel(model, side) == model.values_per_pixel
