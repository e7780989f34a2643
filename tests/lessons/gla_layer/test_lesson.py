import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

from glanet.course.kit.paths import NOTEBOOKS
from glanet.course.kit.style import LOOKS
from glanet.course.lessons.gla_layer import exercises
from glanet.course.lessons.gla_layer.figures import (
    BRANCHES,
    CROSS,
    contribution,
    loud_and_needed,
    loudness,
    strength,
)
from glanet.course.lessons.gla_layer.widgets import explore_contributions
from glanet.model import layer as package
from tests.lessons.gla_layer.variants import Layer, Perceptron, WithRand, masked
from tests.lessons.verdicts import assert_rejected, assert_right, message_on

# Exercise 1


def test_contributions_by_masked_columns_are_right():
    assert_right(exercises.contributions, masked)


def test_the_contributions_add_up_to_the_fusion():
    v, weight = torch.randn(2, 3, 16), torch.randn(8, 16)
    parts = exercises.branch_contributions(v, weight)
    torch.testing.assert_close(parts.sum(0), v @ weight.T)


def each_fifth(v, weight):
    parts = rearrange(v, "... (five c) -> five ... c", five=5)
    return torch.stack([F.linear(*pair) for pair in zip(parts, weight.chunk(5, 1), strict=True)])


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (each_fifth, "not equally wide"),
        (lambda v, w: masked(v, w, [0, 1, 2, 3, 4, 8]), "attention is first in V"),
        (
            lambda v, w: masked(
                v, torch.cat([w[:, -len(w) :], *w[:, : len(w)].chunk(4, 1)[::-1]], 1)
            ),
            "cut both alike",
        ),
        (
            lambda v, w: masked(v, torch.cat([w[:, : len(w)].T, w[:, len(w) :]], 1)),
            "is not transposed",
        ),
        (lambda v, w: F.linear(v, w) - masked(v, w), "everything but the branch"),
        (lambda v, w: F.linear(v, w), "this is the sum, the fused features"),
        (
            lambda v, w: torch.stack([masked(v, w)[: i + 1].sum(0) for i in range(5)]),
            "includes all parts before it",
        ),
        (lambda v, w: rearrange(masked(v, w), "b ... c -> ... c b"), "put them first"),
        (
            lambda v, w: rearrange(masked(v, w), "b ... c -> ... (b c)"),
            "joined along an existing axis",
        ),
    ],
)
def test_each_mistake_in_the_contributions_is_named(mutant, says):
    assert_rejected(exercises.contributions, mutant, says)


def test_a_list_of_contributions_is_told_so():
    says = "right, but as a list: return a torch tensor"
    assert message_on(exercises.contributions, lambda v, w: [*masked(v, w)]) == says


# Exercise 2


def perceptron(**knobs):
    return type("Mine", (Perceptron,), knobs)


def linear(x):
    return x


class WithDropout(Perceptron):
    def forward(self, tokens):
        return F.dropout(super().forward(tokens), 0.1, self.training)


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (perceptron(between=nn.ReLU()), "ReLU"),
        (perceptron(between=staticmethod(lambda x: x * x.sigmoid())), "SiLU"),
        (perceptron(between=nn.GELU("tanh")), "approximation by tanh"),
        (perceptron(between=staticmethod(linear)), "activation is missing"),
        (perceptron(between=staticmethod(linear), after=nn.GELU()), "after the second layer"),
        (perceptron(after=nn.GELU()), "second activation"),
        (perceptron(between=staticmethod(linear), before=nn.GELU()), "comes first"),
        (perceptron(residual=1), "add it twice"),
        (WithDropout, "such as dropout"),
    ],
)
def test_each_mistake_in_the_mlp_is_named(mutant, says):
    assert_rejected(exercises.mlp, mutant, says)


def test_an_mlp_from_tensors_is_right_and_its_width_checked():
    assert_right(exercises.mlp, Perceptron)

    class AlwaysFour(package.MLP):
        def __init__(self, channels, ratio):
            super().__init__(channels, 4)

    assert_rejected(exercises.mlp, AlwaysFour, "hidden width is 24, expected int(6 * 2.0) = 12")


# Exercise 3


def with_rand(**steps):
    return type("Mine", (WithRand,), steps)


def in_training_too(self, branch):
    return self.train().forward(branch)


def test_stochastic_depth_may_draw_as_it_likes():
    for _ in range(5):
        assert_right(exercises.stochastic_depth, WithRand)


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (with_rand(draw=lambda self, b: torch.ones(len(b)), scaled=WithRand.calm), "ever dropped"),
        (with_rand(scaled=WithRand.calm), "not scaled"),
        (with_rand(scaled=lambda self, branch: branch - self.p * branch), "is multiplied"),
        (
            with_rand(scaled=lambda self, branch: branch / (self.p or 1)),
            "is divided by probability",
        ),
        (with_rand(scaled=lambda self, branch: branch / self.p), "divided by probability, even"),
        (
            with_rand(draw=lambda self, b: torch.rand(b.shape[:-1])),
            "the channels of one token share a draw",
        ),
        (
            with_rand(scaled=lambda self, b: b.div_(1 - self.p)),
            "it writes into the branch",
        ),
        (
            with_rand(draw=lambda self, b: torch.rand(len(b), generator=torch.Generator())),
            "every call drops the same samples",
        ),
        (with_rand(scaled=lambda self, b: b.detach() / (1 - self.p)), "no gradient"),
        (with_rand(stays=lambda self, draw: draw < self.p), "it keeps with"),
        (with_rand(calm=in_training_too), "drops in eval mode"),
        (
            with_rand(calm=lambda self, b: (1 - self.p) * b, scaled=WithRand.calm),
            "scales in eval mode",
        ),
        (with_rand(draw=lambda self, branch: torch.rand(branch.shape)), "of one sample"),
        (
            with_rand(draw=lambda self, branch: torch.rand(1).expand(len(branch))),
            "whole batch shares",
        ),
        (
            with_rand(draw=lambda self, branch: torch.rand(len(branch), 1, 1, 1)),
            "always have four axes",
        ),
    ],
)
def test_each_mistake_in_stochastic_depth_is_named(mutant, says):
    assert_rejected(exercises.stochastic_depth, mutant, says)


# Exercise 4


class AddsTheNorm(Layer):
    def forward(self, tokens):
        middle = self.norm1(tokens) + self.dropped(self.side_by_side(tokens), 0)
        return middle + self.dropped(self.mlp(self.norm2(middle)), 1)


class NormOfTheNorm(Layer):
    def forward(self, tokens):
        x = self.norm1(tokens)
        middle = tokens + self.dropped(self.side_by_side(tokens), 0)
        return middle + self.dropped(self.mlp(self.norm2(x)), 1)


class NormAfterTheBranch(Layer):
    norms = (0, 0)

    def forward(self, tokens):
        middle = tokens + self.dropped(self.norm1(self.side_by_side(tokens)), 0)
        return middle + self.dropped(self.norm2(self.mlp(middle)), 1)


class PostNorm(Layer):
    norms = (0, 0)

    def forward(self, tokens):
        middle = self.norm1(tokens + self.dropped(self.side_by_side(tokens), 0))
        return self.norm2(middle + self.dropped(self.mlp(middle), 1))


def layer(**knobs):
    return type("Mine", (Layer,), knobs)


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (layer(keeps=(0, 1)), "first residual is missing"),
        (layer(keeps=(1, 0)), "second residual is missing"),
        (layer(norms=(0, 1)), "norm1 is missing"),
        (layer(norms=(1, 0)), "norm2 is missing"),
        (AddsTheNorm, "first residual adds norm1"),
        (layer(passes_mlp="norm"), "second residual adds norm2"),
        (layer(passes_mlp="tokens"), "the output of the fusion is lost"),
        (layer(feeds_mlp="tokens"), "MLP reads the input tokens"),
        (PostNorm, "the norms come after the sums"),
        (NormAfterTheBranch, "the norms come after attention and the MLP"),
        (NormOfTheNorm, "the MLP reads norm2(x), the norm of a norm"),
        (layer(order=(1, 0)), "Inception comes first in V"),
        (layer(bias=0), "fusion's bias is missing"),
        (layer(reads="z"), "Inception reads the output of attention"),
        (layer(reads="tokens"), "before norm1"),
        (layer(rolls=True), "rolled tokens"),
        (layer(shifts=False), "shift is lost"),
        (layer(drops=(0, 1)), "attention and Inception is never dropped"),
        (layer(drops=(1, 0)), "MLP's branch is never dropped"),
        (layer(drops=(0, 0)), "nothing is ever dropped"),
    ],
)
def test_each_mistake_in_the_layer_is_named(mutant, says):
    assert_rejected(exercises.gla_layer, mutant, says)


def test_the_layer_written_another_way_is_right():
    assert_right(exercises.gla_layer, Layer)


def test_a_layer_that_drops_the_residual_is_named():
    class Mine(package.GLALayer):
        def forward(self, tokens):
            x = self.norm1(tokens)
            views = [part(x) for part in (self.attention, self.inception) if part]
            features = torch.cat(views, 3)
            features = self.fuse(features) if self.fuse else features
            tokens = self.drop(features + tokens)
            return self.drop(self.mlp(self.norm2(tokens)) + tokens)

    assert_rejected(exercises.gla_layer, Mine, "inside the sum")


def test_a_fusion_without_bias_is_rejected_by_the_weights_name():
    class Mine(package.GLALayer):
        def __init__(self, channels, *settings, **options):
            super().__init__(channels, *settings, **options)
            self.fuse = self.fuse and nn.Linear(self.fuse.in_features, channels, bias=False)

    assert_rejected(exercises.gla_layer, Mine, "fuse.bias")


# Figures and widget


def test_bars_are_means_and_whiskers_reach_the_extremes():
    shares = np.random.default_rng(0).random((4, 3, 6))
    figure = loudness({"raw": shares[..., :5], "added": shares}, ["1.1", "1.2", "2.1"])
    above, below = figure.axes
    assert above.get_ylim() == below.get_ylim()
    for axes, branches in ((above, 5), (below, 6)):
        bars = [c for c in axes.containers if len(c) == 3 and hasattr(c[0], "get_height")]
        assert len(bars) == branches
        for number, bar in enumerate(bars):
            assert [b.get_height() for b in bar] == pytest.approx(shares[..., number].mean(0))
            ends = np.array([line[:, 1] for line in bar.errorbar[2][0].get_segments()])
            assert ends[:, 0] == pytest.approx(shares[..., number].min(0))
            assert ends[:, 1] == pytest.approx(shares[..., number].max(0))
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == [*BRANCHES, CROSS]


def test_each_branch_is_a_point_and_the_costliest_are_labelled():
    rng = np.random.default_rng(1)
    shares, losses = rng.random((3, 5)), rng.random((3, 5))
    axes = loud_and_needed(shares, losses, ["1.1", "1.2", "2.1"]).axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    for number, name in enumerate(BRANCHES):
        assert lines[name].get_xdata() == pytest.approx(shares[:, number])
        assert lines[name].get_ydata() == pytest.approx(losses[:, number])
        assert lines[name].get_color() == LOOKS[name]["color"]
    assert labels(axes) == labels_of_the_costliest(shares, losses)


def labels(axes):
    """The text and the point of each label, in any order."""
    return sorted((text.get_text(), *text.xy) for text in axes.texts)


def labels_of_the_costliest(shares, losses):
    rows, columns = np.unravel_index(np.argsort(losses, axis=None)[-4:], losses.shape)
    return sorted(
        (["1.1", "1.2", "2.1"][r], shares[r, c], losses[r, c])
        for r, c in zip(rows, columns, strict=True)
    )


def test_points_that_the_text_argues_from_are_labelled_once():
    rng = np.random.default_rng(1)
    shares, losses = rng.random((3, 5)), rng.random((3, 5))
    costliest = labels_of_the_costliest(shares, losses)
    row, column = np.unravel_index(losses.argmin(), losses.shape)
    cheapest = ["1.1", "1.2", "2.1"][row], shares[row, column], losses[row, column]
    branch = BRANCHES[column]
    axes = loud_and_needed(
        shares, losses, ["1.1", "1.2", "2.1"], named=[(cheapest[0], branch)] * 2
    ).axes[0]
    assert labels(axes) == sorted([*costliest, cheapest])


def notebook():
    return (NOTEBOOKS / "source" / "07_gla_layer.py").read_text(encoding="utf-8")


def test_the_notebook_labels_each_layer_that_it_argues_from():
    figure, prose = notebook().split("loud_and_needed(shares")[1].split("# %%", 1)[:2]
    argued_from = re.findall(r"attention in (\d\.\d)", prose.split("# %%")[0].replace("\n# ", " "))
    assert len(argued_from) == 2
    for layer in argued_from:
        assert f'("{layer}", "attention")' in figure


def test_silencing_every_branch_shows_its_progress():
    (cell,) = (cell for cell in notebook().split("# %%") if "def silenced" in cell)
    assert "silenced(*pair) for pair in tqdm(pairs" in cell


def test_strength_is_the_root_of_the_energy_about_each_channels_mean():
    features = np.random.default_rng(2).normal(3, 1, (5, 6, 4))
    shown = strength(features)
    centred = features - features.reshape(-1, 4).mean(0)
    assert shown.shape == (5, 6)
    assert np.square(shown).mean() == pytest.approx(np.square(centred).mean())


@pytest.fixture
def parts():
    return np.random.default_rng(3).normal(size=(5, 8, 9, 4))


@pytest.fixture
def small_photo():
    return np.random.default_rng(4).integers(0, 256, (8, 9, 3), dtype=np.uint8)


def test_one_branch_and_all_five_are_shown_on_one_scale(parts, small_photo):
    figure = contribution(small_photo, parts, "5")
    first, middle, last = figure.axes[:3]
    assert np.array_equal(first.images[0].get_array(), small_photo)
    assert np.allclose(middle.images[0].get_array(), strength(parts[3]))
    assert np.allclose(last.images[0].get_array(), strength(parts.sum(0)))
    assert middle.images[0].get_clim() == last.images[0].get_clim()
    assert middle.get_title() == "5 alone"


def test_the_menus_show_every_layer_and_branch(parts, small_photo, sweep):
    chosen = explore_contributions(
        small_photo, {"1.1": parts, "1.2": 2 * parts}, layer="1.2", branch="max"
    )
    assert chosen.kwargs == {"layer": "1.2", "branch": "max"}
    assert sweep(chosen) == 2
