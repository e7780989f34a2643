"""The committed notebooks are what their sources make."""

import json
import re
import shutil

import nbformat
import pytest

from glanet.course.tools import build, links

SOURCES = build.sources()


def test_there_are_notebooks_and_none_without_a_source():
    assert SOURCES
    assert sorted(build.NOTEBOOKS.glob("*.ipynb")) == [build.target(source) for source in SOURCES]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_notebook_is_its_source_but_for_outputs(source):
    stored = nbformat.read(build.target(source), as_version=4)
    nbformat.validate(stored)
    for cell in stored.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    assert stored == build.convert(source), f"run `make notebooks ARGS={source.stem[:2]}`"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_notebook_was_run_from_top_to_bottom(source):
    stored = nbformat.read(build.target(source), as_version=4)
    code = [cell for cell in stored.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert outputs
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output for output in outputs if build.WIDGET in output.get("data", {})]
    assert "widgets" not in stored.metadata
    text = json.dumps(outputs)
    assert len(text) <= build.LARGEST
    assert str(build.NOTEBOOKS.parent) not in text


EXERCISE = """# %%
import math


def area(radius):
    \"\"\"Area of a disc.\"\"\"
    # >>>
    square = radius**2

    return math.pi * square
    # <<<

# %% [markdown]
# after
"""


def test_the_learner_gets_a_stub_and_the_solution_folded_below(tmp_path):
    source = tmp_path / "source.py"
    source.write_text(EXERCISE)
    stub, folded, after = build.convert(source).cells
    solution = stub.source.replace(
        "    ...  # your code", "    square = radius**2\n\n    return math.pi * square"
    )
    assert stub.source.endswith('Area of a disc."""\n    ...  # your code')
    assert folded.cell_type == "markdown"
    assert f"```python\n{solution}\n```" in folded.source
    assert after.source == "after"
    assert [cell.id for cell in (stub, folded, after)] == ["cell-000", "cell-001", "cell-002"]
    assert build.convert(source, solved=True).cells[0].source == solution
    namespace = {}
    exec(solution, namespace)
    assert namespace["area"](2) == pytest.approx(12.566370614)


def stream(text, name="stdout"):
    return nbformat.v4.new_output("stream", name=name, text=text)


def test_normalising_joins_prints_and_drops_widgets_and_folders():
    cell = nbformat.v4.new_code_cell(
        outputs=[
            stream("a\n"),
            stream(f"{build.NOTEBOOKS}\n"),
            stream("b", name="stderr"),
            nbformat.v4.new_output("display_data", {build.WIDGET: {}, "text/plain": "interactive"}),
        ]
    )
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {}})
    build.normalise(notebook, "nn")
    assert notebook.metadata == build.METADATA
    assert notebook.cells[0].outputs == [stream("a\nglanet/notebooks\n"), stream("b", "stderr")]


def test_outputs_that_are_too_large_are_rejected():
    cell = nbformat.v4.new_code_cell(outputs=[stream("x" * build.LARGEST)])
    with pytest.raises(build.BuildError, match="nn: its outputs take"):
        build.normalise(nbformat.v4.new_notebook(cells=[cell]), "nn")


def test_a_failing_cell_stops_the_build_and_leaves_the_old_notebook(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "NOTEBOOKS", tmp_path)
    (tmp_path / "source").mkdir()
    source = tmp_path / "source" / "99_broken.py"
    source.write_text("# %%\n1 / 0\n")
    build.target(source).write_text("the old one")
    with pytest.raises(
        build.BuildError, match=r"(?s)99_broken\.py: a cell failed.*ZeroDivisionError"
    ):
        build.build(source)
    assert build.target(source).read_text() == "the old one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["99_broken.ipynb", "source"]


@pytest.fixture
def built(tmp_path, monkeypatch):
    """A source and its notebook, in a folder of their own."""
    monkeypatch.setattr(build, "NOTEBOOKS", tmp_path)
    source = tmp_path / "source" / "99_small.py"
    source.parent.mkdir()
    source.write_text("# %% [markdown]\n# old\n\n# %%\nprint(1)\n")
    notebook = build.convert(source)
    notebook.cells[1].outputs = [stream("1\n")]
    notebook.cells[1].execution_count = 1
    build.write(notebook, build.target(source))
    return source


def test_renewing_keeps_the_outputs_of_unchanged_code(built):
    built.write_text(built.read_text().replace("old", "new"))
    build.renew(built)
    text, code = nbformat.read(build.target(built), as_version=4).cells
    assert text.source == "new"
    assert code.outputs == [stream("1\n")]
    assert code.execution_count == 1


def test_renewing_rejects_code_that_was_not_executed(built):
    before = build.target(built).read_text()
    built.write_text(built.read_text().replace("print(1)", "print(2)"))
    with pytest.raises(build.BuildError, match=r"99_small\.py: .*`make notebooks ARGS=99`"):
        build.renew(built)
    assert build.target(built).read_text() == before


def test_renewing_numbers_the_cell_that_installs_the_package(monkeypatch, tmp_path):
    source = next(found for found in SOURCES if found.stem == "00_start_here")
    stored = tmp_path / build.target(source).name
    shutil.copy(build.target(source), stored)
    monkeypatch.setattr(build, "target", lambda source: stored)
    monkeypatch.setattr(links, "repository", lambda: "https://github.com/someone/glanet")
    for _ in range(2):
        build.renew(source)
        code = [c for c in nbformat.read(stored, as_version=4).cells if c.cell_type == "code"]
        assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
        assert code[0].id == links.INSTALL
        assert not code[0].outputs
        assert any(cell.outputs for cell in code)


def test_solutions_are_written_solved_with_their_pictures(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "SOLUTIONS", tmp_path / "solutions")
    source = next(found for found in SOURCES if found.stem == "05_window_attention")
    build.write_solved(source)
    cells = nbformat.read(tmp_path / "solutions" / build.target(source).name, 4).cells
    code = "".join(cell.source for cell in cells if cell.cell_type == "code")
    assert "# your code" not in code
    assert "# >>>" not in code
    text = "".join(cell.source for cell in cells if cell.cell_type == "markdown")
    pictures = re.findall(r"\]\(([^)]*\.svg)\)", text)
    assert pictures
    for picture in pictures:
        assert (tmp_path / "solutions" / picture).is_file()


def test_the_budget_is_read_from_the_head(tmp_path):
    source = tmp_path / "source.py"
    source.write_text("# | **Takes** | 1.5 minutes, 2 GB of memory; 20 minutes to work through |")
    assert build.budget(source) == build.Usage(90, 2_000_000_000)
    source.write_text("# nothing")
    with pytest.raises(build.BuildError, match=r"no line like"):
        build.budget(source)


def test_running_a_notebook_measures_it_and_leaves_no_trace(monkeypatch, tmp_path):
    monkeypatch.setenv("GLANET_PROGRESS", str(tmp_path / "mine.json"))
    monkeypatch.setenv("GLANET_RUNS", str(tmp_path / "my_runs"))
    cell = nbformat.v4.new_code_cell(
        "import os, time\nfrom glanet.course.kit.paths import RUNS\n"
        "held = b'1' * 300_000_000\ntime.sleep(1)\n"
        "print(RUNS, os.environ['GLANET_PROGRESS'], os.environ['GLANET_PROFILE'])"
    )
    notebook = nbformat.v4.new_notebook(cells=[cell])
    usage = build.execute(notebook, "nn", GLANET_PROFILE="smoke")
    assert usage.seconds >= 1
    assert 300e6 < usage.memory < 700e6
    assert notebook.cells == [cell]
    assert "mine.json" not in cell.outputs[0].text
    assert "my_runs" not in cell.outputs[0].text
    assert cell.outputs[0].text.endswith("smoke\n")


def test_what_a_widget_draws_is_not_reported_to_the_kernel():
    cells = [
        "from ipywidgets import interactive\n"
        "widget = interactive(lambda n: print('drawn', n), n=(1, 3))\nwidget",
        "print('the kernel heard of', len(widget.out.outputs), 'outputs')",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    client = build.Runner(notebook, timeout=60)
    client.execute()
    first, second = notebook.cells
    assert [build.WIDGET in output.get("data", {}) for output in first.outputs] == [True]
    assert "drawn 2" in json.dumps(client.widget_state)  # nbclient took it in
    assert second.outputs[0].text == "the kernel heard of 0 outputs\n"
