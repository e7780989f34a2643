"""The exercises that a learner has solved, kept in a small file in the home folder."""

import json
import os
from datetime import date
from pathlib import Path

from glanet.course.kit.lessons import LESSONS
from glanet.files import write_text


def progress_file() -> Path:
    """``GLANET_PROGRESS`` if it is set, else ``.glanet/progress.json`` in the home folder."""
    return Path(os.environ.get("GLANET_PROGRESS") or Path.home() / ".glanet" / "progress.json")


def solved() -> dict[str, str]:
    """The solved exercises: "lesson.exercise" and the ISO date on which each was first solved.

    A file that cannot be read counts as empty: a damaged file must not stop the notebook.
    """
    try:
        entries = json.loads(progress_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(entries, dict):
        return {}
    names = {lesson.number: lesson.name for lesson in LESSONS}
    # version 0.1 wrote the number of the notebook, "05.attend"
    return {
        f"{names.get(key[:2], key[:2])}{key[2:]}" if key[2:3] == "." else key: day
        for key, day in entries.items()
    }


def record(exercise):
    """Record that an exercise is solved; if the file cannot be written, print a note and go on."""
    entries = solved()
    if exercise.key in entries:
        return
    entries[exercise.key] = date.today().isoformat()
    path = progress_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(entries, indent=1))
    except OSError as error:
        print(f"  (your progress could not be saved in {path}: {error.strerror})")
