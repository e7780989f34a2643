# %% [markdown]
# # 01 · The problem
#
# | | |
# |---|---|
# | **You will** | shrink images exactly as every benchmark does, and see what shrinking destroys |
# | **It enables** | pairs of small and large images: networks are trained on such pairs and measured with them |
# | **Takes** | 2 minutes, 1 GB of memory; about 75 minutes to work through |
# | **Becomes** | `glanet/data/degradation.py` |
#
# Super-resolution reverses one process: shrinking. Before you build a network that recovers what
# was lost, build the process that loses it. It takes only two small matrices and some rounding.
# Yet one wrong detail in it spoils every number that comes after.
#
# The large image is called HR (high resolution). The small image made from it is called LR (low
# resolution).

# %% [markdown]
# ## 1 · Many large images, one small one
#
# Here are two images of 4×4 pixels. The second is the first plus a chessboard of ±10.

# %% tags=["nbval-check-output"]
import numpy as np

one = np.array(
    [
        [90.0, 90, 40, 40],
        [90, 90, 40, 40],
        [10, 10, 70, 70],
        [10, 10, 70, 70],
    ]
)
chessboard = np.array([[1, -1, 1, -1], [-1, 1, -1, 1]] * 2)
other = one + 10 * chessboard
print(other)

# %% [markdown]
# The simplest way to shrink an image: each LR pixel is the mean of 2×2 HR pixels.

# %% tags=["nbval-check-output"]
from einops import reduce

print(reduce(one, "(h 2) (w 2) -> h w", "mean"))
print(reduce(other, "(h 2) (w 2) -> h w", "mean"))

# %% [markdown]
# Two different images give the same LR image. If you see only the LR image, you cannot tell which
# of the two it came from.
#
# Taking means is *linear*, and it works along one axis at a time. So it can be written with
# matrices: a matrix $D$ on the left shrinks the height, and its transpose on the right shrinks the
# width:
#
# $$I_{LR} = D \, I_{HR} \, D^\top$$

# %% tags=["nbval-check-output"]
D = np.array([[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])

print(D @ other @ D.T)
print(D @ chessboard @ D.T)  # the chessboard becomes 0 everywhere

# %% [markdown]
# Images that $D \cdot D^\top$ turns into 0 form its *null space*. You can add any of them to an HR
# image without changing the LR image.
#
# **Prediction.** A 4×4 image has 16 numbers, so you can change it in 16 independent directions.
# How many of these directions leave the 2×2 image unchanged?

# %%
guess = ...

# %% tags=["nbval-check-output"]
from glanet.course.kit.predictions import reveal

whole = np.kron(D, D)  # (4, 16): the same map, for an image as a column of 16 numbers
reveal(
    guess,
    whole.shape[1] - int(np.linalg.matrix_rank(whole)),
    unit="directions of 16",
    because="The 2×2 image has 4 numbers, so 4 directions change it: the other 12 do not.",
)

# %% [markdown]
# [The paper](https://panpinchi.github.io/GLA-Net/) that this course follows (Global-Local
# Awareness Network for Image Super-Resolution, GLA-Net, ICIP 2023) calls this an *inverse problem*
# that is *ill-posed* (§1). Inverse: we know the way from HR to LR, and want the way back.
# Ill-posed: there is more than one way back. No method can compute what was there. A method can
# only say which of the large images that fit this small one is likely, and it has to learn from
# other photographs what is likely.

# %% [markdown]
# ## 2 · A kernel
#
# The mean of 2×2 pixels is a crude way to shrink. The benchmarks in the paper's Table 1 were made
# with MATLAB's *bicubic* `imresize`. It weights each old pixel by its distance $x$ from the
# position of the new pixel, with a *kernel* (R. Keys, 1981):
#
# $$k(x) = \begin{cases} \tfrac{3}{2}|x|^3 - \tfrac{5}{2}|x|^2 + 1 & |x| \le 1 \\
# -\tfrac{1}{2}|x|^3 + \tfrac{5}{2}|x|^2 - 4|x| + 2 & 1 < |x| < 2 \\ 0 & \text{elsewhere}
# \end{cases}$$
#
# By hand: $k(0) = 1$ and $k(1) = k(2) = 0$, so a new pixel that lies exactly on an old one copies
# it. A new pixel halfway between two old ones gives each of them the weight
# $k(\frac12) = \frac{3}{16} - \frac{5}{8} + 1 = \frac{9}{16}$, and each of the next two
# $k(\frac32) = -\frac{1}{16}$. The four weights sum to 1.
#
# Keys described a family of kernels with one parameter $a$, the slope at $x = 1$. MATLAB's kernel
# has $a = -\frac12$.

# %% [markdown]
# **Exercise 1 · The kernel** ★☆☆, 5 minutes. `cubic_kernel(distance)` takes an array of distances,
# of any shape and either sign, and returns an array with the kernel's values.
#
# <details><summary>Hint 1</summary>
#
# Begin with `x = np.abs(distance)`. Then compute both lines of the formula for all of `x`, and
# choose between them.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `np.where(condition, this, that)` chooses for each element. To choose among three, put one
# `np.where` inside another.
#
# </details>
# <details><summary>Hint 3</summary>
#
# With the two lines of the formula in `inner` and `outer`:
# `np.where(x <= 1, inner, np.where(x < 2, outer, 0.0))`.
#
# </details>


# %%
def cubic_kernel(distance):
    """Keys' kernel with a = -1/2: distances in pixels (any shape) -> values (same shape)."""
    # >>>
    x = np.abs(distance)
    inner = 1.5 * x**3 - 2.5 * x**2 + 1
    outer = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, inner, np.where(x < 2, outer, 0.0))
    # <<<


# %%
from glanet.course.lessons.the_problem import exercises as problem

cubic_kernel = problem.cubic_kernel.check(cubic_kernel)

# %% tags=["nbval-check-output"]
halfway = np.array([-1.5, -0.5, 0.5, 1.5])
print(cubic_kernel(halfway) * 16)

# %% [markdown]
# ## 3 · A row of weights
#
# You need three decisions to turn the kernel into weights.
#
# **Where does a new pixel lie?** Both images cover the same length. Here is a row of 8 pixels,
# halved:
#
# ![Eight HR pixels and four LR pixels that cover the same length; LR pixel 1 has its centre at 2.5 and takes weights from the places -1 to 6](figures/01_grids.svg)

# %% tags=["nbval-check-output"]
scale = 1 / 2
centres = (np.arange(4) + 0.5) / scale - 0.5
print(centres)

# %% [markdown]
# **How wide is the kernel?** To enlarge an image, use the kernel as in the formula. To shrink it
# by 2, stretch the kernel to *twice* its width: an LR pixel has to represent all the pixels around
# it that vanish. To stretch the kernel, multiply the distances by the scale before you evaluate
# it. (Libraries call this *antialiasing*. Section 6 shows what happens without it.)
#
# Take LR pixel 1, at 2.5. Its nearest pixel is ½ away, and the scale makes that ¼. By hand:
# $k(\frac14)$ is $\frac{1.5 - 10 + 64}{64}$, or $\frac{111}{128}$. Divide the weights by their sum, 2, so
# that a grey area keeps its grey: $\frac{111}{256}$.

# %% tags=["nbval-check-output"]
places = np.arange(-1, 7)
weights = cubic_kernel(scale * (places - centres[1]))
weights /= weights.sum()
print(places)
print(weights * 256)
print(weights.sum())

# %% [markdown]
# The figure shows the same weights, and above them those of an enlargement by 2. The narrow kernel
# gives four weights, the stretched one eight. The numbers are in 256ths.

# %%
from glanet.course.lessons.the_problem.figures import kernel_weights

kernel_weights(12, {2: 11, 1 / 2: 1})

# %% [markdown]
# **What lies outside the image?** The hollow weight falls on place −1, where there is no pixel.
# MATLAB continues the image with its mirror image, and repeats the border pixel:
# `... b a | a b ...`. So this weight goes to pixel 0, and is added to the weight that pixel 0
# already has.

# %% tags=["nbval-check-output"]


def mirror(places, size):
    """The pixel at each place of an axis of ``size``; outside, the image is mirrored."""
    around = places % (2 * size)
    return np.minimum(around, 2 * size - 1 - around)


print(mirror(np.arange(-4, 8), 4))

# %% [markdown]
# **Exercise 2 · The matrix of one axis** ★★★, 25 minutes. `resize_matrix(size, scale)` returns the
# matrix that resizes a column of `size` pixels. It has one row for each output pixel and one
# column for each input pixel: `(math.ceil(size * scale), size)`. Each row holds weights like those
# you have just worked out by hand, folded back into the image by `mirror`.
#
# <details><summary>Hint 1</summary>
#
# Start from zeros and fill one row at a time. Row `i` needs its `centre`, the `places` within
# reach of the kernel, and their `weights`. The cells above compute all three for row 1. Replace
# the 2 and the ½ there by expressions of `scale`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# With `stretch = min(scale, 1)` the kernel reaches `2 / stretch` pixels to either side. Places
# from `math.floor(centre - 2 / stretch)` to `math.ceil(centre + 2 / stretch)` are enough: further
# out the kernel is 0. Divide the weights by their sum before you fold them.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `mirror` may send two places to the same pixel. `row[mirror(places, size)] += weights` then keeps
# only the last weight, because numpy computes all sums first and stores them afterwards. Add one
# weight at a time, in a loop over `zip(mirror(places, size), weights)`.
#
# </details>


# %%
import math


def resize_matrix(size, scale):
    """The matrix that resizes an axis of ``size`` pixels: (ceil(size · scale), size)."""
    # >>>
    stretch = min(scale, 1)
    matrix = np.zeros((math.ceil(size * scale), size))
    for i, row in enumerate(matrix):
        centre = (i + 0.5) / scale - 0.5
        first, last = math.floor(centre - 2 / stretch), math.ceil(centre + 2 / stretch)
        places = np.arange(first, last + 1)
        weights = cubic_kernel(stretch * (places - centre))
        weights /= weights.sum()
        for pixel, weight in zip(mirror(places, size), weights, strict=True):
            row[pixel] += weight
    return matrix
    # <<<


# %%
resize_matrix = problem.resize_matrix.check(resize_matrix)

# %% [markdown]
# Here are the first three rows of the matrix that halves 12 pixels. Rows 0 and 1 contain folded
# weights. After them the same row repeats, moved by two pixels each time.

# %% tags=["nbval-check-output"]
print((256 * resize_matrix(12, 1 / 2)[:3]).round().astype(int))

# %% [markdown]
# ## 4 · Two matrices, two roundings
#
# One such matrix resizes an image along its height, and another along its width. Both are small:
# for a photograph of 256×256 they are 128×256 each.
#
# ![rows times a channel, to bytes, times the transpose of columns, to bytes](figures/01_two_matrices.svg)
#
# $$I_{LR} = \text{bytes}\big(\text{bytes}(D_{rows} \, I_{HR}) \, D_{columns}^\top\big)$$
#
# `bytes` rounds to whole grey levels and clips to the range of a byte. It does this **after each
# pass**. It rounds a half *up*; `np.round` does not:

# %% tags=["nbval-check-output"]


def to_bytes(values):
    """Round half up, clip to 0..255, and convert to uint8."""
    return np.clip(np.floor(values + 0.5), 0, 255).astype(np.uint8)


halves = np.array([0.5, 1.5, 2.5, 300, -7])
print(to_bytes(halves))
print(np.round(halves))  # rounds a half to the even neighbour

# %% [markdown]
# **Prediction.** The smallest image that can be halved has 2×2 pixels. All its weights are ½:

# %% tags=["nbval-check-output"]
halve = resize_matrix(2, 1 / 2)
print(halve)

# %% [markdown]
# So `[[1, 0], [0, 0]]`, one faint dot on black, becomes a single pixel. Will it be 0 or 1?

# %%
guess = ...

# %% tags=["nbval-check-output"]
from glanet.course.kit.predictions import reveal_choice

dot = np.array([[1, 0], [0, 0]])
twice = to_bytes(to_bytes(halve @ dot) @ halve.T)
once = to_bytes(halve @ dot @ halve.T)
reveal_choice(
    guess,
    int(twice.item()),
    choices=(0, 1),
    because="The height pass gives [½, 0], which rounds to [1, 0]. The width pass gives ½, "
    f"which rounds to 1 again. With one rounding at the end, ¼ rounds to {once.item()}.",
)

# %% [markdown]
# **Exercise 3 · The image** ★★☆, 15 minutes. `imresize(image, scale)` resizes a colour image,
# uint8 `(H, W, 3)`. It resizes the height first, calls `to_bytes` after each pass, and returns
# uint8.
#
# <details><summary>Hint 1</summary>
#
# The image has three axes, and `@` would work on the wrong two. `np.einsum` lets you name the
# axes, and `optimize=True` makes it fast.
#
# </details>
# <details><summary>Hint 2</summary>
#
# With `rows = resize_matrix(image.shape[0], scale)` the height pass is
# `np.einsum("oh,hwc->owc", rows, image, optimize=True)`: each output row `o` is a sum over all
# rows `h`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The width pass sums over `w` and keeps the height: `"ow,hwc->hoc"`, with
# `resize_matrix(image.shape[1], scale)`.
#
# </details>


# %%
def imresize(image, scale):
    """Resize like MATLAB's bicubic imresize: uint8 (H, W, 3) -> uint8."""
    # >>>
    rows = resize_matrix(image.shape[0], scale)
    columns = resize_matrix(image.shape[1], scale)
    half_done = to_bytes(np.einsum("oh,hwc->owc", rows, image, optimize=True))
    return to_bytes(np.einsum("ow,hwc->hoc", columns, half_done, optimize=True))
    # <<<


# %%
imresize = problem.imresize.check(imresize)

# %% [markdown]
# Now resize a photograph. Does it matter whether you round once or twice?

# %%
from skimage import data

photo = data.astronaut()[:256, 100:356]
lr = imresize(photo, 1 / 2)

rows = resize_matrix(256, 1 / 2)
rounded_once = to_bytes(np.einsum("oh,hwc,pw->opc", rows, photo, rows, optimize=True))
changed = (rounded_once != lr).mean()
print(f"{photo.shape} becomes {lr.shape}")
print(f"rounded once instead of twice: {changed:.0%} of the bytes differ")

# %% [markdown]
# Nobody sees this difference. But it decides whether your LR images are *about the same* as the
# published ones or *identical*. Test it on images that others made: Set5, one of the five test
# sets of Table 1, is published with its LR images. (`modcrop` cuts off the last rows and columns
# of an HR image if the scale does not divide its sides.)

# %%
from glanet.data import catalog
from glanet.data.degradation import modcrop
from glanet.data.images import read_rgb

try:
    same = [
        np.array_equal(imresize(modcrop(read_rgb(hr), scale), 1 / scale), read_rgb(lr))
        for scale in (2, 3, 4)
        for lr, hr in catalog.pairs("Set5", scale)
    ]
    print(f"{sum(same)} of {len(same)} published LR images are bit-identical")
except catalog.DataError as missing:
    print(
        "Skipped: Set5 is not on this machine. The notebook goes on without it.", missing, sep="\n"
    )

# %% [markdown]
# ## 5 · What the small image cannot see
#
# Back to section 1, with the real matrix now. Take the photograph with half its contrast, so that
# you can add or subtract 40 at every byte.
#
# **Prediction.** Add 40 to every even row, and subtract 40 from every odd one. By how many grey
# levels does the LR image change at most, away from the upper and lower border? (Look again at the
# row of weights in section 3.)

# %%
guess = ...

# %% tags=["nbval-check-output"]
calm = photo // 2 + 64  # 64..191
stripes = 40 * (1 - 2 * (np.arange(256) % 2))[:, None, None]
striped = (calm + stripes).astype(np.uint8)
change = np.abs(imresize(striped, 1 / 2).astype(int) - imresize(calm, 1 / 2))
reveal(
    guess,
    int(change[2:-2].max()),
    unit="grey levels",
    because="The weights at even places sum to (-3 + 29 + 111 - 9) / 256 = ½, and those at odd "
    "places also sum to ½: +40 and -40 cancel exactly.",
)

# %%
from glanet.course.lessons.the_problem.figures import pictures

square = slice(84, 132), slice(100, 148)  # rows, columns
half = slice(42, 66), slice(50, 74)  # the same square in LR
pictures(
    {"HR": calm[square], "another HR": striped[square]},
    {"its LR": imresize(calm, 1 / 2)[half], "its LR too": imresize(striped, 1 / 2)[half]},
)

# %% [markdown]
# Only the outermost two rows at the top and the bottom of the LR image change: there the mirror
# image repeats a row, and the stripes no longer alternate.

# %% tags=["nbval-check-output"]
print(np.flatnonzero(change.max(axis=(1, 2))))

# %% [markdown]
# Stripes are one of very many invisible directions. You can split any photograph into the part
# that `rows` sees and the part that it does not see. `np.linalg.pinv`, the *pseudo-inverse*,
# inverts a matrix as far as possible: among all large columns that shrink to the same small
# column, it picks the one with the least energy. So `pinv(rows) @ rows` keeps the part of a column
# that shrinking can see.

# %%
face = photo[square].astype(float)  # 48×48
rows = resize_matrix(48, 1 / 2)
keep = np.linalg.pinv(rows) @ rows  # (48, 48)

seen = np.einsum("ih,hwc,jw->ijc", keep, face, keep, optimize=True)
unseen = face - seen


def shrink(image):
    """Both passes without rounding: (48, 48, 3) -> (24, 24, 3)."""
    return np.einsum("oh,hwc,pw->opc", rows, image, rows, optimize=True)


print(f"largest value of the unseen part: {np.abs(unseen).max():.0f} grey levels")
print(f"largest value after shrinking it: {np.abs(shrink(unseen)).max():.0e} grey levels")

# %% [markdown]
# The unseen part is not small, yet it shrinks to 0, apart from floating-point rounding. So you may
# add it once (that is the photograph), leave it out, or subtract it three times:

# %%
from glanet.course.lessons.the_problem.figures import large_and_small

large_and_small(
    {
        "the photograph": seen + unseen,
        "seen": seen,
        "seen − 3 · unseen": seen - 3 * unseen,
    },
    shrink,
)

# %% [markdown]
# You see three large images above, and below them three times the same small image. The middle one
# has the least energy, and it is wrong. The right one is absurd, yet it *fits the LR image just as
# well*. A network has to produce the left one, and the LR image does not help it to choose.
#
# In the paper's Eq. 4, $I_{HR} = \Theta(F_s + F_d) + I_{CSR}$, the second term, $I_{CSR}$ (the
# coarse super-resolution image), is an ordinary enlargement of the LR image. Everything that the
# LR image does not show has to come from the first term, the network.
#
# Change the amount of the unseen part yourself: the two LR images stay the same.

# %%
from glanet.course.lessons.the_problem.widgets import explore_unseen

explore_unseen(seen, unseen, shrink)

# %% [markdown]
# ## 6 · Aliasing, or why the kernel is stretched
#
# What happens if you shrink an image by keeping every second pixel? Try stripes of one pixel:

# %% tags=["nbval-check-output"]
fence = np.array([0, 255] * 6)
print(fence[::2])
print(fence[1::2])
print(to_bytes(resize_matrix(12, 1 / 2) @ fence))

# %% [markdown]
# The result is all black or all white, depending on where you start. With the stretched kernel it
# is grey, and black and white stripes do look grey from far away. (The border pixels differ
# because of the mirror image.)
#
# The *frequency* of a wave tells how fast it changes, in cycles per pixel. The stripes have one
# cycle every two pixels: 0.5. Pixels cannot show a faster wave than that. This limit is called the
# *Nyquist frequency*. An LR pixel is as long as two HR pixels, so on the HR axis LR ends at 0.25.
#
# **Prediction.** A wave with 0.4 cycles per HR pixel is too fast for LR. Keep every second pixel.
# The remaining pixels still show a wave. How many cycles per *HR* pixel does it have?

# %%
guess = ...

# %% tags=["nbval-check-output"]
wave = np.cos(2 * np.pi * 0.4 * np.arange(100))
kept = wave[::2]
per_lr_pixel = np.fft.rfftfreq(50)[np.abs(np.fft.rfft(kept)).argmax()]
reveal(
    guess,
    float(per_lr_pixel) / 2,
    unit="cycles per HR pixel",
    because="0.4 is 0.15 above the limit of 0.25, and comes out 0.15 below it: the limit folds "
    "frequencies back like a mirror.",
)

# %% [markdown]
# This wave was never there. That is *aliasing*. With the stretched kernel, bicubic shows almost no
# wave instead.

# %%
from glanet.course.lessons.the_problem.figures import aliasing

aliasing(frequency=0.4, scale=2)

# %% [markdown]
# Move the frequency across the limit, which is 0.25 at scale 2. Above the limit, watch the blue
# wave of the upper panel. At which frequency does the wave of the lower panel begin to fade?

# %%
from glanet.course.lessons.the_problem.widgets import explore_aliasing

explore_aliasing()

# %% [markdown]
# Now in two dimensions. The rings of a *zone plate* grow finer outwards: at the middle of each
# border they reach 0.5 cycles per pixel.

# %%
y, x = np.mgrid[:64, :64] - 31.5
zone_plate = to_bytes(127.5 + 127.5 * np.cos(np.pi * (x**2 + y**2) / 64))
zone_plate = zone_plate[..., None].repeat(3, axis=-1)

pictures(
    {
        "HR": zone_plate,
        "every second pixel": zone_plate[::2, ::2],
        "bicubic": imresize(zone_plate, 1 / 2),
    }
)

# %% [markdown]
# The rings around the borders of the middle picture are aliases. They look as real as the rings in
# the centre. In the right picture most of what LR cannot show is gone, and no false rings replace
# it.

# %% [markdown]
# ## 7 · The spectrum that is left
#
# The paper speaks of low and high frequencies throughout (§1), so you need an instrument that
# shows them. An image is a sum of waves. `np.fft.fft2` returns the amplitude of each wave, and its
# square is the *power*. With `norm="ortho"` the powers add up to the sum of the squared values:

# %% tags=["nbval-check-output"]
for row in ([3, 3, 3, 3], [3, -3, 3, -3], [3, 1, -1, 1]):
    power = np.abs(np.fft.fft(row, norm="ortho")) ** 2
    print(np.fft.fftfreq(4), power.round(6), "sum", power.sum().round(6), "=", np.square(row).sum())

# %% [markdown]
# Constant grey has all its power at frequency 0, the stripes have all of theirs at 0.5, and the
# third row is a mixture. A Fourier transform treats an image as one tile of an endless floor. If
# the left and right border do not match, the floor has an edge there, and the edge adds
# frequencies that do not belong to the image. A *window* that fades the image out towards its
# borders removes the edge:

# %% tags=["nbval-check-output"]
from glanet.analysis.spectrum import hann

print(hann(8).round(3))

# %% [markdown]
# **Exercise 4 · A power spectrum that does not fool you** ★★☆, 15 minutes. `power_spectrum(image)`
# takes `(H, W, C)` and returns `(H, W)`:
#
# 1. subtract from each channel its mean: the brightness is of no interest here;
# 2. multiply by the window: `hann(H)` along the height times `hann(W)` along the width, divided by
#    the square root of the mean of its square, so that the window keeps the total power;
# 3. transform each channel, with `norm="ortho"`;
# 4. square the absolute values (the amplitudes are complex: use `np.abs`), and average over the
#    channels. Take no logarithm.
#
# <details><summary>Hint 1</summary>
#
# `image.mean(axis=(0, 1))` has one number for each channel. You can subtract it from the image
# directly.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The window is `(H, W, 1)`: `hann(height)[:, None, None] * hann(width)[None, :, None]`. Then
# `window /= np.sqrt((window**2).mean())`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# By default, `np.fft.fft2` transforms the last two axes, here width and channels. Give it the
# axes: `np.fft.fft2(..., axes=(0, 1), norm="ortho")`.
#
# </details>


# %%
def power_spectrum(image):
    """Power of each frequency, averaged over channels: (H, W, C) -> (H, W)."""
    # >>>
    height, width = image.shape[:2]
    window = hann(height)[:, None, None] * hann(width)[None, :, None]
    window /= np.sqrt((window**2).mean())
    centred = image - image.mean(axis=(0, 1))
    waves = np.fft.fft2(centred * window, axes=(0, 1), norm="ortho")
    return (np.abs(waves) ** 2).mean(axis=-1)
    # <<<


# %%
power_spectrum = problem.power_spectrum.check(power_spectrum)

# %% [markdown]
# Calibrate an instrument on a known signal before you trust it. Noise with independent pixels has
# the same power at every frequency: its variance, which is 4 here. `by_radius` averages over all
# directions.

# %%
from glanet.analysis.spectrum import by_radius

noise = np.random.default_rng(0).normal(scale=2, size=(256, 256, 3))
frequency, power = by_radius(power_spectrum(noise), bins=8)
print(frequency.round(2))
print(power.round(2))

# %% [markdown]
# Now measure the photograph, its LR image, and two enlargements of the LR image: bicubic, and the
# small network of notebook 00. The figure puts all four on one axis, in cycles per *HR* pixel, so
# the frequencies of LR are halved. LR also has only a quarter of the pixels, so the same wave has
# only a quarter of the power in it. The code multiplies by 4 to correct that.

# %%
from glanet import GLANet
from glanet.course.lessons.the_problem.figures import spectra
from glanet.inference import upscale

model = GLANet.from_pretrained("tiny-x2")
invented = upscale(model, lr)
frequency, power = by_radius(power_spectrum(lr))
curves = {
    "LR": (frequency / 2, power * 4),
    "original": by_radius(power_spectrum(photo)),
    "bicubic": by_radius(power_spectrum(imresize(lr, 2))),
    "GLA-Net": by_radius(power_spectrum(invented)),
}
spectra(curves, nyquist=0.25)

# %% [markdown]
# Read it from left to right.
#
# - **Low frequencies**: all four curves coincide. Nothing is lost, and there is nothing to do.
# - **Just below the mark**: LR falls below the original, because the kernel fades out before LR
#   ends. A network can *repair* this part, since LR still has it, only weaker.
# - **Above the mark** LR has nothing. What bicubic shows there is a residue of its kernel. What a
#   network shows there it must *invent*, from what it has learned.
#
# The network's curve is closer to the original's on both sides of the mark. That tells how much
# power the network adds. It does not tell whether the power is in the right places: notebook 02
# measures that.

# %% [markdown]
# ## What can go wrong
#
# Make this mistake on purpose. PyTorch has a bicubic resize of its own, and its defaults are not
# MATLAB's: it does not stretch the kernel, and the kernel has $a = -\frac34$.

# %%
import torch.nn.functional as F
from glanet.data.tensors import to_image, to_tensor

pytorch_lr = to_image(F.interpolate(to_tensor(photo), scale_factor=1 / 2, mode="bicubic"))

# %% [markdown]
# **Prediction.** Enlarge this LR image with bicubic, and measure how close the result comes to the
# photograph. (Use PSNR, the peak signal-to-noise ratio, as in notebook 00: higher is closer.) Will
# the PSNR be `"higher"` or `"lower"` than with the right LR image?

# %%
guess = ...

# %%
from glanet.evaluation.metrics import psnr_y

falsified = upscale(model, pytorch_lr)
enlarged = {
    "imresize": (imresize(lr, 2), invented),
    "PyTorch": (imresize(pytorch_lr, 2), falsified),
}
scores = {
    name: [psnr_y(image, photo, border=2) for image in images] for name, images in enlarged.items()
}
reveal_choice(
    guess,
    "higher" if scores["PyTorch"][0] > scores["imresize"][0] else "lower",
    choices=("higher", "lower"),
    because="PyTorch's LR image keeps more fine detail, both true and false.",
)

# %% [markdown]
# The network of notebook 00 gets much worse at the same time. It was trained on LR images from
# `imresize`, and sharpens one that is already too sharp:

# %%
print("LR made by   bicubic   GLA-Net")
for name, (bicubic, gla_net) in scores.items():
    print(f"{name:11} {bicubic:6.2f} dB {gla_net:6.2f} dB")

# %% [markdown]
# This mistake raises no error. If you compare a method with bicubic on LR images of the wrong
# kind, you use a different rival from the one in the tables. And a network that is trained on one
# kind and used on the other does badly. You can see it:

# %%
pictures(
    {
        "original": photo[square],
        "GLA-Net, LR by PyTorch": falsified[square],
        "GLA-Net, LR by imresize": invented[square],
    }
)

# %% [markdown]
# The right picture shows the correct way. `antialias=True` repairs most of PyTorch's difference,
# but not all: PyTorch rounds and clips only once, and it drops what lies outside the image instead
# of mirroring it.

# %%
nearly = to_image(
    F.interpolate(to_tensor(photo), scale_factor=1 / 2, mode="bicubic", antialias=True)
)
for name, other in {"default": pytorch_lr, "antialias=True": nearly}.items():
    off = np.abs(other.astype(int) - lr)
    print(f"{name:15} {(off > 0).mean():4.0%} of bytes differ, by at most {off.max()}")

# %% [markdown]
# **Half a pixel.** A second mistake happens when you enlarge. With `align_corners=True` the
# *centres* of the outermost pixels of both images coincide, instead of their outer edges. To see
# where each new pixel lies, enlarge a row of four whose values are their own positions:

# %% tags=["nbval-check-output"]
import torch

positions = torch.arange(4.0)[None, None]
for aligned in (True, False):
    where = F.interpolate(positions, scale_factor=2, mode="linear", align_corners=aligned)
    print(f"{aligned!s:5}", [round(value, 2) for value in where.flatten().tolist()])

# %% [markdown]
# The second row is right: ¼, ¾, 1¼, ... (Outside the outermost centres the border pixel is
# repeated, so it shows 0 where −¼ belongs.) In the first row the steps are too short. Its first
# pixel shows the value at 0 but belongs at −¼, which is half an HR pixel away, and its last pixel
# is off by as much in the other direction. Compare the cost with the correct way:

# %%
for aligned in (True, False):
    enlarged = F.interpolate(to_tensor(lr), scale_factor=2, mode="bicubic", align_corners=aligned)
    print(f"align_corners={aligned!s:5} {psnr_y(to_image(enlarged), photo, border=2):.2f} dB")

# %% [markdown]
# In short:
#
# - **An LR image from the wrong library**: as above, bicubic looks too good and the network too
#   bad. Make LR images with `imresize`, or use the published ones.
# - **Rounded once, or half to even**: nobody sees it, but the images are not the published ones.
# - **Half a pixel off**: an offset in the positions, or `align_corners=True`. A row of positions
#   like the one above shows it at once.
# - **Sides that the scale does not divide**: HR has pixels that LR does not cover. Call `modcrop`
#   first.
# - **A photograph that nobody shrank**: a camera or a web page has blurred, sharpened or
#   compressed it in ways that `imresize` has not. What you learn here solves the problem of this
#   notebook and no other.

# %% [markdown]
# ## The same as the package's
#
# You have built most of `glanet/data/degradation.py`. The package skips the zeros of the matrices
# and also takes grey images, but the numbers have to be the same. The matrices agree up to the
# order of additions. The images are bit-identical, at ×2, ×3 and ×4, down and up.

# %% tags=["nbval-check-output"]
from glanet.course.kit.sameness import same_function
from glanet.data import degradation

draw = np.random.default_rng(0)
scales = (1 / 2, 1 / 3, 1 / 4, 2, 3, 4)
distances = [(draw.uniform(-3, 3, (5, 7)),) for _ in range(4)]
axes = [(size, scale) for size in (5, 16, 37) for scale in scales]
images = [(draw.integers(0, 256, (37, 52, 3), dtype=np.uint8), scale) for scale in scales]

print(same_function(cubic_kernel, degradation.cubic_kernel, distances, tolerance=1e-12))
print(same_function(resize_matrix, degradation.resize_matrix, axes, tolerance=1e-12))
print(same_function(imresize, degradation.imresize, images))

# %% [markdown]
# That file has two more functions. You have used `modcrop`. `imresize_tensor` is `shrink` of
# section 5 for a batch of PyTorch tensors: it does not round, so gradients pass through it.

# %% [markdown]
# ## How far you are
#
# You have the problem: get from `lr` back to `photo`. Notebook 02 builds the yardstick that
# measures how well a method solves it.

# %%
from glanet.course.report import report as progress_report

print(progress_report("the_problem"))
