"""How far a run of the paper's network came in a fraction of the paper's 500,000 steps.

    GLANET_DATA=... python -m benchmarks.paper_run runs/paper-x2 --data T91 BSDS200 \
        --trained-on "an NVIDIA H100 80GB HBM3"

The run must be finished (``glanet train --preset paper``). Its weights are measured
on Set5, Set14 and B100; with them, its loss and its pace go into ``results/paper-run.json``.
"""

import json
from pathlib import Path

import tyro
from tyro.conf import Positional

from benchmarks import ledger
from benchmarks.scores import measure
from benchmarks.ship import pace, rounded
from glanet.networks import count_parameters
from glanet.training import Recipe
from glanet.training.folder import RunFolder
from glanet.training.log import read_log
from glanet.weights import load


def main(run: Positional[Path], /, *, data: tuple[str, ...], trained_on: str):
    ledger.started()
    files = RunFolder(run)
    model, log = load(files.weights), read_log(files.log)
    recipe, last = Recipe.preset("paper"), log[-1]
    hours = last["seconds"] / 3600
    entry = ledger.record(
        "paper-run",
        rounded(measure(model)),
        "psnr_y: dB on Y; ssim_y: 1",
        seed=recipe.seed,
        scale=model.config.scale,
        parameters=count_parameters(model),
        data=data,
        steps=last["step"],
        of_steps=recipe.steps,
        batch=recipe.batch,
        patch=recipe.patch,
        loss={line["step"]: round(line["loss"], 5) for line in log},
        training_hours=round(hours, 3),
        hours_for_all_steps=round(hours * recipe.steps / last["step"], 1),
        trained_on=trained_on,
        **pace(log),
    )
    print(json.dumps(entry, indent=1))


if __name__ == "__main__":
    tyro.cli(main)
