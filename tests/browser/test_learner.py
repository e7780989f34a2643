"""What a learner meets first: the first notebook, an exercise, and the square to drag."""

import nbformat
import numpy as np
import pytest
import skimage.data

from glanet.data.images import read_rgb, write_image
from glanet.inference import upscale
from glanet.weights import load
from tests.browser.lab import PATIENCE, differs, pixels

CROPS = """
import numpy as np
from glanet.course.lessons.evaluation.widgets import explore_crops

images = np.random.default_rng(0).integers(0, 256, (3, 96, 128, 3), dtype=np.uint8)
explore_crops({"noise": (images[0], {"bicubic": images[1], "GLA-Net": images[2]})}, side=32)
"""

PIXEL = """
import numpy as np
from glanet.course.lessons.shifted_windows.widgets import explore_reach

explore_reach(np.zeros((32, 48, 3), np.uint8), row=2, column=28, window=8)
"""


def test_make_lab_opens_the_first_notebook_to_those_who_have_its_token(course, lab, chromium):
    assert lab.page.url.endswith("/lab/tree/notebooks/00_start_here.ipynb")
    stranger = chromium.new_page()
    stranger.goto(course["url"])
    assert "/login" in stranger.url
    stranger.close()


def test_a_wrong_answer_gets_its_message_a_right_one_counts_and_no_check_counts_another(lab):
    lab.open("00_start_here")
    answer, check = lab.find("def nearest"), lab.find("start.nearest.check(nearest)")
    progress = lab.find("progress_report(")

    lab.type_last_line(answer, "return image.repeat(scale, axis=0)")
    lab.run(answer)
    assert "✗ nearest: the rows are repeated but the columns are not" in lab.run(check)
    assert "✗ nearest: this is the package's own version" in lab.run(check)
    assert "· nearest\n0 of " in lab.run(progress)

    lab.type_last_line(answer, "return image.repeat(scale, axis=0).repeat(scale, axis=1)")
    lab.run(answer)
    for _ in range(2):
        assert "✓ nearest: right" in lab.run(check)
        assert "✓ nearest\n1 of " in lab.run(progress)


@pytest.fixture
def widget(lab):
    """The widget of notebook 00 that enlarges photographs."""
    lab.open("00_start_here")
    number = lab.find("EnlargeYours()")
    lab.select(number)
    lab.page.keyboard.press("Control+Enter")  # `run` waits for another count than the stored one
    return lab.cell(number)


def test_a_photograph_is_taken_enlarged_and_given_back(lab, widget, tmp_path):
    lr = skimage.data.astronaut()[:40, :60]
    write_image(tmp_path / "naïve & photo.png", lr)
    with (tmp_path / "naïve & photo.png").open("ab") as file:
        file.write(bytes(12_000_000))  # more than a server takes by default
    button = widget.get_by_role("button", name="Choose a photograph")
    with lab.page.expect_file_chooser() as chooser:
        button.focus()
        lab.page.keyboard.press("Enter")
    chooser.value.set_files(tmp_path / "naïve & photo.png")
    with lab.page.expect_download() as download:
        widget.get_by_role("link", name="Save naïve & photo-x2.png").click()
    download.value.save_as(tmp_path / "saved.png")
    assert download.value.suggested_filename == "naïve & photo-x2.png"
    difference = read_rgb(tmp_path / "saved.png").astype(int) - upscale(load("tiny-x2"), lr)
    assert np.abs(difference).max() <= 1


def test_the_arrow_keys_move_the_border_between_two_images(lab, widget):
    handle = widget.get_by_role("slider", name="bicubic interpolation | GLA-Net, tiny-x2")
    picture = widget.locator(".slider")
    handle.wait_for(timeout=1000 * PATIENCE)
    assert picture.bounding_box()["width"] == 480

    def above_the_handle():
        return pixels(picture)[:400]

    handle.focus()
    before = above_the_handle()
    for _ in range(30):
        lab.page.keyboard.press("ArrowLeft")
    assert handle.input_value() == "20"
    assert (above_the_handle() != before).any()
    for _ in range(30):
        lab.page.keyboard.press("ArrowRight")
    assert np.array_equal(above_the_handle(), before)


def show(lab, course, name, code):
    """Run ``code`` in a notebook of that name."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbformat.write(notebook, course["folder"] / f"{name}.ipynb")
    lab.open(name)
    lab.run(0)


@pytest.fixture
def square(lab, course):
    """The square of notebook 13 over noise, and the picture in which it is."""
    show(lab, course, "square", CROPS)
    square = lab.page.get_by_role("slider", name="square: arrow keys move it")
    square.wait_for()
    return square, lab.page.locator(".widget-output")


def place(square):
    return square.get_attribute("aria-valuetext")


def test_the_square_is_a_slider_whose_text_is_its_place(lab, square):
    square, picture = square
    square.focus()
    for _ in range(130):  # more than the photograph has rows or columns
        lab.page.keyboard.press("ArrowUp")
        lab.page.keyboard.press("ArrowLeft")
    assert place(square) == "row 0, column 0"
    before = pixels(picture)
    lab.page.keyboard.press("ArrowDown")
    lab.page.keyboard.press("ArrowRight")
    assert place(square) == "row 1, column 1"
    assert differs(picture, before)


def test_the_square_follows_the_pointer_while_its_button_is_down(lab, square):
    square, picture = square
    box = square.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    lab.page.mouse.move(x, y)
    lab.page.mouse.down()
    assert place(square) == "row 32, column 48"
    before = pixels(picture)
    lab.page.mouse.move(box["x"], box["y"])
    assert place(square) == "row 0, column 0"
    assert differs(picture, before)
    lab.page.mouse.up()
    lab.page.mouse.move(x, y)
    assert place(square) == "row 0, column 0"


def test_a_click_on_a_photograph_chooses_its_pixel(lab, course):
    show(lab, course, "pixel", PIXEL)
    photo = lab.page.locator("img.widget-image")
    figure = lab.page.locator(".widget-output")
    figure.locator("img").wait_for()
    before = pixels(figure)
    box = photo.bounding_box()
    photo.click(position={"x": box["width"] * 10.5 / 48, "y": box["height"] * 20.5 / 32})
    assert differs(figure, before)
    assert lab.page.locator(".widget-readout").all_text_contents() == ["20", "10"]
