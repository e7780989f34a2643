"""The networks that GLA-Net's paper compares with: one file each."""

from glanet.rivals import han, rcan, san, swinir

__all__ = ["han", "rcan", "san", "swinir"]
