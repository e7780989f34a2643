"""Weights for clean images and for photographs, on the same three photographs and on B100.

    GLANET_DATA=... python -m benchmarks.photo_variants

The photographs come with scikit-image and are enlarged as they are: nobody knows a better original,
so a picture in docs/ shows them. B100 gives the numbers: its LR images are clean, or saved as JPEG
of quality 70, or degraded as the photo variant was trained. The entry is ``photo-variants``.
"""

from dataclasses import dataclass
from pathlib import Path

import tyro

from benchmarks import ledger
from benchmarks.scores import JPEG, measure
from glanet.course.kit.style import new_figure
from glanet.data import catalog
from glanet.data.degradation import imresize
from glanet.data.degradations import BICUBIC, PHOTO
from glanet.data.images import read_rgb
from glanet.inference import upscale
from glanet.weights import WeightsError, load

CLAIM = "photo-variants"
SET = "B100"
DEGRADATIONS = {BICUBIC: "clean", JPEG: "JPEG of quality 70", PHOTO: "like photographs"}
PICTURE = ledger.ROOT / "docs" / "photo-variants.png"
# upper left corners of details, in pixels of the photographs as they are
PLACES = {"rocket": (150, 290), "coffee": (245, 335), "chelsea": (90, 150)}
SIDE = 64


@dataclass(frozen=True)
class Options:
    clean: str = "tiny-x2"  # weights for clean images, at the same scale as
    photo: str = "tiny-x2-photo"  # weights for photographs


def main(options: Options):
    ledger.started()
    models = {label(name): found(name) for name in (options.clean, options.photo)}
    picture(models).savefig(PICTURE, dpi=100)
    value = {
        name: {
            degradation: round(measure(model, (SET,), degradation)[SET][0], 4)
            for degradation in DEGRADATIONS
        }
        for name, model in models.items()
    }
    ledger.record(CLAIM, value, f"PSNR on Y of {SET}, dB", seed=0, clean=label(options.clean))


def label(name):
    """A shipped name as it is; the folder of a run's weights by the name of the run."""
    path = Path(name)
    return path.parent.name if path.name == "weights" else path.name


def found(name):
    """The model of weights, which may not have been trained yet.

    Raises:
        SystemExit: there are none.
    """
    try:
        return load(name)
    except WeightsError as error:
        raise SystemExit(
            f"{error}\nWeights for photographs come from: glanet train --init tiny-x2 "
            f"--degradation {PHOTO} --out runs/tiny-x2-photo. Name them with --photo "
            "runs/tiny-x2-photo/weights, or ship them first: python -m benchmarks.ship "
            "runs/tiny-x2-photo --trained-on DEVICE"
        ) from error


def picture(models):
    """Details of the photographs, a row each: enlarged by bicubic and by each model."""
    files = {path.stem: path for path in catalog.hr_images("photos")}
    figure = new_figure(9, 9)
    rows = figure.subplots(len(PLACES), 1 + len(models))
    for axes, (name, (top, left)) in zip(rows, PLACES.items(), strict=True):
        photo = read_rgb(files[name])
        scale = next(iter(models.values())).config.scale
        results = {"bicubic": imresize(photo, scale)}
        results |= {weights: upscale(model, photo) for weights, model in models.items()}
        shown = slice(scale * top, scale * (top + SIDE)), slice(scale * left, scale * (left + SIDE))
        for panel, (method, result) in zip(axes, results.items(), strict=True):
            panel.imshow(result[shown], interpolation="nearest")
            panel.set_title(f"{name}, {method}", fontsize=9)
            panel.set_axis_off()
    return figure


def markdown():
    """The measurement, which weights to take, and the picture; one sentence before there is one."""
    if not (ledger.RESULTS / f"{CLAIM}.json").exists():
        return "Such weights are not shipped yet."
    entry = ledger.read(CLAIM)
    value, clean = entry["value"], entry["clean"]
    (photo,) = set(value) - {clean}
    lines = [
        f"| weights | {' | '.join(DEGRADATIONS.values())} |",
        "|---" * (1 + len(DEGRADATIONS)) + "|",
    ]
    for name in (clean, photo):
        cells = " | ".join(f"{value[name][degradation]:.2f}" for degradation in DEGRADATIONS)
        lines.append(f"| `{name}` | {cells} |")
    gains = {
        words: value[photo][degradation] - value[clean][degradation]
        for degradation, words in DEGRADATIONS.items()
    }
    lines += ["", f"PSNR in dB on {SET}, by what its LR images are. {advice(clean, photo, gains)}"]
    alt = f"Details of {', '.join(PLACES)}, enlarged by bicubic, {clean} and {photo}"
    return "\n".join([*lines, "", f"![{alt}]({PICTURE.name})"])


def advice(clean, photo, gains):
    """Which weights to take, from the gains of ``photo``, {what LR images are: dB}."""
    sentences = []
    for name, sign in ((photo, 1), (clean, -1)):
        its = [
            f"{words} ({sign * gain:.2f} dB)" for words, gain in gains.items() if sign * gain > 0
        ]
        if its:
            sentences.append(f"`{name}` is better on images that are: {'; '.join(its)}.")
    return " ".join(sentences)


if __name__ == "__main__":
    main(tyro.cli(Options))
