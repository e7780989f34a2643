# %% [markdown]
# # 01 · The problem
#
# | | |
# |---|---|
# | **You will** | shrink images exactly as every benchmark does, and see what shrinking destroys |
# | **It enables** | pairs of small and large images: what the network is trained on and measured with |
# | **Takes** | 2 minutes, 1 GB of memory; about 75 minutes to work through |
# | **Becomes** | `glanet/data/degradation.py` |
#
# Super-resolution turns one process round: shrinking. Before you build a network that guesses what
# was there, build what took it away. There is less of it than you may think: two small matrices
# and some rounding. Yet a wrong detail in it spoils every number that comes after.
#
# A large image is called HR, of high resolution; the small one made from it is LR.

# %% [markdown]
# ## 1 · Many large images, one small one
#
# Here are two images of 4×4 pixels. The second is the first with a chessboard of ±10 on it.

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
# The simplest way to shrink: each LR pixel is the mean of 2×2 HR pixels.

# %% tags=["nbval-check-output"]
from einops import reduce

print(reduce(one, "(h 2) (w 2) -> h w", "mean"))
print(reduce(other, "(h 2) (w 2) -> h w", "mean"))

# %% [markdown]
# Two different images, one LR image. Who sees only the LR image cannot tell which of the two it was.
#
# Taking means is *linear*, and it works along one side at a time. So it is a matrix $D$ on the left
# for the height, and one on the right for the width:
#
# $$I_{LR} = D \, I_{HR} \, D^\top$$

# %% tags=["nbval-check-output"]
D = np.array([[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])

print(D @ other @ D.T)
print(D @ chessboard @ D.T)  # the chessboard becomes nothing at all

# %% [markdown]
# Images that $D \cdot D^\top$ turns into 0 form its *null space*. Any of them can be added to an
# HR image, and the LR image stays as it was.
#
# **Prediction.** A 4×4 image has 16 numbers: you can change it in 16 independent directions. In
# how many of them can you move without any change in the 2×2 image?

# %%
guess = ...

# %% tags=["nbval-check-output"]
from glanet.course.kit.predictions import reveal

whole = np.kron(D, D)  # (4, 16): the same map for an image written as one column of 16 numbers
print(
    reveal(
        guess,
        whole.shape[1] - int(np.linalg.matrix_rank(whole)),
        unit="directions of 16",
        because="Four numbers come out, so four directions are seen: three quarters are free.",
    )
)

# %% [markdown]
# This is what the paper means (§1) by *inverse problem* and *ill-posed*. Inverse: the way from HR to
# LR is known, and the way back is wanted. Ill-posed: the way back is not one way. No method computes
# what was there. It can only say which of all the large images with this small one is likely, and
# what is likely it must have learned from other photographs.

# %% [markdown]
# ## 2 · A kernel
#
# Means of 2×2 pixels are a crude way to shrink. The benchmarks in the paper's Table 1 were made with
# MATLAB's *bicubic* `imresize`. It weighs pixels by their distance $x$ from where the new pixel lies,
# with a *kernel* (R. Keys, 1981):
#
# $$k(x) = \begin{cases} \tfrac{3}{2}|x|^3 - \tfrac{5}{2}|x|^2 + 1 & |x| \le 1 \\
# -\tfrac{1}{2}|x|^3 + \tfrac{5}{2}|x|^2 - 4|x| + 2 & 1 < |x| < 2 \\ 0 & \text{elsewhere}
# \end{cases}$$
#
# By hand: $k(0) = 1$ and $k(1) = k(2) = 0$, so a new pixel that falls on an old one copies it.
# Halfway between two old pixels, they get $k(\frac12) = \frac{3}{16} - \frac{5}{8} + 1 = \frac{9}{16}$
# each, and the next two $k(\frac32) = -\frac{1}{16}$ each. That sums to 1.
#
# Keys' kernel comes in a family with one parameter, $a$, the slope at $x = 1$. This is $a = -\frac12$.

# %% [markdown]
# **Exercise 1 · The kernel** ★☆☆, 5 minutes. `cubic_kernel(distance)` takes an array of distances, of
# any shape and of either sign, and returns an array of the kernel's values.
#
# <details><summary>Hint 1</summary>
#
# Begin with `x = np.abs(distance)`. Then compute both lines of the formula for all of `x`, and choose.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `np.where(condition, this, that)` chooses for each element. Two of them, one in the other, choose
# among three.
#
# </details>
# <details><summary>Hint 3</summary>
#
# With the two lines in `inner` and `outer`:
# `np.where(x <= 1, inner, np.where(x < 2, outer, 0.0))`.
#
# </details>


# %%
def cubic_kernel(distance):
    """Keys' kernel with a = -1/2, for distances in pixels (any shape)."""
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
# Three decisions turn the kernel into weights.
#
# **Where does a new pixel lie?** Both images cover the same length. So does this row of 8, halved:
#
# ![Eight HR pixels and four LR pixels that cover the same length; LR pixel 1 has its centre at 2.5 and takes weights from the places -1 to 6](figures/01_grids.svg)

# %% tags=["nbval-check-output"]
scale = 1 / 2
centres = (np.arange(4) + 0.5) / scale - 0.5
print(centres)

# %% [markdown]
# **How wide is the kernel?** When an image is enlarged, as wide as in the formula. When it shrinks by
# 2, *twice* as wide: an LR pixel has to stand for all the pixels that vanish around it. For this,
# distances are multiplied by the scale before the kernel sees them. (Section 6 shows what happens
# otherwise. Libraries call the widening *antialiasing*.)
#
# Here is LR pixel 1, at 2.5. Its nearest pixel is ½ away, which counts as ¼. By hand:
# $k(\frac14) = \frac{1.5 - 10 + 64}{64} = \frac{111}{128}$. The weights are divided by their sum, 2, so
# that grey stays the same grey: $\frac{111}{256}$.

# %% tags=["nbval-check-output"]
places = np.arange(-1, 7)
weights = cubic_kernel(scale * (places - centres[1]))
weights /= weights.sum()
print(places)
print(weights * 256)
print(weights.sum())

# %% [markdown]
# The same in a picture, with an enlargement by 2 above it. Narrow kernel, four weights; stretched
# kernel, eight. The numbers are 256ths.

# %%
from glanet.course.lessons.the_problem.figures import kernel_weights

kernel_weights(12, {2: 11, 1 / 2: 1})

# %% [markdown]
# **What lies outside?** The hollow weight falls on place −1, where there is no pixel. MATLAB puts the
# image's mirror image there, border pixel included: `... b a | a b ...`. So the weight goes to pixel
# 0, on top of what pixel 0 has already.

# %% tags=["nbval-check-output"]


def mirror(places, size):
    """The pixel of an axis of ``size`` that each place stands for, inside or outside."""
    around = places % (2 * size)
    return np.minimum(around, 2 * size - 1 - around)


print(mirror(np.arange(-4, 8), 4))

# %% [markdown]
# **Exercise 2 · The matrix of one side** ★★★, 25 minutes. `resize_matrix(size, scale)` returns the
# matrix that resizes a column of `size` pixels: one row for each output pixel, one column for each
# input pixel, `(math.ceil(size * scale), size)`. Its rows are what you have just worked out by hand,
# folded by `mirror`.
#
# <details><summary>Hint 1</summary>
#
# Start from zeros and fill one row at a time. Row `i` needs its `centre`, the `places` that the kernel
# reaches, and their `weights`. The cells above have all three for row 1; what was 2 or ½ there depends
# on the scale now.
#
# </details>
# <details><summary>Hint 2</summary>
#
# With `stretch = min(scale, 1)` the kernel reaches `2 / stretch` pixels to either side. Places from
# `math.floor(centre - 2 / stretch)` to `math.ceil(centre + 2 / stretch)` are certainly enough: further
# out the kernel is 0. Divide the weights by their sum before you fold them.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Two places may be folded to one pixel. `row[mirror(places, size)] += weights` then keeps only the last
# weight (numpy computes all sums first, and stores them afterwards). Add one at a time, in a loop over
# `zip(mirror(places, size), weights)`.
#
# </details>


# %%
import math


def resize_matrix(size, scale):
    """The matrix that resizes one side of ``size`` pixels: (ceil(size · scale), size)."""
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
# The first three rows of the matrix that halves 12 pixels. Row 0 and row 1 are folded; from row 2 on
# it is the same row again and again, two pixels further on each time.

# %% tags=["nbval-check-output"]
print((256 * resize_matrix(12, 1 / 2)[:3]).round().astype(int))

# %% [markdown]
# ## 4 · Two matrices, two roundings
#
# An image is resized along its height by one such matrix, and along its width by another. Both are
# small: for a photograph of 256×256 they are 128×256 each.
#
# ![rows times a channel, to bytes, times the transpose of columns, to bytes](figures/01_two_matrices.svg)
#
# $$I_{LR} = \text{bytes}\big(\text{bytes}(D_{rows} \, I_{HR}) \, D_{columns}^\top\big)$$
#
# `bytes` rounds to whole grey levels and clips to what a byte can hold. It does so **after each
# pass**. It rounds a half *up*, which is not what `np.round` does:

# %% tags=["nbval-check-output"]


def to_bytes(values):
    """Round half up, clip to 0..255, and make it uint8."""
    return np.clip(np.floor(values + 0.5), 0, 255).astype(np.uint8)


halves = np.array([0.5, 1.5, 2.5, 300, -7])
print(to_bytes(halves))
print(np.round(halves))  # to the even neighbour

# %% [markdown]
# **Prediction.** The smallest image that can be halved is 2×2. All its weights are ½:

# %% tags=["nbval-check-output"]
halve = resize_matrix(2, 1 / 2)
print(halve)

# %% [markdown]
# So `[[1, 0], [0, 0]]`, one faint dot in black, becomes a single pixel. Will it be 0 or 1?

# %%
guess = ...

# %% tags=["nbval-check-output"]
from glanet.course.kit.predictions import reveal_choice

dot = np.array([[1, 0], [0, 0]])
twice = to_bytes(to_bytes(halve @ dot) @ halve.T)
once = to_bytes(halve @ dot @ halve.T)
print(
    reveal_choice(
        guess,
        int(twice.item()),
        choices=(0, 1),
        because="The height pass makes [½, 0], which is rounded to [1, 0]; the width pass makes ½, "
        f"and that is 1 again. Rounded once at the end, ¼ would be {once.item()}.",
    )
)

# %% [markdown]
# **Exercise 3 · The image** ★★☆, 15 minutes. `imresize(image, scale)` resizes a colour image, uint8
# `(H, W, 3)`, height first, with `to_bytes` after each pass. It returns uint8.
#
# <details><summary>Hint 1</summary>
#
# The image has three axes, and `@` would take the wrong two. `np.einsum` lets you name them, and
# `optimize=True` makes it fast.
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
# The width pass sums over `w` and leaves the height in its place:
# `"ow,hwc->hoc"`, with `resize_matrix(image.shape[1], scale)`.
#
# </details>


# %%
def imresize(image, scale):
    """Resize as MATLAB's bicubic imresize does: uint8 (H, W, 3) -> uint8."""
    # >>>
    rows = resize_matrix(image.shape[0], scale)
    columns = resize_matrix(image.shape[1], scale)
    less_high = to_bytes(np.einsum("oh,hwc->owc", rows, image, optimize=True))
    return to_bytes(np.einsum("ow,hwc->hoc", columns, less_high, optimize=True))
    # <<<


# %%
imresize = problem.imresize.check(imresize)

# %% [markdown]
# Now on a photograph. One rounding or two: does it matter?

# %%
from skimage import data

photo = data.astronaut()[:256, 100:356]
small = imresize(photo, 1 / 2)

rows = resize_matrix(256, 1 / 2)
rounded_once = to_bytes(np.einsum("oh,hwc,pw->opc", rows, photo, rows, optimize=True))
changed = (rounded_once != small).mean()
print(f"{photo.shape} becomes {small.shape}")
print(f"rounded once instead of twice, {changed:.0%} of its bytes are others")

# %% [markdown]
# Nobody sees that. But it is the difference between *about the same* LR images and *the same* ones.
# Here is the proof on images that others made: Set5, one of the five test sets of Table 1, is
# published with its LR images. (`modcrop` cuts off the last rows and columns of an HR image whose
# sides cannot be divided by the scale.)

# %%
from glanet.data import catalog
from glanet.data.degradation import modcrop
from glanet.data.images import read_rgb

try:
    same = [
        np.array_equal(imresize(modcrop(read_rgb(hr), times), 1 / times), read_rgb(lr))
        for times in (2, 3, 4)
        for lr, hr in catalog.pairs("Set5", times)
    ]
    print(f"{sum(same)} of {len(same)} published LR images: the same to the last bit")
except catalog.DataError as missing:
    print("Nothing to compare with, and no harm: Set5 is not on this machine.", missing, sep="\n")

# %% [markdown]
# ## 5 · What the small image cannot see
#
# Back to the question of section 1, with the real matrix now. Take the photograph with half its
# contrast, so that every byte has room for 40 more or less.
#
# **Prediction.** Add 40 to every even row of it, and take 40 from every odd one. By how many grey
# levels does the LR image change at most, away from the upper and lower border? (Look at the row of
# weights in section 3 again.)

# %%
guess = ...

# %% tags=["nbval-check-output"]
calm = photo // 2 + 64  # 64..191
stripes = 40 * (1 - 2 * (np.arange(256) % 2))[:, None, None]
striped = (calm + stripes).astype(np.uint8)
change = np.abs(imresize(striped, 1 / 2).astype(int) - imresize(calm, 1 / 2))
print(
    reveal(
        guess,
        int(change[2:-2].max()),
        unit="grey levels",
        because="The weights at even places sum to (-3 + 29 + 111 - 9) / 256 = ½, those at odd places "
        "to ½ as well: +40 and -40 cancel, to the last bit.",
    )
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
# Only the outermost two rows of LR notice: there the mirror repeats a row, and breaks the stripes.

# %% tags=["nbval-check-output"]
print(np.flatnonzero(change.max(axis=(1, 2))))

# %% [markdown]
# Stripes are one direction of very many. Any photograph can be parted into what `rows` sees and what
# it does not. `np.linalg.pinv` (the *pseudo-inverse*) turns a matrix round as well as can be: among
# all columns with the same small column it takes the one with the least energy. So
# `pinv(rows) @ rows` keeps of a column what shrinking can see.

# %%
face = photo[square].astype(float)  # 48×48
rows = resize_matrix(48, 1 / 2)
keep = np.linalg.pinv(rows) @ rows  # (48, 48)

seen = np.einsum("ih,hwc,jw->ijc", keep, face, keep, optimize=True)
unseen = face - seen


def shrink(image):
    """Both passes without rounding: (48, 48, 3) -> (24, 24, 3)."""
    return np.einsum("oh,hwc,pw->opc", rows, image, rows, optimize=True)


print(f"largest value of what is unseen: {np.abs(unseen).max():.0f} grey levels")
print(f"largest value when it is shrunk: {np.abs(shrink(unseen)).max():.0e} grey levels")

# %% [markdown]
# What is unseen is not little, and it shrinks to nothing but the processor's rounding. So you may
# add it once, which is the photograph, or not at all, or turn it over and exaggerate it:

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
# Three large images above, one small image below, three times. The middle one has the least energy, and
# it is wrong; the right one is absurd, and *fits the LR image just as well*. A network that is asked
# for the left one gets no help from the LR image in choosing it.
#
# In the paper's Eq. 4, $I_{HR} = \Theta(F_s + F_d) + I_{CSR}$, the second summand is an ordinary
# enlargement of the LR image. All that LR does not say has to come out of the first, the network.
#
# Turn the amount yourself, and watch the two LR images stay the same.

# %%
from glanet.course.lessons.the_problem.widgets import explore_unseen

explore_unseen(seen, unseen, shrink)

# %% [markdown]
# ## 6 · Aliasing, or why the kernel is stretched
#
# What if an image is shrunk by simply keeping every second pixel? Stripes of one pixel, by hand:

# %% tags=["nbval-check-output"]
fence = np.array([0, 255] * 6)
print(fence[::2])
print(fence[1::2])
print(to_bytes(resize_matrix(12, 1 / 2) @ fence))

# %% [markdown]
# All black, or all white, depending on where one starts; with the stretched kernel grey, which is what
# black and white stripes are from far away (the border pixels differ: the mirror again).
#
# How fast an image changes is its *frequency*, in cycles per pixel. The fence has one cycle every two
# pixels: 0.5, and no pixels can show a faster one. This limit is called *Nyquist's*. An LR pixel
# is two HR pixels long, so on the HR axis LR ends at 0.25.
#
# **Prediction.** A wave with 0.4 cycles per HR pixel is too fast for LR. Every second pixel is kept.
# The pixels that remain show a wave nonetheless. How many cycles per *HR* pixel does it have?

# %%
guess = ...

# %% tags=["nbval-check-output"]
wave = np.cos(2 * np.pi * 0.4 * np.arange(100))
kept = wave[::2]
per_lr_pixel = np.fft.rfftfreq(50)[np.abs(np.fft.rfft(kept)).argmax()]
print(
    reveal(
        guess,
        float(per_lr_pixel) / 2,
        unit="cycles per HR pixel",
        because="0.4 lies 0.15 above the limit of 0.25, and comes out 0.15 below it: frequencies are "
        "folded back at the limit.",
    )
)

# %% [markdown]
# A wave that was never there: that is *aliasing*. Bicubic with the stretched kernel shows, instead,
# next to nothing.

# %%
from glanet.course.lessons.the_problem.figures import aliasing

aliasing(frequency=0.4, scale=2)

# %% [markdown]
# Move the frequency across the limit, 0.25 at scale 2. Above it, look at the blue waves of the
# upper panel. Where does the lower one begin to fade?

# %%
from glanet.course.lessons.the_problem.widgets import explore_aliasing

explore_aliasing()

# %% [markdown]
# In two dimensions: a *zone plate*, whose rings grow finer outwards until, at the middle of each
# border, they reach 0.5 cycles per pixel.

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
# The rings around the borders of the middle picture are aliases. They look as real as those in the
# centre. In the right picture, what LR cannot hold has mostly gone instead, and nothing false stands
# in its place.

# %% [markdown]
# ## 7 · The spectrum that is left
#
# The paper speaks of low and high frequencies throughout (§1), so you will need an instrument that
# shows them. An image is a sum of waves; `np.fft.fft2` says how much of each, and the squared
# amount is the *power*. With `norm="ortho"` nothing is lost or won:

# %% tags=["nbval-check-output"]
for row in ([3, 3, 3, 3], [3, -3, 3, -3], [3, 1, -1, 1]):
    power = np.abs(np.fft.fft(row, norm="ortho")) ** 2
    print(np.fft.fftfreq(4), power.round(6), "sum", power.sum().round(6), "=", np.square(row).sum())

# %% [markdown]
# Constant grey is all at frequency 0, the fence all at 0.5, and the third row is a mixture. A transform
# takes an image for one tile of an endless floor. Where left and right border do not match, there is
# an edge in that floor, and its frequencies are none of the image's. A *window* that fades the image
# out towards its borders takes the edge away:

# %% tags=["nbval-check-output"]
from glanet.course.lessons.the_problem.figures import hann

print(hann(8).round(3))

# %% [markdown]
# **Exercise 4 · A power spectrum that does not fool you** ★★☆, 15 minutes. `power_spectrum(image)` takes
# `(H, W, C)` and returns `(H, W)`:
#
# 1. subtract from each channel its mean: brightness is not what we look for;
# 2. multiply by the window, `hann(H)` along the height times `hann(W)` along the width, divided by the
#    square root of the mean of its square, so that it takes no power away on the whole;
# 3. transform each channel, `norm="ortho"`;
# 4. square the amounts (they are complex: `np.abs`), and average over the channels. No logarithm.
#
# <details><summary>Hint 1</summary>
#
# `image.mean(axis=(0, 1))` has one number for each channel and can be subtracted as it is.
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
# `np.fft.fft2` takes the last two axes, which are width and channels here. Tell it:
# `np.fft.fft2(..., axes=(0, 1), norm="ortho")`.
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
# An instrument is tried on something known first. Noise whose pixels know nothing of each other has
# the same power at every frequency: its variance. Here that is 4. `by_radius` averages over all
# directions.

# %%
from glanet.course.lessons.the_problem.figures import by_radius

noise = np.random.default_rng(0).normal(scale=2, size=(256, 256, 3))
frequency, power = by_radius(power_spectrum(noise), bins=8)
print(frequency.round(2))
print(power.round(2))

# %% [markdown]
# Now turn it on the photograph, on its LR image, and on two enlargements of that: bicubic, and the
# small network of notebook 00. All go on one axis, in cycles per *HR* pixel. On it, a frequency of
# LR counts half. And LR has a quarter of the pixels, so that the same wave has a quarter of the
# power in it: times 4.

# %%
from glanet import GLANet
from glanet.course.lessons.the_problem.figures import spectra
from glanet.inference import upscale

network = GLANet.from_pretrained("tiny-x2")
invented = upscale(network, small)
frequency, power = by_radius(power_spectrum(small))
curves = {
    "LR": (frequency / 2, power * 4),
    "original": by_radius(power_spectrum(photo)),
    "bicubic": by_radius(power_spectrum(imresize(small, 2))),
    "GLA-Net": by_radius(power_spectrum(invented)),
}
spectra(curves, nyquist=0.25)

# %% [markdown]
# Read it from left to right.
#
# - **Low frequencies**: all four lie upon each other. Nothing is lost, and nothing is to be done.
# - **Just below the mark**: LR sinks below the original. The kernel fades out before LR ends. This
#   part can be *repaired*, since LR still has it, only fainter.
# - **Above the mark** LR has no place. What bicubic shows there is left over by its kernel. What a
#   network puts there, it must *invent* from what it has learned.
#
# The curve of the network lies closer to the original's on both sides of the mark. That says how much
# power it puts there, and not yet whether in the right places. Measuring that is notebook 02.

# %% [markdown]
# ## What can go wrong
#
# Run this on purpose. PyTorch has a bicubic resize of its own, and its defaults are not MATLAB's: the
# kernel is not stretched, and has $a = -\frac34$.

# %%
import torch.nn.functional as F
from glanet.data.tensors import to_image, to_tensor

pytorch_small = to_image(F.interpolate(to_tensor(photo), scale_factor=1 / 2, mode="bicubic"))

# %% [markdown]
# **Prediction.** Enlarge this LR image with bicubic, and measure how close it comes to the photograph
# (in PSNR, as in notebook 00: more is closer). Will the number be `"higher"` or `"lower"` than with
# the right LR image? And what will the network's do?

# %%
guess = ...

# %%
from glanet.evaluation.metrics import psnr_y

falsified = upscale(network, pytorch_small)
enlarged = {
    "imresize": (imresize(small, 2), invented),
    "PyTorch": (imresize(pytorch_small, 2), falsified),
}
scores = {
    name: [psnr_y(image, photo, border=2) for image in images] for name, images in enlarged.items()
}
print("LR made by   bicubic   GLA-Net")
for name, (bicubic, gla_net) in scores.items():
    print(f"{name:11} {bicubic:6.2f} dB {gla_net:6.2f} dB")

# %%
print(
    reveal_choice(
        guess,
        "higher" if scores["PyTorch"][0] > scores["imresize"][0] else "lower",
        choices=("higher", "lower"),
        because="PyTorch's LR image keeps more of what is fine, true and false alike. It is the LR "
        "image of another problem, and the network, which was trained for this one, sharpens what "
        "is too sharp already.",
    )
)

# %% [markdown]
# This mistake gives no error. A method compared with bicubic on LR images of the wrong kind meets
# another rival than the one in the tables, and a network trained on one kind and used on the other
# does badly. You see it in the picture:

# %%
pictures(
    {
        "original": photo[square],
        "GLA-Net, LR by PyTorch": falsified[square],
        "GLA-Net, LR by imresize": invented[square],
    }
)

# %% [markdown]
# The right picture is the mended one. `antialias=True` mends PyTorch's most of the way and not all:
# it rounds and clips only once, and drops what lies outside the image instead of mirroring it.

# %%
nearly = to_image(
    F.interpolate(to_tensor(photo), scale_factor=1 / 2, mode="bicubic", antialias=True)
)
for name, lr in {"default": pytorch_small, "antialias=True": nearly}.items():
    off = np.abs(lr.astype(int) - small)
    print(f"{name:15} {(off > 0).mean():4.0%} of bytes differ, by {off.max()} at most")

# %% [markdown]
# **Half a pixel.** A second mistake hides in enlarging. With `align_corners=True` the *centres* of the
# outermost pixels are laid upon each other, instead of the outer edges of both images. A row of four
# whose values are their own positions says where each new pixel thinks it is:

# %% tags=["nbval-check-output"]
import torch

positions = torch.arange(4.0)[None, None]
for aligned in (True, False):
    where = F.interpolate(positions, scale_factor=2, mode="linear", align_corners=aligned)
    print(f"{aligned!s:5}", [round(value, 2) for value in where.flatten().tolist()])

# %% [markdown]
# The second row is right: ¼, ¾, 1¼, ... (outside the outermost centres the border pixel is repeated: 0
# stands for −¼). The first row's steps are too short. Its first pixel shows what lies at 0 and
# belongs at −¼, half an HR pixel away, and its last one errs as far the other way. What that costs,
# and the mending:

# %%
for aligned in (True, False):
    enlarged = F.interpolate(
        to_tensor(small), scale_factor=2, mode="bicubic", align_corners=aligned
    )
    print(f"align_corners={aligned!s:5} {psnr_y(to_image(enlarged), photo, border=2):.2f} dB")

# %% [markdown]
# In short:
#
# - **An LR image from the wrong library**: as above, bicubic looks too good and the network too bad.
#   Make LR images with `imresize`, or take the published ones.
# - **Rounded once, or half to even**: nobody sees it, and the files are not the published ones.
# - **Half a pixel off**: an offset in positions, or `align_corners=True`. A row of positions like the
#   one above shows it at once.
# - **Sides that cannot be divided by the scale**: HR has pixels that LR does not cover. `modcrop`
#   first.
# - **A photograph that nobody shrank**: from a camera or a web page it has been blurred, sharpened or
#   compressed in ways that `imresize` has not. What you learn here solves the problem of this
#   notebook and no other.

# %% [markdown]
# ## The same as the package's
#
# What you built is most of `glanet/data/degradation.py`. The package skips the zeros of the matrices
# and takes grey images too; the numbers have to be the same. The matrices agree but for the order of
# additions. The images agree to the last bit, at ×2, ×3 and ×4, down and up.

# %% tags=["nbval-check-output"]
from glanet.course.kit.sameness import same_function
from glanet.data import degradation

draw = np.random.default_rng(0)
factors = (1 / 2, 1 / 3, 1 / 4, 2, 3, 4)
distances = [(draw.uniform(-3, 3, (5, 7)),) for _ in range(4)]
axes = [(size, factor) for size in (5, 16, 37) for factor in factors]
images = [(draw.integers(0, 256, (37, 52, 3), dtype=np.uint8), factor) for factor in factors]

print(same_function(cubic_kernel, degradation.cubic_kernel, distances, tolerance=1e-12))
print(same_function(resize_matrix, degradation.resize_matrix, axes, tolerance=1e-12))
print(same_function(imresize, degradation.imresize, images))

# %% [markdown]
# Two more functions stand in that file. `modcrop` you have used. `imresize_tensor` is `shrink` of
# section 5 for a batch of PyTorch tensors: no rounding, so that gradients pass.

# %% [markdown]
# ## How far you are
#
# You have the problem: from `small` back to `photo`. Notebook 02 builds the yardstick for
# whoever claims to have solved it.

# %%
from glanet.course.report import report as progress_report

print(progress_report("the_problem"))
