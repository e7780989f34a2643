"""Window attention, §2.1: Z = {Z_w, Z_sw}, from Swin Transformer.

The image is cut into windows, and every pixel attends to the pixels of its own window. In every
other layer the image is first rolled by half a window, so that what a border divided meets inside
one window; a mask keeps apart the pixels that only the roll made neighbours.
"""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

# as released; exp(-100) is nothing beside exp(0), and unlike -inf it makes no gradient NaN
MASKED = -100.0


def relative_position_index(window):
    """Which row of the bias table each pair of pixels in a window uses: (N, N) int64, N = window².

    Entry (i, j) numbers the offset of pixel i from pixel j; there are (2·window - 1)² offsets.
    """
    steps = torch.arange(window)
    offset = steps[:, None] - steps[None, :] + window - 1  # (window, window), 0 ... 2·window - 2
    row = rearrange(offset, "i j -> i 1 j 1")
    column = rearrange(offset, "i j -> 1 i 1 j")
    index = row * (2 * window - 1) + column
    return rearrange(index, "i1 i2 j1 j2 -> (i1 i2) (j1 j2)")


def shift_mask(height, width, window, shift, dtype, device):
    """What to add to the attention scores of a rolled image: (windows, 1, N, N), 0 or -100.

    After a roll by ``shift``, the last windows of each row and column hold pixels from opposite
    edges of the image. Two pixels may attend to each other only if they come from the same side.
    """
    side_of_row = (torch.arange(height, device=device) >= height - shift).long()
    side_of_column = (torch.arange(width, device=device) >= width - shift).long()
    side = side_of_row[:, None] * 2 + side_of_column
    side = rearrange(side, "(h i) (w j) -> (h w) 1 (i j)", i=window, j=window)
    apart = side[..., :, None] != side[..., None, :]
    return torch.zeros(apart.shape, dtype=dtype, device=device).masked_fill(apart, MASKED)


def attend(query, key, value, bias):
    """softmax(q kᵀ / √d + bias) v, step by step: (..., N, d) -> (..., N, d)."""
    scores = query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5
    return (scores + bias).softmax(dim=-1) @ value


def attend_fused(query, key, value, bias):
    """The same in one kernel, which never stores the (N, N) scores where the device has one.

    (B, windows, heads, N, d) -> the same; bias (1 or windows, heads, N, N). Such kernels take four
    axes and, on a GPU, a head width that is a multiple of 8; for anything else PyTorch goes step by
    step and does not say so.
    """
    if query.device.type == "cpu" and bias.requires_grad:
        # no kernel there gives a bias its gradient
        return attend(query, key, value, bias)
    shape, scale = query.shape, query.shape[-1] ** -0.5
    if len(bias) == 1:  # all windows share it: they are a larger batch
        query, key, value = (rearrange(t, "b w h n d -> (b w) h n d") for t in (query, key, value))
    else:  # to each window its own: they are more heads
        query, key, value = (rearrange(t, "b w h n d -> b (w h) n d") for t in (query, key, value))
        bias = rearrange(bias, "w h i j -> 1 (w h) i j")
    if query.is_cuda and shape[-1] % 8:  # zeros add nothing to a product
        query, key, value = (F.pad(t, (0, -shape[-1] % 8)) for t in (query, key, value))
    mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=scale)
    return mixed[..., : shape[-1]].reshape(shape)


class WindowAttention(nn.Module):
    """W-MSA (shift 0) or SW-MSA (shift > 0): tokens (B, H, W, C) -> (B, H, W, C).

    H and W are multiples of the window. ``attend`` is the kernel, fused or step by step; both
    give the same numbers.
    """

    def __init__(self, channels, heads, window, shift=0):
        super().__init__()
        self.heads, self.window, self.shift = heads, window, shift
        self.attend = attend_fused
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.bias_table = nn.Parameter(torch.empty((2 * window - 1) ** 2, heads))
        nn.init.trunc_normal_(self.bias_table, std=0.02)
        self.register_buffer("bias_index", relative_position_index(window), persistent=False)

    def forward(self, tokens):
        height, width = tokens.shape[1:3]
        rolled = tokens.roll((-self.shift, -self.shift), dims=(1, 2)) if self.shift else tokens
        query, key, value = rearrange(
            self.qkv(rolled),
            "b (h i) (w j) (three heads d) -> three b (h w) heads (i j) d",
            i=self.window,
            j=self.window,
            three=3,
            heads=self.heads,
        )
        mixed = self.attend(query, key, value, self.bias(height, width, query.dtype))
        mixed = rearrange(
            mixed,
            "b (h w) heads (i j) d -> b (h i) (w j) (heads d)",
            h=height // self.window,
            i=self.window,
        )
        mixed = self.proj(mixed)
        return mixed.roll((self.shift, self.shift), dims=(1, 2)) if self.shift else mixed

    def bias(self, height, width, dtype):
        """Relative-position bias plus shift mask: (1 or windows, heads, N, N)."""
        bias = self.position_bias(dtype)
        return bias + self.mask(height, width, dtype) if self.shift else bias[None]

    def position_bias(self, dtype):
        """The table's entry for each pair of pixels: (heads, N, N)."""
        # contiguous, or PyTorch's fused kernel on a GPU would not take it, and not say so
        bias = rearrange(self.bias_table[self.bias_index], "i j heads -> heads i j")
        return bias.to(dtype).contiguous()

    def mask(self, height, width, dtype):
        """The shift mask for an image of that size: (windows, 1, N, N)."""
        device = self.bias_table.device
        return shift_mask(height, width, self.window, self.shift, dtype, device)
