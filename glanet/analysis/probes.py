"""Hooks on named parts of a model, and the contribution of each branch of a layer to the fusion.

Hooks exist only in ``with`` blocks and are removed at their end, also after an exception.
"""

from collections.abc import Callable, Hashable, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import NamedTuple

import torch
from torch import nn

from glanet.errors import ArgumentError
from glanet.model.config import INCEPTION_BRANCHES

CONVOLUTIONS = ("3", "5", "7")
BRANCHES = ("attention", "max", *CONVOLUTIONS)  # in the order of V


class Heard(NamedTuple):
    """Input and output of a module in its last run: the tensors themselves, not copies."""

    input: torch.Tensor
    output: torch.Tensor


@contextmanager
def record(modules: Mapping[Hashable, nn.Module]):
    """Record the inputs and outputs of modules: yields {name: Heard}, filled while they run."""
    heard = {}

    def note(name, module, inputs, output):
        heard[name] = Heard(inputs[0], output)

    with ExitStack() as hooks:
        for name, module in modules.items():
            hooks.enter_context(module.register_forward_hook(partial(note, name)))
        yield heard


@contextmanager
def replace_output(module: nn.Module, change: Callable):
    """Replace the module's output by ``change(output)`` while the block runs."""
    with module.register_forward_hook(lambda module, inputs, output: change(output)):
        yield


def listen(model, images, modules) -> dict[Hashable, Heard]:
    """The inputs and outputs of modules in one run of the network on images: {name: Heard}.

    ``images`` is the input of the network. It runs once, in eval mode and without gradients; then
    the modes of all its parts are restored.
    """
    modes = {part: part.training for part in model.modules()}
    try:
        with record(modules) as heard, torch.no_grad():
            model.eval()(images)
    finally:
        for part, training in modes.items():
            part.training = training
    return heard


def layers(model) -> dict[str, nn.Module]:
    """The layers of a GLA-Net or SwinIR: {"block.layer": layer}, counted from 1."""
    return {
        f"{b}.{number}": layer
        for b, block in enumerate(model.trunk.blocks, 1)
        for number, layer in enumerate(block.layers, 1)
    }


def branches(layer) -> dict[str, nn.Module]:
    """The branches of a layer: those of `BRANCHES` that it has, in this order."""
    found = {} if layer.attention is None else {"attention": layer.attention}
    if layer.inception is not None:
        found |= dict(zip(BRANCHES[1:], layer.inception.branches, strict=True))
    return found


def fusion_columns(layer) -> dict[str, torch.Tensor]:
    """W_b, the columns of a layer's fusion that read each branch: {name: (C, C_b)}."""
    channels, names = len(layer.fuse.weight), list(branches(layer))
    widths = [channels if n == "attention" else channels // INCEPTION_BRANCHES for n in names]
    return dict(zip(names, layer.fuse.weight.split(widths, dim=1), strict=True))


def tools(layer) -> dict[str, Callable]:
    """The two tools of a layer, "attention" and "Inception", those that it has.

    Each is a function from the layer's LayerNorm output, tokens (B, H, W, C), to the tool's
    contribution to the fused tokens, W z, of the same shape.
    """
    found = {"attention": layer.attention, "Inception": layer.inception}
    found = {name: module for name, module in found.items() if module is not None}
    if layer.fuse is None:
        return found
    columns = layer.fuse.weight.split(len(layer.fuse.weight), dim=1)
    return {
        name: partial(_contribute, module, block)
        for (name, module), block in zip(found.items(), columns, strict=True)
    }


def _contribute(module, columns, tokens):
    return module(tokens) @ columns.detach().T


def contributions(outputs, fuse) -> dict[str, torch.Tensor]:
    """W_b z_b, the contribution of each branch: {name: z_b (..., C_b)} -> {name: (..., C)}.

    ``fuse`` is the linear layer that reads the outputs concatenated in the given order. Its bias is
    left out: the contributions and the bias add up to its output. If ``fuse`` is None, there is no
    fusion, and the contributions are the outputs themselves.

    Raises:
        ArgumentError: the outputs together do not have the number of channels that ``fuse`` reads.
    """
    if fuse is None:
        return dict(outputs)
    widths = [output.shape[-1] for output in outputs.values()]
    if sum(widths) != fuse.in_features:
        raise ArgumentError(
            f"the branches {', '.join(outputs)} have {sum(widths)} channels, and the fusion reads "
            f"{fuse.in_features}: pass the outputs of all branches, in the order of the fusion"
        )
    columns = fuse.weight.detach().split(widths, dim=1)
    return {
        name: output @ block.T
        for (name, output), block in zip(outputs.items(), columns, strict=True)
    }


def branch_outputs(model, images) -> dict[str, dict[str, torch.Tensor]]:
    """z_b of every layer in one run on images: {"1.1": {"attention": tokens, ...}, ...}."""
    parts = {
        (name, branch): module
        for name, layer in layers(model).items()
        for branch, module in branches(layer).items()
    }
    found = {name: {} for name in layers(model)}
    for (name, branch), heard in listen(model, images, parts).items():
        found[name][branch] = heard.output
    return found


def stages(model, images) -> dict[str, torch.Tensor]:
    """The tokens at each stage of the trunk: {stage: (B, H, W, C)}, in order.

    "F_s" is the trunk's input. "1.1 mix" is after attention and convolutions were added, "1.1 MLP"
    after the MLP, "1 block" after the 3×3 convolution and the residual of a block. "F_d" is the
    trunk's output.
    """
    modules = {"trunk": model.trunk}
    for number, block in enumerate(model.trunk.blocks, 1):
        modules[f"{number} block"] = block
    for name, layer in layers(model).items():
        modules[f"{name} mix"], modules[f"{name} MLP"] = layer.norm2, layer
    heard = listen(model, images, modules)
    found = {"F_s": heard["trunk"].input}
    for number, block in enumerate(model.trunk.blocks, 1):
        for layer in range(1, len(block.layers) + 1):
            found[f"{number}.{layer} mix"] = heard[f"{number}.{layer} mix"].input
            found[f"{number}.{layer} MLP"] = heard[f"{number}.{layer} MLP"].output
        found[f"{number} block"] = heard[f"{number} block"].output
    return found | {"F_d": heard["trunk"].output}
