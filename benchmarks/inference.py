"""How long an image takes: the model as written against the prepared one, and the authors' layout.

    python -m benchmarks.inference --presets tiny light --side 256
    python -m benchmarks.inference --presets paper --side 64
    python -m benchmarks.inference --presets light --scale 4 --side 180 --width 320 --device cuda

All contestants take turns in one process, and so does the machine's matrix rate. The weights are
untrained: they do not matter for the time. ``authors`` is a plain reimplementation of the released
code's layout: (B, C, H, W) between the layers' parts, attention step by step, masks built anew.
``openvino`` takes part on a CPU where it is installed.
"""

import statistics
from dataclasses import dataclass
from importlib.util import find_spec
from types import MethodType

import torch
import torch.nn.functional as F
import tyro

from benchmarks import ledger
from benchmarks.train_step import matrix_rate, wait
from glanet import ModelConfig, networks
from glanet.device import choose_device
from glanet.fast import fast_layers
from glanet.inference import prepare
from glanet.inference.openvino import OnOpenVINO
from glanet.model.attention import WindowAttention, attend
from glanet.model.layer import GLALayer

PLAIN, PREPARED, AUTHORS, OPENVINO = "plain", "prepared", "authors", "openvino"
REDUCED = f"{PREPARED}, bf16"
MEMORY = "memory"


@dataclass(frozen=True)
class Options:
    presets: tuple[str, ...] = ("tiny", "light", "paper")
    scale: int = 2
    side: int = 256  # of the LR image, pixels
    width: int | None = None  # of it, if it is not a square of that side
    rounds: int = 5
    device: str | None = None  # the accelerator if there is one
    seed: int = 0


def main(options: Options):
    ledger.started()
    device = choose_device(options.device)
    for preset in options.presets:
        report(preset, measure(preset, options, device), options, device)


def measure(preset, options, device):
    """{contestant: seconds of each round}, and under the name of a dtype its matrix rates.

    On a GPU also {contestant: bytes at the peak beyond the weights}, under `MEMORY`.
    """
    torch.manual_seed(options.seed)
    model = networks.build(ModelConfig.preset(preset, options.scale)).eval().to(device)
    lr = torch.rand(1, 3, *size(options), device=device)
    runs = contestants(model, device)
    found = {name: [] for name in runs}
    with torch.no_grad():
        for name, run in runs.items():  # memory is found, kernels are chosen
            run(lr)
            if device.type == "cuda":
                found.setdefault(MEMORY, {})[name] = taken(run, lr)
        for _ in range(options.rounds):
            for name, run in runs.items():
                started = wait(device)
                run(lr)
                found[name].append(wait(device) - started)
            for dtype in dtypes(device):
                found.setdefault(str(dtype), []).append(matrix_rate(device, dtype))
    return found


def size(options):
    """Height and width of the LR image."""
    return options.side, options.width or options.side


def taken(run, lr):
    """Bytes of a GPU's memory that a call takes at its peak."""
    torch.cuda.reset_peak_memory_stats(lr.device)
    held = torch.cuda.memory_allocated(lr.device)
    run(lr)
    return torch.cuda.max_memory_allocated(lr.device) - held


def contestants(model, device):
    """What is timed: each is a callable with the same images in and out."""
    runs = {
        PLAIN: model,
        PREPARED: prepare(model, device),
        "joined products": fast_layers(copied(model)),
        "attention step by step": step_by_step(copied(model)),
        AUTHORS: authors_layout(step_by_step(copied(model))),
    }
    if torch.bfloat16 in dtypes(device):
        runs[REDUCED] = prepare(model, device, torch.bfloat16)
    if device.type == "cpu" and find_spec("openvino"):
        runs[OPENVINO] = OnOpenVINO(model)
    return runs


def dtypes(device):
    """float32, and bf16 where the device computes in it."""
    if device.type == "cpu" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return (torch.float32,)
    return torch.float32, torch.bfloat16


def copied(model):
    other = networks.build(model.config).eval().to(next(model.parameters()).device)
    other.load_state_dict(model.state_dict())
    return other


def step_by_step(model):
    for part in model.modules():
        if isinstance(part, WindowAttention):
            part.attend = attend
    return model


def authors_layout(model):
    """Each layer's parts hand on (B, C, H, W), as in the released code; masks are built anew."""
    for part in model.modules():
        if type(part) is GLALayer:
            part.forward = MethodType(_layer_of_images, part)
    return model


def _layer_of_images(layer, tokens):
    shortcut = tokens.permute(0, 3, 1, 2).contiguous()
    x = layer.norm1(shortcut.permute(0, 2, 3, 1).contiguous())
    image = x.permute(0, 3, 1, 2).contiguous()
    attended = layer.attention(x).permute(0, 3, 1, 2).contiguous()
    pooled, *branches = layer.inception.branches
    parts = [attended, _one_by_one(pooled[1], F.max_pool2d(image, 3, 1, 1))]
    for opening, row, column in branches:
        part = _one_by_one(opening, image)
        part = F.conv2d(part, row.weight, row.bias, padding=row.padding)
        parts.append(F.conv2d(part, column.weight, column.bias, padding=column.padding))
    shortcut = shortcut + _one_by_one(layer.fuse, torch.cat(parts, 1))
    tokens = shortcut.permute(0, 2, 3, 1).contiguous()
    return tokens + layer.mlp(layer.norm2(tokens))


def _one_by_one(linear, image):
    return F.conv2d(image, linear.weight[:, :, None, None], linear.bias)


def report(preset, found, options, device):
    """Write the entry of a preset, and print the ratios."""
    height, width = size(options)
    memory = found.pop(MEMORY, None)
    rates = {str(dtype): statistics.median(found.pop(str(dtype))) for dtype in dtypes(device)}
    medians = {name: statistics.median(seconds) for name, seconds in found.items()}
    ratios = {name: round(medians[PLAIN] / median, 2) for name, median in medians.items()}
    flop = networks.count_flop(ModelConfig.preset(preset, options.scale), height, width)
    dtype_of = dict.fromkeys((PLAIN, PREPARED, AUTHORS), torch.float32) | {REDUCED: torch.bfloat16}
    other_scale = "" if options.scale == 2 else f"-x{options.scale}"
    entry = ledger.record(
        f"inference-{preset}{other_scale}-{device.type}",
        {**ratios, f"{PREPARED} to {AUTHORS}": round(medians[AUTHORS] / medians[PREPARED], 2)},
        "seconds of the plain model / seconds; the last: seconds of the authors' layout / prepared",
        seed=options.seed,
        seconds={name: [round(one, 4) for one in seconds] for name, seconds in found.items()},
        memory_gb_beyond_weights=memory and {n: round(m / 1e9, 3) for n, m in memory.items()},
        gigaflop=round(flop / 1e9, 1),
        matrix_rates_gflops={name: round(rate / 1e9) for name, rate in rates.items()},
        share_of_matrix_rate={
            name: round(flop / medians[name] / rates[str(dtype)], 3)
            for name, dtype in dtype_of.items()
            if name in medians
        },
        side=options.side,
        width=width,
        scale=options.scale,
        threads=torch.get_num_threads(),
    )
    print(f"{preset} ×{options.scale} at {height} × {width}, {device.type}")
    for name, ratio in entry["value"].items():
        print(f"{name:>28} {ratio:6.2f}")
    return entry


if __name__ == "__main__":
    main(tyro.cli(Options))
