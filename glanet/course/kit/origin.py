"""Where a number comes from: the commit and the device that made it."""

import platform
import subprocess
from pathlib import Path

import torch


def commit(root) -> str | None:
    """The commit of the code in ``root``, marked "+changes" where the files differ from it.

    None outside a git checkout.
    """
    if not (root / ".git").exists():  # a source archive, perhaps inside another repository
        return None
    try:
        found = _git(root, "rev-parse", "--short=12", "HEAD")
        changes = _git(
            root, "status", "--porcelain", "--untracked-files=no", "glanet", "benchmarks"
        )
    except (OSError, subprocess.CalledProcessError):  # no git, or a copy without its history
        return None
    return f"{found}+changes" if changes else found


def _git(root, *arguments):
    return subprocess.check_output(["git", "-C", str(root), *arguments], text=True).strip()


def device_name() -> str:
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
