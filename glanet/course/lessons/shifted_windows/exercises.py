"""Exercises of notebook 06: roll, mask, shifted windows, SW-MSA."""

import numpy as np
import torch
from einops import rearrange

from glanet.course.kit.checks import (
    AnswerError,
    Exercise,
    random_weights,
    run_module,
    trains_alike,
)
from glanet.model import attention as package


def _normal(rng, *shape):
    return torch.from_numpy(rng.standard_normal(shape))


# The roll


def call_on_rolled(tokens, shift, operation):
    """Roll up and left by ``shift``, call ``operation``, roll back: (B, H, W, C), same shape."""
    rolled = tokens.roll((-shift, -shift), dims=(1, 2))
    return operation(rolled).roll((shift, shift), dims=(1, 2))


def _depends_on_place(tokens):
    """An operation whose answer shows where every number was when it was called."""
    return tokens * torch.linspace(0, 1, tokens.numel(), dtype=tokens.dtype).view(tokens.shape)


def _roll_and_back(away, back, dims=(1, 2)):
    """The exercise with other directions: ``away`` and ``back`` are signs for rows and columns."""

    def mistaken(tokens, shift, operation):
        rolled = tokens.roll([sign * shift for sign in away], dims)
        return operation(rolled).roll([sign * shift for sign in back], dims)

    return mistaken


on_rolled = Exercise(
    "shifted_windows",
    "on_rolled",
    call_on_rolled,
    lambda rng: [(_normal(rng, 3, h, w, 4), s) for h, w, s in ((6, 9, 1), (8, 5, 3))],
    {
        "it rolls the wrong way, down and to the right: a negative shift rolls up and left": (
            _roll_and_back((1, 1), (-1, -1))
        ),
        "it does not roll back: after the operation every pixel must return to its place": (
            _roll_and_back((-1, -1), (0, 0))
        ),
        "it rolls back the same way as before: roll back down and to the right, a positive shift": (
            _roll_and_back((-1, -1), (-1, -1))
        ),
        "it rolls down and to the left: up and left are negative for both": (
            _roll_and_back((1, -1), (-1, 1))
        ),
        "it rolls up and to the right: up and left are negative for both": (
            _roll_and_back((-1, 1), (1, -1))
        ),
        "only the rows are rolled back: use dims=(1, 2), with one shift for each": (
            _roll_and_back((-1, -1), (1, 0))
        ),
        "only the columns are rolled back: use dims=(1, 2), with one shift for each": (
            _roll_and_back((-1, -1), (0, 1))
        ),
        "it rolls by twice the shift: roll by `shift`": _roll_and_back((-2, -2), (2, 2)),
        "it rolls after the operation only: roll up and left before it": (
            _roll_and_back((0, 0), (1, 1))
        ),
        "it always rolls by 4: roll by `shift`": (
            lambda tokens, shift, operation: call_on_rolled(tokens, 4, operation)
        ),
        "it always rolls by 1: roll by `shift`": (
            lambda tokens, shift, operation: call_on_rolled(tokens, 1, operation)
        ),
        "it rolls by half the shift: `shift` is half a window already": (
            lambda tokens, shift, operation: call_on_rolled(tokens, shift // 2, operation)
        ),
        "the operation is called twice: call it once, on the rolled tokens": (
            lambda tokens, shift, operation: call_on_rolled(
                tokens, shift, lambda rolled: operation(operation(rolled))
            )
        ),
        "the channels are rolled, too: use dims=(1, 2)": _roll_and_back(
            (-1, -1, -1), (1, 1, 1), dims=(1, 2, 3)
        ),
        "the tokens are added: return the result of the operation, rolled back": (
            lambda tokens, shift, operation: tokens + call_on_rolled(tokens, shift, operation)
        ),
        "these are the rolled tokens: call the operation on them": (
            lambda tokens, shift, operation: tokens.roll((-shift, -shift), dims=(1, 2))
        ),
        "only the rows are rolled: use dims=(1, 2), with one shift for each": (
            _roll_and_back((-1, 0), (1, 0))
        ),
        "only the columns are rolled: use dims=(1, 2), with one shift for each": (
            _roll_and_back((0, -1), (0, 1))
        ),
        "the batch is rolled: rows and columns are axes 1 and 2 of (B, H, W, C)": (
            _roll_and_back((-1, -1), (1, 1), dims=(0, 1))
        ),
        "the channels are rolled: rows and columns are axes 1 and 2 of (B, H, W, C)": (
            _roll_and_back((-1, -1), (1, 1), dims=(2, 3))
        ),
        "without dims, torch rolls the tensor as one long row: pass dims=(1, 2)": (
            lambda tokens, shift, operation: operation(tokens.roll(-shift)).roll(shift)
        ),
        "nothing is rolled: roll before the operation and roll back after it": (
            lambda tokens, shift, operation: operation(tokens)
        ),
        "the operation is not called: call it on the rolled tokens": (
            lambda tokens, shift, operation: tokens
        ),
    },
    run=lambda candidate, tokens, shift: candidate(tokens, shift, _depends_on_place),
)


# The mask


def plain_mask(height, width, window, shift):
    """The package's mask, in float32 on the CPU: (windows, 1, N, N)."""
    return package.shift_mask(height, width, window, shift, torch.float32, torch.device("cpu"))


plain_mask.__name__ = "shift_mask"  # the name in the messages to a learner


def _mask_by(
    number=lambda row, column: 2 * row + column,
    from_far_edge=lambda position, size, window, shift: position >= size - shift,
    cut="(h i) (w j) -> (h w) 1 (i j)",
    apart=lambda a, b: (a != b).float() * -100,
):
    """The mask with one step replaced."""

    def mistaken(height, width, window, shift):
        row, column = (
            from_far_edge(torch.arange(size), size, window, shift).long()
            for size in (height, width)
        )
        side = number(row[:, None], column[None, :]).expand(height, width)
        side = rearrange(side, cut, i=window, j=window)
        return apart(side[..., :, None], side[..., None, :])

    return mistaken


def _mask_by_ends(ends):
    """The mask with the rows and columns set apart that begin ``shift`` before ``ends``."""

    def mistaken(height, width, window, shift):
        row_end, column_end = ends(height, width)
        row = (torch.arange(height) >= row_end - shift).long()
        column = (torch.arange(width) >= column_end - shift).long()
        side = 2 * row[:, None] + column
        side = rearrange(side, "(h i) (w j) -> (h w) 1 (i j)", i=window, j=window)
        return (side[..., :, None] != side[..., None, :]).float() * -100

    return mistaken


def _sides(height, width, window, shift):
    """The number of the side of each pixel: (windows, 1, N)."""
    row = (torch.arange(height) >= height - shift).float()
    column = (torch.arange(width) >= width - shift).float()
    side = 2 * row[:, None] + column
    return rearrange(side, "(h i) (w j) -> (h w) 1 (i j)", i=window, j=window)


def _strips(height, width, window, shift):
    side = rearrange(
        _sides(height, width, window, shift),
        "(h w) 1 (i j) -> (h i w j)",
        h=height // window,
        i=window,
    )
    side = side.reshape(-1, 1, window * window)
    return (side[..., :, None] != side[..., None, :]).float() * -100


shift_mask = Exercise(
    "shifted_windows",
    "shift_mask",
    plain_mask,
    # without a shift too, as the layer calls it; no size is that of the whole-image examples
    lambda rng: [
        (6, 9, 3, 1),
        (8, 4, 4, 2),
        (4, 6, 2, 1),
        (9, 6, 3, 2),
        (8, 8, 4, 0),
        (8, 16, 8, 3),
    ],
    {
        "the first rows and columns are set apart: a roll up and left moves them to the far end, "
        "so set the last `shift` apart": _mask_by(
            from_far_edge=lambda position, size, window, shift: position < shift
        ),
        "no pair is forbidden, as where whole windows are set apart: set apart the last `shift` "
        "rows and columns": _mask_by(
            from_far_edge=lambda position, size, window, shift: position >= size - window
        ),
        "the last windows are split at the wrong place: set apart the last `shift` rows and "
        "columns, not the last window - shift": _mask_by(
            from_far_edge=lambda position, size, window, shift: position >= size - window + shift
        ),
        "one row and one column too many are set apart: start at height - shift, with >=": _mask_by(
            from_far_edge=lambda position, size, window, shift: position >= size - shift - 1
        ),
        "one row and one column too few are set apart: start at height - shift, with >=": _mask_by(
            from_far_edge=lambda position, size, window, shift: position > size - shift
        ),
        "height and width are exchanged: height is the number of rows": (
            lambda height, width, window, shift: plain_mask(width, height, window, shift)
        ),
        "height and width are exchanged in the comparison: rows start at height - shift, columns "
        "at width - shift": _mask_by_ends(lambda height, width: (width, height)),
        "the height counts for the columns, too: columns start at width - shift": _mask_by_ends(
            lambda height, width: (height, height)
        ),
        "the width counts for the rows, too: rows start at height - shift": _mask_by_ends(
            lambda height, width: (width, width)
        ),
        "the last half of a window is always set apart: set apart the last `shift`": (
            lambda height, width, window, shift: plain_mask(height, width, window, window // 2)
        ),
        "the shift is always 4: set apart the last `shift` rows and columns": (
            lambda height, width, window, shift: plain_mask(height, width, window, 4)
        ),
        "pixels with one edge crossed and with both share a number: 2 · row + column gives four "
        "numbers": _mask_by(number=lambda row, column: row | column),
        "only the pixels that crossed both edges are kept apart: 2 · row + column gives four "
        "numbers": _mask_by(number=lambda row, column: row * column),
        "only top and bottom are kept apart: separate left and right, too": _mask_by(
            number=lambda row, column: row
        ),
        "only left and right are kept apart: separate top and bottom, too": _mask_by(
            number=lambda row, column: column
        ),
        "two of the four sides share a number: 2 · row + column gives four numbers": _mask_by(
            number=lambda row, column: row + column
        ),
        "the mask is inverted: it must be -100 where the sides differ": _mask_by(
            apart=lambda a, b: (a == b).float() * -100
        ),
        "the sign is wrong: +100 draws all attention to the forbidden pairs; use -100": _mask_by(
            apart=lambda a, b: (a != b).float() * 100
        ),
        **{
            f"the forbidden pairs get {value:,}: use -100, as the released weights do": _mask_by(
                apart=lambda a, b, value=value: (a != b).float() * value
            )
            for value in (-1, -10, -1000, -10_000, -1_000_000_000)
        },
        "the numbers of the sides are subtracted: compare them with !=, so that any difference "
        "gives -100": _mask_by(apart=lambda a, b: (a - b).float() * 100),
        "the mask grows with the difference of the sides: compare them with !=": _mask_by(
            apart=lambda a, b: (a - b).abs().float() * -100
        ),
        "it is 1 where a pair may meet: it is added to the scores, so use 0 and -100": _mask_by(
            apart=lambda a, b: (a == b).float()
        ),
        "it uses -inf: use -100, as the released weights do": _mask_by(
            apart=lambda a, b: torch.zeros(()).masked_fill(a != b, -torch.inf)
        ),
        "these are booleans, or 0 and 1: turn them into 0 and -100": _mask_by(
            apart=lambda a, b: a != b
        ),
        "the windows are made of distant pixels: split the image as (h i) (w j)": _mask_by(
            cut="(i h) (j w) -> (h w) 1 (i j)"
        ),
        "the windows are counted column by column: use (h w)": _mask_by(
            cut="(h i) (w j) -> (w h) 1 (i j)"
        ),
        "the pixels of a window are counted column by column: use (i j)": _mask_by(
            cut="(h i) (w j) -> (h w) 1 (j i)"
        ),
        "the windows are strips: a reshape does not cut an image into windows": _strips,
        "these are the sides, one for each pixel: compare all pairs of a window": (
            lambda *sizes: _sides(*sizes)
        ),
        "the axis for the heads comes first: the shape is (windows, 1, N, N)": _mask_by(
            cut="(h i) (w j) -> 1 (h w) (i j)"
        ),
        "N · N is one axis: the shape is (windows, 1, N, N)": (
            lambda *sizes: plain_mask(*sizes).flatten(2)
        ),
        "there is an axis for the batch: the shape is (windows, 1, N, N)": (
            lambda *sizes: plain_mask(*sizes)[None]
        ),
        "all windows get the mask of the first: give each window its own": (
            lambda *sizes: plain_mask(*sizes)[:1].expand(plain_mask(*sizes).shape)
        ),
        "the axis for the heads is missing: the shape is (windows, 1, N, N)": _mask_by(
            cut="(h i) (w j) -> (h w) (i j)"
        ),
        "all windows get the mask of the last: give each window its own": (
            lambda *sizes: plain_mask(*sizes)[-1:].expand(plain_mask(*sizes).shape)
        ),
        "a pair is forbidden in one direction only: use !=": _mask_by(
            apart=lambda a, b: (a > b).float() * -100
        ),
        "everything after the first window - shift rows and columns is set apart: set apart only "
        "the last `shift` of the image": _mask_by(
            from_far_edge=lambda position, size, window, shift: position >= window - shift
        ),
    },
)


# The definition, without a roll


def window_number(position, window, shift):
    """The number of the shifted window that a row or column lies in: (P,) int64 -> (P,) int64."""
    return (position - shift) // window


NO_TENSOR = "it returns no tensor with a number for each position, (P,) -> (P,)"


def _who_share(candidate, position, window, shift):
    """The positions with the same number: (P, P) bool. Learners may number windows freely."""
    number = candidate(position, window, shift)
    if number is None or number is ...:
        return None
    if not isinstance(number, torch.Tensor) or number.shape != position.shape:
        raise AnswerError(NO_TENSOR)
    return number[:, None] == number


def _draw_positions(rng):
    """Positions in order, and repeated in any order, as the brute force has them."""
    sizes = (9, 3, 2), (100, 8, 4)
    repeated = [
        (torch.from_numpy(rng.permutation(np.repeat(np.arange(p), 2))), m, s) for p, m, s in sizes
    ]
    return [(torch.arange(12), 4, 1), *repeated]


shifted_window = Exercise(
    "shifted_windows",
    "shifted_window",
    window_number,
    _draw_positions,
    {
        NO_TENSOR: lambda position, window, shift: window_number(position, window, shift).tolist(),
        "the positions are numbered anew: they come in any order, so use `position`": (
            lambda position, window, shift: window_number(
                torch.arange(len(position)), window, shift
            )
        ),
        **{
            f"the numbers repeat after {size} positions, as if every image had that size: use "
            "`position - shift`": lambda position, window, shift, size=size: (
                (position - shift) % size // window
            )
            for size in (8, 16, 24, 48, 64)
        },
        "the window is always 8 wide: divide by `window`": lambda position, window, shift: (
            window_number(position, 8, shift)
        ),
        "the shift is always 4: subtract `shift`": lambda position, window, shift: window_number(
            position, window, 4
        ),
        "the shift is always half a window: subtract `shift`": lambda position, window, shift: (
            window_number(position, window, window // 2)
        ),
        "the first whole window starts one position late: it starts at `shift`": (
            lambda position, window, shift: window_number(position, window, shift + 1)
        ),
        "the first whole window starts one position early: it starts at `shift`": (
            lambda position, window, shift: window_number(position, window, shift - 1)
        ),
        "each position has its own number: round the quotient down, with //": (
            lambda position, window, shift: (position - shift) / window
        ),
        "there are only two numbers, before `shift` and after it: divide by `window`": (
            lambda position, window, shift: position >= shift
        ),
        "these are the windows before the shift: subtract shift from the position first": (
            lambda position, window, shift: position // window
        ),
        "the grid is shifted the other way: its first whole window starts at `shift`, so subtract "
        "shift": lambda position, window, shift: (position + shift) // window,
        "the first window and the piece before it share a number: round down, with //, not "
        "towards 0": lambda position, window, shift: ((position - shift) / window).long(),
        **{
            f"first and last pixels share a window{why}: they do after the roll, but the mask "
            "forbids these pairs": lambda position, window, shift, size=size: (
                (position - shift) % size(position) // window
            )
            for why, size in {
                "": len,
                ", because of % (position.max() + 1)": lambda position: position.max() + 1,
            }.items()
        },
        "this is the place inside the window: the number of the window is the quotient, //": (
            lambda position, window, shift: (position - shift) % window
        ),
        "a window is `window` wide, not `shift`: divide by `window`": (
            lambda position, window, shift: position // shift
        ),
    },
    run=_who_share,
)


# SW-MSA


class _Steps(package.WindowAttention):
    """The right SW-MSA, in steps; each mistake replaces some of them."""

    def __init__(self, channels, heads, window, shift):
        super().__init__(channels, heads, window)
        self.by = shift

    def forward(self, tokens):
        return self.back(super().forward(self.away(tokens)))

    def away(self, tokens):
        return tokens.roll((-self.by, -self.by), (1, 2))

    def back(self, tokens):
        return tokens.roll((self.by, self.by), (1, 2))

    def bias(self, height, width, dtype):
        return self.position_bias(dtype) + self.mask(height, width)

    def mask(self, height, width):
        return plain_mask(height, width, self.window, self.by)


class _HalfAWindow(_Steps):
    def __init__(self, channels, heads, window, shift):
        super().__init__(channels, heads, window, window // 2)


def _always_by_4(channels, heads, window, shift):
    return _Steps(channels, heads, window, 4)


def _with(**steps):
    return type("Mistaken", (_Steps,), steps)


def _unmoved(self, tokens):
    return tokens


def _no_mask(self, height, width):
    return torch.zeros(1, 1, 1, 1)


def _without_proj(self, tokens):
    torch.nn.init.eye_(self.proj.weight)
    torch.nn.init.zeros_(self.proj.bias)
    return _Steps.forward(self, tokens)


def _mix(mix):
    """A layer that mixes the values by ``mix(query, key, value, bias)``."""

    def build(*settings):
        layer = _Steps(*settings)
        layer.attend = mix
        return layer

    return build


def _scores(query, key):
    return query @ key.mT * query.shape[-1] ** -0.5


class _HeadsWoven(_Steps):
    def __init__(self, *settings):
        super().__init__(*settings)
        self.proj.register_forward_pre_hook(self.weave)

    def weave(self, module, inputs):
        return rearrange(inputs[0], "... (heads d) -> ... (d heads)", heads=self.heads)


def _split_qkv_by(pattern):
    """A layer that splits the channels of qkv by another pattern than "(three heads d)"."""

    class Mistaken(_Steps):
        def __init__(self, *settings):
            super().__init__(*settings)
            self.qkv.register_forward_hook(self.reorder)

        def reorder(self, module, inputs, features):
            right = "(three heads d)"
            sizes = {"three": 3, "heads": self.heads}
            return rearrange(features, f"... {pattern} -> ... {right}", **sizes)

    return Mistaken


def _draw_sw_msa(rng):
    # without a shift too: then the layer is W-MSA
    sizes = (
        ((6, 2, 3, 1), 6, 9),
        ((8, 4, 4, 2), 12, 8),
        ((4, 1, 4, 1), 8, 8),
        ((6, 3, 2, 0), 4, 6),
    )
    dtypes = torch.float32, torch.float64, torch.float32, torch.float64
    cases = []
    for (settings, height, width), dtype in zip(sizes, dtypes, strict=True):
        weights = random_weights(package.WindowAttention(*settings), rng)
        cases.append((settings, weights, _normal(rng, 2, height, width, settings[0]).to(dtype)))
    return cases


window_attention = Exercise(
    "shifted_windows",
    "WindowAttention",
    package.WindowAttention,
    _draw_sw_msa,
    {
        "the same pixels meet as in W-MSA: roll by self.shift, neither by 0 nor by a whole window, "
        "and add the mask": _with(away=_unmoved, back=_unmoved, mask=_no_mask),
        "the mask is missing: opposite edges of the image see each other": _with(mask=_no_mask),
        "it rolls by a whole window: that only reorders the windows; roll by self.shift": _with(
            away=lambda self, tokens: tokens.roll((-self.window, -self.window), (1, 2)),
            back=lambda self, tokens: tokens.roll((self.window, self.window), (1, 2)),
        ),
        "it always shifts by half a window: shift by self.shift": _HalfAWindow,
        "it rolls the wrong way, down and to the right, and the mask is at the wrong end: a "
        "negative shift rolls up and left": _with(away=_Steps.back, back=_Steps.away),
        "it does not roll back: every pixel must return to its place": _with(back=_unmoved),
        "it rolls back the same way as before: use a positive shift to roll back": _with(
            back=_Steps.away
        ),
        "the roll is missing: without it, the mask forbids pairs that belong together": _with(
            away=_unmoved, back=_unmoved
        ),
        "only the rows are rolled: use dims=(1, 2), with one shift for each": _with(
            away=lambda self, tokens: tokens.roll(-self.by, 1),
            back=lambda self, tokens: tokens.roll(self.by, 1),
        ),
        "every window gets the mask of the last: give each window its own": _with(
            mask=lambda self, height, width: _Steps.mask(self, height, width)[-1:]
        ),
        "the position bias is missing: add the mask to it": _with(
            bias=lambda self, height, width, dtype: (
                self.mask(height, width).expand(-1, self.heads, -1, -1).to(dtype)
            )
        ),
        "proj is missing: it mixes the outputs of the heads": _with(forward=_without_proj),
        "attention reads the tokens that are not rolled: pass `rolled` to self.qkv": _with(
            away=_unmoved
        ),
        "only the columns are rolled: use dims=(1, 2), with one shift for each": _with(
            away=lambda self, tokens: tokens.roll(-self.by, 2),
            back=lambda self, tokens: tokens.roll(self.by, 2),
        ),
        "only the rows are rolled back: use dims=(1, 2), with one shift for each": _with(
            back=lambda self, tokens: tokens.roll(self.by, 1)
        ),
        "only the columns are rolled back: use dims=(1, 2), with one shift for each": _with(
            back=lambda self, tokens: tokens.roll(self.by, 2)
        ),
        "columns and channels are rolled: rows and columns are axes 1 and 2": _with(
            away=lambda self, tokens: tokens.roll((-self.by, -self.by), (2, 3)),
            back=lambda self, tokens: tokens.roll((self.by, self.by), (2, 3)),
        ),
        "it rolls by twice the shift: roll by self.shift": _with(
            away=lambda self, tokens: tokens.roll((-2 * self.by, -2 * self.by), (1, 2)),
            back=lambda self, tokens: tokens.roll((2 * self.by, 2 * self.by), (1, 2)),
        ),
        "it always shifts by 4: shift by self.shift": _always_by_4,
        "height and width are exchanged in the mask: height, width = tokens.shape[1:3]": _with(
            mask=lambda self, height, width: plain_mask(width, height, self.window, self.by)
        ),
        "the mask is always that of half a window: pass self.shift": _with(
            mask=lambda self, height, width: plain_mask(
                height, width, self.window, self.window // 2
            )
        ),
        "the bias is transposed: entry (i, j) of bias_index is query i, key j": _with(
            bias=lambda self, height, width, dtype: _Steps.bias(self, height, width, dtype).mT
        ),
        "bias and mask are added after the softmax: pass their sum to attend": _mix(
            lambda query, key, value, bias: (_scores(query, key).softmax(-1) + bias) @ value
        ),
        "the scores are not scaled: attend scales them, with d = channels of a head": _mix(
            lambda query, key, value, bias: (query @ key.mT + bias).softmax(-1) @ value
        ),
        "query and key are exchanged: qkv gives query, key, value in this order": _mix(
            lambda query, key, value, bias: package.attend(key, query, value, bias)
        ),
        "key and value are exchanged: qkv gives query, key, value in this order": _mix(
            lambda query, key, value, bias: package.attend(query, value, key, bias)
        ),
        "the heads run slowest in the channels of qkv: q, k, v come first, so (three heads d)": (
            _split_qkv_by("(heads three d)")
        ),
        "q, k, v run fastest in the channels of qkv: they come first, so (three heads d)": (
            _split_qkv_by("(heads d three)")
        ),
        "the channels of a head must be adjacent: use (three heads d), with d last": (
            _split_qkv_by("(three d heads)")
        ),
        "the heads are joined in another order than they were split: use (heads d)": _HeadsWoven,
        "the tokens are added: the residual belongs to the layer around attention": _with(
            forward=lambda self, tokens: tokens + _Steps.forward(self, tokens)
        ),
        **{
            f"the mask is too weak, {value} for -100: forbidden pairs still see each other": _with(
                mask=lambda self, height, width, value=value: (
                    _Steps.mask(self, height, width) * (value / -100)
                )
            )
            for value in (-1, -10)
        },
        "the mask holds 1 where pairs are forbidden: it is added to the scores, so use -100": _with(
            mask=lambda self, height, width: _Steps.mask(self, height, width) / -100
        ),
        "the mask is subtracted: it is negative, so add it": _with(
            mask=lambda self, height, width: -_Steps.mask(self, height, width)
        ),
        "the mask is that of window - shift: pass self.shift": _with(
            mask=lambda self, height, width: plain_mask(
                height, width, self.window, self.window - self.by
            )
        ),
    },
    run=run_module,
    also=trains_alike,
    tolerance=1e-5,  # fused and step by step round differently
)
