"""Notebook 08: the GLA block, dense connections, their transitions, the trunk."""

import inspect
from collections.abc import Iterator
from dataclasses import replace
from functools import partial, reduce

import numpy as np
import torch

from glanet.course.kit.checks import (
    AnswerError,
    Exercise,
    passes_gradients,
    random_weights,
    run_module,
    trains_alike,
)
from glanet.model.block import GLABlock
from glanet.model.config import ModelConfig
from glanet.model.layer import GLALayer
from glanet.model.tokens import TokenConv1x1
from glanet.model.trunk import Trunk
from glanet.networks import count_parameters

# A branch with this drop probability is always dropped. It is below 1 in float32 too.
CERTAIN = 1 - 1e-6


def normal(rng, *shape):
    """Normal float64 numbers, so that answers differ by the computation and not by rounding."""
    return torch.from_numpy(rng.standard_normal(shape))


# what a layer is made with where an option is not passed on to it
DEFAULTS = {
    name: inspect.signature(GLALayer).parameters[name].default
    for name in ("mlp_ratio", "inception", "attention")
}


def _shapes(module):
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def _in_both_modes(module, weights, tokens, alike):
    """The outputs in eval and in training mode, (2, ...); None if nothing is written yet.

    Drop probabilities of 0 and of almost 1 make training mode deterministic. ``alike`` maps
    messages to functions that build a module with the weights of a known mistake.

    Raises:
        AnswerError: the weights have other names or shapes, or the module writes into its input.
    """
    before = tokens.clone()
    try:
        answer = run_module(lambda: module, (), weights, tokens)
    except AnswerError as error:
        own = _shapes(module)
        if own != {name: tuple(tensor.shape) for name, tensor in weights.items()}:
            for message, build in alike.items():
                if own == _shapes(build()):
                    raise AnswerError(message) from error
        raise
    except RuntimeError as error:
        if getattr(module.conv, "padding", None) == (0, 0):
            raise AnswerError(
                "the convolution has no padding, so the map shrinks: padding=1"
            ) from error
        raise
    if answer is None or answer is ...:
        return None
    if not torch.equal(tokens, before):
        raise AnswerError("it writes into its input: make a new tensor with a + b, not with a += b")
    with torch.no_grad():
        return torch.stack([answer, module.train()(tokens)])


# Exercise 1: the block


class _Block(GLABlock):
    """The correct block in steps; each mistake replaces one of them."""

    def shift(self, number, half):
        return half if number % 2 else 0

    def probability(self, number, given):
        return given[number]

    def __init__(self, channels, heads, window, *, drop_probabilities, **options):
        super().__init__(channels, heads, window, drop_probabilities=drop_probabilities, **options)
        for number, layer in enumerate(self.layers):
            if layer.attention is not None:
                layer.attention.shift = self.shift(number, window // 2)
            layer.drop.probability = self.probability(number, drop_probabilities)


def _block(**steps):
    return type("Mistaken", (_Block,), steps)


def _conv_behind_each(self, tokens):
    inside = tokens
    for layer in self.layers:
        inside = self.conv(layer(inside))
    return tokens + inside


def _backwards(self, tokens):
    inside = tokens
    for layer in reversed(self.layers):
        inside = layer(inside)
    return tokens + self.conv(inside)


def _residual_around_each(self, tokens):
    inside = tokens
    for layer in self.layers:
        inside = inside + layer(inside)
    return tokens + self.conv(inside)


class _OneLayer(GLABlock):
    def __init__(self, channels, heads, window, **options):
        super().__init__(channels, heads, window, **options)
        self.layers = torch.nn.Sequential(*[self.layers[0]] * len(self.layers))


def _run_block(cls, settings, options, weights, tokens):
    alike = {
        f"the layers are built without `{name}`: pass `{name}={name}` to each": partial(
            GLABlock, *settings, **options | {name: value}
        )
        for name, value in DEFAULTS.items()
    }
    return _in_both_modes(partial(cls, **options)(*settings), weights, tokens, alike)


def _block_trains_alike(cls, reference, settings, options, weights, tokens):
    mine, theirs = (partial(one, **options) for one in (cls, reference))
    trains_alike(mine, theirs, settings, weights, tokens)


def _draw_blocks(rng):
    cases = []
    for settings, options, shape in BLOCKS:
        weights = random_weights(GLABlock(*settings, **options), rng)
        tokens = normal(rng, *shape, settings[0]).float()
        cases.append((settings, options, weights, tokens))
    return cases


BLOCKS = (  # channels, heads and window; options; (B, H, W)
    (
        (8, 2, 4),
        {"mlp_ratio": 2.0, "inception": True, "drop_probabilities": [CERTAIN, 0.0, 0.0]},
        (1, 8, 12),
    ),
    (
        (6, 3, 2),
        {"mlp_ratio": 1.5, "inception": False, "drop_probabilities": [0.0, CERTAIN]},
        (2, 4, 6),
    ),
    (
        (4, 2, 2),
        {"mlp_ratio": 2.0, "inception": True, "attention": False, "drop_probabilities": [0.0, 0.0]},
        (1, 2, 4),
    ),
)

gla_block = Exercise(
    "dense_blocks",
    "GLABlock",
    GLABlock,
    _draw_blocks,
    {
        "the residual is missing: add the input tokens to the output of the convolution": (
            _block(forward=lambda self, tokens: self.conv(self.layers(tokens)))
        ),
        "the convolution is missing: it follows the last layer, inside the residual": (
            _block(forward=lambda self, tokens: tokens + self.layers(tokens))
        ),
        "the residual goes around the convolution alone: it starts before the first layer": (
            _block(forward=lambda self, t: self.layers(t) + self.conv(self.layers(t)))
        ),
        "the convolution comes after the sum: it belongs inside the residual": (
            _block(forward=lambda self, tokens: self.conv(tokens + self.layers(tokens)))
        ),
        "the convolution comes before the layers: it follows the last one": (
            _block(forward=lambda self, tokens: tokens + self.layers(self.conv(tokens)))
        ),
        "there is a convolution after every layer: there is only one, after the last layer": (
            _block(forward=_conv_behind_each)
        ),
        "there is a residual around each layer: a layer already has its own inside": (
            _block(forward=_residual_around_each)
        ),
        "the layers run from last to first: run them from first to last": _block(
            forward=_backwards
        ),
        "the even layers are shifted: W-MSA comes first, so shift the odd layers, counted from 0": (
            _block(shift=lambda self, number, half: 0 if number % 2 else half)
        ),
        "no layer is shifted: shift every other one by half a window": (
            _block(shift=lambda self, number, half: 0)
        ),
        "every layer is shifted: shift only every other one": (
            _block(shift=lambda self, number, half: half)
        ),
        "the odd layers are shifted by 1: shift them by half a window, window // 2": (
            _block(shift=lambda self, number, half: number % 2)
        ),
        "all layers are one and the same module: build a new one in each round": _OneLayer,
        "the layers get no stochastic depth: pass each its entry of drop_probabilities": (
            _block(probability=lambda self, number, given: 0.0)
        ),
        "all layers get the first probability: pass each its own": (
            _block(probability=lambda self, number, given: given[0])
        ),
        "all layers get the last probability: pass each its own": (
            _block(probability=lambda self, number, given: given[-1])
        ),
        "the probabilities are assigned in reverse order: the first belongs to layer 0": (
            _block(probability=lambda self, number, given: given[-1 - number])
        ),
    },
    run=_run_block,
    also=_block_trains_alike,
    tolerance=1e-4,  # float32 rounds differently in another order
)


# Exercise 2: dense connections


def densely(tokens, blocks, transitions):
    """Return the last block's output; each block reads all before it, newest first, as in `Trunk`.

    ``tokens`` (..., C); ``blocks`` keep C channels; transition i, counted from 0, reduces
    (i + 1)·C channels to C. Both are lists of functions.
    """
    collected = [tokens]
    for transition, block in zip(transitions, blocks, strict=True):
        tokens = block(transition(torch.cat(collected, dim=-1)))
        collected.insert(0, tokens)
    return tokens


def _mistaken_dense(
    *,
    collect=lambda collected, tokens, read: [tokens, *collected],
    cat=lambda collected, number: torch.cat(collected, dim=-1),
    around=lambda block, read: block(read),
    answer=lambda tokens, collected: tokens,
):
    """Dense connections that are wrong in the given steps and right in the others."""

    def run(tokens, blocks, transitions):
        collected = [tokens]
        for number, (transition, block) in enumerate(zip(transitions, blocks, strict=True)):
            read = transition(cat(collected, number))
            tokens = around(block, read)
            collected = collect(collected, tokens, read)
        return answer(tokens, collected)

    return run


def _transition_after(tokens, blocks, transitions):
    outputs = []
    for transition, block in zip(transitions, blocks, strict=True):
        outputs.insert(0, block(tokens))
        tokens = transition(torch.cat(outputs, dim=-1))
    return tokens


def _run_dense(candidate, tokens, weights):
    """``weights``: the matrices of the blocks, (C, C), and of the transitions, ((i + 1)·C, C).

    Raises:
        AnswerError: a transition is called with another number of channels than it reads.
    """

    def transition(number, matrix, pile):
        if pile.shape[-1] != len(matrix):
            raise AnswerError(
                f"transition {number}, counted from 0, gets {pile.shape[-1]} channels, expected "
                f"{len(matrix)}: concatenate all outputs so far and the input along the last axis"
            )
        return pile @ matrix

    blocks = [lambda t, m=m: t + torch.tanh(t @ m) for m in weights["blocks"]]
    transitions = [partial(transition, i, m) for i, m in enumerate(weights["transitions"])]
    return candidate(tokens, blocks, transitions)


def _dense_passes_gradients(candidate, reference, tokens, weights):
    mine, theirs = (partial(_run_dense, one, weights=weights) for one in (candidate, reference))
    passes_gradients(mine, theirs, tokens)


def _draw_dense(rng):
    cases = []
    for number, c in ((3, 4), (4, 2)):
        weights = {
            "blocks": [normal(rng, c, c) for _ in range(number)],
            "transitions": [normal(rng, (i + 1) * c, c) for i in range(number)],
        }
        cases.append((normal(rng, 2, 3, 5, c), weights))
    return cases


dense = Exercise(
    "dense_blocks",
    "dense",
    densely,
    _draw_dense,
    {
        "the oldest comes first: concatenate the newest first": (
            _mistaken_dense(collect=lambda collected, tokens, read: [*collected, tokens])
        ),
        "the input stays in front of the blocks' outputs: it is the oldest, and goes last": (
            _mistaken_dense(
                collect=lambda collected, tokens, read: [
                    collected[0],
                    tokens,
                    *collected[1:],
                ]
            )
        ),
        "the transition comes after its block: a block reads the output of its transition": (
            _transition_after
        ),
        "the outputs of the transitions are collected: collect the outputs of the blocks": (
            _mistaken_dense(collect=lambda collected, tokens, read: [read, *collected])
        ),
        "each block reads copies of the newest output: it reads all outputs so far": (
            _mistaken_dense(
                cat=lambda collected, number: torch.cat([collected[0]] * (number + 1), dim=-1)
            )
        ),
        "this is the plain chain: each block reads all outputs before it, through its transition": (
            lambda tokens, blocks, transitions: reduce(lambda t, block: block(t), blocks, tokens)
        ),
        "the last block is left out: go through all blocks": (
            lambda tokens, blocks, transitions: densely(tokens, blocks[:-1], transitions[:-1])
        ),
        "a residual goes around each block: a block already has its own inside": (
            _mistaken_dense(around=lambda block, read: read + block(read))
        ),
        "the last concatenation is returned: return the output of the last block": (
            _mistaken_dense(answer=lambda tokens, collected: torch.cat(collected, dim=-1))
        ),
        "the input is added to the last block's output: that sum belongs to the network, Eq. 4": (
            _mistaken_dense(answer=lambda tokens, collected: tokens + collected[-1])
        ),
        "the outputs of all blocks are added up: return the output of the last block": (
            _mistaken_dense(answer=lambda tokens, collected: sum(collected[:-1]))
        ),
        "this is the input: return the output of the last block": lambda tokens, *_: tokens,
    },
    run=_run_dense,
    also=_dense_passes_gradients,
)


# Exercise 3: the parameters of the transitions


def count_transitions(channels, blocks, first_transition):
    """The number of parameters of each block's transition, as a list; 0 for a block without one.

    They are counted in the modules themselves.
    """
    counts = [
        count_parameters(TokenConv1x1(i * channels, channels, device="meta"))
        for i in range(1, blocks + 1)
    ]
    return counts if first_transition else [0, *counts[1:]]


def _counts(
    width=lambda i: i,
    outputs=lambda i: 1,
    biases=1,
    area=1,
    first=None,
    more=0,
    extra=lambda i, channels: 0,
):
    """Counts by a formula: i counts from 1, widths are in C, ``first`` overrides the switch."""

    def count(channels, blocks, first_transition):
        counts = [
            area * width(i) * outputs(i) * channels**2
            + biases * outputs(i) * channels
            + extra(i, channels)
            for i in range(1, blocks + 1 + more)
        ]
        has_first = first_transition if first is None else first
        return counts if has_first else [0, *counts[1:]]

    return count


def _run_counts(candidate, channels, blocks, first_transition):
    """The list.

    Raises:
        AnswerError: the answer is something else.
    """
    answer = candidate(channels, blocks, first_transition)
    if isinstance(answer, dict | Iterator | torch.Tensor):
        kind = type(answer).__name__
        raise AnswerError(f"it returns a {kind}: return a list with one number for each block")
    return answer


def _draw_trunks(rng):
    channels, blocks = int(rng.integers(3, 40)), int(rng.integers(3, 9))
    return [(180, 6, True), (180, 6, False), (channels, blocks, True), (channels, blocks, False)]


transition_parameters = Exercise(
    "dense_blocks",
    "transition_parameters",
    count_transitions,
    _draw_trunks,
    {
        "the biases are missing: each transition has C": _counts(biases=0),
        "the chain's input is left out: block i, counted from 1, reads i·C channels": (
            _counts(width=lambda i: max(i - 1, 1))
        ),
        "i counts from 0: block i, counted from 1, reads i·C channels": (
            _counts(width=lambda i: i - 1)
        ),
        "a bias for each input is counted: a transition has one for each output, C": (
            _counts(biases=0, extra=lambda i, channels: i * channels)
        ),
        "the list starts with the last block: start with block 1": (
            lambda *settings: count_transitions(*settings)[::-1]
        ),
        "each transition reads C channels too many: block i, counted from 1, reads i·C channels": (
            _counts(width=lambda i: i + 1)
        ),
        "every transition after the first reads 2C: block i, counted from 1, reads i·C channels": (
            _counts(width=lambda i: min(i, 2))
        ),
        "every transition reads C: block i, counted from 1, reads i·C channels": (
            _counts(width=lambda i: 1)
        ),
        "a transition returns as many channels as it reads: it reduces them to C": (
            _counts(outputs=lambda i: i)
        ),
        "the kernels are counted as 3×3 kernels: a transition is a 1×1 convolution": _counts(
            area=9
        ),
        "the last concatenation has a transition too: there is one transition for each block": (
            _counts(more=1)
        ),
        "the last block has no entry: there is one number for each block": (
            lambda *settings: count_transitions(*settings)[:-1]
        ),
        "C is squared together with i: i·C inputs for each of C outputs are i·C² weights": (
            _counts(width=lambda i: i**2)
        ),
        "the switch is read the wrong way round: with first_transition block 1 has a transition": (
            lambda channels, blocks, first: count_transitions(channels, blocks, not first)
        ),
        "block 1 has a transition even where first_transition is False": _counts(first=True),
        "block 1 never has a transition: it has one where first_transition is True": (
            _counts(first=False)
        ),
        "block 1 has no entry where it has no transition: its entry is 0": (
            lambda channels, blocks, first: count_transitions(channels, blocks, True)[
                0 if first else 1 :
            ]
        ),
        "that is the sum: return a list with one number for each block": (
            lambda *settings: sum(count_transitions(*settings))
        ),
        "that is a cumulative sum: return each transition's own number": (
            lambda *settings: np.cumsum(count_transitions(*settings))
        ),
        "i starts at 0: the transition of block i, counted from 1, reads i·C channels": (
            lambda channels, blocks, first: [i * channels**2 + channels for i in range(blocks)]
        ),
    },
    run=_run_counts,
)


# Exercise 4: the trunk


class _Trunk(Trunk):
    """The correct trunk in steps; each mistake replaces one of them."""

    def enter(self, shallow):
        return self.norm_in(shallow)

    def first(self, shallow, entered):
        return entered

    def read(self, number, collected):
        return self.transitions[number](torch.cat(collected, dim=-1))

    def collect(self, collected, tokens):
        return [tokens, *collected]

    def chain(self, tokens):
        for block in self.blocks:
            tokens = block(tokens)
        return tokens

    def leave(self, tokens, shallow):
        return self.conv(self.norm_out(tokens))

    def forward(self, shallow):
        tokens = self.first(shallow, self.enter(shallow))
        if not self.transitions:
            return self.leave(self.chain(tokens), shallow)
        collected = [tokens]
        for number, block in enumerate(self.blocks):
            tokens = block(self.read(number, collected))
            collected = self.collect(collected, tokens)
        return self.leave(tokens, shallow)


def _trunk(**steps):
    return type("Mistaken", (_Trunk,), steps)


class _StartsOver(_Trunk):
    def __init__(self, config):
        super().__init__(config)
        self.probabilities(config)

    def probabilities(self, config):
        first = [layer.drop.probability for layer in self.blocks[0].layers]
        for block in self.blocks:
            for layer, probability in zip(block.layers, first, strict=True):
                layer.drop.probability = probability


class _SameForAll(_StartsOver):
    def probabilities(self, config):
        for block in self.blocks:
            for layer in block.layers:
                layer.drop.probability = config.stochastic_depth


class _NoPadding(_Trunk):
    def __init__(self, config):
        super().__init__(config)
        self.conv.padding = (0, 0)


class _OneBlock(_Trunk):
    def __init__(self, config):
        super().__init__(config)
        self.blocks = torch.nn.ModuleList([self.blocks[0]] * config.blocks)


def _norms_only_if_dense(self, shallow):
    if self.transitions:
        return _Trunk.forward(self, shallow)
    return self.conv(self.norm_out(self.chain(shallow)))


def _reads_the_newest(self, number, collected):
    return self.transitions[number](torch.cat([collected[0]] * (number + 1), dim=-1))


def _transition_behind(self, shallow):
    tokens = self.norm_in(shallow)
    outputs = []
    for number, block in enumerate(self.blocks):
        tokens = block(tokens)
        outputs.insert(0, tokens)
        if self.transitions:
            tokens = self.transitions[number](torch.cat(outputs, dim=-1))
    return self.conv(self.norm_out(tokens))


def _first_skipped(self, number, collected):
    return _Trunk.read(self, number, collected) if number else collected[0]


class _Transitions(Trunk):
    """A trunk whose transition i, counted from 0, reads ``width(i)`` times C channels."""

    def __init__(self, config, width):
        super().__init__(config)
        for i, old in enumerate(self.transitions):
            if not isinstance(old, torch.nn.Identity):
                self.transitions[i] = TokenConv1x1(width(i) * config.channels, config.channels)


def _run_trunk(cls, config, weights, tokens):
    alike = {
        f"the blocks are built without `{name}`: pass `{name}=config.{name}` to each": partial(
            Trunk, replace(config, **{name: value})
        )
        for name, value in DEFAULTS.items()
    } | {
        "there are transitions without config.dense: leave the list empty": (
            lambda: Trunk(replace(config, dense=True))
        ),
        "there are no transitions: with config.dense each block has one": (
            lambda: Trunk(replace(config, dense=False))
        ),
        "the first transition reads C channels even without config.first_transition: "
        "use nn.Identity()": lambda: Trunk(replace(config, first_transition=True)),
        "there is no first transition: with config.first_transition it is a TokenConv1x1": (
            lambda: Trunk(replace(config, first_transition=False))
        ),
        "every transition reads C channels: transition i, counted from 0, reads (i + 1)·C": (
            lambda: _Transitions(config, lambda i: 1)
        ),
        "transition i, counted from 0, reads i·C channels: it reads (i + 1)·C": (
            lambda: _Transitions(config, lambda i: max(i, 1))
        ),
        "transition i, counted from 0, reads (i + 2)·C channels: it reads (i + 1)·C": (
            lambda: _Transitions(config, lambda i: i + 2)
        ),
    }
    return _in_both_modes(cls(config), weights, tokens, alike)


def _trunk_trains_alike(cls, reference, config, weights, tokens):
    trains_alike(cls, reference, [config], weights, tokens)


def _draw_whole(rng):
    small = {"channels": 8, "heads": 2, "window": 2}
    cases = []
    for options in (
        {"blocks": 3, "layers": 1, "stochastic_depth": 0.0, "mlp_ratio": 1.5},
        {"blocks": 2, "layers": 1, "stochastic_depth": 0.0, "first_transition": False}
        | {"attention": False},
        {"blocks": 2, "layers": 1, "stochastic_depth": CERTAIN, "dense": False}
        | {"inception": False},
    ):
        config = ModelConfig(**small, **options)
        weights = random_weights(Trunk(config), rng)
        cases.append((config, weights, normal(rng, 2, 4, 6, 8).float()))
    return cases


trunk = Exercise(
    "dense_blocks",
    "Trunk",
    Trunk,
    _draw_whole,
    {
        "norm_in is missing: the first block reads LayerNorm(F_s)": (
            _trunk(enter=lambda self, shallow: shallow)
        ),
        "norm_out is missing: it comes before the last convolution": (
            _trunk(leave=lambda self, tokens, shallow: self.conv(tokens))
        ),
        "the last convolution is missing: it comes after norm_out": (
            _trunk(leave=lambda self, tokens, shallow: self.norm_out(tokens))
        ),
        "norm_out comes after the last convolution: it comes before it": (
            _trunk(leave=lambda self, tokens, shallow: self.norm_out(self.conv(tokens)))
        ),
        "F_s is added at the end: that sum belongs to the network, Eq. 4": (
            _trunk(leave=lambda self, t, shallow: shallow + self.conv(self.norm_out(t)))
        ),
        "the oldest comes first: concatenate the newest first": (
            _trunk(collect=lambda self, collected, tokens: [*collected, tokens])
        ),
        "the input stays in front of the blocks' outputs: it is the oldest, and goes last": (
            _trunk(
                collect=lambda self, collected, tokens: [
                    collected[0],
                    tokens,
                    *collected[1:],
                ]
            )
        ),
        "the transition comes after its block: a block reads the output of its transition": (
            _trunk(forward=_transition_behind)
        ),
        "with config.dense too, the blocks form a plain chain: each reads its transition": (
            _trunk(read=lambda self, number, collected: collected[0])
        ),
        "each block reads copies of the newest output: it reads all outputs so far": (
            _trunk(read=_reads_the_newest)
        ),
        "norm_in is used only with config.dense: it comes before the plain chain too": (
            _trunk(forward=_norms_only_if_dense)
        ),
        "all blocks are one and the same module: build a new one for each": _OneBlock,
        "the last convolution has no padding, so the map shrinks: padding=1": _NoPadding,
        "block 1 reads its input without its transition: with first_transition it has one": (
            _trunk(read=_first_skipped)
        ),
        "without dense connections no block runs: the blocks form a chain": (
            _trunk(chain=lambda self, tokens: tokens)
        ),
        "without dense connections only the last block runs: the blocks form a chain": (
            _trunk(chain=lambda self, tokens: self.blocks[-1](tokens))
        ),
        "without dense connections every block reads the same tokens: the blocks form a chain": (
            _trunk(chain=lambda self, tokens: sum(block(tokens) for block in self.blocks))
        ),
        "stochastic depth starts over in every block: it rises over all layers of the trunk": (
            _StartsOver
        ),
        "all layers have the stochastic depth of the last: it rises from 0": _SameForAll,
    },
    run=_run_trunk,
    also=_trunk_trains_alike,
    tolerance=1e-4,  # float32
)
