"""Graded exercises: a check tells learners what is wrong with their function.

An exercise holds the right function and common mistakes. It calls the learner's function on fresh
random inputs. If the answers equal those of a known mistake, or both fail with the same error, it
names that mistake; otherwise it describes the first difference. Right numbers of another type than
later cells need are wrong too, and so is a function that writes into its inputs. A class is built,
given weights, and called like a function.
"""

import copy
import importlib.util
import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import wraps
from itertools import combinations
from numbers import Integral
from pathlib import Path

import numpy as np
import torch
from torch import nn

from glanet.config import Config
from glanet.course.kit import progress
from glanet.course.kit.lines import short_lines
from glanet.errors import GlanetError

COURSE = Path(__file__).parents[1]  # the checks are here and in its lessons
LONGEST = 160  # letters that one argument may take in a message
RIGHT, NOT_DONE, WRONG = "right", "not done yet", "wrong"


class ExerciseError(GlanetError, AssertionError):
    """An exercise is not right in strict mode, which the tests of the solutions use."""


class AnswerError(GlanetError):
    """An answer that cannot be compared, raised by ``run``; learners read the message as it is."""


@dataclass(frozen=True)
class Verdict:
    """A check's result: ``state`` is RIGHT, NOT_DONE or WRONG, ``message`` says what is wrong."""

    state: str
    message: str = ""


def _call(function, *arguments):
    return function(*arguments)


@dataclass(frozen=True)
class Exercise:
    """One graded exercise.

    ``lesson`` is the name of its lesson (``window_attention``). ``reference`` is the right function
    or class, the package's own if there is one. ``draw`` takes a numpy Generator and returns a list
    of argument tuples. ``mistakes`` maps a message to the learner to a function or class that makes
    this mistake; those made `by_steps` are also recognised two at a time. ``run`` takes the
    candidate and the arguments of one tuple, and returns the answer to compare; for classes it is
    `run_module`. It may raise `AnswerError`. ``also`` takes the candidate, the reference and the
    arguments of one tuple once the answers are right, and raises `AnswerError` for what they do not
    show; for classes it is `trains_alike`. ``tolerance`` is the largest absolute difference that
    counts as equal. ``needs`` names a package without which it cannot be judged, "" for none.
    """

    lesson: str
    name: str
    reference: Callable
    draw: Callable[[np.random.Generator], list[tuple]]
    mistakes: dict[str, Callable] = field(default_factory=dict)
    run: Callable = _call
    also: Callable | None = None
    tolerance: float = 1e-6
    needs: str = ""

    @property
    def skipped(self) -> bool:
        """Whether the package that it needs is not installed."""
        return bool(self.needs) and importlib.util.find_spec(self.needs) is None

    @property
    def key(self) -> str:
        """The name of the exercise in the progress file: "lesson.exercise"."""
        return f"{self.lesson}.{self.name}"

    def judge(self, candidate) -> Verdict:
        """Compare ``candidate`` with the reference on fresh inputs."""
        cases = self.draw(np.random.default_rng())
        answers, inputs = [], [_copies(case) for case in cases]
        for case, original in zip(inputs, cases, strict=True):
            try:
                answer = self.run(candidate, *case)
            except AnswerError as error:
                return Verdict(WRONG, str(error))
            except Exception as error:  # any error of the learner's code becomes a verdict
                return Verdict(WRONG, self._known(error, original) or _in_own_words(error))
            if answer is None or answer is ...:
                nothing = f"for {_given(case)} it returns nothing, but a value for other inputs"
                return Verdict(WRONG, nothing) if answers else Verdict(NOT_DONE)
            answers.append(answer)
        rights = [self.run(self.reference, *_copies(case)) for case in cases]
        if self._all_equal(answers, rights):
            wrong = next(filter(None, map(_other_type, answers, rights)), "")
            if not wrong and not _unchanged(inputs, cases):
                wrong = "right, but it writes into its input: leave its arguments as they are"
            wrong = wrong or self._unlike_the_reference(candidate, cases)
            return Verdict(WRONG, wrong) if wrong else Verdict(RIGHT)
        for message, mistaken in self.mistakes.items():
            if self._all_equal(answers, self._mistaken_answers(mistaken, cases)):
                return Verdict(WRONG, message)
        if rounded := self._rounded(answers, rights):
            return Verdict(WRONG, rounded)
        for message, mistaken in _two_at_once(self.mistakes):
            if self._all_equal(answers, self._mistaken_answers(mistaken, cases)):
                return Verdict(WRONG, message)
        return Verdict(WRONG, self._difference(cases, answers, rights))

    def check(self, candidate):
        """Print the verdict, and return the function or class that the notebook goes on with.

        Returns ``candidate`` if it is right, and otherwise the reference, so that the notebook runs
        to its end either way. A solved exercise is recorded in the progress file. The reference
        itself, which an earlier check handed back, is recognised and counts as no answer.

        Raises:
            ExerciseError: the candidate is not right, and the environment has GLANET_STRICT=1.
        """
        if self.skipped:
            print(f"· {self.name}: skipped, because {self.needs} is not installed here.")
            return self.reference
        if candidate is self.reference:
            verdict = Verdict(WRONG, "this is the package's own version: run your cell again first")
        else:
            verdict = self.judge(candidate)
        if verdict.state == RIGHT:
            print(f"✓ {self.name}: right. The notebook goes on with yours.")
            progress.record(self)
            return candidate
        if os.environ.get("GLANET_STRICT") == "1":
            raise ExerciseError(f"{self.name}: {verdict.state}: {verdict.message}")
        if verdict.state == NOT_DONE:
            print(f"· {self.name}: not done yet.")
            print("  The notebook goes on with the package's version.")
        else:
            print(short_lines(f"✗ {self.name}: {verdict.message}", hang="  "))
        return self.reference

    def _known(self, error, case):
        """The message of a mistake that fails on this case with the same error, or "".

        An error of the reference is no mistake: something is missing on this machine.
        """
        for message, mistaken in {"": self.reference, **self.mistakes}.items():
            try:
                self.run(mistaken, *_copies(case))
            except Exception as other:
                if (type(other), str(other)) == (type(error), str(error)):
                    return message
        return ""

    def _unlike_the_reference(self, candidate, cases):
        """What ``also`` finds, or ""."""
        try:
            for case in cases if self.also else []:
                self.also(candidate, self.reference, *_copies(case))
        except AnswerError as error:
            return str(error)
        except Exception as error:
            return f"right, but with gradients, as in training, it raised {error}"
        return ""

    def _mistaken_answers(self, mistaken, cases):
        """Yield the answer of a mistake for each case; None where it raises an error."""
        for case in cases:
            try:
                answer = self.run(mistaken, *_copies(case))
            except Exception:  # some mistakes fail on some inputs
                answer = None
            yield answer

    def _all_equal(self, answers, others):
        return all(self._equal(a, o) for a, o in zip(answers, others, strict=True))

    def _equal(self, answer, right):
        if isinstance(right, str):
            return answer == right
        try:
            answer, right = _array(answer), _array(right)
            return answer.shape == right.shape and np.allclose(
                answer, right, rtol=0, atol=self.tolerance, equal_nan=True
            )
        except (TypeError, ValueError):  # a list of ragged parts, a string, ...
            return False

    def _rounded(self, answers, rights):
        """A message if right answers were computed in a coarser float type than needed, or ""."""
        message = ""
        for answer, right in zip(answers, rights, strict=True):
            if self._equal(answer, right):
                continue
            dtype, needed = _form(answer)[1], _form(right)[1]
            if not _coarser(dtype, needed):
                return ""
            answer, right = _array(answer), _array(right)
            slack = 1e-4 * np.abs(right).max(initial=0)
            if answer.shape != right.shape or not np.allclose(answer, right, rtol=0, atol=slack):
                return ""
            message = f"right, but in {dtype}: compute in {needed}"
        return message

    def _difference(self, cases, answers, rights):
        """A message on the first case that differs: its shape, type or largest difference."""
        for case, answer, right in zip(cases, answers, rights, strict=True):
            if self._equal(answer, right):
                continue
            given = _given(case)
            if isinstance(right, str):
                return f"for {given} it returns {answer!r}, expected {right!r}"
            try:
                got, right = _array(answer), _array(right)
                if got.dtype.kind not in "buifc":
                    raise TypeError("not numbers")
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
            in_words = self._in_words(answers, rights)
            return f"{in_words}for {given}{where} it returns {texts[0]}, expected {texts[1]}"
        raise AssertionError("only called when an answer differs")

    def _in_words(self, answers, rights):
        """What sets all answers apart from the right ones, where it is something simple, or ""."""
        answers, rights = (list(map(_array, values)) for values in (answers, rights))
        if any(answer.dtype.kind not in "buif" for answer in answers):
            return "the numbers are complex: " if any(map(np.iscomplexobj, answers)) else ""
        if any(a.shape != r.shape for a, r in zip(answers, rights, strict=True)):
            return ""
        for axis in range(min(answer.ndim for answer in answers)):
            if self._all_equal([np.flip(answer, axis) for answer in answers], rights):
                return f"axis {axis} runs backwards: "
        got, right = (np.concatenate([v.ravel() for v in values]) for values in (answers, rights))
        known = np.isfinite(right)
        if not np.array_equal(got[~known], right[~known]) or len(set(right[known])) < 2:
            return ""
        got, right = got[known].astype(float), right[known].astype(float)
        scale, offset = got @ right / (right @ right), (got - right).mean()
        if scale and self._equal(got / scale, right):
            if np.isclose(scale, -1):
                return "every number has the wrong sign: "
            return f"every number is {scale:.4g} times what it should be: "
        if self._equal(got - offset, right):
            return (
                f"every number is too {'large' if offset > 0 else 'small'} by {abs(offset):.4g}: "
            )
        return ""


def by_steps(build):
    """Decorate ``build(**steps)``, which makes an answer where these steps replace the right ones.

    An answer may make two such mistakes at once, in different steps. A check then names both.
    """

    @wraps(build)
    def remembering(**steps):
        mistaken = build(**steps)
        mistaken.made_by = remembering, steps
        return mistaken

    return remembering


def _two_at_once(mistakes):
    """Yield a message and an answer for every two mistakes that are made in different steps."""
    made = [(text, *m.made_by) for text, m in mistakes.items() if hasattr(m, "made_by")]
    for (first, build, steps), (second, other, more) in combinations(made, 2):
        if build is other and not steps.keys() & more.keys():
            yield f"two mistakes: (1) {first}; (2) {second}", build(**steps, **more)


def run_module(cls, settings, weights, *inputs):
    """Build ``cls(*settings)``, give it ``weights`` by name, and call it on ``inputs``.

    Returns None, which counts as "not done yet", for a class that has no weights although some are
    expected.

    Raises:
        AnswerError: as `build_module`, or no gradient reaches the weights.
    """
    module = build_module(cls, settings, weights, inputs)
    if module is None:
        return None
    answer = module.eval()(*inputs)
    if not isinstance(answer, torch.Tensor):
        return answer
    if weights and not answer.requires_grad:
        raise AnswerError("no gradient reaches the weights: use no `detach` and no `no_grad`")
    return answer.detach()


def build_module(cls, settings, weights, inputs):
    """``cls(*settings)`` with ``weights``, in the float type of ``inputs``.

    Returns None for a class that has no weights although some are expected.

    Raises:
        AnswerError: it is no module; a weight has another name or shape, is in a plain list, or
            cannot be trained.
    """
    module = cls(*settings)
    if not isinstance(module, nn.Module):
        raise AnswerError(f"it builds {_form(module)[0]}, expected an nn.Module")
    own = module.state_dict()
    if own.keys() != weights.keys():
        for name, value in vars(module).items():
            plain = isinstance(value, list | tuple)
            if plain and any(isinstance(part, nn.Module) for part in value):
                raise AnswerError(
                    f"PyTorch does not find the layers in the plain list `{name}`: "
                    "use nn.ModuleList(...) or nn.Sequential(*...)"
                )
    if weights and not own:
        return None
    require_fit(own, weights)
    for name, parameter in module.named_parameters():
        if not parameter.requires_grad:
            raise AnswerError(f"`{name}` is frozen: training must be able to change it")
    module.load_state_dict(weights)
    return module.to(next((i.dtype for i in inputs if _is_float(i)), None))


def trains_alike(cls, reference, settings, weights, *inputs):
    """Check that a right class trains as ``reference`` does.

    Raises:
        AnswerError: no gradient reaches a weight or the input, or training mode changes the output,
            and neither is so in ``reference``.
    """
    mine, theirs = (build_module(c, settings, weights, inputs) for c in (cls, reference))
    out_of_reach = _out_of_reach(theirs, inputs)
    for name in _out_of_reach(mine, inputs):
        if name not in out_of_reach:
            raise AnswerError(
                f"right, but no gradient reaches {name}: use no `detach`, no `data`, no `no_grad`"
            )
    if _same_in_both_modes(theirs, inputs) and not _same_in_both_modes(mine, inputs):
        raise AnswerError(
            "right in eval mode, but other numbers in training mode: leave out what acts in one of "
            "them only, such as dropout"
        )


def passes_gradients(function, reference, *inputs):
    """Check that gradients pass through a right function to each input, as through ``reference``.

    Raises:
        AnswerError: they do not.
    """
    inputs = [value.clone().requires_grad_() if _is_float(value) else value for value in inputs]
    leaves = [value for value in inputs if _is_float(value)]
    mine, theirs = (_reached(call(*inputs), leaves) for call in (function, reference))
    if mine != theirs:
        whom = " to each of its inputs" if any(mine) else ""
        raise AnswerError(
            f"right, but no gradient passes through{whom}: use no `detach`, no `data`, no `no_grad`"
        )


def returns_int(function, reference, *inputs):
    """Check that a right number is an int, where later cells need one.

    Raises:
        AnswerError: it is a float, or in an array.
    """
    if not isinstance(function(*inputs), Integral):
        raise AnswerError("right, but as a float: return an int")


def _out_of_reach(module, inputs):
    """What no gradient of the output reaches: the names of weights, and "the input"."""
    inputs = [value.clone().requires_grad_() if _is_float(value) else value for value in inputs]
    leaves = [(f"`{name}`", weight) for name, weight in module.named_parameters()]
    leaves += [("the input", value) for value in inputs if _is_float(value)]
    reached = _reached(module.train()(*inputs), [tensor for _, tensor in leaves])
    return [name for (name, _), there in zip(leaves, reached, strict=True) if not there]


def _reached(output, tensors):
    """Which of ``tensors`` a gradient of ``output`` reaches."""
    if not output.requires_grad:
        return [False] * len(tensors)
    gradients = torch.autograd.grad(output.sum(), tensors, allow_unused=True)
    return [gradient is not None for gradient in gradients]


def _same_in_both_modes(module, inputs):
    with torch.no_grad():
        return torch.equal(module.train()(*inputs), module.eval()(*inputs))


def require_fit(own, weights):
    """Compare the weights of a learner's class with ``weights``: names and shapes.

    Raises:
        AnswerError: they differ; the message says where, and how to mend it.
    """
    for name, tensor in weights.items():
        layer, _, what = name.rpartition(".")
        if name not in own:
            found = [*own][:6] + ["…"] * (len(own) > 6)
            others = f"; it has {', '.join(found)}" if own else ""
            hint = ": leave `bias=True`" if what == "bias" and f"{layer}.weight" in own else others
            raise AnswerError(f"your class has no `{name}`{hint}")
        found, expected = tuple(own[name].shape), tuple(tensor.shape)
        if found != expected:
            raise AnswerError(f"`{name}` has the shape {found}, expected {expected}")
    for name in own:
        if name not in weights:
            layer, _, what = name.rpartition(".")
            hint = "pass `bias=False`" if what == "bias" else "leave it out"
            raise AnswerError(f"your class has `{name}`, which the exercise has not: {hint}")


def random_weights(module, rng):
    """Random weights for ``module``, by name: no norm starts as the identity, no bias as 0."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    return {
        name: torch.randn(tensor.shape, generator=generator) / max(1, tensor[0].numel()) ** 0.5
        for name, tensor in module.state_dict().items()
    }


def _in_own_words(error):
    """What a message says of an error: was it raised by a check, or inside of what it called?"""
    frames = traceback.walk_tb(error.__traceback__)
    if all(Path(frame.f_code.co_filename).is_relative_to(COURSE) for frame, _ in frames):
        return f"it cannot be used as the exercise asks: {error}"
    return f"it raised {type(error).__name__}: {error}"


def _is_float(value):
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def _array(answer):
    """The answer as a numpy array."""
    if isinstance(answer, torch.Tensor):
        answer = answer.detach().cpu()
    return np.asarray(answer)


def _form(value):
    """What later cells rely on: is it an array, a tensor or a number, and of which dtype."""
    if isinstance(value, torch.Tensor):
        return "a torch tensor", str(value.dtype).removeprefix("torch.")
    if isinstance(value, np.ndarray) and value.ndim:
        return "a numpy array", value.dtype.name
    if isinstance(value, int | float | complex | np.generic | np.ndarray):
        return "a number", np.asarray(value).dtype.name
    return f"a {type(value).__name__}", ""


_FLOATS = ("float16", "bfloat16", "float32", "float64")  # from the coarsest


def _other_type(answer, right):
    """A message if ``answer`` is of another type than ``right`` which later cells need, or ""."""
    if isinstance(answer, list | tuple) and isinstance(right, list | tuple):
        return next(filter(None, map(_other_type, answer, right)), "")
    (found, dtype), (expected, needed) = _form(answer), _form(right)
    if not needed:
        return ""
    if found != expected:
        return f"right, but as {found}: return {expected}"
    whole = found == "a numpy array" and needed == "float64" and "int" in dtype
    if dtype == needed or found == "a number" or whole:
        return ""
    return (
        f"right, but in {dtype}: {'compute in' if _coarser(dtype, needed) else 'return'} {needed}"
    )


def _coarser(dtype, needed):
    """Is a float type coarser than the one that is needed?"""
    return {dtype, needed} <= set(_FLOATS) and _FLOATS.index(dtype) < _FLOATS.index(needed)


def _unchanged(inputs, originals):
    """Do arrays and tensors, however they are nested, hold what they held?"""
    if isinstance(originals, dict):
        inputs, originals = list(inputs.values()), list(originals.values())
    if isinstance(originals, list | tuple):
        return all(map(_unchanged, inputs, originals))
    if isinstance(originals, torch.Tensor):
        return torch.equal(inputs, originals)
    return not isinstance(originals, np.ndarray) or np.array_equal(inputs, originals)


def _copies(case):
    """Copies of the arguments: a function may write to them without affecting the next call."""
    return copy.deepcopy(case)


def _given(case):
    """What the arguments of a case are, in a few words."""
    return ", ".join(filter(None, map(_describe, case)))


def _describe(argument):
    if isinstance(argument, Config) and len(repr(argument)) > LONGEST:
        changed = [f.name for f in fields(argument) if getattr(argument, f.name) != f.default]
        texts = (f"{name}={getattr(argument, name)!r}" for name in changed)
        return f"{type(argument).__name__}({', '.join(texts)})"
    if isinstance(argument, np.ndarray):
        return f"a {argument.dtype} array {argument.shape}"
    if isinstance(argument, torch.Tensor):
        return f"a tensor {tuple(argument.shape)}"
    if isinstance(argument, list) and len(repr(argument)) > LONGEST:
        return f"a list of {len(argument)}"
    if isinstance(argument, tuple) and len(repr(argument)) > LONGEST:
        return f"({_given(argument)})"
    return "" if isinstance(argument, dict) else repr(argument)  # a dict of weights is too long
