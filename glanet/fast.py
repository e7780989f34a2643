"""A GLA layer as fewer, wider and aligned products: a second reading of the same parameters.

`GLALayer` computes what Fig. 2b and 3 draw, one box after the other. Linear boxes in a row are one
matrix, and boxes that read the same tokens are one product. Here a layer's weights are joined so,
exactly:

- queries, keys, values and the 1×1 convolutions that open three branches: one product;
- attention's last product, and the max-pooling branch's 1×1: into the fusion's columns for them;
- the fusion of a concatenation: a sum of products, and no concatenation.

Each head and branch gets zeros up to a multiple of `ALIGNED` channels. What a layer returns and the
gradients of its parameters stay the same; its parameters and their names do, too.
"""

from dataclasses import dataclass
from types import MethodType

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from glanet.model.inception import Inception
from glanet.model.layer import GLALayer

# channels: tensor cores take rows of 16 bytes, which are 8 values in bf16; a CPU's registers hold
# 8 or 16 in float32
ALIGNED = 8


@dataclass(frozen=True)
class Joined:
    """The weights of a GLA layer with both attention and Inception, joined and padded.

    C channels; h heads of D, three branches of E channels, padding included. Queries are scaled so
    that attention, which divides by √D, divides by the √d of the heads as they are.
    """

    qkv: Tensor  # (3·h·D, C)
    qkv_bias: Tensor
    opening: Tensor  # (3·E, C), the 1×1 of the branches 3, 5 and 7
    opening_bias: Tensor
    rows: tuple[Tensor, ...]  # for each branch (E, E, 1, k)
    row_biases: tuple[Tensor, ...]
    columns: tuple[Tensor, ...]  # for each branch (E, E, k, 1)
    column_biases: tuple[Tensor, ...]
    fuse_attention: Tensor  # (C, h·D)
    fuse_pooled: Tensor  # (C, C)
    fuse_branches: tuple[Tensor, ...]  # for each branch (C, E)
    fuse_bias: Tensor


def fast_layers(model: nn.Module) -> nn.Module:
    """Let each GLA layer compute by joined products; returns the model, which is changed in place.

    Parameters, their names and gradients, and outputs stay as they are, up to rounding. In
    training, weights are joined anew in each forward pass, so gradients reach the parameters. A
    layer of another kind, or without attention or Inception, computes as before. Hooks on the parts
    of a layer are no longer called.
    """
    for module in model.modules():
        if can_join(module):
            module.forward = MethodType(_forward, module)
    return model


def can_join(module: nn.Module) -> bool:
    """Whether a module is a GLA layer as the paper has it; a subclass may be something else."""
    return (
        type(module) is GLALayer
        and module.attention is not None
        and type(module.inception) is Inception
    )


def join(layer: GLALayer) -> Joined:
    """The joined weights of a layer, through which gradients reach its parameters."""
    attention, (pooled, *branches) = layer.attention, layer.inception.branches
    openings, rows, columns = zip(*branches, strict=True)
    widths = [len(attention.proj.weight), *(len(part[1].bias) for part in (pooled, *branches))]
    # folded weights are rounded once, as the others are
    with torch.autocast(layer.fuse.weight.device.type, enabled=False):
        from_attention, from_pooled, *from_branches = layer.fuse.weight.split(widths, dim=1)
        proj = attention.proj.weight.unflatten(1, (attention.heads, -1))
        proj = _aligned(proj, 2).flatten(1)
        return Joined(
            qkv=_padded_heads(attention.qkv.weight, attention.heads),
            qkv_bias=_padded_heads(attention.qkv.bias, attention.heads),
            opening=torch.cat([_aligned(opening.weight, 0) for opening in openings]),
            opening_bias=torch.cat([_aligned(opening.bias, 0) for opening in openings]),
            rows=tuple(_aligned(conv.weight, 0, 1) for conv in rows),
            row_biases=tuple(_aligned(conv.bias, 0) for conv in rows),
            columns=tuple(_aligned(conv.weight, 0, 1) for conv in columns),
            column_biases=tuple(_aligned(conv.bias, 0) for conv in columns),
            fuse_attention=from_attention @ proj,
            fuse_pooled=from_pooled @ pooled[1].weight,
            fuse_branches=tuple(_aligned(weight, 1) for weight in from_branches),
            fuse_bias=layer.fuse.bias
            + from_attention @ attention.proj.bias
            + from_pooled @ pooled[1].bias,
        )


def _padded_heads(tensor, heads):
    """(3·h·d, ...) -> (3·h·D, ...), the queries scaled by √(D / d)."""
    parts = tensor.unflatten(0, (3, heads, -1))
    padded = _aligned(parts, 2)
    scale = (padded.shape[2] / parts.shape[2]) ** 0.5
    return torch.cat([scale * padded[:1], padded[1:]]).flatten(0, 2)


def _aligned(tensor, *axes):
    """Zeros appended to these axes, up to a multiple of `ALIGNED`."""
    for axis in axes:
        behind = tensor.ndim - 1 - axis
        tensor = F.pad(tensor, (0, 0) * behind + (0, -tensor.shape[axis] % ALIGNED))
    return tensor


def _forward(layer, tokens):
    """What `GLALayer.forward` returns: tokens (B, H, W, C) -> tokens (B, H, W, C)."""
    joined = join(layer)
    x = layer.norm1(tokens)
    weight = torch.cat([joined.qkv, joined.opening])
    opened = F.linear(x, weight, torch.cat([joined.qkv_bias, joined.opening_bias]))
    qkv, local = opened.split([len(joined.qkv), len(joined.opening)], dim=-1)
    mixed = _attend(layer.attention, qkv)  # Z, before its last product
    features = F.linear(mixed, joined.fuse_attention, joined.fuse_bias)
    pooled = layer.inception.branches[0][0](x)
    features = features + F.linear(pooled, joined.fuse_pooled)
    for branch, part in enumerate(local.chunk(len(joined.rows), dim=-1)):
        filtered = _convolve(joined, branch, part)
        features = features + F.linear(filtered, joined.fuse_branches[branch])
    tokens = tokens + layer.drop(features)
    return tokens + layer.drop(layer.mlp(layer.norm2(tokens)))


def _attend(attention, qkv):
    """Window attention without its products: (B, H, W, 3·h·D) -> (B, H, W, h·D)."""
    height, width = qkv.shape[1:3]
    if attention.shift:  # rolling before a product or after it is the same
        qkv = qkv.roll((-attention.shift, -attention.shift), dims=(1, 2))
    query, key, value = rearrange(
        qkv,
        "b (y i) (x j) (three heads d) -> three b (y x) heads (i j) d",
        i=attention.window,
        j=attention.window,
        three=3,
        heads=attention.heads,
    )
    bias = attention.bias(height, width, query.dtype)
    mixed = rearrange(
        attention.attend(query, key, value, bias),
        "b (y x) heads (i j) d -> b (y i) (x j) (heads d)",
        y=height // attention.window,
        i=attention.window,
    )
    if attention.shift:
        mixed = mixed.roll((attention.shift, attention.shift), dims=(1, 2))
    return mixed


def _convolve(joined, branch, tokens):
    """The row and the column convolution of a branch: (B, H, W, E) -> (B, H, W, E)."""
    row, column = joined.rows[branch], joined.columns[branch]
    images = tokens.permute(0, 3, 1, 2)
    images = F.conv2d(images, row, joined.row_biases[branch], padding=(0, row.shape[3] // 2))
    images = F.conv2d(
        images, column, joined.column_biases[branch], padding=(column.shape[2] // 2, 0)
    )
    return images.permute(0, 2, 3, 1)
