"""The yardstick: PSNR and SSIM as the super-resolution papers report them.

Both compare 8-bit images on the luma Y of BT.601, after cutting a border of `scale` pixels from
every side. RGB numbers are other numbers (for a grey image, 1.32 dB lower) and must never stand
beside Y numbers, so each function says in its name which of the two it gives.

A super-resolved image is clamped and rounded to uint8 before it is measured, and the HR image is
cropped to multiples of the scale (`glanet.data.degradation.modcrop`).
"""

import math

import numpy as np
from skimage.metrics import structural_similarity

from glanet.errors import ArgumentError

_PEAK = 255
_SSIM_WINDOW = 11
_SSIM_SIGMA = 1.5


def rgb_to_y(image):
    """Luma of an 8-bit RGB image, BT.601 with studio range: float64 in [16, 235], unrounded.

    image: uint8 (H, W, 3), or grey (H, W), read as three equal channels. Returns (H, W).
    Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255, as in MATLAB's ``rgb2ycbcr``.

    Raises ArgumentError for another dtype or shape.
    """
    return 16 + _as_rgb(image) @ np.array([65.481, 128.553, 24.966]) / 255


def psnr_y(sr, hr, border):
    """Peak signal-to-noise ratio on Y, in dB; inf for identical images. The papers' PSNR.

    sr, hr: uint8 (H, W, 3), or grey (H, W), read as three equal channels; border: pixels cut from
    every side, the scale by convention. Mean squared error in float64, peak 255.

    Raises ArgumentError for another dtype or shape, for images of different sizes, and for a border
    that is negative or leaves nothing.

    Example:
        >>> import numpy as np
        >>> from glanet.evaluation.metrics import psnr_y
        >>> hr = np.full((16, 16, 3), 100, np.uint8)
        >>> round(psnr_y(hr + 1, hr, border=2), 2)  # wrong by one grey level everywhere
        49.45
    """
    sr, hr = _comparable(sr, hr, border, smallest=1)
    return _psnr(rgb_to_y(sr), rgb_to_y(hr))


def psnr_rgb(sr, hr, border):
    """Peak signal-to-noise ratio over the three channels, in dB. Never compare it with `psnr_y`.

    Arguments and errors as for `psnr_y`.
    """
    sr, hr = _comparable(sr, hr, border, smallest=1)
    return _psnr(sr.astype(np.float64), hr.astype(np.float64))


def ssim_y(sr, hr, border):
    """Structural similarity on Y: 1 for identical images, at least -1. The papers' SSIM.

    Gaussian window of 11×11 pixels, σ 1.5, averaged over the positions where the window lies
    inside the image (Wang et al., "Image quality assessment: from error visibility to structural
    similarity", 2004). Arguments and errors as for `psnr_y`, but the border must leave 11×11.

    Example:
        >>> from glanet.data import catalog
        >>> from glanet.data.degradation import imresize
        >>> from glanet.data.images import read_rgb
        >>> from glanet.evaluation.metrics import ssim_y
        >>> hr = read_rgb(catalog.hr_images("photos")[0])[:128, :128]
        >>> bicubic = imresize(imresize(hr, 1 / 2), 2)
        >>> round(ssim_y(bicubic, hr, border=2), 3)
        0.98
    """
    sr, hr = _comparable(sr, hr, border, smallest=_SSIM_WINDOW)
    return _ssim(rgb_to_y(sr), rgb_to_y(hr))


def _as_rgb(image):
    """uint8 (H, W, 3) or (H, W) -> uint8 (H, W, 3)."""
    if image.dtype != np.uint8:
        raise ArgumentError(
            f"metrics take uint8 images, found {image.dtype}: clip to 0..255 and round"
        )
    if image.ndim == 2:
        image = np.stack([image] * 3, axis=-1)
    if image.ndim != 3 or image.shape[-1] != 3:
        raise ArgumentError(
            f"metrics take RGB (H, W, 3) or grey (H, W), found shape {image.shape}: "
            "drop an alpha channel, move channels last"
        )
    return image


def _comparable(sr, hr, border, smallest):
    """Both images as RGB without their borders, at least `smallest` pixels a side."""
    shapes = f"sr {sr.shape} and hr {hr.shape}"
    sr, hr = _as_rgb(sr), _as_rgb(hr)
    if sr.shape != hr.shape:
        raise ArgumentError(
            f"images differ in size, {shapes}: crop hr to multiples of the scale (modcrop) "
            "and upscale an LR image made from that"
        )
    if border < 0:
        raise ArgumentError(
            f"border is {border}: give the pixels to cut from every side, 0 or more"
        )
    height, width = (size - 2 * border for size in sr.shape[:2])
    if min(height, width) < smallest:
        raise ArgumentError(
            f"a border of {border} leaves {height}×{width} pixels of {shapes}, "
            f"fewer than the {smallest}×{smallest} needed"
        )
    inside = (slice(border, border + height), slice(border, border + width))
    return sr[inside], hr[inside]


def _psnr(a, b):
    error = np.mean((a - b) ** 2)
    return math.inf if error == 0 else float(10 * np.log10(_PEAK**2 / error))


def _ssim(a, b):
    similarity = structural_similarity(
        a,
        b,
        win_size=_SSIM_WINDOW,
        data_range=_PEAK,
        gaussian_weights=True,
        sigma=_SSIM_SIGMA,
        use_sample_covariance=False,
    )
    return float(similarity)
