"""Build the notebooks from their one source: ``make notebooks``.

``notebooks/source/NN_name.py`` (jupytext's percent format) becomes ``notebooks/NN_name.ipynb``,
executed in the learn profile and normalised: what a reader on GitHub sees is what was computed,
and building again changes only what differs.
"""

import json
import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import tyro
from tqdm import tqdm
from tyro.conf import Positional

from glanet.course.kit.lessons import LESSONS
from glanet.course.kit.paths import FIGURES, NOTEBOOKS
from glanet.course.tools import dev_extra, links
from glanet.data.catalog import data_root
from glanet.errors import GlanetError
from glanet.files import write_text

with dev_extra():
    import jupytext
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError
    from nbclient.output_widget import OutputWidget

SOLUTIONS = NOTEBOOKS / "solutions"  # ignored by git
LARGEST = 450_000  # bytes of stored outputs in a notebook: more is heavy to clone and to open
CELL_TIMEOUT = 3600  # seconds: no cell of the smoke and learn profiles comes near it
WIDGET = "application/vnd.jupyter.widget-view+json"
# what JupyterLab writes, but for Python's version, so that opening a notebook does not modify it
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
    },
}


# an indented block of lines between two marker comments
SOLUTION = re.compile(r"^([ ]*)# >>>\n(.*?)^\1# <<<[ ]*(?:\n|\Z)", re.MULTILINE | re.DOTALL)
TAKES = re.compile(r"\*\*Takes\*\* \| ([\d.]+) minutes?, ([\d.]+) GB of memory")
FOLDED = """<details><summary>Solution</summary>

```python
{}
```

</details>"""


# what a kernel says at its end of the most memory that it held
PEAK_MEMORY = "from glanet.device import peak_memory\nprint(peak_memory())"


class BuildError(GlanetError):
    """A notebook that cannot be built; the message names its source."""


def sources() -> list[Path]:
    """The sources of all notebooks, in reading order."""
    return sorted((NOTEBOOKS / "source").glob("[0-9][0-9]_*.py"))


def target(source) -> Path:
    """The notebook that is built from ``source``."""
    return NOTEBOOKS / f"{source.stem}.ipynb"


def convert(source, solved=False):
    """The notebook of ``source``, not executed.

    Where a cell holds a solution between ``# >>>`` and ``# <<<``, the learner gets ``...`` in its
    place and the solution folded in the cell below; with ``solved``, the solution stays. A lesson
    also gets its links.
    """
    notebook = jupytext.read(source)
    notebook.metadata = nbformat.from_dict(METADATA)
    cells = []
    for cell in notebook.cells:
        has_solution = cell.cell_type == "code" and SOLUTION.search(cell.source)
        solution = SOLUTION.sub(r"\2", cell.source)
        if has_solution:
            stub = SOLUTION.sub(r"\1...  # your code\n", cell.source)
            cell.source = (solution if solved else stub).rstrip()
        cells.append(cell)
        if has_solution:
            cells.append(nbformat.v4.new_markdown_cell(FOLDED.format(solution.strip())))
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number:03d}"  # drawn at random otherwise
    for lesson in LESSONS:
        if lesson.stem == source.stem:
            links.add_links(cells, lesson, links.repository())
    notebook.cells = cells
    return notebook


@dataclass(frozen=True)
class Usage:
    """What running a notebook took: ``seconds``, and ``memory`` at its most in bytes."""

    seconds: float
    memory: int


class Runner(NotebookClient):
    """Runs a notebook, widgets and all."""

    def __init__(self, notebook, **options):
        super().__init__(notebook, **options)
        self.widget_registry["@jupyter-widgets/output"]["OutputModel"] = SilentOutput


class SilentOutput(OutputWidget):
    """Takes in what a widget draws, as a browser would, and does not report it to the kernel.

    nbclient sends such reports through the socket on which it awaits the end of the cell, and at
    times it then misses that end and waits for ever (its issue 312).
    """

    def sync_state(self):
        pass


def execute(notebook, name, **environment) -> Usage:
    """Run all cells in the notebooks' folder, in the learn profile unless told otherwise.

    ``environment``: further variables for the kernel. The learner's file of progress and folder of
    runs are neither read nor written.

    Raises:
        BuildError: a cell failed, or took longer than ``CELL_TIMEOUT``.
    """
    gauge = nbformat.v4.new_code_cell(PEAK_MEMORY)
    notebook.cells.append(gauge)
    folder = {"metadata": {"path": NOTEBOOKS}}
    runner = Runner(notebook, timeout=CELL_TIMEOUT, resources=folder, record_timing=False)
    started = time.monotonic()
    with TemporaryDirectory() as empty:
        own = {"GLANET_PROGRESS": f"{empty}/progress.json", "GLANET_RUNS": f"{empty}/runs"}
        try:
            runner.execute(env={**os.environ, "GLANET_PROFILE": "learn", **own, **environment})
        except (CellExecutionError, CellTimeoutError) as error:
            raise BuildError(f"{name}: a cell failed.\n{error}") from error
        finally:
            notebook.cells.remove(gauge)
    return Usage(time.monotonic() - started, int(gauge.outputs[0].text))


def normalise(notebook, name):
    """Drop what differs between machines or runs, and what GitHub cannot show.

    Raises:
        BuildError: the outputs are too large to keep.
    """
    notebook.metadata = nbformat.from_dict(METADATA)  # a kernel adds widget state and its version
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [
                _without_paths(output)
                for output in _merge_streams(cell.outputs)
                if WIDGET not in output.get("data", {})
            ]
    size = sum(len(json.dumps(cell.get("outputs", []))) for cell in notebook.cells)
    if size > LARGEST:
        raise BuildError(
            f"{name}: its outputs take {size:,} bytes, more than {LARGEST:,}. "
            "Draw fewer or smaller figures."
        )


def _merge_streams(outputs):
    """One output for each run of prints: how a kernel cuts them up is chance."""
    merged = []
    for output in outputs:
        last = merged[-1] if merged else {}
        if output.output_type == "stream" and output.name == last.get("name"):
            last.text += output.text
        else:
            merged.append(output)
    return merged


def _without_paths(output):
    """The output with this machine's folders cut down to what every reader has."""
    folders = [
        (str(data_root()), "data"),
        (sys.prefix, ".venv"),
        (str(NOTEBOOKS.parent), "glanet"),
        (str(Path.home()), "~"),
    ]

    def clean(value):
        if isinstance(value, str):
            for folder, name in folders:
                value = value.replace(folder, name)
        elif isinstance(value, list):
            value = [clean(item) for item in value]
        elif isinstance(value, dict):
            value = {key: clean(item) for key, item in value.items()}
        return value

    return nbformat.from_dict(clean(dict(output)))


def build(source) -> Usage:
    """Convert, execute, normalise and write one notebook."""
    notebook = convert(source)
    usage = execute(notebook, source.name)
    normalise(notebook, source.name)
    write(notebook, target(source))
    return usage


def write(notebook, path):
    write_text(path, nbformat.writes(notebook).rstrip("\n") + "\n")


def renew(source):
    """Convert and write one notebook with the outputs that it stores; no cell is executed.

    Raises:
        BuildError: the code has changed since it was executed.
    """
    notebook = convert(source)
    new, stored = _lesson_code(notebook), _lesson_code(nbformat.read(target(source), as_version=4))
    if [cell.source for cell in new] != [cell.source for cell in stored]:
        raise BuildError(
            f"{source.name}: its code is not what was executed. "
            f"Run `make notebooks ARGS={source.stem[:2]}`."
        )
    for cell, old in zip(new, stored, strict=True):
        cell.outputs = old.outputs
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, cell in enumerate(code, start=1):
        cell.execution_count = number
    write(notebook, target(source))


def _lesson_code(notebook):
    """The code cells that come from the source."""
    return [c for c in notebook.cells if c.cell_type == "code" and c.id != links.INSTALL]


def write_solved(source):
    """Write one notebook into ``SOLUTIONS`` with its exercises solved; no cell is executed."""
    notebook = convert(source, solved=True)
    figures = os.path.relpath(FIGURES, SOLUTIONS)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("](figures/", f"]({Path(figures).as_posix()}/")
    SOLUTIONS.mkdir(exist_ok=True)
    write(notebook, SOLUTIONS / f"{source.stem}.ipynb")


def budget(source) -> Usage:
    """What the head of a notebook promises: ``**Takes** | 2 minutes, 1.5 GB of memory``.

    Raises:
        BuildError: there is no such line.
    """
    promise = TAKES.search(source.read_text(encoding="utf-8"))
    if not promise:
        raise BuildError(f"{source.name}: no line like '| **Takes** | 2 minutes, 1 GB of memory |'")
    return Usage(60 * float(promise[1]), int(1e9 * float(promise[2])))


def main(names: Positional[tuple[str, ...]] = (), /, *, stored: bool = False, solved: bool = False):
    """Build the notebooks whose names start so (``00``, ``04_inception``); all without a name.

    Args:
        names: How the notebooks' names start.
        stored: Keep the stored outputs and execute nothing, which needs unchanged code.
        solved: Write solved notebooks into notebooks/solutions, not executed.
    """
    step = write_solved if solved else renew if stored else build
    chosen = [s for s in sources() if not names or s.stem.startswith(tuple(names))]
    if not chosen:
        sys.exit(f"no source matches; there are {', '.join(s.stem for s in sources())}")
    progress = tqdm(chosen)
    for source in progress:
        progress.set_description(source.stem)
        step(source)


if __name__ == "__main__":
    tyro.cli(main)
