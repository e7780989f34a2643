"""Checkpoints of runs: `glanet.training` writes them, and any of them serves as weights."""

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

from glanet import networks
from glanet.errors import ArgumentError
from glanet.weights.pretrained import WeightsError, empty_model, load_tensors

SUFFIX = ".safetensors"
AVERAGE = "average.module."  # what the names of the averaged weights start with in a checkpoint


def load_checkpoint(path):
    """The model of a run's checkpoint, with the moving average of its weights, in eval mode.

    Raises:
        WeightsError: no such file, damaged, or no checkpoint of a run.
    """
    path = Path(path)
    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {})["about"])
            config = networks.from_dict(with_config(about)["config"])
            names = [name for name in file.keys() if name.startswith(AVERAGE)]  # noqa: SIM118
            tensors = {name.removeprefix(AVERAGE): file.get_tensor(name) for name in names}
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: no such file. Check the path to the checkpoint.") from error
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, ArgumentError) as error:
        raise WeightsError(
            f"{path}: not a checkpoint of a run, or a damaged one ({type(error).__name__}: "
            f"{error}). Give a file of checkpoints/ in the folder of a run, or a folder of weights."
        ) from error
    return load_tensors(empty_model(config), tensors, path)


def with_config(settings) -> dict:
    """The settings of a run by today's names, with all fields that a config has today.

    Version 0.1 had one network, and wrote its config under "network".
    """
    others = dict(settings)
    if "network" in others:
        others["config"] = {"network": "gla-net", **others.pop("network")}
    if "network" in others.get("config", ()):  # a field that is new since then has its default
        others["config"] = networks.to_dict(networks.from_dict(others["config"]))
    return others
