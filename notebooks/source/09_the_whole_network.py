# %% [markdown]
# # 09 · The whole network
#
# | | |
# |---|---|
# | **You will** | put GLA-Net together, count each of its 18,142,847 parameters, and load weights into it |
# | **It enables** | training (11, 12), measuring (13) and speeding up (14): all of them need the whole network |
# | **Takes** | 2 minutes, 2 GB of memory; about 70 minutes to work through |
# | **Becomes** | `glanet/model/reconstruction.py`, `glanet/model/network.py` |
#
# Notebooks 03 to 08 built the parts of GLA-Net
# ([Global-Local Awareness Network for Image Super-Resolution](https://panpinchi.github.io/GLA-Net/),
# ICIP 2023). This one joins them, from the left edge of the paper's Fig. 2 to the right. The parts
# with a heavy outline below are still missing. Most of them are in no equation, but without them no
# image can go in and none can come out.
#
# ![From image to image: mean, padding, shallow and deep features, head, coarse image, crop](figures/09_network.svg)

# %% [markdown]
# ## 1 · Any image, in whole windows
#
# Attention cuts its input into windows of 8 × 8 pixels (notebook 05). An image of 213 × 320 pixels
# does not divide into whole windows. So the image is *padded* to the next multiple of 8, and the
# padding is cropped off at the end.
#
# What do the new pixels contain? Zeros would put a flat bar beside the image, and the network
# would see an edge that is not there. Reflection makes no new edge. Take a row of five pixels and
# pad it to eight:

# %% tags=["nbval-check-output"]
import torch
import torch.nn.functional as F

row = torch.tensor([[0.0, 1, 2, 3, 4]])
F.pad(row, (0, 3), mode="reflect").int().tolist()[0]

# %% [markdown]
# The row is reflected *at* the last pixel, so 4 appears only once. Now pad a row of three to the
# same length. Going back covers only two pixels; then the row is used up, and PyTorch raises an
# error:

# %%
from glanet.course.kit.lines import short_lines

try:
    F.pad(torch.tensor([[0.0, 1, 2]]), (0, 5), mode="reflect")
except RuntimeError as error:
    print(short_lines(str(error).split(",")[0]))

# %% [markdown]
# The released code stops here too: it cannot enlarge an image with a side smaller than its padding.
# But nothing forbids a second reflection. Go back to 0, turn around there as well, and go on:
#
# | size | to a multiple of | indices |
# |---|---|---|
# | 5 | 8 | 0 1 2 3 4 · 3 2 1 |
# | 3 | 8 | 0 1 2 · 1 0 1 2 1 |
# | 1 | 8 | 0 · 0 0 0 0 0 0 0 |
# | 9 | 4 | 0 1 2 3 4 5 6 7 8 · 7 6 5 |
#
# That is a *triangle wave*: up from 0 to `size - 1`, down to 0, up again.
#
# **Exercise 1 · The triangle wave** ★★☆, 10 minutes. Write `reflected_indices(size, multiple)`. It
# returns a tensor with one index for each pixel of the padded row: the pixel of the original row to
# copy. Its length is the smallest multiple of `multiple` that is at least `size`.
#
# <details><summary>Hint 1</summary>
#
# Start with the length: `-size % multiple` is how many pixels are missing. Then number the
# positions, 0, 1, 2, …, with `torch.arange`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The wave repeats. A row of 3 gives 0 1 2 1 | 0 1 2 1 | …, with a period of four; a row of 5 has a
# period of eight. In general the period is `2 * (size - 1)`. Take the positions modulo the period.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Let `i` be a position modulo the period. On the way up its index is `i`, on the way back it is
# `period - i`. The right one is always the smaller of the two: `torch.minimum`.
#
# </details>
# <details><summary>Hint 4</summary>
#
# A row of one pixel has the period 0, and no number can be taken modulo 0. Handle it separately:
# return zeros, `torch.zeros(length, dtype=torch.long)`.
#
# </details>


# %%
def reflected_indices(size, multiple):
    """Pixel indices of a row of ``size``, padded by reflection to a multiple: int64 (length,)."""
    # >>>
    length = size + -size % multiple
    if size == 1:
        return torch.zeros(length, dtype=torch.long)
    period = 2 * (size - 1)
    place = torch.arange(length) % period
    return torch.minimum(place, period - place)
    # <<<


# %%
from glanet.course.lessons.the_whole_network import exercises

reflected_indices = exercises.reflected_indices.check(reflected_indices)

# %% [markdown]
# With the indices, padding is one look-up along each axis. It only copies pixels, so it is exact,
# and gradients pass through it.


# %%
def reflect_to_multiple(image, multiple):
    """Pad (B, C, H, W) by reflection at the right and bottom until H and W are multiples."""
    height, width = image.shape[-2:]
    image = image[:, :, reflected_indices(height, multiple)]
    return image[:, :, :, reflected_indices(width, multiple)]


# %% [markdown]
# A photograph reduced to 21 × 30 pixels is padded to 24 × 32. The frame marks the original pixels.
# Only the right and the bottom grow, so row 0 stays row 0, and cropping is easy.

# %%
from skimage import data

from glanet.course.lessons.the_whole_network.figures import padding
from glanet.data.degradation import imresize
from glanet.data.tensors import to_tensor

portrait = imresize(data.astronaut()[:252, 90:450], 1 / 12)
image = to_tensor(portrait)  # (1, 3, 21, 30) in [0, 1]
padded = reflect_to_multiple(image, 8)  # (1, 3, 24, 32)
padding(padded[0].permute(1, 2, 0).numpy(), height=21, width=30)

# %% [markdown]
# ## 2 · The mean, and an edge of Eq. 5
#
# The paper does not mention this step, but the released code has it: first it subtracts the mean
# colour of the training images, and at the very end it adds it again. To see one reason, take a row
# of three equal pixels and a convolution that averages neighbours. A convolution pads with zeros:

# %% tags=["nbval-check-output"]
average = torch.tensor([[[0.25, 0.5, 0.25]]])
grey = torch.full((1, 1, 3), 0.5)
mean = 0.5

print("as it is       ", F.conv1d(grey, average, padding=1)[0, 0].tolist())
print("mean subtracted", (F.conv1d(grey - mean, average, padding=1) + mean)[0, 0].tolist())

# %% [markdown]
# Without subtraction, both ends turn dark, since zero is black. With the mean subtracted, zero is
# the mean colour, and the ends stay as they are.
#
# Reflecting and subtracting can be done in either order; the numbers are the same. But is the
# *coarse image* made before these steps or after them? Equation 5 says
#
# $$I_{CSR} = \Phi(I_{LR})$$
#
# where $I_{LR}$ is the low-resolution (LR) image and Φ bilinear interpolation (`coarse_image`,
# built in notebook 03). The released code applies Φ to the padded image. Does that change anything?
# Enlarge three pixels by 2; then pad the same row to four, enlarge it, and crop the result:

# %% tags=["nbval-check-output"]
from glanet.model.reconstruction import coarse_image

row = torch.tensor([0.0, 4, 8]).view(1, 1, 1, 3)
print(coarse_image(row, 2)[0, 0, 0].tolist())
print(coarse_image(reflect_to_multiple(row, 4), 2)[0, 0, 0, :6].tolist())

# %% [markdown]
# Check the last number by hand. Each pixel becomes two samples, a quarter of a pixel left and right
# of its centre. The last sample lies to the right of the centre of the pixel 8, towards the
# reflected 4: ¾ · 8 + ¼ · 4 = 7. Without the reflection there is no pixel on that side, and the
# sample stays 8.
#
# **Prediction.** At ×4, each pixel becomes four samples. In how many of the last rows do the two
# coarse images differ?

# %%
guess = ...

# %% tags=["nbval-check-output"]
from glanet.course.kit.predictions import reveal

height, width = image.shape[-2:]
from_padded = coarse_image(padded, 4)[..., : 4 * height, : 4 * width]
difference = (from_padded - coarse_image(image, 4)).abs().amax(dim=(0, 1))  # (4·21, 4·30)
rows = (difference[:, 0] > 1e-6).sum().item()
reveal(
    guess,
    rows,
    unit="rows",
    because="The four samples of the last pixel lie at -3/8, -1/8, 1/8 and 3/8 from its centre: "
    "two are past it.",
)

# %% [markdown]
# So the two differ in a thin seam, at two of the four edges, and only where a side is not a
# multiple of 8. You should know about it, because a copy of the network that gets it wrong gives
# the same numbers nearly everywhere: a test on 64 × 64 images would never detect the mistake. How
# large is the error, in grey levels of 0 … 255?

# %%
print(f"at the edges up to {255 * difference.max():.1f}")
print(f"elsewhere up to    {255 * difference[:-2, :-2].max():.1f}")

# %% [markdown]
# ## 3 · The head, Θ
#
# Equation 4 says how the high-resolution (HR) image is made:
#
# $$I_{HR} = \Theta(F_s + F_d) + I_{CSR}$$
#
# About Θ the paper only says that it is "implemented by sub-pixel convolution layer". A sub-pixel
# step, `SubPixel` of notebook 03, is a 3×3 convolution to s² times the channels, followed by a
# shuffle of these channels into s × s pixels. The released code adds more layers before and after
# it:
#
# ![The head: 3×3 to 64 channels, LeakyReLU, one or two sub-pixel steps, 3×3 to 3 channels](figures/09_head.svg)
#
# The activation is a *LeakyReLU*. It keeps positive numbers and multiplies negative ones by 0.01.

# %% tags=["nbval-check-output"]
from torch import nn

nn.LeakyReLU(0.01)(torch.tensor([-2, -1, 0, 1, 2], dtype=torch.float64)).tolist()

# %% [markdown]
# At ×4, there are two steps of 2, one after the other. Watch the shapes:

# %% tags=["nbval-check-output"]
from glanet.model.reconstruction import SubPixel

features = torch.zeros(1, 64, 5, 7)
for step in (SubPixel(64, 64, 2), SubPixel(64, 64, 2)):
    features = step(features)
    print(tuple(features.shape))

# %% [markdown]
# **Exercise 2 · The head** ★★☆, 15 minutes. Write the class: its parts, and
# `forward(self, tokens)`, which takes tokens `(B, H, W, C)` and returns an image
# `(B, 3, scale·H, scale·W)`. It has three attributes with these names:
#
# | name | what it is |
# |---|---|
# | `reduce` | `nn.Sequential` of a 3×3 convolution from `channels` to 64, and the LeakyReLU |
# | `upsample` | `nn.Sequential` of the sub-pixel steps, each from 64 channels to 64 |
# | `to_image` | a 3×3 convolution from 64 channels to 3 |
#
# <details><summary>Hint 1</summary>
#
# `nn.Conv2d(channels, 64, kernel_size=3, padding=1)` keeps the height and width.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The steps as lists: `{2: [2], 3: [3], 4: [2, 2]}[scale]`. Make one new `SubPixel(64, 64, step)`
# for each, and unpack them into `nn.Sequential(*...)`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Convolutions expect the channels second: `tokens.permute(0, 3, 1, 2)`. The rest of `forward` is
# `self.to_image(self.upsample(self.reduce(...)))`.
#
# </details>


# %%
class PaperHead(nn.Module):
    """Θ as released: (B, H, W, C) -> (B, 3, scale·H, scale·W)."""

    def __init__(self, channels, scale):
        super().__init__()
        # >>>
        self.reduce = nn.Sequential(
            nn.Conv2d(channels, 64, kernel_size=3, padding=1),
            nn.LeakyReLU(0.01),
        )
        steps = {2: [2], 3: [3], 4: [2, 2]}[scale]
        self.upsample = nn.Sequential(*(SubPixel(64, 64, step) for step in steps))
        self.to_image = nn.Conv2d(64, 3, kernel_size=3, padding=1)

    def forward(self, tokens):
        features = self.reduce(tokens.permute(0, 3, 1, 2))
        return self.to_image(self.upsample(features))
        # <<<


# %%
PaperHead = exercises.paper_head.check(PaperHead)

# %% tags=["nbval-check-output"]
tokens = torch.randn(1, 6, 5, 180)
for scale in (2, 3, 4):
    print(f"×{scale}", tuple(PaperHead(180, scale)(tokens).shape))

# %% [markdown]
# ## 4 · The network
#
# A network has a size and a few switches. One object holds them, the `ModelConfig`. Three
# configurations have names:

# %% tags=["nbval-check-output"]
from glanet import ModelConfig

presets = {name: ModelConfig.preset(name).to_dict() for name in ("paper", "light", "tiny")}
print(" " * 16, *(f"{name:>6}" for name in presets))
for field in presets["paper"]:
    print(f"{field:16}", *(f"{values[field]!s:>6}" for values in presets.values()))

# %% [markdown]
# `light_head` selects the short head of notebook 03, one sub-pixel step straight to the image.
# `inception` and `attention` each switch one side of the layer of notebook 07 on or off, and
# `dense` the dense connections of notebook 08. Section 6 explains `first_transition`.
# `ModelConfig` rejects an impossible size as soon as you create it, not in the middle of a forward
# pass:

# %% tags=["nbval-check-output"]
try:
    ModelConfig(channels=100)
except ValueError as error:
    print(short_lines(error))

# %% [markdown]
# You have all the parts. Two small functions are still needed. The first rejects input that is not
# an image, with a clear message:


# %%
def check_image(image):
    if not torch.is_floating_point(image):
        raise TypeError(f"image is {image.dtype}; expected floating point in [0, 1]")
    if image.ndim != 4 or image.shape[1] != 3 or 0 in image.shape:
        raise ValueError(
            f"image has shape {tuple(image.shape)}; expected (B, 3, H, W) with H, W at least 1"
        )


# %% [markdown]
# The second initialises the weights. As in Swin Transformer, the linear layers start close to zero.
# The convolutions keep PyTorch's default initialisation, and so do the 1×1 convolutions. To Python
# those are linear layers too (`TokenConv1x1`, notebook 04), so the code asks `type(...) is` instead
# of `isinstance`.


# %%
def initialise(module):
    if type(module) is nn.Linear:
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)


# %% [markdown]
# **Exercise 3 · GLANet** ★★★, 20 minutes. `__init__` is written for you. Write `forward`: its core
# is Equations 1, 2, 4 and 5, one line each. Follow the drawing at the top of this notebook from the
# input to the output.
#
# `self.mean` is a *buffer*: it moves to a GPU together with the network. With `persistent=False` it
# is not saved with the weights, since it is not learned.
#
# <details><summary>Hint 1</summary>
#
# Store `height` and `width` of the image before you pad. Subtract the mean, pad with
# `reflect_to_multiple` to multiples of `self.config.window`, and use only the result from here on.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Equations 1 and 2: `shallow = self.shallow(centred)` and `deep = self.trunk(shallow)`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Equation 4 is `self.reconstruct(shallow + deep)`. If `self.config.bilinear_base` is on, add
# `coarse_image(centred, self.config.scale)`, made from the same padded image.
#
# </details>
# <details><summary>Hint 4</summary>
#
# Add the mean, and keep the first `scale * height` rows and `scale * width` columns:
# `image[..., :rows, :columns]`.
#
# </details>

# %%
from glanet.model.reconstruction import LightHead
from glanet.model.shallow import ShallowFeatures
from glanet.model.trunk import Trunk

MEAN_RGB = (0.4488, 0.4371, 0.4040)  # of DIV2K, the images that the paper trains on


class GLANet(nn.Module):
    """Images (B, 3, H, W) in [0, 1] -> images (B, 3, scale·H, scale·W), for any H, W ≥ 1."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.shallow = ShallowFeatures(config.channels)  # 03
        self.trunk = Trunk(config)  # 08
        head = LightHead if config.light_head else PaperHead  # 03, exercise 2
        self.reconstruct = head(config.channels, config.scale)
        self.register_buffer("mean", torch.tensor(MEAN_RGB).view(1, 3, 1, 1), persistent=False)
        self.apply(initialise)

    def forward(self, image):
        check_image(image)
        # >>>
        height, width = (side * self.config.scale for side in image.shape[-2:])
        centred = reflect_to_multiple(image - self.mean, self.config.window)
        shallow = self.shallow(centred)  # F_s, Eq. 1
        deep = self.trunk(shallow)  # F_d, Eq. 2
        upscaled = self.reconstruct(shallow + deep)  # Θ(F_s + F_d), Eq. 4
        if self.config.bilinear_base:
            upscaled = upscaled + coarse_image(centred, self.config.scale)  # + I_CSR, Eq. 5
        return (upscaled + self.mean)[..., :height, :width]
        # <<<


# %%
GLANet = exercises.gla_net.check(GLANet)

# %% [markdown]
# It accepts any image, down to a single pixel:

# %% tags=["nbval-check-output"]
model = GLANet(ModelConfig.preset("paper")).eval()  # the paper's size, untrained
for size in ((21, 30), (1, 1)):
    with torch.no_grad():
        print(size, "→", tuple(model(torch.rand(1, 3, *size)).shape[2:]))

# %% [markdown]
# Now try it on a photograph. Weights are a dictionary from names to tensors. The weights of
# `tiny-x2`, which the package includes, fit into your class if your parts have the right names.

# %%
import glanet
from glanet.data.degradation import modcrop
from glanet.inference import upscale

trained = glanet.GLANet.from_pretrained("tiny-x2")
mine = GLANet(trained.config).eval()
mine.load_state_dict(trained.state_dict())

photo = modcrop(data.rocket(), 2)
lr = imresize(photo, 1 / 2)
sr = upscale(mine, lr)
print(lr.shape, "→", sr.shape)

# %% [markdown]
# Look at Equation 4 term by term. The figure shows a corner of the tower: what the head adds, the
# coarse image, and their sum. Here the mean is added to the coarse image already, so that it can be
# shown.

# %%
from glanet.course.lessons.the_whole_network.figures import equation_4

with torch.no_grad():
    centred = reflect_to_multiple(to_tensor(lr) - mine.mean, mine.config.window)
    shallow = mine.shallow(centred)
    added = mine.reconstruct(shallow + mine.trunk(shallow))
    base = coarse_image(centred, 2) + mine.mean

corner = [term[0, :, 346:426, 560:640].permute(1, 2, 0).numpy() for term in (added, base)]
equation_4(*corner, sum(corner))

# %% [markdown]
# The head adds along edges: it lightens their bright side, darkens the other side, and changes
# little in smooth areas. The coarse image provides the rest. What does each contribute in PSNR
# (peak signal-to-noise ratio, in decibels; notebook 02)?

# %%
from glanet.data.tensors import to_image
from glanet.evaluation.metrics import psnr_y

coarse = to_image(base[..., : photo.shape[0], : photo.shape[1]])
for name, result in (
    ("I_CSR alone, bilinear", coarse),
    ("bicubic", imresize(lr, 2)),
    ("I_HR, tiny-x2", sr),
):
    print(f"{name:22} {psnr_y(result, photo, border=2):.2f} dB")

# %% [markdown]
# ## 5 · Every parameter
#
# The paper's network at ×2 has this many parameters. Where are they?

# %% tags=["nbval-check-output"]
total = sum(parameter.numel() for parameter in model.parameters())
print(f"{total:,}")

# %% [markdown]
# One formula counts nearly all of them. A linear layer from `a` channels to `b` has a weight for
# each pair of channels, and a bias for each output: a·b + b. A convolution has a weight for each
# pair *and each position in its kernel*. By hand, from 4 channels to 8: 4·8 + 8 = 40 for a linear
# layer or a 1×1 convolution; 4·8·9 + 8 = 296 for a 3×3 convolution.


# %% tags=["nbval-check-output"]
def weights_and_biases(inputs, outputs, places=1):
    return inputs * outputs * places + outputs


print(weights_and_biases(4, 8), sum(p.numel() for p in nn.Linear(4, 8).parameters()))
print(weights_and_biases(4, 8, 9), sum(p.numel() for p in nn.Conv2d(4, 8, 3).parameters()))

# %% [markdown]
# **Exercise 4 · The parameters of a layer** ★★☆, 15 minutes. You built the GLA (global-local
# awareness) layer, Fig. 2b, in notebook 07. Write
# `layer_parameters(channels, heads, window, mlp_ratio)`. It computes the number of parameters
# without creating a layer. A layer has
#
# - two norms, each with a scale and a shift for every channel;
# - attention: `qkv`, a linear layer from C to 3C; the bias table, with a row for each of the
#   (2·window − 1)² offsets and a column for each head; `proj`, from C to C;
# - the Inception module with four branches, each C/4 wide. The max branch is a max-pooling, which
#   has no parameters, and a 1×1. The branches for k = 3, 5, 7 are each a 1×1, a 1×k and a k×1, of
#   which only the 1×1 reads C channels;
# - the fusion, a 1×1 from 2C to C;
# - the MLP (multilayer perceptron), two linear layers with `int(mlp_ratio * channels)` channels
#   between them.
#
# <details><summary>Hint 1</summary>
#
# Write one sum of five terms, one for each line of the list. A norm is `2 * channels`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# With `quarter = channels // 4`, the 1×1 of each of the four branches has
# `weights_and_biases(channels, quarter)`. A 1×k has k positions, and so has a k×1: together
# `2 * weights_and_biases(quarter, quarter, k)`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Attention is
# `weights_and_biases(channels, 3 * channels) + (2 * window - 1) ** 2 * heads + weights_and_biases(channels, channels)`.
#
# </details>


# %%
def layer_parameters(channels, heads, window, mlp_ratio):
    """The number of parameters of a GLA layer, with all biases and norms."""
    # >>>
    quarter, hidden = channels // 4, int(mlp_ratio * channels)
    norms = 2 * 2 * channels
    attention = weights_and_biases(channels, 3 * channels) + weights_and_biases(channels, channels)
    table = (2 * window - 1) ** 2 * heads
    inception = 4 * weights_and_biases(channels, quarter) + sum(
        2 * weights_and_biases(quarter, quarter, k) for k in (3, 5, 7)
    )
    fusion = weights_and_biases(2 * channels, channels)
    mlp = weights_and_biases(channels, hidden) + weights_and_biases(hidden, channels)
    return norms + attention + table + inception + fusion + mlp
    # <<<


# %%
layer_parameters = exercises.layer_parameters.check(layer_parameters)

# %% [markdown]
# For window 8 and MLP ratio 2, and sorted by powers of C, your sum becomes 12.875 C² + 14.5 C + 225
# h, with h the number of heads. The paper's network has 36 such layers: six blocks of six.

# %% tags=["nbval-check-output"]
C, h = 180, 6
one_layer = layer_parameters(C, h, window=8, mlp_ratio=2)
print(one_layer, "=", 12.875 * C**2 + 14.5 * C + 225 * h)
print(f"36 layers: {36 * one_layer:,}, or {36 * one_layer / total:.0%} of {total:,}")

# %% [markdown]
# **Prediction.** Which of these has the most parameters over the whole network: `"attention"` (qkv,
# bias table, proj), `"Inception and its fusion"`, `"the MLPs"`, or `"all else"` (shallow features,
# norms, the blocks' 3×3, the 1×1s, the head)?

# %%
guess = ...

# %% tags=["nbval-check-output"]
from glanet.course.lessons.the_whole_network.figures import by_group
from glanet.course.kit.predictions import reveal_choice

config = ModelConfig.preset("paper")
groups = by_group(config)
shares = {
    "attention": groups["attention"],
    "Inception and its fusion": groups["Inception"] + groups["fusion"],
    "the MLPs": groups["MLP"],
}
shares["all else"] = total - sum(shares.values())
reveal_choice(
    guess,
    max(shares, key=shares.get),
    choices=list(shares),
    because="What GLA-Net adds is the largest part of its layer:\n2.875 C² for the branches, "
    "2 C² for the fusion. Attention and MLP have 4 C² each.",
)

# %% tags=["nbval-check-output"]
for part, count in shares.items():
    print(f"{part:24} {count:10,}")

# %% [markdown]
# Here is the complete count. Each row shows the formula of a part, how often the part occurs, and
# the product. The last column is counted in your network, by the names of its parameters: none is
# counted twice or forgotten.

# %% tags=["nbval-check-output"]
from fnmatch import fnmatch

from glanet.course.lessons.the_whole_network.figures import Terms, account

parts = account(config)
for part in parts:
    counted = sum(p.numel() for n, p in model.named_parameters() if fnmatch(n, part.names))
    print(
        f"{part.label:18} {part.one!s:14} × {part.times:2} = {part.count(config):9,} {counted:10,}"
    )
whole = sum((part.times * part.one for part in parts), Terms())
print(f"\n{sum(part.count(config) for part in parts):,} = {whole}")

# %% [markdown]
# So one formula also gives the size of the whole network. Its C² term dominates: doubling the
# channels nearly quadruples the parameters. The 149,507 without a C are in the head, which is 64
# channels wide whatever C is.
#
# Look at the branches once more. A k×k convolution from C/4 to C/4 channels has k² weights for each
# pair of channels; a 1×k and a k×1 have 2k together. Without this factorisation, the branch 7 would
# have 49 where it has 14.
#
# ### SwinIR, and what GLA-Net adds
#
# Switch the branches, the dense connections and the coarse image off, and the network *is* SwinIR.

# %% tags=["nbval-check-output"]
swinir = ModelConfig.preset("paper", inception=False, dense=False, bilinear_base=False)
smaller = by_group(swinir)
print(f"SwinIR  {sum(smaller.values()):,}")
for group in groups:
    if groups[group] != smaller[group]:
        print(f"      + {groups[group] - smaller[group]:,}  {group}")
print(f"GLA-Net {total:,}")

# %% [markdown]
# GLA-Net has about one and a half times the parameters of SwinIR. Table 1 of the paper compares the
# two as they are; it does not say what SwinIR would reach with 18 million parameters. The only
# parameters of the dense connections are those of their 1×1s, a tenth of what GLA-Net adds.
#
# **Prediction.** The paper mentions five 1×1 convolutions, and the released code has six: it also
# has one before block 1, from C channels to C. How many parameters does the sixth have, with C =
# 180?

# %%
guess = ...

# %% tags=["nbval-check-output"]
five = ModelConfig.preset("paper", first_transition=False)
sixth = total - sum(by_group(five).values())
reveal(
    guess,
    sixth,
    unit="parameters",
    because=f"It is C² + C, {sixth / total:.2%} of the network.\nThe one before block 6 reads 6C "
    "channels, and has six times as many weights.",
)

# %% [markdown]
# **Prediction.** Which network has the most parameters, the one for `"×2"`, `"×3"` or `"×4"`? They
# differ only in the head.

# %%
guess = ...

# %% tags=["nbval-check-output"]
totals = {f"×{s}": sum(by_group(ModelConfig.preset("paper", s)).values()) for s in (2, 3, 4)}
reveal_choice(
    guess,
    max(totals, key=totals.get),
    choices=list(totals),
    because="One step of 3 multiplies the 64 channels by 9.\nTwo steps of 2 multiply them by 4 "
    "each, and 4 + 4 is less than 9.",
)

# %% tags=["nbval-check-output"]
for name, count in totals.items():
    print(name, f"{count:,}")

# %% [markdown]
# The figure shows the same count as shares of the whole:

# %%
from glanet.course.lessons.the_whole_network.figures import parameter_bars

parameter_bars(config)

# %% [markdown]
# Move the sliders (they need a running kernel). What happens to the shares at 24 channels? And
# which bar grows fastest with the number of blocks?

# %%
from glanet.course.lessons.the_whole_network.widgets import explore_parameters

explore_parameters()

# %% [markdown]
# ## 6 · The paper against its released code
#
# The published figures come from the code, so the package follows the code. It differs from the
# paper, or says more, in these points:
#
# | | paper | released code, and here |
# |---|---|---|
# | 1 | five 1×1s, "in-between GLA blocks" (§2.1, Fig. 2) | six, one before every block |
# | 2 | block 1 reads F_s | it reads LayerNorm(F_s), through the sixth 1×1; the long skip of Eq. 4 adds F_s itself |
# | 3 | block 6, then the 3×3 | a LayerNorm between the two; it reads block 6 alone, and the concatenation with the other blocks is never used |
# | 4 | V = Concat(Y, Z) | attention first, then max, 3, 5, 7 |
# | 5 | does not mention the mean | subtracted first, added last |
# | 6 | I_CSR = Φ(I_LR) | Φ of the padded image |
# | 7 | Θ is a sub-pixel convolution | 3×3 to 64, LeakyReLU, one or two steps, 3×3 |
# | 8 | – | MLP ratio 2, GELU; stochastic depth from 0 to 0.1 |
# | 9 | Inception and attention read the same LayerNorm(x) | the same; for attention alone it is cyclically shifted |
#
# You have built rows 5 to 7. A few lines of code show some of the others:

# %% tags=["nbval-check-output"]
trunk = model.trunk
layers = [layer for block in trunk.blocks for layer in block.layers]
depth = [round(layer.drop.probability, 3) for layer in layers]

print("1, 3  1×1s read      ", [transition.in_features for transition in trunk.transitions])
print("2, 3  trunk          ", *(name for name, _ in trunk.named_children()))
print("3     last norm reads", trunk.norm_out.normalized_shape)
print("8     MLP            ", layers[0].mlp[0].out_features // C, type(layers[0].mlp[1]).__name__)
print("8     stochastic depth", depth[0], depth[1], "…", depth[-1])
print("9     shifts         ", [layer.attention.shift for layer in layers[:6]])

# %% [markdown]
# **Row 1.** Does the sixth 1×1 change what the network *can* compute? Set it to the identity, and
# copy all other weights to a network without it, as in Fig. 2:

# %% tags=["nbval-check-output"]
from dataclasses import replace

sizes = ModelConfig(channels=16, blocks=2, layers=2, heads=2)
six = GLANet(sizes).double().eval()
five = GLANet(replace(sizes, first_transition=False)).double().eval()

first = six.trunk.transitions[0]
with torch.no_grad():
    first.weight.copy_(torch.eye(16))
    first.bias.zero_()
weights = {n: w for n, w in six.state_dict().items() if not n.startswith("trunk.transitions.0.")}
five.load_state_dict(weights)

with torch.no_grad():
    print("the same image:", torch.allclose(six(image.double()), five(image.double())))

# %% [markdown]
# So the network with six can compute whatever the network with five can. If you want to follow the
# paper to the letter, set `first_transition=False`.
#
# **Row 4.** Does the order of the concatenation matter? The fusion is linear: if you swap Y and Z,
# you only have to swap the two halves of its weight matrix.

# %% tags=["nbval-check-output"]
layer = six.trunk.blocks[0].layers[0]
with torch.no_grad():
    x = layer.norm1(torch.randn(1, 8, 16, 16).double())
    z, y = layer.attention(x), layer.inception(x)
    of_z, of_y = layer.fuse.weight.chunk(2, dim=1)  # (C, C) each
    as_released = layer.fuse(torch.cat([z, y], dim=-1))
    as_in_paper = F.linear(torch.cat([y, z], -1), torch.cat([of_y, of_z], 1), layer.fuse.bias)
print("the same features:", torch.allclose(as_released, as_in_paper))

# %% [markdown]
# The order does not matter for what the network can compute. It matters in one case: when weights
# were saved with one order and are loaded with the other. That is the topic of the next section.
#
# ## 7 · Weights
#
# ### Ours
#
# The package adds two methods to the class: `glanet.GLANet` is the same network with
# `from_pretrained` and `save_pretrained`. They read and write a folder that holds the tensors and
# the configuration they belong to.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

temporary = TemporaryDirectory()  # deleted when the kernel ends
folder = Path(temporary.name)

trained.save_pretrained(folder / "copy")
for file in sorted((folder / "copy").iterdir()):
    print(file.name)
again = glanet.GLANet.from_pretrained(folder / "copy")
with torch.no_grad():
    print("the same image:", torch.equal(again(image), trained(image)))

# %% [markdown]
# ### The authors'
#
# The authors' file is different: a `.pth` with tensors only, under other names, and without a
# configuration. `load_released` knows the names, and infers every size from the tensors. Start with
# the names. The loader has tables from the authors' names to ours; in reverse, they write a file as
# the authors' code would:

# %%
import re

from glanet.model.released import INSIDE_LAYERS, OUTSIDE_BLOCKS
from glanet.model.tokens import TokenConv1x1

their_name = {ours: theirs for theirs, ours in (INSIDE_LAYERS | OUTSIDE_BLOCKS).items()}


def released_name(name):
    """Our name of a parameter -> the authors' name."""
    name = name.replace("trunk.transitions.", "conv_layers.")
    name = re.sub(r"trunk\.blocks\.(\d+)\.conv\.", r"layers.\1.conv.", name)
    place = re.match(r"trunk\.blocks\.(\d+)\.layers\.(\d+)\.", name)
    start = "layers.{}.residual_group.blocks.{}.".format(*place.groups()) if place else ""
    module, _, kind = name[place.end() if place else 0 :].rpartition(".")
    if kind == "bias_table":
        return start + "attn.relative_position_bias_table"
    return f"{start}{their_name.get(module, module)}.{kind}"


def released_layout(model):
    """The state dict of ``model`` as the authors' code saves it."""
    state = {}
    for name, tensor in model.state_dict().items():
        module = model.get_submodule(name.rpartition(".")[0])
        if isinstance(module, TokenConv1x1) and tensor.ndim == 2:
            tensor = tensor[:, :, None, None]  # the authors' 1×1 is a convolution
        state[released_name(name)] = tensor
    return state


layer = "trunk.blocks.2.layers.1."
for name in (
    "shallow.conv.weight",
    layer + "attention.bias_table",
    layer + "inception.branches.3.1.weight",
    layer + "fuse.weight",
    "trunk.transitions.2.weight",
    "trunk.conv.weight",
):
    print(f"{name}\n    {released_name(name)}")

# %% [markdown]
# Write such a file, and load it. The loader gets only the path. (Two settings leave no trace in the
# tensors: stochastic depth and I_CSR. Stochastic depth matters only in training. I_CSR is switched
# on if there are 1×1s before the blocks, since GLA-Net has it and SwinIR does not.)

# %% tags=["nbval-check-output"]
from glanet.weights import load_released

original = GLANet(ModelConfig(scale=4, channels=24, blocks=3, layers=2, heads=3)).eval()
torch.save(released_layout(original), folder / "theirs.pth")

loaded = load_released(folder / "theirs.pth")
found = loaded.config
print(f"×{found.scale}, {found.channels} channels, {found.blocks} blocks of {found.layers} layers")
with torch.no_grad():
    print("the same image:", torch.equal(loaded(image), original(image)))

# %% [markdown]
# This shows that converting the names to the authors' layout and back is lossless. Only the
# authors' code can show whether these are really their names, and whether the numbers are theirs.
# The package's tests compare the network with outputs of the authors' code at the paper's full
# size; the files are in `tests/golden`.
#
# The authors publish their trained weights on their own page. You download them yourself, since the
# release has no licence that would allow us to redistribute them. Then
# `glanet upscale photo.jpg -o larger.png --weights GLA-Netx2.pth` enlarges with them, and
# `load_released` loads them in Python. SwinIR's weights for classical super-resolution load in the
# same way.
#
# ### What a checkpoint must not do
#
# A `.pth` file is a *pickle*, and a pickle can call any Python function while it is loaded. The one
# below creates a folder. It could just as well delete one:


# %%
import os


class RunsCode:
    def __reduce__(self):  # how to restore this object: the function to call, and its arguments
        return os.makedirs, (str(folder / "it-ran"),)


torch.save({"conv_first.weight": RunsCode()}, folder / "evil.pth")

torch.load(folder / "evil.pth", weights_only=False)  # never do this with a file you do not trust
print("the folder exists:", (folder / "it-ran").exists())
(folder / "it-ran").rmdir()

# %% [markdown]
# `load_released` accepts tensors and nothing else:


# %% tags=["nbval-check-output"]
def try_to_load(name):
    try:
        load_released(folder / name)
    except glanet.weights.WeightsError as error:
        print(short_lines(str(error).replace(f"{folder}{os.sep}", "")), "\n")


try_to_load("evil.pth")
print("the folder exists:", (folder / "it-ran").exists())

# %% [markdown]
# If the checkpoint belongs to something else, or to a GLA-Net with a tensor missing, the error says
# so:

# %%
torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, folder / "classifier.pth")
try_to_load("classifier.pth")

incomplete = released_layout(original)
del incomplete["conv_after_body.bias"]
torch.save(incomplete, folder / "incomplete.pth")
try_to_load("incomplete.pth")

# %% [markdown]
# ## What can go wrong
#
# **Numbers from 0 to 255.** The network expects floats in [0, 1]. It rejects bytes. It cannot
# reject floats in the wrong range, since a number does not show its unit. Run it, and look at the
# symptom:

# %%
bytes_as_floats = to_tensor(lr) * 255  # what image.float() gives, without / 255

try:
    mine(bytes_as_floats.byte())
except TypeError as error:
    print(error)
with torch.no_grad():
    wrong, right = to_image(mine(bytes_as_floats)), to_image(mine(to_tensor(lr)))
print(f"0 … 255: {(wrong == 255).mean():.0%} of the bytes are 255, an almost white image")
print(f"0 … 1:   {(right == 255).mean():.0%} of the bytes are 255")

# %% [markdown]
# That is why `to_tensor` and `to_image` are the only conversions in the package. Two more mistakes:
#
# - **`F.pad(mode="reflect")`** raises an error on an image that is smaller than its padding, as in
#   section 1, and on no other image. So it fails on the first thumbnail, long after all tests
#   passed. `reflect_to_multiple` has no such case.
# - **The crop forgotten.** Everything works while all sides are multiples of 8, for instance in
#   training with patches of 48. On another image the result is too large, and comparing it with the
#   photograph fails:

# %%
with torch.no_grad():
    uncropped = added + base
    cropped = uncropped[..., : photo.shape[0], : photo.shape[1]]
for result in (uncropped, cropped):
    try:
        (result - to_tensor(photo)).abs().mean()
        print(tuple(result.shape), "can be compared")
    except RuntimeError as error:
        print(tuple(result.shape), str(error).split("must")[0] + "…")

# %% [markdown]
# ## The same as the package's
#
# Compare your head, your padding and your network with `glanet.model`, with the same weights: the
# outputs, and the gradients of the input and of every parameter. The cases include odd sizes, sides
# smaller than their padding, and all switches.

# %% tags=["nbval-check-output"]
from glanet.course.kit.sameness import same_function, same_module
from glanet.model import network as package
from glanet.model import reconstruction

tokens = torch.randn(2, 3, 5, 8)
for scale in (2, 3, 4):
    print(f"×{scale}", same_module(PaperHead(8, scale), reconstruction.PaperHead(8, scale), tokens))

cases = [(torch.randn(1, 2, height, width), 8) for height in (1, 2, 8, 9) for width in (3, 5, 16)]
print(same_function(reflect_to_multiple, package.reflect_to_multiple, cases))

# %% tags=["nbval-check-output"]
tiny = {"channels": 8, "blocks": 2, "layers": 2, "heads": 2, "window": 4}
for switches in (
    {},
    {"scale": 3, "first_transition": False},
    {"scale": 4, "light_head": True, "inception": False},
    {"dense": False, "inception": False, "bilinear_base": False},
):
    config = ModelConfig(**tiny, **switches)
    print(same_module(GLANet(config), package.GLANet(config), torch.rand(2, 3, 2, 7)))
    print("  with", ", ".join(f"{name}={value}" for name, value in switches.items()) or "all parts")

# %% [markdown]
# ## How far you are

# %%
from glanet.course.report import report as progress_report

print(progress_report("the_whole_network"))
