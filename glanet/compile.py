"""Which modules of a model are compiled; training and inference share it."""

from types import MethodType

import torch

from glanet.model.layer import StochasticDepth


def compile_repeated(model):
    """Compile, in place, the modules that a model repeats; equal modules share one compiled graph.

    A module is compiled at its first call, which takes up to a minute. Afterwards, stochastic depth
    keeps the probabilities that it has now.
    """
    for module in model.modules():
        if isinstance(module, StochasticDepth) and module.probability > 0:
            _hide_probability(module, next(model.parameters()).device)
    for module in model.repeated():
        module.compile()


def _hide_probability(depth, device):
    """Give compiled code the probability of stochastic depth as a tensor, whose value it ignores.

    As a number it would become part of the graph, and each layer would be compiled again for its
    own. A plain attribute and not a buffer, so that the state dict and its order stay as they are.
    """
    depth.survival = torch.tensor(1 - depth.probability, device=device)
    depth.forward = MethodType(_drop, depth)


def _drop(depth, branch):
    """`StochasticDepth.forward`; compiled, it draws as many samples by other random numbers."""
    if not torch.compiler.is_compiling():
        return StochasticDepth.forward(depth, branch)
    if not depth.training:
        return branch
    draws = torch.rand(len(branch), *[1] * (branch.ndim - 1), device=branch.device)
    return branch * (draws < depth.survival) / depth.survival
