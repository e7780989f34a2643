"""MATLAB's bicubic along one axis: which samples make an output sample, and with what weights.

`glanet.data.degradation` resizes images with it, and IGNN shrinks its input. MATLAB widens the
kernel when it shrinks, and mirrors the axis at its ends.

Sources: R. Keys, "Cubic convolution interpolation for digital image processing", 1981 (the
kernel); MATLAB's documentation of ``imresize`` (its behaviour).
"""

import math
from functools import lru_cache

import numpy as np
import torch

from glanet.errors import ArgumentError


def cubic_kernel(distance):
    """Keys' cubic interpolation kernel with a = -0.5, for distances in samples (any shape)."""
    x = np.abs(distance)
    inner = (1.5 * x - 2.5) * x**2 + 1
    outer = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, inner, np.where(x < 2, outer, 0.0))


@lru_cache(maxsize=8)
def resize_matrix(size, scale):
    """The matrix that resizes one axis of ``size`` samples: float64 (ceil(size * scale), size).

    Each row holds the weights of one output sample and sums to 1. When ``scale`` < 1 the kernel is
    stretched by 1 / scale (antialiasing). Weights that fall outside the axis are folded back on
    its mirror image, in which the border sample is repeated (``... b a | a b ... y z | z y ...``).

    The matrix is cached and read-only. Give the scale exactly: 1 / 3, not 0.33.

    Raises ArgumentError if ``size`` < 1 or ``scale`` is not a positive finite number.
    """
    samples, weights = taps(size, scale)
    matrix = np.zeros((len(samples), size))
    np.add.at(matrix, (np.arange(len(samples))[:, None], samples), weights)
    matrix.setflags(write=False)
    return matrix


def taps(size, scale, length=None):
    """The input samples under each output sample's kernel, and their weights.

    Two arrays (length, taps): integers in 0 ... size - 1, and float64. ``length`` is
    ceil(size * scale) unless it is given. Other arguments and errors as of `resize_matrix`.
    """
    if size < 1:
        raise ArgumentError(f"cannot resize an axis of {size} samples: it needs at least 1")
    if not 0 < scale < math.inf:
        raise ArgumentError(
            f"scale is {scale}: give a positive factor, such as 2 to enlarge or 1 / 2 to shrink"
        )
    stretch = min(scale, 1.0)
    # Output sample i lies at (i + 1/2) / scale - 1/2, because both grids cover the same length.
    length = math.ceil(size * scale) if length is None else length
    centres = (np.arange(length) + 0.5) / scale - 0.5
    first = np.floor(centres - 2 / stretch).astype(int)
    samples = first[:, None] + np.arange(math.ceil(4 / stretch) + 2)
    weights = cubic_kernel(stretch * (centres[:, None] - samples))
    weights /= weights.sum(axis=1, keepdims=True)
    mirrored = samples % (2 * size)
    return np.minimum(mirrored, 2 * size - 1 - mirrored), weights


def shrink(images, scale):
    """MATLAB's bicubic by 1 / ``scale``, an integer: (B, C, H, W) -> (B, C, H/scale, W/scale).

    H and W are multiples of ``scale``. Differentiable, neither rounded nor clipped. The numbers are
    those of `glanet.data.degradation.imresize_tensor`, which copies its matrices from the CPU: a
    CUDA graph cannot hold that.
    """
    weights = taps(1, 1 / scale)[1][0].tolist()  # the same for every output sample
    for axis in (2, 3):
        size = images.shape[axis]
        first = scale * torch.arange(size // scale, device=images.device) + (scale - 1) // 2
        samples = [(first - 2 * scale + i) % (2 * size) for i in range(len(weights))]
        images = sum(
            weight * images.index_select(axis, torch.minimum(place, 2 * size - 1 - place))
            for weight, place in zip(weights, samples, strict=True)
        )
    return images
