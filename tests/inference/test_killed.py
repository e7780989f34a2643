"""`glanet upscale`, a process of its own on a slow disk, is killed while it writes a file."""

import subprocess
import sys

import numpy as np
import pytest
import skimage.data
from PIL import Image

from glanet.files import PART
from tests.training.waiting import wait_for

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no SIGTERM and deletes no open file"
)

ON_A_SLOW_DISK = """
import time
from pathlib import Path
from glanet.cli import main

def write_slowly(path, content):
    half = len(content) // 2
    with path.open("wb", buffering=0) as file:
        file.write(content[:half])
        time.sleep(3)
        file.write(content[half:])

Path.write_bytes = write_slowly
main()
"""


@pytest.fixture
def photos(tmp_path):
    for number, name in enumerate(("a", "b", "c")):
        crop = skimage.data.astronaut()[40 * number : 40 * number + 24, 200:232]
        Image.fromarray(crop).save(tmp_path / f"{name}.png")
    return tmp_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def half_written(folder):
    return [path for path in folder.glob(f"{PART}*") if path.stat().st_size]


def upscale(photos, *start):
    """`glanet upscale` of all photographs, started by these arguments of Python."""
    return subprocess.Popen(
        [sys.executable, *start, "upscale", str(photos)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_after_a_kill_no_result_is_half_and_the_next_run_does_the_rest(photos):
    before = names(photos)
    with upscale(photos, "-c", ON_A_SLOW_DISK) as killed:
        wait_for(lambda: (photos / "a-x2.png").exists() and half_written(photos))
        killed.kill()
    assert names(photos) == sorted([*before, half_written(photos)[0].name, "a-x2.png"])
    with upscale(photos, "-m", "glanet") as again:
        said, _ = again.communicate()
    assert again.returncode == 0
    assert "a-x2.png: skipped, exists" in said
    assert names(photos) == sorted([*before, "a-x2.png", "b-x2.png", "c-x2.png"])
    for result in photos.glob("*-x2.png"):
        assert np.asarray(Image.open(result)).shape == (48, 64, 3)


def test_sigterm_lets_the_file_be_finished_that_is_being_written(photos):
    before = names(photos)
    with upscale(photos, "-c", ON_A_SLOW_DISK) as ended:
        wait_for(lambda: half_written(photos))
        ended.terminate()
        _, said = ended.communicate()
    assert ended.returncode == 1
    assert said.splitlines()[-1].startswith("glanet: stopped; ")
    assert names(photos) == sorted([*before, "a-x2.png"])
    assert np.asarray(Image.open(photos / "a-x2.png")).shape == (48, 64, 3)
