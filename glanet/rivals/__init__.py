"""The networks that GLA-Net's paper compares with: one file each."""

from glanet.rivals import csnln, han, ignn, nlsn, rcan, rnan, san, swinir

__all__ = ["csnln", "han", "ignn", "nlsn", "rcan", "rnan", "san", "swinir"]
