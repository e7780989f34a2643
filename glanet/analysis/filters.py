"""Exact filters: the kernels that linear branches amount to, and smooth low- and high-passes.

A convolution branch holds no activation (Fig. 3): its steps and its block of the fusion are one
kernel for each pair of channels, and its Fourier transform is what the branch does to any wave.
"""

import copy
import math
from dataclasses import dataclass

import numpy as np
import torch

from glanet.analysis.probes import CONVOLUTIONS, branches, fusion_columns
from glanet.analysis.spectrum import FREQUENCY, by_ring
from glanet.errors import ArgumentError

GRID = 128  # frequencies a side that a response is computed at


@dataclass(frozen=True)
class Response:
    """What a filter does to white noise of power 1 in every input channel.

    frequency: (BANDS,), cycles/pixel. gain: (BANDS,), power out, the mean over output channels;
    unit of output² / unit of input².
    """

    frequency: np.ndarray
    gain: np.ndarray


def kernels_of(branch, channels, reach):
    """The kernels of a linear branch, by its answer to single pixels: (C_out, C_in, k, k).

    ``branch`` maps tokens (B, H, W, channels) to tokens (B, H, W, C_out) and looks at most
    ``reach`` pixels far; k is 2 · reach + 1. As weights of ``conv2d`` with that much padding they
    give what the branch gives, but for its biases.

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
    return answers.flip(1, 2).permute(3, 0, 1, 2)  # conv2d turns no kernel


def contribution_kernels(layer) -> dict[str, torch.Tensor]:
    """Convolution branches with their share of the fusion: {"3": (C, C, 3, 3), "5": ..., "7": ...}.

    float64; applied to the layer's LayerNorm output, they give W_b z_b but for the biases.
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
    # |F|² on a coarse grid holds all there is to know: transformed back it is the autocorrelation
    power = torch.fft.fft2(kernels.double(), s=(2 * k, 2 * k)).abs().square().sum(1).mean(0)
    autocorrelation = torch.fft.fftshift(torch.fft.ifft2(power).real)
    return Response(
        FREQUENCY, by_ring(torch.fft.fft2(autocorrelation, s=(GRID, GRID)).abs()).numpy()
    )


def low_pass(tokens, cutoff):
    """Maps without what is finer than ``cutoff``: (B, H, W, C) -> the same.

    A Gaussian, so that nothing rings: at ``cutoff`` cycles/pixel half of the power passes. Borders
    are mirrored; the mean stays. At cutoff 0 nothing but the mean is left.
    """
    height, width = tokens.shape[1:3]
    mirrored = torch.cat([tokens, tokens.flip(1)], dim=1)
    mirrored = torch.cat([mirrored, mirrored.flip(2)], dim=2)
    options = {"dtype": tokens.dtype, "device": tokens.device}
    rows, columns = (torch.fft.fftfreq(2 * n, **options) for n in (height, width))
    squared = rows[:, None].square() + columns.square()
    # a cutoff of 0 would divide by 0; this one leaves the mean alone on any map
    passes = torch.exp(-math.log(2) / 2 * squared / max(cutoff, 1e-6) ** 2)[..., None]
    passed = torch.fft.ifft2(torch.fft.fft2(mirrored, dim=(1, 2)) * passes, dim=(1, 2)).real
    return passed[:, :height, :width]


def high_pass(tokens, cutoff):
    """What `low_pass` takes away, on the mean that it leaves: (B, H, W, C) -> the same."""
    return tokens - low_pass(tokens, cutoff) + tokens.mean((1, 2), keepdim=True)
