"""Time and memory of enlarging against the image's size, whole and in tiles.

    python -m benchmarks.scaling --weights tiny-x2 --sides 64 128 256 512 1024 2048

Each size runs in a process of its own, so that peaks do not add up. Written are the slopes of
log time and log memory over log pixels: 1 is proportional, 0 does not grow.
"""

import json
import time
from dataclasses import dataclass

import numpy as np
import tyro

from benchmarks import apart, ledger
from glanet.device import peak_memory
from glanet.inference import upscale
from glanet.weights import load

WHOLE, TILED = "whole", "tiled"


@dataclass(frozen=True)
class Options:
    weights: str = "tiny-x2"
    sides: tuple[int, ...] = (64, 128, 256, 512, 1024, 2048)  # of the LR image, pixels
    tile: int = 256  # side, LR pixels
    seed: int = 0


def main(options: Options):
    ledger.started()
    found = {
        way: [
            apart.call(measure, options.weights, side, tile, options.seed) for side in options.sides
        ]
        for way, tile in {WHOLE: None, TILED: options.tile}.items()
    }
    entry = record(found, options)
    print(json.dumps(entry, indent=2, ensure_ascii=False))


def record(found, options):
    """Write the entry of what was found for each way and size."""
    value = {}
    for way, results in found.items():
        # below a tile's size there is one tile, which is the whole image
        kept = [r for r in results if way == WHOLE or r["side"] > options.tile]
        for quantity in ("seconds", "memory"):
            value[f"{quantity}, {way}"] = slope(kept, quantity)
    return ledger.record(
        "scaling",
        value,
        "slope of log seconds or log bytes over log LR pixels",
        seed=options.seed,
        measured=found,
        weights=options.weights,
        tile=options.tile,
    )


def slope(results, quantity):
    """The exponent with which a quantity grows with the pixels; None of a single size."""
    if len(results) < 2:
        return None
    pixels, values = zip(*((r["side"] ** 2, max(r[quantity], 1e-9)) for r in results), strict=True)
    return round(float(np.polyfit(np.log(pixels), np.log(values), 1)[0]), 2)


def measure(weights, side, tile, seed):
    """Seconds of one image, and the bytes that its process held beyond those for a small one."""
    model = load(weights)
    rng = np.random.default_rng(seed)
    lr = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
    upscale(model, lr[:32, :32])  # memory is found, kernels are chosen
    before, started = peak_memory(), time.perf_counter()
    upscale(model, lr, tile=tile)
    seconds = time.perf_counter() - started
    return {"side": side, "seconds": round(seconds, 3), "memory": peak_memory() - before}


if __name__ == "__main__":
    main(tyro.cli(Options))
