"""Ship the weights of a finished run: into the package, with their scores, and into the ledger.

    GLANET_DATA=... python -m benchmarks.ship runs/tiny-x2 --trained-on "one core of an AMD EPYC"
    ... runs/rivals/san-seed0 --name san-tiny-x2 --trained-on ...    # for notebook 15

The run must be finished (``glanet train``). Its weights are measured on Set5, Set14 and B100,
unless the benchmark that trained them did so. The scores go into the model card and into
``results/scores-NAME.json``.
"""

import json
import shutil
import statistics
from pathlib import Path

import tyro
from tyro.conf import Positional

from benchmarks import ledger
from benchmarks.scores import JPEG, SETS, measure
from benchmarks.short import SCORES, course
from glanet.data import catalog
from glanet.data.degradations import BICUBIC
from glanet.data.patches import PatchStore
from glanet.files import write_text
from glanet.networks import count_parameters
from glanet.training import checkpoint, images
from glanet.training.card import model_card
from glanet.training.folder import RunFolder
from glanet.training.log import read_log
from glanet.weights import load, shipped_names
from glanet.weights.found import CARD
from glanet.weights.pretrained import CONFIG, SHIPPED, TENSORS

LARGEST = 5_000_000  # bytes, of weights in the wheel


def main(run: Positional[Path], /, *, trained_on: str, name: str | None = None):
    ledger.started()
    files, name = RunFolder(run), name or run.name
    size = files.tensors.stat().st_size
    if size > LARGEST:
        raise SystemExit(f"{files.tensors}: {size:,} bytes, at most {LARGEST:,} are shipped")
    model = load(files.weights)
    done = finished(files)
    recipe = done["about"]["recipe"]
    scores = rounded(measured(model, files, recipe["degradation"]))
    assert not {*recipe["data"]} & {*SETS}, "measured on what it learned from"
    scale = model.config.scale
    log = read_log(files.log)
    store = PatchStore.from_images(images.find(recipe["data"]), scale, recipe["patch"])
    entry = ledger.record(
        f"scores-{name}",
        scores,
        "psnr_y: dB on Y; ssim_y: 1",
        seed=recipe["seed"],
        scale=scale,
        parameters=count_parameters(model),
        data=recipe["data"],
        degradation=recipe["degradation"],
        training_images=len(store.names),
        smaller_than_a_patch=len(store.left_out),
        init=before(done["about"]["init"]),
        steps=done["step"],
        batch=recipe["batch"],
        patch=recipe["patch"],
        trained_on=trained_on,
        **course(log, recipe["validation"]),
        **pace(log),
    )
    card = model_card(
        name,
        done["about"],
        steps=done["step"],
        seconds=done["seconds"],
        where=trained_on,
        left_out=len(store.left_out),
        scores=scores,
        init=start(entry["init"]),
    )
    ship(name, files, card)
    print(json.dumps(entry, indent=1))


def measured(model, files, degradation):
    """{set: (PSNR, SSIM)}; of a model for photographs, also on the largest set as JPEG."""
    scores = already_measured(files) or measure(model)
    if degradation != BICUBIC:
        scores[f"{SETS[-1]} by {JPEG}"] = measure(model, SETS[-1:], JPEG)[SETS[-1]]
    return scores


def already_measured(files):
    """{set: (PSNR, SSIM)} of a run that its benchmark measured on all images; else None."""
    if not (files.path / SCORES).exists():
        return None
    found = json.loads((files.path / SCORES).read_text(encoding="utf-8"))
    kept = found["psnr_y"], found.get("ssim_y", {})
    if any(len(by_set.get(of, ())) < catalog.find(of).count for by_set in kept for of in SETS):
        return None
    return {of: tuple(statistics.mean(by_set[of].values()) for by_set in kept) for of in SETS}


def rounded(scores):
    """Scores as the ledger keeps them."""
    return {of: {"psnr_y": round(p, 4), "ssim_y": round(s, 5)} for of, (p, s) in scores.items()}


def pace(log):
    """How fast a run went, and what memory it took: details of an entry of the ledger."""
    return {
        "images_per_second": statistics.median(line["images_per_second"] for line in log),
        "memory_gb": max(line["memory_gb"] for line in log),
    }


def finished(files):
    """What the last checkpoint of a run says of it."""
    found = checkpoint.read(files.saved()[-1])
    if found["step"] < found["about"]["recipe"]["steps"]:
        raise SystemExit(
            f"{files.path}: stopped at step {found['step']}; start the same command again"
        )
    return found


def before(init):
    """The weights that a run started from; for shipped ones, which may change, their history."""
    if init not in shipped_names():
        return init
    entry = ledger.read(f"scores-{init}")
    kept = ("init", "steps", "training_hours", "commit")
    return {"weights": init, **{key: entry[key] for key in kept}}


def start(init):
    """`before` in words, for the model card."""
    if isinstance(init, dict):
        return f"{init['weights']} as it was after {init['steps']:,} steps"
    return init


def ship(name, files, card):
    """Copy the weights of a run into the package."""
    folder = SHIPPED / name
    folder.mkdir(parents=True, exist_ok=True)
    for file in (CONFIG, TENSORS):
        shutil.copyfile(files.weights / file, folder / file)
    write_text(folder / CARD, card)


if __name__ == "__main__":
    tyro.cli(main)
