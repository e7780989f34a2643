"""Checkpoints of others: the authors' GLA-Net and SwinIR's classical super-resolution.

Both keep one naming scheme, SwinIR's; GLA-Net adds the convolution branches and the 1×1
convolutions before blocks. Size, depth, heads and scale are read off the tensors.
"""

import pickle
import re
from math import isqrt
from pathlib import Path

import torch

from glanet.config import ModelConfig
from glanet.weights.pretrained import GLANet, WeightsError, load_tensors

# prefix in a released checkpoint -> prefix here
OUTSIDE_BLOCKS = {
    "conv_first": "shallow.conv",
    "patch_embed.norm": "trunk.norm_in",
    "norm": "trunk.norm_out",
    "conv_after_body": "trunk.conv",
    "conv_before_upsample.0": "reconstruct.reduce.0",
    "upsample.0": "reconstruct.upsample.0.0",
    "upsample.2": "reconstruct.upsample.1.0",
    "conv_last": "reconstruct.to_image",
}
INSIDE_LAYERS = {
    "norm1": "norm1",
    "attn.qkv": "attention.qkv",
    "attn.proj": "attention.proj",
    "norm2": "norm2",
    "mlp.fc1": "mlp.0",
    "mlp.fc2": "mlp.2",
    "Conv_h1.1": "inception.branches.0.1",
    **{
        f"Conv_h{branch + 1}.{step}": f"inception.branches.{branch}.{step}"
        for branch in (1, 2, 3)
        for step in (0, 1, 2)
    },
    "Conv_h_l": "fuse",
}
LAYER = re.compile(r"layers\.(\d+)\.residual_group\.blocks\.(\d+)\.(.+)")
BLOCK_CONV = re.compile(r"layers\.(\d+)\.conv\.(weight|bias)")
TRANSITION = re.compile(r"conv_layers\.(\d+)\.(weight|bias)")
# follow from the configuration, never learned, and stored by some releases all the same
DERIVED = ("attn_mask", "attn.relative_position_index")


def load_released(path) -> GLANet:
    """The network in a released checkpoint (``.pth``), in eval mode on the CPU.

    Reads the authors' GLA-Net and SwinIR's classical SR, bare or under ``params_ema`` or
    ``params``. Only tensors are unpickled: a file that asks for anything else is refused, and
    nothing in it is run.

    Raises:
        WeightsError: no such file, damaged, holding code, or a checkpoint of another network.
    """
    path = Path(path)
    tensors = {}
    for released_name, tensor in _read_tensors(path).items():
        name = _name_here(released_name)
        if name is not None:
            # a 1×1 convolution is stored as (C_out, C_in, 1, 1) there, as a matrix here
            tensors[name] = tensor[:, :, 0, 0] if tensor.shape[2:] == (1, 1) else tensor
    try:
        config = _read_config(tensors)
    except (KeyError, IndexError, ValueError, ZeroDivisionError) as error:
        raise WeightsError(
            f"{path}: a checkpoint, but not of GLA-Net or of SwinIR's classical SR "
            f"({type(error).__name__}: {error}). Fetch the file that its authors publish for that."
        ) from error
    return load_tensors(GLANet(config), tensors, path)


def _read_tensors(path):
    """Tensors by their released name."""
    if not path.is_file():
        raise WeightsError(f"{path}: no such file. Check the path to the checkpoint.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path}: not a checkpoint of tensors alone: it is no PyTorch file, or it holds Python "
            "objects, which could run code; nothing in it was run. "
            "Fetch a checkpoint that holds a state dict."
        ) from error
    except Exception as error:  # damaged bytes can raise nearly anything in the unpickler
        raise WeightsError(
            f"{path}: damaged or cut short ({path.stat().st_size} bytes; "
            f"{type(error).__name__} while reading). Fetch it again."
        ) from error
    for wrapper in ("params_ema", "params"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict) or not content or not _all_tensors(content):
        raise WeightsError(
            f"{path}: holds a {type(content).__name__}, but no state dict (names to tensors), bare "
            "or under 'params' or 'params_ema'. Fetch the file that the authors publish."
        )
    return content


def _all_tensors(content):
    return all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in content.items())


def _name_here(released):
    """The name of a released tensor in our GLANet; None for what is derived.

    A name of neither release stays as it is and is reported as unexpected.
    """
    if released.endswith(DERIVED):
        return None
    if match := LAYER.fullmatch(released):
        block, layer, inside = match.groups()
        here = f"trunk.blocks.{block}.layers.{layer}."
        if inside == "attn.relative_position_bias_table":
            return here + "attention.bias_table"
        prefix, _, kind = inside.rpartition(".")
        return here + f"{INSIDE_LAYERS.get(prefix, prefix)}.{kind}"
    if match := BLOCK_CONV.fullmatch(released):
        return "trunk.blocks.{}.conv.{}".format(*match.groups())
    if match := TRANSITION.fullmatch(released):
        return "trunk.transitions.{}.{}".format(*match.groups())
    prefix, _, kind = released.rpartition(".")
    return f"{OUTSIDE_BLOCKS.get(prefix, prefix)}.{kind}"


def _read_config(tensors):
    """Every size follows from the tensors' shapes and numbers."""
    numbers = [re.match(r"trunk\.blocks\.(\d+)\.layers\.(\d+)\.", name) for name in tensors]
    numbers = [tuple(map(int, match.groups())) for match in numbers if match]
    if not numbers:
        raise ValueError("there is no tensor of a GLA or Swin layer in it")
    blocks, layers = (1 + max(n[i] for n in numbers) for i in (0, 1))
    first = "trunk.blocks.0.layers.0."
    offsets, heads = tensors[first + "attention.bias_table"].shape
    channels = len(tensors["trunk.norm_in.weight"])
    dense = any(name.startswith("trunk.transitions.") for name in tensors)
    steps = sum(bool(re.match(r"reconstruct\.upsample\.\d+\.0\.weight", n)) for n in tensors)
    widening = len(tensors["reconstruct.upsample.0.0.weight"]) // len(
        tensors["reconstruct.to_image.weight"][0]
    )
    return ModelConfig(
        scale=isqrt(widening) ** steps,
        channels=channels,
        blocks=blocks,
        layers=layers,
        heads=heads,
        window=(isqrt(offsets) + 1) // 2,
        mlp_ratio=len(tensors[first + "mlp.0.weight"]) / channels,
        inception=first + "fuse.weight" in tensors,
        dense=dense,
        bilinear_base=dense,  # no tensor tells: GLA-Net adds it, SwinIR does not
    )
