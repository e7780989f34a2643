"""The ledger: one JSON in results/ for every figure that the README or a notebook tells."""

import json
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import torch

from glanet.files import write_text

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"


def _commit():
    """The commit of the code that ran, marked when files it may have used were changed since."""
    git = ["git", "-C", str(ROOT)]
    commit = subprocess.check_output([*git, "rev-parse", "--short=12", "HEAD"], text=True).strip()
    changed = subprocess.check_output(
        [*git, "status", "--porcelain", "--untracked-files=no", "glanet", "benchmarks"], text=True
    )
    return f"{commit}+changes" if changed.strip() else commit


COMMIT = _commit()  # when the measurement starts: hours later, the files may be others


def record(claim, value, unit, *, seed=None, **details):
    """Write ``results/<claim>.json``: what was measured, how, where and when.

    ``value`` is a number, or a dict of numbers of one unit; ``details`` are further plain values.
    Returns the entry.
    """
    entry = {
        "claim": claim,
        "value": value,
        "unit": unit,
        **details,
        "command": shlex.join(["python", "-m", _module(), *sys.argv[1:]]),
        "commit": COMMIT,
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


def device_name():
    """The accelerator if torch sees one, else the processor and the number of threads used."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{_processor()}, {torch.get_num_threads()} threads"


def _processor():
    cpuinfo = Path("/proc/cpuinfo")  # platform.processor() is empty or "x86_64" on Linux
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _module():
    return f"benchmarks.{Path(sys.argv[0]).stem}"
