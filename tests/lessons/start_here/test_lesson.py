"""Notebook 00: its warm-up names mistakes."""

import numpy as np
import pytest

from glanet.course.lessons.start_here import exercises
from tests.lessons.start_here.variants import with_loops
from tests.lessons.verdicts import assert_rejected


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
