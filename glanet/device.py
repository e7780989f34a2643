"""Where to compute, and how much memory is free there."""

import sys
from pathlib import Path

import psutil
import torch

from glanet.errors import ArgumentError


def choose_device(name=None) -> torch.device:
    """The device called ``name`` (cpu, cuda, cuda:1, mps); without a name, an accelerator if any.

    Raises:
        ArgumentError: this machine has no such device.
    """
    if name is None:
        return torch.accelerator.current_accelerator() or torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ArgumentError(
            f"device {name!r} is not available ({str(error).splitlines()[0]}). "
            "Try cpu; `glanet doctor` says what there is."
        ) from error
    return device


def gpu_count(device=None) -> int:
    """How many GPUs a run may use: all that the driver knows of, none if ``device`` is "cpu".

    Asks the driver and starts no CUDA, so that processes may be forked afterwards.
    """
    return 0 if device == "cpu" else torch.cuda.device_count()


def free_memory(device) -> int:
    """Bytes free on a device: of the GPU, or of the machine."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available


def peak_memory(device="cpu") -> int:
    """The most bytes held so far: by torch on a GPU, else by this process."""
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    status = Path("/proc/self/status")
    if status.exists():  # on Linux, getrusage counts what the process that started this one held
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on any device."""
    kinds = (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, kinds) or "can't allocate memory" in str(error)  # PyTorch on a CPU
