"""Tokens: feature maps as (B, H, W, C), and the operations that want (B, C, H, W) on them.

A contiguous (B, H, W, C) tensor *is* a channels-last (B, C, H, W) tensor: permuting between the
two moves no memory, so LayerNorm and Linear read tokens as they are and a convolution reads the
same bytes through the permuted view.
"""

from torch import nn


class TokenConv(nn.Conv2d):
    """A convolution on tokens (B, H, W, C_in) -> (B, H', W', C_out)."""

    def forward(self, tokens):
        return super().forward(tokens.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class TokenConv1x1(nn.Linear):
    """A 1×1 convolution on tokens (B, H, W, C_in) -> (B, H, W, C_out): one matrix for each pixel.

    Started as PyTorch starts a convolution, unlike the linear layers of attention and MLP.
    """


class TokenMaxPool(nn.MaxPool2d):
    """Max-pooling on tokens (B, H, W, C) -> (B, H', W', C)."""

    def forward(self, tokens):
        return super().forward(tokens.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
