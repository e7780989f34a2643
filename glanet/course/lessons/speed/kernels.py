"""The kernel of notebook 14 in Triton, and kernels that make the common mistakes.

Where no GPU is found, Triton's interpreter runs them. Triton decides that when it is imported, so
this module must come before any other that imports it, as `torch.utils.flop_counter` does. Without
Triton, which exists for Linux alone, nothing can be launched.
"""

from __future__ import annotations  # Triton reads them as text; without it, they mean nothing

import os
from functools import partial
from types import SimpleNamespace

import torch
import torch.nn.functional as F

from glanet.course.kit.checks import AnswerError
from glanet.errors import GlanetError

if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")

try:
    import triton
    from triton import language as tl
except ImportError:
    tl = SimpleNamespace(constexpr=int)  # kernels can be defined


UNTOUCHED = -1e30  # what stands where a kernel wrote nothing
BESIDE_ITS_WINDOW = (
    "it stores beyond its window, where a GPU would overwrite the next one: tl.store needs "
    "mask=real"
)


class KernelError(GlanetError):
    """Kernels cannot be launched in this process."""


def launch(kernel, query, key, value, bias):
    """Window attention by ``kernel``, called once for each window and head.

    ``query``, ``key`` and ``value`` are (windows, heads, N, d), N a power of two from 16 on;
    ``bias`` is (heads, N, N). Returns (windows, heads, N, d), with `UNTOUCHED` where the kernel
    wrote nothing. The keywords of a `functools.partial` are further arguments of the kernel.

    Raises:
        AnswerError: the kernel stores where it must not.
        KernelError: there is neither a GPU nor Triton's interpreter.
    """
    if query.device.type == "cpu" and not interpreted():
        raise KernelError("without a GPU, set TRITON_INTERPRET=1 before you start the notebook")
    more = kernel.keywords if isinstance(kernel, partial) else {}
    kernel = kernel.func if isinstance(kernel, partial) else kernel
    windows, heads, pixels, width = query.shape
    padded = max(16, triton.next_power_of_2(width))  # tl.dot takes no fewer channels
    # room behind the last window: what is read or written there by mistake harms nothing
    inputs = [F.pad(tensor.flatten(), (0, padded)) for tensor in (query, key, value, bias)]
    out = torch.full_like(inputs[0], UNTOUCHED)
    sizes = {"heads": heads, "N": pixels, "d": width, "D": padded}
    triton.jit(kernel)[(windows * heads,)](*inputs, out, width**-0.5, **sizes, **more)
    if (out[query.numel() :] != UNTOUCHED).any():
        raise AnswerError(BESIDE_ITS_WINDOW)
    return out[: query.numel()].view_as(query)


def interpreted() -> bool:
    """Whether Triton was imported with its interpreter."""
    return type(tl.max).__name__ == "InterpretedFunction"


def attention_kernel(
    q_at,
    k_at,
    v_at,
    bias_at,
    out_at,
    scale,
    heads: tl.constexpr,
    N: tl.constexpr,
    d: tl.constexpr,
    D: tl.constexpr,
):
    """softmax(q kᵀ · scale + bias) v of one window and head, (N, d); nothing else is stored."""
    program = tl.program_id(0)
    pixel = tl.arange(0, N)
    channel = tl.arange(0, D)
    place = program * N * d + pixel[:, None] * d + channel[None, :]
    real = (channel < d)[None, :]
    pair = (program % heads) * N * N + pixel[:, None] * N + pixel[None, :]
    query = tl.load(q_at + place, mask=real, other=0.0)
    key = tl.load(k_at + place, mask=real, other=0.0)
    value = tl.load(v_at + place, mask=real, other=0.0)
    scores = tl.dot(query, tl.trans(key), input_precision="ieee") * scale + tl.load(bias_at + pair)
    raised = tl.exp(scores - tl.max(scores, axis=1)[:, None])
    weights = raised / tl.sum(raised, axis=1)[:, None]
    tl.store(out_at + place, tl.dot(weights, value, input_precision="ieee"), mask=real)


def mistaken_kernel(
    q_at,
    k_at,
    v_at,
    bias_at,
    out_at,
    scale,
    heads: tl.constexpr,
    N: tl.constexpr,
    d: tl.constexpr,
    D: tl.constexpr,
    mistake: tl.constexpr,
):
    """`attention_kernel` with one mistake, by its name."""
    program = tl.program_id(0)
    pixel = tl.arange(0, N)
    channel = tl.arange(0, D)
    place = program * N * d + pixel[:, None] * d + channel[None, :]
    real = (channel < d)[None, :]
    if mistake == "unmasked":
        real = (channel < D)[None, :]
    head = program % heads
    if mistake == "first head":
        head = program * 0
    elif mistake == "heads outermost":
        head = program // heads % heads
    pair = head * N * N + pixel[:, None] * N + pixel[None, :]
    if mistake == "bias transposed":
        pair = head * N * N + pixel[None, :] * N + pixel[:, None]
    query = tl.load(q_at + place, mask=real, other=0.0)
    key = tl.load(k_at + place, mask=real, other=0.0)
    value = tl.load(v_at + place, mask=real, other=0.0)
    bias = tl.load(bias_at + pair)
    scores = tl.dot(query, tl.trans(key), input_precision="ieee")
    if mistake == "exchanged":
        scores = tl.trans(scores)
    if mistake == "all scaled":
        scores = (scores + bias) * scale
    elif mistake == "no scale":
        scores = scores + bias
    elif mistake == "no bias":
        scores = scores * scale
    else:
        scores = scores * scale + bias
    if mistake == "columns":
        raised = tl.exp(scores - tl.max(scores, axis=0)[None, :])
        weights = raised / tl.sum(raised, axis=0)[None, :]
    elif mistake == "no maximum":
        raised = tl.exp(scores)
        weights = raised / tl.sum(raised, axis=1)[:, None]
    elif mistake == "no sum":
        weights = tl.exp(scores - tl.max(scores, axis=1)[:, None])
    elif mistake == "no softmax":
        weights = scores
    else:
        raised = tl.exp(scores - tl.max(scores, axis=1)[:, None])
        weights = raised / tl.sum(raised, axis=1)[:, None]
    if mistake == "keys":
        value = key
    elif mistake == "queries":
        value = query
    mixed = tl.dot(weights, value, input_precision="ieee")
    if mistake == "scaled twice":
        mixed = mixed * scale
    tl.store(out_at + place, mixed, mask=(channel < d)[None, :])
