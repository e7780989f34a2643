"""A notebook runs under a plain client, as ``jupyter nbconvert --execute`` uses it."""

import os

import nbformat
from nbclient import NotebookClient
from nbclient.output_widget import OutputWidget

from glanet.course.tools import build


def test_notebook_13_runs_to_its_end_without_reporting_widgets_to_the_kernel(monkeypatch):
    # nbclient reports what a widget captured through the socket on which it awaits the end of the
    # cell, and may then miss that end: for the square to drag it did so every time
    reports = []
    monkeypatch.setattr(OutputWidget, "sync_state", reports.append)
    notebook = nbformat.read(build.NOTEBOOKS / "13_evaluation.ipynb", as_version=4)
    folder = {"metadata": {"path": build.NOTEBOOKS}}
    client = NotebookClient(notebook, timeout=300, resources=folder)
    client.execute(env={**os.environ, "GLANET_PROFILE": "smoke"})
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert "exercises of the course are solved" in code[-1].outputs[0].text
    assert reports == []
