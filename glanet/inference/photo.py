"""One photograph, enlarged with all that its file holds: colours, opacity, depth and metadata."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import distance_transform_edt
from torch import nn

from glanet.data.degradation import resize_to
from glanet.data.formats import ImageFile
from glanet.data.metadata import enlarged
from glanet.inference.upscale import check_tile, upscale_within

# bytes that a photograph may take, so that it is cut into the same tiles on every machine; tiny
# enlarges 512 × 512 pixels in it
MEMORY = 1_400_000_000
_GREY = np.array([0.299, 0.587, 0.114])  # luma of ITU-R BT.601, as Pillow's


@dataclass
class Enlarger:
    """Enlarges photographs with a model.

    ``scale`` is that of the result; where it is not the model's, MATLAB's bicubic resizes what the
    model made. ``alpha`` says what enlarges opacity: "bicubic" or "network". ``memory`` bounds the
    tiles, and shrinks for the following photographs where it ran out.
    """

    model: nn.Module
    scale: float | None = None
    tile: int | None = None
    ensemble: bool = False
    alpha: str = "bicubic"
    memory: int = MEMORY

    def __post_init__(self):
        self.scale = self.scale or self.model.config.scale
        if self.tile is not None:
            check_tile(self.model, self.tile)

    @property
    def note(self) -> str:
        """What is done to reach ``scale``; "" where the model does it alone."""
        made = self.model.config.scale
        return "" if self.scale == made else f"enlarged ×{made} and resized to ×{self.scale:g}"

    def size(self, height: int, width: int) -> tuple[int, int]:
        """The size of the result for an image of this size."""
        return tuple(max(1, round(side * self.scale)) for side in (height, width))

    def __call__(
        self, photo: ImageFile, progress: Callable[[int, int], None] | None = None
    ) -> tuple[ImageFile, int | None]:
        """The enlarged photograph, and the side of the tiles or None. Raises as `upscale_within`.

        ``progress`` is called as `upscale` calls it.
        """
        rgb = photo.rgb if photo.alpha is None else spread(photo.rgb, photo.alpha)
        sr, tile = self._enlarge(rgb, progress)
        if photo.grey:
            sr = _grey(sr)
        height, width = sr.shape[:2]
        larger = replace(
            photo,
            rgb=sr,
            alpha=None if photo.alpha is None else self._opacity(photo.alpha),
            metadata=enlarged(photo.metadata, height, width, self.scale),
        )
        return larger, tile

    def _enlarge(self, rgb, progress):
        sr, tile = upscale_within(
            self.model, rgb, self.memory, tile=self.tile, ensemble=self.ensemble, progress=progress
        )
        if tile is not None and self.tile is None:
            self.memory = min(self.memory, 4 * self.model.values_per_pixel * tile**2)
        size = self.size(*rgb.shape[:2])
        return (sr if sr.shape[:2] == size else resize_to(sr, *size)), tile

    def _opacity(self, alpha):
        if self.alpha == "network":
            return _grey(self._enlarge(np.stack([alpha] * 3, axis=-1), None)[0])[..., 0].copy()
        return resize_to(alpha, *self.size(*alpha.shape))


def spread(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The colours (H, W, 3), those of transparent pixels taken from the nearest that are not.

    What a file stores under transparent pixels is arbitrary, often black. A network and bicubic
    interpolation would mix it into the visible colours at an edge.
    """
    hidden = alpha == 0
    if not hidden.any() or hidden.all():
        return rgb
    nearest = distance_transform_edt(hidden, return_distances=False, return_indices=True)
    return rgb[tuple(nearest)]


def _grey(rgb):
    """Three equal channels: the luma of each pixel, in strips, as it is computed in floats."""
    grey = np.empty(rgb.shape, rgb.dtype)
    for top in range(0, len(rgb), 64):
        strip = slice(top, top + 64)
        grey[strip] = np.floor(rgb[strip] @ _GREY + 0.5)[..., None]
    return grey
