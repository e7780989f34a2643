"""What a file holds beside 8-bit colours comes back from it, and is written again."""

import io
import struct
import zlib
from dataclasses import replace

import numpy as np
import png
import pytest
import skimage.data
import tifffile
from PIL import Image, ImageCms

from glanet.data.formats import ImageFile
from glanet.data.images import frame_count, read_frames, read_image, write
from glanet.data.metadata import EXIF_IFD, GPS_IFD, Metadata, enlarged

EXIF = {0: {271: "Maker"}, EXIF_IFD: {0xA002: 14, 0xA003: 9, 37500: b"note"}, GPS_IFD: {1: "N"}}
XMP = b'<x:xmpmeta tiff:Orientation="1" exif:PixelXDimension="14" tiff:ImageLength="9"/>'


def noise(*shape, dtype=np.uint16):
    levels = np.iinfo(dtype).max + 1
    return np.random.default_rng(0).integers(0, levels, shape).astype(dtype)


def image_file(dtype=np.uint16, grey=False, alpha=False, **metadata):
    rgb = noise(9, 14, 3, dtype=dtype)
    if grey:
        rgb = rgb[..., :1].repeat(3, axis=2)
    opacity = noise(9, 14, dtype=dtype) if alpha else None
    return ImageFile(rgb, opacity, None, grey, Metadata(**metadata))


# 16 bits


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("alpha", [False, True])
def test_16_bits_come_back_as_they_were_written(tmp_path, ending, grey, alpha):
    written = image_file(grey=grey, alpha=alpha)
    assert write(tmp_path / f"a.{ending}", [written]) == ()
    read = read_image(tmp_path / f"a.{ending}", deep=True)
    assert read.rgb.dtype == np.uint16
    assert np.array_equal(read.rgb, written.rgb)
    assert (read.alpha is None) == (not alpha)
    assert not alpha or np.array_equal(read.alpha, written.alpha)


@pytest.mark.parametrize("interlace", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bit_pngs_of_another_writer_are_read_exactly(tmp_path, channels, interlace):
    samples = noise(9, 14, channels)
    with (tmp_path / "a.png").open("wb") as file:
        writer = png.Writer(
            14, 9, greyscale=channels < 3, alpha=channels % 2 == 0, bitdepth=16, interlace=interlace
        )
        writer.write(file, samples.reshape(9, -1))
    read = read_image(tmp_path / "a.png", deep=True)
    colours = samples[..., :3] if channels > 2 else samples[..., :1].repeat(3, axis=2)
    assert np.array_equal(read.rgb, colours)
    assert read.grey == (channels < 3)
    assert channels % 2 or np.array_equal(read.alpha, samples[..., -1])


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize(("compression", "predictor"), [(None, False), ("zlib", True)])
def test_16_bit_tiffs_of_another_writer_are_read_exactly(
    tmp_path, byteorder, compression, predictor
):
    samples = noise(9, 14, 3)
    tifffile.imwrite(
        tmp_path / "a.tif",
        samples,
        photometric="rgb",
        byteorder=byteorder,
        compression=compression,
        predictor=predictor,
    )
    assert np.array_equal(read_image(tmp_path / "a.tif", deep=True).rgb, samples)


def test_8_bits_are_rounded_where_a_format_has_no_more_and_that_is_noted(tmp_path):
    written = image_file()
    assert write(tmp_path / "a.webp", [written]) == ("16 bits were rounded to 8",)
    expected = np.floor(written.rgb / 257 + 0.5)
    assert np.array_equal(read_image(tmp_path / "a.webp").rgb, expected)


# Transparency


def transparent_png(path, bits, values, key):
    """A grey PNG with a tRNS chunk."""
    writer = png.Writer(len(values[0]), len(values), greyscale=True, bitdepth=bits, transparent=key)
    with path.open("wb") as file:
        writer.write(file, values)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("deep", [False, True])
def test_the_transparent_level_of_a_grey_png_is_transparent(tmp_path, bits, deep):
    top = 2**bits - 1
    transparent_png(tmp_path / "a.png", bits, [[0, top, top], [top, 0, 0]], top)
    read = read_image(tmp_path / "a.png", deep=deep)
    white = np.iinfo(read.rgb.dtype).max
    assert (read.alpha == [[white, 0, 0], [0, white, white]]).all()
    assert read.grey


def test_the_transparent_colour_of_a_16_bit_png_is_compared_with_all_bits(tmp_path):
    values = [[256, 0, 0, 257, 0, 0]]  # the upper bytes are alike
    with (tmp_path / "a.png").open("wb") as file:
        png.Writer(2, 1, greyscale=False, bitdepth=16, transparent=(256, 0, 0)).write(file, values)
    assert read_image(tmp_path / "a.png").alpha.tolist() == [[0, 255]]


# Grey, CMYK


@pytest.mark.parametrize("ending", ["png", "tif", "jpg", "bmp"])
def test_grey_stays_grey(tmp_path, ending):
    write(tmp_path / f"a.{ending}", [image_file(np.uint8, grey=True)])
    assert Image.open(tmp_path / f"a.{ending}").mode == "L"
    assert read_image(tmp_path / f"a.{ending}").grey


def profile(space):
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(space)).tobytes()


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("ending", ["png", "tif", "jpg"])
def test_a_profile_is_read_of_grey_and_of_colours(tmp_path, mode, ending):
    Image.new(mode, (4, 4)).save(tmp_path / f"a.{ending}", icc_profile=b"profile")
    assert read_image(tmp_path / f"a.{ending}").icc_profile == b"profile"


def test_bmp_holds_no_profile_so_the_colours_are_converted(tmp_path):
    file = replace(image_file(np.uint8), icc_profile=profile("sRGB"))
    (note,) = write(tmp_path / "a.bmp", [file])
    assert "converted to sRGB, as BMP cannot hold" in note
    assert np.abs(read_image(tmp_path / "a.bmp").rgb.astype(int) - file.rgb).max() <= 1


def test_cmyk_is_converted_by_its_profile_or_says_that_there_is_none(tmp_path, monkeypatch):
    Image.new("CMYK", (4, 4), (255, 0, 0, 0)).save(tmp_path / "a.tif", icc_profile=b"damaged")
    assert read_image(tmp_path / "a.tif").notes == (
        "CMYK was converted to RGB without a usable profile",
    )
    used = np.full((4, 4, 3), 7, np.uint8)
    monkeypatch.setattr("glanet.data.images.to_srgb", lambda image, profile: used)
    read = read_image(tmp_path / "a.tif")
    assert (read.rgb == 7).all()
    assert read.notes == ("CMYK was converted to sRGB by its profile",)


def lab(L, a, b):
    """The colour of L*a*b* under D50 as sRGB, 0 to 255, unclipped: CIE 15, then sRGB's inverse."""
    y = (L + 16) / 116
    f = np.array([y + a / 500, y, y - b / 200])
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * (0.9642, 1, 0.8249)
    linear = (
        np.array(
            [
                [3.1338561, -1.6168667, -0.4906146],
                [-0.9787684, 1.9161415, 0.0334540],
                [0.0719453, -0.2289914, 1.4052427],
            ]
        )
        @ xyz
    )
    curved = np.where(
        linear > 0.0031308, 1.055 * np.abs(linear) ** (1 / 2.4) - 0.055, 12.92 * linear
    )
    return 255 * curved


PAPER = (100, 0, 0)  # colours are relative to it
INKS = {  # what some inks give by the profile below: (C, M, Y, K) -> L*a*b*
    (1, 0, 0, 0): (60, -20, -30),
    (0, 1, 0, 0): (50, 55, 0),
    (0, 0, 1, 0): (80, 0, 60),
    (0, 0, 0, 1): (20, 0, 0),
    (0, 1, 1, 0): (50, 45, 30),
}


def press():
    """The ICC profile of a press, built here: a table of two levels for each ink (ICC.1, lut8)."""
    table = np.zeros((2, 2, 2, 2, 3))
    table[...] = (0, 0, 0)  # where inks overprint: black, which needs no compensation
    for inks, colour in {(0, 0, 0, 0): PAPER, **INKS}.items():
        table[inks] = colour
    clut = np.round(table * (2.55, 1, 1) + (0, 128, 128)).astype(np.uint8).tobytes()
    matrix = struct.pack(">9i", *(65536 * np.eye(3, dtype=int)).ravel())
    ramp = bytes(range(256))
    lut = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + matrix + 4 * ramp + clut + 3 * ramp
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    tags = {b"A2B0": lut, b"wtpt": white}
    at, directory, content = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        directory += name + struct.pack(">II", at + len(content), len(data))
        content += data + bytes(-len(data) % 4)
    header = struct.pack(">I4xI", at + len(content), 0x02400000) + b"prtrCMYKLab "
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + white[8:] + bytes(48)
    return header + directory + content


@pytest.mark.parametrize("ending", ["tif", "jpg"])
@pytest.mark.parametrize("inks", INKS)
def test_cmyk_has_the_colours_that_its_profile_gives(tmp_path, ending, inks):
    colour = tuple(255 * ink for ink in inks)
    options = {"quality": 100} if ending == "jpg" else {}
    Image.new("CMYK", (16, 16), colour).save(
        tmp_path / f"a.{ending}", icc_profile=press(), **options
    )
    read = read_image(tmp_path / f"a.{ending}")
    assert read.notes == ("CMYK was converted to sRGB by its profile",)
    assert read.icc_profile is None
    assert np.abs(read.rgb[0, 0] - lab(*INKS[inks]).clip(0, 255)).max() <= 3
    without = np.array(Image.new("CMYK", (1, 1), colour).convert("RGB"))[0, 0]
    assert np.abs(read.rgb[0, 0].astype(int) - without).max() > 20


# HEIF and AVIF


@pytest.mark.parametrize("ending", ["heic", "heif", "avif"])
@pytest.mark.parametrize("alpha", [False, True])
def test_a_photograph_survives_heif_and_avif(tmp_path, ending, alpha):
    rgb = skimage.data.astronaut()[:64, :97]
    opacity = np.tile(np.linspace(0, 255, 97).astype(np.uint8), (64, 1)) if alpha else None
    metadata = Metadata(exif=EXIF, xmp=XMP)
    written = ImageFile(rgb, opacity, profile("sRGB"), metadata=metadata)
    assert write(tmp_path / f"a.{ending}", [written], quality=95) == ()
    read = read_image(tmp_path / f"a.{ending}")
    assert np.abs(read.rgb.astype(int) - rgb).mean() < 3
    assert (read.alpha is None) == (not alpha)
    assert not alpha or np.abs(read.alpha.astype(int) - opacity).max() <= 8
    assert read.icc_profile == written.icc_profile
    assert read.metadata.exif[GPS_IFD] == EXIF[GPS_IFD]


# Metadata


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tif", "avif", "heic"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_exif_and_xmp_are_kept(tmp_path, ending, dtype):
    write(tmp_path / f"a.{ending}", [image_file(dtype, exif=EXIF, xmp=XMP)])
    metadata = read_image(tmp_path / f"a.{ending}").metadata
    assert metadata.exif[EXIF_IFD] == EXIF[EXIF_IFD]
    assert metadata.exif[GPS_IFD] == EXIF[GPS_IFD]
    assert metadata.exif[0][271] == "Maker"
    assert metadata.xmp == XMP


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "bmp"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_resolution_is_kept(tmp_path, ending, dtype):
    write(tmp_path / f"a.{ending}", [image_file(dtype, dpi=(300, 200))])
    assert read_image(tmp_path / f"a.{ending}").metadata.dpi == pytest.approx((300, 200), abs=0.01)


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_a_comment_is_kept(tmp_path, ending):
    write(tmp_path / f"a.{ending}", [image_file(np.uint8, texts={"Comment": "naïve"})])
    assert read_image(tmp_path / f"a.{ending}").metadata.texts == {"Comment": "naïve"}


def test_the_orientation_is_reset_when_the_image_is_turned(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = XMP.replace(b'Orientation="1"', b'Orientation="6"')
    Image.new("RGB", (14, 9)).save(tmp_path / "a.jpg", exif=exif, xmp=turned)
    read = read_image(tmp_path / "a.jpg")
    assert read.rgb.shape == (14, 9, 3)
    assert read.metadata.exif == {}
    assert read.metadata.xmp == XMP


def test_an_enlarged_image_has_its_new_size_and_the_same_size_on_paper():
    resolution = {282: 72.0, 283: 72.0, 296: 2}
    metadata = Metadata({**EXIF, 0: resolution}, XMP, (72, 36), {"Comment": "x"})
    larger = enlarged(metadata, 18, 28, 2)
    assert larger.exif[EXIF_IFD] == {0xA002: 28, 0xA003: 18, 37500: b"note"}
    assert larger.exif[0] == {282: 144, 283: 144, 296: 2}
    assert b'PixelXDimension="28"' in larger.xmp
    assert b'ImageLength="18"' in larger.xmp
    assert larger.dpi == (144, 72)
    assert metadata.exif[0] == resolution


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_metadata_is_left_out_and_noted(tmp_path):
    damaged = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(range(256))
    content = io.BytesIO()
    Image.new("RGB", (4, 4)).save(content, "PNG")
    start, rest = content.getvalue()[:33], content.getvalue()[33:]
    chunk = struct.pack(">I", len(damaged)) + b"eXIf" + damaged
    chunk += struct.pack(">I", zlib.crc32(b"eXIf" + damaged))
    (tmp_path / "a.png").write_bytes(start + chunk + rest)
    read = read_image(tmp_path / "a.png")
    assert read.metadata.exif == {}
    assert read.notes == ("EXIF is damaged and was left out (no entry can be read)",)


def test_what_is_too_long_for_a_jpeg_is_left_out_and_noted(tmp_path):
    file = image_file(np.uint8, xmp=b"x" * 70_000)
    assert write(tmp_path / "a.jpg", [file]) == ("XMP was left out: it is too long for JPEG",)
    assert read_image(tmp_path / "a.jpg").metadata.xmp == b""


# Frames


@pytest.mark.parametrize("ending", ["png", "webp", "tif"])
def test_all_frames_are_read_and_written(tmp_path, ending):
    frames = [
        replace(image_file(np.uint8), rgb=np.full((9, 14, 3), level, np.uint8), duration=50)
        for level in (10, 200, 90)
    ]
    write(tmp_path / f"a.{ending}", frames)
    assert frame_count(tmp_path / f"a.{ending}") == 3
    read = list(read_frames(tmp_path / f"a.{ending}"))
    assert [frame.rgb[0, 0, 0] for frame in read] == [10, 200, 90]
    if ending != "tif":
        assert [frame.duration for frame in read] == [50, 50, 50]
