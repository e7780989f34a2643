"""Build notebooks, and record the minutes and memory that they take in the learn profile.

    python -m benchmarks.notebooks 00 01

A test compares them with the budget at the head of each notebook.
"""

import sys

import tyro
from tyro.conf import Positional

from benchmarks import ledger
from glanet.course.tools import build


def main(names: Positional[tuple[str, ...]] = (), /):
    ledger.started()
    for source in build.sources():
        if names and not source.stem.startswith(tuple(names)):
            continue
        usage = build.build(source)
        entry = ledger.record(
            f"notebook-{source.stem[:2]}",
            {"minutes": round(usage.seconds / 60, 2), "memory": round(usage.memory / 1e9, 2)},
            "minutes; memory: GB at its most",
        )
        print(source.stem, entry["value"], file=sys.stderr)


if __name__ == "__main__":
    tyro.cli(main)
