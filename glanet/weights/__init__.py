"""Weights of any network of the register: shipped with the package, trained here, or released."""

from glanet.weights.pretrained import WeightsError, load, shipped_names, with_hub
from glanet.weights.released import load_released

__all__ = ["WeightsError", "load", "load_released", "shipped_names", "with_hub"]
