# %% [markdown]
# # 02 · The yardstick
#
# | | |
# |---|---|
# | **You will** | write PSNR (peak signal-to-noise ratio) and SSIM (structural similarity) as the papers measure them, and test them on bicubic's published rows |
# | **It enables** | every number in the notebooks that follow; in 13, your own row beside Table 1 |
# | **Takes** | 2 minutes, 1.5 GB of memory; about 60 minutes to work through |
# | **Becomes** | `glanet/evaluation/metrics.py` |
#
# Table 1 of [the paper](https://panpinchi.github.io/GLA-Net/) (Global-Local Awareness Network for
# Image Super-Resolution, GLA-Net, ICIP 2023) ranks seven networks. On Set5 at ×2 the best has
# 38.37 dB and the second 38.35: they differ by two hundredths of a decibel (dB). The measure is
# PSNR, and there are many ways to compute it. In this notebook, different ways give numbers that
# differ by more than two *whole* decibels for one and the same image. So before you build a
# network, build the yardstick.

# %% [markdown]
# ## 1 · Decibels, by hand
#
# The first of the two columns of Table 1 is PSNR. Begin with four pixels. `hr` is the original,
# the high-resolution image (HR). `sr` is the super-resolution image (SR), the network's attempt to
# reproduce it.

# %% tags=["nbval-check-output"]
import numpy as np

hr = np.array([[50.0, 60.0], [70.0, 80.0]])
sr = np.array([[52.0, 60.0], [70.0, 76.0]])
error = sr - hr
print(error)

# %% [markdown]
# Square the errors and take their mean: (4 + 0 + 0 + 16) / 4 = 5. This is the *mean squared
# error*, MSE. PSNR compares it with the square of the peak, the largest value of a byte:
#
# $$\text{PSNR} = 10 \log_{10} \frac{255^2}{\text{MSE}} \quad \text{in decibels (dB)}$$


# %% tags=["nbval-check-output"]
def psnr(a, b):
    """PSNR in dB between two arrays of the same shape, in levels from 0 to 255."""
    return 10 * np.log10(255**2 / np.mean((a - b) ** 2))


print(f"MSE {np.mean(error**2)}, PSNR {psnr(sr, hr):.2f} dB")

# %% [markdown]
# Because of the logarithm, the same gain in decibels always leaves the same share of the squared
# error, wherever you start. The first line shows 0.02 dB, the gap between the first two networks
# of Table 1.

# %% tags=["nbval-check-output"]
for gain in (0.02, 0.1, 1, 3, 10):
    print(f"{gain:5} dB more: {10 ** (-gain / 10):6.1%} of the squared error is left")

# %% [markdown]
# ## 2 · One number for three colours
#
# A pixel has three numbers: red, green and blue. Table 1 measures one number computed from them:
# *luma*, the brightness of a pixel as television encodes it.
#
# $$Y = 16 + \frac{65.481\,R + 128.553\,G + 24.966\,B}{255}$$
#
# This formula comes from the standard BT.601. Green counts most, because it contributes most to
# the brightness that the eye sees.

# %% tags=["nbval-check-output"]
weights = np.array([65.481, 128.553, 24.966])  # of red, green, blue
colours = {"black": (0, 0, 0), "blue": (0, 0, 255), "green": (0, 255, 0), "white": (255, 255, 255)}
for name, colour in colours.items():
    print(f"{name:6} Y = {16 + weights @ colour / 255:.3f}")

# %% [markdown]
# The weights add up to 219. So Y runs from 16 to 235, and not from 0 to 255. It is not rounded.
#
# Why luma? Split a photograph into Y and two colour differences. Blur either Y or the colour
# differences, by the same amount, and put the photograph together again.

# %%
from skimage import data
from skimage.color import rgb2ycbcr, ycbcr2rgb
from skimage.filters import gaussian

from glanet.course.kit.photo import details

coffee = data.coffee()
sharp = rgb2ycbcr(coffee)  # (H, W, 3): Y and two colour differences
soft = gaussian(sharp, sigma=3, channel_axis=-1)
blurred = {
    "luma blurred": np.dstack([soft[..., :1], sharp[..., 1:]]),
    "colours blurred": np.dstack([sharp[..., :1], soft[..., 1:]]),
}
blurred = {title: np.uint8(255 * ycbcr2rgb(image).clip(0, 1)) for title, image in blurred.items()}
details({"original": coffee, **blurred}, top=180, left=56, side=64)

# %% [markdown]
# With blurred luma the picture is ruined. With blurred colours it looks nearly sharp; only the
# highlight has turned pink. The eye resolves brightness far better than colour. So the first
# super-resolution networks worked on Y alone, and bicubic interpolation enlarged the colours.
# Their tables measure Y. To compare yourself with them, measure Y too.
#
# **Exercise 1 · Luma** ★☆☆, 5 minutes. `luma(image)` takes bytes, uint8 `(H, W, 3)`, and returns Y
# as float64 `(H, W)`, unrounded. `weights` is defined above.
#
# <details><summary>Hint 1</summary>
#
# The cell above does it for one colour. The operator `@` sums over the last axis of its left
# operand. That operand may have any number of axes before the last one.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `image @ weights` is `(H, W)`: 65.481 R + 128.553 G + 24.966 B, for every pixel.
#
# </details>


# %%
def luma(image):
    """Y of BT.601: uint8 (H, W, 3) -> float64 (H, W), 16 to 235."""
    # >>>
    return 16 + image @ weights / 255
    # <<<


# %%
from glanet.course.lessons.the_yardstick import exercises as yardstick

luma = yardstick.luma.check(luma)

# %% [markdown]
# **Prediction.** In a grey photograph R = G = B. Suppose that each of them is 10 levels too high,
# in every pixel. Measure the PSNR once over R, G and B, which span 255 levels, and once on Y,
# which spans only 219. By how many decibels is the PSNR on Y higher?

# %%
guess = ...

# %% tags=["nbval-check-output"]
from glanet.course.kit.predictions import reveal

grey = np.full((4, 4, 3), 100, np.uint8)
brighter = grey + np.uint8(10)
over_rgb = psnr(brighter.astype(float), grey.astype(float))
on_y = psnr(luma(brighter), luma(grey))
because = (
    "The error on Y is only 10 · 219 / 255, "
    f"and 20 · log10(255 / 219) = {20 * np.log10(255 / 219):.2f}."
)
reveal(guess, round(on_y - over_rgb, 2), unit="dB", because=because)

# %% [markdown]
# The image is the same, and so is the error. Only the unit has changed, and no eye can see that.
#
# This has happened in published results. Set14 holds fourteen images, and one of them, `bridge`,
# is a grey file. Some programs convert colour images to Y and leave grey images as they are. The
# PSNR of this one image is then 1.32 dB lower, and the mean over the set is lower by a fourteenth
# of that:

# %% tags=["nbval-check-output"]
print(f"{20 * np.log10(255 / 219) / 14:.2f} dB")

# %% [markdown]
# On Set14 at ×4, GLA-Net is 0.06 dB ahead of SwinIR in Table 1. Section 5 finds these 0.09 dB missing
# in a published row.

# %% [markdown]
# ## 3 · What is measured, and what is not
#
# The papers share a list of habits around that formula: a *protocol*. Here it is for the
# photograph of notebook 00 at ×2, with the shape of every intermediate image.
#
# ![The protocol: crop HR, shrink it to LR, enlarge, clamp and round, take luma, cut the border, compare](figures/02_protocol.svg)
#
# - **Shrink with `imresize`** of notebook 01. It makes the LR (low-resolution) image. First crop
#   the HR image so that the scale divides its sides.
# - **Clamp and round the answer to bytes.** An image file consists of bytes, so anybody can
#   measure anybody's images.
# - **Cut a border as wide as the scale** from every side. There, methods have to invent pixels
#   beyond the edge of the image.
# - **Then compute Y, the squared error in float64, its mean, and the logarithm.** The number for a
#   set is the mean of the decibels of its images.
#
# Clamp and round, by hand:

# %% tags=["nbval-check-output"]
answer = np.array([-3.2, 12.4, 12.6, 260.0])  # what a network might return
print(np.clip(np.round(answer), 0, 255).astype(np.uint8))

# %% [markdown]
# Now cut the border of an image with six rows and eight columns:

# %% tags=["nbval-check-output"]
border = 2
inside = np.s_[border : 6 - border, border : 8 - border]  # a pair of slices, used as an index
print(np.zeros((6, 8))[inside].shape)

# %% [markdown]
# Now the photograph. `imresize` itself clamps and rounds.

# %% tags=["nbval-check-output"]
from glanet.data.degradation import imresize, modcrop

photo = data.rocket()
hr = modcrop(photo, 2)
lr = imresize(hr, 1 / 2)
sr = imresize(lr, 2)  # bicubic, the rival of every network
for name, image in {"file": photo, "HR": hr, "LR": lr, "SR": sr}.items():
    print(f"{name:4}", image.shape)

# %% [markdown]
# **Exercise 2 · PSNR as the papers mean it** ★★☆, 10 minutes. `psnr_y(sr, hr, border)` takes two
# images of bytes `(H, W, 3)`, and returns the PSNR on Y inside the border, in decibels. The border
# may be 0. For identical images it returns infinity, `np.inf`.
#
# <details><summary>Hint 1</summary>
#
# You have all the parts: `luma`, a pair of slices like `inside`, and the formula of section 1.
# Compute the mean squared error first, and check whether it is 0.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `[border:-border]` fails for a border of 0: `[0:-0]` is empty. Count the end from the front:
# `sr.shape[0] - border`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `error = np.mean((luma(sr)[inside] - luma(hr)[inside]) ** 2)`, with
# `inside = np.s_[border : sr.shape[0] - border, border : sr.shape[1] - border]`.
#
# </details>


# %%
def psnr_y(sr, hr, border):
    """PSNR on Y in dB of two uint8 (H, W, 3); ``border`` pixels are cut from every side."""
    # >>>
    inside = np.s_[border : sr.shape[0] - border, border : sr.shape[1] - border]
    error = np.mean((luma(sr)[inside] - luma(hr)[inside]) ** 2)
    return np.inf if error == 0 else 10 * np.log10(255**2 / error)
    # <<<


# %%
psnr_y = yardstick.psnr_y.check(psnr_y)

# %% [markdown]
# On the photograph it gives the same number for bicubic as notebook 00:

# %%
print(f"{psnr_y(sr, hr, border=2):.2f} dB")

# %% [markdown]
# ### One image, many PSNRs
#
# Next, break the protocol on purpose, one habit at a time. The photograph stays the same, and so
# does the method that enlarges it.
#
# **Prediction.** Which change moves the number most? `"border"`: it is not cut. `"rounding"`: the
# answer is measured unrounded, or Y is rounded. `"colours"`: R, G and B in place of Y, or a
# different luma. `"LR image"`: the LR image is made in another way.

# %%
guess = ...

# %% [markdown]
# The numbers first. `F.interpolate` is PyTorch's own bicubic, which shrinks without smoothing
# first. `[::2]` drops every other row and column. JPEG files use a different luma from the papers:
# its weights add up to 1.

# %%
import torch.nn.functional as F
from einops import rearrange

from glanet.data.degradation import imresize_tensor
from glanet.data.tensors import to_image, to_tensor
from glanet.evaluation.metrics import psnr_rgb

inside = np.s_[2:-2, 2:-2]
unrounded = 255 * rearrange(imresize_tensor(to_tensor(lr), 2), "1 c h w -> h w c").numpy()
jpeg_luma = np.array([0.299, 0.587, 0.114])
by_torch = to_image(F.interpolate(to_tensor(hr), scale_factor=1 / 2, mode="bicubic"))

numbers = {
    "the protocol": psnr_y(sr, hr, 2),
    "border: not cut": psnr_y(sr, hr, 0),
    "rounding: answer in float": psnr((16 + unrounded @ weights / 255)[inside], luma(hr)[inside]),
    "rounding: Y to whole levels": psnr(luma(sr).round()[inside], luma(hr).round()[inside]),
    "colours: luma of JPEG": psnr((sr @ jpeg_luma)[inside], (hr @ jpeg_luma)[inside]),
    "colours: R, G and B": psnr_rgb(sr, hr, 2),
    "LR image: F.interpolate": psnr_y(imresize(by_torch, 2), hr, 2),
    "LR image: [::2]": psnr_y(imresize(hr[::2, ::2], 2), hr, 2),
}

# %%
from glanet.course.kit.predictions import reveal_choice

largest = max(numbers, key=lambda choice: abs(numbers[choice] - numbers["the protocol"]))
reveal_choice(
    guess,
    largest.split(":")[0],
    choices=("border", "rounding", "colours", "LR image"),
    because=f"“{largest}” gives {numbers[largest]:.2f} dB instead of {numbers['the protocol']:.2f}.",
)

# %%
from glanet.course.lessons.the_yardstick.figures import psnr_differences

psnr_differences(numbers)

# %% [markdown]
# Each of these numbers is a PSNR of bicubic at ×2 on the same photograph. Read the bars from the
# top:
#
# - **Border and rounding** move it little. Still, on this photograph the border moves it by more
#   than the 0.02 dB between the first two networks in Table 1.
# - **JPEG's luma** spans 255 levels, which accounts for the 1.32 dB from above. R, G and B give a
#   still lower number, because the errors of the three colours partly cancel in their weighted
#   sum, Y.
# - **The LR image** can move it both ways. `[::2]` keeps the top left pixel of each four, so the
#   enlarged image is shifted by half a pixel. `F.interpolate` does not smooth before it shrinks.
#   More detail survives in the LR image, and the number rises, although bicubic has not become any
#   better.
#
# A number without its protocol means nothing. That is why the functions in `glanet` name what they
# measure: `psnr_y`, `psnr_rgb`.

# %% [markdown]
# ## 4 · SSIM: errors have a shape
#
# The second of the two columns in Table 1 is *SSIM*, structural similarity. PSNR depends on the
# size of the errors and on nothing else. Spoil four pixels in three ways:

# %% tags=["nbval-check-output"]
x = np.array([[100.0, 120.0], [100.0, 120.0]])
spoiled = {
    "brighter": x + 5,
    "flatter": (x + 110) / 2,  # halfway to their mean
    "noisy": x + np.array([[5.0, 5.0], [-5.0, -5.0]]),
}
for name, y in spoiled.items():
    print(f"{name:8} {y.tolist()}  PSNR {psnr(y, x):.2f} dB")

# %% [markdown]
# In each case every pixel is off by 5, so the PSNR is the same. SSIM compares two patches by their
# means $\mu$, their variances $\sigma^2$ and their covariance $\sigma_{xy}$ (Wang et al. 2004):
#
# $$\text{SSIM} = \frac{2\mu_x\mu_y + C_1}{\mu_x^2 + \mu_y^2 + C_1} \cdot \frac{2\sigma_{xy} + C_2}{\sigma_x^2 + \sigma_y^2 + C_2}$$
#
# $$C_1 = (0.01 \cdot 255)^2, \quad C_2 = (0.03 \cdot 255)^2$$
#
# The first fraction is 1 if the means agree. The second is 1 if the patches rise and fall
# together, by equal amounts. The constants keep the fractions finite if a patch is black or flat.
#
# Take "flatter" by hand. Both means are 110, so the first fraction is 1. The variances are 100 and
# 25; the products of the deviations are 10 · 5, so the covariance is 50. $C_2$ = 7.65² = 58.5. The
# second fraction is (100 + 58.5) / (125 + 58.5) = 0.864.
#
# **Exercise 3 · SSIM of one window** ★★☆, 10 minutes. `window_ssim(x, y, w)` takes two patches of
# the same shape, and weights `w` of that shape that add up to 1. Every mean is a weighted sum.
#
# <details><summary>Hint 1</summary>
#
# You can compute a variance in one pass. It is the mean of the squares minus the square of the
# mean, $\sigma_x^2 = \overline{x^2} - \mu_x^2$. The covariance is the mean of the products minus
# the product of the means.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `mean_x = (w * x).sum()`, and `variance_x = (w * x**2).sum() - mean_x**2`. Likewise for `y`. The
# covariance begins with `(w * x * y).sum()`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# With `covariance = (w * x * y).sum() - mean_x * mean_y` you have all five numbers. The rest is
# the formula above, one fraction after the other.
#
# </details>

# %%
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def window_ssim(x, y, w):
    """SSIM of two patches, float (h, w) each, with weights (h, w) that add up to 1."""
    # >>>
    mean_x, mean_y = (w * x).sum(), (w * y).sum()
    variance_x = (w * x**2).sum() - mean_x**2
    variance_y = (w * y**2).sum() - mean_y**2
    covariance = (w * x * y).sum() - mean_x * mean_y
    same_mean = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    same_pattern = (2 * covariance + C2) / (variance_x + variance_y + C2)
    return same_mean * same_pattern
    # <<<


# %%
window_ssim = yardstick.window_ssim.check(window_ssim)

# %% tags=["nbval-check-output"]
quarter = np.full((2, 2), 1 / 4)
for name, y in spoiled.items():
    print(f"{name:8} SSIM {window_ssim(x, y, quarter):.3f}")

# %% [markdown]
# The PSNR is the same, but SSIM tells them apart: it falls little for the brightness and much for
# the lost contrast.
#
# On a whole image, the patch is a window of 11×11 pixels. Pixels in its middle count most: the
# weights are a Gaussian with σ = 1.5 pixels, and add up to 1.

# %% tags=["nbval-check-output"]
distance = np.arange(11) - 5  # from the middle, in pixels
taps = np.exp(-(distance**2) / (2 * 1.5**2))
window = np.outer(taps, taps) / taps.sum() ** 2  # (11, 11)
print(f"sum {window.sum():.3f}, middle {window[5, 5]:.4f}, corner {window[0, 0]:.7f}")

# %% [markdown]
# The window moves over the image pixel by pixel, and always stays inside it. Every position gives
# one SSIM.
#
# ![The window of 11×11 pixels fits into an image of 14×16 at 4×6 positions](figures/02_window.svg)
#
# You know this operation, a weighted mean under a moving window: it is a convolution without
# padding. This window is a column of 11 weights times a row of 11 weights. So two thin
# convolutions give the same result, with 22 products for each pixel instead of 121. Notebook 04
# uses the same trick inside the network.

# %%
import torch

thin = torch.tensor(taps / taps.sum())  # (11,)


def local_mean(image):
    """Weighted mean under the window at every position: float64 (H, W) -> (H - 10, W - 10)."""
    image = torch.tensor(image)[None, None]  # (1, 1, H, W)
    image = F.conv2d(image, thin.view(1, 1, 11, 1))  # (1, 1, H - 10, W)
    return F.conv2d(image, thin.view(1, 1, 1, 11))[0, 0].numpy()


# %% [markdown]
# It gives the shape from the figure. At one position, its value equals the weighted sum under the
# whole window:

# %% tags=["nbval-check-output"]
y = luma(hr)
print(y.shape, "→", local_mean(y).shape)
print(np.isclose(local_mean(y)[30, 40], (window * y[30:41, 40:51]).sum()))

# %% [markdown]
# **Exercise 4 · SSIM everywhere** ★★★, 15 minutes. `ssim_map(x, y)` takes the luma of two images,
# float64 `(H, W)`, and returns the SSIM of every window, `(H - 10, W - 10)`. You need no loop.
#
# <details><summary>Hint 1</summary>
#
# It is the same formula, with maps in place of numbers. Which five means does `window_ssim`
# compute?
#
# </details>
# <details><summary>Hint 2</summary>
#
# The means of x, y, x², y² and x · y. Each weighted sum in `window_ssim` becomes a `local_mean`:
# `(w * x).sum()` becomes `local_mean(x)`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `variance_x = local_mean(x**2) - mean_x**2` and
# `covariance = local_mean(x * y) - mean_x * mean_y` are maps. The last three lines of exercise 3
# stay the same.
#
# </details>


# %%
def ssim_map(x, y):
    """SSIM of every window of two luma images (H, W): (H - 10, W - 10)."""
    # >>>
    mean_x, mean_y = local_mean(x), local_mean(y)
    variance_x = local_mean(x**2) - mean_x**2
    variance_y = local_mean(y**2) - mean_y**2
    covariance = local_mean(x * y) - mean_x * mean_y
    same_mean = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    same_pattern = (2 * covariance + C2) / (variance_x + variance_y + C2)
    return same_mean * same_pattern
    # <<<


# %%
ssim_map = yardstick.ssim_map.check(ssim_map)

# %% [markdown]
# In the papers, SSIM is the mean of this map, on Y, after the border is cut.


# %%
def ssim_y(sr, hr, border):
    """SSIM on Y of two uint8 (H, W, 3); ``border`` pixels are cut from every side."""
    inside = np.s_[border : sr.shape[0] - border, border : sr.shape[1] - border]
    return float(ssim_map(luma(sr)[inside], luma(hr)[inside]).mean())


print(f"bicubic: {psnr_y(sr, hr, 2):.2f} dB, SSIM {ssim_y(sr, hr, 2):.4f}")

# %% [markdown]
# ### Four ways to be equally wrong
#
# `distort` spoils a photograph in a way that you choose: *brighter*, *shifted* to the side,
# *blurred* or *noisy*. It searches for the amount of shift, blur or noise that gives the same
# squared error on Y as making all pixels 12 levels brighter.
#
# **Prediction.** All four will have the same PSNR. Which has the *lowest* SSIM?

# %%
guess = ...

# %%
from glanet.course.lessons.the_yardstick.figures import DISTORTIONS, distort

wrong = {kind: distort(coffee, kind, error=12) for kind in DISTORTIONS}
scores = {
    kind: (psnr_y(image, coffee, 0), ssim_y(image, coffee, 0)) for kind, image in wrong.items()
}
reveal_choice(
    guess,
    min(scores, key=lambda kind: scores[kind][1]),
    choices=tuple(DISTORTIONS),
    because="The maps below show where SSIM finds the damage.",
)

# %%
from glanet.course.lessons.the_yardstick.figures import local_similarity

images = {"original": coffee}
for kind, (decibels, ssim) in scores.items():
    images[f"{kind}\n{decibels:.2f} dB\nSSIM {ssim:.3f}"] = wrong[kind]
maps = {title: ssim_map(luma(image), luma(coffee)) for title, image in images.items()}
square = {"top": 180, "left": 56, "side": 64}
local_similarity(images, maps, **square)

# %% [markdown]
# The lower row shows the map that you have just built: it is dark where SSIM finds damage. Wood
# with its grain is on the left, a smooth saucer on the right.
#
# - *Noise* does most damage on the smooth saucer, where there was no pattern. In the wood, the
#   grain hides it.
# - *Blur* does the opposite: the saucer has no detail to lose, but the wood loses its grain.
# - *Brightness* leaves every pattern as it was, so SSIM hardly changes. Your eye would notice.
#
# So neither of the two columns measures what the eye sees. They do not even agree with each other:
# on Manga109 at ×2, GLA-Net has a higher PSNR than SwinIR in Table 1, 39.61 against 39.60 dB, but
# a lower SSIM, 0.9789 against 0.9792. The paper reports both, and so should you.
#
# Choose a distortion yourself. The menu and the slider need a running kernel. Without one, look at
# the figure above: it shows the same for an error of 12 levels. Is the order of the four the same
# at every strength?

# %%
from glanet.course.lessons.the_yardstick.widgets import explore_distortions

explore_distortions(coffee, ssim_map, **square)

# %% [markdown]
# ## 5 · Bicubic's published rows
#
# Test a yardstick on something of known length. Bicubic appears in the tables of many papers and
# needs no training. Measure it on the sets of Table 1 that are on this machine. If there are none,
# two photographs of scikit-image take their place. They have no published row: the table below has the rows of Set5 and Set14 that the
# text speaks about.

# %%
from glanet.course.kit.practice import held_out_images
from glanet.course.kit.profile import by_profile
from glanet.data import catalog

wanted = by_profile(
    smoke=["Set5"], learn=["Set5", "Set14"], full=["Set5", "Set14", "B100", "Urban100"]
)
sets = {name: catalog.hr_images(name) for name in wanted if name in catalog.present()}
sets = sets or {"photographs": held_out_images()}
print({name: len(paths) for name, paths in sets.items()})


# %%
from glanet.data.images import read_rgb
from glanet.evaluation.published import published


def measured(path, scale):
    """(PSNR, SSIM) of bicubic, measured by the protocol."""
    hr = modcrop(read_rgb(path), scale)
    sr = imresize(imresize(hr, 1 / scale), scale)
    return psnr_y(sr, hr, scale), ssim_y(sr, hr, scale)


def compare(measure):
    """Print the mean PSNR and SSIM of each set beside the published ones."""
    for scale in by_profile(smoke=(2,), learn=(2, 4), full=(2, 4)):
        _, _, known = published(scale)[0]  # the first row is bicubic
        for name, paths in sets.items():
            decibels, ssim = np.mean([measure(path, scale) for path in paths], axis=0)
            print(f"×{scale} {name:11} {decibels:.2f} / {ssim:.4f}", end="   ")
            print("published {:.2f} / {:.4f}".format(*known[name]) if name in known else "–")


compare(measured)

# %% [markdown]
# On Set5 and Set14, PSNR in dB and SSIM:
#
# | bicubic | published | by the protocol |
# |---|---|---|
# | ×2 Set5 | 33.66 / 0.9299 | 33.67 / 0.9303 |
# | ×2 Set14 | 30.24 / 0.8688 | 30.32 / 0.8699 |
# | ×4 Set5 | 28.42 / 0.8104 | 28.43 / 0.8111 |
# | ×4 Set14 | 26.00 / 0.7027 | 26.09 / 0.7048 |
#
# These numbers are close, but not close enough for a yardstick: Set5 is off by a hundredth of a
# decibel, and Set14 by nearly a tenth. Why?
#
# Here is a hypothesis. The published rows are old, and so were the programs that made them. They
# took Y first, rounded it, and shrank and enlarged *Y alone*; the LR image stayed in float. And
# they left the grey file `bridge` as it was. If this is right, the same steps should give the
# published numbers.

# %%
from PIL import Image


def old_way(path, scale):
    """(PSNR, SSIM) of bicubic on Y alone; a grey file is taken as Y."""
    image = modcrop(np.asarray(Image.open(path)), scale)
    y = (image if image.ndim == 2 else luma(image)).round().astype(float)
    tensor = torch.tensor(y)[None, None]
    sr = imresize_tensor(imresize_tensor(tensor, 1 / scale), scale)[0, 0].numpy()
    inside = np.s_[scale:-scale, scale:-scale]
    sr, y = sr.round().clip(0, 255)[inside], y[inside]
    return psnr(sr, y), ssim_map(sr, y).mean()


compare(old_way)

# %% [markdown]
# On the same rows:
#
# | bicubic | published | Y alone |
# |---|---|---|
# | ×2 Set5 | 33.66 / 0.9299 | 33.66 / 0.9299 |
# | ×2 Set14 | 30.24 / 0.8688 | 30.23 / 0.8687 |
# | ×4 Set5 | 28.42 / 0.8104 | 28.42 / 0.8104 |
# | ×4 Set14 | 26.00 / 0.7027 | 26.00 / 0.7019 |
#
# Set5 now matches the published row to the last digit of both columns. Set14's gap of a tenth of a
# decibel is down to a hundredth, and its SSIM at ×4 is off by eight in the last digit. We do not
# know where these remaining differences come from.
#
# So bicubic's published row is slightly lower than what you measure. Do not count the difference
# as an improvement.
#
# One last habit: the number for a set is the *mean of the decibels* of its images. The decibels of
# the mean error are a different number, because one hard image outweighs the others. By hand, for
# two images:

# %% tags=["nbval-check-output"]
decibels = np.array([20, 40])
errors = 255**2 / 10 ** (decibels / 10)  # the formula of section 1, solved for MSE
print("MSE", errors.round(1), "mean", errors.mean().round(1))
print(f"mean of the decibels {decibels.mean():.2f}")
print(f"decibels of the mean {10 * np.log10(255**2 / errors.mean()):.2f}")

# %% [markdown]
# ## What can go wrong
#
# **Bytes wrap around.** Apply `psnr` of section 1 to the images directly: it subtracts one array
# of bytes from another. You get no error and no warning.

# %%
print(f"{psnr(sr, hr):.2f} dB")

# %% [markdown]
# The result is three decibels better than by the protocol. A byte has no minus sign and ends at
# 255, so differences and squares wrap around:

# %% tags=["nbval-check-output"]
a, b = np.array([10, 40], np.uint8), np.array([20, 20], np.uint8)
print("difference", a - b, "square", (a - b) ** 2)

# %% [markdown]
# −10 became 246, and the square of 20, 400, became 144. So large errors look small. The correct
# way: convert to float before you subtract.

# %%
print(f"{psnr(sr.astype(float), hr.astype(float)):.2f} dB over R, G and B")

# %% [markdown]
# **An RGB number beside a Y number.** Take the network of notebook 00 and the lower half of the
# photograph. Someone measures the network on R, G and B, and takes bicubic's number from a table:

# %%
from glanet import GLANet
from glanet.inference import upscale

half = np.s_[226:426]  # rows
ours = upscale(GLANet.from_pretrained("tiny-x2"), imresize(hr[half], 1 / 2))
bicubic = imresize(imresize(hr[half], 1 / 2), 2)
print(
    f"network {psnr_rgb(ours, hr[half], 2):.2f} dB, bicubic {psnr_y(bicubic, hr[half], 2):.2f} dB"
)

# %% [markdown]
# The network seems to lose. The correct way: measure both on Y.

# %%
print(f"network {psnr_y(ours, hr[half], 2):.2f} dB, bicubic {psnr_y(bicubic, hr[half], 2):.2f} dB")

# %% [markdown]
# And in short:
#
# - **The sizes differ by a row or a column**: HR was not cropped to multiples of the scale.
#   `glanet`'s functions reject such a pair with an error message.
# - **The images are float**: `glanet`'s functions reject those too. Clamp and round before you
#   measure.
# - **A grey file has no third axis.** `glanet` reads it as three equal channels, and takes its Y.
# - **PSNR is infinite**: you compared an image with itself.

# %% [markdown]
# ## Yours is the package's
#
# Your two functions must give the same numbers as `glanet/evaluation/metrics.py`, to a millionth.
# Test them on the photographs, with and without a border, and on two images of noise.

# %% tags=["nbval-check-output"]
from glanet.course.kit.sameness import same_function
from glanet.evaluation import metrics

noise = np.random.default_rng(0).integers(0, 256, (2, 40, 31, 3), dtype=np.uint8)
cases = [(sr, hr, 2), (sr, hr, 0), (wrong["blurred"], coffee, 4), (*noise, 3)]
print(same_function(psnr_y, metrics.psnr_y, cases, tolerance=1e-6))
print(same_function(ssim_y, metrics.ssim_y, cases, tolerance=1e-6))

# %% [markdown]
# `metrics.py` also rejects images that cannot be compared, and its error messages tell you what to
# do. `glanet/evaluation/benchmark.py` measures a method on whole sets by this protocol, and
# `glanet evaluate` does so from a terminal. Notebook 03 builds your first convolution and measures
# it this way.

# %% [markdown]
# ## How far you are

# %%
from glanet.course.report import report as progress_report

print(progress_report("the_yardstick"))
