import numpy as np
import pytest
from scipy import stats

from glanet.analysis.statistics import (
    Estimate,
    holm,
    p_member,
    p_zero,
    prediction,
    t_interval,
    welch,
)
from glanet.errors import ArgumentError

REPEATS = 2000


def covers(draw, mean, n):
    """How often the interval of n draws holds the true mean."""
    rng = np.random.default_rng(0)
    samples = draw(rng, (n, REPEATS))
    found = t_interval(samples)
    return np.mean((found.low <= mean) & (mean <= found.high))


@pytest.mark.parametrize("n", [3, 6, 7, 40])
def test_the_interval_covers_a_normal_mean_95_times_in_100(n):
    assert covers(lambda rng, shape: rng.normal(3, 2, shape), 3, n) == pytest.approx(
        0.95, abs=0.015
    )


def test_the_interval_of_a_skewed_population_covers_nearly_as_often_from_40_photographs():
    def energy(rng, shape):
        return rng.gamma(2, 1, shape)

    assert covers(energy, 2, 40) > 0.93
    assert covers(energy, 2, 6) < 0.93  # so few do not show what is promised


@pytest.mark.parametrize("n", [3, 20])
def test_one_more_network_lies_in_the_predicted_interval_95_times_in_100(n):
    *networks, one_more = np.random.default_rng(0).normal(3, 2, (n + 1, REPEATS))
    found = prediction(networks)
    inside = np.mean((found.low <= one_more) & (one_more <= found.high))
    assert inside == pytest.approx(0.95, abs=0.015)


def test_a_percentile_bootstrap_of_seven_covers_less_than_promised():
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(7, 500))
    chosen = rng.integers(7, size=(1000, 7))
    low, high = np.quantile(samples[chosen].mean(1), (0.025, 0.975), axis=0)
    assert np.mean((low <= 0) & (high >= 0)) < 0.92


def test_patches_of_one_photograph_are_not_photographs():
    rng = np.random.default_rng(0)
    photographs = rng.normal(size=(6, 1, REPEATS))
    patches = photographs + 0.3 * rng.normal(size=(6, 10, REPEATS))
    for samples, least, most in (
        (patches.reshape(60, REPEATS), 0, 0.6),
        (patches.mean(1), 0.93, 0.97),
    ):
        found = t_interval(samples)
        assert least <= np.mean((found.low <= 0) & (found.high >= 0)) <= most


def test_a_single_sample_has_a_mean_and_no_interval():
    found = t_interval([[1.0, 2.0]])
    np.testing.assert_array_equal(found.mean, [1, 2])
    assert np.isnan(found.low).all()
    assert np.isnan(found.high).all()


def test_an_estimate_from_one_variance_is_students():
    samples = np.random.default_rng(0).normal(1, 1, 9)
    error, freedom = welch([samples.var(ddof=1) / 9], [8])
    assert freedom == pytest.approx(8)
    estimate = Estimate(samples.mean(), error, freedom)
    expected = t_interval(samples)
    found = estimate.interval()
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert estimate.p_zero == pytest.approx(p_zero(samples))


def test_the_freedom_of_two_variances_is_that_of_the_one_that_counts():
    assert welch([1, 0], [3, 99])[1] == pytest.approx(3)
    assert welch([0, 1], [3, 99])[1] == pytest.approx(99)
    assert welch([1, 1], [4, 4]) == pytest.approx((2**0.5, 8))


@pytest.mark.parametrize("level", [0.05, 0.0025])
def test_the_least_number_is_found_as_often_as_promised(level):
    rng, least = np.random.default_rng(0), Estimate(0.0, 1 / 3, 8).least(level)  # of 9 samples
    samples = rng.normal(least, 1, (9, 4000))
    found = stats.ttest_1samp(samples, 0).pvalue < level
    assert found.mean() == pytest.approx(0.8, abs=0.02)


def test_p_zero_is_students_test_and_agrees_with_the_interval():
    samples = np.random.default_rng(0).normal(1, 1, 9)
    assert p_zero(samples) == pytest.approx(stats.ttest_1samp(samples, 0).pvalue)
    edge = t_interval(samples, 1 - p_zero(samples))
    assert edge.low == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("networks", "each"), [(6, 0.5), (20, 0.0), (20, 0.5), (20, 5)])
def test_one_more_network_of_the_same_kind_is_told_apart_at_most_5_times_in_100(networks, each):
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(REPEATS):
        photographs = 10 * rng.normal(size=8)  # whatever is hard for all is no difference
        values = rng.normal(size=(networks + 1, 1)) + photographs
        values = values + each * rng.normal(size=values.shape)  # hard for one network only
        alarms += p_member(values[0], values[1:]) < 0.05
    assert alarms / REPEATS <= 0.07  # fewer where each photograph says something else
    assert alarms / REPEATS >= (0.005 if each == 5 else 0.03)


def test_a_network_far_from_all_others_is_told_apart_on_either_side():
    others = np.random.default_rng(0).normal(0, 1, (20, 6))
    assert p_member(np.full(6, 8.0) + others[0], others) < 0.001
    assert p_member(np.full(6, -8.0) + others[0], others) < 0.001
    assert p_member(others[0], others) > 0.1


def test_equal_samples_leave_no_doubt():
    assert (p_zero([2.0, 2.0]), p_zero([0.0, 0.0])) == (0, 1)
    others = np.full((3, 2), 2.0)
    assert (p_member([1.0, 1.0], others), p_member([2.0, 2.0], others)) == (0, 1)


@pytest.mark.parametrize("samples", [[], [1.0], [[1.0, 2.0]]])
def test_too_few_samples_are_rejected(samples):
    with pytest.raises(ArgumentError, match=r"expected \(n,\) with n at least 2"):
        p_zero(samples)


@pytest.mark.parametrize("shape", [(1, 5), (5, 1)])
def test_one_network_or_one_photograph_is_no_population(shape):
    with pytest.raises(ArgumentError, match=r"expected \(n,\) with n at least 2"):
        p_member(np.zeros(shape[1]), np.zeros(shape))


def test_holm_multiplies_the_smallest_by_their_number_and_keeps_the_order():
    found = holm({"a": 0.3, "b": 0.001, "c": 0.02, "d": 0.9})
    assert found == pytest.approx({"a": 0.6, "b": 0.004, "c": 0.06, "d": 0.9})
    assert list(found) == ["a", "b", "c", "d"]


def test_among_twelve_true_nulls_a_false_alarm_is_rare():
    rng = np.random.default_rng(0)
    plain, corrected = [], []
    for _ in range(REPEATS // 2):
        p = {number: p_zero(rng.normal(size=6)) for number in range(12)}
        plain.append(min(p.values()) < 0.05)
        corrected.append(min(holm(p).values()) < 0.05)
    assert np.mean(plain) > 0.4
    assert np.mean(corrected) < 0.065
