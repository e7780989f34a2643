"""Every exercise can be solved, none is in the way of who skips it, and budgets are kept."""

import json

import nbformat
import pytest

from glanet.course import report
from glanet.course.kit.lessons import lesson
from glanet.course.tools import build

SOURCES = [source for source in build.sources() if build.SOLUTION.search(source.read_text("utf-8"))]


def solved_cells(source):
    """How many cells of a notebook hold a solution, in one block or several."""
    return sum("<summary>Solution</summary>" in cell.source for cell in build.convert(source).cells)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_solutions_are_green_within_promised_time_and_memory(source):
    notebook = build.convert(source, solved=True)
    usage = build.execute(notebook, source.name, GLANET_PROFILE="smoke", GLANET_STRICT="1")
    greens = json.dumps(notebook.cells).count("right. The notebook goes on with yours")
    here = [e for e in report.all_exercises() if e.lesson == lesson(source.stem).name]
    assert greens == solved_cells(source) - sum(exercise.skipped for exercise in here)
    # the smoke profile does less than the learn profile that is promised, on slower machines
    promised = build.budget(source)
    assert usage.seconds <= promised.seconds
    assert usage.memory <= promised.memory


def test_every_exercise_of_a_notebook_is_one_of_the_course():
    for source in SOURCES:
        exercises = [e for e in report.all_exercises() if e.lesson == lesson(source.stem).name]
        assert len(exercises) == solved_cells(source), source.stem


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_run_untouched_every_check_says_not_done_yet(source):
    stored = nbformat.read(build.target(source), as_version=4)
    said = "".join(
        output.get("text", "")
        for cell in stored.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    )
    assert said.count("not done yet") == solved_cells(source)
    assert "✗" not in said


@pytest.mark.parametrize("source", build.sources(), ids=lambda path: path.stem)
def test_the_promise_at_its_head_covers_what_was_measured(source):
    ledger = build.NOTEBOOKS.parent / "results" / f"notebook-{source.stem[:2]}.json"
    measured = json.loads(ledger.read_text(encoding="utf-8"))["value"]
    promised = build.budget(source)
    assert measured["minutes"] <= promised.seconds / 60
    assert measured["memory"] <= promised.memory / 1e9
