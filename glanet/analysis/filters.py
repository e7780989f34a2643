"""Exact filters: the kernels of linear branches, and smooth low-pass and high-pass filters.

A convolution branch has no activation (Fig. 3). Together with its columns of the fusion it is one
kernel for each pair of channels, and their Fourier transform is the branch's response to any wave.
"""

import copy
import math
from dataclasses import dataclass

import numpy as np
import torch

from glanet.analysis.probes import CONVOLUTIONS, branches, fusion_columns
from glanet.analysis.spectrum import FREQUENCY, by_ring
from glanet.errors import ArgumentError

GRID = 128  # frequencies per axis at which a response is computed


@dataclass(frozen=True)
class Response:
    """The response of a filter to white noise of power 1 in every input channel.

    frequency: (BANDS,), cycles/pixel. gain: (BANDS,), the output's power, mean over output
    channels; unit of output² / unit of input².
    """

    frequency: np.ndarray
    gain: np.ndarray


def kernels_of(branch, channels, reach):
    """The kernels of a linear branch, from its response to single pixels: (C_out, C_in, k, k).

    ``branch`` maps tokens (B, H, W, channels) to tokens (B, H, W, C_out) and reads pixels at most
    ``reach`` away; k is 2 · reach + 1. As weights of ``conv2d`` with a padding of ``reach``, the
    kernels give the output of the branch without its biases.

    Raises:
        ArgumentError: the branch is not linear (a maximum, an activation).
    """
    side = 2 * reach + 1
    pixel = torch.eye(channels, dtype=torch.float64)
    images = pixel.new_zeros(channels, side, side, channels)
    images[:, reach, reach] = pixel
    with torch.no_grad():
        rest = branch(torch.zeros_like(images[:1]))
        answers, opposites = branch(images) - rest, branch(-images) - rest
    if not torch.allclose(answers, -opposites, rtol=1e-9, atol=1e-12):
        raise ArgumentError(
            "the branch is not linear, so it has no kernel: measure its spectra instead"
        )
    return answers.flip(1, 2).permute(3, 0, 1, 2)  # conv2d does not flip its kernel


def contribution_kernels(layer) -> dict[str, torch.Tensor]:
    """Kernels of convolution branch and fusion in one: {"3": (C, C, 3, 3), "5": ..., "7": ...}.

    float64. Applied to the layer's LayerNorm output, they give W_b z_b without the biases.
    """
    channels = len(layer.fuse.weight)
    columns = fusion_columns(layer)
    found = {}
    for name in CONVOLUTIONS:
        branch = copy.deepcopy(branches(layer)[name]).double()
        kernels = kernels_of(branch, channels, reach=int(name) // 2)
        found[name] = torch.einsum("om, miuv -> oiuv", columns[name].detach().double(), kernels)
    return found


def response(kernels) -> Response:
    """The gain of kernels (C_out, C_in, k, k) by frequency."""
    k = kernels.shape[-1]
    # a coarse grid of |F|² is enough: its inverse transform is the complete autocorrelation
    power = torch.fft.fft2(kernels.double(), s=(2 * k, 2 * k)).abs().square().sum(1).mean(0)
    autocorrelation = torch.fft.fftshift(torch.fft.ifft2(power).real)
    return Response(
        FREQUENCY, by_ring(torch.fft.fft2(autocorrelation, s=(GRID, GRID)).abs()).numpy()
    )


def low_pass(tokens, cutoff):
    """Attenuate frequencies above ``cutoff``: (B, H, W, C) -> the same shape.

    The filter is a Gaussian, so that it does not ring; at ``cutoff`` cycles/pixel half of the power
    passes. Borders are mirrored, and the mean stays. At cutoff 0 only the mean is left.
    """
    height, width = tokens.shape[1:3]
    mirrored = torch.cat([tokens, tokens.flip(1)], dim=1)
    mirrored = torch.cat([mirrored, mirrored.flip(2)], dim=2)
    options = {"dtype": tokens.dtype, "device": tokens.device}
    rows, columns = (torch.fft.fftfreq(2 * n, **options) for n in (height, width))
    squared = rows[:, None].square() + columns.square()
    # a cutoff of 0 would divide by 0; 1e-6 passes only the mean on a map of any size
    passes = torch.exp(-math.log(2) / 2 * squared / max(cutoff, 1e-6) ** 2)[..., None]
    passed = torch.fft.ifft2(torch.fft.fft2(mirrored, dim=(1, 2)) * passes, dim=(1, 2)).real
    return passed[:, :height, :width]


def high_pass(tokens, cutoff):
    """What `low_pass` removes, plus the mean: (B, H, W, C) -> the same shape."""
    return tokens - low_pass(tokens, cutoff) + tokens.mean((1, 2), keepdim=True)
