"""What the descendants of EDSR share: mean layers, upsampler, and the frame around their body."""

from typing import ClassVar

import torch
from torch import nn

from glanet.errors import ArgumentError
from glanet.model.network import MEAN_RGB, check_image

RESIDUAL_SCALE = 0.1  # of every branch


def conv(channels_in, channels_out, kernel_size=3):
    """A convolution that keeps the size."""
    return nn.Conv2d(channels_in, channels_out, kernel_size, padding=kernel_size // 2)


class MeanShift(nn.Conv2d):
    """Takes the mean colour off an image (sign -1) or puts it back (+1): (B, 3, H, W) -> the same.

    A 1×1 convolution, as published, so that released checkpoints, which hold its weight, load.
    """

    def __init__(self, value_range, sign):
        super().__init__(3, 3, kernel_size=1)
        with torch.no_grad():
            self.weight.copy_(torch.eye(3)[:, :, None, None])
            self.bias.copy_(sign * value_range * torch.tensor(MEAN_RGB))


class ResidualBlock(nn.Module):
    """EDSR's residual block, its branch scaled (Lim et al., 2017): (B, C, H, W) -> the same."""

    def __init__(self, channels, kernel_size=3):
        super().__init__()
        self.body = nn.Sequential(
            conv(channels, channels, kernel_size), nn.ReLU(), conv(channels, channels, kernel_size)
        )

    def forward(self, features):
        return features + RESIDUAL_SCALE * self.body(features)


class Upsampler(nn.Sequential):
    """Sub-pixel convolutions: (B, C, H, W) -> (B, C, scale·H, scale·W), ×4 in two steps of ×2."""

    def __init__(self, channels, scale):
        steps = {2: (2,), 3: (3,), 4: (2, 2)}[scale]
        super().__init__(
            *(
                part
                for step in steps
                for part in (conv(channels, step**2 * channels), nn.PixelShuffle(step))
            )
        )


class Frame(nn.Module):
    """EDSR's frame: mean off, head, body with a skip around it, tail, mean on (Lim et al., 2017).

    Images (B, 3, H, W) in [0, 1] -> images (B, 3, scale·H, scale·W). Inside, values lie in
    [0, ``value_range``], as the published weights expect them. The mean layers are trained only
    where the release trains them (``learns_mean``). A subclass sets ``head``, ``body`` and
    ``tail``, or overrides ``deep``.
    """

    value_range: ClassVar[float] = 255.0
    learns_mean: ClassVar[bool] = False
    multiple = 1
    tiling = True

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.sub_mean = MeanShift(self.value_range, -1)
        self.add_mean = MeanShift(self.value_range, +1)
        for mean in (self.sub_mean, self.add_mean):
            mean.requires_grad_(self.learns_mean)

    def forward(self, image):
        check_image(image)
        shallow = self.head(self.sub_mean(self.value_range * image))
        upscaled = self.tail(self.deep(shallow) + shallow)
        return self.add_mean(upscaled) / self.value_range

    def deep(self, shallow):
        """From shallow to deep features: (B, C, H, W) -> (B, C, H, W)."""
        return self.body(shallow)

    @property
    def values_per_pixel(self):
        """The image, two maps of its size and two of the upscaled size, at the last pixel shuffle.

        Counted by tests/peak.py on 48×48 and 96×96 LR pixels. For bodies that need no more.
        """
        return 2 * (self.config.scale**2 + 1) * self.config.channels + 3

    def repeated(self):
        """Nothing is compiled yet."""
        return []


def scale_of(tensors, prefix="tail.0"):
    """The scale of a released checkpoint, from its upsampler's convolutions."""
    first = tensors[f"{prefix}.0.weight"]
    step = round((len(first) / first.shape[1]) ** 0.5)
    return step**2 if f"{prefix}.2.weight" in tensors else step


def depth(tensors, pattern):
    """How many numbers, counted from 0, stand where ``pattern`` has its group among the names."""
    found = {int(match[1]) for match in map(pattern.match, tensors) if match}
    if not found or found != set(range(len(found))):
        raise ArgumentError(f"tensors {pattern.pattern} are numbered {sorted(found)}")
    return len(found)
