"""Upscaling images with a network."""

from glanet.inference.upscale import tile_that_fits, upscale, upscale_within

__all__ = ["tile_that_fits", "upscale", "upscale_within"]
