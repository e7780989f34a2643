"""SAN: channels weighed by how they vary together.

Dai, Cai, Zhang, Xia, Zhang: *Second-Order Attention Network for Single Image Super-Resolution*,
CVPR 2019. Groups of residual blocks (Fig. 2) with two kinds of skip: around each group, and from
the source of all groups into each. Each group weighs its channels by the square root of their
covariance (§3.3, Eq. 10–15). The same non-local module stands before and after the groups; it works
on each quadrant of the image by itself (§3.2).

Attributes have their released names: ``RG`` are the groups, ``rcab`` plain residual blocks, and
``soca`` is second-order channel attention.
"""

import re
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from glanet.rivals.common import SCORES, Frame, Upsampler, attend, conv, depth, scale_of
from glanet.rivals.covariance import covariance, square_root
from glanet.rivals.rcan import ChannelAttention, RCANConfig

SMALLEST = 4  # a side of the image: its quadrants are pooled 2×2
STATISTICS = 1000  # a side of the image's centre, where the covariance is measured


@dataclass(frozen=True, kw_only=True)
class SANConfig(RCANConfig):
    """The shape of a SAN. The defaults are the paper's network at ×2."""

    network: ClassVar[str] = "san"
    PRESETS: ClassVar[dict[str, dict]] = {
        "tiny": {"groups": 4, "blocks": 6, "channels": 16, "reduction": 4},
        "paper": {},
    }

    groups: int = 20  # local-source residual attention groups (§3.4)
    blocks: int = 10  # residual blocks in each group (§3.4)

    def __post_init__(self):
        super().__post_init__()
        self.require_at_least(channels=8)  # an 8th of them attends


def statistics(features):
    """Mean of each row of the covariance's root (Eq. 10–13): (B, C, H, W) -> (B, C, 1, 1).

    In float32 at least: bf16 would be off by a tenth where channels are much alike.
    """
    top, left = (max(0, side - STATISTICS) // 2 for side in features.shape[2:])
    middle = features[:, :, top : top + STATISTICS, left : left + STATISTICS]
    with torch.autocast(features.device.type, enabled=False):
        middle = middle.to(torch.promote_types(features.dtype, torch.float32))
        return square_root(covariance(middle)).mean(1)[:, :, None, None]


class SecondOrderAttention(ChannelAttention):
    """Every channel times a weight in (0, 1) from the covariances (§3.3, Eq. 10–15).

    (B, C, H, W) -> (B, C, H, W). In RCAN, the weight comes from the channels' means.
    """

    def forward(self, features):
        return features * self.conv_du(statistics(features))


class NonLocal(nn.Module):
    """Attention of every position to all, pooled 2×2: (B, C, H, W) -> the same.

    Embedded Gaussian (Wang et al., *Non-local Neural Networks*, 2018). H, W ≥ 2.
    """

    def __init__(self, channels):
        super().__init__()
        inner = channels // 8
        self.theta = conv(channels, inner, 1)  # queries
        self.phi = nn.Sequential(conv(channels, inner, 1), nn.MaxPool2d(2))  # keys
        self.g = nn.Sequential(conv(channels, inner, 1), nn.MaxPool2d(2))  # values
        self.W = conv(inner, channels, 1)
        nn.init.zeros_(self.W.weight)
        nn.init.zeros_(self.W.bias)

    def forward(self, features):
        branches = (self.theta, self.phi, self.g)
        query, key, value = (branch(features).flatten(2).mT for branch in branches)
        attended = attend(query, key, value, SCORES // 4)  # this is one of four quadrants
        return features + self.W(attended.mT.unflatten(2, features.shape[2:]))


class RegionNonLocal(nn.Module):
    """The non-local module in each quadrant (RL-NL, §3.2): (B, C, H, W) -> the same.

    H, W ≥ 4. Where a side is odd, the quadrants at the bottom or right are larger by 1.
    """

    def __init__(self, channels):
        super().__init__()
        self.soca = SecondOrderAttention(channels, 8)  # in UNUSED
        self.non_local = NonLocal(channels)

    def forward(self, features):
        height, width = (side // 2 for side in features.shape[2:])
        rows = (
            [self.non_local(part) for part in half.tensor_split((width,), dim=3)]
            for half in features.tensor_split((height,), dim=2)
        )
        return torch.cat([torch.cat(row, dim=3) for row in rows], dim=2)


class Block(nn.Module):
    """Residual block (§3.2): (B, C, H, W) -> the same."""

    def __init__(self, channels):
        super().__init__()
        self.conv_first = nn.Sequential(
            conv(channels, channels), nn.ReLU(), conv(channels, channels)
        )

    def forward(self, features):
        return features + self.conv_first(features)


class Group(nn.Module):
    """Local-source residual attention group (§3.2): (B, C, H, W) -> the same."""

    def __init__(self, config):
        super().__init__()
        c = config.channels
        self.gamma = nn.Parameter(torch.zeros(1))  # in UNUSED
        self.rcab = nn.Sequential(*(Block(c) for _ in range(config.blocks)))
        self.soca = SecondOrderAttention(c, config.reduction)
        self.conv_last = conv(c, c)

    def forward(self, features):
        return features + self.conv_last(self.soca(self.rcab(features)))


class SAN(Frame):
    """Second-order attention network (Fig. 2).

    ``UNUSED`` parameters have no effect in the published network. They are here so that released
    checkpoints load, and frozen, since training in several processes waits for every gradient.
    """

    learns_mean = True
    UNUSED: ClassVar[re.Pattern] = re.compile(r"conv_last\..+|non_local\.soca\..+|RG\.\d+\.gamma")

    def __init__(self, config):
        super().__init__(config)
        c = config.channels
        self.head = nn.Sequential(conv(3, c))
        self.non_local = RegionNonLocal(c)
        self.RG = nn.ModuleList(Group(config) for _ in range(config.groups))
        self.gamma = nn.Parameter(torch.zeros(1))  # W_SSC of Eq. 6
        self.conv_last = conv(c, c)  # in UNUSED
        self.tail = nn.Sequential(Upsampler(c, config.scale), conv(c, 3))
        self.freeze(self.UNUSED)

    def filled(self, image):
        """The image, its last row and column repeated until its sides are `SMALLEST`."""
        bottom, right = (max(0, SMALLEST - side) for side in image.shape[2:])
        if not bottom and not right:
            return image
        return F.pad(image, (0, right, 0, bottom), mode="replicate")

    def deep(self, shallow):
        """From shallow to deep features (NLRG, §3.2, Eq. 6): (B, C, H, W) -> (B, C, H, W)."""
        source = features = self.non_local(shallow)
        for group in self.RG:
            features = group(features) + self.gamma * source
        return self.non_local(features)

    def repeated(self):
        """The groups."""
        return [*self.RG]


def read_released(tensors):
    """The config and the tensors, whose names are ours; None where they are not SAN's."""
    squeeze = tensors.get("RG.0.soca.conv_du.0.weight")
    if squeeze is None:
        return None
    config = SANConfig(
        scale=scale_of(tensors),
        groups=depth(tensors, re.compile(r"RG\.(\d+)\.")),
        blocks=depth(tensors, re.compile(r"RG\.0\.rcab\.(\d+)\.")),
        channels=squeeze.shape[1],
        reduction=squeeze.shape[1] // squeeze.shape[0],
    )
    return config, tensors
