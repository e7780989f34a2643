"""Surgery: change what a branch says, and see what the image loses.

A lesion is not an ablation: the other branches were trained beside the one that is missing, and
never got the chance to take over.
"""

from contextlib import ExitStack, contextmanager
from functools import partial

import torch

from glanet.analysis.filters import high_pass, low_pass
from glanet.analysis.probes import branches, layers, replace_output
from glanet.analysis.spectrum import HIGH


def average(tokens):
    """Each channel's mean over the image, everywhere: (B, H, W, C) -> the same."""
    return tokens.mean((1, 2), keepdim=True).expand_as(tokens)


OPERATIONS = {
    "zero": torch.zeros_like,
    "mean": average,
    "low-pass": partial(low_pass, cutoff=HIGH),
    "high-pass": partial(high_pass, cutoff=HIGH),
}


@contextmanager
def operate(network, operation, *names, layer=None):
    """Change what the branches of these names put out, in one layer ("2.1") or in all.

    ``operation`` is one of `OPERATIONS`, or a function from tokens (B, H, W, C) to the same shape.
    At the end of the ``with`` block the network is as before.

    Raises:
        KeyError: no such operation, layer or branch.
    """
    change = operation if callable(operation) else OPERATIONS[operation]
    chosen = layers(network).values() if layer is None else [layers(network)[layer]]
    with ExitStack() as stack:
        for part in chosen:
            for name in names:
                stack.enter_context(replace_output(branches(part)[name], change))
        yield
