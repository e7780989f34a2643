"""Exercises of notebook 14: the roofline, tokens, online softmax, folding, padding, a kernel."""

from functools import partial
from inspect import signature

import torch
import torch.nn.functional as F

from glanet.course.kit.checks import AnswerError, Exercise
from glanet.course.lessons.speed import kernels
from glanet.course.lessons.speed.instruments import operations


def normal(rng, *shape):
    """Normally distributed float64 numbers: rounding stays far below any real difference."""
    return torch.from_numpy(rng.standard_normal(shape))


# Exercise 1: the roofline


def shortest_time(flop, moved, rate, bandwidth):
    """Seconds that a device needs at least: arithmetic and moving data may overlap."""
    return max(flop / rate, moved / bandwidth)


def _draw_work(rng):
    """One work that is bound by arithmetic, and one by memory."""
    short, long = rng.uniform(1, 3, 2), rng.uniform(5, 9, 2)
    rates = rng.uniform(2, 4, 2), rng.uniform(5, 7, 2)
    return [
        tuple(round(float(x), 3) for x in (arithmetic * rate, memory * bandwidth, rate, bandwidth))
        for arithmetic, memory, rate, bandwidth in zip(
            (short[0], long[0]), (long[1], short[1]), *rates, strict=True
        )
    ]


least_seconds = Exercise(
    "speed",
    "least_seconds",
    shortest_time,
    _draw_work,
    {
        "this is the shorter of the two times: both must pass, so take the longer": (
            lambda flop, moved, rate, bandwidth: min(flop / rate, moved / bandwidth)
        ),
        "the two times are added: at best a device computes and moves data at once": (
            lambda flop, moved, rate, bandwidth: flop / rate + moved / bandwidth
        ),
        "this is the time for arithmetic alone: moving the data may take longer": (
            lambda flop, moved, rate, bandwidth: flop / rate
        ),
        "this is the time for moving the data alone: arithmetic may take longer": (
            lambda flop, moved, rate, bandwidth: moved / bandwidth
        ),
        "the fractions are upside down: a time is work divided by rate": (
            lambda flop, moved, rate, bandwidth: max(rate / flop, bandwidth / moved)
        ),
        "the rates are exchanged: FLOP by rate, bytes by bandwidth": (
            lambda flop, moved, rate, bandwidth: max(flop / bandwidth, moved / rate)
        ),
        "this is a rate, FLOP per second: return seconds": (
            lambda flop, moved, rate, bandwidth: min(rate, flop / moved * bandwidth)
        ),
        "this is the mean of the two times: take the longer": (
            lambda flop, moved, rate, bandwidth: (flop / rate + moved / bandwidth) / 2
        ),
    },
)


# Exercise 2: tokens


def token_convolution(tokens, weight, bias):
    """Convolve tokens without a copy: (B, H, W, C_in) -> (B, H, W, C_out), same size."""
    padding = [side // 2 for side in weight.shape[2:]]
    return F.conv2d(tokens.permute(0, 3, 1, 2), weight, bias, padding=padding).permute(0, 2, 3, 1)


def _draw_tokens(rng):
    """Kernels of odd sides, and at last the type of the network's numbers."""
    shapes = (
        ((2, 5, 6, 3), (2, 3, 3, 5)),
        ((1, 4, 6, 2), (3, 2, 1, 3)),
        ((1, 6, 5, 3), (4, 3, 5, 1)),
    )
    cases = [
        (normal(rng, *tokens), normal(rng, *weight), normal(rng, weight[0]))
        for tokens, weight in shapes
    ]
    return [*cases[:2], tuple(tensor.float() for tensor in cases[2])]


def _convolved(before=(0, 3, 1, 2), after=(0, 2, 3, 1), change=lambda weight, bias: (weight, bias)):
    def mistaken(tokens, weight, bias):
        weight, bias = change(weight, bias)
        padding = [side // 2 for side in weight.shape[2:]]
        return F.conv2d(tokens.permute(before), weight, bias, padding=padding).permute(after)

    return mistaken


def _reshaped(tokens, weight, bias):
    b, h, w, c = tokens.shape
    padding = [side // 2 for side in weight.shape[2:]]
    return F.conv2d(tokens.reshape(b, c, h, w), weight, bias, padding=padding).permute(0, 2, 3, 1)


def _reshaped_back(tokens, weight, bias):
    right = token_convolution(tokens, weight, bias)
    return right.permute(0, 3, 1, 2).reshape(right.shape)


def _without_padding(tokens, weight, bias):
    return F.conv2d(tokens.permute(0, 3, 1, 2), weight, bias).permute(0, 2, 3, 1)


def _mirrored_padding(tokens, weight, bias):
    rows, columns = (side // 2 for side in weight.shape[2:])
    image = F.pad(tokens.permute(0, 3, 1, 2), (columns, columns, rows, rows), mode="reflect")
    return F.conv2d(image, weight, bias).permute(0, 2, 3, 1)


def _moves_nothing(function, reference, *inputs):
    """Check that no operation of ``function`` copies features."""
    found = operations(lambda: function(*inputs), inputs[0].device)
    if any(operation.kind == "copies" for operation in found):
        raise AnswerError(
            "right, but it copies the features: permute alone moves nothing, and conv2d pads itself"
        )


conv_tokens = Exercise(
    "speed",
    "conv_tokens",
    token_convolution,
    _draw_tokens,
    {
        "the result is still (B, C, H, W): permute back with (0, 2, 3, 1)": (
            _convolved(after=(0, 1, 2, 3))
        ),
        "this reinterprets the memory: reshape moves no axis, permute does": _reshaped,
        "the way back reinterprets the memory: reshape moves no axis, permute does": _reshaped_back,
        "rows and columns are exchanged: permute with (0, 3, 1, 2)": (
            _convolved((0, 3, 2, 1), (0, 3, 2, 1))
        ),
        "the way back exchanges rows and columns: permute with (0, 2, 3, 1)": (
            _convolved(after=(0, 3, 2, 1))
        ),
        "the bias is missing": _convolved(change=lambda weight, bias: (weight, None)),
        "the borders are missing: pad by half a kernel, rounded down": _without_padding,
        "the image is mirrored at its borders: pad with zeros, as conv2d's padding does": (
            _mirrored_padding
        ),
        "the kernel is flipped: conv2d takes it as it is": (
            _convolved(change=lambda weight, bias: (weight.flip(2, 3), bias))
        ),
    },
    also=_moves_nothing,
    tolerance=1e-5,  # float32
)


# Exercise 3: online softmax


class Blocks(list):
    """Pairs of scores (N, k) and values (k, d)."""

    def __repr__(self):
        return f"{len(self)} blocks"


def mix_by_blocks(blocks):
    """softmax(scores) @ values, both joined from ``blocks``, in one pass: (N, d)."""
    largest, total, mixed = -torch.inf, 0, 0
    for scores, values in blocks:
        new = scores.amax(-1, keepdim=True).clamp(min=largest)
        rescale = (largest - new).exp()
        raised = (scores - new).exp()
        total = rescale * total + raised.sum(-1, keepdim=True)
        mixed = rescale * mixed + raised @ values
        largest = new
    return mixed / total


def _online(
    *,
    first=-torch.inf,
    maximum=lambda scores: scores.amax(-1, keepdim=True),
    update=torch.maximum,
    rescale_sum=lambda old, new: (old - new).exp(),
    rescale_mix=lambda old, new: (old - new).exp(),
    end=lambda mixed, total: mixed / total,
):
    """The loop with parts that can be mistaken."""

    def mistaken(blocks):
        rows, width = len(blocks[0][0]), blocks[0][1].shape[1]
        like = blocks[0][0]
        largest = like.new_full((rows, 1), first)
        total, mixed = like.new_zeros(rows, 1), like.new_zeros(rows, width)
        for scores, values in blocks:
            new = update(largest, maximum(scores))
            raised = (scores - new).exp()
            total = rescale_sum(largest, new) * total + raised.sum(-1, keepdim=True)
            mixed = rescale_mix(largest, new) * mixed + raised @ values
            largest = new
        return end(mixed, total)

    return mistaken


def _as_it_is(old, new):
    return torch.ones_like(old)


def _upside_down(old, new):
    return torch.where(old == -torch.inf, 0, (new - old).exp())


def _each_alone(combine):
    def mistaken(blocks):
        return combine(torch.stack([scores.softmax(-1) @ values for scores, values in blocks]))

    return mistaken


def _draw_blocks(rng):
    """Scores near 0; rows far from 0, where exponentials need the right maximum; float32."""
    near = [(normal(rng, 6, k), normal(rng, k, 2)) for k in (4, 2, 3)]
    rows = torch.tensor([0.0, 1000.0, -1000.0], dtype=torch.float64).repeat(2)[:, None]
    far = [(scores + rows, values) for scores, values in near]
    rising = [(scores + 1000 * number, values) for number, (scores, values) in enumerate(near)]
    single = [(scores.float(), values.float()) for scores, values in near[:2]]
    return [(Blocks(blocks),) for blocks in (near, far, rising, single)]


online_softmax = Exercise(
    "speed",
    "online_softmax",
    mix_by_blocks,
    _draw_blocks,
    {
        "nothing is rescaled: when the maximum grows, multiply the old sum and the old mixture by "
        "exp(old maximum − new maximum)": _online(rescale_sum=_as_it_is, rescale_mix=_as_it_is),
        "the old sum is not rescaled: multiply it by exp(old maximum − new maximum), too": (
            _online(rescale_sum=_as_it_is)
        ),
        "the old mixture is not rescaled: multiply it by exp(old maximum − new maximum), too": (
            _online(rescale_mix=_as_it_is)
        ),
        "each block has its own maximum, and the blocks are added as they are: keep the largest so "
        "far, and rescale what was added before": _online(
            update=lambda old, new: new, rescale_sum=_as_it_is, rescale_mix=_as_it_is
        ),
        "the factor is upside down: exp(old maximum − new maximum), which is at most 1": (
            _online(rescale_sum=_upside_down, rescale_mix=_upside_down)
        ),
        "the maximum starts at 0, and the exponentials of scores far below it are all 0: start "
        "with -inf": _online(first=0.0),
        "no maximum is subtracted, and the exponentials of large scores overflow": (
            _online(first=0.0, update=lambda old, new: old)
        ),
        "all rows share one maximum: each row has its own, scores.amax(dim=-1, keepdim=True)": (
            _online(maximum=lambda scores: scores.amax().expand(len(scores), 1))
        ),
        "the maximum stays that of the first block: later scores may be larger": (
            _online(update=lambda old, new: torch.where(old == -torch.inf, new, old))
        ),
        "the mixture is not divided by the sum": _online(end=lambda mixed, total: mixed),
        "these are the sums: return the mixture divided by them": (
            _online(end=lambda mixed, total: total.expand_as(mixed))
        ),
        "this is the mean of the blocks' own softmaxes: a block with larger scores weighs more": (
            _each_alone(lambda parts: parts.mean(0))
        ),
        "this is the sum of the blocks' own softmaxes: all weights together add up to 1": (
            _each_alone(lambda parts: parts.sum(0))
        ),
        "this is the last block alone: add to what the earlier blocks gave": (
            _each_alone(lambda parts: parts[-1])
        ),
        "this is the first block alone: go through all of them": (
            _each_alone(lambda parts: parts[0])
        ),
    },
    tolerance=1e-5,  # float32
)


# Exercise 4: folding


def fold_maps(w1, b1, w2, b2):
    """One map for two in a row: W, b with W x + b = w2 (w1 x + b1) + b2 for every x."""
    return w2 @ w1, w2 @ b1 + b2


def _matrix_beside_bias(function, w1, b1, w2, b2):
    """The answer as one matrix, the bias as its last column."""
    answer = function(w1, b1, w2, b2)
    if answer is None or answer is ...:
        return answer
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise AnswerError("return two things, the matrix and the bias: `return weight, bias`")
    shapes = [tuple(getattr(part, "shape", ())) for part in answer]
    expected = [(len(w2), w1.shape[1]), (len(w2),)]
    if shapes != expected:
        raise AnswerError(
            f"the matrix and the bias have the shapes {shapes[0]} and {shapes[1]}, expected "
            f"{expected[0]} and {expected[1]}"
        )
    weight, bias = answer
    return torch.cat([weight, bias[:, None]], dim=1)


def _draw_maps(rng):
    """Square matrices, or some mistakes could not even be multiplied."""
    cases = [
        (normal(rng, c, c), normal(rng, c), normal(rng, c, c), normal(rng, c)) for c in (3, 5, 4)
    ]
    return [*cases[:2], tuple(tensor.float() for tensor in cases[2])]


fold = Exercise(
    "speed",
    "fold",
    fold_maps,
    _draw_maps,
    {
        "the matrices are in the wrong order: what acts first stands on the right, w2 @ w1": (
            lambda w1, b1, w2, b2: (w1 @ w2, w2 @ b1 + b2)
        ),
        "the two maps are in the wrong order: the first is w1, b1": (
            lambda w1, b1, w2, b2: (w1 @ w2, w1 @ b2 + b1)
        ),
        "the first bias does not go through the second map: it is w2 @ b1 + b2": (
            lambda w1, b1, w2, b2: (w2 @ w1, b1 + b2)
        ),
        "the first bias goes through the first matrix: the second acts on it, w2 @ b1": (
            lambda w1, b1, w2, b2: (w2 @ w1, w1 @ b1 + b2)
        ),
        "the first bias goes through both matrices: the second alone acts on it, w2 @ b1": (
            lambda w1, b1, w2, b2: (w2 @ w1, w2 @ w1 @ b1 + b2)
        ),
        "both biases go through the second map: b2 is added after it": (
            lambda w1, b1, w2, b2: (w2 @ w1, w2 @ (b1 + b2))
        ),
        "the first bias is missing: it is w2 @ b1 + b2": lambda w1, b1, w2, b2: (w2 @ w1, b2),
        "the second bias is missing: it is w2 @ b1 + b2": (
            lambda w1, b1, w2, b2: (w2 @ w1, w2 @ b1)
        ),
        "the matrix is transposed: rows are outputs, as in nn.Linear": (
            lambda w1, b1, w2, b2: ((w2 @ w1).mT, w2 @ b1 + b2)
        ),
        "both matrices are transposed: they are used as they are, w2 @ w1": (
            lambda w1, b1, w2, b2: (w2.mT @ w1.mT, w2.mT @ b1 + b2)
        ),
        "the matrix of the bias is transposed: it is w2 @ b1 + b2": (
            lambda w1, b1, w2, b2: (w2 @ w1, b1 @ w2 + b2)
        ),
        "the matrices are multiplied number by number: use @": (
            lambda w1, b1, w2, b2: (w2 * w1, w2 @ b1 + b2)
        ),
        "the matrices are added: maps in a row are multiplied, w2 @ w1": (
            lambda w1, b1, w2, b2: (w2 + w1, w2 @ b1 + b2)
        ),
    },
    run=_matrix_beside_bias,
    tolerance=1e-5,  # float32
)


# Exercise 5: alignment


def padded_rows(weight, groups, width):
    """Zeros behind the rows of each group: (groups·n, ...) -> (groups·width, ...)."""
    each = weight.unflatten(0, (groups, -1))
    wide = each.new_zeros(groups, width, *weight.shape[1:])
    wide[:, : each.shape[1]] = each
    return wide.flatten(0, 1)


def _draw_rows(rng):
    """A matrix, a bias, and the kernels of a convolution."""
    kernels_of_four = normal(rng, 4, 3, 1, 3).float()
    return [(normal(rng, 6, 4), 3, 4), (normal(rng, 6), 2, 5), (kernels_of_four, 2, 4)]


def _padded(fill):
    """Rows where zeros should be, from ``fill(group (groups, n, ...), missing)``."""

    def mistaken(weight, groups, width):
        each = weight.unflatten(0, (groups, -1))
        return torch.cat(fill(each, width - each.shape[1]), dim=1).flatten(0, 1)

    return mistaken


def _zeros(each, missing):
    return each.new_zeros(len(each), missing, *each.shape[2:])


def _all_behind(weight, groups, width):
    missing = groups * width - len(weight)
    return torch.cat([weight, weight.new_zeros(missing, *weight.shape[1:])])


def _all_in_front(weight, groups, width):
    missing = groups * width - len(weight)
    return torch.cat([weight.new_zeros(missing, *weight.shape[1:]), weight])


def _regrouped(weight, groups, width):
    """As if the group ran fastest."""
    each = weight.unflatten(0, (-1, groups)).transpose(0, 1)
    return torch.cat([each, _zeros(each, width - each.shape[1])], dim=1).flatten(0, 1)


pad_rows = Exercise(
    "speed",
    "pad_rows",
    padded_rows,
    _draw_rows,
    {
        "all zeros stand at the end: each group gets its own, behind its rows": _all_behind,
        "all zeros stand at the beginning: each group gets its own, behind its rows": _all_in_front,
        "the zeros stand before the rows of their group: put them behind": (
            _padded(lambda each, missing: [_zeros(each, missing), each])
        ),
        "`width` zeros are added: `width` is the number of rows of a group afterwards": (
            _padded(lambda each, missing: [each, _zeros(each, missing + each.shape[1])])
        ),
        "rows are repeated: zeros add nothing to a product, rows do": (
            _padded(lambda each, missing: [each, each[:, -1:].expand(-1, missing, *each.shape[2:])])
        ),
        "the new rows are ones: zeros add nothing to a product, ones do": (
            _padded(lambda each, missing: [each, _zeros(each, missing) + 1])
        ),
        "the rows of a group are adjacent: unflatten the first axis as (groups, -1)": _regrouped,
        "nothing is added": lambda weight, groups, width: weight,
        "the groups are a separate axis: flatten the first two axes again": (
            lambda weight, groups, width: padded_rows(weight, groups, width).unflatten(
                0, (groups, width)
            )
        ),
    },
)


# Exercise 6: a kernel in Triton


def _draw_windows(rng):
    """Windows of 16 pixels; in the second case, exponentials need the maximum."""
    cases = []
    for windows, heads, width, offset in ((2, 2, 10, 0), (1, 2, 16, 200)):
        shape = windows, heads, 16, width
        tensors = (normal(rng, *shape).float() for _ in range(3))
        cases.append((*tensors, offset + normal(rng, heads, 16, 16).float()))
    return cases


def _launched(kernel, *tensors):
    """What the kernel wrote; None if that is nothing."""
    wanted = [*signature(kernels.attention_kernel).parameters]
    if [*signature(kernel.func if isinstance(kernel, partial) else kernel).parameters][
        : len(wanted)
    ] != wanted:
        raise AnswerError(f"keep the kernel's arguments as they were: {', '.join(wanted)}")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    out = kernels.launch(kernel, *(tensor.to(device) for tensor in tensors)).cpu()
    return None if (out == kernels.UNTOUCHED).all() else out


attention_kernel = Exercise(
    "speed",
    "attention_kernel",
    kernels.attention_kernel,
    _draw_windows,
    {
        message: partial(kernels.mistaken_kernel, mistake=mistake)
        for mistake, message in {
            "no scale": "the scores are not scaled: multiply q kᵀ by `scale`",
            "no bias": "the bias is missing: load it, and add it to the scaled scores",
            "all scaled": "the bias is scaled, too: scale q kᵀ first, then add the bias",
            "first head": "all heads use the bias of the first: the head is program % heads",
            "heads outermost": "the heads run fastest: the head is program % heads",
            "bias transposed": "the bias is transposed: pixel[:, None] is the query, its row",
            "exchanged": "query and key are exchanged: entry (i, j) is query i times key j",
            "columns": "the softmax runs over the queries: maximum and sum go along axis 1",
            "no maximum": "no maximum is subtracted, and the exponentials of large scores overflow",
            "no sum": "the weights do not add up to 1: divide by their sum, tl.sum(..., axis=1)",
            "no softmax": "the softmax is missing: these are the scores times the values",
            "keys": "this is the mixture of the keys: multiply the weights by the values",
            "queries": "this is the mixture of the queries: multiply the weights by the values",
            "scaled twice": "the output is scaled, too: scale the scores alone",
            "unmasked": "the channels behind d belong to the next pixel: tl.load needs mask=real, "
            "other=0.0",
        }.items()
    },
    run=_launched,
    tolerance=1e-5,  # float32
    needs="triton",
)
