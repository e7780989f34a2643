"""The memory that a training step takes on a GPU: counted without one, and made smaller."""

from contextlib import nullcontext
from dataclasses import dataclass
from types import MethodType

import torch
from torch._subclasses import FakeTensorMode
from torch.utils.checkpoint import checkpoint

from glanet import networks
from glanet.config import ModelShape
from glanet.device import Alive
from glanet.fast import fast_layers
from glanet.model.attention import WindowAttention
from glanet.training import losses
from glanet.training.guards import smaller
from glanet.training.recipe import Recipe

# of a GPU's memory: kernels' workspace, and holes between tensors
SPARE = 0.05
# float32 values for each parameter: the weight, its gradient, Adam's two, its average and how far
# the average moves
KEPT_VALUES = 6


@dataclass(frozen=True)
class Need:
    """Space that a run needs, and what is free, in bytes.

    ``what`` names it; ``remedy`` says what helps where too little is free.
    """

    what: str
    needed: int
    free: int
    remedy: str

    @property
    def lacking(self) -> bool:
        return self.needed > self.free

    def __str__(self):
        line = f"{self.what}: {self.needed / 1e9:.2f} GB needed, {self.free / 1e9:.2f} free"
        return f"! {line}\n  → {self.remedy}" if self.lacking else f"✓ {line}"


def step_bytes(config: ModelShape, recipe: Recipe, *, bf16=True, processes=1) -> int:
    """Bytes that an uncompiled step takes on each GPU, without the images.

    Its forward and backward pass are carried out on tensors that have shapes and no values, and
    what lives at once is counted. Kernels and the driver take more, see ``SPARE``.

    Args:
        config, recipe: what is trained, and how.
        bf16: whether products are computed in bf16.
        processes: GPUs that share a batch.
    """
    part = max(1, recipe.batch // (processes * recipe.accumulate))
    with torch.device("meta"):
        model = _as_on_gpu(networks.build(config)).train()
    if recipe.checkpointing:
        recompute_layers(model)
    with FakeTensorMode(allow_non_fake_inputs=True):
        model.to_empty(device="cpu")
        lr = torch.empty(part, 3, recipe.patch, recipe.patch)
        side = recipe.patch * config.scale
        hr = torch.empty(part, 3, side, side)
        # a user's own loss may look at values, which these tensors lack
        loss = losses.find(recipe.loss if recipe.loss in losses.LOSSES else "l1")
        with Alive() as alive:
            with torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext():
                sr = model(lr)
            loss(sr.float(), hr).backward()
            del sr
        gradients = sum(p.nbytes for p in model.parameters())
        kept = KEPT_VALUES * gradients + alive.most - gradients  # it counted them, too
        return kept + lr.nbytes + hr.nbytes


def with_spare(count: int) -> int:
    """Bytes that must be free on a GPU for ``count`` of a step."""
    return int(count * (1 + SPARE))


def needed_for_step(config: ModelShape, recipe: Recipe, free: int, **options) -> Need:
    """The memory that a step needs on a GPU, of which ``free`` bytes are free; see `step_bytes`."""
    needed = with_spare(step_bytes(config, recipe, **options))
    return Need("GPU memory, for a step", needed, free, smaller(recipe))


def recompute_layers(model):
    """Activation checkpointing, in place: the modules that a model repeats store only their inputs.

    The backward pass computes the rest again, with the same random numbers. No gradient changes.
    """
    for module in model.repeated():
        module.forward_once = module.forward
        module.forward = MethodType(_recomputed, module)


def _recomputed(module, *inputs):
    return checkpoint(module.forward_once, *inputs, use_reentrant=False)


def _as_on_gpu(model):
    """A model computing as it does on a GPU, as far as memory is concerned."""
    fast_layers(model)
    for module in model.modules():
        if isinstance(module, WindowAttention):
            module.attend = _attend
    return model


def _attend(query, key, value, bias):
    return _Fused.apply(query, key, value, bias)


class _Fused(torch.autograd.Function):
    """Fused attention's memory: scores are not stored, and the bias's gradient is, by windows."""

    @staticmethod
    def forward(ctx, query, key, value, bias):
        out = torch.empty_like(value)
        ctx.save_for_backward(query, key, value, bias, out)
        return out

    @staticmethod
    def backward(ctx, grad):
        query, key, value, bias, _ = ctx.saved_tensors
        of_bias = bias.new_empty(*query.shape[:-1], bias.shape[-1])
        summed = of_bias.sum(0, keepdim=True)
        if len(bias) == 1:
            summed = summed.sum(1)
        return *(torch.empty_like(t) for t in (query, key, value)), summed.reshape(bias.shape)
