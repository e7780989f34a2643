"""The photographs that the frequency lab measures on. No shipped network was trained on them."""

import numpy as np

from glanet.data import catalog
from glanet.data.images import read_rgb

MANY, FEW = "B100", "photos"  # where there are enough; what needs no download


def photographs(count, side) -> dict[str, np.ndarray]:
    """Central squares of ``side`` pixels, uint8 (side, side, 3), by the name of the photograph.

    They are the first ``count`` of B100 where it is whole below the data root, and else those of
    scikit-image's photographs, at most six.
    """
    chosen = MANY if catalog.status(MANY).state == catalog.PRESENT else FEW
    return {path.stem: middle(read_rgb(path), side) for path in catalog.hr_images(chosen)[:count]}


def middle(image, side) -> np.ndarray:
    """The central square of an image (H, W, ...), whose sides are at least ``side`` pixels."""
    top, left = ((size - side) // 2 for size in image.shape[:2])
    return np.ascontiguousarray(image[top : top + side, left : left + side])
