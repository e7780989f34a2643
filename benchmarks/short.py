"""Short training runs by the ``tiny`` recipe, each in a process of its own on one core.

What `benchmarks.ablation`, `benchmarks.rivals` and `benchmarks.shapes` share.
"""

import json
import sys
import time
from pathlib import Path

from benchmarks import apart
from glanet.evaluation.benchmark import evaluate
from glanet.files import write_text
from glanet.inference import upscale
from glanet.training import Recipe, train
from glanet.training.card import names
from glanet.training.log import read_log
from glanet.weights import load

SAVED_EVERY = 100  # steps; what a killed run loses at most
VALIDATION = ("Set5",)
SCORES = "scores.json"  # in the folder of a run
POINTS = 6  # of the curve of a short run
MOST = 60  # points of a curve that the ledger keeps


def found_by(train, *arguments, folder):
    """What ``train(*arguments, folder)`` found, which ends in `train_and_measure`.

    It is called on one core in a process of its own, unless the folder has its scores.

    Raises:
        RuntimeError: the process failed or was asked to stop; the message ends with its output.
    """
    scores = Path(folder) / SCORES
    if not scores.exists():
        apart.call(train, *arguments, str(folder), OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    return json.loads(scores.read_text(encoding="utf-8"))


def recipe(steps, seed):
    """The ``tiny`` recipe in that many steps, in float32, and validated a few times.

    The moving average looks back as far, of all steps, as the preset's.
    """
    preset = Recipe.preset("tiny")
    return Recipe.preset(
        "tiny",
        steps=steps,
        average=max(0.0, 1 - (1 - preset.average) * preset.steps / steps),
        seed=seed,
        validation=VALIDATION,
        precision="float32",
        save_every=SAVED_EVERY,
        validate_every=max(1, steps // POINTS),
    )


def course(log, validation) -> dict:
    """How a run went, for its entry in the ledger, from the entries of its log; {} without any.

    training_hours: without the time of validation. curve: {"images", "points"}, the validation
    images and at most `MOST` pairs of hours and PSNR in dB.
    """
    if not log:
        return {}
    points = []
    for line in log:
        # between two validations, the lines repeat the last PSNR
        if "psnr_y" in line and (not points or line["psnr_y"] != points[-1][1]):
            points.append((line["seconds"], line["psnr_y"]))
    thin = points[:: -(-len(points) // MOST) or 1]
    found = {"training_hours": round(log[-1]["seconds"] / 3600, 3)}
    if points:
        shown = [
            [round(s / 3600, 4), round(psnr, 3)] for s, psnr in dict([*thin, points[-1]]).items()
        ]
        found["curve"] = {"images": names(validation), "points": shown}
    return found


def details(training, found, folder) -> dict:
    """What the ledger's entry of a run says of it: its recipe, and how it went.

    ``found`` is what `found_by` returned, ``folder`` the run's.
    """
    return {
        "steps": training.steps,
        "data": list(training.data),
        "batch": training.batch,
        "patch": training.patch,
        "learning_rate": training.learning_rate,
        "moving_average": round(training.average, 4),
        "seconds_of_last_start": found["seconds_of_last_start"],
        **course(read_log(Path(folder) / "log.jsonl"), training.validation),
    }


def train_and_measure(config, training, folder, images):
    """Train into ``folder``, or resume there, and write the scores to ``scores.json`` in it.

    ``training``: a `Recipe`. ``images``: {set: HR images}, measured whole.
    """
    started = time.monotonic()
    weights = train(config, training, folder, device="cpu")
    if weights is None:
        sys.exit(1)  # asked to stop
    trained = time.monotonic()
    document = {
        **measure(load(weights), images),
        "seconds_of_last_start": round(trained - started, 1),
    }
    write_text(Path(folder) / SCORES, json.dumps(document, indent=1))


def measure(model, images):
    """{"psnr_y": {set: {image: dB}}, "ssim_y": {set: {image: SSIM}}}, both on Y."""
    found = {"psnr_y": {}, "ssim_y": {}}
    for name, files in images.items():
        scores = evaluate(lambda lr: (upscale(model, lr), None), name, files, model.config.scale)
        for score in scores:
            found["psnr_y"].setdefault(name, {})[score.image] = round(score.psnr_y, 4)
            found["ssim_y"].setdefault(name, {})[score.image] = round(score.ssim_y, 6)
    return found
