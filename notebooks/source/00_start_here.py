# %% [markdown]
# # 00 · Start here
#
# | | |
# |---|---|
# | **You will** | check this machine, upscale a photograph with a GLA-Net, and see what it is worth |
# | **It enables** | every later notebook: this is how they all work |
# | **Takes** | 1 minute, 2.5 GB of memory |
# | **Becomes** | nothing yet: you use the package; from 03 on you build it |
#
# A photograph with half its pixels per side has lost three quarters of its numbers.
# Super-resolution guesses them back. The network that you will take apart and build again in this
# course, GLA-Net, guesses with two tools side by side: *attention*, which compares distant pixels,
# and *convolutions*, which look at close ones.
#
# Run the cells one after the other with <kbd>Shift</kbd>+<kbd>Enter</kbd>, or all of them with
# *Run → Run All Cells*.

# %% [markdown]
# ## 1 · Is everything here?
#
# The doctor looks at what the course needs. Where something is missing, the line below it says what
# to do. A missing GPU is fine: you need none before notebook 12.

# %%
from glanet.doctor import examine, report

print(report(examine()))

# %% [markdown]
# ## 2 · A network and a photograph
#
# `tiny-x2` came with the package: a small GLA-Net, trained to double the sides of an image. How wide
# and how deep it is stands in its configuration.

# %% tags=["nbval-check-output"]
from glanet import GLANet

network = GLANet.from_pretrained("tiny-x2")
config = network.config
print(
    f"{config.channels} channels, {config.blocks} blocks of {config.layers} layers, ×{config.scale}"
)

# %% [markdown]
# **Prediction.** How many numbers did training have to find, the network's *parameters*? One channel
# of a 3×3 convolution that reads 32 channels has 9 · 32 = 288. Put your guess in place of `...`, or
# leave it and be told.

# %%
guess = ...

# %% tags=["nbval-check-output"]
from glanet.course.kit.predictions import reveal

parameters = sum(tensor.numel() for tensor in network.parameters())
print(
    reveal(
        guess,
        parameters,
        unit="parameters",
        because="The paper's network has 18,142,847; the idea is the same.",
    )
)

# %% [markdown]
# Outside a network, an image is an array of bytes: rows, columns, and red, green and blue. This one
# is free of rights and comes with scikit-image. Keep an eye on the marked square.

# %%
from skimage import data

from glanet.course.kit.photo import photograph

photo = data.rocket()
square = {"top": 346, "left": 560, "side": 80}
print(photo.shape, photo.dtype)
photograph(photo, **square)

# %% [markdown]
# Now enlarge it. This is all there is to *using* a GLA-Net:

# %% tags=["nbval-check-output"]
from glanet.inference import upscale

enlarged = upscale(network, photo)
enlarged.shape

# %% [markdown]
# ## 3 · What is it worth?
#
# Nobody knows what a camera with twice the pixels would have seen here. So turn the question round:
# shrink a photograph, enlarge the small one, and compare with the original. `imresize` is *bicubic*
# interpolation, what image programs do; it shrinks for you, and it is also the rival. (`modcrop` cuts
# off the last row, so that both sides can be halved.)

# %%
from glanet.data.degradation import imresize, modcrop

photo = modcrop(photo, 2)
small = imresize(photo, 1 / 2)
enlargements = {
    "bicubic": imresize(small, 2),
    "GLA-Net, tiny-x2": upscale(network, small),
}

# %% [markdown]
# Look at the square first. The original has four pixels for every one that the other two were made of.

# %%
from glanet.course.kit.photo import details

details({"original": photo, **enlargements}, **square)

# %% [markdown]
# Then measure. *PSNR* says in decibels how close an image comes to the original: more is better, and
# 3 dB more means half the squared error. Notebook 02 is about how it is measured, and why that matters.

# %%
from glanet.evaluation.metrics import psnr_y

for name, image in enlargements.items():
    print(f"{name:18} {psnr_y(image, photo, border=2):.2f} dB")

# %% [markdown]
# **Exercise 1 · A rival of your own** ★☆☆, 5 minutes. The simplest enlargement of all shows each pixel
# several times. Write it: `nearest(image, scale)` takes a uint8 array `(H, W, 3)` and returns
# `(scale·H, scale·W, 3)`. Put your lines in place of `...`, run the cell, and then the check below it.
#
# <details><summary>Hint 1</summary>
#
# A numpy array has a method `repeat`, and it works along one axis at a time.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `image.repeat(scale, axis=0)` has every row `scale` times. The columns are still to do.
#
# </details>


# %%
def nearest(image, scale):
    """Each pixel scale times along both sides: (H, W, 3) -> (scale·H, scale·W, 3)."""
    # >>>
    return image.repeat(scale, axis=0).repeat(scale, axis=1)
    # <<<


# %%
from glanet.course.lessons.start_here import exercises as start

nearest = start.nearest.check(nearest)

# %% [markdown]
# A check calls your function on images drawn by chance. If it is not right, it says what is wrong. If it
# is not there, nothing breaks: the check hands back a function of its own, and the notebook goes on.

# %%
rival = nearest(small, 2)
print(f"{'nearest':18} {psnr_y(rival, photo, border=2):.2f} dB")

# %% [markdown]
# The same three images, and you choose where to look. The sliders need a running kernel; without one,
# the figure above shows the same.

# %%
from glanet.course.kit.photo import explore_details

explore_details({"original": photo, **enlargements}, **square)

# %% [markdown]
# ## 4 · Your own photograph
#
# Put a path here, and run the cell. From a terminal, `glanet upscale photo.jpg larger.png` does the
# same. Very large photographs are better left to that command: it works in tiles.

# %%
my_photo = None  # for example "holiday.jpg", beside this notebook

if my_photo is not None:
    from glanet.data.images import read_rgb, write_image

    mine = read_rgb(my_photo)
    write_image("larger.png", upscale(network, mine))
    print(f"larger.png: twice {mine.shape[1]} × {mine.shape[0]} pixels")

# %% [markdown]
# ## 5 · How the course works
#
# **Three profiles.** Some cells, in later notebooks, train. How long is up to the environment variable
# `GLANET_PROFILE`: `smoke` takes seconds and shows only that the code runs, `learn` fits a laptop,
# `full` wants a GPU. It is read when a notebook's kernel starts.

# %%
from glanet.course.kit.profile import PROFILES, profile

for name, meaning in PROFILES.items():
    print(f"{'→' if name == profile() else ' '} {name:6} {meaning}")

# %% [markdown]
# **Predictions**, like the one above, ask before they tell. Guess, even wildly: then you have
# something to hold against the answer.
#
# **Exercises** have hints and a solution folded below them. Their stars say how hard they are. Predictions
# and exercises can both be skipped: *Run All Cells* always reaches the end.
#
# **Your own copies.** You can work in these notebooks as they lie here. If you would rather keep them
# as they came, `glanet work` in a terminal copies all of them to `notebooks/my_work`, and no later
# version of the course ever writes there.
#
# **The map.** Each notebook builds one room of the package and looks at what it does.
#
# | notebook | builds | shows |
# |---|---|---|
# | 00 start here | – | your machine, your first upscaled photograph |
# | 01 the problem | degradation | what a small image has lost |
# | 02 the yardstick | metrics | PSNR and SSIM as the papers measure them |
# | 03 shallow features | Eq. 1 | the first convolution, and a stub of the network that trains |
# | 04 inception | Eq. 3 | convolutions as filters; what max-pooling does |
# | 05 window attention | W-MSA | attention with toy numbers, windows, heads, position bias |
# | 06 shifted windows | SW-MSA | roll and mask, proved right |
# | 07 the GLA layer | Fig. 2b | both tools fused, and which one the layer listens to |
# | 08 dense blocks | Eq. 2 | what dense connections do to gradients |
# | 09 the whole network | Eq. 4, 5 | every one of 18,142,847 parameters |
# | 10 frequency lab | – | which frequencies the branches carry |
# | 11 training in miniature | training | a network that you train here |
# | 12 full training | – | the paper's recipe on a GPU |
# | 13 evaluation | – | the paper's tables |
# | 14 speed | the fast path | where the time goes |
#
# Notebooks that are not in this folder yet are still being written.

# %% [markdown]
# ## What can go wrong
#
# - **`ModuleNotFoundError: No module named 'glanet'`**: the notebook runs in another Python than the
#   course's. *Kernel → Change Kernel*, and choose the one that the doctor names; or start Lab with
#   `make lab`.
# - **The enlarged photograph looks no sharper.** The network learned from small images made by
#   `imresize`. A photograph that is blurred, noisy or full of JPEG blocks is another problem: the
#   network enlarges the blur and the blocks faithfully.
# - **The kernel dies.** The whole image went through the network at once and memory ran out. Give
#   `upscale(network, photo, tile=512)`: it then works through the image in tiles.

# %% [markdown]
# ## How far you are
#
# Every notebook ends with this cell. What its checks found right is kept in a small file in your own
# folder; `glanet progress` in a terminal shows the whole course.

# %%
from glanet.course.report import report as progress_report

print(progress_report("start_here"))
