"""The linear part of a network: what it does to single pixels, applied to an image as a filter.

Deng et al. (ICML 2024) split a network for super-resolution into a linear system, known by its
impulse response, and the rest. What the linear part explains, any fixed filter could do.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from glanet.analysis.spectrum import power_spectrum


@dataclass(frozen=True)
class LinearPart:
    """A linear system from LR to HR images.

    base: (3,), the colour of the image in which the impulses were measured. answer: (3,), the
    network's output for an image of that colour, mean over its middle. kernels: (3, 3, k, k) by
    input and output channel: the answer to one LR pixel, with the pixel's own scale × scale HR
    pixels in the middle.
    """

    base: torch.Tensor
    answer: torch.Tensor
    kernels: torch.Tensor
    scale: int

    def __call__(self, images) -> torch.Tensor:
        """Images (B, 3, H, W) enlarged by the linear part: (B, 3, scale·H, scale·W)."""
        margin = (self.kernels.shape[-1] - self.scale) // 2
        change = images - self.base[:, None, None]
        filtered = F.conv_transpose2d(change, self.kernels, stride=self.scale, padding=margin)
        return filtered + self.answer[:, None, None]


def linear_part(model, base, *, reach=8, height=0.1, draws=16, seed=0) -> LinearPart:
    """The `LinearPart` of a network, from its answers to single pixels in an image of one colour.

    base: (3,) in [0, 1]. reach: LR pixels to each side that a kernel covers. height: how much one
    channel of the pixel is raised. The answers are averaged over ``draws`` places of the pixel, as
    a network with windows answers differently by the place in a window.
    """
    scale, side = model.config.scale, 4 * reach
    base = torch.as_tensor(base, dtype=torch.float32)
    flat = base[:, None, None].expand(3, side, side)[None]
    places = torch.randint(
        reach + 1, side - reach - 1, (draws, 2), generator=torch.Generator().manual_seed(seed)
    )
    kernels = 0
    with torch.no_grad():
        quiet = model.eval()(flat)
        for row, column in places.tolist():
            impulses = flat.repeat(3, 1, 1, 1)
            impulses[range(3), range(3), row, column] += height
            change = (model(impulses) - quiet) / height
            top, left = ((at - reach) * scale for at in (row, column))
            size = (2 * reach + 1) * scale
            kernels = kernels + change[..., top : top + size, left : left + size] / draws
    middle = slice(reach * scale, -reach * scale)
    return LinearPart(base, quiet[0, :, middle, middle].mean((1, 2)), kernels, scale)


def explained(whole, part, *, border=0) -> np.ndarray:
    """The share of the power of images that ``part`` explains, by frequency: (n, BANDS).

    Both are (n, 3, H, W). It is 1 − power of the difference / power of the whole: 1 where they
    agree, 0 where the part is as far off as plain grey, below 0 where it is farther. ``border``
    pixels of each side are left out.
    """
    inside = slice(border, -border or None)
    whole, part = (images[..., inside, inside].permute(0, 2, 3, 1) for images in (whole, part))
    return 1 - power_spectrum(whole - part).power / power_spectrum(whole).power
