"""Training batches: patches/s of a `PatchStore` beside a DataLoader over the same image files.

    python -m benchmarks.batches

The DataLoader works as the usual super-resolution toolkits do: for each sample it decodes an HR
file and an LR PNG prepared beforehand, cuts one aligned patch and flips and rotates it. It is
measured without workers and with 4 (2 where there are fewer than 4 cores). All contestants take
turns in one process, so that a busy machine slows all of them.
"""

import os
import random
import statistics
import tempfile
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
import torch
import tyro
from PIL import Image
from torch.utils.data import DataLoader, Dataset, RandomSampler
from tqdm import tqdm

from benchmarks import ledger
from glanet.data import catalog
from glanet.data.degradation import imresize, modcrop
from glanet.data.images import read_rgb
from glanet.data.patches import PatchStore

STORE = "PatchStore"
FORGOTTEN = 20  # batches before each measurement: more than the workers have made beforehand


@dataclass(frozen=True)
class Options:
    data: str = "BSDS200"  # a set of the catalogue
    scale: int = 2
    patch: int = 48  # side of an LR patch, pixels
    batch: int = 32
    device: str = "cpu"  # where the batches are wanted
    repeats: int = 5  # measurements of each contestant
    seconds: float = 3  # of one measurement
    seed: int = 0


class PatchDataset(Dataset):
    """One aligned patch, cut from freshly decoded files, as float (3, p, p) and (3, s·p, s·p)."""

    def __init__(self, pairs, scale, patch):
        self.pairs, self.scale, self.patch = pairs, scale, patch

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        lr, hr = (read_rgb(path) for path in self.pairs[index])
        top, left = (random.randint(0, side - self.patch) for side in lr.shape[:2])
        turns, flip = random.randrange(4), random.random() < 0.5

        def cut(image, scale):
            side = scale * self.patch
            rows, columns = (slice(scale * first, scale * first + side) for first in (top, left))
            patch = np.rot90(image[rows, columns], turns)
            patch = np.ascontiguousarray(patch[:, ::-1] if flip else patch)
            return torch.from_numpy(patch).permute(2, 0, 1).float() / 255

        return cut(lr, 1), cut(hr, self.scale)


def main(options: Options):
    ledger.started()
    value, details = measure(options)
    ledger.record(
        f"batches-{torch.device(options.device).type}",
        value,
        "patches/s of PatchStore / patches/s of the fastest DataLoader",
        seed=options.seed,
        **details,
    )
    print(f"{'patches/s':>24}  median      min      max")
    for name, speeds in details["patches_per_second"].items():
        low, middle, high = min(speeds), statistics.median(speeds), max(speeds)
        print(f"{name:>24} {middle:7.0f}  {low:7.0f}  {high:7.0f}")
    print(f"ratio {value}; the store takes {details['store_bytes'] / 1e6:.0f} MB")


def measure(options):
    """The ratio of the store's speed to the fastest DataLoader's, and how it came about."""
    torch.manual_seed(options.seed)
    random.seed(options.seed)
    started = time.perf_counter()
    store = PatchStore.from_images(
        catalog.hr_images(options.data), options.scale, options.patch, options.device
    )
    seconds_to_load = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as folder:
        pairs = write_lr_files(store.names, options.scale, Path(folder))
        contestants = {STORE: store_batches(store, options)}
        for workers in (0, 4 if (os.cpu_count() or 1) >= 4 else 2):
            name = f"DataLoader, {workers} workers"
            contestants[name] = loader_batches(pairs, workers, options)
        speeds = {name: [] for name in contestants}
        for _ in range(options.repeats):
            for name, batches in contestants.items():
                speeds[name].append(patches_per_second(batches, options))
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    fastest_loader = max(value for name, value in medians.items() if name != STORE)
    return round(medians[STORE] / fastest_loader, 1), {
        "patches_per_second": {
            name: [round(value, 1) for value in values] for name, values in speeds.items()
        },
        "images": f"{options.data}, {len(store.names)} files",
        "scale": options.scale,
        "patch": options.patch,
        "batch": options.batch,
        "store_bytes": store.nbytes,
        "store_mapped": store.mapped,
        "seconds_to_load": round(seconds_to_load, 1),
        "cores": os.cpu_count(),
    }


def write_lr_files(names, scale, folder):
    """(LR file, HR file) pairs; the LR files are written to the folder, as PNG."""
    pairs = []
    for number, name in enumerate(tqdm(names, desc="writing LR files", leave=False)):
        pairs.append((folder / f"{number}.png", name))
        lr = imresize(modcrop(read_rgb(name), scale), 1 / scale)
        Image.fromarray(lr).save(pairs[-1][0])
    return pairs


def store_batches(store, options):
    return (store.batch(options.seed, step, options.batch) for step in count())


def loader_batches(pairs, workers, options):
    """Batches without end: the pause between two epochs is not held against the loader."""
    dataset = PatchDataset(pairs, options.scale, options.patch)
    on_gpu = torch.device(options.device).type == "cuda"
    loader = DataLoader(
        dataset,
        options.batch,
        sampler=RandomSampler(dataset, replacement=True, num_samples=2**31),
        num_workers=workers,
        pin_memory=on_gpu,
    )
    for sides in loader:
        yield [side.to(options.device, non_blocking=True) for side in sides]


def patches_per_second(batches, options):
    for _ in range(FORGOTTEN):
        next(batches)
    wait_for_device(options.device)
    started = time.perf_counter()
    patches = 0
    while time.perf_counter() - started < options.seconds:
        patches += len(next(batches)[0])
    wait_for_device(options.device)
    return patches / (time.perf_counter() - started)


def wait_for_device(device):
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main(tyro.cli(Options))
