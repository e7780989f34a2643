from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from glanet import GLANet, ModelConfig
from glanet.analysis.linear import explained, linear_part
from glanet.analysis.spectrum import BANDS

GREY = (0.4, 0.5, 0.6)


class Known(nn.Module):
    """Bilinear enlargement of one channel order, and a part that answers to contrast squared."""

    def __init__(self, square=0.0, scale=2):
        super().__init__()
        self.square, self.config = square, SimpleNamespace(scale=scale)

    def forward(self, image):
        large = F.interpolate(image.flip(1), scale_factor=self.config.scale, mode="bilinear")
        return large + 0.3 + self.square * (large - 0.5).square()


@pytest.mark.parametrize("scale", [2, 3])
def test_a_linear_network_is_its_linear_part(scale):
    model, images = Known(scale=scale), torch.rand(2, 3, 24, 28)
    found = linear_part(model, GREY, reach=3, draws=2)(images)
    inside = slice(2 * scale, -2 * scale)
    torch.testing.assert_close(found[..., inside, inside], model(images)[..., inside, inside])


def test_it_explains_all_of_itself_and_less_of_what_is_not_linear():
    images = torch.rand(3, 3, 40, 40)
    for square, least, most in ((0.0, 1 - 1e-9, 1 + 1e-9), (2.0, 0.1, 0.95)):
        model = Known(square)
        share = explained(model(images), linear_part(model, GREY, reach=3)(images), border=8)
        assert share.shape == (3, BANDS)
        assert least <= share.mean() <= most


def test_an_untrained_network_is_its_bilinear_base():
    model = GLANet(ModelConfig.preset("tiny")).eval()  # its head starts at zero
    images = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        share = explained(model(images), linear_part(model, GREY, draws=2)(images), border=8)
    np.testing.assert_allclose(share, 1, atol=1e-6)


def test_grey_explains_nothing_and_the_opposite_less():
    images = torch.rand(2, 3, 48, 48)
    np.testing.assert_allclose(explained(images, 0 * images + 0.5), 0, atol=1e-9)
    assert (explained(images, 1 - images) < -2).all()
