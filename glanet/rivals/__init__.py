"""The networks that GLA-Net's paper compares with: one file each."""

from glanet.rivals import han, rcan, rnan, san, swinir

__all__ = ["han", "rcan", "rnan", "san", "swinir"]
