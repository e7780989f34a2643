# %% [markdown]
# # 05 · Window attention
#
# | | |
# |---|---|
# | **You will** | build self-attention, from three tokens up to window-based multi-head self-attention (W-MSA), the window attention of a global-local awareness (GLA) layer |
# | **It enables** | 06, which shifts the windows, and 07, which puts attention beside the convolutions of 04 |
# | **Takes** | 2 minutes, 1 GB of memory; about 100 minutes to work through |
# | **Becomes** | `attend`, `relative_position_index` and `WindowAttention` in `glanet/model/attention.py` |
#
# A convolution weights the neighbours of a pixel with numbers that are fixed after training: the
# weight depends on *where* a neighbour is. Self-attention computes the weights anew for each pixel:
# the weight depends on *what* the neighbour holds. In a GLA layer, attention is the branch for low
# frequencies, and its output is called $Z$ ([the paper: *Global-Local Awareness Network for Image
# Super-Resolution*, ICIP 2023; §2.1 and Fig. 2b](https://panpinchi.github.io/GLA-Net/)).

# %% [markdown]
# ## 1 · Three tokens
#
# A *token* is the vector that stands for one pixel of a feature map. In attention, every token has
# three roles, each with a vector of $d$ numbers. Its *query* describes what the token looks for.
# Its *key* describes what the token offers. Its *value* is what it passes on. A query and a key
# that point the same way have a large product, the *score*.
#
# $$\text{Attention}(Q, K, V) = \text{softmax}\left(\frac{Q K^\top}{\sqrt{d}}\right) V$$
#
# The paper takes this from Vaswani et al., its reference [13]. Here are three tokens with $d = 2$.

# %% tags=["nbval-check-output"]
import torch

query = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])  # (N, d): 3 tokens, d = 2
key = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0]])
value = torch.tensor([[6.0, 0.0], [0.0, 6.0], [9.0, 9.0]])

query @ key.T  # (N, N): entry (i, j) is the product of query i and key j

# %% [markdown]
# Three steps remain: scale, softmax, weighted mean. The softmax turns a row of scores into weights:
# $e^{s_j}$, divided by the sum of the row.

# %%
from glanet.course.lessons.window_attention.figures import tables

scores = query @ key.T / 2**0.5
weights = scores.softmax(dim=-1)
tables(
    {
        "scores / √2": (scores, "query", "key"),
        "weights": (weights, "query", "key"),
        "weights · values": (weights @ value, "query", "channel"),
    }
)

# %% [markdown]
# Check query 0 by hand. Its scores are 1, 0 and 2. Divided by 1.414 they are 0.71, 0 and 1.41. $e$
# to these powers is 2.03, 1 and 4.11, together 7.14. So the weights are 0.28, 0.14 and 0.58, and
# the first channel of its output is 0.28 · 6 + 0.14 · 0 + 0.58 · 9 = 6.9.
#
# The weights of each query are positive and add up to 1. The output is a *weighted mean* of the
# values.

# %% [markdown]
# **Exercise 1 · Attention** ★☆☆, 8 minutes. Write it for tensors with any number of leading axes:
# the last two axes are tokens and channels. Add `bias` to the scaled scores; section 6 explains its
# purpose.
#
# $$\text{softmax}\left(\frac{q k^\top}{\sqrt{d}} + \text{bias}\right) v$$
#
# <details><summary>Hint 1</summary>
#
# With more than two axes, `key.T` is not what you want. `key.transpose(-2, -1)` swaps the last two.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `@` multiplies matrices in the last two axes. $d$ is `query.shape[-1]`. To divide by $\sqrt{d}$,
# multiply by `d ** -0.5`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `scores = query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5`. Then add the bias, take the
# softmax over the keys, and multiply by the values.
#
# </details>


# %%
def attend(query, key, value, bias):
    """softmax(q kᵀ / √d + bias) v: (..., N, d) -> (..., N, d)."""
    # >>>
    scores = query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5
    return (scores + bias).softmax(dim=-1) @ value
    # <<<


# %%
from glanet.course.lessons.window_attention import exercises

attend = exercises.attend.check(attend)

# %% [markdown]
# ## 2 · Why divide by √d
#
# **Prediction.** Take a query and a key of $d = 64$ numbers each, all drawn with mean 0 and
# variance 1. Their product is a sum of 64 terms. What is its variance?

# %%
guess = ...

# %%
from glanet.course.kit.predictions import reveal

random = torch.Generator().manual_seed(0)
pairs = torch.randn(2, 100_000, 64, generator=random)
variance = (pairs[0] * pairs[1]).sum(dim=-1).var()
reveal(
    guess,
    round(variance.item()),
    unit="for d = 64",
    because="64 terms of variance 1 add up. So the standard deviation of a score is √d.",
)

# %% [markdown]
# What do large scores do to the softmax? Draw a query, 64 keys and 64 values, with more and more
# numbers in each. Measure three things: the standard deviation of a score, the largest of the 64
# weights, and how much gradient flows back through the softmax to the scores.

# %%
from collections import defaultdict

from glanet.course.lessons.window_attention.figures import scaling

spread, largest, returned = (defaultdict(dict) for _ in range(3))
for d in (4, 16, 64, 256):
    query = torch.randn(1000, 1, d, generator=random)
    key = torch.randn(1000, 64, d, generator=random)
    value = torch.randn(1000, 64, 1, generator=random)
    for name, scale in {"q·k": 1, "q·k / √d": d**-0.5}.items():
        scores = (query @ key.mT * scale).requires_grad_()  # mT swaps the last two axes
        weights = scores.softmax(dim=-1)
        (gradient,) = torch.autograd.grad((weights @ value).sum(), scores)
        spread[name][d] = scores.std().item()
        largest[name][d] = weights.amax(dim=-1).mean().item()
        returned[name][d] = gradient.abs().sum(dim=-1).mean().item()
scaling(
    {
        "standard deviation of a score": spread,
        "largest of 64 weights": largest,
        "gradient at the scores": returned,
    }
)

# %% [markdown]
# Without the scale, as $d$ grows, one key takes nearly all the weight before anything is learned,
# and less gradient flows back to change that. With the scale, $d$ makes no difference.
#
# You can also change the scale on purpose. The number that divides the scores is called
# *temperature*: a higher temperature gives flatter weights.

# %%
from glanet.course.lessons.window_attention.figures import sharpness

ten = torch.tensor([0.1, -1.1, 1.0, 0.2, -0.7, -0.9, 1.6, -0.6, 0.2, -1.3])
sharpness({temperature: (ten / temperature).softmax(dim=-1) for temperature in (0.1, 1, 10)})

# %% [markdown]
# On the right, all keys have nearly the same weight: attention becomes a mean over everything it
# sees, and a mean is the simplest low-pass filter. On the left, attention copies one value. Learned
# queries and keys choose between the two by the size of their products.

# %% [markdown]
# ## 3 · What it costs
#
# The scores are a table of all pairs: $N$ tokens have $N^2$ scores.
#
# **Prediction.** Let every pixel of a square image attend to every pixel. The side of the image
# doubles. How many times as many scores are there?

# %%
guess = ...


# %% tags=["nbval-check-output"]
def scores_of_all(side):
    return (side**2) ** 2


reveal(
    guess,
    scores_of_all(128) // scores_of_all(64),
    unit="times as many",
    because="Twice the side means 4 times the pixels, and 4 · 4 times the pairs.",
)

# %% [markdown]
# So GLA-Net follows Swin Transformer [8] and *restricts MSA computation to non-overlapping local
# windows* (§2.1; MSA is multi-head self-attention). With windows of 8 × 8 pixels (§2.4), each pixel
# has 64 scores, whatever the size of the image.


# %% tags=["nbval-check-output"]
def scores_in_windows(side, window=8):
    return side**2 * window**2


print("side    every pixel with every pixel    in windows of 8 × 8")
for side in (32, 64, 128, 256, 512):
    print(f"{side:4} {scores_of_all(side):31,} {scores_in_windows(side):22,}")
print(
    f"\nAt 512 × 512, in float32, each head has {4 * scores_of_all(512) / 1e9:.0f} GB of scores,\n"
    f"or {4 * scores_in_windows(512) / 1e9:.2f} GB in windows."
)

# %% [markdown]
# ## 4 · Windows
#
# In the package, feature maps are tokens of shape $(B, H, W, C)$. To cut them into windows, split
# each of the two sides in two: rows into window row `h` and row `i` inside the window, columns into
# window column `w` and column `j` inside the window.
#
# ![An image of 4 by 6 pixels is cut into six windows of 2 by 2, counted row by row](figures/05_windows.svg)
#
# `einops.rearrange` reads a pattern of the axes. A bracket is one axis made of two: in `(h i)`, `i`
# runs fastest, as seconds do in minutes and seconds. Here an image is cut into horizontal bands.

# %% tags=["nbval-check-output"]
from einops import rearrange

tokens = torch.arange(24).reshape(1, 4, 6, 1)  # (B, H, W, C), the image of the drawing
bands = rearrange(tokens, "b (h i) w c -> b h (i w) c", i=2)
bands[0, :, :, 0]  # two bands of two rows each

# %% [markdown]
# **Exercise 2 · Cut** ★☆☆, 5 minutes. Cut tokens into windows. Count the windows row by row, and
# the pixels in each window row by row, as in the drawing.
#
# <details><summary>Hint 1</summary>
#
# Split both sides: `(h i)` and `(w j)`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The windows, counted row by row, are `(h w)`. `i` and `j` have the length of the window; einops
# works out `h` and `w`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The pattern ends in `-> b (h w) (i j) c`.
#
# </details>


# %%
def cut_windows(tokens, window):
    """(B, H, W, C) -> (B, windows, N, C), N = window²."""
    # >>>
    return rearrange(tokens, "b (h i) (w j) c -> b (h w) (i j) c", i=window, j=window)
    # <<<


# %%
cut_windows = exercises.cut_windows.check(cut_windows)

# %% tags=["nbval-check-output"]
cut_windows(tokens, 2)[0, :, :, 0]  # the six windows of the drawing

# %% [markdown]
# **Exercise 3 · And back** ★★☆, 5 minutes. Join the windows to an image again. The shape of the
# windows does not show how many windows there are in a row, so the function also gets the height of
# the image.
#
# <details><summary>Hint 1</summary>
#
# Read your pattern from right to left.
#
# </details>
# <details><summary>Hint 2</summary>
#
# To split `(h w)`, einops needs one of the two: `h` is the height of the image in windows.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `rearrange(windows, "b (h w) (i j) c -> ...", h=height // window, i=window, j=window)`
#
# </details>


# %%
def join_windows(windows, window, height):
    """(B, windows, N, C) -> (B, H, W, C), H = height."""
    # >>>
    return rearrange(
        windows, "b (h w) (i j) c -> b (h i) (w j) c", h=height // window, i=window, j=window
    )
    # <<<


# %%
join_windows = exercises.join_windows.check(join_windows)

# %% [markdown]
# A wrong pattern can still give the right shape: there is no error, and the network trains on
# nonsense. Here is a photograph cut into windows of 16 × 16 in three ways, with gaps between the
# windows.

# %%
from skimage import data

from glanet.course.lessons.window_attention.figures import mosaic

photo = data.astronaut()[60:188, 140:268]  # uint8 (128, 128, 3)
pixels = torch.tensor(photo[::2, ::2])[None]  # every second pixel: (B, H, W, C) = (1, 64, 64, 3)
cuts = {
    "(h i) (w j)": cut_windows(pixels, 16),
    "(i h) (j w)": rearrange(pixels, "b (i h) (j w) c -> b (h w) (i j) c", i=16, j=16),
    "reshape": pixels.reshape(1, 16, 16 * 16, 3),
}
as_pictures = "1 (h w) (i j) c -> h w i j c"
mosaic({name: rearrange(cut, as_pictures, h=4, i=16).numpy() for name, cut in cuts.items()})

# %% [markdown]
# With `(i h)`, every fourth pixel goes into the same window: each window is a small copy of the
# whole image. `reshape` does not reorder anything: here each window holds four whole rows of the
# image, wrapped.

# %% [markdown]
# ## 5 · Heads
#
# One softmax gives one set of weights. Several *heads* divide the channels between them: each head
# is a separate attention with $d = C / \text{heads}$ channels, and their outputs are joined again
# along the channels. The paper has 6 heads (§2.4) on 180 channels, so $d = 30$.
#
# For `attend`, the heads are one more leading axis.

# %% tags=["nbval-check-output"]
x = torch.randn(1, 64, 12, generator=random)  # (B, N, C)
in_heads = rearrange(x, "b n (heads d) -> b heads n d", heads=3)
together = rearrange(attend(in_heads, in_heads, in_heads, 0), "b heads n d -> b n (heads d)")

one_by_one = [attend(part, part, part, 0) for part in x.split(4, dim=-1)]
torch.allclose(together, torch.cat(one_by_one, dim=-1), atol=1e-6)

# %% [markdown]
# ## 6 · Where a neighbour stands
#
# Something is missing. Shuffle the pixels of a window: every pixel gets the same output as before,
# at its new place.

# %% tags=["nbval-check-output"]
order = torch.randperm(64, generator=random)
shuffled = in_heads[:, :, order]
torch.allclose(
    attend(shuffled, shuffled, shuffled, 0),
    attend(in_heads, in_heads, in_heads, 0)[:, :, order],
    atol=1e-6,
)

# %% [markdown]
# Attention does not know which pixel is next to which. So each head learns a number for every
# *offset* between two pixels of a window, and adds it to their score: this is the *relative
# position bias* of Swin Transformer.
#
# **Prediction.** Two pixels of an 8 × 8 window can be −7, …, 7 rows and −7, …, 7 columns apart. How
# many numbers does a head learn?

# %%
guess = ...

# %% tags=["nbval-check-output"]
window = 8
offsets_of_two_pixels = {
    (i // window - j // window, i % window - j % window)  # rows and columns from j to i
    for i in range(window**2)
    for j in range(window**2)
}
reveal(
    guess,
    len(offsets_of_two_pixels),
    unit="numbers",
    because=f"They are (2 · 8 − 1)², for {window**4:,} pairs of pixels.",
)

# %% [markdown]
# The numbers are in a table, `bias_table`, with one row for each offset. You need to know which row
# of the table a pair of pixels uses. Number the offsets as you would number the pixels of an image.
# First make both offsets start at 0: add $M - 1$, for a window of side $M$. Then
#
# $$\text{number} = (2M - 1) \cdot \text{row offset} + \text{column offset}$$
#
# By hand for $M = 2$, with the pixels 0 1 / 2 3:
#
# | pixel i | pixel j | i minus j: rows, columns | both + 1 | 3 · row + column |
# |---|---|---|---|---|
# | 0 | 0 | 0, 0 | 1, 1 | 4 |
# | 0 | 1 | 0, −1 | 1, 0 | 3 |
# | 0 | 2 | −1, 0 | 0, 1 | 1 |
# | 0 | 3 | −1, −1 | 0, 0 | 0 |
# | 3 | 0 | 1, 1 | 2, 2 | 8 |
#
# **Exercise 4 · The index** ★★☆, 15 minutes. `relative_position_index(window)` returns this number
# for every pair of pixels: an integer tensor $(N, N)$, $N = M^2$. Entry (i, j) is the number of the
# offset from pixel j to pixel i.
#
# <details><summary>Hint 1</summary>
#
# Pixel n is in row `n // window` and column `n % window`. With `n = torch.arange(window**2)` you
# get all pixels at once.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Entry (i, j) of `p[:, None] - p[None, :]` is `p[i] - p[j]`: all differences of a vector `p` with
# itself.
#
# </details>
# <details><summary>Hint 3</summary>
#
# With `row` and `column` of all pixels: `row_offset = row[:, None] - row[None, :] + window - 1`,
# and likewise for columns.
#
# </details>


# %%
def relative_position_index(window):
    """The row of the bias table for each pair of pixels: (N, N) int64, N = window²."""
    # >>>
    pixels = torch.arange(window**2)
    row, column = pixels // window, pixels % window
    row_offset = row[:, None] - row[None, :] + window - 1  # 0 ... 2·window - 2
    column_offset = column[:, None] - column[None, :] + window - 1
    return row_offset * (2 * window - 1) + column_offset
    # <<<


# %%
relative_position_index = exercises.relative_position_index.check(relative_position_index)

# %% tags=["nbval-check-output"]
relative_position_index(2)  # compare row 0 with the table above

# %% [markdown]
# For windows of 8 × 8, here is one row of the index laid out as the window. The pixel itself has
# number 112, the number of the offset (0, 0) for every pixel. One step to the right subtracts 1,
# one step down subtracts 15.

# %%
from glanet.course.lessons.window_attention.figures import offsets

offsets(relative_position_index(8), pixel=19)

# %% [markdown]
# ## 7 · W-MSA
#
# Now put everything into one layer. One linear layer, `qkv`, computes query, key and value from the
# same tokens. A last linear layer, `proj`, mixes the outputs of the heads.
#
# ![Tokens go through qkv, are cut into windows and heads, attend with the bias, are joined, and go through proj](figures/05_w_msa.svg)
#
# Look at the shapes: the scores are $(B, \text{windows}, \text{heads}, N, N)$, the bias is
# $(\text{heads}, N, N)$. PyTorch aligns shapes from the right and repeats along missing axes: every
# image and every window gets the same bias, and each head gets its own. This is called
# *broadcasting*, and here it does what we want.
#
# One pattern can split windows, heads, and query, key and value at once. If an axis is made of
# three, as in `(three heads d)`, the last one runs fastest:

# %% tags=["nbval-check-output"]
features = torch.randn(2, 16, 24, 3 * 12, generator=random)  # like the output of qkv: (B, H, W, 3C)
query, key, value = rearrange(
    features,
    "b (h i) (w j) (three heads d) -> three b (h w) heads (i j) d",
    i=8,
    j=8,
    three=3,
    heads=4,
)
query.shape  # (B, windows, heads, N, d)

# %% [markdown]
# **Exercise 5 · The class** ★★★, 20 minutes. `__init__` is given, because the weights must have the
# same names as the package's. Write `forward`. It follows the drawing above from left to right.
#
# <details><summary>Hint 1</summary>
#
# Four steps: `self.qkv` and the pattern of the last cell; look up the bias; `attend`; join the
# windows and apply `self.proj`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `self.bias_table[self.bias_index]` looks up a row of the table for every pair: its shape is
# $(N, N, \text{heads})$. Move the heads to the front with
# `rearrange(..., "i j heads -> heads i j")`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `attend` returns $(B, \text{windows}, \text{heads}, N, d)$. To join, read the pattern backwards:
# `"b (h w) heads (i j) d -> b (h i) (w j) (heads d)"`, with `h=tokens.shape[1] // self.window` and
# `i=self.window`.
#
# </details>

# %%
from torch import nn


class WindowAttention(nn.Module):
    """W-MSA: tokens (B, H, W, C) -> (B, H, W, C); H and W are multiples of the window."""

    def __init__(self, channels, heads, window):
        super().__init__()
        self.heads, self.window = heads, window
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.bias_table = nn.Parameter(torch.empty((2 * window - 1) ** 2, heads))
        nn.init.trunc_normal_(self.bias_table, std=0.02)
        # a buffer moves to the GPU with the layer; persistent=False: not saved with the weights
        self.register_buffer("bias_index", relative_position_index(window), persistent=False)

    def forward(self, tokens):
        # >>>
        query, key, value = rearrange(
            self.qkv(tokens),
            "b (h i) (w j) (three heads d) -> three b (h w) heads (i j) d",
            i=self.window,
            j=self.window,
            three=3,
            heads=self.heads,
        )
        bias = rearrange(self.bias_table[self.bias_index], "i j heads -> heads i j")
        mixed = attend(query, key, value, bias)
        mixed = rearrange(
            mixed,
            "b (h w) heads (i j) d -> b (h i) (w j) (heads d)",
            h=tokens.shape[1] // self.window,
            i=self.window,
        )
        return self.proj(mixed)
        # <<<


# %%
WindowAttention = exercises.window_attention.check(WindowAttention)

# %% [markdown]
# At the paper's size, the layer has 180 channels, 6 heads and windows of 8. Nearly all the weights
# are in the two linear layers, and none of their shapes depends on the image.

# %% tags=["nbval-check-output"]
layer = WindowAttention(180, 6, 8)
for name, weight in layer.named_parameters():
    print(f"{name:12} {tuple(weight.shape)!s:11} {weight.numel():7,}")
print(f"{'together':24} {sum(weight.numel() for weight in layer.parameters()):7,}")

# %% [markdown]
# ## 8 · In a trained network
#
# `tiny-x2` has three blocks, and each starts with a layer of W-MSA: 4 heads of 8 channels. Run it
# on the photograph, and keep the inputs of these three layers. PyTorch calls a *hook* whenever its
# module is called.

# %%
from glanet import GLANet
from glanet.data.tensors import to_tensor

model = GLANet.from_pretrained("tiny-x2")
layers = {
    f"block {number}": block.layers[0].attention
    for number, block in enumerate(model.trunk.blocks, start=1)
}
inputs = {}
for name, layer in layers.items():
    layer.register_forward_pre_hook(
        lambda module, arguments, name=name: inputs.update({name: arguments[0]})
    )
with torch.no_grad():
    model(to_tensor(photo))
inputs["block 1"].shape

# %% [markdown]
# The layer itself does not return its weights. Compute them as `attend` does, from its `qkv` and
# its table.


# %%
@torch.no_grad()
def attention_weights(layer, tokens):
    """The weights of ``layer`` for one image: (windows, heads, N, N); each row adds up to 1."""
    query, key, _ = rearrange(
        layer.qkv(tokens),
        "1 (h i) (w j) (three heads d) -> three (h w) heads (i j) d",
        i=layer.window,
        j=layer.window,
        three=3,
        heads=layer.heads,
    )
    bias = rearrange(layer.bias_table[layer.bias_index], "i j heads -> heads i j")
    return (query @ key.mT * query.shape[-1] ** -0.5 + bias).softmax(dim=-1)


weights = {name: attention_weights(layer, inputs[name]) for name, layer in layers.items()}

# %% [markdown]
# **Prediction.** The paper calls attention *low-frequency-oriented*. If a pixel shared its weight
# equally among $k$ pixels, the sum of its squared weights would be $1/k$. So 1 over that sum counts
# how many pixels it averages over, between 1 and 64. What is this count in block 1, on average over
# all pixels and heads?

# %%
guess = ...

# %%
breadth = {name: 1 / w.square().sum(dim=-1) for name, w in weights.items()}
reveal(
    guess,
    round(breadth["block 1"].mean().item()),
    unit="of 64 pixels",
    because="Attention neither copies one pixel nor averages over all of them.",
)

# %%
print("head          0      1      2      3")
for name, count in breadth.items():
    heads = "   ".join(f"{k:4.1f}" for k in count.mean(dim=(0, 2)).tolist())  # mean over pixels
    print(f"{name}:   {heads}")

# %% [markdown]
# The heads of a block differ: some average over many pixels, others select a few. Look at one
# pixel: its window in the photograph, and the weights of the four heads.

# %%
from glanet.course.lessons.window_attention.figures import pixel_attention

pixel_attention(photo, weights["block 1"], row=42, column=66)

# %% [markdown]
# Now you choose the layer, and click on a pixel. Try an edge, then a smooth area. This needs a
# running kernel.

# %%
from glanet.course.lessons.window_attention.widgets import explore_attention

explore_attention(photo, weights, row=42, column=66)

# %% [markdown]
# One part of the scores does not depend on the photograph: the bias table. Drawn as images, it
# shows what each head adds for a neighbour at each position. (The table counts the offset from the
# key j to the query i. The cell flips it, so that it counts from the query to the key.)

# %%
from glanet.course.lessons.window_attention.figures import position_bias

table = layers["block 1"].bias_table.detach()
position_bias(rearrange(table, "(row column) heads -> heads row column", row=15).flip(1, 2))

# %% [markdown]
# Training started from numbers near 0 (`std=0.02`). The heads have learned to favour close pixels,
# each in its own direction.

# %% [markdown]
# ## What can go wrong
#
# - **The softmax runs over the wrong axis.** Shapes stay right. Test it with values that are all 1:
#   any mean of them is 1.
# - **The scale is missing**, or uses all channels instead of those of one head. There is no error;
#   training starts with weights that are nearly 0 or 1 (section 2).
# - **The bias is aligned with the wrong axis.** Usually PyTorch raises an error. But if there are
#   as many windows as heads, the code runs.
# - **H or W is not a multiple of the window.** einops raises an error. The network first mirrors
#   the image at its right and bottom edges; notebook 09 builds that.
#
# Make the first mistake on purpose.

# %%
q, k = torch.randn(2, 64, 8, generator=random)
ones = torch.ones(64, 1)

wrong = (q @ k.T * 8**-0.5).softmax(dim=0) @ ones
print(f"softmax over the queries: outputs from {wrong.min():.2f} to {wrong.max():.2f}")

# %% [markdown]
# Some pixels would come out darker than everything they attend to, others brighter. The correct
# axis:

# %% tags=["nbval-check-output"]
correct = (q @ k.T * 8**-0.5).softmax(dim=-1) @ ones
print(f"softmax over the keys: outputs from {correct.min():.2f} to {correct.max():.2f}")

# %% [markdown]
# Now the third mistake: a bias with one axis too many, $(\text{heads}, 1, N, N)$. With 6 windows
# and 4 heads PyTorch rejects it; with 4 windows and 4 heads it does not.

# %% tags=["nbval-check-output"]
from glanet.course.kit.lines import short_lines

bias = torch.randn(4, 64, 64, generator=random)  # (heads, N, N)

for windows in (6, 4):
    scores = torch.randn(1, windows, 4, 64, 64, generator=random)
    try:
        wrong = scores + bias[:, None]
    except RuntimeError as error:
        print(short_lines(f"{windows} windows: {error}"))
    else:
        added = wrong - scores
        print(f"{windows} windows: runs. The same bias in heads 0 and 1:", end=" ")
        print(torch.allclose(added[0, 0, 0], added[0, 0, 1], atol=1e-5))

# %% [markdown]
# With the correct shape, each head has its own bias, and all windows share it:

# %% tags=["nbval-check-output"]
added = scores + bias - scores
print("same bias in heads 0 and 1:  ", torch.allclose(added[0, 0, 0], added[0, 0, 1], atol=1e-5))
print("same bias in windows 0 and 1:", torch.allclose(added[0, 0], added[0, 1], atol=1e-5))

# %% [markdown]
# ## The same as the package's
#
# Compare what you built with `glanet/model/attention.py`. The package's class does more: it can
# shift windows (notebook 06), uses one fused kernel, and keeps the bias from one call to the next.
# The numbers are the same, and so are the gradients.

# %% tags=["nbval-check-output"]
from glanet.course.kit.sameness import same_function, same_module
from glanet.model import attention as package

cases = [
    (*torch.randn(3, *shape, generator=random), torch.randn(n, n, generator=random))
    for shape, n in (((5, 3), 5), ((2, 4, 6, 64, 30), 64))
]
print(same_function(attend, package.attend, cases, tolerance=1e-6))
print(
    same_function(
        relative_position_index, package.relative_position_index, [(2,), (3,), (7,), (8,)]
    )
)
mine, theirs = WindowAttention(180, 6, 8), package.WindowAttention(180, 6, 8)
print(same_module(mine, theirs, torch.randn(1, 16, 24, 180, generator=random)))

# %% [markdown]
# ## How far you are
#
# In this layer, two pixels on either side of a window's border never meet. Notebook 06 lets them
# meet.

# %%
from glanet.course.report import report as progress_report

print(progress_report("window_attention"))
