"""The layout of published checkpoints, which GLA-Net and SwinIR share, and how it is read.

GLA-Net's adds the convolution branches and the 1×1 convolutions before blocks to SwinIR's. Size,
depth, heads and scale are read off the tensors.
"""

import re
from math import isqrt

from glanet.model.config import ModelConfig

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
LIGHT_HEAD = {"upsample.0": "reconstruct.to_image.0"}  # of SwinIR-light, which has no conv_last
LAYER = re.compile(r"layers\.(\d+)\.residual_group\.blocks\.(\d+)\.(.+)")
BLOCK_CONV = re.compile(r"layers\.(\d+)\.conv\.(weight|bias)")
TRANSITION = re.compile(r"conv_layers\.(\d+)\.(weight|bias)")
# follow from the config, never learned, and stored by some releases all the same
DERIVED = ("attn_mask", "attn.relative_position_index")


def read(tensors):
    """The config and the tensors by our names, from GLA-Net's published checkpoint.

    Returns None where the tensors are of another network, SwinIR's among them.
    """
    values, found = read_values(tensors) or ({}, {})
    return (ModelConfig(**values), found) if values.get("dense") else None


def read_values(tensors):
    """The values of a `ModelConfig` and the tensors by our names; None for another layout.

    Raises:
        KeyError, ValueError: the layout is this one, and a tensor is missing or of no use.
    """
    if not any(LAYER.match(name) for name in tensors):
        return None
    found = renamed(tensors)
    return _values(found), found


def renamed(tensors):
    """The tensors by our names; those that follow from the config are left out."""
    outside = OUTSIDE_BLOCKS if "conv_last.weight" in tensors else OUTSIDE_BLOCKS | LIGHT_HEAD
    return {
        # a 1×1 convolution is stored as (C_out, C_in, 1, 1) there, as a matrix here
        _name_here(name, outside): tensor[:, :, 0, 0] if tensor.shape[2:] == (1, 1) else tensor
        for name, tensor in tensors.items()
        if not name.endswith(DERIVED)
    }


def _name_here(released, outside):
    """Our name of a released tensor; a name that neither release has stays as it is."""
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
    return f"{outside.get(prefix, prefix)}.{kind}"


def _values(tensors):
    """Every size follows from the tensors' shapes and numbers."""
    numbers = [re.match(r"trunk\.blocks\.(\d+)\.layers\.(\d+)\.", name) for name in tensors]
    layers = {}  # of each block
    for block, layer in (map(int, match.groups()) for match in numbers if match):
        layers[block] = max(layers.get(block, 0), 1 + layer)
    by_block = tuple(layers[block] for block in range(len(layers)))
    first = "trunk.blocks.0.layers.0."
    offsets, heads = tensors[first + "attention.bias_table"].shape
    channels = len(tensors["trunk.norm_in.weight"])
    dense = any(name.startswith("trunk.transitions.") for name in tensors)
    return {
        "scale": _scale(tensors),
        "channels": channels,
        "blocks": len(by_block),
        "layers": by_block[0] if len(set(by_block)) == 1 else by_block,
        "heads": heads,
        "window": (isqrt(offsets) + 1) // 2,
        "mlp_ratio": len(tensors[first + "mlp.0.weight"]) / channels,
        "inception": first + "fuse.weight" in tensors,
        "dense": dense,
        "bilinear_base": dense,  # no tensor tells: GLA-Net adds it, SwinIR does not
        "light_head": "reconstruct.to_image.0.weight" in tensors,
    }


def _scale(tensors):
    if "reconstruct.to_image.0.weight" in tensors:
        return isqrt(len(tensors["reconstruct.to_image.0.weight"]) // 3)
    steps = sum(bool(re.match(r"reconstruct\.upsample\.\d+\.0\.weight", n)) for n in tensors)
    narrow = len(tensors["reconstruct.to_image.weight"][0])
    return isqrt(len(tensors["reconstruct.upsample.0.0.weight"]) // narrow) ** steps
