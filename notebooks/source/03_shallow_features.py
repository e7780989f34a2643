# %% [markdown]
# # 03 · Shallow features
#
# | | |
# |---|---|
# | **You will** | build the first convolution and the last, put a placeholder between them, and train the whole until it beats bicubic |
# | **It enables** | notebooks 04 to 08: each replaces a part of the placeholder, and the rest is already there |
# | **Takes** | 4 minutes, 2 GB of memory; about 60 minutes to work through |
# | **Becomes** | `glanet/model/shallow.py`, and parts of `tokens.py` and `reconstruction.py` beside it |
#
# GLA-Net has three parts (Fig. 2 of the paper). *Shallow features* come out of one convolution.
# *Deep features* come out of the trunk, where all the new ideas are. A *reconstructor* makes pixels
# of the sum. Today you build the first and the last. In the middle stands a placeholder.
#
# ![The network: image, ω, placeholder, head, and the bilinear image added at the end](figures/03_network.svg)

# %% [markdown]
# ## 1 · A convolution by hand
#
# A convolution looks at each pixel together with its neighbours. It multiplies them by the weights of a
# *filter* and adds the products up:
#
# $$y_{i,j} = \sum_{u=-1}^{1} \sum_{v=-1}^{1} k_{u,v} \thinspace x_{i+u,\thinspace j+v}$$
#
# Here is an image that is dark on the left and bright on the right, and a filter that subtracts the
# column on the left from the column on the right.

# %%
import numpy as np

image = np.array([[0, 0, 3, 3, 3]] * 4)
kernel = np.array([[-1, 0, 1]] * 3)
print(image, kernel, sep="\n\n")

# %% [markdown]
# Take the pixel in row 1, column 1. Its right neighbours are 3, 3, 3 and its left ones 0, 0, 0. The answer
# is 3 + 3 + 3 = 9: here is an edge. In column 3 both sides are 3, and the answer is 0: no edge.
#
# At the border, neighbours are missing. The convolution of Eq. 1 puts zeros there (*zero padding*), so
# that the answer is as large as the image.
#
# **Exercise 1 · Convolution** ★★☆, 10 minutes. Write `convolve(image, kernel)`: an array `(H, W)` and a
# filter `(3, 3)` in, an array `(H, W)` out. Loops are welcome.
#
# <details><summary>Hint 1</summary>
#
# `np.pad(image, 1)` puts a border of one zero around the image.
#
# </details>
# <details><summary>Hint 2</summary>
#
# In the padded image, the nine pixels around pixel `(i, j)` are `padded[i : i + 3, j : j + 3]`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Make room for the answer with `np.zeros(image.shape)`. Each of its pixels is
# `(padded[i : i + 3, j : j + 3] * kernel).sum()`.
#
# </details>


# %%
def convolve(image, kernel):
    """A 3×3 convolution with zero padding: (H, W) and (3, 3) -> (H, W)."""
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
# Look at the border. The last column is −9 in the middle rows: to the filter, the image ends in a step
# down to black. In the first and last rows it is 6 and −6, since one of three rows is missing. Zero
# padding is simple and cheap, and at the border it is not quite true.
#
# The same filter on a photograph, in grey:

# %%
from skimage import data

from glanet.course.lessons.shallow_features.figures import response

grey = data.rocket()[346:402, 564:620].mean(axis=-1)  # a tower
edges = convolve(grey, kernel)
response(grey, kernel, edges, limit=np.abs(edges).max())

# %% [markdown]
# Red is a step from dark to bright, blue from bright to dark. The even sky comes out
# near 0. Of the beams, the upright ones answer most and the level ones least.
#
# Nobody chooses the filters of a network. They start at random, and training finds them.

# %% [markdown]
# ## 2 · From three colours to C channels (Eq. 1)
#
# A colour image has three planes. A filter then has 3×3 weights for *each* plane. It adds all 27 products
# and a *bias*, one number more. One filter makes one plane of answers, called a *channel* or *feature
# map*. $C$ filters make $C$ channels:
#
# $$F_s = \omega(I_{LR})$$
#
# ![ω: C filters of 3 × 3 pixels × 3 colours turn 3 planes into C](figures/03_convolution.svg)
#
# **Prediction.** The paper's network has $C = 180$. How many parameters has its $\omega$, biases
# included?

# %%
guess = ...

# %% tags=["nbval-check-output"]
from torch import nn

from glanet.course.kit.predictions import reveal

omega = nn.Conv2d(3, 180, kernel_size=3, padding=1)
parameters = sum(tensor.numel() for tensor in omega.parameters())
print(
    reveal(
        guess,
        parameters,
        unit="parameters",
        because=f"180 · (3 · 9 + 1). Of the network's 18,142,847 that is {parameters / 18142847:.2%}.",
    )
)

# %% [markdown]
# ## 3 · Where the numbers lie
#
# PyTorch's convolutions take images as `(B, C, H, W)`: batch, channels, rows, columns. But `LayerNorm`
# and `Linear`, of which a transformer is full, work along the *last* axis, and must find the channels
# there. So the trunk's feature maps travel as `(B, H, W, C)`. All channels of one pixel are called a
# *token*.
#
# Memory is one long row of numbers. The shape only says how to walk along it.
#
# ![Planes: all reds, all greens, all blues. Tokens: red, green, blue of a pixel side by side](figures/03_memory.svg)
#
# Two by two pixels with three channels, both ways. (`rearrange`, from einops, permutes axes by names.) The *stride* of an axis says how far apart in memory
# its neighbours lie.

# %% tags=["nbval-check-output"]
import torch
from einops import rearrange

planes = torch.arange(12).view(1, 3, 2, 2)  # (B, C, H, W)
tokens = rearrange(planes, "b c h w -> b h w c").contiguous()
print("planes", planes.flatten().tolist(), "strides", planes.stride())
print("tokens", tokens.flatten().tolist(), "strides", tokens.stride())

# %% [markdown]
# In the planes, channel 0 is `0, 1, 2, 3`, and the other channels follow. In the tokens, the three
# channels of the first pixel, `0, 4, 8`, lie side by side.
#
# A convolution wants `(B, C, H, W)`, so permute the axes. How much memory does that move?
#
# **Prediction.** The next cell permutes the tokens and writes 99 into the result. What stands in
# `tokens[0, 0, 0, 0]` afterwards, `0` or `99`?

# %%
guess = ...

# %% tags=["nbval-check-output"]
from glanet.course.kit.predictions import reveal_choice

view = tokens.permute(0, 3, 1, 2)  # (B, C, H, W)
view[0, 0, 0, 0] = 99
print(
    reveal_choice(
        guess,
        tokens[0, 0, 0, 0].item(),
        choices=(0, 99),
        because="The permuted tensor is a view: other strides on the same memory. Nothing moved.",
    )
)

# %% tags=["nbval-check-output"]
print(view.shape, "strides", view.stride())
print("the same memory:", view.data_ptr() == tokens.data_ptr())
print("channels-last: ", view.is_contiguous(memory_format=torch.channels_last))

# %% [markdown]
# PyTorch has a name for a `(B, C, H, W)` tensor whose channels lie side by side: *channels-last*. Its
# convolutions take such a tensor as it is, and answer in the same layout. So tokens can go through a
# convolution and back without a copy, and `LayerNorm` and `Linear` read them as they are.

# %% tags=["nbval-check-output"]
tokens = torch.randn(1, 5, 7, 4)  # (B, H, W, C)
normed = nn.LayerNorm(4)(tokens)
mixed = nn.Linear(4, 8)(normed)
answer = nn.Conv2d(8, 6, kernel_size=3, padding=1)(mixed.permute(0, 3, 1, 2))
back = answer.permute(0, 2, 3, 1)
print(mixed.shape, back.shape, "no copy needed:", back.is_contiguous())

# %% [markdown]
# That is all there is to know about a convolution on tokens. The package has it as a class of its own, a
# `Conv2d` with a permute on either side:


# %%
class TokenConv(nn.Conv2d):
    """A convolution on tokens: (B, H, W, C_in) -> (B, H', W', C_out)."""

    def forward(self, tokens):
        return super().forward(tokens.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


# %% [markdown]
# An image, though, comes into the network as `(B, 3, H, W)`. $\omega$ is where it becomes tokens.
#
# **Exercise 2 · Shallow features** ★☆☆, 5 minutes. Write the class of Eq. 1. `self.conv` is a 3×3
# convolution from 3 to `channels` channels that keeps the size; the method `forward`, which is yours to add,
# takes an image `(B, 3, H, W)` and returns tokens `(B, H, W, C)`.
#
# <details><summary>Hint 1</summary>
#
# In section 2 stands this very convolution, with 180 in place of `channels`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The image needs no permute on its way in. Its features do, on their way out: the second half of
# `TokenConv`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# To have the answer channels-last, and so the tokens contiguous, put the image into that layout first:
# `image.contiguous(memory_format=torch.channels_last)`. The numbers are the same without.
#
# </details>


# %%
class ShallowFeatures(nn.Module):
    """ω, one 3×3 convolution: image (B, 3, H, W) -> tokens F_s (B, H, W, C), Eq. 1."""

    def __init__(self, channels):
        super().__init__()
        # >>>
        self.conv = nn.Conv2d(3, channels, kernel_size=3, padding=1)

    def forward(self, image):
        features = self.conv(image.contiguous(memory_format=torch.channels_last))
        return features.permute(0, 2, 3, 1)
        # <<<


# %%
ShallowFeatures = shallow.shallow_features.check(ShallowFeatures)

# %% tags=["nbval-check-output"]
tokens = ShallowFeatures(channels=4)(torch.rand(2, 3, 5, 7))
print(tokens.shape, "contiguous:", tokens.is_contiguous())

# %% [markdown]
# Should yours not be contiguous, see hint 3. It is right all the same; the next layer has to make a copy.
#
# Now on a photograph, of half its size. `to_tensor` makes bytes `(H, W, 3)` into numbers in $[0, 1]$,
# `(1, 3, H, W)`.

# %%
from glanet.data.degradation import imresize, modcrop
from glanet.data.tensors import to_image, to_tensor

photo = modcrop(data.coffee(), 2)
small = imresize(photo, 1 / 2)
low = to_tensor(small)
features = ShallowFeatures(channels=32)(low)
print("I_LR", tuple(low.shape), " F_s", tuple(features.shape))

# %% [markdown]
# ## 4 · Channels become pixels
#
# At the other end of the network, features of the small size must become an image of the large one. The
# trick is called *sub-pixel convolution*: a convolution makes $s^2$ channels for every colour, and each
# pixel's $s^2$ numbers are laid out as a square of $s \times s$ pixels. The laying out is the *pixel shuffle*.
#
# ![Pixel shuffle: four channels of 2 × 2 pixels interleave to one of 4 × 4](figures/03_pixel_shuffle.svg)
#
# One pixel with four channels becomes four pixels, in reading order:

# %% tags=["nbval-check-output"]
print(nn.PixelShuffle(2)(torch.tensor([10, 11, 12, 13]).view(1, 4, 1, 1)))

# %% [markdown]
# **Exercise 3 · Pixel shuffle** ★★☆, 10 minutes. Write it as one `rearrange` of einops:
# `pixel_shuffle(channels, scale)` takes `(B, C·s², H, W)` and returns `(B, C, s·H, s·W)`. The first $s^2$
# channels belong to the first colour, the next to the second.
#
# A pattern can split an axis in brackets, if you say how long the parts are, and join axes in brackets. In
# a bracket, the last name runs fastest. This cuts four numbers into two rows of two:

# %% tags=["nbval-check-output"]
print(rearrange(torch.tensor([10, 11, 12, 13]), "(i j) -> i j", i=2))

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Call a pixel's place in its little square `i` (row) and `j` (column). The channel axis splits in three:
# colour, `i` and `j`. Which runs fastest?
#
# </details>
# <details><summary>Hint 2</summary>
#
# The channel axis is `(c i j)`. On the other side, the rows join `h` and `i`: as you go down the large
# image, `i` runs fast and `h` slowly.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The right side is `b c (h i) (w j)`. Tell einops that `i` and `j` are both `scale` long.
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
# The sub-pixel convolution is a convolution and this shuffle, one after the other. `nn.PixelShuffle` is
# PyTorch's class for what you wrote.


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
# The network does not draw the large image from nothing. It adds to a coarse one, made by bilinear
# interpolation $\Phi$:
#
# $$I_{HR} = \Theta(F_s + F_d) + I_{CSR}, \qquad I_{CSR} = \Phi(I_{LR})$$
#
# Three pixels in a row, 0, 4 and 8, become six. The new centres lie a quarter of an old pixel to the
# left and to the right of the old ones. So each new pixel is ¾ of the nearer old one and ¼ of the next:
# ¾ · 0 + ¼ · 4 = 1, then ¼ · 0 + ¾ · 4 = 3. At both ends the last pixel is repeated.


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

base = to_image(coarse_image(low, 2))
square = {"top": 228, "left": 64, "side": 32}
missing(photo, base, **square)

# %%
high = to_tensor(photo)
print(f"mean of |I_GT|          {high.abs().mean():.4f}")
print(f"mean of |I_GT − I_CSR|  {(high - coarse_image(low, 2)).abs().mean():.4f}")

# %% [markdown]
# What is missing is small, sits at edges and in the grain of the wood, and is as often dark as bright. In
# smooth parts there is next to nothing to do. These are the *high frequencies* that the paper is about (§1).
#
# **Exercise 4 · The light head** ★★☆, 10 minutes. Write $\Theta$ for small networks: one sub-pixel
# convolution straight to three colours. (The paper's own head is longer; notebook 09 builds it.)
# `self.to_image` is a `SubPixel`. The method `forward`, yours to add again, takes tokens `(B, H, W, C)` and
# returns `(B, 3, scale·H, scale·W)`. Before training it must answer 0 to everything.
#
# <details><summary>Hint 1</summary>
#
# `SubPixel` has just been written. It wants `(B, C, H, W)`: the first half of `TokenConv` says how.
#
# </details>
# <details><summary>Hint 2</summary>
#
# A convolution answers 0 to everything if its weight and its bias are 0. In a `SubPixel`, which is an
# `nn.Sequential`, the convolution is `[0]`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `nn.init.zeros_(self.to_image[0].weight)`, and the same for the bias.
#
# </details>


# %%
class LightHead(nn.Module):
    """Θ for small networks: tokens (B, H, W, C) -> image (B, 3, scale·H, scale·W), zero at first."""

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
# Now all parts of the figure at the top are there but one. For the trunk $\psi$ of Eq. 2,
#
# $$F_d = \psi(F_s),$$
#
# stand two convolutions with a *GELU* between them, a smooth cousin of ReLU. **This trunk is a
# placeholder.** It is not in the paper, and notebooks 04 to 08 build what belongs in its place. The rest
# stays.


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
# **Prediction.** All weights but the head's are random. What does the untrained stub make of a
# photograph: `"noise"`, `"black"` or `"bilinear"`?

# %%
guess = ...

# %% tags=["nbval-check-output"]
with torch.no_grad():
    untrained = stub(low)
candidates = {"black": torch.zeros_like(untrained), "bilinear": coarse_image(low, 2)}
answer = next((name for name, it in candidates.items() if torch.equal(untrained, it)), "noise")
print(
    reveal_choice(
        guess,
        answer,
        choices=("noise", "black", "bilinear"),
        because="Θ answers 0, so only I_CSR is left. Training starts there and goes up.",
    )
)

# %% [markdown]
# ## 7 · Train it
#
# `fit` is a short training loop that several notebooks use; notebook 11 builds it line by line. In each
# step it takes a few small and large patches of the same place, and lowers the mean absolute difference
# between the network's answer and the large patch. That is the paper's loss, Eq. 6:
#
# $$\mathcal{L}_1(I_{HR}, I_{GT})$$
#
# It trains on the 291 images of which the older papers learned, if they are on this machine, and on four
# photographs that come with scikit-image if not.

# %%
from glanet.course.kit import practice
from glanet.course.kit.profile import by_profile
from glanet.data.patches import PatchStore

images = practice.training_images()[: by_profile(smoke=4, learn=None, full=None)]
store = PatchStore.from_images(images, scale=2, patch=16)
print(f"{len(store.names)} images, patches of 16 × 16 pixels to be made into 32 × 32")

# %% [markdown]
# **Prediction.** How will the trained stub compare with bicubic on images that it never saw? Guess the
# difference of their PSNR in dB, negative if you think that bicubic wins. (Bicubic looks at 4 × 4 pixels
# for each new one. The stub has four 3×3 convolutions in a row, and each sees one pixel further on every
# side: 9 × 9.)

# %%
guess = ...

# %%
before = stub.shallow.conv.weight.detach().clone()  # (C, 3, 3, 3), to look at later
steps = by_profile(smoke=20, learn=1000, full=5000)
losses = practice.fit(stub, store, steps=steps, rate=1e-3)

# %% [markdown]
# Some batches are hard and some easy. So divide the loss of each step by that of bilinear interpolation on
# the very same batch. A line at 1 is bilinear.

# %%
from glanet.course.lessons.shallow_features.figures import training_curve


def bilinear_loss(step):
    small_patches, large_patches = store.batch(seed=0, step=step, size=8)  # what `fit` saw
    return F.l1_loss(coarse_image(small_patches, 2), large_patches).item()


training_curve(losses, [bilinear_loss(step) for step in range(steps)])

# %% [markdown]
# The first step stands at exactly 1, since the untrained stub *is* bilinear. Then it gets worse before it
# gets better. Adam's first step moves every weight of the head by the whole learning rate, before the head
# knows much. Larger trainings begin with a smaller rate for that reason, a *warm-up*.
#
# A loss on training patches proves little. So measure on images held out of training (Set5, if it is here),
# as notebook 02 does.

# %%
from glanet.evaluation.benchmark import evaluate, mean_scores


def enlarge(network, image):
    """uint8 (H, W, 3) -> uint8 (2·H, 2·W, 3)."""
    with torch.no_grad():
        return to_image(network(to_tensor(image)))


methods = {
    "bilinear": lambda image: enlarge(lambda low: coarse_image(low, 2), image),
    "bicubic": lambda image: imresize(image, 2),
    "stub": lambda image: enlarge(stub, image),
}


def mean_psnr(method):
    images = practice.held_out_images()
    scores = evaluate(lambda image: (method(image), None), "held out", images, 2)
    return mean_scores(scores)["held out"][0]


psnr = {name: mean_psnr(method) for name, method in methods.items()}
for name, decibels in psnr.items():
    print(f"{name:9} {decibels:.2f} dB")

# %%
print(
    reveal(
        guess,
        round(psnr["stub"] - psnr["bicubic"], 2),
        unit="dB",
        because="Nobody fitted bicubic to photographs; the stub was, and it sees more of them.",
    )
)

# %% [markdown]
# Then look. This photograph was not among the training images.

# %%
from glanet.course.kit.photo import details

details({"original": photo, "bicubic": imresize(small, 2), "stub": enlarge(stub, small)}, **square)

# %% [markdown]
# ### What did ω learn?
#
# A filter has three planes, one for each colour. Their sum says what the filter does to grey. These are
# the first sixteen, as they started and as they are now.

# %%
from glanet.course.lessons.shallow_features.figures import filters

after = stub.shallow.conv.weight.detach()
grey_before, grey_after = (weights.sum(dim=1).numpy() for weights in (before, after))  # (C, 3, 3)
filters(grey_before[:16], grey_after[:16])

# %% [markdown]
# They started as noise, and after so short a training most still look like it. Yet something changed. On a
# level grey area, a filter answers with the sum of its nine weights. How much of the filters' strength goes
# into that? Measure the share
#
# $$\frac{\sum (\text{sum of a filter's weights})^2}{9 \sum (\text{weight})^2}.$$
#
# It is 1 where the nine weights of each filter are equal, and 0 where they cancel. Random weights give
# about 1/9.

# %%
for name, kernels in (("before", grey_before), ("after", grey_after)):
    level = (kernels.sum(axis=(1, 2)) ** 2).sum() / 9
    print(f"{name:7} {level / (kernels**2).sum():.3f}")

# %% [markdown]
# The smaller the share, the less is said about level areas and the more about differences between
# neighbours. Section 5 showed why that should pay: bilinear already has the level areas right.
#
# Here is what a channel sees in the photograph. The head uses it together with 31 others.


# %%
def feature_maps(weights):
    """The answers of all filters, (C, 3, 3, 3), without their biases -> numpy (H, W, C)."""
    return F.conv2d(low, weights, padding=1)[0].permute(1, 2, 0)[rows, columns].numpy()


rows, columns = slice(104, 152), slice(24, 84)
part = small[rows, columns]
trained = feature_maps(after)
level = np.abs(grey_after.sum(axis=(1, 2))) / np.linalg.norm(grey_after, axis=(1, 2))
channel = level.argmin()  # the one that cares least about level areas
answer = trained[..., channel]
response(part, grey_after[channel], answer, limit=np.abs(answer).max())

# %% [markdown]
# Its weights cancel on grey. On an even colour they need not: each colour has weights of its own, and the
# picture of the filter shows only their sum.
#
# Choose the channel and the weights. Which channels look for edges, and which of them in one direction
# only? The colours are set anew for each channel, and are the same for both its weights.

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
# A pixel shuffle with its axes mixed up runs, too: the shape is right either way. To see what it does, take
# a photograph apart, four pixels into four channels for each colour, and shuffle it together again, twice
# wrong and once right.

# %%
taken_apart = F.pixel_unshuffle(to_tensor(photo), 2)  # (1, 3·4, H/2, W/2)
patterns = {
    "wrong, (i j c)": "b (i j c) h w -> b c (h i) (w j)",
    "wrong, (c j i)": "b (c j i) h w -> b c (h i) (w j)",
    "mended, (c i j)": "b (c i j) h w -> b c (h i) (w j)",
}
together = {
    name: to_image(rearrange(taken_apart, pattern, i=2, j=2)) for name, pattern in patterns.items()
}
details(together, top=226, left=82, side=24)

# %% [markdown]
# In the network the same mistake is easy to overlook, because the base $I_{CSR}$ carries most of the image.
# Take the trained stub apart, and measure.

# %%
from glanet.evaluation.metrics import psnr_y

with torch.no_grad():
    shallow_features = stub.shallow(low)
    tokens = shallow_features + stub.trunk(shallow_features)
    channels = stub.reconstruct.to_image[0](tokens.permute(0, 3, 1, 2))  # (1, 3·4, H, W)
print(f"{'bicubic':16} {psnr_y(imresize(small, 2), photo, border=2):.2f} dB")
for name, pattern in patterns.items():
    enlarged = to_image(rearrange(channels, pattern, i=2, j=2) + coarse_image(low, 2))
    print(f"{name:16} {psnr_y(enlarged, photo, border=2):.2f} dB")

# %% [markdown]
# - **Jagged edges, a fine grid, false colours**: channels went to the wrong places in the pixel shuffle. If you
#   *train* with the wrong order nothing shows, because the convolution before it can learn any order. It
#   shows when weights and code come from two places.
# - **Stripes or noise where details should be**: somewhere a `reshape` or `view` stands for a `permute`. They give the
#   same shape and other numbers.
# - **The loss starts far above bilinear's**: the base $I_{CSR}$ is missing. The head then has to learn the
#   whole image; section 5 printed how much larger that is than the rest.
# - **After the first step only the head has changed**: that is as it should be. Its weights were zero, so
#   nothing behind it had a gradient yet. From the second step on, all parts move.

# %% [markdown]
# ## The same as the package
#
# Your classes get the package's weights. Outputs and gradients must agree.

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
# You have a network that trains. What it lacks is a trunk: its 9 × 9 pixels are a narrow view, and two
# convolutions with one GELU are hardly deep. Notebook 04 builds the first piece that belongs there.
#
# `glanet.GLANet` does two small things more around these parts: it subtracts a mean colour before ω, and
# mirrors the image at its edges to whole windows. Notebook 09 puts them in.
#
# ## How far you are

# %%
from glanet.course.report import report as progress_report

print(progress_report("shallow_features"))
