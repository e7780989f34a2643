"""What every test may ask for."""

import os
import subprocess
import sys
from pathlib import Path

import ipywidgets
import matplotlib.figure
import pytest
import torch
from filelock import FileLock

if not torch.cuda.is_available():  # before anything imports Triton, which reads it once
    os.environ.setdefault("TRITON_INTERPRET", "1")

from glanet.course.tools import enlarge


def _required_folder(variable, holds):
    """The folder that an environment variable names; skip without it, unless CI requires it."""
    value = os.environ.get(variable)
    if value and Path(value).is_dir():
        return Path(value).resolve()
    reason = f"{variable} is {value!r}; set it to a folder with {holds}"
    if os.environ.get("GLANET_REQUIRE_DATA") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark the tests that need a CUDA device: `pytest -m cuda` runs them alone."""
    for item in items:
        reasons = [mark.kwargs.get("reason", "") for mark in item.iter_markers("skipif")]
        if any("CUDA device" in reason for reason in reasons):
            item.add_marker(pytest.mark.cuda)


@pytest.fixture(scope="session")
def data_root():
    """The root of the image data (GLANET_DATA)."""
    return _required_folder("GLANET_DATA", "benchmark/ and train/, as data/README.md says")


@pytest.fixture(scope="session")
def site_pages(tmp_path_factory):
    """The folder of the course's site, built once for all processes of the tests.

    The page that enlarges photographs is left out if npm has not brought what it runs.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    out, built = folder / "book", folder / "book-is-built"
    with FileLock(folder / "book.lock"):
        if not built.exists():
            command = [sys.executable, "-m", "glanet.course.tools.site", "--out", str(out)]
            command += [] if enlarge.cached() else ["--no-enlarge"]
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
            built.touch()
    return out / "html"


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _progress(tmp_path, monkeypatch):
    """No test writes into the user's own file of solved exercises."""
    monkeypatch.setenv("GLANET_PROGRESS", str(tmp_path / "progress.json"))


@pytest.fixture
def fill_disk():
    """A function: from now on no file gets more than so many bytes, as on a full disk."""
    resource = pytest.importorskip("resource", reason="Windows has no limit of the size of files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda room: resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def sweep():
    """A function that puts every control of a widget to its ends (a menu: to every choice).

    Each must give a Figure. It returns the number of controls.
    """

    def draw_all(widget):
        assert len(widget.out.outputs) == 1  # the figure, below the controls
        controls = [child for child in widget.children if hasattr(child, "value")]
        controls = [child for child in controls if not isinstance(child, ipywidgets.Output)]
        for control in controls:
            if isinstance(control.value, bool):
                ends = (False, True)
            else:
                ends = getattr(control, "options", None) or (control.min, control.max)
            before = control.value
            for end in ends:
                control.value = end[1] if isinstance(end, tuple) else end
                drawn = widget.f(**widget.kwargs)
                assert isinstance(drawn, matplotlib.figure.Figure), control.description
                drawn.canvas.draw()  # errors in a figure show when it is drawn
            control.value = before
        return len(controls)

    return draw_all
