"""Where to compute, how much memory is free there, and how much is taken."""

import math
import sys
import weakref
from pathlib import Path

import psutil
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from glanet.errors import ArgumentError

# of PyTorch on a CPU; of the driver, as when a graph is made; of CUDA's libraries
OUT_OF_MEMORY = ("can't allocate memory", "CUDA error: out of memory", "_STATUS_ALLOC_FAILED")
CONTROL_GROUPS = Path("/sys/fs/cgroup")  # where Linux keeps the limits of containers
MEMBERSHIP = Path("/proc/self/cgroup")


def choose_device(name=None) -> torch.device:
    """The device called ``name`` (cpu, cuda, cuda:1, mps); without a name, an accelerator if any.

    Raises:
        ArgumentError: this machine has no such device.
    """
    accelerator = _accelerator()
    if name is None:
        return accelerator or torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device).tolist()  # meta has shapes and no values
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        there = "cpu" if accelerator is None else f"cpu and {accelerator.type}"
        hint = "An NVIDIA GPU is called cuda, Apple's mps. " if name.lower() == "gpu" else ""
        raise ArgumentError(
            f"device {name!r} is not available; this machine has {there}. {hint}"
            "`glanet doctor` says more."
        ) from error
    return device


def _accelerator():
    """The accelerator of this machine, or None."""
    # asked first: without one, torch 2.6 raises an error, and later a build for CUDA names CUDA
    if not torch.accelerator.is_available():
        return None
    return torch.accelerator.current_accelerator()


def gpu_count(device=None) -> int:
    """How many GPUs a run may use: all that the driver knows of, none if ``device`` is "cpu".

    Asks the driver and starts no CUDA, so that processes may be forked afterwards.
    """
    return 0 if device == "cpu" else torch.cuda.device_count()


def free_memory(device) -> int:
    """Bytes free on a device: of the GPU, or of the machine or the container on it."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return min(psutil.virtual_memory().available, _free_in_container())


def _free_in_container():
    """Bytes left to this process's control groups, both versions; infinite without a limit.

    psutil sees the whole machine's memory. A process that exceeds its group's is killed.
    """
    free = math.inf
    for line in _text(MEMBERSHIP).splitlines():
        _, controllers, place = line.split(":", 2)
        if controllers == "":
            root, limit, used = CONTROL_GROUPS, "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            root = CONTROL_GROUPS / "memory"
            limit, used = "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        group = root / place.strip("/")
        for folder in (group, *group.parents):  # inside a container, the path may not exist
            if folder.is_relative_to(root) and _text(folder / limit).strip().isdigit():
                free = min(free, int(_text(folder / limit)) - _in_use(folder, used))
    return max(free, 0)


def _in_use(folder, name):
    """Bytes that a control group uses, without copies of files that the kernel can drop."""
    statistics = dict(line.split() for line in _text(folder / "memory.stat").splitlines())
    return int(_text(folder / name) or 0) - int(statistics.get("inactive_file", 0))


def _text(path):
    """The text of a file of the kernel; "" where there is none."""
    try:
        return path.read_text()
    except OSError:
        return ""


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


class Alive(TorchDispatchMode):
    """Counts the bytes of tensors made inside. ``most``: that lived at once.

    Not counted is what a kernel takes for itself while it runs. So the count depends on shapes
    alone, and tensors without values will do.
    """

    def __init__(self):
        super().__init__()
        self.now = self.most = 0
        self._known = weakref.WeakSet()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        given = {id(t.untyped_storage()) for t in args if isinstance(t, torch.Tensor)}
        tree_map_only(torch.Tensor, lambda t: self._count(t, given), made)
        return made

    def _count(self, tensor, given):
        storage = tensor.untyped_storage()
        if id(storage) in given or storage in self._known:
            return
        self._known.add(storage)
        self.now += storage.nbytes()
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._free, storage.nbytes())

    def _free(self, count):
        self.now -= count


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether an error says that memory ran out, on any device."""
    kinds = (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, kinds) or any(words in str(error) for words in OUT_OF_MEMORY)
