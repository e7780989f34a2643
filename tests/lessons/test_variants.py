"""Every accepted answer carries its notebook to the end.

``variants.py`` in a lesson's folder holds ``VARIANTS``: the name of each exercise, and right
answers to it in other words: with loops, in PyTorch in place of numpy, in the other float type. A
round runs the notebook's code in this process, without a kernel, with one answer to each exercise
in place. There are as many rounds as the exercise with most answers needs.
"""

import ast
import importlib

import matplotlib.figure
import pytest
from ipywidgets import interactive
from matplotlib.text import Text

from glanet.course import report
from glanet.course.kit import lessons
from glanet.course.kit.lessons import LESSONS
from glanet.course.tools import build
from tests.lessons.verdicts import assert_right, judged


def variants(lesson):
    return importlib.import_module(f"tests.lessons.{lesson.name}.variants").VARIANTS


def rounds():
    for lesson in LESSONS:
        answers = variants(lesson)
        for number in range(max(map(len, answers.values()), default=0)):
            chosen = {name: several[number % len(several)] for name, several in answers.items()}
            yield pytest.param(lesson, chosen, id=f"{lesson.stem}-{number}")


def smallest_letters(figure):
    """The height in pixels of a figure's smallest text, where a column of 760 pixels shows it.

    So much is left for outputs in a window of 900 pixels.
    """
    points = [text.get_fontsize() for text in figure.findobj(Text) if text.get_text().strip()]
    scale = min(1, 760 / (figure.get_figwidth() * figure.dpi))
    return min(points) * figure.dpi / 72 * scale


def show(*values, raw=False):
    """Draw what a notebook would draw: errors in a figure show when it is drawn."""
    for value in values:
        if isinstance(value, interactive):
            value = value.f(**value.kwargs)
        if isinstance(value, matplotlib.figure.Figure):
            value.canvas.draw()
            assert smallest_letters(value) >= 8


def run(source, answers):
    """Run the code of a solved notebook, with ``answers`` checked in place of its solutions."""
    names = {"__name__": "__main__"}
    for number, cell in enumerate(build.convert(source, solved=True).cells):
        if cell.cell_type != "code":
            continue
        where = f"{source.name}, cell {number}"
        for node in ast.parse(cell.source).body:
            match node:
                case ast.Assign(
                    value=ast.Call(ast.Attribute(exercise, "check"), args=[ast.Name(answer)])
                ):
                    exercise = eval(ast.unparse(exercise), names)
                    names[answer] = answers.get(exercise.name, names[answer])
            if isinstance(node, ast.Expr):
                show(eval(compile(ast.Expression(node.value), where, "eval"), names))
            else:
                exec(compile(ast.Module([node], []), where, "exec"), names)


@pytest.mark.parametrize(("lesson", "answers"), list(rounds()))
def test_accepted_answers_carry_the_notebook_to_its_end(lesson, answers, monkeypatch):
    monkeypatch.setenv("GLANET_PROFILE", "smoke")
    monkeypatch.setenv("GLANET_STRICT", "1")  # an answer that is not accepted is an error
    monkeypatch.chdir(build.NOTEBOOKS)
    for place in ("glanet.course.kit.predictions.display", "IPython.display.display"):
        monkeypatch.setattr(place, show)
    run(build.NOTEBOOKS / "source" / f"{lesson.stem}.py", answers)


@pytest.mark.parametrize("exercise", [judged(e) for e in report.all_exercises()])
def test_answers_in_other_words_are_right(exercise):
    for answer in variants(lessons.lesson(exercise.lesson)).get(exercise.name, ()):
        assert_right(exercise, answer)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)
def test_every_exercise_is_answered_in_other_words(lesson):
    names = {e.name for e in report.all_exercises() if e.lesson == lesson.name}
    assert set(variants(lesson)) == names
