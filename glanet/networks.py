"""The register: every network that glanet trains, measures and enlarges images with.

Whoever trains, measures, loads or enlarges asks a model for the following, and for nothing else:

- ``config``: a `glanet.config.ModelShape`, with ``network``, ``scale``, ``preset`` and ``to_dict``;
- ``forward``: images (B, 3, H, W) in [0, 1] -> (B, 3, scale·H, scale·W), for any H, W ≥ 1;
- ``multiple``: tiles start on multiples of it, LR pixels: the window; 1 for a CNN;
- ``values_per_pixel``: float32 values alive for each LR pixel at the peak, measured;
- ``tiling``: False where the network needs to see the whole image;
- ``value_range``: values inside lie in [0, 1] or [0, 255], as the published weights expect them;
- ``repeated()``: the modules that are worth compiling, as each stands for many alike.

docs/adding-a-network.md walks through adding one.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch._subclasses import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from glanet import model, rivals
from glanet.config import ModelShape
from glanet.errors import ArgumentError
from glanet.model.config import ModelConfig


@dataclass(frozen=True)
class Network:
    """One entry of the register.

    ``read_released`` takes the tensors of a published checkpoint by their names there, and returns
    the config and the tensors by our names, or None where the checkpoint is of another network.
    ``files`` are the names, with ``{scale}`` in them, under which its weights are published, and
    ``weights`` is the page that links to them. ``cut_at``: in the authors' own tests, a piece of
    that many LR pixels is cut again (see `inference.quadrants`); None where they cut no image.
    """

    title: str
    paper: str
    config: type[ModelShape]
    model: Callable[[ModelShape], nn.Module]
    read_released: Callable[[dict], tuple[ModelShape, dict] | None]
    files: tuple[str, ...]
    year: int
    weights: str
    cut_at: int | None


NETWORKS = {
    "gla-net": Network(
        "GLA-Net",
        "Pan et al., ICIP",
        ModelConfig,
        model.GLANet,
        model.released.read,
        ("GLA-Netx{scale}.pth",),
        year=2023,
        weights="github.com/PANpinchi/GLA-Net_release",
        cut_at=None,
    ),
    "swinir": Network(
        "SwinIR",
        "Liang et al., ICCVW",
        rivals.swinir.SwinIRConfig,
        rivals.swinir.SwinIR,
        rivals.swinir.read_released,
        (
            "001_classicalSR_DIV2K_s48w8_SwinIR-M_x{scale}.pth",
            "001_classicalSR_DF2K_s64w8_SwinIR-M_x{scale}.pth",
        ),
        year=2021,
        weights="github.com/JingyunLiang/SwinIR",
        cut_at=None,
    ),
    "swinir-light": Network(
        "SwinIR-light",
        "Liang et al., ICCVW",
        rivals.swinir.SwinIRLightConfig,
        rivals.swinir.SwinIR,
        rivals.swinir.read_released_light,
        ("002_lightweightSR_DIV2K_s64w8_SwinIR-S_x{scale}.pth",),
        year=2021,
        weights="github.com/JingyunLiang/SwinIR",
        cut_at=None,
    ),
    "rcan": Network(
        "RCAN",
        "Zhang et al., ECCV",
        rivals.rcan.RCANConfig,
        rivals.rcan.RCAN,
        rivals.rcan.read_released,
        ("RCAN_BIX{scale}.pt",),
        year=2018,
        weights="github.com/yulunzhang/RCAN",
        cut_at=160_000,
    ),
    "san": Network(
        "SAN",
        "Dai et al., CVPR",
        rivals.san.SANConfig,
        rivals.san.SAN,
        rivals.san.read_released,
        ("SAN_BI{scale}X.pt",),
        year=2019,
        weights="github.com/daitao/SAN",
        cut_at=160_000,
    ),
    "ignn": Network(
        "IGNN",
        "Zhou et al., NeurIPS",
        rivals.ignn.IGNNConfig,
        rivals.ignn.IGNN,
        rivals.ignn.read_released,
        (),
        year=2020,
        weights="github.com/sczhou/IGNN",
        cut_at=40_000,
    ),
    "han": Network(
        "HAN",
        "Niu et al., ECCV",
        rivals.han.HANConfig,
        rivals.han.HAN,
        rivals.han.read_released,
        ("HAN_BIX{scale}.pt",),
        year=2020,
        weights="github.com/wwlCape/HAN",
        cut_at=160_000,
    ),
    "nlsn": Network(
        "NLSN",
        "Mei et al., CVPR",
        rivals.nlsn.NLSNConfig,
        rivals.nlsn.NLSN,
        rivals.nlsn.read_released,
        (),
        year=2021,
        weights="github.com/HarukiYqM/Non-Local-Sparse-Attention",
        cut_at=120_000,
    ),
    "csnln": Network(
        "CSNLN",
        "Mei et al., CVPR",
        rivals.csnln.CSNLNConfig,
        rivals.csnln.CSNLN,
        rivals.csnln.read_released,
        (),
        year=2020,
        weights="github.com/SHI-Labs/Cross-Scale-Non-Local-Attention",
        cut_at=3_600,
    ),
    "rnan": Network(
        "RNAN",
        "Zhang et al., ICLR",
        rivals.rnan.RNANConfig,
        rivals.rnan.RNAN,
        rivals.rnan.read_released,
        ("RNAN_SR_F64G10P48BIX{scale}.pt",),
        year=2019,
        weights="github.com/yulunzhang/RNAN",
        cut_at=30_000,
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


def count_flop(config, side=64, width=None) -> int:
    """Floating-point operations of the model of a config for one LR image of ``side`` × ``side``.

    With ``width``, of ``side`` × ``width``.
    A multiply-add counts as 2; only convolutions and matrix products count. Nothing is computed:
    the tensors have shapes and no values.
    """
    untrained = build(config).eval()
    shapes_only = FakeTensorMode(allow_non_fake_inputs=True)
    in_steps = sdpa_kernel(SDPBackend.MATH)  # PyTorch does not count a CPU's fused attention
    with torch.no_grad(), shapes_only, in_steps, FlopCounterMode(display=False) as counter:
        untrained(torch.empty(1, 3, side, width or side))
    return counter.get_total_flops()
