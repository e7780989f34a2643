import re

import numpy as np
import pytest

from glanet.course.checks import NOT_DONE, RIGHT, WRONG, Exercise, ExerciseError


def mean_of_rows(image):
    return image.mean(axis=1)


exercise = Exercise(
    "mean of rows",
    mean_of_rows,
    lambda rng: [(rng.random((3, 5)),), (rng.random((4, 4)),)],
    {"that is the mean of the columns": lambda image: image.mean(axis=0)},
)


def test_the_right_function_is_right_and_handed_back(capsys):
    def mine(image):
        return image.sum(1) / image.shape[1]

    assert exercise.judge(mine).state == RIGHT
    assert exercise.check(mine) is mine
    assert capsys.readouterr().out.startswith("✓ mean of rows: right")


@pytest.mark.parametrize("nothing", [None, ...])
def test_what_returns_nothing_is_not_done_yet_and_replaced(nothing, capsys):
    assert exercise.judge(lambda image: nothing).state == NOT_DONE
    assert exercise.check(lambda image: nothing) is mean_of_rows
    assert "not done yet" in capsys.readouterr().out


def test_a_known_mistake_is_named(capsys):
    assert exercise.check(lambda image: image.mean(0)) is mean_of_rows
    assert "✗ mean of rows: that is the mean of the columns" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda image: image.mean(), r"shape is \(\), expected \(3,\)"),
        (lambda image: image.mean(1) + 1, r"at index \(\d,\) it returns .*expected"),
        (lambda image: image.mean(1) * np.nan, "it returns nan"),
        (lambda image: ["a"] * len(image), "returns list, expected numbers"),
        (lambda image: image.nothing, "raised AttributeError"),
    ],
)
def test_any_other_mistake_is_described(wrong, says):
    verdict = exercise.judge(wrong)
    assert verdict.state == WRONG
    assert re.search(says, verdict.message), verdict.message


def test_a_function_that_spoils_its_input_is_judged_by_its_answer():
    def mine(image):
        answer = image.mean(1)
        image[:] = 0
        return answer

    assert exercise.judge(mine).state == RIGHT


def test_in_strict_mode_anything_but_right_is_an_error(monkeypatch):
    monkeypatch.setenv("GLANET_STRICT", "1")
    assert exercise.check(mean_of_rows) is mean_of_rows
    for other in (lambda image: None, lambda image: image.mean(0)):
        with pytest.raises(ExerciseError, match="mean of rows"):
            exercise.check(other)
