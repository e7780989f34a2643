"""Notebook 00: its warm-up names mistakes."""

import numpy as np
import pytest

from glanet.course.kit.checks import RIGHT, WRONG
from glanet.course.lessons.start_here import exercises


def with_loops(image, scale):
    larger = np.empty((len(image) * scale, image.shape[1] * scale, 3), np.uint8)
    for row in range(len(larger)):
        for column in range(larger.shape[1]):
            larger[row, column] = image[row // scale, column // scale]
    return larger


def test_the_warm_up_accepts_the_solution_and_an_equivalent():
    assert exercises.nearest.judge(exercises.repeat_pixels).state == RIGHT
    assert exercises.nearest.judge(with_loops).state == RIGHT


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
    verdict = exercises.nearest.judge(mistaken)
    assert verdict.state == WRONG
    assert says in verdict.message
