# %% [markdown]
# # 04 · Inception
#
# | | |
# |---|---|
# | **You will** | build the Inception module, and read from its weights which frequencies it lets through |
# | **It enables** | the GLA layer of notebook 07, where it works beside attention |
# | **Takes** | 2 minutes, 1.5 GB of memory; about 75 minutes to work through |
# | **Becomes** | `glanet/model/inception.py`, and the 1×1 convolution and the max-pooling of `glanet/model/tokens.py` |
#
# A GLA layer looks at its input in two ways. Attention looks far; the *Inception module* (§2.1, Fig. 3)
# looks close by, at 3, 5 or 7 pixels across. The paper calls it high-frequency-oriented and gives two
# reasons: "the sharp sensitivity of the maximum filter and the detail perception of the convolutional
# operation". You will build both, and then measure both.

# %% [markdown]
# ## 1 · The largest of nine
#
# The first branch begins with *max-pooling*: each pixel becomes the largest of itself and its eight
# neighbours. Take three rows of four numbers, all of them negative.

# %%
import torch
import torch.nn.functional as F

toy = torch.tensor([[-5.0, -4, -9, -7], [-8, -6, -2, -9], [-3, -7, -8, -1]])
print(toy)

# %% [markdown]
# In the top left corner only four numbers are left of the nine: −5, −4, −8, −6. The largest is −4.
# Work out the pixel right of it, then look.

# %% tags=["nbval-check-output"]
F.max_pool2d(toy[None, None], kernel_size=3, stride=1, padding=1)[0, 0]

# %% [markdown]
# `stride=1` visits every pixel, and `padding=1` puts one more row or column on each side, so the size
# stays. What does the padding hold? Not 0. Pad with zeros by hand, and they win all around:

# %% tags=["nbval-check-output"]
F.max_pool2d(F.pad(toy, (1, 1, 1, 1))[None, None], kernel_size=3, stride=1)[0, 0]

# %% [markdown]
# A maximum needs padding that never wins: −∞. PyTorch's max-pooling has it built in.
#
# In the network, feature maps are *tokens*: tensors `(B, H, W, C)`, images, rows, columns, channels.
# That order keeps all channels of a pixel next to each other.
#
# **Exercise 1 · Max-pooling by hand** ★★☆, 10 minutes. `max_pool(tokens)` gives tokens of the same
# shape. Each pixel becomes the largest of the 3×3 around it, each channel for itself. Use no pooling of
# PyTorch's.
#
# <details><summary>Hint 1</summary>
#
# Pad first. `F.pad` counts the axes from the last one: the first two numbers are for C, the next two
# for W, the next two for H. Its `value` may be `float("-inf")`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The left neighbour of every pixel at once is a slice of the padded tokens, H rows by W columns, that
# starts one column further left. There are nine such slices:
# `padded[:, i : i + height, j : j + width]` for i and j from 0 to 2.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `torch.stack` makes one tensor of the list of nine, with a new first axis, and `.amax(0)` takes the
# largest along it.
#
# </details>


# %%
def max_pool(tokens):
    """The largest of the 3×3 around each pixel: tokens (B, H, W, C) -> (B, H, W, C)."""
    # >>>
    height, width = tokens.shape[1:3]
    padded = F.pad(tokens, (0, 0, 1, 1, 1, 1), value=float("-inf"))
    around = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return torch.stack(around).amax(0)
    # <<<


# %%
from glanet.course.lessons.inception import exercises

max_pool = exercises.max_pool.check(max_pool)

# %% [markdown]
# What is it for? Look at one row of pixels: an edge, one bright pixel, one dark one. Beside the maximum
# of three, the average of three.

# %% tags=["nbval-check-output"]
rows = {
    "edge": [0, 0, 0, 0, 1, 1, 1, 1],
    "bright": [0, 0, 0, 1, 0, 0, 0, 0],
    "dark": [1, 1, 1, 0, 1, 1, 1, 1],
}
for name, row in rows.items():
    row = torch.tensor(row)[None, None].double()
    average = F.avg_pool1d(row, 3, stride=1, padding=1, count_include_pad=False)
    print(f"{name:8}", *(f"{value:5.2f}" for value in row[0, 0]))
    print(" maximum", *(f"{value:5.2f}" for value in F.max_pool1d(row, 3, 1, 1)[0, 0]))
    print(" average", *(f"{value:5.2f}" for value in average[0, 0]))

# %% [markdown]
# The average turns the edge into a ramp. Under the maximum it stays an edge, one pixel further left: that
# is what "sharp" can mean. The bright pixel grows, and the dark one is gone without a trace.
#
# The package does not do it by hand. It takes PyTorch's layer and lends it the axes in the order that it
# wants, `(B, C, H, W)`:

# %%
from torch import nn


class TokenMaxPool(nn.MaxPool2d):
    """Max-pooling on tokens (B, H, W, C) -> (B, H', W', C)."""

    def forward(self, tokens):
        return super().forward(tokens.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


# %% [markdown]
# `permute` looks expensive and costs nothing. The numbers stay where they are in memory, and PyTorch knows
# that layout as *channels last*.

# %% tags=["nbval-check-output"]
tokens = torch.randn(1, 5, 6, 8)
images = tokens.permute(0, 3, 1, 2)
print("same memory:  ", images.data_ptr() == tokens.data_ptr())
print("channels last:", images.is_contiguous(memory_format=torch.channels_last))

# %% [markdown]
# ## 2 · One matrix for every pixel
#
# After the maximum, Eq. 3 has a 1×1 convolution. A kernel of one pixel sees no neighbour. What remains of
# a convolution is a matrix that mixes the channels, the same one for every pixel. Two channels, 2 and 5,
# become three:

# %% tags=["nbval-check-output"]
matrix = torch.tensor([[1.0, 0.0], [1.0, -1.0], [0.5, 0.5]])  # (C_out, C_in)
pixel = torch.tensor([2.0, 5.0])
matrix @ pixel  # 2, 2 − 5, half of 2 + 5

# %% [markdown]
# Tokens have the channels last, and that is where `nn.Linear` wants them. The same weights, once as a
# convolution on `(B, C, H, W)`, once as a linear layer on tokens:

# %% tags=["nbval-check-output"]
weight, bias = torch.randn(4, 8), torch.randn(4)
convolved = F.conv2d(images, weight[:, :, None, None], bias)  # (B, 4, H, W)
multiplied = F.linear(tokens, weight, bias)  # (B, H, W, 4)
torch.allclose(convolved.permute(0, 2, 3, 1), multiplied, atol=1e-5)

# %% [markdown]
# So the class has nothing to add but its name. The name matters before a training: the linear layers of
# attention and MLP begin with small weights, as in Swin Transformer, and a 1×1 convolution begins as
# PyTorch begins a convolution. The network tells them apart by their class.


# %%
class TokenConv1x1(nn.Linear):
    """A 1×1 convolution on tokens (B, H, W, C_in) -> (B, H, W, C_out)."""


# %%
from glanet import GLANet, ModelConfig

torch.manual_seed(0)
layer = GLANet(ModelConfig.preset("tiny")).trunk.blocks[0].layers[0]
print(
    f"first Linear of the MLP, standard deviation of the weights: {layer.mlp[0].weight.std():.3f}"
)
print(f"1×1 convolution that fuses, likewise:                       {layer.fuse.weight.std():.3f}")

# %% [markdown]
# That is all the first branch needs:
#
# $$Y_{max} = Conv(MaxPool(X)) \qquad (3)$$
#
# The paper pools "with padding trick": stride 1, padding 1, so that the size stays.


# %%
class MaxBranch(nn.Sequential):
    """Eq. 3: tokens (B, H, W, C) -> tokens (B, H, W, width)."""

    def __init__(self, channels, width):
        super().__init__(
            TokenMaxPool(kernel_size=3, stride=1, padding=1),  # MaxPool
            TokenConv1x1(channels, width),  # Conv
        )


# %% tags=["nbval-check-output"]
MaxBranch(channels=8, width=2)(tokens).shape

# %% [markdown]
# ## 3 · A row, then a column
#
# The other three branches of Fig. 3 are convolutions of 3×3, 5×5 and 7×7 pixels. None has a square kernel.
# Each applies a row of weights, and to the result a column.
#
# ![a row of seven weights, then a column of seven, reaches as far as a kernel of seven by seven](figures/04_row_column.svg)
#
# The two together are one kernel, an *outer product*: weight (i, j) is the column's i times the row's j.
# A row that takes right from left, and a column that adds up three rows, give Sobel's edge detector:

# %% tags=["nbval-check-output"]
row = torch.tensor([1.0, 0, -1])
column = torch.tensor([1.0, 2, 1])
kernel = column[:, None] * row[None, :]
print(kernel)

# %% [markdown]
# In two steps or in one, the numbers are the same:

# %% tags=["nbval-check-output"]
image = torch.arange(30.0).reshape(1, 1, 5, 6).square()
two_steps = F.conv2d(F.conv2d(image, row.reshape(1, 1, 1, 3)), column.reshape(1, 1, 3, 1))
one_step = F.conv2d(image, kernel[None, None])
print(two_steps[0, 0])
print("the same:", torch.equal(two_steps, one_step))

# %% [markdown]
# **Prediction.** For one channel in and one channel out, how many *times* fewer weights do a row and a
# column of 7 hold than a square of 7×7?

# %%
guess = ...

# %% tags=["nbval-check-output"]
from glanet.course.kit.predictions import reveal

print(reveal(guess, 7 * 7 / (7 + 7), unit="times", close=0.05, because="k² over 2k is k/2."))

# %% [markdown]
# In the paper's network, tokens have 180 channels. A 1×1 convolution first brings them down to a quarter,
# 45, and the row and the column work on those. Count the weights of a branch, biases apart. Beside them: a
# k×k convolution in place of row and column, and one in place of all three steps.

# %% tags=["nbval-check-output"]
channels, width = 180, 180 // 4
print(" k   branch = 1×1 + row + column   1×1 and k×k   k×k alone")
for k in (3, 5, 7):
    first, row, column = channels * width, k * width * width, k * width * width
    print(
        f"{k:2}{first + row + column:9,} = {first:,} + {row:6,} + {column:6,}"
        f"{first + k * k * width * width:15,}{k * k * channels * width:12,}"
    )

# %% [markdown]
# ## 4 · The class
#
# A convolution on tokens is the same loan of axes as the max-pooling above. The package has this one, too:


# %%
class TokenConv(nn.Conv2d):
    """A convolution on tokens (B, H, W, C_in) -> (B, H', W', C_out)."""

    def forward(self, tokens):
        return super().forward(tokens.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


# %% [markdown]
# **Exercise 2 · A convolution branch** ★★☆, 10 minutes. $Y_{conv}^i$ of §2.1 in three steps: a 1×1
# convolution from `channels` to `width`; a row of `kernel_size` and a column of `kernel_size`, both from
# `width` to `width`. H and W stay as they are. There is no activation between the steps, nor after them.
#
# The class is an `nn.Sequential`, whose steps are called 0, 1, 2: `self.append(step)` adds one.
#
# <details><summary>Hint 1</summary>
#
# PyTorch names rows first. `kernel_size=(1, k)` is one pixel high and k wide: the row.
#
# </details>
# <details><summary>Hint 2</summary>
#
# A kernel of k pixels reaches `k // 2` to either side of its middle. `padding` is a pair, too, in the same
# order: above and below, left and right. A row needs some left and right, and none above and below.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `self.append(TokenConv(width, width, kernel_size=(1, kernel_size), padding=(0, kernel_size // 2)))` is the
# second step. The third has both pairs the other way round.
#
# </details>


# %%
class ConvBranch(nn.Sequential):
    """1×1, 1×k, k×1: tokens (B, H, W, channels) -> tokens (B, H, W, width)."""

    def __init__(self, channels, width, kernel_size):
        super().__init__()
        # >>>
        pad = kernel_size // 2
        self.append(TokenConv1x1(channels, width))
        self.append(TokenConv(width, width, kernel_size=(1, kernel_size), padding=(0, pad)))
        self.append(TokenConv(width, width, kernel_size=(kernel_size, 1), padding=(pad, 0)))
        # <<<


# %%
ConvBranch = exercises.ConvBranch.check(ConvBranch)

# %% [markdown]
# ## 5 · One kernel for each pair of channels
#
# Three linear steps and nothing between them are one linear step. So a whole branch is *one* convolution
# with k×k kernels, one for each pair of an output and an input channel. Which ones?
#
# Follow one input channel i to one output channel o. The 1×1 sends it to every channel m in between. The
# row takes m to every n, the column n to o. Each way from i to o multiplies three weights, and all ways
# add up:
#
# $$K_{oi}[u, v] = \sum_n \sum_m \mathrm{column}_{on}[u] \cdot \mathrm{row}_{nm}[v] \cdot \mathrm{first}_{mi}$$
#
# **Exercise 3 · Compose them** ★★★, 15 minutes. `compose(first, row, column)` gets the weights as the
# modules hold them: `first (width, C)`, `row (width, width, 1, k)`, `column (width, width, k, 1)`; outputs
# are the first axis, inputs the second. It returns the kernels, `(width, C, k, k)`.
#
# <details><summary>Hint 1</summary>
#
# The axes of length 1 are in the way. `row[:, :, 0]` is `(n, m, v)`, and `column[..., 0]` is `(o, n, u)`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `torch.einsum` takes the sum as it is written above: name the axes of each factor, then those of the
# result. What the result does not name is summed over. `"mi"` names the axes of `first`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The equation is `"onu, nmv, mi -> oiuv"`.
#
# </details>


# %%
def compose(first, row, column):
    """The kernels of the three steps as one.

    (width, C), (width, width, 1, k), (width, width, k, 1) -> (width, C, k, k).
    """
    # >>>
    return torch.einsum("onu, nmv, mi -> oiuv", column[..., 0], row[:, :, 0], first)
    # <<<


# %%
compose = exercises.compose.check(compose)

# %% [markdown]
# Now hold it against a real branch: the 7×7 of the first layer of `tiny-x2`, the trained network that
# comes with the package. It has 32 channels, and 8 in each branch.

# %% tags=["nbval-check-output"]
import copy

network = GLANet.from_pretrained("tiny-x2")
branch = copy.deepcopy(network.trunk.blocks[0].layers[0].inception.branches[3]).double()
kernels = compose(*(step.weight.detach() for step in branch))
kernels.shape

# %% [markdown]
# First without the biases. The branch has three steps and pads before each, the single convolution pads
# once. Does that matter at the border?

# %%
without_biases = copy.deepcopy(branch)
for step in without_biases:
    nn.init.zeros_(step.bias)

tokens = torch.randn(1, 14, 16, 32, dtype=torch.float64)
images = tokens.permute(0, 3, 1, 2)
with torch.no_grad():
    three_steps = without_biases(tokens).permute(0, 3, 1, 2)
    one_step = F.conv2d(images, kernels, padding=3)
print(f"largest difference, border and all: {(three_steps - one_step).abs().max():.0e}")

# %% [markdown]
# It does not. Outside the image there is 0, a matrix leaves it 0, and a row of weights over zeros is 0 again:
# what each step pads with is what the step before would have computed there.
#
# With biases that is no longer so: the 1×1 of nothing is its bias, and the padding puts 0 in its place.
# Send zeros through the branch and nothing but the biases comes out. Where is it not what comes out in
# the middle?

# %% tags=["nbval-check-output"]
with torch.no_grad():
    biases = branch(torch.zeros_like(tokens))[0]  # (14, 16, 8)
differs = ((biases - biases[7, 8]).abs() > 1e-9).any(-1)
for line in differs:
    print("".join("#" if there else "." for there in line))

# %% [markdown]
# Three pixels all around, as far as the kernel reaches. In the middle the biases come to one number for each
# output channel. And with that map added, the single convolution is the branch everywhere:

# %%
with torch.no_grad():
    three_steps = branch(tokens)[0]
    one_step = F.conv2d(images, kernels, padding=3)[0].permute(1, 2, 0) + biases
print(f"largest difference: {(three_steps - one_step).abs().max():.0e}")

# %% [markdown]
# **Prediction.** One outer product is a matrix of *rank* 1: all its rows are multiples of one row. The
# kernel of one pair of channels, 7×7, came from rows and columns. What is its rank: 1, 7, or between?

# %%
guess = ...

# %% tags=["nbval-check-output"]
ranks = torch.linalg.matrix_rank(kernels)  # (8, 32): of every pair
print(
    reveal(
        guess,
        int(ranks.flatten().mode().values),
        unit="for most pairs",
        close=0,
        because="Each of the 8 channels between row and column adds an outer product of its own.",
    )
)

# %% [markdown]
# So no pair is held back. The price is paid by all pairs together. Lay all kernels out as one matrix, an
# output and a row u to each line, an input and a column v to each column: it is the columns' weights times
# the rows' weights, and only 8 channels lie between.

# %% tags=["nbval-check-output"]
from einops import rearrange

everything = rearrange(kernels, "o i u v -> (o u) (i v)")
print(tuple(everything.shape), "has rank", torch.linalg.matrix_rank(everything).item())

# %% [markdown]
# ## 6 · Which frequencies pass
#
# Is the "detail perception" of §2.1 in these kernels? Whatever is one convolution has a *frequency response*.
# Send in a wave, and out comes the same wave, only shifted, and stronger or weaker. By how much, at each
# frequency, is |H|, the size of the Fourier transform of the kernel. Frequencies count in *cycles/pixel*: at 0.5, the finest, every other pixel is a crest.
#
# By hand, in one dimension: at frequency 0 all pixels are equal, so H is the sum of the weights. At 0.5 the
# pixels are +1, −1, +1, so H is the sum with alternating signs.

# %% tags=["nbval-check-output"]
rows = {
    "low-pass": [0.25, 0.5, 0.25],
    "identity": [0.0, 1.0, 0.0],
    "high-pass": [-0.25, 0.5, -0.25],
}
for name, weights in rows.items():
    weights = torch.tensor(weights)
    alternating = weights * torch.tensor([-1.0, 1.0, -1.0])
    by_fft = torch.fft.fft(weights, n=64).abs()  # entry 32 of 64 is 0.5 cycles/pixel
    print(
        f"{name:9}  by hand {weights.sum().abs():.1f}, {alternating.sum().abs():.1f}"
        f"   by FFT {by_fft[0]:.1f}, {by_fft[32]:.1f}"
    )

# %% [markdown]
# Now the trained kernels. Compose all six layers of `tiny-x2`, three branches in each, and look at one pair
# of channels: on the left its weights, on the right |H|, slow waves in the middle and fine ones outside.

# %%
from glanet.course.lessons.inception.figures import kernel_and_response


def composed(branch):
    return compose(*(step.weight.detach() for step in branch))


layers = [layer for block in network.trunk.blocks for layer in block.layers]
trained = {
    f"layer {number} of {len(layers)}": {
        name: composed(branch)
        for name, branch in zip("357", layer.inception.branches[1:], strict=True)
    }
    for number, layer in enumerate(layers, start=1)
}
kernels = trained["layer 1 of 6"]["5"]
output, source = divmod(int(kernels.square().sum((2, 3)).argmax()), kernels.shape[1])  # strongest
kernel_and_response(kernels, output=output, source=source)

# %% [markdown]
# Choose others. With a running kernel, the menus and sliders draw the same figure for any pair.

# %%
from glanet.course.lessons.inception.widgets import explore_kernels

explore_kernels(trained, output=output, source=source)

# %% [markdown]
# A branch has 8 · 32 such kernels. To sum them up, send white noise of power 1 into all 32 channels at once.
# Then the power that comes out at a frequency is the sum of |H|² over the inputs. Take the mean over the
# outputs and over all directions, and call it the *gain*. In decibels, +3 is twice the power and −10 a tenth.
#
# **Prediction.** In which layer do the three convolution branches lean most towards high frequencies: the
# `"first"`, the `"last"`, or are they `"alike"`?

# %%
guess = ...

# %% [markdown]
# A training can only be seen against what was there before it. So draw the gain of branches whose weights are
# fresh, too, many of them, as PyTorch starts them: their mean, and shaded, where nine in ten of them lie.

# %%
import numpy as np

from glanet.analysis.filters import response
from glanet.course.lessons.inception.figures import gains
from glanet.course.kit.profile import by_profile

torch.manual_seed(0)
starts = by_profile(smoke=4, learn=40, full=200)
panels = {
    "fresh": {
        name: np.stack(
            [response(composed(ConvBranch(32, 8, int(name)))).gain for _ in range(starts)]
        )
        for name in "357"
    }
}
for title in ("layer 1 of 6", "layer 6 of 6"):
    panels[f"trained, {title}"] = {
        name: response(kernels).gain[None] for name, kernels in trained[title].items()
    }
gains(panels)

# %% [markdown]
# One number for each curve: its power above 0.25 cycles/pixel over its power below, in decibels. What is positive
# leans to high frequencies.

# %%
from glanet.analysis.spectrum import lean

leans = {
    title: np.array([lean(response(kernels).gain) for kernels in branches.values()])
    for title, branches in trained.items()
}
by_chance = np.stack([lean(power) for power in panels["fresh"].values()], axis=-1)  # (starts, 3)
leans["fresh, mean"] = by_chance.mean(0)
leans["fresh, 2 standard deviations"] = 2 * by_chance.std(0)
print(f"{'dB':28}   3×3   5×5   7×7")
for title, values in leans.items():
    print(f"{title:28}", *(f"{value:5.1f}" for value in values))

# %%
from glanet.course.kit.predictions import reveal_choice

first, last = leans["layer 1 of 6"].mean(), leans["layer 6 of 6"].mean()
alike = abs(first - last) < leans["fresh, 2 standard deviations"].mean()
print(
    reveal_choice(
        guess,
        "alike" if alike else "first" if first > last else "last",
        choices=("first", "last", "alike"),
        because=f"Over the three branches, {first:.1f} dB in the first and {last:.1f} dB in the last.",
    )
)

# %% [markdown]
# Read it with care:
#
# - **The shape is learned, not innate.** Fresh weights have mean 0 and know nothing of each other, so on average
#   they let all frequencies through alike. A convolution is not high-pass by nature.
# - **In the first half of this network it was learned.** In layers 1 and 3, 5×5 and 7×7 lean to high frequencies by
#   more than two standard deviations of what fresh weights do by chance.
# - **With depth it turns round.** In the last two layers no branch leans to high frequencies, and in each of them one
#   leans to low ones beyond chance. "High-frequency-oriented" fits the beginning of this network and not its end.
# - **One network is one case.** Weights from another training may lean otherwise. Load others, and see.
#
# This is one small network, and a response says what a filter *would* do to white noise. What the branches
# contribute to real images is for notebook 10 to measure.

# %% [markdown]
# ## 7 · The maximum is no filter
#
# The max branch has no kernel to transform. A filter treats a sum as the sum of its parts, and the maximum
# does not. Here a row and its negative add up to nothing, and their maxima do not:

# %% tags=["nbval-check-output"]
row = torch.tensor([[0.0, 1, 3, 1, 0]])
up, down = (F.max_pool1d(part, 3, 1, 1) for part in (row, -row))
print("maximum of the sum: ", F.max_pool1d(row + -row, 3, 1, 1).int().tolist())
print("sum of the maxima:  ", (up + down).int().tolist())

# %% [markdown]
# Nor does a wave stay a wave. Send in a cosine that goes round 4 times in 64 pixels, and look at the power of
# what comes out, by the number of rounds.

# %% tags=["nbval-check-output"]
wave = torch.cos(2 * torch.pi * 4 * torch.arange(64) / 64).double()[None]
ring = F.pad(wave, (1, 1), mode="circular")  # the row closes to a ring, so there is no border
for name, pooled in {
    "the wave": wave,
    "average": F.avg_pool1d(ring, 3, stride=1),
    "maximum": F.max_pool1d(ring, 3, stride=1),
}.items():
    power = torch.fft.rfft(pooled - pooled.mean(), norm="ortho")[0].abs().square()
    print(
        name,
        {rounds: round(power[rounds].item(), 2) for rounds in range(33) if power[rounds] > 0.005},
    )

# %% [markdown]
# The average gives the same wave back, weaker. The maximum adds waves of 8 and 16 rounds that were not there. A
# frequency response has no room for that.
#
# What can be done is to measure: the spectrum that goes in beside the spectrum that comes out. It depends on what
# goes in. Begin with white noise, where all frequencies are equally strong.
#
# **Prediction.** On white noise, is max-pooling `"low-pass"`, `"high-pass"`, or `"neither"`?

# %%
guess = ...

# %% [markdown]
# `power_spectrum` is the instrument. From each map it takes the mean; it fades the map out towards its sides
# (a *Hann window*), so that opposite sides, which the Fourier transform takes for neighbours, fit; and it
# averages |F|² over channels and directions. White noise of power 1 should come out as 1 at each frequency.

# %%
from glanet.analysis.spectrum import power_spectrum


def average_pool(tokens):
    images = rearrange(tokens, "b h w c -> b c h w")
    return rearrange(F.avg_pool2d(images, 3, stride=1, padding=1), "b c h w -> b h w c")


pools = {"input": lambda tokens: tokens, "max": max_pool, "average": average_pool}


def spectra(batches):
    """{"input", "max", "average": (n, bands)} of a list of n tokens (1, H, W, C)."""
    return {
        name: np.concatenate([power_spectrum(pool(x)).power for x in batches])
        for name, pool in pools.items()
    }


count = by_profile(smoke=3, learn=16, full=60)
noise = [torch.randn(1, 128, 128, 4) for _ in range(count)]
of_noise = spectra(noise)
flat = of_noise["input"].mean(0)
print(f"white noise, from the weakest ring to the strongest: {flat.min():.2f} to {flat.max():.2f}")

# %%
low, high = np.split((of_noise["max"] / of_noise["input"]).mean(0), 2)
answer = "low-pass" if low.mean() > 2 * high.mean() else "neither"
answer = "high-pass" if high.mean() > 2 * low.mean() else answer
print(
    reveal_choice(
        guess,
        answer,
        choices=("low-pass", "high-pass", "neither"),
        because="Power out over power in: "
        f"{low.mean():.2f} below 0.25 cycles/pixel, {high.mean():.2f} above.",
    )
)

# %% [markdown]
# Neighbours share six of their nine pixels, so they often share the largest, and what is fine goes. But noise has
# no edges. Take photographs, half their size, as a network that doubles sides gets them. And then take what
# the first max branch of `tiny-x2` really sees of these photographs: tokens.

# %%
from glanet.course.kit import practice
from glanet.data.degradation import imresize, modcrop
from glanet.data.images import read_rgb
from glanet.data.tensors import to_tensor


def middle(image, side=512):
    """The square of ``side`` pixels in the middle, or what there is of it."""
    top, left = (max(0, n - side) // 2 for n in image.shape[:2])
    return image[top : top + side, left : left + side]


photographs = [
    imresize(modcrop(middle(read_rgb(path)), 2), 1 / 2)
    for path in practice.training_images()[-count:]
]


@torch.no_grad()
def first_tokens(image):
    """What the first Inception module of ``network`` sees: uint8 (H, W, 3) -> tokens (1, H, W, C)."""
    trunk = network.trunk
    shallow = network.shallow(to_tensor(image) - network.mean)  # Eq. 1, notebook 03
    tokens = trunk.transitions[0](trunk.norm_in(shallow))  # notebook 08
    return trunk.blocks[0].layers[0].norm1(tokens)  # notebook 07


panels = {
    "white noise": of_noise,
    "photographs": spectra([rearrange(to_tensor(p), "b c h w -> b h w c") for p in photographs]),
    "tokens of the first layer": spectra([first_tokens(p) for p in photographs]),
}

# %%
from glanet.course.lessons.inception.figures import pooling

pooling(panels)

# %% [markdown]
# Above, the spectra; below, what is left of the input. Shaded is where the mean over the images may lie, 95 times in
# 100. The thin black line is what the formula says of the average.
# The measured average keeps to it, whatever goes in: it is a filter, and the instrument can be trusted. (On
# photographs it is a little off at the right: their power is not the same in all directions, and a ring is a mean.)
# The maximum has another curve for each input. How much of the power above 0.25 cycles/pixel is left, and where
# does the maximum lean?

# %%
print(f"{'':26}    left above 0.25 by   lean of the")
print(f"{'':26}  maximum     average   maximum, dB")
for title, power in panels.items():
    ratio = {
        name: np.exp(np.log(power[name] / power["input"]).mean(0)) for name in ("max", "average")
    }
    kept = (np.split(curve, 2)[1].mean() for curve in ratio.values())
    print(f"{title:26}", *(f"{share:10.1%}" for share in kept), f"{lean(ratio['max']):10.1f}")

# %% [markdown]
# - On photographs the maximum leaves far more of the fine detail than the average does: the edges of section 1.
#   That much is in the words "sharp sensitivity of the maximum filter".
# - It is no high-pass: it leans to low frequencies on all three inputs, least on photographs.
# - On the tokens that the branch really sees, it behaves much more as on noise than as on photographs.
# - Power is not detail. Some of what comes out at high frequencies is new, like the added waves of the cosine.

# %% [markdown]
# ## 8 · The module
#
# Four branches side by side, each a quarter of the channels wide, joined along the channels:
#
# $$Y = \mathrm{Concat}(Y_{max}, Y_{conv}), \qquad Y_{conv} = \{Y_{conv}^i\}_{i=1}^{3}$$
#
# ![four branches from tokens (B, H, W, C) to tokens of C/4 channels each, joined to (B, H, W, C)](figures/04_inception.svg)
#
# **Prediction.** `tiny-x2` gives out 32 channels here, numbered 0 to 31. Which branch made channel 20:
# `"max"`, `"3"`, `"5"` or `"7"`?

# %%
guess = ...

# %% tags=["nbval-check-output"]
inception = layers[0].inception
names = ("max", "3", "5", "7")
tokens = torch.randn(1, 8, 8, 32)
with torch.no_grad():
    channel = inception(tokens)[..., 20]
    made_by = [
        name
        for name, branch in zip(names, inception.branches, strict=True)
        if any(torch.allclose(channel, part, atol=1e-6) for part in branch(tokens).unbind(-1))
    ]
print(
    reveal_choice(
        guess, made_by[0], choices=names, because="The order is max, 3, 5, 7, with 8 channels each."
    )
)

# %% [markdown]
# **Exercise 4 · Inception** ★★☆, 10 minutes. Write the rest of `__init__`, and `forward`. The four branches go
# into an `nn.ModuleList` called `self.branches`, in the order max, 3, 5, 7. `forward` sends the tokens through each
# and joins what comes out along the channels.
#
# <details><summary>Hint 1</summary>
#
# You have `MaxBranch(channels, width)` and `ConvBranch(channels, width, kernel_size)`. The width is the same for all
# four: a quarter of the channels.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `nn.ModuleList` takes a list of modules and can be looped over like one. `torch.cat` joins a list of tensors; in
# tokens the channels are the last axis.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `forward` is one line: `return torch.cat([branch(tokens) for branch in self.branches], dim=-1)`.
#
# </details>


# %%
class Inception(nn.Module):
    """Fig. 3: tokens (B, H, W, C) -> tokens (B, H, W, C), C a multiple of 4."""

    def __init__(self, channels):
        super().__init__()
        # >>>
        width = channels // 4
        self.branches = nn.ModuleList(
            [MaxBranch(channels, width), *(ConvBranch(channels, width, k) for k in (3, 5, 7))]
        )

    def forward(self, tokens):
        return torch.cat([branch(tokens) for branch in self.branches], dim=-1)
        # <<<


# %%
Inception = exercises.Inception.check(Inception)

# %% [markdown]
# Give yours the trained weights of the first layer, and a real photograph. `first_tokens` makes the photograph into
# what the module sees. Of each branch, the map that varies most:

# %%
from skimage import data

from glanet.course.lessons.inception.figures import branch_maps

mine = Inception(32)
mine.load_state_dict(layers[0].inception.state_dict())
photo = imresize(data.astronaut(), 1 / 2)
face = slice(28, 92), slice(76, 140)
with torch.no_grad():
    features = mine(first_tokens(photo))[0]  # (H, W, 32)
maps = {}
for name, part in zip(("max-pool", "3×3", "5×5", "7×7"), features.split(8, dim=-1), strict=True):
    strongest = part.var((0, 1)).argmax()
    maps[name] = (part - part.mean((0, 1)))[..., strongest][face]
branch_maps(photo[face], maps)

# %% [markdown]
# The three convolutions show edges and texture, the max-pooling shows whole areas. All four saw the same tokens. In
# the layer (notebook 07), every second attention works on a *shifted* image; Inception
# always gets the unshifted one.

# %% [markdown]
# ## What can go wrong
#
# Try it. Here is a branch of 7 with a padding that would fit a kernel of 5. Joined to another branch it fails, and
# the message speaks of sizes:


# %%
def branch_of_7(row_padding, column_padding):
    return nn.Sequential(
        TokenConv1x1(32, 8),
        TokenConv(8, 8, kernel_size=(1, 7), padding=row_padding),
        TokenConv(8, 8, kernel_size=(7, 1), padding=column_padding),
    )


tokens = torch.randn(1, 12, 16, 32)
pooled = MaxBranch(32, 8)(tokens)
try:
    torch.cat([pooled, branch_of_7((0, 2), (2, 0))(tokens)], dim=-1)
except RuntimeError as error:
    print(error)

# %% [markdown]
# That one is found at once. The next is not: the right paddings in the wrong places. What the row loses the column
# puts back, all sizes fit, and nothing is said. Give the weights to a right branch, and see where the two differ.


# %%
def compare(row_padding, column_padding):
    """Print # for each pixel where the branch with these paddings is wrong."""
    suspect, right = branch_of_7(row_padding, column_padding), ConvBranch(32, 8, 7)
    right.load_state_dict(suspect.state_dict())
    wrong = (suspect(tokens) - right(tokens)).abs() > 1e-5
    for line in wrong[0].any(-1):
        print("".join("#" if there else "." for there in line))


compare(row_padding=(3, 0), column_padding=(0, 3))

# %% [markdown]
# Which pair belongs where? Mend the call above and run it again, until no `#` is left. Then it says:

# %%
compare(row_padding=(0, 3), column_padding=(3, 0))

# %% [markdown]
# - **Sizes differ and `cat` fails.** A kernel of k needs `k // 2` on each side. `padding=1` is right for 3 alone.
# - **A frame around the features, no error.** Paddings exchanged, as above, or zeros around a maximum, as in section 1:
#   where all features are negative, the whole border turns 0.
# - **`size mismatch` when weights are loaded.** Row and column have changed places: `(1, k)` is the row, and it is
#   step 1.
# - **Weights load, and the output is nonsense.** The branches are joined in another order, and the 1×1 that follows
#   reads the wrong channels. No shape tells you: all four are equally wide.

# %% [markdown]
# ## The proof
#
# What you built and what the package has: the same weights in both, the same tokens through both, and the outputs and
# all gradients compared.

# %%
from glanet.course.kit.sameness import same_module
from glanet.model import inception as package, tokens as package_tokens

tokens = torch.randn(2, 9, 11, 16)
print(same_module(TokenConv1x1(16, 4), package_tokens.TokenConv1x1(16, 4), tokens))
print(same_module(TokenMaxPool(3, 1, 1), package_tokens.TokenMaxPool(3, 1, 1), tokens))
print(same_module(MaxBranch(16, 4), package.MaxBranch(16, 4), tokens))
for k in (3, 5, 7):
    print(same_module(ConvBranch(16, 4, k), package.ConvBranch(16, 4, k), tokens))
print(same_module(Inception(16), package.Inception(16), tokens))

# %% [markdown]
# ## How far you are

# %%
from glanet.course.report import report as progress_report

print(progress_report("inception"))
