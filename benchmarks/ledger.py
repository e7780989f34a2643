"""The ledger: one JSON file in results/ for every measured number in the documents."""

import json
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import torch

from glanet.files import write_text

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"


@cache
def started() -> str | None:
    """The commit of the code that runs, marked "+changes" where the files differ from it.

    Call it when a measurement starts: hours later the files may be different ones. Later calls
    return what the first one found. None outside a git checkout.
    """
    if not (ROOT / ".git").exists():  # a source archive, perhaps inside another repository
        return None
    try:
        commit = _git("rev-parse", "--short=12", "HEAD")
        changes = _git("status", "--porcelain", "--untracked-files=no", "glanet", "benchmarks")
    except (OSError, subprocess.CalledProcessError):  # no git, or a copy without its history
        return None
    return f"{commit}+changes" if changes else commit


def _git(*arguments):
    return subprocess.check_output(["git", "-C", str(ROOT), *arguments], text=True).strip()


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


def device_name():
    """The accelerator if torch sees one, else the CPU and the number of threads."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{_cpu()}, {torch.get_num_threads()} threads"


def _cpu():
    cpuinfo = Path("/proc/cpuinfo")  # platform.processor() is empty or "x86_64" on Linux
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _module():
    return f"benchmarks.{Path(sys.argv[0]).stem}"
