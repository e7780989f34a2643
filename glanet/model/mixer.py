"""iFormer's Inception mixer, which the GLA layer was made from (§2.1), and the way between the two.

Si, Yu, Zhou, Zhou, Liu, Yan: *Inception Transformer*, NeurIPS 2022. The GLA layer changes three
things in it: every branch reads all channels, its convolutions are full ones, and attention looks
into windows. `make_mixer` undoes one of these changes, or builds the mixer as published.
"""

import torch
import torch.nn.functional as F
from einops import rearrange, reduce, repeat
from torch import nn

from glanet.model.attention import WindowAttention
from glanet.model.inception import Inception
from glanet.model.layer import MLP, StochasticDepth
from glanet.model.tokens import TokenConv, TokenConv1x1, TokenMaxPool

POOL = 2  # side of the squares that attention averages, pixels; iFormer's in its first two stages


def make_mixer(name, channels, heads, window, shift):
    """What mixes the pixels of a layer: tokens (B, H, W, C) -> (B, H, W, C).

    ``split``, ``depthwise`` and ``pooled`` are GLA-Net's mixer with one change undone; ``iformer``
    is iFormer's, half of its channels for attention.
    """
    if name == "iformer":
        return IFormerMixer(channels, heads, heads // 2, POOL)
    if name == "split":
        half = channels // 2
        attention = WindowAttention(half, heads // 2, window, shift)
        return Mixer(attention, Inception(half), channels, split=True)
    if name == "depthwise":
        attention = WindowAttention(channels, heads, window, shift)
        return Mixer(attention, Inception(channels, depthwise=True), channels)
    return Mixer(PooledAttention(channels, heads, POOL), Inception(channels), channels)


class MixerLayer(nn.Module):
    """A GLA layer around another mixer: tokens (B, H, W, C) -> tokens (B, H, W, C)."""

    def __init__(self, mixer, channels, mlp_ratio, drop_probability):
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.mixer = mixer
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = MLP(channels, mlp_ratio)
        self.drop = StochasticDepth(drop_probability)

    def forward(self, tokens):
        tokens = tokens + self.drop(self.mixer(self.norm1(tokens)))
        return tokens + self.drop(self.mlp(self.norm2(tokens)))


class Mixer(nn.Module):
    """Attention and Inception side by side, fused by a 1×1 convolution: (B, H, W, C) -> the same.

    With ``split``, attention reads the first half of the channels and Inception the second.
    """

    def __init__(self, attention, inception, channels, split=False):
        super().__init__()
        self.attention, self.inception, self.split = attention, inception, split
        self.fuse = TokenConv1x1(channels if split else 2 * channels, channels)

    def forward(self, x):
        low, high = x.chunk(2, dim=-1) if self.split else (x, x)
        return self.fuse(torch.cat([self.attention(low), self.inception(high)], dim=-1))


class PooledAttention(nn.Module):
    """Attention of all pixels to all, on averages of squares: (B, H, W, C) -> (B, H, W, C).

    H and W are multiples of ``pool``, the squares' side. Each pixel of a square gets the same
    answer. Source: iFormer's low-frequency mixer, Eq. 4.
    """

    def __init__(self, channels, heads, pool):
        super().__init__()
        self.heads, self.pool = heads, pool
        self.qkv = nn.Linear(channels, 3 * channels)

    def forward(self, tokens):
        height, width = tokens.shape[1] // self.pool, tokens.shape[2] // self.pool
        means = reduce(tokens, "b (h i) (w j) c -> b (h w) c", "mean", i=self.pool, j=self.pool)
        query, key, value = rearrange(
            self.qkv(means), "b n (three heads d) -> three b heads n d", three=3, heads=self.heads
        )
        mixed = F.scaled_dot_product_attention(query, key, value)
        return repeat(
            mixed,
            "b heads (h w) d -> b (h i) (w j) (heads d)",
            h=height,
            w=width,
            i=self.pool,
            j=self.pool,
        )


class IFormerMixer(nn.Module):
    """The Inception mixer as published (Fig. 2, Eq. 2–6): tokens (B, H, W, C) -> (B, H, W, C).

    ``attention_heads`` of the ``heads`` shares of the channels go to attention, the last ones. Of
    the others, one half goes through a depthwise convolution, the other through max-pooling.
    """

    def __init__(self, channels, heads, attention_heads, pool):
        super().__init__()
        low = channels // heads * attention_heads
        high = channels - low
        self.sizes = (high // 2, high // 2, low)
        self.expand = TokenConv(high // 2, high, kernel_size=1, bias=False)
        self.depthwise = TokenConv(high, high, kernel_size=3, padding=1, groups=high, bias=False)
        self.pool = TokenMaxPool(kernel_size=3, stride=1, padding=1)
        self.after_pool = TokenConv1x1(high // 2, high)
        self.attention = PooledAttention(low, attention_heads, pool)
        mixed = 2 * high + low
        self.smooth = TokenConv(mixed, mixed, kernel_size=3, padding=1, groups=mixed, bias=False)
        self.fuse = TokenConv1x1(mixed, channels)

    def forward(self, tokens):
        x_conv, x_pool, x_low = tokens.split(self.sizes, dim=-1)
        y_conv = F.gelu(self.depthwise(self.expand(x_conv)))
        y_pool = F.gelu(self.after_pool(self.pool(x_pool)))
        y = torch.cat([y_conv, y_pool, self.attention(x_low)], dim=-1)
        return self.fuse(y + self.smooth(y))
