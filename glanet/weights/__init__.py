"""Weights: those shipped with the package, and released checkpoints of others."""

from glanet.weights.pretrained import GLANet, WeightsError, shipped_names
from glanet.weights.released import load_released

__all__ = ["GLANet", "WeightsError", "load_released", "shipped_names"]
