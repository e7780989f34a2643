"""Files: room for them, and writing them so that nobody ever reads half of one."""

import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp

_WINDOWS = sys.platform == "win32"
if not _WINDOWS:
    import fcntl

PART = ".glanet-"  # how the names of unfinished files start
_LONGEST_ENDING = 16  # characters of a name's ending that an unfinished file's name keeps


def existing(path: str | Path) -> Path:
    """``path``, or the nearest folder above it that exists; absolute."""
    path = Path(path).resolve()
    return next(place for place in (path, *path.parents) if place.exists())


def free_disk(path: str | Path) -> int:
    """Free bytes on the disk of a file or folder, which need not exist yet."""
    return shutil.disk_usage(existing(path)).free


@contextmanager
def atomic_path(path):
    """A temporary path beside ``path``: it takes its place if all goes well, and else is gone.

    Until then the old file stays as it was, also if the process is killed or the disk is full.
    """
    path = Path(path)
    part, descriptor = _new_part(path)
    try:
        try:
            yield part
            umask = os.umask(0)
            os.umask(umask)
            part.chmod(0o666 & ~umask)  # a temporary file is its owner's alone
            with part.open("rb+") as file:
                os.fsync(file.fileno())  # a power cut could leave the name without the bytes
            if not _WINDOWS:  # where a file can be renamed while it is locked
                part.replace(path)
        finally:
            os.close(descriptor)
        if _WINDOWS:
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _new_part(path):
    """A new file beside ``path``, and its descriptor: it is locked as long as that is open."""
    ending = path.suffix if len(path.suffix) <= _LONGEST_ENDING else ""
    while True:
        descriptor, name = mkstemp(ending, PART, path.parent)
        try:
            _lock(descriptor)
        except BlockingIOError:  # `remove_abandoned` was quicker
            os.close(descriptor)
            continue
        except OSError:  # a file system without locks
            return Path(name), descriptor
        if Path(name).exists():
            return Path(name), descriptor
        os.close(descriptor)


def _lock(descriptor):
    if not _WINDOWS:  # where nobody can delete an open file
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def remove_abandoned(folder: str | Path) -> None:
    """Delete the unfinished files that killed processes left in ``folder``."""
    for part in Path(folder).glob(f"{PART}*"):
        try:
            with part.open("rb+") as file:
                _lock(file)
                if not _WINDOWS:
                    part.unlink()
            if _WINDOWS:
                part.unlink()
        except OSError:
            continue  # in use, or not ours to delete


def write_bytes(path, content):
    """Write ``content``; the file appears when it is whole."""
    with atomic_path(path) as part:
        part.write_bytes(content)


def write_text(path, text):
    """Write ``text`` as UTF-8; the file appears when it is whole."""
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8")
