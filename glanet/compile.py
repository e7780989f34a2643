"""What of a model is compiled, asked of the model; training and inference share it."""

import torch

from glanet.model.layer import StochasticDepth


def compile_repeated(model):
    """Compile, in place, the modules that a model repeats: one stands for all that are alike.

    A module is compiled when it is first called, which takes up to a minute.
    """
    for module in model.modules():
        if isinstance(module, StochasticDepth) and module.probability > 0:
            # every layer has a probability of its own, for which it would be compiled anew
            module.forward = torch.compiler.disable(module.forward)
    for module in model.repeated():
        module.compile()
