"""What a part of a network is worth: runs with it and without it, and the rule that decides.

A run is a network trained with one seed, and measured image by image. Two things vary by chance:
another seed trains another network, and another photograph shows another difference. Hundreds of
photographs do not make up for one seed, so `compare` counts both. Runs of one seed see the same
batches and are compared with each other. The spread that remains between seeds is pooled over the
networks, on the assumption that it is equally large for all; the spread over photographs is added.
The interval is Student's (`statistics.Estimate`): a bootstrap of so few runs is too narrow.

The sentences of the documents follow by rule from the `Difference` of each network on each set.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from glanet.analysis.statistics import Estimate, Interval, holm, t_interval, welch
from glanet.errors import ArgumentError

SIGNIFICANT = 0.05  # after correction for the number of decisions
FEWEST = 2  # seeds of a network that a decision needs
FREEDOM = (
    3  # degrees of freedom of the spread that it needs: with fewer, the interval is too narrow
)
OUTCOMES = ("lower", "higher", "not told apart", "too few runs")
SAME = ("steps", "data", "batch", "patch")  # what runs that are compared have in common

Runs = Mapping[tuple[str, int], Mapping[str, Mapping[str, float]]]


@dataclass(frozen=True)
class Difference:
    """The PSNR of a network less that of the whole network, on one image set, in dB.

    interval: of the mean over all seeds and all photographs of such a kind, in 95 of 100 cases.
    photographs: the same over all photographs, for the very networks that were trained. p: that
    chance alone makes such a difference, corrected for the number of decisions. least: the smallest
    difference that the design finds in 8 of 10 cases. seeds: how many of this network. With too few
    runs, of this network or in all, p, least and the ends of the interval are nan.
    """

    interval: Interval
    photographs: Interval
    p: float
    least: float
    seeds: int

    @property
    def mean(self) -> float:
        return float(self.interval.mean)

    @property
    def outcome(self) -> str:
        """One of `OUTCOMES`."""
        if np.isnan(self.p):
            return "too few runs"
        if self.p >= SIGNIFICANT:
            return "not told apart"
        return "lower" if self.mean < 0 else "higher"


def runs(entries: Iterable[Mapping]) -> Runs:
    """The runs in entries of the ledger: {(network, seed): {set: {image: PSNR in dB}}}.

    Raises:
        ArgumentError: the runs differ in steps, data, batch or patch.
    """
    entries = list(entries)
    for name in SAME:
        found = sorted({str(entry[name]) for entry in entries})
        if len(found) > 1:
            raise ArgumentError(
                f"the runs differ in {name}: {' and '.join(found)}. Compare runs of one kind."
            )
    return {(entry["network"], entry["seed"]): entry["value"] for entry in entries}


def compare(runs: Runs, whole: str) -> dict[str, dict[str, Difference]]:
    """{network: {set: `Difference` from the ``whole`` network}}; any runs may be missing.

    A seed that the whole network was not trained with is left out. There is one decision for each
    network and set, and Holm's method corrects for all of them.

    Raises:
        ArgumentError: there is no run of the whole network, or a run has other images.
    """
    seeds = sorted({seed for network, seed in runs if network == whole})
    if not seeds:
        raise ArgumentError(f"no run of {whole}; expected one at least")
    used = {key: runs[key] for key in runs if key[1] in seeds}
    networks = [whole, *dict.fromkeys(network for network, _ in used if network != whole)]
    _check_images(used)
    design = np.array(
        [
            [*(network == each for each in networks), *(seed == each for each in seeds[1:])]
            for network, seed in used
        ],
        float,
    )
    estimates, photographs = {}, {}
    for of in next(iter(used.values())):
        scores = np.array([[*run[of].values()] for run in used.values()])
        for number, network in enumerate(networks[1:], start=1):
            weights = np.linalg.pinv(design)[number] - np.linalg.pinv(design)[0]
            several = sum(each == network for each, _ in used) >= FEWEST
            estimates[network, of] = _estimate(scores, design, weights, several)
            photographs[network, of] = t_interval(weights @ scores)
    known = {key: found for key, found in estimates.items() if found.freedom > 0}
    p_values = holm({key: found.p_zero for key, found in known.items()})
    level = SIGNIFICANT / max(len(known), 1)
    return {
        network: {
            of: Difference(
                _interval(found),
                photographs[network, of],
                p_values.get((network, of), np.nan),
                found.least(level) if (network, of) in known else np.nan,
                sum(network == each for each, _ in used),
            )
            for (its, of), found in estimates.items()
            if its == network
        }
        for network in networks[1:]
    }


def spread(runs: Runs) -> dict[str, dict[str, tuple[float, float]]]:
    """{network: {set: (mean, standard deviation over its seeds)}}, dB; nan of one seed."""
    found = {}
    for (network, _), by_set in runs.items():
        for of, images in by_set.items():
            found.setdefault(network, {}).setdefault(of, []).append(np.mean([*images.values()]))
    return {
        network: {
            of: (float(np.mean(means)), float(np.std(means, ddof=1)) if means[1:] else np.nan)
            for of, means in by_set.items()
        }
        for network, by_set in found.items()
    }


def _check_images(runs):
    (first, seed), expected = next(iter(runs.items()))
    for (network, other), by_set in runs.items():
        for of in expected.keys() | by_set.keys():
            if list(by_set.get(of, ())) != list(expected.get(of, ())):
                raise ArgumentError(
                    f"{network}, seed {other}: the images of {of} are not those of {first}, "
                    f"seed {seed}. Measure both on the same images."
                )


def _estimate(scores, design, weights, several):
    """A contrast of runs, whose scores (runs, images) follow ``design`` but for chance.

    Its error is not known if the spread is, or unless there are ``several`` runs of the network.
    """
    means = scores.mean(1)
    residuals = means - design @ np.linalg.lstsq(design, means)[0]
    freedom = len(means) - np.linalg.matrix_rank(design)
    by_image = weights @ scores
    if freedom < FREEDOM or not several or len(by_image) == 1:
        return Estimate(by_image.mean(), np.nan, 0)
    of_seeds = residuals @ residuals / freedom * (weights @ weights)
    of_images = by_image.var(ddof=1) / len(by_image)
    return Estimate(by_image.mean(), *welch((of_seeds, of_images), (freedom, len(by_image) - 1)))


def _interval(estimate):
    if estimate.freedom == 0:
        return Interval(estimate.value, np.nan, np.nan)
    return estimate.interval()


# Sentences


def sentence(network: str, found: Mapping[str, Difference], whole: str) -> str:
    """What the runs say of a network, from its `Difference` on each set."""
    by_outcome = {
        outcome: [of for of, difference in found.items() if difference.outcome == outcome]
        for outcome in OUTCOMES
    }
    if by_outcome["too few runs"]:
        values = listed([f"{signed(found[of].mean)} dB on {of}" for of in found])
        return (
            f"{upper(network)}: too few runs to decide. The difference from {whole} is {values}, "
            "but how much of it another seed would change is not known."
        )
    clauses = []
    for outcome in ("lower", "higher"):
        if sets := by_outcome[outcome]:
            values = listed([f"{signed(found[of].mean)} dB on {of}" for of in sets])
            clauses.append(f"PSNR is {outcome} than {whole}'s ({values})")
    if sets := by_outcome["not told apart"]:
        least = listed([f"{found[of].least:.2f}" for of in sets])
        clauses.append(
            f"the two cannot be told apart on {listed(sets)}, where a difference of {least} dB "
            "would have been found in 8 of 10 such experiments"
        )
    return f"{upper(network)}: {'; '.join(clauses)}."


def summary(found: Mapping[str, Mapping[str, Difference]], whole: str, of: str) -> str:
    """One sentence on all networks, from what they score on one set."""
    groups = {outcome: [] for outcome in OUTCOMES}
    for network, by_set in found.items():
        groups[by_set[of].outcome].append((network, f"{signed(by_set[of].mean)} dB"))
    clauses = []
    for outcome in ("lower", "higher"):
        if groups[outcome]:
            names = listed([f"{network} ({value})" for network, value in groups[outcome]])
            clauses.append(f"{outcome} PSNR than {whole}: {names}")
    for outcome, words in (
        ("not told apart", f"cannot be told apart from {whole}"),
        ("too few runs", "too few runs to decide"),
    ):
        if groups[outcome]:
            clauses.append(f"{words}: {listed([network for network, _ in groups[outcome]])}")
    return f"On {of}, {'; '.join(clauses)}."


def listed(words) -> str:
    """Words as a list in a sentence."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def signed(difference) -> str:
    """A difference in dB with two digits and its sign, which 0.00 lacks."""
    text = f"{difference:+.2f}".replace("-", "−")
    return text[1:] if text[1:] == "0.00" else text


def upper(text) -> str:
    """Text with its first letter in upper case, as a sentence starts."""
    return text[:1].upper() + text[1:]
