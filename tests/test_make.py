"""`make lab` tells root how to start it, before it installs anything."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def make_as(tmp_path):
    """A function that runs make's first step of `lab` as the user with a number."""
    if shutil.which("make") is None:
        pytest.skip("needs make")

    def make(number, options):
        (tmp_path / "id").write_text(f"#!/bin/sh\necho {number}\n")
        (tmp_path / "id").chmod(0o755)
        path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["make", "may-start-lab", f"ARGS={options}"],
            cwd=ROOT,
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
        )

    return make


def test_as_root_lab_asks_to_be_told_so(make_as):
    done = make_as(0, "--no-browser")
    assert done.returncode != 0
    assert 'make lab ARGS="--allow-root"' in done.stdout


@pytest.mark.parametrize(("number", "options"), [(0, "--port 1 --allow-root"), (1000, "")])
def test_who_is_not_root_or_says_so_may_start_it(make_as, number, options):
    assert make_as(number, options).returncode == 0
