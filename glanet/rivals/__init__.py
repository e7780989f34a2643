"""The networks that GLA-Net's paper compares with: one file each."""

from glanet.rivals import nlsn, rcan, swinir

__all__ = ["nlsn", "rcan", "swinir"]
