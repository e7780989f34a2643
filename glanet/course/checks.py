"""Graded exercises: say what is wrong with a learner's function, not only that it is.

An exercise knows the right function and the mistakes people make. It calls the learner's function
on inputs drawn anew each time; where the answers differ from the right ones and equal those of a
known mistake, it names that mistake.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

RIGHT, NOT_DONE, WRONG = "right", "not done yet", "wrong"


class ExerciseError(AssertionError):
    """In strict mode, an exercise that is not right; used by tests of the solutions."""


@dataclass(frozen=True)
class Verdict:
    """What an exercise found: ``state`` is right, not done yet or wrong; ``message`` says why."""

    state: str
    message: str = ""


@dataclass(frozen=True)
class Exercise:
    """One graded exercise.

    ``reference`` is the right function, from the package where it has one. ``draw`` makes a list of
    argument tuples from a numpy Generator. ``mistakes`` maps what is wrong, in a sentence to the
    learner, to a function that is wrong in just that way. ``tolerance`` is the largest absolute
    difference that still counts as equal.
    """

    name: str
    reference: Callable
    draw: Callable[[np.random.Generator], list[tuple]]
    mistakes: dict[str, Callable] = field(default_factory=dict)
    tolerance: float = 1e-6

    def judge(self, candidate) -> Verdict:
        """Compare ``candidate`` with the reference on fresh inputs."""
        cases = self.draw(np.random.default_rng())
        answers = []
        for case in cases:
            try:
                answer = candidate(*_copies(case))
            except Exception as error:  # whatever the learner's code raises is part of the verdict
                return Verdict(WRONG, f"it raised {type(error).__name__}: {error}")
            if answer is None or answer is ...:
                return Verdict(NOT_DONE)
            answers.append(answer)
        rights = [self.reference(*_copies(case)) for case in cases]
        if all(self._equal(a, r) for a, r in zip(answers, rights, strict=True)):
            return Verdict(RIGHT)
        for message, mistaken in self.mistakes.items():
            wrongs = [mistaken(*_copies(case)) for case in cases]
            if all(self._equal(a, w) for a, w in zip(answers, wrongs, strict=True)):
                return Verdict(WRONG, message)
        return Verdict(WRONG, self._difference(cases, answers, rights))

    def check(self, candidate):
        """Print the verdict, and return the function to go on with.

        That is the learner's own where it is right, and the reference where it is not, so that a
        notebook runs to its end either way.

        Raises:
            ExerciseError: not right, and GLANET_STRICT is 1 in the environment.
        """
        verdict = self.judge(candidate)
        if verdict.state == RIGHT:
            print(f"✓ {self.name}: right. The notebook goes on with yours.")
            return candidate
        if os.environ.get("GLANET_STRICT") == "1":
            raise ExerciseError(f"{self.name}: {verdict.state}: {verdict.message}")
        if verdict.state == NOT_DONE:
            print(f"· {self.name}: not done yet. Until then the notebook goes on with glanet's.")
        else:
            print(f"✗ {self.name}: {verdict.message}")
        return self.reference

    def _equal(self, answer, right):
        try:
            answer, right = np.asarray(answer), np.asarray(right)
            return answer.shape == right.shape and np.allclose(
                answer.astype(float), right.astype(float), rtol=0, atol=self.tolerance
            )
        except (TypeError, ValueError):  # a list of ragged parts, a string, ...
            return False

    def _difference(self, cases, answers, rights):
        """The first case that differs, told as shape, type or largest difference."""
        for case, answer, right in zip(cases, answers, rights, strict=True):
            if self._equal(answer, right):
                continue
            given = ", ".join(_describe(argument) for argument in case)
            if np.shape(answer) != np.shape(right):
                return f"for {given} the shape is {np.shape(answer)}, expected {np.shape(right)}"
            try:
                gap = np.abs(np.asarray(answer, float) - np.asarray(right, float))
            except (TypeError, ValueError):
                return f"for {given} it returns {type(answer).__name__}, expected numbers"
            worst = np.nan_to_num(gap, nan=np.inf).argmax()
            place = tuple(int(i) for i in np.unravel_index(worst, gap.shape))
            where = f" at index {place}" if place else ""
            return (
                f"for {given}{where} it returns {np.asarray(answer)[place]:.6g}, "
                f"expected {np.asarray(right)[place]:.6g}"
            )
        raise AssertionError("only called when an answer differs")


def _copies(case):
    """Arguments that a function may write to without spoiling them for the next."""
    return tuple(a.copy() if isinstance(a, np.ndarray) else a for a in case)


def _describe(argument):
    if isinstance(argument, np.ndarray):
        return f"a {argument.dtype} array {argument.shape}"
    return repr(argument)
