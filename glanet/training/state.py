"""A run between two steps: what a step changes, and how it begins."""

import warnings
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from glanet import networks
from glanet.training.errors import TrainError
from glanet.weights import load
from glanet.weights.pretrained import empty_model


@dataclass
class State:
    """A run between two steps.

    ``average`` is torch's AveragedModel of ``model``. ``step`` counts the steps done, ``skipped``
    those among them that changed nothing because a loss was not finite, ``seconds`` the time in
    training. ``best`` is the highest validation PSNR so far in dB, None before the first.
    """

    model: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    step: int = 0
    skipped: int = 0
    seconds: float = 0.0
    best: float | None = None
    scores: dict[str, float] = field(default_factory=dict)  # of the last validation, set -> dB


def new_state(config, recipe, device, init=None) -> State:
    """A run before its first step.

    Raises:
        WeightsError: ``init`` cannot be read.
        TrainError: ``init`` has another config.
    """
    torch.manual_seed(recipe.seed)
    model = empty_model(config)
    if init is not None:
        _take_over(load(init), model, init)
    model.to(device)
    average = AveragedModel(model, device=device)
    # it is also right that first steps, and those of short runs, are not captured
    warnings.filterwarnings("ignore", "This instance was constructed with capturable=True")
    optimizer = torch.optim.Adam(
        model.parameters(),
        recipe.learning_rate,
        recipe.betas,
        fused=device.type != "mps",
        capturable=device.type == "cuda",
    )
    return State(model, average, optimizer)


def _take_over(source, model, name):
    """Copy weights; at another scale the head has other shapes, and stays as it is."""
    theirs, ours = networks.to_dict(source.config), networks.to_dict(model.config)
    for setting in theirs:
        if setting not in ("scale", "stochastic_depth") and theirs[setting] != ours.get(setting):
            raise TrainError(
                f"{name}: {setting} is {theirs[setting]}, and {ours.get(setting)} in the model to "
                "train. Start from weights with the same config; only the scale may differ."
            )
    state = model.state_dict()
    state |= {
        key: tensor
        for key, tensor in source.state_dict().items()
        if state[key].shape == tensor.shape
    }
    model.load_state_dict(state)
