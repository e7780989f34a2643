"""What image files hold: an image with all that is kept of it, and what each format can hold."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from glanet.data.metadata import Metadata
from glanet.errors import GlanetError


class ImageError(GlanetError, ValueError):
    """An image that cannot be read or written.

    The message names the file, what was found and what mends it.
    """


@dataclass(frozen=True)
class ImageFile:
    """What an image file holds.

    Colours have three channels, equal ones where the file is ``grey``. ``notes`` say what of the
    file was changed or left out.
    """

    rgb: np.ndarray  # uint8 or uint16 (H, W, 3)
    alpha: np.ndarray | None = None  # (H, W) of the same type, 0 for transparent
    icc_profile: bytes | None = None
    grey: bool = False
    metadata: Metadata = field(default_factory=Metadata)
    duration: float | None = None  # of a frame of an animation, in milliseconds
    plays: int = 0  # how often an animation is shown; 0 for ever
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Format:
    """One format. ``longest`` is the longest side in pixels that it allows."""

    name: str  # Pillow's
    endings: tuple[str, ...]
    alpha: bool = True
    depth: int = 8  # bits of a sample, at most
    grey: bool = True  # False: grey is stored as RGB with equal channels
    frames: bool = False  # can hold several images
    longest: int = 2**31 - 1
    written: bool = True  # False: it is read alone
    quality: int | None = None  # the default where a quality can be chosen; None: lossless


FORMATS = (
    Format("AVIF", (".avif",), grey=False, longest=65_535, quality=90),
    Format("BMP", (".bmp",), alpha=False),
    Format("GIF", (".gif",), frames=True, written=False),  # 256 colours: not enough for a result
    Format("HEIF", (".heic", ".heif"), grey=False, longest=16_384, quality=90),
    Format("JPEG", (".jpg", ".jpeg"), alpha=False, longest=65_500, quality=95),
    Format("PNG", (".png",), depth=16, frames=True),
    Format("TIFF", (".tif", ".tiff"), depth=16, frames=True),
    Format("WEBP", (".webp",), grey=False, frames=True, longest=16_383),
)
BY_ENDING = {ending: kind for kind in FORMATS for ending in kind.endings}
READABLE = tuple(sorted(BY_ENDING))
WRITABLE = tuple(ending for ending in READABLE if BY_ENDING[ending].written)
NAMES = tuple(kind.name for kind in FORMATS)
ENDINGS = ", ".join(READABLE)


def format_of(path: str | Path) -> Format:
    """The format that is written under the ending of ``path``.

    Raises:
        ImageError: there is none.
    """
    suffix = Path(path).suffix
    if suffix.lower() not in WRITABLE:
        found = suffix or "no ending"
        raise ImageError(f"{path}: {found} cannot be written. Use {', '.join(WRITABLE)}.")
    return BY_ENDING[suffix.lower()]


def check_fits(path: str | Path, height: int, width: int, alpha: bool = False) -> None:
    """Check that the format of ``path`` can hold an image of this size, with transparency or not.

    Raises:
        ImageError: it cannot, or the ending stands for no format.
    """
    kind = format_of(path)
    if alpha and not kind.alpha:
        raise ImageError(
            f"{path}: {kind.name} cannot hold the transparency of this image. Use .png."
        )
    if max(height, width) > kind.longest:
        raise ImageError(
            f"{path}: {width} × {height} pixels, but {kind.name} holds at most {kind.longest:,} "
            "a side. Use .png or .tif."
        )


def register_heif(path: str | Path) -> None:
    """Let Pillow read and write HEIF.

    Raises:
        ImageError: the extra ``heif`` is not installed.
    """
    try:
        import pillow_heif
    except ImportError as error:
        raise ImageError(
            f"{path}: a HEIF image, whose decoder is not installed. Install glanet[heif]."
        ) from error
    pillow_heif.register_heif_opener(thumbnails=False)
