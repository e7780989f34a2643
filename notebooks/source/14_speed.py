# %% [markdown]
# # 14 · Speed
#
# | | |
# |---|---|
# | **You will** | find out what limits a network on your machine, and make its layers faster without changing what they compute |
# | **It enables** | your own judgement of any claim of the form "*n* times as fast" |
# | **Takes** | 3 minutes, 2 GB of memory; about 120 minutes to work through |
# | **Becomes** | `glanet/fast.py` |
#
# A layer of [GLA-Net (*Global-Local Awareness Network for Image Super-Resolution*, ICIP
# 2023)](https://panpinchi.github.io/GLA-Net/) can be computed in many ways that give the same numbers.
# They differ in the order of the arithmetic, in how often data travel between memory and the arithmetic
# units, and in how many separate steps PyTorch starts. This notebook changes one of these at a time. Each
# change has four parts: a prediction, the code, a proof that the numbers stay the same, and a fair
# measurement.
#
# **All times are those of the machine that ran the cells.** The text says what to look for, and what it
# means. Your machine may tell another story than the stored outputs do. On a GPU, the same cells run on
# the GPU.

# %% [markdown]
# ## 1 · Where the time goes
#
# The *plain* network is the one that you built in notebooks 03 to 09: attention step by step, and one
# module after the other. The weights are those of `light-x2`: 60 channels, 16 layers, 6 heads of 10
# channels. Nothing is trained here, so no weight needs a gradient.

# %%
import copy

# this comes first: Triton, which section 11 needs, looks for a GPU only once
from glanet.course.lessons.speed import kernels

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

from glanet import GLANet
from glanet.course.kit.profile import by_profile
from glanet.model.attention import WindowAttention, attend

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
rounds = by_profile(smoke=3, learn=15, full=31)  # of a race between layers
few_rounds = by_profile(smoke=1, learn=9, full=31)  # between networks, which take longer
side = by_profile(smoke=16, learn=96, full=192)  # of the image, pixels


def plain_network(name):
    """Shipped weights in the network as the notebooks build it."""
    model = GLANet.from_pretrained(name).eval().requires_grad_(False).to(device)
    for part in model.modules():
        if isinstance(part, WindowAttention):
            part.attend = attend  # step by step, as in notebook 05
    return model


plain = plain_network("light-x2")
print(f"device: {device}, threads: {torch.get_num_threads()}")

# %% [markdown]
# The input is part of a photograph.

# %%
from skimage import data

from glanet.data.degradation import imresize
from glanet.data.tensors import to_tensor

lr = imresize(data.astronaut(), 1 / 2)[:side, 60 : 60 + side]
image = to_tensor(lr).to(device)
tuple(image.shape)

# %% [markdown]
# PyTorch has a *profiler*. It lists every operation of a forward pass and the time that the operation
# took by itself. There are hundreds, so we sort them into kinds:
#
# | kind | for example |
# |---|---|
# | matrix products | `qkv`, `proj`, the MLP, the 1×1 convolutions, $q k^T$ |
# | convolutions | the branches 3, 5 and 7, and the 3×3 at the end of a block |
# | copies | cutting and joining windows, rolls, concatenations |
# | additions, products | residuals, the bias of attention |
# | softmax, LayerNorm, GELU, pooling | what their names say |
#
# **Prediction.** Which kind takes the largest share of the plain network's time? One of `"matrix
# products"`, `"convolutions"`, `"copies"`, `"additions, products"`, `"softmax"`, `"LayerNorm"`, `"GELU"`,
# `"pooling"`.

# %%
guess = ...

# %%
from glanet.course.kit.predictions import reveal_choice
from glanet.course.lessons.speed.instruments import KINDS, shares_of_time

small = plain_network("tiny-x2")
shares = {
    name: shares_of_time(lambda model=model: model(image), device)
    for name, model in {"tiny-x2": small, "light-x2": plain}.items()
}
reveal_choice(
    guess,
    next(iter(shares["light-x2"])),
    choices=tuple(KINDS),
    because="The figure below shows all shares.",
)

# %%
from glanet.course.lessons.speed.figures import time_bars

time_bars(shares)

# %% [markdown]
# Look at the bars that are *not* matrix products and convolutions. Nearly all of the arithmetic is in
# these two kinds. What do the others do with their time? The next section answers that.

# %% [markdown]
# ## 2 · Two limits
#
# An operation reads numbers from memory, computes, and writes numbers back. So a device has two limits:
# its *rate*, in floating-point operations per second (FLOP/s), and its *bandwidth*, in bytes per second.
# A multiplication and an addition are two FLOP; a number in float32 has 4 bytes.
#
# Take a device with 100 GFLOP/s and 10 GB/s, and the product of two 1000×1000 matrices:
#
# - arithmetic: $2 \cdot 1000^3$ FLOP are 2 GFLOP, and take 20 ms;
# - memory: three matrices of 4 MB are 12 MB, and take 1.2 ms.
#
# The product needs at least 20 ms: *arithmetic* limits it. Now add the same two matrices:
#
# - arithmetic: 1 MFLOP takes 0.01 ms;
# - memory: the same 12 MB take 1.2 ms.
#
# The addition needs at least 1.2 ms: *memory* limits it. The arithmetic units idle for 99 % of the time,
# and faster ones would change nothing.
#
# **Exercise 1 · The least time** ★☆☆, 5 minutes. `least_seconds` returns the seconds that
# a device needs at least. At best, it computes and moves data at the same time.
#
# <details><summary>Hint 1</summary>
#
# Arithmetic alone takes `flop / rate` seconds, moving the data alone `moved / bandwidth`. Both have to be
# finished.
#
# </details>


# %%
def least_seconds(flop, moved, rate, bandwidth):
    """The shortest time possible, in seconds.

    The work is ``flop``, and ``moved`` in bytes. The device's limits are ``rate`` in FLOP/s and
    ``bandwidth`` in bytes/s.
    """
    # >>>
    return max(flop / rate, moved / bandwidth)
    # <<<


# %%
from glanet.course.lessons.speed import exercises

least_seconds = exercises.least_seconds.check(least_seconds)

# %% [markdown]
# FLOP divided by bytes is the *intensity* of an operation. On a given device, it alone decides which limit
# counts: both times are equal at the intensity rate / bandwidth, which is called the *ridge*. The device
# above has its ridge at 10 FLOP per byte.
#
# **Prediction.** What is the intensity of adding two feature maps in float32, in FLOP per byte?

# %%
guess = ...

# %% tags=["nbval-check-output"]
from glanet.course.kit.predictions import reveal

reveal(
    guess,
    round(1 / 12, 3),
    unit="FLOP per byte",
    because="One FLOP for 12 bytes: two numbers are read and one is written, of 4 bytes each.",
)

# %% [markdown]
# ### The limits of this machine
#
# The bandwidth is that of a copy, which reads and writes. How large an array is makes a difference: small
# ones stay in a *cache*, a small and fast memory beside the arithmetic units.

# %%
from glanet.course.lessons.speed.figures import bandwidths
from glanet.course.lessons.speed.instruments import Machine, copy_rate, matrix_rate

channels = 60
map_bytes = side**2 * channels * 4
sizes = [2**power for power in range(14, by_profile(smoke=23, learn=29, full=29))]
rates = {size: copy_rate(device, size) for size in sizes}
machine = Machine(
    rate=matrix_rate(device),
    bandwidth=rates[sizes[-1]],
    cache=copy_rate(device, map_bytes),
)
print(f"rate in float32:      {machine.rate / 1e9:10,.0f} GFLOP/s")
print(f"bandwidth of memory:  {machine.bandwidth / 1e9:10,.0f} GB/s")
print(f"for one feature map:  {machine.cache / 1e9:10,.0f} GB/s")
print(f"ridge:                {machine.ridge:10,.1f} FLOP per byte")
bandwidths(rates, marked=map_bytes)

# %% [markdown]
# Look for steps in the curve: each is the size of a cache. Where is the dashed line, the size of one
# feature map of this notebook? If it is left of the last step, a map can stay in a cache from one
# operation to the next. A larger photograph moves the line to the right. (At the far left, starting the
# copy takes longer than the copy.)
#
# ### The layer on the roof
#
# Now the operations of one plain layer. `operations` runs it, and records for each operation of PyTorch
# its FLOP, the bytes of all tensors that it reads and writes, and its time. PyTorch knows the FLOP of
# products and convolutions. For the others we count one for each number that they write, and none for a
# copy; their intensity is so low that the exact number does not matter.

# %%
from glanet.course.lessons.speed.instruments import by_kind, operations, total

layer = plain.trunk.blocks[0].layers[0]
inputs = []
hook = layer.register_forward_pre_hook(lambda module, arguments: inputs.append(arguments[0]))
plain(image)
hook.remove()
(tokens,) = inputs

repeats = by_profile(smoke=1, learn=5, full=9)
layer_operations = operations(lambda: layer(tokens), device, repeats)
kinds = by_kind(layer_operations)
print("                     FLOP per byte   time")
whole = total(layer_operations).seconds
for kind, found in kinds.items():
    print(f"{kind:20} {found.intensity:13.2f} {found.seconds / whole:6.0%}")

# %%
from glanet.course.lessons.speed.figures import roofline

roofline(machine, kinds)

# %% [markdown]
# This picture is called a *roofline*. The roof is the least time of exercise 1, drawn as a rate: it rises
# with the intensity up to the ridge, and is flat from there on. Read it in three steps.
#
# 1. **Which side?** Blue kinds are left of the ridge, and memory limits them. To make them faster, move
#    fewer bytes. Fewer FLOP would not help.
# 2. **How far below the roof?** That is what better code could gain. A point above the slope had its data in
#    a cache. (A point above the flat part means that the rate was measured while something else was
#    running. Run the cells of this section again.)
# 3. **What lies beside the picture?** Copies compute nothing, so they have no place in it. Each byte of
#    them can be saved.
#
# Move the sliders to see the layer on another machine, if every kind reached its roof. Which kinds change
# sides when the rate grows and the bandwidth does not? That is what happened from one generation of
# devices to the next.

# %%
from glanet.course.lessons.speed.widgets import explore_machines

explore_machines(machine, kinds)

# %% [markdown]
# ## 3 · A fair race
#
# Before you change anything, learn to measure. A machine does other things at the same time, and it slows
# down when it gets hot. Time the same layer twelve times, one by one:

# %%
from glanet.course.lessons.speed.instruments import seconds

layer(tokens)
times = [seconds(lambda: layer(tokens), device) for _ in range(12)]
print(f"shortest {min(times) * 1e3:.2f} ms, longest {max(times) * 1e3:.2f} ms")

# %% [markdown]
# Whoever times one version, and another a minute later, measures that, too. `race` does better:
#
# - All versions take turns in every round, so that what slows down the machine slows down all of them.
# - Each round gives one *ratio*. The result is the median of all rounds.
# - With it comes a range that holds the true median in at least 95 of 100 races. If the range contains 1,
#   the difference is *within noise*, and the verdict is `"unchanged"`. Otherwise it is `"faster"` or
#   `"slower"`.
# - The clock stops when the device has finished, not when Python has handed over the work. On a GPU these
#   are two different moments.
#
# Calibrate it on something known: a race of the layer against itself.

# %%
from glanet.course.lessons.speed.instruments import VERDICTS, race

ratio = race({"plain": lambda: layer(tokens), "again": lambda: layer(tokens)}, device, rounds)
print(ratio["again"])

# %% [markdown]
# The range is a measure of the noise on your machine today. If it is wide, close other programs, and run
# the notebook again. (In up to 5 of 100 races the range misses the truth. So twenty races may well contain
# one wrong verdict.)
#
# All results go into one table, for the end:

# %%
results = {}

# %% [markdown]
# ## 4 · Tokens, not copies
#
# The released code stores a feature map as (B, C, H, W) for convolutions, and as tokens (B, H·W, C) for
# attention and LayerNorm. It copies whenever it changes from one to the other. This package stores tokens
# everywhere, (B, H, W, C). A convolution wants the axes in the other order. But `permute` moves no data: it
# only changes in which order the axes are *read*. PyTorch calls a (B, C, H, W) tensor with this memory
# *channels-last*, and its convolutions accept it.
#
# **Exercise 2 · A convolution without a copy** ★★☆, 10 minutes. `conv_tokens` convolves tokens. The result
# has the same height and width: pad with zeros by half a kernel. Kernels have odd sides, which may differ:
# (1, 5), for example.
#
# <details><summary>Hint 1</summary>
#
# Three steps: `permute` to (B, C, H, W), `F.conv2d`, `permute` back.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `permute` takes the old number of each new axis. From (B, H, W, C) to (B, C, H, W) it is
# `permute(0, 3, 1, 2)`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `F.conv2d(..., weight, bias, padding=(rows, columns))`. A kernel of side 5 needs 2 pixels of padding,
# `5 // 2`.
#
# </details>


# %%
def conv_tokens(tokens, weight, bias):
    """Convolve tokens: (B, H, W, C_in), weight (C_out, C_in, k, l) -> (B, H, W, C_out)."""
    # >>>
    padding = [side // 2 for side in weight.shape[2:]]
    image = tokens.permute(0, 3, 1, 2)
    return F.conv2d(image, weight, bias, padding=padding).permute(0, 2, 3, 1)
    # <<<


# %%
conv_tokens = exercises.conv_tokens.check(conv_tokens)


# %% [markdown]
# The rival copies to (B, C, H, W), and copies the result back. Both compute the four branches of Inception
# for the layer.


# %%
def conv_copied(tokens, weight, bias):
    """The same with copies."""
    padding = [side // 2 for side in weight.shape[2:]]
    image = tokens.permute(0, 3, 1, 2).contiguous()  # moves the data
    return F.conv2d(image, weight, bias, padding=padding).permute(0, 2, 3, 1).contiguous()


def inception(branches, x, convolve):
    """Y of notebook 04, with any function for its convolutions."""
    pooled, *others = branches
    parts = [pooled(x)]
    for narrow, row, column in others:
        y = narrow(x)
        for step in (row, column):
            y = convolve(y, step.weight, step.bias)
        parts.append(y)
    return torch.cat(parts, dim=-1)


x = layer.norm1(tokens)
branches = layer.inception.branches
with_copies, without = (inception(branches, x, f) for f in (conv_copied, conv_tokens))
print(f"largest difference: {(with_copies - without).abs().max():.1e}")

# %% [markdown]
# **Prediction.** How fast is Inception on tokens, beside Inception with copies: `"faster"`, `"slower"` or
# `"unchanged"`?

# %%
guess = ...

# %%
found = race(
    {
        "copies": lambda: inception(branches, x, conv_copied),
        "tokens": lambda: inception(branches, x, conv_tokens),
    },
    device,
    rounds,
)
results["Inception on tokens"] = found["tokens"]
reveal_choice(
    guess,
    found["tokens"].verdict,
    choices=VERDICTS,
    because="The next cell shows the ratio, and how many bytes the copies move.",
)

# %%
moved = {
    name: total(operations(lambda f=f: inception(branches, x, f), device)).moved
    for name, f in {"copies": conv_copied, "tokens": conv_tokens}.items()
}
print(results["Inception on tokens"])
for name, count in moved.items():
    print(f"{name}: {count / 1e6:.1f} MB moved")

# %% [markdown]
# Is the gain as large as the bytes that were saved? It need not be, for two reasons. The narrow maps of the
# branches may be in a cache, where a copy is cheap. And a convolution may rearrange its input inside, where
# we do not see it: some libraries for CPUs compute on blocks of 8 or 16 channels, whatever they are given.

# %% [markdown]
# ## 5 · Fused attention
#
# Attention step by step writes all scores to memory. Then it reads and writes them again, once each for the
# scale, the bias and the softmax, and reads them a last time to mix the values.
#
# ![Step by step, scores are written to memory and read again between q kᵀ, bias, softmax and the values; fused, they stay on the chip](figures/14_fused.svg)
#
# Here are the tensors of this layer: 64 pixels in each window, 10 channels in each head.

# %%
attention = layer.attention


def cut(features, heads, window=8):
    """qkv's output -> query, key, value, each (B, windows, heads, N, d)."""
    return rearrange(
        features,
        "b (h i) (w j) (three heads d) -> three b (h w) heads (i j) d",
        i=window,
        j=window,
        three=3,
        heads=heads,
    )


query, key, value = cut(attention.qkv(x), attention.heads)
bias = attention.bias(side, side, x.dtype)
print("query", tuple(query.shape))
print("bias ", tuple(bias.shape))

# %% [markdown]
# **Prediction.** How many times as many bytes as the query do the scores take?

# %%
guess = ...

# %% tags=["nbval-check-output"]
scores = query @ key.mT * query.shape[-1] ** -0.5 + bias
reveal(
    guess,
    round(scores.nbytes / query.nbytes, 1),
    unit="times as many",
    because="A query has 10 numbers, and its row of scores 64, one for each pixel of the window.",
)

# %% [markdown]
# A *fused* kernel computes a few rows of scores, uses them at once, and forgets them. For a long row, it
# takes the keys block by block. But a softmax needs the sum over the whole row, and for safety also the
# maximum of the whole row: `exp(1000)` is infinite in float32, so every softmax subtracts the largest score
# first. How can that work if you have not seen all scores yet?
#
# By hand: the scores of one query are 1, 3 in the first block and 5 in the second; the values are 10, 20
# and 40.
#
# - Block 1: the maximum is 3. The sum is $e^{1-3} + e^{3-3} = 1.135$. The mixture is
#   $10\,e^{-2} + 20 = 21.35$.
# - Block 2: the maximum grows to 5. Everything so far was divided by $e^3$ and should have been divided by
#   $e^5$. So multiply sum and mixture by $e^{3-5} = 0.135$: 0.154 and 2.89. Then add the new block: the sum
#   is $0.154 + 1 = 1.154$, the mixture $2.89 + 40 = 42.89$.
# - The end: $42.89 / 1.154 = 37.2$. The softmax over the whole row gives the same.
#
# This is the *online softmax* (Milakov and Gimelshein, 2018), the core of FlashAttention (Dao et al., 2022).
#
# **Exercise 3 · Online softmax** ★★★, 20 minutes. `blocks` is a list of pairs: scores (N, k) and values
# (k, d). Go through it once, and return the mixtures (N, d). Keep three things from block to block: the
# largest score so far, the sum, and the mixture, for each of the N rows.
#
# <details><summary>Hint 1</summary>
#
# Start with the maximum `-torch.inf`, the sum 0 and the mixture 0. Then the first block needs no special
# case: `exp(-inf)` is 0.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The maximum of each row is `scores.amax(dim=-1, keepdim=True)`. Append `.clamp(min=largest)`, and you have
# the larger of old and new.
#
# </details>
# <details><summary>Hint 3</summary>
#
# In each block: `new = ...`, `rescale = (largest - new).exp()`, `raised = (scores - new).exp()`. Then the
# sum is `rescale * total + raised.sum(dim=-1, keepdim=True)`, and the mixture is
# `rescale * mixed + raised @ values`.
#
# </details>


# %%
def online_softmax(blocks):
    """softmax(scores) @ values in one pass over blocks of (N, k) and (k, d): (N, d)."""
    # >>>
    largest, total, mixed = -torch.inf, 0, 0
    for scores, values in blocks:
        new = scores.amax(dim=-1, keepdim=True).clamp(min=largest)
        rescale = (largest - new).exp()
        raised = (scores - new).exp()
        total = rescale * total + raised.sum(dim=-1, keepdim=True)
        mixed = rescale * mixed + raised @ values
        largest = new
    return mixed / total
    # <<<


# %%
online_softmax = exercises.online_softmax.check(online_softmax)

# %% [markdown]
# Check the numbers by hand, and then one window of the layer in blocks of 16 keys:

# %% tags=["nbval-check-output"]
by_hand = [
    (torch.tensor([[1.0, 3.0]]), torch.tensor([[10.0], [20.0]])),
    (torch.tensor([[5.0]]), torch.tensor([[40.0]])),
]
print(f"by hand: {online_softmax(by_hand).item():.1f}")

one = scores[0, 0, 0], value[0, 0, 0]  # window 0, head 0
blocks = list(zip(one[0].split(16, dim=1), one[1].split(16), strict=True))
torch.allclose(online_softmax(blocks), one[0].softmax(dim=-1) @ one[1], atol=1e-5)

# %% [markdown]
# In Python, this loop would be slow. PyTorch has it in one kernel, `F.scaled_dot_product_attention`. All
# windows become one batch. The scale is an argument, which section 7 needs.


# %%
def fused(query, key, value, bias, scale=None):
    """`attend` in one kernel: (B, windows, heads, N, d) -> the same."""
    if len(bias) > 1:  # with a shift, each window has its own mask
        bias = bias.repeat(len(query), 1, 1, 1)
    batch = (t.flatten(0, 1) for t in (query, key, value))
    mixed = F.scaled_dot_product_attention(*batch, attn_mask=bias, scale=scale)
    return mixed.reshape(query.shape)


difference = fused(query, key, value, bias) - attend(query, key, value, bias)
print(f"largest difference: {difference.abs().max():.1e}")

# %% [markdown]
# **Prediction.** How fast is fused attention, beside attention step by step: `"faster"`, `"slower"` or
# `"unchanged"`?

# %%
guess = ...

# %%
found = race(
    {
        "step by step": lambda: attend(query, key, value, bias),
        "fused": lambda: fused(query, key, value, bias),
    },
    device,
    rounds,
)
results["fused attention"] = found["fused"]
reveal_choice(
    guess,
    found["fused"].verdict,
    choices=VERDICTS,
    because="The next cell shows the ratio, and the bytes that both move.",
)

# %%
print(results["fused attention"])
for name, function in {"step by step": attend, "fused": fused}.items():
    work = total(operations(lambda f=function: f(query, key, value, bias), device))
    print(f"{name:12} {work.moved / 1e6:6.1f} MB, {work.intensity:5.1f} FLOP per byte")

# %% [markdown]
# The FLOP are nearly the same, and the bytes are not: the point moves to the right along the roof. Compare
# the ratio of the bytes with the ratio of the times. If the times gain less, something else limits the
# fused kernel. One suspect: with 10 channels in a head, its matrix products are thin, unlike the large ones
# with which you measured the rate. Section 7 tests that.

# %% [markdown]
# ## 6 · Folding
#
# A linear map after a linear map is a linear map:
#
# $$W_2 (W_1 x + b_1) + b_2 = (W_2 W_1)\, x + (W_2 b_1 + b_2)$$
#
# In numbers: $W_1 = 2$, $b_1 = 1$, $W_2 = 3$, $b_2 = 5$. For $x = 10$, the two maps give
# $3 \cdot 21 + 5 = 68$; the folded one gives $6 \cdot 10 + 8 = 68$.
#
# A GLA layer has such a pair. The last linear layer of attention is `proj`. Right after it comes the fusion,
# which multiplies attention's part of V by the first C of its 2C columns. (The roll that undoes the shift
# stands between them. It moves pixels, and both maps treat all pixels alike, so the order does not matter.)
# After training, both matrices are constant, so fold them once and use the product.
#
# **Exercise 4 · Fold two maps** ★★☆, 10 minutes. `fold` returns the matrix and the bias of the one map that
# does what two do in a row: first `w1`, `b1`, then `w2`, `b2`. A matrix has a row for each output, as in
# `nn.Linear`.
#
# <details><summary>Hint 1</summary>
#
# The formula above is the answer. What acts first stands on the right.
#
# </details>


# %%
def fold(w1, b1, w2, b2):
    """Weight and bias of x -> w2 (w1 x + b1) + b2: matrices (out, in), biases (out,)."""
    # >>>
    return w2 @ w1, w2 @ b1 + b2
    # <<<


# %%
fold = exercises.fold.check(fold)

# %% [markdown]
# Fold `proj` into the fusion's columns. Does it compute the same?

# %%
of_attention, of_inception = layer.fuse.weight.split(channels, dim=1)
proj = attention.proj
mixed = torch.randn(1, side, side, channels, device=device)  # as large as attention's output


def in_two():
    return F.linear(proj(mixed), of_attention, layer.fuse.bias)


folded = fold(proj.weight, proj.bias, of_attention, layer.fuse.bias)


def in_one():
    return F.linear(mixed, *folded)


print(f"largest difference: {(in_two() - in_one()).abs().max():.1e}")

# %% [markdown]
# **Prediction.** How much of the layer's FLOP does folding `proj` save, in percent?

# %%
guess = ...

# %%
saved = 2 * channels**2 * side**2 / total(layer_operations).flop
reveal(
    guess,
    round(100 * saved, 1),
    unit="percent",
    because="A pixel costs as much as about 15 products of C × C, and proj is one of them.",
)

# %% [markdown]
# Folding removes arithmetic, and one map that was written and read again. A second change of this kind
# *joins* maps side by side: `qkv` and the 1×1 convolutions that open three branches all read the same
# tokens. Stack their matrices, and one product does the work of four.

# %%
opening = [attention.qkv, *(branch[0] for branch in branches[1:])]
joined = [torch.cat([getattr(part, name) for part in opening]) for name in ("weight", "bias")]
widths = [len(part.weight) for part in opening]


def in_four():
    return [part(x) for part in opening]


def joined_in_one():
    return F.linear(x, *joined).split(widths, dim=-1)


worst = max((a - b).abs().max() for a, b in zip(in_four(), joined_in_one(), strict=True))
print(f"largest difference: {worst:.1e}")

# %% [markdown]
# **Prediction.** How fast is the folded pair, beside the two maps in a row: `"faster"`, `"slower"` or
# `"unchanged"`?

# %%
guess = ...

# %%
found = race({"two": in_two, "one": in_one}, device, rounds)
results["proj folded"] = found["one"]
found = race({"four": in_four, "one": joined_in_one}, device, rounds)
results["four products joined"] = found["one"]
reveal_choice(
    guess,
    results["proj folded"].verdict,
    choices=VERDICTS,
    because="The next cell shows the ratio, and that of the joined products.",
)

# %%
for name in ("proj folded", "four products joined"):
    print(f"{name}:\n  {results[name]}")

# %% [markdown]
# Half of the arithmetic and half of the bytes are gone from the folded pair, so look for a ratio near 2.
# The joined product does the same arithmetic as before, and only reads its input once instead of four
# times. How much is that worth here? Later steps read parts of the joined result, which are no longer
# contiguous. That can cost what the product gained. Only the whole layer, in section 8, tells.

# %% [markdown]
# ### The mask, once
#
# Folding computes ahead of time what does not depend on the image. One more thing does not: the position
# bias and the shift mask of notebook 06 depend on the weights and the size of the image alone. The plain
# layer computes both in every forward pass. Keep them instead.

# %%
shifted = plain.trunk.blocks[0].layers[1].attention
kept = shifted.bias(side, side, x.dtype)  # for each window, (windows, heads, N, N)


def mask_anew():
    return fused(query, key, value, shifted.bias(side, side, x.dtype))


def mask_kept():
    return fused(query, key, value, kept)


print(f"the same: {torch.equal(mask_anew(), mask_kept())}")

# %% [markdown]
# **Prediction.** How fast is fused attention in shifted windows with a kept mask, beside one that computes
# the mask anew: `"faster"`, `"slower"` or `"unchanged"`?

# %%
guess = ...

# %%
found = race({"anew": mask_anew, "kept": mask_kept}, device, rounds)
results["mask kept"] = found["kept"]
reveal_choice(
    guess,
    found["kept"].verdict,
    choices=VERDICTS,
    because="The next cell shows the ratio, and the size of the mask.",
)

# %%
print(results["mask kept"])
print(
    f"query, key and value: {3 * query.nbytes / 1e6:.1f} MB, the mask: {kept.nbytes / 1e6:.1f} MB"
)

# %% [markdown]
# The kept mask is larger than what it masks, because every window has its own, although only those at the
# bottom and the right edge differ. So it is still read from memory in every layer. Keep it for one or two
# sizes of image only, or the masks fill the memory.

# %% [markdown]
# ## 7 · Alignment
#
# Arithmetic units work on groups of numbers: a CPU on 4, 8 or 16 in float32 at once, a GPU's tensor cores on
# small tiles of matrices. A head of 10 channels leaves part of its last group empty. 16 channels fill whole
# groups, whatever their size. So *more* arithmetic may take less time.
#
# The six other channels must not change any number. Let them be zeros: then $q \cdot k$ is a sum with six
# more terms $0 \cdot 0$, and the mixture gets six more channels that are 0. Zeros are exact, also in floating
# point. (But a kernel may add the other terms in another order, which changes their last digits.) To get
# zeros there, give `qkv` rows of zeros: 10 rows for each head and each of query, key and
# value become 16.
#
# **Exercise 5 · Pad the rows** ★★☆, 15 minutes. `pad_rows(weight, groups, width)`: the first axis of
# `weight` has `groups` groups of equally many rows. Put zeros behind the rows of each group, so that it has
# `width` rows. Biases have one axis, matrices two, convolution kernels four: it works for all of them.
#
# <details><summary>Hint 1</summary>
#
# Four rows a, b, c, d in two groups become, with width 3: a, b, 0, c, d, 0.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `weight.unflatten(0, (groups, -1))` gives the groups an axis of their own; `.flatten(0, 1)` takes it away
# again.
#
# </details>
# <details><summary>Hint 3</summary>
#
# With `each = weight.unflatten(0, (groups, -1))`: make
# `wide = each.new_zeros(groups, width, *weight.shape[1:])`, and fill `wide[:, : each.shape[1]]`.
#
# </details>


# %%
def pad_rows(weight, groups, width):
    """Zeros behind the rows of each group: (groups·n, ...) -> (groups·width, ...)."""
    # >>>
    each = weight.unflatten(0, (groups, -1))
    wide = each.new_zeros(groups, width, *weight.shape[1:])
    wide[:, : each.shape[1]] = each
    return wide.flatten(0, 1)
    # <<<


# %%
pad_rows = exercises.pad_rows.check(pad_rows)

# %% tags=["nbval-check-output"]
pad_rows(torch.tensor([1, 2, 3, 4]), groups=2, width=3)

# %%
heads, narrow = attention.heads, channels // attention.heads
wide_qkv = [pad_rows(part, 3 * heads, 16) for part in (attention.qkv.weight, attention.qkv.bias)]
wide = cut(F.linear(x, *wide_qkv), heads)
wide_mixed = fused(*wide, bias, scale=narrow**-0.5)
difference = wide_mixed[..., :narrow] - fused(query, key, value, bias)
print(f"largest difference: {difference.abs().max():.1e}")
print(f"in the new channels: {wide_mixed[..., narrow:].abs().max():.0f}")

# %% [markdown]
# Note the `scale`. The scores are still divided by √10: the zeros are no channels of the head. Without the
# argument, PyTorch divides by √16.
#
# **Prediction.** How fast is fused attention with 16 channels in a head, beside 10, though it multiplies
# 1.6 times as many numbers: `"faster"`, `"slower"` or `"unchanged"`?

# %%
guess = ...

# %%
found = race(
    {
        "10": lambda: fused(query, key, value, bias),
        "16": lambda: fused(*wide, bias, scale=narrow**-0.5),
    },
    device,
    rounds,
)
results["heads padded to 16"] = found["16"]
reveal_choice(
    guess,
    found["16"].verdict,
    choices=VERDICTS,
    because="The next cell shows the ratio.",
)

# %%
print(results["heads padded to 16"])

# %% [markdown]
# What the numbers mean depends on the device. The fused kernels of a GPU take only multiples of 8 channels:
# with 10, PyTorch goes step by step and does not say so. A CPU's kernel takes any width, and pads it inside
# or works through the rest one by one. There the zeros also have a price: query, key, value and the result
# grow by 60 %.

# %% [markdown]
# ## 8 · A fast layer
#
# Now put the exact changes together. Your `fold`, `pad_rows` and `conv_tokens` do the work:
#
# - one product for `qkv` and the three 1×1 convolutions, padded to a multiple of `multiple`;
# - fused attention, with bias and mask computed once for each size of image;
# - `proj` and the 1×1 behind max-pooling folded into the fusion;
# - no concatenation: the fusion of joined parts is the sum of the parts' fusions, which are added in place.
#
# The layer takes its weights when it is made. If they change afterwards, it does not notice.


# %%
def padded(width, multiple):
    """The next multiple."""
    return -(-width // multiple) * multiple


class FastLayer(nn.Module):
    """A GLA layer in fewer and larger steps: tokens (B, H, W, C) -> the same numbers."""

    def __init__(self, layer, multiple):
        super().__init__()
        attention, (pooled, *others) = layer.attention, layer.inception.branches
        channels, heads = attention.proj.out_features, attention.heads
        head, branch = channels // heads, channels // 4
        self.layer, self.scale, self.kept = layer, head**-0.5, {}
        wide_head, wide_branch = padded(head, multiple), padded(branch, multiple)

        # one product: C -> query, key, value and three narrow maps
        self.widths = [3 * heads * wide_head, *3 * [wide_branch]]
        self.opening = [
            torch.cat(
                [
                    pad_rows(getattr(attention.qkv, name), 3 * heads, wide_head),
                    *(pad_rows(getattr(branch[0], name), 1, wide_branch) for branch in others),
                ]
            )
            for name in ("weight", "bias")
        ]

        # both channels of a kernel are padded: (out, in, k, l)
        def both(kernel):
            rows = pad_rows(kernel, 1, wide_branch)
            return pad_rows(rows.transpose(0, 1), 1, wide_branch).transpose(0, 1)

        self.convs = [
            [(both(c.weight), pad_rows(c.bias, 1, wide_branch)) for c in (row, column)]
            for _, row, column in others
        ]

        # the fusion: columns for attention, max, 3, 5 and 7
        of_attention, *of_branches = layer.fuse.weight.split([channels, *4 * [branch]], dim=1)
        weight, bias = fold(
            attention.proj.weight, attention.proj.bias, of_attention, layer.fuse.bias
        )
        self.of_mixed = pad_rows(weight.mT, heads, wide_head).mT, bias
        self.of_pooled = fold(
            pooled[1].weight, pooled[1].bias, of_branches[0], torch.zeros_like(bias)
        )
        self.of_others = [pad_rows(w.mT, 1, wide_branch).mT for w in of_branches[1:]]

    def forward(self, tokens):
        x = self.layer.norm1(tokens)
        qkv, *others = F.linear(x, *self.opening).split(self.widths, dim=-1)
        out = F.linear(self.attend(qkv), *self.of_mixed)
        out += F.linear(self.layer.inception.branches[0][0](x), *self.of_pooled)
        for y, convs, weight in zip(others, self.convs, self.of_others, strict=True):
            for conv in convs:
                y = conv_tokens(y, *conv)
            out += F.linear(y, weight)
        tokens = tokens + out
        return tokens + self.layer.mlp(self.layer.norm2(tokens))

    def attend(self, qkv):
        attention, (height, width) = self.layer.attention, qkv.shape[1:3]
        shift, window = attention.shift, attention.window
        if shift:
            qkv = qkv.roll((-shift, -shift), dims=(1, 2))
        size = height, width, qkv.dtype
        if size not in self.kept:
            self.kept[size] = attention.bias(*size)
        mixed = fused(*cut(qkv, attention.heads, window), self.kept[size], self.scale)
        mixed = rearrange(
            mixed,
            "b (h w) heads (i j) d -> b (h i) (w j) (heads d)",
            h=height // window,
            i=window,
        )
        return mixed.roll((shift, shift), dims=(1, 2)) if shift else mixed


multiple = 8 if results["heads padded to 16"].verdict == "faster" else 1
fast_layer = FastLayer(layer, multiple)
print(f"heads and branches are padded to a multiple of {multiple}")
print(f"largest difference: {(fast_layer(tokens) - layer(tokens)).abs().max():.1e}")

# %% [markdown]
# The cell above pads only if padding was faster on your machine.
#
# **Prediction.** How many times as fast as the plain layer is the fast one?

# %%
guess = ...

# %%
found = race({"plain": lambda: layer(tokens), "fast": lambda: fast_layer(tokens)}, device, rounds)
results["one layer, all exact changes"] = found["fast"]
reveal(
    guess,
    round(found["fast"].median, 2),
    unit="times as fast",
    because="The median of the race, whose range the next cell shows.",
)

# %%
print(results["one layer, all exact changes"])
fast_operations = operations(lambda: fast_layer(tokens), device, repeats)
for name, listed in {"plain": layer_operations, "fast": fast_operations}.items():
    work = total(listed)
    print(f"{name:5} {len(listed)} operations, {work.moved / 1e6:.0f} MB moved")

# %% [markdown]
# Then the whole network: replace all of its layers, and enlarge the photograph. The proof is on the
# picture. It is rounded to 8 bits, as it would be saved.

# %%
from glanet.data.tensors import to_image
from glanet.model.layer import GLALayer


def with_fast_layers(model, multiple):
    """A copy of a network with fast layers."""
    model = copy.deepcopy(model)
    for block in model.trunk.blocks:
        for number, part in enumerate(block.layers):
            if isinstance(part, GLALayer):
                block.layers[number] = FastLayer(part, multiple)
    return model


fast = with_fast_layers(plain, multiple)
srs = {name: to_image(model(image)) for name, model in {"plain": plain, "fast": fast}.items()}
print(f"values that differ: {(srs['plain'] != srs['fast']).sum()} of {srs['fast'].size:,}")
found = race({"plain": lambda: plain(image), "fast": lambda: fast(image)}, device, few_rounds)
results["network, all exact changes"] = found["fast"]
plain_seconds, fast_seconds = (found[name].seconds for name in ("plain", "fast"))
print(found["fast"])

# %% [markdown]
# A value may differ by one grey level where it lay on the edge between two. What else does a network
# contain besides its layers? The 3×3 convolutions, the 1×1 before the blocks and the head are as before,
# so the network gains a little less than its layers.

# %% [markdown]
# ## 9 · Half the bits
#
# So far, every change was exact. The next one is not. *bfloat16* (bf16) has 16 bits instead of 32: the sign
# and the 8 bits of the exponent are those of float32, but of the 24 significant bits only 8 are left.
# Numbers between 1 and 2 are $2^{-7}$ = 1/128 apart.
#
# **Prediction.** Which number does bf16 store for 1.005?

# %%
guess = ...

# %% tags=["nbval-check-output"]
rounded = torch.tensor(1.005).to(torch.bfloat16)
reveal(
    guess,
    rounded.item(),
    unit="(in bf16)",
    because="Candidates are 1 and 1 + 1/128, and the second is closer.",
    close=0.001,
)

# %% tags=["nbval-check-output"]
for number in (0.1, 3.14159, 100.3, 1001.0):
    print(f"{number:>8} becomes {torch.tensor(number).to(torch.bfloat16).item():.6g}")

# %% [markdown]
# Half the bytes can mean half the time wherever memory limits. Arithmetic gains only if the device has
# instructions for bf16. Measure that first:

# %%
in_bf16 = matrix_rate(device, torch.bfloat16) / machine.rate
print(f"matrix products in bf16: {in_bf16:.1f} times the rate of float32")
if in_bf16 < 1.2:
    print("This device does not compute faster in bf16.")
    print("What you see below is its rounding alone.")

# %% [markdown]
# `torch.autocast` computes products and convolutions in bf16. LayerNorm and the sums of the residuals stay
# in float32.
#
# **Prediction.** How fast is the fast network in bf16, beside itself in float32: `"faster"`, `"slower"` or
# `"unchanged"`?

# %%
guess = ...


# %%
def half(image):
    """The fast network in bf16."""
    with torch.autocast(device.type, torch.bfloat16):
        return fast(image).float()


found = race(
    {"float32": lambda: fast(image), "bf16": lambda: half(image)},
    device,
    few_rounds,
)
results["network in bf16"] = found["bf16"]
half_seconds = found["bf16"].seconds
reveal_choice(
    guess,
    found["bf16"].verdict,
    choices=VERDICTS,
    because="The next cell shows the ratio, and what bf16 does to the picture.",
)

# %%
import numpy as np

gap = np.abs(to_image(half(image)).astype(int) - srs["fast"])
print(results["network in bf16"])
print(f"values that differ: {(gap > 0).mean():.1%}, by up to {gap.max()} of 255")

# %% [markdown]
# Is that a good trade? Nobody sees a grey level more or less. But PSNR (peak signal-to-noise ratio)
# does: notebook 13 measures what a
# change does to the scores. Compare the ratio of the times with the ratio of the rates. In between
# are the operations that bf16 does not speed up, and the conversions that autocast adds.

# %% [markdown]
# ## 10 · Fewer launches
#
# PyTorch starts each operation from Python. It checks types and shapes, finds memory, chooses a kernel, and
# on a GPU sends a message. That takes some microseconds, however small the tensor is. Here is the same work
# twice: one addition to 262,144 numbers, or 256 additions to 1024 numbers each.
#
# **Prediction.** How many times as long do the 256 small additions take?

# %%
guess = ...

# %%
numbers = torch.ones(256, 1024, device=device)
rows = numbers.unbind()


def many_small():
    for row in rows:
        row.add_(1)


one_large, small_ones = (
    seconds(run, device, calls=20) for run in (lambda: numbers.add_(1), many_small)
)
reveal(
    guess,
    round(small_ones / one_large, 1),
    unit="times as long",
    because="The additions are the same. Starting them costs the rest, and small ones do not keep "
    "all units busy.",
)

# %%
tiny_work = torch.ones(1, device=device)
overhead = seconds(lambda: tiny_work.add_(1), device, calls=1000)
print(f"starting an operation: {overhead * 1e6:.1f} microseconds")
for pixels in sorted({16, side // 2, side}):
    part = tokens[:, :pixels, :pixels].contiguous()
    took = race({"plain": lambda part=part: layer(part)}, device, rounds)["plain"].seconds
    share = min(1, len(layer_operations) * overhead / took)
    print(f"{pixels:4}×{pixels:<4} pixels: {share:6.1%} of the plain layer's time")

# %% [markdown]
# This is the least that starting the layer's operations costs, since most of them take more preparation
# than adding 1. The share shrinks as the image grows, because the number of operations stays. Where the last
# line is near 0, fewer launches alone gain nothing for a photograph. On a GPU they can be most of the time:
# it may finish a small tensor before Python starts the next operation.
#
# There are two remedies.
#
# **Compile.** `torch.compile` translates a layer once. It fuses neighbouring operations, such as a bias, a
# GELU and a residual, into one kernel. On a CPU it writes C++, so it needs a compiler, and up to a minute.
# Without a compiler, and in the smoke profile, it is left out.
#
# **Prediction.** How fast is the compiled fast layer, beside itself not compiled: `"faster"`, `"slower"` or
# `"unchanged"`?

# %%
guess = ...

# %%
import shutil
import time

compiler = device.type == "cuda" or any(map(shutil.which, ("g++", "clang++", "c++")))
verdict = "unknown"  # where nothing is compiled
if compiler and by_profile(smoke=False, learn=True, full=True):
    started = time.perf_counter()
    compiled = torch.compile(fast_layer)
    difference = (compiled(tokens) - layer(tokens)).abs().max()
    print(f"ready after {time.perf_counter() - started:.0f} seconds")
    print(f"largest difference from the plain layer: {difference:.1e}")
    found = race(
        {"fast": lambda: fast_layer(tokens), "compiled": lambda: compiled(tokens)},
        device,
        rounds,
    )
    results["fast layer compiled"] = found["compiled"]
    verdict = found["compiled"].verdict
reveal_choice(
    guess,
    verdict,
    choices=(*VERDICTS, "unknown"),
    because="The next cell shows the ratio.",
)

# %%
print(results.get("fast layer compiled", "Nothing was compiled here."))

# %% [markdown]
# Was it worth the wait? Divide the seconds of compiling by the seconds that one photograph saves: so many
# photographs it takes to pay off. Matrix products gain nothing, since the compiler calls the same library
# for them as PyTorch does.
#
# **Capture.** On a GPU, a *CUDA graph* records all launches of a forward pass once, and then repeats them
# with a single one. It needs the same shapes and the same memory each time. On a CPU there is nothing to
# capture: the CPU that starts an operation is the one that computes it.

# %%
if device.type != "cuda":
    print("There is no GPU here, so nothing is captured.")
else:
    place = tokens[:, :16, :16].contiguous()  # so small that launches matter
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # kernels are chosen before they are recorded
        fast_layer(place)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = fast_layer(place)
    graph.replay()
    print(f"largest difference: {(captured - fast_layer(place)).abs().max():.1e}")
    found = race({"fast": lambda: fast_layer(place), "graph": graph.replay}, device, rounds)
    results["fast layer captured, 16×16"] = found["graph"]
    print(found["graph"])

# %% [markdown]
# ## 11 · A kernel of your own
#
# Fused attention in PyTorch is somebody else's kernel. Write one. *Triton* is a language for kernels inside
# Python. A *program* computes one tile, and the device runs many programs at once. A program loads its
# tile, computes on the chip, and stores only the result.
#
# Without a GPU, Triton's *interpreter* runs the programs one after the other in NumPy. That shows whether a
# kernel is right. Its time means nothing. Triton's packages are for Linux (`pip install glanet[triton]`).
# Without one, the exercise is skipped.
#
# | in Triton | means |
# |---|---|
# | `tl.program_id(0)` | the number of this program |
# | `tl.arange(0, N)` | 0, …, N − 1; N is a power of two |
# | `tl.load(at + place, mask=real, other=0.0)` | the numbers at `place` in memory, and 0 where `real` is false |
# | `tl.store(at + place, tile, mask=real)` | the way back |
# | `tl.dot(a, b, input_precision="ieee")` | the matrix product, in full float32 |
# | `tl.trans(a)`, `tl.exp(a)` | transpose, exponential |
# | `tl.max(a, axis=1)`, `tl.sum(a, axis=1)` | along the rows |
#
# Memory is one long row of numbers. Here each of query, key, value and output holds (windows, heads, N, d),
# the last axis fastest, and there is one program for each window and head. So the numbers of a program start
# at `program · N · d`, and channel c of pixel n is n · d + c further. D is d rounded up to a power of two:
# the tile has room for channels that do not exist, and `real` masks them. That is the padding of section 7,
# on the chip.
#
# **Exercise 6 · Attention in one kernel** ★★★, 25 minutes. The places are given. Load query, key and value,
# then the bias of this head: it is (heads, N, N), and the heads run fastest among the programs. Compute
# softmax(q kᵀ · scale + bias) v, and store it.
#
# <details><summary>Hint 1</summary>
#
# The head is `program % heads`. Entry (i, j) of its bias is at `head * N * N + i * N + j`, where i and j
# are `pixel[:, None]` and `pixel[None, :]`. All of them exist, so that this load needs no mask.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The whole row of 64 scores fits on the chip, so you need no online softmax: subtract
# `tl.max(scores, axis=1)[:, None]`, take `tl.exp`, and divide by `tl.sum(..., axis=1)[:, None]`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `query = tl.load(q_at + place, mask=real, other=0.0)`, and likewise key and value. Then
# `scores = tl.dot(query, tl.trans(key), input_precision="ieee") * scale + tl.load(bias_at + pair)`. The
# last line is `tl.store(out_at + place, tl.dot(weights, value, input_precision="ieee"), mask=real)`.
#
# </details>

# %%
from glanet.course.lessons.speed.kernels import tl


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
    """softmax(q kᵀ · scale + bias) v of one window and head, (N, d)."""
    program = tl.program_id(0)
    pixel = tl.arange(0, N)
    channel = tl.arange(0, D)
    place = program * N * d + pixel[:, None] * d + channel[None, :]
    real = (channel < d)[None, :]
    # >>>
    query = tl.load(q_at + place, mask=real, other=0.0)
    key = tl.load(k_at + place, mask=real, other=0.0)
    value = tl.load(v_at + place, mask=real, other=0.0)
    pair = (program % heads) * N * N + pixel[:, None] * N + pixel[None, :]
    scores = tl.dot(query, tl.trans(key), input_precision="ieee") * scale + tl.load(bias_at + pair)
    raised = tl.exp(scores - tl.max(scores, axis=1)[:, None])
    weights = raised / tl.sum(raised, axis=1)[:, None]
    tl.store(out_at + place, tl.dot(weights, value, input_precision="ieee"), mask=real)
    # <<<


# %%
attention_kernel = exercises.attention_kernel.check(attention_kernel)

# %% [markdown]
# Run it on some windows of the layer, and compare it with `attend`:

# %%
if exercises.attention_kernel.skipped:
    print("Triton is not installed here, so there is nothing to run.")
else:
    several = [part[0, :4].contiguous() for part in (query, key, value)]
    mine = kernels.launch(attention_kernel, *several, bias[0])
    difference = (mine - attend(*several, bias[0])).abs().max()
    where = "in the interpreter" if device.type == "cpu" else "on the GPU"
    print(f"{where}; largest difference: {difference:.1e}")

# %% [markdown]
# How many bytes does your kernel move? It reads query, key, value and the bias of its head, and writes its
# output. The scores never leave the chip, whatever the device.

# %% tags=["nbval-check-output"]
N, d = 64, 10
kernel_bytes = 4 * (4 * N * d + N * N)
step_bytes = kernel_bytes + 4 * 8 * N * N  # scores are written and read four times
flop = 4 * N * N * d
print(f"step by step: {flop / step_bytes:5.1f} FLOP per byte")
print(f"your kernel:  {flop / kernel_bytes:5.1f} FLOP per byte")

# %% [markdown]
# Most of what is left is the bias: 4096 numbers for each window, of which 225 are different. A kernel that
# keeps the bias on the chip for several windows saves these, too.

# %% [markdown]
# ## 12 · Your roofline
#
# All changes of this notebook, on your machine:

# %%
from glanet.course.lessons.speed.figures import races

races(results)

# %% [markdown]
# Which changes are grey? Those did nothing here. That is a result as well: it tells you what does *not*
# limit your machine. Section 2 predicted some of it. Compare.
#
# The last picture is your own roofline. The points are the plain network, your fast one, and the fast one in
# bf16. All three count the FLOP of the plain network, which are the work that has to be done: so a point that
# is twice as high is twice as fast. Their bytes are their own.

# %%
from dataclasses import replace


def on_the_roof(run, taken, flop):
    """A network as one operation, with the time of its race."""
    return replace(total(operations(run, device)), flop=flop, seconds=taken)


flop = total(operations(lambda: plain(image), device)).flop
points = {
    "plain network": on_the_roof(lambda: plain(image), plain_seconds, flop),
    "fast network": on_the_roof(lambda: fast(image), fast_seconds, flop),
    "fast network, bf16": on_the_roof(lambda: half(image), half_seconds, flop),
}
for name, point in points.items():
    share = flop / point.seconds / machine.rate
    print(f"{name:19} {point.intensity:5.1f} FLOP per byte, {share:4.0%} of the rate")
roofline(machine, points)

# %% [markdown]
# The share of the rate is the number to keep. (bf16 may exceed 100 %, because the roof is that of float32.)
# The distance from the fast network to the roof is what is left to gain. If all of the fast network's data
# travel to memory and back, its work cannot end before `least_seconds`:

# %%
least = least_seconds(flop, points["fast network"].moved, machine.rate, machine.bandwidth)
print(f"plain network: {plain_seconds / least:.1f} times the least time")
print(f"fast network:  {fast_seconds / least:.1f} times the least time")

# %% [markdown]
# ## What can go wrong
#
# - **The clock stops too early.** A GPU works on while Python goes on. Wait for it before you read the clock.
# - **Two times are compared that were taken one after the other.** Let both take turns.
# - **A kernel is fast because it does something else.** Prove equality first, then measure.
# - **The scale is that of the padded head.** Shapes stay right, and so does a picture at first sight.
# - **The folded weights are old.** If training goes on, the fast layer does not learn.
#
# Make the fourth mistake on purpose.

# %% tags=["nbval-check-output"]
right = fused(query, key, value, bias)
for name, scale in {"1/√16, PyTorch's default": None, "1/√10": narrow**-0.5}.items():
    same = torch.allclose(fused(*wide, bias, scale)[..., :narrow], right, atol=1e-5)
    print(f"{name:24} the same: {same}")

# %% [markdown]
# And the fifth: change a weight of the plain layer, as a step of training would.

# %% tags=["nbval-check-output"]
trained = copy.deepcopy(layer)
stale = FastLayer(trained, multiple)
for when in ("before", "after"):
    same = torch.allclose(stale(tokens), trained(tokens), atol=1e-4)
    print(f"{when} the step, the same: {same}")
    trained.fuse.weight.mul_(1.5)
again = torch.allclose(FastLayer(trained, multiple)(tokens), trained(tokens), atol=1e-4)
print(f"made anew, the same: {again}")

# %% [markdown]
# ## The same as the package's
#
# In float64, rounding does not hide a difference. Your fast network is compared with the network as it is
# written, and with `fast_layers`, the package's own way to join and pad the products of a layer. It pads
# always, and derives its weights in every forward pass, so that it can be trained.

# %% tags=["nbval-check-output"]
from glanet.course.kit.sameness import same_function
from glanet.fast import fast_layers

exact = plain_network("light-x2").to("cpu", torch.float64)
joined_by_package = fast_layers(copy.deepcopy(exact))
cases = [(torch.rand(1, 3, 16, 24, dtype=torch.float64),) for _ in range(2)]


def plain_model(image):
    return exact(image)


def fast_layers_of_the_package(image):
    return joined_by_package(image)


for number in (1, 8):
    mine = with_fast_layers(exact, number)
    print(f"your layers, padded to a multiple of {number}:")
    print(same_function(mine, plain_model, cases, tolerance=1e-12))
    print(same_function(mine, fast_layers_of_the_package, cases, tolerance=1e-12))

# %% [markdown]
# ### What `upscale` does
#
# `fast_layers` is for training. To enlarge images, `upscale` first calls `prepare`. On a GPU it joins and
# pads the products of a layer, as you did. On a CPU it cuts the image into *bands* of a few rows, and takes a
# band through all steps of a layer before the next band. What one step writes and the next one reads then
# stays in the cache, and shifted windows need no copy of the image. In float32 the result may differ
# from the plain network's by rounding.
#
# **Prediction.** Is the prepared network `"faster"`, `"slower"` or `"unchanged"` beside your fast one?

# %%
guess = ...

# %%
from glanet.inference import prepare

prepared = prepare(plain)
difference = (prepared(image) - plain(image)).abs().max().item()
print(f"largest difference from the plain network: {difference:.0e} of 1")
beside_yours = race(
    {"yours": lambda: fast(image), "prepared": lambda: prepared(image)}, device, few_rounds
)
reveal_choice(
    guess,
    beside_yours["prepared"].verdict,
    choices=VERDICTS,
    because="The next cell shows the ratio.",
)

# %%
print(f"beside yours:\n  {beside_yours['prepared']}")
beside_plain = race(
    {"plain": lambda: plain(image), "prepared": lambda: prepared(image)}, device, few_rounds
)
print(f"beside the plain:\n  {beside_plain['prepared']}")

# %% [markdown]
# ## How far you are
#
# Notebook 15 compares networks, and 16 lets you change this one. You now know what a change costs, and how
# to find out.

# %%
from glanet.course.report import report as progress_report

print(progress_report("speed"))
