"""What an exercise says of wrong answers."""

from glanet.course.kit.checks import WRONG


def told(exercise, mistaken):
    """The message to who gives a wrong answer."""
    verdict = exercise.judge(mistaken)
    assert verdict.state == WRONG
    return verdict.message


def assert_told(exercise, mistaken, says):
    """Of several fresh draws each tells the mistake."""
    for _ in range(3):
        assert says in told(exercise, mistaken)
