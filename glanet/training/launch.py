"""Training in a process of its own, which outlives the browser and the kernel.

`detach` starts it on all GPUs, or resumes it; `glanet.training.follow` watches and stops it. The
process is this module: ``python -m glanet.training.launch FOLDER``.
"""

import json
import logging
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import torch.distributed
from accelerate import notebook_launcher
from accelerate.state import AcceleratorState
from accelerate.utils import patch_environment
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from glanet import networks
from glanet.config import ModelShape
from glanet.device import gpu_count
from glanet.errors import GlanetError
from glanet.files import write_text
from glanet.training.errors import LaunchError
from glanet.training.folder import RunFolder, read_json
from glanet.training.follow import FAILED, FINISHED, RUNNING, STOPPED, Status, status
from glanet.training.guards import STOP_SIGNALS, STOPPED_EXIT
from glanet.training.loop import PATIENCE, train
from glanet.training.recipe import Recipe
from glanet.weights.trained import with_config

# a progress bar that is drawn ten times a second fills a disk in a training of weeks
QUIET = {"TQDM_MININTERVAL": "60", "TQDM_MAXINTERVAL": "60", "PYTHONUNBUFFERED": "1"}
_started = []  # kept, because Python warns of a process that runs on without its handle


def launch(
    config: ModelShape,
    recipe: Recipe,
    folder: str | Path,
    *,
    init: str | Path | None = None,
    device: str | None = None,
    processes: int | None = None,
):
    """`train` on all GPUs of this machine, one process each; returns when all have ended.

    Args:
        config, recipe, folder, init, device: as of `train`.
        processes: how many share a batch. By default one for each GPU, or one without GPUs.

    Raises:
        Whatever `train` raises, if there is one process.
        ChildFailedError: of torch.distributed, if there are several and one failed.
    """
    processes = processes or gpu_count(device) or 1
    if processes > 1 and not gpu_count(device):
        device = "cpu"  # accelerate joins processes on a CPU only if it knows that it is one
    AcceleratorState._reset_state(reset_partial_state=True)  # of an earlier training here
    # the processes meet in files: torch's usual store listens on every address of this machine
    with TemporaryDirectory() as meeting, patch_environment(**_loopback()):
        notebook_launcher(
            _train,
            (config, recipe, folder, init, device, Path(meeting, "processes")),
            processes,
            rdzv_backend="c10d",
            rdzv_endpoint=str(Path(meeting, "launcher")),
            rdzv_conf={"store_type": "file"},
        )


def _loopback():
    """Variables that keep torch's connections within this machine."""
    interface = next(
        name
        for name, addresses in psutil.net_if_addrs().items()
        if any(address.address == "127.0.0.1" for address in addresses)
    )
    return {
        "gloo_socket_ifname": interface,
        "nccl_socket_ifname": interface,
        "torch_disable_share_rdzv_tcp_store": "1",
    }


def _train(config, recipe, folder, init, device, meeting):
    world = int(os.environ.get("WORLD_SIZE", 1))
    if world > 1:
        torch.distributed.init_process_group(
            "gloo" if device == "cpu" else "nccl",
            init_method=meeting.as_uri(),
            rank=int(os.environ["RANK"]),
            world_size=world,
            timeout=PATIENCE,
        )
    try:
        train(config, recipe, folder, init=init, device=device)
    except GlanetError as error:
        if world == 1:
            raise
        sys.exit(f"glanet: {error}")  # one of several processes would show a traceback
    except (KeyboardInterrupt, SignalException):
        print("stopped before the first step", file=sys.stderr)


def detach(
    config: ModelShape,
    recipe: Recipe,
    folder: str | Path,
    *,
    init: str | Path | None = None,
    device: str | None = None,
    processes: int | None = None,
) -> Status:
    """`launch` in a process and a session of its own, which outlive the caller.

    Where an earlier process stopped or died, the new one resumes from the last checkpoint. Its
    errors go to output.txt, and `watch` raises them.

    Raises:
        LaunchError: a process is already training into this folder.
    """
    files = RunFolder(Path(folder).resolve())
    if (found := status(files.path)).state == RUNNING:
        raise LaunchError(
            f"{files.path}: process {found.pid} is training there, and two would overwrite each "
            "other's files. Watch that one, stop it first, or choose another folder."
        )
    files.path.mkdir(parents=True, exist_ok=True)
    job = _job(config, recipe, init, device, processes)
    write_text(files.job, json.dumps(job, indent=1))
    command = [sys.executable, "-m", "glanet.training.launch", str(files.path)]
    # accelerate would look for a GPU for each process, even on "cpu"
    hidden = {"CUDA_VISIBLE_DEVICES": ""} if device == "cpu" else {}
    _sign(files, start_process(command, files.output, **QUIET, **hidden))
    return status(files.path)


def ensure(config: ModelShape, recipe: Recipe, folder: str | Path, **options) -> Status:
    """`detach`, unless this same training is already running or finished.

    So a notebook that runs again, after its kernel was restarted, goes on watching.

    Raises:
        LaunchError: a process is training something else into this folder.
    """
    files = RunFolder(Path(folder).resolve())
    found, same = status(files.path), _read_job(files) == _job(config, recipe, **options)
    if same and found.state in (RUNNING, FINISHED):
        return found
    return detach(config, recipe, files.path, **options)


def start_process(command: list[str], output: str | Path, **environment: str) -> int:
    """Start a program that outlives this one. Returns its process number, the pid, at once.

    Its output and its errors are appended to the file ``output``; it has no input.
    ``environment``: variables for it, besides this process's own.
    """
    apart = {"start_new_session": True}  # signals to our session, as when a terminal ends, miss it
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


def _job(config, recipe, init=None, device=None, processes=None):
    settings = {"config": networks.to_dict(config), "recipe": recipe.to_dict()}
    options = {"init": init and str(init), "device": device, "processes": processes}
    return json.loads(json.dumps({**settings, **options}))  # lists for tuples, as when read


def _read_job(files):
    job = with_config(read_json(files.job))
    if "recipe" in job:  # a field that is new since then has its default
        job["recipe"] = json.loads(json.dumps(Recipe.from_dict(job["recipe"]).to_dict()))
    return job


def _sign(files, pid, ended=None):
    """Record in process.json which process trains here, or how it ended."""
    try:
        created = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:  # it ended at once
        created = None
    found = {"pid": pid, "created": created, "machine": platform.node()}
    write_text(files.process, json.dumps(found | ({"ended": ended} if ended else {})))


def main(folder):
    """Train what job.json in ``folder`` describes, and record how that ended."""
    files = RunFolder(folder)
    job = _read_job(files)
    recipe = Recipe.from_dict(job["recipe"])
    options = {name: job[name] for name in ("init", "device", "processes")}
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # it is verbose
    for number in STOP_SIGNALS:
        signal.signal(number, signal.default_int_handler)  # until `train` handles it
    ended = FAILED
    try:
        launch(networks.from_dict(job["config"]), recipe, files.path, **options)
        done = files.saved_step() == recipe.steps and files.tensors.is_file()
        ended = FINISHED if done else STOPPED
    except GlanetError as error:
        sys.exit(f"glanet: {error}")
    except ChildFailedError as error:
        codes = {failure.local_rank: failure.exitcode for failure in error.failures.values()}
        sys.exit(f"glanet: exit codes by process: {codes}; see the output of the processes above")
    except (KeyboardInterrupt, SignalException):
        ended = STOPPED
    finally:
        _sign(files, os.getpid(), ended)
    if ended == STOPPED:
        sys.exit(STOPPED_EXIT)


if __name__ == "__main__":
    main(sys.argv[1])
