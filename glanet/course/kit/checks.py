"""Graded exercises: say what is wrong with a learner's function, not only that it is.

An exercise knows the right function and the mistakes people make. It calls the learner's function
on inputs drawn anew each time; where the answers differ from the right ones and equal those of a
known mistake, it names that mistake. The same goes for classes, which are built, given the same
weights, and called.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from glanet.course.kit import progress
from glanet.errors import ArgumentError, GlanetError

RIGHT, NOT_DONE, WRONG = "right", "not done yet", "wrong"


class ExerciseError(GlanetError, AssertionError):
    """In strict mode, an exercise that is not right; used by tests of the solutions."""


@dataclass(frozen=True)
class Verdict:
    """What an exercise found: ``state`` is right, not done yet or wrong; ``message`` says why."""

    state: str
    message: str = ""


def _call(function, *arguments):
    return function(*arguments)


@dataclass(frozen=True)
class Exercise:
    """One graded exercise.

    ``lesson`` is the name of its lesson (``window_attention``), ``reference`` the right function or
    class, from the package where it has one. ``draw`` makes a list of argument tuples from a numpy
    Generator.
    ``mistakes`` maps what is wrong, in a sentence to the learner, to a function or class that is
    wrong in just that way. ``run`` gets the candidate and one argument tuple, and returns the
    answer to compare: `run_module` where the candidate is a class. ``tolerance`` is the largest
    absolute difference that still counts as equal.
    """

    lesson: str
    name: str
    reference: Callable
    draw: Callable[[np.random.Generator], list[tuple]]
    mistakes: dict[str, Callable] = field(default_factory=dict)
    run: Callable = _call
    tolerance: float = 1e-6

    @property
    def key(self) -> str:
        """What the exercise is called in the file of progress."""
        return f"{self.lesson}.{self.name}"

    def judge(self, candidate) -> Verdict:
        """Compare ``candidate`` with the reference on fresh inputs."""
        cases = self.draw(np.random.default_rng())
        answers = []
        for case in cases:
            try:
                answer = self.run(candidate, *_copies(case))
            except Exception as error:  # whatever the learner's code raises is part of the verdict
                return Verdict(WRONG, f"it raised {type(error).__name__}: {error}")
            if answer is None or answer is ...:
                return Verdict(NOT_DONE)
            answers.append(answer)
        rights = [self.run(self.reference, *_copies(case)) for case in cases]
        if self._all_equal(answers, rights):
            return Verdict(RIGHT)
        for message, mistaken in self.mistakes.items():
            if self._all_equal(answers, self._answers_or_none(mistaken, cases)):
                return Verdict(WRONG, message)
        return Verdict(WRONG, self._difference(cases, answers, rights))

    def check(self, candidate):
        """Print the verdict, and return the function or class to go on with.

        That is the learner's own where it is right, and the reference where it is not, so that a
        notebook runs to its end either way. What is right goes into the file of progress.

        Raises:
            ExerciseError: not right, and GLANET_STRICT is 1 in the environment.
        """
        verdict = self.judge(candidate)
        if verdict.state == RIGHT:
            print(f"✓ {self.name}: right. The notebook goes on with yours.")
            progress.record(self)
            return candidate
        if os.environ.get("GLANET_STRICT") == "1":
            raise ExerciseError(f"{self.name}: {verdict.state}: {verdict.message}")
        if verdict.state == NOT_DONE:
            print(f"· {self.name}: not done yet. Until then the notebook goes on with glanet's.")
        else:
            print(f"✗ {self.name}: {verdict.message}")
        return self.reference

    def _answers_or_none(self, mistaken, cases):
        """The mistake's answers; None for a case that it cannot do."""
        answers = []
        for case in cases:
            try:
                answers.append(self.run(mistaken, *_copies(case)))
            except Exception:  # a mistake may be one that fails on some inputs
                answers.append(None)
        return answers

    def _all_equal(self, answers, others):
        return all(self._equal(a, o) for a, o in zip(answers, others, strict=True))

    def _equal(self, answer, right):
        try:
            answer, right = _array(answer), _array(right)
            return answer.shape == right.shape and np.allclose(
                answer, right, rtol=0, atol=self.tolerance, equal_nan=True
            )
        except (TypeError, ValueError):  # a list of ragged parts, a string, ...
            return False

    def _difference(self, cases, answers, rights):
        """The first case that differs, told as shape, type or largest difference."""
        for case, answer, right in zip(cases, answers, rights, strict=True):
            if self._equal(answer, right):
                continue
            given = ", ".join(filter(None, map(_describe, case)))
            try:
                got, right = _array(answer), _array(right)
                if got.shape != right.shape:
                    return f"for {given} the shape is {got.shape}, expected {right.shape}"
                gap = np.abs(got - right.astype(float))
            except (TypeError, ValueError):
                return f"for {given} it returns {type(answer).__name__}, expected numbers"
            worst = np.nan_to_num(gap, nan=np.inf).argmax()
            place = tuple(int(i) for i in np.unravel_index(worst, gap.shape))
            where = f" at index {place}" if place else ""
            texts = [f"{got[place]:.6g}", f"{right[place]:.6g}"]
            if texts[0] == texts[1]:
                texts = [f"{got[place]:.12g}", f"{right[place]:.12g}"]
            return f"for {given}{where} it returns {texts[0]}, expected {texts[1]}"
        raise AssertionError("only called when an answer differs")


def run_module(cls, settings, weights, *inputs):
    """Build ``cls(*settings)``, give it ``weights`` by name, and call it on ``inputs``.

    A class without any weights of its own, where some are expected, has not been written yet: None.

    Raises:
        ArgumentError: a weight has another name or shape, or is where PyTorch does not look for it.
    """
    module = cls(*settings)
    own = module.state_dict()
    if weights and not own:
        if any(isinstance(value, list) and value for value in vars(module).values()):
            raise ArgumentError("PyTorch sees no weights in a plain list: use nn.ModuleList(...)")
        return None
    require_fit(own, weights)
    module.load_state_dict(weights)
    with torch.no_grad():
        return module.eval()(*inputs)


def require_fit(own, weights):
    """Raise ArgumentError, in one sentence, for the first weight that does not fit the module."""
    for name in [*weights, *own]:
        found, expected = (
            tuple(state[name].shape) if name in state else "absent" for state in (own, weights)
        )
        if found != expected:
            raise ArgumentError(f"its weights do not fit: {name} is {found}, expected {expected}")


def random_weights(module, rng):
    """Weights for ``module`` by name, none of them special: no norm is the identity, no bias 0."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    return {
        name: torch.randn(tensor.shape, generator=generator) / max(1, tensor[0].numel()) ** 0.5
        for name, tensor in module.state_dict().items()
    }


def _array(answer):
    """The answer as one array, on the CPU."""
    if isinstance(answer, torch.Tensor):
        answer = answer.detach().cpu()
    return np.asarray(answer)


def _copies(case):
    """Arguments that a function may write to without spoiling them for the next."""
    return tuple(_copy(argument) for argument in case)


def _copy(argument):
    if isinstance(argument, np.ndarray):
        return argument.copy()
    return argument.clone() if isinstance(argument, torch.Tensor) else argument


def _describe(argument):
    if isinstance(argument, np.ndarray):
        return f"a {argument.dtype} array {argument.shape}"
    if isinstance(argument, torch.Tensor):
        return f"a tensor {tuple(argument.shape)}"
    return "" if isinstance(argument, dict) else repr(argument)  # weights, by name
