"""What an image file says beside its pixels: EXIF, XMP, resolution and texts."""

import re
from dataclasses import dataclass, field, replace
from math import isfinite, nan
from typing import Any

from PIL import Image

EXIF_IFD, GPS_IFD, INTEROP_IFD = 0x8769, 0x8825, 0xA005
ORIENTATION = 0x0112
_RESOLUTIONS = {0x011A, 0x011B}
_SIZES = {0xA002: 1, 0xA003: 0}  # tags of the EXIF directory -> which side they hold
# tags that describe how the pixels of the old file were stored, or hold a copy of what is kept
# elsewhere: the profile, XMP
_STORAGE = {
    *(0x00FE, 0x00FF, *range(0x0100, 0x0108), 0x010A, 0x0111, ORIENTATION, *range(0x0115, 0x011A)),
    *(0x011C, 0x0120, 0x0121, 0x013D, *range(0x0140, 0x014B), 0x0152, 0x0153, 0x015B),
    *(*range(0x0200, 0x0210), 0x0211, 0x0212, 0x0213, 0x0214, 0x02BC, 0x8773, 0x8649, 0x935C),
    *(EXIF_IFD, GPS_IFD, INTEROP_IFD),
}
_XMP_ORIENTATION = re.compile(rb'(tiff:Orientation(?:="|>))\d+')
_XMP_SIZES = tuple(
    re.compile(rb'((?:exif:Pixel%sDimension|tiff:Image%s)(?:="|>))\d+' % names)
    for names in ((b"Y", b"Length"), (b"X", b"Width"))
)


@dataclass(frozen=True)
class Metadata:
    """What is kept of a file beside its pixels."""

    # EXIF's directories (0 for the first), tag -> value, without how the pixels were stored
    exif: dict[int, dict[int, Any]] = field(default_factory=dict)
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None  # pixels an inch, across and down
    texts: dict[str, str] = field(default_factory=dict)  # PNG's; a JPEG's is called Comment


def read_metadata(image: Image.Image) -> tuple[Metadata, tuple[str, ...]]:
    """The metadata of an open image, its orientation reset, and notes on what was unreadable."""
    notes = []

    def try_to(read, what, default):
        try:
            return read(image)
        except Exception as error:  # damaged metadata raises nearly anything
            notes.append(f"{what} is damaged and was left out ({error})")
            return default

    found = Metadata(
        exif=try_to(_exif, "EXIF", {}),
        xmp=try_to(_xmp, "XMP", b""),
        dpi=try_to(_dpi, "the resolution", None),
        texts=try_to(_texts, "the comment", {}),
    )
    return found, tuple(notes)


def enlarged(metadata: Metadata, height: int, width: int, scale: float) -> Metadata:
    """The metadata of the image that was enlarged by ``scale`` to this size: same size on paper."""
    exif = {directory: dict(values) for directory, values in metadata.exif.items()}
    for tag in _RESOLUTIONS & exif.get(0, {}).keys():
        resolution = _number(exif[0].pop(tag)) * scale
        if isfinite(resolution):
            exif[0][tag] = resolution
    for tag in _SIZES.keys() & exif.get(EXIF_IFD, {}).keys():
        exif[EXIF_IFD][tag] = (height, width)[_SIZES[tag]]
    xmp = metadata.xmp
    for pattern, size in zip(_XMP_SIZES, (height, width), strict=True):
        xmp = pattern.sub(rb"\g<1>%d" % size, xmp)
    dpi = metadata.dpi and tuple(value * scale for value in metadata.dpi)
    return replace(metadata, exif=exif, xmp=xmp, dpi=dpi)


def _number(value):
    try:
        return float(value)
    except (TypeError, ValueError, ArithmeticError):  # a text; 1 / 0
        return nan


def exif_bytes(exif: dict[int, dict[int, Any]]) -> bytes:
    """EXIF as it stands in files; b"" for none."""
    if not exif:
        return b""
    made = Image.Exif()
    for directory, values in exif.items():
        for tag, value in values.items():
            (made.get_ifd(directory) if directory else made)[tag] = value
    return made.tobytes()


def _exif(image):
    found = image.getexif()
    directories = {
        0: dict(found),
        EXIF_IFD: found.get_ifd(EXIF_IFD),
        GPS_IFD: found.get_ifd(GPS_IFD),
    }
    if image.info.get("exif") and not any(directories.values()):
        raise ValueError("no entry can be read")
    kept = {
        directory: {tag: value for tag, value in values.items() if tag not in _STORAGE}
        for directory, values in directories.items()
    }
    exif = {directory: values for directory, values in kept.items() if values}
    exif_bytes(exif)  # what cannot be written again is found here
    return exif


def _xmp(image):
    xmp = image.info.get("xmp", b"")
    if isinstance(xmp, str):
        xmp = xmp.encode()
    return _XMP_ORIENTATION.sub(rb"\g<1>1", xmp)


def _dpi(image):
    dpi = image.info.get("dpi")
    if dpi is None:
        return None
    across, down = map(float, dpi)
    return (across, down) if 0 < across < 1e6 and isfinite(down) and 0 < down < 1e6 else None


def _texts(image):
    if comment := image.info.get("comment"):
        return {"Comment": comment.decode("utf-8", "replace")}
    texts = getattr(image, "text", {})
    return {key: str(value) for key, value in texts.items() if not key.startswith(("XML:", "Raw "))}
