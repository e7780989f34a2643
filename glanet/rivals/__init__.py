"""The networks that GLA-Net's paper compares with: one file each."""

from glanet.rivals import rcan, rnan, swinir

__all__ = ["rcan", "rnan", "swinir"]
