# %% [markdown]
# # 04 · Inception
#
# | | |
# |---|---|
# | **You will** | build the Inception module, and read from its weights which frequencies it lets through |
# | **It enables** | the global-local awareness (GLA) layer of notebook 07, where it works beside attention |
# | **Takes** | 2 minutes, 1.5 GB of memory; about 75 minutes to work through |
# | **Becomes** | `glanet/model/inception.py`, and the 1×1 convolution and the max-pooling of `glanet/model/tokens.py` |
#
# A GLA layer looks at its input in two ways. Attention looks far. The *Inception module* looks
# close by, at 3, 5 or 7 pixels across. [The paper (*Global-Local Awareness Network for Image
# Super-Resolution*, ICIP 2023; here §2.1 and Fig. 3)](https://panpinchi.github.io/GLA-Net/) calls
# the module high-frequency-oriented and gives two reasons: "the sharp sensitivity of the maximum
# filter and the detail perception of the convolutional operation". You will build both, and then
# measure both.

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
# The pixel in the top left corner has only three neighbours inside the image. The four numbers are
# −5, −4, −8 and −6, and the largest is −4. Work out the pixel to its right, then run the cell.

# %% tags=["nbval-check-output"]
F.max_pool2d(toy[None, None], kernel_size=3, stride=1, padding=1)[0, 0]

# %% [markdown]
# `stride=1` visits every pixel. `padding=1` adds one row or column on each side, so the size stays
# the same. The padding does not hold 0. Pad with zeros by hand, and the zeros win along the whole
# border:

# %% tags=["nbval-check-output"]
F.max_pool2d(F.pad(toy, (1, 1, 1, 1))[None, None], kernel_size=3, stride=1)[0, 0]

# %% [markdown]
# A maximum needs padding that never wins: −∞. PyTorch's max-pooling pads with −∞.
#
# In the network, feature maps are *tokens*: tensors `(B, H, W, C)`, that is, images, rows, columns,
# channels. In that order, all channels of a pixel lie next to each other in memory.
#
# **Exercise 1 · Max-pooling by hand** ★★☆, 10 minutes. `max_pool(tokens)` returns tokens of the
# same shape. Each pixel becomes the largest of the 3×3 pixels around it, separately in each
# channel. Do not use PyTorch's pooling functions.
#
# <details><summary>Hint 1</summary>
#
# Pad first. `F.pad` counts the axes from the last one: its first two numbers are for C, the next
# two for W, the next two for H. Its `value` may be `float("-inf")`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# A slice of the padded tokens, H rows by W columns, that starts one column further left holds the
# left neighbour of every pixel. There are nine such slices:
# `padded[:, i : i + height, j : j + width]` for i and j from 0 to 2.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `torch.stack` makes one tensor of the list of nine, with a new first axis. `.amax(0)` takes the
# largest along that axis.
#
# </details>


# %%
def max_pool(tokens):
    """The maximum of the 3×3 pixels around each pixel: tokens (B, H, W, C) -> (B, H, W, C)."""
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
# What is max-pooling good for? Look at three rows of pixels: an edge, one bright pixel, one dark
# pixel. Compare the maximum of three neighbours with their average.

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
# The average turns the edge into a ramp. The maximum keeps it an edge and moves it one pixel to the
# left: this is one meaning of "sharp". The maximum widens the bright pixel and removes the dark one
# completely.
#
# The package uses PyTorch's layer. It only reorders the axes to the order that the layer expects,
# `(B, C, H, W)`, and back:

# %%
from torch import nn


class TokenMaxPool(nn.MaxPool2d):
    """Max-pooling on tokens (B, H, W, C) -> (B, H', W', C)."""

    def forward(self, tokens):
        return super().forward(tokens.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


# %% [markdown]
# `permute` looks expensive and costs nothing. The numbers stay where they are in memory, and
# PyTorch knows this layout as *channels last*.

# %% tags=["nbval-check-output"]
tokens = torch.randn(1, 5, 6, 8)
images = tokens.permute(0, 3, 1, 2)
print("same memory:  ", images.data_ptr() == tokens.data_ptr())
print("channels last:", images.is_contiguous(memory_format=torch.channels_last))

# %% [markdown]
# ## 2 · One matrix for every pixel
#
# After the maximum, Eq. 3 has a 1×1 convolution. A kernel of one pixel sees no neighbours. It is a
# matrix that mixes the channels of a pixel, the same matrix for every pixel. Here it turns two
# channels, 2 and 5, into three:

# %% tags=["nbval-check-output"]
matrix = torch.tensor([[1.0, 0.0], [1.0, -1.0], [0.5, 0.5]])  # (C_out, C_in)
pixel = torch.tensor([2.0, 5.0])
matrix @ pixel  # 2, 2 − 5, half of 2 + 5

# %% [markdown]
# Tokens have the channels last, and `nn.Linear` expects them there. Compare the same weights as a
# convolution on `(B, C, H, W)` and as a linear layer on tokens:

# %% tags=["nbval-check-output"]
weight, bias = torch.randn(4, 8), torch.randn(4)
convolved = F.conv2d(images, weight[:, :, None, None], bias)  # (B, 4, H, W)
multiplied = F.linear(tokens, weight, bias)  # (B, H, W, 4)
torch.allclose(convolved.permute(0, 2, 3, 1), multiplied, atol=1e-5)

# %% [markdown]
# So the class only adds a name. The name matters before training: the linear layers of attention
# and of the multilayer perceptron (MLP) start with small weights, as in Swin Transformer, and a 1×1
# convolution starts with PyTorch's default weights for a convolution. The network tells the two
# apart by their class.


# %%
class TokenConv1x1(nn.Linear):
    """A 1×1 convolution on tokens (B, H, W, C_in) -> (B, H, W, C_out)."""


# %%
from glanet import GLANet, ModelConfig

torch.manual_seed(0)
layer = GLANet(ModelConfig.preset("tiny")).trunk.blocks[0].layers[0]
print(f"standard deviation of weights, first Linear of the MLP: {layer.mlp[0].weight.std():.3f}")
print(f"standard deviation of weights, 1×1 of the fusion:       {layer.fuse.weight.std():.3f}")

# %% [markdown]
# The first branch needs nothing else:
#
# $$Y_{max} = Conv(MaxPool(X)) \qquad (3)$$
#
# The paper pools "with padding trick": stride 1 and padding 1 keep the size.


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
# The other three branches of Fig. 3 are convolutions of 3×3, 5×5 and 7×7 pixels. None of them has a
# square kernel. Each applies a row of weights first, and then a column of weights to the result.
#
# ![a row of seven weights, then a column of seven, reaches as far as a kernel of seven by seven](figures/04_row_column.svg)
#
# The two together equal one kernel, their *outer product*: weight (i, j) is weight i of the column
# times weight j of the row. For example, a row that computes left minus right and a column that
# adds up three rows give Sobel's edge detector:

# %% tags=["nbval-check-output"]
row = torch.tensor([1.0, 0, -1])
column = torch.tensor([1.0, 2, 1])
kernel = column[:, None] * row[None, :]
print(kernel)

# %% [markdown]
# Two steps and one step give the same numbers:

# %% tags=["nbval-check-output"]
image = torch.arange(30.0).reshape(1, 1, 5, 6).square()
two_steps = F.conv2d(F.conv2d(image, row.reshape(1, 1, 1, 3)), column.reshape(1, 1, 3, 1))
one_step = F.conv2d(image, kernel[None, None])
print(two_steps[0, 0])
print("the same:", torch.equal(two_steps, one_step))

# %% [markdown]
# **Prediction.** For one channel in and one channel out, how many *times* fewer weights do a row
# and a column of 7 hold than a square of 7×7?

# %%
guess = ...

# %% tags=["nbval-check-output"]
from glanet.course.kit.predictions import reveal

reveal(guess, 7 * 7 / (7 + 7), unit="times", close=0.05, because="k² / 2k = k/2.")

# %% [markdown]
# In the paper's network, tokens have 180 channels. A 1×1 convolution first reduces them to a
# quarter, 45 channels, and the row and the column work on those. Count the weights of a branch,
# without biases. The last two columns show the alternatives: a k×k convolution in place of row and
# column, and a k×k convolution in place of all three steps.

# %% tags=["nbval-check-output"]
channels, width = 180, 180 // 4
print(" k   branch = 1×1 + row + column  1×1 and k×k  k×k alone")
for k in (3, 5, 7):
    first, row, column = channels * width, k * width * width, k * width * width
    print(
        f"{k:2}{first + row + column:9,} = {first:,} + {row:6,} + {column:6,}"
        f"{first + k * k * width * width:14,}{k * k * channels * width:11,}"
    )

# %% [markdown]
# ## 4 · The class
#
# A convolution on tokens reorders the axes just as the max-pooling above does. The package has this
# class, too:


# %%
class TokenConv(nn.Conv2d):
    """A convolution on tokens (B, H, W, C_in) -> (B, H', W', C_out)."""

    def forward(self, tokens):
        return super().forward(tokens.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


# %% [markdown]
# **Exercise 2 · A convolution branch** ★★☆, 10 minutes. Build $Y_{conv}^i$ of §2.1 in three steps:
# a 1×1 convolution from `channels` to `width`; a row of `kernel_size`; a column of `kernel_size`.
# Row and column both go from `width` to `width`. H and W stay as they are. There is no activation
# between the steps or after them.
#
# The class is an `nn.Sequential`, which numbers its steps 0, 1, 2. `self.append(step)` adds one.
#
# <details><summary>Hint 1</summary>
#
# PyTorch gives the height first. `kernel_size=(1, k)` is one pixel high and k pixels wide: the row.
#
# </details>
# <details><summary>Hint 2</summary>
#
# A kernel of k pixels reaches `k // 2` pixels to each side of its centre. `padding` is a pair in
# the same order: above and below first, then left and right. A row needs padding left and right,
# and none above and below.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `self.append(TokenConv(width, width, kernel_size=(1, kernel_size), padding=(0, kernel_size // 2)))`
# is the second step. The third has both pairs the other way round.
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
# Three linear steps with nothing between them are one linear step. So a whole branch is *one*
# convolution with k×k kernels: one kernel for each pair of an output and an input channel. What are
# these kernels?
#
# Begin with one input channel, one output channel, and two channels between them. The 1×1 sends the
# input to channel 0 with the weight 1, and to channel 1 with the weight 2. To keep it small, row and
# column do not mix the two channels here. So there are two paths from the input to the output. Each
# is an outer product, as in section 3, times the weight of the 1×1. The first is Sobel's detector,
# the second keeps the pixel as it is:

# %% tags=["nbval-check-output"]
first = torch.tensor([1.0, 2])  # one number for each channel between
row = torch.tensor([[1.0, 0, -1], [0, 1, 0]])
column = torch.tensor([[1.0, 2, 1], [0, 1, 0]])
paths = [first[m] * column[m][:, None] * row[m][None, :] for m in (0, 1)]
print(paths[0] + paths[1])

# %% [markdown]
# `torch.einsum` writes such a sum in one line. Name the axes of each factor with a letter, then the
# axes of the result. It multiplies the factors, and sums over every letter that the result does not
# name. Here that is `m`, the channel between:

# %% tags=["nbval-check-output"]
torch.einsum("mu, mv, m -> uv", column, row, first)

# %% [markdown]
# In the real branch, every step mixes all channels. Follow one input channel i to one output
# channel o. The 1×1 sends it to every channel m in between. The row takes every m to every n. The
# column takes every n to o. Each path from i to o multiplies three weights, and the kernel sums over
# all paths:
#
# $$K_{oi}[u, v] = \sum_n \sum_m \mathrm{column}_{on}[u] \cdot \mathrm{row}_{nm}[v] \cdot \mathrm{first}_{mi}$$
#
# **Exercise 3 · Compose them** ★★★, 15 minutes. `compose(first, row, column)` gets the weights in
# the shapes that the modules hold: `first (width, C)`, `row (width, width, 1, k)`,
# `column (width, width, k, 1)`. Outputs are the first axis, inputs the second. The function returns
# the kernels, `(width, C, k, k)`.
#
# <details><summary>Hint 1</summary>
#
# Remove the axes of length 1 first. `row[:, :, 0]` is `(n, m, v)`, and `column[..., 0]` is
# `(o, n, u)`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `torch.einsum` takes the sum in the notation above: name the axes of each factor, then those of
# the result. It sums over every axis that the result does not name. `"mi"` names the axes of
# `first`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The equation is `"onu, nmv, mi -> oiuv"`.
#
# </details>


# %%
def compose(first, row, column):
    """The kernels that do all three steps at once.

    (width, C), (width, width, 1, k), (width, width, k, 1) -> (width, C, k, k).
    """
    # >>>
    return torch.einsum("onu, nmv, mi -> oiuv", column[..., 0], row[:, :, 0], first)
    # <<<


# %%
compose = exercises.compose.check(compose)

# %% [markdown]
# Now compare it with a real branch: the 7×7 of the first layer of `tiny-x2`, the trained network
# that comes with the package. `tiny-x2` has 32 channels, and 8 in each branch.

# %% tags=["nbval-check-output"]
import copy

model = GLANet.from_pretrained("tiny-x2")
branch = copy.deepcopy(model.trunk.blocks[0].layers[0].inception.branches[3]).double()
kernels = compose(*(step.weight.detach() for step in branch))
kernels.shape

# %% [markdown]
# First leave the biases out. The branch pads before its row and before its column; the single
# convolution pads once. Does that make a difference at the border?

# %%
without_biases = copy.deepcopy(branch)
for step in without_biases:
    nn.init.zeros_(step.bias)

tokens = torch.randn(1, 14, 16, 32, dtype=torch.float64)
images = tokens.permute(0, 3, 1, 2)
with torch.no_grad():
    three_steps = without_biases(tokens).permute(0, 3, 1, 2)
    one_step = F.conv2d(images, kernels, padding=3)
print(f"largest difference, including the border: {(three_steps - one_step).abs().max():.0e}")

# %% [markdown]
# It does not. Outside the image every value is 0. A matrix maps 0 to 0, and a row of weights over
# zeros gives 0 again. So each step pads with exactly the values that the step before would have
# computed there.
#
# With biases this no longer holds: outside the image, the 1×1 would give its bias, but the padding
# puts 0 there. Send zeros through the branch, and only the biases come out. Where does the output
# differ from its value in the middle?

# %% tags=["nbval-check-output"]
with torch.no_grad():
    biases = branch(torch.zeros_like(tokens))[0]  # (14, 16, 8)
differs = ((biases - biases[7, 8]).abs() > 1e-9).any(-1)
for line in differs:
    print("".join("#" if there else "." for there in line))

# %% [markdown]
# The output differs in a frame of three pixels, as far as the kernel reaches. In the middle, the
# biases add up to one number for each output channel. Add this map of biases to the single
# convolution, and it equals the branch everywhere:

# %%
with torch.no_grad():
    three_steps = branch(tokens)[0]
    one_step = F.conv2d(images, kernels, padding=3)[0].permute(1, 2, 0) + biases
print(f"largest difference: {(three_steps - one_step).abs().max():.0e}")

# %% [markdown]
# **Prediction.** One outer product is a matrix of *rank* 1: all its rows are multiples of one row.
# The 7×7 kernel of one pair of channels comes from rows and columns. What is its rank: 1, 7, or
# between?

# %%
guess = ...

# %% tags=["nbval-check-output"]
ranks = torch.linalg.matrix_rank(kernels)  # (8, 32): of every pair
reveal(
    guess,
    int(ranks.flatten().mode().values),
    unit="for most pairs",
    close=0,
    because="Each of the 8 channels between row and column adds its own outer product.",
)

# %% [markdown]
# So the rank does not limit any single pair. It limits all pairs together. Put all kernels into one
# matrix: each line is an output and a row u of the kernel, each column is an input and a column v
# of the kernel. This matrix is the columns' weights times the rows' weights, with only 8 channels
# between them.

# %% tags=["nbval-check-output"]
from einops import rearrange

everything = rearrange(kernels, "o i u v -> (o u) (i v)")
print(tuple(everything.shape), "has rank", torch.linalg.matrix_rank(everything).item())

# %% [markdown]
# ## 6 · Which frequencies pass
#
# Do these kernels show the "detail perception" of §2.1? Every convolution has a *frequency
# response*. Send in a wave, and the same wave comes out: shifted, and stronger or weaker. The
# change in strength at each frequency is |H|, the absolute value of the Fourier transform of the
# kernel. The unit of frequency is *cycles/pixel*. At 0.5, the finest frequency, every second pixel
# is a crest.
#
# In one dimension you can do it by hand. At frequency 0 all pixels are equal, so H is the sum of
# the weights. At 0.5 the pixels are +1, −1, +1, so H is the sum with alternating signs. The cell
# compares both with the fast Fourier transform (FFT).

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
# Now take the trained kernels. Compose all six layers of `tiny-x2`, with three branches in each,
# and look at one pair of channels. The left panel shows its weights. The right panel shows |H|: low
# frequencies in the middle, high ones outside.

# %%
from glanet.course.lessons.inception.figures import kernel_and_response


def composed(branch):
    return compose(*(step.weight.detach() for step in branch))


layers = [layer for block in model.trunk.blocks for layer in block.layers]
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
# A branch has 8 · 32 such kernels. To summarise them, imagine white noise of power 1 in all 32
# channels at once. The power that comes out at a frequency is then the sum of |H|² over the inputs.
# The *gain* is the mean of this power over the outputs and over all directions. In decibels (dB),
# +3 is twice the power and −10 is a tenth of it.
#
# **Prediction.** In which layer do the three convolution branches lean most towards high
# frequencies: the `"first"`, the `"last"`, or are they `"alike"`?

# %%
guess = ...

# %% [markdown]
# To see what training changed, you need the state before it. So compute the gain of many untrained
# branches as well, with PyTorch's initial weights.

# %%
import numpy as np

from glanet.analysis.filters import response
from glanet.course.lessons.inception.figures import gains
from glanet.course.kit.profile import by_profile

torch.manual_seed(0)
starts = by_profile(smoke=4, learn=40, full=200)
panels = {
    "untrained": {
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

# %% [markdown]
# Reduce each curve to one number: its power above 0.25 cycles/pixel over its power below, in
# decibels. A positive number means that the branch leans to high frequencies.

# %%
from glanet.analysis.spectrum import lean

leans = {
    title: np.array([lean(response(kernels).gain) for kernels in branches.values()])
    for title, branches in trained.items()
}
# (starts, 3): a row for each untrained start, a column for each branch
by_chance = np.stack([lean(power) for power in panels["untrained"].values()], axis=-1)
leans["untrained, mean"] = by_chance.mean(0)
leans["untrained, 2 std. deviations"] = 2 * by_chance.std(0)

# %%
from glanet.course.kit.predictions import reveal_choice

first, last = leans["layer 1 of 6"].mean(), leans["layer 6 of 6"].mean()
alike = abs(first - last) < leans["untrained, 2 std. deviations"].mean()
reveal_choice(
    guess,
    "alike" if alike else "first" if first > last else "last",
    choices=("first", "last", "alike"),
    because="The mean over the three branches is "
    f"{first:.1f} dB in the first layer and {last:.1f} dB in the last.",
)

# %%
print(f"{'dB':28}   3×3   5×5   7×7")
for title, values in leans.items():
    print(f"{title:28}", *(f"{value:5.1f}" for value in values))

# %% [markdown]
# And the curves themselves. For the untrained branches, the line is their mean, and nine in ten of
# them lie in the shaded range.

# %%
gains(panels)

# %% [markdown]
# Read the numbers with care:
#
# - **The shape is learned, not innate.** Untrained weights have mean 0 and are independent of each
#   other, so on average they pass all frequencies alike. A convolution is not high-pass by nature.
# - **In the first half of this network it was learned.** In layers 1 and 3, 5×5 and 7×7 lean to
#   high frequencies by more than two standard deviations of the untrained branches.
# - **With depth it reverses.** In the last two layers no branch leans to high frequencies. In each
#   of these layers, one branch leans to low frequencies by more than two standard deviations.
#   "High-frequency-oriented" fits the beginning of this network and not its end.
# - **One network is one case.** Weights from another training may lean otherwise. Load others and
#   look.
#
# A response shows what a filter *would* do to white noise. What the branches contribute to real
# images is measured in notebook 10.

# %% [markdown]
# ## 7 · The maximum is no filter
#
# The max branch has no kernel to transform. A filter applied to a sum gives the sum of the filtered
# parts. The maximum does not. Here a row and its negative add up to zero, and their maxima do not:

# %% tags=["nbval-check-output"]
row = torch.tensor([[0.0, 1, 3, 1, 0]])
up, down = (F.max_pool1d(part, 3, 1, 1) for part in (row, -row))
print("maximum of the sum: ", F.max_pool1d(row + -row, 3, 1, 1).int().tolist())
print("sum of the maxima:  ", (up + down).int().tolist())

# %% [markdown]
# The maximum does not keep a wave a wave, either. Send in a cosine with 4 cycles in 64 pixels, and
# print the power of the output for each number of cycles.

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
        {cycles: round(power[cycles].item(), 2) for cycles in range(33) if power[cycles] > 0.005},
    )

# %% [markdown]
# The average returns the same wave, weaker. The maximum adds waves of 8 and 16 cycles that were not
# there. A frequency response cannot describe that.
#
# Divide power out by power in. For the average at 4 cycles this is 14.42 / 16 = 0.90, and you can
# predict it. At $f$ cycles/pixel, both neighbours of a crest have the value $\cos 2\pi f$. So the
# mean of the three is $(1 + 2 \cos 2\pi f) / 3$, and the power is the square of that. Try three
# waves:

# %% tags=["nbval-check-output"]
import math

for cycles in (4, 12, 28):
    wave = torch.cos(2 * torch.pi * cycles * torch.arange(64) / 64).double()[None]
    pooled = F.avg_pool1d(F.pad(wave, (1, 1), mode="circular"), 3, stride=1)
    measured = pooled.square().sum() / wave.square().sum()
    by_formula = ((1 + 2 * math.cos(2 * math.pi * cycles / 64)) / 3) ** 2
    print(f"{cycles / 64:.4f} cycles/pixel: measured {measured:.3f}, formula {by_formula:.3f}")

# %% [markdown]
# The next cells do the same for all frequencies at once: power out over power in. If this ratio is
# smaller at high frequencies, the operation is low-pass. For the maximum there is no formula.
#
# You can only measure, and the result depends on the input. Begin with white noise, where all
# frequencies are equally strong.
#
# **Prediction.** On white noise, is max-pooling `"low-pass"`, `"high-pass"`, or `"neither"`?

# %%
guess = ...

# %% [markdown]
# The measurement uses `power_spectrum`. It subtracts the mean from each map. The Fourier transform
# treats opposite sides of a map as neighbours, so the function fades the map out towards its sides
# (a *Hann window*). Then it averages |F|² over channels and directions. Check it on white noise of
# power 1: the result should be 1 at each frequency.

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
print(f"white noise: power between {flat.min():.2f} and {flat.max():.2f} at all frequencies")

# %%
low, high = np.split((of_noise["max"] / of_noise["input"]).mean(0), 2)
answer = "low-pass" if low.mean() > 2 * high.mean() else "neither"
answer = "high-pass" if high.mean() > 2 * low.mean() else answer
reveal_choice(
    guess,
    answer,
    choices=("low-pass", "high-pass", "neither"),
    because="Power out over power in: "
    f"{low.mean():.2f} below 0.25 cycles/pixel, {high.mean():.2f} above.",
)

# %% [markdown]
# Neighbouring pixels share six of their nine pixels, so they often share the largest one, and fine
# detail disappears. But noise has no edges. Next, take photographs at half their size, as a ×2
# network gets them. Then take the tokens that the first max branch of `tiny-x2` really sees for
# these photographs.

# %%
from glanet.course.kit import practice
from glanet.data.degradation import imresize, modcrop
from glanet.data.images import read_rgb
from glanet.data.tensors import to_tensor


def middle(image, side=512):
    """The central square of ``side`` pixels, or less where the image is smaller."""
    top, left = (max(0, n - side) // 2 for n in image.shape[:2])
    return image[top : top + side, left : left + side]


photographs = [
    imresize(modcrop(middle(read_rgb(path)), 2), 1 / 2)
    for path in practice.training_images()[-count:]
]


@torch.no_grad()
def first_tokens(image):
    """What the first Inception module of ``model`` sees: uint8 (H, W, 3) -> tokens (1, H, W, C)."""
    trunk = model.trunk
    shallow = model.shallow(to_tensor(image) - model.mean)  # Eq. 1, notebook 03
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
# The upper row shows the spectra; the lower row shows power out over power in. The shaded bands are
# 95 % confidence intervals of the mean over the images. The thin black line is the formula's
# prediction for the average. The measured average follows the formula for every input: the average
# is a filter, so this check lets you trust the measurement. (On photographs it deviates a little at
# the right: their power differs between directions, and each point is a mean over directions.) The
# maximum has a different curve for each input. How much of the power above 0.25 cycles/pixel
# remains, and where does the maximum lean?

# %%
print(f"{'':26}    kept above 0.25 by   lean of the")
print(f"{'':26}  maximum     average   maximum, dB")
for title, power in panels.items():
    ratio = {
        name: np.exp(np.log(power[name] / power["input"]).mean(0)) for name in ("max", "average")
    }
    kept = (np.split(curve, 2)[1].mean() for curve in ratio.values())
    print(f"{title:26}", *(f"{share:10.1%}" for share in kept), f"{lean(ratio['max']):10.1f}")

# %% [markdown]
# - On photographs the maximum leaves far more of the fine detail than the average does: these are
#   the edges of section 1. This much of the "sharp sensitivity of the maximum filter" is true.
# - The maximum is not high-pass: it leans to low frequencies on all three inputs, least on
#   photographs.
# - On the tokens that the branch really sees, it behaves much more as on noise than as on
#   photographs.
# - Power is not detail. Some of the output at high frequencies is new, like the waves added to the
#   cosine.

# %% [markdown]
# ## 8 · The module
#
# Four branches work side by side. Each is a quarter of the channels wide, and their outputs are
# joined along the channels:
#
# $$Y = \mathrm{Concat}(Y_{max}, Y_{conv}), \qquad Y_{conv} = \{Y_{conv}^i\}_{i=1}^{3}$$
#
# ![four branches from tokens (B, H, W, C) to tokens of C/4 channels each, joined to (B, H, W, C)](figures/04_inception.svg)
#
# **Prediction.** The module of `tiny-x2` has 32 output channels, numbered 0 to 31. Which branch
# made channel 20: `"max"`, `"3"`, `"5"` or `"7"`?

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
reveal_choice(
    guess, made_by[0], choices=names, because="The order is max, 3, 5, 7, with 8 channels each."
)

# %% [markdown]
# **Exercise 4 · Inception** ★★☆, 10 minutes. Write the rest of `__init__`, and `forward`. The four
# branches go into an `nn.ModuleList` called `self.branches`, in the order max, 3, 5, 7. `forward`
# sends the tokens through each branch and joins the outputs along the channels.
#
# <details><summary>Hint 1</summary>
#
# You have `MaxBranch(channels, width)` and `ConvBranch(channels, width, kernel_size)`. The width is
# the same for all four: a quarter of the channels.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `nn.ModuleList` takes a list of modules, and you can loop over it like a list. `torch.cat` joins a
# list of tensors. In tokens, the channels are the last axis.
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
# Give your module the trained weights of the first layer, and a real photograph. `first_tokens`
# turns the photograph into the tokens that the module sees. The figure shows, for each branch, the
# channel that varies most:

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
# The three convolutions show edges and texture; the max-pooling shows whole areas. All four saw the
# same tokens. In the layer (notebook 07), every second attention works on a *shifted* image.
# Inception always gets the unshifted one.

# %% [markdown]
# ## What can go wrong
#
# Try it. Here is a branch of 7 with padding that fits a kernel of 5. Joining it to another branch
# fails, and the message names the sizes:


# %%
from glanet.course.kit.lines import short_lines


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
    print(short_lines(error))

# %% [markdown]
# PyTorch catches that mistake at once. It does not catch the next one: the right paddings in the
# wrong places. The row loses pixels and the column adds them back, so all sizes fit and there is no
# error. Give the same weights to a correct branch, and see where the two differ.


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
# Which pair belongs where? Change the call above and run it again until no `#` is left. The correct
# call prints:

# %%
compare(row_padding=(0, 3), column_padding=(3, 0))

# %% [markdown]
# - **Sizes differ and `cat` fails.** A kernel of k needs padding `k // 2` on each side. `padding=1`
#   is right only for 3.
# - **A wrong frame around the features, no error.** The paddings are exchanged, as above. Or there
#   are zeros around a maximum, as in section 1: where all features are negative, the whole border
#   turns 0.
# - **`size mismatch` when weights are loaded.** Row and column are exchanged: `(1, k)` is the row,
#   and it is step 1.
# - **Weights load, and the output is nonsense.** The branches are joined in another order, and the
#   1×1 that follows reads the wrong channels. No shape shows it: all four branches are equally
#   wide.

# %% [markdown]
# ## The proof
#
# Compare your classes with the package's: load the same weights into both, send the same tokens
# through both, and compare the outputs and all gradients.

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
