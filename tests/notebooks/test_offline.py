"""`make test` runs without a network, notebooks' kernels included."""

import os
import socket
import subprocess
import sys
import urllib.request

import nbformat
import pytest
from nbclient import NotebookClient

ELSEWHERE = "192.0.2.1"  # reserved for documentation: no machine has it

pytestmark = pytest.mark.skipif(
    "tests/offline" not in os.environ.get("PYTHONPATH", "").replace(os.sep, "/"),
    reason="the network is blocked by `make test` only",
)


def test_no_other_machine_can_be_reached():
    with pytest.raises(OSError, match="without a network"):
        socket.create_connection((ELSEWHERE, 80), timeout=1)
    with pytest.raises(OSError, match="without a network"):
        urllib.request.urlopen("http://example.org", timeout=1)


def test_this_machine_can_be_reached():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()


def test_the_block_holds_in_a_notebooks_kernel_and_in_what_it_starts():
    asks = f"import socket; socket.create_connection(('{ELSEWHERE}', 80), timeout=1)"
    result = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True)
    assert "without a network" in result.stderr
    cell = nbformat.v4.new_code_cell(
        f"try:\n    {asks}\nexcept OSError as error:\n    print(error)"
    )
    notebook = nbformat.v4.new_notebook(cells=[cell])
    NotebookClient(notebook, kernel_name="python3").execute()
    assert "without a network" in cell.outputs[0].text
