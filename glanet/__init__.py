"""GLA-Net: image super-resolution with convolution and attention side by side."""

from glanet import model
from glanet.errors import GlanetError
from glanet.model.config import ModelConfig
from glanet.weights import with_hub

GLANet = with_hub(model.GLANet)

__all__ = ["GLANet", "GlanetError", "ModelConfig"]
