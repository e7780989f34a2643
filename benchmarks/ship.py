"""Ship the weights of a finished run: into the package, with their scores, and into the ledger.

    GLANET_DATA=... python -m benchmarks.ship runs/tiny-x2 --trained-on "one core of an AMD EPYC"

The run must have gone to its end under ``glanet train``. Its weights are measured on Set5, Set14
and B100; the scores go into the model card and into ``results/scores-NAME.json``.
"""

import json
import re
import shutil
import statistics
from pathlib import Path

import tyro
from safetensors import safe_open
from tyro.conf import Positional

from benchmarks import ledger
from benchmarks.scores import SETS, measure
from glanet import GLANet
from glanet.data.patches import PatchStore
from glanet.files import write_text
from glanet.training import checkpoint, images
from glanet.training.log import read_log
from glanet.weights import shipped_names
from glanet.weights.pretrained import CONFIG, SHIPPED, TENSORS

LARGEST = 5_000_000  # bytes, of weights in the wheel
SCORES_ROW = re.compile(r"^\| PSNR on Y \|.*$", re.MULTILINE)  # of the card that training writes


def main(run: Positional[Path], /, *, trained_on: str):
    ledger.started()
    name, weights = run.name, run / "weights"
    size = (weights / TENSORS).stat().st_size
    if size > LARGEST:
        raise SystemExit(f"{weights / TENSORS}: {size:,} bytes, at most {LARGEST:,} are shipped")
    network = GLANet.from_pretrained(weights)
    scores = measure(network)
    about, progress = description(run)
    recipe = about["recipe"]
    assert not {*recipe["data"]} & {*SETS}, "measured on what it learned from"
    scale = network.config.scale
    store = PatchStore.from_images(images.find(recipe["data"]), scale, recipe["patch"])
    entry = ledger.record(
        f"scores-{name}",
        rounded(scores),
        "psnr_y: dB on Y; ssim_y: 1",
        seed=recipe["seed"],
        scale=scale,
        parameters=sum(tensor.numel() for tensor in network.parameters()),
        data=recipe["data"],
        training_images=len(store.names),
        smaller_than_a_patch=len(store.left_out),
        init=before(about["init"]),
        steps=progress["step"],
        batch=recipe["batch"],
        patch=recipe["patch"],
        training_hours=round(progress["seconds"] / 3600, 2),
        trained_on=trained_on,
        **pace(read_log(run / "log.jsonl")),
    )
    ship(name, weights, scores, entry["init"])
    print(json.dumps(entry, indent=1))


def rounded(scores):
    """Scores as the ledger keeps them."""
    return {of: {"psnr_y": round(p, 4), "ssim_y": round(s, 5)} for of, (p, s) in scores.items()}


def pace(log):
    """How fast a run went, and what memory it took: details of an entry of the ledger."""
    return {
        "images_per_second": statistics.median(line["images_per_second"] for line in log),
        "memory_gb": max(line["memory_gb"] for line in log),
    }


def description(run):
    """What the run's last checkpoint says of it: its settings, and how far it came."""
    last = checkpoint.checkpoints(run / "checkpoints")[-1]
    with safe_open(last, "pt") as file:
        kept = {key: json.loads(text) for key, text in file.metadata().items()}
    if kept["step"] < kept["about"]["recipe"]["steps"]:
        raise SystemExit(f"{run}: stopped at step {kept['step']}; start the same command again")
    return kept["about"], kept


def before(init):
    """What a run began from; of shipped weights, which may be others since, what had gone in."""
    if init not in shipped_names():
        return init
    entry = ledger.read(f"scores-{init}")
    kept = ("init", "steps", "training_hours", "commit")
    return {"weights": init, **{key: entry[key] for key in kept}}


def ship(name, weights, scores, init):
    folder = SHIPPED / name
    folder.mkdir(parents=True, exist_ok=True)
    for file in (CONFIG, TENSORS):
        shutil.copyfile(weights / file, folder / file)
    row = "; ".join(f"{of} {psnr:.2f} dB / {ssim:.4f}" for of, (psnr, ssim) in scores.items())
    card = (weights / "README.md").read_text(encoding="utf-8")
    card, rows = SCORES_ROW.subn(f"| PSNR / SSIM on Y | {row} |", card)
    assert rows == 1
    if isinstance(init, dict):
        begun = f"begun from {init['weights']}"
        card = card.replace(begun, f"{begun} as it was after {init['steps']:,} steps")
    write_text(folder / "README.md", card)


if __name__ == "__main__":
    tyro.cli(main)
