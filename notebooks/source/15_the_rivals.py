# %% [markdown]
# # 15 · The rivals
#
# | | |
# |---|---|
# | **You will** | build the one idea of each network that the paper compares with, see what it looks at in a photograph, and measure what that costs |
# | **It enables** | your own judgement of the paper's Table 1 |
# | **Takes** | 2 minutes, 2 GB of memory; about 150 minutes to work through |
# | **Becomes** | `glanet/rivals/` |
#
# Table 1 of [the paper (*Global-Local Awareness Network for Image Super-Resolution*, ICIP
# 2023)](https://panpinchi.github.io/GLA-Net/) sets GLA-Net beside RCAN, SAN, IGNN, HAN, NLSN and
# SwinIR, and the text also argues with RNAN and CSNLN. All of them start and
# end with convolutions, and most have a long row of blocks between. They differ in one question: **which
# other pixels may a pixel look at?** Each section answers it for one network: the idea, small
# numbers, the code, and a picture.
#
# ![nine small images with one marked pixel; what it looks at is blue: everything in RCAN, SAN, RNAN and CSNLN, the nine pixels around in HAN, scattered pixels in NLSN, five squares in IGNN, a window in SwinIR, a window and its surroundings in GLA-Net](figures/15_looks.svg)

# %% [markdown]
# ## 1 · One photograph, one pixel
#
# Every mechanism gets the same input: 64×64 pixels of a photograph, with 32 features at each. The
# features come from the first block of `tiny-x2`, which is trained, and so they know edges from
# areas. Their mean is taken off, and their standard deviation is set to 0.5. Each rival would learn
# features and scales of its own. So the pictures of this notebook show what a mechanism *can* look
# at, not what a trained rival does look at.

# %%
import torch
from einops import rearrange
from skimage import data

from glanet import GLANet
from glanet.analysis.probes import stages
from glanet.course.kit.profile import by_profile
from glanet.data.degradation import imresize
from glanet.data.tensors import to_tensor

side = by_profile(smoke=32, learn=64, full=64)
hr = imresize(data.astronaut(), 1 / 2)[60 : 60 + 2 * side, : 2 * side]
lr = imresize(hr, 1 / 2)

model = GLANet.from_pretrained("tiny-x2")
learned = rearrange(stages(model, to_tensor(lr))["1 block"], "b h w c -> b c h w")
features = learned - learned.mean((2, 3), keepdim=True)
features = features / (2 * features.std())
channels, height, width = features.shape[1:]
print(tuple(features.shape))

# %% [markdown]
# The figure `look` shows the photograph in grey, with a frame around one pixel and its neighbours, and
# beside it the *share* of every pixel in the result at that pixel. Shares add up to 1. The colour is
# the share times the number of pixels: 1 (blue-green) if all pixels count alike, 1000 (yellow) if one
# pixel counts as much as a thousand. White is zero.
#
# First the mechanism that you know best. A convolution of 3×3 looks at nine pixels:

# %%
import numpy as np

from glanet.course.lessons.the_rivals.figures import look

row, column = 19, 8  # at the edge of a stripe


def around(kernel, row, column):
    """The squares of a 3×3 kernel around a pixel, as shares: (H, W)."""
    share = np.zeros((height + 2, width + 2))
    share[row : row + 3, column : column + 3] = np.square(kernel)
    share = share[1:-1, 1:-1]
    return share / share.sum()


look(lr, around(np.ones((3, 3)), row, column), row=row, column=column, title="3×3 convolution")

# %% [markdown]
# ## 2 · RCAN: a weight for each channel
#
# RCAN (Zhang et al., ECCV 2018) looks at the whole image, but only at one number for each channel:
# its mean $z_c$ over all pixels. A small network makes a weight between 0 and 1 out of all means,
# and each channel is multiplied by its weight:
#
# $$s = \sigma\big(W_2\, \max(0, W_1 z)\big), \qquad \hat x_c = s_c \, x_c$$
#
# $\sigma$ is the sigmoid, $1 / (1 + e^{-x})$. $W_1$ has fewer rows than columns, so it *squeezes*
# the channels. By hand, with two channels of mean 1 and 3, one squeezed channel, and no biases:

# %% tags=["nbval-check-output"]
z = torch.tensor([1.0, 3.0])
squeeze, excite = torch.tensor([[0.5, 0.5]]), torch.tensor([[1.0], [-1.0]])

hidden = (squeeze @ z).relu()  # 0.5 · 1 + 0.5 · 3
weights = (excite @ hidden).sigmoid()
print(hidden.tolist(), [f"{weight:.2f}" for weight in weights])

# %% [markdown]
# **Exercise 1 · ChannelAttention** ★☆☆, 10 minutes. Call the steps `conv_du`, an `nn.Sequential` of
# four: a 1×1 convolution from `channels` to `channels // reduction`, a ReLU, a 1×1 convolution back,
# a sigmoid. `forward` applies them to the means and returns the weighted features.
#
# <details><summary>Hint 1</summary>
#
# `nn.Conv2d(channels_in, channels_out, 1)` is a 1×1 convolution. It has a bias by default, as it
# should.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `features.mean(dim=(2, 3), keepdim=True)` has the shape (B, C, 1, 1). A 1×1 convolution takes it,
# and the product with (B, C, H, W) broadcasts.
#
# </details>

# %%
from torch import nn


class ChannelAttention(nn.Module):
    """Every channel times a weight from all means: (B, C, H, W) -> the same."""

    def __init__(self, channels, reduction):
        super().__init__()
        # >>>
        self.conv_du = nn.Sequential(
            nn.Conv2d(channels, channels // reduction, 1),
            nn.ReLU(),
            nn.Conv2d(channels // reduction, channels, 1),
            nn.Sigmoid(),
        )
        # <<<

    def forward(self, features):
        # >>>
        means = features.mean(dim=(2, 3), keepdim=True)
        return features * self.conv_du(means)
        # <<<


# %%
from glanet.course.lessons.the_rivals import exercises

ChannelAttention = exercises.channel_attention.check(ChannelAttention)

# %% [markdown]
# **Prediction.** Shuffle the pixels of the image, all channels in the same way. What happens to the
# 32 weights? Choose `"they stay"`, `"they are shuffled"` or `"they become equal"`.

# %%
guess = ...

# %%
from glanet.course.kit.predictions import reveal, reveal_choice


def weights_of(attention, features):
    """The weight of each channel: (C,)."""
    with torch.no_grad():
        return attention.conv_du(features.mean((2, 3), keepdim=True))[0, :, 0, 0]


torch.manual_seed(0)
attention = ChannelAttention(channels, reduction=4)
order = torch.randperm(height * width)
shuffled = learned.flatten(2)[..., order].view_as(learned)  # before the mean was taken off
before, after = weights_of(attention, learned), weights_of(attention, shuffled)
stay = torch.allclose(before, after, atol=1e-5)
print(f"weights from {before.min():.2f} to {before.max():.2f}")
reveal_choice(
    guess,
    "they stay" if stay else "they are shuffled",
    choices=("they stay", "they are shuffled", "they become equal"),
    because="A mean does not depend on the order.",
)

# %% [markdown]
# So channel attention knows *what* is in the image, and nothing of *where*. In the picture, all
# pixels count alike, whichever you mark:

# %%
looks = {"RCAN": lambda row, column: np.full((height, width), 1 / (height * width))}
look(lr, looks["RCAN"](row, column), row=row, column=column, title="RCAN: means")

# %% [markdown]
# ## 3 · SAN: how channels vary together
#
# A mean says little. SAN (Dai et al., CVPR 2019) keeps the means' place in the formula above and
# puts *second-order* statistics there: the covariance of every pair of channels.
#
# $$\Sigma = \frac{1}{N} \sum_p (x_p - \mu)(x_p - \mu)^\top$$
#
# $x_p$ are the C channels at pixel $p$, $\mu$ their means over the N pixels. Take three channels of
# four pixels, all of mean 0. The second is twice the first, the third has nothing to do with them:

# %% tags=["nbval-check-output"]
small = torch.tensor([[1.0, -1, 1, -1], [2, -2, 2, -2], [1, 1, -1, -1]])
small @ small.T / 4

# %% [markdown]
# **Exercise 2 · Covariance** ★☆☆, 8 minutes. For images: `(B, C, H, W)` to one matrix each,
# `(B, C, C)`.
#
# <details><summary>Hint 1</summary>
#
# `features.flatten(2)` has the shape (B, C, N). Subtract the mean along the last axis;
# `keepdim=True` keeps that axis, with length 1.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `centred @ centred.mT` multiplies the matrices of each image. `mT` swaps the last two axes. Divide
# by N.
#
# </details>


# %%
def covariance(features):
    """Covariance of the channels over all pixels: (B, C, H, W) -> (B, C, C)."""
    # >>>
    flat = features.flatten(2)
    centred = flat - flat.mean(dim=-1, keepdim=True)
    return centred @ centred.mT / flat.shape[-1]
    # <<<


# %%
covariance = exercises.covariance.check(covariance)

# %% [markdown]
# A few strong channels dominate a covariance. SAN takes its *square root*, the matrix $R$ with
# $R R = \Sigma$: it lifts small eigenvalues, from 0.01 to 0.1. Eigenvalues are slow on a GPU, so SAN
# takes five steps of the *Newton–Schulz iteration*, which needs only products of matrices. It starts
# with $Y = \Sigma / \mathrm{tr}\,\Sigma$ and $Z = I$, and repeats
#
# $$S = \tfrac12 (3I - Z Y), \qquad Y \leftarrow Y S, \qquad Z \leftarrow S Z$$
#
# $Y$ approaches the root of where it started, and $Z$ the inverse of that root. At the end, $Y$ times
# $\sqrt{\mathrm{tr}\,\Sigma}$ is the root of $\Sigma$. (The trace $\mathrm{tr}$ is the sum of the
# diagonal, and also of the eigenvalues.) The matrix may be a single number. Here is the root of
# 0.25, two steps by hand:

# %% tags=["nbval-check-output"]
y, z = 0.25, 1.0
for _ in range(2):
    s = (3 - z * y) / 2
    y, z = y * s, s * z
    print(f"S {s:.4f}   Y {y:.4f}   Z {z:.4f}")

# %% [markdown]
# **Exercise 3 · Newton–Schulz** ★★☆, 12 minutes. Write it for matrices `(B, N, N)` and any number of
# steps.
#
# <details><summary>Hint 1</summary>
#
# `matrix.diagonal(dim1=1, dim2=2).sum(-1)` are the B traces. Give them two more axes with
# `[:, None, None]`, so that they broadcast.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `torch.eye(n, dtype=matrix.dtype)` is $I$. Compute $S$ first, then both new matrices from it.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Do not forget the last factor, `trace.sqrt()`.
#
# </details>


# %%
def newton_schulz(matrix, steps):
    """The square root, approximately: (B, N, N) -> (B, N, N)."""
    # >>>
    trace = matrix.diagonal(dim1=1, dim2=2).sum(-1)[:, None, None]
    identity = torch.eye(matrix.shape[-1], dtype=matrix.dtype)
    y, z = matrix / trace, identity
    for _ in range(steps):
        s = (3 * identity - z @ y) / 2
        y, z = y @ s, s @ z
    return y * trace.sqrt()
    # <<<


# %%
newton_schulz = exercises.newton_schulz.check(newton_schulz)

# %% [markdown]
# **Prediction.** One direction of the features has a thousandth of the trace. The exact root is
# $\sqrt{0.001} = 0.032$. What do five steps give?

# %%
guess = ...

# %% tags=["nbval-check-output"]
parts = torch.diag(torch.tensor([0.001, 0.999]))[None]
reveal(
    guess,
    round(newton_schulz(parts, 5)[0, 0, 0].item(), 4),
    unit="instead of 0.0316",
    because="Far below the root, a step only multiplies Y by about 3/2, and 1.5⁵ is 7.6.",
)

# %%
from glanet.course.lessons.the_rivals.figures import roots

values = torch.logspace(-4, 0, 60)[:-1]
pairs = torch.diag_embed(torch.stack([values, 1 - values], dim=-1))
found = {steps: newton_schulz(pairs, steps)[:, 0, 0] for steps in (1, 3, 5, 10)}
roots(values, found)

# %% [markdown]
# With five steps, the root is right for directions that hold more than about a tenth of the trace,
# and too small for all weaker ones. SAN is trained with this root, so it is part of the network and
# no mistake. Here are the covariance of our features, and its root:

# %%
from glanet.course.lessons.the_rivals.figures import matrices

matrix = covariance(features)
matrices({"covariance": matrix[0], "five steps": newton_schulz(matrix, 5)[0]})

# %% [markdown]
# The means of the root's rows go where RCAN has the channels' means. Which pixels does SAN look at?
# Those that differ from the mean: the trace of $\Sigma$ is the mean of $\lVert x_p - \mu \rVert^2$,
# and the picture shows each pixel's part of it. The marked pixel makes no difference again.
# (SAN also has a non-local module, in each quarter of the image. Section 5 shows what that is.)

# %%
strength = features[0].square().sum(0).numpy()  # the mean is off already
looks["SAN"] = lambda row, column: strength / strength.sum()
look(lr, looks["SAN"](row, column), row=row, column=column, title="SAN: covariance")

# %% [markdown]
# ## 4 · HAN: a weight for each layer, and for each number
#
# HAN (Niu et al., ECCV 2020) is RCAN with two more kinds of attention. *Layer attention* adds to the
# output $F_n$ of each group of blocks a mix of the outputs of all groups:
#
# $$\hat F_n = F_n + \gamma \sum_m w_{nm} F_m, \qquad
# w_{nm} = \frac{e^{-\langle F_n, F_m \rangle}}{\sum_k e^{-\langle F_n, F_k \rangle}}$$
#
# $\langle F_n, F_m \rangle$ is the sum of the products over all channels and pixels, the *energy* of
# the two. Note the minus: in the released code, the least alike get the largest weight. Three
# outputs of two numbers each:

# %% tags=["nbval-check-output"]
maps = torch.tensor([[1.0, 0], [0.5, 0.5], [-1, 1]])
energy = maps @ maps.T
print(energy)
print((-energy).softmax(dim=-1).numpy().round(2))

# %% [markdown]
# **Exercise 4 · Layer weights** ★☆☆, 6 minutes. `maps` are the outputs of N groups,
# `(B, N, C, H, W)`. Return the weights $w_{nm}$, `(B, N, N)`.
#
# <details><summary>Hint 1</summary>
#
# `maps.flatten(2)` makes one vector out of each output: (B, N, C·H·W).
#
# </details>
# <details><summary>Hint 2</summary>
#
# Multiply by its own transpose, change the sign, and take the softmax along each row.
#
# </details>


# %%
def layer_weights(maps):
    """The weight of map m in the mix of map n: (B, N, C, H, W) -> (B, N, N)."""
    # >>>
    flat = maps.flatten(2)
    return (-(flat @ flat.mT)).softmax(dim=-1)
    # <<<


# %%
layer_weights = exercises.layer_weights.check(layer_weights)

# %% [markdown]
# **Prediction.** An untrained HAN with four groups and one more convolution has five outputs. What
# is the *largest* weight of a row, averaged over the rows? (Equal weights would be 0.2.)

# %%
guess = ...

# %%
from glanet.networks import NETWORKS, build


def untrained(name):
    """The tiny network of that name, with random weights from a fixed seed."""
    torch.manual_seed(0)
    return build(NETWORKS[name].config.preset("tiny", scale=2)).eval()


han = untrained("han")
with torch.no_grad():
    outputs = han.layers(han.head(han.sub_mean(255 * to_tensor(lr))))
    largest = layer_weights(outputs).amax(-1).mean().item()
reveal(
    guess,
    round(largest, 2),
    unit="for the largest of five",
    because="Energies are sums over all channels and pixels. Here they differ by "
    "millions, and e to such a power leaves one weight of 1.",
)

# %% [markdown]
# The weights of layer attention have nothing to learn: only $\gamma$ is learned, and it starts at 0.
#
# *Channel-spatial attention* gives each single number a weight: a 3×3×3 convolution over channels,
# rows and columns, and a sigmoid. It looks at the nine pixels around, in three neighbouring
# channels, although the order of the channels means nothing. (The kernel here is untrained.)

# %%
kernel = han.csa.conv.weight.detach()[0, 0].square().sum(0).sqrt().numpy()
looks["HAN"] = lambda row, column: around(kernel, row, column)
look(lr, looks["HAN"](row, column), row=row, column=column, title="HAN: channel-spatial")

# %% [markdown]
# ## 5 · RNAN: every pixel and every pixel
#
# RNAN (Zhang et al., ICLR 2019) multiplies its features by *masks* between 0 and 1. In its first and
# last block, the mask comes from a *non-local* operation, which is the attention of notebook 05
# without windows. Query $q_i$, key $k_j$ and value $v_j$ are three 1×1 convolutions of the features,
# and
#
# $$y_i = \sum_j w_{ij}\, v_j, \qquad w_{ij} = \frac{e^{q_i \cdot k_j}}{\sum_n e^{q_n \cdot k_j}}$$
#
# There is one difference, and it is easy to miss: the sum below runs over $n$, the *queries*. So the
# weights of one *key* add up to 1. A key has one unit of attention to give, and a pixel may get much
# or little. Two queries and two keys:

# %% tags=["nbval-check-output"]
query = torch.tensor([[1.0, 0], [0, 1]])
key = torch.tensor([[1.0, 0], [2, 1]])
weights = (query @ key.T).softmax(dim=0)
print(weights.numpy().round(2), "down:", weights.sum(0).tolist())
print("along:", weights.sum(1).numpy().round(2))

# %% [markdown]
# **Exercise 5 · Sum over keys** ★☆☆, 5 minutes. Write $y_i$ for tensors `(B, N, C)`, N pixels in
# each image.
#
# <details><summary>Hint 1</summary>
#
# `query @ key.mT` has the shape (B, N, N): row i is query i, column j is key j.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The queries are axis 1. Axis 0 is the batch.
#
# </details>


# %%
def sum_over_keys(query, key, value):
    """Σ_j softmax_i(q_i · k_j) v_j, three times (B, N, C) -> (B, N, C)."""
    # >>>
    weights = (query @ key.mT).softmax(dim=1)
    return weights @ value
    # <<<


# %%
sum_over_keys = exercises.sum_over_keys.check(sum_over_keys)

# %% [markdown]
# **Prediction.** All scores of an image of 256×256 pixels are to be in memory at once, in float32.
# How many GiB are that? (1 GiB is $2^{30}$ bytes.)

# %%
guess = ...

# %% tags=["nbval-check-output"]
reveal(
    guess,
    4 * (256**2) ** 2 // 2**30,
    unit="GiB",
    because="65,536 pixels have 65,536² = 2³² pairs, of 4 bytes each.",
)

# %% [markdown]
# The package takes the keys in chunks. That is possible because the weights of a key depend on no
# other key. The operations are as many as before, but the memory is not:

# %%
from glanet.rivals import rnan

tokens = rearrange(features, "1 c h w -> 1 (h w) c")
direct = sum_over_keys(tokens, tokens, tokens)
in_chunks = rnan.sum_over_keys(tokens, tokens, tokens, scores=2**16)
print(f"{2**16 * 4 / 2**20:.2f} MiB instead of {tokens.shape[1] ** 2 * 4 / 2**20:.0f} MiB")
print(f"they differ by up to {(direct - in_chunks).abs().max():.0e}")

# %% [markdown]
# Here is what the marked pixel gets, with the features themselves as queries and keys. Pixels on
# other stripes have a share, and so have folds of the suit:

# %%
given = (tokens[0] @ tokens[0].T).softmax(dim=0)  # column j: what key j gives to each query


def look_of_rnan(row, column):
    share = given[row * width + column]
    return (share / share.sum()).view(height, width).numpy()


looks["RNAN"] = look_of_rnan
look(lr, looks["RNAN"](row, column), row=row, column=column, title="RNAN: non-local")

# %% [markdown]
# ## 6 · CSNLN: the image is its own example
#
# What should a patch look like when it is enlarged? CSNLN (Mei et al., CVPR 2020) searches for the
# answer in the image itself. Shrink the image by $s$. Where a 3×3 patch of the *shrunk* image is
# like the patch that you want to enlarge, the large patch of $3s \times 3s$ pixels at the same place
# is still there, in the image that was not shrunk. So *cross-scale attention* has patches of the
# features as queries, patches of the shrunk features as keys, and large patches as values. A query
# gets the mean of the values, weighted by the softmax over the keys, and all large patches are put
# down where they belong, $s$ pixels apart. Where they overlap, they are added.
#
# Take $s = 2$, two query pixels side by side, and two large patches, one of all 1 and one of all 3.
# If both keys are equally like the queries, each query gets a patch of all 2:

# %% tags=["nbval-check-output"]
import torch.nn.functional as F

weights = torch.full((2, 2), 0.5)  # (queries, keys)
large = torch.stack([torch.full((36,), 1.0), torch.full((36,), 3.0)], dim=1)  # (6 · 6, keys)
put = large @ weights.T  # (6 · 6, queries)
F.fold(put[None], output_size=(2, 4), kernel_size=6, padding=2, stride=2)[0, 0]

# %% [markdown]
# `fold` puts patches down and adds them up. Its opposite, `unfold`, cuts patches out, one in each
# column. Both large patches cover all eight pixels here, so each pixel is 4.
#
# **Prediction.** In a large image, how many large patches lie on a pixel that is far from the
# borders?

# %%
guess = ...

# %% tags=["nbval-check-output"]
ones = torch.ones(1, 36, 8 * 8)
count = F.fold(ones, output_size=(16, 16), kernel_size=6, padding=2, stride=2)
reveal(
    guess,
    int(count[0, 0, 8, 8]),
    unit="patches",
    because="Each reaches over three steps of s pixels in both directions. CSNLN divides by 6.",
)

# %% [markdown]
# **Exercise 6 · Replace patches** ★★★, 20 minutes. `query` is `(B, E, H, W)`; cut it into 3×3
# patches yourself. `key` is `(B, 9·E, N)`, with N patches cut out and flattened already, and `value`
# is `(B, C·(3s)², N)`, the large patches. Return `(B, C, s·H, s·W)`.
#
# <details><summary>Hint 1</summary>
#
# `F.unfold(query, 3, padding=1)` has the shape (B, 9·E, H·W): one 3×3 patch for each pixel.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The scores are `patches.mT @ key`, (B, H·W, N). The softmax runs over the keys, the last axis.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `value @ weights.mT` has the shape (B, C·(3s)², H·W), and `F.fold` takes it with
# `kernel_size=3 * scale`, `padding=scale`, `stride=scale`.
#
# </details>


# %%
def replace_patches(query, key, value, scale):
    """Each 3×3 patch becomes a weighted mean of large ones -> (B, C, scale·H, scale·W)."""
    # >>>
    height, width = query.shape[2:]
    patches = F.unfold(query, 3, padding=1)
    weights = (patches.mT @ key).softmax(dim=-1)
    size = (scale * height, scale * width)
    return F.fold(value @ weights.mT, size, 3 * scale, padding=scale, stride=scale)
    # <<<


# %%
replace_patches = exercises.replace_patches.check(replace_patches)

# %% [markdown]
# This works without any training. Take the photograph itself, and only its detail, which is the
# photograph minus its smooth part: shrunk by 2 and enlarged again. Queries are patches of the detail
# of the photograph, keys are patches of the detail of the shrunk photograph, brought to length 1. The
# values are the detail that shrinking has destroyed.

# %%
from glanet.data.degradation import imresize_tensor
from glanet.data.tensors import to_image
from glanet.evaluation.metrics import psnr_y
from glanet.inference import upscale


def smooth(image):
    return imresize_tensor(imresize_tensor(image, 1 / 2), 2)


image = to_tensor(lr)
shrunk = imresize_tensor(image, 1 / 2)
key = F.unfold(shrunk - smooth(shrunk), 3, padding=1)
key = key / key.norm(dim=1, keepdim=True).clamp(min=1e-4)
lost = image - imresize_tensor(shrunk, 2)
value = F.unfold(lost, 6, padding=2, stride=2) / 9  # nine patches lie on a pixel

detail = replace_patches(30 * (image - smooth(image)), key, value, 2)
enlarged = {
    "bicubic": imresize(lr, 2),
    "+ its own detail": to_image(imresize_tensor(image, 2) + detail),
}
for name, sr in {**enlarged, "tiny-x2, trained": upscale(model, lr)}.items():
    print(f"{name:17} {psnr_y(sr, hr, border=2):.2f} dB")

# %%
from glanet.course.kit.photo import details

details({**enlarged, "original": hr}, top=20, left=0, side=min(48, 2 * side))

# %% [markdown]
# (The factor 30, the sharpness of the softmax, was chosen on this photograph.)
#
# In the picture below, the query is the features of the marked pixel and its neighbours, brought to
# length 1, and the factor is 10, as in CSNLN. The share of a key is drawn on the 2×2 pixels that it
# was shrunk from. You see coarse squares: the search is among a quarter of the pixels.

# %%
queries = F.normalize(F.unfold(features, 3, padding=1), dim=1)[0]  # (9 · C, H · W)
shrunk = F.interpolate(features, scale_factor=1 / 2, mode="bilinear")
keys = F.normalize(F.unfold(shrunk, 3, padding=1), dim=1)[0]


def look_of_csnln(row, column):
    share = (10 * queries[:, row * width + column] @ keys).softmax(dim=0)
    share = share.view(height // 2, width // 2).numpy()
    return np.kron(share, np.full((2, 2), 1 / 4))


looks["CSNLN"] = look_of_csnln
look(lr, looks["CSNLN"](row, column), row=row, column=column, title="CSNLN: cross-scale")

# %% [markdown]
# ## 7 · NLSN: only pixels that hash alike
#
# Most shares in the picture of RNAN are next to nothing. NLSN (Mei et al., CVPR 2021; Table 1 calls it
# NLSA, after its attention) computes only the large ones, and finds them by *hashing*. Turn the space
# of the features at random; then each of its axes has two ends. The *bucket* of a pixel is the end
# that is nearest to its vector:
#
# $$\text{bucket}(x) = \operatorname{argmax}\,[R x; -R x]$$
#
# $R$ is a random matrix with as many rows as there are axes. Vectors with a small angle between them
# often share a bucket. Here $R$ does not turn anything, so that you can follow:

# %% tags=["nbval-check-output"]
vectors = torch.tensor([[1.0, 0.2], [1.0, 0.4], [-0.3, 1.0], [-1.0, 0.1]])
rotation = torch.eye(2)
ends = torch.cat([vectors @ rotation, -vectors @ rotation], dim=-1)
print(ends.numpy().round(1))
print("buckets:", ends.argmax(dim=-1).tolist())

# %% [markdown]
# **Exercise 7 · Buckets** ★★☆, 8 minutes. `match` is `(B, N, C)`. `rotations` are several at once,
# one for each *round* of hashing: `(C, rounds, axes)`. Return the bucket of each vector in each
# round, `(B, rounds, N)`.
#
# <details><summary>Hint 1</summary>
#
# `torch.einsum("b n c, c r k -> b r n k", match, rotations)` turns all vectors in all rounds.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Join the result and its negative along the last axis, and take the argmax along it.
#
# </details>


# %%
def hash_buckets(match, rotations):
    """The bucket of each vector in each round: (B, N, C), (C, r, k) -> (B, r, N)."""
    # >>>
    turned = torch.einsum("b n c, c r k -> b r n k", match, rotations)
    return torch.cat([turned, -turned], dim=-1).argmax(dim=-1)
    # <<<


# %%
hash_buckets = exercises.hash_buckets.check(hash_buckets)

# %% [markdown]
# **Prediction.** Multiply a vector by 5. How often does it stay in its bucket? Choose `"always"`,
# `"sometimes"` or `"never"`.

# %%
guess = ...

# %%
torch.manual_seed(0)
rotations = torch.randn(channels, 8, height * width // 128 // 2)
same = hash_buckets(5 * tokens, rotations) == hash_buckets(tokens, rotations)
share = same.float().mean().item()
reveal_choice(
    guess,
    {1.0: "always", 0.0: "never"}.get(share, "sometimes"),
    choices=("always", "sometimes", "never"),
    because="All products grow alike, so the largest stays the largest. Only the direction counts.",
)

# %% [markdown]
# Then NLSN sorts the pixels by bucket and cuts the row into *chunks*, here of 128 pixels (NLSN has
# 144). A pixel attends to its own chunk and to the two beside it, which catch buckets that a cut has
# divided. Does it find the pixels that are most like it? Take the ten with the smallest angle, of
# every pixel:

# %%
chunk = 128
chunks = height * width // chunk
unit = F.normalize(tokens[0], dim=-1)
nearest_ten = (unit @ unit.T).topk(10).indices  # the pixel itself is among them


def chunk_of(rotations):
    """The number of the chunk of each pixel, in each round: (rounds, N)."""
    order = hash_buckets(tokens, rotations)[0].argsort(dim=-1)
    return order.argsort(dim=-1) // chunk


def met(rotations):
    """Whether each pixel meets each of its nearest ten, in any round: (N, 10)."""
    number = chunk_of(rotations)
    apart = (number[:, :, None] - number[:, nearest_ten]) % chunks
    return ((apart <= 1) | (apart == chunks - 1)).any(0)


by_chance = min(1.0, 3 * chunk / (height * width))
for rounds in (1, 2, 4, 8):
    chance = 1 - (1 - by_chance) ** rounds
    found = met(rotations[:, :rounds]).float().mean()
    print(f"rounds: {rounds}; {found:.0%} found, {chance:.0%} by chance")

# %% [markdown]
# One round is far better than chance, and each further round helps. NLSN has four. The picture shows
# them together: a pixel that no round brings into a neighbouring chunk has no share at all.


# %%
number = chunk_of(rotations[:, :4])


def look_of_nlsn(row, column):
    pixel = row * width + column
    scores = tokens[0, pixel] @ unit.T  # keys have length 1
    apart = (number[:, pixel : pixel + 1] - number) % chunks
    close = (apart <= 1) | (apart == chunks - 1)
    weights = scores.exp() * close  # (rounds, N)
    return (weights.sum(0) / weights.sum()).view(height, width).numpy()


looks["NLSN"] = look_of_nlsn
look(lr, looks["NLSN"](row, column), row=row, column=column, title="NLSN: hashed")

# %% [markdown]
# ## 8 · IGNN: a graph of patches
#
# IGNN (Zhou et al., NeurIPS 2020) replaces patches by large ones as CSNLN does, but takes only the
# *five* nearest patches of the shrunk image. They are the *neighbours* $\mathcal N(p)$ of a patch $p$
# in a graph, which is built once for each image, from the first features of VGG19, a network trained
# on ImageNet. Distances are Euclidean. Each small patch becomes a weighted mean of the large patches
# of its neighbours:
#
# $$y_p = \sum_{r \in \mathcal N(p)} a_{pr}\, X_r$$
#
# $X_r$ has the mean and the deviation of the small patch, so that only its detail counts. The weights
# $a_{pr}$ add up to 1; a small network makes them from the difference of the two patches.
#
# Nearest is not the same as most parallel, and not the same as the largest product:

# %% tags=["nbval-check-output"]
query = torch.tensor([[1.0, 0.0]])
key = torch.tensor([[1.0, 0.3], [4.0, 0.0], [3.0, 3.0], [-1.0, 0.0]])
print("distances:", (query - key).norm(dim=-1).numpy().round(1))
print("products: ", (query @ key.T)[0].numpy().round(1))

# %% [markdown]
# **Exercise 8 · Nearest patches** ★★☆, 8 minutes. `query` are N patches as vectors, `(N, C)`, and
# `key` are M, `(M, C)`. Return the places of the `k` nearest keys of each query, `(N, k)`, nearest
# first.
#
# <details><summary>Hint 1</summary>
#
# `query[:, None] - key[None]` has the shape (N, M, C): all differences.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Square, sum over the last axis, and use `topk(k, largest=False)`. Its `indices` are sorted. The
# root is not needed: it does not change the order.
#
# </details>


# %%
def nearest_patches(query, key, k):
    """The places of the k nearest keys, nearest first: (N, C), (M, C) -> (N, k)."""
    # >>>
    distance = (query[:, None] - key[None]).square().sum(dim=-1)
    return distance.topk(k, largest=False).indices
    # <<<


# %%
nearest_patches = exercises.nearest_patches.check(nearest_patches)

# %% [markdown]
# IGNN does not search everywhere, but in a square of 30×30 places of the shrunk image around the
# patch. In the picture, each of the five neighbours has the same share, drawn on the 6×6 pixels of
# its large patch. (The weights $a_{pr}$ would be learned. The features are ours, not VGG's. IGNN takes
# a patch at every second pixel, and we take one at each.)

# %%
patches = F.unfold(features, 3, padding=1)[0].T  # (H · W, 9 · C)
examples = F.unfold(shrunk, 3, padding=1)[0].T.view(height // 2, width // 2, -1)


def neighbours(row, column, k=5, reach=15):
    """The places (k, 2) of the neighbours of a pixel in the shrunk image."""
    top, left = max(0, row // 2 - reach), max(0, column // 2 - reach)
    around = examples[top : top + 2 * reach, left : left + 2 * reach]
    one = patches[row * width + column]
    places = nearest_patches(one[None], around.flatten(0, 1), k)[0]
    rows, columns = places // around.shape[1], places % around.shape[1]
    return torch.stack([rows + top, columns + left], dim=-1)


def look_of_ignn(row, column):
    share = np.zeros((height + 4, width + 4))
    for r, c in neighbours(row, column).tolist():
        share[2 * r : 2 * r + 6, 2 * c : 2 * c + 6] += 1  # two pixels of border to each side
    share = share[2:-2, 2:-2]
    return share / share.sum()


looks["IGNN"] = look_of_ignn
look(lr, looks["IGNN"](row, column), row=row, column=column, title="IGNN: five neighbours")

# %% [markdown]
# ## 9 · SwinIR and GLA-Net: windows, and both
#
# SwinIR (Liang et al., 2021) restricts attention to windows: notebooks 05 and 06 built its
# window-based multi-head self-attention (W-MSA) and its shifted twin. GLA-Net puts convolutions
# beside the windows: notebook 07. For these two the pictures need no stand-in, because `tiny-x2` is
# trained. They show how much one output pixel of its first layer changes with each pixel of the
# layer's input, squared: first attention alone, then the whole layer.

# %%
from glanet.analysis.probes import layers, listen
from glanet.analysis.receptive import receptive_field

layer = layers(model)["1.1"]
entering = listen(model, to_tensor(lr), {"": layer})[""].input
normed = layer.norm1(entering).detach()


def look_of(module, tokens):
    def shares(row, column):
        squared = receptive_field(module, tokens, row=row, column=column).strength ** 2
        return squared / squared.sum()

    return shares


looks["SwinIR"] = look_of(layer.attention, normed)
looks["GLA-Net"] = look_of(layer, entering)
look(lr, looks["SwinIR"](row, column), row=row, column=column, title="SwinIR: a window")

# %%
look(lr, looks["GLA-Net"](row, column), row=row, column=column, title="GLA-Net: window and 7×7")

# %% [markdown]
# In the second picture the window has soft borders: the convolutions of 3×3, 5×5 and 7×7 reach
# across them. The marked pixel itself has the largest share, since the layer adds its input.
#
# ## 10 · All of them
#
# Choose a mechanism, and click on a pixel. Try the middle of a stripe, then the collar, then smooth cloth: who
# finds more of the same? (This needs a running kernel.)

# %%
from glanet.course.lessons.the_rivals.widgets import explore_looks

explore_looks(lr, looks, mechanism="RNAN", row=row, column=column)

# %% [markdown]
# ## 11 · What it costs
#
# **Prediction.** The side of the image doubles. How many times as many operations does the hashed
# attention of NLSN need?

# %%
guess = ...

# %% [markdown]
# PyTorch can count the floating-point operations of all products of matrices and all convolutions.
# `Alive` counts the bytes of all tensors that live at once. Both counts are the same on every machine.
# The time is that of yours, the shortest of three passes. Each mechanism gets 32 channels and images
# of growing side. A cost that grows as $\text{side}^p$ lies on a line in a figure with two
# logarithmic axes, and $p$ is its slope. The slopes are fitted to the three largest sides: at small
# ones, most of the time goes into starting operations.

# %%
import timeit

from torch.utils.flop_counter import FlopCounterMode

from glanet import rivals
from glanet.device import Alive

sides = by_profile(smoke=(16, 24, 32), learn=(16, 24, 32, 48, 64, 96), full=(16, 32, 64, 96, 128))


def tiny(name):
    return NETWORKS[name].config.preset("tiny", scale=2, channels=channels)


def image_of(side):
    return torch.zeros(1, channels, side, side)


def picture_of(side):  # IGNN's graph is made from the image, by the start of VGG19
    return torch.zeros(1, 3, side, side)


def tokens_of(side):
    return torch.zeros(1, side, side, channels)


mechanisms = {
    "RCAN": (rivals.rcan.ChannelAttention(channels, 4), image_of),
    "SAN": (rivals.san.SecondOrderAttention(channels, 4), image_of),
    "HAN": (
        rivals.han.LayerAttention(),
        lambda side: image_of(side)[:, None].expand(1, 5, -1, -1, -1),
    ),
    "RNAN": (rivals.rnan.NonLocal(channels), image_of),
    "CSNLN": (rivals.csnln.CrossScaleAttention(channels, 2), image_of),
    "IGNN": (rivals.ignn.Graph(NETWORKS["ignn"].config.preset("tiny", scale=2)), picture_of),
    "NLSN": (rivals.nlsn.SparseAttention(tiny("nlsn")), image_of),
    "SwinIR": (layer.attention, tokens_of),
    "GLA-Net": (layer, tokens_of),
}


def cost(module, argument):
    """Operations, seconds and megabytes of one pass."""
    with torch.no_grad():
        with FlopCounterMode(display=False) as counter:
            module(argument)  # the first pass also finds memory, and is not timed
        seconds = min(timeit.repeat(lambda: module(argument), number=1, repeat=3))
        with Alive() as alive:
            module(argument)
    return counter.get_total_flops(), seconds, alive.most / 1e6


measured = {
    name: np.array([cost(module, make(side)) for side in sides])
    for name, (module, make) in mechanisms.items()
}

# %%
powers = {
    name: np.polyfit(np.log(sides[-3:]), np.log(found[-3:]), 1)[0]
    for name, found in measured.items()
}
reveal(
    guess,
    round(2 ** powers["NLSN"][0], 1),
    unit="times as many",
    because="Four times the pixels, and each still attends to three chunks.",
)

# %%
print(f"side {sides[-1]}: million operations, milliseconds, MB; three powers")
for name, found in measured.items():
    operations, seconds, megabytes = found[-1]
    print(f"{name:8}{operations / 1e6:12,.3f} {1e3 * seconds:8,.1f} {megabytes:6.1f}", end="   ")
    print(*(f"{power:.1f}" for power in powers[name]), sep="  ")

# %%
from glanet.course.lessons.the_rivals.figures import costs

costs(sides, measured)

# %% [markdown]
# By operations, there are three families. RNAN and CSNLN compare all pixels with all: the power is 4.
# NLSN, the windows and HAN's layers give each pixel a fixed number of partners: the power is 2. RCAN
# works on one number for each channel, whatever the size: the power is 0. (The counter does not see
# additions, so RCAN's means are missing.) Two lie between. SAN's root costs the same for every image.
# IGNN's window of 30×30 patches holds the whole shrunk image up to a side of 120 pixels; beyond, its
# power is 2. A GLA layer needs about three times the operations of its attention, for images of any
# size.
#
# Time follows the operations where there are many. RCAN has hardly any, so its time is that of
# reading all pixels. Memory is different: that of RNAN and CSNLN grows more slowly than the side,
# because they compute their scores in chunks of a fixed size. All scores at once would take memory
# with the power 4.

# %% [markdown]
# ## 12 · Trained, side by side
#
# Now whole networks, with the instruments of notebook 10. The cell takes all tiny networks for ×2
# that come with the package, by their names: `rcan-tiny-x2` and so on. All were trained alike, with
# the same steps and batches, and GLA-Net too (`gla-net-tiny-x2`). If you trained some yourself, add
# their folders. If there are none, you see `tiny-x2` and bicubic alone. SwinIR-light has no weights
# here: at this size it is the same network as SwinIR.

# %%
from glanet.course.kit.lines import short_lines
from glanet.weights import load, shipped_names

my_weights = {}  # for example {"RCAN": "../runs/rcan/weights"}

models = {"GLA-Net": model}
for name, entry in NETWORKS.items():
    if f"{name}-tiny-x2" in shipped_names():
        models[entry.title] = load(f"{name}-tiny-x2")
models |= {title: load(folder) for title, folder in my_weights.items()}


def bicubic(image):
    return F.interpolate(image, scale_factor=2, mode="bicubic", antialias=True)


missing = [entry.title for entry in NETWORKS.values() if entry.title not in models]
print(short_lines(f"available: {', '.join(models)}"))
print(short_lines(f"not available: {', '.join(missing)}"))

# %% [markdown]
# **Prediction.** First a question that needs no training. The tiny GLA-Net has six layers, with windows
# of 8×8 that are shifted in every second layer, and convolutions up to 7×7. On how many of the 64×64 =
# 4,096 pixels of an LR (low-resolution) image does *one* pixel in the middle of its output depend?

# %%
guess = ...


# %%
def reached(model, side):
    """On how many LR pixels one output pixel depends: those whose derivative is not 0."""
    torch.manual_seed(0)
    image = torch.rand(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    model = model.double()
    with torch.no_grad():  # some parts start at 0, which would hide what they look at
        for weight in model.parameters():
            weight += 0.02 * torch.randn_like(weight)
    (gradient,) = torch.autograd.grad(model(image)[0, :, side, side].sum(), image)
    return int(gradient.abs().sum(1).gt(0).sum())


reach = by_profile(smoke=16, learn=64, full=64)
pixels = {entry.title: reached(untrained(name), reach) for name, entry in NETWORKS.items()}
reveal(
    guess,
    pixels["GLA-Net"],
    unit=f"of {reach**2:,} pixels",
    because="Each layer reaches the far end of the windows that the last one reached.",
)

# %%
for title, count in pixels.items():
    print(f"{title:13} {count:6,} of {reach**2:,}")

# %% [markdown]
# The networks with windows see the least. RCAN, which has 3×3 convolutions and channel attention and
# nothing else, sees every pixel, if only through means. So "global" alone says little. *How much* does
# each pixel matter? That takes trained weights. The figure shows the *effective receptive
# field* of one pixel in the middle, on a logarithmic scale.

# %%
from glanet.course.lessons.the_rivals.figures import fields

side = by_profile(smoke=16, learn=48, full=48)
quarter = imresize(imresize(data.astronaut(), 1 / 2), 1 / 2)
patch = to_tensor(quarter[14 : 14 + side, :side])


def on_tokens(model):
    """The same model, from tokens (B, H, W, C) to tokens."""

    def run(tokens):
        return rearrange(model(rearrange(tokens, "b h w c -> b c h w")), "b c h w -> b h w c")

    return run


seen = {
    name: receptive_field(
        on_tokens(one), rearrange(patch, "b c h w -> b h w c"), row=side, column=side
    )
    for name, one in {"bicubic": bicubic, **models}.items()
}
fields(seen)

# %%
for name, field in seen.items():
    squared = np.sort(field.strength.ravel() ** 2)[::-1].cumsum()
    half = int((squared < squared[-1] / 2).sum()) + 1
    most = int((squared < 0.99 * squared[-1]).sum()) + 1
    print(f"{name:13} 50 % in {half} pixels, 99 % in {most}")

# %% [markdown]
# The *local attribution map* of notebook 10 asks which pixels contribute the detail in one square.
# The number in the title is the *diffusion index*: 100 if all pixels contribute equally.

# %%
from glanet.analysis.receptive import attribution
from glanet.analysis.receptive import detail as detail_in
from glanet.course.lessons.the_rivals.figures import attributions

square = {"top": side // 2 - 4, "left": 6, "side": 8}  # in LR pixels
steps = by_profile(smoke=2, learn=10, full=50)
in_hr = {name: 2 * value for name, value in square.items()}
maps = {
    name: attribution(detail_in(one, **in_hr), patch, steps=steps)
    for name, one in {"bicubic": bicubic, **models}.items()
}
attributions(to_image(patch), maps, **square)

# %% [markdown]
# A larger diffusion index is not better by itself. It says how far a network looks, not whether it
# finds anything. The last figure shows what it finds: the error of enlarged photographs by
# frequency.

# %%
from glanet.analysis.errors import error_spectrum
from glanet.course.lessons.the_rivals.figures import error_spectra

large = by_profile(smoke=64, learn=128, full=256)
hrs = {
    name: getattr(data, name)()[100 : 100 + large, 100 : 100 + large]
    for name in ("astronaut", "coffee", "rocket", "chelsea")
}
lrs = {name: imresize(photo, 1 / 2) for name, photo in hrs.items()}
originals = np.stack(list(hrs.values()))
enlarged = {"bicubic": np.stack([imresize(photo, 2) for photo in lrs.values()])}
for name, one in models.items():
    enlarged[name] = np.stack([upscale(one, photo) for photo in lrs.values()])
for name, srs in enlarged.items():
    psnr = np.mean([psnr_y(*pair, border=2) for pair in zip(srs, originals, strict=True)])
    print(f"{name:13} {psnr:.2f} dB, mean of {len(srs)} photographs")
error_spectra(
    {name: error_spectrum(srs, originals, border=2) for name, srs in enlarged.items()}, scale=2
)

# %% [markdown]
# Tiny networks of about 135,000 parameters, trained this briefly, say how fast a network learns. They
# do not say which of the ideas above is best. GLA-Net starts from a bilinear enlargement, and all
# others start from nothing. In the ablation of notebook 13, a SwinIR that was given the same start
# came close to GLA-Net, in one run. Table 1 is not repeated either: most of its networks are more
# than a hundred times as large.
#
# ### Which frequencies does it rely on?
#
# The spectrum of the error says where a network fails. It does not say what the network reads. Park
# and Kim (ICLR 2022) test that directly: they add noise of one band of frequencies to the image, and
# measure how much the output changes. Bicubic is the ruler here. It is a fixed filter: what it does
# to noise of a band, it does to everything in that band. A network above its line amplifies the band,
# one below ignores it.

# %%
from itertools import pairwise

from glanet.analysis.noise import noise_response
from glanet.course.lessons.the_rivals.figures import noise_by_band


class Bicubic(nn.Module):
    def forward(self, image):
        return bicubic(image)


edges = np.linspace(0, 0.5, 9)  # cycles per LR pixel
bands = [*pairwise(edges)]
patches = torch.cat([to_tensor(photo) for photo in lrs.values()])
change = {
    name: noise_response(one, patches, bands)
    for name, one in {"bicubic": Bicubic(), **models}.items()
}
for name, found in change.items():
    louder = 10 * np.log10(found / change["bicubic"]).mean(0)
    print(f"{name:13} lowest band {louder[0]:+5.1f} dB, highest {louder[-1]:+5.1f} dB")
noise_by_band(change, bands)

# %% [markdown]
# ### What is learned first?
#
# The last instrument looks at the training itself. GLA-Net starts from a bilinear enlargement, and
# RCAN from nothing. Both get the same batches. The figure shows the error of three bands after each
# part of the training, on two photographs that neither has seen. At 0 dB it is as large as the
# original: nothing of that band is right. The thin lines are bicubic's.

# %%
from functools import partial

from glanet.course.kit.practice import HELD_OUT, fit, training_images
from glanet.course.lessons.the_rivals.figures import learning
from glanet.data.patches import PatchStore

steps = by_profile(smoke=8, learn=160, full=2000)
moments = [steps // 8, steps // 4, steps // 2, steps]
store = PatchStore.from_images(training_images(), scale=2, patch=16)


def errors_of(upscaler):
    srs = np.stack([upscaler(lrs[name]) for name in HELD_OUT])
    return error_spectrum(srs, np.stack([hrs[name] for name in HELD_OUT]), border=2)


learned = {}
for name in ("gla-net", "rcan"):
    torch.manual_seed(0)
    one = build(NETWORKS[name].config.preset("tiny"))
    found = learned[NETWORKS[name].title] = {}

    def keep(step, one=one, found=found):
        if step in moments:
            found[step] = errors_of(partial(upscale, one))

    fit(one, store, steps=steps, batch=16, after=keep)
learning(learned, errors_of(partial(imresize, scale=2)))

# %% [markdown]
# The lower a band, the sooner its error falls: low frequencies hold nearly all the power, so they
# make nearly all of the loss. Above 1/4 cycles per HR (high-resolution) pixel nothing is left in the LR image. A
# network must invent that band, and after so few steps it has hardly begun.

# %% [markdown]
# ## What can go wrong
#
# - **The softmax runs over the other axis.** Shapes stay right, and the weights of published
#   networks no longer fit. RNAN's runs over the queries, that of all others over the keys.
# - **The root is not scaled.** Newton–Schulz needs eigenvalues below 3. Above, it ends with the wrong
#   sign, or explodes.
# - **Buckets are random.** Two passes of NLSN differ unless the rotations are drawn from the same
#   seed. The authors set one before they measure; the package does it in evaluation.
# - **A picture of an untrained mechanism is taken for what a network does.** It shows what can be
#   seen, at most.
# - **Operations are taken for seconds.** Sorting costs none, by this count.
#
# Make the second mistake on purpose: forget the trace.


# %% tags=["nbval-check-output"]
def forgetful(matrix, steps):
    y, z, identity = matrix, torch.eye(len(matrix)), torch.eye(len(matrix))
    for _ in range(steps):
        s = (3 * identity - z @ y) / 2
        y, z = y @ s, s @ z
    return y


nine = torch.diag(torch.tensor([9.0, 1.0]))
for steps in (1, 3, 5):
    print(f"steps: {steps}; the root of 9 is {forgetful(nine, steps)[0, 0]:.4g}")

# %% [markdown]
# The correct one, which divides by the trace first:

# %% tags=["nbval-check-output"]
for steps in (1, 3, 5):
    print(f"steps: {steps}; the root of 9 is {newton_schulz(nine[None], steps)[0, 0, 0]:.4f}")

# %% [markdown]
# And the third: the same NLSN, twice on the same image, in training mode and in evaluation.

# %% tags=["nbval-check-output"]
nlsn = untrained("nlsn")
patch = torch.rand(1, 3, 24, 24)
with torch.no_grad():
    for mode in ("training", "evaluation"):
        nlsn.train(mode == "training")
        print(f"{mode:10} the same twice: {torch.equal(nlsn(patch), nlsn(patch))}")

# %% [markdown]
# ## The same as the package's
#
# Compare what you built with `glanet/rivals/`. There, these functions also work in chunks and in half
# precision. The numbers are the same.

# %% tags=["nbval-check-output"]
from glanet.course.kit.sameness import same_function, same_module
from glanet.rivals import csnln as package_csnln
from glanet.rivals import han as package_han
from glanet.rivals import ignn as package_ignn
from glanet.rivals import nlsn as package_nlsn
from glanet.rivals import rcan as package_rcan
from glanet.rivals import rnan as package_rnan
from glanet.rivals import san as package_san

torch.manual_seed(0)
maps = [(torch.randn(2, 8, 9, 7, dtype=torch.float64),) for _ in range(3)]
matrices_ = [(package_san.covariance(*case),) for case in maps]
stacks = [(0.2 * torch.randn(2, 4, 3, 5, 6, dtype=torch.float64),) for _ in range(3)]
triples = [(*torch.randn(3, 2, 40, 6, dtype=torch.float64),) for _ in range(3)]
searches = [
    (torch.randn(1, 2, 7, 6), torch.randn(1, 18, 12), torch.randn(1, 3 * 9 * s**2, 12), s)
    for s in (2, 3)
]
hashes = [(torch.randn(2, 50, 6), torch.randn(6, 4, 5)) for _ in range(3)]
graphs = [(torch.randn(30, 8), torch.randn(40, 8), k) for k in (1, 5)]


def square_root(matrix):
    return newton_schulz(matrix, steps=5)


def nearest(query, key, k):
    """The package's, which takes images of patches; here each is one row of them."""
    query, key = (vectors.T[None, :, None] for vectors in (query, key))
    return package_ignn.nearest(query, key, k, window=key.shape[3], scale=1)[0, :, 0].T


mine, theirs = ChannelAttention(16, 4), package_rcan.ChannelAttention(16, 4)
print(same_module(mine, theirs, torch.randn(2, 16, 9, 7)))
print(same_function(covariance, package_san.covariance, maps, tolerance=1e-6))
print(same_function(square_root, package_san.square_root, matrices_, tolerance=1e-6))
print(same_function(layer_weights, package_han.layer_weights, stacks, tolerance=1e-6))
print(same_function(sum_over_keys, package_rnan.sum_over_keys, triples, tolerance=1e-6))
print(same_function(replace_patches, package_csnln.replace_patches, searches, tolerance=1e-4))
print(same_function(hash_buckets, package_nlsn.hash_buckets, hashes))
print(same_function(nearest_patches, nearest, graphs))

# %% [markdown]
# ## How far you are
#
# `glanet networks` lists all networks of this notebook at their published size, and
# `glanet train --network san --preset tiny` trains one.

# %%
from glanet.course.report import report as progress_report

print(progress_report("the_rivals"))
