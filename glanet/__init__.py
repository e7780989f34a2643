"""GLA-Net: image super-resolution with convolution and attention side by side."""

from glanet.config import ModelConfig, TrainConfig
from glanet.weights import GLANet

__all__ = ["GLANet", "ModelConfig", "TrainConfig"]
