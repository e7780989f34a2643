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
