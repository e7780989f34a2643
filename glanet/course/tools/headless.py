"""Run notebooks where there is no browser: ``make train-full``, ``make evaluate``.

The cells are executed in the full profile, unless GLANET_PROFILE says otherwise; what they print is
printed as it comes. The executed copy, and beside it a log of what was printed, are saved as they
grow, so that nothing is lost where a cell fails or somebody ends it.
"""

import copy
import os
import sys
import time
from datetime import datetime
from pathlib import Path

import tyro
from tyro.conf import Positional

from glanet.course.kit.paths import NOTEBOOKS, RUNS
from glanet.course.tools import dev_extra
from glanet.course.tools.build import WIDGET, Runner
from glanet.errors import GlanetError
from glanet.files import write_text

with dev_extra():
    import nbformat
    from nbclient.exceptions import CellExecutionError

SAVE_EVERY = 30.0  # seconds, while a cell goes on
EXECUTED = RUNS / "notebooks"


class HeadlessError(GlanetError):
    """A notebook that was not executed to its end; the message names the cell, and the copy."""


class Headless(Runner):
    """A client that prints and saves while it executes; ``copy_path`` is where it saves to."""

    def __init__(self, notebook, copy_path, **options):
        self.copy_path, self.saved_at, self.cell = copy_path, -float("inf"), 0
        super().__init__(
            notebook,
            timeout=None,
            on_cell_start=self._start,
            on_cell_executed=lambda **_: self.save(),
            **options,
        )

    def _start(self, cell, cell_index):
        self.cell = cell_index

    def output(self, outs, msg, display_id, cell_index):
        """Take what a cell says, as nbclient does, and pass it on to who reads along."""
        found = super().output(outs, msg, display_id, cell_index)
        if found is not None:
            self.say(found.get("text") or found.get("data", {}).get("text/plain", "") + "\n")
        if time.monotonic() - self.saved_at > SAVE_EVERY:
            self.save()
        return found

    def say(self, text):
        """Print, and write the same into the log beside the copy."""
        if text.strip():
            print(text, end="", flush=True)
            with self.copy_path.with_suffix(".log").open("a", encoding="utf-8") as file:
                file.write(text)

    def save(self):
        """Write the notebook as it is by now, without widgets, which need a kernel to be seen."""
        kept = copy.deepcopy(self.nb)
        kept.metadata.pop("widgets", None)
        for cell in kept.cells:
            if cell.cell_type == "code":
                cell.outputs = [o for o in cell.outputs if WIDGET not in o.get("data", {})]
        write_text(self.copy_path, nbformat.writes(kept))
        self.saved_at = time.monotonic()


def find(name) -> Path:
    """The notebook that ``name`` stands for: a path, or how its name starts, such as 12.

    Raises:
        HeadlessError: there is none, or more than one.
    """
    if name.endswith(".ipynb") and Path(name).is_file():
        return Path(name).resolve()
    found = sorted(NOTEBOOKS.glob(f"{name}*.ipynb"))
    if len(found) != 1:
        listed = ", ".join(path.stem for path in found or sorted(NOTEBOOKS.glob("*.ipynb")))
        raise HeadlessError(f"{name}: {len(found)} notebooks are called so; choose from {listed}")
    return found[0]


def execute(path, folder) -> Path:
    """Execute a notebook, in the folder where it lies. Returns the executed copy in ``folder``.

    Raises:
        HeadlessError: a cell failed, or the kernel was ended; the copy holds all until then.
    """
    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    copy_path = folder / f"{path.stem}-{datetime.now():%Y-%m-%d-%H%M%S}.ipynb"
    client = Headless(notebook, copy_path, resources={"metadata": {"path": path.parent}})
    profile = os.environ.get("GLANET_PROFILE", "full")
    client.say(f"{path.name}, profile {profile} → {copy_path}\n")
    try:
        client.execute(env={**os.environ, "GLANET_PROFILE": profile})
    except Exception as error:  # ended by a signal, nbclient fails in its own cleaning up
        what = "failed" if isinstance(error, CellExecutionError) else "was ended with its kernel"
        client.say(f"\n{type(error).__name__}: {error}\n")
        raise HeadlessError(
            f"{path.name}: {_describe(notebook, client.cell)} {what}. What was done is in "
            f"{copy_path}; a training that it started goes on, and the same command looks for it."
        ) from error
    finally:
        client.save()
    return copy_path


def _describe(notebook, number):
    """Which cell that is: its number, the heading above it, and its first line."""
    headings = [
        line.lstrip("# ")
        for cell in notebook.cells[:number]
        if cell.cell_type == "markdown"
        for line in cell.source.splitlines()
        if line.startswith("#")
    ]
    first = notebook.cells[number].source.partition("\n")[0]
    return f"cell {number}" + (f", under {headings[-1]!r}" if headings else "") + f", `{first}`"


def main(names: Positional[tuple[str, ...]], /, *, out: Path = EXECUTED):
    """Execute notebooks without a browser: python -m glanet.course.tools.headless 12

    Args:
        names: How the notebooks' names start, such as 12, or paths of notebooks.
        out: Folder of the executed copies.
    """
    try:
        for path in [find(name) for name in names]:
            print(f"executed: {execute(path, out)}")
    except HeadlessError as error:
        sys.exit(f"glanet: {error}")


if __name__ == "__main__":
    tyro.cli(main)
