"""Guards around a run: one process to a folder, and a stop that loses nothing."""

import signal
import threading
from contextlib import contextmanager, suppress

from filelock import FileLock, Timeout
from safetensors import SafetensorError

from glanet.device import is_out_of_memory
from glanet.training.errors import TrainError

# Ctrl-C, and what batch systems send before they end a job: SLURM the second, or the third if
# sbatch has --signal=USR1@60. Windows has no SIGUSR1.
STOP_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name)
)
STOPPED_EXIT = 3  # exit status of a run that was asked to stop, and can resume


@contextmanager
def claimed(files, by):
    """Keep a run's folder to this run: two would delete and overwrite each other's checkpoints.

    The lock ends with its process, however that ends. Of several processes that share a run, only
    the main one writes, so it alone takes the lock.

    Args:
        files: the `RunFolder`.
        by: accelerate's state of this process.

    Raises:
        TrainError: another run holds the folder, or it cannot be written.
    """
    if not by.is_main_process:
        yield
        return
    lock = FileLock(files.lock)
    try:
        files.path.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except Timeout as error:
        raise TrainError(
            f"{files.path}: another process is training there, and two would overwrite each "
            "other's files. Wait for that one, stop it, or choose another folder with --out."
        ) from error
    except OSError as error:
        raise TrainError(
            f"{files.path}: cannot be written ({error}). Choose another folder with --out."
        ) from error
    try:
        yield
    finally:
        with suppress(OSError):  # a file left there would look like a lock still held
            files.lock.unlink()
        lock.release()


@contextmanager
def writing(path):
    """Inside, a file or folder of a run that cannot be written is a TrainError."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise TrainError(
            f"{path}: cannot be written ({error}). All older checkpoints are intact: make room, "
            "and start the same command again."
        ) from error


@contextmanager
def enough_memory(recipe, device):
    """Inside, running out of memory is a TrainError that says what to change."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # a capture that ran out of memory ends with an error of its own
        if not (is_out_of_memory(error) or is_out_of_memory(error.__context__)):
            raise
        raise TrainError(
            f"{device}: out of memory with {recipe.batch} patches of {recipe.patch}×{recipe.patch} "
            f"pixels a step. {smaller(recipe)}"
        ) from error


def smaller(recipe) -> str:
    """What makes a step need less memory, in words."""
    again = "" if recipe.checkpointing else " --checkpointing True needs still less, and more time."
    return (
        f"--accumulate {2 * recipe.accumulate} computes the same gradient in about half the "
        f"memory.{again} A smaller --batch or --patch is another recipe."
    )


@contextmanager
def asked_to_stop():
    """A function that returns whether one of `STOP_SIGNALS` came. They have no other effect inside.

    Signals reach only the main thread; in another one, the function always returns False.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = {number: signal.signal(number, lambda *_: asked.set()) for number in STOP_SIGNALS}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
