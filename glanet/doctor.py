"""What this machine has and lacks, with advice on each thing that it lacks."""

import platform
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from glanet.data import catalog
from glanet.weights import shipped_names

GIB = 2**30
ENOUGH_MEMORY = 4 * GIB  # free, for a notebook in the learn profile, a browser and JupyterLab
OK, NOTE, MISSING = "ok", "note", "missing"


@dataclass(frozen=True)
class Finding:
    """The state of one thing that glanet or the course depends on."""

    name: str
    state: str  # ok; note: works, could be better; missing: something will fail
    found: str
    advice: str = ""  # what to do; empty if the state is ok


def examine() -> list[Finding]:
    """All findings, in the order of the report."""
    return [_python(), _kernel(), _torch(), _accelerator(), _memory(), _data(), _weights()]


def report(findings: Iterable[Finding]) -> str:
    """The findings as text, each with its advice below."""
    marks = {OK: "✓", NOTE: "·", MISSING: "✗"}
    lines = []
    for finding in findings:
        lines.append(f"{marks[finding.state]} {finding.name:12} {finding.found}")
        if finding.advice:
            lines.append(f"  {'':12} → {finding.advice}")
    return "\n".join(lines)


def _python():
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("Python", OK, found)


def _kernel():
    """Whether Jupyter's default kernel runs in this environment."""
    advice = "run `make lab`: it installs Jupyter and starts it from its own environment"
    try:
        from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

        command = KernelSpecManager().get_kernel_spec("python3").argv[0]
    except (ImportError, NoSuchKernel):
        return Finding("kernel", MISSING, "no Jupyter kernel in this environment", advice)
    # a bare name means the Python that runs Jupyter itself
    if Path(command).is_absolute() and Path(command).parent != Path(sys.executable).parent:
        found = f"python3 belongs to another environment, {command}"
        return Finding("kernel", MISSING, found, advice)
    return Finding("kernel", OK, "python3, in this environment")


def _torch():
    return Finding("torch", OK, f"{torch.__version__}, {torch.get_num_threads()} CPU threads")


def _accelerator():
    if torch.cuda.is_available():
        device = torch.cuda.get_device_properties(0)
        count = torch.cuda.device_count()
        found = f"{count} × {device.name}, {device.total_memory / GIB:.0f} GiB"
        return Finding("accelerator", OK, found)
    if torch.backends.mps.is_available():
        return Finding("accelerator", OK, "Apple GPU (MPS)")
    if shutil.which("nvidia-smi"):
        return Finding(
            "accelerator",
            NOTE,
            "an NVIDIA driver is installed, but torch finds no GPU",
            "install the CUDA build of torch that fits the driver: pytorch.org/get-started",
        )
    return Finding(
        "accelerator", NOTE, "none: the CPU does all the work", "only notebook 12 needs a GPU"
    )


def _memory():
    memory = psutil.virtual_memory()
    found = f"{memory.available / GIB:.1f} GiB free of {memory.total / GIB:.1f}"
    if memory.available < ENOUGH_MEMORY:
        advice = "close other programs; upscale large photographs with --tile"
        return Finding("memory", NOTE, found, advice)
    return Finding("memory", OK, found)


def _data():
    present = catalog.present()
    if not present:
        return Finding(
            "data",
            NOTE,
            f"scikit-image's photographs; no data set in {catalog.data_root()}",
            "`glanet data list` shows how to get the data sets; or set GLANET_DATA to their folder",
        )
    return Finding("data", OK, f"{', '.join(present)} in {catalog.data_root()}")


def _weights():
    names = shipped_names()
    if not names:
        advice = "the installation is incomplete: `pip install --force-reinstall --no-deps -e .`"
        return Finding("weights", MISSING, "none", advice)
    return Finding("weights", OK, ", ".join(names))
