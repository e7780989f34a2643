"""Images as the bytes of a file, in memory: a full disk can then not go unnoticed by an encoder."""

import io
import struct
from dataclasses import replace

import numpy as np
import png
import tifffile
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin, TiffTags

from glanet.data.formats import Format, ImageFile
from glanet.data.metadata import exif_bytes
from glanet.errors import GlanetError

JPEG_SEGMENT = 65_533  # bytes that EXIF, XMP or a comment may have in a JPEG
XMP = 700  # its tag in a TIFF
_GREY_PROFILE = b"GRAY"


def encode(
    frames: list[ImageFile], kind: Format, quality: int | None = None
) -> tuple[bytes, tuple[str, ...]]:
    """The bytes of a file of this format, and notes on what the format could not hold.

    Raises whatever the encoder raises; GlanetError for several frames in a format of one.
    """
    if len(frames) > 1 and not kind.frames:
        raise GlanetError(f"{kind.name} holds one image, found {len(frames)}. Use .webp or .png.")
    notes = []
    if quality is not None and kind.name in ("BMP", "PNG", "TIFF"):
        notes.append(f"{kind.name} is lossless and has no quality to choose")
    depth = kind.depth if len(frames) == 1 else 8
    frames = [_fitted(frame, kind, depth, notes) for frame in frames]
    first = frames[0]
    options = _options(first, kind, quality, notes)
    if first.rgb.dtype == np.uint16:
        deep = {"PNG": _deep_png, "TIFF": _deep_tiff}[kind.name]
        return deep(first, options), tuple(dict.fromkeys(notes))
    images = [_pillow(frame, kind) for frame in frames]
    if len(images) > 1:
        options |= {"save_all": True, "append_images": images[1:]}
        if kind.name != "TIFF":
            options |= {"duration": [round(frame.duration or 100) for frame in frames]}
            options["loop"] = first.plays
    content = io.BytesIO()
    images[0].save(content, format=kind.name, **options)
    if kind.name == "TIFF" and len(images) == 1:
        _add_metadata(content, first.metadata)
    return content.getvalue(), tuple(dict.fromkeys(notes))


def to_srgb(image: Image.Image, profile: bytes) -> np.ndarray:
    """The colours of an image with this ICC profile as sRGB: uint8 (H, W, 3).

    Raises:
        ImageCms.PyCMSError, OSError: the profile is damaged, or of other colours than the image.
    """
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    target = ImageCms.createProfile("sRGB")
    return np.array(ImageCms.profileToProfile(image, source, target, outputMode="RGB"))


def _fitted(frame, kind, depth, notes):
    """The frame with as many bits, and in such colours, as the format can hold."""
    if frame.rgb.dtype == np.uint16 and depth < 16:
        notes.append("16 bits were rounded to 8")
        rgb, alpha = (_rounded(part) for part in (frame.rgb, frame.alpha))
        frame = replace(frame, rgb=rgb, alpha=alpha)
    profile = frame.icc_profile
    holds_no_profile = kind.name == "BMP"
    holds_no_grey_profile = not kind.grey and profile and profile[16:20] == _GREY_PROFILE
    if profile and (holds_no_profile or holds_no_grey_profile):
        image = Image.fromarray(frame.rgb[..., 0] if frame.grey else frame.rgb)
        try:
            frame = replace(frame, rgb=to_srgb(image, profile), icc_profile=None)
            notes.append(f"colours were converted to sRGB, as {kind.name} cannot hold the profile")
        except (ImageCms.PyCMSError, OSError, ValueError):
            frame = replace(frame, icc_profile=None)
            notes.append("the colour profile is damaged and was left out")
    return frame


def _rounded(samples):
    return None if samples is None else ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _pillow(frame, kind):
    grey = frame.grey and kind.grey
    channels = frame.rgb[..., 0] if grey else frame.rgb
    if frame.alpha is not None:
        channels = np.dstack([channels, frame.alpha])
    return Image.fromarray(np.ascontiguousarray(channels))


def _options(frame, kind, quality, notes):
    """What Pillow's encoder is to write beside the pixels, and how well it is to write these."""
    metadata, options = frame.metadata, {}
    if frame.icc_profile:
        options["icc_profile"] = frame.icc_profile
    if metadata.dpi and kind.name in ("BMP", "JPEG", "PNG", "TIFF"):
        options["dpi"] = metadata.dpi
    if kind.name == "BMP":
        if metadata.exif or metadata.xmp:
            notes.append("EXIF and XMP were left out, as BMP cannot hold them")
        return options
    exif = exif_bytes(metadata.exif)
    if exif and kind.name != "TIFF":
        options["exif"] = exif
    if metadata.xmp and kind.name not in ("PNG", "TIFF"):
        options["xmp"] = metadata.xmp
    return options | _SPECIAL[kind.name](metadata, options, quality, notes)


def _jpeg(metadata, options, quality, notes):
    for name in ("exif", "xmp"):
        if len(options.get(name, b"")) + 30 > JPEG_SEGMENT:  # with the segment's own header
            del options[name]
            notes.append(f"{name.upper()} was left out: it is too long for JPEG")
    comment = metadata.texts.get("Comment", "").encode()[:JPEG_SEGMENT]
    found = {"comment": comment} if comment else {}
    return found | {"quality": quality or 95, "subsampling": 0}


def _png(metadata, options, quality, notes):
    texts = PngImagePlugin.PngInfo()
    for key, value in metadata.texts.items():
        texts.add_itxt(key, value)
    if metadata.xmp:
        texts.add_itxt("XML:com.adobe.xmp", metadata.xmp.decode("utf-8", "replace"))
    return {"pnginfo": texts}


def _tiff(metadata, options, quality, notes):
    return {"compression": "tiff_adobe_deflate"}


def _webp(metadata, options, quality, notes):
    return {"lossless": True, "exact": True} if quality is None else {"quality": quality}


def _avif(metadata, options, quality, notes):
    return {"quality": quality or 90, "subsampling": "4:4:4"}


def _heif(metadata, options, quality, notes):
    return {"quality": quality or 90, "chroma": 444}


_SPECIAL = {
    "AVIF": _avif,
    "HEIF": _heif,
    "JPEG": _jpeg,
    "PNG": _png,
    "TIFF": _tiff,
    "WEBP": _webp,
}


def _samples(frame):
    """(H, W, channels): grey or RGB, with opacity last if there is any."""
    colours = frame.rgb[..., :1] if frame.grey else frame.rgb
    return colours if frame.alpha is None else np.dstack([colours, frame.alpha])


def _deep_png(frame, options):
    """A PNG of 16 bits, which Pillow does not write: pypng's pixels and Pillow's other chunks."""
    samples = _samples(frame)
    height, width, channels = samples.shape
    pixels, empty = io.BytesIO(), io.BytesIO()
    writer = png.Writer(width, height, greyscale=channels < 3, alpha=channels % 2 == 0, bitdepth=16)
    writer.write_packed(pixels, (row.astype(">u2").tobytes() for row in samples))
    Image.new("L" if channels < 3 else "RGB", (1, 1)).save(empty, "PNG", **options)
    header, *data = _chunks(pixels)
    before, after = [], []
    for name, content in _chunks(empty):
        if name in (b"IHDR", b"IDAT", b"IEND"):
            continue
        (after if name == b"eXIf" else before).append((name, content))
    whole = io.BytesIO()
    png.write_chunks(whole, [header, *before, *after, *data])
    return whole.getvalue()


def _chunks(file):
    file.seek(0)
    return list(png.Reader(file=file).chunks())


def _deep_tiff(frame, options):
    """A TIFF of 16 bits, which Pillow does not write in colour: its pixels are tifffile's."""
    grey = frame.grey and frame.alpha is None  # Pillow reads no grey with opacity of 16 bits
    samples = _samples(replace(frame, grey=grey))
    content = io.BytesIO()
    tifffile.imwrite(
        content,
        samples[..., 0] if samples.shape[2] == 1 else samples,
        byteorder="<",
        photometric="minisblack" if grey else "rgb",
        planarconfig="contig" if samples.shape[2] > 1 else None,
        extrasamples=None if frame.alpha is None else ["unassalpha"],
        compression="zlib",
        rowsperstrip=max(1, 2**20 // samples[0].nbytes),
        iccprofile=options.get("icc_profile"),
        resolution=options.get("dpi", (1, 1)),
        resolutionunit="INCH" if "dpi" in options else "NONE",
        metadata=None,
        software=False,
    )
    _add_metadata(content, frame.metadata)
    return content.getvalue()


def _add_metadata(content, metadata):
    """Put EXIF and XMP into a TIFF: a larger directory at its end takes the place of the first."""
    fields = TiffImagePlugin.ImageFileDirectory_v2(prefix=content.getvalue()[:2])
    for directory, values in metadata.exif.items():
        fields.update({directory: values} if directory else values)
    if metadata.xmp:
        fields.tagtype[XMP] = TiffTags.BYTE
        fields[XMP] = metadata.xmp
    if not fields:
        return
    old = content.getvalue()
    order = "<" if old[:2] == b"II" else ">"
    (start,) = struct.unpack(order + "I", old[4:8])
    at = len(old) + 1 & ~1
    added = fields.tobytes(at)
    entries = {**_entries(added, 0, order), **_entries(old, start, order)}
    following = start + 2 + 12 * len(_entries(old, start, order))
    content.seek(at)
    content.write(added)
    at = content.tell() + 1 & ~1
    content.seek(at)
    content.write(struct.pack(order + "H", len(entries)))
    content.write(b"".join(entries[tag] for tag in sorted(entries)))
    content.write(old[following : following + 4])
    content.seek(4)
    content.write(struct.pack(order + "I", at))


def _entries(content, start, order):
    """The entries of a TIFF directory as bytes, by tag; where they point to is absolute."""
    (count,) = struct.unpack_from(order + "H", content, start)
    found = (content[start + 2 + 12 * i : start + 14 + 12 * i] for i in range(count))
    return {struct.unpack(order + "H", entry[:2])[0]: entry for entry in found}
