"""The paper's claim put to the test: do Inception, dense connections and attention help?

    GLANET_DATA=... python -m benchmarks.ablation

Trains GLA-Net and what remains without each of its parts at the size of the ``tiny`` preset, all
widened to the same number of parameters, ±3 %. SwinIR is among them twice: as published, and with
GLA-Net's bilinear base added, which may be most of its distance after so few steps. Each network is
measured image by image at ×2 on Set5, Set14, B100 and held-out photographs of CID22.

Every run lives in a folder below ``runs/ablation`` and resumes where it was stopped: start the same
command again. A finished run is an entry of the ledger, ``ablation/NETWORK-seedN``.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import tyro
from tqdm import tqdm

from benchmarks import ledger
from benchmarks.scores import SETS
from benchmarks.short import details, found_by, recipe, train_and_measure
from glanet import ModelConfig
from glanet.data import catalog
from glanet.data.images import find_images
from glanet.networks import count_parameters

SCALE = 2
WHOLE = "GLA-Net"
SWINIR = {"inception": False, "dense": False}
VARIANTS = {  # what each leaves out
    WHOLE: {},
    "without dense connections": {"dense": False},
    "without Inception": {"inception": False},
    "without attention": {"attention": False},
    "SwinIR with the bilinear base": SWINIR,
    "SwinIR": {**SWINIR, "bilinear_base": False},
}
TOLERANCE = 0.03  # share of the parameters by which matched networks may differ
EVERY = 4  # one of so many photographs of CID22 is measured on, which bounds the time that takes


@dataclass(frozen=True)
class Options:
    steps: int = 3000
    seeds: tuple[int, ...] = (0, 1, 2, 3)
    jobs: int = 1  # runs at a time, each on a core of its own
    folder: Path = Path("runs/ablation")


def main(options: Options):
    ledger.started()
    todo = [
        (variant, seed)
        for seed, variant in product(options.seeds, VARIANTS)  # a whole seed before the next
        if not (ledger.RESULTS / f"{claim(variant, seed)}.json").exists()
    ]
    with ThreadPoolExecutor(options.jobs) as pool, tqdm(total=len(todo), unit=" runs") as bar:
        for (variant, seed), found in zip(
            todo, pool.map(lambda which: run(*which, options), todo), strict=True
        ):
            record(variant, seed, found, options)
            bar.update()


def claim(variant, seed):
    return f"ablation/{variant.replace(' ', '-').lower()}-seed{seed}"


def shape(variant):
    """The variant's config: as many parameters as the whole network has."""
    bare = ModelConfig.preset("tiny", SCALE, **VARIANTS[variant])
    return bare if variant == WHOLE else matched(bare)


def matched(config):
    """``config`` with as many parameters as the whole network, ±3 %.

    Its channels are raised as far as they go in whole heads and branches, and the hidden width of
    the MLP makes up the rest; of the ways to do so, the one that leaves ``mlp_ratio`` nearest to 2.
    """
    target = count_parameters(ModelConfig.preset("tiny", SCALE))
    found = []
    for channels in range(config.channels, 2 * config.channels, config.heads):
        narrow, wide = (replace(config, channels=channels, mlp_ratio=float(r)) for r in (1, 2))
        fewest = count_parameters(narrow)
        # the count is linear in the hidden width
        per_hidden = (count_parameters(wide) - fewest) / channels
        hidden = channels + round((target - fewest) / per_hidden)
        if channels <= hidden <= 4 * channels:
            found.append(replace(config, channels=channels, mlp_ratio=hidden / channels))
    best = min(found, key=lambda candidate: abs(candidate.mlp_ratio - 2))
    assert abs(count_parameters(best) / target - 1) <= TOLERANCE
    return best


def run(variant, seed, options):
    """The scores of a run; what was done before is not done again."""
    folder = folder_of(variant, seed, options)
    return found_by(train, shape(variant).to_dict(), options.steps, seed, folder=folder)


def folder_of(variant, seed, options):
    return options.folder / claim(variant, seed).partition("/")[2]


def train(config, steps, seed, folder):
    """A run, in its own process."""
    train_and_measure(ModelConfig.from_dict(config), recipe(steps, seed), folder, images())


def images():
    """{set: HR images} to measure on."""
    cid22 = find_images(catalog.data_root() / "train" / "CID22")[::EVERY]
    return {**{name: catalog.hr_images(name) for name in SETS}, "CID22": cid22}


def record(variant, seed, found, options):
    """A run's entry in the ledger."""
    config, training = shape(variant), recipe(options.steps, seed)
    ledger.record(
        claim(variant, seed),
        found["psnr_y"],
        "PSNR on Y at ×2, dB, image by image",
        seed=seed,
        network=variant,
        parameters=count_parameters(config),
        channels=config.channels,
        mlp_ratio=round(config.mlp_ratio, 4),
        **details(training, found, folder_of(variant, seed, options)),
    )


if __name__ == "__main__":
    main(tyro.cli(Options))
