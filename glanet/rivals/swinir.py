"""SwinIR: windows of attention alone.

Liang, Cao, Sun, Zhang, Van Gool, Timofte: *SwinIR: Image Restoration Using Swin Transformer*, ICCV
Workshops 2021. GLA-Net grew out of it: what GLA-Net adds (Inception, dense connections, the
bilinear base) are switches of `ModelConfig`. With all three off, the same parts make SwinIR (Fig.
2): its residual Swin transformer blocks are GLA blocks, its Swin transformer layers GLA layers.
"""

from dataclasses import dataclass
from typing import ClassVar

from glanet.model.config import ModelConfig
from glanet.model.network import GLANet
from glanet.model.released import read_values

_TINY = {
    "channels": 40,
    "blocks": 3,
    "layers": 2,
    "heads": 4,
    "mlp_ratio": 1.325,  # as many parameters as GLA-Net's tiny
    "stochastic_depth": 0.0,
    "light_head": True,
}


@dataclass(frozen=True, kw_only=True)
class SwinIRConfig(ModelConfig):
    """The shape of a SwinIR. The defaults are the paper's classical super-resolution at ×2."""

    network: ClassVar[str] = "swinir"
    PRESETS: ClassVar[dict[str, dict]] = {"tiny": _TINY, "paper": {}}

    inception: bool = False
    dense: bool = False
    bilinear_base: bool = False


@dataclass(frozen=True, kw_only=True)
class SwinIRLightConfig(SwinIRConfig):
    """The shape of the lightweight SwinIR, which ends in one convolution and a pixel shuffle."""

    network: ClassVar[str] = "swinir-light"

    channels: int = 60
    blocks: int = 4
    light_head: bool = True


class SwinIR(GLANet):
    """Images (B, 3, H, W) in [0, 1] -> images (B, 3, scale·H, scale·W), for any H, W ≥ 1."""


def read_released(tensors):
    """The config and the tensors by our names; None where they are not classical SwinIR's."""
    return _read(tensors, SwinIRConfig, light_head=False)


def read_released_light(tensors):
    """The config and the tensors by our names; None where they are not SwinIR-light's."""
    return _read(tensors, SwinIRLightConfig, light_head=True)


def _read(tensors, config, light_head):
    values, found = read_values(tensors) or ({"dense": True}, {})
    if values["dense"] or values["light_head"] != light_head:
        return None
    return config(**values), found
