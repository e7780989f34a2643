"""Notebook 00: the warm-up."""

import numpy as np

from glanet.course.kit.checks import Exercise


def repeat_pixels(image, scale):
    """Enlarge by showing each pixel ``scale`` times along both sides.

    uint8 (H, W, 3) -> uint8 (scale·H, scale·W, 3).
    """
    return image.repeat(scale, axis=0).repeat(scale, axis=1)


def _draw(rng):
    return [
        (rng.integers(0, 256, (h, w, 3), dtype=np.uint8), s) for h, w, s in ((2, 5, 3), (4, 3, 2))
    ]


nearest = Exercise(
    "start_here",
    "nearest",
    repeat_pixels,
    _draw,
    {
        "the rows are enlarged and the columns are not: repeat along axis 1 too": (
            lambda image, scale: image.repeat(scale, axis=0)
        ),
        "the columns are enlarged and the rows are not: repeat along axis 0 too": (
            lambda image, scale: image.repeat(scale, axis=1)
        ),
        "the whole image is repeated like a tile, instead of each pixel": (
            lambda image, scale: np.tile(image, (scale, scale, 1))
        ),
        "the colours are repeated too: axis 2 stays as it is": (
            lambda image, scale: image.repeat(scale, 0).repeat(scale, 1).repeat(scale, 2)
        ),
        "it always enlarges by 2, whatever the scale": (
            lambda image, scale: repeat_pixels(image, 2)
        ),
        "rows and columns have changed places": (
            lambda image, scale: repeat_pixels(image, scale).swapaxes(0, 1)
        ),
        "without an axis, repeat flattens the image to one long row": (
            lambda image, scale: image.repeat(scale)
        ),
    },
)
