"""RNAN: local and non-local masks over residual features.

Zhang, Li, Li, Zhong, Fu: *Residual Non-local Attention Networks for Image Restoration*, ICLR 2019.
A chain of attention blocks (Fig. 1), each a trunk branch times a mask in (0, 1) that is made at
half the resolution, plus its input (Eq. 6 to 8). In the first and the last block, the mask branch
starts with a non-local operation (Fig. 2).
"""

import re
from dataclasses import dataclass
from typing import ClassVar

import torch
from einops import rearrange
from torch import nn

from glanet.config import ModelShape
from glanet.rivals.common import SCORES, Frame, Upsampler, conv, depth, scale_of


@dataclass(frozen=True, kw_only=True)
class RNANConfig(ModelShape):
    """The shape of an RNAN. The defaults are the paper's network at ×2."""

    network: ClassVar[str] = "rnan"
    PRESETS: ClassVar[dict[str, dict]] = {"tiny": {"groups": 3, "channels": 14}, "paper": {}}

    groups: int = 10  # attention blocks, the first and the last of them non-local (§3.1)
    channels: int = 64  # width of the trunk (§4)

    def __post_init__(self):
        super().__post_init__()
        self.require_at_least(groups=2, channels=2)  # a first group and a last


class ResidualBlock(nn.Sequential):
    """Two convolutions with a skip: (B, C, H, W) -> the same."""

    def __init__(self, channels):
        super().__init__(conv(channels, channels), nn.ReLU(), conv(channels, channels))

    def forward(self, features):
        return features + super().forward(features)


class NonLocal(nn.Module):
    """Every pixel plus a weighted sum over all pixels (Eq. 4 and 5): (B, C, H, W) -> the same.

    As published, the weights of one key add up to 1 over all queries, and not the other way round:
    a key has one unit of attention to give.
    """

    def __init__(self, channels):
        super().__init__()
        inner = channels // 2
        self.theta, self.phi, self.g = (conv(channels, inner, 1) for _ in range(3))
        self.out = conv(inner, channels, 1)
        nn.init.zeros_(self.out.weight)  # as published: it starts as the identity
        nn.init.zeros_(self.out.bias)

    def forward(self, features):
        height, width = features.shape[-2:]
        query, key, value = (
            rearrange(part(features), "b c h w -> b (h w) c")
            for part in (self.theta, self.phi, self.g)
        )
        mixed = sum_over_keys(query, key, value)
        return features + self.out(rearrange(mixed, "b (h w) c -> b c h w", h=height, w=width))


def sum_over_keys(query, key, value, scores=SCORES // 4):
    """Σ_j softmax_i(q_i · k_j) v_j, three times (B, N, C) -> (B, N, C).

    A key's weights depend on no other key, so keys are taken in chunks of at most ``scores``
    numbers, with queries side by side in memory: the (N, N) matrix never exists as a whole.
    """
    chunk = max(1, scores // query.shape[1])
    mixed = torch.zeros_like(query)
    for keys, values in zip(key.split(chunk, 1), value.split(chunk, 1), strict=True):
        mixed = mixed + (keys @ query.mT).softmax(dim=2).mT @ values
    return mixed


class Mask(nn.Module):
    """A weight in (0, 1) for every value (§3.3): (B, C, H, W) -> the same; H and W are even.

    The features go down to half the size and up again, so that a mask sees further than its trunk.
    """

    def __init__(self, channels, non_local):
        super().__init__()
        self.look = nn.Sequential(*(NonLocal(channels) for _ in range(non_local)))
        self.before = ResidualBlock(channels)
        self.down = nn.Conv2d(channels, channels, kernel_size=3, stride=2, padding=1)
        self.inside = nn.Sequential(ResidualBlock(channels), ResidualBlock(channels))
        self.up = nn.ConvTranspose2d(channels, channels, kernel_size=6, stride=2, padding=2)
        self.after = ResidualBlock(channels)
        self.weigh = nn.Sequential(conv(channels, channels, 1), nn.Sigmoid())

    def forward(self, features):
        before = self.before(self.look(features))
        return self.weigh(self.after(before + self.up(self.inside(self.down(before)))))


class Group(nn.Module):
    """Residual (non-)local attention block (Fig. 2) and a convolution: (B, C, H, W) -> the same."""

    def __init__(self, channels, non_local):
        super().__init__()
        self.before = ResidualBlock(channels)
        self.trunk = nn.Sequential(ResidualBlock(channels), ResidualBlock(channels))
        self.mask = Mask(channels, non_local)
        self.after = nn.Sequential(ResidualBlock(channels), ResidualBlock(channels))
        self.conv = conv(channels, channels)

    def forward(self, features):
        features = self.before(features)
        attended = self.trunk(features) * self.mask(features) + features  # Eq. 8
        return self.conv(self.after(attended))


class RNAN(Frame):
    """Residual non-local attention network (Fig. 1)."""

    multiple = 2  # masks are made at half the size
    tiling = False  # the first and the last mask look at the whole image
    learns_mean = True

    def __init__(self, config):
        super().__init__(config)
        c, last = config.channels, config.groups - 1
        self.head = conv(3, c)
        self.groups = nn.ModuleList(
            Group(c, non_local=i in (0, last)) for i in range(config.groups)
        )
        self.merge = conv(c, c)  # stands before the last group, as published
        self.tail = nn.Sequential(Upsampler(c, config.scale), conv(c, 3))

    def deep(self, shallow):
        *groups, last = self.groups
        features = shallow
        for group in groups:
            features = group(features)
        return last(self.merge(features))

    @property
    def values_per_pixel(self):
        """As in every frame, or the scores and seven maps, whichever is more.

        Counted by tests/peak.py on 48×48 LR pixels; larger images need fewer for each pixel.
        """
        return max(super().values_per_pixel, 229 + 7 * self.config.channels)

    def repeated(self):
        """The groups."""
        return [*self.groups]


# the mask branch's and the group's parts in a released checkpoint -> ours
PARTS = {
    r"RA_RB1\.0\.body": "before",
    r"RA_TB\.0\.body\.(\d)\.body": r"trunk.\1",
    r"RA_tail\.(\d)\.body": r"after.\1",
    r"RA_MB\.0\.MB_RB2\.(\d)\.body": r"mask.inside.\1",
    r"RA_MB\.0\.MB_RB3\.0\.body": "mask.after",
    r"RA_MB\.0\.MB_Down\.0": "mask.down",
    r"RA_MB\.0\.MB_Up\.0": "mask.up",
    r"RA_MB\.0\.MB_1x1conv\.0": "mask.weigh.0",
    r"RA_MB\.0\.MB_RB1\.\d\.body": "mask.before",
    r"RA_MB\.0\.MB_RB1\.0\.W": "mask.look.0.out",
    r"RA_MB\.0\.MB_RB1\.0\.(theta|phi|g)": r"mask.look.0.\1",
}
GROUP = re.compile(r"(body_nl_low|body|body_nl_high)\.(\d+)\.body\.([01])\.(.+)")


def read_released(tensors):
    """The config and the tensors by our names; None where they are not RNAN's."""
    if "body_nl_low.0.body.1.weight" not in tensors:
        return None
    between = depth(tensors, re.compile(r"body\.(\d+)\.body\."))
    found = {_name_here(name, between): tensor for name, tensor in tensors.items()}
    config = RNANConfig(
        scale=scale_of(tensors), groups=between + 2, channels=len(tensors["head.0.weight"])
    )
    return config, found


def _name_here(released, between):
    """Our name of a released tensor, of a network with ``between`` groups that are local."""
    if match := GROUP.fullmatch(released):
        where, number, part, inside = match.groups()
        group = {"body_nl_low": 0, "body": int(number) + 1, "body_nl_high": between + 1}[where]
        if part == "1":
            return f"groups.{group}.conv.{inside}"
        for pattern, ours in PARTS.items():
            inside = re.sub(rf"^{pattern}(?=\.)", ours, inside)
        return f"groups.{group}.{inside}"
    prefix, _, kind = released.rpartition(".")
    outside = {f"body.{between}": "merge", "head.0": "head"}
    return f"{outside.get(prefix, prefix)}.{kind}"
