# %% [markdown]
# # 00 · Start here
#
# | | |
# |---|---|
# | **You will** | check this machine, upscale a photograph with a GLA-Net, and measure how good the result is |
# | **It enables** | every later notebook: this is how they all work |
# | **Takes** | 1 minute, 2.5 GB of memory |
# | **Becomes** | nothing yet: you use the package; from 03 on you build it |
#
# A photograph with half its pixels per side has lost three quarters of its numbers.
# Super-resolution estimates the missing numbers. In this course you take apart one network that
# does this, and build it again: GLA-Net, the *global-local awareness network* from [Global-Local
# Awareness Network for Image Super-Resolution](https://panpinchi.github.io/GLA-Net/) (ICIP 2023).
# It uses two tools side by side: *attention*, which compares distant pixels, and *convolutions*,
# which look at close ones.
#
# Run the cells one after the other with <kbd>Shift</kbd>+<kbd>Enter</kbd>, or all of them with
# *Run → Run All Cells*.
#
# If a double click turns a hint or a text cell into its source, press
# <kbd>Shift</kbd>+<kbd>Enter</kbd> to get the text back.
#
# To work in copies that no update overwrites, run `glanet work` in a terminal and open the
# notebooks in `notebooks/my_work`.

# %% [markdown]
# ## 1 · At once: a photograph of yours
#
# The button takes a photograph, and `tiny-x2`, a small GLA-Net, doubles its sides. The link saves the
# result. The slider shows the square with most detail: left of the handle enlarged by bicubic
# interpolation, the method of most image programs, and right of it by the network. Until you choose a
# photograph, you see one of a rocket. The widget needs a running kernel; section 4 has a slider that
# needs none.

# %%
from glanet.course.lessons.start_here.widgets import EnlargeYours

EnlargeYours()

# %% [markdown]
# Your photograph goes to the kernel, on this machine if you started JupyterLab here, and nowhere else.
# For folders and large photographs, there is a command for a terminal: `glanet upscale photo.jpg`.

# %% [markdown]
# ## 2 · Is everything here?
#
# The doctor checks what the course needs. If something is missing, the line below it tells you
# what to do. A missing GPU is fine: you need none before notebook 12.

# %%
from glanet.course.kit.lines import short_lines
from glanet.doctor import examine, report

print(short_lines(report(examine()), hang=" " * 15))

# %% [markdown]
# ## 3 · A network and a photograph
#
# `tiny-x2` comes with the package. It is a small GLA-Net, trained to double the sides of an image.
# Its configuration holds its width (channels) and its depth (blocks and layers).

# %% tags=["nbval-check-output"]
from glanet import GLANet

model = GLANet.from_pretrained("tiny-x2")
config = model.config
print(
    f"{config.channels} channels, {config.blocks} blocks of {config.layers} layers, ×{config.scale}"
)

# %% [markdown]
# **Prediction.** How many numbers did training have to find? They are called the network's
# *parameters*. For comparison: one channel of a 3×3 convolution that reads 32 channels has 9 · 32 = 288
# weights. Put your guess in place of `...` and run both cells. Without a guess, the second one
# folds the answer: click on it to see it.

# %%
guess = ...

# %% tags=["nbval-check-output"]
from glanet.course.kit.predictions import reveal

parameters = sum(tensor.numel() for tensor in model.parameters())
reveal(
    guess,
    parameters,
    unit="parameters",
    because="The paper's network works the same way and has 18,142,847.",
)

# %% [markdown]
# Outside a network, an image is an array of bytes: rows, columns, and the three colours red, green
# and blue. This photograph is in the public domain and comes with scikit-image. Remember the
# marked square: you will look at it closely.

# %%
from skimage import data

from glanet.course.kit.photo import photograph

photo = data.rocket()
square = {"top": 346, "left": 560, "side": 80}
print(photo.shape, photo.dtype)
photograph(photo, **square)

# %% [markdown]
# Now enlarge it. One call is enough to *use* a GLA-Net:

# %% tags=["nbval-check-output"]
from glanet.inference import upscale

sr = upscale(model, photo)
sr.shape

# %% [markdown]
# ## 4 · What is it worth?
#
# Nobody knows what a camera with twice the pixels would have seen here. So do it the other way
# round: shrink a photograph, enlarge the result, and compare it with the original. The shrunken
# image is called LR (low resolution), the original HR (high resolution). `imresize` is
# bicubic interpolation. Here it shrinks the photograph, and it is also
# the rival in enlarging. (`modcrop` cuts off the last row, so that both sides can be halved.)

# %%
from glanet.data.degradation import imresize, modcrop

photo = modcrop(photo, 2)
lr = imresize(photo, 1 / 2)
enlargements = {
    "bicubic": imresize(lr, 2),
    "GLA-Net, tiny-x2": upscale(model, lr),
}

# %% [markdown]
# Look at the square first. Each pixel of the LR image that both enlargements start from stands for
# four pixels of the original.

# %%
from glanet.course.kit.photo import details

details({"original": photo, **enlargements}, **square)

# %% [markdown]
# The two enlargements on top of each other: drag the handle, or click on it and press the arrow keys.

# %%
from glanet.course.kit.photo import before_after

before_after(enlargements, **square)

# %% [markdown]
# Then measure. *PSNR*, the peak signal-to-noise ratio, measures in decibels (dB) how close an
# image comes to the original. Higher is better, and 3 dB more means half the squared error.
# Notebook 02 shows how PSNR is measured, and why the details matter.

# %%
from glanet.evaluation.metrics import psnr_y

for name, image in enlargements.items():
    print(f"{name:18} {psnr_y(image, photo, border=2):.2f} dB")

# %% [markdown]
# **Exercise 1 · A rival of your own** ★☆☆, 5 minutes. The simplest way to enlarge an image shows
# each pixel several times. Write it: `nearest(image, scale)` takes a uint8 array `(H, W, 3)` and
# returns `(scale·H, scale·W, 3)`. Put your lines in place of `...`, run the cell, and then run the
# check below it.
#
# <details><summary>Hint 1</summary>
#
# A numpy array has a method `repeat`. It works along one axis at a time.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `image.repeat(scale, axis=0)` repeats every row `scale` times. Then do the same for the columns.
#
# </details>


# %%
def nearest(image, scale):
    """Repeat each pixel scale times along both sides: (H, W, 3) -> (scale·H, scale·W, 3)."""
    # >>>
    return image.repeat(scale, axis=0).repeat(scale, axis=1)
    # <<<


# %%
from glanet.course.lessons.start_here import exercises as start

nearest = start.nearest.check(nearest)

# %% [markdown]
# A check calls your function on random images. If your function is wrong, the check tells you what
# is wrong. If you skipped it, nothing breaks: the check returns the package's function, and the
# notebook goes on with that one.

# %%
rival = nearest(lr, 2)
print(f"{'nearest':18} {psnr_y(rival, photo, border=2):.2f} dB")

# %% [markdown]
# Here are the same three images again, and you choose where to look: the sliders start at the
# rocket. They need a running kernel. Without one, look at the figure above: it shows the same
# images in the marked square.

# %%
from glanet.course.kit.photo import explore_details

explore_details({"original": photo, **enlargements}, top=300, left=290, side=80)

# %% [markdown]
# ## 5 · How the course works
#
# **Three profiles.** Some cells in later notebooks train a network. The environment variable
# `GLANET_PROFILE` sets how long: `smoke` takes seconds and shows only that the code runs, `learn`
# fits a laptop, `full` wants a GPU. Set it before you start a notebook's kernel.

# %%
from glanet.course.kit.profile import PROFILES, profile

for name, meaning in PROFILES.items():
    print(f"{'→' if name == profile() else ' '} {name:6} {meaning}")

# %% [markdown]
# **Predictions**, like the one above, ask you before they show the answer. Make a guess, even a
# wild one: then you have something to compare with the answer. Without a guess, the answer stays
# folded until you click on it.
#
# **Exercises** have hints and a solution folded below them. Their stars show how hard they are.
# You can skip both predictions and exercises: *Run All Cells* always reaches the end.
#
# **Your own copies.** You can work in these notebooks directly. If you would rather keep the
# originals unchanged, run `glanet work` in a terminal. It copies all of them to
# `notebooks/my_work`. Updates of the course never write to that folder.
#
# **The map.** Each notebook builds one part of the package and looks at what it does.
#
# | notebook | builds | shows |
# |---|---|---|
# | 00 start here | – | your machine, your first upscaled photograph |
# | 01 the problem | degradation | what a low-resolution image has lost |
# | 02 the yardstick | metrics | PSNR and SSIM (structural similarity) as the papers measure them |
# | 03 shallow features | Eq. 1 | the first convolution, and a stub of the network that trains |
# | 04 Inception | Eq. 3 | convolutions as filters; what max-pooling does |
# | 05 window attention | W-MSA | window-based multi-head self-attention, from toy numbers to position bias |
# | 06 shifted windows | SW-MSA | shifted-window multi-head self-attention: the roll and the mask, checked by brute force |
# | 07 the GLA layer | Fig. 2b | both tools combined, and which one the layer listens to |
# | 08 dense blocks | Eq. 2 | what dense connections do to gradients |
# | 09 the whole network | Eq. 4, 5 | where its 18,142,847 parameters are |
# | 10 frequency lab | – | which frequencies the branches carry |
# | 11 training in miniature | training | a network that you train on a laptop |
# | 12 full training | – | the paper's recipe, in a process that survives the notebook |
# | 13 evaluation | – | the paper's tables, with your weights in them |
# | 14 speed | – | what limits a network on your machine |
# | 15 the rivals | rivals | what each network of Table 1 looks at, and what that costs |
# | 16 your own layer | – | your change to the layer, judged against chance |

# %% [markdown]
# ## What can go wrong
#
# - **`ModuleNotFoundError: No module named 'glanet'`**: the notebook does not run in the course's
#   Python. Choose *Kernel → Change Kernel* and take the one that the doctor names, or start
#   JupyterLab with `make lab`.
# - **The enlarged photograph looks no sharper.** The network learned from small images that
#   `imresize` made. A photograph that is blurred, noisy or full of JPEG blocks is a different
#   problem: the network enlarges the blur and the blocks faithfully.
# - **The kernel dies.** The whole image went through the network at once, and memory ran out. Call
#   `upscale(model, photo, tile=512)`: it works through the image in tiles.

# %% [markdown]
# ## How far you are
#
# Every notebook ends with this cell. It shows which of its exercises you have solved. A small file
# in your home folder records them, and `glanet progress` in a terminal shows the whole course.

# %%
from glanet.course.report import report as progress_report

print(progress_report("start_here"))
