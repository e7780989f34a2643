"""What a learner has solved, kept in one small file of theirs."""

import json
import os
from datetime import date
from pathlib import Path

from glanet.course.kit.lessons import LESSONS
from glanet.files import write_text


def progress_file() -> Path:
    """``GLANET_PROGRESS`` if it is set, else ``.glanet/progress.json`` in the user's folder."""
    return Path(os.environ.get("GLANET_PROGRESS") or Path.home() / ".glanet" / "progress.json")


def solved() -> dict[str, str]:
    """Exercises solved so far, as "lesson.exercise", with the date of the first time.

    A file that cannot be read counts as empty: progress is a convenience and stops nobody.
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
    """Remember that an exercise was solved; where the file cannot be written, say so and go on."""
    entries = solved()
    if exercise.key in entries:
        return
    entries[exercise.key] = date.today().isoformat()
    path = progress_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(entries, indent=1))
    except OSError as error:
        print(f"  (your progress could not be kept in {path}: {error.strerror})")
