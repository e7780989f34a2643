"""Upscaling images with a network."""

from glanet.inference.prepare import prepare, ready
from glanet.inference.upscale import tile_that_fits, upscale, upscale_within

__all__ = ["prepare", "ready", "tile_that_fits", "upscale", "upscale_within"]
