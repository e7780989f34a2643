"""Training in a process of its own, which neither a browser nor a kernel takes down with it.

`detach` starts it, or goes on with it, on all GPUs; `watch` follows it from anywhere; `stop` lets
it save and end. A run's folder then holds, besides what `train` writes, ``job.json`` (what is
trained), ``process.json`` (who trains it) and ``output.txt`` (what that process said).
"""

import json
import logging
import os
import platform
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from accelerate import notebook_launcher
from accelerate.state import AcceleratorState
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from glanet import networks
from glanet.data.catalog import DataError
from glanet.data.images import ImageError
from glanet.device import gpu_count
from glanet.errors import GlanetError
from glanet.files import write_text
from glanet.training.checkpoint import TrainError, checkpoints
from glanet.training.log import read_log
from glanet.training.loop import NotFiniteError, train
from glanet.training.recipe import Recipe
from glanet.weights import WeightsError

NEW, RUNNING, STOPPED, DIED = "new", "running", "stopped", "died"
FAILED, FINISHED = "failed", "finished"

JOB, PROCESS, OUTPUT, LOG = "job.json", "process.json", "output.txt", "log.jsonl"
WEIGHTS = Path("weights", "model.safetensors")

WINDOW = 20  # entries of the log that tell the pace

# a bar that is drawn ten times a second fills a disk in the weeks that a training may take
QUIET = {"TQDM_MININTERVAL": "60", "TQDM_MAXINTERVAL": "60", "PYTHONUNBUFFERED": "1"}
_started = []  # kept, as Python warns of a process that runs on without its handle

KNOWN = (TrainError, NotFiniteError, DataError, ImageError, WeightsError)  # their text says it all


class LaunchError(GlanetError, RuntimeError):
    """A run that cannot be started, stopped or followed; the message says what mends it."""


@dataclass(frozen=True)
class Status:
    """How far a run is.

    state: ``new``; ``running``; ``stopped``, when asked to; ``died`` without a word, as by kill -9
    or a power failure; ``failed``, with an error in output.txt; ``finished``. step: of the last
    line of its log. saved: of its last checkpoint, from which it would go on. steps: of its recipe,
    0 if unknown. seconds_left: see `seconds_left`. pid: of the process that trains, if one does.
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


# Starting


def launch(network, recipe, folder, *, init=None, device=None, processes=None):
    """`train` on all GPUs of this machine, one process each; returns when they have ended.

    network, recipe, folder, init, device: as `train` takes them. processes: how many share a batch;
    without it one for each GPU, and one where there is none.

    Raises:
        Whatever `train` raises, if there is one process.
        ChildFailedError: of torch.distributed, if there are several and one failed.
    """
    processes = processes or gpu_count(device) or 1
    if processes > 1 and not gpu_count(device):
        device = "cpu"  # accelerate joins processes on a processor only if told that it is one
    AcceleratorState._reset_state(reset_partial_state=True)  # of a training before, in this process
    notebook_launcher(
        _train, (network, recipe, folder, init, device), processes, use_port=_free_port()
    )


def _train(network, recipe, folder, init, device):
    try:
        train(network, recipe, folder, init=init, device=device)
    except KNOWN as error:
        if int(os.environ.get("WORLD_SIZE", 1)) == 1:
            raise
        sys.exit(f"glanet: {error}")  # one of several processes would show a traceback
    except (KeyboardInterrupt, SignalException):
        print("stopped before the first step", file=sys.stderr)


def detach(network, recipe, folder, *, init=None, device=None, processes=None) -> Status:
    """`launch` in a process of its own, in a session of its own: it outlives who started it.

    Where an earlier process stopped or died, the new one goes on from the last checkpoint. Its
    errors are written to output.txt, and `watch` raises them.

    Raises:
        LaunchError: a process is training into this folder already.
    """
    folder = Path(folder).resolve()
    if (found := status(folder)).state == RUNNING:
        raise LaunchError(
            f"{folder}: process {found.pid} is training there. Two would spoil each other's "
            "files: watch that one, stop it first, or choose another folder."
        )
    folder.mkdir(parents=True, exist_ok=True)
    job = _job(network, recipe, init, device, processes)
    write_text(folder / JOB, json.dumps(job, indent=1))
    command = [sys.executable, "-m", "glanet.training.launch", str(folder)]
    # accelerate would look for a GPU for each process, also where they are to leave GPUs alone
    hidden = {"CUDA_VISIBLE_DEVICES": ""} if device == "cpu" else {}
    _sign(folder, start_process(command, folder / OUTPUT, **QUIET, **hidden))
    return status(folder)


def ensure(network, recipe, folder, **options) -> Status:
    """`detach`, unless this very training is running or finished already.

    So a notebook that is run again, after its kernel was restarted, goes on watching.

    Raises:
        LaunchError: a process is training something else into this folder.
    """
    folder = Path(folder).resolve()
    found, same = status(folder), _read(folder / JOB) == _job(network, recipe, **options)
    if same and found.state in (RUNNING, FINISHED):
        return found
    return detach(network, recipe, folder, **options)


def start_process(command, output, **environment) -> int:
    """Start a program that outlives this one. Returns its number, the pid, at once.

    What it says, errors too, is added to the file ``output``; it has nothing to read from.
    ``environment``: variables for it, besides this process's own.
    """
    apart = {"start_new_session": True}  # signals to our session, a terminal's end too, pass it by
    if os.name == "nt":
        apart = {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    with Path(output).open("ab") as file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            **apart,
        )
    _started.append(process)
    return process.pid


# Following


def status(folder) -> Status:
    """How far a run is, from its folder."""
    folder = Path(folder)
    entries, saved = read_log(folder / LOG), checkpoints(folder / "checkpoints")
    job, process = _read(folder / JOB), _read(folder / PROCESS)
    steps = job.get("recipe", {}).get("steps", 0)
    saved = int(saved[-1].stem.partition("-")[2]) if saved else 0
    alive = _alive(folder, process)
    return Status(
        state=RUNNING if alive else _state_at_rest(folder, process, saved),
        step=max(saved, entries[-1]["step"] if entries else 0),
        saved=saved,
        steps=steps,
        seconds_left=seconds_left(entries, steps),
        pid=process["pid"] if alive else None,
    )


def _state_at_rest(folder, process, saved):
    if process:
        return process.get("ended", DIED)
    if (folder / WEIGHTS).is_file():  # of `glanet train`, which leaves no process.json
        return FINISHED
    return STOPPED if saved else NEW


def seconds_left(entries, steps) -> float | None:
    """Seconds of training from the last entry of a log to ``steps``, at the pace of late.

    The pace is that of the last `WINDOW` entries, and never that of the first, in which caches
    fill and kernels are chosen. None before there are two entries.
    """
    if len(entries) < 2:
        return None
    first, last = entries[-WINDOW - 1 :][0], entries[-1]
    pace = (last["seconds"] - first["seconds"]) / (last["step"] - first["step"])
    return pace * (steps - last["step"])


def watch(folder, show=lambda entry: None, every=2.0) -> Status:
    """Follow a run until its process ends: ``show`` gets each entry of its log, once.

    How many hours are left is printed as soon as it can be told, after 100 steps, and then twenty
    times in all. A KeyboardInterrupt, such as Jupyter's stop button, ends the watching and not the
    run. ``every``: seconds between two looks.

    Raises:
        LaunchError: the process ended with an error; the message holds the end of its output.
    """
    folder, shown, next_time = Path(folder), 0, 0
    try:
        while True:
            found = status(folder)  # before the log, so that an ended run's last line is not missed
            for entry in read_log(folder / LOG):
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


def last_words(folder, lines=6) -> str:
    """The end of what a run's process said."""
    path = Path(folder) / OUTPUT
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    # a bar goes back to the start of its line to draw itself again
    said = [line.rsplit("\r", 1)[-1].rstrip() for line in text.rstrip().split("\n")]
    return "\n".join(said[-lines:])


def stop(folder, patience=120.0) -> Status:
    """Ask a run's process to save and end, and wait until it has.

    Raises:
        LaunchError: it has not after ``patience`` seconds.
    """
    found = status(folder)
    if found.state != RUNNING:
        return found
    try:
        with suppress(psutil.NoSuchProcess):  # it may end meanwhile
            process = psutil.Process(found.pid)
            # where several train, the first waits for them, and would kill them if it were asked
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


def duration(seconds) -> str:
    """A time in a unit that suits it: ``90 s``, ``12 minutes``, ``31.5 hours``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 3600 else f"{seconds / 3600:.1f} hours"


# The files of a run


def _job(network, recipe, init=None, device=None, processes=None):
    settings = {"config": networks.to_dict(network), "recipe": recipe.to_dict()}
    options = {"init": init and str(init), "device": device, "processes": processes}
    return json.loads(json.dumps({**settings, **options}))  # with lists for tuples, as when read


def _read(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _sign(folder, pid, ended=None):
    """Write down which process trains here, or how it ended."""
    try:
        created = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:  # it ended at once
        created = None
    found = {"pid": pid, "created": created, "machine": platform.node()}
    write_text(folder / PROCESS, json.dumps(found | ({"ended": ended} if ended else {})))


def _alive(folder, process):
    """Whether the process that signed is still at work.

    Raises:
        LaunchError: that cannot be known here, as it works on another machine.
    """
    if not process or "ended" in process:
        return False
    if process["machine"] != platform.node():
        raise LaunchError(
            f"{folder}: is trained on the machine {process['machine']!r}, and this is "
            f"{platform.node()!r}. Look there; if nothing runs there any more, delete "
            f"{folder / PROCESS}."
        )
    try:
        found = psutil.Process(process["pid"])
        # numbers are given again after a while, and who has died may linger as a zombie
        return found.create_time() == process["created"] and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _free_port():
    """A port that nobody uses, so that several runs of several processes fit on one machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def main(folder):
    """Train what ``job.json`` in ``folder`` says, and write down how that ended."""
    folder = Path(folder)
    job = _read(folder / JOB)
    recipe = Recipe.from_dict(job["recipe"])
    options = {name: job[name] for name in ("init", "device", "processes")}
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # tells it at length
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # until `train` handles it
    ended = FAILED
    try:
        launch(networks.from_dict(job["config"]), recipe, folder, **options)
        done = status(folder).saved == recipe.steps and (folder / WEIGHTS).is_file()
        ended = FINISHED if done else STOPPED
    except KNOWN as error:
        sys.exit(f"glanet: {error}")
    except ChildFailedError as error:
        codes = {failure.local_rank: failure.exitcode for failure in error.failures.values()}
        sys.exit(
            f"glanet: by process, the exit codes {codes}; what the processes said stands above"
        )
    except (KeyboardInterrupt, SignalException):
        ended = STOPPED
    finally:
        _sign(folder, os.getpid(), ended)


if __name__ == "__main__":
    main(sys.argv[1])
