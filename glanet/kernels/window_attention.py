"""Window attention between its two products, as a Triton kernel and as plain PyTorch.

PyTorch's fused attention copies the image into windows and back, and writes the gradient of the
position bias for every window before it adds them up. The kernel reads the windows of a rolled
image where they lie, and adds the bias's gradient up on the chip.
"""

import os
import sys
from functools import cache
from importlib.util import find_spec

import torch
from einops import rearrange

from glanet.model.attention import MASKED, attend, shift_mask

GROUP = 8  # windows whose bias gradients one program adds up
LEAST = 16  # side of the smallest product that tensor cores, and so Triton, take


def window_attention(qkv, bias, window, shift=0):
    """W-MSA (shift 0) or SW-MSA (shift > 0) without its products, by the kernel where it can run.

    Where it cannot, `plain_window_attention` computes the same, and a line on stderr says why.

    Args:
        qkv: queries, keys and values of all heads, (B, H, W, 3·heads·d); H and W are multiples of
            the window.
        bias: the position bias, (heads, window², window²).
        window, shift: as of `glanet.model.attention.WindowAttention`.

    Returns:
        (B, H, W, heads·d).
    """
    reason = _why_not(qkv.device.type, qkv.dtype, window, qkv.shape[-1] // (3 * len(bias)))
    if reason:
        _say_once(reason)
        return plain_window_attention(qkv, bias, window, shift)
    return _ByKernel.apply(qkv, bias, window, shift)


def plain_window_attention(qkv, bias, window, shift=0):
    """What `window_attention` computes, in PyTorch, step by step."""
    height, width = qkv.shape[1:3]
    rolled = qkv.roll((-shift, -shift), dims=(1, 2))
    query, key, value = rearrange(
        rolled,
        "b (y i) (x j) (three heads d) -> three b (y x) heads (i j) d",
        i=window,
        j=window,
        three=3,
        heads=len(bias),
    )
    mask = shift_mask(height, width, window, shift, bias.dtype, bias.device) if shift else 0
    mixed = rearrange(
        attend(query, key, value, (bias + mask).to(query.dtype)),
        "b (y x) heads (i j) d -> b (y i) (x j) (heads d)",
        y=height // window,
        i=window,
    )
    return mixed.roll((shift, shift), dims=(1, 2))


@cache
def _why_not(device, dtype, window, width):
    """Why the kernel cannot run, or "" if it can. ``width``: of a head."""
    if find_spec("triton") is None:
        return "Triton is not installed"
    if device != "cuda" and os.environ.get("TRITON_INTERPRET") != "1":
        return f"it needs a CUDA device, not {device}"
    if dtype not in (torch.float32, torch.bfloat16, torch.float16):
        return f"it does not compute in {dtype}"
    pixels = window**2
    if pixels & (pixels - 1) or not LEAST <= pixels <= 64 or width > 64:
        return f"it takes windows of 4 or 8 and heads of at most 64, not {window} and {width}"
    return ""


@cache
def _say_once(reason):
    print(f"window attention falls back to plain PyTorch: {reason}", file=sys.stderr)


class _ByKernel(torch.autograd.Function):
    @staticmethod
    def forward(ctx, qkv, bias, window, shift):
        from glanet.kernels import window_attention_triton as kernels

        qkv, bias = qkv.contiguous(), bias.contiguous()
        ctx.save_for_backward(qkv, bias)
        ctx.window, ctx.shift = window, shift
        heads, sizes = len(bias), _sizes(qkv, bias, window, shift)
        out = qkv.new_empty(*qkv.shape[:-1], qkv.shape[-1] // 3)
        kernels.forward[(_windows(qkv, window), heads)](qkv, bias, out, **sizes)
        return out

    @staticmethod
    def backward(ctx, grad):
        from glanet.kernels import window_attention_triton as kernels

        qkv, bias = ctx.saved_tensors
        windows, heads = _windows(qkv, ctx.window), len(bias)
        groups = -(-windows // GROUP)
        grad_qkv = torch.empty_like(qkv)
        parts = torch.empty(groups, *bias.shape, dtype=torch.float32, device=bias.device)
        kernels.backward[(groups, heads)](
            qkv,
            bias,
            grad.contiguous(),
            grad_qkv,
            parts,
            windows,
            GROUP=GROUP,
            **_sizes(qkv, bias, ctx.window, ctx.shift),
        )
        return grad_qkv, parts.sum(0).to(bias.dtype), None, None


def _windows(qkv, window):
    return qkv.shape[0] * (qkv.shape[1] // window) * (qkv.shape[2] // window)


def _sizes(qkv, bias, window, shift):
    """The shapes that both kernels take as arguments."""
    width = qkv.shape[-1] // (3 * len(bias))
    return {
        "scale": width**-0.5,
        "height": qkv.shape[1],
        "width": qkv.shape[2],
        "HEADS": len(bias),
        "D": width,
        # in registers alone, heads are padded to what a product takes
        "PADDED": max(LEAST, 1 << (width - 1).bit_length()),
        "SIDE": window,
        "SHIFT": shift,
        "MASKED": MASKED,
    }
