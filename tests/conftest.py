"""What every test may ask for."""

import os
from pathlib import Path

import pytest
import torch


def _required_folder(variable, holds):
    """The folder that an environment variable names; skip without it, unless CI requires it."""
    value = os.environ.get(variable)
    if value and Path(value).is_dir():
        return Path(value).resolve()
    reason = f"{variable} is {value!r}; set it to a folder with {holds}"
    if os.environ.get("GLANET_REQUIRE_DATA") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def data_root():
    """The root of the image data (GLANET_DATA)."""
    return _required_folder("GLANET_DATA", "benchmark/ and train/, as data/README.md says")


@pytest.fixture(scope="session")
def golden():
    """The tensors made by the authors' and SwinIR's code (GLANET_GOLDEN)."""
    return _required_folder("GLANET_GOLDEN", "the golden tensors, as CONTRIBUTING.md says")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)
