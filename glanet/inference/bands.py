"""A GLA layer for a CPU: over the image in bands of a few rows, all of its steps before the next.

As written, a step writes a whole feature map and the next one reads it, and on a CPU most of the
time goes into moving memory. What the steps hand on inside a band stays in the cache. The shift of
SW-MSA is a choice of slices, and only windows at the image's end see a mask.
"""

from dataclasses import replace
from itertools import pairwise, product

import torch
import torch.nn.functional as F
from torch import nn

from glanet.fast import ALIGNED, cast, join
from glanet.model.attention import shift_mask

BAND = 16384  # pixels: a band's tokens stay in the cache, and starting a step costs little
SMALLEST = 1e-30  # sum of a softmax's exponentials that has all its digits


class BandedLayer(nn.Module):
    """What `GLALayer.forward` returns, in eval mode, from weights joined once.

    tokens (B, H, W, C) float32 -> tokens (B, H, W, C) float32; products are computed in ``dtype``.
    """

    def __init__(self, layer, dtype):
        super().__init__()
        attention = layer.attention
        self.heads, self.window, self.shift = attention.heads, attention.window, attention.shift
        self.norm1, self.norm2, self.dtype = layer.norm1, layer.norm2, dtype
        self.mlp = layer.mlp.to(dtype)
        self.biases = _biases(attention, dtype)
        if dtype == torch.float32:
            joined = _for_exponentials(join(layer, 1), self.heads)
            self.biases = [_factors(bias) for bias in self.biases]
        else:
            joined = join(layer, ALIGNED)
        self.joined, self.fuse_bias = cast(joined, dtype), joined.fuse_bias
        self.reach = 0  # rows that a pixel sees above and below, besides its window
        if self.joined.branches is not None:
            self.fuse_branches = torch.cat(self.joined.branches.fuse, dim=1)
            self.reach = max(1, *(column.shape[2] // 2 for column in self.joined.branches.columns))

    def forward(self, tokens):
        tokens = tokens.contiguous()
        out = torch.empty_like(tokens)
        for image, result in zip(tokens, out, strict=True):
            for start, stop in pairwise(_bands(*image.shape[:2], self.window)):
                self._band(image, start, stop, result)
        return out

    def _band(self, tokens, start, stop, out):
        """What the layer returns, into ``out``, in rows start ... stop of the rolled image."""
        pieces = _wrapped(start + self.shift, stop + self.shift, len(tokens))
        x = _cat([self._begin(tokens, rows, out[rows]) for rows in pieces], 0)
        self._add_attention(x, start, stop, out)
        opening, activation, closing = self.mlp
        for rows in pieces:
            flat = out[rows].view(-1, out.shape[-1])
            hidden = activation(opening(self.norm2(flat).to(self.dtype)))
            flat += closing.bias
            _add_product(flat, hidden, closing.weight)

    def _begin(self, tokens, rows, out):
        """These rows normalised; into ``out``: the tokens, and what the branches add to them."""
        torch.add(tokens[rows], self.fuse_bias, out=out)
        seen, *_ = _with_margin(rows, self.reach, len(tokens))
        x = self.norm1(tokens[seen]).to(self.dtype)
        rows = slice(rows.start - seen.start, rows.stop - seen.start)
        if self.joined.branches is not None:
            self._add_inception(x, rows, out)
        return x[rows]

    def _add_attention(self, x, start, stop, out):
        """Add fused attention of the windows in rows start ... stop, x, of the rolled image."""
        height, width, _ = out.shape
        edges = self._edges(start, stop, height), self._edges(0, width, width)
        for (top, bottom), (left, right) in product(*map(pairwise, edges)):
            rows = _wrapped(top + self.shift, bottom + self.shift, height)
            columns = _wrapped(left + self.shift, right + self.shift, width)
            bias = self.biases[2 * (bottom == height) + (right == width)]
            part = _cat([x[top - start : bottom - start, c] for c in columns], 1)
            mixed = self._attend(part, bias)
            for r, across in zip(rows, mixed.split([len(out[r]) for r in rows]), strict=True):
                widths = [c.stop - c.start for c in columns]
                for c, piece in zip(columns, across.split(widths, 1), strict=True):
                    out[r, c] += piece

    def _edges(self, start, stop, size):
        """Where windows with another mask begin between start and stop; and both of these."""
        last = size - self.window
        return [start, *([last] if self.shift and start < last < stop else []), stop]

    def _attend(self, x, bias):
        """Attention in whole windows and its share of the fusion: (h, w, C) -> (h, w, C)."""
        height, width, channels = x.shape
        n = self.window
        windows = x.unflatten(1, (-1, n)).unflatten(0, (-1, n)).transpose(1, 2)
        mixed = self._mix(windows.reshape(-1, channels), bias)
        mixed = mixed.view(height // n, width // n, n, n, channels).transpose(1, 2)
        return mixed.reshape(height, width, channels)

    def _mix(self, x, bias):
        """Attention within windows, one after the other: (windows·N, C) -> the same."""
        pixels = self.window**2
        if self.dtype != torch.float32:
            qkv = F.linear(x, self.joined.qkv, self.joined.qkv_bias)
            qkv = qkv.view(-1, pixels, 3, self.heads, qkv.shape[1] // (3 * self.heads))
            query, key, value = qkv.permute(2, 0, 3, 1, 4)
            mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
            mixed = mixed.transpose(1, 2).flatten(0, 1).flatten(1)
            return F.linear(mixed, self.joined.fuse_attention)
        # channels first, and pixels side by side: long rows, which products of 8 channels need
        width = self.joined.fuse_attention.shape[1]
        qkv = self.joined.qkv @ x.mT
        qkv[:width] += self.joined.qkv_bias[:, None]
        qkv[2 * width :].unflatten(0, (self.heads, -1))[:, -1] = 1
        qkv = qkv.unflatten(1, (-1, pixels)).transpose(0, 1)
        query, key, value = (
            part.unflatten(1, (self.heads, -1)).transpose(0, 1)
            for part in qkv.split([width, width, width + self.heads], dim=1)
        )
        mixed = x.new_empty(self.heads, width // self.heads, len(x) // pixels, pixels)
        for *parts, out in zip(query, key, value, bias[0], mixed, strict=True):
            _attend(*parts, out.transpose(0, 1))
        return mixed.view(width, -1).mT @ self.joined.fuse_attention.mT

    def _add_inception(self, x, rows, out):
        """Add the fused branches in these rows of x, whose margin ends where the image ends."""
        branches, flat = self.joined.branches, out.view(-1, out.shape[-1])
        pixels = x.view(-1, x.shape[-1])
        opened = torch.addmm(branches.opening_bias[:, None], branches.opening, pixels.mT)
        opened = opened.view(len(branches.fuse), -1, *x.shape[:2])
        filtered = []
        for branch, part in enumerate(opened):
            near, above, below = _with_margin(rows, branches.columns[branch].shape[2] // 2, len(x))
            filtered.append(_convolve(branches, branch, part[:, near], above, below))
        _add_product(flat, torch.cat(filtered).mT, self.fuse_branches)
        near, *_ = _with_margin(rows, 1, len(x))
        pooled = _pool(x[near])[rows.start - near.start :][: rows.stop - rows.start]
        _add_product(flat, pooled, branches.fuse_pooled)


def _attend(query, key, value, factors, out):
    """Write softmax(qᵀ k + bias) vᵀ of one head, as exp(qᵀ k) · exp(bias), divided by its sum.

    query, key, out (windows, D, N), value (windows, D + 1, N), whose last channel is 1 and sums up;
    factors (keys, queries).
    """
    weights = (key.mT @ query).exp_().mul_(factors)  # (windows, keys, queries)
    mixed, total = (value @ weights).split([query.shape[1], 1], dim=1)
    lowest, highest = total.aminmax()
    if lowest > SMALLEST and highest < torch.inf:
        torch.div(mixed, total, out=out)
        return
    # a softmax takes the largest score off first, which costs passes but keeps exp in range
    scores = key.mT @ query + factors.log()
    torch.matmul(value[:, :-1], scores.softmax(dim=1), out=out)


def _factors(bias):
    """What `_attend` multiplies by, (1, h, keys, queries), from a bias (1, h, queries, keys).

    Exactly 0 where a mask of -100 stands: exp(-100) is no normal number, which slows a CPU down.
    """
    factors = bias.mT.contiguous().exp()
    return factors.where(factors > torch.finfo(factors.dtype).tiny, 0)


def _for_exponentials(joined, heads):
    """The joined weights for `_attend`: queries divided by √D, room for ones behind the values.

    Only queries keep a bias. A key's adds the same to all scores of a query, which a softmax does
    not see. A value's comes out of the mean as it went in, and joins the bias of the fusion.
    """
    query, key, value = joined.qkv.chunk(3)
    query_bias, _, value_bias = joined.qkv_bias.chunk(3)
    scale = (len(query) // heads) ** -0.5
    value = F.pad(value.unflatten(0, (heads, -1)), (0, 0, 0, 1)).flatten(0, 1)
    return replace(
        joined,
        qkv=torch.cat([scale * query, key, value]),
        qkv_bias=scale * query_bias,
        fuse_bias=joined.fuse_bias + joined.fuse_attention @ value_bias,
    )


def _biases(attention, dtype):
    """For a window inside the image, at its right edge, at the bottom, in the corner: (1, h, N, N).

    The edges are those of the rolled image; without a shift the four are the same.
    """
    bias, window = attention.position_bias(torch.float32), attention.window
    if not attention.shift:
        return [bias[None].to(dtype)] * 4
    sides = (2 * window, 2 * window, window, attention.shift)  # an image of 2 × 2 windows has all
    return [(bias + mask)[None].to(dtype) for mask in shift_mask(*sides, bias.dtype, bias.device)]


def _bands(height, width, window):
    """Where bands of whole windows begin, and the image's height."""
    rows = max(1, BAND // (width * window)) * window
    return [*range(0, height, rows), height]


def _cat(parts, axis):
    """The parts side by side; a single one is not copied."""
    return torch.cat(parts, axis) if len(parts) > 1 else parts[0]


def _wrapped(start, stop, size):
    """The slices that start ... stop means on an axis behind whose end it begins anew."""
    if stop <= size:
        return [slice(start, stop)]
    return [slice(start, size), slice(0, stop - size)]


def _with_margin(rows, reach, size):
    """``rows`` and up to ``reach`` more on both sides; and how many are missing above, below."""
    first, last = rows.start - reach, rows.stop + reach
    return slice(max(first, 0), min(last, size)), max(-first, 0), max(last - size, 0)


def _convolve(branches, branch, image, above, below):
    """The row and the column convolution of a branch: (E, H, W) -> (E, h·W).

    The latter takes the margin away.
    """
    row, column = branches.rows[branch], branches.columns[branch]
    image = F.conv2d(image[None], row, branches.row_biases[branch], padding=(0, row.shape[3] // 2))
    if above or below:
        image = F.pad(image, (0, 0, above, below))
    return F.conv2d(image, column, branches.column_biases[branch])[0].flatten(1)


def _pool(x):
    """The maximum of 3×3 pixels, of those that are in the image: first down, then across."""
    return _maximum_of_three(_maximum_of_three(x, 0), 1)


def _maximum_of_three(x, axis):
    """Of each value, the one before it and the one after it, where there are such."""
    last = x.shape[axis] - 1
    out = x.clone()
    for here, there in ((1, 0), (0, 1)):
        part = out.narrow(axis, here, last)
        torch.maximum(part, x.narrow(axis, there, last), out=part)
    return out


def _add_product(total, x, weight):
    """total (n, C) += x (..., E) weightᵀ, in one step where they have one precision."""
    x = x.reshape(len(total), -1)
    if total.dtype == x.dtype:
        total.addmm_(x, weight.mT)
    else:
        total += F.linear(x, weight)
