"""The frequency lab on several networks: which claims hold, and what causes what they show.

    GLANET_DATA=... python -m benchmarks.frequency_lab --ablation runs/ablation

Measures `glanet.analysis.claims` for ``tiny-x2``, ``light-x2`` and every finished GLA-Net of
`benchmarks.ablation`, each beside untrained networks of its shape: the entry ``frequency-lab``.
Then what noise, lesions, training without a part, and the linear part do: the entry
``frequency-lab-causes``.

What was measured of a network is kept in ``--folder``, and is not measured again: start the same
command again to add runs that have finished since. Networks of an entry whose weights no longer
exist stay in it, if the others are measured on the same photographs.
"""

from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import tyro
from tqdm import tqdm

from benchmarks import ledger
from glanet.analysis.claims import (
    BANDS,
    CLAIMS,
    TOOLS,
    Division,
    by_part,
    judge,
    leaning,
    measure,
    over_networks,
    untrained,
    verdict,
)
from glanet.analysis.errors import error_spectrum
from glanet.analysis.linear import linear_part
from glanet.analysis.noise import noise_response
from glanet.analysis.photographs import photographs
from glanet.analysis.probes import BRANCHES, branches, layers
from glanet.analysis.spectrum import decibels, power_spectrum
from glanet.analysis.statistics import prediction, t_interval
from glanet.analysis.surgery import even_weights, operate
from glanet.data.degradation import imresize
from glanet.data.tensors import to_tensor
from glanet.errors import ArgumentError
from glanet.files import atomic_path
from glanet.inference import upscale
from glanet.networks import to_dict
from glanet.weights import load

SCALE = 2
SHIPPED = ("tiny-x2", "light-x2")
RETRAINED = {"attention": "without-attention", "Inception": "without-inception"}


@dataclass(frozen=True)
class Options:
    ablation: Path = Path("runs/ablation")  # folder of the runs of benchmarks.ablation
    folder: Path = Path("runs/frequency-lab")  # where measured networks are kept
    photographs: int = 40
    networks: int = 20  # untrained, of each shape
    compared: int = 40  # photographs on which untrained networks are measured
    noisy: int = 4  # photographs to whose tokens noise is added
    side: int = 96  # HR pixels


def main(options: Options):
    ledger.started()
    options.folder.mkdir(parents=True, exist_ok=True)
    photos = photographs(options.photographs, options.side)
    models = {name: load(name) for name in SHIPPED} | seeds(options.ablation, "gla-net")
    record_claims(models, photos, options)
    record_causes(retrained(options.ablation, photos), models, photos, options)


def seeds(folder, variant):
    """{name: model} of the finished runs of a variant, one a seed.

    A run has weights from its first validation on, and scores at its end.
    """
    finished = sorted(folder.glob(f"{variant}-seed*/scores.json"))
    return {scores.parent.name: load(scores.parent / "weights") for scores in finished}


def lr_images(photos):
    return torch.cat([to_tensor(imresize(photo, 1 / SCALE)) for photo in photos.values()])


def stored(claim, design):
    """The entry of that claim, whose networks may no longer exist; {} without one.

    Raises:
        ArgumentError: its ``design``, {name: value}, is another: its numbers do not belong beside
            new ones.
    """
    if not (ledger.RESULTS / f"{claim}.json").exists():
        return {}
    entry = ledger.read(claim)
    for name, value in design.items():
        if entry[name] != value:
            raise ArgumentError(
                f"results/{claim}.json: {name} is {entry[name]}, and now {value}. Measure with "
                f"{entry[name]}, or delete the file first and lose networks that no longer exist."
            )
    return entry


# Claims


def record_claims(models, photos, options):
    """The entry ``frequency-lab``: every network's outcomes, what they follow from, and counts."""
    design = {
        "untrained": options.networks,
        "photographs": len(photos),
        "side": options.side,
    }
    images, found = lr_images(photos), stored("frequency-lab", design).get("networks", {})
    few = images[: options.compared]
    for name, model in models.items():
        trained = divided(options.folder, name, partial(measure, model), images)
        null = nulls(model.config, measure, few, options, divided)
        even = divided(options.folder, f"{name}-even", partial(evenly, model), few)
        found[name] = {"compared": len(few), **summary(trained, null, even)}
    outcomes = [
        {claim: its["outcome"] for claim, its in each["claims"].items()} for each in found.values()
    ]
    together = over_networks(outcomes)
    ledger.record(
        "frequency-lab",
        {
            claim.name: {
                outcome: sum(each[claim.name] == outcome for each in outcomes)
                for outcome in ("for", "neither", "against")
            }
            for claim in CLAIMS
        },
        "networks",
        verdict=verdict(together),
        parts=by_part(together),
        networks=found,
        **design,
    )


def evenly(model, images):
    with even_weights(model):
        return measure(model, images)


def nulls(config, measure_it, images, options, keep, what=""):
    """What ``measure_it(model, images)`` returns of each untrained network of that shape, kept.

    ``keep`` is `kept` or `divided`; ``what`` ends the name under which it is kept.
    """
    shape = f"{config.channels}x{'-'.join(map(str, config.layers_by_block))}"
    return [
        keep(
            options.folder,
            f"untrained-{shape}-{seed}{what}",
            lambda found, seed=seed: measure_it(untrained(config, seed), found),
            images,
        )
        for seed in tqdm(range(options.networks), desc=f"untrained {shape}{what}")
    ]


def kept(folder, name, measure_it, images):
    """What ``measure_it(images)`` returns, {name: numbers}; measured once, and kept.

    It is kept for so many images of that size.
    """
    path = folder / f"{name}-{len(images)}x{images.shape[-1]}px.npz"
    if not path.exists():
        found = measure_it(images)
        with atomic_path(path) as part:
            np.savez(part, **found)
    return dict(np.load(path))


def divided(folder, name, measure_it, images):
    """`kept` of a function that returns a `Division`."""

    def by_field(images):
        found = measure_it(images)
        return {
            f"{field.name}/{key}": values
            for field in fields(Division)
            for key, values in getattr(found, field.name).items()
        }

    arrays = kept(folder, name, by_field, images)
    return Division(
        **{
            field.name: {
                key.partition("/")[2]: values
                for key, values in arrays.items()
                if key.startswith(f"{field.name}/")
            }
            for field in fields(Division)
        }
    )


def summary(trained, null, even):
    """Plain numbers: each claim's judgement, and how the tools divide the bands."""
    claims = trained.claims()
    null_claims = {name: np.stack([each.claims()[name] for each in null]) for name in claims}
    judged = judge(claims, null_claims)
    found = {
        name: {
            "trained": interval(each.trained),
            "untrained": interval(each.untrained),
            "even weights": round(float(even.claims()[name].mean()), 4),
            "by layer": rounded(claims[name].mean(0)),
            "untrained by layer": rounded(null_claims[name].mean((0, 1))),
            "untrained deviation": rounded(null_claims[name].mean((1, 2)).std(ddof=1)),
            "outcome": each.outcome,
            "reason": each.reason,
        }
        for name, each in judged.items()
    }
    leans = {
        band: {"trained": interval(ours), "untrained": interval(others)}
        for band, (ours, others) in leaning(trained, null).items()
    }
    outcomes = {name: each.outcome for name, each in judged.items()}
    return {"claims": found, "leaning": leans, "verdict": verdict(outcomes)}


def interval(found):
    return [rounded(part) for part in (found.mean, found.low, found.high)]


def rounded(values):
    return np.round(np.asarray(values, dtype=float), 4).tolist()


# Causes


def record_causes(growth, models, photos, options):
    """The entry ``frequency-lab-causes``: noise, lesions and retraining, and the linear part."""
    images = lr_images(photos)[: options.noisy]
    design = {
        "untrained": options.networks,
        "photographs": len(photos),
        "noisy": len(images),
        "side": options.side,
    }
    before = stored("frequency-lab-causes", design)
    noise = {name: noise_of(model, images) for name, model in models.items()}
    for name in SHIPPED:
        null = nulls(models[name].config, noise_of, images, options, kept, "-noise")
        noise[f"untrained {name.partition('-')[0]}"] = {
            place: interval(prediction([each[place] for each in null])) for place in null[0]
        }
    linear = {name: linear_of(model, photos) for name, model in models.items()}
    networks = {name: to_dict(model.config) for name, model in models.items()}
    known = before.get("value", {}).get("lesion and retrained", {})
    ledger.record(
        "frequency-lab-causes",
        {"lesion and retrained": with_most_seeds(known, growth)},
        "dB by which the error grows, below 1/8, 1/8 to 1/4, above 1/4 cycles per HR pixel",
        noise=before.get("noise", {}) | noise,
        noise_unit="dB: change of the image by noise below 1/8 over that by noise above 1/4 cycles "
        "per LR pixel, a tenth of the deviation of what it is added to",
        linear=before.get("linear", {}) | linear,
        linear_unit="share of the power of the enlarged image that is explained, in each of "
        f"{', '.join(BANDS)} cycles per HR pixel",
        networks=before.get("networks", {}) | networks,
        **design,
    )


def with_most_seeds(*found):
    """Of several {what: {"seeds": n, ...}}, what has the most seeds; the later one of equals."""
    most = {}
    for each in found:
        for what, its in each.items():
            if what not in most or its["seeds"] >= most[what]["seeds"]:
                most[what] = its
    return most


def noise_of(model, images):
    """{"branch, input or output": dB}: whether low noise changes the image more than high noise.

    The noise is added in all layers at once.
    """
    low, _, high = BANDS.values()
    found = {}
    for branch in BRANCHES:
        parts = [branches(layer)[branch] for layer in layers(model).values()]
        for where in ("input", "output"):
            change = noise_response(model, images, (low, high), parts=parts, where=where)
            found[f"{branch}, {where}"] = rounded(np.subtract(*decibels(change.mean(0))))
    return found


def linear_of(model, photos):
    """{what explains: share in each band} of the image that a network makes."""
    images = lr_images(photos)
    with torch.no_grad():
        whole = model(images)
        parts = {
            "bilinear base": F.interpolate(images, scale_factor=SCALE, mode="bilinear"),
            "linear part": linear_part(model, images.mean((0, 2, 3)))(images),
        }
        for tool, names in TOOLS.items():
            with operate(model, "mean", *names):
                parts[f"without {tool}"] = model(images)
        with even_weights(model):
            parts["even weights"] = model(images)
    return {name: rounded(explained_in_bands(whole, part)) for name, part in parts.items()}


def explained_in_bands(whole, part, border=16):
    """`linear.explained` in three bands of all photographs together: (3,).

    Energies are summed first: a ring without power would make a ratio of its own as large as you
    like.
    """
    inside = slice(border, -border)
    whole, part = (images[..., inside, inside].permute(0, 2, 3, 1) for images in (whole, part))
    missed, all_of_it = (power_spectrum(maps) for maps in (whole - part, whole))
    return [
        1 - missed.energy(*band).sum() / all_of_it.energy(*band).sum() for band in BANDS.values()
    ]


def in_bands(values):
    """(n, BANDS) -> (n, 3): the mean over the rings below 1/8, up to 1/4 and above."""
    return np.stack([values[:, :4].mean(1), values[:, 4:8].mean(1), values[:, 8:].mean(1)], axis=1)


def retrained(folder, photos):
    """How the error grows without a tool: cut from a trained network, and trained without it.

    {"tool, cut" or "tool, retrained": mean over the seeds and photographs, dB in three bands, and
    the number of seeds}. A seed counts where both runs are finished.
    """
    wholes = seeds(folder, "gla-net")
    found = {}
    for tool, variant in RETRAINED.items():
        others = {name.rpartition("-")[2]: model for name, model in seeds(folder, variant).items()}
        pairs = [
            (whole, others[name.rpartition("-")[2]])
            for name, whole in wholes.items()
            if name.rpartition("-")[2] in others
        ]
        growth = {"cut": [], "retrained": []}
        for whole, other in pairs:
            before = errors_of(whole, photos)
            with operate(whole, "mean", *TOOLS[tool]):
                growth["cut"].append(before.gain_over(errors_of(whole, photos)))
            growth["retrained"].append(before.gain_over(errors_of(other, photos)))
        for way, gains in growth.items():
            if gains:
                by_photograph = in_bands(np.mean(gains, axis=0))
                found[f"{tool}, {way}"] = {
                    "growth": interval(t_interval(by_photograph)),
                    "seeds": len(gains),
                }
    return found


def errors_of(model, photos):
    originals = np.stack(list(photos.values()))
    enlarged = [upscale(model, imresize(photo, 1 / SCALE)) for photo in photos.values()]
    return error_spectrum(np.stack(enlarged), originals, border=SCALE)


if __name__ == "__main__":
    main(tyro.cli(Options))
