"""The paper's sentence, split into claims that a measurement can refute, and the rule that decides.

The sentence: attention is for low frequencies and for what is global, convolutions are for high
frequencies and for what is local. `CLAIMS` says what is measured for each part of it; `measure`
measures a network; `judge` compares it with untrained networks of the same shape, whose windows and
kernels are the same and who have learned nothing; `verdict` follows from the outcomes by rule.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from glanet import networks
from glanet.analysis.probes import BRANCHES, layers, listen, tools
from glanet.analysis.receptive import dependence
from glanet.analysis.spectrum import HIGH, LOW, decibels, power_spectrum
from glanet.analysis.statistics import Interval, holm, p_member, p_zero, prediction, t_interval
from glanet.analysis.surgery import operate

BANDS = {"below 1/8": (0, LOW), "1/8 to 1/4": (LOW, HIGH), "above 1/4": (HIGH, 0.5)}
TOOLS = {"attention": ("attention",), "Inception": BRANCHES[1:]}
SIGNIFICANT = 0.05  # after correction for the number of decisions
DRAWS = 2  # grids of pixels at which dependence is measured, for each photograph
TOGETHER = 4  # photographs that are measured together; more take more memory
OUTCOMES = ("for", "neither", "against")


@dataclass(frozen=True)
class Claim:
    """One part of the sentence.

    part: "attention", "convolutions" or "use". quantity: what is measured, in ``unit``; the claim
    says that it is above 0.
    """

    name: str
    part: str
    quantity: str
    unit: str


CLAIMS = (
    Claim(
        "attention low",
        "attention",
        "energy below 1/8 over energy above 1/4, attention's output against its input",
        "dB",
    ),
    Claim(
        "attention global",
        "attention",
        "mean distance of the pixels that attention depends on, less Inception's",
        "pixels",
    ),
    Claim(
        "convolutions high",
        "convolutions",
        "energy above 1/4 over energy below 1/8, Inception's output against its input",
        "dB",
    ),
    Claim(
        "convolutions local",
        "convolutions",
        "share of Inception's dependence within 1 pixel, less one half",
        "share",
    ),
    Claim(
        "fusion",
        "use",
        "energy of attention over energy of Inception, below 1/8 against above 1/4",
        "dB",
    ),
    Claim(
        "image",
        "use",
        "the same for the changes of the enlarged image when either is cut in all layers",
        "dB",
    ),
)
PARTS = tuple(dict.fromkeys(claim.part for claim in CLAIMS))


@dataclass(frozen=True)
class Division:
    """How attention and Inception divide the work, on n photographs in each of L layers.

    tilt: {tool: (n, L)}, dB: energy above 1/4 over energy below 1/8 cycles/pixel of the tool's
    contribution, divided by the same of the tokens that it reads. Steps between windows count.
    reach: {tool: (n, L)}, pixels, the mean distance of `Dependence`. near: {tool: (n, L)}, the part
    within 1 pixel. ratio: {band: (n, L)}, dB, the energy of attention's contribution over that of
    Inception's. image: {band: (n,)}, dB, the same of the changes of the enlarged image, made by
    replacing the outputs of one tool by their means in all layers.

    No quantity depends on how loud a tool is: untrained attention starts with small weights.
    """

    tilt: dict[str, np.ndarray]
    reach: dict[str, np.ndarray]
    near: dict[str, np.ndarray]
    ratio: dict[str, np.ndarray]
    image: dict[str, np.ndarray]

    def claims(self) -> dict[str, np.ndarray]:
        """The quantity of each of `CLAIMS`: {claim: (n, L), of the image (n, 1)}."""
        low, _, high = BANDS
        return {
            "attention low": -self.tilt["attention"],
            "attention global": self.reach["attention"] - self.reach["Inception"],
            "convolutions high": self.tilt["Inception"],
            "convolutions local": self.near["Inception"] - 0.5,
            "fusion": self.ratio[low] - self.ratio[high],
            "image": (self.image[low] - self.image[high])[:, None],
        }


def untrained(config, seed) -> nn.Module:
    """A GLA-Net of that shape that has learned nothing, in eval mode.

    A light head starts at zero, and nothing in the trunk would change the image: its weights are
    drawn like those of any other convolution.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = networks.build(config)
        for module in model.reconstruct.modules():
            if isinstance(module, nn.Conv2d):
                module.reset_parameters()
    return model.eval()


def leaning(trained, untrained) -> dict[str, tuple[Interval, Interval]]:
    """Which tool leans to which frequencies, in each layer: {band: two `Interval` (L,)}, dB.

    The energy of attention over that of Inception, against the mean of the three bands: 0 in all
    bands is a layer whose tools share all frequencies alike. ``trained`` is the `Division` of a
    network, whose interval is that of its mean over photographs; ``untrained`` those of several
    networks, with the interval in which one more would lie, 95 times in 100.
    """
    null = [_against_mean(other.ratio) for other in untrained]
    return {
        band: (t_interval(values), prediction([other[band].mean(0) for other in null]))
        for band, values in _against_mean(trained.ratio).items()
    }


def _against_mean(ratio):
    mean = np.mean(list(ratio.values()), axis=0)
    return {band: values - mean for band, values in ratio.items()}


def measure(model, images) -> Division:
    """The `Division` of a GLA-Net with both tools, on photographs (n, 3, H, W) in [0, 1].

    H and W are multiples of the window and at least 32.
    """
    model = copy.deepcopy(model).eval().requires_grad_(False)  # derivatives by tokens alone
    parts = [_measure(model, few) for few in images.split(TOGETHER)]
    return Division(
        *(
            {key: np.concatenate([part[field][key] for part in parts]) for key in parts[0][field]}
            for field in ("tilt", "reach", "near", "ratio", "image")
        )
    )


def _measure(model, images):
    found = {field: {} for field in ("tilt", "reach", "near", "ratio", "image")}
    norms = {name: layer.norm1 for name, layer in layers(model).items()}
    heard = listen(model, images, norms | {"whole": model})
    for name, layer in layers(model).items():
        tokens, energy = heard[name].output, {}
        before = _tilt(power_spectrum(tokens))
        for tool, function in tools(layer).items():
            with torch.no_grad():
                spectrum = power_spectrum(function(tokens))
            energy[tool] = spectrum
            depends = dependence(function, tokens, draws=DRAWS)
            _append(found["tilt"], tool, _tilt(spectrum) - before)
            _append(found["reach"], tool, depends.reach())
            _append(found["near"], tool, depends.within(1))
        for band, edges in BANDS.items():
            _append(found["ratio"], band, _ratio(energy, *edges))
    found = {
        field: {key: np.stack(values, axis=1) for key, values in by_key.items()}
        for field, by_key in found.items()
    }
    changes = changes_of(model, images, heard["whole"].output)
    changes = {tool: power_spectrum(change) for tool, change in changes.items()}
    for band, edges in BANDS.items():
        # the same waves, in cycles per HR pixel
        found["image"][band] = _ratio(changes, *(edge / model.config.scale for edge in edges))
    return found


def changes_of(model, images, whole) -> dict[str, torch.Tensor]:
    """What cutting each tool in all layers changes in the enlarged images: {tool: (B, H, W, 3)}.

    ``whole`` are the images that the uncut model makes. Cut: each channel of the outputs is
    replaced by its mean over the image.
    """
    changes = {}
    with torch.no_grad():
        for tool, names in TOOLS.items():
            with operate(model, "mean", *names):
                changes[tool] = (whole - model(images)).permute(0, 2, 3, 1)
    return changes


def _append(by_key, key, values):
    by_key.setdefault(key, []).append(values)


def _tilt(spectrum):
    return decibels(spectrum.energy(low=HIGH) / spectrum.energy(high=LOW))


def _ratio(spectra, low, high):
    """The energy of attention's spectrum over that of Inception's, dB, (n,)."""
    energy = {tool: spectrum.energy(low, high) for tool, spectrum in spectra.items()}
    return decibels(energy["attention"] / energy["Inception"])


# Decisions


@dataclass(frozen=True)
class Judgement:
    """What a network says about a claim.

    trained: the mean over photographs and its 95 % interval. untrained: the mean of untrained
    networks, and the interval in which one more would lie, 95 times in 100. present, learned: -1,
    0 or 1: whether the quantity differs from 0, and from untrained networks, and to which side.
    """

    trained: Interval
    untrained: Interval
    present: int
    learned: int

    @property
    def outcome(self) -> str:
        """One of `OUTCOMES`: only what is there, and is learned, counts."""
        if self.present == self.learned != 0:
            return "for" if self.present > 0 else "against"
        return "neither"

    @property
    def reason(self) -> str:
        """The outcome in words."""
        presence = {1: "present", 0: "not shown", -1: "the opposite is present"}[self.present]
        learning = {
            1: "more than untrained",
            0: "like untrained",
            -1: "less than untrained",
        }[self.learned]
        return f"{presence}, {learning}"


def judge(trained, untrained) -> dict[str, Judgement]:
    """The `Judgement` of each claim, at a chance of 5 % that any of all the decisions is wrong.

    ``trained``: {claim: (n photographs, layers)} of one network. ``untrained``: {claim: (networks,
    m, layers)} of networks of the same shape on the first m of the same photographs. A photograph
    is one sample, and so is a network: layers are averaged first. There are two decisions for each
    claim, and Holm's method corrects for all of them.
    """
    over_layers = {name: values.mean(-1) for name, values in trained.items()}
    null = {name: values.mean(-1) for name, values in untrained.items()}
    same = {name: values[: null[name].shape[1]] for name, values in over_layers.items()}
    p_values = {}
    for name, values in over_layers.items():
        p_values[name, "present"] = p_zero(values)
        p_values[name, "learned"] = p_member(same[name], null[name])
    p_values = holm(p_values)

    def side(name, decision, difference):
        return int(np.sign(difference)) if p_values[name, decision] < SIGNIFICANT else 0

    return {
        name: Judgement(
            t_interval(values),
            prediction(null[name].mean(1)),
            side(name, "present", values.mean()),
            side(name, "learned", same[name].mean() - null[name].mean()),
        )
        for name, values in over_layers.items()
    }


def by_part(outcomes: Mapping[str, str]) -> dict[str, str]:
    """The outcome of each part of the sentence, from {claim: outcome}.

    A part is "for" if all its claims are; "against" if a claim is and none is for; else "neither".
    """
    found = {}
    for part in PARTS:
        its = [outcomes[claim.name] for claim in CLAIMS if claim.part == part]
        if all(outcome == "for" for outcome in its):
            found[part] = "for"
        elif "against" in its and "for" not in its:
            found[part] = "against"
        else:
            found[part] = "neither"
    return found


def verdict(outcomes: Mapping[str, str]) -> str:
    """The verdict on the sentence, from {claim: outcome}.

    "true" if every part is for; "half true: PARTS" if some are, which it names; "false" if none is
    for and one is against; else "not shown".
    """
    parts = by_part(outcomes)
    holding = [part for part, outcome in parts.items() if outcome == "for"]
    if len(holding) == len(parts):
        return "true"
    if holding:
        return f"half true: {', '.join(holding)}"
    return "false" if "against" in parts.values() else "not shown"


def over_networks(outcomes) -> dict[str, str]:
    """One outcome for each claim, from those of several networks, [{claim: outcome}, ...].

    It is "for" or "against" where more than half of the networks say so and none says the opposite.
    """
    found = {}
    for claim in CLAIMS:
        its = [each[claim.name] for each in outcomes]
        found[claim.name] = "neither"
        for outcome, opposite in (("for", "against"), ("against", "for")):
            if its.count(outcome) > len(its) / 2 and opposite not in its:
                found[claim.name] = outcome
    return found
