"""GLA-Net: image super-resolution with convolution and attention side by side.

What needs torch is imported at its first use. Importing torch takes seconds, in which the command
line must already be able to stop.
"""

from importlib import import_module

from glanet.errors import GlanetError

__all__ = ["GLANet", "GlanetError", "ModelConfig"]


def __getattr__(name):
    if name == "GLANet":
        from glanet.model import GLANet
        from glanet.weights import with_hub

        return with_hub(GLANet)
    if name == "ModelConfig":
        from glanet.model.config import ModelConfig

        return ModelConfig
    if name in ("config", "model", "networks", "rivals", "weights"):
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
