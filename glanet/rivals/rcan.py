"""RCAN: very deep, with attention over channels.

Zhang, Li, Li, Wang, Zhong, Fu: *Image Super-Resolution Using Very Deep Residual Channel Attention
Networks*, ECCV 2018. Residual in residual (Fig. 2): groups of blocks, with a skip around each
block, each group and all of them. Every block weighs its channels by their means (Fig. 3).
"""

import re
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from glanet.config import ModelShape
from glanet.rivals.common import Frame, Upsampler, conv, depth, scale_of


@dataclass(frozen=True, kw_only=True)
class RCANConfig(ModelShape):
    """The shape of an RCAN. The defaults are the paper's network at ×2."""

    network: ClassVar[str] = "rcan"
    PRESETS: ClassVar[dict[str, dict]] = {
        "tiny": {"groups": 3, "blocks": 8, "channels": 16, "reduction": 4},
        "paper": {},
    }

    groups: int = 10  # residual groups (§4.1)
    blocks: int = 20  # residual channel attention blocks in each group (§4.1)
    channels: int = 64  # width of the trunk (§4.1)
    reduction: int = 16  # of the channels inside channel attention (§4.1)

    def __post_init__(self):
        super().__post_init__()
        self.require_at_least(groups=1, blocks=1, channels=1, reduction=1)
        self.require(
            self.channels % self.reduction == 0,
            "channels",
            f"a multiple of reduction ({self.reduction})",
        )


class ChannelAttention(nn.Module):
    """Every channel times a weight in (0, 1) from all channels' means (§3.3, Eq. 5–8, Fig. 3).

    (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(self, channels, reduction):
        super().__init__()
        self.conv_du = nn.Sequential(
            conv(channels, channels // reduction, 1),
            nn.ReLU(),
            conv(channels // reduction, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, features):
        return features * self.conv_du(features.mean(dim=(2, 3), keepdim=True))


class Block(nn.Module):
    """Residual channel attention block (§3.4, Eq. 9–11, Fig. 4): (B, C, H, W) -> the same."""

    def __init__(self, channels, reduction):
        super().__init__()
        self.body = nn.Sequential(
            conv(channels, channels),
            nn.ReLU(),
            conv(channels, channels),
            ChannelAttention(channels, reduction),
        )

    def forward(self, features):
        return features + self.body(features)


class Group(nn.Module):
    """Residual group (§3.2, Eq. 4): blocks and a convolution: (B, C, H, W) -> the same."""

    def __init__(self, config):
        super().__init__()
        c = config.channels
        self.body = nn.Sequential(
            *(Block(c, config.reduction) for _ in range(config.blocks)), conv(c, c)
        )

    def forward(self, features):
        return features + self.body(features)


class RCAN(Frame):
    """Residual channel attention network (Fig. 2)."""

    learns_mean = True

    def __init__(self, config):
        super().__init__(config)
        c = config.channels
        self.head = nn.Sequential(conv(3, c))
        self.body = nn.Sequential(*(Group(config) for _ in range(config.groups)), conv(c, c))
        self.tail = nn.Sequential(Upsampler(c, config.scale), conv(c, 3))

    def repeated(self):
        """The groups."""
        return [*self.body][:-1]


def read_released(tensors):
    """The config and the tensors, whose names are ours; None where they are not RCAN's."""
    if "body.0.body.0.body.3.conv_du.0.weight" not in tensors or "la.gamma" in tensors:
        return None  # HAN's hold RCAN's, and layer attention
    return RCANConfig(**read_shape(tensors)), tensors


def read_shape(tensors):
    """The fields of the config in a released checkpoint of RCAN or HAN."""
    squeeze = tensors["body.0.body.0.body.3.conv_du.0.weight"]
    return {
        "scale": scale_of(tensors),
        "groups": depth(tensors, re.compile(r"body\.(\d+)\.body\.")),
        "blocks": depth(tensors, re.compile(r"body\.0\.body\.(\d+)\.body\.")),
        "channels": squeeze.shape[1],
        "reduction": squeeze.shape[1] // squeeze.shape[0],
    }
