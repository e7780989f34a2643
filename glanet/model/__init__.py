"""What the network is: one file for each section of the paper."""

from glanet.model import released
from glanet.model.config import ModelConfig
from glanet.model.network import GLANet

__all__ = ["GLANet", "ModelConfig", "released"]
