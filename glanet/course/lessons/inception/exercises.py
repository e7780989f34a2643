"""Exercises of notebook 04: max-pooling, a branch, its composed kernel, the whole module."""

import re

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from glanet.course.kit.checks import (
    AnswerError,
    Exercise,
    random_weights,
    run_module,
    trains_alike,
)
from glanet.model import inception
from glanet.model.tokens import TokenConv, TokenConv1x1, TokenMaxPool


def _tensor(rng, *shape):
    return torch.from_numpy(rng.standard_normal(shape))


READS_IMAGES = "nn.Conv2d reads images, (B, C, H, W): use TokenConv, which reads tokens"


def run_in_any_order(cls, settings, weights, *inputs):
    """`run_module`, also for a class whose steps or branches are in another order.

    The weights of such a class have the right shapes, and their names differ only in the numbers.
    Each then gets the next given weight of its shape. So the class runs, and its answer shows its
    order.

    Raises:
        AnswerError: as `run_module`; or the class fails with steps of PyTorch's own classes.
    """
    module = cls(*settings)
    own = module.state_dict() if isinstance(module, nn.Module) else {}
    if _names(own) == _names(weights) and _shapes(own) == _shapes(weights):
        left = list(weights.values())
        for name, tensor in own.items():
            position = next(i for i, other in enumerate(left) if other.shape == tensor.shape)
            own[name] = left.pop(position)
        weights = own
    try:
        return run_module(cls, settings, weights, *inputs)
    except RuntimeError as error:
        if any(type(step) is nn.Conv2d for step in module.modules()):
            raise AnswerError(READS_IMAGES) from error
        raise


def _names(state):
    return {re.sub(r"\d+", "i", name) for name in state}


def _shapes(state):
    return sorted(tuple(tensor.shape) for tensor in state.values())


# Exercise 1

FORBIDDEN = "pooling functions are not allowed here: pad, cut nine slices, take the largest"


def _draw_tokens(rng):
    # the first is so negative that any number in the padding is larger, except -inf
    return [
        (-1e12 * _tensor(rng, 1, 4, 7, 5).abs(),),
        (_tensor(rng, 2, 5, 6, 4),),
        (_tensor(rng, 1, 3, 4, 2).float(),),
    ]


class _NoPooling(TorchDispatchMode):
    """Where this is active, pooling raises AnswerError."""

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        if "pool" in str(operation):
            raise AnswerError(FORBIDDEN)
        return operation(*arguments, **(options or {}))


def _without_pooling(function, tokens):
    with _NoPooling():
        return function(tokens)


def nine_of(tokens, value=-torch.inf):
    """Each pixel's 3×3 neighbourhood, row by row: (B, H, W, C) -> (9, B, H, W, C)."""
    height, width = tokens.shape[1:3]
    padded = F.pad(tokens, (0, 0, 1, 1, 1, 1), value=value)
    return torch.stack(
        [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    )


def largest_of_nine(tokens):
    """The maximum of the 3×3 pixels around each pixel: tokens (B, H, W, C) -> the same shape."""
    return nine_of(tokens).amax(0)


largest_of_nine.__name__ = "max_pool"  # the name in the messages to a learner


def _of(*places):
    """The largest of some of the nine, numbered row by row."""
    return lambda tokens: nine_of(tokens)[list(places)].amax(0)


def _padded_by(value):
    return lambda tokens: nine_of(tokens, value).amax(0)


def _by_rolls(tokens):
    shifts = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    return torch.stack([tokens.roll(shift, dims=(1, 2)) for shift in shifts]).amax(0)


def _padded_channels(tokens):
    height, width = tokens.shape[1:3]
    padded = F.pad(tokens, (1, 1, 1, 1), value=-torch.inf)
    return torch.stack(
        [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    )


def _columns_and_channels(tokens):
    moved = rearrange(tokens, "b h w c -> b w c h")
    return rearrange(largest_of_nine(moved), "b w c h -> b h w c")


max_pool = Exercise(
    "inception",
    "max_pool",
    largest_of_nine,
    _draw_tokens,
    {
        FORBIDDEN: TokenMaxPool(kernel_size=3, stride=1, padding=1),
        "the padding holds 0, which is larger than any negative number: pad with -inf": (
            _padded_by(0.0)
        ),
        **{
            f"the padding holds {value:,}, which is larger than some numbers: pad with -inf": (
                _padded_by(value)
            )
            for value in (-1, -10, -100, -999, -1000, -10_000, -100_000, -1_000_000, -1_000_000_000)
        },
        "the border is lost: pad one row or column of -inf on each of the four sides": (
            lambda tokens: largest_of_nine(tokens)[:, 1:-1, 1:-1]
        ),
        "it looks left and right, but not up and down: use all nine pixels": _of(3, 4, 5),
        "it looks up and down, but not left and right: use all nine pixels": _of(1, 4, 7),
        "the four diagonal neighbours are missing: use all nine pixels": _of(1, 3, 4, 5, 7),
        "only the diagonal neighbours count: use all nine pixels": _of(0, 2, 4, 6, 8),
        "the pixel itself is missing: it is one of the nine": _of(0, 1, 2, 3, 5, 6, 7, 8),
        "it looks down and to the right only: use all nine pixels": _of(4, 5, 7, 8),
        "it looks up and to the left only: use all nine pixels": _of(0, 1, 3, 4),
        "it looks two pixels far: the 3×3 pixels reach one pixel far": (
            lambda tokens: largest_of_nine(largest_of_nine(tokens))
        ),
        "it pools over columns and channels: tokens are (B, H, W, C), so rows and columns are "
        "axes 1 and 2": _columns_and_channels,
        "pixels wrap around to the opposite side, as with torch.roll: pad instead": _by_rolls,
        "it moves three pixels at a time: move by one, which keeps the size": (
            lambda tokens: largest_of_nine(tokens)[:, ::3, ::3]
        ),
        "this is the smallest of the nine: take the largest": (
            lambda tokens: -largest_of_nine(-tokens)
        ),
        "this is the mean of the nine: take the largest": (
            lambda tokens: nine_of(tokens, 0.0).mean(0)
        ),
        "this is the mean of the nine, -inf where they reach beyond the border: take the largest": (
            lambda tokens: nine_of(tokens).mean(0)
        ),
        "this is the sum of the nine: take the largest": lambda tokens: nine_of(tokens, 0.0).sum(0),
        "the maximum is taken over the channels, too: take it in each channel separately": (
            lambda tokens: largest_of_nine(tokens).amax(-1, keepdim=True).expand(tokens.shape)
        ),
        "these are the nine slices: take the largest along their axis, .amax(0)": nine_of,
        "this is one number: .amax() needs the axis of the nine, .amax(0)": torch.amax,
        "max(0) gives values and their places: take .values, or use amax(0)": (
            lambda tokens: torch.stack([*nine_of(tokens).max(0)])
        ),
        "these are the places of the largest: return the numbers, .amax(0)": (
            lambda tokens: nine_of(tokens).argmax(0)
        ),
        "the channels come before rows and columns: return tokens, (B, H, W, C)": (
            lambda tokens: rearrange(largest_of_nine(tokens), "b h w c -> b c h w")
        ),
        "rows or columns are missing at the border: F.pad counts axes from the last, so tokens "
        "need (0, 0, 1, 1, 1, 1)": _padded_channels,
        "torch.cat joins the nine along the batch: torch.stack makes an axis for them": (
            lambda tokens: nine_of(tokens).flatten(0, 1).amax(0)
        ),
    },
    run=_without_pooling,
)


# Exercise 2


# the notebook uses branches in both float types
FLOATS = torch.float32, torch.float64


def _draw_branches(rng):
    shapes = (5, 4, 3, (2, 6, 7)), (6, 3, 7, (1, 9, 8))
    return [
        (
            (c, w, k),
            random_weights(inception.ConvBranch(c, w, k), rng),
            _tensor(rng, *size, c).to(dtype),
        )
        for (c, w, k, size), dtype in zip(shapes, FLOATS, strict=True)
    ]


def _steps(make):
    """A stand-in for a class: builds the steps of ``make(channels, width, kernel_size)``."""
    return lambda *settings: nn.Sequential(*make(*settings))


def _row(width, k, padding):
    return TokenConv(width, width, kernel_size=(1, k), padding=padding)


def _column(width, k, padding):
    return TokenConv(width, width, kernel_size=(k, 1), padding=padding)


def _padded(row, column, mode="zeros"):
    """A branch whose row and column are padded by ``row(k)`` and ``column(k)``."""

    def make(c, w, k):
        steps = TokenConv1x1(c, w), _row(w, k, row(k)), _column(w, k, column(k))
        for step in steps[1:]:
            step.padding_mode = mode
        return steps

    return _steps(make)


def _right_padding(mode):
    return _padded(lambda k: (0, k // 2), lambda k: (k // 2, 0), mode)


def _forward(forward, cls=inception.ConvBranch):
    """``cls`` with another forward."""
    return type("Mistaken", (cls,), {"forward": forward})


def _step_by_step(branch, tokens):
    for step in branch:
        tokens = step(tokens)
    return tokens


def _activated(activation, places):
    """A branch with an activation after the steps whose numbers are in ``places``."""

    def make(c, w, k):
        for number, step in enumerate(inception.ConvBranch(c, w, k)):
            yield step
            if number in places:
                yield activation()

    return _steps(make)


ConvBranch = Exercise(
    "inception",
    "ConvBranch",
    inception.ConvBranch,
    _draw_branches,
    {
        "the column comes before the row: kernel_size is (height, width), so (1, kernel_size) is "
        "the row, and it goes first": _steps(
            lambda c, w, k: (
                TokenConv1x1(c, w),
                _column(w, k, (k // 2, 0)),
                _row(w, k, (0, k // 2)),
            )
        ),
        "the two paddings are exchanged. The size is right, but the border is wrong: "
        "the row needs padding (0, pad), the column (pad, 0)": _padded(
            lambda k: (k // 2, 0), lambda k: (0, k // 2)
        ),
        "nothing is padded, so the map shrinks: a kernel of k needs k // 2 on each side": (
            _padded(lambda k: 0, lambda k: 0)
        ),
        "the padding is always 1: a kernel of k needs k // 2 on each side": _padded(
            lambda k: (0, 1), lambda k: (1, 0)
        ),
        "the padding is 1 too large, so the map grows: a kernel of k needs k // 2 on each side": (
            _padded(lambda k: (0, k // 2 + 1), lambda k: (k // 2 + 1, 0))
        ),
        "both steps are padded on all four sides, so the map grows: a row needs padding left and "
        "right, a column above and below": _padded(lambda k: k // 2, lambda k: k // 2),
        "the padding is a whole kernel, so the map grows: k // 2 on each side is enough": (
            _padded(lambda k: (0, k), lambda k: (k, 0))
        ),
        "the padding is always 3: a kernel of k needs k // 2 on each side": _padded(
            lambda k: (0, 3), lambda k: (3, 0)
        ),
        "the column is not padded, so rows are lost: it needs padding (pad, 0)": _padded(
            lambda k: (0, k // 2), lambda k: 0
        ),
        "the row is not padded, so columns are lost: it needs padding (0, pad)": _padded(
            lambda k: 0, lambda k: (k // 2, 0)
        ),
        "the padding mirrors the map: leave padding_mode, which pads with zeros": (
            _right_padding("reflect")
        ),
        "the padding repeats the border: leave padding_mode, which pads with zeros": (
            _right_padding("replicate")
        ),
        "the padding wraps around: leave padding_mode, which pads with zeros": (
            _right_padding("circular")
        ),
        "the output of the 1×1 is added: a branch has no residual": _forward(
            lambda self, tokens: self[0](tokens) + _step_by_step(self, tokens)
        ),
        "there is a max-pooling first: only the first branch of Inception has one": _forward(
            lambda self, tokens: _step_by_step(self, largest_of_nine(tokens))
        ),
        READS_IMAGES: _steps(
            lambda c, w, k: (
                TokenConv1x1(c, w),
                nn.Conv2d(w, w, (1, k), padding=(0, k // 2)),
                nn.Conv2d(w, w, (k, 1), padding=(k // 2, 0)),
            )
        ),
        **{
            f"there is a {activation.__name__} {where}: a branch has no activation": _activated(
                activation, places
            )
            for activation in (nn.ReLU, nn.GELU, nn.LeakyReLU)
            for where, places in {
                "after the 1×1": {0},
                "between row and column": {1},
                "after the 1×1 and one after the row": {0, 1},
                "after the column": {2},
                "after each step": {0, 1, 2},
            }.items()
        },
    },
    run=run_in_any_order,
    also=trains_alike,
    tolerance=1e-5,
)


# Exercise 3


def compose_by_einsum(first, row, column):
    """The single kernel that equals the three steps of a branch, without their biases.

    first (width, C), row (width, width, 1, k), column (width, width, k, 1) -> (width, C, k, k).
    """
    return torch.einsum("onu, nmv, mi -> oiuv", column[..., 0], row[:, :, 0], first)


def _draw_kernels(rng):
    shapes = (5, 3, 3), (4, 2, 5)
    return [
        tuple(_tensor(rng, *shape).to(dtype) for shape in ((w, c), (w, w, 1, k), (w, w, k, 1)))
        for (c, w, k), dtype in zip(shapes, FLOATS, strict=True)
    ]


def _einsum(equation):
    """`compose_by_einsum` with another equation for column, row and first."""
    return lambda first, row, column: torch.einsum(equation, column[..., 0], row[:, :, 0], first)


compose = Exercise(
    "inception",
    "compose",
    compose_by_einsum,
    _draw_kernels,
    {
        "the kernel is transposed: the column of weights lies along axis 2, the row of weights "
        "along axis 3": _einsum("onu, nmv, mi -> oivu"),
        "the axes of outputs and inputs are exchanged: outputs come first": _einsum(
            "onu, nmv, mi -> iouv"
        ),
        "row and column are exchanged: the outputs of the row are the inputs of the column": (
            lambda first, row, column: torch.einsum(
                "onv, nmu, mi -> oiuv", row[:, :, 0], column[..., 0], first
            )
        ),
        "the row's outputs and inputs are exchanged: weights are (out, in, ...)": (
            _einsum("onu, mnv, mi -> oiuv")
        ),
        "the column's outputs and inputs are exchanged: weights are (out, in, ...)": (
            _einsum("nou, nmv, mi -> oiuv")
        ),
        "each output reads only one channel of the row: sum over all of them": _einsum(
            "omu, omv, mi -> oiuv"
        ),
        "the 1×1 is missing: its weights map the C input channels to the width": (
            lambda first, row, column: torch.einsum(
                "onu, nmv -> omuv", column[..., 0], row[:, :, 0]
            )
        ),
        "row's and column's outputs and inputs are exchanged: weights are (out, in, ...)": (
            _einsum("nou, mnv, mi -> oiuv")
        ),
        "row and column share no channel: the outputs n of the row are the inputs of the column": (
            _einsum("oau, nmv, mi -> oiuv")
        ),
        "row and column are joined by the row's inputs: the outputs n of the row are the inputs of "
        "the column": _einsum("omu, nmv, mi -> oiuv"),
        "the row joins each channel with itself only: sum over m and n separately": (
            _einsum("onu, nnv, ni -> oiuv")
        ),
        "the paths are not added up: sum over m and n": _einsum("onu, nmv, mi -> oiuvnm"),
        "this is the mean over the paths: sum over m and n": lambda first, row, column: (
            compose_by_einsum(first, row, column) / len(first) ** 2
        ),
        "the column is missing: multiply by its weights": lambda first, row, column: torch.einsum(
            "nmv, mi -> niv", row[:, :, 0], first
        ),
        "the row is missing: multiply by its weights": lambda first, row, column: torch.einsum(
            "onu, ni -> oiu", column[..., 0], first
        ),
        "the axes of the kernel come first: the shape is (width, C, k, k)": (
            _einsum("onu, nmv, mi -> uvoi")
        ),
        "the kernel is flipped: conv2d does not flip kernels, so flip neither row nor column": (
            lambda *weights: compose_by_einsum(*weights).flip(2, 3)
        ),
        "the row is flipped: conv2d does not flip kernels": (
            lambda *weights: compose_by_einsum(*weights).flip(3)
        ),
        "the column is flipped: conv2d does not flip kernels": (
            lambda *weights: compose_by_einsum(*weights).flip(2)
        ),
        "row and column are added: two steps in a row multiply their weights": (
            lambda first, row, column: torch.einsum(
                "onmuv, mi -> oiuv",
                column[:, :, None] + row[None],
                first,
            )
        ),
    },
    tolerance=1e-5,  # float32
)


# Exercise 4


def _draw_modules(rng):
    shapes = (8, (2, 8, 9)), (12, (1, 10, 8))
    return [
        ((c,), random_weights(inception.Inception(c), rng), _tensor(rng, *size, c).to(dtype))
        for (c, size), dtype in zip(shapes, FLOATS, strict=True)
    ]


def _reordered(order):
    """Inception with its branches in another order."""

    def build(channels):
        module = inception.Inception(channels)
        module.branches = nn.ModuleList(module.branches[i] for i in order)
        return module

    return build


def _joined(join):
    """Inception whose forward is ``join(branches, tokens)``."""

    return _forward(lambda self, tokens: join(self.branches, tokens), inception.Inception)


def _outputs(branches, tokens):
    return [branch(tokens) for branch in branches]


Inception = Exercise(
    "inception",
    "Inception",
    inception.Inception,
    _draw_modules,
    {
        "the maximum comes last: the order is max, 3, 5, 7": _reordered((1, 2, 3, 0)),
        "the kernels are in descending order: the order is max, 3, 5, 7": _reordered((0, 3, 2, 1)),
        "the order is reversed: it is max, 3, 5, 7": _reordered((3, 2, 1, 0)),
        **{
            message: _joined(
                lambda branches, tokens, order=order: torch.cat(
                    [branches[i](tokens) for i in order], -1
                )
            )
            for message, order in {
                "7 comes before 5: the order is max, 3, 5, 7": (0, 1, 3, 2),
                "5 comes before 3: the order is max, 3, 5, 7": (0, 2, 1, 3),
                "3 comes before max: the order is max, 3, 5, 7": (1, 0, 2, 3),
                "the max branch is joined twice and 3 is missing: the order is max, 3, 5, 7": (
                    (0, 0, 2, 3)
                ),
                "the max branch is missing: the order is max, 3, 5, 7": (1, 2, 3),
                "the last branch is missing: the order is max, 3, 5, 7": (0, 1, 2),
            }.items()
        },
        "the four outputs are not joined yet: use torch.cat(..., dim=-1)": _joined(
            lambda branches, tokens: torch.stack(_outputs(branches, tokens))
        ),
        "torch.stack makes a new axis: torch.cat joins along the channels": _joined(
            lambda branches, tokens: torch.stack(_outputs(branches, tokens), -1)
        ),
        "the outputs are joined along the batch: the channels are the last axis, dim=-1": _joined(
            lambda branches, tokens: torch.cat(_outputs(branches, tokens))
        ),
        "this is the mean of the outputs: join them along the channels": _joined(
            lambda branches, tokens: torch.stack(_outputs(branches, tokens)).mean(0)
        ),
        "this is the output of the last branch alone: join all four": _joined(
            lambda branches, tokens: branches[-1](tokens)
        ),
        "these are images, (B, C, H, W): return tokens, (B, H, W, C)": _joined(
            lambda branches, tokens: torch.cat(_outputs(branches, tokens), -1).permute(0, 3, 1, 2)
        ),
        "the outputs are joined in reverse: the order is max, 3, 5, 7": _joined(
            lambda branches, tokens: torch.cat(_outputs(branches, tokens)[::-1], -1)
        ),
        "the outputs are joined along the rows: the channels are the last axis, dim=-1": (
            _joined(lambda branches, tokens: torch.cat(_outputs(branches, tokens), 1))
        ),
        "the outputs are joined along the columns: the channels are the last axis, dim=-1": _joined(
            lambda branches, tokens: torch.cat(_outputs(branches, tokens), 2)
        ),
        "the outputs are added: join them, so that the next step can weight each of them": _joined(
            lambda branches, tokens: sum(_outputs(branches, tokens))
        ),
        "the outputs alternate by channel: join all of one branch, then all of the next": (
            _joined(lambda branches, tokens: torch.stack(_outputs(branches, tokens), -1).flatten(3))
        ),
        "the input is added: Inception has no residual; the layer around it has one": _joined(
            lambda branches, tokens: tokens + torch.cat(_outputs(branches, tokens), -1)
        ),
        **{
            f"there is a {activation.__name__} at the end: Inception has no activation": _joined(
                lambda branches, tokens, activate=activation: activate()(
                    torch.cat(_outputs(branches, tokens), -1)
                )
            )
            for activation in (nn.ReLU, nn.GELU, nn.LeakyReLU)
        },
        "a branch gets a quarter of the channels: each branch reads all channels of the same "
        "tokens": _joined(lambda branches, tokens: nn.Sequential(*branches)(tokens)),
    },
    run=run_in_any_order,
    also=trains_alike,
    tolerance=1e-5,
)
