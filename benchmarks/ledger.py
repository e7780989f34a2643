"""The ledger: one JSON file in results/ for every measured number in the documents."""

import json
import shlex
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import torch

from glanet.course.kit.origin import commit, device_name
from glanet.files import write_text

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"


@cache
def started() -> str | None:
    """The commit of the code that runs.

    Call it when a measurement starts: hours later the files may be different ones. Later calls
    return what the first one found.
    """
    return commit(ROOT)


def record(claim, value, unit, *, seed=None, **details):
    """Write ``results/<claim>.json``: what was measured, how, where and when. Returns the entry.

    ``value`` is a number, or a dict of numbers of one unit; ``details`` are more plain values.
    """
    entry = {
        "claim": claim,
        "value": value,
        "unit": unit,
        **details,
        "command": shlex.join(["python", "-m", _module(), *sys.argv[1:]]),
        "commit": started(),
        "device": device_name(),
        "torch": torch.__version__,
        "seed": seed,
        "date": datetime.now(UTC).date().isoformat(),
    }
    path = RESULTS / f"{claim}.json"
    path.parent.mkdir(exist_ok=True)
    write_text(path, json.dumps(entry, indent=2, ensure_ascii=False) + "\n")
    return entry


def read(claim):
    """The entry of that claim."""
    return json.loads((RESULTS / f"{claim}.json").read_text(encoding="utf-8"))


def _module():
    return f"benchmarks.{Path(sys.argv[0]).stem}"
