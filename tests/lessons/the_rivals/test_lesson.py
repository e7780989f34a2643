"""Notebook 15: its exercises name mistakes, its figures show what they claim."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from glanet.analysis.errors import ErrorSpectrum, error_spectrum
from glanet.analysis.receptive import Attribution, ReceptiveField
from glanet.analysis.spectrum import FREQUENCY
from glanet.course.lessons.the_rivals import exercises, figures
from glanet.course.lessons.the_rivals.widgets import explore_looks
from glanet.evaluation.metrics import rgb_to_y
from glanet.networks import NETWORKS
from glanet.rivals import ignn, san
from glanet.rivals.covariance import STEPS
from tests.lessons.verdicts import assert_named, assert_rejected, assert_right

# RCAN


class Attention(nn.Module):
    """Channel attention in other words, with knobs to turn wrong."""

    pool, last, use = "bchw->bc", staticmethod(torch.sigmoid), staticmethod(torch.mul)
    middle, divide = staticmethod(torch.relu), True

    def __init__(self, channels, reduction):
        super().__init__()
        inner = channels // reduction
        self.conv_du = nn.Sequential(
            nn.Conv2d(channels, inner, 1), nn.ReLU(), nn.Conv2d(inner, channels, 1)
        )

    def forward(self, features):
        first, _, second = self.conv_du
        pooled = torch.einsum(self.pool, features)
        if self.divide:
            pooled = pooled * (pooled.numel() / features.numel())
        while pooled.ndim < 4:
            pooled = pooled[..., None]
        return self.use(features, self.last(second(self.middle(first(pooled)))))


def attention(**knobs):
    return type("Mine", (Attention,), knobs)


def test_channel_attention_in_other_words_is_right():
    assert_right(exercises.channel_attention, Attention)


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (attention(divide=False), "weights come from sums"),
        (attention(pool="bchw->bch"), "each row has its own mean"),
        (attention(pool="bchw->bchw"), "each pixel has its own weights"),
        (attention(use=staticmethod(lambda x, w: w.expand(-1, -1, 1, 1))), "the weights alone"),
        (attention(use=staticmethod(lambda x, w: x * (1 + w))), "return the product alone"),
        (attention(use=staticmethod(torch.add)), "multiply"),
        (attention(last=staticmethod(lambda w: w)), "sigmoid is missing"),
        (attention(last=staticmethod(lambda w: F.softmax(w, dim=1))), "a softmax"),
        (attention(middle=staticmethod(lambda x: x)), "ReLU is missing"),
    ],
)
def test_each_mistake_in_channel_attention_is_named(mutant, says):
    assert_named(exercises.channel_attention, mutant, says)


# SAN


def entry_by_entry(centre=lambda x: x.mean((1, 2)), divide=lambda x: x[0].numel()):
    """The covariance of channels in other words, with knobs to turn wrong."""

    def covariance(features):
        results = []
        for x in features:
            off = x - centre(x).reshape(-1, 1, 1)
            rows = [[(a * b).sum() / divide(x) for a in off] for b in off]
            results.append(torch.tensor(rows))
        return torch.stack(results)

    return covariance


def test_the_covariance_may_be_summed_entry_by_entry():
    assert_right(exercises.covariance, entry_by_entry())


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (entry_by_entry(centre=lambda x: torch.zeros(len(x))), "means are still in"),
        (entry_by_entry(centre=lambda x: x.mean().expand(len(x))), "one mean of all channels"),
        (entry_by_entry(divide=lambda x: 1), "not divided"),
        (entry_by_entry(divide=lambda x: x[0].numel() - 1), "minus 1"),
        (entry_by_entry(divide=len), "number of channels"),
        (lambda x: torch.stack([torch.corrcoef(one.flatten(1)) for one in x]), "correlation"),
    ],
)
def test_each_mistake_in_the_covariance_is_named(mutant, says):
    assert_named(exercises.covariance, mutant, says)


def test_the_covariance_of_pixels_has_another_shape():
    def pixels(features):
        return torch.stack([torch.cov(one.flatten(1).T) for one in features])

    assert_rejected(exercises.covariance, pixels, "expected (2, 4, 4)")


def on_eigenvalues(scale=lambda values: values.sum(), back=torch.sqrt, first=1.5, extra=0):
    """Newton–Schulz on the eigenvalues alone, with knobs to turn wrong."""

    def root(matrix, steps):
        results = []
        for one in matrix:
            values, vectors = torch.linalg.eigh(one)
            by = scale(values)
            y, z = values / by, torch.ones_like(values)
            for _ in range(steps + extra):
                y, z = y * (first - z * y / 2), z * (first - z * y / 2)
            results.append(vectors @ torch.diag(y * back(by)) @ vectors.T)
        return torch.stack(results)

    return root


def test_the_iteration_may_run_on_eigenvalues():
    assert_right(exercises.newton_schulz, on_eigenvalues())


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (on_eigenvalues(back=torch.ones_like), "multiply it by √trace"),
        (on_eigenvalues(back=lambda trace: trace), "multiplied by the trace"),
        (on_eigenvalues(first=0.5), "it is ½(3I − ZY)"),
        (on_eigenvalues(extra=1), "one step too many"),
        (on_eigenvalues(extra=-1), "one step too few"),
        (lambda matrix, steps: matrix.abs() ** 0.5, "root of each entry"),
    ],
)
def test_each_mistake_in_the_root_is_named(mutant, says):
    assert_named(exercises.newton_schulz, mutant, says)


def test_five_steps_are_the_packages_root():
    rows = torch.randn(2, 6, 40)
    matrix = rows @ rows.mT
    expected = san.square_root(matrix)
    torch.testing.assert_close(exercises.square_root(matrix, STEPS), expected)


# HAN


def pair_by_pair(energy=lambda a, b: (a * b).sum(), sign=-1, axis=1):
    def weights(maps):
        results = []
        for one in maps:
            energies = torch.tensor([[energy(a, b) for b in one] for a in one])
            powers = (sign * energies).exp()
            results.append(powers / powers.sum(axis, keepdim=True))
        return torch.stack(results)

    return weights


def test_layer_weights_pair_by_pair_are_right():
    assert_right(exercises.layer_weights, pair_by_pair())


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (pair_by_pair(sign=1), "minus is missing"),
        (pair_by_pair(axis=0), "weights of a column"),
        (pair_by_pair(lambda a, b: (a * b).mean()), "by the number of features"),
        (pair_by_pair(lambda a, b: (a * b).sum() / a.numel() ** 0.5), "by the root"),
        (
            pair_by_pair(lambda a, b: F.cosine_similarity(a.flatten(), b.flatten(), dim=0)),
            "brought to length 1",
        ),
        (pair_by_pair(lambda a, b: a.mean((1, 2)) @ b.mean((1, 2))), "channels' means"),
    ],
)
def test_each_mistake_in_the_layer_weights_is_named(mutant, says):
    assert_named(exercises.layer_weights, mutant, says)


# RNAN


def key_by_key(weigh=lambda scores: scores.exp() / scores.exp().sum(), scale=1.0):
    """Each key gives its value to all queries in turn; ``weigh`` gets its scores (N,)."""

    def attend(query, key, value):
        results = []
        for q, k, v in zip(query, key, value, strict=True):
            given = [weigh(q @ one * scale)[:, None] * out for one, out in zip(k, v, strict=True)]
            results.append(sum(given))
        return torch.stack(results)

    return attend


def test_each_key_may_give_its_value_in_turn():
    assert_right(exercises.sum_over_keys, key_by_key())


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (lambda q, k, v: F.scaled_dot_product_attention(q, k, v, scale=1.0), "over the keys"),
        (key_by_key(weigh=lambda scores: scores), "no softmax"),
        (lambda q, k, v: key_by_key()(q, k, v) / v.shape[1], "a sum, not a mean"),
        (lambda q, k, v: key_by_key()(k, q, v), "swapped"),
        (lambda q, k, v: key_by_key()(q / q.shape[2] ** 0.5, k, v), "does not scale"),
    ],
)
def test_each_mistake_in_the_sum_over_keys_is_named(mutant, says):
    assert_named(exercises.sum_over_keys, mutant, says)


# CSNLN


def put_down(weigh=lambda scores: scores.exp() / scores.exp().sum(), share=False, flip=False):
    """Patch after patch is put on a canvas, with knobs to turn wrong."""

    def replace(query, key, value, scale):
        side, (height, width) = 3 * scale, query.shape[2:]
        canvas = torch.zeros(
            len(query), value.shape[1] // side**2, *((n + 2) * scale for n in (height, width))
        ).to(query)
        counts = torch.zeros_like(canvas)
        around = F.pad(query, (1, 1, 1, 1))
        for b, row, column in np.ndindex(len(query), height, width):
            patch = around[b, :, row : row + 3, column : column + 3].reshape(-1)
            large = (value[b] @ weigh(patch @ key[b])).view(-1, side, side)
            place = (
                b,
                slice(None),
                slice(row * scale, row * scale + side),
                slice(column * scale, column * scale + side),
            )
            canvas[place] += large.mT if flip else large
            counts[place] += 1
        inside = slice(scale, -scale)
        return (canvas / counts if share else canvas)[:, :, inside, inside]

    return replace


def test_patches_may_be_put_down_one_by_one():
    assert_right(exercises.replace_patches, put_down())


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (put_down(weigh=lambda scores: scores), "take their softmax"),
        (put_down(weigh=lambda s: (s == s.max()).to(s)), "only the best key"),
        (put_down(share=True), "are averaged"),
        (put_down(flip=True), "rows and columns"),
        (
            lambda q, k, v, s: put_down(lambda x: (x / k.shape[1] ** 0.5).softmax(0))(q, k, v, s),
            "root of the length",
        ),
    ],
)
def test_each_mistake_with_patches_is_named(mutant, says):
    assert_named(exercises.replace_patches, mutant, says)


# NLSN


def end_by_end(nearest=max, both=True, order=(1, -1)):
    """The bucket as a search through a list of ends."""

    def buckets(match, rotations):
        result = np.zeros((len(match), rotations.shape[1], match.shape[1]), int)
        for b, r, n in np.ndindex(result.shape):
            turned = (match[b, n] @ rotations[:, r]).tolist()
            ends = [sign * t for sign in (order if both else (1,)) for t in turned]
            result[b, r, n] = ends.index(nearest(ends))
        return torch.tensor(result)

    return buckets


def test_the_nearest_end_may_be_searched_in_a_list():
    assert_right(exercises.hash_buckets, end_by_end())


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (end_by_end(both=False), "only one end"),
        (end_by_end(nearest=min), "farthest end"),
        (end_by_end(order=(-1, 1)), "in this order"),
        (lambda m, r: end_by_end()(m, r) % r.shape[2], "share a bucket"),
        (lambda m, r: end_by_end()(m, r).movedim(1, 2), "(B, rounds, N)"),
        (lambda m, r: end_by_end()(m, r[:, [0] * r.shape[1]]), "first rotation"),
    ],
)
def test_each_mistake_in_the_buckets_is_named(mutant, says):
    assert_named(exercises.hash_buckets, mutant, says)


# IGNN


def sorted_by(distance, start=0):
    def nearest(query, key, k):
        rows = [sorted(range(len(key)), key=lambda j: distance(q, key[j])) for q in query]
        return torch.tensor([row[start : start + k] for row in rows])

    return nearest


def euclidean(a, b):
    return (a - b).norm().item()


def test_the_nearest_may_be_sorted():
    assert_right(exercises.nearest_patches, sorted_by(euclidean))


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        (sorted_by(lambda a, b: -euclidean(a, b)), "farthest: topk"),
        (sorted_by(lambda a, b: -(a @ b).item()), "largest products"),
        (sorted_by(lambda a, b: -F.cosine_similarity(a, b, dim=0).item()), "most parallel"),
        (sorted_by(lambda a, b: (a - b).abs().sum().item()), "absolute differences"),
        (sorted_by(euclidean, start=1), "nearest is left out"),
        (lambda q, key, k: sorted_by(euclidean)(q, key, k).T, "(N, k)"),
        (lambda q, key, k: sorted_by(euclidean)(q, key, k).flip(1), "comes first"),
    ],
)
def test_each_mistake_in_the_nearest_patches_is_named(mutant, says):
    assert_named(exercises.nearest_patches, mutant, says)


def test_the_nearest_of_a_row_are_the_packages():
    query, key = torch.randn(30, 8), torch.randn(40, 8)
    rows = (vectors.T[None, :, None] for vectors in (query, key))
    found = ignn.nearest(*rows, 5, window=40, scale=1)[0, :, 0].T
    assert torch.equal(exercises.nearest(query, key, 5), found)


# Figures and widget


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)


def test_a_look_marks_its_pixel_and_shows_shares_on_one_scale(photo):
    share = np.zeros((8, 9))
    share[2, 3], share[7, 0] = 0.75, 0.25
    left, right = figures.look(photo, share, row=2, column=3, title="RNAN").axes[:2]
    assert np.array_equal(left.images[0].get_array(), rgb_to_y(photo))
    shown = right.images[0].get_array()
    assert shown.mask.sum() == 70
    assert shown[2, 3] == pytest.approx(0.75 * 72)
    assert right.images[0].get_clim() == (1e-2, 1e3)
    assert right.get_title() == "RNAN"
    for axes in (left, right):
        for frame in axes.patches:
            assert frame.get_xy() == (1, 0)
            assert (frame.get_width(), frame.get_height()) == (5, 5)


def test_the_menu_shows_every_mechanism(photo, sweep):
    looks = {
        "RCAN": lambda row, column: np.full((8, 9), 1 / 72),
        "one": lambda row, column: np.eye(72)[9 * row + column].reshape(8, 9),
    }
    chosen = explore_looks(photo, looks, mechanism="one", row=2, column=3)
    assert chosen.kwargs == {"mechanism": "one", "row": 2, "column": 3}
    assert sweep(chosen) == 3


def test_matrices_have_scales_of_their_own_around_0():
    named = {"large": np.diag([-4.0, 1.0]), "small": np.diag([0.1, 0.2])}
    panels = figures.matrices(named).axes[:2]
    for axes, (title, matrix), limit in zip(panels, named.items(), (4.0, 0.2), strict=True):
        assert axes.get_title() == title
        assert np.array_equal(axes.images[0].get_array(), matrix)
        assert axes.images[0].get_clim() == (-limit, limit)


def test_roots_are_lines_with_their_steps():
    values = np.array([0.01, 0.1, 1.0])
    lines = figures.roots(values, {1: values, 5: values**0.5}).axes[0].lines
    assert [line.get_label() for line in lines] == ["steps: 1", "steps: 5", "exact root"]
    assert lines[1].get_ydata() == pytest.approx(lines[2].get_ydata())


def test_every_cost_has_a_panel_with_a_line_a_mechanism():
    measured = {"RNAN": np.arange(1.0, 7).reshape(2, 3), "NLSN": np.arange(7.0, 13).reshape(2, 3)}
    panels = figures.costs((8, 16), measured).axes
    assert [axes.get_title() for axes in panels] == ["operations", "time (s)", "memory (MB)"]
    for number, axes in enumerate(panels):
        assert axes.get_xscale() == axes.get_yscale() == "log"
        for line, (name, found) in zip(axes.lines, measured.items(), strict=True):
            assert line.get_label() == name
            assert line.get_xdata() == pytest.approx([8, 16])
            assert line.get_ydata() == pytest.approx(found[:, number])


def test_every_network_of_the_register_has_a_look_of_its_own():
    assert {network.title for network in NETWORKS.values()} <= set(figures.NETWORKS)
    looks = figures.NETWORKS.values()
    for key in ("color", "marker"):
        assert len({look[key] for look in looks}) == len(looks)
    assert figures.LOOKS["bicubic"]["color"] not in {look["color"] for look in looks}


def test_the_gain_of_bicubic_over_itself_is_0():
    rng = np.random.default_rng(1)
    hr, sr, other = rng.integers(0, 256, (3, 2, 48, 48, 3), dtype=np.uint8)
    measured = {"bicubic": error_spectrum(sr, hr, 2), "GLA-Net": error_spectrum(other, hr, 2)}
    wrong, gain = figures.error_spectra(measured, scale=2).axes
    assert [line.get_label() for line in wrong.lines[:2]] == ["bicubic", "GLA-Net"]
    assert gain.lines[0].get_ydata() == pytest.approx(np.zeros(16))
    expected = measured["GLA-Net"].gain_over(measured["bicubic"]).mean(0)
    assert gain.lines[1].get_ydata() == pytest.approx(expected)


def test_noise_is_shown_against_bicubics():
    measured = {"bicubic": np.full((3, 2), 0.5), "RCAN": np.full((3, 2), [5.0, 0.5])}
    bicubic, rcan = figures.noise_by_band(measured, [(0, 0.25), (0.25, 0.5)]).axes[0].lines
    assert bicubic.get_ydata() == pytest.approx([0, 0])
    assert rcan.get_xdata() == pytest.approx([0.125, 0.375])
    assert rcan.get_ydata() == pytest.approx([10, 0])


def test_learning_shows_each_band_beside_bicubics():
    def flat(*errors):
        error = np.repeat(errors, 4)[None]  # below 1/8, to 1/4, above
        return ErrorSpectrum(FREQUENCY, error, np.ones_like(error))

    found = {2: flat(1.0, 1.0, 1.0, 1.0), 8: flat(0.01, 0.1, 1.0, 1.0)}
    lines = figures.learning({"RCAN": found}, flat(0.1, 0.1, 0.1, 0.1)).axes[0].lines
    assert [line.get_label() for line in lines[::2]] == list(figures.BANDS)
    for line, last in zip(lines[::2], (-20, -10, 0), strict=True):
        assert line.get_xdata() == pytest.approx([2, 8])
        assert line.get_ydata() == pytest.approx([0, last])
    assert all(line.get_ydata() == pytest.approx([-10, -10]) for line in lines[1::2])


@pytest.mark.parametrize("count", [1, 6, 10])
def test_fields_and_attributions_have_one_panel_a_network_and_one_scale(photo, count):
    rng = np.random.default_rng(2)
    names = list(figures.NETWORKS)[:count]
    seen = {name: ReceptiveField(rng.random((8, 9)), 4, 4) for name in names}
    panels = figures.fields(seen).axes[:-1]
    assert [axes.get_title() for axes in panels] == names
    shares = panels[0].images[0].get_array()
    assert shares.sum() == pytest.approx(1)

    maps = {name: Attribution(rng.normal(size=(8, 9)), 1.0) for name in names}
    figure = figures.attributions(photo, maps, top=1, left=2, side=3)
    first, *panels = figure.axes[:-1]
    assert first.patches[0].get_xy() == (1.5, 0.5)
    assert len(panels) == count
    assert len({axes.images[0].get_clim() for axes in panels}) == 1
    for axes, (name, found) in zip(panels, maps.items(), strict=True):
        assert axes.get_title() == f"{name}, {found.diffusion():.1f}"
        assert np.array_equal(axes.images[0].get_array(), found.value)


@pytest.mark.parametrize("count", [1, 5, 6, 8, 11])
def test_the_lowest_panel_of_each_column_has_numbers_and_a_label(count):
    panels = figures._grid(count)[1]
    assert len(panels) == count
    lowest = {}
    for axes in panels:
        lowest[axes.get_subplotspec().colspan.start] = axes
    for axes in panels:
        is_lowest = axes in lowest.values()
        assert axes.xaxis.get_tick_params()["labelbottom"] == is_lowest
        assert (axes.get_xlabel() == "column (pixels)") == is_lowest
