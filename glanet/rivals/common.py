"""What the descendants of EDSR share: blocks, attention, upsampler, the frame around their body."""

from typing import ClassVar

import torch
from torch import nn

from glanet.errors import ArgumentError
from glanet.model.network import MEAN_RGB, check_image, reflect_to_multiple

RESIDUAL_SCALE = 0.1  # of every branch
SCORES = 2**20  # of attention in memory at a time, per image: 4 MB, about a core's cache


def conv(channels_in, channels_out, kernel_size=3):
    """A convolution that keeps the size."""
    return nn.Conv2d(channels_in, channels_out, kernel_size, padding=kernel_size // 2)


def steps(*parts):
    """Modules one after the other, each in a Sequential of its own, as their released names say."""
    return nn.Sequential(*(nn.Sequential(*part) for part in parts))


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

    def __init__(self, channels, kernel_size=3, scale=RESIDUAL_SCALE, activation=nn.ReLU):
        super().__init__()
        first, last = (conv(channels, channels, kernel_size) for _ in range(2))
        self.body = nn.Sequential(first, activation(), last)
        self.scale = scale

    def forward(self, features):
        return features + self.scale * self.body(features)


def attend(query, key, value, scores=SCORES):
    """Attention of every query to all keys: (B, M, E), (B, N, E), (B, N, V) -> (B, M, V).

    In chunks of queries, of at most ``scores`` numbers: the (M, N) matrix never exists as a whole.
    """
    chunk = max(1, scores // key.shape[1])
    # written in place: small results kept between freed scores would break up the memory, and the
    # process would grow by the whole matrix
    attended = value.new_empty(*query.shape[:2], value.shape[2])
    for start in range(0, query.shape[1], chunk):
        rows = slice(start, start + chunk)
        attended[:, rows] = (query[:, rows] @ key.mT).softmax(dim=2) @ value
    return attended


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
    ``tail``, or overrides one of the steps: ``filled``, ``upscaled``, ``deep``.
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
        height, width = (self.config.scale * side for side in image.shape[2:])
        upscaled = self.upscaled(self.filled(image))
        return (self.add_mean(upscaled) / self.value_range)[..., :height, :width]

    def filled(self, image):
        """The image, mirrored on at its right and bottom where the network needs that."""
        return reflect_to_multiple(image, self.multiple)

    def shallow(self, image):
        """Shallow features: (B, 3, H, W) -> (B, C, H, W)."""
        return self.head(self.sub_mean(self.value_range * image))

    def upscaled(self, image):
        """The upscaled image before the mean is put back: (B, 3, H, W) -> (B, 3, sH, sW)."""
        shallow = self.shallow(image)
        return self.tail(self.deep(shallow) + shallow)

    def deep(self, shallow):
        """From shallow to deep features: (B, C, H, W) -> (B, C, H, W)."""
        return self.body(shallow)

    @property
    def values_per_pixel(self):
        """The image, two maps of its size and two of the upscaled size, at the last pixel shuffle.

        Counted by tests/peak.py on 48×48 and 96×96 LR pixels. For bodies that need no more.
        """
        return 2 * (self.config.scale**2 + 1) * self.config.channels + 3

    def freeze(self, pattern):
        """Keep the parameters with such names as they are in training."""
        for name, parameter in self.named_parameters():
            if pattern.fullmatch(name):
                parameter.requires_grad_(False)

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
