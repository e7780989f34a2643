"""The networks that GLA-Net's paper compares with: one file each."""

from glanet.rivals import rcan, san, swinir

__all__ = ["rcan", "san", "swinir"]
