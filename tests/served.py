"""`make lab`, run for the tests that visit it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
MISSING = "needs make, and the environment that `make test` sets up"


def can_be_made() -> bool:
    """Whether there is what `make lab` needs, without setting it up first."""
    return shutil.which("make") is not None and (ROOT / ".venv" / ".ready").exists()


@contextmanager
def make_lab(home, *options):
    """Run `make lab`; yield what the server tells: ``url``, ``token``, and the ``page`` to open.

    The user's settings, progress and running servers stay out of it: all that it keeps is in the
    folder ``home``. ``options`` are JupyterLab's.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ("--no-browser", "--allow-root", f"--port={port}", "--port-retries=0", *options)
    folders = {
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_DATA_DIR": home / "data",
        "JUPYTER_RUNTIME_DIR": home / "runtime",
        "IPYTHONDIR": home / "ipython",
        "GLANET_PROGRESS": home / "progress.json",
    }
    with (home / "lab.log").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(
            ["make", "lab", f"ARGS={' '.join(options)}"],
            cwd=ROOT,
            env={**os.environ, **{name: str(path) for name, path in folders.items()}},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield _answering(server, home)
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


def _answering(server, home):
    """What the server says about itself, as soon as it answers."""
    for _ in range(240):
        if server.poll() is not None:
            break
        for file in (home / "runtime").glob("jpserver-*.json"):
            try:
                told = json.loads(file.read_text(encoding="utf-8"))
                ask(told, "/api/status")
            except (OSError, ValueError):  # not written, or not listening, yet
                continue
            return {**told, "page": file.with_name(f"{file.stem}-open.html").as_uri()}
        time.sleep(0.5)
    raise AssertionError(f"make lab does not answer:\n{(home / 'lab.log').read_text('utf-8')}")


def ask(server, path, data=None):
    """The address to which the server leads a request for ``path``, and its answer.

    With ``data``, bytes, it is a request that changes something.
    """
    request = urllib.request.Request(
        server["url"].rstrip("/") + path,
        data,
        headers={"Authorization": f"token {server['token']}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.url, answer.read().decode()
