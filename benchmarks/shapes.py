"""Which shape ``light`` should have: as it is, or aligned, with about as many parameters or fewer.

    GLANET_DATA=... python -m benchmarks.shapes      # hours

Processors multiply matrices fastest where every width is a multiple of 8 or 16. ``light`` has 60
channels, heads of 10 and Inception branches of 15. The other shapes have 64, and as many layers as
leave the number of parameters at most 3 % above that of ``light``.

First a training step of each shape is timed, in turns, so that other work on the machine costs all
of them alike: the entry ``shapes/steps`` says how many steps each can take in the same minutes of
one core. Then each trains so long, by ``light``'s learning rate on patches as small as ``tiny``'s,
and is measured image by image: an entry ``shapes/SHAPE-seedN`` a run. Every run lives in a folder
below ``runs/shapes`` and resumes where it was stopped: start the same command again.
"""

import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import torch
import tyro
from tqdm import tqdm

from benchmarks import apart, ledger
from benchmarks.short import details, found_by, recipe, train_and_measure
from benchmarks.train_step import FORGOTTEN
from glanet import ModelConfig
from glanet.data import catalog
from glanet.networks import count_parameters
from glanet.training import Recipe
from glanet.training.loop import Run

SCALE = 2
TODAY = ModelConfig.preset("light", SCALE)
SHAPES = {
    f"{config.channels}-{config.blocks}x{config.layers}-{config.heads}": config
    for config in (
        TODAY,
        replace(TODAY, channels=64, blocks=3, layers=5, heads=4),
        replace(TODAY, channels=64, blocks=2, layers=8, heads=2),
        replace(TODAY, channels=64, blocks=4, layers=3, heads=4),
    )
}
SETS = {"Set5": 1, "Set14": 1, "B100": 4}  # of B100 every fourth image, which bounds the time
TIMED = 6  # steps of each shape in a round


@dataclass(frozen=True)
class Options:
    minutes: float = 20.0  # of one core, in which each shape trains
    seeds: tuple[int, ...] = (0, 1, 2)
    rounds: int = 5  # in which each shape's step is timed
    jobs: int = 1  # runs at a time, each on a core of its own
    folder: Path = Path("runs/shapes")


def main(options: Options):
    ledger.started()
    torch.set_num_threads(1)  # as in the runs; the ledger writes it down
    if not (ledger.RESULTS / "shapes/steps.json").exists():
        time_steps(options)
    steps = ledger.read("shapes/steps")["value"]
    todo = [
        (name, seed)
        for seed, name in product(options.seeds, SHAPES)  # a whole seed before the next
        if not (ledger.RESULTS / f"{claim(name, seed)}.json").exists()
    ]
    with ThreadPoolExecutor(options.jobs) as pool, tqdm(total=len(todo), unit=" runs") as bar:
        results = pool.map(lambda which: run(*which, steps[which[0]], options), todo)
        for (name, seed), found in zip(todo, results, strict=True):
            record(name, seed, steps[name], found, options)
            bar.update()


def claim(name, seed):
    return f"shapes/{name}-seed{seed}"


def time_steps(options):
    """How many steps each shape can take in the same minutes: the entry ``shapes/steps``."""
    ms = {name: [] for name in SHAPES}
    for _, name in tqdm([*product(range(options.rounds), SHAPES)], unit=" processes"):
        ms[name].append(apart.call(milliseconds, name))
    ledger.record(
        "shapes/steps",
        {name: round(60_000 * options.minutes / statistics.median(ms[name])) for name in SHAPES},
        "training steps in the same minutes",
        minutes=options.minutes,
        ms={name: [round(each, 1) for each in found] for name, found in ms.items()},
        parameters={name: count_parameters(config) for name, config in SHAPES.items()},
    )


def light_recipe(steps, seed):
    """A short run's recipe with ``light``'s learning rate and clipping."""
    light = Recipe.preset("light")
    return replace(
        recipe(steps, seed),
        learning_rate=light.learning_rate,
        gradient_clip=light.gradient_clip,
    )


def milliseconds(name):
    """Of a training step of that shape, on one core, validation left out."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        training = replace(light_recipe(FORGOTTEN + TIMED, 0), validation=())
        training_run = Run(SHAPES[name], training, folder, device="cpu")
        for _ in range(FORGOTTEN):
            training_run.advance()
        started = time.perf_counter()
        for _ in range(TIMED):
            training_run.advance()
        return 1000 * (time.perf_counter() - started) / TIMED


def run(name, seed, steps, options):
    """The scores of a run; what was done before is not done again."""
    return found_by(train, name, steps, seed, folder=folder_of(name, seed, options))


def train(name, steps, seed, folder):
    """A run, in its own process."""
    images = {each: catalog.hr_images(each)[::every] for each, every in SETS.items()}
    train_and_measure(SHAPES[name], light_recipe(steps, seed), folder, images)


def folder_of(name, seed, options):
    return options.folder / claim(name, seed).partition("/")[2]


def record(name, seed, steps, found, options):
    """A run's entry in the ledger."""
    training = light_recipe(steps, seed)
    ledger.record(
        claim(name, seed),
        found["psnr_y"],
        "PSNR on Y at ×2, dB, image by image",
        seed=seed,
        shape=name,
        parameters=count_parameters(SHAPES[name]),
        **details(training, found, folder_of(name, seed, options)),
    )


if __name__ == "__main__":
    main(tyro.cli(Options))
