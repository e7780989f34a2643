"""Surgery: change the output of a branch, and measure what the image loses.

A lesion is not an ablation: the other branches were trained beside the missing one, and had no
chance to compensate.
"""

from contextlib import ExitStack, contextmanager
from functools import partial

import torch

from glanet.analysis.filters import high_pass, low_pass
from glanet.analysis.probes import branches, layers, replace_output
from glanet.analysis.spectrum import HIGH
from glanet.model.attention import MASKED


def average(tokens):
    """Each channel's mean over the image at every pixel: (B, H, W, C) -> the same shape."""
    return tokens.mean((1, 2), keepdim=True).expand_as(tokens)


OPERATIONS = {
    "zero": torch.zeros_like,
    "mean": average,
    "low-pass": partial(low_pass, cutoff=HIGH),
    "high-pass": partial(high_pass, cutoff=HIGH),
}


@contextmanager
def operate(model, operation, *names, layer=None):
    """Change the outputs of the branches of these names, in one layer ("2.1") or in all.

    ``operation`` is one of `OPERATIONS`, or a function from tokens (B, H, W, C) to the same shape.
    The end of the ``with`` block restores the network.

    Raises:
        KeyError: no such operation, layer or branch.
    """
    change = operation if callable(operation) else OPERATIONS[operation]
    chosen = layers(model).values() if layer is None else [layers(model)[layer]]
    with ExitStack() as stack:
        for part in chosen:
            for name in names:
                stack.enter_context(replace_output(branches(part)[name], change))
        yield


@contextmanager
def even_weights(model):
    """Let attention weigh all pixels of a window alike, while the block runs.

    Windows, shifts, masks, values and the output matrix stay. What is left of attention is a mean
    of its values over each window: what it then shows is the windows' doing.
    """
    attentions = [layer.attention for layer in layers(model).values()]
    kernels = [attention.attend for attention in attentions]
    try:
        for attention in attentions:
            attention.attend = _attend_evenly
        yield
    finally:
        for attention, kernel in zip(attentions, kernels, strict=True):
            attention.attend = kernel


def _attend_evenly(query, key, value, bias):
    together = (bias > MASKED / 2).to(value.dtype)  # the mask keeps apart what only the roll joined
    return together / together.sum(-1, keepdim=True) @ value
