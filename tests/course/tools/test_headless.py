"""Notebooks run without a browser, and leave what they did, whole or not."""

import os
import signal
import subprocess
import sys
import time

import nbformat
import pytest

from glanet.course.tools import headless
from glanet.files import write_text


def notebook(path, *sources):
    cells = [
        nbformat.v4.new_markdown_cell(source[2:].strip())
        if source.startswith("# ")
        else nbformat.v4.new_code_cell(source)
        for source in sources
    ]
    made = nbformat.v4.new_notebook(cells=cells)
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    write_text(path, nbformat.writes(made))
    return path


def run(path, out, **environment):
    command = [sys.executable, "-m", "glanet.course.tools.headless", str(path), "--out", str(out)]
    environment = {key: value for key, value in (os.environ | environment).items() if value}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def only(folder, pattern):
    (found,) = folder.glob(pattern)
    return found


def test_headless_runs_full_profile_and_leaves_copy_and_log(tmp_path):
    path = notebook(
        tmp_path / "small.ipynb",
        "import os, pathlib\nprint(os.environ['GLANET_PROFILE'], pathlib.Path.cwd())",
        "6 * 7",
        "from ipywidgets import interactive, Output\n"
        "interactive(lambda x: print('drawn', x), {'auto_display': True}, x=(0, 3))",
        "shown = Output()\nshown",
        "shown.append_stdout('drawn later')",
    )
    before = path.read_text()
    done = run(path, tmp_path / "out", GLANET_PROFILE="")
    assert done.returncode == 0, done.stderr
    copy = nbformat.read(only(tmp_path / "out", "small-*.ipynb"), as_version=4)
    first, second, *widgets = copy.cells
    assert first.outputs[0].text == f"full {tmp_path}\n"
    assert second.outputs[0].data["text/plain"] == "42"
    assert [cell.outputs for cell in widgets] == [[], [], []]
    assert "widgets" not in copy.metadata
    log = only(tmp_path / "out", "small-*.log").read_text()
    for said in (f"full {tmp_path}\n", "42\n"):
        assert said in done.stdout
        assert said in log
    assert path.read_text() == before


def test_the_profile_in_the_environment_holds(tmp_path):
    path = notebook(tmp_path / "small.ipynb", "import os; print(os.environ['GLANET_PROFILE'])")
    assert "\nsmoke\n" in run(path, tmp_path / "out", GLANET_PROFILE="smoke").stdout


def test_a_cell_that_fails_is_named_and_what_came_before_it_is_kept(tmp_path):
    path = notebook(
        tmp_path / "small.ipynb",
        "# ## 1 · All is well",
        "print('so far')",
        "# ## 2 · Trouble",
        "ratio = 1 / 0\nprint(ratio)",
        "print('never')",
    )
    done = run(path, tmp_path / "out")
    assert done.returncode == 1
    assert "small.ipynb: cell 3, under '2 · Trouble', `ratio = 1 / 0` failed" in done.stderr
    assert "ZeroDivisionError" in done.stdout
    copy = nbformat.read(only(tmp_path / "out", "small-*.ipynb"), as_version=4)
    assert copy.cells[1].outputs[0].text == "so far\n"
    assert copy.cells[3].outputs[0].ename == "ZeroDivisionError"
    assert copy.cells[4].outputs == []


def test_ended_in_the_middle_of_a_cell_it_keeps_what_that_cell_said(tmp_path):
    path = notebook(
        tmp_path / "small.ipynb", "print('before')", "import time\nprint('now')\ntime.sleep(60)"
    )
    command = [sys.executable, "-u", "-m", "glanet.course.tools.headless", str(path)]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if line == "now\n":
            break
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert time.monotonic() - started < 30
    assert process.returncode == 1
    assert "cell 1, `import time` was ended with its kernel" in said
    copy = nbformat.read(only(tmp_path / "out", "small-*.ipynb"), as_version=4)
    assert [cell.outputs[0].text for cell in copy.cells] == ["before\n", "now\n"]


def test_a_copy_is_saved_while_a_cell_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(headless, "SAVE_EVERY", 0.0)
    out = tmp_path / "out"
    path = notebook(
        tmp_path / "small.ipynb",
        f"import pathlib, time\nprint('now', flush=True)\n"
        f"for _ in range(100):\n"
        f"    found = list(pathlib.Path({str(out)!r}).glob('*.ipynb'))\n"
        f"    if found and 'now' in found[0].read_text().split('outputs')[-1]: break\n"
        f"    time.sleep(0.1)\n"
        f"print('saved already:', 'now\\\\n' in found[0].read_text())",
    )
    copy = nbformat.read(headless.execute(path, out), as_version=4)
    assert "saved already: True" in "".join(output.text for output in copy.cells[0].outputs)


def test_a_name_stands_for_one_notebook():
    assert headless.find("12").name == "12_full_training.ipynb"
    with pytest.raises(headless.HeadlessError, match=r"99: 0 notebooks are called so; choose from"):
        headless.find("99")
    with pytest.raises(headless.HeadlessError, match=r"0: [0-9]+ notebooks"):
        headless.find("0")
