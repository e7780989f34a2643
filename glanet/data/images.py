"""Image files: one reader for every kind, one writer."""

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from glanet.errors import GlanetError
from glanet.files import atomic_path

# Pillow refuses what claims more than twice MAX_IMAGE_PIXELS (179 million pixels) before decoding
# it, and warns above half of that, which an honest panorama has
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

# how each format is written: nothing lost where the format allows it, JPEG without visible loss
_WRITE = {
    ".bmp": {"format": "BMP"},
    ".jpeg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".jpg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".png": {"format": "PNG"},
    ".tif": {"format": "TIFF", "compression": "tiff_adobe_deflate"},
    ".tiff": {"format": "TIFF", "compression": "tiff_adobe_deflate"},
    ".webp": {"format": "WEBP", "lossless": True},
}
READABLE = tuple(_WRITE)
_NO_ALPHA = {"BMP", "JPEG"}
_ENDINGS = ", ".join(_WRITE)


class ImageError(GlanetError, ValueError):
    """An image that cannot be read or written; names the file, what was found, what mends it."""


@dataclass(frozen=True)
class ImageFile:
    """What an image file holds: uint8 (H, W, 3), and apart from it uint8 (H, W) opacity or None."""

    rgb: np.ndarray
    alpha: np.ndarray | None
    icc_profile: bytes | None


def read_image(path) -> ImageFile:
    """Read a PNG, JPEG, BMP, TIFF or WebP file, whatever its name says, turned upright.

    Greyscale becomes three equal channels, CMYK and palettes RGB. 16-bit grey is rounded to 8 bits,
    16-bit colour cut to them, as Pillow does. Of several frames the first is taken. The ICC profile
    is kept where it describes RGB.

    Raises:
        ImageError: missing, empty, truncated, no image, absurdly large, or with values that have no
            agreed range (floating point, 32-bit integers).
    """
    with _opened(path) as image:
        with _damage_told(path):
            image.load()
            upright = ImageOps.exif_transpose(image)
        profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA", "P") else None
        return ImageFile(*_colour_and_opacity(upright, path), profile)


def read_rgb(path) -> np.ndarray:
    """The colours of an image file: uint8 (H, W, 3). Opacity is left out. Raises as read_image."""
    return read_image(path).rgb


def image_size(path) -> tuple[int, int]:
    """(height, width) in pixels, upright, from the header alone. Raises as ``read_image``."""
    with _opened(path) as image, _damage_told(path):
        exif = Image.Image.getexif(image)  # a PNG's own would decode it, for EXIF data at its end
        turned = exif.get(0x0112, 1) >= 5  # orientations 5 to 8 lie on their side
        return image.size if turned else image.size[::-1]


def find_images(folder) -> list[Path]:
    """The image files in ``folder``, by their endings, sorted by name; hidden files are left out.

    Raises:
        ImageError: no such folder, or no image in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ImageError(f"{folder}: no such folder. Check the path.")
    found = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in READABLE and not path.name.startswith(".")
    )
    if not found:
        raise ImageError(f"{folder}: no image in it. Put files ending in {_ENDINGS} there.")
    return found


@contextmanager
def _opened(path):
    """The file as a Pillow image of which only the header was read."""
    path = Path(path)
    if not path.is_file():
        what = "a folder, not an image" if path.is_dir() else "no such file"
        raise ImageError(f"{path}: {what}. Check the path.")
    if path.stat().st_size == 0:
        raise ImageError(f"{path}: an empty file. Fetch or save it again.")
    try:
        image = Image.open(path)
    except UnidentifiedImageError as error:
        start = path.open("rb").read(12)
        raise ImageError(
            f"{path}: not an image that can be read here; it begins with {start!r}. "
            f"Convert it to one ending in {_ENDINGS}."
        ) from error
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{path}: claims absurdly many pixels ({error}). If it is what you think it is, raise "
            "PIL.Image.MAX_IMAGE_PIXELS."
        ) from error
    except Exception as error:  # headers can be damaged in any way, and files be unreadable
        raise ImageError(f"{path}: cannot be opened ({error}). Fetch or save it again.") from error
    with image:
        yield image


@contextmanager
def _damage_told(path):
    try:
        yield
    except Exception as error:  # decoders raise nearly anything on damaged data
        raise ImageError(
            f"{path}: damaged or cut short ({error}). Fetch or save it again."
        ) from error


def _colour_and_opacity(image, path):
    """(uint8 (H, W, 3), uint8 (H, W) or None) of a decoded Pillow image."""
    if image.mode.startswith("I;16"):
        grey = np.round(np.asarray(image) / 257).astype(np.uint8)  # 65535 / 257 = 255
        return np.stack([grey] * 3, axis=-1), None
    try:
        if image.has_transparency_data:
            channels = np.array(image.convert("RGBA"))
            return np.ascontiguousarray(channels[..., :3]), channels[..., 3].copy()
        if image.mode not in ("I", "F"):
            return np.array(image.convert("RGB")), None
    except ValueError:  # Pillow has no way from this mode to RGB
        pass
    raise ImageError(
        f"{path}: its pixels are of Pillow's kind {image.mode!r}, which have no agreed range of "
        "colours. Convert it to an 8-bit or 16-bit image."
    )


def check_target(path, alpha=None):
    """Raise ImageError unless ``write_image`` knows how to write to this path, with this opacity.

    A look at the ending alone: for those who want to know before hours of work.
    """
    suffix = Path(path).suffix
    if suffix.lower() not in _WRITE:
        raise ImageError(f"{path}: {suffix or 'no ending'} cannot be written. Use {_ENDINGS}.")
    kind = _WRITE[suffix.lower()]["format"]
    if alpha is not None and kind in _NO_ALPHA:
        raise ImageError(f"{path}: {kind} cannot hold the transparency of this image. Use .png.")


def write_image(path, image, alpha=None, icc_profile=None):
    """Write uint8 (H, W, 3), with its opacity uint8 (H, W) where there is one.

    The ending of ``path`` says the format; its folder is made if need be. PNG, TIFF, BMP and WebP
    keep every bit, JPEG has quality 95. The file appears when it is whole, and until then the old
    one stays.

    Raises:
        ImageError: an ending that cannot be written, or that cannot hold opacity; or no room.
    """
    path = Path(path)
    check_target(path, alpha)
    channels = image if alpha is None else np.dstack([image, alpha])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as part:
            Image.fromarray(channels).save(
                part, icc_profile=icc_profile, **_WRITE[path.suffix.lower()]
            )
    except OSError as error:
        raise ImageError(f"{path}: cannot be written ({error.strerror or error}).") from error
