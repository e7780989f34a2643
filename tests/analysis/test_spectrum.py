import numpy as np
import pytest
import torch
import torch.nn.functional as F

from glanet.analysis.spectrum import (
    AREA,
    BANDS,
    FREQUENCY,
    by_radius,
    by_ring,
    decibels,
    lean,
    power_map,
    power_spectrum,
    sum_spectrum,
)


def wave(rows, columns, frequency_down, frequency_across):
    i, j = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    phase = 2 * torch.pi * (frequency_down * i + frequency_across * j)
    return torch.cos(phase).double()[None, :, :, None]


def test_white_noise_has_its_variance_at_every_frequency():
    spectrum = power_spectrum(2 * torch.randn(24, 64, 80, 4))
    np.testing.assert_allclose(spectrum.power.mean(0)[1:], 4, rtol=0.07)
    assert spectrum.power.mean(0)[0] == pytest.approx(4, rel=0.25)  # of few waves
    assert spectrum.power.shape == (24, BANDS)
    np.testing.assert_allclose(spectrum.high_share().mean(), 0.75, atol=0.01)
    np.testing.assert_allclose(spectrum.energy().mean(), 4 * np.pi / 4, rtol=0.02)


def test_the_same_texture_has_the_same_spectrum_in_maps_of_any_size():
    low_pass = torch.ones(1, 1, 3, 3) / 9
    small, large = (
        F.conv2d(torch.randn(n, 1, side + 2, side + 2), low_pass).permute(0, 2, 3, 1)
        for n, side in ((360, 48), (40, 144))
    )
    ratio = power_spectrum(small).power.mean(0) / power_spectrum(large).power.mean(0)
    np.testing.assert_allclose(ratio[1:10], 1, atol=0.1)


def test_a_constant_added_to_each_channel_changes_nothing():
    tokens = torch.randn(2, 40, 48, 3, dtype=torch.float64)
    brighter = tokens + torch.tensor([5.0, -100.0, 0.0])
    np.testing.assert_allclose(
        power_spectrum(brighter).power, power_spectrum(tokens).power, rtol=1e-9
    )


@pytest.mark.parametrize(("down", "across"), [(0, 0.3), (0.3, 0), (0.18, 0.24)])
def test_a_wave_lies_in_its_ring_in_any_direction(down, across):
    spectrum = power_spectrum(wave(96, 128, down, across))
    assert spectrum.frequency[spectrum.power[0].argmax()] == pytest.approx(0.3, abs=0.5 / BANDS)
    energy = spectrum.power[0] * AREA
    assert energy.max() > 0.8 * energy.sum()
    assert spectrum.energy()[0] == pytest.approx(0.5, rel=0.1)  # the variance of a cosine


def test_a_wave_that_does_not_fit_leaks_to_near_rings_only():
    power = power_spectrum(wave(64, 64, 0, 0.1234)).power[0]
    far = np.abs(FREQUENCY - 0.1234) > 0.1
    assert power[far][1:].max() < 1e-4 * power.max()
    assert power[0] < 0.01 * power.max()  # a wave that does not fit has a little mean


def test_a_ring_holds_its_frequencies_and_corners_are_left_out(ring_mean):
    rows, columns = torch.meshgrid(torch.fft.fftfreq(96), torch.fft.fftfreq(128), indexing="ij")
    radius = torch.hypot(rows, columns).double()
    np.testing.assert_allclose(by_ring(radius), ring_mean(np.hypot), atol=0.004)
    assert not by_ring((radius > 0.501).double()).any()


def test_a_frequency_on_an_edge_belongs_to_the_upper_ring():
    for side in (32, 48, 96, 160):
        only = torch.zeros(side, side, dtype=torch.float64)
        only[0, side // 4] = 1  # 0.25 cycles/pixel, to the last bit or not
        assert by_ring(only).argmax() == BANDS // 2


def test_known_filters_measure_as_the_formula_says(known_filter, ring_mean):
    kernel, formula = known_filter
    noise = torch.randn(30, 1, 98, 98, dtype=torch.float64)
    filtered = F.conv2d(noise, torch.from_numpy(kernel)[None, None])
    before, after = (
        power_spectrum(maps.permute(0, 2, 3, 1)).power.mean(0)
        for maps in (noise[..., 1:-1, 1:-1], filtered)
    )
    expected = ring_mean(lambda u, v: formula(u, v) ** 2)
    np.testing.assert_allclose(after / before, expected, atol=0.03 * expected.max())


def test_channels_are_averaged_as_power():
    loud, silent = torch.randn(1, 32, 32, 1), torch.zeros(1, 32, 32, 1)
    both = power_spectrum(torch.cat([loud, silent], dim=-1)).power
    np.testing.assert_allclose(both, power_spectrum(loud).power / 2, rtol=1e-12)


def test_maps_too_small_for_the_rings_are_rejected():
    with pytest.raises(ValueError, match=r"\(40, 31\) pixels; expected at least 32"):
        power_spectrum(torch.randn(1, 40, 31, 2))


def test_maps_that_still_need_a_gradient_are_measured_too():
    assert power_spectrum(torch.randn(1, 32, 32, 1, requires_grad=True)).power.all()


# Sums


def test_shares_and_cross_terms_add_up_to_1_in_every_band():
    parts = {name: torch.randn(3, 40, 40, 5) for name in "abc"}
    spectrum = sum_spectrum(parts)
    whole = power_spectrum(sum(part.double() for part in parts.values())).power
    np.testing.assert_allclose(spectrum.together.power, whole, rtol=1e-12)
    for band in ((0, 0.5), (0, 0.125), (0.25, 0.5)):
        shares = spectrum.shares(*band)
        assert list(shares) == ["a", "b", "c", "cross-terms"]
        np.testing.assert_allclose(sum(shares.values()), 1, rtol=1e-12)


@pytest.mark.parametrize(("sign", "together", "cross"), [(1, 4, 0.5), (-0.5, 0.25, -4)])
def test_cross_terms_have_the_sign_of_agreement(sign, together, cross):
    a = torch.randn(1, 32, 32, 2, dtype=torch.float64)
    spectrum = sum_spectrum({"a": a, "b": sign * a})
    np.testing.assert_allclose(spectrum.together.power / power_spectrum(a).power, together)
    assert spectrum.shares()["cross-terms"] == pytest.approx(cross)


def test_independent_summands_have_no_cross_terms_to_speak_of():
    shares = sum_spectrum({"a": torch.randn(8, 64, 64, 8), "b": torch.randn(8, 64, 64, 8)}).shares()
    assert abs(shares["cross-terms"].mean()) < 0.02


# The spectrum of an image


def test_the_noise_of_an_image_has_its_variance_at_every_frequency():
    noise = np.random.default_rng(0).normal(5, 3, (256, 192, 3))
    frequency, power = by_radius(power_map(noise), bins=8)
    np.testing.assert_allclose(frequency, (np.arange(8) + 0.5) / 16)
    np.testing.assert_allclose(power, 9, rtol=0.1)


def test_a_wave_is_found_at_its_frequency_and_brightness_is_not_seen():
    row, column = np.mgrid[:128, :160]
    wave = np.cos(2 * np.pi * (0.15 * row + 0.2 * column))[..., None]  # 0.25 along its slant
    frequency, power = by_radius(power_map(wave), bins=50)
    assert abs(frequency[power.argmax()] - 0.25) <= 0.01
    np.testing.assert_allclose(power_map(wave + 100), power_map(wave), atol=1e-9)


def test_a_wave_in_a_quarter_of_the_pixels_has_a_quarter_of_power():
    def peak(size, frequency):
        wave = np.cos(2 * np.pi * frequency * np.arange(size)) + np.zeros((size, 1))
        return power_map(wave[..., None]).max()

    assert peak(256, 1 / 16) == pytest.approx(4 * peak(128, 1 / 8))


def test_averaging_over_directions_leaves_the_corners_out():
    power = np.zeros((64, 64))
    power[32, 32] = 1  # 0.5 both ways
    assert not by_radius(power)[1].any()
    power[0, 3] = power[3, 0] = 8
    frequency, mean = by_radius(power, bins=32)
    assert np.flatnonzero(mean).tolist() == [3]
    assert frequency[3] == 3.5 / 64


# Decibels


def test_decibels():
    np.testing.assert_allclose(decibels([1, 0.1, 2]), [0, -10, 3.0103], atol=1e-4)


def test_the_lean_is_the_mean_above_over_the_mean_below_by_area():
    assert lean(np.ones(BANDS)) == pytest.approx(0)
    assert lean(np.where(FREQUENCY > 0.25, 10.0, 1.0)) == pytest.approx(10)
    assert lean(np.ones((3, BANDS))).shape == (3,)
    only_the_last = np.where(FREQUENCY > 0.48, 1.0, 0.0)
    area = FREQUENCY[-1] / FREQUENCY[8:].sum()
    assert lean(only_the_last + 1) == pytest.approx(10 * np.log10(1 + area))
