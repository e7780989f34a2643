"""The rule finds the truth about networks that were built to be known."""

from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

from glanet import ModelConfig
from glanet.analysis import claims
from glanet.analysis.claims import CLAIMS, judge, measure, over_networks, untrained, verdict
from glanet.analysis.filters import high_pass, low_pass
from glanet.analysis.probes import layers
from glanet.analysis.spectrum import decibels, power_spectrum

CONFIG = ModelConfig(
    channels=16, blocks=1, layers=2, heads=2, stochastic_depth=0.0, light_head=True
)
NAMES = [claim.name for claim in CLAIMS]


class Filter(nn.Module):
    """Attention that is a filter by construction."""

    def __init__(self, change, cutoff):
        super().__init__()
        self.change, self.cutoff = change, cutoff

    def forward(self, tokens):
        return self.change(tokens, self.cutoff)


def with_filters(attention, kernel, seed=100):
    """A network whose attention is that filter, and whose convolutions all have that kernel."""
    model = untrained(CONFIG, seed)
    for layer in layers(model).values():
        layer.attention = attention
        maximum, *convolutions = layer.inception.branches
        nn.init.zeros_(maximum[1].weight)
        for branch in convolutions:
            for part in list(branch)[1:]:
                weight = torch.zeros_like(part.weight).flatten(2)
                middle = weight.shape[-1] // 2
                for channel in range(len(weight)):
                    weight[channel, channel, middle - 1 : middle + 2] = torch.tensor(kernel)
                part.weight.data = weight.view_as(part.weight)
    return model


@pytest.fixture(scope="module")
def images():
    """Photographs of a kind: power falls with frequency."""
    noise = torch.randn(6, 64, 64, 3, generator=torch.Generator().manual_seed(0))
    coarse = sum(low_pass(noise, cutoff) / cutoff for cutoff in (0.02, 0.06, 0.2))
    return (0.5 + coarse / coarse.std() / 8).permute(0, 3, 1, 2)


@pytest.fixture(scope="module")
def null(images):
    """Ten networks that have learned nothing."""
    found = [measure(untrained(CONFIG, seed), images[:3]).claims() for seed in range(10)]
    return {name: np.stack([each[name] for each in found]) for name in NAMES}


def outcomes(model, images, null):
    return {
        name: found.outcome for name, found in judge(measure(model, images).claims(), null).items()
    }


def test_the_sentence_is_true_of_a_network_built_by_it(images, null):
    model = with_filters(Filter(low_pass, 0.015), [-1.0, 2, -1])
    found = outcomes(model, images, null)
    assert found == dict.fromkeys(NAMES, "for")
    assert verdict(found) == "true"


def test_it_is_false_of_a_network_built_against_it(images, null):
    model = with_filters(Filter(high_pass, 0.2), [1.0, 2, 1])
    found = outcomes(model, images, null)
    assert found["attention low"] == found["convolutions high"] == "against"
    assert found["fusion"] == found["image"] == "against"
    assert verdict(found) == "false"


@pytest.mark.parametrize("seed", [50, 51])
def test_nothing_is_shown_by_one_more_untrained_network(images, null, seed):
    found = outcomes(untrained(CONFIG, seed), images, null)
    assert found == dict.fromkeys(NAMES, "neither")
    assert verdict(found) == "not shown"


def test_a_network_without_any_filter_tilts_nothing_and_reaches_nowhere(images):
    found = measure(with_filters(Filter(lambda tokens, _: tokens, None), [0.0, 1, 0]), images)
    for tool in ("attention", "Inception"):
        assert np.abs(found.tilt[tool]).max() < 3  # only channels are mixed
        np.testing.assert_allclose(found.near[tool], 1)
        np.testing.assert_allclose(found.reach[tool], 0, atol=1e-12)


def test_how_loud_a_tool_is_changes_no_claim(images):
    quiet, loud = untrained(CONFIG, 0), untrained(CONFIG, 0)
    for layer in layers(loud).values():
        for part in (layer.attention.proj.weight, layer.attention.proj.bias):
            part.data *= 1000
    before, after = (measure(model, images[:1]) for model in (quiet, loud))
    for name in ("attention low", "convolutions high", "fusion"):
        # of the first layer: the second reads what the first made
        first = before.claims()[name][:, 0]
        np.testing.assert_allclose(after.claims()[name][:, 0], first, rtol=1e-3)
    assert after.ratio["below 1/8"][0, 0] == pytest.approx(before.ratio["below 1/8"][0, 0] + 60)


def test_what_a_cut_changes_is_measured_in_the_enlarged_image(images):
    model = untrained(CONFIG, 0)
    whole = model(images[:1])
    changes = claims.changes_of(model, images[:1], whole)
    assert all(change.shape == (1, 128, 128, 3) for change in changes.values())
    energy = {tool: power_spectrum(change).energy(high=1 / 16) for tool, change in changes.items()}
    found = measure(model, images[:1]).image["below 1/8"]  # of an LR pixel
    expected = decibels(energy["attention"] / energy["Inception"])
    np.testing.assert_allclose(found, expected, rtol=1e-5)  # a whole model rounds as it likes
    for layer in layers(model).values():
        nn.init.zeros_(layer.attention.proj.weight)
    whole = model(images[:1])
    assert not claims.changes_of(model, images[:1], whole)["attention"].any()


def test_an_untrained_network_is_the_same_each_time_and_leaves_the_dice_alone():
    torch.manual_seed(3)
    before = torch.rand(1)
    torch.manual_seed(3)
    first, again, other = (untrained(CONFIG, seed) for seed in (1, 1, 2))
    assert torch.rand(1) == before
    one, same, differs = (next(iter(model.parameters())) for model in (first, again, other))
    assert torch.equal(one, same)
    assert not torch.equal(one, differs)
    assert first.reconstruct.to_image[0].weight.any()


# Decisions


def numbers(centre, spread, networks=None, seed=0):
    """Values of every claim: (photographs, layers), or of networks, each with its own mean."""
    rng = np.random.default_rng(seed)
    if networks is None:
        return {name: centre + spread * rng.normal(size=(40, 3)) for name in NAMES}
    return {
        name: centre + spread * rng.normal(size=(networks, 1, 1)) + np.zeros((1, 5, 3))
        for name in NAMES
    }


@pytest.mark.parametrize(
    ("trained", "null", "outcome", "reason"),
    [
        (2, 0, "for", "present, more than untrained"),
        (2, 2, "neither", "present, like untrained"),
        (2, 4, "neither", "present, less than untrained"),
        (0, -2, "neither", "not shown, more than untrained"),
        (0, 0, "neither", "not shown, like untrained"),
        (0, 2, "neither", "not shown, less than untrained"),
        (-2, -4, "neither", "the opposite is present, more than untrained"),
        (-2, -2, "neither", "the opposite is present, like untrained"),
        (-2, 0, "against", "the opposite is present, less than untrained"),
    ],
)
def test_only_what_is_there_and_learned_counts(trained, null, outcome, reason):
    found = judge(numbers(trained, 0.3), numbers(null, 0.1, networks=20, seed=1))
    assert {each.outcome for each in found.values()} == {outcome}
    assert {each.reason for each in found.values()} == {reason}


def test_among_all_claims_of_a_network_like_any_other_a_false_alarm_is_rare():
    alarms = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        networks = rng.normal(size=(21, len(NAMES)))
        trained = {name: networks[0, i] + rng.normal(size=(8, 2)) for i, name in enumerate(NAMES)}
        null = {
            name: networks[1:, i, None, None] + rng.normal(size=(20, 8, 2)) / 50
            for i, name in enumerate(NAMES)
        }
        alarms += any(found.learned for found in judge(trained, null).values())
    assert alarms / 400 < 0.08


def test_untrained_networks_are_compared_on_the_same_photographs():
    trained = numbers(0, 0.1)
    for values in trained.values():
        values[5:] += 10  # photographs that the untrained networks did not see
    found = judge(trained, numbers(0, 0.1, networks=20, seed=1))
    assert {each.learned for each in found.values()} == {0}
    assert {each.present for each in found.values()} == {1}


def test_every_combination_of_outcomes_has_one_verdict():
    seen = {}
    for combination in product(claims.OUTCOMES, repeat=len(CLAIMS)):
        found = dict(zip(NAMES, combination, strict=True))
        seen.setdefault(verdict(found), []).append(found)
    assert len(seen["true"]) == 1
    assert set(seen) == {
        "true",
        "false",
        "not shown",
        "half true: attention",
        "half true: convolutions",
        "half true: use",
        "half true: attention, convolutions",
        "half true: attention, use",
        "half true: convolutions, use",
    }
    for found in seen["false"]:
        assert "against" in found.values()
    for found in seen["half true: attention"]:
        assert found["attention low"] == found["attention global"] == "for"


@pytest.mark.parametrize(
    ("its", "together"),
    [
        (["for", "for", "neither"], "for"),
        (["for", "neither", "neither"], "neither"),
        (["for", "for", "against"], "neither"),
        (["against", "against", "neither"], "against"),
        (["for", "neither"], "neither"),
    ],
)
def test_networks_agree_by_majority_and_without_opposition(its, together):
    found = over_networks([dict.fromkeys(NAMES, outcome) for outcome in its])
    assert found == dict.fromkeys(NAMES, together)
