"""Exercises of notebook 04: max-pooling, a branch, its composed kernel, the whole module."""

import re

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

from glanet.course.kit.checks import Exercise, random_weights, run_module
from glanet.model import inception
from glanet.model.tokens import TokenConv, TokenConv1x1, TokenMaxPool


def _tensor(rng, *shape):
    return torch.from_numpy(rng.standard_normal(shape))


def run_in_any_order(cls, settings, weights, *inputs):
    """`run_module`, also for a class whose steps or branches are in another order.

    The weights of such a class have the right shapes, and their names differ only in the numbers.
    Each then gets the next given weight of its shape. So the class runs, and its answer shows its
    order.

    Raises:
        ValueError: as `run_module`.
    """
    own = cls(*settings).state_dict()
    if _names(own) == _names(weights) and _shapes(own) == _shapes(weights):
        left = list(weights.values())
        for name, tensor in own.items():
            position = next(i for i, other in enumerate(left) if other.shape == tensor.shape)
            own[name] = left.pop(position)
        weights = own
    return run_module(cls, settings, weights, *inputs)


def _names(state):
    return {re.sub(r"\d+", "i", name) for name in state}


def _shapes(state):
    return sorted(tuple(tensor.shape) for tensor in state.values())


# Exercise 1


def _draw_tokens(rng):
    # the first is all negative, so that zeros in the padding change the answer
    return [(-_tensor(rng, 1, 4, 7, 5).abs(),), (_tensor(rng, 2, 5, 6, 4),)]


def _on_images(function):
    """``function`` on (B, C, H, W) as one on tokens (B, H, W, C)."""
    return lambda tokens: rearrange(
        function(rearrange(tokens, "b h w c -> b c h w")), "b c h w -> b h w c"
    )


max_pool = Exercise(
    "inception",
    "max_pool",
    TokenMaxPool(kernel_size=3, stride=1, padding=1),
    _draw_tokens,
    {
        "the padding holds 0, which is larger than any negative number: pad with -inf": (
            _on_images(lambda x: F.max_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 1))
        ),
        "the border is lost: pad one row or column of -inf on each of the four sides": (
            _on_images(lambda x: F.max_pool2d(x, 3, 1))
        ),
        "it looks left and right, but not up and down: use all nine pixels": (
            _on_images(lambda x: F.max_pool2d(x, (1, 3), 1, (0, 1)))
        ),
        "it looks up and down, but not left and right: use all nine pixels": (
            _on_images(lambda x: F.max_pool2d(x, (3, 1), 1, (1, 0)))
        ),
        "it pools over columns and channels: tokens are (B, H, W, C), so rows and columns are "
        "axes 1 and 2": lambda tokens: F.max_pool2d(tokens, 3, 1, 1),
        "pixels wrap around to the opposite side, as with torch.roll: pad instead": (
            _on_images(lambda x: F.max_pool2d(F.pad(x, (1, 1, 1, 1), mode="circular"), 3, 1))
        ),
        "it moves three pixels at a time: move by one, which keeps the size": (
            _on_images(lambda x: F.max_pool2d(x, 3, 3, 1))
        ),
        "this is the smallest of the nine: take the largest": _on_images(
            lambda x: -F.max_pool2d(-x, 3, 1, 1)
        ),
        "the maximum is taken over the channels, too: take it in each channel separately": (
            lambda tokens: TokenMaxPool(3, 1, 1)(tokens).amax(-1, keepdim=True).expand(tokens.shape)
        ),
    },
)


# Exercise 2


def _draw_branches(rng):
    return [
        ((c, w, k), random_weights(inception.ConvBranch(c, w, k), rng), _tensor(rng, *size, c))
        for c, w, k, size in ((5, 4, 3, (2, 6, 7)), (6, 3, 7, (1, 9, 8)))
    ]


def _run_in_float32(cls, settings, weights, tokens):
    return run_in_any_order(cls, settings, weights, tokens.float())


def _steps(make):
    """A stand-in for a class: builds the steps of ``make(channels, width, kernel_size)``."""
    return lambda *settings: nn.Sequential(*make(*settings))


def _row(width, k, padding):
    return TokenConv(width, width, kernel_size=(1, k), padding=padding)


def _column(width, k, padding):
    return TokenConv(width, width, kernel_size=(k, 1), padding=padding)


def _padded(row, column):
    """A branch whose row and column are padded by ``row(k)`` and ``column(k)``."""
    return _steps(
        lambda c, w, k: (TokenConv1x1(c, w), _row(w, k, row(k)), _column(w, k, column(k)))
    )


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
        **{
            f"there is a {activation.__name__} {where}: a branch has no activation": _activated(
                activation, places
            )
            for activation in (nn.ReLU, nn.GELU)
            for where, places in {
                "after the 1×1": {0},
                "between row and column": {1},
                "after the 1×1 and one after the row": {0, 1},
                "after the column": {2},
                "after each step": {0, 1, 2},
            }.items()
        },
    },
    run=_run_in_float32,
    tolerance=1e-5,
)


# Exercise 3


def compose_by_einsum(first, row, column):
    """The single kernel that equals the three steps of a branch, without their biases.

    first (width, C), row (width, width, 1, k), column (width, width, k, 1) -> (width, C, k, k).
    """
    return torch.einsum("onu, nmv, mi -> oiuv", column[..., 0], row[:, :, 0], first)


def _draw_kernels(rng):
    return [
        (_tensor(rng, w, c), _tensor(rng, w, w, 1, k), _tensor(rng, w, w, k, 1))
        for c, w, k in ((5, 3, 3), (4, 2, 5))
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
        "the kernel is flipped: conv2d does not flip kernels, so flip neither row nor column": (
            lambda *weights: compose_by_einsum(*weights).flip(2, 3)
        ),
        "row and column are added: two steps in a row multiply their weights": (
            lambda first, row, column: torch.einsum(
                "onmuv, mi -> oiuv",
                column[:, :, None] + row[None],
                first,
            )
        ),
    },
)


# Exercise 4


def _draw_modules(rng):
    return [
        ((c,), random_weights(inception.Inception(c), rng), _tensor(rng, *size, c))
        for c, size in ((8, (2, 8, 9)), (12, (1, 10, 8)))
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

    class Joined(inception.Inception):
        def forward(self, tokens):
            return join(self.branches, tokens)

    return Joined


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
            for activation in (nn.ReLU, nn.GELU)
        },
    },
    run=_run_in_float32,
    tolerance=1e-5,
)
