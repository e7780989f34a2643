"""Exercises of notebook 05: attention, windows, relative position bias, W-MSA."""

import torch
from einops import rearrange

from glanet.course.kit.checks import Exercise, random_weights, run_module
from glanet.model import attention as package


def normal(rng, *shape):
    """Normally distributed float64 numbers: rounding stays far below any real difference."""
    return torch.from_numpy(rng.standard_normal(shape))


# Attention


def _draw_attention(rng):
    shapes = ((5, 3), (5, 5)), ((2, 3, 4, 6), (3, 4, 4))  # without and with heads and batch
    return [
        (*(normal(rng, *tokens) for _ in range(3)), normal(rng, *bias)) for tokens, bias in shapes
    ]


def _scores(query, key):
    return query @ key.mT * query.shape[-1] ** -0.5


attend = Exercise(
    "window_attention",
    "attend",
    package.attend,
    _draw_attention,
    {
        "the softmax runs over the queries: each query's weights add up to 1, so dim=-1": (
            lambda q, k, v, bias: (_scores(q, k) + bias).softmax(-2) @ v
        ),
        "the softmax runs over axis 1: with batch and heads in front, the keys are the last axis, "
        "dim=-1": lambda q, k, v, bias: (_scores(q, k) + bias).softmax(1) @ v,
        "the scores are not scaled: multiply q kᵀ by d ** -0.5": (
            lambda q, k, v, bias: (q @ k.mT + bias).softmax(-1) @ v
        ),
        "the scores are divided by d, not by its square root": (
            lambda q, k, v, bias: (q @ k.mT / q.shape[-1] + bias).softmax(-1) @ v
        ),
        "the scores are multiplied by √d: divide by it": (
            lambda q, k, v, bias: (q @ k.mT * q.shape[-1] ** 0.5 + bias).softmax(-1) @ v
        ),
        "the scale uses the number of tokens: d is the length of the last axis, query.shape[-1]": (
            lambda q, k, v, bias: (q @ k.mT * q.shape[-2] ** -0.5 + bias).softmax(-1) @ v
        ),
        "the bias is missing: add it to the scaled scores, before the softmax": (
            lambda q, k, v, bias: _scores(q, k).softmax(-1) @ v
        ),
        "the bias is scaled too: scale q kᵀ first, then add the bias": (
            lambda q, k, v, bias: ((q @ k.mT + bias) * q.shape[-1] ** -0.5).softmax(-1) @ v
        ),
        "the bias is added after the softmax: add it to the scores, before": (
            lambda q, k, v, bias: (_scores(q, k).softmax(-1) + bias) @ v
        ),
        "queries and keys are exchanged: entry (i, j) is query i times key j": (
            lambda q, k, v, bias: (_scores(k, q) + bias).softmax(-1) @ v
        ),
        "the softmax is missing: weights are positive and add up to 1": (
            lambda q, k, v, bias: (_scores(q, k) + bias) @ v
        ),
        "these are the weights: return the weighted mean of the values, weights @ value": (
            lambda q, k, v, bias: (_scores(q, k) + bias).softmax(-1)
        ),
    },
)


# Windows


def windows_of(tokens, window):
    """Windows in row order, the pixels of each in row order: (B, H, W, C) -> (B, windows, N, C)."""
    return rearrange(tokens, "b (h i) (w j) c -> b (h w) (i j) c", i=window, j=window)


def image_of(windows, window, height):
    """The image that `windows_of` cut, H = ``height``: (B, windows, N, C) -> (B, H, W, C)."""
    return rearrange(
        windows, "b (h w) (i j) c -> b (h i) (w j) c", h=height // window, i=window, j=window
    )


SHAPES = ((2, 4, 6, 3, 2), (1, 9, 3, 2, 3), (2, 6, 12, 1, 3))  # B, H, W, C, window


def _draw_images(rng):
    return [(normal(rng, b, h, w, c), m) for b, h, w, c, m in SHAPES]


def _draw_windows(rng):
    return [(normal(rng, b, (h // m) * (w // m), m * m, c), m, h) for b, h, w, c, m in SHAPES]


def _cut_by(pattern):
    return lambda tokens, m: rearrange(tokens, pattern, i=m, j=m)


def _join_by(pattern):
    return lambda windows, m, height: rearrange(windows, pattern, h=height // m, i=m, j=m)


cut_windows = Exercise(
    "window_attention",
    "cut_windows",
    windows_of,
    _draw_images,
    {
        "every window is a small copy of the whole image: split the rows as (h i), window first, "
        "not as (i h)": _cut_by("b (i h) (j w) c -> b (h w) (i j) c"),
        "these are strips, not windows: reshape does not reorder memory, and the rows of a window "
        "are not adjacent in it": (
            lambda tokens, m: tokens.reshape(len(tokens), -1, m * m, tokens.shape[-1])
        ),
        "the windows are counted column by column: use (h w), not (w h)": _cut_by(
            "b (h i) (w j) c -> b (w h) (i j) c"
        ),
        "the pixels inside a window are counted column by column: use (i j), not (j i)": _cut_by(
            "b (h i) (w j) c -> b (h w) (j i) c"
        ),
        "windows and their pixels are exchanged: windows first, (h w) (i j)": _cut_by(
            "b (h i) (w j) c -> b (i j) (h w) c"
        ),
        "the windows are merged into the batch: keep b as a separate axis": _cut_by(
            "b (h i) (w j) c -> (b h w) (i j) c"
        ),
        "rows and columns are still separate axes: bracket them as (h w) and (i j)": _cut_by(
            "b (h i) (w j) c -> b h w i j c"
        ),
        "the channels are merged into the pixels: keep c as a separate axis": _cut_by(
            "b (h i) (w j) c -> b (h w) (i j c)"
        ),
    },
)

join_windows = Exercise(
    "window_attention",
    "join_windows",
    image_of,
    _draw_windows,
    {
        "the windows are interleaved: join the rows as (h i), window first, not as (i h)": _join_by(
            "b (h w) (i j) c -> b (i h) (j w) c"
        ),
        "memory holds one window after the other: a reshape alone does not reorder it": (
            lambda windows, m, height: windows.reshape(len(windows), height, -1, windows.shape[-1])
        ),
        "the windows were counted row by row: use (h w), not (w h)": _join_by(
            "b (w h) (i j) c -> b (h i) (w j) c"
        ),
        "the pixels of a window were counted row by row: use (i j), not (j i)": _join_by(
            "b (h w) (j i) c -> b (h i) (w j) c"
        ),
        "rows and columns of the image are exchanged": _join_by(
            "b (h w) (i j) c -> b (w j) (h i) c"
        ),
        "windows and pixels are still separate axes: bracket them as (h i) and (w j)": _join_by(
            "b (h w) (i j) c -> b h i w j c"
        ),
    },
)


# Relative position bias


def _index_by(number):
    """An index from ``number(row, column, m)``: offsets of pixel i from pixel j, and the window."""

    def mistaken(window):
        pixels = torch.arange(window * window)
        row, column = (
            position[:, None] - position for position in (pixels // window, pixels % window)
        )
        return number(row, column, window)

    return mistaken


def _integers(candidate, window):
    answer = candidate(window)
    if isinstance(answer, torch.Tensor) and answer.is_floating_point():
        raise TypeError(
            f"the index is {answer.dtype}, expected integers, as torch.arange gives them"
        )
    return answer


relative_position_index = Exercise(
    "window_attention",
    "relative_position_index",
    package.relative_position_index,
    lambda rng: [(window,) for window in (2, 3, 5)],
    {
        "the offsets have the wrong sign: entry (i, j) is pixel i minus pixel j": _index_by(
            lambda row, column, m: (m - 1 - row) * (2 * m - 1) + m - 1 - column
        ),
        "an index starts at 0, offsets start at -(window - 1): add window - 1 to both": _index_by(
            lambda row, column, m: row * (2 * m - 1) + column
        ),
        "only one of the two offsets starts at 0: add window - 1 to both": _index_by(
            lambda row, column, m: row * (2 * m - 1) + column + m - 1
        ),
        "there are 2·window - 1 column offsets: multiply the row offset by that, "
        "not by window": _index_by(lambda row, column, m: (row + m - 1) * m + column + m - 1),
        "there are 2·window - 1 column offsets, not 2·window": _index_by(
            lambda row, column, m: (row + m - 1) * 2 * m + column + m - 1
        ),
        "rows and columns are exchanged: multiply the row offset": _index_by(
            lambda row, column, m: (column + m - 1) * (2 * m - 1) + row + m - 1
        ),
        "opposite offsets get the same number: keep their signs": _index_by(
            lambda row, column, m: (row.abs() + m - 1) * (2 * m - 1) + column.abs() + m - 1
        ),
        "different offsets share a number: multiply the row offset by 2·window - 1 before adding "
        "the column offset": _index_by(lambda row, column, m: row + m - 1 + column + m - 1),
        "rows and columns of the pixels are still separate axes: merge them to (N, N)": (
            lambda m: package.relative_position_index(m).reshape(m, m, m, m)
        ),
    },
    run=_integers,
)


# W-MSA


class _Steps(package.WindowAttention):
    """The right W-MSA, in steps; each mistake replaces one of them."""

    cut = "b (h i) (w j) (three heads d) -> three b (h w) heads (i j) d"
    join = "b (h w) heads (i j) d -> b (h i) (w j) (heads d)"

    def forward(self, tokens):
        m = self.window
        parts = rearrange(self.qkv(tokens), self.cut, i=m, j=m, three=3, heads=self.heads)
        mixed = self.mix(*self.roles(*parts), self.gather())
        sizes = {"h": tokens.shape[1] // m, "i": m, "j": m}
        return self.project(rearrange(mixed, self.join, **sizes))

    def gather(self):
        return rearrange(self.bias_table[self.bias_index], "i j heads -> heads i j")

    def roles(self, query, key, value):
        return query, key, value

    def mix(self, query, key, value, bias):
        return package.attend(query, key, value, bias)

    def project(self, mixed):
        return self.proj(mixed)


def _with(**steps):
    return type("Mistaken", (_Steps,), steps)


def _draw_w_msa(rng):
    # as many windows as heads: then a bias on the wrong axis runs, and the check can name it
    cases = []
    for settings, height, width in (((6, 2, 2), 2, 4), ((12, 6, 2), 4, 6), ((8, 4, 3), 6, 6)):
        weights = random_weights(package.WindowAttention(*settings), rng)
        tokens = normal(rng, 2, height, width, settings[0]).float()
        cases.append((settings, weights, tokens))
    return cases


window_attention = Exercise(
    "window_attention",
    "WindowAttention",
    package.WindowAttention,
    _draw_w_msa,
    {
        "the bias is missing: look it up in bias_table with bias_index, and pass it to attend": (
            _with(gather=lambda self: 0)
        ),
        "each window has its own bias here, and the heads share it: PyTorch aligns (heads, N, N) "
        "with (B, windows, heads, N, N) from the right, so add no axis": (
            _with(gather=lambda self: _Steps.gather(self)[:, None])
        ),
        "the bias is transposed: entry (i, j) of bias_index is query i, key j": (
            _with(gather=lambda self: _Steps.gather(self).mT)
        ),
        "all heads use the bias of the first: the table has a column for each head": (
            _with(gather=lambda self: _Steps.gather(self)[:1])
        ),
        "the channels of qkv are split in the wrong order: q, k, v first, then heads, then d, so "
        "(three heads d)": (
            _with(cut="b (h i) (w j) (heads three d) -> three b (h w) heads (i j) d")
        ),
        "the channels of a head must be adjacent: use (three heads d), with d last": (
            _with(
                cut="b (h i) (w j) (three d heads) -> three b (h w) heads (i j) d",
                join="b (h w) heads (i j) d -> b (h i) (w j) (d heads)",
            )
        ),
        "the heads are joined in another order than they were split: use (heads d)": (
            _with(join="b (h w) heads (i j) d -> b (h i) (w j) (d heads)")
        ),
        "the windows are made of distant pixels: split the image as (h i) (w j)": (
            _with(
                cut="b (i h) (j w) (three heads d) -> three b (h w) heads (i j) d",
                join="b (h w) heads (i j) d -> b (i h) (j w) (heads d)",
            )
        ),
        "the windows are not put back where they were cut: read the pattern of the cut backwards": (
            _with(join="b (h w) heads (i j) d -> b (i h) (j w) (heads d)")
        ),
        "query and key are exchanged: qkv gives query, key, value in this order": (
            _with(roles=lambda self, query, key, value: (key, query, value))
        ),
        "value is used as query: qkv gives query, key, value in this order": (
            _with(roles=lambda self, query, key, value: (value, key, query))
        ),
        "proj is missing: it mixes the outputs of the heads": (
            _with(project=lambda self, mixed: mixed)
        ),
        "the scale uses all channels: each head has only d = channels / heads": (
            _with(
                mix=lambda self, query, key, value, bias: package.attend(
                    query * self.heads**-0.5, key, value, bias
                )
            )
        ),
        "the scores are not scaled: attend scales them, with d = channels of a head": (
            _with(
                mix=lambda self, query, key, value, bias: (
                    (query @ key.mT + bias).softmax(-1) @ value
                )
            )
        ),
        "the softmax runs over the queries: each query's weights add up to 1, so dim=-1": (
            _with(
                mix=lambda self, query, key, value, bias: (
                    (_scores(query, key) + bias).softmax(-2) @ value
                )
            )
        ),
    },
    run=run_module,
    tolerance=1e-5,  # fused and step by step round differently
)
