"""The exercise of notebook 00: enlarge by repeating pixels."""

import numpy as np

from glanet.course.kit.checks import Exercise
from glanet.data.degradation import imresize


def repeat_pixels(image, scale):
    """Repeat each pixel ``scale`` times along both sides.

    image: uint8 (H, W, 3); returns uint8 (scale·H, scale·W, 3).
    """
    return image.repeat(scale, axis=0).repeat(scale, axis=1)


def _draw(rng):
    return [
        (rng.integers(0, 256, (h, w, 3), dtype=np.uint8), s) for h, w, s in ((2, 5, 3), (4, 3, 2))
    ]


def _stuffed(image, scale):
    height, width, colours = image.shape
    larger = np.zeros((scale * height, scale * width, colours), np.uint8)
    larger[::scale, ::scale] = image
    return larger


def _filled(image, scale):
    height, width, colours = image.shape
    return np.resize(image, (scale * height, scale * width, colours))


def _reshaped(image, scale):
    return image.repeat(scale**2).reshape(repeat_pixels(image, scale).shape)


def _rounded_places(image, scale):
    rows, columns = (
        np.round(np.arange(scale * side) / scale).astype(int).clip(max=side - 1)
        for side in image.shape[:2]
    )
    return image[rows][:, columns]


nearest = Exercise(
    "start_here",
    "nearest",
    repeat_pixels,
    _draw,
    {
        "the rows are repeated but the columns are not: repeat along axis 1 too": (
            lambda image, scale: image.repeat(scale, axis=0)
        ),
        "the columns are repeated but the rows are not: repeat along axis 0 too": (
            lambda image, scale: image.repeat(scale, axis=1)
        ),
        "the whole image is repeated like a tile: repeat each pixel instead": (
            lambda image, scale: np.tile(image, (scale, scale, 1))
        ),
        "the colours are repeated too: leave axis 2 as it is": (
            lambda image, scale: image.repeat(scale, 0).repeat(scale, 1).repeat(scale, 2)
        ),
        "it always enlarges by 2: use `scale`": (lambda image, scale: repeat_pixels(image, 2)),
        "rows and columns are swapped": (
            lambda image, scale: repeat_pixels(image, scale).swapaxes(0, 1)
        ),
        "without an axis, repeat flattens the image to one long row: give it axis=0, then axis=1": (
            lambda image, scale: image.repeat(scale)
        ),
        "the rows are repeated twice and the columns not at all: the second axis is 1": (
            lambda image, scale: image.repeat(scale, axis=0).repeat(scale, axis=0)
        ),
        "black pixels stand between the pixels: repeat each pixel instead": _stuffed,
        "np.resize fills the new image with the numbers one after the other: repeat each pixel": (
            _filled
        ),
        "a reshape keeps the numbers in their order, and mixes pixels: repeat along axis 0, then "
        "along axis 1": _reshaped,
        "the pixels are blended: this is bicubic, which makes new values. Copy each pixel": (
            imresize
        ),
        "columns and colours are repeated: rows and columns are axes 0 and 1": (
            lambda image, scale: image.repeat(scale, axis=1).repeat(scale, axis=2)
        ),
        "the numbers are multiplied by `scale`: repeat the pixels": (
            lambda image, scale: image * scale
        ),
        "row and column are rounded: pixel i is a copy of i // scale": _rounded_places,
    },
)
