"""Checkpoints: all that a run needs to resume as if it had never stopped.

A checkpoint is one safetensors file: tensors of the model, of the average of its weights and of
Adam, and beside them, as JSON, the step, the config and the recipe. Reading it runs no code. All
random numbers of training are functions of seed and step, so there is no random state to keep.
"""

import json
import platform
import shutil
from contextlib import contextmanager
from importlib.metadata import version

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from glanet.files import atomic_path
from glanet.training.errors import TrainError
from glanet.training.guards import writing
from glanet.training.recipe import Recipe
from glanet.weights.trained import with_config

KEPT = 2  # checkpoints besides the best: the last, and one before it
# settings that a run may resume with, and those among them that leave its result as it is
HARMLESS = {
    "recipe.validate_every",
    "recipe.save_every",
    "recipe.validation",
    "recipe.checkpointing",
    "recipe.precision",  # what is computed in is "precision"
}
MAY_CHANGE = HARMLESS | {
    "recipe.on_nan",
    "recipe.gradient_clip",
    "recipe.learning_rate",
    "recipe.accumulate",
    "precision",
}
NUMBERS = ("step", "skipped", "seconds", "best", "scores")  # of a `State`, besides its tensors


def save(path, state, about):
    """Write a checkpoint to ``path``. A failed write leaves all older checkpoints intact.

    ``about`` is the run's description, plain values that ``load`` compares.

    Raises:
        TrainError: there is no room, or the folder cannot be written.
    """
    metadata = {
        **{name: json.dumps(getattr(state, name)) for name in NUMBERS},
        "about": json.dumps(about),
        "versions": json.dumps(_versions()),
    }
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as part:
            save_file(_tensors(state), part, metadata)


def save_next(files, state, about, *, best=False):
    """Write the checkpoint of a run's step, and delete those that are no longer needed.

    Args:
        files: the `RunFolder`.
        best: whether this is the best checkpoint so far; a copy of it is kept.

    Raises:
        TrainError: as `save`.
    """
    path = files.checkpoint(state.step)
    save(path, state, about)
    for old in files.saved()[:-KEPT]:
        old.unlink()
    if best:
        with writing(files.best), atomic_path(files.best) as part:
            shutil.copyfile(path, part)


def read(path) -> dict:
    """What a checkpoint says of its run: ``about``, ``versions``, and the `NUMBERS` of its state.

    Raises:
        TrainError: it cannot be read.
    """
    with _opened(path) as file:
        metadata = file.metadata()
        found = {name: json.loads(metadata[name]) for name in (*NUMBERS, "about", "versions")}
        return {**found, "about": with_config(found["about"])}


def load(path, state, about) -> str:
    """Put a checkpoint into ``state``. Returns a note on what changed since, or "".

    Raises:
        TrainError: it cannot be read, or belongs to a run with another description.
    """
    found = read(path)
    then, now = _flat(found["about"]), _flat(json.loads(json.dumps(about)))
    defaults = _flat(json.loads(json.dumps({"recipe": Recipe().to_dict()})))
    then = {**{name: defaults[name] for name in now if name in defaults}, **then}
    changed = [name for name in then | now if then.get(name) != now.get(name)]
    for name in changed:
        if name not in MAY_CHANGE:
            raise TrainError(
                f"{path.parent.parent}: holds a run with other settings: {name} was "
                f"{then.get(name)!r}, and is now {now.get(name)!r}. Resume with the old settings, "
                "or choose another folder with --out."
            )
    with _opened(path) as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    _put(tensors, state)
    for name in NUMBERS:
        setattr(state, name, found[name])
    if "recipe.validation" in changed:  # a PSNR on other images is no rival
        state.best, state.scores = None, {}
    versions = _differences(_versions(), found["versions"], _versions())
    # a checkpoint from before a setting was recorded says nothing of it
    settings = _differences([name for name in changed if name in then], then, now)
    return _note(versions, settings, lasting=not HARMLESS.issuperset(changed))


def _differences(names, then, now):
    return ", ".join(f"{n} {then.get(n)} → {now[n]}" for n in names if then.get(n) != now[n])


def _note(versions, settings, lasting):
    """A sentence on what changed since the last checkpoint; "" if nothing did.

    ``lasting``: whether the changed settings change the result.
    """
    changes = []
    if versions:
        changes.append(f"versions changed since the last checkpoint: {versions}")
    if settings:
        changes.append(f"settings changed since the last checkpoint: {settings}")
    if settings and lasting:
        changes.append("no single recipe reproduces the result any more")
    return "; ".join(changes)


@contextmanager
def _opened(path):
    try:
        with safe_open(path, "pt") as file:
            yield file
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise TrainError(
            f"{path}: not a checkpoint, or a damaged one ({error}). Delete it; the run then "
            "resumes from the one before."
        ) from error


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
