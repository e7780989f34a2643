"""Checkpoints: all that a run needs to go on as if it had never stopped.

A checkpoint is one safetensors file: tensors of the network, of the average of its weights and of
Adam, and beside them, as JSON, the step and the configuration. Reading it runs no code. What is
random in training is a function of seed and step, so there is no random state to keep.
"""

import json
import platform
import shutil
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from glanet.errors import GlanetError
from glanet.files import atomic_path

KEPT = 2  # checkpoints besides the best: the last, and one before it
BEST = "best.safetensors"


class TrainError(GlanetError, ValueError):
    """Training that cannot start or go on; the message says what was found and what mends it."""


@dataclass
class State:
    """A run between two steps.

    ``average`` is torch's AveragedModel of ``model``. ``step`` counts the steps done, ``skipped``
    those among them left out for a loss that was not finite, ``seconds`` the time in training.
    ``best`` is the highest validation PSNR so far in dB, None before the first.
    """

    model: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    step: int = 0
    skipped: int = 0
    seconds: float = 0.0
    best: float | None = None
    scores: dict[str, float] = field(default_factory=dict)  # of the last validation, set -> dB


NUMBERS = ("step", "skipped", "seconds", "best", "scores")


def save(folder, state, about, name=None) -> Path:
    """Write a checkpoint into ``folder``, and delete those that are no longer needed.

    ``about`` is the run's description, plain values that ``load`` compares. With a ``name`` (such
    as "non-finite") the file is one to look at, and nothing is deleted. A failed write leaves all
    older checkpoints as they were.

    Raises:
        TrainError: there is no room, or the folder cannot be written.
    """
    folder = Path(folder)
    path = folder / f"{name or 'step'}-{state.step:08d}.safetensors"
    metadata = {
        **{name: json.dumps(getattr(state, name)) for name in NUMBERS},
        "about": json.dumps(about),
        "versions": json.dumps(_versions()),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as part:
            save_file(_tensors(state), part, metadata)
    except (OSError, SafetensorError) as error:
        raise TrainError(
            f"{path}: cannot be written ({error}). Older checkpoints are whole: make room, and "
            "start the same command again."
        ) from error
    if name is None:
        for old in checkpoints(folder)[:-KEPT]:
            old.unlink()
    return path


def keep_as_best(path):
    """Keep a copy of a checkpoint as the best so far."""
    with atomic_path(path.with_name(BEST)) as part:
        shutil.copyfile(path, part)


def checkpoints(folder) -> list[Path]:
    """The checkpoints that a run may go on from, oldest first."""
    return sorted(Path(folder).glob("step-*.safetensors"))


def load(path, state, about):
    """Put a checkpoint into ``state``. Returns a note on other versions than now, or "".

    Raises:
        TrainError: it cannot be read, or is of a run with another description.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        of_the_run = json.loads(metadata["about"])
        if "network" in of_the_run:  # as version 0.1 wrote it, when there was one network
            of_the_run["config"] = {"network": "gla-net", **of_the_run.pop("network")}
        numbers = {name: json.loads(metadata[name]) for name in NUMBERS}
        then = json.loads(metadata["versions"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise TrainError(
            f"{path}: no checkpoint, or a damaged one ({error}). Delete it, and the run goes on "
            "from the one before."
        ) from error
    then_set, now_set = _flat(of_the_run), _flat(json.loads(json.dumps(about)))
    for name in then_set | now_set:
        if then_set.get(name) != now_set.get(name):
            raise TrainError(
                f"{path.parent.parent}: holds a run with other settings: {name} was "
                f"{then_set.get(name)!r}, and is now {now_set.get(name)!r}. Go on with the old "
                "settings, or choose another folder with --out."
            )
    _put(tensors, state)
    for name, value in numbers.items():
        setattr(state, name, value)
    now = _versions()
    changed = [
        f"{name} {then.get(name)} → {now[name]}" for name in now if then.get(name) != now[name]
    ]
    return f"other versions than before: {', '.join(changed)}" if changed else ""


def _flat(settings):
    """{"recipe.batch": 32, ...} of nested settings."""
    flat = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": setting for inner, setting in value.items()}
        else:
            flat[name] = value
    return flat


def _tensors(state):
    tensors = {f"model.{name}": tensor for name, tensor in state.model.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in state.average.state_dict().items()}
    for number, entry in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": tensor for name, tensor in entry.items()}
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _put(tensors, state):
    parts = {"model": {}, "average": {}, "optimizer": {}}
    for key, tensor in tensors.items():
        part, name = key.split(".", 1)
        parts[part][name] = tensor
    state.model.load_state_dict(parts["model"])
    state.average.load_state_dict(parts["average"])
    adam = {}
    for key, tensor in parts["optimizer"].items():
        number, name = key.split(".")
        adam.setdefault(int(number), {})[name] = tensor
    groups = state.optimizer.state_dict()["param_groups"]
    state.optimizer.load_state_dict({"state": adam, "param_groups": groups})


def _versions():
    return {
        "glanet": version("glanet"),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
