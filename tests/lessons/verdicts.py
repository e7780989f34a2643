"""Assertions on what an exercise says of an answer; on several draws, since inputs are random."""

import pytest

from glanet.course.kit.checks import NOT_DONE, RIGHT, WRONG, Verdict

DRAWS = 3


def judged(exercise):
    """The exercise as a test's parameter, skipped where the package that it needs is missing."""
    missing = pytest.mark.skipif(exercise.skipped, reason=f"{exercise.needs} is not installed")
    return pytest.param(exercise, marks=missing, id=exercise.key)


def assert_right(exercise, candidate):
    for _ in range(DRAWS):
        assert exercise.judge(candidate) == Verdict(RIGHT)


def assert_not_done(exercise, candidate):
    assert exercise.judge(candidate) == Verdict(NOT_DONE)


def message_on(exercise, candidate):
    """The message to a learner with this wrong answer."""
    verdict = exercise.judge(candidate)
    assert verdict.state == WRONG
    return verdict.message


def assert_rejected(exercise, candidate, words):
    """The message contains ``words``."""
    for _ in range(DRAWS):
        message = message_on(exercise, candidate)
        assert words in message, message


def assert_named(exercise, candidate, words):
    """The message is that of a listed mistake, and contains ``words``."""
    for _ in range(DRAWS):
        message = message_on(exercise, candidate)
        assert words in message, message
        assert message in exercise.mistakes
