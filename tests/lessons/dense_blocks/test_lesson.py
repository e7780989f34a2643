import ast
from dataclasses import replace
from functools import reduce

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from glanet import ModelConfig
from glanet.course.kit.paths import NOTEBOOKS
from glanet.course.lessons.dense_blocks import exercises, figures
from glanet.course.lessons.dense_blocks.widgets import explore_gradients
from glanet.model.block import GLABlock
from glanet.model.layer import GLALayer
from glanet.model.tokens import TokenConv, TokenConv1x1
from glanet.model.trunk import Trunk
from tests.lessons.verdicts import assert_rejected, assert_right

# Exercise 1


class Block(nn.Module):
    """The block built another way, with knobs to turn wrong."""

    shifted, spared = "odd", "each"  # which layers are shifted; which probability they get
    order, before, behind, between = 1, False, True, False
    skips, inner, outside = 1, 0, False  # what passes by; residuals of layers; convolution after
    container, forgets, half = nn.ModuleList, (), None  # of layers; options not passed on; a shift

    def __init__(self, channels, heads, window, drop_probabilities, **options):
        super().__init__()
        count, half = len(drop_probabilities), self.half or window // 2
        options = {name: value for name, value in options.items() if name not in self.forgets}
        shifts = {"odd": [0, half], "even": [half, 0], "none": [0, 0], "all": [half, half]}
        drops = {
            "each": drop_probabilities,
            "none": [0] * count,
            "first": drop_probabilities[:1] * count,
            "last": drop_probabilities[-1:] * count,
            "backwards": drop_probabilities[::-1],
        }
        layers = []
        for i in range(count):
            layer = GLALayer(
                channels,
                heads,
                window,
                (shifts[self.shifted] * count)[i],
                drop_probability=drops[self.spared][i],
                **options,
            )
            layers.append(layer)
        self.layers = self.container(layers)
        self.conv = nn.Conv2d(channels, channels, 3)

    def convolve(self, tokens):
        padded = F.pad(tokens.movedim(-1, 1), (1, 1, 1, 1))
        return self.conv(padded).movedim(1, -1)

    def step(self, tokens, layer):
        answer = layer(tokens) + self.inner * tokens
        return self.convolve(answer) if self.between else answer

    def forward(self, tokens):
        inside = self.convolve(tokens) if self.before else tokens
        inside = reduce(self.step, list(self.layers)[:: self.order], inside)
        if self.outside:
            return self.convolve(inside + tokens)
        passing = {0: 0, 1: tokens, 2: inside}[self.skips]
        return passing + (self.convolve(inside) if self.behind else inside)


def block(**knobs):
    return type("Mine", (Block,), knobs)


def test_the_block_built_another_way_is_right():
    assert_right(exercises.gla_block, Block)


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (block(skips=0), "residual is missing"),
        (block(behind=False), "convolution is missing"),
        (block(skips=2), "goes around the convolution alone"),
        (block(outside=True), "after the sum"),
        (block(before=True, behind=False), "before the layers"),
        (block(between=True, behind=False), "after every layer"),
        (block(inner=1), "a residual around each layer"),
        (block(order=-1), "from last to first"),
        (block(shifted="even"), "even layers are shifted"),
        (block(shifted="none"), "no layer is shifted"),
        (block(shifted="all"), "every layer is shifted"),
        (block(spared="none"), "no stochastic depth"),
        (block(spared="first"), "first probability"),
        (block(spared="last"), "last probability"),
        (block(spared="backwards"), "in reverse order"),
        (block(half=1), "shifted by 1"),
        (
            block(container=staticmethod(lambda ls: nn.ModuleList(ls[:1] * len(ls)))),
            "the same module",
        ),
    ],
)
def test_each_mistake_in_the_block_is_named(mutant, says):
    assert_rejected(exercises.gla_block, mutant, says)


def changes_its_input(self, tokens):
    tokens += self.convolve(reduce(self.step, self.layers, tokens))
    return tokens


class Unpadded(GLABlock):
    def __init__(self, *sizes, **options):
        super().__init__(*sizes, **options)
        self.conv = TokenConv(sizes[0], sizes[0], kernel_size=3)


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (block(container=list), "in the plain list `layers`"),
        *((block(forgets=(name,)), f"`{name}={name}`") for name in exercises.DEFAULTS),
        (block(forward=changes_its_input), "writes into its input"),
        (block(forward=torch.no_grad()(Block.forward)), "no gradient reaches"),
        (Unpadded, "padding=1"),
    ],
)
def test_a_block_that_cannot_be_trained_or_built_is_told_why(mutant, says):
    assert_rejected(exercises.gla_block, mutant, says)


# Exercise 2


def pile_up(tokens, blocks, transitions, *, after=None, reverse=False):
    """The piles as one growing tensor instead of a list."""
    pile, width = tokens, tokens.shape[-1]
    for block, transition in zip(blocks, transitions, strict=True):
        parts = pile.split(width, -1)
        read = transition(torch.cat(parts[::-1], -1) if reverse else pile)
        tokens = block(read)
        pile = torch.cat([after(read, tokens) if after else tokens, pile], -1)
    return tokens


def test_dense_connections_with_a_growing_tensor_are_right():
    assert_right(exercises.dense, pile_up)


def keeps_the_first_in_front(tokens, blocks, transitions):
    entered, rest = tokens, []
    for block, transition in zip(blocks, transitions, strict=True):
        rest = [block(transition(torch.cat((entered, *rest), -1))), *rest]
    return rest[0]


def transitions_last(tokens, blocks, transitions):
    pile = tokens[..., :0]
    for block, transition in zip(blocks, transitions, strict=True):
        pile = torch.cat([block(tokens), pile], -1)
        tokens = transition(pile)
    return tokens


def repeats_the_newest(tokens, blocks, transitions):
    for number, (block, transition) in enumerate(zip(blocks, transitions, strict=True), 1):
        tokens = block(transition(tokens.repeat(*[1] * (tokens.ndim - 1), number)))
    return tokens


def all_outputs(tokens, blocks, transitions):
    kept = []

    def spy(block):
        def call(read):
            kept.insert(0, block(read))
            return kept[0]

        return call

    pile_up(tokens, [spy(block) for block in blocks], transitions)
    return kept


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (lambda *given: pile_up(*given, reverse=True), "oldest comes first"),
        (keeps_the_first_in_front, "stays in front"),
        (transitions_last, "comes after its block"),
        (
            lambda *given: pile_up(*given, after=lambda read, tokens: read),
            "outputs of the transitions are collected",
        ),
        (repeats_the_newest, "copies of the newest"),
        (
            lambda t, blocks, transitions: reduce(lambda t, block: block(t), blocks, t),
            "plain chain",
        ),
        (
            lambda t, *rest: pile_up(t, *(several[:-1] for several in rest)),
            "last block is left out",
        ),
        (
            lambda t, blocks, transitions: pile_up(
                t, [lambda x, b=b: x + b(x) for b in blocks], transitions
            ),
            "a residual goes around",
        ),
        (
            lambda t, *rest: torch.cat([*all_outputs(t, *rest), t], -1),
            "last concatenation is returned",
        ),
        (lambda t, *rest: pile_up(t, *rest) + t, "is added to the last"),
        (lambda *given: torch.stack(all_outputs(*given)).sum(0), "are added up"),
    ],
)
def test_each_mistake_in_the_dense_connections_is_named(mutant, says):
    assert_rejected(exercises.dense, mutant, says)


def joined_along(axis):
    def mutant(tokens, blocks, transitions):
        pile = [tokens]
        for block, transition in zip(blocks, transitions, strict=True):
            pile.insert(0, block(transition(torch.cat(pile, axis))))
        return pile[0]

    return mutant


def test_dense_connections_without_gradients_are_told_so():
    without = torch.no_grad()(exercises.densely)
    assert_rejected(exercises.dense, without, "no gradient passes through")


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_transition_that_gets_too_few_channels_says_so(axis):
    assert_rejected(exercises.dense, joined_along(axis), "expected 8: concatenate all outputs")


# Exercise 3


def built(channels, blocks, first, width=None, wide=False, kernel=1, bias=True):
    """Counted in convolutions that are really built."""
    counts = []
    for i in range(1, blocks + 1):
        reads = (width or (lambda i: i))(i) * channels
        gives = reads if wide else channels
        conv = nn.Conv2d(reads, gives, kernel, bias=bias, device="meta")
        counts.append(sum(p.numel() for p in conv.parameters()) if i > 1 or first else 0)
    return counts


def test_transition_counts_add_up_to_the_papers():
    assert_right(exercises.transition_parameters, built)
    config = ModelConfig.preset("paper", layers=1)
    for first in (True, False):
        trunk = Trunk(ModelConfig.from_dict({**config.to_dict(), "first_transition": first}))
        counts = [sum(p.numel() for p in t.parameters()) for t in trunk.transitions]
        assert exercises.count_transitions(180, 6, first) == counts


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (lambda *s: built(*s, bias=False), "biases are missing"),
        (lambda *s: built(*s, width=lambda i: i - 1 or 1), "input is left out"),
        (lambda *s: built(*s, width=lambda i: i + 1), "too many"),
        (lambda *s: built(*s, width=lambda i: 2 if i > 1 else 1), "after the first reads 2C"),
        (lambda *s: built(*s, width=lambda i: 1), "every transition reads C:"),
        (lambda *s: built(*s, wide=True), "as many channels as it reads"),
        (lambda *s: built(*s, kernel=3), "3×3 kernels"),
        (lambda c, b, first: built(c, b + 1, first), "last concatenation"),
        (lambda c, b, first: built(c, b, True), "even where first_transition"),
        (lambda c, b, first: built(c, b, False), "never has a transition"),
        (lambda *s: [n for n in built(*s) if n], "block 1 has no entry"),
        (lambda *s: np.sum(built(*s)), "that is the sum"),
        (lambda *s: np.cumsum(built(*s)), "cumulative sum"),
        (lambda *s: built(*s, width=lambda i: i - 1), "i counts from 0"),
        (
            lambda c, *s: [n and n - c + n // c**2 * c for n in built(c, *s)],
            "a bias for each input",
        ),
        (lambda *s: built(*s)[::-1], "starts with the last block"),
        (lambda *s: built(*s)[:-1], "the last block has no entry"),
        (lambda *s: built(*s, width=lambda i: i**2), "squared together with i"),
        (lambda c, b, first: built(c, b, not first), "the wrong way round"),
        (lambda *s: dict(enumerate(built(*s))), "it returns a dict"),
        (lambda *s: (n for n in built(*s)), "it returns a generator"),
        (lambda *s: torch.tensor(built(*s)), "it returns a Tensor: return a list"),
    ],
)
def test_each_mistake_in_the_count_is_named(mutant, says):
    assert_rejected(exercises.transition_parameters, mutant, says)


# Exercise 4


class MyTrunk(nn.Module):
    """The trunk built another way, with knobs to turn wrong."""

    norms, last, skip = (1, 1), "norm, conv", 0
    pile, skips_first, behind, chain = "newest first", False, False, "chain"
    rises = "over all"

    def __init__(self, config):
        super().__init__()
        c, number, count = config.channels, config.blocks, config.layers
        rising = np.linspace(0, config.stochastic_depth, number * count)
        self.norm_in, self.norm_out = nn.LayerNorm(c), nn.LayerNorm(c)
        self.blocks, self.transitions = nn.ModuleList(), nn.ModuleList()
        for i in range(number):
            drops = {
                "over all": rising.reshape(number, count)[i].tolist(),
                "over each": rising[:count].tolist(),
                "never": [config.stochastic_depth] * count,
            }[self.rises]
            block = GLABlock(
                c,
                config.heads,
                config.window,
                mlp_ratio=config.mlp_ratio,
                inception=config.inception,
                attention=config.attention,
                drop_probabilities=drops,
            )
            self.blocks.append(block)
            if config.dense:
                plain = i == 0 and not config.first_transition
                self.transitions.append(nn.Identity() if plain else TokenConv1x1(c + i * c, c))
        self.conv = TokenConv(c, c, kernel_size=3, padding=1)

    def through(self, tokens):
        if not self.transitions:
            if self.chain in ("last", "none"):
                return self.blocks[-1](tokens) if self.chain == "last" else tokens
            if self.chain == "side by side":
                return torch.stack([block(tokens) for block in self.blocks]).sum(0)
            return reduce(lambda t, block: block(t), self.blocks, tokens)
        blocks, transitions = list(self.blocks), list(self.transitions)
        if self.behind:
            return transitions_last(tokens, blocks, transitions)
        if self.skips_first:
            transitions[0] = nn.Identity()
        if self.pile == "entered first":
            return keeps_the_first_in_front(tokens, blocks, transitions)
        return pile_up(tokens, blocks, transitions, reverse=self.pile == "oldest first")

    def forward(self, shallow):
        tokens = self.norm_in(shallow) if self.norms[0] else shallow
        if self.behind and not self.transitions:
            tokens = reduce(lambda t, block: block(t), self.blocks, tokens)
        else:
            tokens = self.through(tokens)
        parts = {"norm": self.norm_out, "conv": self.conv}
        for name in filter(None, self.last.split(", ")):
            tokens = parts[name](tokens)
        return tokens + self.skip * shallow


def my_trunk(**knobs):
    return type("Mine", (MyTrunk,), knobs)


def test_the_trunk_built_another_way_is_right():
    assert_right(exercises.trunk, MyTrunk)


def plain_chain(self, tokens):
    return reduce(lambda t, block: block(t), self.blocks, tokens)


class Copies(MyTrunk):
    def through(self, tokens):
        if not self.transitions:
            return super().through(tokens)
        return repeats_the_newest(tokens, self.blocks, self.transitions)


class NormedIfDense(MyTrunk):
    def forward(self, shallow):
        if self.transitions:
            return super().forward(shallow)
        return self.conv(self.norm_out(plain_chain(self, shallow)))


class OneForAll(MyTrunk):
    def __init__(self, config):
        super().__init__(config)
        self.blocks = nn.ModuleList(list(self.blocks)[:1] * config.blocks)


class Shrinks(MyTrunk):
    def __init__(self, config):
        super().__init__(config)
        self.conv = TokenConv(config.channels, config.channels, kernel_size=3)


def with_config(**changes):
    """A trunk that is built for another config than it gets."""

    class Mine(MyTrunk):
        def __init__(self, config):
            super().__init__(replace(config, **changes))

    return Mine


def with_widths(width):
    class Mine(MyTrunk):
        def __init__(self, config):
            super().__init__(config)
            c = config.channels
            for i, old in enumerate(self.transitions):
                if isinstance(old, TokenConv1x1):
                    self.transitions[i] = TokenConv1x1(width(i) * c, c)

    return Mine


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (with_config(mlp_ratio=2.0), "`mlp_ratio=config.mlp_ratio`"),
        (with_config(inception=True), "`inception=config.inception`"),
        (with_config(attention=True), "`attention=config.attention`"),
        (with_config(dense=True), "leave the list empty"),
        (with_config(dense=False), "with config.dense each block has one"),
        (with_config(first_transition=True), "use nn.Identity()"),
        (with_config(first_transition=False), "it is a TokenConv1x1"),
        (with_widths(lambda i: 1), "every transition reads C channels"),
        (with_widths(lambda i: i or 1), "reads i·C channels: it reads (i + 1)·C"),
        (with_widths(lambda i: i + 2), "reads (i + 2)·C channels"),
        (type("Mine", (MyTrunk,), {"forward": torch.no_grad()(MyTrunk.forward)}), "no gradient"),
    ],
)
def test_a_trunk_of_another_build_is_told_what_differs(mutant, says):
    assert_rejected(exercises.trunk, mutant, says)


def test_probabilities_rounded_to_float32_leave_something_to_survive():
    class Rounded(Trunk):
        def __init__(self, config):
            super().__init__(config)
            for layer in (layer for block in self.blocks for layer in block.layers):
                layer.drop.probability = torch.tensor(layer.drop.probability).item()

    assert_right(exercises.trunk, Rounded)


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (my_trunk(norms=(0, 1)), "norm_in is missing"),
        (my_trunk(last="conv"), "norm_out is missing"),
        (my_trunk(last="norm"), "last convolution is missing"),
        (my_trunk(last="conv, norm"), "norm_out comes after"),
        (my_trunk(skip=1), "F_s is added at the end"),
        (my_trunk(pile="oldest first"), "oldest comes first"),
        (my_trunk(pile="entered first"), "stays in front"),
        (my_trunk(behind=True), "comes after its block"),
        (my_trunk(skips_first=True), "block 1 reads its input without"),
        (my_trunk(chain="none"), "no block runs"),
        (my_trunk(chain="last"), "only the last block"),
        (my_trunk(chain="side by side"), "reads the same tokens"),
        (my_trunk(rises="over each"), "starts over in every block"),
        (my_trunk(rises="never"), "stochastic depth of the last"),
        (Copies, "copies of the newest"),
        (my_trunk(behind=False, through=plain_chain), "with config.dense too"),
        (NormedIfDense, "norm_in is used only with config.dense"),
        (OneForAll, "the same module"),
        (Shrinks, "so the map shrinks: padding=1"),
    ],
)
def test_each_mistake_in_the_trunk_is_named(mutant, says):
    assert_rejected(exercises.trunk, mutant, says)


def test_a_plain_list_of_blocks_is_told_of_a_module_list():
    class Mine(MyTrunk):
        def __init__(self, config):
            super().__init__(config)
            blocks = list(self.blocks)
            del self.blocks
            self.blocks = blocks

    assert_rejected(exercises.trunk, Mine, "in the plain list `blocks`: use nn.ModuleList")


# Figures and widget


def test_readings_are_shown_where_a_block_can_read():
    shares = np.tril(np.random.default_rng(0).random((3, 3)))
    axes = figures.readings(shares).axes[0]
    shown = axes.images[0].get_array()
    assert np.allclose(shown[np.tril_indices(3)], shares[np.tril_indices(3)])
    assert np.ma.getmaskarray(np.ma.masked_invalid(shown))[np.triu_indices(3, 1)].all()
    texts = {text.get_position()[::-1]: text.get_text() for text in axes.texts}
    assert texts == {
        (i, j): f"{shares[i, j]:.2f}" for i, j in zip(*np.tril_indices(3), strict=True)
    }
    assert [text.get_text() for text in axes.get_yticklabels()] == ["block 1", "block 2", "block 3"]


@pytest.fixture
def curves():
    rng = np.random.default_rng(1)
    return {name: np.exp(rng.normal(size=(3, 6))) for name in ("dense", "plain")}


def test_gradients_show_each_seed_and_the_geometric_mean(curves):
    figure = figures.gradients({"start": curves, "end": curves}, "at the output")
    first, second = figure.axes
    assert first.get_ylim() == second.get_ylim()
    assert first.get_yscale() == "log"
    for axes in (first, second):
        thin = [line.get_ydata() for line in axes.lines if line.get_linewidth() < 1]
        assert np.allclose(thin, np.concatenate(list(curves.values())))
        thick = {line.get_label(): line for line in axes.lines if line.get_linewidth() > 1}
        for name, norms in curves.items():
            assert np.allclose(thick[name].get_ydata(), np.prod(norms, 0) ** (1 / 3))
            assert list(thick[name].get_xdata()) == [1, 2, 3, 4, 5, 6]
    assert "at the output" in first.get_ylabel()


def test_a_line_joins_both_runs_of_a_seed():
    results = {"plain": [30.0, 31.0, 32.0], "dense": [30.5, 30.9, 32.1]}
    figure = figures.pairs({"2e-3": results, "5e-3": results}, "PSNR (dB)")
    for axes in figure.axes:
        joins = [list(line.get_ydata()) for line in axes.lines if len(line.get_ydata()) == 2]
        assert joins == [list(pair) for pair in zip(*results.values(), strict=True)]
        points = [line for line in axes.lines if len(line.get_ydata()) == 3]
        assert [list(line.get_ydata()) for line in points] == list(results.values())
        assert [text.get_text() for text in axes.get_xticklabels()] == ["plain", "dense"]
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()


def test_relative_gradients_end_at_one(curves):
    axes = figures.gradients({"start": curves}, "at the output", relative=True).axes[0]
    thick = {line.get_label(): line for line in axes.lines if line.get_linewidth() > 1}
    for name, norms in curves.items():
        first = np.prod(norms[:, 0] / norms[:, -1]) ** (1 / 3)
        assert thick[name].get_ydata()[[0, -1]] == pytest.approx([first, 1])


def test_the_controls_show_every_quantity_absolute_and_relative(curves, sweep):
    measured = {
        quantity: {"start": curves, "end": curves} for quantity in ("at outputs", "of parameters")
    }
    chosen = explore_gradients(measured, quantity="of parameters")
    assert chosen.kwargs == {"quantity": "of parameters", "relative": False}
    assert sweep(chosen) == 2


# The verdict of the notebook


def function_of_the_notebook(name):
    """A function that notebook 08 defines, which uses numpy alone."""
    text = (NOTEBOOKS / "source" / "08_dense_blocks.py").read_text(encoding="utf-8")
    (found,) = (
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef) and node.name == name
    )
    names = {"np": np}
    exec(compile(ast.Module([found], []), name, "exec"), names)
    return names[name]


@pytest.mark.parametrize(
    ("gains", "says"),
    [
        ((0.03, 0.02, 0.01), "decides nothing: no larger"),  # one sign, but seeds differ by 0.2
        ((0.5, 0.4, -0.1), "decides nothing: the seeds differ in sign"),
        ((0.5, 0.4, 0.3), "dense is higher"),
        ((-0.5, -0.5, -0.4), "dense is lower"),
    ],
)
def test_the_cell_prints_what_the_seeds_decide(gains, says):
    plain = np.array([30.0, 30.1, 30.2])
    assert function_of_the_notebook("verdict")(plain, plain + gains).startswith(says)
