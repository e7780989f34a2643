# %% [markdown]
# # 06 · Shifted windows
#
# | | |
# |---|---|
# | **You will** | let pixels meet across the borders of windows, with a roll and a mask, and prove that the result is right |
# | **It enables** | shifted-window multi-head self-attention (SW-MSA), the attention of every second global-local awareness (GLA) layer; notebook 07 builds that layer |
# | **Takes** | 2 minutes, 1.5 GB of memory; about 90 minutes to work through |
# | **Becomes** | `shift_mask`, `attend_fused` and `WindowAttention` in `glanet/model/attention.py` |
#
# Notebook 05 cut the image into windows of 8 × 8 pixels, in which every pixel attends to every
# other: window-based multi-head self-attention (W-MSA), with the output $Z_w$. In every second
# layer the windows are shifted by half their side: SW-MSA, with the output $Z_{sw}$. Together they
# are the $Z = \{Z_w, Z_{sw}\}$ of [the paper (*Global-Local Awareness Network for Image
# Super-Resolution*, ICIP 2023; §2.1 and Fig. 2b)](https://panpinchi.github.io/GLA-Net/).

# %% [markdown]
# ## 1 · What one pixel changes
#
# Take a layer of W-MSA with random weights. (`WindowAttention` is the package's class; you built it
# in notebook 05.) Change one pixel of its input, and see which pixels of its output change.

# %%
import torch

from glanet.model.attention import WindowAttention

random = torch.Generator().manual_seed(0)
# (B, H, W, C): three windows a side; float64, so that rounding hides no change
tokens = torch.randn(1, 24, 24, 16, generator=random, dtype=torch.float64)


def touched(layer, tokens, row, column):
    """The pixels of the output that change with one pixel of the input: (H, W) bool."""
    nudged = tokens.clone()
    nudged[:, row, column] += 1
    with torch.no_grad():
        change = (layer(nudged) - layer(tokens)).abs()
    return change.amax(dim=-1)[0] > 1e-9


torch.manual_seed(0)
first, second = (WindowAttention(16, 2, 8).double() for _ in range(2))

# %% [markdown]
# **Prediction.** Change one pixel. After one layer of W-MSA, its whole window has changed, 8 · 8 =
# 64 pixels. How many pixels change after *two* such layers?

# %%
guess = ...

# %% tags=["nbval-check-output"]
from glanet.course.kit.predictions import reveal

once = touched(first, tokens, row=10, column=15)
twice = touched(torch.nn.Sequential(first, second), tokens, row=10, column=15)
reveal(
    guess,
    twice.sum().item(),
    unit="pixels",
    because="The second layer has the same windows, so the change stays in its window.",
)

# %%
from glanet.course.lessons.shifted_windows import figures

figures.touched({"one layer of W-MSA": once, "two layers": twice}, row=10, column=15, window=8)

# %% [markdown]
# The cross marks the pixel that changed. Its right neighbour lies in the next window and never
# changes, however many such layers follow. *Cross-window connections* (§2.1) need other windows.

# %% [markdown]
# ## 2 · Move the image under the windows
#
# Shift the grid of windows by half a window. Here are 4 × 4 pixels, windows of 2 × 2, and a shift
# of 1.

# %%
import numpy as np

image = np.arange(16).reshape(4, 4)
figures.numbered(
    {
        "W-MSA": (image, (0, 0)),
        "shifted by 1": (image, (1, 1)),
        "rolled by -1": (np.roll(image, (-1, -1), axis=(0, 1)), (0, 0)),
    },
    window=2,
)

# %% [markdown]
# In the middle panel, pixels 5, 6, 9 and 10 share a window; they came from four windows. But now
# there are nine pieces, some smaller than a window, and a tensor needs equal parts.
#
# The right panel shows the solution: *roll* the image up and left by the shift. The pixels that
# leave at one edge come in again at the opposite edge. The old grid of four windows now cuts where
# the shifted grid would. After attention, roll back.
#
# `torch.roll` takes a shift for each axis. A positive shift moves down and to the right.

# %% tags=["nbval-check-output"]
row = torch.arange(6)
print(row.roll(2).tolist(), row.roll(-2).tolist())

# %% [markdown]
# **Exercise 1 · Roll and back** ★☆☆, 6 minutes. `on_rolled(tokens, shift, operation)` rolls tokens
# $(B, H, W, C)$ up and left by `shift`, calls `operation` on them, and returns its result rolled
# back, so that every pixel is back in its place.
#
# <details><summary>Hint 1</summary>
#
# Rows are axis 1 and columns axis 2. `roll` takes both at once:
# `tokens.roll((..., ...), dims=(1, 2))`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Up and left mean lower row and column numbers: `-shift` for both. Rolling back is `shift` for
# both.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `operation(tokens.roll((-shift, -shift), dims=(1, 2)))`. Roll the result once more.
#
# </details>


# %%
def on_rolled(tokens, shift, operation):
    """Roll up and left by shift, call operation, roll back: (B, H, W, C) -> (B, H, W, C)."""
    # >>>
    rolled = tokens.roll((-shift, -shift), dims=(1, 2))
    return operation(rolled).roll((shift, shift), dims=(1, 2))
    # <<<


# %%
from glanet.course.lessons.shifted_windows import exercises

on_rolled = exercises.on_rolled.check(on_rolled)

# %% [markdown]
# Does the change cross the border now? Take the same pixel, and the layer from above on the rolled
# image:

# %%
shifted = touched(lambda x: on_rolled(x, 4, first), tokens, row=10, column=15)
figures.touched({"W-MSA": once, "W-MSA on the rolled image": shifted}, row=10, column=15, window=8)

# %% [markdown]
# The window now lies across the borders. But a pixel at the edge of the image shows a problem:

# %%
corner = touched(lambda x: on_rolled(x, 4, first), tokens, row=0, column=0)
figures.touched({"top left pixel changed": corner}, row=0, column=0, window=8)

# %% [markdown]
# ## 3 · Who may meet: the mask
#
# The roll has made neighbours of pixels from opposite edges of the image. Some windows now hold
# pieces that were far apart:
#
# ![Nine pieces of shifted windows, and the same pieces after the roll in four windows, each piece with the number of its side](figures/06_roll.svg)
#
# Attention must leave out the pairs of pixels from different pieces. Add −100 to the score of such
# a pair: the softmax then multiplies its weight by $e^{-100}$.

# %% tags=["nbval-check-output"]
import math

f"{math.exp(-100):.1e}"

# %% [markdown]
# Which pairs? Number each pixel of the rolled image by the *side* that it came from, as in the
# drawing: 0 if it crossed no edge, 1 if it came from the left edge, 2 if it came from the top edge,
# 3 if from both. Of 4 rows rolled by 1, the last came from the top edge; of 4 columns, the last
# came from the left edge:

# %% tags=["nbval-check-output"]
from_top = torch.tensor([0, 0, 0, 1])  # for each row
from_left = torch.tensor([0, 0, 0, 1])  # for each column
side = 2 * from_top[:, None] + from_left[None, :]
side

# %% [markdown]
# Two pixels of a window may attend to each other if their sides are equal. Do it by hand for the
# second of the four windows, top right: its sides are 0 1 / 0 1, so its four pixels in order have
# the sides 0 1 0 1.
#
# | | key 0 (side 0) | key 1 (side 1) | key 2 (side 0) | key 3 (side 1) |
# |---|---|---|---|---|
# | **query 0** (side 0) | 0 | −100 | 0 | −100 |
# | **query 1** (side 1) | −100 | 0 | −100 | 0 |
# | **query 2** (side 0) | 0 | −100 | 0 | −100 |
# | **query 3** (side 1) | −100 | 0 | −100 | 0 |
#
# **Exercise 2 · The mask** ★★☆, 15 minutes. `shift_mask(height, width, window, shift)` returns the
# numbers to add to the scores: $(\text{windows}, 1, N, N)$, with 0 for pairs of the same side and
# −100 for all others. The axis of length 1 is for the heads: all heads share the mask.
#
# <details><summary>Hint 1</summary>
#
# `torch.arange(height) >= height - shift` is true for the rows that came from the top edge.
#
# </details>
# <details><summary>Hint 2</summary>
#
# With `side` of shape (height, width), cut it into windows as in notebook 05:
# `rearrange(side, "(h i) (w j) -> (h w) 1 (i j)", i=window, j=window)`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# To compare all pairs of the last axis: `side[..., :, None] != side[..., None, :]`. `.float()`
# turns the result into 0 and 1.
#
# </details>

# %%
from einops import rearrange


def shift_mask(height, width, window, shift):
    """The mask to add to the scores of a rolled image: (windows, 1, N, N), 0 or -100."""
    # >>>
    from_top = (torch.arange(height) >= height - shift).long()
    from_left = (torch.arange(width) >= width - shift).long()
    side = 2 * from_top[:, None] + from_left[None, :]
    side = rearrange(side, "(h i) (w j) -> (h w) 1 (i j)", i=window, j=window)
    apart = side[..., :, None] != side[..., None, :]
    return apart.float() * -100
    # <<<


# %%
shift_mask = exercises.shift_mask.check(shift_mask)

# %%
figures.masks(shift_mask(4, 4, window=2, shift=1))  # black: the pair is forbidden

# %% [markdown]
# Window 1 is the one that you did by hand. Window 3 holds all four corners of the image: each pixel
# sees only itself.
#
# **Prediction.** An image of 64 × 64 pixels has 8 × 8 windows of 8 × 8. In how many of the 64
# windows does the mask forbid any pair?

# %%
guess = ...

# %% tags=["nbval-check-output"]
forbids = (shift_mask(64, 64, window=8, shift=4) < 0).any(dim=(1, 2, 3))
reveal(
    guess,
    forbids.sum().item(),
    unit="windows",
    because="The last row and the last column of windows: 8 + 8, less the one in both.",
)

# %% [markdown]
# **Four sides or nine regions?** Most code of Swin Transformer numbers nine regions, the pieces A
# to I of the drawing. Four sides give the same mask: where two pieces have the same side, like E
# and F, a window border separates them already.

# %% tags=["nbval-check-output"]
height, width, window, shift = 24, 32, 8, 4
thirds = (slice(0, -window), slice(-window, -shift), slice(-shift, None))
region = torch.zeros(height, width, dtype=torch.long)
for number, (rows, columns) in enumerate((r, c) for r in thirds for c in thirds):
    region[rows, columns] = number
region = rearrange(region, "(h i) (w j) -> (h w) 1 (i j)", i=window, j=window)
of_nine = (region[..., :, None] != region[..., None, :]).float() * -100
torch.equal(of_nine, shift_mask(height, width, window, shift))

# %% [markdown]
# **Why −100, and not −∞?** With −∞ a forbidden weight is exactly 0. But a row with every pair
# forbidden has no valid weights. Here every pixel may at least attend to itself, so both would
# work. The released weights were trained with −100, so the package uses it. −100 forbids a pair as
# long as the scores differ by far less than 100.

# %% tags=["nbval-check-output"]
print("weights of a row forbidden by −∞:  ", torch.full((2,), -torch.inf).softmax(dim=0).tolist())
print("weights of a row forbidden by −100:", torch.full((2,), -100.0).softmax(dim=0).tolist())
leak = (torch.tensor([0.0, 120.0]) + torch.tensor([0.0, -100.0])).softmax(dim=0)
print("a forbidden score, 120 above, gets over 99 %:", leak[1].item() > 0.99)

# %% [markdown]
# ## 4 · SW-MSA
#
# You have the parts. This is `forward` from notebook 05. Three things are missing: roll, mask, roll
# back.
#
# ```python
# query, key, value = rearrange(
#     self.qkv(tokens),
#     "b (h i) (w j) (three heads d) -> three b (h w) heads (i j) d",
#     i=self.window,
#     j=self.window,
#     three=3,
#     heads=self.heads,
# )
# bias = rearrange(self.bias_table[self.bias_index], "i j heads -> heads i j")
# mixed = attend(query, key, value, bias)
# mixed = rearrange(
#     mixed,
#     "b (h w) heads (i j) d -> b (h i) (w j) (heads d)",
#     h=tokens.shape[1] // self.window,
#     i=self.window,
# )
# return self.proj(mixed)
# ```
#
# The scores are $(B, \text{windows}, \text{heads}, N, N)$, the position bias is
# $(\text{heads}, N, N)$ and the mask is $(\text{windows}, 1, N, N)$. The sum of the last two is
# $(\text{windows}, \text{heads}, N, N)$.
#
# **Exercise 3 · The class** ★★☆, 15 minutes. `__init__` is given, with a `shift`. With a shift of 0
# the layer is W-MSA.
#
# <details><summary>Hint 1</summary>
#
# Begin with `rolled = tokens.roll(...)` and pass `rolled` to `self.qkv`. At the end, roll the
# output of `proj`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The mask depends on the size of the image: `height, width = tokens.shape[1:3]`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `bias = bias + shift_mask(height, width, self.window, self.shift).to(bias)`. `.to(bias)` gives the
# mask the type and the device of the bias.
#
# </details>

# %%
from torch import nn

from glanet.model.attention import attend, relative_position_index  # notebook 05 built both


class WindowAttention(nn.Module):
    """W-MSA (shift 0) or SW-MSA: tokens (B, H, W, C) -> (B, H, W, C)."""

    def __init__(self, channels, heads, window, shift=0):
        super().__init__()
        self.heads, self.window, self.shift = heads, window, shift
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.bias_table = nn.Parameter(torch.empty((2 * window - 1) ** 2, heads))
        nn.init.trunc_normal_(self.bias_table, std=0.02)
        self.register_buffer("bias_index", relative_position_index(window), persistent=False)

    def forward(self, tokens):
        # >>>
        height, width = tokens.shape[1:3]
        rolled = tokens.roll((-self.shift, -self.shift), dims=(1, 2))
        query, key, value = rearrange(
            self.qkv(rolled),
            "b (h i) (w j) (three heads d) -> three b (h w) heads (i j) d",
            i=self.window,
            j=self.window,
            three=3,
            heads=self.heads,
        )
        bias = rearrange(self.bias_table[self.bias_index], "i j heads -> heads i j")
        bias = bias + shift_mask(height, width, self.window, self.shift).to(bias)
        mixed = attend(query, key, value, bias)
        mixed = rearrange(
            mixed,
            "b (h w) heads (i j) d -> b (h i) (w j) (heads d)",
            h=height // self.window,
            i=self.window,
        )
        return self.proj(mixed).roll((self.shift, self.shift), dims=(1, 2))
        # <<<


# %%
WindowAttention = exercises.window_attention.check(WindowAttention)

# %% [markdown]
# ## 5 · Proof by brute force
#
# Roll, cut, mask, join, roll back: does this compute what it should? To find out, write down the
# definition without any of these steps. On the image as it is, *a pixel attends to the pixels in
# its own window of the shifted grid*, and to no others.
#
# **Exercise 4 · Which window** ★☆☆, 5 minutes. Rows and columns work alike, so one function serves
# both: `shifted_window(position, window, shift)` returns the number of the window that each
# position lies in. The first whole window starts at `shift`. The positions before it form a piece
# with its own number. You are free to choose the numbers.
#
# <details><summary>Hint 1</summary>
#
# Without a shift it is `position // window`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Count the positions from the start of the first whole window. `//` rounds down, below 0 too:
# `-1 // 8` is `-1`.
#
# </details>


# %%
def shifted_window(position, window, shift):
    """The number of the shifted window that each row or column lies in: (P,) -> (P,)."""
    # >>>
    return (position - shift) // window
    # <<<


# %%
shifted_window = exercises.shifted_window.check(shifted_window)

# %% tags=["nbval-check-output"]
print(*shifted_window(torch.arange(24), window=8, shift=4).tolist())

# %% [markdown]
# Now compute attention over the whole image at once: all pairs of $H \cdot W$ pixels get a score,
# the bias depends on their offset, and pairs that do not share a window get −∞.


# %%
def brute_force(layer, tokens):
    """SW-MSA from its definition: no roll, no windows cut, no shift mask."""
    height, width = tokens.shape[1:3]
    row = torch.arange(height).repeat_interleave(width)  # of every pixel: (H·W,)
    column = torch.arange(width).repeat(height)
    row_window, column_window = (
        shifted_window(position, layer.window, layer.shift) for position in (row, column)
    )
    share_rows = row_window[:, None] == row_window[None, :]  # (H·W, H·W)
    share_columns = column_window[:, None] == column_window[None, :]
    together = share_rows & share_columns

    reach = layer.window - 1
    row_offset, column_offset = (
        (position[:, None] - position[None, :]).clamp(-reach, reach) + reach
        for position in (row, column)
    )
    bias = layer.bias_table[row_offset * (2 * reach + 1) + column_offset]
    bias = rearrange(bias, "i j heads -> heads i j").masked_fill(~together, -torch.inf)

    query, key, value = rearrange(
        layer.qkv(tokens),
        "b h w (three heads d) -> three b heads (h w) d",
        three=3,
        heads=layer.heads,
    )
    mixed = attend(query, key, value, bias)
    return layer.proj(rearrange(mixed, "b heads (h w) d -> b h w (heads d)", h=height))


# %% [markdown]
# Compare the two in float64, so that rounding does not hide a difference. Large random numbers in
# the bias table make a wrong bias visible.

# %% tags=["nbval-check-output"]
for shift in (0, 1, 4, 7):
    layer = WindowAttention(16, 2, 8, shift).double()
    nn.init.normal_(layer.bias_table)
    x = torch.randn(2, 16, 24, 16, generator=random, dtype=torch.float64)
    with torch.no_grad():
        gap = (layer(x) - brute_force(layer, x)).abs().max().item()
    print(f"shift {shift}: {'equal to 1e-12' if gap < 1e-12 else f'differs by {gap:.1e}'}")

# %% [markdown]
# The definition is slow: it computes all $(H W)^2$ scores and discards nearly all of them. But it
# is short enough to check by reading, and a proof needs that.

# %% [markdown]
# ## 6 · One kernel
#
# `attend` works step by step: it writes the scores to memory, reads them, writes the weights, and
# reads those. PyTorch has the whole formula as one function, `scaled_dot_product_attention`. Its
# kernels process the scores piece by piece and never store the whole table of scores. The function
# includes the scale $1/\sqrt{d}$, and it calls the bias `attn_mask`.

# %% tags=["nbval-check-output"]
import torch.nn.functional as F


def attend_fused(query, key, value, bias):
    """attend, computed by PyTorch's fused kernels."""
    return F.scaled_dot_product_attention(query, key, value, attn_mask=bias)


query, key, value = torch.randn(3, 2, 9, 6, 64, 30, generator=random)  # (B, windows, heads, N, d)
bias = torch.randn(6, 64, 64, generator=random) + shift_mask(24, 24, 8, 4)
torch.allclose(attend_fused(query, key, value, bias), attend(query, key, value, bias), atol=1e-5)

# %% [markdown]
# A boolean mask means the opposite of what you may expect: true marks the pairs that *may* meet. To
# forbid the pairs that are `apart`, pass `~apart`.

# %% tags=["nbval-check-output"]
apart = shift_mask(24, 24, 8, 4) < 0
right = attend(query, key, value, shift_mask(24, 24, 8, 4))
for name, mask in {"~apart": ~apart, "apart": apart}.items():
    same = torch.allclose(attend_fused(query, key, value, mask), right, atol=1e-5)
    print(f"attn_mask={name:6} forbids what the shift mask forbids: {same}")

# %% [markdown]
# The package's layer uses the fused function. It also merges the axis of windows into another,
# because the kernels expect four axes, and it keeps the mask for each image size instead of
# computing it in every layer. Notebook 14 measures how much time that saves.

# %% [markdown]
# ## 7 · What shifting buys
#
# Stack layers as the network does: W-MSA, SW-MSA, W-MSA, SW-MSA. The *receptive field* of an output
# pixel is the part of the input that it depends on. The opposite direction is easier to measure:
# the part of the output that one input pixel reaches. Here both have the same size.
#
# **Prediction.** After W-MSA, a pixel has reached 64 pixels. How many after W-MSA and SW-MSA?

# %%
guess = ...

# %% tags=["nbval-check-output"]
large = torch.randn(1, 48, 48, 16, generator=random, dtype=torch.float64)
stack = [WindowAttention(16, 2, 8, shift).double() for shift in (0, 4, 0, 4)]
reached = {
    f"{depth} layer{'s' * (depth > 1)}": touched(nn.Sequential(*stack[:depth]), large, 21, 21)
    for depth in (1, 2, 3, 4)
}
reveal(
    guess,
    reached["2 layers"].sum().item(),
    unit="pixels",
    because="The pixels of the window lie in four shifted windows, together 16 · 16 pixels.",
)

# %%
figures.touched(reached, row=21, column=21, window=8)

# %% [markdown]
# The side grows by 8 pixels a layer. In a stack of 3 × 3 convolutions it grows by 2. The paper's
# network has six blocks of six such layers (§2.1): 36 · 8 = 288 pixels by attention alone, with
# windows of 8.

# %% [markdown]
# ## 8 · In a trained network
#
# The two layers of each block in `tiny-x2` have W-MSA and SW-MSA. Run the network on a photograph.
# Keep the input of the attention in the second block, and the outputs of the block's two attention
# layers.

# %%
from skimage import data

from glanet import GLANet
from glanet.data.tensors import to_tensor

model = GLANet.from_pretrained("tiny-x2")
w_msa, sw_msa = (layer.attention for layer in model.trunk.blocks[1].layers)
seen = {}
w_msa.register_forward_hook(
    lambda module, arguments, output: seen.update({"input": arguments[0], "W-MSA": output})
)
sw_msa.register_forward_hook(lambda module, arguments, output: seen.update({"SW-MSA": output}))

photo = data.astronaut()[:256, 100:356]  # uint8 (256, 256, 3)
with torch.no_grad():
    model(to_tensor(photo))
{name: tuple(features.shape) for name, features in seen.items()}

# %% [markdown]
# Two pixels on either side of a window border are mixed from different neighbours. Is that visible?
# Measure how far the features jump from each column to the next, and group the columns by their
# place in a window. In W-MSA the border lies between columns 7 and 0.
#
# **Prediction.** Where does the output of SW-MSA jump most: between columns `"7 and 0"`, between
# `"3 and 4"`, or `"everywhere alike"`?

# %%
guess = ...


# %%
def jumps(features, window=8):
    """Mean jump to the next column, by place in a window, relative to the mean: (window,)."""
    jump = features.diff(dim=2).abs().mean(dim=(0, 1, 3))  # (W - 1,)
    by_place = torch.stack([jump[place::window].mean() for place in range(window)])
    return by_place / by_place.mean()


profiles = {name: jumps(seen[name]) for name in ("W-MSA", "SW-MSA", "input")}
place = profiles["SW-MSA"].argmax().item()
clear = profiles["SW-MSA"].max() > 1.1 * profiles["SW-MSA"].median()

# %%
from glanet.course.kit.predictions import reveal_choice

reveal_choice(
    guess,
    f"{place} and {(place + 1) % 8}" if clear else "everywhere alike",
    choices=("7 and 0", "3 and 4", "everywhere alike"),
    because="Its windows are shifted by 4, and so are their borders.",
)

# %%
figures.seams(profiles)

# %% [markdown]
# Each layer leaves seams at its own borders, and none at the borders of the other. This is one more
# reason to alternate: with W-MSA alone, all layers would leave their seams in the same place.
#
# Last, look at the pixels that one pixel may attend to. The photograph shows an eye, with the
# windows of SW-MSA. The right panel is the rolled image.

# %%
eye = data.astronaut()[84:116, 180:228]  # uint8 (32, 48, 3)
figures.reach(eye, row=2, column=28, window=8, shift=4)

# %% [markdown]
# This pixel is near the top edge. The edge cuts its window in half, and in the rolled image the
# other half of the window is dark. Now you: click on a corner, in the middle, on the last row;
# switch the shift off. This needs a running kernel.

# %%
from glanet.course.lessons.shifted_windows.widgets import explore_reach

explore_reach(eye, row=2, column=28, window=8)

# %% [markdown]
# ## What can go wrong
#
# - **No mask.** Opposite edges of the image leak into each other. Only the last row and the last
#   column of windows are wrong, so you may not notice.
# - **Rolled the wrong way.** With a shift of half a window, the same pixels meet in either
#   direction, so away from the edges everything looks right. But now the pixels from opposite edges
#   meet at the top left, and the mask protects the bottom right.
# - **Not rolled back.** The features no longer lie over the input; the residual connection around
#   the layer adds each pixel to a different one.
# - **One mask for all windows.** Only the last row and the last column of windows have pairs to
#   forbid.
#
# Leave the mask out on purpose: this is W-MSA on the rolled image, with the weights of the layer.
# Change the top left pixel.

# %% tags=["nbval-check-output"]
right = WindowAttention(16, 2, 8, shift=4).double()
inside = WindowAttention(16, 2, 8, shift=0).double()
inside.load_state_dict(right.state_dict())

maps = {
    "no mask": touched(lambda x: on_rolled(x, 4, inside), tokens, row=0, column=0),
    "correct": touched(right, tokens, row=0, column=0),
}
for name, changed in maps.items():
    print(f"{name}: does the bottom right pixel change? {changed[-1, -1].item()}")

# %%
figures.touched(maps, row=0, column=0, window=8)

# %% [markdown]
# Now roll the wrong way, with the mask. Roll the image by 8 down and to the right before the layer;
# the layer rolls it back by 4. So the layer works on an image rolled by 4 in the wrong direction.


# %%
def rolled_the_wrong_way(x):
    return right(x.roll((8, 8), dims=(1, 2))).roll((-8, -8), dims=(1, 2))


wrong_way = touched(rolled_the_wrong_way, tokens, row=0, column=0)
figures.touched({"wrong way": wrong_way, "correct": maps["correct"]}, row=0, column=0, window=8)

# %% [markdown]
# ## The same as the package's
#
# Compare the class you built, the mask, and both kernels. (The package's mask also takes a type and
# a device, here float32 on the CPU.)

# %% tags=["nbval-check-output"]
from glanet.course.kit.sameness import same_function, same_module
from glanet.model import attention as package

sizes = [(8, 8, 8, 4), (16, 24, 8, 4), (6, 9, 3, 1), (64, 48, 8, 4)]
print(same_function(lambda *size: shift_mask(*size).float(), exercises.plain_mask, sizes))

query, key, value = torch.randn(3, 2, 6, 4, 64, 30, generator=random, dtype=torch.float64)
bias = torch.randn(1, 4, 64, 64, generator=random, dtype=torch.float64)
cases = [
    (query, key, value, bias),
    (query, key, value, bias + shift_mask(16, 24, 8, 4)),
]
print(same_function(attend_fused, package.attend_fused, cases, tolerance=1e-6))
print(same_function(attend_fused, package.attend, cases, tolerance=1e-6))

for shift in (0, 4):
    mine, theirs = (cls(180, 6, 8, shift) for cls in (WindowAttention, package.WindowAttention))
    print(same_module(mine, theirs, torch.randn(1, 16, 24, 180, generator=random)))

# %% [markdown]
# ## How far you are
#
# You have built both kinds of attention. Notebook 07 puts the convolutions of notebook 04 beside
# them, and builds a GLA layer.

# %%
from glanet.course.report import report as progress_report

print(progress_report("shifted_windows"))
