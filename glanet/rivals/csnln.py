"""CSNLN: one recurrent cell that looks for patches of the image in the image made smaller.

Mei, Fan, Zhou, Huang, Huang, Shi: *Image Super-Resolution with Cross-Scale Non-Local Attention and
Exhaustive Self-Exemplars Mining*, CVPR 2020. Cross-scale non-local attention compares each 3×3
patch of the features with all 3×3 patches of the shrunk features. Where the two are alike, the
patch before shrinking shows how the first may look when enlarged. The self-exemplars mining (SEM)
cell fuses this with in-scale attention and a local path. It is used again and again (Fig. 2).
"""

from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import nn
from torch.nn import functional as F

from glanet.config import ModelShape
from glanet.rivals.common import SCORES, Frame, ResidualBlock, attend, conv

SHARPNESS = 10.0  # of the softmax over patches
OVERLAP = 6.0  # what overlapping patches are divided by, as published; in fact 9 lie on a pixel


@dataclass(frozen=True, kw_only=True)
class CSNLNConfig(ModelShape):
    """The shape of a CSNLN. The defaults are the paper's network at ×2."""

    network: ClassVar[str] = "csnln"
    PRESETS: ClassVar[dict[str, dict]] = {"tiny": {"depth": 2}, "paper": {}}
    TINY_CHANNELS: ClassVar[dict[int, int]] = {2: 27, 3: 20, 4: 19}  # kernels grow with the scale

    channels: int = 128  # of all features; half of them for matching
    depth: int = 12  # how often the cell is used

    def __post_init__(self):
        super().__post_init__()
        self.require_at_least(channels=2, depth=1)

    @classmethod
    def preset(cls, name: str, scale: int = 2, **overrides) -> Self:
        """As of every network; ``tiny`` has about as many parameters at each scale."""
        if name == "tiny" and scale in cls.TINY_CHANNELS:
            overrides = {"channels": cls.TINY_CHANNELS[scale], **overrides}
        return super().preset(name, scale, **overrides)


def active_conv(channels_in, channels_out, kernel_size):
    """A convolution that keeps the size, and its PReLU."""
    return nn.Sequential(conv(channels_in, channels_out, kernel_size), nn.PReLU())


def matching(channels):
    """The branches of an attention: query, key and value."""
    return [active_conv(channels, out, 1) for out in (channels // 2, channels // 2, channels)]


def resampler(kind, channels, scale):
    """A strided convolution, (B, C, scale·H, scale·W) -> (B, C, H, W), or a transposed one."""
    margin = {2: 2, 3: 3, 4: 2}[scale]
    kernel_size = scale + 2 * margin
    return nn.Sequential(kind(channels, channels, kernel_size, scale, margin), nn.PReLU())


class InScaleAttention(nn.Module):
    """Non-local attention between the pixels of the same features: (B, C, H, W) -> the same."""

    def __init__(self, channels):
        super().__init__()
        self.conv_match1, self.conv_match2, self.conv_assembly = matching(channels)

    def forward(self, features):
        branches = (self.conv_match1, self.conv_match2, self.conv_assembly)
        query, key, value = (branch(features).flatten(2).mT for branch in branches)
        return attend(query, key, value).mT.view_as(features)


class CrossScaleAttention(nn.Module):
    """Patches of the features, replaced by larger ones from elsewhere in them.

    (B, C, H, W), with H and W multiples of the scale -> (B, C, scale·H, scale·W).
    """

    def __init__(self, channels, scale):
        super().__init__()
        self.scale = scale
        self.register_buffer("escape_NaN", torch.tensor([1e-4]))  # the least length of a key
        self.conv_match_1, self.conv_match_2, self.conv_assembly = matching(channels)

    def forward(self, features):
        s = self.scale
        size = [side // s for side in features.shape[2:]]
        shrunk = F.interpolate(features, size, mode="bilinear")
        key = F.unfold(self.conv_match_2(shrunk), 3, padding=1)
        length = torch.linalg.vector_norm(key, dim=1, keepdim=True)
        key = key / torch.maximum(length, self.escape_NaN)
        value = F.unfold(self.conv_assembly(features) / OVERLAP, 3 * s, padding=s, stride=s)
        return replace_patches(SHARPNESS * self.conv_match_1(features), key, value, s)


def replace_patches(query, key, value, scale, scores=SCORES):
    """Each 3×3 patch of ``query`` becomes a mean of large patches, which are summed where they lie.

    ``query`` (B, E, H, W), ``key`` (B, 9·E, N), ``value`` (B, C·(3·scale)², N): N patches, of which
    the keys are like the query, and the values are what to put in its place ->
    (B, C, scale·H, scale·W). In bands of whole rows, of about ``scores`` numbers.
    """
    height, width = query.shape[2:]
    channels, side = value.shape[1] // (3 * scale) ** 2, (width + 2) * scale
    total = value.new_zeros(len(value), channels, (height + 2) * scale, side)
    query = F.pad(query, (1, 1, 1, 1))
    rows = max(1, scores // (width * max(value.shape[1:])))
    for top in range(0, height, rows):
        band = query[:, :, top : top + rows + 2]
        size = (band.shape[2] * scale, side)
        found = attend(F.unfold(band, 3).mT, key.mT, value.mT).mT
        placed = F.fold(found, size, 3 * scale, stride=scale)
        total[:, :, top * scale : top * scale + placed.shape[2]] += placed
    return total[:, :, scale:-scale, scale:-scale]


class Projection(nn.Module):
    """Enlarges by two ways and fuses them: (B, C, H, W) -> (B, C, scale·H, scale·W).

    One is in-scale attention and a transposed convolution, the other cross-scale attention. Their
    difference is encoded and added to the first.
    """

    def __init__(self, channels, scale):
        super().__init__()
        self.up_attention = CrossScaleAttention(channels, scale)
        self.down_attention = InScaleAttention(channels)
        self.upsample = resampler(nn.ConvTranspose2d, channels, scale)
        self.encoder = ResidualBlock(channels, scale=1, activation=nn.PReLU)

    def forward(self, features):
        in_scale = self.upsample(self.down_attention(features))
        return in_scale + self.encoder(self.up_attention(features) - in_scale)


class Cell(nn.Module):
    """Self-exemplars mining (SEM) cell: features (B, C, H, W) -> those for the next, and H.

    H (B, C, scale·H, scale·W) are the features enlarged, corrected by what is lost when they are
    shrunk again (back-projection). At ×4 they are enlarged by 2 twice.
    """

    def __init__(self, channels, scale):
        super().__init__()
        step = 2 if scale == 4 else scale
        self.multi_source_projection = Projection(channels, step)
        self.down_sample_1 = resampler(nn.Conv2d, channels, step)
        self.error_encode = resampler(nn.ConvTranspose2d, channels, step)
        if scale == 4:
            self.multi_source_projection_2 = Projection(channels, step)
            self.down_sample_3 = resampler(nn.Conv2d, channels, scale)
            self.error_encode_2 = resampler(nn.ConvTranspose2d, channels, scale)
            self.down_sample_4 = resampler(nn.Conv2d, channels, scale)
        else:
            self.down_sample_2 = resampler(nn.Conv2d, channels, step)
        self.post_conv = active_conv(channels, channels, 3)
        self.twice = scale == 4

    def forward(self, features):
        enlarged = self.multi_source_projection(features)
        enlarged = enlarged + self.error_encode(features - self.down_sample_1(enlarged))
        if not self.twice:
            return self.post_conv(self.down_sample_2(enlarged)), enlarged
        enlarged = self.multi_source_projection_2(enlarged)
        enlarged = enlarged + self.error_encode_2(features - self.down_sample_3(enlarged))
        return self.post_conv(self.down_sample_4(enlarged)), enlarged


class CSNLN(Frame):
    """Cross-scale non-local network (Fig. 2)."""

    value_range = 1.0

    def __init__(self, config):
        super().__init__(config)
        c = config.channels
        self.head = nn.Sequential(active_conv(3, c, 3), active_conv(c, c, 3))
        self.SEM = Cell(c, config.scale)
        self.tail = nn.Sequential(conv(c * config.depth, 3))

    @property
    def multiple(self):
        """Large patches start on every second pixel, or every third at ×3."""
        return 3 if self.config.scale == 3 else 2

    @property
    def values_per_pixel(self):
        """Scores and patches, of a bounded number, and the maps, which grow with the channels.

        At least what tests/peak.py counts on 48×48 LR pixels: tiny, and the paper's width at a
        depth of 2. Larger images need fewer for each pixel.
        """
        return 2000 + {2: 22, 3: 40, 4: 95}[self.config.scale] * self.config.channels

    def upscaled(self, image):
        features = self.shallow(image)
        # the tail's convolution of all maps H side by side, as the sum of that of each
        sr = self.tail[0].bias[:, None, None]
        for weight in self.tail[0].weight.split(self.config.channels, dim=1):
            features, enlarged = self.SEM(features)
            sr = sr + F.conv2d(enlarged, weight, padding=1)
        return sr

    def repeated(self):
        """The encoders. Attention is left out: its bands are unrolled, and compile for minutes."""
        return [module for module in self.modules() if isinstance(module, ResidualBlock)]


def read_released(tensors):
    """The config and the tensors, whose names are ours; None where they are not CSNLN's."""
    if "SEM.multi_source_projection.up_attention.escape_NaN" not in tensors:
        return None
    kernel_size = tensors["SEM.multi_source_projection.upsample.0.weight"].shape[-1]
    twice = "SEM.multi_source_projection_2.upsample.0.weight" in tensors
    channels = len(tensors["head.0.0.weight"])
    config = CSNLNConfig(
        scale=4 if twice else kernel_size // 3,
        channels=channels,
        depth=tensors["tail.0.weight"].shape[1] // channels,
    )
    return config, tensors
