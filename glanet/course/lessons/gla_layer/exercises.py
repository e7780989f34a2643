"""Exercises of notebook 07: contributions, the MLP, stochastic depth, the GLA layer."""

import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from glanet.course.kit.checks import (
    AnswerError,
    Exercise,
    build_module,
    passes_gradients,
    random_weights,
    run_module,
    trains_alike,
)
from glanet.model import layer as package
from glanet.model.config import INCEPTION_BRANCHES


def normal(rng, *shape):
    """Normally distributed float64 numbers: rounding stays far below any real difference."""
    return torch.from_numpy(rng.standard_normal(shape))


# Exercise 1: what each branch adds to the fused features


def branch_widths(channels):
    """The number of channels of each branch in V: attention, max, 3, 5, 7."""
    return [channels] + [channels // INCEPTION_BRANCHES] * INCEPTION_BRANCHES


def branch_contributions(v, weight):
    """W_b z_b of each branch: V (..., 2C) and the fusion's weight (C, 2C) -> (5, ..., C).

    The branches are in the order of V: attention, max, 3, 5, 7. The five add up to v @ weight.T.
    """
    widths = branch_widths(len(weight))
    parts = zip(v.split(widths, dim=-1), weight.split(widths, dim=1), strict=True)
    return torch.stack([part @ columns.T for part, columns in parts])


def _split_as(widths):
    def mistaken(v, weight):
        each = widths(len(weight))
        parts = zip(v.split(each, -1), weight.split(each, 1), strict=True)
        return torch.stack([part @ columns.T for part, columns in parts])

    return mistaken


def _attention_last(channels):
    return branch_widths(channels)[::-1]


def _columns_backwards(v, weight):
    widths = branch_widths(len(weight))
    columns = weight.split(widths[::-1], dim=1)[::-1]
    parts = zip(v.split(widths, dim=-1), columns, strict=True)
    return torch.stack([part @ matrix.T for part, matrix in parts])


def _outputs_for_inputs(v, weight):
    channels = len(weight)
    parts = v.split(branch_widths(channels), dim=-1)
    square = weight[:, :channels]
    return torch.stack([parts[0] @ square, *branch_contributions(v, weight)[1:]])


# the axes of V before its channels, and C; 2C is a multiple of 5: then five equal parts run, and
# the check can name this mistake
SHAPES = ((2, 3, 4), 20), ((6,), 40), ((2, 5), 20)


def _draw_fusions(rng):
    """V and weights; float32 too, as the trained model has it."""
    *exact, last = ((normal(rng, *shape, 2 * c), normal(rng, c, 2 * c)) for shape, c in SHAPES)
    return [*exact, tuple(part.float() for part in last)]


def _reordered(*order):
    return lambda v, weight: branch_contributions(v, weight)[list(order)]


def _parts(number):
    """Products of ``number`` equal parts."""

    def mistaken(v, weight):
        pairs = zip(v.chunk(number, -1), weight.chunk(number, 1), strict=True)
        return torch.stack([part @ columns.T for part, columns in pairs])

    return mistaken


contributions = Exercise(
    "gla_layer",
    "contributions",
    branch_contributions,
    _draw_fusions,
    {
        "the five parts are not equally wide: attention has C channels, the others C/4 each": (
            _split_as(lambda channels: [2 * channels // 5] * 5)
        ),
        "attention is first in V, not last: the widths are C, C/4, C/4, C/4, C/4": (
            _split_as(_attention_last)
        ),
        "V is cut with attention first, and the matrix with attention last: cut both alike": (
            _columns_backwards
        ),
        "the matrix block of attention is not transposed: its rows are outputs, so multiply the "
        "features by W_b transposed": _outputs_for_inputs,
        "V has five parts, not two: Inception's four branches are separate": _parts(2),
        "attention is one part, not four: the widths are C, C/4, C/4, C/4, C/4": _parts(8),
        "attention comes last: the order is attention, max, 3, 5, 7": _reordered(1, 2, 3, 4, 0),
        "the order is reversed: it is attention, max, 3, 5, 7": _reordered(4, 3, 2, 1, 0),
        "max comes last: the order is attention, max, 3, 5, 7": _reordered(0, 2, 3, 4, 1),
        "7 comes before 5 and 3: the order is attention, max, 3, 5, 7": _reordered(0, 1, 4, 3, 2),
        "the last branch is missing: there are five": _reordered(0, 1, 2, 3),
        "all branches are multiplied by V's first channels: cut V, too": lambda v, weight: (
            torch.stack(
                [
                    v[..., : columns.shape[1]] @ columns.T
                    for columns in weight.split(branch_widths(len(weight)), 1)
                ]
            )
        ),
        "these are shares of the sum: return the products alone": lambda v, weight: (
            branch_contributions(v, weight) / (v @ weight.T)
        ),
        "these are absolute values: keep the signs": lambda v, weight: branch_contributions(
            v, weight
        ).abs(),
        "this is the energy: return the products, one for each channel": lambda v, weight: (
            branch_contributions(v, weight).square().mean(-1)
        ),
        "the branches are on the second axis: put them first, torch.stack(..., dim=0)": (
            lambda v, weight: branch_contributions(v, weight).movedim(0, 1)
        ),
        "the branches are on the last axis but one: put them first, torch.stack(..., dim=0)": (
            lambda v, weight: branch_contributions(v, weight).movedim(0, -2)
        ),
        "this is everything but the branch: keep its own columns and leave out the others": (
            lambda v, weight: v @ weight.T - branch_contributions(v, weight)
        ),
        "this is the sum, the fused features: return the five parts separately": (
            lambda v, weight: v @ weight.T
        ),
        "each part includes all parts before it: return the five parts separately": (
            lambda v, weight: branch_contributions(v, weight).cumsum(0)
        ),
        "the branches are on the last axis: put them first, torch.stack(..., dim=0)": (
            lambda v, weight: branch_contributions(v, weight).movedim(0, -1)
        ),
        "the five are joined along an existing axis: use torch.stack, which makes a new one": (
            lambda v, weight: torch.cat(list(branch_contributions(v, weight)), dim=-1)
        ),
        "the five are joined along the first axis of V: use torch.stack, which makes a new one": (
            lambda v, weight: torch.cat(list(branch_contributions(v, weight)))
        ),
        "W_b is not transposed: its rows are outputs, so multiply by W_b transposed": (
            lambda v, weight: [
                part @ columns
                for part, columns in zip(
                    v.split(branch_widths(len(weight)), -1),
                    weight.split(branch_widths(len(weight)), 1),
                    strict=True,
                )
            ]
        ),
        "the matrix is cut by rows, which are outputs: cut its columns, dim=1": (
            lambda v, weight: weight.split(branch_widths(len(weight)), 0)
        ),
        "these are the parts of V: multiply each by its block of the matrix": (
            lambda v, weight: torch.stack(v.split(branch_widths(len(weight)), -1))
        ),
    },
    tolerance=1e-5,  # float32
)


# Exercise 2: the MLP


def _with_forward(forward):
    return type("Mistaken", (package.MLP,), {"forward": forward})


def _with_activation(activate):
    return _with_forward(lambda self, tokens: self[2](activate(self[0](tokens))))


def _draw_mlp(rng):
    cases = []
    for channels, ratio in ((6, 2.0), (5, 1.5), (4, 3)):
        weights = random_weights(package.MLP(channels, ratio), rng)
        tokens = normal(rng, 2, 3, 4, channels)
        cases.append(((channels, ratio), weights, tokens if ratio == 3 else tokens.float()))
    return cases


_TWO_LINEAR = ["0.weight", "0.bias", "1.weight", "1.bias"]


def _run_mlp(cls, settings, weights, tokens):
    """`run_module`, with a missing activation and the hidden width in words."""
    module = cls(*settings)
    if isinstance(module, nn.Module) and [*module.state_dict()] == _TWO_LINEAR:
        raise AnswerError("the second linear layer follows the first: put nn.GELU() between them")
    first = module.state_dict().get("0.weight") if isinstance(module, nn.Module) else None
    hidden = len(weights["0.weight"])
    if first is not None and first.shape[1:] == tokens.shape[-1:] and len(first) != hidden:
        channels, ratio = settings
        raise AnswerError(
            f"for {channels} channels and ratio {ratio} the hidden width is {len(first)}, expected "
            f"int({channels} * {ratio}) = {hidden}"
        )
    return run_module(cls, settings, weights, tokens)


mlp = Exercise(
    "gla_layer",
    "MLP",
    package.MLP,
    _draw_mlp,
    {
        "the activation is a ReLU: use nn.GELU()": _with_activation(F.relu),
        "the activation is a SiLU, x·sigmoid(x): use nn.GELU()": _with_activation(F.silu),
        "this is GELU's approximation by tanh: nn.GELU() without arguments is exact": (
            _with_activation(partial(F.gelu, approximate="tanh"))
        ),
        "this is GELU's approximation x·sigmoid(1.702x): use nn.GELU()": (
            _with_activation(lambda hidden: hidden * (1.702 * hidden).sigmoid())
        ),
        "the activation is a sigmoid: use nn.GELU()": _with_activation(torch.sigmoid),
        "the activation is a tanh: use nn.GELU()": _with_activation(torch.tanh),
        "the activation is a LeakyReLU: use nn.GELU()": _with_activation(F.leaky_relu),
        "the activation is an ELU: use nn.GELU()": _with_activation(F.elu),
        "the activation is a softmax: use nn.GELU()": (
            _with_activation(lambda hidden: hidden.softmax(-1))
        ),
        "the GELU is applied twice: once is enough": (
            _with_activation(lambda hidden: F.gelu(F.gelu(hidden)))
        ),
        "the GELU multiplies its input again: nn.GELU() is x·Φ(x) already": (
            _with_activation(lambda hidden: hidden * F.gelu(hidden))
        ),
        "the activation is missing: two linear layers in a row are one": (
            _with_activation(lambda hidden: hidden)
        ),
        "the activation comes after the second layer: put it between the two": (
            _with_forward(lambda self, tokens: F.gelu(self[2](self[0](tokens))))
        ),
        "there is a second activation at the end: the last step is linear": (
            _with_forward(lambda self, tokens: F.gelu(self[2](F.gelu(self[0](tokens)))))
        ),
        "the activation comes first: put it between the two layers": (
            _with_forward(lambda self, tokens: self[2](self[0](F.gelu(tokens))))
        ),
        "the MLP adds the residual: GLALayer does that, and would add it twice": (
            _with_forward(lambda self, tokens: tokens + self[2](self[1](self[0](tokens))))
        ),
        "the hidden width is not a whole number: it is int(channels * ratio)": (
            lambda channels, ratio: nn.Linear(channels, channels * ratio)
        ),
    },
    run=_run_mlp,
    also=trains_alike,
    tolerance=1e-5,  # float32
)


# Exercise 3: stochastic depth

CALLS = 40  # of 100 samples each


def _dropping(cls, probability, branch):
    """What a class does to ``branch`` (100, ...), in numbers that do not depend on chance.

    In this order: smallest and largest factor in eval mode; smallest and largest in training;
    whether one draw is shared by all numbers of a sample, by the channels of a token, by the tokens
    of a sample, by all samples of a batch, and by all calls (1 or 0 each); the share of dropped
    samples, in tenths. None if the class does nothing yet, and one number if it changes the shape.

    Raises:
        AnswerError: the class writes into ``branch``, or returns fewer samples.
    """
    module = cls(probability)
    calm = module.eval()(branch.clone())
    if calm is None or calm is ...:
        return None
    module.train()
    answers = torch.stack([_called(module, branch) for _ in range(CALLS)])
    if answers.shape[1:] != branch.shape:
        return [-1.0]
    factors = answers / branch  # (CALLS, 100, ...)
    by_token = factors.flatten(2, -2) if branch.ndim > 2 else factors[:, :, None]
    by_sample = factors.flatten(2)
    dropped = by_sample[..., 0] == 0
    one_draw_a_batch = bool((dropped == dropped[:, :1]).all())
    calm = calm / branch
    return [
        calm.min().item(),
        calm.max().item(),
        factors.min().item(),
        factors.max().item(),
        _alike(by_sample, -1),
        _alike(by_token, -1),
        _alike(by_token, -2),
        float(one_draw_a_batch),
        _alike(dropped.double(), 0),
        # if a whole batch shares one draw, there are too few draws to count
        -1.0 if one_draw_a_batch and probability else round(dropped.double().mean().item(), 1),
    ]


IN_PLACE = "it writes into the branch: use branch * ..., which makes a new tensor"
FEWER_SAMPLES = "in training samples are left out: a dropped sample stays, with all its numbers 0"


def _called(module, branch):
    given = branch.clone()
    answer = module(given)
    if not torch.equal(given, branch):
        raise AnswerError(IN_PLACE)
    if answer.shape[:1] != branch.shape[:1]:
        raise AnswerError(FEWER_SAMPLES)
    return answer


def _alike(factors, axis):
    """1.0 if the factors do not vary along an axis, else 0.0."""
    return float((factors - factors.narrow(axis, 0, 1)).abs().max() < 1e-9)


def _passes_gradients(cls, reference, probability, branch):
    passes_gradients(cls(probability).train(), reference(probability).train(), branch)


def _drop(*, keep=None, shape=None, scale=None, always=False):
    """A stochastic depth that is wrong in the given parts and right in the others."""

    class Mistaken(package.StochasticDepth):
        def forward(self, branch):
            if not (self.training or always):
                return branch
            survival = 1 - self.probability
            size = shape(branch) if shape else [len(branch)] + [1] * (branch.ndim - 1)
            chance = keep(self.probability) if keep else survival
            kept = branch.new_empty(size).bernoulli_(chance)
            return branch * kept * (scale(survival) if scale else 1 / survival)

    return Mistaken


class _Identity(package.StochasticDepth):
    def forward(self, branch):
        return branch


class _ScaledInEval(package.StochasticDepth):
    def forward(self, branch):
        survival = 1 - self.probability
        if not self.training:
            return branch * survival
        return super().forward(branch) * survival


class _Inverted(package.StochasticDepth):
    def forward(self, branch):
        if self.training:
            return branch
        survival = 1 - self.probability
        kept = branch.new_empty(len(branch), *[1] * (branch.ndim - 1)).bernoulli_(survival)
        return branch * kept / survival


class _ZeroInEval(package.StochasticDepth):
    def forward(self, branch):
        return super().forward(branch) if self.training else 0 * branch


class _AlwaysTheSame(package.StochasticDepth):
    def forward(self, branch):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return super().forward(branch)


class _InPlace(package.StochasticDepth):
    def forward(self, branch):
        return branch.copy_(super().forward(branch.clone()))


class _Removed(package.StochasticDepth):
    def forward(self, branch):
        return branch[: len(branch) // 2] if self.training else branch


class _Draws(package.StochasticDepth):
    def forward(self, branch):
        survival = 1 - self.probability
        return torch.bernoulli(torch.full_like(branch, survival)) if self.training else branch


# probability, and the shape of a sample; so likely that one draw a batch drops some of CALLS
DROPS = ((0.3, (3, 2, 4)), (0.4, (5,)), (0.0, (2, 2)))

stochastic_depth = Exercise(
    "gla_layer",
    "StochasticDepth",
    package.StochasticDepth,
    lambda rng: [(p, 1 + abs(normal(rng, 100, *shape))) for p, shape in DROPS],
    {
        "nothing is ever dropped: in training, a sample's branch becomes 0 with `probability`": (
            _Identity
        ),
        "what survives is not scaled: divide by 1 - probability, or the mean shrinks": (
            _drop(scale=lambda survival: 1)
        ),
        "what survives is multiplied by 1 - probability: divide by it": (
            _drop(scale=lambda survival: survival)
        ),
        "what survives is multiplied by probability: divide by 1 - probability": (
            _drop(scale=lambda survival: 1 - survival)
        ),
        "what survives is divided by probability: divide by 1 - probability": (
            _drop(scale=lambda survival: 1 / (1 - survival) if survival < 1 else 1)
        ),
        "what survives is divided by probability, even by 0: divide by 1 - probability": (
            _drop(scale=lambda survival: math.inf if survival == 1 else 1 / (1 - survival))
        ),
        "it keeps with `probability` and divides by it: keep with 1 - probability, and divide by "
        "that": _drop(
            keep=lambda probability: probability,
            scale=lambda survival: 1 / (1 - survival) if survival < 1 else 1,
        ),
        "what survives is divided by the root of 1 - probability: divide by 1 - probability": (
            _drop(scale=lambda survival: survival**-0.5)
        ),
        "the probability is always 0.1: use self.probability": (
            _drop(keep=lambda probability: 0.9, scale=lambda survival: 1 / 0.9)
        ),
        "the probability is always 0.5: use self.probability": (
            _drop(keep=lambda probability: 0.5, scale=lambda survival: 2)
        ),
        "nothing is dropped, but all is scaled: multiply by the draws, too": (
            _drop(keep=lambda probability: 1)
        ),
        "everything is dropped in training: multiply by the draws, 1 to keep and 0 to drop": (
            _drop(keep=lambda probability: 0)
        ),
        "train and eval are exchanged: drop where self.training is true": _Inverted,
        "in eval mode everything is dropped: return the branch unchanged": _ZeroInEval,
        "every call drops the same samples: draw anew in each call": _AlwaysTheSame,
        IN_PLACE: _InPlace,
        FEWER_SAMPLES: _Removed,
        "the channels of one token share a draw: draw once a sample, (B, 1, ..., 1)": (
            _drop(shape=lambda branch: [*branch.shape[:-1], 1])
        ),
        "each channel of a sample has its own draw: draw once a sample, (B, 1, ..., 1)": (
            _drop(shape=lambda branch: [len(branch)] + [1] * (branch.ndim - 2) + [branch.shape[-1]])
        ),
        "each channel has one draw for the whole batch: draw once a sample, (B, 1, ..., 1)": (
            _drop(shape=lambda branch: [1] * (branch.ndim - 1) + [branch.shape[-1]])
        ),
        "the draws are the same for all samples: draw once a sample, (B, 1, ..., 1)": (
            _drop(shape=lambda branch: [1, *branch.shape[1:]])
        ),
        "these are the draws: multiply the branch by them, and divide by 1 - probability": _Draws,
        "it keeps with `probability`: drop with `probability`, keep with 1 - probability": (
            _drop(keep=lambda probability: probability)
        ),
        "it drops in eval mode, too: in eval mode, return the branch unchanged": _drop(always=True),
        "it scales in eval mode: scale only in training": _ScaledInEval,
        "the numbers of one sample are dropped separately: draw once a sample, (B, 1, ..., 1)": (
            _drop(shape=lambda branch: branch.shape)
        ),
        "the whole batch shares one draw: each sample needs its own": (
            _drop(shape=lambda branch: [1] * branch.ndim)
        ),
        "the draws always have four axes: a branch has any number of axes, branch.ndim": (
            _drop(shape=lambda branch: [len(branch), 1, 1, 1])
        ),
        "the whole batch shares one draw, and what survives is not scaled: draw once a sample, and "
        "divide by 1 - probability": (
            _drop(shape=lambda branch: [1] * branch.ndim, scale=lambda survival: 1)
        ),
        "the draws line up with the last axis: give them the shape (B, 1, ..., 1)": (
            _drop(shape=lambda branch: [len(branch)])
        ),
    },
    run=_dropping,
    also=_passes_gradients,
)


# Exercise 4: the layer


class _Steps(package.GLALayer):
    """The right layer, in steps; each mistake replaces some of them."""

    def first_norm(self, tokens):
        return self.norm1(tokens)

    def local(self, tokens, x, z):
        return self.inception(x)

    def pile(self, z, y):
        return torch.cat([z, y], dim=-1)

    def mix(self, v):
        return self.fuse(v)

    def first_residual(self, tokens, x, features):
        return tokens + self.drop(features)

    def second_residual(self, tokens, x, middle):
        return middle + self.drop(self.mlp(self.norm2(middle)))

    def forward(self, tokens):
        x = self.first_norm(tokens)
        if self.attention is None:
            features = self.mix(self.local(tokens, x, x))
        else:
            features = self.attention(x)
            if self.inception is not None:
                y = self.local(tokens, x, features)
                features = self.mix(self.pile(features, y))
        return self.second_residual(tokens, x, self.first_residual(tokens, x, features))


def _with(**steps):
    return type("Mistaken", (_Steps,), steps)


class _NeverShifted(_Steps):
    def __init__(self, channels, heads, window, shift, **options):
        super().__init__(channels, heads, window, 0, **options)


class _AlwaysHalfAWindow(_Steps):
    def __init__(self, channels, heads, window, shift, **options):
        super().__init__(channels, heads, window, window // 2, **options)


class _AttentionReads(_Steps):
    """A layer whose attention reads something else than norm1 of the tokens."""

    def forward(self, tokens):
        if self.attention is None:
            return super().forward(tokens)
        seen = self.seen(tokens)
        hook = self.attention.register_forward_pre_hook(lambda module, inputs: (seen,))
        answer = super().forward(tokens)
        hook.remove()
        return answer


class _AttentionReadsTokens(_AttentionReads):
    def seen(self, tokens):
        return tokens


class _AttentionReadsInception(_AttentionReads):
    def seen(self, tokens):
        x = self.norm1(tokens)
        return x if self.inception is None else self.inception(x)


def _roll(self, x):
    shift = self.attention.shift if self.attention else 0
    return x.roll((-shift, -shift), dims=(1, 2))


CERTAIN = 1 - 1e-9  # drops every sample, up to a negligible chance


def _run_layer(cls, settings, options, weights, tokens):
    """The answer in eval mode, and the answer in training when every residual branch is dropped."""
    try:
        answer = run_module(partial(cls, **options), settings, weights, tokens)
    except AnswerError as error:
        switches = ", ".join(f"{name}={value}" for name, value in options.items())
        raise AnswerError(f"with {switches}: {error}" if switches else str(error)) from error
    if answer is None or answer is ...:
        return None
    certain = partial(cls, **options, drop_probability=CERTAIN)
    module = build_module(certain, settings, weights, [tokens])
    with torch.no_grad():
        return torch.stack([answer, module.train()(tokens)])


def _layer_trains_alike(cls, reference, settings, options, weights, tokens):
    mine, theirs = (partial(one, **options) for one in (cls, reference))
    trains_alike(mine, theirs, settings, weights, tokens)


def _draw_layers(rng):
    cases = []
    for settings, options, shape in LAYERS:
        weights = random_weights(package.GLALayer(*settings, **options), rng)
        tokens = normal(rng, *shape, settings[0])
        tokens = tokens if "inception" in options else tokens.float()  # both types occur
        cases.append((settings, options, weights, tokens))
    return cases


LAYERS = (  # channels, heads, window and shift; options; (B, H, W)
    ((8, 2, 4, 2), {}, (2, 8, 12)),
    ((12, 3, 3, 0), {"mlp_ratio": 1.5}, (1, 6, 3)),
    ((6, 2, 2, 1), {"inception": False}, (2, 4, 6)),
    ((4, 2, 2, 1), {"attention": False}, (1, 4, 6)),
)

gla_layer = Exercise(
    "gla_layer",
    "GLALayer",
    package.GLALayer,
    _draw_layers,
    {
        "the first residual is missing: add the input tokens to the fused features": (
            _with(first_residual=lambda self, tokens, x, features: self.drop(features))
        ),
        "the second residual is missing: add the input of norm2 to the output of the MLP": (
            _with(second_residual=lambda self, tokens, x, m: self.drop(self.mlp(self.norm2(m))))
        ),
        "norm1 is missing: attention and Inception must read norm1 of the tokens": (
            _with(first_norm=lambda self, tokens: tokens)
        ),
        "norm2 is missing: the MLP must read norm2 of the tokens": (
            _with(second_residual=lambda self, tokens, x, m: m + self.drop(self.mlp(m)))
        ),
        "the first residual adds norm1(tokens): add the tokens themselves": (
            _with(first_residual=lambda self, tokens, x, features: x + self.drop(features))
        ),
        "the second residual adds norm2's output: add norm2's input": (
            _with(
                second_residual=lambda self, tokens, x, m: (
                    self.norm2(m) + self.drop(self.mlp(self.norm2(m)))
                )
            )
        ),
        "the second residual starts from the input tokens, so the output of the fusion is lost: "
        "start from the first sum": (
            _with(
                second_residual=lambda self, tokens, x, m: (
                    tokens + self.drop(self.mlp(self.norm2(m)))
                )
            )
        ),
        "the MLP reads the input tokens: it must read norm2 of the first sum": (
            _with(
                second_residual=lambda self, tokens, x, m: (
                    m + self.drop(self.mlp(self.norm2(tokens)))
                )
            )
        ),
        "the norms come after the sums: put them inside the residual branches, before attention "
        "and before the MLP": (
            _with(
                first_norm=lambda self, tokens: tokens,
                first_residual=lambda self, tokens, x, f: self.norm1(tokens + self.drop(f)),
                second_residual=lambda self, tokens, x, m: self.norm2(m + self.drop(self.mlp(m))),
            )
        ),
        "the norms come after attention and the MLP: put them before": (
            _with(
                first_norm=lambda self, tokens: tokens,
                first_residual=lambda self, tokens, x, f: tokens + self.drop(self.norm1(f)),
                second_residual=lambda self, tokens, x, m: m + self.drop(self.norm2(self.mlp(m))),
            )
        ),
        "norm2 comes after the MLP: the MLP must read norm2 of the first sum": (
            _with(second_residual=lambda self, tokens, x, m: m + self.drop(self.norm2(self.mlp(m))))
        ),
        "the MLP reads norm2(x), the norm of a norm: it must read norm2 of the first sum": (
            _with(second_residual=lambda self, tokens, x, m: m + self.drop(self.mlp(self.norm2(x))))
        ),
        "the MLP reads norm2 of the fused features: it must read norm2 of the first sum": (
            _with(
                second_residual=lambda self, tokens, x, m: (
                    m + self.drop(self.mlp(self.norm2(m - tokens)))
                )
            )
        ),
        "norm1 and norm2 are exchanged: norm1 is the first": (
            _with(
                first_norm=lambda self, tokens: self.norm2(tokens),
                second_residual=lambda self, tokens, x, m: m + self.drop(self.mlp(self.norm1(m))),
            )
        ),
        "norm1 is used twice: the MLP must read norm2": (
            _with(second_residual=lambda self, tokens, x, m: m + self.drop(self.mlp(self.norm1(m))))
        ),
        "norm2 is used twice, or is the same module as norm1: attention and Inception must read "
        "norm1, which has its own weights": (
            _with(first_norm=lambda self, tokens: self.norm2(tokens))
        ),
        "both residuals are missing: add the input of each branch to its output": (
            _with(
                first_residual=lambda self, tokens, x, features: self.drop(features),
                second_residual=lambda self, tokens, x, m: self.drop(self.mlp(self.norm2(m))),
            )
        ),
        "the input tokens are added once more at the end: there are two residuals": (
            _with(forward=lambda self, tokens: tokens + _Steps.forward(self, tokens))
        ),
        "the MLP is missing: it is the second residual branch": (
            _with(second_residual=lambda self, tokens, x, m: m)
        ),
        "attention and Inception are missing: they are the first residual branch": (
            _with(first_residual=lambda self, tokens, x, features: tokens)
        ),
        "attention and Inception are added: join them, and pass V to self.fuse": (
            _with(pile=lambda self, z, y: z + y, mix=lambda self, v: v)
        ),
        "attention reads the tokens before norm1: it must read the same x as Inception": (
            _AttentionReadsTokens
        ),
        "attention reads the output of Inception: it must read the same x as Inception": (
            _AttentionReadsInception
        ),
        "there is a GELU after the fusion: only the MLP has one": (
            _with(
                first_residual=lambda self, tokens, x, features: (
                    tokens + self.drop(F.gelu(features))
                )
            )
        ),
        "the layer rolls its tokens: WindowAttention rolls them itself, and back": (
            _with(first_norm=lambda self, tokens: _roll(self, self.norm1(tokens)))
        ),
        "the shift is always half a window: pass `shift` to WindowAttention": _AlwaysHalfAWindow,
        "Inception comes first in V: attention is first, so cat([z, y])": (
            _with(pile=lambda self, z, y: torch.cat([y, z], dim=-1))
        ),
        "the fusion's bias is missing": (_with(mix=lambda self, v: v @ self.fuse.weight.T)),
        "Inception reads the output of attention: it must read the same x as attention": (
            _with(local=lambda self, tokens, x, z: self.inception(z))
        ),
        "Inception reads the tokens before norm1: it must read the same x as attention": (
            _with(local=lambda self, tokens, x, z: self.inception(tokens))
        ),
        "Inception reads rolled tokens: attention does its own roll, and Inception must read x "
        "without a roll": _with(local=lambda self, tokens, x, z: self.inception(_roll(self, x))),
        "the shift is lost: pass it to WindowAttention": _NeverShifted,
        "the branch of attention and Inception is never dropped: apply self.drop to both "
        "residual branches": (
            _with(first_residual=lambda self, tokens, x, features: tokens + features)
        ),
        "the MLP's branch is never dropped: apply self.drop to both residual branches": (
            _with(second_residual=lambda self, tokens, x, m: m + self.mlp(self.norm2(m)))
        ),
        "nothing is ever dropped: apply self.drop to both residual branches": (
            _with(
                first_residual=lambda self, tokens, x, features: tokens + features,
                second_residual=lambda self, tokens, x, m: m + self.mlp(self.norm2(m)),
            )
        ),
        "the residual is dropped, too: apply self.drop to the branch alone, inside the sum": (
            _with(
                first_residual=lambda self, tokens, x, features: self.drop(tokens + features),
                second_residual=lambda self, tokens, x, m: self.drop(m + self.mlp(self.norm2(m))),
            )
        ),
    },
    run=_run_layer,
    also=_layer_trains_alike,
    tolerance=1e-4,  # float32 rounds differently in another order
)
