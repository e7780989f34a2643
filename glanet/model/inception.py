"""The Inception module, §2.1, Fig. 3: local detail, one branch per size of neighbourhood.

No branch holds an activation or a norm: apart from the maximum, each is one linear filter.
"""

import torch
from torch import nn

from glanet.model.config import INCEPTION_BRANCHES
from glanet.model.tokens import TokenConv, TokenConv1x1, TokenMaxPool

KERNEL_SIZES = (3, 5, 7)


class MaxBranch(nn.Sequential):
    """Y_max = Conv(MaxPool(X)), Eq. 3: tokens (B, H, W, C) -> (B, H, W, width)."""

    def __init__(self, channels, width):
        super().__init__(
            TokenMaxPool(kernel_size=3, stride=1, padding=1),
            TokenConv1x1(channels, width),
        )


class ConvBranch(nn.Sequential):
    """Y_conv^i, a k×k convolution in three steps: tokens (B, H, W, C) -> (B, H, W, width).

    A row of k and a column of k cost 2k weights per pair of channels instead of k². ``depthwise``
    convolves every channel by itself, as iFormer does (`glanet.model.mixer`).
    """

    def __init__(self, channels, width, kernel_size, depthwise=False):
        pad, groups = kernel_size // 2, width if depthwise else 1
        super().__init__(
            TokenConv1x1(channels, width),
            TokenConv(width, width, (1, kernel_size), padding=(0, pad), groups=groups),
            TokenConv(width, width, (kernel_size, 1), padding=(pad, 0), groups=groups),
        )


class Inception(nn.Module):
    """Y = Concat(Y_max, Y_conv): tokens (B, H, W, C) -> (B, H, W, C), C a multiple of 4."""

    def __init__(self, channels, depthwise=False):
        super().__init__()
        width = channels // INCEPTION_BRANCHES
        self.branches = nn.ModuleList(
            [
                MaxBranch(channels, width),
                *(ConvBranch(channels, width, size, depthwise) for size in KERNEL_SIZES),
            ]
        )

    def forward(self, tokens):
        return torch.cat([branch(tokens) for branch in self.branches], dim=-1)
