"""The page that enlarges photographs makes what the package makes, and rejects what it cannot."""

import base64
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from glanet.course.tools.enlarge import TILE, WEIGHTS
from glanet.data.degradation import imresize
from glanet.data.images import read_image
from glanet.inference.photo import Enlarger
from glanet.inference.upscale import _shares, _spans, upscale
from glanet.weights import load
from tests.browser.lab import differs, pixels

SCREENSHOTS = Path(__file__).parent / "screenshots"

DONE = """() => ["result", "error"].some((id) => !document.getElementById(id).hidden)"""
BYTES = """async (image) => {
  const blob = await (await fetch(image.src)).blob();
  const reader = new FileReader();
  await new Promise((resolve) => { reader.onload = resolve; reader.readAsDataURL(blob); });
  return reader.result.split(",")[1];
}"""
TILES = """async ([sizes, settings]) => {
  const {spans, shares} = await import(new URL("enlarge/tiles.js", location));
  return sizes.map((size) => {
    const found = spans(size, settings);
    return found.map(({start, stop}, i) => [start, stop, [...shares(found, settings)[i]]]);
  });
}"""
DROP = """async (files) => {
  const dataTransfer = new DataTransfer();
  for (const [name, text] of files) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    dataTransfer.items.add(new File([bytes], name));
  }
  document.body.dispatchEvent(new DragEvent("drop", {dataTransfer, bubbles: true}));
}"""
THEME = """(theme) => Object.assign(document.documentElement.dataset, {mode: theme, theme})"""
WIDTHS = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"


@pytest.fixture(scope="module")
def model():
    return load(WEIGHTS)


def photograph(height, width):
    """A real one: uint8 (H, W, 3)."""
    return np.ascontiguousarray(skimage.data.astronaut()[:height, :width])


def choose(page, path):
    """Enlarge a file, and wait for the result or an error."""
    page.set_input_files("#photo", path)
    page.wait_for_function(DONE)


def shown(page, of="after"):
    """One of the two pictures under the slider: uint8 (H, W, 3)."""
    assert page.locator("#result").is_visible(), page.locator("#error").inner_text()
    data = page.locator(f"#{of}").evaluate(BYTES)
    return np.asarray(Image.open(BytesIO(base64.b64decode(data))).convert("RGB"))


def most(one, other):
    """The largest difference of two pictures, in grey levels."""
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other).max())


@pytest.mark.parametrize("size", [(512, 512), (203, 77), (5, 3), (1, 1)])
def test_a_photograph_is_enlarged_as_by_the_package(enlarger, model, tmp_path, size):
    lr = photograph(*size)
    Image.fromarray(lr).save(tmp_path / "photo.png")
    choose(enlarger, tmp_path / "photo.png")
    assert most(shown(enlarger), upscale(model, lr)) <= 1
    assert most(shown(enlarger, "before"), imresize(lr, 2)) == 0
    tiles = 4 if size == (512, 512) else 1
    assert enlarger.locator("#progress").evaluate("({value, max}) => [value, max]") == [tiles] * 2


def test_tiles_lie_and_are_blended_as_in_the_package(enlarger, model):
    sizes = [1, 64, TILE, TILE + 1, 512, 999, 4000]
    settings = enlarger.evaluate("async () => (await fetch('enlarge/settings.json')).json()")
    for size, found in zip(sizes, enlarger.evaluate(TILES, [sizes, settings]), strict=True):
        spans = _spans(size, TILE, model.multiple)
        assert [slice(start, stop) for start, stop, _ in found] == spans
        for (_, _, share), expected in zip(found, _shares(spans, 2, "cpu"), strict=True):
            assert np.allclose(share, expected, atol=1e-6)


def test_a_greyscale_photograph_stays_grey(enlarger, model, tmp_path):
    path = tmp_path / "grey.png"
    Image.fromarray(photograph(40, 64)).convert("L").save(path)
    choose(enlarger, path)
    expected, _ = Enlarger(model)(read_image(path))
    assert most(shown(enlarger), expected.rgb) <= 1
    assert np.ptp(shown(enlarger), axis=2).max() == 0


def test_transparent_parts_become_white(enlarger, model, tmp_path):
    lr = photograph(40, 64)
    alpha = np.full((40, 64), 255, np.uint8)
    alpha[:, 32:] = 0
    Image.fromarray(np.dstack([lr, alpha])).save(tmp_path / "logo.png")
    choose(enlarger, tmp_path / "logo.png")
    lr[:, 32:] = 255
    assert most(shown(enlarger), upscale(model, lr)) <= 1


def test_a_photograph_is_turned_upright(enlarger, model, tmp_path):
    upright = Image.fromarray(photograph(64, 40))
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: to be turned by 90° to the right
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    turned.save(tmp_path / "phone.png", exif=exif)
    choose(enlarger, tmp_path / "phone.png")
    assert most(shown(enlarger), upscale(model, np.asarray(upright))) <= 1


def test_the_result_is_downloaded_under_a_name_of_its_own(enlarger, tmp_path):
    Image.fromarray(photograph(20, 30)).save(tmp_path / "my.photo.png")
    choose(enlarger, tmp_path / "my.photo.png")
    with enlarger.expect_download() as download:
        enlarger.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "my.photo-x2.png"
    with Image.open(download.value.path()) as sr:
        assert sr.size == (60, 40)


def test_a_dropped_photograph_is_enlarged(enlarger):
    file = BytesIO()
    Image.fromarray(photograph(20, 30)).save(file, "PNG")
    enlarger.evaluate(DROP, [["dropped.png", base64.b64encode(file.getvalue()).decode()]])
    enlarger.wait_for_function(DONE)
    assert "dropped.png: 60 × 40 pixels" in enlarger.locator("#status").inner_text()


def error(page):
    assert page.locator("#result").is_hidden()
    return page.get_by_role("alert").inner_text()


def test_a_file_that_is_no_image_is_rejected(enlarger, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    choose(enlarger, tmp_path / "text.png")
    assert error(enlarger).startswith("text.png: not an image that this browser can read")


@pytest.mark.parametrize("size", [(8193, 1), (4001, 4000)])
def test_a_photograph_that_is_too_large_is_rejected_with_the_limit(enlarger, tmp_path, size):
    Image.new("1", size).save(tmp_path / "large.png")
    choose(enlarger, tmp_path / "large.png")
    assert error(enlarger).startswith(
        f"large.png: {size[0]} × {size[1]} pixels, expected at most 16 megapixels and 8192 pixels"
    )


def test_several_files_are_rejected(enlarger):
    enlarger.evaluate(DROP, [["a.png", ""], ["b.png", ""]])
    assert error(enlarger) == "Found 2 files, expected one photograph."


def test_enlarging_can_be_cancelled_and_started_again(enlarger, tmp_path):
    Image.fromarray(skimage.data.astronaut()).resize((700, 700)).save(tmp_path / "slow.png")
    Image.fromarray(photograph(20, 30)).save(tmp_path / "quick.png")
    enlarger.set_input_files("#photo", tmp_path / "slow.png")
    enlarger.get_by_text("Enlarging slow.png").wait_for()
    enlarger.get_by_role("button", name="Cancel").click()
    assert enlarger.get_by_role("status").inner_text() == "Cancelled."
    assert enlarger.get_by_role("progressbar").is_hidden()
    choose(enlarger, tmp_path / "quick.png")
    assert shown(enlarger).shape == (40, 60, 3)


@pytest.fixture(scope="module")
def compared(enlarger, tmp_path_factory):
    """The page with a result on it that is wider than a phone."""
    path = tmp_path_factory.mktemp("photos") / "photo.png"
    Image.fromarray(photograph(150, 240)).save(path)
    choose(enlarger, path)
    return enlarger


def test_keys_reach_every_control_and_the_slider_moves_the_line(compared):
    compared.locator("#photo").focus()
    for name in ("split", "view", "download"):
        compared.keyboard.press("Tab")
        assert compared.evaluate("document.activeElement.id") == name
    slider = compared.get_by_role("slider", name="Left of the line: bicubic. Right of it: tiny-x2.")
    slider.focus()
    pictures = compared.locator("#pictures")
    for key, hidden in (("Home", "before"), ("End", "after")):
        before = pixels(pictures)
        compared.keyboard.press(key)
        assert differs(pictures, before)
        before = pixels(pictures)
        compared.locator(f"#{hidden}").evaluate("(image) => { image.style.opacity = 0; }")
        assert not differs(pictures, before, wanted=False)
        compared.locator(f"#{hidden}").evaluate("(image) => { image.style.opacity = 1; }")


def test_the_mouse_drags_the_line(compared):
    box = compared.locator("#pictures").bounding_box()
    compared.mouse.move(box["x"] + box["width"] / 4, box["y"] + 10)
    compared.mouse.down()
    assert compared.locator("#split").input_value() == "25"
    compared.mouse.up()


@pytest.mark.parametrize("width", [400, 900, 1280])
def test_nothing_overflows_on_narrow_and_wide_screens_light_or_dark(compared, width):
    SCREENSHOTS.mkdir(exist_ok=True)
    compared.set_viewport_size({"width": width, "height": 900})
    for theme in ("light", "dark"):
        compared.evaluate(THEME, theme)
        needed, there = compared.evaluate(WIDTHS)
        assert needed <= there
        path = SCREENSHOTS / f"enlarge-{width}-{theme}.png"
        compared.screenshot(path=path, animations="disabled")


def test_nothing_was_loaded_from_elsewhere(compared):
    home = compared.evaluate("origin")
    assert any(url.endswith(".wasm") for url in compared.requests)
    assert [url for url in compared.requests if not url.startswith((home, f"blob:{home}"))] == []
