"""The kernel beside its twin: python compare.py CASES.json, which prints differences as JSON.

A process of its own, because Triton asks for TRITON_INTERPRET when it is imported.
"""

import json
import sys
from pathlib import Path

import torch

from glanet.kernels.window_attention import plain_window_attention, window_attention


def differences(window, shift, heads, width, size, device="cpu", dtype="float32"):
    """The largest difference of the output and of both gradients, relative to their largest."""
    torch.manual_seed(0)
    options = {"device": device, "dtype": getattr(torch, dtype)}
    qkv = torch.randn(*size, 3 * heads * width, **options)
    bias = torch.randn(heads, window**2, window**2, device=device)
    weights = torch.randn(*size, heads * width, **options)
    found = []
    for attention in (window_attention, plain_window_attention):
        given = [tensor.clone().requires_grad_() for tensor in (qkv, bias)]
        out = attention(*given, window, shift)
        found.append([out, *torch.autograd.grad(out, given, weights)])
    return [
        ((mine - theirs).abs().max() / theirs.abs().max()).item()
        for mine, theirs in zip(*found, strict=True)
    ]


if __name__ == "__main__":
    cases = json.loads(Path(sys.argv[1]).read_text())
    print(json.dumps([differences(*case) for case in cases]))
