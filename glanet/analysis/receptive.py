"""Effective receptive fields, and the contribution of each pixel to an enlarged image."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange

from glanet.analysis.filters import low_pass

SIGMA = 4.0  # pixels, of the blur at the start of an attribution path


@dataclass(frozen=True)
class ReceptiveField:
    """How much one output pixel changes with each input pixel.

    strength: (H, W), the root of the sum of the squared derivatives of all output channels with
    respect to all input channels, root mean square over the images; unit of output / unit of input.
    row, column: the output pixel.
    """

    strength: np.ndarray
    row: int
    column: int


def receptive_field(function, tokens, *, row, column) -> ReceptiveField:
    """The effective receptive field at one pixel (Luo et al., NeurIPS 2016).

    ``function`` maps tokens (B, H, W, C) to tokens (B, H', W', C'), each image independently. There
    is one backward pass for each output channel.
    """
    tokens = tokens.detach().requires_grad_()
    pixel = function(tokens)[:, row, column].sum(0)  # (C',)
    total = torch.zeros(tokens.shape[1:3], dtype=torch.float64)
    for value in pixel:
        (gradient,) = torch.autograd.grad(value, tokens, retain_graph=True)
        total += gradient.double().square().sum(-1).mean(0).cpu()
    return ReceptiveField(total.sqrt().numpy(), row, column)


@dataclass(frozen=True)
class Dependence:
    """How far away the input pixels lie that an output pixel depends on, for n images.

    shares: (n, distances); entry d is the share of the squared derivatives of all output channels
    with respect to all input channels that lies d pixels away, the larger of rows and columns.
    """

    shares: np.ndarray

    def within(self, pixels) -> np.ndarray:
        """The share at most so many pixels away: (n,), 0 to 1."""
        return self.shares[:, : pixels + 1].sum(1)

    def reach(self) -> np.ndarray:
        """The mean distance in pixels, weighted by the shares: (n,)."""
        return self.shares @ np.arange(self.shares.shape[1])


def dependence(function, tokens, *, spacing=16, draws=4, seed=0) -> Dependence:
    """How an output pixel depends on pixels by their distance, estimated at many pixels at once.

    ``function`` maps tokens (B, H, W, C) to tokens (B, H, W, C'), and reads pixels less than
    ``spacing`` / 2 away. Each of the ``draws`` takes a grid of pixels with that spacing, whose
    fields do not overlap, and a random sign for each of their channels: the mean square of the
    derivative of the signed sum is the sum of the squared derivatives of all channels.
    """
    generator = torch.Generator().manual_seed(seed)
    sums = torch.zeros(len(tokens), spacing // 2 + 1, dtype=torch.float64)
    tokens = tokens.detach().requires_grad_()
    output = function(tokens)
    for _ in range(draws):
        row, column = torch.randint(spacing, (2,), generator=generator).tolist()
        picked = output[:, row::spacing, column::spacing]
        # the same in all images, so that an image's result depends on no other image
        signs = torch.randint(2, picked.shape[1:], generator=generator) * 2.0 - 1
        (gradient,) = torch.autograd.grad(
            (picked * signs.to(picked)).sum(), tokens, retain_graph=True
        )
        down, across = (
            ((torch.arange(size) - start + spacing // 2) % spacing - spacing // 2).abs()
            for size, start in zip(tokens.shape[1:3], (row, column), strict=True)
        )
        distance = torch.maximum(down[:, None], across).flatten()
        sums.index_add_(1, distance, gradient.double().square().sum(-1).flatten(1).cpu())
    return Dependence((sums / sums.sum(1, keepdim=True)).numpy())


@dataclass(frozen=True)
class Attribution:
    """The contribution of each pixel of an image to the output of a detector.

    value: (H, W), unit of the detector. found: the detector's output for the image minus its output
    for the blurred image, computed without derivatives. ``value.sum()`` approximates ``found``; a
    large difference means that the path had too few steps.
    """

    value: np.ndarray
    found: float

    def diffusion(self) -> float:
        """The diffusion index of Gu and Dong, 0 to 100.

        ``100 · (1 − g)`` with the Gini coefficient ``g`` of ``|value|``.

        It is 100 if all pixels contribute equally.
        """
        ordered = np.sort(np.abs(self.value), axis=None)
        n = ordered.size
        return 100 * (1 - (2 * np.arange(1, n + 1) - n - 1) @ ordered / (n * ordered.sum()))


def attribution(detector, image, *, steps=24) -> Attribution:
    """A local attribution map (Gu, Dong, CVPR 2021): gradients summed along a path of blurs.

    ``detector`` maps an image (1, 3, H, W) to a number; ``image`` is (1, 3, H, W) in [0, 1]. The
    path starts from the image blurred by a Gaussian of `SIGMA` pixels and ends at the image itself.
    So detail is what appears along it; on a path from a black image it would be brightness. Each of
    the ``steps`` is weighted by the gradient at its midpoint.
    """
    value = torch.zeros_like(image)
    for step in range(steps):
        before, middle, after = (
            blur(image, SIGMA * (1 - (step + part) / steps)) for part in (0, 0.5, 1)
        )
        middle.requires_grad_()
        (gradient,) = torch.autograd.grad(detector(middle), middle)
        value += gradient * (after - before)
    with torch.no_grad():
        found = float(detector(image) - detector(blur(image, SIGMA)))
    return Attribution(value.sum(1)[0].cpu().numpy(), found)


def blur(image, sigma):
    """An image (B, 3, H, W) under a Gaussian of standard deviation ``sigma`` pixels."""
    # the frequency at which half of the power passes; without blur, far above all frequencies
    cutoff = math.sqrt(math.log(2)) / (2 * math.pi * max(sigma, 1e-9))
    blurred = low_pass(rearrange(image, "b c h w -> b h w c"), cutoff)
    return rearrange(blurred, "b h w c -> b c h w")


def detail(model, *, top, left, side):
    """A detector: the total variation of the enlarged image in a square of ``side`` HR pixels.

    It is a function of images (1, 3, H, W) that returns a number.
    """

    def found(image):
        square = model(image)[..., top : top + side, left : left + side]
        return sum(square.diff(dim=axis).abs().sum() for axis in (2, 3))

    return found
