# %% [markdown]
# # 03 · Shallow features
#
# | | |
# |---|---|
# | **You will** | build the first convolution and the last, put a placeholder between them, train the whole network, and compare it with bicubic |
# | **It enables** | notebooks 04 to 08: each replaces a part of the placeholder, and the rest is already there |
# | **Takes** | 4 minutes, 2 GB of memory; about 60 minutes to work through |
# | **Becomes** | `glanet/model/shallow.py`, and parts of `tokens.py` and `reconstruction.py` beside it |
#
# GLA-Net, the network of [Global-Local Awareness Network for Image
# Super-Resolution](https://panpinchi.github.io/GLA-Net/) (ICIP 2023), has three parts (Fig. 2 of
# the paper). One convolution extracts the *shallow features*. The trunk, which holds all the new
# ideas, extracts the *deep features*. A *reconstructor* turns their sum into pixels. In this
# notebook you build the first part and the last, and put a placeholder in the middle.
#
# ![The network: image, ω, placeholder, head, and the bilinear image added at the end](figures/03_network.svg)

# %% [markdown]
# ## 1 · A convolution by hand
#
# A convolution looks at each pixel together with its neighbours. It multiplies them by the weights
# of a *filter* and adds up the products:
#
# $$y_{i,j} = \sum_{u=-1}^{1} \sum_{v=-1}^{1} k_{u,v} \thinspace x_{i+u,\thinspace j+v}$$
#
# Here is an image that is dark on the left and bright on the right, and a filter that subtracts
# the column on the left from the column on the right.

# %%
import numpy as np

image = np.array([[0, 0, 3, 3, 3]] * 4)
kernel = np.array([[-1, 0, 1]] * 3)
print(image, kernel, sep="\n\n")

# %% [markdown]
# Take the pixel in row 1, column 1. Its right neighbours are 3, 3, 3 and its left ones 0, 0, 0.
# The answer is 3 + 3 + 3 = 9: there is an edge here. In column 3 both sides are 3, and the answer
# is 0: no edge.
#
# At the border, neighbours are missing. The convolution of Eq. 1 puts zeros there (*zero
# padding*), so that the answer is as large as the image.
#
# **Exercise 1 · Convolution** ★★☆, 10 minutes. Write `convolve(image, kernel)`: it takes an array
# `(H, W)` and a filter `(3, 3)`, and returns an array `(H, W)`. You may use loops.
#
# <details><summary>Hint 1</summary>
#
# `np.pad(image, 1)` puts a border of zeros, one pixel wide, around the image.
#
# </details>
# <details><summary>Hint 2</summary>
#
# In the padded image, the nine pixels around pixel `(i, j)` are `padded[i : i + 3, j : j + 3]`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Create the answer with `np.zeros(image.shape)`. Each of its pixels is
# `(padded[i : i + 3, j : j + 3] * kernel).sum()`.
#
# </details>


# %%
def convolve(image, kernel):
    """A 3×3 convolution with zero padding: image (H, W), kernel (3, 3) -> (H, W)."""
    # >>>
    padded = np.pad(image, 1)
    answer = np.zeros(image.shape)
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            answer[i, j] = (padded[i : i + 3, j : j + 3] * kernel).sum()
    return answer
    # <<<


# %%
from glanet.course.lessons.shallow_features import exercises as shallow

convolve = shallow.convolve.check(convolve)

# %% tags=["nbval-check-output"]
print(convolve(image, kernel).astype(int))

# %% [markdown]
# Look at the border. The last column is −9 in the middle rows: the filter sees a step down to
# black at the end of the image. In the first and last rows the values are 6 and −6, because one of
# the three rows is missing. Zero padding is simple and cheap, but it is not quite correct at the
# border.
#
# Apply the same filter to a photograph, in grey:

# %%
from skimage import data

from glanet.course.lessons.shallow_features.figures import response

grey = data.rocket()[346:402, 564:620].mean(axis=-1)  # a tower
edges = convolve(grey, kernel)
response(grey, kernel, edges, limit=np.abs(edges).max())

# %% [markdown]
# Red marks a step from dark to bright, blue from bright to dark. The even sky comes out near 0. Of
# the beams, the vertical ones give the strongest answers and the horizontal ones the weakest.
#
# Nobody chooses the filters of a network. They start at random, and training finds them.

# %% [markdown]
# ## 2 · From three colours to C channels (Eq. 1)
#
# A colour image has three planes. A filter then has 3×3 weights for *each* plane. It adds up all
# 27 products and one more number, the *bias*. One filter gives one plane of answers, called a
# *channel* or *feature map*. $C$ filters give $C$ channels. In Eq. 1, $\omega$ turns the
# low-resolution (LR) image into the shallow features $F_s$:
#
# $$F_s = \omega(I_{LR})$$
#
# ![ω: C filters of 3 × 3 pixels × 3 colours turn 3 planes into C](figures/03_convolution.svg)
#
# **Prediction.** The paper's network has $C = 180$. How many parameters does its $\omega$ have,
# biases included?

# %%
guess = ...

# %% tags=["nbval-check-output"]
from torch import nn

from glanet.course.kit.predictions import reveal

omega = nn.Conv2d(3, 180, kernel_size=3, padding=1)
parameters = sum(tensor.numel() for tensor in omega.parameters())
reveal(
    guess,
    parameters,
    unit="parameters",
    because=f"180 · (3 · 9 + 1). That is {parameters / 18142847:.2%} of the network's 18,142,847.",
)

# %% [markdown]
# ## 3 · Where the numbers lie
#
# PyTorch's convolutions take images as `(B, C, H, W)`: batch, channels, rows, columns. But a
# transformer uses `LayerNorm` and `Linear` everywhere, and both work along the *last* axis: the
# channels must be there. So the trunk's feature maps have the shape `(B, H, W, C)`. All channels
# of one pixel together are called a *token*.
#
# Memory is one long row of numbers. The shape only says how to step through it.
#
# ![Planes: all reds, all greens, all blues. Tokens: red, green, blue of a pixel side by side](figures/03_memory.svg)
#
# Here are two by two pixels with three channels, in both layouts. (`rearrange`, from einops,
# permutes axes by name.) The *stride* of an axis is the distance in memory between neighbours
# along this axis.

# %% tags=["nbval-check-output"]
import torch
from einops import rearrange

planes = torch.arange(12).view(1, 3, 2, 2)  # (B, C, H, W)
tokens = rearrange(planes, "b c h w -> b h w c").contiguous()
for name, numbers in {"planes": planes, "tokens": tokens}.items():
    print(name, "in memory", numbers.flatten().tolist())
    print(name, "strides  ", numbers.stride())

# %% [markdown]
# In the planes, channel 0 is `0, 1, 2, 3`, and the other channels follow. In the tokens, the three
# channels of the first pixel, `0, 4, 8`, are side by side.
#
# A convolution needs `(B, C, H, W)`, so permute the axes. How much memory does that move?
#
# **Prediction.** The next cell permutes the tokens and writes 99 into the result. What does
# `tokens[0, 0, 0, 0]` contain afterwards, `0` or `99`?

# %%
guess = ...

# %% tags=["nbval-check-output"]
from glanet.course.kit.predictions import reveal_choice

view = tokens.permute(0, 3, 1, 2)  # (B, C, H, W)
view[0, 0, 0, 0] = 99
reveal_choice(
    guess,
    tokens[0, 0, 0, 0].item(),
    choices=(0, 99),
    because="The permuted tensor is a view: different strides on the same memory. Nothing moved.",
)

# %% tags=["nbval-check-output"]
print(view.shape, "strides", view.stride())
print("the same memory:", view.data_ptr() == tokens.data_ptr())
print("channels-last: ", view.is_contiguous(memory_format=torch.channels_last))

# %% [markdown]
# PyTorch has a name for a `(B, C, H, W)` tensor whose channels are side by side in memory:
# *channels-last*. Its convolutions accept such a tensor as it is, and return the same layout. So
# tokens can go through a convolution and back without a copy, and `LayerNorm` and `Linear` read
# them as they are.

# %% tags=["nbval-check-output"]
tokens = torch.randn(1, 5, 7, 4)  # (B, H, W, C)
normed = nn.LayerNorm(4)(tokens)
mixed = nn.Linear(4, 8)(normed)
answer = nn.Conv2d(8, 6, kernel_size=3, padding=1)(mixed.permute(0, 3, 1, 2))
back = answer.permute(0, 2, 3, 1)
print(tuple(mixed.shape), tuple(back.shape), "no copy needed:", back.is_contiguous())

# %% [markdown]
# That is all you need to know about a convolution on tokens. In the package it is a class: a
# `Conv2d` with a permute before and after it.


# %%
class TokenConv(nn.Conv2d):
    """A convolution on tokens: (B, H, W, C_in) -> (B, H', W', C_out)."""

    def forward(self, tokens):
        return super().forward(tokens.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


# %% [markdown]
# But an image enters the network as `(B, 3, H, W)`. $\omega$ turns it into tokens.
#
# **Exercise 2 · Shallow features** ★☆☆, 5 minutes. Write the class of Eq. 1. `self.conv` is a 3×3
# convolution from 3 to `channels` channels that keeps the size of the image. Also add the method
# `forward`: it takes an image `(B, 3, H, W)` and returns tokens `(B, H, W, C)`.
#
# <details><summary>Hint 1</summary>
#
# Section 2 contains this convolution, with 180 in place of `channels`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The image needs no permute on its way in. Its features need one on their way out: the second half
# of `TokenConv`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# To make the tokens contiguous, the answer of the convolution has to be channels-last. So first
# put the image into that layout: `image.contiguous(memory_format=torch.channels_last)`. The
# numbers are the same without it.
#
# </details>


# %%
class ShallowFeatures(nn.Module):
    """ω of Eq. 1: image (B, 3, H, W) -> tokens F_s (B, H, W, C)."""

    def __init__(self, channels):
        super().__init__()
        # >>>
        self.conv = nn.Conv2d(3, channels, kernel_size=3, padding=1)

    def forward(self, image):
        image = image.contiguous(memory_format=torch.channels_last)
        return self.conv(image).permute(0, 2, 3, 1)
        # <<<


# %%
ShallowFeatures = shallow.shallow_features.check(ShallowFeatures)

# %% tags=["nbval-check-output"]
tokens = ShallowFeatures(channels=4)(torch.rand(2, 3, 5, 7))
print(tokens.shape, "contiguous:", tokens.is_contiguous())

# %% [markdown]
# If your tokens are not contiguous, see hint 3. They are right all the same, but the next layer
# has to make a copy.
#
# Now apply it to a photograph, shrunk to half its size. `to_tensor` turns bytes `(H, W, 3)` into
# numbers in $[0, 1]$, `(1, 3, H, W)`.

# %%
from glanet.data.degradation import imresize, modcrop
from glanet.data.tensors import to_image, to_tensor

photo = modcrop(data.coffee(), 2)
lr = imresize(photo, 1 / 2)
lr_tensor = to_tensor(lr)
features = ShallowFeatures(channels=32)(lr_tensor)
print("I_LR", tuple(lr_tensor.shape), " F_s", tuple(features.shape))

# %% [markdown]
# ## 4 · Channels become pixels
#
# At the other end of the network, features of the LR size must become an image of the HR
# (high-resolution) size. The usual method is called *sub-pixel convolution*. A convolution makes
# $s^2$ channels for every colour. Then the *pixel shuffle* arranges the $s^2$ numbers of each
# pixel as a square of $s \times s$ pixels.
#
# ![Pixel shuffle: four channels of 2 × 2 pixels interleave to one of 4 × 4](figures/03_pixel_shuffle.svg)
#
# One pixel with four channels becomes four pixels, in reading order:

# %% tags=["nbval-check-output"]
print(nn.PixelShuffle(2)(torch.tensor([10, 11, 12, 13]).view(1, 4, 1, 1)))

# %% [markdown]
# **Exercise 3 · Pixel shuffle** ★★☆, 10 minutes. Write it as one `rearrange` of einops:
# `pixel_shuffle(channels, scale)` takes `(B, C·s², H, W)` and returns `(B, C, s·H, s·W)`. The
# first $s^2$ channels belong to the first colour, the next $s^2$ to the second.
#
# In a pattern, brackets on the left split an axis, if you give the lengths of the parts. Brackets
# on the right join axes. The last name in a bracket runs fastest. This pattern splits four numbers
# into two rows of two:

# %% tags=["nbval-check-output"]
print(rearrange(torch.tensor([10, 11, 12, 13]), "(i j) -> i j", i=2))

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Call a pixel's position in its small square `i` (row) and `j` (column). The channel axis splits
# in three: colour, `i` and `j`. Which of them runs fastest?
#
# </details>
# <details><summary>Hint 2</summary>
#
# The channel axis is `(c i j)`. On the right side, the rows join `h` and `i`: as you go down the
# HR image, `i` runs fast and `h` slowly.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The right side is `b c (h i) (w j)`. Tell einops that `i` and `j` both have the length `scale`.
#
# </details>


# %%
def pixel_shuffle(channels, scale):
    """Channels to pixels: (B, C·scale², H, W) -> (B, C, scale·H, scale·W)."""
    # >>>
    return rearrange(channels, "b (c i j) h w -> b c (h i) (w j)", i=scale, j=scale)
    # <<<


# %%
pixel_shuffle = shallow.pixel_shuffle.check(pixel_shuffle)

# %% [markdown]
# Four channels of 2 × 2 pixels, filled with 0, 1, 2 and 3, interleave as in the figure:

# %% tags=["nbval-check-output"]
four = torch.arange(4).view(1, 4, 1, 1).expand(1, 4, 2, 2)
print(pixel_shuffle(four, 2)[0, 0])

# %% [markdown]
# A sub-pixel convolution is a convolution followed by this shuffle. `nn.PixelShuffle` is PyTorch's
# class for the function that you wrote.


# %%
class SubPixel(nn.Sequential):
    """A 3×3 convolution whose channels become pixels: (B, C, H, W) -> (B, C', s·H, s·W)."""

    def __init__(self, channels_in, channels_out, scale):
        super().__init__(
            nn.Conv2d(channels_in, channels_out * scale**2, kernel_size=3, padding=1),
            nn.PixelShuffle(scale),
        )


# %% [markdown]
# ## 5 · Add only what bilinear misses (Eq. 4, 5)
#
# The network does not draw the HR image from nothing. It adds to a coarse super-resolution image
# $I_{CSR}$, made by bilinear interpolation $\Phi$:
#
# $$I_{HR} = \Theta(F_s + F_d) + I_{CSR}, \qquad I_{CSR} = \Phi(I_{LR})$$
#
# Three pixels in a row, 0, 4 and 8, become six. The new centres are a quarter of an old pixel to
# the left and to the right of the old ones. So each new pixel is ¾ of the nearest old pixel and ¼
# of the second nearest: ¾ · 0 + ¼ · 4 = 1, then ¼ · 0 + ¾ · 4 = 3. At both ends the last pixel is
# repeated.


# %% tags=["nbval-check-output"]
import torch.nn.functional as F


def coarse_image(image, scale):
    """Φ, bilinear interpolation: (B, 3, H, W) -> I_CSR (B, 3, scale·H, scale·W), Eq. 5."""
    return F.interpolate(image, scale_factor=scale, mode="bilinear", align_corners=False)


row = torch.tensor([0.0, 4.0, 8.0]).view(1, 1, 1, 3)
print(coarse_image(row, 2)[0, 0, 0].tolist())

# %% [markdown]
# How much is left to add? Compare the coarse image with the original.

# %%
from glanet.course.lessons.shallow_features.figures import missing

base = to_image(coarse_image(lr_tensor, 2))
square = {"top": 228, "left": 64, "side": 32}
missing(photo, base, **square)

# %%
hr_tensor = to_tensor(photo)
print(f"mean of |I_GT|          {hr_tensor.abs().mean():.4f}")
print(f"mean of |I_GT − I_CSR|  {(hr_tensor - coarse_image(lr_tensor, 2)).abs().mean():.4f}")

# %% [markdown]
# The original is called the ground truth, $I_{GT}$. Its difference from the coarse image is small.
# It sits at edges and in the grain of the wood, and it is negative as often as positive. In smooth
# parts there is almost nothing to add. These are the *high frequencies* that the paper is about (§1).
#
# **Exercise 4 · The light head** ★★☆, 10 minutes. Write $\Theta$ for small networks: one sub-pixel
# convolution straight to three colours. (The paper's own head is longer; notebook 09 builds it.)
# `self.to_image` is a `SubPixel`. Again, add the method `forward` too: it takes tokens
# `(B, H, W, C)` and returns `(B, 3, scale·H, scale·W)`. Before training, the head must return 0
# for every input.
#
# <details><summary>Hint 1</summary>
#
# You have just seen `SubPixel`. It needs `(B, C, H, W)`: the first half of `TokenConv` shows how
# to get that from tokens.
#
# </details>
# <details><summary>Hint 2</summary>
#
# A convolution returns 0 for every input if its weight and its bias are 0. A `SubPixel` is an
# `nn.Sequential`, and its convolution is `[0]`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `nn.init.zeros_(self.to_image[0].weight)`, and the same for the bias.
#
# </details>


# %%
class LightHead(nn.Module):
    """Θ for small networks: tokens (B, H, W, C) -> (B, 3, scale·H, scale·W), zero at first."""

    def __init__(self, channels, scale):
        super().__init__()
        # >>>
        self.to_image = SubPixel(channels, 3, scale)
        nn.init.zeros_(self.to_image[0].weight)
        nn.init.zeros_(self.to_image[0].bias)

    def forward(self, tokens):
        return self.to_image(tokens.permute(0, 3, 1, 2))
        # <<<


# %%
LightHead = shallow.light_head.check(LightHead)

# %% [markdown]
# ## 6 · The whole network, stubbed
#
# You now have all parts of the figure at the top but one, the trunk $\psi$ of Eq. 2:
#
# $$F_d = \psi(F_s).$$
#
# In its place you put two convolutions with a *GELU* (Gaussian error linear unit) between them, a
# smooth variant of ReLU (rectified linear unit). **This trunk is a placeholder.** It is not in the
# paper. Notebooks 04 to 08 build the real trunk, and the rest of the network stays.


# %%
class Stub(nn.Module):
    """GLA-Net with a placeholder for its trunk: (B, 3, H, W) -> (B, 3, scale·H, scale·W)."""

    def __init__(self, channels, scale):
        super().__init__()
        self.scale = scale
        self.shallow = ShallowFeatures(channels)
        self.trunk = nn.Sequential(  # the placeholder
            TokenConv(channels, channels, kernel_size=3, padding=1),
            nn.GELU(),
            TokenConv(channels, channels, kernel_size=3, padding=1),
        )
        self.reconstruct = LightHead(channels, scale)

    def forward(self, image):
        shallow = self.shallow(image)  # F_s = ω(I_LR), Eq. 1
        deep = self.trunk(shallow)  # F_d = ψ(F_s), Eq. 2
        return self.reconstruct(shallow + deep) + coarse_image(image, self.scale)  # Eq. 4, 5


# %% [markdown]
# It takes images of any size, down to a single pixel:

# %% tags=["nbval-check-output"]
torch.manual_seed(0)
stub = Stub(channels=32, scale=2)
for size in ((1, 1), (5, 7), (64, 48)):
    print(size, "→", tuple(stub(torch.rand(1, 3, *size)).shape[2:]))
print(f"{sum(tensor.numel() for tensor in stub.parameters()):,} parameters")

# %% [markdown]
# **Prediction.** All weights except the head's are random. What does the untrained stub make of a
# photograph: `"noise"`, `"black"` or `"bilinear"`?

# %%
guess = ...

# %% tags=["nbval-check-output"]
with torch.no_grad():
    untrained = stub(lr_tensor)
candidates = {"black": torch.zeros_like(untrained), "bilinear": coarse_image(lr_tensor, 2)}
answer = next((name for name, it in candidates.items() if torch.equal(untrained, it)), "noise")
reveal_choice(
    guess,
    answer,
    choices=("noise", "black", "bilinear"),
    because="Θ returns 0, so only I_CSR is left. Training improves on that.",
)

# %% [markdown]
# ## 7 · Train it
#
# `fit` is a short training loop that several notebooks use; notebook 11 builds it line by line. In
# each step it takes a few pairs of an LR patch and an HR patch of the same place, and lowers the
# mean absolute difference between the network's answer and the HR patch. That is the paper's loss,
# Eq. 6:
#
# $$\mathcal{L}_1(I_{HR}, I_{GT})$$
#
# It trains on the 291 images that older papers used, if they are on this machine. Otherwise it
# trains on four photographs that come with scikit-image.

# %%
from glanet.course.kit import practice
from glanet.course.kit.profile import by_profile
from glanet.data.patches import PatchStore

images = practice.training_images()[: by_profile(smoke=4, learn=None, full=None)]
store = PatchStore.from_images(images, scale=2, patch=16)
print(f"{len(store.names)} images, patches of 16 × 16 pixels to enlarge to 32 × 32")

# %% [markdown]
# **Prediction.** How will the trained stub compare with bicubic on images that it has never seen?
# Guess the difference between their PSNRs (peak signal-to-noise ratios) in dB, negative if you
# think that bicubic wins. (Bicubic looks at 4 × 4 pixels for each new one. The stub has four 3×3
# convolutions in a row, and each of them sees one pixel further on every side: 9 × 9 pixels in
# all.)

# %%
guess = ...

# %%
before = stub.shallow.conv.weight.detach().clone()  # (C, 3, 3, 3), for later
steps = by_profile(smoke=20, learn=1000, full=5000)
losses = practice.fit(stub, store, steps=steps, rate=1e-3)

# %% [markdown]
# Some batches are hard and some are easy. So divide the loss of each step by the loss of bilinear
# interpolation on the same batch. A value of 1 means as good as bilinear.

# %%
from glanet.course.lessons.shallow_features.figures import training_curve


def bilinear_loss(step):
    lr_patches, hr_patches = store.batch(seed=0, step=step, size=8)  # the batch that `fit` used
    return F.l1_loss(coarse_image(lr_patches, 2), hr_patches).item()


training_curve(losses, [bilinear_loss(step) for step in range(steps)])

# %% [markdown]
# The curve starts at exactly 1, because the untrained stub *is* bilinear. Then it gets worse
# before it gets better: Adam's first step moves every weight of the head by the whole learning
# rate, although the head has learned nothing yet. For that reason, larger trainings begin with a
# smaller learning rate, a *warm-up*.
#
# The loss on training patches proves little. So measure on images that were held out of training
# (Set5, if it is on this machine), as in notebook 02.

# %%
from glanet.evaluation.benchmark import evaluate, mean_scores


def enlarge(model, image):
    """uint8 (H, W, 3) -> uint8 (2·H, 2·W, 3)."""
    with torch.no_grad():
        return to_image(model(to_tensor(image)))


methods = {
    "bilinear": lambda image: enlarge(lambda tensor: coarse_image(tensor, 2), image),
    "bicubic": lambda image: imresize(image, 2),
    "stub": lambda image: enlarge(stub, image),
}


def mean_psnr(method):
    images = practice.held_out_images()
    scores = evaluate(lambda image: (method(image), None), "held out", images, 2)
    return mean_scores(scores)["held out"][0]


psnr = {name: mean_psnr(method) for name, method in methods.items()}
reveal(
    guess,
    round(psnr["stub"] - psnr["bicubic"], 2),
    unit="dB",
    because="The stub learned from photographs, and it sees more pixels. Bicubic is a fixed formula.",
)

# %%
for name, decibels in psnr.items():
    print(f"{name:9} {decibels:.2f} dB")

# %% [markdown]
# Then look at the result. This photograph was not among the training images.

# %%
from glanet.course.kit.photo import details

details({"original": photo, "bicubic": imresize(lr, 2), "stub": enlarge(stub, lr)}, **square)

# %% [markdown]
# ### What did ω learn?
#
# A filter has three planes, one for each colour. Their sum shows what the filter does to a grey
# image. Here are the first sixteen filters, before and after training.

# %%
from glanet.course.lessons.shallow_features.figures import filters

after = stub.shallow.conv.weight.detach()
grey_before, grey_after = (weights.sum(dim=1).numpy() for weights in (before, after))  # (C, 3, 3)
filters(grey_before[:16], grey_after[:16])

# %% [markdown]
# They started as noise, and after such a short training most of them still look like it. Yet
# something changed. On an even grey area, a filter's answer is the area's value times the sum of
# its nine weights. How much of the filters' strength goes into this sum? Measure the share
#
# $$\frac{\sum (\text{sum of a filter's weights})^2}{9 \sum (\text{weight})^2}.$$
#
# It is 1 if the nine weights of each filter are equal, and 0 if they cancel. For random weights it
# is about 1/9.

# %%
for name, kernels in (("before", grey_before), ("after", grey_after)):
    level = (kernels.sum(axis=(1, 2)) ** 2).sum() / 9
    print(f"{name:7} {level / (kernels**2).sum():.3f}")

# %% [markdown]
# The smaller the share, the less the filters respond to even areas and the more to differences
# between neighbours. Section 5 shows why that should help: bilinear interpolation already gets the
# even areas right.
#
# Here is what one channel sees in the photograph. The head combines it with 31 others.


# %%
def feature_maps(weights):
    """Answers of filters (C, 3, 3, 3), without biases, in the crop: numpy (h, w, C)."""
    return F.conv2d(lr_tensor, weights, padding=1)[0].permute(1, 2, 0)[rows, columns].numpy()


rows, columns = slice(104, 152), slice(24, 84)
part = lr[rows, columns]
trained = feature_maps(after)
level = np.abs(grey_after.sum(axis=(1, 2))) / np.linalg.norm(grey_after, axis=(1, 2))
channel = level.argmin()  # the channel that responds least to even areas
answer = trained[..., channel]
response(part, grey_after[channel], answer, limit=np.abs(answer).max())

# %% [markdown]
# Its weights cancel on grey. On an even colour they may not cancel: each colour has its own
# weights, and the picture of the filter shows only their sum.
#
# Choose the channel and the weights. Which channels look for edges, and which of them only in one
# direction? Each channel has its own colour range, which is the same for its trained and untrained
# weights.

# %%
from glanet.course.lessons.shallow_features.widgets import explore_channels

states = {
    "trained": (grey_after, trained),
    "untrained": (grey_before, feature_maps(before)),
}
explore_channels(part, states, channel=int(channel))

# %% [markdown]
# ## What can go wrong
#
# A pixel shuffle with its axes mixed up runs without an error: the shape is right either way. To
# see what it does, split a photograph into four channels for each colour, one for each pixel of a
# 2 × 2 square. Then shuffle it together again, twice wrong and once right.

# %%
taken_apart = F.pixel_unshuffle(to_tensor(photo), 2)  # (1, 3·4, H/2, W/2)
patterns = {
    "wrong, (i j c)": "b (i j c) h w -> b c (h i) (w j)",
    "wrong, (c j i)": "b (c j i) h w -> b c (h i) (w j)",
    "correct, (c i j)": "b (c i j) h w -> b c (h i) (w j)",
}
together = {
    name: to_image(rearrange(taken_apart, pattern, i=2, j=2)) for name, pattern in patterns.items()
}
details(together, top=226, left=82, side=24)

# %% [markdown]
# In the network this mistake is easy to overlook, because the base $I_{CSR}$ carries most of the
# image. Run the trained stub up to its last convolution, shuffle in all three ways, and measure.

# %%
from glanet.evaluation.metrics import psnr_y

with torch.no_grad():
    shallow_features = stub.shallow(lr_tensor)
    tokens = shallow_features + stub.trunk(shallow_features)
    channels = stub.reconstruct.to_image[0](tokens.permute(0, 3, 1, 2))  # (1, 3·4, H, W)
print(f"{'bicubic':16} {psnr_y(imresize(lr, 2), photo, border=2):.2f} dB")
for name, pattern in patterns.items():
    enlarged = to_image(rearrange(channels, pattern, i=2, j=2) + coarse_image(lr_tensor, 2))
    print(f"{name:16} {psnr_y(enlarged, photo, border=2):.2f} dB")

# %% [markdown]
# - **Jagged edges, a fine grid, false colours**: the pixel shuffle put channels into the wrong
#   places. If you *train* with the wrong order, you see nothing, because the convolution before
#   the shuffle can learn any order. The mistake shows when weights and code come from two places.
# - **Stripes or noise in place of details**: somewhere a `reshape` or `view` is used instead of a
#   `permute`. They give the same shape with different numbers.
# - **The loss starts far above bilinear's**: the base $I_{CSR}$ is missing. The head then has to
#   learn the whole image. Section 5 printed how much larger that is than the difference.
# - **After the first step only the head has changed**: that is correct. Its weights were zero, so
#   no layer before it had a gradient yet. From the second step on, all parts change.

# %% [markdown]
# ## The same as the package
#
# The test gives your classes the package's weights. The outputs and gradients must agree.

# %%
from glanet.course.kit.checks import random_weights
from glanet.course.kit.sameness import same_function, same_module
from glanet.model import reconstruction, shallow as package_shallow, tokens as package_tokens

image, features = torch.randn(2, 3, 5, 7), torch.randn(2, 5, 7, 8)
print(same_module(ShallowFeatures(8), package_shallow.ShallowFeatures(8), image))
print(
    same_module(
        TokenConv(8, 6, 3, padding=1), package_tokens.TokenConv(8, 6, 3, padding=1), features
    )
)
print(same_module(SubPixel(3, 4, 3), reconstruction.SubPixel(3, 4, 3), image))

head = reconstruction.LightHead(8, 2)
head.load_state_dict(random_weights(head, np.random.default_rng(0)))  # zeros would prove nothing
print(same_module(LightHead(8, 2), head, features))

cases = [(image, scale) for scale in (2, 3, 4)]
print(same_function(coarse_image, reconstruction.coarse_image, cases))
print(
    same_function(pixel_shuffle, F.pixel_shuffle, [(torch.randn(2, 36, 5, 7), s) for s in (2, 3)])
)

# %% [markdown]
# You have a network that trains. It still lacks a real trunk: it sees only 9 × 9 pixels, and two
# convolutions with one GELU are hardly deep. Notebook 04 builds the first piece of the trunk.
#
# `glanet.GLANet` does two more small things around these parts: it subtracts a mean colour before
# ω, and it mirrors the image at its edges so that the windows of the trunk fit. Notebook 09 adds
# both.
#
# ## How far you are

# %%
from glanet.course.report import report as progress_report

print(progress_report("shallow_features"))
