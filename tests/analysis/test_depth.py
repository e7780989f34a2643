import numpy as np
import torch

from glanet import GLANet
from glanet.analysis.depth import log_amplitude_over_dc, trajectory
from glanet.analysis.filters import high_pass, low_pass
from glanet.analysis.probes import stages


def noise(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def test_high_share_of_noise_is_3_in_4_and_filters_move_it():
    tokens = noise(6, 64, 64, 4)
    found = trajectory(
        {"noise": tokens, "low": low_pass(tokens, 0.1), "high": high_pass(tokens, 0.3)}
    )
    assert found.stages == ("noise", "low", "high")
    assert found.high.shape == (6, 3)
    noisy, low, high = found.high.mean(0)
    np.testing.assert_allclose(noisy, 0.75, atol=0.02)
    assert low < 0.15
    assert high > 0.85


def test_a_constant_changes_the_ratio_to_dc_and_not_the_share():
    tokens = noise(3, 48, 48, 4)
    found = trajectory({"before": tokens, "after": tokens + 5})
    np.testing.assert_allclose(found.high[:, 0], found.high[:, 1])
    assert (found.over_dc[:, 0] - found.over_dc[:, 1] > 3).all()


def test_the_ratio_to_dc_is_that_of_a_mean_and_of_the_finest_wave():
    i, j = np.indices((32, 40))
    wave = 2 + 0.5 * (-1.0) ** (i + j)
    tokens = torch.from_numpy(np.stack([wave, 3 * wave], axis=-1))[None]
    np.testing.assert_allclose(log_amplitude_over_dc(tokens), np.log(0.5 / 2))


def test_the_stages_of_a_network_make_a_trajectory():
    model = GLANet.from_pretrained("tiny-x2")
    maps = stages(model, torch.rand(2, 3, 32, 32))
    found = trajectory(maps)
    assert found.stages == tuple(maps)
    assert found.high.shape == found.over_dc.shape == (2, len(maps))
    assert ((found.high > 0) & (found.high < 1)).all()
