"""What `make` does before it installs anything."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from glanet.__main__ import SPINS, SPINS_VARIABLE

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


@pytest.mark.parametrize(("before", "inside"), [({}, SPINS), ({SPINS_VARIABLE: "7"}, 7)])
def test_threads_spin_as_long_as_under_the_command_unless_somebody_says_otherwise(before, inside):
    others = {name: value for name, value in os.environ.items() if name != SPINS_VARIABLE}
    show = f"--eval=show: ; @printenv {SPINS_VARIABLE}"
    done = subprocess.run(
        ["make", "--no-print-directory", show, "show"],
        cwd=ROOT,
        env=others | before,
        capture_output=True,
        text=True,
    )
    assert int(done.stdout) == inside


def test_the_documents_name_how_long_threads_spin():
    text = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert text.count(f"{SPINS_VARIABLE}={SPINS}") == text.count(f"{SPINS_VARIABLE}=") > 0
