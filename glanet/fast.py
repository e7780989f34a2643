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

from dataclasses import dataclass, fields, replace
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
    """The weights of a GLA layer, joined and padded.

    C channels; h heads of D, three branches of E channels, padding included. Queries are scaled so
    that attention, which divides by √D, divides by the √d of the heads as they are.
    """

    qkv: Tensor  # (3·h·D, C)
    qkv_bias: Tensor
    fuse_attention: Tensor  # (C, h·D)
    fuse_bias: Tensor
    branches: "JoinedBranches | None"  # None in a layer without Inception


@dataclass(frozen=True)
class JoinedBranches:
    """The weights of Inception in a `Joined` layer; a tuple has an entry for each of 3, 5, 7."""

    opening: Tensor  # (3·E, C), the 1×1 convolutions that come first
    opening_bias: Tensor
    rows: tuple[Tensor, ...]  # (E, E, 1, k)
    row_biases: tuple[Tensor, ...]
    columns: tuple[Tensor, ...]  # (E, E, k, 1)
    column_biases: tuple[Tensor, ...]
    fuse_pooled: Tensor  # (C, C)
    fuse: tuple[Tensor, ...]  # (C, E)


def fast_layers(model: nn.Module) -> nn.Module:
    """Let each GLA layer compute by joined products; returns the model, which is changed in place.

    Parameters, their names and gradients, and outputs stay as they are, up to rounding. In
    training, weights are joined anew in each forward pass, so gradients reach the parameters. A
    layer of another kind, or without attention, computes as before. Hooks on the parts of a layer
    are no longer called.
    """
    for module in model.modules():
        if can_join(module):
            module.forward = MethodType(_forward, module)
    return model


def is_fast(module: nn.Module) -> bool:
    """Whether `fast_layers` changed this layer."""
    return getattr(vars(module).get("forward"), "__func__", None) is _forward


def can_join(module: nn.Module) -> bool:
    """Whether a module is a GLA layer with attention; a subclass may be something else."""
    return (
        type(module) is GLALayer
        and module.attention is not None
        and (module.inception is None or type(module.inception) is Inception)
    )


def join(layer: GLALayer, multiple: int = ALIGNED) -> Joined:
    """The joined weights of a layer, through which gradients reach its parameters.

    Heads and branches are padded to a multiple of so many channels.
    """
    attention = layer.attention
    proj, bias = attention.proj.weight, attention.proj.bias
    branches = None
    # in training in bf16, what is folded is rounded once, as other weights are
    with torch.autocast(proj.device.type, enabled=False):
        if layer.inception is not None:
            (pooled, *convolutional), channels = layer.inception.branches, len(proj)
            widths = [channels, len(pooled[1].bias), *(len(part[1].bias) for part in convolutional)]
            fuse, fuse_pooled, *fuse_branches = layer.fuse.weight.split(widths, dim=1)
            bias = layer.fuse.bias + fuse @ bias + fuse_pooled @ pooled[1].bias
            proj = fuse @ proj
            branches = _join_branches(
                convolutional, fuse_pooled @ pooled[1].weight, fuse_branches, multiple
            )
        return Joined(
            qkv=_padded_heads(attention.qkv.weight, attention.heads, multiple),
            qkv_bias=_padded_heads(attention.qkv.bias, attention.heads, multiple),
            fuse_attention=_padded(proj.unflatten(1, (attention.heads, -1)), multiple, 2).flatten(
                1
            ),
            fuse_bias=bias,
            branches=branches,
        )


def _join_branches(branches, fuse_pooled, fuse, multiple):
    openings, rows, columns = zip(*branches, strict=True)
    return JoinedBranches(
        opening=torch.cat([_padded(opening.weight, multiple, 0) for opening in openings]),
        opening_bias=torch.cat([_padded(opening.bias, multiple, 0) for opening in openings]),
        rows=tuple(_padded(conv.weight, multiple, 0, 1) for conv in rows),
        row_biases=tuple(_padded(conv.bias, multiple, 0) for conv in rows),
        columns=tuple(_padded(conv.weight, multiple, 0, 1) for conv in columns),
        column_biases=tuple(_padded(conv.bias, multiple, 0) for conv in columns),
        fuse_pooled=fuse_pooled,
        fuse=tuple(_padded(weight, multiple, 1) for weight in fuse),
    )


def cast(joined: Joined, dtype: torch.dtype) -> Joined:
    """The same weights in another precision."""
    if joined is None:
        return None
    if isinstance(joined, Tensor):
        return joined.to(dtype)
    if isinstance(joined, tuple):
        return tuple(cast(part, dtype) for part in joined)
    parts = {field.name: cast(getattr(joined, field.name), dtype) for field in fields(joined)}
    return replace(joined, **parts)


def _padded_heads(tensor, heads, multiple):
    """(3·h·d, ...) -> (3·h·D, ...), the queries scaled by √(D / d)."""
    parts = tensor.unflatten(0, (3, heads, -1))
    padded = _padded(parts, multiple, 2)
    scale = (padded.shape[2] / parts.shape[2]) ** 0.5
    return torch.cat([scale * padded[:1], padded[1:]]).flatten(0, 2)


def _padded(tensor, multiple, *axes):
    """Zeros appended to these axes, up to a multiple."""
    for axis in axes:
        behind = tensor.ndim - 1 - axis
        tensor = F.pad(tensor, (0, 0) * behind + (0, -tensor.shape[axis] % multiple))
    return tensor


def _forward(layer, tokens):
    """What `GLALayer.forward` returns."""
    return compute(layer, join(layer), tokens)


def compute(layer: GLALayer, joined: Joined, tokens: Tensor) -> Tensor:
    """The layer by its joined weights: tokens (B, H, W, C) -> tokens (B, H, W, C)."""
    x = layer.norm1(tokens)
    qkv, local = _open(joined, x)
    mixed = _attend(layer.attention, qkv)  # Z, before its last product
    features = F.linear(mixed, joined.fuse_attention, joined.fuse_bias)
    if joined.branches is not None:
        pooled = layer.inception.branches[0][0](x)
        features = features + F.linear(pooled, joined.branches.fuse_pooled)
        for branch, part in enumerate(local.chunk(len(joined.branches.fuse), dim=-1)):
            filtered = _convolve(joined.branches, branch, part)
            features = features + F.linear(filtered, joined.branches.fuse[branch])
    tokens = tokens + layer.drop(features)
    return tokens + layer.drop(layer.mlp(layer.norm2(tokens)))


def _open(joined, x):
    """All that reads x first, in one product: (B, H, W, 3·h·D) and (B, H, W, 3·E) or None."""
    if joined.branches is None:
        return F.linear(x, joined.qkv, joined.qkv_bias), None
    weight = torch.cat([joined.qkv, joined.branches.opening])
    bias = torch.cat([joined.qkv_bias, joined.branches.opening_bias])
    return F.linear(x, weight, bias).tensor_split([len(joined.qkv)], dim=-1)


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


def _convolve(branches, branch, tokens):
    """The row and the column convolution of a branch: (B, H, W, E) -> (B, H, W, E)."""
    row, column = branches.rows[branch], branches.columns[branch]
    image = tokens.permute(0, 3, 1, 2)
    image = F.conv2d(image, row, branches.row_biases[branch], padding=(0, row.shape[3] // 2))
    beyond = column.shape[2] // 2
    image = F.conv2d(image, column, branches.column_biases[branch], padding=(beyond, 0))
    return image.permute(0, 2, 3, 1)
