"""The kernels of `glanet.kernels.window_attention`. Importing this needs Triton.

A program computes one head in one window (forward), or in a group of windows (backward). Scores and
probabilities are float32 and never leave the chip. Pointers are to contiguous tensors: ``qkv`` and
its gradient (B, H, W, 3·HEADS·D), ``bias`` (HEADS, N, N), ``out`` and its gradient (B, H, W,
HEADS·D), with N = SIDE².
"""

import triton
import triton.language as tl


@triton.jit
def forward(
    qkv,
    bias,
    out,
    scale,
    height,
    width,
    HEADS: tl.constexpr,
    D: tl.constexpr,
    PADDED: tl.constexpr,
    SIDE: tl.constexpr,
    SHIFT: tl.constexpr,
    MASKED: tl.constexpr,
):
    head = tl.program_id(1)
    token, edge = _pixels(tl.program_id(0), height, width, SIDE, SHIFT)
    channel = tl.arange(0, PADDED)
    exists = (channel < D)[None, :]
    place = _place(token, 0, head, channel, HEADS, D)
    q = tl.load(qkv + place, mask=exists, other=0.0)
    k = tl.load(qkv + place + HEADS * D, mask=exists, other=0.0)
    v = tl.load(qkv + place + 2 * HEADS * D, mask=exists, other=0.0)
    p = _softmax(q, k, _bias_of(bias, head, SIDE), edge, scale, SHIFT, MASKED)
    mixed = tl.dot(p.to(v.dtype), v, input_precision="ieee")
    where = token[:, None] * (HEADS * D) + head * D + channel[None, :]
    tl.store(out + where, mixed.to(v.dtype), mask=exists)


@triton.jit
def backward(
    qkv,
    bias,
    grad_out,
    grad_qkv,
    grad_bias,  # (groups, HEADS, N, N) float32: sums over a group's windows
    windows,
    scale,
    height,
    width,
    GROUP: tl.constexpr,
    HEADS: tl.constexpr,
    D: tl.constexpr,
    PADDED: tl.constexpr,
    SIDE: tl.constexpr,
    SHIFT: tl.constexpr,
    MASKED: tl.constexpr,
):
    N: tl.constexpr = SIDE * SIDE
    group, head = tl.program_id(0), tl.program_id(1)
    channel = tl.arange(0, PADDED)
    exists = (channel < D)[None, :]
    added = _bias_of(bias, head, SIDE)
    total = tl.zeros((N, N), dtype=tl.float32)
    for number in range(GROUP):
        window = group * GROUP + number
        if window < windows:
            token, edge = _pixels(window, height, width, SIDE, SHIFT)
            place = _place(token, 0, head, channel, HEADS, D)
            q = tl.load(qkv + place, mask=exists, other=0.0)
            k = tl.load(qkv + place + HEADS * D, mask=exists, other=0.0)
            v = tl.load(qkv + place + 2 * HEADS * D, mask=exists, other=0.0)
            where = token[:, None] * (HEADS * D) + head * D + channel[None, :]
            dout = tl.load(grad_out + where, mask=exists, other=0.0)
            p = _softmax(q, k, added, edge, scale, SHIFT, MASKED)
            dv = tl.dot(tl.trans(p.to(v.dtype)), dout, input_precision="ieee")
            dp = tl.dot(dout, tl.trans(v), input_precision="ieee")
            ds = p * (dp - tl.sum(p * dp, 1)[:, None])
            total += ds
            ds = ds.to(q.dtype)
            dq = tl.dot(ds, k, input_precision="ieee") * scale
            dk = tl.dot(tl.trans(ds), q, input_precision="ieee") * scale
            tl.store(grad_qkv + place, dq.to(q.dtype), mask=exists)
            tl.store(grad_qkv + place + HEADS * D, dk.to(q.dtype), mask=exists)
            tl.store(grad_qkv + place + 2 * HEADS * D, dv.to(q.dtype), mask=exists)
    tl.store(grad_bias + (group * HEADS + head) * N * N + _square(N), total)


@triton.jit
def _pixels(window, height, width, SIDE: tl.constexpr, SHIFT: tl.constexpr):
    """The numbers of a window's tokens in the batch, and the side of the image they come from.

    The windows are those of the image rolled by SHIFT.
    """
    pixel = tl.arange(0, SIDE * SIDE)
    across = width // SIDE
    in_image = (height // SIDE) * across
    row = window % in_image // across * SIDE + pixel // SIDE
    column = window % across * SIDE + pixel % SIDE
    edge = 2 * (row >= height - SHIFT).to(tl.int32) + (column >= width - SHIFT).to(tl.int32)
    line = (window // in_image).to(tl.int64) * height + (row + SHIFT) % height
    return line * width + (column + SHIFT) % width, edge


@triton.jit
def _place(token, part, head, channel, HEADS: tl.constexpr, D: tl.constexpr):
    """Where in qkv the channels of a head lie: part 0 for queries, 1 for keys, 2 for values."""
    return token[:, None] * (3 * HEADS * D) + (part * HEADS + head) * D + channel[None, :]


@triton.jit
def _square(N: tl.constexpr):
    side = tl.arange(0, N)
    return side[:, None] * N + side[None, :]


@triton.jit
def _bias_of(bias, head, SIDE: tl.constexpr):
    N: tl.constexpr = SIDE * SIDE
    return tl.load(bias + head * N * N + _square(N)).to(tl.float32)


@triton.jit
def _softmax(q, k, bias, edge, scale, SHIFT: tl.constexpr, MASKED: tl.constexpr):
    """The probabilities of attention, (N, N) float32."""
    scores = tl.dot(q, tl.trans(k), input_precision="ieee") * scale + bias
    if SHIFT:
        scores += tl.where(edge[:, None] == edge[None, :], 0.0, MASKED)
    scores = tl.exp(scores - tl.max(scores, 1)[:, None])
    return scores / tl.sum(scores, 1)[:, None]
