"""Upscaling images with a network."""

from glanet.inference.upscale import upscale

__all__ = ["upscale"]
