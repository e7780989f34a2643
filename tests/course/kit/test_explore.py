import json

import nbformat
from nbclient import NotebookClient
from nbclient.output_widget import OutputWidget

CELL = """
import numpy as np
from ipywidgets import IntSlider
from glanet.course.kit.photo import details
from glanet.course.kit.explore import explore

image = np.zeros((20, 30, 3), np.uint8)
shown = explore(lambda top: details({"black": image}, top=top, left=0, side=16), top=IntSlider(0))
shown
"""


def test_moving_a_control_replaces_the_figure_without_a_report_to_the_kernel(monkeypatch):
    reports = []
    monkeypatch.setattr(OutputWidget, "sync_state", reports.append)
    cells = [nbformat.v4.new_code_cell(text) for text in (CELL, "shown.children[0].value = 3")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, kernel_name="python3").execute()
    state = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    (output,) = (w["state"] for w in state.values() if w["model_name"] == "OutputModel")
    (drawn,) = output["outputs"]
    assert "image/png" in json.dumps(drawn)
    assert reports == []  # a plain client that reports may miss the end of the cell
