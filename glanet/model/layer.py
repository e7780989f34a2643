"""The global-local awareness layer, §2.1, Fig. 2b."""

import torch
from torch import nn

from glanet.model.attention import WindowAttention
from glanet.model.inception import Inception
from glanet.model.tokens import TokenConv1x1


class MLP(nn.Sequential):
    """Two linear layers with a GELU between: tokens (B, H, W, C) -> (B, H, W, C)."""

    def __init__(self, channels, ratio):
        hidden = int(channels * ratio)
        super().__init__(nn.Linear(channels, hidden), nn.GELU(), nn.Linear(hidden, channels))


class StochasticDepth(nn.Module):
    """In training, drop a whole residual branch of a sample with ``probability``.

    What survives is scaled by 1 / (1 - probability), so that the expectation stays. Any shape
    (B, ...) -> the same; the identity in eval mode. Source: Huang et al., ECCV 2016.
    """

    def __init__(self, probability):
        super().__init__()
        self.probability = probability

    def forward(self, branch):
        if not self.training or self.probability == 0:
            return branch
        survival = 1 - self.probability
        kept = branch.new_empty(len(branch), *[1] * (branch.ndim - 1)).bernoulli_(survival)
        return branch * kept / survival


class GLALayer(nn.Module):
    """Attention for what is global beside convolutions for what is local (Fig. 2b).

    tokens (B, H, W, C) -> tokens (B, H, W, C); H and W are multiples of the window. Without
    ``inception`` there is nothing to fuse, and the layer is SwinIR's; without ``attention`` the
    branches alone are fused.
    """

    def __init__(
        self,
        channels,
        heads,
        window,
        shift,
        *,
        mlp_ratio=2.0,
        inception=True,
        attention=True,
        drop_probability=0.0,
    ):
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.attention = WindowAttention(channels, heads, window, shift) if attention else None
        self.inception = Inception(channels) if inception else None
        self.fuse = TokenConv1x1((1 + attention) * channels, channels) if inception else None
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = MLP(channels, mlp_ratio)
        self.drop = StochasticDepth(drop_probability)

    def forward(self, tokens):
        x = self.norm1(tokens)  # attention rolls it and back; Inception sees it where it stands
        parts = [part(x) for part in (self.attention, self.inception) if part is not None]  # Z, Y
        features = torch.cat(parts, dim=-1)  # V
        if self.fuse is not None:
            features = self.fuse(features)  # 2C -> C
        tokens = tokens + self.drop(features)
        return tokens + self.drop(self.mlp(self.norm2(tokens)))
