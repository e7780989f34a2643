"""The networks that GLA-Net's paper compares with: one file each."""

from glanet.rivals import csnln, nlsn, rcan, swinir

__all__ = ["csnln", "nlsn", "rcan", "swinir"]
