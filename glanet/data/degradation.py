"""Degradation: how a low-resolution image is made from a high-resolution one.

Every super-resolution benchmark makes its LR images with MATLAB's ``imresize(image, scale,
'bicubic')``, which other libraries' "bicubic" is not: MATLAB widens the kernel when it shrinks,
mirrors the image at its borders and rounds to uint8 between its two passes. Resizing is linear
along each axis, so an image is resized by two small matrices: ``rows @ image @ columns.T``.
`glanet.bicubic` makes them.
"""

import numpy as np
import torch

from glanet.bicubic import cubic_kernel, resize_matrix, taps
from glanet.errors import ArgumentError, ArgumentTypeError

__all__ = [
    "cubic_kernel",
    "imresize",
    "imresize_tensor",
    "modcrop",
    "resize_matrix",
    "resize_to",
]

_STRIP = 16  # output rows at a time: what is float64 meanwhile stays in the CPU's cache


def imresize(image, scale):
    """Resize an image exactly as MATLAB's ``imresize(image, scale, 'bicubic')`` does.

    image: uint8 (H, W) or (H, W, C); scale: the factor, 1 / 2, 1 / 3, 1 / 4 to shrink, 2, 3, 4 to
    enlarge. Returns uint8 (ceil(H * scale), ceil(W * scale)[, C]).

    Exact to the last bit at those six factors, whatever the order in which a machine adds: the
    weights of 2 and 4 are binary fractions, so their sums carry no error; those of 3 have odd
    denominators, so no sum lies at .5, where an error could tip the rounding.

    Raises ArgumentTypeError unless ``image`` is a uint8 array, ArgumentError for another number
    of dimensions, an empty image or a scale that is not positive and finite.

    Example:
        >>> import numpy as np
        >>> from glanet.data.degradation import imresize
        >>> imresize(np.array([[0, 80], [160, 240]], np.uint8), 2)
        array([[  0,  13,  52,  71],
               [ 26,  49,  97, 121],
               [121, 144, 192, 216],
               [168, 191, 239, 255]], dtype=uint8)
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        found = getattr(image, "dtype", type(image).__name__)
        raise ArgumentTypeError(
            f"imresize takes a uint8 numpy array, found {found}: round and clip to 0..255 first, "
            "or resize floating-point tensors with imresize_tensor"
        )
    if image.ndim not in (2, 3) or image.size == 0:
        raise ArgumentError(
            f"imresize takes a non-empty image (H, W) or (H, W, C), found shape {image.shape}"
        )
    tall = _resize_first_axis(image, *taps(image.shape[0], scale))
    wide = _resize_first_axis(tall.swapaxes(0, 1), *taps(image.shape[1], scale))
    return np.ascontiguousarray(wide.swapaxes(0, 1))


def resize_to(image, height, width):
    """Resize a photograph as MATLAB's ``imresize(image, [height, width], 'bicubic')`` does.

    image: uint8 or uint16 (H, W) or (H, W, C), not empty. Returns (height, width[, C]) of the same
    type. As in MATLAB, the scale of either axis comes from the sizes, the smaller one goes first.

    Raises ArgumentError if ``height`` or ``width`` is below 1.
    """
    if min(height, width) < 1:
        raise ArgumentError(f"size is {width} × {height}; expected 1 pixel or more a side")
    scales = (height / image.shape[0], width / image.shape[1])
    for axis in sorted((0, 1), key=lambda axis: scales[axis]):
        samples = taps(image.shape[axis], scales[axis], (height, width)[axis])
        image = _resize_first_axis(image.swapaxes(0, axis), *samples).swapaxes(0, axis)
    return np.ascontiguousarray(image)


def _resize_first_axis(image, samples, weights):
    """One pass: (N, ...) -> (len(samples), ...), rounded half up and clipped.

    The product of `resize_matrix` and the image without the matrix's zeros, several times faster on
    a photograph. Einsum adds in one thread; a threaded matrix product of strips this small gained
    nothing on an idle machine and took 40 times as long beside another busy process.
    """
    lines = image.reshape(len(image), -1)
    resized = np.empty((len(samples), lines.shape[1]), image.dtype)
    white = np.iinfo(image.dtype).max
    for top in range(0, len(samples), _STRIP):
        strip = slice(top, top + _STRIP)
        values = np.einsum("ot,otk->ok", weights[strip], lines[samples[strip]])
        resized[strip] = np.clip(np.floor(values + 0.5), 0, white)
    return resized.reshape(-1, *image.shape[1:])


def imresize_tensor(images, scale):
    """Resize a batch with the matrices of `imresize`, without rounding or clipping.

    images: floating-point (B, C, H, W), usually in [0, 1], on any device; scale: as in `imresize`.
    Returns (B, C, ceil(H * scale), ceil(W * scale)) of the same dtype and device; differentiable.
    Values may overshoot the input's range by about an eighth of it beside a sharp edge.

    Rounded and clipped, the result is within 1 grey level of `imresize` wherever the height pass
    stays in 0..255. Where it overshoots, `imresize` has clipped between its passes and the two may
    lie as many as 37 levels apart (a few in photographs): score benchmarks with `imresize`.

    Raises ArgumentTypeError for a tensor of integers, ArgumentError for another number of
    dimensions, an empty height or width or a scale that is not positive and finite.
    """
    if not images.is_floating_point():
        raise ArgumentTypeError(
            f"imresize_tensor takes floating-point images, found {images.dtype}: "
            "divide uint8 by 255, or resize numpy images with imresize"
        )
    if images.ndim != 4:
        raise ArgumentError(
            f"imresize_tensor takes images (B, C, H, W), found shape {tuple(images.shape)}"
        )
    rows, columns = (
        torch.tensor(resize_matrix(size, scale), dtype=images.dtype, device=images.device)
        for size in images.shape[2:]
    )
    return rows @ images @ columns.T


def modcrop(image, scale):
    """Crop the bottom and right of an image so that H and W are multiples of an integer scale.

    image: (H, W) or (H, W, C), any dtype. Returns a view (H - H % scale, W - W % scale[, C]).

    Raises ArgumentTypeError if ``scale`` is no integer, ArgumentError if it is below 1, if
    the image has another number of dimensions or if nothing of it would be left.
    """
    if not isinstance(scale, int | np.integer):
        raise ArgumentTypeError(f"modcrop takes an integer scale, found {scale!r}")
    if scale < 1:
        raise ArgumentError(f"modcrop takes a scale of at least 1, found {scale}")
    if image.ndim not in (2, 3):
        raise ArgumentError(
            f"modcrop takes an image (H, W) or (H, W, C), found shape {image.shape}"
        )
    height, width = (size - size % scale for size in image.shape[:2])
    if height == 0 or width == 0:
        raise ArgumentError(
            f"an image of shape {image.shape} has no multiple of {scale} pixels a side: "
            "give a larger image or a smaller scale"
        )
    return image[:height, :width]
