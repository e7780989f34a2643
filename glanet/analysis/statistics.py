"""Confidence intervals and tests for few samples, and the correction for many decisions.

A sample is what varies by itself: a photograph, whose patches count as one sample; or a network.
For a paired comparison, pass the differences of the pairs.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.optimize import brentq

from glanet.errors import ArgumentError

CONFIDENCE = 0.95
POWER = 0.8


@dataclass(frozen=True)
class Interval:
    """A mean over samples and its confidence interval, from low to high; each shaped as a sample.

    Of a single sample, low and high are nan.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def t_interval(samples, confidence=CONFIDENCE) -> Interval:
    """Student's interval of the mean over the first axis, (n, ...) -> each (...).

    It covers the true mean with probability ``confidence`` if the samples are normal. Take
    logarithms first if they differ by factors.
    """
    samples = np.asarray(samples, dtype=float)
    n, mean = len(samples), samples.mean(0)
    if n == 1:
        return Interval(mean, mean * np.nan, mean * np.nan)
    half = stats.t.ppf((1 + confidence) / 2, n - 1) * samples.std(0, ddof=1) / np.sqrt(n)
    return Interval(mean, mean - half, mean + half)


def prediction(samples, confidence=CONFIDENCE) -> Interval:
    """The mean of samples (n, ...), and the interval that one more of them falls into.

    It does so with probability ``confidence`` if the samples are normal.
    """
    mean = t_interval(samples, confidence)
    half = (mean.high - mean.mean) * (len(samples) + 1) ** 0.5
    return Interval(mean.mean, mean.mean - half, mean.mean + half)


def p_zero(samples) -> float:
    """The two-sided p-value of Student's test that the mean of numbers (n,) is 0.

    Raises:
        ArgumentError: fewer than two samples.
    """
    samples = _several(samples)
    return _two_sided(samples.mean(), samples.std(ddof=1) / len(samples) ** 0.5, len(samples) - 1)


def p_member(values, samples) -> float:
    """The two-sided p-value that a network is one more draw from a population of networks.

    ``values`` (m,) are the network's, one for each photograph, and ``samples`` (n, m) those of n
    networks of the population on the same photographs. Networks and photographs vary, and few of
    either are known: this is the test of a prediction interval whose variance has both parts, with
    the degrees of freedom of Welch and Satterthwaite.

    Raises:
        ArgumentError: fewer than two networks or photographs.
    """
    samples = np.asarray(samples, dtype=float)
    differences = _several(np.asarray(values) - samples.mean(0))
    networks = _several(samples.mean(1))
    n, m = samples.shape
    variances = networks.var(ddof=1) * (1 + 1 / n), differences.var(ddof=1) / m
    return Estimate(differences.mean(), *welch(variances, (n - 1, m - 1))).p_zero


@dataclass(frozen=True)
class Estimate:
    """A number that was estimated, its standard error, and the degrees of freedom of that."""

    value: float
    error: float
    freedom: float

    def interval(self, confidence=CONFIDENCE) -> Interval:
        """Student's interval, which covers the true number with probability ``confidence``."""
        half = stats.t.ppf((1 + confidence) / 2, self.freedom) * self.error
        return Interval(self.value, self.value - half, self.value + half)

    @property
    def p_zero(self) -> float:
        """The two-sided p-value of Student's test that the true number is 0."""
        return _two_sided(self.value, self.error, self.freedom)

    def least(self, level, power=POWER) -> float:
        """The smallest true number that the test at ``level`` finds with probability ``power``."""
        edge = stats.t.isf(level / 2, self.freedom)

        def missing(shift):  # what lies beyond the other edge is too rare to count
            return power - stats.nct.sf(edge, self.freedom, shift)

        return self.error * float(brentq(missing, 0, 2 * edge + 10))


def welch(variances, freedoms) -> tuple[float, float]:
    """The standard error of a number with several variances, and its degrees of freedom.

    ``variances`` are independent estimates that add up, each with as many degrees of freedom as
    ``freedoms`` says (Welch and Satterthwaite).
    """
    variances, freedoms = np.array([*variances]), np.array([*freedoms])
    total = variances.sum()
    return total**0.5, total**2 / max((variances**2 / freedoms).sum(), 1e-300)


def holm(p_values) -> dict:
    """p-values of several decisions, {name: p}, corrected for their number by Holm's method.

    Reject where the corrected value is below 0.05: then the chance of any false rejection among
    all decisions is below 0.05, whether or not they depend on each other (Holm 1979).
    """
    corrected, highest = {}, 0.0
    for rank, name in enumerate(sorted(p_values, key=p_values.get)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[name]))
        corrected[name] = highest
    return {name: corrected[name] for name in p_values}


def _several(samples):
    samples = np.asarray(samples, dtype=float)
    if samples.ndim != 1 or len(samples) < 2:
        raise ArgumentError(f"samples have shape {samples.shape}; expected (n,) with n at least 2")
    return samples


def _two_sided(difference, deviation, freedom):
    if deviation == 0:
        return float(difference == 0)
    return float(2 * stats.t.sf(abs(difference) / deviation, freedom))
