"""Notebook 12: room for images, shares of a batch, a process of its own, seconds left."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from glanet.course.kit.checks import Exercise
from glanet.training import launch, room

# Room for decoded images


def _draw_sizes(rng):
    cases = []
    for scale in (2, 3, 4):
        sizes = [tuple(int(side) for side in rng.integers(20, 90, 2)) for _ in range(3)]
        # one that the scale divides nowhere, one that it divides in one direction
        sizes += [(6 * scale + 1, 9 * scale + scale - 1), (5 * scale, 8 * scale + 1)]
        cases.append((sizes, scale))
    return cases


def _bytes_of(pixels):
    """A count from pixels(height, width, scale) of one image, three bytes each."""
    return lambda sizes, scale: 3 * sum(pixels(h, w, scale) for h, w in sizes)


def _lr(height, width, scale):
    return (height // scale) * (width // scale)


decoded_bytes = Exercise(
    "full_training",
    "decoded_bytes",
    room.decoded_bytes,
    _draw_sizes,
    {
        "the LR images are missing: each LR pixel comes on top of its HR pixels": _bytes_of(
            lambda h, w, s: _lr(h, w, s) * s**2
        ),
        "that is the LR images alone: each LR pixel has scale² HR pixels beside it": _bytes_of(_lr),
        "a pixel takes three bytes, one for each colour": (
            lambda sizes, scale: room.decoded_bytes(sizes, scale) // 3
        ),
        "scale times as many rows and as many columns make scale² times the pixels": _bytes_of(
            lambda h, w, s: _lr(h, w, s) * (1 + s)
        ),
        "the rows and columns that the scale does not divide are cut off first: use //": _bytes_of(
            lambda h, w, s: h * w + _lr(h, w, s)
        ),
        "the images are cropped: // rounds down, and you round up": _bytes_of(
            lambda h, w, s: -(-h // s) * -(-w // s) * (1 + s**2)
        ),
        "crop height and width each by itself: not the product of both": _bytes_of(
            lambda h, w, s: h * w // s**2 * (1 + s**2)
        ),
        "these are bytes of float32: here a colour takes one byte, as in the file": (
            lambda sizes, scale: 4 * room.decoded_bytes(sizes, scale)
        ),
        "sum over all images: that is the last one": (
            lambda sizes, scale: room.decoded_bytes(sizes[-1:], scale)
        ),
    },
)


# Shares of a batch


def consecutive(batch, rank, world):
    """The numbers of the patches that process ``rank`` of ``world`` takes, as `PatchStore.plan`.

    ``batch`` is a multiple of ``world``; ranks count from 0. A list of batch / world ints.
    """
    each = batch // world
    return list(range(rank * each, (rank + 1) * each))


def _draw_shares(rng):
    # never as many patches in a share as there are processes: the two could be confused
    cases = [(world * (world + int(rng.integers(1, 4))), world) for world in (2, 3, 4)]
    return [(batch, rank, world) for batch, world in cases for rank in range(world)]


share = Exercise(
    "full_training",
    "share",
    consecutive,
    _draw_shares,
    {
        "you deal them out like cards: the shares are consecutive, 0 1 2 3 | 4 5 6 7": (
            lambda batch, rank, world: list(range(rank, batch, world))
        ),
        "ranks count from 0: the first share starts with patch 0": (
            lambda batch, rank, world: [i - batch // world for i in consecutive(batch, rank, world)]
        ),
        "every process takes the whole batch: each should have its own part": (
            lambda batch, rank, world: list(range(batch))
        ),
        "every process takes the same part, the first: start where the rank before ended": (
            lambda batch, rank, world: consecutive(batch, 0, world)
        ),
        "the shares run from the end: rank 0 takes the first patches": (
            lambda batch, rank, world: consecutive(batch, world - 1 - rank, world)
        ),
        "each share has one patch too many: range leaves out its end already": (
            lambda batch, rank, world: [
                *consecutive(batch, rank, world),
                (rank + 1) * (batch // world),
            ]
        ),
        "each share has one patch too few: range leaves out its end already": (
            lambda batch, rank, world: consecutive(batch, rank, world)[:-1]
        ),
        "a share has batch / world patches, not world": (
            lambda batch, rank, world: list(range(rank * world, (rank + 1) * world))
        ),
    },
)


# A process of its own

# what the checker starts: it speaks, waits to be told that its starter has returned, and reports
_CHILD = """
import json, os, pathlib, sys, time
told, report = map(pathlib.Path, sys.argv[1:])
print("a word", flush=True)
print("an error", file=sys.stderr, flush=True)
for _ in range(50):
    if told.exists():
        break
    time.sleep(0.02)
own = not hasattr(os, "getsid") or os.getsid(0) == os.getpid()
facts = {"pids": [os.getpid(), os.getppid()], "own": own, "told": told.exists()}
report.with_suffix(".part").write_text(json.dumps(facts))
report.with_suffix(".part").rename(report)
"""
PATIENCE = 20.0  # seconds


def run_start(candidate, earlier):
    """Let ``candidate`` start a process that finds out how it was started: six facts, 0 or 1.

    Its pid was returned; it has a session of its own; it was not waited for; what it printed, what
    it printed as an error, and ``earlier``, which was in the file before, are in the file. None if
    nothing was started.
    """
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        output, told, report = (Path(folder, name) for name in ("output", "told", "report"))
        output.write_text(earlier)
        command = [sys.executable, "-S", "-c", _CHILD, str(told), str(report)]
        pid = candidate(command, output)
        if pid is None or pid is ...:
            return None
        told.touch()
        started = time.monotonic()
        while not report.exists():
            if time.monotonic() - started > PATIENCE:
                raise TimeoutError("the command was not started")
            time.sleep(0.01)
        facts = json.loads(report.read_text())
        text = output.read_text()
    of_child = pid in facts["pids"] and pid != os.getpid()
    return [
        int(fact)
        for fact in (
            of_child,
            facts["own"],
            facts["told"],
            "a word" in text,
            "an error" in text,
            earlier in text,
        )
    ]


def start_mistaken(*, mode="ab", own_session=True, wait=False, answer="pid", **streams):
    """A start that is wrong in one of these respects; ``streams`` replace stdout and stderr."""

    def mistaken(command, output):
        with Path(output).open(mode) as file:
            options = {"stdout": file, "stderr": subprocess.STDOUT} | streams
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, start_new_session=own_session, **options
            )
        if wait:
            process.wait()
        return process.pid if answer == "pid" else process

    return mistaken


start = Exercise(
    "full_training",
    "start",
    launch.start_process,
    lambda rng: [(f"what an earlier process said, {rng.integers(1000)}\n",)],
    {
        "it is in the kernel's own session, and is ended with it: start_new_session=True": (
            start_mistaken(own_session=False)
        ),
        "it waits for the end of the process: Popen returns at once, run and wait do not": (
            start_mistaken(wait=True)
        ),
        "its errors are not in the file: stderr=subprocess.STDOUT sends them where stdout goes": (
            start_mistaken(stderr=subprocess.DEVNULL)
        ),
        "its output is not in the file: stdout=file": (
            start_mistaken(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ),
        "what an earlier process said is wiped out: open the file to append, 'ab'": (
            start_mistaken(mode="wb")
        ),
        "it returns the process: return its number, process.pid": start_mistaken(answer="process"),
    },
    run=run_start,
)


# Seconds left

LATE = 20  # intervals between entries


def _draw_logs(rng):
    """Logs of runs whose pace changes: a slow start, a hurdle later, and a resumed one's."""
    cases = []
    for count in (2, 9, 45):
        every = int(rng.choice([25, 50]))
        pace = rng.uniform(0.1, 0.5, count)
        pace[0] *= 6
        seconds = (every * pace).cumsum()
        entries = [
            {"step": (i + 1) * every, "seconds": round(float(s), 3)} for i, s in enumerate(seconds)
        ]
        cases.append((entries, entries[-1]["step"] + int(rng.integers(500, 900))))
    return cases


def _left(pace, what=lambda entries, steps: steps - entries[-1]["step"], unit=1.0):
    return lambda entries, steps: pace(entries) * what(entries, steps) / unit


def _between(entries, first):
    last = entries[-1]
    return (last["seconds"] - first["seconds"]) / (last["step"] - first["step"])


def _late(entries):
    return _between(entries, entries[-LATE - 1 :][0])


def _nothing():
    return {"seconds": 0.0, "step": 0}


seconds_left = Exercise(
    "full_training",
    "seconds_left",
    launch.seconds_left,
    _draw_logs,
    {
        "the first entry's own steps are in it, and they are slow: divide differences of entries": (
            _left(lambda entries: _between(entries, _nothing()))
        ),
        "it is the pace since the first entry: take that of late, entries[-21:]": (
            _left(lambda entries: _between(entries, entries[0]))
        ),
        "it is the pace of the last entry alone, which jumps: take the last 21 entries": (
            _left(lambda entries: _between(entries, entries[-2]))
        ),
        "20 entries have 19 gaps between them: take 21": (
            _left(lambda entries: _between(entries, entries[-LATE:][0]))
        ),
        "that is the time for all steps: some are done, so only steps - last step are left": (
            _left(_late, lambda entries, steps: steps)
        ),
        "that is the time for the steps that are done: steps - last step are left": (
            _left(_late, lambda entries, steps: entries[-1]["step"])
        ),
        "the pace is upside down: seconds a step, not steps a second": (
            _left(lambda entries: 1 / _late(entries))
        ),
        "these are hours, and seconds were asked for": _left(_late, unit=3600),
        "these are minutes, and seconds were asked for": _left(_late, unit=60),
        "an entry comes every so many steps: divide by steps, not by the number of entries": (
            _left(
                lambda entries: (
                    (entries[-1]["seconds"] - entries[-LATE - 1 :][0]["seconds"])
                    / (len(entries[-LATE - 1 :]) - 1)
                )
            )
        ),
    },
)
