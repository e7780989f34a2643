"""What a learner meets first: the first notebook, an exercise, and the square to drag."""

import nbformat
import pytest

from tests.browser.lab import differs, pixels

CROPS = """
import numpy as np
from glanet.course.lessons.evaluation.widgets import explore_crops

images = np.random.default_rng(0).integers(0, 256, (3, 96, 128, 3), dtype=np.uint8)
explore_crops({"noise": (images[0], {"bicubic": images[1], "GLA-Net": images[2]})}, side=32)
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
def square(lab, course):
    """The square of notebook 13 over noise, and the picture in which it is."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CROPS)])
    nbformat.write(notebook, course["folder"] / "square.ipynb")
    lab.open("square")
    lab.run(0)
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
