"""Exercises of notebook 05: attention, windows, relative position bias, W-MSA."""

import torch
import torch.nn.functional as F
from einops import rearrange

from glanet.course.kit.checks import (
    AnswerError,
    Exercise,
    by_steps,
    passes_gradients,
    random_weights,
    run_module,
    trains_alike,
)
from glanet.model import attention as package


def normal(rng, *shape):
    """Normally distributed float64 numbers: rounding stays far below any real difference."""
    return torch.from_numpy(rng.standard_normal(shape))


# Attention


NO_NUMBER = "it fails where the bias is the number 0, as in section 5: add the bias to the scores"


def _draw_attention(rng):
    shapes = ((5, 3), (5, 5)), ((2, 3, 4, 6), (3, 4, 4))  # without and with heads and batch
    cases = [
        (*(normal(rng, *tokens) for _ in range(3)), normal(rng, *bias)) for tokens, bias in shapes
    ]
    with_a_number = *cases[1][:3], 0
    return [*cases, with_a_number, tuple(part.float() for part in cases[0])]


def _attend_with_any_bias(function, query, key, value, bias):
    try:
        return function(query, key, value, bias)
    except Exception as error:
        if isinstance(bias, torch.Tensor):
            raise
        raise AnswerError(NO_NUMBER) from error


def _scores(query, key):
    return query @ key.mT * query.shape[-1] ** -0.5


@by_steps
def _attend_with(
    roles=lambda query, key, value: (query, key, value),
    product=lambda query, key: query @ key.mT,
    scale=lambda query: query.shape[-1] ** -0.5,
    add=lambda scores, bias, scale: scores + bias,
    weigh=lambda scores: scores.softmax(-1),
    adjust=lambda weights, bias: weights,
    mix=lambda weights, value: weights @ value,
):
    """Attention, with other steps for some of the right ones."""

    def mistaken(query, key, value, bias):
        query, key, value = roles(query, key, value)
        scores = add(product(query, key) * scale(query), bias, scale(query))
        return mix(adjust(weigh(scores), bias), value)

    return mistaken


def _divided_by_sum(weights, more):
    return weights / (weights.sum(-1, keepdim=True) + more)


attend = Exercise(
    "window_attention",
    "attend",
    package.attend,
    _draw_attention,
    {
        "the softmax runs over the queries: each query's weights add up to 1, so dim=-1": (
            _attend_with(weigh=lambda scores: scores.softmax(-2))
        ),
        "the softmax runs over axis 0: with batch and heads in front, the keys are the last axis, "
        "dim=-1": _attend_with(weigh=lambda scores: scores.softmax(0)),
        "the softmax runs over axis 1: with batch and heads in front, the keys are the last axis, "
        "dim=-1": _attend_with(weigh=lambda scores: scores.softmax(1)),
        "the scores are not scaled: multiply q kᵀ by d ** -0.5": (
            _attend_with(scale=lambda query: 1)
        ),
        "the scores are divided by d, not by its square root": (
            _attend_with(scale=lambda query: 1 / query.shape[-1])
        ),
        "the scores are multiplied by √d: divide by it": (
            _attend_with(scale=lambda query: query.shape[-1] ** 0.5)
        ),
        "the scale uses the number of tokens: d is the length of the last axis, query.shape[-1]": (
            _attend_with(scale=lambda query: query.shape[-2] ** -0.5)
        ),
        "the bias is missing: add it to the scaled scores, before the softmax": (
            _attend_with(add=lambda scores, bias, scale: scores)
        ),
        "the bias is scaled too: scale q kᵀ first, then add the bias": (
            _attend_with(add=lambda scores, bias, scale: scores + bias * scale)
        ),
        "the bias is added after the softmax: add it to the scores, before": _attend_with(
            add=lambda scores, bias, scale: scores, adjust=lambda weights, bias: weights + bias
        ),
        "queries and keys are exchanged: entry (i, j) is query i times key j": (
            _attend_with(roles=lambda query, key, value: (key, query, value))
        ),
        "key and value are exchanged: the scores are query times key": (
            _attend_with(roles=lambda query, key, value: (query, value, key))
        ),
        "query and value are exchanged: the scores are query times key": (
            _attend_with(roles=lambda query, key, value: (value, key, query))
        ),
        "this is the weighted mean of the keys: average the values": (
            _attend_with(roles=lambda query, key, value: (query, key, key))
        ),
        "this is the weighted mean of the queries: average the values": (
            _attend_with(roles=lambda query, key, value: (query, key, query))
        ),
        **{
            f"the scale is always that of d = {d}: d is the length of the last axis, "
            "query.shape[-1]": _attend_with(scale=lambda query, d=d: d**-0.5)
            for d in (2, 8, 64)
        },
        "the output is scaled, too: scale the scores alone": lambda q, k, v, bias: (
            package.attend(q, k, v, bias) * q.shape[-1] ** -0.5
        ),
        "the bias is subtracted: add it": _attend_with(
            add=lambda scores, bias, scale: scores - bias
        ),
        "the bias is transposed: entry (i, j) is for query i, key j": _attend_with(
            add=lambda scores, bias, scale: (
                scores + (bias.mT if isinstance(bias, torch.Tensor) else bias)
            )
        ),
        "the bias is a factor: add it to the scaled scores": (
            _attend_with(add=lambda scores, bias, scale: scores * bias)
        ),
        "the weights are transposed: weights @ value": (
            _attend_with(mix=lambda weights, value: weights.mT @ value)
        ),
        "this is a sigmoid: a softmax divides each weight by the sum of its row": (
            _attend_with(weigh=torch.sigmoid)
        ),
        "the weights come from a ReLU: a softmax makes all of them positive, and their sum 1": (
            _attend_with(weigh=torch.relu)
        ),
        **{
            f"the weights come from a ReLU, divided by their sum{text}: use a softmax": (
                _attend_with(weigh=lambda scores, more=more: _divided_by_sum(scores.relu(), more))
            )
            for text, more in {"": 0, " and a bit more": 1e-6}.items()
        },
        "the weights are not divided by their sum: use a softmax": (_attend_with(weigh=torch.exp)),
        "these are logarithms of the weights: use softmax, not log_softmax": (
            _attend_with(weigh=lambda scores: scores.log_softmax(-1))
        ),
        "the query is added: attention has no residual": lambda q, k, v, bias: (
            q + package.attend(q, k, v, bias)
        ),
        NO_NUMBER: lambda q, k, v, bias: F.scaled_dot_product_attention(q, k, v, attn_mask=bias),
        "the softmax is missing: weights are positive and add up to 1": (
            _attend_with(weigh=lambda scores: scores)
        ),
        "these are the scores: take their softmax, and return weights @ value": (
            lambda q, k, v, bias: _scores(q, k) + bias
        ),
        "these are the weights: return the weighted mean of the values, weights @ value": (
            _attend_with(mix=lambda weights, value: weights)
        ),
        "`*` multiplies number by number: matrices are multiplied by @, weights @ value": (
            _attend_with(mix=lambda weights, value: weights * value)
        ),
        "`*` multiplies number by number: matrices are multiplied by @, query @ keyᵀ and weights @ "
        "value": _attend_with(product=lambda query, key: query * key),
        "weights and values are in the wrong order: weights @ value": (
            _attend_with(mix=lambda weights, value: value @ weights)
        ),
        "`.T` turns all axes round: exchange the last two, key.transpose(-2, -1)": (
            lambda q, k, v, bias: q @ k.permute(*range(k.ndim)[::-1])
        ),
    },
    run=_attend_with_any_bias,
    also=passes_gradients,
    tolerance=1e-5,  # float32
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
    """Also the types that the notebook cuts: numbered pixels, and a photograph."""
    drawn = [normal(rng, b, h, w, c) for b, h, w, c, _ in SHAPES]
    images = drawn[0], (100 * drawn[1]).long(), (40 * drawn[2] + 128).clamp(0, 255).byte()
    return [(image, shape[-1]) for image, shape in zip(images, SHAPES, strict=True)]


def _draw_windows(rng):
    return [(normal(rng, b, (h // m) * (w // m), m * m, c), m, h) for b, h, w, c, m in SHAPES]


NO_INTEGERS = "it fails on integers: pixels may be integers, as in the next cells"


def _cut_any_type(function, tokens, window):
    try:
        return function(tokens, window)
    except NotImplementedError as error:
        raise AnswerError(NO_INTEGERS) from error


def _cut_by_unfold(tokens, m):
    columns = F.unfold(rearrange(tokens, "b h w c -> b c h w"), m, stride=m)
    return rearrange(columns, "b (c n) windows -> b windows n c", n=m * m)


def _cut_by(pattern):
    return lambda tokens, m: rearrange(tokens, pattern, i=m, j=m)


@by_steps
def _cut_with(rows="h i", columns="w j", windows="h w", pixels="i j"):
    return _cut_by(f"b ({rows}) ({columns}) c -> b ({windows}) ({pixels}) c")


def _join_by(pattern):
    return lambda windows, m, height: rearrange(windows, pattern, h=height // m, i=m, j=m)


@by_steps
def _join_with(windows="h w", pixels="i j", rows="h i", columns="w j"):
    return _join_by(f"b ({windows}) ({pixels}) c -> b ({rows}) ({columns}) c")


cut_windows = Exercise(
    "window_attention",
    "cut_windows",
    windows_of,
    _draw_images,
    {
        "every window is a small copy of the whole image: split the rows as (h i), window first, "
        "not as (i h)": _cut_with(rows="i h", columns="j w"),
        "these are strips, not windows: reshape does not reorder memory, and the rows of a window "
        "are not adjacent in it": (
            lambda tokens, m: tokens.reshape(len(tokens), -1, m * m, tokens.shape[-1])
        ),
        "the windows are counted column by column: use (h w), not (w h)": _cut_with(windows="w h"),
        "the pixels inside a window are counted column by column: use (i j), not (j i)": _cut_with(
            pixels="j i"
        ),
        "windows and pixels are both counted column by column: use (h w) and (i j)": _cut_with(
            windows="w h", pixels="j i"
        ),
        "the rows are split as (i h): split both sides alike, (h i) and (w j)": _cut_with(
            rows="i h"
        ),
        "the columns are split as (j w): split both sides alike, (h i) and (w j)": _cut_with(
            columns="j w"
        ),
        "the channels come before the pixels: keep c last": _cut_by(
            "b (h i) (w j) c -> b (h w) c (i j)"
        ),
        NO_INTEGERS: _cut_by_unfold,
        "channels and pixels are mixed: a reshape does not move the channels to the end": (
            lambda tokens, m: _cut_by("b (h i) (w j) c -> b (h w) (c i j)")(tokens, m).reshape(
                len(tokens), -1, m * m, tokens.shape[-1]
            )
        ),
        "the pixels of a window are separate axes: bracket them as (i j)": _cut_by(
            "b (h i) (w j) c -> b (h w) i j c"
        ),
        "rows and columns of windows are separate axes: bracket them as (h w)": _cut_by(
            "b (h i) (w j) c -> b h w (i j) c"
        ),
        "this is the image as it was: the pattern must end in (h w) (i j) c": (
            lambda tokens, m: tokens
        ),
        "these are bands of whole rows: split the columns, too": (
            lambda tokens, m: rearrange(tokens, "b (h i) w c -> b h (i w) c", i=m)
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
        "i and j are the sides of a window, h and w the numbers of windows: give einops i=window, "
        "j=window": lambda tokens, m: rearrange(
            tokens, "b (h i) (w j) c -> b (h w) (i j) c", h=m, w=m
        ),
        "the windows come before the batch: stack them along axis 1, torch.stack(..., dim=1)": (
            lambda tokens, m: windows_of(tokens, m).movedim(1, 0)
        ),
        "the windows overlap: the next one starts `window` pixels further": lambda tokens, m: (
            tokens.unfold(1, m, 1).unfold(2, m, 1).flatten(1, 2).flatten(3).mT
        ),
    },
    run=_cut_any_type,
)

join_windows = Exercise(
    "window_attention",
    "join_windows",
    image_of,
    _draw_windows,
    {
        "the windows are interleaved: join the rows as (h i), window first, not as (i h)": (
            _join_with(rows="i h", columns="j w")
        ),
        "memory holds one window after the other: a reshape alone does not reorder it": (
            lambda windows, m, height: windows.reshape(len(windows), height, -1, windows.shape[-1])
        ),
        "the windows were counted row by row: use (h w), not (w h)": _join_with(windows="w h"),
        "the pixels of a window were counted row by row: use (i j), not (j i)": _join_with(
            pixels="j i"
        ),
        "windows and pixels were both counted row by row: use (h w) and (i j)": _join_with(
            windows="w h", pixels="j i"
        ),
        "the rows are joined as (i h): join both sides alike, (h i) and (w j)": _join_with(
            rows="i h"
        ),
        "the columns are joined as (j w): join both sides alike, (h i) and (w j)": _join_with(
            columns="j w"
        ),
        "all windows stand below each other: join them in rows, too": (
            lambda windows, m, height: rearrange(windows, "b n (i j) c -> b (n i) j c", i=m)
        ),
        "all windows stand side by side: join them in columns, too": (
            lambda windows, m, height: rearrange(windows, "b n (i j) c -> b i (n j) c", i=m)
        ),
        "the number of windows in a column is taken for the number in a row: give einops "
        "h=height // window": lambda windows, m, height: rearrange(
            windows, "b (h w) (i j) c -> b (h i) (w j) c", w=height // m, i=m, j=m
        ),
        "rows and columns are one axis: keep (h i) and (w j) apart": _join_by(
            "b (h w) (i j) c -> b (h i w j) c"
        ),
        "the channels come first: keep c last": _join_by("b (h w) (i j) c -> b c (h i) (w j)"),
        "rows and columns of the image are exchanged": _join_by(
            "b (h w) (i j) c -> b (w j) (h i) c"
        ),
        "windows and pixels are still separate axes: bracket them as (h i) and (w j)": _join_by(
            "b (h w) (i j) c -> b h i w j c"
        ),
        "h is the number of windows in a column, not of pixels: h=height // window": (
            lambda windows, m, height: rearrange(
                windows, "b (h w) (i j) c -> b (h i) (w j) c", h=height, i=m, j=m
            )
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


@by_steps
def _index_with(
    offset=lambda offset: offset,
    row_start=lambda m: m - 1,
    column_start=lambda m: m - 1,
    factor=lambda m: 2 * m - 1,
    number=lambda row, column, factor: row * factor + column,
):
    """The index, with other steps for some of the right ones."""
    return _index_by(
        lambda row, column, m: number(
            offset(row) + row_start(m), offset(column) + column_start(m), factor(m)
        )
    )


def _integers(candidate, window):
    answer = candidate(window)
    if isinstance(answer, torch.Tensor) and answer.is_floating_point():
        raise AnswerError(
            f"the index is {answer.dtype}, expected integers, as torch.arange gives them"
        )
    return answer


relative_position_index = Exercise(
    "window_attention",
    "relative_position_index",
    package.relative_position_index,
    lambda rng: [(window,) for window in (2, 3, 5)],
    {
        "the offsets have the wrong sign: entry (i, j) is pixel i minus pixel j": (
            _index_with(offset=lambda offset: -offset)
        ),
        "an index starts at 0, offsets start at -(window - 1): add window - 1 to both": (
            _index_with(row_start=lambda m: 0, column_start=lambda m: 0)
        ),
        "only one of the two offsets starts at 0: add window - 1 to both": (
            _index_with(row_start=lambda m: 0)
        ),
        "there are 2·window - 1 column offsets: multiply the row offset by that, "
        "not by window": _index_with(factor=lambda m: m),
        "the column offset starts below 0: add window - 1 to both": _index_with(
            column_start=lambda m: 0
        ),
        "both offsets are 1 too large: add window - 1, not window": (
            _index_with(row_start=lambda m: m, column_start=lambda m: m)
        ),
        "there are 2·window - 1 column offsets, not 2·window + 1": _index_with(
            factor=lambda m: 2 * m + 1
        ),
        "the row offset is always multiplied by 3, as for window 2: multiply by 2·window - 1": (
            _index_with(factor=lambda m: 3)
        ),
        "the row offset is always multiplied by 15, as for window 8: multiply by 2·window - 1": (
            _index_with(factor=lambda m: 15)
        ),
        "opposite offsets get the same number: keep their signs, and add window - 1": _index_with(
            offset=torch.abs, row_start=lambda m: 0, column_start=lambda m: 0
        ),
        "the column offset is missing: row offset times 2·window - 1, plus column offset": (
            _index_with(number=lambda row, column, factor: row * factor)
        ),
        "this is the row offset alone: multiply it by 2·window - 1 and add the column offset": (
            _index_by(lambda row, column, m: row + m - 1)
        ),
        "this is the difference of the pixels' numbers: rows and columns have an offset each": (
            lambda m: torch.arange(m * m)[:, None] - torch.arange(m * m)
        ),
        "every pair has its own number: pairs with the same offset share one": (
            lambda m: torch.arange(m**4).reshape(m * m, m * m)
        ),
        "this is the index of the rows of one window: number all window² pixels": (
            lambda m: package.relative_position_index(m)[:m, :m]
        ),
        "this is one pixel's row of the index: compare all pixels with all": (
            lambda m: package.relative_position_index(m)[0]
        ),
        "the table is one long row: its shape is (N, N)": (
            lambda m: package.relative_position_index(m).flatten()
        ),
        "there are 2·window - 1 column offsets, not 2·window": _index_with(factor=lambda m: 2 * m),
        "rows and columns are exchanged: multiply the row offset": _index_with(
            number=lambda row, column, factor: column * factor + row
        ),
        "opposite offsets get the same number: keep their signs": _index_with(offset=torch.abs),
        "different offsets share a number: multiply the row offset by 2·window - 1 before adding "
        "the column offset": _index_with(number=lambda row, column, factor: row + column),
        "rows and columns of the pixels are still separate axes: merge them to (N, N)": (
            lambda m: package.relative_position_index(m).reshape(m, m, m, m)
        ),
        "opposite offsets get the same number, and the row offset is multiplied by window: keep "
        "their signs, add window - 1, and multiply by 2·window - 1": _index_with(
            offset=torch.abs,
            row_start=lambda m: 0,
            column_start=lambda m: 0,
            factor=lambda m: m,
        ),
        "these are the two offsets: make one number of them, row · (2·window - 1) + column": (
            _index_by(lambda row, column, m: torch.stack([row + m - 1, column + m - 1], -1))
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


@by_steps
def _with(**steps):
    return type("Mistaken", (_Steps,), steps)


def _in_order(*order, where=("cut", "join")):
    """W-MSA with parts of its patterns in another order, such as ("(h i)", "(i h)")."""

    def reordered(pattern):
        for right, wrong in order:
            pattern = pattern.replace(right, wrong)
        return pattern

    return _with(**{step: reordered(getattr(_Steps, step)) for step in where})


ROWS, COLUMNS = ("(h i)", "(i h)"), ("(w j)", "(j w)")


def _split_channels(self, features):
    pattern = "b windows n (three heads d) -> three b windows heads n d"
    return rearrange(features, pattern, three=3, heads=self.heads)


def _on_strips(self, tokens):
    features = self.qkv(tokens).reshape(len(tokens), -1, self.window**2, 3 * tokens.shape[-1])
    mixed = package.attend(*_split_channels(self, features), self.gather())
    return self.proj(rearrange(mixed, "b w h n d -> b w n h d").reshape(tokens.shape))


def _whole_image(self, tokens):
    pattern = "b h w (three heads d) -> three b heads (h w) d"
    parts = rearrange(self.qkv(tokens), pattern, three=3, heads=self.heads)
    mixed = package.attend(*parts, 0)
    return self.proj(rearrange(mixed, "b heads (h w) d -> b h w (heads d)", h=tokens.shape[1]))


def _left_in_windows(self, tokens):
    return windows_of(_Steps.forward(self, tokens), self.window)


def _with_one_head(self, tokens):
    parts = windows_of(self.qkv(tokens), self.window).chunk(3, -1)
    return self.proj(
        image_of(package.attend(*parts, self.gather()[0]), self.window, tokens.shape[1])
    )


def _draw_w_msa(rng):
    # as many windows as heads: then a bias on the wrong axis runs, and the check can name it
    cases = []
    for settings, height, width in (((6, 2, 2), 2, 4), ((12, 6, 2), 4, 6), ((8, 4, 3), 6, 6)):
        weights = random_weights(package.WindowAttention(*settings), rng)
        tokens = normal(rng, 2, height, width, settings[0])
        cases.append((settings, weights, tokens))
    return [(*cases[0][:2], cases[0][2].float()), *cases[1:]]


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
        "q, k, v run fastest in the channels of qkv: they come first, so (three heads d)": (
            _with(cut="b (h i) (w j) (heads d three) -> three b (h w) heads (i j) d")
        ),
        "q, k, v and the heads run fastest in the channels of qkv: use (three heads d)": (
            _with(cut="b (h i) (w j) (d heads three) -> three b (h w) heads (i j) d")
        ),
        "d comes first in the channels of qkv: q, k, v come first, so (three heads d)": (
            _with(cut="b (h i) (w j) (d three heads) -> three b (h w) heads (i j) d")
        ),
        "the channels of qkv are split as (three d heads), but joined as (heads d): use "
        "(three heads d)": (
            _with(cut="b (h i) (w j) (three d heads) -> three b (h w) heads (i j) d")
        ),
        "the windows are counted column by column in the cut, row by row in the join: use (h w) "
        "in both": _with(cut="b (h i) (w j) (three heads d) -> three b (w h) heads (i j) d"),
        "the pixels of a window are counted column by column in the cut: use (i j), as the index "
        "does": _with(cut="b (h i) (w j) (three heads d) -> three b (h w) heads (j i) d"),
        "the pixels of a window are counted column by column: use (i j), as the index does": (
            _with(
                cut="b (h i) (w j) (three heads d) -> three b (h w) heads (j i) d",
                join="b (h w) heads (j i) d -> b (h i) (w j) (heads d)",
            )
        ),
        "the heads are joined in another order than they were split: use (heads d)": (
            _with(join="b (h w) heads (i j) d -> b (h i) (w j) (d heads)")
        ),
        "the windows are joined column by column, cut row by row: use (h w) in both": _with(
            join="b (w h) heads (i j) d -> b (h i) (w j) (heads d)"
        ),
        "the windows are made of distant pixels: split the image as (h i) (w j)": (
            _in_order(ROWS, COLUMNS)
        ),
        "the windows are not put back where they were cut: read the pattern of the cut backwards": (
            _in_order(ROWS, COLUMNS, where=["join"])
        ),
        "the image is split as (i h) (j w), but joined as (h i) (w j): use (h i) (w j) in both": (
            _in_order(ROWS, COLUMNS, where=["cut"])
        ),
        **{
            f"the {sides} are {how}: use {order[0]} in both": _in_order(order, where=where)
            for sides, order in {"rows": ROWS, "columns": COLUMNS}.items()
            for how, where in {
                f"split as {order[1]}, but joined as {order[0]}": ["cut"],
                f"split as {order[0]}, but joined as {order[1]}": ["join"],
                f"split and joined as {order[1]}, so a window is made of distant pixels": [
                    "cut",
                    "join",
                ],
            }.items()
        },
        **{
            f"the channels are split as {split} and joined as (d heads): use (three heads d), and "
            "(heads d)": _in_order(("(three heads d)", split), ("(heads d)", "(d heads)"))
            for split in (
                "(heads three d)",
                "(heads d three)",
                "(d heads three)",
                "(d three heads)",
            )
        },
        "heads and d are exchanged in the axes: each head has a matrix of tokens, heads (i j) d": (
            _in_order(("heads (i j) d", "d (i j) heads"))
        ),
        "the windows are strips: a reshape does not cut an image into windows": _with(
            forward=_on_strips
        ),
        "every pixel attends to the whole image: cut it into windows": _with(forward=_whole_image),
        "the windows are not joined: put them back to their places in the image": _with(
            forward=_left_in_windows
        ),
        "the output is (B, C, H, W): return tokens, (B, H, W, C)": _with(
            project=lambda self, mixed: self.proj(mixed).permute(0, 3, 1, 2)
        ),
        "there is one head of all channels: split them into self.heads": _with(
            forward=_with_one_head
        ),
        "key and value are exchanged: qkv gives query, key, value in this order": (
            _with(roles=lambda self, query, key, value: (query, value, key))
        ),
        "qkv gives query, key, value in this order, and you use them as key, value, query": (
            _with(roles=lambda self, query, key, value: (value, query, key))
        ),
        "qkv gives query, key, value in this order, and you use them as value, query, key": (
            _with(roles=lambda self, query, key, value: (key, value, query))
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
        "proj is applied twice: once is enough": (
            _with(project=lambda self, mixed: self.proj(self.proj(mixed)))
        ),
        "proj is applied to the tokens: apply it to the joined output of the heads": _with(
            forward=lambda self, tokens: _Steps.forward(self, self.proj(tokens)),
            project=lambda self, mixed: mixed,
        ),
        "the tokens are added: the residual belongs to the layer around attention": _with(
            forward=lambda self, tokens: tokens + _Steps.forward(self, tokens)
        ),
        "the bias is subtracted: attend adds it": _with(gather=lambda self: -_Steps.gather(self)),
        "the bias is added twice: attend adds it": _with(
            gather=lambda self: 2 * _Steps.gather(self)
        ),
        "all heads share the mean bias: the table has a column for each head": _with(
            gather=lambda self: _Steps.gather(self).mean(0)
        ),
        "a reshape does not move the heads to the front: use rearrange": _with(
            gather=lambda self: self.bias_table[self.bias_index].reshape(
                self.heads, self.window**2, self.window**2
            )
        ),
        "the bias is scaled, too: attend scales q kᵀ, and then adds the bias": _with(
            mix=lambda self, query, key, value, bias: package.attend(
                query, key, value, bias * query.shape[-1] ** -0.5
            )
        ),
        "the bias is added after the softmax: pass it to attend": _with(
            mix=lambda self, query, key, value, bias: (
                (_scores(query, key).softmax(-1) + bias) @ value
            )
        ),
        "the scores are scaled twice: attend scales them": _with(
            mix=lambda self, query, key, value, bias: package.attend(
                query * query.shape[-1] ** -0.5, key, value, bias
            )
        ),
        "the softmax runs over the heads: each query's weights add up to 1, so dim=-1": _with(
            mix=lambda self, query, key, value, bias: (
                (_scores(query, key) + bias).softmax(2) @ value
            )
        ),
        "the softmax runs over the windows: each query's weights add up to 1, so dim=-1": _with(
            mix=lambda self, query, key, value, bias: (
                (_scores(query, key) + bias).softmax(1) @ value
            )
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
    also=trains_alike,
    tolerance=1e-5,  # fused and step by step round differently
)
