"""Short training runs by the ``tiny`` recipe, each in a process of its own on one core.

What `benchmarks.ablation` and `benchmarks.rivals` share.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from glanet.evaluation.benchmark import evaluate
from glanet.files import write_text
from glanet.inference import upscale
from glanet.training import Recipe, train
from glanet.weights import load

SAVED_EVERY = 100  # steps; what a killed run loses at most


def in_its_own_process(module, settings, folder):
    """What ``train_and_measure`` found: run by ``python -m module settings`` unless it is known.

    Raises:
        RuntimeError: the process failed or was asked to stop; the message ends with its output.
    """
    scores = Path(folder) / "scores.json"
    if not scores.exists():
        run = subprocess.run(
            [sys.executable, "-m", module, json.dumps(settings)],
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if run.returncode:
            raise RuntimeError(f"{folder}: exit status {run.returncode}\n{run.stderr[-2000:]}")
    return json.loads(scores.read_text(encoding="utf-8"))


def recipe(steps, seed):
    """The ``tiny`` recipe in that many steps, in float32 and without validation.

    The moving average looks back as far, of all steps, as the preset's.
    """
    preset = Recipe.preset("tiny")
    return Recipe.preset(
        "tiny",
        steps=steps,
        average=max(0.0, 1 - (1 - preset.average) * preset.steps / steps),
        seed=seed,
        validation=(),
        precision="float32",
        save_every=SAVED_EVERY,
    )


def train_and_measure(config, steps, seed, folder, images):
    """Train into ``folder``, or resume there, and write PSNRs to ``scores.json`` in it.

    ``images``: {set: HR images}, measured whole.
    """
    started = time.monotonic()
    weights = train(config, recipe(steps, seed), folder, device="cpu")
    if weights is None:
        sys.exit(1)  # asked to stop
    trained = time.monotonic()
    document = {
        "psnr_y": measure(load(weights), images),
        "seconds_of_last_start": round(trained - started, 1),
    }
    write_text(Path(folder) / "scores.json", json.dumps(document, indent=1))


def measure(model, images):
    """{set: {image: PSNR on Y, dB}}."""
    return {
        name: {
            score.image: round(score.psnr_y, 4)
            for score in evaluate(
                lambda lr: (upscale(model, lr), None), name, files, model.config.scale
            )
        }
        for name, files in images.items()
    }
