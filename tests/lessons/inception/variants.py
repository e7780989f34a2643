"""Right answers to the exercises of notebook 04 in other words."""

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

from glanet.model.tokens import TokenConv, TokenConv1x1


def pool_by_loops(tokens, best=max, outside=None, reach=(1, 1), step=1):
    """What ``best`` says of all numbers in reach, pixel by pixel; ``outside``: what lies there."""
    batch, height, width, channels = tokens.shape
    rows, columns = range(0, height, step), range(0, width, step)
    pooled = torch.empty(batch, len(rows), len(columns), channels, dtype=tokens.dtype)
    for b, i, j, c in np.ndindex(pooled.shape):
        seen = []
        for y in range(rows[i] - reach[0], rows[i] + reach[0] + 1):
            for x in range(columns[j] - reach[1], columns[j] + reach[1] + 1):
                if 0 <= y < height and 0 <= x < width:
                    seen.append(tokens[b, y, x, c].item())
                elif outside is not None:
                    seen.append(outside)
        pooled[b, i, j, c] = best(seen)
    return pooled


def pool_with_repeated_border(tokens):
    padded = F.pad(tokens.permute(0, 3, 1, 2), (1, 1, 1, 1), mode="replicate")
    return padded.unfold(2, 3, 1).unfold(3, 3, 1).amax((-1, -2)).permute(0, 2, 3, 1)


def branch_class(*kinds, pads, between=(nn.Identity,) * 3):
    """A branch written out as a class: "row" and "column" with their paddings, functions of k.

    ``between``: what is applied after each step, outside the list of steps.
    """

    class Written(nn.Sequential):
        def __init__(self, channels, width, k):
            kernel = {"row": (1, k), "column": (k, 1)}
            super().__init__(
                nn.Linear(channels, width),
                *(
                    nn.Conv2d(width, width, kernel[kind], padding=pad(k))
                    for kind, pad in zip(kinds, pads, strict=True)
                ),
            )

        def forward(self, tokens):
            x = between[0]()(self[0](tokens)).permute(0, 3, 1, 2)
            x = between[1]()(self[1](x))
            return between[2]()(self[2](x)).permute(0, 2, 3, 1)

    return Written


LEFT_AND_RIGHT, ABOVE_AND_BELOW = (lambda k: (0, k // 2)), (lambda k: (k // 2, 0))


RIGHT_PADS = (LEFT_AND_RIGHT, ABOVE_AND_BELOW)


def compose_by_impulses(first, row, column):
    """Send one pixel through the steps, one input channel at a time: what comes out is turned."""
    channels, k = first.shape[1], row.shape[-1]
    impulses = torch.zeros(channels, channels, k, k, dtype=first.dtype)
    impulses[range(channels), range(channels), k // 2, k // 2] = 1
    x = F.conv2d(impulses, first[:, :, None, None])
    x = F.conv2d(F.conv2d(x, row, padding=(0, k // 2)), column, padding=(k // 2, 0))
    return x.flip(2, 3).transpose(0, 1)


def compose_by_matrices(first, row, column):
    """The kernels as sums of matrix products over explicit loops."""
    (width, channels), k = first.shape, row.shape[-1]
    kernels = torch.zeros(width, channels, k, k, dtype=first.dtype)
    for u in range(k):
        for v in range(k):
            kernels[:, :, u, v] = column[:, :, u, 0] @ row[:, :, 0, v] @ first
    return kernels


def inception_class(order=(0, 1, 2, 3), join=lambda parts, tokens: torch.cat(parts, -1)):
    """Inception written with PyTorch's own layers, and its branches in ``order``."""

    class Max(nn.Sequential):
        def forward(self, tokens):
            pooled = F.max_pool2d(tokens.permute(0, 3, 1, 2), 3, 1, 1)
            return self[1](pooled.permute(0, 2, 3, 1))

    class Written(nn.Module):
        def __init__(self, channels):
            super().__init__()
            settings = channels, channels // 4
            convolution = branch_class("row", "column", pads=RIGHT_PADS)
            branches = [Max(nn.Identity(), nn.Linear(*settings))]
            branches += [convolution(*settings, k) for k in (3, 5, 7)]
            self.branches = nn.ModuleList(branches[i] for i in order)

        def forward(self, tokens):
            return join([branch(tokens) for branch in self.branches], tokens)

    return Written


def pool_by_rows_and_columns(tokens):
    """The largest of three columns, then of three rows."""
    for axis, pad in ((2, (0, 0, 1, 1)), (1, (0, 0, 0, 0, 1, 1))):
        padded = F.pad(tokens, pad, value=torch.finfo(tokens.dtype).min)
        size = tokens.shape[axis]
        tokens = torch.stack([padded.narrow(axis, start, size) for start in range(3)]).amax(0)
    return tokens


def pool_by_slices(tokens):
    pooled = torch.empty_like(tokens)
    for i in range(tokens.shape[1]):
        for j in range(tokens.shape[2]):
            pooled[:, i, j] = tokens[:, max(0, i - 1) : i + 2, max(0, j - 1) : j + 2].amax((1, 2))
    return pooled


class SamePadding(nn.Sequential):
    def __init__(self, channels, width, kernel_size):
        super().__init__(
            nn.Linear(channels, width),
            TokenConv(width, width, (1, kernel_size), padding="same"),
            TokenConv(width, width, (kernel_size, 1), padding="same"),
        )


class NumberedModules(nn.Module):
    """Another class than Sequential, with its numbers as names."""

    def __init__(self, channels, width, kernel_size):
        super().__init__()
        pad = (kernel_size - 1) // 2
        self.add_module("0", TokenConv1x1(channels, width))
        self.add_module("1", TokenConv(width, width, (1, kernel_size), 1, (0, pad)))
        self.add_module("2", TokenConv(width, width, (kernel_size, 1), 1, (pad, 0)))

    def __iter__(self):
        return self.children()

    def forward(self, tokens):
        for step in self:
            tokens = step(tokens)
        return tokens


def compose_by_products(first, row, column):
    """All paths at once, then their sum: (o, n, m, i, u, v)."""
    u_and_v = column[:, :, None, None] * row[None, :, :, None]
    return (u_and_v * first[:, :, None, None]).sum((1, 2))


def compose_by_tensordot(first, row, column):
    both = torch.tensordot(column[..., 0], row[:, :, 0], ([1], [0]))  # o u m v
    return torch.tensordot(both, first, ([2], [0])).permute(0, 3, 1, 2)


class OneAfterTheOther(inception_class()):
    """The outputs written into their place, in place of torch.cat."""

    def forward(self, tokens):
        joined, width = torch.empty_like(tokens), tokens.shape[-1] // 4
        for number, branch in enumerate(self.branches):
            joined[..., number * width : (number + 1) * width] = branch(tokens)
        return joined


VARIANTS = {
    "max_pool": (
        pool_with_repeated_border,
        pool_by_rows_and_columns,
        pool_by_slices,
    ),
    "ConvBranch": (branch_class("row", "column", pads=RIGHT_PADS), SamePadding, NumberedModules),
    "compose": (
        compose_by_impulses,
        compose_by_matrices,
        compose_by_products,
        compose_by_tensordot,
    ),
    "Inception": (
        inception_class(),
        OneAfterTheOther,
        inception_class(join=lambda parts, _: rearrange(parts, "n b h w c -> b h w (n c)")),
    ),
}
