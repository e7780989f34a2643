"""Weights: those shipped with the package, and released checkpoints of others."""

from pathlib import Path

from glanet.weights.pretrained import GLANet, WeightsError, shipped_names
from glanet.weights.released import load_released

__all__ = ["GLANet", "WeightsError", "load", "load_released", "shipped_names"]


def load(name_or_path) -> GLANet:
    """Any weights: a released ``.pth`` file, or what ``GLANet.from_pretrained`` takes.

    Raises:
        WeightsError: not to be found, or damaged, or weights of another network.
    """
    if Path(name_or_path).suffix in (".pth", ".pt"):
        return load_released(name_or_path)
    return GLANet.from_pretrained(name_or_path)
