"""Exercises of notebook 06: roll, mask, shifted windows, SW-MSA."""

import torch
from einops import rearrange

from glanet.course.kit.checks import Exercise, random_weights, run_module
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


shift_mask = Exercise(
    "shifted_windows",
    "shift_mask",
    plain_mask,
    lambda rng: [(6, 9, 3, 1), (8, 4, 4, 2), (4, 6, 2, 1), (9, 6, 3, 2)],
    {
        "the first rows and columns are set apart: a roll up and left moves them to the far end, "
        "so set the last `shift` apart": _mask_by(
            from_far_edge=lambda position, size, window, shift: position < shift
        ),
        "whole windows are set apart: set apart only the last `shift` rows and columns": _mask_by(
            from_far_edge=lambda position, size, window, shift: position >= size - window
        ),
        "the last windows are split at the wrong place: set apart the last `shift` rows and "
        "columns, not the last window - shift": _mask_by(
            from_far_edge=lambda position, size, window, shift: position >= size - window + shift
        ),
        "one row and one column too many are set apart: start at height - shift, with >=": _mask_by(
            from_far_edge=lambda position, size, window, shift: position >= size - shift - 1
        ),
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
        "it uses -inf: use -100, as the released weights do": _mask_by(
            apart=lambda a, b: torch.zeros(()).masked_fill(a != b, -torch.inf)
        ),
        "these are booleans: turn them into 0 and -100": _mask_by(apart=lambda a, b: a != b),
        "the windows are made of distant pixels: split the image as (h i) (w j)": _mask_by(
            cut="(i h) (j w) -> (h w) 1 (i j)"
        ),
        "the axis for the heads is missing: the shape is (windows, 1, N, N)": _mask_by(
            cut="(h i) (w j) -> (h w) (i j)"
        ),
        "all windows get the mask of the last: give each window its own": (
            lambda *sizes: plain_mask(*sizes)[-1:].expand(plain_mask(*sizes).shape)
        ),
    },
)


# The definition, without a roll


def window_number(position, window, shift):
    """The number of the shifted window that a row or column lies in: (P,) int64 -> (P,) int64."""
    return (position - shift) // window


def _who_share(candidate, position, window, shift):
    """The positions with the same number: (P, P) bool. Learners may number windows freely."""
    number = candidate(position, window, shift)
    return number if number is None or number is ... else number[:, None] == number


shifted_window = Exercise(
    "shifted_windows",
    "shifted_window",
    window_number,
    lambda rng: [(torch.arange(p), m, s) for p, m, s in ((12, 4, 1), (9, 3, 2), (16, 8, 4))],
    {
        "these are the windows before the shift: subtract shift from the position first": (
            lambda position, window, shift: position // window
        ),
        "the grid is shifted the other way: its first whole window starts at `shift`, so subtract "
        "shift": lambda position, window, shift: (position + shift) // window,
        "the first window and the piece before it share a number: round down, with //, not "
        "towards 0": lambda position, window, shift: ((position - shift) / window).long(),
        "first and last pixels share a window: they do after the roll, but the mask forbids these "
        "pairs": lambda position, window, shift: (position - shift) % len(position) // window,
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


def _draw_sw_msa(rng):
    cases = []
    for settings, height, width in (
        ((6, 2, 3, 1), 6, 9),
        ((8, 4, 4, 2), 12, 8),
        ((4, 1, 4, 1), 8, 8),
    ):
        weights = random_weights(package.WindowAttention(*settings), rng)
        cases.append((settings, weights, _normal(rng, 2, height, width, settings[0]).float()))
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
            bias=lambda self, height, width, dtype: self.mask(height, width).expand(
                -1, self.heads, -1, -1
            )
        ),
        "proj is missing: it mixes the outputs of the heads": _with(forward=_without_proj),
        "the mask is subtracted: it is negative, so add it": _with(
            mask=lambda self, height, width: -_Steps.mask(self, height, width)
        ),
    },
    run=run_module,
    tolerance=1e-5,  # fused and step by step round differently
)
