"""Which exercises of the course there are, and which of them are solved."""

from importlib import import_module

from glanet.course.kit import progress
from glanet.course.kit.checks import Exercise
from glanet.course.kit.lessons import LESSONS, lesson
from glanet.course.kit.lines import short_lines

KEEP = "\N{NO-BREAK SPACE}"  # between a mark and its exercise, until the lines are cut


def all_exercises() -> list[Exercise]:
    """Every graded exercise of the course, in the order of the lessons."""
    return [
        item
        for found in LESSONS
        for item in vars(import_module(f"glanet.course.lessons.{found.name}.exercises")).values()
        if isinstance(item, Exercise)
    ]


def report(name=None) -> str:
    """What is solved and what is not, as text; of one lesson or of the whole course.

    name: as `lessons.lesson` takes it. Raises KeyError where there is no such lesson.
    """
    everything, done = all_exercises(), progress.solved()
    lines = []
    for shown in [lesson(name)] if name else LESSONS:
        marks = [
            f"{'✓' if exercise.key in done else '·'}{KEEP}{exercise.name}"
            for exercise in everything
            if exercise.lesson == shown.name
        ]
        if marks:
            line = short_lines(f"{shown.number}  {'   '.join(marks)}", hang="    ")
            lines.append(line.replace(KEEP, " "))
    count = sum(exercise.key in done for exercise in everything)
    return "\n".join([*lines, f"{count} of {len(everything)} exercises of the course are solved."])
