"""What holds for every exercise of the course."""

import ast
import copy
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
import torch

from glanet.course import report
from glanet.course.kit.checks import NOT_DONE, RIGHT, WRONG, Verdict
from glanet.course.kit.lessons import lesson
from glanet.course.tools import build
from tests.lessons.verdicts import judged

DRAWS = 10

EXERCISES = pytest.mark.parametrize("exercise", [judged(e) for e in report.all_exercises()])


def draw(exercise, seed):
    return exercise.draw(np.random.default_rng(seed))


def fixed(exercise, seed):
    """The exercise on the inputs of one draw, which answers a function's second call from memory.

    A check tries every mistake that stands before the one it names: all checks of an exercise
    together would otherwise take minutes.
    """
    cases = draw(exercise, seed)

    @cache
    def run(function, number):
        return exercise.run(function, *copy.deepcopy(cases[number]))

    def also(candidate, reference, number):
        if exercise.also:
            exercise.also(candidate, reference, *copy.deepcopy(cases[number]))

    numbers = [(n,) for n in range(len(cases))]
    return replace(exercise, draw=lambda rng: numbers, run=run, also=also)


@EXERCISES
def test_reference_is_right_and_each_mistake_is_named(exercise):
    for seed in range(DRAWS):
        again = fixed(exercise, seed)
        # partial: no answer of it is in memory; where an answer depends on chance, it may differ
        assert again.judge(partial(exercise.reference)) == Verdict(RIGHT)
        for message, mistaken in exercise.mistakes.items():
            assert again.judge(partial(mistaken)) == Verdict(WRONG, message)


@cache
def stubs(name):
    """What a learner finds in a notebook in place of each exercise: {exercise.key: stub}."""
    (source,) = (s for s in build.sources() if lesson(s.stem).name == name)
    found, names = {}, {}
    for cell in build.convert(source).cells:
        if cell.cell_type != "code":
            continue
        for node in ast.parse(cell.source).body:
            code = compile(ast.Module([node], []), source.name, "exec")
            match node:
                case ast.Import() | ast.ImportFrom() | ast.FunctionDef() | ast.ClassDef():
                    exec(code, names)
                case ast.Assign(targets=[target], value=ast.Call(ast.Attribute(value, "check"))):
                    exercise = eval(ast.unparse(value), names)
                    found[exercise.key] = names[target.id]
                    names[target.id] = exercise.reference
                case ast.Assign([ast.Name()], ast.Constant() | ast.Tuple([ast.Constant(), *_])):
                    exec(code, names)
    return found


@EXERCISES
def test_an_untouched_stub_is_not_done_yet(exercise):
    assert exercise.judge(stubs(exercise.lesson)[exercise.key]) == Verdict(NOT_DONE)


@EXERCISES
@pytest.mark.parametrize(
    "odd", [object(), "a word", (None,) * 3], ids=lambda odd: type(odd).__name__
)
def test_an_answer_that_cannot_be_compared_is_not_told_as_an_error_of_the_learner(
    exercise, odd, monkeypatch
):
    monkeypatch.setattr("glanet.course.lessons.full_training.exercises.PATIENCE", 0.1)
    verdict = exercise.judge(lambda *arguments, **options: odd)
    assert verdict.state == WRONG
    assert "it raised" not in verdict.message


CLASSES = [e for e in report.all_exercises() if isinstance(e.reference, type)]


@pytest.mark.parametrize("exercise", CLASSES, ids=lambda e: e.key)
def test_a_class_whose_methods_return_nothing_is_not_done_yet(exercise):
    methods = {name for name in vars(exercise.reference) if not name.startswith("_")}
    nothing = dict.fromkeys({"forward"} | methods, lambda self, *inputs: None)
    half = type("Half", (exercise.reference,), nothing)
    assert exercise.judge(half) == Verdict(NOT_DONE)


@pytest.mark.parametrize("exercise", CLASSES, ids=lambda e: e.key)
def test_a_class_that_cuts_the_gradient_of_its_input_is_rejected(exercise):
    def forward(self, given):
        return exercise.reference.forward(self, given.detach())

    cut = type("Cut", (exercise.reference,), {"forward": forward})
    assert "no gradient" in exercise.judge(cut).message


def arrays(value):
    """The arrays and tensors in ``value``, however they are nested in lists, tuples and dicts."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [array for item in value for array in arrays(item)]
    return [value] if isinstance(value, np.ndarray | torch.Tensor) else []


@EXERCISES
def test_a_function_that_spoils_its_inputs_is_rejected_and_spoils_no_other_call(exercise):
    def run(function, *arguments):
        answer = copy.deepcopy(exercise.run(function, *arguments))
        for array in arrays(arguments):
            array[...] = 0
        return answer

    cases = draw(exercise, 0)
    before = copy.deepcopy(cases)
    spoiled = replace(exercise, draw=lambda rng: cases, run=run)
    verdict = spoiled.judge(exercise.reference)
    if arrays(cases):
        assert "right, but it writes into its input" in verdict.message
    else:
        assert verdict == Verdict(RIGHT)
    message, mistaken = list(exercise.mistakes.items())[-1]
    assert spoiled.judge(mistaken) == Verdict(WRONG, message)
    for now, then in zip(arrays(cases), arrays(before), strict=True):
        np.testing.assert_array_equal(now, then)


@EXERCISES
def test_the_reference_leaves_its_inputs_alone(exercise):
    assert exercise.judge(exercise.reference) == Verdict(RIGHT)
