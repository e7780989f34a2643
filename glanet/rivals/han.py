"""HAN: RCAN, with attention over its groups and over every single feature.

Niu, Wen, Ren, Zhang, Yang, Wang, Zhang, Cao, Shen: *Single Image Super-Resolution via a Holistic
Attention Network*, ECCV 2020. The body is RCAN's (Fig. 2), and its training starts from RCAN's
weights. Layer attention weighs the outputs of all groups together (§3.2, Fig. 3); channel-spatial
attention weighs every feature of the last one (§3.3, Fig. 4).
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from einops import rearrange
from torch import nn

from glanet.rivals.common import conv
from glanet.rivals.rcan import RCAN, RCANConfig, read_shape


@dataclass(frozen=True, kw_only=True)
class HANConfig(RCANConfig):
    """The shape of a HAN. The defaults are the paper's network at ×2."""

    network: ClassVar[str] = "han"
    PRESETS: ClassVar[dict[str, dict]] = {
        "tiny": {"groups": 4, "blocks": 5, "channels": 16, "reduction": 4},
        "paper": {},
    }


def layer_weights(maps):
    """How much of each map to add to each: (B, N, C, H, W) -> (B, N, N), rows sum to 1.

    softmax(-energy), where the energy of two maps is their scalar product over C, H and W, not
    scaled; so nearly all the weight goes to the map least alike. In float32 at least: bf16 cannot
    tell such large sums apart.
    """
    flat = rearrange(maps, "b n c h w -> b n (c h w)")
    with torch.autocast(maps.device.type, enabled=False):
        flat = flat.to(torch.promote_types(maps.dtype, torch.float32))
        return (-(flat @ flat.mT)).softmax(-1)


class LayerAttention(nn.Module):
    """Every map plus a mix of all maps (LAM, §3.2, Fig. 3): (B, N, C, H, W) -> the same.

    N is the number of layers. ``gamma`` is the paper's α; it starts at 0.
    """

    def __init__(self):
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, maps):
        own = torch.eye(maps.shape[1], device=maps.device)
        mix = own + self.gamma * layer_weights(maps)
        return torch.einsum("b n m, b m c h w -> b n c h w", mix, maps)


class ChannelSpatialAttention(nn.Module):
    """Every feature plus itself times a weight (CSAM, §3.3, Fig. 4): (B, C, H, W) -> the same.

    A convolution over channels, rows and columns gives each feature a weight in (0, 1) from its
    3×3×3 neighbourhood. ``gamma`` is the paper's β; it starts at 0.
    """

    def __init__(self):
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1))
        self.conv = nn.Conv3d(1, 1, kernel_size=3, padding=1)

    def forward(self, features):
        volume = rearrange(features, "b c h w -> b 1 c h w")
        weights = rearrange(self.conv(volume).sigmoid(), "b 1 c h w -> b c h w")
        return features + self.gamma * weights * features


class HAN(RCAN):
    """Holistic attention network (Fig. 2)."""

    learns_mean = False

    def __init__(self, config):
        super().__init__(config)
        c = config.channels
        self.la = LayerAttention()
        self.last_conv = conv(len(self.body) * c, c)
        self.csa = ChannelSpatialAttention()
        self.last = conv(2 * c, c)

    def deep(self, shallow):
        """From shallow to deep features: (B, C, H, W) -> (B, C, H, W)."""
        maps = self.layers(shallow)
        layered = self.last_conv(rearrange(self.la(maps), "b n c h w -> b (n c) h w"))
        return self.last(torch.cat([self.csa(maps[:, 0]), layered], dim=1))

    def layers(self, features):
        """Outputs of the groups and of the convolution after them, the newest first.

        (B, C, H, W) -> (B, N, C, H, W).
        """
        maps = []
        for layer in self.body:
            features = layer(features)
            maps.insert(0, features)
        return torch.stack(maps, dim=1)

    @property
    def values_per_pixel(self):
        """As in every frame, or all layers twice and two maps, whichever is more.

        Counted by tests/peak.py on 48×48 and 96×96 LR pixels.
        """
        layers = 2 * len(self.body) + 2
        return max(super().values_per_pixel, layers * self.config.channels + 3)


def read_released(tensors):
    """The config and the tensors, whose names are ours; None where they are not HAN's."""
    if "la.gamma" not in tensors:
        return None
    return HANConfig(**read_shape(tensors)), tensors
