"""The golden cases: released checkpoints made by rule, and the published code's outputs."""

import json
import zlib
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

FOLDER = Path(__file__).parent / "golden"
MIXERS = sorted(FOLDER.glob("iformer_mixer-*.json"))  # of a layer, not of a network
NAMES = sorted(path.stem for path in FOLDER.glob("*.json") if path not in MIXERS)
SIZES = ((16, 16), (13, 22))  # of the images of a new case, LR pixels


def description(name) -> dict:
    """The network, its arguments, the number of its parameters, the tensors of its state dict."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def released_state(name) -> dict[str, torch.Tensor]:
    """The state dict as the published class would save it."""
    case, tensors = description(name), load_file(FOLDER / f"{name}.safetensors")
    return {
        key: tensors[f"state.{key}"] if entry.get("kept") else made(key, entry["shape"], case)
        for key, entry in case["state"].items()
    }


def made(key, shape, case):
    """The tensor of that name and shape, by the rule."""
    drawn = np.random.RandomState(zlib.crc32(key.encode())).standard_normal(shape)
    if key.endswith("relative_position_bias_table"):
        drawn *= 0.3
    elif len(shape) >= 2:
        drawn *= case["gain"] / np.sqrt(np.prod(shape[1:]))
    elif "norm" in key and key.endswith("weight"):
        drawn = 1 + 0.1 * drawn
    else:
        drawn *= 0.1
    return torch.from_numpy(drawn.astype(np.float32))


def images(name) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Pairs of input and output, (1, 3, H, W) in [0, 1]."""
    tensors = load_file(FOLDER / f"{name}.safetensors")
    inputs = [key for key in tensors if key.startswith("input")]
    return [(tensors[key], tensors[key.replace("input", "output")]) for key in inputs]


def write(name, model, *, network, arguments, value_range, gain=1.0, kept=()):
    """Make a case: give a published model the weights of the rule, run it, and save what it does.

    Args:
        name: the name of the two files; with "full" in it for the published size.
        model: the published module, images (1, 3, H, W) in [0, ``value_range``] -> the same range.
        network: its name in the register.
        arguments: those that it was built with, ``scale`` among them.
        gain: scales all weight matrices. Choose it so that the outputs stay near [0, 1].
        kept: how the names of the tensors start that keep their values, such as mean colours.
    """
    state = model.state_dict()
    entries = {
        key: {"shape": list(tensor.shape), **({"kept": True} if key.startswith(kept) else {})}
        for key, tensor in state.items()
    }
    parameters = sum(tensor.numel() for tensor in model.parameters())
    case = {"network": network, "arguments": arguments, "range": value_range, "gain": gain}
    case |= {"parameters": parameters, "state": entries}
    tensors = {f"state.{key}": state[key] for key in state if key.startswith(kept)}
    model.load_state_dict(
        {
            key: state[key] if entry.get("kept") else made(key, entry["shape"], case)
            for key, entry in entries.items()
        }
    )
    model.eval()
    for height, width in SIZES:
        lr = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            sr = model(value_range * lr) / value_range
        tensors |= {f"input_{height}x{width}": lr, f"output_{height}x{width}": sr}
    save_file(tensors, FOLDER / f"{name}.safetensors")
    (FOLDER / f"{name}.safetensors").chmod(0o644)  # safetensors lets its owner alone read
    text = json.dumps(case, separators=(",", ":"))
    (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")


def sorts_as_recorded() -> bool:
    """Whether torch's sort, not a stable one, leaves equal elements as it did for the recording."""
    order = (7 * torch.arange(2304) % 16).argsort()
    return zlib.crc32(order.numpy().tobytes()) == 3216002836
