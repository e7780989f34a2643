"""A learner's own copies of the notebooks, which no new version of the course overwrites.

Notebooks are plain JSON here, so that this needs nothing but glanet itself.
"""

import hashlib
import json
import os
import re
import shutil
from pathlib import Path

from glanet.course.kit.paths import FIGURES, MY_WORK, NOTEBOOKS
from glanet.errors import GlanetError
from glanet.files import write_text

NOTEBOOK_LINK = re.compile(r"\[([^\]]+)\]\((\d\d_\w+\.ipynb)\)")


class WorkError(GlanetError, ValueError):
    """No notebook can be copied; the message says why and what mends it."""


def copy_notebooks(names=(), fresh=False) -> list[str]:
    """Copy notebooks to ``MY_WORK`` where they are not there yet. Returns a line about each.

    ``MY_WORK`` is ``notebooks/my_work`` in a checkout, else ``glanet-course`` in the working
    directory. ``names``: how the notebooks' names start ("05"); all of them without. A copy that
    exists is never written to: with ``fresh`` a new copy gets a name of its own, beside it.

    Raises:
        WorkError: there are no notebooks, or none with such a name.
    """
    found = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    if not found:
        raise WorkError(
            f"{NOTEBOOKS}: no notebooks found, but they are part of glanet. Install it again, or "
            "get them back with `git checkout notebooks`."
        )
    chosen = [path for path in found if not names or path.stem.startswith(tuple(names))]
    if not chosen:
        raise WorkError(
            f"no notebook's name starts with {' or '.join(names)}; "
            f"there are {', '.join(path.stem for path in found)}."
        )
    MY_WORK.mkdir(exist_ok=True)
    figures = _figures()
    copied = {path.name for path in (*chosen, *MY_WORK.glob("*.ipynb"))}
    return [_copy(path, figures, copied, fresh) for path in chosen]


def _figures():
    """The figures' folder, as seen from a copy. JupyterLab shows none from outside its root."""
    if MY_WORK.is_relative_to(NOTEBOOKS):
        return Path(os.path.relpath(FIGURES, MY_WORK)).as_posix()
    shutil.copytree(FIGURES, MY_WORK / "figures", dirs_exist_ok=True)
    return "figures"


def _lead(found, copied):
    """A link to a notebook, as it stands in a copy: to the copy, else to the original."""
    text, name = found.groups()
    if name in copied:
        return found[0]
    if not MY_WORK.is_relative_to(NOTEBOOKS):
        return text  # JupyterLab opens nothing outside its root
    return f"[{text}]({Path(os.path.relpath(NOTEBOOKS, MY_WORK)).as_posix()}/{name})"


def _copy(original, figures, copied, fresh):
    text = original.read_text(encoding="utf-8")
    version = hashlib.sha256(text.encode()).hexdigest()[:12]
    target = MY_WORK / original.name
    if fresh:
        target = _unused(target)
    if target.exists():
        return f"{MY_WORK.name}/{target.name}: yours, left as it is{_newer(target, version)}"
    notebook = json.loads(text)
    notebook["metadata"]["glanet_version"] = version
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = [
                NOTEBOOK_LINK.sub(
                    lambda found: _lead(found, copied), line.replace("](figures/", f"]({figures}/")
                )
                for line in cell["source"]
            ]
    write_text(target, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    return f"{MY_WORK.name}/{target.name}: copied"


def _newer(copy, version):
    """What to add if the course's notebook is not the one that was copied."""
    metadata = json.loads(copy.read_text(encoding="utf-8"))["metadata"]
    if metadata.get("glanet_version") == version:
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
