"""A learner's own copies of the notebooks, which no new version of the course overwrites."""

import hashlib
import re

import nbformat

from glanet.course.kit.paths import NOTEBOOKS
from glanet.errors import GlanetError
from glanet.files import write_text

MY_WORK = "my_work"  # beside the notebooks; ignored by git


class WorkError(GlanetError, ValueError):
    """No notebook can be copied; the message says why and what mends it."""


def copy_notebooks(names=(), fresh=False) -> list[str]:
    """Copy notebooks to ``notebooks/my_work`` where they are not there yet. Says what was done.

    ``names``: how the notebooks' names start ("05"); all of them without. A copy that exists is
    never written to: with ``fresh`` a new copy gets a name of its own, beside it.

    Raises:
        WorkError: there are no notebooks, or none with such a name.
    """
    found = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    if not found:
        raise WorkError(
            f"{NOTEBOOKS}: no notebooks there. They are not part of the installed package: "
            "clone the repository, and run this in its environment."
        )
    chosen = [path for path in found if not names or path.stem.startswith(tuple(names))]
    if not chosen:
        raise WorkError(
            f"no notebook's name starts with {' or '.join(names)}; "
            f"there are {', '.join(path.stem for path in found)}."
        )
    (NOTEBOOKS / MY_WORK).mkdir(exist_ok=True)
    return [_copy(path, fresh) for path in chosen]


def _copy(original, fresh):
    text = original.read_text(encoding="utf-8")
    version = hashlib.sha256(text.encode()).hexdigest()[:12]
    target = original.parent / MY_WORK / original.name
    if fresh:
        target = _unused(target)
    if target.exists():
        return f"{MY_WORK}/{target.name}: yours, left as it is{_newer(target, version)}"
    notebook = nbformat.reads(text, as_version=4)
    notebook.metadata.glanet_version = version
    for cell in notebook.cells:
        if cell.cell_type == "markdown":  # its pictures lie one folder up now
            cell.source = re.sub(r"\]\(figures/", "](../figures/", cell.source)
    write_text(target, nbformat.writes(notebook) + "\n")
    return f"{MY_WORK}/{target.name}: copied"


def _newer(copy, version):
    """What to add if the course's notebook is not the one that was copied."""
    if nbformat.read(copy, as_version=4).metadata.get("glanet_version") == version:
        return ""
    return (
        f"; the course has another version by now: `glanet work {copy.stem[:2]} --fresh` puts it "
        "beside yours"
    )


def _unused(path):
    """``path``, or the first of ``NAME-2``, ``NAME-3``, ... that does not exist."""
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_stem(f"{path.stem}-{number}")
    return candidate
