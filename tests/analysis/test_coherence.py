import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from glanet.analysis.coherence import coherence, coherent, unrelated, value_path
from glanet.analysis.filters import low_pass
from glanet.model.attention import WindowAttention


def noise(*shape):
    return torch.randn(*shape, dtype=torch.float64)


@pytest.fixture(scope="module")
def images_of_a_kind():
    """Maps whose power falls with frequency, as that of photographs does."""
    torch.manual_seed(0)
    return sum(low_pass(noise(12, 64, 64, 3), cutoff) / cutoff for cutoff in (0.02, 0.06, 0.2))


def filtered(z, kernel):
    images = z.permute(0, 3, 1, 2)
    weights = torch.as_tensor(kernel)[None, None].expand(images.shape[1], 1, -1, -1)
    padded = F.pad(images, (1, 1, 1, 1), mode="circular")
    return F.conv2d(padded, weights, groups=images.shape[1]).permute(0, 2, 3, 1)


def window_means(z, window):
    images = z.permute(0, 3, 1, 2)
    means = F.avg_pool2d(images, window)
    return F.interpolate(means, scale_factor=window).permute(0, 2, 3, 1)


def fejer(u, v, window=8):
    """What is left of a wave in means over windows, on average over where the windows begin."""

    def along(f):
        return (np.sin(window * np.pi * f) / (window * np.sin(np.pi * f))) ** 2

    return along(u) * along(v)


def test_gain_and_coherence_of_numbers_that_can_be_checked_by_hand():
    z = torch.tensor([[1 + 0j], [1 + 0j]])
    y = torch.tensor([[3 + 0j], [1 + 0j]])
    gain, share = coherent(y, z, lambda values: values.mean(0))
    assert gain.item() == 2  # (3 + 1) / (1 + 1)
    assert share.item() == pytest.approx(0.8)  # 2² / (5 · 1)


@pytest.mark.parametrize("factor", [1, -2, 0.1])
def test_a_constant_gain_is_coherent_whatever_its_sign(factor):
    z = noise(2, 48, 48, 2)
    found = coherence(factor * z, z)
    np.testing.assert_allclose(found.coherence, 1, rtol=1e-9)
    np.testing.assert_allclose(found.gain, abs(factor), rtol=1e-9)


def test_known_filters_measure_as_the_formula_says(known_filter, ring_mean):
    kernel, formula = known_filter
    z = noise(8, 64, 64, 4)
    found = coherence(filtered(z, kernel), z)
    expected = np.sqrt(ring_mean(lambda u, v: formula(u, v) ** 2))
    np.testing.assert_allclose(found.gain, expected, atol=0.05 * expected.max())
    strong = expected > 0.3 * expected.max()
    assert (found.coherence[strong] > 0.9).all()


@pytest.mark.parametrize("pixels", [1, 3])
def test_moving_the_image_by_a_few_pixels_is_no_loss(pixels):
    z = noise(8, 96, 96, 2)
    found = coherence(z.roll((pixels, -pixels), (1, 2)), z)
    assert (found.coherence > 0.85).all()
    np.testing.assert_allclose(found.gain, 1, atol=0.08)


def test_a_filter_of_its_own_in_each_channel_is_no_loss_either():
    z = noise(8, 64, 64, 2)
    assert (coherence(z * torch.tensor([1.0, -1.0]), z).coherence > 1 - 1e-9).all()


@pytest.mark.parametrize("images", [1, 8])
def test_maps_that_know_nothing_of_each_other_have_no_coherence(images):
    found = coherence(noise(images, 64, 64, 16), noise(images, 64, 64, 16))
    assert found.coherence.max() < 0.1
    assert found.coherence[2:].max() < 0.03
    np.testing.assert_allclose(found.naive, 1, atol=0.1)


@pytest.mark.parametrize(
    ("images", "channels", "share", "gain"),
    [(1, 1, 0.1, 0.3), (1, 16, 0.04, 0.2), (40, 4, 0.006, 0.08)],
)
def test_the_floor_of_unrelated_maps_falls_with_images_and_channels(images, channels, share, gain):
    found = coherence(noise(images, 64, 64, channels), noise(images, 64, 64, channels))
    assert found.coherence[1:].max() < share
    assert found.gain[1:].max() < gain


def test_the_floor_is_measured_by_pairing_different_images():
    z = noise(8, 64, 64, 4)
    found, floor = coherence(z, z), unrelated(z, z)
    np.testing.assert_allclose(found.gain, 1)
    assert floor.gain[1:].max() < 0.2
    np.testing.assert_allclose(floor.naive, found.naive)


def test_window_means_of_photographs_pass_no_more_detail_than_unrelated_photographs(
    images_of_a_kind,
):
    means = window_means(images_of_a_kind, 8)
    found, floor = coherence(means, images_of_a_kind), unrelated(means, images_of_a_kind)
    assert found.naive[-4:].min() > 0.3
    assert found.gain[-4:].max() < floor.gain.max() + 0.02


@pytest.mark.parametrize("power", [0.25, 1, 4])
def test_added_noise_lowers_coherence_and_not_gain(power):
    z = noise(8, 64, 64, 8)
    found = coherence(z + power**0.5 * noise(*z.shape), z)
    np.testing.assert_allclose(found.coherence, 1 / (1 + power), atol=0.04)
    np.testing.assert_allclose(found.gain, 1, atol=0.06)
    np.testing.assert_allclose(found.naive, (1 + power) ** 0.5, rtol=0.06)


def test_window_means_pass_what_the_formula_says(ring_mean):
    z = noise(12, 96, 96, 4)
    found = coherence(window_means(z, 8), z)
    expected = np.sqrt(ring_mean(lambda u, v: fejer(u, v) ** 2))
    np.testing.assert_allclose(found.gain, expected, atol=0.04)
    # of white noise the means have the power that the formula's root lets through
    np.testing.assert_allclose(found.naive, np.sqrt(ring_mean(fejer)), atol=0.03)


def test_on_coarse_maps_the_ratio_takes_windows_for_detail():
    coarse = noise(8, 96, 96, 2)
    for _ in range(3):
        coarse = filtered(coarse, np.full((3, 3), 1 / 9))
    found = coherence(window_means(coarse, 8), coarse)
    assert found.naive[-1] > 2 * found.naive.min()  # rises, as of a high-pass
    assert found.naive[-1] > 0.5
    assert found.gain[-1] < 0.1
    assert found.coherence[-4:].max() < 0.1


def test_the_coherent_gain_is_the_ratio_less_what_is_incoherent():
    found = coherence(noise(2, 32, 32, 3), noise(2, 32, 32, 3))
    np.testing.assert_allclose(found.gain**2, found.naive**2 * found.coherence)


# Attention


def window_attention(shift):
    attention = WindowAttention(8, heads=2, window=8, shift=shift).double()
    nn.init.normal_(attention.qkv.weight)
    nn.init.normal_(attention.qkv.bias)
    return attention.eval()


@pytest.mark.parametrize("shift", [0, 4])
def test_value_path_is_attention_to_the_pixel_itself(shift):
    attention, tokens = window_attention(shift), noise(2, 16, 24, 8)
    attention.attend = lambda query, key, value, bias: value
    with torch.no_grad():
        torch.testing.assert_close(value_path(attention, tokens), attention(tokens))


@pytest.mark.parametrize("shift", [0, 4])
def test_attention_to_all_pixels_alike_is_a_mean_over_windows(shift, ring_mean):
    attention, tokens = window_attention(shift), noise(6, 96, 96, 8)
    with torch.no_grad():
        attention.qkv.weight[:16] = 0  # no query meets any key
        attention.qkv.bias[:16] = 0
        attention.bias_table.zero_()
        found = coherence(attention(tokens), value_path(attention, tokens))
    expected = np.sqrt(ring_mean(lambda u, v: fejer(u, v) ** 2))
    np.testing.assert_allclose(found.gain, expected, atol=0.06)


def test_attention_to_the_pixel_itself_passes_everything():
    attention, tokens = window_attention(0), noise(2, 32, 32, 8)
    with torch.no_grad():
        attention.qkv.weight[:16] = 0
        attention.bias_table.zero_()
        attention.bias_table[15 * 7 + 7] = 20  # the row of the offset (0, 0)
        found = coherence(attention(tokens), value_path(attention, tokens))
    np.testing.assert_allclose(found.gain, 1, atol=1e-3)
    np.testing.assert_allclose(found.coherence, 1, atol=1e-3)
