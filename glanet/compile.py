"""Which modules of a model are compiled; training and inference share it."""

import torch

from glanet.model.layer import StochasticDepth


def compile_repeated(model):
    """Compile, in place, the modules that a model repeats; equal modules share one compiled graph.

    A module is compiled at its first call, which takes up to a minute.
    """
    for module in model.modules():
        if isinstance(module, StochasticDepth) and module.probability > 0:
            # each layer has its own probability, and would be compiled again for it
            module.forward = torch.compiler.disable(module.forward)
    for module in model.repeated():
        module.compile()
