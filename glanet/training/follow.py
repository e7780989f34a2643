"""Following a run from anywhere: how far it is, how long it still takes, and how to stop it.

All of it is read from the run's folder, so it works from another process, and after a restart.
"""

import platform
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from glanet.training import checkpoint
from glanet.training.errors import LaunchError
from glanet.training.folder import RunFolder, read_json
from glanet.training.log import read_log

NEW, RUNNING, STOPPED, DIED = "new", "running", "stopped", "died"
FAILED, FINISHED = "failed", "finished"

WINDOW = 20  # intervals of the log that determine the pace


@dataclass(frozen=True)
class Status:
    """How far a run is.

    ``state`` is ``new``; ``running``; ``stopped`` on request; ``died`` without a message, for
    example by kill -9 or a power failure; ``failed`` with an error, which is in output.txt; or
    ``finished``. ``step`` is that of the last log entry, ``saved`` that of the last checkpoint,
    from which the run would resume, ``steps`` the recipe's, 0 if unknown. ``seconds_left``: see
    `seconds_left`. ``pid`` is the process that trains, if there is one.
    """

    state: str
    step: int
    saved: int
    steps: int
    seconds_left: float | None
    pid: int | None

    def __str__(self):
        text = f"{self.state}: step {self.step:,} of {self.steps:,}"
        if self.state == RUNNING and self.seconds_left is not None:
            return f"{text}, {duration(self.seconds_left)} left"
        return f"{text}, checkpoint at {self.saved:,}"


def status(folder: str | Path) -> Status:
    """How far a run is, from its folder.

    Raises:
        LaunchError: it trains on another machine.
    """
    files = RunFolder(folder)
    entries, saved, process = read_log(files.log), files.saved_step(), read_json(files.process)
    steps = _steps(files)
    alive = _alive(files, process)
    return Status(
        state=RUNNING if alive else _state_at_rest(files, process, saved, steps),
        step=max(saved, entries[-1]["step"] if entries else 0),
        saved=saved,
        steps=steps,
        seconds_left=seconds_left(entries, steps),
        pid=process["pid"] if alive else None,
    )


def _steps(files):
    """The recipe's number of steps; 0 before the first checkpoint of a run without job.json."""
    if recipe := read_json(files.job).get("recipe"):
        return recipe["steps"]
    saved = files.saved()  # `glanet train` leaves no job.json
    return checkpoint.read(saved[-1])["about"]["recipe"]["steps"] if saved else 0


def _state_at_rest(files, process, saved, steps):
    if process:
        return process.get("ended", DIED)
    if not saved:
        return NEW
    return FINISHED if saved == steps else STOPPED


def _alive(files, process):
    """Whether the process in process.json still trains.

    Raises:
        LaunchError: nobody can know that here, because it runs on another machine.
    """
    if not process or "ended" in process:
        return False
    if process["machine"] != platform.node():
        raise LaunchError(
            f"{files.path}: trains on the machine {process['machine']!r}, and this is "
            f"{platform.node()!r}. Look there; if nothing runs there any more, delete "
            f"{files.process}."
        )
    try:
        found = psutil.Process(process["pid"])
        # the system reuses process numbers, and a dead process may linger as a zombie
        return found.create_time() == process["created"] and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def seconds_left(entries: list[dict], steps: int) -> float | None:
    """Seconds of training from the last log entry to ``steps``, at the recent pace.

    The pace is that of the last `WINDOW` intervals between entries. It leaves out the steps before
    the first entry, in which caches fill and kernels are chosen. None with fewer than two entries.
    """
    if len(entries) < 2:
        return None
    first, last = entries[-WINDOW - 1 :][0], entries[-1]
    pace = (last["seconds"] - first["seconds"]) / (last["step"] - first["step"])
    return pace * (steps - last["step"])


def watch(
    folder: str | Path, show: Callable[[dict], None] = lambda entry: None, every: float = 2.0
) -> Status:
    """Follow a run until its process ends.

    Prints the remaining time as soon as it is known, after 100 steps, and then twenty times in all.
    A KeyboardInterrupt, such as Jupyter's stop button, ends the watching; the run goes on.

    Args:
        show: gets each entry of the log, once.
        every: seconds between two looks.

    Raises:
        LaunchError: the process ended with an error; the message holds the end of its output.
    """
    log, shown, next_time = RunFolder(folder).log, 0, 0
    try:
        while True:
            found = status(folder)  # before the log, so that the last entry is not missed
            for entry in read_log(log):
                if entry["step"] > shown:
                    show(entry)
                    shown = entry["step"]
            if found.state != RUNNING:
                break
            if found.seconds_left is not None and found.step >= next_time:
                print(found)
                next_time = found.step + found.steps / 20
            time.sleep(every)
    except KeyboardInterrupt:
        print(f"no longer watched; the run goes on as process {found.pid}")
        return found
    if found.state == FAILED:
        raise LaunchError(f"{folder}: training ended with an error.\n{last_words(folder)}")
    print(found)
    return found


def last_words(folder: str | Path, lines: int = 6) -> str:
    """The last lines of what a run's process printed."""
    path = RunFolder(folder).output
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    # a progress bar returns to the start of its line to redraw itself
    printed = [line.rsplit("\r", 1)[-1].rstrip() for line in text.rstrip().split("\n")]
    return "\n".join(printed[-lines:])


def stop(folder: str | Path, patience: float = 120.0) -> Status:
    """Ask a run's process to save and end, and wait until it has ended.

    Raises:
        LaunchError: it has not ended after ``patience`` seconds.
    """
    found = status(folder)
    if found.state != RUNNING:
        return found
    try:
        with suppress(psutil.NoSuchProcess):  # it may end meanwhile
            process = psutil.Process(found.pid)
            # where several train, the first waits for them; if asked itself, it would kill them
            for asked in process.children() or [process]:
                with suppress(psutil.NoSuchProcess):
                    asked.terminate()
            process.wait(patience)
    except psutil.TimeoutExpired as error:
        raise LaunchError(
            f"{folder}: process {found.pid} is still busy after {patience:.0f} s, perhaps "
            "with the validation images. It stops after that: wait, and look at its status."
        ) from error
    return status(folder)


def duration(seconds: float) -> str:
    """A time in a suitable unit: ``90 s``, ``12 minutes``, ``31.5 hours``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 3600 else f"{seconds / 3600:.1f} hours"
