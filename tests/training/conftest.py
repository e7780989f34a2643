import numpy as np
import psutil
import pytest
from PIL import Image

from glanet import ModelConfig
from glanet.training import Recipe, follow


@pytest.fixture
def config():
    """A config that trains in milliseconds, with everything random that training has."""
    return ModelConfig(
        channels=8, blocks=2, layers=2, heads=2, window=4, light_head=True, stochastic_depth=0.3
    )


@pytest.fixture
def photos(tmp_path):
    """A folder of images to train on, and one to validate on."""
    rng = np.random.default_rng(0)
    for name in ("train/a", "train/b", "train/c", "validation/d"):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (7, 9, 3), dtype=np.uint8))
        coarse.resize((44, 36), Image.Resampling.BICUBIC).save(path)
    return tmp_path / "train", tmp_path / "validation"


@pytest.fixture
def recipe(photos):
    """A recipe of a few steps on ``photos``; a function of what differs."""

    def make(**overrides):
        settings = {
            "data": (str(photos[0]),),
            "validation": (str(photos[1]),),
            "steps": 12,
            "batch": 4,
            "patch": 8,
            "learning_rate": 1e-3,
            "precision": "float32",
            "validate_every": 4,
            "save_every": 3,
        }
        return Recipe(**{**settings, **overrides})

    return make


@pytest.fixture
def run(tmp_path):
    """A folder for a run; what trains there is ended when the test is."""
    folder = tmp_path / "run"
    yield folder
    if (pid := follow.status(folder).pid) is not None:
        psutil.Process(pid).kill()
