"""The networks of the register side by side: trained small, and timed at their published size.

    GLANET_DATA=... python -m benchmarks.rivals      # hours
    python -m benchmarks.rivals --speed              # minutes

The first trains every network's ``tiny`` preset at ×2, on one core. All have as many parameters as
GLA-Net's, ±3 %, and the same recipe, steps, batches and seeds. Each is measured image by image on
Set5, Set14 and B100. Every run lives in a folder below ``runs/rivals``, where its weights stay, and
resumes where it was stopped: start the same command again. A finished run is an entry of the
ledger, ``rivals/NETWORK-seedN``.

The second enlarges one image by every network at its published size, in turns, each time in a
process of its own, so that none inherits another's memory. The entry ``rivals-speed`` has time and
peak memory as ratios to GLA-Net's.
"""

import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
import tyro
from tqdm import tqdm

from benchmarks import apart, ledger
from benchmarks.ablation import TOLERANCE
from benchmarks.scores import SETS
from benchmarks.short import details, found_by, recipe, train_and_measure
from glanet import networks
from glanet.data import catalog
from glanet.device import choose_device, peak_memory
from glanet.inference import upscale
from glanet.networks import NETWORKS

SCALE = 2
WHOLE = "gla-net"
TIMED = 1.0  # seconds at least, or a fast network is timed by a single pass


@dataclass(frozen=True)
class Options:
    steps: int = 2000
    seeds: tuple[int, ...] = (0, 1)
    jobs: int = 1  # runs at a time, each on a core of its own
    folder: Path = Path("runs/rivals")
    speed: bool = False  # measure time and memory instead of training
    preset: str = "paper"  # of the networks that are timed
    side: int = 128  # of the image that they enlarge, LR pixels
    rounds: int = 3  # processes of each network that is timed


def main(options: Options):
    ledger.started()
    if options.speed:
        measure_speed(options)
    else:
        train_all(options)


def train_all(options):
    """Train, measure and record every run that is not in the ledger. Go on where one fails."""
    torch.set_num_threads(1)  # as in the runs; the ledger writes it down
    todo = [
        (name, config, seed)
        for seed, (name, config) in product(options.seeds, contestants().items())
        if not (ledger.RESULTS / f"{claim(name, seed)}.json").exists()
    ]
    failures = []
    with ThreadPoolExecutor(options.jobs) as pool, tqdm(total=len(todo), unit=" runs") as bar:
        results = pool.map(lambda which: attempt(*which, options), todo)
        for which, found in zip(todo, results, strict=True):
            if isinstance(found, RuntimeError):
                failures.append(str(found))
            else:
                record(*which, found, options)
            bar.update()
    if failures:
        sys.exit("\n".join(failures))


def contestants():
    """{name: config} of the networks at ×2, all as large as GLA-Net's ``tiny``, ±3 %.

    SwinIR and SwinIR-light are the same network at that size, and it counts once.
    """
    found = {}
    for name, entry in NETWORKS.items():
        config = entry.config.preset("tiny", SCALE)
        same = (entry.model, config.to_dict())
        if same not in [(NETWORKS[other].model, found[other].to_dict()) for other in found]:
            found[name] = config
    target = networks.count_parameters(found[WHOLE])
    for name, config in found.items():
        parameters = networks.count_parameters(config)
        assert abs(parameters / target - 1) <= TOLERANCE, f"{name}: {parameters:,} parameters"
    return found


def claim(name, seed):
    return f"rivals/{name}-seed{seed}"


def folder_of(name, seed, options):
    return options.folder / claim(name, seed).partition("/")[2]


def attempt(name, config, seed, options):
    """The scores of a run, or the error that ended it; what was done before is not done again."""
    folder = folder_of(name, seed, options)
    try:
        return found_by(train, networks.to_dict(config), options.steps, seed, folder=folder)
    except RuntimeError as error:
        return error


def train(config, steps, seed, folder):
    """A run, in its own process."""
    images = {name: catalog.hr_images(name) for name in SETS}
    train_and_measure(networks.from_dict(config), recipe(steps, seed), folder, images)


def record(name, config, seed, found, options):
    """A run's entry in the ledger."""
    training = recipe(options.steps, seed)
    ledger.record(
        claim(name, seed),
        found["psnr_y"],
        "PSNR on Y at ×2, dB, image by image",
        seed=seed,
        network=name,
        parameters=networks.count_parameters(config),
        config=config.to_dict(),
        **details(training, found, folder_of(name, seed, options)),
    )


def measure_speed(options):
    found = {name: [] for name in NETWORKS}
    for _, name in tqdm([*product(range(options.rounds), found)], unit=" processes"):
        found[name].append(apart.call(enlarge, name, options.preset, options.side))
    seconds = {name: statistics.median(r["seconds"] for r in rs) for name, rs in found.items()}
    memory = {name: max(r["memory"] for r in rs) for name, rs in found.items()}
    configs = {name: NETWORKS[name].config.preset(options.preset, SCALE) for name in found}
    ledger.record(
        "rivals-speed",
        {
            name: {
                "seconds": round(seconds[name] / seconds[WHOLE], 3),
                "memory": round(memory[name] / memory[WHOLE], 3),
            }
            for name in found
        },
        "ratios to GLA-Net: seconds for one image; peak bytes of the model and its activations",
        parameters={name: networks.count_parameters(config) for name, config in configs.items()},
        seconds={name: [round(r["seconds"], 4) for r in rs] for name, rs in found.items()},
        peak_memory_gb={name: round(value / 1e9, 3) for name, value in memory.items()},
        preset=options.preset,
        scale=SCALE,
        side=options.side,
        precision="float32",
    )


def enlarge(name, preset, side):
    """Seconds for one image of ``side`` × ``side``, and bytes at the peak.

    The bytes of PyTorch itself do not count.
    """
    device = choose_device()
    lr = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    before = peak_memory(device)
    model = networks.build(NETWORKS[name].config.preset(preset, SCALE)).to(device)
    upscale(model, lr)  # memory is found, kernels are chosen
    started, count = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - started) < TIMED or not count:
        upscale(model, lr)
        count += 1
    return {"seconds": elapsed / count, "memory": peak_memory(device) - before}


if __name__ == "__main__":
    main(tyro.cli(Options))
