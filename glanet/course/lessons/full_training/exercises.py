"""The exercises of notebook 12: decoded bytes, shares of a batch, a detached process, time left."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from glanet.config import SCALES
from glanet.course.kit.checks import AnswerError, Exercise, returns_int
from glanet.data import patches
from glanet.training import follow, launch

# Bytes of decoded images


def _draw_sizes(rng):
    cases = []
    for scale in SCALES:
        sizes = [tuple(int(side) for side in rng.integers(20, 90, 2)) for _ in range(3)]
        # the scale divides neither side of the first of these, and only one side of the second
        sizes += [(6 * scale + 1, 9 * scale + scale - 1), (5 * scale, 8 * scale + 1)]
        cases.append((sizes, scale))
    return cases


def _bytes_of(pixels):
    """A byte count from ``pixels(height, width, scale)`` of one image."""
    return lambda sizes, scale: 3 * sum(pixels(h, w, scale) for h, w in sizes)


def _lr(height, width, scale):
    return (height // scale) * (width // scale)


decoded_bytes = Exercise(
    "full_training",
    "decoded_bytes",
    patches.decoded_bytes,
    _draw_sizes,
    {
        "the LR images are missing: add the LR pixels to the HR pixels": _bytes_of(
            lambda h, w, s: _lr(h, w, s) * s**2
        ),
        "these are the LR images alone: each LR pixel comes with scale² HR pixels": _bytes_of(_lr),
        "a pixel takes three bytes, one per colour": (
            lambda sizes, scale: patches.decoded_bytes(sizes, scale) // 3
        ),
        "scale times the rows and scale times the columns are scale² times the pixels": _bytes_of(
            lambda h, w, s: _lr(h, w, s) * (1 + s)
        ),
        "the images are cropped to multiples of the scale first: use //": _bytes_of(
            lambda h, w, s: h * w + _lr(h, w, s)
        ),
        "you round up, but the images are cropped: // rounds down": _bytes_of(
            lambda h, w, s: -(-h // s) * -(-w // s) * (1 + s**2)
        ),
        "you divide with /, so no image is cropped: // rounds down": (
            lambda sizes, scale: 3 * sum(h * w for h, w in sizes) * (1 + 1 / scale**2)
        ),
        "the LR images count twice: each LR pixel comes with scale² HR pixels": _bytes_of(
            lambda h, w, s: _lr(h, w, s) * (2 + s**2)
        ),
        "you crop the product of height and width: crop each of them by itself": _bytes_of(
            lambda h, w, s: h * w // s**2 * (1 + s**2)
        ),
        "these are the bytes of float32: here a colour takes one byte, as in the file": (
            lambda sizes, scale: 4 * patches.decoded_bytes(sizes, scale)
        ),
        "this is the last image alone: sum over all images": (
            lambda sizes, scale: patches.decoded_bytes(sizes[-1:], scale)
        ),
        "these are the bytes of each image: add them up": lambda sizes, scale: [
            3 * _lr(*size, scale) * (1 + scale**2) for size in sizes
        ],
    },
    also=returns_int,
)


# Shares of a batch


def consecutive(batch, rank, world):
    """The batch / world numbers of the patches that process ``rank`` of ``world`` takes.

    The same as in `PatchStore.plan`. ``batch`` is a multiple of ``world``; ranks count from 0.
    """
    each = batch // world
    return list(range(rank * each, (rank + 1) * each))


def _draw_shares(rng):
    # the size of a share never equals the number of processes, so that no mistake hides
    cases = [(world * (world + int(rng.integers(1, 4))), world) for world in (2, 3, 4)]
    return [(batch, rank, world) for batch, world in cases for rank in range(world)]


share = Exercise(
    "full_training",
    "share",
    consecutive,
    _draw_shares,
    {
        "you deal the patches out in turn: the shares are consecutive, 0 1 2 3 | 4 5 6 7": (
            lambda batch, rank, world: list(range(rank, batch, world))
        ),
        "ranks count from 0: the first share starts with patch 0": (
            lambda batch, rank, world: [i - batch // world for i in consecutive(batch, rank, world)]
        ),
        "patches count from 0: the first share starts with patch 0": (
            lambda batch, rank, world: [i + 1 for i in consecutive(batch, rank, world)]
        ),
        "these are the start and the end: return the numbers of all patches between them": (
            lambda batch, rank, world: (rank * (batch // world), (rank + 1) * (batch // world))
        ),
        "these are the first and the last patch: return the numbers of all patches": (
            lambda batch, rank, world: consecutive(batch, rank, world)[:: batch // world - 1]
        ),
        "this is the number of patches: return their numbers": (
            lambda batch, rank, world: batch // world
        ),
        "every process takes the whole batch: each should have its own part": (
            lambda batch, rank, world: list(range(batch))
        ),
        "every process takes the first part: start where the previous rank ended": (
            lambda batch, rank, world: consecutive(batch, 0, world)
        ),
        "the order of the shares is reversed: rank 0 takes the first patches": (
            lambda batch, rank, world: consecutive(batch, world - 1 - rank, world)
        ),
        "each share has one patch too many: range already leaves out its end": (
            lambda batch, rank, world: [
                *consecutive(batch, rank, world),
                (rank + 1) * (batch // world),
            ]
        ),
        "each share has one patch too few: range already leaves out its end": (
            lambda batch, rank, world: consecutive(batch, rank, world)[:-1]
        ),
        "a share has batch / world patches, not world": (
            lambda batch, rank, world: list(range(rank * world, (rank + 1) * world))
        ),
        "batch / world is a float, which range does not take: use //": (
            lambda batch, rank, world: range(batch / world)
        ),
    },
)


# A detached process

# the program that the check starts: it prints, waits until its starter has returned, and reports
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

    Its pid was returned; it has its own session; ``candidate`` did not wait for it; the file has
    its output, its errors, and still ``earlier``, which it held before. None if nothing was
    started.

    Raises:
        AnswerError: a process was started, but nothing is returned; or a value was returned, but
            the process did not report within ``PATIENCE``.
    """
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        output, told, report = (Path(folder, name) for name in ("output", "told", "report"))
        output.write_text(earlier)
        command = [sys.executable, "-S", "-c", _CHILD, str(told), str(report)]
        before = set(psutil.Process().children())
        pid = candidate(command, output)
        told.touch()
        if pid is None or pid is ...:
            if report.exists() or set(psutil.Process().children()) - before:
                raise AnswerError("you start the process, but return nothing: return process.pid")
            return None
        started = time.monotonic()
        while not report.exists():
            if time.monotonic() - started > PATIENCE:
                raise AnswerError("a number is returned, but the command was not started")
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
    """A start with one of these mistakes; ``streams`` replace stdout and stderr."""

    def mistaken(command, output):
        with Path(output).open(mode) as file:
            options = {"stdout": file, "stderr": subprocess.STDOUT} | streams
            process = subprocess.Popen(command, start_new_session=own_session, **options)
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
        "it runs in the kernel's own session and ends with it: start_new_session=True": (
            start_mistaken(own_session=False)
        ),
        "you wait for the end of the process: Popen returns at once, run and wait do not": (
            start_mistaken(wait=True)
        ),
        "its errors are not in the file: stderr=subprocess.STDOUT sends them where stdout goes": (
            start_mistaken(stderr=subprocess.DEVNULL)
        ),
        "its output is not in the file: pass stdout=file": (
            start_mistaken(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ),
        "the output of an earlier process is overwritten: open the file with 'ab', to append": (
            start_mistaken(mode="wb")
        ),
        "you return the process: return its number, process.pid": start_mistaken(answer="process"),
        "run waits for the end of the process: use Popen, and return process.pid": (
            start_mistaken(own_session=False, wait=True, answer="process")
        ),
    },
    run=run_start,
)


# Seconds left


def _draw_logs(rng):
    """Logs of runs with a slow start and a varying pace, with 2, 9 and 45 entries."""
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
    return _between(entries, entries[-follow.WINDOW - 1 :][0])


def _nothing():
    return {"seconds": 0.0, "step": 0}


seconds_left = Exercise(
    "full_training",
    "seconds_left",
    follow.seconds_left,
    _draw_logs,
    {
        "this includes the slow steps of the first entry: divide differences between entries": (
            _left(lambda entries: _between(entries, _nothing()))
        ),
        "this is the pace since the first entry: take the recent pace, entries[-21:]": (
            _left(lambda entries: _between(entries, entries[0]))
        ),
        "this is the pace of the last entry alone, which varies: take the last 21 entries": (
            _left(lambda entries: _between(entries, entries[-2]))
        ),
        "20 entries have 19 gaps between them: take 21": (
            _left(lambda entries: _between(entries, entries[-follow.WINDOW :][0]))
        ),
        "this is the time for all steps: only steps - last step are left": (
            _left(_late, lambda entries, steps: steps)
        ),
        "this is the time for the steps already done: steps - last step are left": (
            _left(_late, lambda entries, steps: entries[-1]["step"])
        ),
        "the pace is inverted: take seconds per step, not steps per second": (
            _left(lambda entries: 1 / _late(entries))
        ),
        "this is the time from the start to the end: only steps - last step are left": (
            lambda entries, steps: entries[-1]["seconds"] + follow.seconds_left(entries, steps)
        ),
        "these are hours: return seconds": _left(_late, unit=3600),
        "these are minutes: return seconds": _left(_late, unit=60),
        "an entry covers many steps: divide by steps, not by the number of entries": (
            _left(
                lambda entries: (
                    (entries[-1]["seconds"] - entries[-follow.WINDOW - 1 :][0]["seconds"])
                    / (len(entries[-follow.WINDOW - 1 :]) - 1)
                )
            )
        ),
        "a young run has fewer entries than 21: entries[-21:][0] is the first of those there are": (
            lambda entries, steps: entries[-follow.WINDOW - 1]
        ),
    },
)
