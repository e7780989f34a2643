"""CSNLN: one recurrent cell that looks for patches of the image in the image made smaller.

Mei, Fan, Zhou, Huang, Huang, Shi: *Image Super-Resolution with Cross-Scale Non-Local Attention and
Exhaustive Self-Exemplars Mining*, CVPR 2020. Cross-scale non-local attention compares each 3×3
patch of the features with all 3×3 patches of the shrunk features. Where two are alike, the patch
before shrinking shows how the first may look when enlarged. A self-exemplars mining (SEM) cell,
used again and again (Fig. 2), adds in-scale attention and a local path.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import nn
from torch.nn import functional as F

from glanet.config import ModelShape
from glanet.rivals.common import Frame, ResidualBlock, attend, conv
from glanet.rivals.patches import replace_patches

SHORTEST = 1e-4  # length of a key
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
    return nn.Sequential(kind(channels, channels, scale + 2 * margin, scale, margin), nn.PReLU())


class InScaleAttention(nn.Module):
    """Non-local attention between the pixels of the same features: (B, C, H, W) -> the same."""

    def __init__(self, channels):
        super().__init__()
        self.conv_match1, self.conv_match2, self.conv_assembly = matching(channels)

    def forward(self, features):
        query, key, value = (branch(features).flatten(2).mT for branch in self.children())
        return attend(query, key, value).mT.view_as(features)


class CrossScaleAttention(nn.Module):
    """Patches of the features, replaced by larger ones from elsewhere in them.

    (B, C, H, W), with H and W multiples of the scale -> (B, C, scale·H, scale·W).
    """

    def __init__(self, channels, scale):
        super().__init__()
        self.scale = scale
        self.register_buffer("escape_NaN", torch.tensor([SHORTEST]))  # released files hold it
        self.conv_match_1, self.conv_match_2, self.conv_assembly = matching(channels)

    def forward(self, features):
        s = self.scale
        shrunk = F.interpolate(features, [n // s for n in features.shape[2:]], mode="bilinear")
        key = F.normalize(F.unfold(self.conv_match_2(shrunk), 3, padding=1), eps=SHORTEST)
        value = F.unfold(self.conv_assembly(features) / OVERLAP, 3 * s, padding=s, stride=s)
        return replace_patches(SHARPNESS * self.conv_match_1(features), key, value, s)


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
    """Self-exemplars mining (SEM) cell: features (B, C, H, W) -> features, enlarged features.

    The features (B, C, H, W) are for the next use of the cell. The enlarged ones (B, C, scale·H,
    scale·W) are corrected by what is lost when they are shrunk again (back-projection). At ×4 they
    are enlarged by 2 twice.
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

        At least what tests/peak.py counts on 48×48 LR pixels; larger images need fewer for each.
        """
        return 2100 + {2: 22, 3: 40, 4: 95}[self.config.scale] * self.config.channels

    def upscaled(self, image):
        features = self.shallow(image)
        # the tail's convolution of all enlarged features side by side, one part after the other
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
    projection = "SEM.multi_source_projection{}.upsample.0.weight"
    upsample = tensors.get(projection.format(""))
    if upsample is None:
        return None
    channels, kernel_size = len(upsample), upsample.shape[-1]
    scale = 4 if projection.format("_2") in tensors else kernel_size // 3
    depth = tensors["tail.0.weight"].shape[1] // channels
    return CSNLNConfig(scale=scale, channels=channels, depth=depth), tensors
