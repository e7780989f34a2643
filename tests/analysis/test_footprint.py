import numpy as np
import pytest
import torch

from glanet.analysis.footprint import fold, footprint, jumps
from glanet.model.attention import WindowAttention


def blocks(window=8, count=4, shift=0, images=3):
    """Maps that are constant inside each window and jump between windows."""
    levels = torch.randn(images, count, count, 2)
    maps = levels.repeat_interleave(window, 1).repeat_interleave(window, 2)
    return maps.roll((shift, shift), (1, 2))


def test_jumps_are_the_differences_to_the_right_and_below():
    tokens = torch.tensor([[0.0, 1, 5], [2, 2, 2]])[None, ..., None]
    across, down = jumps(tokens)
    assert across.tolist() == [[[1, 4]]]
    assert down.tolist() == [[[2, 1]]]


def test_folding_is_the_mean_over_windows_one_place_at_a_time():
    values = torch.randn(2, 13, 21)
    folded = fold(values, 4)
    for i, j in np.ndindex(4, 4):
        expected = values[:, i:12:4, j:20:4].mean((1, 2))
        torch.testing.assert_close(folded[:, i, j], expected)


@pytest.mark.parametrize(("shift", "seam"), [(0, 7), (4, 3)])
def test_windows_leave_their_seam_where_they_meet(shift, seam):
    found = footprint(blocks(shift=shift), 8)
    for profile in (found.across, found.down):
        expected = np.zeros((3, 8))
        expected[:, seam] = 8  # the mean over eight places is 1
        np.testing.assert_allclose(profile, expected, atol=1e-9)
    np.testing.assert_allclose(found.contrast(), 8)
    inside = [place for place in range(8) if place != seam]
    assert found.folded[seam, seam] == found.folded.max()
    assert not found.folded[np.ix_(inside, inside)].any()
    assert found.folded.mean() == pytest.approx(1)


def test_maps_without_windows_have_no_footprint():
    ramp = torch.arange(40.0).expand(1, 40, 40)
    found = footprint((ramp + ramp.mT)[..., None], 8)
    np.testing.assert_allclose(found.across, 1)
    np.testing.assert_allclose(found.folded, 1)
    noise = footprint(torch.randn(4, 96, 96, 8), 8)
    np.testing.assert_allclose(noise.across, 1, atol=0.03)
    assert (noise.contrast() < 1.03).all()


def test_the_grid_is_a_comb_in_the_spectrum_and_noise_is_not():
    found = footprint(blocks(count=12) + 0.05 * torch.randn(3, 96, 96, 2), 8)
    teeth = np.isclose(found.frequency * 8 % 1, 0)
    assert found.frequency[teeth] == pytest.approx([0.125, 0.25, 0.375, 0.5])
    power = found.comb.mean(0)
    assert power[teeth].min() > 20 * np.median(power)
    noise = footprint(torch.randn(3, 96, 96, 2), 8).comb.mean(0)
    assert noise[teeth].max() < 10 * np.median(noise)


def test_a_period_other_than_the_window_is_no_grid():
    assert footprint(blocks(window=5, count=16), 8).contrast().max() < 2.5


def test_window_attention_leaves_its_footprint_and_the_shift_moves_it():
    tokens = torch.randn(2, 48, 48, 8)
    for shift, seam in ((0, 7), (4, 3)):
        with torch.no_grad():
            found = footprint(WindowAttention(8, 2, 8, shift)(tokens), 8)
        assert (found.across.argmax(1) == seam).all()
        assert (found.down.argmax(1) == seam).all()
        assert (found.contrast() > 1.1).all()
