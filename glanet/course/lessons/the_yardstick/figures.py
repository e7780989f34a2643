"""Figures of notebook 02, and the distortions that they show.

The distortions are four ways to spoil an image with the same squared error.
"""

import numpy as np
from skimage.filters import gaussian
from skimage.transform import AffineTransform, warp

from glanet.course.kit.style import new_figure
from glanet.evaluation.metrics import psnr_y

_HALF = 5  # pixels from the edge of SSIM's window to its centre


def _brighter(image, levels):
    return image + levels


def _blurred(image, sigma):
    return gaussian(image, sigma, channel_axis=-1)


def _noisy(image, deviation):
    noise = np.random.default_rng(0).standard_normal((*image.shape[:2], 1))
    return image + deviation * noise


def _shifted(image, pixels):
    return warp(image, AffineTransform(translation=(pixels, 0)), order=1, mode="edge")


# kind: (function of a float image (H, W, 3) in 0..255 and an amount, largest amount)
DISTORTIONS = {
    "brighter": (_brighter, 255),  # grey levels
    "shifted": (_shifted, 16),  # pixels
    "blurred": (_blurred, 16),  # standard deviation in pixels
    "noisy": (_noisy, 64),  # standard deviation in grey levels
}


def distort(image, kind, error):
    """Spoil an image with the squared error on Y of making it ``error`` grey levels brighter.

    image: uint8 (H, W, 3); returns uint8 (H, W, 3). ``kind`` is a key of `DISTORTIONS`, ``error``
    an integer above 0. A bisection finds the amount of blur, noise or shift. If even the largest
    amount gives a smaller error, the function uses that amount.
    """
    brighter = _bytes(_brighter(image.astype(float), error))
    if kind == "brighter":
        return brighter
    spoil, high = DISTORTIONS[kind]
    wanted, low = psnr_y(brighter, image, 0), 0.0
    for _ in range(14):  # halvings, down to a thousandth of a pixel
        middle = (low + high) / 2
        spoiled = _bytes(spoil(image.astype(float), middle))
        low, high = (middle, high) if psnr_y(spoiled, image, 0) > wanted else (low, middle)
    return spoiled


def _bytes(image):
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


def psnr_differences(psnrs):
    """Bars: the difference in dB between each way of measuring and the first one.

    ``psnrs`` maps a label to a PSNR in dB. The first entry is the reference.
    """
    (protocol, right), *others = psnrs.items()
    labels = [label for label, _ in others]
    differences = [psnr - right for _, psnr in others]
    figure = new_figure(8.0, 0.6 + 0.42 * len(others))
    axes = figure.subplots()
    axes.barh(labels, differences, color="#7F7F7F")
    for row, difference in enumerate(differences):
        outside = 4 if difference >= 0 else -4  # points
        axes.annotate(
            f"{difference:+.2f}".replace("-", "−"),
            (difference, row),
            xytext=(outside, 0),
            textcoords="offset points",
            ha="left" if difference >= 0 else "right",
            va="center",
        )
    axes.axvline(0, color="black", lw=1)
    axes.margins(x=0.15)
    axes.invert_yaxis()
    axes.set_xlabel(f"difference (dB) from {right:.2f} dB: {protocol}")
    return figure


def local_similarity(images, maps, *, top, left, side):
    """The same square of several images, and below each image its SSIM map.

    ``images`` maps a title to uint8 (H, W, 3), ``maps`` the same titles to SSIM maps
    (H - 10, W - 10): one value for each window of 11×11 pixels inside the image, drawn at the
    centre of the window. The square of ``side`` pixels starts at (``top``, ``left``).
    """
    height, width = next(iter(images.values())).shape[:2]
    inside = (_HALF, width - _HALF, height - _HALF, _HALF)
    figure = new_figure(1.9 * len(images) + 0.8, 4.5)
    rows = figure.subplots(2, len(images), squeeze=False)
    for (above, below), title in zip(rows.T, images, strict=True):
        above.imshow(images[title], extent=(0, width, height, 0), interpolation="nearest")
        shown = below.imshow(maps[title], extent=inside, vmin=0, vmax=1, interpolation="nearest")
        above.set_title(title)
        below.set_xlabel("column (pixels)")
        for axes in (above, below):
            axes.set(xlim=(left, left + side), ylim=(top + side, top))
            axes.label_outer()
    for axes in rows[:, 0]:
        axes.set_ylabel("row (pixels)")
    beside = {"ax": rows, "shrink": 0.4, "anchor": (0, 0), "pad": 0.01}  # the lower row
    figure.colorbar(shown, label="local SSIM", extend="min", **beside)
    return figure
