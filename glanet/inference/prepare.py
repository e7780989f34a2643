"""A model made ready for inference: the same images from the same weights, sooner."""

import copy
from functools import cache, lru_cache
from types import MethodType

import torch
import torch.nn.functional as F
from torch import nn

from glanet.device import choose_device
from glanet.errors import ArgumentError
from glanet.fast import can_join, cast, compute, is_fast, join
from glanet.inference.bands import BandedLayer
from glanet.model.attention import WindowAttention, attend, attend_fused, shift_mask
from glanet.model.trunk import Trunk

DTYPES = (torch.float32, torch.bfloat16)


class Prepared(nn.Module):
    """What `prepare` returns: images (B, 3, H, W) in [0, 1] -> (B, 3, scale·H, scale·W)."""

    def __init__(self, model, dtype):
        super().__init__()
        self.model, self.dtype = model, dtype
        for name in ("config", "multiple", "tiling", "values_per_pixel"):
            if hasattr(model, name):  # a whole image needs none but the config
                setattr(self, name, getattr(model, name))

    @torch.no_grad()
    def forward(self, image):
        """The image enlarged; computes no gradients."""
        reduced = self.dtype != torch.float32
        with torch.autocast(image.device.type, self.dtype, enabled=reduced):
            return self.model(image).float()


def prepare(
    model: nn.Module, device: str | torch.device | None = None, dtype: torch.dtype | None = None
) -> Prepared:
    """A callable with the same images in and out as the model, and faster.

    It is a snapshot: it has weights of its own, and does not see those of ``model`` change. In
    float32 its images differ from the model's by rounding, 1e-5 at most. Layers that are not
    GLA-Net's or SwinIR's are computed as before. ``upscale`` prepares a model by itself; to prepare
    it once pays for many images.

    Args:
        device: default: the model's.
        dtype: float32, the default, or bfloat16, which is faster where the device has it.

    Raises:
        ArgumentError: an unknown device, another dtype, or a model that is prepared.

    Example:
        >>> import torch
        >>> from glanet.inference import prepare
        >>> from glanet.weights import load
        >>> ready = prepare(load("tiny-x2"))
        >>> ready(torch.rand(1, 3, 20, 30)).shape
        torch.Size([1, 3, 40, 60])
    """
    if isinstance(model, Prepared):
        raise ArgumentError("the model is prepared; expected the model that was")
    if dtype not in (None, *DTYPES):
        raise ArgumentError(f"dtype is {dtype}; expected torch.float32 or torch.bfloat16")
    device = next(model.parameters()).device if device is None else choose_device(device)
    own = copy.deepcopy(model).eval().to(device)
    with torch.no_grad():
        _replace_layers(own, device, dtype or torch.float32)
    _keep_biases(own)
    return Prepared(own, dtype or torch.float32)


def ready(model: nn.Module) -> nn.Module:
    """The model prepared, where that gains something and somebody may not be looking inside.

    A model with hooks, or with a part that computes something else than its class, stays itself.
    """
    parts = list(model.modules())
    if any(map(can_join, parts)) and all(map(_as_its_class_says, parts)):
        return prepare(model)
    return model


def _as_its_class_says(part):
    if part._forward_hooks or part._forward_pre_hooks:
        return False
    if isinstance(part, WindowAttention) and part.attend not in (attend, attend_fused):
        return False
    own = {name for name, value in vars(part).items() if callable(value)}
    return is_fast(part) or own <= {"attend", "_compiled_call_impl"}


def _replace_layers(model, device, dtype):
    for part in list(model.modules()):
        if type(part) is Trunk:
            part._dense = MethodType(_dense, part)
        for name, child in part.named_children():
            if can_join(child):
                fast = BandedLayer if device.type == "cpu" else JoinedLayer
                setattr(part, name, fast(child, dtype))


class JoinedLayer(nn.Module):
    """What `GLALayer.forward` returns, in eval mode, from weights joined once."""

    def __init__(self, layer, dtype):
        super().__init__()
        self.layer, self.joined = layer, cast(join(layer), dtype)

    def forward(self, tokens):
        return compute(self.layer, self.joined, tokens)


def _dense(trunk, tokens):
    """What `Trunk._dense` returns; a sum of products needs no concatenation."""
    collected = [tokens]
    for transition, block in zip(trunk.transitions, trunk.blocks, strict=True):
        if isinstance(transition, nn.Identity):
            tokens = collected[0]
        else:
            first, *others = transition.weight.chunk(len(collected), dim=1)
            tokens = F.linear(collected[0], first, transition.bias)
            for earlier, weight in zip(collected[1:], others, strict=True):
                tokens += F.linear(earlier, weight)
        tokens = block(tokens)
        collected.insert(0, tokens)
    return tokens


def _keep_biases(model):
    """Gather position biases once, and let a shift mask serve all layers.

    Both depend on the weights and the image's size alone.
    """
    kept_mask = lru_cache(maxsize=2)(shift_mask)  # as large as an activation: the last sizes only

    def mask_of(attention):
        device = attention.bias_table.device
        return lambda height, width, dtype: kept_mask(
            height, width, attention.window, attention.shift, dtype, device
        )

    for part in model.modules():
        if isinstance(part, WindowAttention):
            part.position_bias = cache(part.position_bias)
            part.mask = mask_of(part)
