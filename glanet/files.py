"""Files: room for them, and writing them so that nobody ever reads half of one."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile


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
    with NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix, delete=False
    ) as file:
        part = Path(file.name)
    try:
        yield part
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o666 & ~umask)  # a temporary file is its owner's alone
        with part.open("rb+") as file:
            os.fsync(file.fileno())  # or a power cut could leave the name without the bytes
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path, text):
    """Write ``text`` as UTF-8; the file appears when it is whole."""
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8")
