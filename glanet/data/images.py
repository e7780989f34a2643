"""Image files: one reader for every kind, one writer."""

import threading
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from glanet.errors import GlanetError
from glanet.files import atomic_path

# how each format is written: lossless where the format allows it, JPEG without visible loss
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
_OPENING = threading.Lock()  # warning filters belong to the process, and threads open images too


class ImageError(GlanetError, ValueError):
    """An image that cannot be read or written.

    The message names the file, what was found and what mends it.
    """


@dataclass(frozen=True)
class ImageFile:
    """What an image file holds: colours, opacity where there is any, and the colour profile."""

    rgb: np.ndarray  # uint8 (H, W, 3)
    alpha: np.ndarray | None  # uint8 (H, W), 0 for transparent
    icc_profile: bytes | None


def read_image(path: str | Path) -> ImageFile:
    """The content of a PNG, JPEG, BMP, TIFF or WebP file, turned upright.

    The content decides the format, not the ending. Greyscale becomes three equal channels, CMYK and
    palettes become RGB. 16-bit grey is rounded to 8 bits; 16-bit colour is truncated, as Pillow
    does. Only the first of several frames is read. The ICC profile is kept if it describes RGB.

    Raises:
        ImageError: the file is missing, empty, truncated, not an image, too large for Pillow, or
            its values have no agreed range (floating point, 32-bit integers).

    Example:
        >>> from glanet.data import catalog
        >>> from glanet.data.images import read_image
        >>> photo = read_image(catalog.hr_images("photos")[0])
        >>> photo.rgb.shape, photo.rgb.dtype, photo.alpha
        ((512, 512, 3), dtype('uint8'), None)
    """
    with _opened(path) as image:
        with _reporting_damage(path):
            image.load()
            upright = ImageOps.exif_transpose(image)
        profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA", "P") else None
        return ImageFile(*_colour_and_opacity(upright, path), profile)


def read_rgb(path: str | Path) -> np.ndarray:
    """The colours of an image file, without opacity: uint8 (H, W, 3). Raises as ``read_image``."""
    return read_image(path).rgb


def image_size(path: str | Path) -> tuple[int, int]:
    """(height, width) in pixels, upright, from the header alone. Raises as ``read_image``."""
    with _opened(path) as image, _reporting_damage(path):
        exif = Image.Image.getexif(image)  # a PNG's own decodes all pixels
        turned = exif.get(0x0112, 1) >= 5  # orientations 5 to 8 swap the axes
        return image.size if turned else image.size[::-1]


def find_images(folder: str | Path) -> list[Path]:
    """The image files in ``folder``, by their endings, sorted by name, without hidden files.

    Raises:
        ImageError: the folder does not exist, or holds no image.
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
    """The file as a Pillow image with only the header read."""
    path = Path(path)
    if not path.is_file():
        what = "a folder, not an image" if path.is_dir() else "no such file"
        raise ImageError(f"{path}: {what}. Check the path.")
    if path.stat().st_size == 0:
        raise ImageError(f"{path}: an empty file. Fetch or save it again.")
    try:
        image = _open(path)
    except UnidentifiedImageError as error:
        start = path.open("rb").read(12)
        raise ImageError(
            f"{path}: not an image of a known format; it begins with {start!r}. "
            f"Convert it to one of {_ENDINGS}."
        ) from error
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{path}: claims more pixels than Pillow accepts ({error}). If you trust the file, "
            "raise PIL.Image.MAX_IMAGE_PIXELS."
        ) from error
    except Exception as error:  # damaged headers raise nearly anything
        raise ImageError(f"{path}: cannot be opened ({error}). Fetch or save it again.") from error
    with image:
        yield image


def _open(path):
    # Pillow rejects an image of more than 179 million pixels, twice MAX_IMAGE_PIXELS, before it is
    # decoded. From half of that it warns, but a panorama may well be as large.
    with _OPENING, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(path)


@contextmanager
def _reporting_damage(path):
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
    except ValueError:  # Pillow cannot convert this mode to RGB
        pass
    raise ImageError(
        f"{path}: pixels of Pillow's mode {image.mode!r} have no agreed range of colours. "
        "Convert it to an 8-bit or 16-bit image."
    )


def check_target(path: str | Path, alpha: np.ndarray | None = None) -> None:
    """Check, by the ending alone, that ``write_image`` can write this opacity to ``path``.

    Raises:
        ImageError: it cannot.
    """
    suffix = Path(path).suffix
    if suffix.lower() not in _WRITE:
        raise ImageError(f"{path}: {suffix or 'no ending'} cannot be written. Use {_ENDINGS}.")
    kind = _WRITE[suffix.lower()]["format"]
    if alpha is not None and kind in _NO_ALPHA:
        raise ImageError(f"{path}: {kind} cannot hold the transparency of this image. Use .png.")


def write_image(
    path: str | Path,
    image: np.ndarray,
    alpha: np.ndarray | None = None,
    icc_profile: bytes | None = None,
) -> None:
    """Write uint8 (H, W, 3), with opacity uint8 (H, W) if there is any.

    The ending of ``path`` gives the format; its folder is created if needed. PNG, TIFF, BMP and
    WebP are lossless, JPEG has quality 95. An old file is replaced once the new one is complete.

    Raises:
        ImageError: the format is unknown or cannot hold opacity, or the file cannot be written.
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
