"""Opening a notebook in `make lab` and saving it leaves its file as it is."""

import json
from pathlib import Path

import pytest
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelspec import KERNEL_NAME, get_kernel_dict
from jupyter_server.services.contents.filemanager import FileContentsManager
from traitlets.config import PyFileConfigLoader

from glanet.course.tools import build

SETTINGS = Path(__file__).parents[2] / "jupyter"


def set_by_lab(metadata):
    """Write what JupyterLab writes as soon as a notebook's kernel has answered."""
    spec = get_kernel_dict()
    names = {"name": KERNEL_NAME} | {key: spec[key] for key in ("display_name", "language")}
    metadata |= {"kernelspec": names, "language_info": IPythonKernel.language_info}


@pytest.mark.parametrize("source", build.sources(), ids=lambda path: path.stem)
def test_a_notebook_saved_by_lab_is_the_same_file(source, tmp_path):
    settings = PyFileConfigLoader("jupyter_lab_config.py", str(SETTINGS)).load_config()
    notebook = build.target(source)
    model = FileContentsManager(root_dir=str(notebook.parent)).get(notebook.name)
    content = json.loads(json.dumps(model["content"]))  # as it travels to the browser and back
    set_by_lab(content["metadata"])
    saved = {"type": "notebook", "format": "json", "content": content}
    FileContentsManager(root_dir=str(tmp_path), config=settings).save(saved, notebook.name)
    assert (tmp_path / notebook.name).read_bytes() == notebook.read_bytes()
