"""Shallow features, §2.1, Eq. 1: F_s = ω(I_LR)."""

import torch
from torch import nn


class ShallowFeatures(nn.Module):
    """ω, one 3×3 convolution: image (B, 3, H, W) -> tokens F_s (B, H, W, C)."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(3, channels, kernel_size=3, padding=1)

    def forward(self, image):
        features = self.conv(image.contiguous(memory_format=torch.channels_last))
        return features.permute(0, 2, 3, 1)
