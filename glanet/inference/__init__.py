"""Upscaling images with a network."""

from glanet.inference.prepare import prepare
from glanet.inference.upscale import tile_that_fits, upscale, upscale_within

__all__ = ["prepare", "tile_that_fits", "upscale", "upscale_within"]
