"""Exercises of notebook 07: contributions, the MLP, stochastic depth, the GLA layer."""

from functools import partial

import torch
import torch.nn.functional as F

from glanet.course.kit.checks import Exercise, random_weights, run_module
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


SHAPES = (((2, 3, 4), 20), ((6,), 40))  # the axes of V before its channels, and C

contributions = Exercise(
    "gla_layer",
    "contributions",
    branch_contributions,
    # 2C is a multiple of 5: then five equal parts run, and the check can name this mistake
    lambda rng: [(normal(rng, *shape, 2 * c), normal(rng, c, 2 * c)) for shape, c in SHAPES],
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
    },
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
        cases.append(((channels, ratio), weights, normal(rng, 2, 3, 4, channels).float()))
    return cases


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
    },
    run=run_module,
    tolerance=1e-5,  # float32
)


# Exercise 3: stochastic depth

CALLS = 40  # of 100 samples each


def _dropping(cls, probability, branch):
    """What a class does to ``branch`` (100, ...), in numbers that do not depend on chance.

    In this order: smallest and largest factor in eval mode; smallest and largest in training;
    whether all numbers of a sample share a factor (1 or 0); whether all samples of a batch share
    one draw (1 or 0); the share of dropped samples, in tenths. None if the class does nothing yet.
    """
    module = cls(probability)
    calm = module.eval()(branch)
    if calm is None or calm is ...:
        return None
    module.train()
    answers = torch.stack([module(branch.clone()) for _ in range(CALLS)])
    if answers.shape[1:] != branch.shape:
        return [-1.0]
    factors = answers / branch  # (CALLS, 100, ...)
    by_sample = factors.flatten(2)
    dropped = by_sample[..., 0] == 0
    one_draw_a_batch = bool((dropped == dropped[:, :1]).all())
    calm = calm / branch
    return [
        calm.min().item(),
        calm.max().item(),
        factors.min().item(),
        factors.max().item(),
        float((by_sample - by_sample[..., :1]).abs().max() < 1e-9),
        float(one_draw_a_batch),
        # if a whole batch shares one draw, there are too few draws to count
        -1.0 if one_draw_a_batch and probability else round(dropped.double().mean().item(), 1),
    ]


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
        "what survives is divided by probability: divide by 1 - probability": (
            _drop(scale=lambda survival: 1 / (1 - survival) if survival < 1 else 1)
        ),
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
    },
    run=_dropping,
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


def _roll(self, x):
    shift = self.attention.shift if self.attention else 0
    return x.roll((-shift, -shift), dims=(1, 2))


CERTAIN = 1 - 1e-9  # drops every sample, up to a negligible chance


def _run_layer(cls, settings, options, weights, tokens):
    """The answer in eval mode, and the answer in training when every residual branch is dropped."""
    answer = run_module(partial(cls, **options), settings, weights, tokens)
    if answer is None or answer is ...:
        return None
    module = cls(*settings, **options, drop_probability=CERTAIN)
    module.load_state_dict(weights)
    with torch.no_grad():
        return torch.stack([answer, module.train()(tokens)])


def _draw_layers(rng):
    cases = []
    for settings, options, shape in LAYERS:
        weights = random_weights(package.GLALayer(*settings, **options), rng)
        tokens = normal(rng, *shape, settings[0]).float()
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
    tolerance=1e-4,  # float32 rounds differently in another order
)
