"""The statistics of the ablation on runs whose truth is known."""

import itertools

import numpy as np
import pytest

from glanet.analysis import ablation
from glanet.analysis.ablation import compare, runs, sentence, spread, summary
from glanet.errors import ArgumentError

WHOLE = "GLA-Net"
NETWORKS = (WHOLE, "without Inception", "without attention", "SwinIR")


def made(seed=0, truth=(0, 0, 0), *, seeds=4, images=30, by_seed=0.05, by_image=0.05):
    """Runs whose networks differ from the whole one by ``truth``, dB, on images of one kind.

    Every image is difficult in its own way, and every seed's batches help all networks alike.
    ``by_seed``: the spread of the networks that one recipe trains; ``by_image``: of a difference.
    """
    rng = np.random.default_rng(seed)
    image, batches = rng.normal(32, 4, images), rng.normal(0, 0.2, seeds)
    found = {}
    for network, level in zip(NETWORKS, (0, *truth), strict=True):
        kind = rng.normal(0, by_image, images)
        for number in range(seeds):
            luck = rng.normal(0, by_seed)
            noise = rng.normal(0, 0.02, images)
            scores = image + level + kind + batches[number] + luck + noise
            found[network, number] = {"B100": dict(enumerate(scores))}
    return found


def differences(found):
    return {network: by_set["B100"] for network, by_set in compare(found, WHOLE).items()}


@pytest.mark.parametrize(
    ("seeds", "images", "by_seed", "by_image"),
    [
        (2, 30, 0.05, 0.05),
        (4, 30, 0.05, 0),
        (4, 30, 0, 0.3),
        (4, 5, 0.05, 0.05),
        (4, 5, 0.03, 0.15),
    ],
)
def test_the_interval_covers_the_truth_over_seeds_and_photographs(seeds, images, by_seed, by_image):
    spreads = {"by_seed": by_seed, "by_image": by_image}
    covered = []
    for number in range(500):
        found = made(number, (0.1, 0, -0.2), seeds=seeds, images=images, **spreads)
        for difference, truth in zip(differences(found).values(), (0.1, 0, -0.2), strict=True):
            covered.append(difference.interval.low <= truth <= difference.interval.high)
    assert 0.93 <= np.mean(covered) <= 0.98


def test_an_interval_over_photographs_alone_promises_too_much():
    covered = [
        difference.photographs.low <= 0 <= difference.photographs.high
        for number in range(200)
        for difference in differences(made(number)).values()
    ]
    assert np.mean(covered) < 0.75


def test_a_false_alarm_among_all_decisions_is_rare():
    alarms = [
        any(found.outcome != "not told apart" for found in differences(made(number)).values())
        for number in range(500)
    ]
    assert np.mean(alarms) < 0.06


def test_the_least_difference_is_found_in_8_of_10_cases():
    least = np.mean([differences(made(number))["SwinIR"].least for number in range(50)])
    found = [
        differences(made(number, (0, 0, -least)))["SwinIR"].outcome == "lower"
        for number in range(500)
    ]
    assert 0.75 < np.mean(found) < 0.86


def test_outcomes_are_those_of_the_truth():
    found = differences(made(truth=(-0.5, 0.5, 0)))
    assert [each.outcome for each in found.values()] == ["lower", "higher", "not told apart"]


def test_missing_runs_bias_no_difference():
    exact = made(truth=(0.1, 0.2, 0.3), by_seed=0, by_image=0, images=3)
    for each, number in itertools.product(NETWORKS, range(4)):
        run = exact[each, number]["B100"]
        run.update({image: round(score, 1) for image, score in run.items()})
    base = {key: np.mean([*run["B100"].values()]) for key, run in exact.items()}
    shift = {key: base[WHOLE, key[1]] + NETWORKS.index(key[0]) / 10 - base[key] for key in base}
    for key, run in exact.items():
        run["B100"] = {image: score + shift[key] for image, score in run["B100"].items()}
    for gone in (("SwinIR", 0), ("SwinIR", 1), ("without Inception", 3), ("without attention", 0)):
        del exact[gone]
    found = differences(exact)
    assert [each.mean for each in found.values()] == pytest.approx([0.1, 0.2, 0.3])
    assert [each.seeds for each in found.values()] == [3, 3, 2]


def test_a_network_with_fewer_seeds_has_a_wider_interval():
    runs_of = made()
    del runs_of["SwinIR", 0], runs_of["SwinIR", 1]
    found = differences(runs_of)
    wide, narrow = (found[name].interval for name in ("SwinIR", "without attention"))
    assert wide.high - wide.low > 1.1 * (narrow.high - narrow.low)


def test_one_seed_has_a_mean_an_interval_over_photographs_and_no_outcome():
    for found in differences(made(truth=(-0.5, 0.5, 0), seeds=1)).values():
        assert found.outcome == "too few runs"
        assert np.isnan([found.interval.low, found.interval.high, found.p, found.least]).all()
        assert found.photographs.low < found.mean < found.photographs.high


def test_a_network_with_one_seed_borrows_no_decision_from_the_others():
    found = made(truth=(-0.5, 0.5, -9))
    for seed in (1, 2, 3):
        del found["SwinIR", seed]
    outcomes = [each.outcome for each in differences(found).values()]
    assert outcomes == ["lower", "higher", "too few runs"]


def test_two_networks_with_two_seeds_are_too_few_runs():
    found = {key: run for key, run in made(seeds=2).items() if key[0] in NETWORKS[:2]}
    assert differences(found)["without Inception"].outcome == "too few runs"


def test_a_seed_without_the_whole_network_is_left_out():
    found = made()
    del found[WHOLE, 3]
    without = {key: run for key, run in found.items() if key[1] < 3}
    assert differences(found)["SwinIR"] == differences(without)["SwinIR"]


def test_the_spread_is_that_of_the_seeds_means():
    found = {
        ("a", 0): {"B100": {"x": 30.0, "y": 32.0}},
        ("a", 1): {"B100": {"x": 31.0, "y": 33.0}},
        ("b", 0): {"B100": {"x": 30.0, "y": 30.0}},
    }
    assert spread(found)["a"]["B100"] == pytest.approx((31.5, 0.5**0.5))
    mean, deviation = spread(found)["b"]["B100"]
    assert mean == 30
    assert np.isnan(deviation)


def test_runs_of_other_kinds_or_images_are_rejected():
    same = {"data": ["T91"], "batch": 16, "patch": 16, "value": {"Set5": {"bird": 37.0}}}
    entries = [
        {**same, "network": WHOLE, "seed": 0, "steps": 3000},
        {**same, "network": "SwinIR", "seed": 0, "steps": 600},
    ]
    with pytest.raises(ArgumentError, match="differ in steps: 3000 and 600"):
        runs(entries)
    found = runs([{**entry, "steps": 600} for entry in entries])
    assert set(found) == {(WHOLE, 0), ("SwinIR", 0)}
    with pytest.raises(ArgumentError, match="no run of GLA-Net"):
        compare({("SwinIR", 0): {}}, WHOLE)
    found["SwinIR", 0] = {"Set5": {"baby": 37.0}}
    with pytest.raises(ArgumentError, match="SwinIR, seed 0: the images of Set5 are not those"):
        compare(found, WHOLE)


# Sentences


def judged(outcome, mean=0.0, least=0.08):
    """A `Difference` of that outcome."""
    p = {"too few runs": np.nan, "not told apart": 0.5}.get(outcome, 0.01)
    interval = ablation.Interval(mean, mean - 0.1, mean + 0.1)
    return ablation.Difference(interval, interval, p, least, seeds=4)


def test_a_sentence_names_what_differs_and_what_would_have_been_found():
    found = {
        "Set5": judged("not told apart", 0.02, 0.2),
        "B100": judged("lower", -0.12),
        "CID22": judged("lower", -0.2),
    }
    assert sentence("without Inception", found, WHOLE) == (
        "Without Inception: PSNR is lower than GLA-Net's (−0.12 dB on B100 and −0.20 dB on "
        "CID22); the two cannot be told apart on Set5, where a difference of 0.20 dB would have "
        "been found in 8 of 10 such experiments."
    )
    assert "PSNR is higher than GLA-Net's (+0.30 dB on B100)." in sentence(
        "SwinIR", {"B100": judged("higher", 0.3)}, WHOLE
    )


def test_a_sentence_on_too_few_runs_says_what_they_do_not_show():
    said = sentence("SwinIR", {"B100": judged("too few runs", -0.001)}, WHOLE)
    assert said == (
        "SwinIR: too few runs to decide. The difference from GLA-Net is 0.00 dB on B100, but how "
        "much of it another seed would change is not known."
    )


def test_every_combination_of_outcomes_is_one_short_sentence():
    for outcomes in itertools.product(ablation.OUTCOMES, repeat=5):
        found = {
            f"without number {number}": {"B100": judged(outcome, {"lower": -0.3}.get(outcome, 0.3))}
            for number, outcome in enumerate(outcomes)
        }
        said = summary(found, WHOLE, "B100")
        assert said.startswith("On B100, ")
        assert said.count(".") == said.count("0.30") + 1
        assert [said.count(name) for name in found] == [1] * 5
        assert len(said.split()) < 60
        for outcome, words in (
            ("lower", "lower PSNR than GLA-Net"),
            ("higher", "higher PSNR than GLA-Net"),
            ("not told apart", "cannot be told apart from GLA-Net"),
            ("too few runs", "too few runs to decide"),
        ):
            assert (words in said) == (outcome in outcomes)
