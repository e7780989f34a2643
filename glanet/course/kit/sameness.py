"""Proofs that a class or function built in a notebook does the same as the package's."""

import copy

import numpy as np
import torch

from glanet.course.kit.checks import AnswerError, require_fit
from glanet.errors import GlanetError

TOLERANCE = 1e-6


class SamenessError(GlanetError, AssertionError):
    """The notebook's version and the package's differ; the message says where."""


def same_function(mine, theirs, cases, tolerance=0.0) -> str:
    """A sentence that two functions agree on all ``cases``, a list of argument tuples.

    Raises:
        SamenessError: any outputs differ by more than ``tolerance``, or in shape or type.
    """
    worst = 0.0
    for number, case in enumerate(cases):
        answer, expected = (np.asarray(function(*case)) for function in (mine, theirs))
        if answer.shape != expected.shape or answer.dtype != expected.dtype:
            raise SamenessError(
                f"case {number}: {answer.dtype} {answer.shape}, "
                f"expected {expected.dtype} {expected.shape}"
            )
        difference = answer.astype(np.float64) - expected.astype(np.float64)
        worst = np.maximum(worst, np.abs(difference).max(initial=0.0))  # keeps a NaN
    if not worst <= tolerance:
        raise SamenessError(f"outputs differ by up to {worst:.1e}; {tolerance:.0e} is allowed")
    if tolerance:
        return f"✓ {theirs.__name__}: the same on {len(cases)} inputs, to {tolerance:.0e}."
    return f"✓ {theirs.__name__}: bit-identical on {len(cases)} inputs."


def same_module(mine, theirs, *inputs) -> str:
    """A sentence that two modules agree: in outputs, and in gradients of inputs and weights.

    ``mine`` gets the weights of ``theirs``, by name. Both are compared as copies in eval mode, and
    in float64, so that rounding does not hide or fake a difference.

    Raises:
        SamenessError: a weight has another name or shape, or something differs by more than 1e-6.
    """
    mine, theirs = (copy.deepcopy(module).double().eval() for module in (mine, theirs))
    try:
        require_fit(mine.state_dict(), theirs.state_dict())
    except AnswerError as error:
        raise SamenessError(f"the weights do not fit: {error}") from error
    mine.load_state_dict(theirs.state_dict())
    ours, expected = (_outputs_and_gradients(module, inputs) for module in (mine, theirs))
    for name, value in expected.items():
        difference = (ours[name] - value).abs().max().item() if value.numel() else 0.0
        if not difference <= TOLERANCE:
            raise SamenessError(f"{name}: differs by up to {difference:.1e}; 1e-06 is allowed")
    return (
        f"✓ {type(theirs).__name__}: from the same weights the same output\n"
        f"  and the same {len(expected) - 1} gradients, to 1e-06."
    )


def _outputs_and_gradients(module, inputs):
    """{"output": ..., "gradient of ...": ...}: gradients of a fixed random sum of the outputs."""
    inputs = [
        value.detach().double().requires_grad_() if _is_float(value) else value for value in inputs
    ]
    output = module(*inputs)
    weighing = torch.randn(output.shape, generator=torch.Generator().manual_seed(0))
    differentiable = {
        f"input {i}": value for i, value in enumerate(inputs) if _is_float(value)
    } | dict(module.named_parameters())
    gradients = torch.autograd.grad(
        (output * weighing.double()).sum(), list(differentiable.values()), allow_unused=True
    )
    return {"output": output.detach()} | {
        f"gradient of {name}": torch.zeros_like(value) if gradient is None else gradient
        for (name, value), gradient in zip(differentiable.items(), gradients, strict=True)
    }


def _is_float(value):
    return isinstance(value, torch.Tensor) and value.is_floating_point()
