"""`make lab` serves the course."""

import json
import re
from functools import partial

import pytest

from tests.served import MISSING, ask, can_be_made, make_lab

pytestmark = pytest.mark.skipif(not can_be_made(), reason=MISSING)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A running `make lab`: a function from a path to what the server answers."""
    with make_lab(tmp_path_factory.mktemp("lab")) as server:
        yield partial(ask, server)


def test_it_opens_on_the_first_notebook(lab):
    url, page = lab("/")
    assert "/lab/tree/notebooks/00_start_here.ipynb" in url
    assert "JupyterLab" in page


def test_the_first_notebook_is_there_to_be_opened(lab):
    _, answer = lab("/api/contents/notebooks/00_start_here.ipynb?content=0")
    assert json.loads(answer)["type"] == "notebook"


def test_the_kernel_is_this_environments(lab):
    _, answer = lab("/api/kernelspecs")
    kernels = json.loads(answer)
    assert kernels["default"] == "python3"
    assert re.fullmatch(
        r"python3?|.*/\.venv/bin/python3?", kernels["kernelspecs"]["python3"]["spec"]["argv"][0]
    )


def test_it_asks_nothing_of_the_internet(lab):
    _, answer = lab("/lab/api/settings/@jupyterlab/apputils-extension:notification")
    defaults = json.loads(answer)["schema"]["properties"]
    assert defaults["fetchNews"]["default"] == "false"
    assert defaults["checkForUpdates"]["default"] is False
