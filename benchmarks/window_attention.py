"""The Triton kernel of window attention beside PyTorch's fused attention, forward and backward.

    python -m benchmarks.window_attention

Both begin with the product of queries, keys and values and end before the last one. PyTorch's way
is what training does: it rolls the tokens, cuts them into windows, and puts them back. They take
turns. A GPU and Triton are needed.
"""

import json
import statistics
import sys
from dataclasses import dataclass

import torch
import tyro

from benchmarks import ledger
from glanet.fast import _attend as by_pytorch
from glanet.kernels import window_attention as kernel
from glanet.model.attention import WindowAttention

WAYS = ("pytorch", "kernel")
FORGOTTEN = 5  # first calls: the kernel is compiled


@dataclass(frozen=True)
class Options:
    heads: int = 6  # the paper's
    widths: tuple[int, ...] = (30, 32)  # of a head, as it is and aligned
    window: int = 8
    batch: int = 32
    patch: int = 48  # side of an LR patch, pixels
    calls: int = 50  # in a measurement
    rounds: int = 5  # measurements of each way


def main(options: Options):
    if not torch.cuda.is_available():
        print("no CUDA device: nothing was measured", file=sys.stderr)
        sys.exit(2)
    ledger.started()
    ms = {way: {} for way in WAYS}
    for width in options.widths:
        for shift in (0, options.window // 2):
            found = measure(width, shift, options)
            for way in WAYS:
                ms[way][f"{width}, {shift}"] = statistics.median(found[way])
    entry = ledger.record(
        "window-attention",
        {case: round(ms["pytorch"][case] / ms["kernel"][case], 3) for case in ms["kernel"]},
        "ms of PyTorch's fused attention / ms of the kernel, by head width and shift",
        ms=ms,
        heads=options.heads,
        window=options.window,
        batch=options.batch,
        patch=options.patch,
        dtype="bfloat16",
    )
    print(json.dumps(entry, indent=2, ensure_ascii=False))


def ways(width, shift, options, device="cuda", dtype=torch.bfloat16):
    """{way: a function of (qkv, bias table) to its output}, and these two."""
    channels = options.heads * width
    layer = WindowAttention(channels, options.heads, options.window, shift).to(device)
    size = options.batch, options.patch, options.patch, 3 * channels
    qkv = torch.randn(size, device=device, dtype=dtype, requires_grad=True)

    def by_kernel(attention, qkv):
        bias = attention.position_bias(torch.float32)
        return kernel.window_attention(qkv, bias, attention.window, attention.shift)

    return {"pytorch": by_pytorch, "kernel": by_kernel}, layer, qkv


def measure(width, shift, options):
    """Milliseconds of a forward and backward pass, by way, one for each round."""
    functions, layer, qkv = ways(width, shift, options)
    found = {way: [] for way in WAYS}
    for number in range(options.rounds + 1):
        for way in WAYS:
            calls = options.calls if number else FORGOTTEN
            taken = milliseconds(functions[way], layer, qkv, calls)
            if number:
                found[way].append(taken)
    return found


def milliseconds(function, layer, qkv, calls):
    begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begun.record()
    for _ in range(calls):
        out = function(layer, qkv)
        torch.autograd.grad(out, [qkv, layer.bias_table], out)
    ended.record()
    ended.synchronize()
    return begun.elapsed_time(ended) / calls


if __name__ == "__main__":
    main(tyro.cli(Options))
