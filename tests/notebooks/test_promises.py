"""What the course promises as a whole."""

import importlib
import inspect
import json
import pkgutil
import re
from pathlib import Path

import pytest
from torch import nn

import glanet.model
from glanet.course import lessons, report
from glanet.course.kit.lessons import LESSONS, lesson
from glanet.course.tools import build

MAP = LESSONS[0].stem
TESTS = Path(__file__).parents[1] / "lessons"
TEXTS = {source.stem: source.read_text(encoding="utf-8") for source in build.sources()}


def model_classes():
    """Every module class that a file of ``glanet/model`` defines, but for iFormer's mixer."""
    for found in pkgutil.iter_modules(glanet.model.__path__, f"{glanet.model.__name__}."):
        module = importlib.import_module(found.name)
        if found.name.endswith(".mixer"):  # the golden cases prove it
            continue
        for name, value in vars(module).items():
            here = inspect.isclass(value) and value.__module__ == module.__name__
            if here and issubclass(value, nn.Module):
                yield name


def test_every_model_class_is_proved_the_same_in_a_notebook():
    said = "".join(build.target(source).read_text(encoding="utf-8") for source in build.sources())
    proved = set(re.findall(r"✓ (\w+): from the same weights the same output", said))
    missing = set(model_classes()) - proved
    assert not missing


def test_every_exercise_has_hints_solution_and_mistakes():
    assert len(report.all_exercises()) >= 20
    for exercise in report.all_exercises():
        assert len(exercise.mistakes) >= 5, exercise.key
    for name, text in TEXTS.items():
        exercises = sum(e.lesson == lesson(name).name for e in report.all_exercises())
        assert text.count("<summary>Hint 1</summary>") >= exercises, name
        stored = build.target(build.NOTEBOOKS / "source" / f"{name}.py").read_text("utf-8")
        assert stored.count("<summary>Solution</summary>") == exercises, name


def test_every_notebook_has_prediction_widget_and_progress():
    predictions = 0
    for name, text in TEXTS.items():
        here = len(re.findall(r"^guess\w* = \.\.\.", text, re.MULTILINE))
        assert here >= 1, name
        predictions += here
        assert re.search(r"from glanet\.course\.(lessons\.\w+\.widgets|kit\.photo) import", text), (
            name
        )
        assert f'progress_report("{lesson(name).name}")' in text, name
        assert "What can go wrong" in text, name
    assert predictions >= 12


SPELLED_OUT = {
    "W-MSA": "window-based multi-head self-attention",
    "SW-MSA": "shifted-window multi-head self-attention",
    "PSNR": "peak signal-to-noise ratio",
    "SSIM": "structural similarity",
    "LR": "low.resolution",
    "HR": "high.resolution",
}


@pytest.mark.parametrize("short", SPELLED_OUT)
def test_an_abbreviation_is_spelled_out_where_it_first_occurs(short):
    for name, text in TEXTS.items():
        if name == MAP:  # its map names what other notebooks build
            continue
        lines = [line[2:] for line in text.splitlines() if line.startswith("# ")]
        prose = re.sub(r"!\[[^]]*\]", "", " ".join(" ".join(lines).split()))  # but for pictures
        first = re.search(rf"(?<![\w{{-]){short}\b", prose)
        if first:
            near = prose[: first.end() + len(SPELLED_OUT[short]) + 30]
            assert re.search(SPELLED_OUT[short], near, re.IGNORECASE), name


def test_the_first_cell_says_how_to_keep_answers_and_to_get_a_hint_back():
    head = " ".join(TEXTS[MAP].split("# %%")[1].replace("\n#", "\n").split())
    assert "run `glanet work` in a terminal" in head
    assert "a double click turns a hint" in head


def test_every_widget_has_a_static_twin_in_a_notebook():
    folder = Path(lessons.__path__[0])
    modules = [
        f"{lessons.__name__}.{path.parent.name}.widgets" for path in folder.glob("*/widgets.py")
    ]
    assert modules
    cells = "".join(
        cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
        for source in build.sources()
        for cell in json.loads(build.target(source).read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code"
    )
    for name in (*modules, "glanet.course.kit.photo"):
        drawn = [
            function
            for function, value in vars(importlib.import_module(name)).items()
            if inspect.isfunction(value) and value.__module__.endswith((".figures", "kit.photo"))
        ]
        assert drawn, name
        assert any(f"{function}(" in cells for function in drawn), name


def test_every_lesson_has_notebook_folder_and_tests():
    assert [found.stem for found in LESSONS] == list(TEXTS)
    for found in LESSONS:
        assert (Path(lessons.__path__[0]) / found.name / "exercises.py").is_file(), found.name
        assert (TESTS / found.name / "test_lesson.py").is_file(), found.name
