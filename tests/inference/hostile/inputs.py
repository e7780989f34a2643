"""Input files of every kind that has broken a reader of images, each made by a small function.

`INPUTS` maps a name to a function that writes the file at a path. What it returns is what the
result must look like: uint8 (H, W, 3) before the enlargement; `PICTURE`, where it is lossy;
`ERROR`, where the file cannot be read; or None, where either may be.
"""

import io
import os
import struct
import zlib
from functools import partial

import numpy as np
import png
import tifffile
from PIL import Image

ERROR = "an error in one line"
PICTURE = "a picture"
INPUTS = {}


def noise(height, width, *channels, dtype=np.uint8):
    levels = np.iinfo(dtype).max + 1
    return np.random.default_rng(0).integers(0, levels, (height, width, *channels)).astype(dtype)


def as_file(name):
    def register(make):
        INPUTS[name] = make
        return make

    return register


def encoded(kind, image, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


# Modes and depths


def mode(path, name, kind):
    image = Image.fromarray(noise(9, 14, 3)).convert(name)
    path.write_bytes(encoded(kind, image))
    return PICTURE if kind == "JPEG" or name == "CMYK" else np.asarray(image.convert("RGB"))


for kind, names in {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK"),
    "BMP": ("1", "L", "P", "RGB"),
    "JPEG": ("L", "RGB", "CMYK", "YCbCr"),
}.items():
    for name in names:
        INPUTS[f"mode {name}.{kind.lower()}"] = partial(mode, name=name, kind=kind)


def grey_png(path, bits, interlace=False, transparent=None):
    top = 2**bits - 1
    values = noise(9, 14, dtype=np.uint16) & top
    with path.open("wb") as file:
        png.Writer(
            14, 9, greyscale=True, bitdepth=bits, interlace=interlace, transparent=transparent
        ).write(file, values.tolist())
    grey = np.floor(values * (255 / top) + 0.5).astype(np.uint8)
    return PICTURE if transparent is not None else np.stack([grey] * 3, axis=-1)


for bits in (1, 2, 4, 8, 16):
    INPUTS[f"grey of {bits} bits.png"] = partial(grey_png, bits=bits)
    INPUTS[f"grey of {bits} bits, interlaced.png"] = partial(grey_png, bits=bits, interlace=True)
    INPUTS[f"grey of {bits} bits, one transparent.png"] = partial(
        grey_png, bits=bits, transparent=1
    )


def wide_png(path, channels, interlace=False):
    samples = noise(9, 14, channels, dtype=np.uint16)
    with path.open("wb") as file:
        png.Writer(
            *(14, 9),
            greyscale=channels < 3,
            alpha=channels % 2 == 0,
            bitdepth=16,
            interlace=interlace,
        ).write(file, samples.reshape(9, -1))
    return PICTURE


for channels in (2, 3, 4):
    INPUTS[f"{channels} channels of 16 bits.png"] = partial(wide_png, channels=channels)
    INPUTS[f"{channels} channels of 16 bits, interlaced.png"] = partial(
        wide_png, channels=channels, interlace=True
    )


TIFFS = {
    "floats": (noise(9, 14).astype(np.float32), {}, ERROR),
    "NaN": (np.full((9, 14), np.nan, np.float32), {}, ERROR),
    "infinite floats in colour": (np.full((9, 14, 3), np.inf, np.float32), {}, ERROR),
    "doubles": (noise(9, 14).astype(np.float64), {}, ERROR),
    "32 bits": (noise(9, 14).astype(np.uint32), {}, ERROR),
    "signed": (noise(9, 14).astype(np.int16), {}, None),
    "complex": (noise(9, 14).astype(np.complex64), {}, ERROR),
    "16 bits in planes": (
        *(noise(3, 9, 14, dtype=np.uint16), {"planarconfig": "separate", "photometric": "rgb"}),
        None,
    ),
    "16 bits in planes, compressed": (
        noise(3, 9, 14, dtype=np.uint16),
        {"planarconfig": "separate", "photometric": "rgb", "compression": "zlib"},
        None,
    ),
    "five channels": (noise(9, 14, 5), {"photometric": "rgb"}, None),
    "inverted": (noise(9, 14), {"photometric": "miniswhite"}, None),
    "tiled": (noise(40, 40, 3), {"tile": (16, 16), "photometric": "rgb"}, noise(40, 40, 3)),
    "big": (noise(9, 14, 3), {"bigtiff": True, "photometric": "rgb"}, noise(9, 14, 3)),
    "volume": (noise(3, 9, 14), {"photometric": "minisblack"}, ERROR),
}


def tiff(path, samples, options, expected):
    tifffile.imwrite(path, samples, **options)
    return expected


for name, (samples, options, expected) in TIFFS.items():
    INPUTS[f"{name}.tif"] = partial(tiff, samples=samples, options=options, expected=expected)


# Sizes


def size(path, height, width):
    image = noise(height, width, 3)
    Image.fromarray(image).save(path, "PNG")
    return image


for height, width in ((1, 1), (1, 5000), (5000, 1), (2, 1), (7, 9), (1, 65)):
    INPUTS[f"{height} × {width}.png"] = partial(size, height=height, width=width)


# Damage

WHOLE = {
    "png": encoded("PNG", Image.fromarray(noise(40, 50, 3))),
    "jpg": encoded("JPEG", Image.fromarray(noise(40, 50, 3))),
    "tif": encoded("TIFF", Image.fromarray(noise(40, 50, 3)), compression="tiff_adobe_deflate"),
    "bmp": encoded("BMP", Image.fromarray(noise(40, 50, 3))),
    "webp": encoded("WEBP", Image.fromarray(noise(40, 50, 3)), lossless=True),
    "avif": encoded("AVIF", Image.fromarray(noise(40, 50, 3))),
    "gif": encoded("GIF", Image.fromarray(noise(40, 50, 3))),
}


def cut(path, content, tenths):
    path.write_bytes(content[: len(content) * tenths // 10])
    return ERROR


def flipped(path, content, seed):
    damaged = bytearray(content)
    for place in np.random.default_rng(seed).integers(8, len(content), 20):
        damaged[place] ^= 0xFF
    path.write_bytes(damaged)


for ending, content in WHOLE.items():
    for tenths in range(10):
        INPUTS[f"{tenths} tenths.{ending}"] = partial(cut, content=content, tenths=tenths)
    for seed in range(4):
        INPUTS[f"bits flipped, {seed}.{ending}"] = partial(flipped, content=content, seed=seed)


def content(path, content, expected=ERROR):
    path.write_bytes(content)
    return expected


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n{} loop\n"
for name, data in {
    "empty.png": b"",
    "one byte.png": b"\x89",
    "zeros.png": bytes(1000),
    "signature alone.png": WHOLE["png"][:8],
    "text.jpg": b"<html>404 Not Found</html>",
    "a program in postscript.png": POSTSCRIPT,
    "pdf.png": b"%PDF-1.7\n",
    "gif of three bytes.gif": b"GIF",
    "svg.png": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "heif without content.heic": b"\0\0\0\x18ftypheic" + bytes(30),
    "avif without content.avif": b"\0\0\0\x18ftypavif" + bytes(30),
}.items():
    INPUTS[name] = partial(content, content=data)
GIF = encoded("GIF", Image.fromarray(noise(40, 50)))
INPUTS["gif.png"] = partial(content, content=GIF, expected=noise(40, 50, 1).repeat(3, axis=2))
for wrong in ("jpg", "tif", "webp", "bmp"):
    INPUTS[f"a png called.{wrong}"] = partial(
        content, content=WHOLE["png"], expected=None if wrong == "jpg" else noise(40, 50, 3)
    )


# Headers that claim what is not there


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def claimed_png(path, width, height, bits=8, colour=2, data=b"", more=b""):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    path.write_bytes(WHOLE["png"][:8] + header + more + chunk(b"IDAT", data) + chunk(b"IEND", b""))
    return ERROR


for name, options in {
    "20000 × 20000": {"width": 20_000, "height": 20_000},
    "2³¹ × 2³¹": {"width": 2**31 - 1, "height": 2**31 - 1},
    "0 × 0": {"width": 0, "height": 0},
    "0 × 5": {"width": 0, "height": 5},
    "no pixels": {"width": 9, "height": 9},
    "too few pixels": {"width": 9, "height": 9, "data": zlib.compress(bytes(9))},
    "7 bits": {"width": 9, "height": 9, "bits": 7},
    "a colour type of 9": {"width": 9, "height": 9, "colour": 9},
    "a palette that is missing": {"width": 9, "height": 9, "colour": 3, "data": b"x"},
    "text that unpacks to 100 MB": {
        **{"width": 9, "height": 9, "data": zlib.compress(bytes(9 * 28))},
        "more": chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**8))),
    },
}.items():
    INPUTS[f"header of {name}.png"] = partial(claimed_png, **options)


@as_file("header of 60000 × 60000.bmp")
def _(path):
    path.write_bytes(WHOLE["bmp"][:18] + struct.pack("<ii", 60_000, 60_000) + WHOLE["bmp"][26:])
    return ERROR


@as_file("header of -5 × -5.bmp")
def _(path):
    path.write_bytes(WHOLE["bmp"][:18] + struct.pack("<ii", -5, -5) + WHOLE["bmp"][26:])


@as_file("header of 60000 × 60000.jpg")
def _(path):
    at = WHOLE["jpg"].index(b"\xff\xc0") + 5
    huge = struct.pack(">HH", 60_000, 60_000)
    path.write_bytes(WHOLE["jpg"][:at] + huge + WHOLE["jpg"][at + 4 :])
    return ERROR


@as_file("a directory that points to itself.tif")
def _(path):
    whole = bytearray(WHOLE["tif"])
    whole[-4:] = whole[4:8]
    path.write_bytes(whole)


# Metadata

EXIF = b"Exif\0\0MM\0*\0\0\0\x08"
for name, exif in {
    "cut": EXIF + b"\xff\xff",
    "of 65535 entries": EXIF + b"\xff\xff" + bytes(300),
    "with an orientation of 99": EXIF + b"\0\1\x01\x12\0\3\0\0\0\1\0\x63\0\0\0\0\0\0",
    "with an orientation of text": EXIF + b"\0\1\x01\x12\0\2\0\0\0\4abc\0\0\0\0\0",
    "with a resolution of one over zero": EXIF
    + b"\0\1\x01\x1a\0\5\0\0\0\1\0\0\0\x1a\0\0\0\0"
    + b"\0\0\0\1\0\0\0\0",
    "with a resolution of text": EXIF + b"\0\1\x01\x1a\0\2\0\0\0\4abc\0\0\0\0\0",
    "with a resolution of three numbers": EXIF
    + b"\0\1\x01\x1a\0\3\0\0\0\3\0\0\0\x1a\0\0\0\0"
    + b"\0\1\0\2\0\3",
    "with a size of text": EXIF
    + b"\0\1\x87\x69\0\4\0\0\0\1\0\0\0\x1a\0\0\0\0"
    + b"\0\1\xa0\x02\0\2\0\0\0\4abc\0\0\0\0\0",
    "whose directory is itself": EXIF + b"\0\1\x87\x69\0\4\0\0\0\1\0\0\0\x08\0\0\0\0",
    "of noise": EXIF + noise(1, 500).tobytes(),
}.items():
    INPUTS[f"exif {name}.jpg"] = partial(
        content,
        content=encoded("JPEG", Image.fromarray(noise(9, 14, 3)), exif=exif),
        expected=PICTURE,
    )
for name, options in {
    "profile of noise": {"icc_profile": noise(1, 500).tobytes()},
    "xmp of noise": {"xmp": noise(1, 500).tobytes()},
    "comment of noise": {"comment": noise(1, 500).tobytes()},
}.items():
    INPUTS[f"{name}.jpg"] = partial(
        content,
        content=encoded("JPEG", Image.fromarray(noise(9, 14, 3)), **options),
        expected=PICTURE,
    )
INPUTS["cmyk with a profile of noise.jpg"] = partial(
    content,
    content=encoded("JPEG", Image.new("CMYK", (9, 9)), icc_profile=noise(1, 500).tobytes()),
    expected=PICTURE,
)


# Names, and what is no file

for name in ("-x.png", "new\nline.png", "日本語 🙂.png", "a b'\"$(x).png", "n" * 246 + ".png"):
    INPUTS[name] = partial(size, height=5, width=6)


@as_file("a folder.png")
def _(path):
    path.mkdir()
    return ERROR


@as_file("a link to nothing.png")
def _(path):
    path.symlink_to("nothing.png")
    return ERROR


@as_file("a link to itself.png")
def _(path):
    path.symlink_to(path.name)
    return ERROR


@as_file("a pipe.png")
def _(path):
    os.mkfifo(path)
    return ERROR
