"""`make lab` serves the course."""

import ipaddress
import json
import re
import time
from functools import partial

import psutil
import pytest

from tests.served import MISSING, ask, can_be_made, make_lab

pytestmark = pytest.mark.skipif(not can_be_made(), reason=MISSING)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A running `make lab`: what it tells about itself."""
    with make_lab(tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture
def lab(server):
    """A function from a path to what the running `make lab` answers."""
    return partial(ask, server)


def listening(process):
    """The addresses at which a process awaits connections."""
    connections = process.net_connections("inet")
    return [each.laddr.ip for each in connections if each.status == psutil.CONN_LISTEN]


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


def test_neither_it_nor_a_kernel_listens_beyond_this_machine(server):
    lab = psutil.Process(server["pid"])
    ask(server, "/api/kernels", data=b'{"name": "python3"}')
    for _ in range(300):  # until the kernel listens: of its channels, five have a port
        kernels = [port for child in lab.children() for port in listening(child)]
        if len(kernels) >= 5:
            break
        time.sleep(0.2)
    assert len(kernels) >= 5
    addresses = {*listening(lab), *kernels}
    assert all(ipaddress.ip_address(address).is_loopback for address in addresses)


def test_it_asks_nothing_of_the_internet(lab):
    _, answer = lab("/lab/api/settings/@jupyterlab/apputils-extension:notification")
    defaults = json.loads(answer)["schema"]["properties"]
    assert defaults["fetchNews"]["default"] == "false"
    assert defaults["checkForUpdates"]["default"] is False
