"""What a learner has solved, kept in one small file of theirs."""

import json
import os
from datetime import date
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from glanet.course import exercises
from glanet.files import write_text


def progress_file() -> Path:
    """``GLANET_PROGRESS`` if it is set, else ``.glanet/progress.json`` in the user's folder."""
    return Path(os.environ.get("GLANET_PROGRESS") or Path.home() / ".glanet" / "progress.json")


def solved() -> dict[str, str]:
    """Exercises solved so far, as "notebook.name", with the date of the first time.

    A file that cannot be read counts as empty: progress is a convenience and stops nobody.
    """
    try:
        entries = json.loads(progress_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return entries if isinstance(entries, dict) else {}


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


def all_exercises() -> list:
    """Every graded exercise of the course, in the order of the notebooks."""
    found = [
        item
        for module in iter_modules(exercises.__path__, f"{exercises.__name__}.")
        for item in vars(import_module(module.name)).values()
        if type(item).__name__ == "Exercise"
    ]
    return sorted(found, key=lambda exercise: exercise.notebook)


def report(notebook=None) -> str:
    """What is solved and what is not, as text; of one notebook ("05") or of the whole course."""
    everything, done = all_exercises(), solved()
    lines = []
    for number in sorted({exercise.notebook for exercise in everything}):
        if notebook in (None, number):
            marks = [
                f"{'✓' if exercise.key in done else '·'} {exercise.name}"
                for exercise in everything
                if exercise.notebook == number
            ]
            lines.append(f"{number}  {'   '.join(marks)}")
    count = sum(exercise.key in done for exercise in everything)
    return "\n".join([*lines, f"{count} of {len(everything)} exercises of the course are solved."])
