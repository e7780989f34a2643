import numpy as np
import pytest
import torch
import torch.nn.functional as F

from glanet.analysis.causal import causal_effects

SQUARE = {"top": 8, "left": 8, "side": 4}


def enlarge(image):
    return F.interpolate(image, scale_factor=2)


def looks_at(row, column, weight):
    """A network whose square also depends on the block that starts at (row, column)."""

    def model(image):
        seen = (image[..., row : row + 4, column : column + 4] - 0.5).abs().mean((1, 2, 3))
        return enlarge(image) + weight * seen[:, None, None, None]

    return model


@pytest.fixture
def image():
    return torch.rand(1, 3, 16, 20)


def test_what_no_output_depends_on_has_no_effect_and_the_square_is_left_out(image):
    hr = enlarge(image) + 0.1
    effects = causal_effects(enlarge, image, hr, **SQUARE, batch=7)
    assert effects.shape == (4, 5)
    assert np.argwhere(np.isnan(effects)).tolist() == [[2, 2]]
    assert np.nanmax(np.abs(effects)) < 1e-5


def test_a_square_between_blocks_leaves_out_all_that_it_touches(image):
    effects = causal_effects(enlarge, image, enlarge(image) + 0.1, top=6, left=8, side=4)
    assert np.argwhere(np.isnan(effects)).tolist() == [[1, 2], [2, 2]]


@pytest.mark.parametrize("helps", [True, False])
def test_a_block_helps_or_misleads_and_the_sign_tells(image, helps):
    model = looks_at(0, 16, 0.3)
    before = model(image)
    hr = before + 0.02 if helps else enlarge(image)
    effects = causal_effects(model, image, hr, **SQUARE)
    assert (effects[0, 4] > 0.1) == helps
    assert (effects[0, 4] < -0.1) == (not helps)
    effects[0, 4] = 0
    assert np.nanmax(np.abs(effects)) < 1e-4


def test_the_effect_is_psnr_before_less_psnr_after(image):
    model, hr = looks_at(4, 4, 0.3), enlarge(image) + 0.4
    hidden = image.clone()
    hidden[..., 4:8, 4:8] = hidden[..., 4:8, 4:8].mean((2, 3), keepdim=True)

    def psnr(images):
        return -10 * torch.log10((model(images) - hr)[..., 16:24, 16:24].square().mean())

    expected = psnr(image) - psnr(hidden)
    assert causal_effects(model, image, hr, **SQUARE)[1, 1] == pytest.approx(
        expected.item(), abs=1e-4
    )
