"""Image files: one reader for every kind, one writer."""

import sys
import threading
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError, features

from glanet.data.encoding import encode, to_srgb
from glanet.data.formats import (
    BY_ENDING,
    ENDINGS,
    NAMES,
    READABLE,
    Format,
    ImageError,
    ImageFile,
    check_fits,
    format_of,
    register_heif,
)
from glanet.data.metadata import ORIENTATION, read_metadata
from glanet.files import write_bytes

__all__ = [
    "READABLE",
    "Format",
    "ImageError",
    "ImageFile",
    "check_fits",
    "find_images",
    "format_of",
    "image_size",
    "read_frames",
    "read_image",
    "read_rgb",
    "write_image",
]

_OPENING = threading.Lock()  # warning filters belong to the process, and threads open images too
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_UPRIGHT = {  # what turns an image upright whose EXIF has that orientation
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image[::-1, ::-1].swapaxes(0, 1),
    8: lambda image: np.rot90(image),
}


def read_image(path: str | Path, deep: bool = False) -> ImageFile:
    """The content of an AVIF, BMP, GIF, HEIF, JPEG, PNG, TIFF or WebP file, turned upright.

    The content decides the format, not the ending. Greyscale becomes three equal channels, palettes
    become RGB, CMYK becomes sRGB by its profile. With ``deep``, samples of 16 bits stay uint16;
    else 16-bit grey is rounded to 8 bits, and 16-bit colour is truncated, as Pillow does. Only the
    first of several frames is read. HEIF needs the extra ``heif``.

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
    return _read(path, 0, deep)


def read_frames(path: str | Path, deep: bool = False):
    """Yield every frame of a file as ``read_image`` returns the first. Raises as that does."""
    for frame in range(frame_count(path)):
        yield _read(path, frame, deep)


def read_rgb(path: str | Path) -> np.ndarray:
    """The colours of an image file, without opacity: uint8 (H, W, 3). Raises as ``read_image``."""
    return read_image(path).rgb


def image_size(path: str | Path) -> tuple[int, int]:
    """(height, width) in pixels, upright, from the header alone. Raises as ``read_image``."""
    with _opened(path) as image, _reporting_damage(path):
        turned = _orientation(image) in (5, 6, 7, 8)  # which swap the axes
        return image.size if turned else image.size[::-1]


def frame_count(path: str | Path) -> int:
    """How many images a file holds: frames or pages, from its headers. Raises as ``read_image``."""
    with _opened(path) as image, _reporting_damage(path):
        # the second image of a photograph (MPO) is a view or a thumbnail for other devices
        return 1 if image.format in ("MPO", "HEIF") else getattr(image, "n_frames", 1)


def content_format(path: str | Path) -> Format:
    """The format of a file's content, whatever its ending. Raises as ``read_image``."""
    with _opened(path) as image:
        name = "JPEG" if image.format == "MPO" else image.format
    return next(kind for kind in BY_ENDING.values() if kind.name == name)


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
        raise ImageError(f"{folder}: no image in it. Put files ending in {ENDINGS} there.")
    return found


@contextmanager
def _opened(path):
    """The file as a Pillow image with only the header read."""
    path = Path(path)
    try:
        if not path.is_file():
            what = "a folder, not an image" if path.is_dir() else "no such file"
            raise ImageError(f"{path}: {what}. Check the path.")
        if path.stat().st_size == 0:
            raise ImageError(f"{path}: an empty file. Fetch or save it again.")
        with path.open("rb") as file:
            start = file.read(16)
    except ImageError:
        raise
    except (OSError, RuntimeError, ValueError) as error:  # also a loop of links, a 0 byte in a name
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{path}: cannot be opened ({reason}). Check the path.") from error
    try:
        image = _open(path, start)
    except UnidentifiedImageError as error:
        raise ImageError(_unidentified(path, start)) from error
    except Image.DecompressionBombError as error:
        most = 2 * Image.MAX_IMAGE_PIXELS
        raise ImageError(
            f"{path}: its header claims more than {most:,} pixels, the most that is read. "
            "Cut the image into parts."
        ) from error
    except ImageError:
        raise
    except Exception as error:  # damaged headers raise nearly anything
        raise ImageError(f"{path}: cannot be opened ({error}). Fetch or save it again.") from error
    with image:
        yield image


def _open(path, start):
    if start[4:8] == b"ftyp" and start[8:12] in _HEIF_BRANDS:
        register_heif(path)
    # Pillow rejects an image of more than 179 million pixels, twice MAX_IMAGE_PIXELS, before it is
    # decoded. From half of that it warns, but a panorama may well be as large. Pillow's other
    # formats stay closed: its reader of EPS starts a program.
    with _OPENING, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(path, formats=[name for name in NAMES if _known_to_pillow(name)])


def _known_to_pillow(name):
    Image.init()
    return name in Image.OPEN


def _unidentified(path, start):
    if start[4:12] in (b"ftypavif", b"ftypavis") and not features.check("avif"):
        return f"{path}: an AVIF image, which this Pillow cannot read. Install Pillow 11.3."
    begins = f"it begins with {start[:12]!r}"
    if path.suffix.lower() in READABLE:
        return (
            f"{path}: not an image of a known format, or damaged at its start; {begins}. Fetch or "
            f"save it again, or convert it to one of {ENDINGS}."
        )
    return f"{path}: not an image of a known format; {begins}. Convert it to one of {ENDINGS}."


@contextmanager
def _reporting_damage(path):
    try:
        yield
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError(
            f"{path}: does not fit into memory. Close other programs, or cut the image into parts."
        ) from error
    except Exception as error:  # decoders raise nearly anything on damaged data
        raise ImageError(
            f"{path}: damaged or cut short ({error}). Fetch or save it again."
        ) from error


def _read(path, frame, deep):
    with _opened(path) as image, _reporting_damage(path):
        image.seek(frame)
        raw, key = _raw_mode(image), image.info.get("transparency")
        image.load()
        metadata, notes = read_metadata(image)
        profile = _profile(image)
        if raw in _WIDE and (deep or key is not None):
            rgb, alpha = _wide(image, _open(path, b""), frame, raw, key)
            grey = raw.startswith("LA")
        elif image.mode == "CMYK":
            rgb, note = _from_cmyk(image, profile)
            alpha, grey, profile, notes = None, False, None, (*notes, note)
        else:
            rgb, alpha, grey = _channels(image, raw, key, path)
        if not deep and rgb.dtype == np.uint16:
            rgb, alpha = _eight_bits(rgb, grey), None if alpha is None else _eight_bits(alpha, grey)
        turn = _UPRIGHT.get(_orientation(image), lambda array: array)
        return ImageFile(
            np.ascontiguousarray(turn(rgb)),
            None if alpha is None else np.ascontiguousarray(turn(alpha)),
            profile,
            grey,
            metadata,
            image.info.get("duration"),
            _plays(image),
            notes,
        )


def _plays(image):
    """How often an animation is shown, 0 for ever. A GIF has the number of repetitions, if any."""
    loop = image.info.get("loop")
    if image.format == "GIF":
        return 1 if loop is None else loop and loop + 1
    return loop or 0


def _orientation(image):
    try:
        return Image.Image.getexif(image).get(ORIENTATION, 1)  # a PNG's own decodes all pixels
    except Exception:  # damaged metadata raises nearly anything
        return 1


def _raw_mode(image):
    """Pillow's name of how the samples lie in the file: "RGB;16B", "L;4"; "" where it differs."""
    if len(image.tile) == 0:
        return ""
    arguments = image.tile[0].args
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    planar = getattr(image, "tag_v2", {}).get(284, 1) != 1
    return first if isinstance(first, str) and not planar else ""


# how 16-bit colours lie in a file -> how to read their other byte. Pillow keeps only the upper
# bytes of such colours. Read as if the bytes stood the other way round, it gives the lower ones.
_WIDE = {
    "RGB;16B": "RGB;16L",
    "RGB;16L": "RGB;16B",
    "RGB;16N": "RGB;16B" if sys.byteorder == "little" else "RGB;16L",
    "RGBA;16B": "RGBA;16L",
    "RGBA;16L": "RGBA;16B",
    "RGBA;16N": "RGBA;16B" if sys.byteorder == "little" else "RGBA;16L",
    "LA;16B": "RGBA",  # the four bytes of a pixel
}


def _wide(image, again, frame, raw, key):
    """Colours and opacity of 16-bit samples; ``again`` is the same file, not decoded yet."""
    with again:
        again.seek(frame)
        again.tile = [
            tile._replace(
                args=_WIDE[raw] if isinstance(tile.args, str) else (_WIDE[raw], *tile.args[1:])
            )
            for tile in again.tile
        ]
        again.load()
        other = np.asarray(again)
    if raw.startswith("LA"):
        samples = np.ascontiguousarray(other).view(">u2").astype(np.uint16)
        return samples[..., :1].repeat(3, axis=2), samples[..., 1]
    samples = np.asarray(image).astype(np.uint16) << 8
    samples |= other
    if samples.shape[2] == 4:
        return samples[..., :3], samples[..., 3]
    return samples, _keyed(samples, key)


def _channels(image, raw, key, path):
    """(colours, opacity or None, whether grey) of a decoded Pillow image."""
    if image.mode.startswith("I;16"):
        grey = np.asarray(image).astype(np.uint16)
        if raw == "I;12":
            grey = grey << 4 | grey >> 8
        return _stacked(grey), _keyed(grey[..., None], key), True
    if image.mode in ("1", "L"):
        grey = np.array(image.convert("L"))
        bits = int(raw[2:]) if raw in ("L;2", "L;4") else 8
        if isinstance(key, int) and image.mode == "L":
            key = key * 255 // (2**bits - 1)  # the key is in the file's levels
        return _stacked(grey), _keyed(grey[..., None], key), True
    try:
        if image.mode in ("LA", "La"):
            both = np.array(image.convert("LA"))
            return _stacked(both[..., 0]), both[..., 1].copy(), True
        if image.has_transparency_data:
            channels = np.array(image.convert("RGBA"))
            return np.ascontiguousarray(channels[..., :3]), channels[..., 3].copy(), False
        if image.mode not in ("I", "F"):
            return np.array(image.convert("RGB")), None, False
    except ValueError:  # Pillow cannot convert this mode to RGB
        pass
    raise ImageError(
        f"{path}: pixels of Pillow's mode {image.mode!r} have no agreed range of colours. "
        "Convert it to an 8-bit or 16-bit image."
    )


def _stacked(grey):
    return np.stack([grey] * 3, axis=-1)


def _keyed(samples, key):
    """Opacity of an image in which one colour stands for transparency; None without such a key."""
    if key is None or isinstance(key, bytes):
        return None
    opaque = (samples != np.asarray(key)).any(axis=-1)
    return opaque.astype(samples.dtype) * np.iinfo(samples.dtype).max


def _eight_bits(samples, grey):
    if grey:
        return np.round(samples / 257).astype(np.uint8)  # 65535 / 257 = 255
    return (samples >> 8).astype(np.uint8)


def _profile(image):
    """The ICC profile that a file embeds, or None."""
    if image.mode == "LAB":  # whose colours are converted
        return None
    return image.info.get("icc_profile") or None


def _from_cmyk(image, profile):
    """CMYK as sRGB, by the profile if it is of use, and a note on that."""
    if profile:
        try:
            return to_srgb(image, profile), "CMYK was converted to sRGB by its profile"
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
    return np.array(image.convert("RGB")), "CMYK was converted to RGB without a usable profile"


def write_image(
    path: str | Path,
    image: np.ndarray,
    alpha: np.ndarray | None = None,
    icc_profile: bytes | None = None,
) -> None:
    """Write colours, uint8 or uint16 (H, W, 3), and opacity (H, W) if there is any.

    The ending of ``path`` gives the format; its folder is created if needed. PNG, TIFF, BMP and
    WebP are lossless, JPEG has quality 95, AVIF and HEIF 90. PNG and TIFF keep 16 bits, the others
    get 8. An old file is replaced once the new one is complete; through a link, the file that it
    leads to.

    Raises:
        ImageError: the format is unknown or cannot hold opacity or the size, or the file cannot be
            written.
    """
    write(path, [ImageFile(image, alpha, icc_profile)])


def write(path: str | Path, frames: list[ImageFile], quality: int | None = None) -> tuple[str, ...]:
    """Write all that ``frames`` hold, as `write_image` does. Returns notes on what got lost.

    ``quality``, 1 to 100, is for JPEG, AVIF, HEIF and WebP, which without it is lossless.

    Raises:
        ImageError: as `write_image`; or several frames for a format of one.
    """
    path = Path(path)
    if format_of(path).name == "HEIF":
        register_heif(path)
    for frame in frames:
        check_fits(path, *frame.rgb.shape[:2], frame.alpha is not None)
    try:
        content, notes = encode(frames, format_of(path), quality)
    except ImageError:
        raise
    except Exception as error:  # encoders raise nearly anything
        raise ImageError(f"{path}: cannot be encoded ({error}). Try another format.") from error
    try:
        path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, content)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(
            f"{path}: cannot be written ({reason}). Make room, or choose another folder."
        ) from error
    return notes
