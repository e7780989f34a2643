"""Notebook 00: its warm-up names mistakes."""

import re

import numpy as np
import pytest
from skimage import data

from glanet.course.kit.paths import NOTEBOOKS
from glanet.course.kit.photo import explore_details
from glanet.course.lessons.start_here import exercises
from tests.lessons.start_here.variants import with_loops
from tests.lessons.verdicts import assert_rejected

SOURCE = NOTEBOOKS / "source" / "00_start_here.py"


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (
            lambda image, s: np.concatenate([image[i // s][None] for i in range(s * len(image))]),
            "columns are not",
        ),
        (lambda image, s: np.kron(image, np.ones((1, s, 1), np.uint8)), "rows are not"),
        (lambda image, s: np.concatenate([np.concatenate([image] * s, 1)] * s, 0), "like a tile"),
        (lambda image, s: np.kron(image, np.ones((s, s, s), np.uint8)), "colours are repeated"),
        (lambda image, s: with_loops(image, 2), "always enlarges by 2"),
        (lambda image, s: with_loops(image.transpose(1, 0, 2), s), "rows and columns are swapped"),
        (lambda image, s: np.repeat(image, s), "one long row"),
    ],
)
def test_each_mistake_in_the_warm_up_is_named(mistaken, says):
    assert_rejected(exercises.nearest, mistaken, says)


@pytest.fixture
def widget():
    """The widget as the notebook shows it, of the original alone."""
    (call,) = re.findall(r"^explore_details\(.*\)$", SOURCE.read_text("utf-8"), re.MULTILINE)
    names = {"photo": data.rocket(), "enlargements": {}, "explore_details": explore_details}
    return eval(call, names)


@pytest.mark.parametrize("name", ["row", "column", "side"])
@pytest.mark.parametrize("step", [-16, 1, 16])
def test_each_step_of_a_slider_changes_the_first_picture(widget, name, step):
    def pixels():
        return widget.f(**widget.kwargs).axes[0].images[0].get_array()

    (slider,) = (c for c in widget.children if getattr(c, "description", "") == name)
    before = pixels()
    slider.value += step
    assert not np.array_equal(pixels(), before)


def test_a_square_that_grows_stays_inside(widget):
    row, column, side = widget.children[:3]
    side.value = 400
    assert (row.max, column.max) == (427 - 400, 640 - 400)
    assert row.value <= row.max
    row.value, side.value = 0, 16
    assert row.max == 427 - 16
