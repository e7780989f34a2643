import runpy
import sys
import warnings

import numpy as np
import pytest
from PIL import Image

from glanet.data import images
from glanet.data.images import (
    ImageError,
    find_images,
    format_of,
    image_size,
    read_image,
    read_rgb,
    write_image,
)

ORIENTATION = 0x0112


@pytest.fixture
def rgb():
    return np.random.default_rng(0).integers(0, 256, (9, 14, 3), dtype=np.uint8)


def save(path, pixels, mode=None, **options):
    image = Image.fromarray(pixels) if mode is None else Image.fromarray(pixels).convert(mode)
    image.save(path, **options)
    return path


# Reading


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "tiff"])
def test_colours_come_as_they_were_written(tmp_path, rgb, ending):
    read = read_image(save(tmp_path / f"a.{ending}", rgb))
    assert np.array_equal(read.rgb, rgb)
    assert read.rgb.dtype == np.uint8
    assert read.alpha is None


def test_webp_and_jpeg_are_read(tmp_path):
    smooth = np.linspace(0, 255, 32 * 32 * 3).reshape(32, 32, 3).astype(np.uint8)
    assert np.array_equal(read_rgb(save(tmp_path / "a.webp", smooth, lossless=True)), smooth)
    jpeg = read_rgb(save(tmp_path / "a.jpg", smooth, quality=95)).astype(int)
    assert np.abs(jpeg - smooth).mean() < 4


def test_grey_becomes_three_equal_channels(tmp_path, rgb):
    read = read_rgb(save(tmp_path / "a.png", rgb[..., 0]))
    assert read.shape == (9, 14, 3)
    assert all(np.array_equal(read[..., channel], rgb[..., 0]) for channel in range(3))


def test_black_and_white_becomes_0_and_255(tmp_path, rgb):
    read = read_rgb(save(tmp_path / "a.png", rgb, "1"))
    assert set(np.unique(read)) == {0, 255}


def test_16_bit_grey_is_rounded_to_8(tmp_path):
    values = np.array([[0, 128, 129, 257, 32768, 65535]], np.uint16)
    assert read_rgb(save(tmp_path / "a.png", values))[..., 0].tolist() == [[0, 0, 1, 1, 128, 255]]


def test_colour_and_opacity_come_apart(tmp_path, rgb):
    alpha = rgb[..., 1]
    read = read_image(save(tmp_path / "a.png", np.dstack([rgb, alpha])))
    assert np.array_equal(read.rgb, rgb)
    assert np.array_equal(read.alpha, alpha)
    grey = read_image(save(tmp_path / "grey.png", rgb[..., :2]))  # two channels: L and A
    assert np.array_equal(grey.rgb[..., 0], rgb[..., 0])
    assert np.array_equal(grey.alpha, rgb[..., 1])


def test_a_palette_is_resolved_with_its_transparent_colour(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "opaque.png")
    read = read_image(tmp_path / "opaque.png")
    assert read.rgb.tolist() == [[[255, 0, 0], [0, 0, 255]]]
    assert read.alpha is None
    image.save(tmp_path / "holes.png", transparency=1)
    assert read_image(tmp_path / "holes.png").alpha.tolist() == [[255, 0]]


def test_cmyk_becomes_rgb_and_its_profile_is_not_kept(tmp_path):
    Image.new("CMYK", (4, 4), (255, 0, 0, 0)).save(tmp_path / "a.tif", icc_profile=b"of cmyk")
    read = read_image(tmp_path / "a.tif")
    assert read.rgb[0, 0].tolist() == [0, 255, 255]
    assert read.icc_profile is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_and_its_size_are_turned_upright(tmp_path, rgb, orientation):
    stored = {
        1: rgb,
        2: rgb[:, ::-1],
        3: rgb[::-1, ::-1],
        4: rgb[::-1],
        5: rgb.swapaxes(0, 1),
        6: np.rot90(rgb),
        7: rgb[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(rgb, -1),
    }[orientation]
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = save(tmp_path / "a.png", np.ascontiguousarray(stored), exif=exif)
    assert np.array_equal(read_rgb(path), rgb)
    assert image_size(path) == (9, 14)


def test_the_content_decides_the_format_not_the_name(tmp_path, rgb):
    save(tmp_path / "a.png", rgb).rename(tmp_path / "a.jpg")
    assert np.array_equal(read_rgb(tmp_path / "a.jpg"), rgb)


def damaged(tmp_path, rgb, what):
    path = tmp_path / "photo.png"
    if what == "folder":
        path.mkdir()
    elif what == "empty":
        path.touch()
    elif what == "text":
        path.write_text("<html>404</html>")
    elif what == "cut":
        whole = save(path, rgb).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif what == "header alone":
        path.write_bytes(save(path, rgb).read_bytes()[:20])
    elif what == "floats":
        path = tmp_path / "photo.tif"
        Image.fromarray(rgb[..., 0].astype(np.float32)).save(path)
    elif what == "32 bit":
        path = tmp_path / "photo.tif"
        Image.fromarray(rgb[..., 0].astype(np.int32)).save(path)
    return path


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("nothing", "no such file. Check the path"),
        ("folder", "a folder, not an image"),
        ("empty", "an empty file. Fetch or save it again"),
        ("text", "not an image of a known format.* begins with b'<html>404</h'.*convert"),
        ("cut", "damaged or cut short .*Fetch or save it again"),
        ("header alone", r"Fetch or save it again|not an image"),
        ("floats", "no agreed range .*Convert"),
        ("32 bit", "no agreed range .*Convert"),
    ],
)
def test_an_unreadable_file_is_named_with_the_remedy(tmp_path, rgb, what, says):
    path = damaged(tmp_path, rgb, what)
    with pytest.raises(ImageError, match=rf"photo\.(png|tif): .*({says})"):
        read_image(path)
    if what == "cut":  # the size stands in the part that is there
        assert image_size(path) == (9, 14)


def test_a_decompression_bomb_is_rejected_before_it_is_decoded(tmp_path, rgb, monkeypatch):
    path = save(tmp_path / "bomb.png", rgb)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 9 * 14 // 2 - 1)
    with pytest.raises(ImageError, match=r"bomb\.png: its header claims more than 124 pixels.*Cut"):
        read_image(path)


def test_a_large_panorama_is_read_without_a_warning(tmp_path, rgb, monkeypatch):
    path = save(tmp_path / "panorama.png", rgb)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 9 * 14 - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(read_rgb(path), rgb)
        assert image_size(path) == (9, 14)
        with pytest.raises(Image.DecompressionBombWarning):
            Image.open(path)  # whoever opens it elsewhere is warned


def test_importing_the_module_filters_no_warnings():
    with warnings.catch_warnings():
        before = [*warnings.filters]
        runpy.run_path(images.__file__)
        assert warnings.filters == before


def test_a_folder_is_searched_by_endings_and_sorted(tmp_path, rgb):
    for name in ("b.PNG", "a.jpg", ".hidden.png", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in find_images(tmp_path)] == ["a.jpg", "b.PNG"]


def test_a_folder_without_images_or_none_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"no image in it. Put files ending in \.avif, \.bmp"):
        find_images(tmp_path)
    with pytest.raises(ImageError, match="nowhere: no such folder"):
        find_images(tmp_path / "nowhere")


# Writing


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "webp", "PNG"])
def test_lossless_formats_return_what_was_written(tmp_path, rgb, ending):
    path = tmp_path / "new folder" / f"a.{ending}"
    write_image(path, rgb)
    assert np.array_equal(read_rgb(path), rgb)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("ending", ["png", "tif", "webp"])
def test_opacity_is_written_where_the_format_can(tmp_path, ending):
    rgb = np.full((4, 5, 3), 90, np.uint8)
    alpha = np.arange(20, dtype=np.uint8).reshape(4, 5) + 200
    write_image(tmp_path / f"a.{ending}", rgb, alpha)
    assert np.array_equal(read_image(tmp_path / f"a.{ending}").alpha, alpha)


def test_a_profile_is_kept(tmp_path, rgb):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for ending in ("png", "jpg", "tif", "webp"):
        write_image(tmp_path / f"a.{ending}", rgb, icc_profile=profile)
        assert read_image(tmp_path / f"a.{ending}").icc_profile == profile


@pytest.mark.parametrize("ending", ["jpg", "bmp"])
def test_opacity_that_a_format_cannot_hold_is_not_dropped_silently(tmp_path, rgb, ending):
    with pytest.raises(ImageError, match=r"cannot hold the transparency .*Use \.png"):
        write_image(tmp_path / f"a.{ending}", rgb, rgb[..., 0])
    assert [path.name for path in tmp_path.iterdir()] == []


@pytest.mark.parametrize(("name", "says"), [("a.gif", r"\.gif cannot"), ("a", "no ending cannot")])
def test_an_unknown_ending_is_rejected_with_the_known_ones(tmp_path, rgb, name, says):
    for attempt in (lambda: format_of(name), lambda: write_image(tmp_path / name, rgb)):
        with pytest.raises(ImageError, match=rf"{says} be written. Use \.avif, \.bmp"):
            attempt()


@pytest.mark.parametrize("ending", ["bmp", "jpg", "png", "tif", "webp", "avif"])
def test_on_a_full_disk_the_old_image_stays_whole(tmp_path, fill_disk, ending):
    path = tmp_path / f"a.{ending}"
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    write_image(path, noise[:9])
    old = path.read_bytes()
    fill_disk(40_000)  # the write is short
    with pytest.raises(ImageError, match=rf"a\.{ending}: cannot be written \(File too large"):
        write_image(path, noise)
    assert path.read_bytes() == old
    assert [path.name for path in tmp_path.iterdir()] == [path.name]


def test_through_a_link_the_file_that_it_leads_to_is_replaced(tmp_path, rgb):
    (tmp_path / "link.png").symlink_to(tmp_path / "file.png")
    write_image(tmp_path / "link.png", rgb)
    assert (tmp_path / "link.png").is_symlink()
    assert np.array_equal(read_rgb(tmp_path / "file.png"), rgb)


@pytest.mark.parametrize(("ending", "side"), [("webp", 16_384), ("jpg", 65_501)])
def test_a_side_that_a_format_cannot_hold_is_rejected(tmp_path, ending, side):
    with pytest.raises(ImageError, match=rf"1 × {side} pixels, but .* holds at most"):
        write_image(tmp_path / f"a.{ending}", np.zeros((side, 1, 3), np.uint8))


def test_a_program_in_postscript_under_the_name_of_an_image_does_not_run(tmp_path, monkeypatch):
    monkeypatch.setattr("subprocess.Popen", None)
    path = tmp_path / "a.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n{} loop\n")
    with pytest.raises(ImageError, match=r"a\.png: not an image of a known format"):
        read_image(path)


def test_a_damaged_png_is_not_told_to_become_a_png(tmp_path, rgb):
    path = save(tmp_path / "a.png", rgb)
    path.write_bytes(b"\x00" + path.read_bytes()[1:])
    with pytest.raises(ImageError, match=r"or damaged at its start.* Fetch or save it again"):
        read_image(path)


def test_a_heif_image_without_its_decoder_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(50))
    with pytest.raises(ImageError, match=r"a\.heic: a HEIF image.*Install glanet\[heif\]"):
        read_image(tmp_path / "a.heic")
