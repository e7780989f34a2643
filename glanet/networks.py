"""The register: every network that glanet trains, measures and enlarges images with.

Whoever trains, measures, loads or enlarges asks a model for the following, and for nothing else:

- ``config``: a `glanet.config.ModelShape`, with ``network``, ``scale``, ``preset`` and ``to_dict``;
- ``forward``: images (B, 3, H, W) in [0, 1] -> (B, 3, scale·H, scale·W), for any H, W ≥ 1;
- ``multiple``: tiles start on multiples of it, LR pixels: the window; 1 for a CNN;
- ``values_per_pixel``: float32 values alive for each LR pixel at the peak, measured;
- ``tiling``: False where the network needs to see the whole image;
- ``repeated()``: the modules that are worth compiling, as each stands for many alike.

docs/adding-a-network.md walks through adding one.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from glanet import model, rivals
from glanet.config import ModelShape
from glanet.errors import ArgumentError
from glanet.model.config import ModelConfig


@dataclass(frozen=True)
class Network:
    """One entry of the register.

    ``read_released`` takes the tensors of a published checkpoint by their names there, and returns
    the config and the tensors by our names, or None where the checkpoint is of another network.
    ``files`` are the names, with ``{scale}`` in them, under which its weights are published.
    """

    title: str
    paper: str
    config: type[ModelShape]
    model: Callable[[ModelShape], nn.Module]
    read_released: Callable[[dict], tuple[ModelShape, dict] | None]
    files: tuple[str, ...]


NETWORKS = {
    "gla-net": Network(
        "GLA-Net",
        "Pan et al., ICIP 2023",
        ModelConfig,
        model.GLANet,
        model.released.read,
        ("GLA-Netx{scale}.pth",),
    ),
    "swinir": Network(
        "SwinIR",
        "Liang et al., ICCVW 2021",
        rivals.swinir.SwinIRConfig,
        rivals.swinir.SwinIR,
        rivals.swinir.read_released,
        (
            "001_classicalSR_DIV2K_s48w8_SwinIR-M_x{scale}.pth",
            "001_classicalSR_DF2K_s64w8_SwinIR-M_x{scale}.pth",
        ),
    ),
    "swinir-light": Network(
        "SwinIR-light",
        "Liang et al., ICCVW 2021",
        rivals.swinir.SwinIRLightConfig,
        rivals.swinir.SwinIR,
        rivals.swinir.read_released_light,
        ("002_lightweightSR_DIV2K_s64w8_SwinIR-S_x{scale}.pth",),
    ),
    "rcan": Network(
        "RCAN",
        "Zhang et al., ECCV 2018",
        rivals.rcan.RCANConfig,
        rivals.rcan.RCAN,
        rivals.rcan.read_released,
        ("RCAN_BIX{scale}.pt",),
    ),
    "san": Network(
        "SAN",
        "Dai et al., CVPR 2019",
        rivals.san.SANConfig,
        rivals.san.SAN,
        rivals.san.read_released,
        ("SAN_BI{scale}X.pt",),
    ),
    "han": Network(
        "HAN",
        "Niu et al., ECCV 2020",
        rivals.han.HANConfig,
        rivals.han.HAN,
        rivals.han.read_released,
        ("HAN_BIX{scale}.pt",),
    ),
    "nlsn": Network(
        "NLSN",
        "Mei et al., CVPR 2021",
        rivals.nlsn.NLSNConfig,
        rivals.nlsn.NLSN,
        rivals.nlsn.read_released,
        (),
    ),
    "csnln": Network(
        "CSNLN",
        "Mei et al., CVPR 2020",
        rivals.csnln.CSNLNConfig,
        rivals.csnln.CSNLN,
        rivals.csnln.read_released,
        (),
    ),
    "rnan": Network(
        "RNAN",
        "Zhang et al., ICLR 2019",
        rivals.rnan.RNANConfig,
        rivals.rnan.RNAN,
        rivals.rnan.read_released,
        ("RNAN_SR_F64G10P48BIX{scale}.pt",),
    ),
}


def find(name) -> Network:
    """The entry of that name.

    Raises:
        ArgumentError: there is none.
    """
    if name not in NETWORKS:
        raise ArgumentError(f"network is {name!r}; expected one of {', '.join(NETWORKS)}")
    return NETWORKS[name]


def build(config) -> nn.Module:
    """The model of that config, untrained.

    Example:
        >>> from glanet import networks
        >>> "rcan" in networks.NETWORKS
        True
        >>> config = networks.find("rcan").config.preset("tiny", scale=3)
        >>> model = networks.build(config)
        >>> type(model).__name__, networks.count_parameters(model)
        ('RCAN', 145979)
    """
    return find(config.network).model(config)


def to_dict(config) -> dict:
    """A config as plain values, the name of its network among them, for JSON."""
    return {"network": config.network, **config.to_dict()}


def from_dict(values) -> ModelShape:
    """The config in what ``to_dict`` returned. Without a network's name it is GLA-Net's.

    Raises:
        ArgumentError: an unknown network or field, or an impossible value.
    """
    if not isinstance(values, dict):
        raise ArgumentError(f"a config is {type(values).__name__}; expected names and values")
    fields = dict(values)
    return find(fields.pop("network", "gla-net")).config.from_dict(fields)


def count_parameters(model_or_config) -> int:
    """The number of parameters of a model, or of the model of a config, which takes no memory."""
    found = model_or_config
    if isinstance(found, ModelShape):
        with torch.device("meta"):
            found = build(found)
    return sum(tensor.numel() for tensor in found.parameters())
