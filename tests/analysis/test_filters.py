import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from glanet import GLANet
from glanet.analysis.filters import (
    contribution_kernels,
    high_pass,
    kernels_of,
    low_pass,
    response,
)
from glanet.analysis.probes import branches, contributions, layers
from glanet.analysis.spectrum import power_spectrum
from glanet.model.inception import ConvBranch, MaxBranch


def convolve(tokens, kernels):
    images = tokens.permute(0, 3, 1, 2)
    return F.conv2d(images, kernels, padding=kernels.shape[-1] // 2).permute(0, 2, 3, 1)


@pytest.mark.parametrize("size", [3, 5, 7])
def test_the_kernels_of_a_branch_are_what_its_three_steps_amount_to(size):
    branch = ConvBranch(6, 4, size).double()
    first, row, column = (step.weight for step in branch)
    composed = torch.einsum("onu, nmv, mi -> oiuv", column[..., 0], row[:, :, 0], first)
    kernels = kernels_of(branch, 6, size // 2)
    torch.testing.assert_close(kernels, composed)
    tokens = torch.randn(1, 9, 11, 6, dtype=torch.float64)
    with torch.no_grad():
        linear = branch(tokens) - branch(torch.zeros_like(tokens))
    torch.testing.assert_close(convolve(tokens, kernels), linear)


@pytest.mark.parametrize(
    "branch",
    [MaxBranch(6, 4).double(), nn.Sequential(ConvBranch(6, 4, 3), nn.GELU()).double()],
    ids=["maximum", "activation"],
)
def test_what_is_not_linear_has_no_kernel(branch):
    with pytest.raises(ValueError, match="not linear"):
        kernels_of(branch, 6, 1)


def test_kernels_times_fusion_give_the_contribution():
    layer = layers(GLANet.from_pretrained("tiny-x2").double())["2.1"]
    kernels = contribution_kernels(layer)
    assert {name: tuple(k.shape) for name, k in kernels.items()} == {
        name: (32, 32, int(name), int(name)) for name in "357"
    }

    def contribution(tokens):
        with torch.no_grad():
            outputs = {name: branch(tokens) for name, branch in branches(layer).items()}
            return contributions(outputs, layer.fuse)

    tokens = torch.randn(1, 16, 24, 32, dtype=torch.float64)
    with_input, without = contribution(tokens), contribution(torch.zeros_like(tokens))
    for name in "357":
        torch.testing.assert_close(
            convolve(tokens, kernels[name]), with_input[name] - without[name]
        )


def test_the_response_of_a_known_filter_is_the_formula(known_filter, ring_mean):
    kernel, formula = known_filter
    gain = response(torch.from_numpy(kernel)[None, None]).gain
    expected = ring_mean(lambda u, v: formula(u, v) ** 2)
    np.testing.assert_allclose(gain, expected, atol=0.03 * expected.max())


def test_an_asymmetric_kernel_has_its_formula_too(ring_mean):
    difference = torch.tensor([[0.0, 0, 0], [0, 1, -1], [0, 0, 0]])
    expected = ring_mean(lambda u, v: 2 - 2 * np.cos(2 * np.pi * v))
    np.testing.assert_allclose(response(difference[None, None]).gain, expected, atol=0.1)


def test_the_response_sums_over_inputs_and_averages_over_outputs():
    kernels = torch.zeros(2, 3, 5, 5)
    kernels[0, :, 2, 2] = 1
    np.testing.assert_allclose(response(kernels).gain, 1.5)


def test_the_response_is_what_white_noise_measures():
    branch = ConvBranch(8, 8, 7).double()
    with torch.no_grad():
        measured = power_spectrum(branch(torch.randn(8, 96, 96, 8).double())).power.mean(0)
    predicted = response(kernels_of(branch, 8, 3)).gain
    np.testing.assert_allclose(measured / predicted, 1, atol=0.15)


# Low- and high-pass


def standing_wave(size, halves, axis):
    """A cosine with ``halves`` half-periods over the map, which mirrored borders continue."""
    line = torch.cos(torch.pi * halves * (torch.arange(size).double() + 0.5) / size)
    return (line[:, None] if axis == 0 else line[None, :]).expand(size, size)[None, ..., None]


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("halves", [1, 8, 16, 31])
def test_a_wave_passes_by_the_formula_with_half_power_at_cutoff(halves, axis):
    wave = standing_wave(32, halves, axis)
    passed = low_pass(wave, cutoff=0.25)
    share = 2 ** (-((halves / 64 / 0.25) ** 2) / 2)  # of the amplitude
    torch.testing.assert_close(passed, share * wave, rtol=0, atol=1e-12)
    if halves == 16:  # 0.25 cycles/pixel
        assert (passed.square().mean() / wave.square().mean()).item() == pytest.approx(0.5)


def test_low_and_high_part_make_the_map_and_one_mean():
    tokens = torch.randn(2, 40, 44, 3) + 7
    mean = tokens.mean((1, 2), keepdim=True)
    low, high = low_pass(tokens, 0.2), high_pass(tokens, 0.2)
    torch.testing.assert_close(low + high, tokens + mean)
    for part in (low, high):
        torch.testing.assert_close(part.mean((1, 2), keepdim=True), mean)
        assert part.dtype == torch.float32
    shares = [power_spectrum(part).high_share().mean() for part in (low, tokens, high)]
    assert shares == sorted(shares)


def test_a_cutoff_of_0_leaves_the_mean_and_a_very_high_one_everything():
    tokens = torch.randn(1, 12, 16, 2, dtype=torch.float64) + 3
    mean = tokens.mean((1, 2), keepdim=True).expand_as(tokens)
    torch.testing.assert_close(low_pass(tokens, 0), mean)
    torch.testing.assert_close(high_pass(tokens, 0), tokens)
    torch.testing.assert_close(low_pass(tokens, 1e6), tokens)
