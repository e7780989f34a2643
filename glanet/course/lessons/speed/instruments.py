"""Instruments of notebook 14: races, a count of operations and bytes, and a machine's limits."""

import os
import statistics
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from scipy.stats import binom
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

FASTER, SLOWER, UNCHANGED = VERDICTS = ("faster", "slower", "unchanged")
SHORTEST = 2e-3  # seconds: what takes less is called several times for one reading of the clock

# what PyTorch's operations do, by the words in their names; the first that fits counts
KINDS = {
    "fused attention": ("scaled_dot_product", "flash_attention", "efficient_attention"),
    "matrix products": ("mm", "linear", "bmm"),
    "convolutions": ("conv",),
    "pooling": ("pool",),
    "LayerNorm": ("layer_norm",),
    "softmax": ("softmax",),
    "GELU": ("gelu",),
    "additions, products": ("add", "mul", "sub", "div"),
    "copies": ("copy", "clone", "cat", "roll", "pad", "index"),
}
REST = "the rest"


def kind_of(name) -> str:
    """The kind of an operation of PyTorch, by its name, such as ``aten::addmm``."""
    bare = name.split("::")[-1]
    fits = (kind for kind, words in KINDS.items() if any(word in bare for word in words))
    return next(fits, REST)


# The stop-watch


def synchronize(device):
    """Wait until a GPU has done what it was asked for; a CPU is always done."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def seconds(run, device, calls=1) -> float:
    """Seconds of one call of ``run``, from ``calls`` calls in a row."""
    synchronize(device)
    start = time.perf_counter()
    for _ in range(calls):
        run()
    synchronize(device)
    return (time.perf_counter() - start) / calls


@dataclass(frozen=True)
class Ratio:
    """How many times as fast as another a way is: the median of the rounds of a race.

    ``low`` and ``high`` enclose the true median in at least 95 of 100 races, if the race has six
    rounds or more. ``seconds`` is the median time of one call.
    """

    median: float
    low: float
    high: float
    seconds: float

    @property
    def verdict(self) -> str:
        """``faster`` or ``slower`` if the whole range is, else ``unchanged``."""
        if self.low > 1:
            return FASTER
        return SLOWER if self.high < 1 else UNCHANGED

    def __str__(self):
        noise = ", within noise" if self.verdict == UNCHANGED else ""
        return f"{self.median:.2f} times as fast ({self.low:.2f} to {self.high:.2f}{noise})"


def race(ways, device, rounds) -> dict[str, Ratio]:
    """How fast each of ``ways`` ({name: function without arguments}) is beside the first.

    All take turns in every round, each round in the other direction, so that what slows the machine
    down for a while slows all of them down.
    """
    calls = {}
    for name, run in ways.items():
        run()  # the first call finds memory and chooses kernels
        calls[name] = max(1, round(SHORTEST / seconds(run, device)))
    times = {name: [] for name in ways}
    for number in range(rounds):
        for name in list(ways)[:: 1 if number % 2 else -1]:
            times[name].append(seconds(ways[name], device, calls[name]))
    first = times[next(iter(ways))]
    return {name: ratio(first, found) for name, found in times.items()}


def ratio(first, other) -> Ratio:
    """The `Ratio` of two lists of seconds, a pair from each round."""
    ratios = sorted(a / b for a, b in zip(first, other, strict=True))
    # a true median lies outside of the n-th value from either end with twice this chance
    cut = max(0, int(binom.ppf(0.025, len(ratios), 0.5)) - 1)
    return Ratio(statistics.median(ratios), ratios[cut], ratios[-1 - cut], statistics.median(other))


# What a function does


@dataclass(frozen=True)
class Operation:
    """One operation of PyTorch: its arithmetic in FLOP, the bytes that it reads and writes."""

    kind: str
    flop: int
    moved: int
    seconds: float = 0.0

    @property
    def intensity(self) -> float:
        """FLOP per byte."""
        return self.flop / self.moved

    def __add__(self, other):
        return replace(
            self,
            flop=self.flop + other.flop,
            moved=self.moved + other.moved,
            seconds=self.seconds + other.seconds,
        )


class _Listed(TorchDispatchMode):
    """Lists what is computed within it, and how long each operation takes."""

    def __init__(self, device):
        super().__init__()
        self.device, self.found = device, []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        synchronize(self.device)
        start = time.perf_counter()
        result = function(*args, **kwargs)
        synchronize(self.device)
        took = time.perf_counter() - start
        if moved := _bytes_moved(function, args, kwargs, result):
            kind = kind_of(function._schema.name)
            flop = _flop(function, args, kwargs, result)
            self.found.append(Operation(kind, flop, moved, took))
        return result


def _tensors(values):
    return [value for value in tree_leaves(values) if isinstance(value, torch.Tensor)]


def _bytes_moved(function, args, kwargs, result):
    """Bytes of all operands and results; 0 for what only looks at a tensor in another way."""
    if function.is_view or "view" in function._schema.name or "empty" in function._schema.name:
        return 0
    return sum(tensor.nbytes for tensor in _tensors((args, kwargs, result)))


def _flop(function, args, kwargs, result):
    """PyTorch's own count where it has one, else one for each number of the result."""
    if count := flop_registry.get(function._overloadpacket):
        return count(*args, **kwargs, out_val=result)
    if "scaled_dot_product" in function._schema.name:  # on a CPU, PyTorch does not count it
        query, key, value = args[:3]
        return 2 * query.shape[:-1].numel() * key.shape[-2] * (query.shape[-1] + value.shape[-1])
    if kind_of(function._schema.name) == "copies":
        return 0
    return max(tensor.numel() for tensor in _tensors(result))


def operations(run, device, repeats=1) -> list[Operation]:
    """What ``run`` computes, in order; each operation with its shortest time of ``repeats`` runs.

    Its FLOP are PyTorch's count (a multiplication and an addition are two). Where PyTorch counts
    none, as for sums, each number of the result counts as one, and copies as none.
    """
    runs = []
    for _ in range(repeats):
        with torch.no_grad(), _Listed(device) as listed:
            run()
        runs.append(listed.found)
    return [
        replace(same[0], seconds=min(operation.seconds for operation in same))
        for same in zip(*runs, strict=True)
    ]


def by_kind(found) -> dict[str, Operation]:
    """The sums of operations of one kind, those that took longest first."""
    sums = {}
    for operation in found:
        kind = operation.kind
        sums[kind] = sums[kind] + operation if kind in sums else operation
    return dict(sorted(sums.items(), key=lambda item: -item[1].seconds))


def total(found) -> Operation:
    """The sum of operations, as one operation of no kind."""
    first, *others = (replace(operation, kind="") for operation in found)
    return sum(others, first)


def shares_of_time(run, device) -> dict[str, float]:
    """Which share of the time of ``run`` each kind of operation takes, by PyTorch's profiler.

    On a GPU it is the GPU's time. The largest share comes first; all add up to 1.
    """
    run()
    activities = [ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with torch.no_grad(), _silent(), profile(activities=activities) as profiler:
        run()
        synchronize(device)
    times = Counter()
    for event in profiler.key_averages():
        own = event.self_cpu_time_total if device.type == "cpu" else event.self_device_time_total
        if event.key.startswith("aten::"):
            times[kind_of(event.key)] += own
    whole = sum(times.values())
    return {kind: own / whole for kind, own in times.most_common()}


@contextmanager
def _silent():
    """Drop what the profiler's library writes past Python: two lines of its own at each use."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


# The machine


@dataclass(frozen=True)
class Machine:
    """The two limits of a device: ``rate`` in FLOP/s, ``bandwidth`` in bytes/s.

    ``cache`` is the bandwidth for data of a feature map's size, which may fit into a cache.
    """

    rate: float
    bandwidth: float
    cache: float

    @property
    def ridge(self) -> float:
        """FLOP per byte above which arithmetic takes longer than moving the data."""
        return self.rate / self.bandwidth


def matrix_rate(device, dtype=torch.float32, side=None, rounds=20) -> float:
    """FLOP/s in the product of two matrices ``side`` × ``side``: the best of ``rounds``.

    Without a ``side``, they are as large as the device needs to be busy.
    """
    side = side or (1024 if device.type == "cpu" else 8192)
    a, b = torch.randn(2, side, side, device=device).to(dtype)
    torch.mm(a, b)
    return 2 * side**3 / min(seconds(lambda: torch.mm(a, b), device) for _ in range(rounds))


def copy_rate(device, nbytes, rounds=10) -> float:
    """Bytes/s, read and written, in a copy of ``nbytes`` bytes: the best of ``rounds``."""
    source = torch.ones(nbytes // 4, device=device)  # zeros need no memory before they are written
    target = torch.ones_like(source)
    calls = max(1, 2**22 // nbytes)
    took = [seconds(lambda: target.copy_(source), device, calls) for _ in range(rounds)]
    return 2 * nbytes / min(took)
