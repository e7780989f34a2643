"""Right answers to the exercises of notebook 05 in other words."""

import math

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

from glanet.model import attention
from glanet.model.attention import relative_position_index


def pixel_by_pixel(weigh, mean=lambda weights, value: weights @ value):
    """attend from ``weigh(query (d,), keys (N, d), bias (N,))``, one query at a time."""

    def attend(query, key, value, bias):
        bias = torch.as_tensor(bias).broadcast_to(*query.shape[:-1], query.shape[-2])
        flat = [part.reshape(-1, *part.shape[-2:]) for part in (query, key, value, bias)]
        return torch.stack(
            [
                torch.stack([mean(weigh(q, k, b), v) for q, b in zip(qs, bs, strict=True)])
                for qs, k, v, bs in zip(*flat, strict=True)
            ]
        ).reshape(query.shape)

    return attend


def fused(query, key, value, bias):
    bias = bias if isinstance(bias, torch.Tensor) else None
    return F.scaled_dot_product_attention(query, key, value, attn_mask=bias)


def softmax(scores):
    return scores.exp() / scores.exp().sum()


def cut_by_slicing(tokens, window):
    height, width = tokens.shape[1:3]
    return torch.stack(
        [
            tokens[:, top : top + window, left : left + window].flatten(1, 2)
            for top in range(0, height, window)
            for left in range(0, width, window)
        ],
        dim=1,
    )


def join_by_slicing(windows, window, height):
    tall = height // window
    rows = [
        torch.cat([part.unflatten(1, (window, window)) for part in row.unbind(1)], dim=2)
        for row in windows.chunk(tall, dim=1)
    ]
    return torch.cat(rows, dim=1)


def pair_by_pair(number):
    """An index from ``number(row, column, window)`` of the offset of pixel i from pixel j."""

    def index(window):
        places = [divmod(pixel, window) for pixel in range(window * window)]
        return torch.tensor([[number(r - t, c - u, window) for t, u in places] for r, c in places])

    return index


class ByHand(nn.Module):
    """W-MSA in loops over windows and heads; its methods are what a mutant gets wrong."""

    def __init__(self, channels, heads, window):
        super().__init__()
        self.heads, self.window = heads, window
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))

    def forward(self, tokens):
        out = torch.empty_like(tokens)
        d = tokens.shape[-1] // self.heads
        for number, place in enumerate(self.places(*tokens.shape[1:3])):
            parts = self.parts(self.qkv(tokens[place]).flatten(1, 2))
            found = [
                self.mix(*(p[..., h * d : (h + 1) * d] for p in parts), self.bias(number, h))
                for h in range(self.heads)
            ]
            out[place] = self.last(self.side_by_side(found)).view(out[place].shape)
        return out

    def places(self, height, width):
        m = self.window
        for top in range(0, height, m):
            for left in range(0, width, m):
                yield slice(None), slice(top, top + m), slice(left, left + m)

    def parts(self, features):
        return features.chunk(3, dim=-1)

    def bias(self, number, head):
        return self.bias_table[relative_position_index(self.window), head]

    def mix(self, query, key, value, bias):
        return F.scaled_dot_product_attention(query, key, value, attn_mask=bias)

    def side_by_side(self, found):
        return torch.cat(found, dim=-1)

    def last(self, mixed):
        return self.proj(mixed)


def by_einsum(query, key, value, bias):
    scores = torch.einsum("...id,...jd->...ij", query, key) / math.sqrt(query.shape[-1])
    return torch.einsum("...ij,...jd->...id", (scores + bias).softmax(-1), value)


def scaled_query(query, key, value, bias):
    weights = ((query * query.size(-1) ** -0.5) @ key.mT + bias).exp()
    return weights / weights.sum(-1, keepdim=True) @ value


def cut_by_views(tokens, window):
    b, h, w, c = tokens.shape
    parts = tokens.reshape(b, h // window, window, w // window, window, c)
    return parts.permute(0, 1, 3, 2, 4, 5).reshape(b, -1, window**2, c)


def cut_by_unfold(tokens, window):
    parts = tokens.unfold(1, window, window).unfold(2, window, window)  # b h w c i j
    return rearrange(parts, "b h w c i j -> b (h w) (i j) c")


def join_by_views(windows, window, height):
    b, _, _, c = windows.shape
    parts = windows.reshape(b, height // window, -1, window, window, c)
    return parts.permute(0, 1, 3, 2, 4, 5).reshape(b, height, -1, c)


def join_by_fold(windows, window, height):
    width = windows.shape[1] * window**2 // height
    columns = rearrange(windows, "b windows n c -> b (c n) windows")
    image = F.fold(columns, (height, width), window, stride=window)
    return rearrange(image, "b c h w -> b h w c")


def index_by_numbers(window):
    """The number of a pixel in an image that is 2 · window - 1 wide; its differences."""
    pixels = torch.arange(window**2)
    number = pixels // window * (2 * window - 1) + pixels % window
    return number[:, None] - number[None, :] + 2 * window * (window - 1)


def index_as_swin_has_it(window):
    steps = torch.arange(window)
    places = torch.stack(torch.meshgrid(steps, steps, indexing="ij")).flatten(1)
    offsets = (places[:, :, None] - places[:, None, :]).permute(1, 2, 0).contiguous()
    offsets += window - 1
    offsets[..., 0] *= 2 * window - 1
    return offsets.sum(-1)


class BiasOfFourAxes(attention.WindowAttention):
    """The package's class step by step, with a bias (1, heads, N, N)."""

    def __init__(self, *settings):
        super().__init__(*settings)
        self.attend = attention.attend


VARIANTS = {
    "attend": (
        pixel_by_pixel(lambda q, k, b: softmax((k * q).sum(1) / len(q) ** 0.5 + b)),
        fused,
        by_einsum,
        scaled_query,
    ),
    "cut_windows": (cut_by_slicing, cut_by_views, cut_by_unfold),
    "join_windows": (join_by_slicing, join_by_views, join_by_fold),
    "relative_position_index": (
        pair_by_pair(lambda row, column, m: (row + m - 1) * (2 * m - 1) + column + m - 1),
        index_by_numbers,
        index_as_swin_has_it,
    ),
    "WindowAttention": (ByHand, BiasOfFourAxes),
}
