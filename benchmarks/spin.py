"""How long threads that wait for each other should spin, alone on a machine and beside others.

    python -m benchmarks.spin

OpenMP's threads spin while they wait, and GNU's runtime lets them do so for milliseconds. Where
other programs run, a thread then spins away the time that the one it waits for would need. The
``glanet`` command and ``make`` shorten it (`glanet.__main__.SPINS`). Each measurement is a process
of its own, in turns with the others; the other programs are loops, as many as there are threads.
"""

import json
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import product

import torch
import tyro
from tqdm import tqdm

from benchmarks import apart, ledger
from glanet.__main__ import SPINS, SPINS_VARIABLE
from glanet.inference import prepare
from glanet.weights import load

RUNTIMES = 300_000  # spins of GNU's runtime, where nobody says otherwise
WORKS = ("plain", "prepared", "training step")
LEAST = 1.0  # seconds of one measurement


@dataclass(frozen=True)
class Options:
    weights: str = "tiny-x2"
    side: int = 128  # of the image that is enlarged, LR pixels
    rounds: int = 3


def main(options: Options):
    ledger.started()
    ms = {beside: defaultdict(list) for beside in ("alone", "beside loops")}
    cases = [*product(range(options.rounds), ms, (RUNTIMES, SPINS))]
    for _, beside, spins in tqdm(cases, unit=" processes"):
        with loops(0 if beside == "alone" else torch.get_num_threads()):
            variables = {SPINS_VARIABLE: str(spins)}
            results = apart.call(measure, options.weights, options.side, **variables)
            for work, found in results.items():
                ms[beside][f"{work}, {spins}"].append(found)
    medians = {
        beside: {case: statistics.median(times) for case, times in found.items()}
        for beside, found in ms.items()
    }
    entry = ledger.record(
        "spin",
        {
            beside: {
                work: round(found[f"{work}, {RUNTIMES}"] / found[f"{work}, {SPINS}"], 2)
                for work in WORKS
            }
            for beside, found in medians.items()
        },
        f"ms with {RUNTIMES:,} spins / ms with {SPINS:,}",
        ms=ms,
        weights=options.weights,
        side=options.side,
        threads=torch.get_num_threads(),
    )
    print(json.dumps(entry, indent=2))


@contextmanager
def loops(count):
    """That many other programs, which do nothing but run."""
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def measure(weights, side):
    """{work: ms}: an image enlarged by the model as it is and prepared, and a training step."""
    model, learner = load(weights), load(weights).train()
    ready, optimizer = prepare(model), torch.optim.Adam(learner.parameters())
    lr, batch = torch.rand(1, 3, side, side), torch.rand(16, 3, 16, 16)

    def enlarge(network):
        with torch.no_grad():
            network(lr)

    def step():
        optimizer.zero_grad()
        learner(batch).mean().backward()
        optimizer.step()

    works = (partial(enlarge, model), partial(enlarge, ready), step)
    return dict(zip(WORKS, map(milliseconds, works), strict=True))


def milliseconds(run):
    """The median of calls for at least `LEAST` seconds, the first one left out."""
    run()
    times, began = [], time.perf_counter()
    while not times or time.perf_counter() - began < LEAST:
        started = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - started))
    return round(statistics.median(times), 1)


if __name__ == "__main__":
    main(tyro.cli(Options))
