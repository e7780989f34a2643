"""An experiment on the layer: networks that differ in it, trained alike, and judged by rules."""

import copy
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from functools import cache
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from glanet import GLANet, ModelConfig
from glanet.analysis.statistics import Interval, t_interval
from glanet.course.kit import practice
from glanet.data import catalog
from glanet.data.patches import PatchStore
from glanet.evaluation.benchmark import evaluate
from glanet.inference import upscale
from glanet.model.layer import GLALayer
from glanet.model.network import initialise
from glanet.networks import count_parameters
from glanet.training import Recipe

ROLES = ("original", "mine", "control", "weaker")
LEAST_SEEDS = 3
TOLERANCE = 0.03  # share of the parameters by which networks of the same size may differ


@dataclass(frozen=True)
class Variant:
    """A network of the experiment: a GLA-Net of ``config`` whose layers are made by ``layer``.

    ``layer(channels, heads, window, shift, mlp_ratio=...)`` returns a module that maps tokens
    (B, H, W, C) to tokens of the same shape.
    """

    config: ModelConfig
    layer: Callable[..., nn.Module] = GLALayer

    def build(self, seed=0) -> GLANet:
        """The untrained model; ``seed`` decides its random weights."""
        torch.manual_seed(seed)
        c = self.config
        model = GLANet(c)
        for block in model.trunk.blocks:
            shifts = (c.window // 2 if i % 2 else 0 for i in range(len(block.layers)))
            block.layers = nn.Sequential(
                *(
                    self.layer(c.channels, c.heads, c.window, shift, mlp_ratio=c.mlp_ratio)
                    for shift in shifts
                )
            )
            block.layers.apply(initialise)
        return model

    @property
    def parameters(self) -> int:
        """The number of parameters of the model."""
        return count_parameters(self.build())


def with_hidden(config, hidden) -> ModelConfig:
    """``config`` with ``hidden`` channels inside the MLP of each layer."""
    # half a channel more: the MLP rounds down, and the ratio itself may be rounded down
    return replace(config, mlp_ratio=(hidden + 0.5) / config.channels)


def takes_effect(changed, unchanged, tokens) -> bool:
    """Whether two layers give different outputs for tokens (B, H, W, C) from the same weights.

    ``changed`` gets the weights of ``unchanged``, by name, where the shapes are the same.
    """
    changed = copy.deepcopy(changed)
    state = changed.state_dict()
    state |= {
        name: tensor
        for name, tensor in unchanged.state_dict().items()
        if name in state and state[name].shape == tensor.shape
    }
    changed.load_state_dict(state)
    with torch.no_grad():
        ours, theirs = (layer.eval()(tokens) for layer in (changed, unchanged))
    return not torch.allclose(ours, theirs, atol=1e-6)


@dataclass(frozen=True)
class Trial:
    """One training and its measurement.

    ``network`` is the name of the network, such as "mine". ``recipe.data`` are the files to train
    on, ``recipe.validation`` those to measure on, and ``recipe.seed`` decides weights and batches.
    """

    network: str
    parameters: int
    recipe: Recipe


def training_images() -> list[Path]:
    """HR files to train on: T91 if present, else photographs of scikit-image.

    None of them is among `practice.held_out_images`. BSDS200, the rest of the 291 images, has a
    larger copy of one of Set5.
    """
    present = catalog.status("T91").state == catalog.PRESENT
    return catalog.hr_images("T91") if present else practice.training_images()


def carry_out(variant, recipe) -> GLANet:
    """The model of ``variant``, trained by ``recipe``.

    What counts of the recipe is in `practice.fit_by`.
    """
    model = variant.build(recipe.seed)
    practice.fit_by(recipe, model, _store(recipe.data, variant.config.scale, recipe.patch))
    return model


@cache
def _store(files, scale, patch):
    with redirect_stderr(StringIO()):  # hide the progress bar
        return PatchStore.from_images(list(files), scale, patch)


def psnrs(model, files) -> list[float]:
    """PSNR on Y of each HR file, in dB."""
    scores = evaluate(
        lambda lr: (upscale(model, lr), None), "", map(Path, files), model.config.scale
    )
    return [score.psnr_y for score in scores]


# The rules


def _by_network(trials):
    """{network: its trials}."""
    found = {}
    for trial in trials:
        found.setdefault(trial.network, []).append(trial)
    return found


def _same(trials, of):
    return len({of(trial) for trial in trials}) == 1


def _seeds(trials):
    return {trial.recipe.seed for trial in trials}


def _all_seeds_alike(trials):
    return len({frozenset(_seeds(own)) for own in _by_network(trials).values()}) == 1


def _none_twice(trials):
    return max(Counter((t.network, t.recipe.seed) for t in trials).values()) == 1


def _apart(trials):
    trained, measured = (
        {file for trial in trials for file in getattr(trial.recipe, field)}
        for field in ("data", "validation")
    )
    return not trained & measured


def _same_parameters(trials):
    size = next(trial.parameters for trial in trials if trial.network == "original")
    return all(
        trial.parameters <= (1 + TOLERANCE) * size
        and (trial.network == "weaker" or trial.parameters >= (1 - TOLERANCE) * size)
        for trial in trials
    )


# by other rules than the one on the learning rate and all that goes with it
_JUDGED_ELSEWHERE = {"seed": 0, "data": ("",), "validation": (), "steps": 1, "batch": 1, "patch": 1}

RULES: dict[str, Callable[[list[Trial]], bool]] = {
    "the original, mine, the control and the weaker baseline are all there": (
        lambda trials: set(ROLES) <= {trial.network for trial in trials}
    ),
    f"there are at least {LEAST_SEEDS} seeds": lambda trials: len(_seeds(trials)) >= LEAST_SEEDS,
    "every network has the same seeds, so that results come in pairs": _all_seeds_alike,
    "no network is trained twice with one seed": _none_twice,
    "all are trained on the same images": lambda trials: _same(trials, lambda t: t.recipe.data),
    "all are measured on the same images": (
        lambda trials: _same(trials, lambda t: t.recipe.validation)
    ),
    "no image is both trained and measured on": _apart,
    "all take the same number of steps": lambda trials: _same(trials, lambda t: t.recipe.steps),
    "all see batches of the same size": (
        lambda trials: _same(trials, lambda t: (t.recipe.batch, t.recipe.patch))
    ),
    "all have the same learning rate, with the same schedule": (
        lambda trials: _same(trials, lambda t: replace(t.recipe, **_JUDGED_ELSEWHERE))
    ),
    f"all have as many parameters as the original, ±{TOLERANCE:.0%}; only the weaker baseline may "
    "have fewer": _same_parameters,
}


def broken_rules(trials) -> list[str]:
    """The rules of a fair experiment that ``trials``, a list of `Trial`, break, in their order.

    The rules judge the experiment, and not its outcome. Without all networks no other rule is
    checked.
    """
    roles, *others = RULES
    if not RULES[roles](trials):
        return [roles]
    return [rule for rule in others if not RULES[rule](trials)]


# The judgement


class Comparison(NamedTuple):
    """A network's lead over the original in dB, each with its 95 % confidence interval.

    ``seeds``: would another training lead as well, on these images? Its samples are the seeds, each
    a mean over the images. ``images``: would these trainings lead on other images as well?
    """

    seeds: Interval
    images: Interval

    @property
    def side(self) -> int:
        """1 where both intervals are above 0, -1 where both are below, else 0."""
        both = {int(of.low > 0) - int(of.high < 0) for of in self}
        return both.pop() if len(both) == 1 else 0


def compare(ours, theirs) -> Comparison:
    """Compare the PSNRs of two networks in dB, arrays (seeds, images), pair by pair."""
    lead = ours - theirs
    return Comparison(t_interval(lead.mean(1)), t_interval(lead.mean(0)))


VERDICTS = {
    "broken": "The control differs from the original, although its change cannot matter: the "
    "experiment is broken, or this is the one case in twenty.",
    "insensitive": "The experiment does not even see that the weaker baseline is weaker: it cannot "
    "judge the change.",
    "better": "The change makes this network better, beyond what chance explains.",
    "worse": "The change makes this network worse, beyond what chance explains.",
    "undecided": "No difference that this experiment could tell from chance.",
}


def verdict(mine, control, weaker) -> str:
    """The key in `VERDICTS`, from the ``side`` of each network's `Comparison`: 1, 0 or -1."""
    if control:
        return "broken"
    if weaker != -1:
        return "insensitive"
    return {1: "better", -1: "worse", 0: "undecided"}[mine]
