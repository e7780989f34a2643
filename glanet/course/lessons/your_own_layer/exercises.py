"""The exercises of notebook 16: equal parameters, a fair plan, an interval, a verdict.

They judge how an experiment is done. None of them depends on its outcome.
"""

import math
from dataclasses import replace
from itertools import product

import numpy as np
from scipy.stats import norm, t

from glanet.analysis.statistics import t_interval as package_interval
from glanet.course.kit.checks import AnswerError, Exercise, by_steps, returns_int
from glanet.course.lessons.your_own_layer.experiment import (
    RULES,
    TOLERANCE,
    VERDICTS,
    Trial,
    broken_rules,
)
from glanet.course.lessons.your_own_layer.experiment import verdict as package_verdict
from glanet.errors import ArgumentError
from glanet.training import Recipe

# Exercise 1: equal parameters


def nearest_width(count, target):
    """The hidden width, at least 1, whose ``count(width)`` is nearest to ``target``.

    ``count`` maps a width to the number of parameters, which grows by the same number for each
    hidden channel.
    """
    per_channel = count(2) - count(1)
    return max(1, 1 + round((target - count(1)) / per_channel))


class _Count:
    """Parameters by hidden width: ``base + slope · width``; only whole widths exist."""

    def __init__(self, base, slope):
        self.base, self.slope = base, slope

    def __call__(self, width):
        if width != int(width) or width < 1:
            raise ArgumentError(f"there is no network with {width} hidden channels")
        return self.base + self.slope * int(width)

    def __repr__(self):
        return f"count(width) = {self.base} + {self.slope} · width"


def _draw_width(rng):
    cases = []
    for part in (0.2, 0.8):  # of a hidden channel that no whole width reaches
        base, slope, width = (int(rng.integers(*ends)) for ends in ((400, 900), (30, 60), (20, 40)))
        cases.append((_Count(base, slope), base + slope * width + int(part * slope)))
    return [*cases, (_Count(900, 40), 700)]  # even one hidden channel is too many


@by_steps
def _width_with(
    left=lambda count, target: target - count(1),
    price=lambda count: count(2) - count(1),
    rounded=round,
    first=1,
    least=1,
):
    """A ``hidden_width``, with other steps for some of the right ones."""

    def mistaken(count, target):
        return max(least, first + rounded(left(count, target) / price(count)))

    return mistaken


hidden_width = Exercise(
    "your_own_layer",
    "hidden_width",
    nearest_width,
    _draw_width,
    {
        "you round down: a width one larger may be nearer to the target": (
            _width_with(rounded=math.floor)
        ),
        "you round up: a width one smaller may be nearer to the target": (
            _width_with(rounded=math.ceil)
        ),
        "a width is a whole number: round it": _width_with(rounded=float),
        "the network has parameters outside of the MLP: subtract count(1) from the target": (
            _width_with(left=lambda count, target: target, first=0)
        ),
        "count(1) already has one hidden channel: add 1 to what is left over": (
            _width_with(first=0)
        ),
        "the width may be 0 or negative: take at least 1": (_width_with(least=-(10**9))),
        "count(1) is more than one hidden channel: a channel costs count(2) − count(1)": (
            _width_with(price=lambda count: count(1))
        ),
        "this is a ratio of parameters: the width is 1 + (target − count(1)) / (count(2) − "
        "count(1))": lambda count, target: target / count(1),
        "this is the number of parameters: return the width": (
            lambda count, target: count(nearest_width(count, target))
        ),
    },
    also=returns_int,
)


# Exercise 2: the plan


def fair_plan(parameters, recipe):
    """The trials of the experiment, from {network: parameters} and a recipe.

    Three seeds for each network; no image to measure on is trained on; networks of another size
    are left out, but for the weaker baseline.
    """
    data = tuple(file for file in recipe.data if file not in recipe.validation)
    size = parameters["original"]
    equal = [
        name
        for name, count in parameters.items()
        if name == "weaker" or abs(count / size - 1) <= TOLERANCE
    ]
    return [
        Trial(name, parameters[name], replace(recipe, data=data, seed=seed))
        for seed in range(3)
        for name in equal
    ]


class _Files(tuple):
    """File names whose repr is their number, to keep messages short."""

    def __repr__(self):
        return f"{len(self)} files"


def _draw_plan(rng):
    letters = list(rng.permutation(list("abcdefghijkl")))
    data, validation = letters[:9], [*letters[9:], letters[int(rng.integers(9))]]
    size = int(rng.integers(10_000, 20_000))
    sizes = {"original": 1, "mine": 1.01, "control": 1, "weaker": 0.5}
    sizes |= {"mine, larger": 1.05, "mine, smaller": 0.9}
    recipe = Recipe(
        data=_Files(f"{name}.png" for name in data),
        validation=_Files(f"{name}.png" for name in validation),
        steps=int(rng.integers(100, 400)),
        batch=8,
        patch=16,
    )
    return [({name: round(share * size) for name, share in sizes.items()}, recipe)]


LEFT_OUT = "an image to measure on is left out: measure on all of recipe.validation"
_FOUND = ("", *RULES, LEFT_OUT)


def judge_plan(plan, parameters, recipe):
    """The number of the first rule that a plan breaks, 0 for none.

    Raises:
        AnswerError: the plan is no list of `Trial`.
    """
    trials = plan(parameters, recipe)
    if trials is None or trials is ...:
        return None
    if not isinstance(trials, list) or not all(isinstance(trial, Trial) for trial in trials):
        raise AnswerError("return a list of Trial(network, parameters, recipe)")
    for rule in broken_rules(trials):
        return _FOUND.index(rule)
    kept = {file for trial in trials for file in trial.recipe.validation}
    return _FOUND.index(LEFT_OUT if kept != set(recipe.validation) else "")


def _spoiled(change):
    """A plan in which ``change(trial, recipe)`` replaces each trial, or drops it by None."""

    def plan(parameters, recipe):
        changed = (change(trial, recipe) for trial in fair_plan(parameters, recipe))
        return [trial for trial in changed if trial is not None]

    return plan


def _with(trial, **fields):
    return replace(trial, recipe=replace(trial.recipe, **fields))


def _mine_with(**fields):
    """A plan that gives other fields to the recipe of "mine" alone; functions get the recipe."""

    def change(trial, recipe):
        if trial.network != "mine":
            return trial
        return _with(trial, **{name: of(trial.recipe) for name, of in fields.items()})

    return _spoiled(change)


def _every_size(parameters, recipe):
    """Each network that is there, whatever its size."""
    data = tuple(file for file in recipe.data if file not in recipe.validation)
    return [
        Trial(name, count, replace(recipe, data=data, seed=seed))
        for seed in range(3)
        for name, count in parameters.items()
    ]


plan = Exercise(
    "your_own_layer",
    "plan",
    fair_plan,
    _draw_plan,
    {
        "a network is missing: the original, mine, the control and the weaker baseline all take "
        "part": _spoiled(lambda trial, _: trial if trial.network != "control" else None),
        "too few seeds: each network takes at least three, or chance cannot be measured": (
            _spoiled(lambda trial, _: trial if trial.recipe.seed < 2 else None)
        ),
        "the networks have different seeds: give all of them the same ones, so that results come "
        "in pairs": _mine_with(seed=lambda recipe: recipe.seed + 1),
        "a network is trained twice with the same seed: that gives the same result again, and no "
        "new sample": lambda parameters, recipe: 2 * fair_plan(parameters, recipe),
        "the networks are trained on different images: give all the same recipe.data": (
            _mine_with(data=lambda recipe: recipe.data[1:])
        ),
        "the networks are measured on different images: give all the same recipe.validation": (
            _mine_with(validation=lambda recipe: recipe.validation[1:])
        ),
        "an image is both trained and measured on: take it out of recipe.data": (
            _spoiled(lambda trial, recipe: _with(trial, data=recipe.data))
        ),
        "the networks take different numbers of steps: the budget must be the same": (
            _mine_with(steps=lambda recipe: recipe.steps + 100)
        ),
        "the networks see batches of different sizes: the budget must be the same": (
            _mine_with(batch=lambda recipe: 2 * recipe.batch)
        ),
        "the networks have different learning rates: a rate that suits only one of them decides "
        "the race": _mine_with(learning_rate=lambda recipe: recipe.learning_rate / 2),
        "a network has more than 3 % more or fewer parameters than the original: leave it out": (
            _every_size
        ),
        LEFT_OUT: _spoiled(
            lambda trial, recipe: _with(
                trial,
                data=recipe.data,
                validation=tuple(f for f in recipe.validation if f not in recipe.data),
            )
        ),
    },
    run=judge_plan,
)


# Exercise 3: an interval


def paired_interval(ours, theirs):
    """Mean of ours − theirs in dB, and the two ends of its 95 % interval by Student's t."""
    found = package_interval(np.asarray(ours) - np.asarray(theirs))
    return float(found.mean), float(found.low), float(found.high)


def _draw_pairs(rng):
    cases = []
    for count in (3, 5):
        theirs = np.round(rng.uniform(30, 40, count), 2)
        differences = rng.normal(0.2, 0.1, count)
        differences[0] += 0.5  # far from the others, so that percentiles are not even
        cases.append((np.round(theirs + differences, 2), theirs))
    return cases


FORMULA = "return mean − t·s/√n and mean + t·s/√n"
UNEVEN = (
    "the two ends are not equally far from the mean, as percentiles or a bootstrap give them: "
    + FORMULA
)
RANDOM = f"the ends differ from call to call, as those of a bootstrap do: {FORMULA}"
ROUNDING = 1e-4  # 1.96 is rounded


def judge_interval(interval, ours, theirs):
    """Mean, low and high.

    Raises:
        AnswerError: the ends are random, or not equally far from the mean. No listed mistake equals
            a bootstrap.
    """
    copies = ours.copy(), theirs.copy()
    answer = interval(ours, theirs)
    try:
        mean, low, high = found = np.asarray(answer, float)
        again = np.asarray(interval(*copies), float)
    except (TypeError, ValueError):
        return answer
    if not np.array_equal(found, again, equal_nan=True):
        raise AnswerError(RANDOM)
    differences = ours - theirs
    extremes = np.allclose((low, high), (differences.min(), differences.max()))
    # each of three right numbers may be off by the tolerance, and the mean counts twice
    around_mean, around_zero = (abs(low + high - 2 * x) <= 4 * ROUNDING for x in (mean, 0))
    if low < mean < high and not (around_mean or around_zero or extremes):
        raise AnswerError(UNEVEN)
    return answer


@by_steps
def _interval_with(
    differences=lambda ours, theirs: ours - theirs,
    middle=np.mean,
    quantile=lambda n: t.ppf(0.975, n - 1),
    spread=lambda differences: differences.std(ddof=1),
    root=lambda n: n**0.5,
    share=1,
    ends=lambda middle, reach: (middle, middle - reach, middle + reach),
):
    """A ``t_interval``, with other steps for some of the right ones."""

    def mistaken(ours, theirs):
        values = differences(ours, theirs)
        reach = share * quantile(len(values)) * spread(values) / root(len(values))
        return ends(middle(values), reach)

    return mistaken


def _unpaired(ours, theirs):
    n, middle = len(ours), np.mean(ours) - np.mean(theirs)
    spread = ((ours.var(ddof=1) + theirs.var(ddof=1)) / n) ** 0.5
    half = t.ppf(0.975, 2 * n - 2) * spread
    return middle, middle - half, middle + half


t_interval = Exercise(
    "your_own_layer",
    "t_interval",
    paired_interval,
    _draw_pairs,
    {
        "the differences are theirs − ours: subtract theirs from ours": (
            _interval_with(differences=lambda ours, theirs: theirs - ours)
        ),
        "you divide the squares by n: use std(ddof=1), which divides by n − 1": (
            _interval_with(spread=np.std)
        ),
        "this is the variance: take its root, std(ddof=1)": (
            _interval_with(spread=lambda differences: differences.var(ddof=1))
        ),
        "this is the spread of single values: divide by √n for the mean of n": (
            _interval_with(root=lambda n: 1)
        ),
        "you divide by n: divide by √n": _interval_with(root=lambda n: n),
        "you divide by √(n − 1): n − 1 belongs to the variance, divide by √n": (
            _interval_with(root=lambda n: (n - 1) ** 0.5)
        ),
        "1.96 holds for many values: for few, take t.ppf(0.975, n - 1)": (
            _interval_with(quantile=lambda n: norm.ppf(0.975))
        ),
        "0.95 leaves 5 % at each side: take t.ppf(0.975, n - 1)": (
            _interval_with(quantile=lambda n: t.ppf(0.95, n - 1))
        ),
        "the mean uses up one degree of freedom: take t.ppf(0.975, n - 1)": (
            _interval_with(quantile=lambda n: t.ppf(0.975, n))
        ),
        "0.95 leaves 5 % at each side, and the mean uses up one degree of freedom: take "
        "t.ppf(0.975, n - 1)": _interval_with(quantile=lambda n: t.ppf(0.95, n)),
        "this interval reaches to one standard error: multiply by t.ppf(0.975, n - 1)": (
            _interval_with(quantile=lambda n: 1)
        ),
        "each side reaches only half as far: low is mean − t·s/√n, high is mean + t·s/√n": (
            _interval_with(share=0.5)
        ),
        "this is an interval around the median: take the mean": _interval_with(middle=np.median),
        "this is an interval around 0: add the mean to both ends": (
            _interval_with(ends=lambda middle, reach: (middle, -reach, reach))
        ),
        "these are the two ends alone: return mean, low, high": (
            _interval_with(ends=lambda middle, reach: (middle - reach, middle + reach))
        ),
        "the pairs are torn apart: subtract first, then take the spread of the differences": (
            _unpaired
        ),
        "this is the smallest and the largest difference: use the formula": (
            lambda ours, theirs: (
                np.mean(ours - theirs),
                np.min(ours - theirs),
                np.max(ours - theirs),
            )
        ),
        "the low end comes first: return mean, low, high": (
            _interval_with(ends=lambda middle, reach: (middle - reach, middle, middle + reach))
        ),
        "the high end comes before the low one: return mean, low, high": (
            _interval_with(ends=lambda middle, reach: (middle, middle + reach, middle - reach))
        ),
        UNEVEN: lambda ours, theirs: (
            np.mean(ours - theirs),
            *np.percentile(ours - theirs, (2.5, 97.5)),
        ),
    },
    run=judge_interval,
    tolerance=ROUNDING,
)


# Exercise 4: a verdict


def judge_verdict(function, *sides):
    """The verdict.

    Raises:
        AnswerError: the answer is none of them.
    """
    answer = function(*sides)
    if answer is None or answer is ...:
        return answer
    if answer not in VERDICTS:
        mine, control, weaker = sides
        raise AnswerError(
            f"for mine {mine}, control {control}, weaker {weaker} it returns {answer!r}; "
            f"return one of {', '.join(VERDICTS)}"
        )
    return answer


@by_steps
def _judging(
    broken=lambda control: control != 0,
    sees=lambda weaker: weaker == -1,
    words=("undecided", "better", "worse"),  # of the sides 0, 1 and -1
):
    """A ``verdict``, with other steps for some of the right ones."""

    def mistaken(mine, control, weaker):
        if broken(control):
            return "broken"
        return words[mine] if sees(weaker) else "insensitive"

    return mistaken


def _weaker_first(mine, control, weaker):
    return "insensitive" if weaker != -1 else package_verdict(mine, control, weaker)


def _only_if_better(mine, control, weaker):
    """Doubts the experiment only where the outcome is welcome."""
    if mine == 1:
        return package_verdict(mine, control, weaker)
    return "worse" if mine else "undecided"


verdict = Exercise(
    "your_own_layer",
    "verdict",
    package_verdict,
    lambda rng: list(product((1, 0, -1), repeat=3)),
    {
        "the control is ignored: where it differs from the original, nothing else counts": (
            _judging(broken=lambda control: False)
        ),
        "a control that is worse counts as well: anything but 0 is broken": (
            _judging(broken=lambda control: control == 1)
        ),
        "a control that is better counts as well: anything but 0 is broken": (
            _judging(broken=lambda control: control == -1)
        ),
        "a control of 0 is as it should be: broken is anything else": (
            _judging(broken=lambda control: control == 0)
        ),
        "the weaker baseline is ignored: where it is not found weaker, the experiment sees too "
        "little": _judging(sees=lambda weaker: True),
        "a weaker baseline that comes out better is no proof of sensitivity: only -1 is": (
            _judging(sees=lambda weaker: weaker != 0)
        ),
        "a weaker baseline of 0 was not found weaker, either: only -1 is": (
            _judging(sees=lambda weaker: weaker != 1)
        ),
        "the weaker baseline must be found weaker: that is -1, not 1": (
            _judging(sees=lambda weaker: weaker == 1)
        ),
        "the control comes first: if it differs, the experiment is broken, whatever else": (
            _weaker_first
        ),
        "better and worse are swapped: 1 is better": _judging(
            words=("undecided", "worse", "better")
        ),
        "no difference found is not worse: 0 is undecided": _judging(
            words=("worse", "better", "worse")
        ),
        "no difference found is not better: 0 is undecided": _judging(
            words=("better", "better", "worse")
        ),
        "worse is a finding as well: -1 is worse, and only 0 undecided": (
            _judging(words=("undecided", "better", "undecided"))
        ),
        "you doubt the experiment only where the change wins: control and weaker count always": (
            _only_if_better
        ),
        "control and weaker are ignored: they say whether the experiment can be trusted": (
            _judging(broken=lambda control: False, sees=lambda weaker: True)
        ),
        "you doubt the experiment only where it finds nothing: control and weaker count always": (
            lambda mine, control, weaker: (
                _judging()(mine, control, weaker) if mine == 0 else _judging()(mine, 0, -1)
            )
        ),
    },
    run=judge_verdict,
)
