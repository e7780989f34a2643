import io
import json

import nbformat
import numpy as np
import PIL.Image
from nbclient import NotebookClient
from nbclient.output_widget import OutputWidget

from glanet.course.kit.explore import explore_pixel
from glanet.course.kit.photo import details

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


def test_a_click_chooses_a_pixel_and_draws_once():
    photo = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)
    drawn = []

    def draw(row, column):
        drawn.append((row, column))
        return details({"photo": photo}, top=row, left=column, side=16)

    explorer = explore_pixel(photo, draw, row=1, column=2)
    frame, row, column, _ = explorer.children
    (image,) = frame.children
    shown = np.asarray(PIL.Image.open(io.BytesIO(image.value)))
    assert shown.shape == (200, 300, 3)
    assert explorer.clicks.source is image
    explorer.clicks._handle_mouse_msg(None, {"dataX": 299, "dataY": 105}, [])
    assert (shown[105, 299] == photo[10, 29]).all()
    assert (row.value, column.value) == (10, 29)
    column.value = 3
    assert drawn == [(1, 2), (10, 29), (10, 3)]
