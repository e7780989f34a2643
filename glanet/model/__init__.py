"""What the network is: one file for each section of the paper."""

from glanet.model.network import GLANet

__all__ = ["GLANet"]
