"""`make lab` serves the course."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(
    shutil.which("make") is None or not (ROOT / ".venv" / ".ready").exists(),
    reason="needs make, and the environment that `make test` sets up",
)


@pytest.fixture(scope="module")
def lab():
    """A running `make lab`: a function from a path to what the server answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = f"--no-browser --port {port} --port-retries=0 --allow-root --IdentityProvider.token=t"
    server = subprocess.Popen(
        ["make", "lab", f"ARGS={options}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )

    def get(path):
        address = f"http://127.0.0.1:{port}{path}{'&' if '?' in path else '?'}token=t"
        with urllib.request.urlopen(address, timeout=10) as answer:
            return answer.url, answer.read().decode()

    try:
        for _ in range(120):
            try:
                get("/api/status")
                break
            except OSError:
                assert server.poll() is None, server.stdout.read().decode()
                time.sleep(0.5)
        else:
            pytest.fail("make lab did not answer within a minute")
        yield get
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


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
