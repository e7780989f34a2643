"""What training minimises: functions of (sr, hr), tensors (B, 3, H, W) in [0, 1], to a scalar."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F

from glanet.errors import ArgumentError
from glanet.functions import function_named

EPSILON = 1e-3  # in [0, 1]: below it, Charbonnier's loss is nearly a square
SPECTRAL = 0.05  # weight of the difference of spectra


def l1(sr, hr):
    """The mean absolute difference (§3)."""
    return F.l1_loss(sr, hr)


def charbonnier(sr, hr):
    """L1 without its corner at 0 (Charbonnier et al., 1994), as LapSRN has it."""
    return (sr - hr).square().add(EPSILON**2).sqrt().mean()


def l1_and_spectrum(sr, hr):
    """L1, and the mean absolute difference of spectra (Cho et al., ICCV 2021).

    The transform keeps the sum of squares, so both parts have one unit.
    """
    difference = torch.fft.rfft2((sr - hr).float(), norm="ortho")
    return l1(sr, hr) + SPECTRAL * torch.view_as_real(difference).abs().mean()


LOSSES = {"l1": l1, "charbonnier": charbonnier, "l1+fft": l1_and_spectrum}


def find(name: str) -> Callable:
    """The loss of that name, or the user's function ``module:name``.

    Raises:
        ArgumentError: there is none of that name. A call of the user's function raises it, too, if
            that returns something else than a loss.
    """
    if ":" in name:
        return partial(_of_a_user, name, function_named(name, "loss"))
    if name not in LOSSES:
        raise ArgumentError(f"loss is {name!r}; expected {', '.join(LOSSES)}, or module:function")
    return LOSSES[name]


def _of_a_user(name, function, sr, hr):
    found = function(sr, hr)
    is_tensor = isinstance(found, torch.Tensor)
    if not is_tensor or found.ndim or not found.requires_grad:
        what = type(found).__name__
        if is_tensor:
            gradient = "with" if found.requires_grad else "without"
            what = f"a tensor of shape {tuple(found.shape)} {gradient} a gradient"
        raise ArgumentError(
            f"loss is {name!r}, which returned {what}; expected a scalar tensor with a gradient, "
            "such as (sr - hr).abs().mean()"
        )
    return found
