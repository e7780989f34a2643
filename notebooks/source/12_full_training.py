# %% [markdown]
# # 12 · Full training
#
# | | |
# |---|---|
# | **You will** | train by the recipe of the paper ([Global-Local Awareness Network for Image Super-Resolution](https://panpinchi.github.io/GLA-Net/), ICIP 2023) on whatever this machine has, in a process that survives the notebook; kill that process, and resume it |
# | **It enables** | your own weights, for 13, the paper's tables |
# | **Takes** | 8 minutes, 3 GB of memory; about 60 minutes to work through |
# | **Becomes** | `glanet/training/launch.py`, `follow.py`, `requirements.py`; `glanet/data/patches.py` |
#
# Notebook 11 trained a small network while you watched. The paper's network has 18 million weights
# and trains for 500,000 steps. On one H100, a fast GPU, this package trained its first 800 steps: at
# 143 images per second and with 22 GB of GPU memory. At that speed all steps take 31 hours, and
# nobody keeps a browser open for so long. So this notebook is about what *surrounds* the loop: memory
# and disk, several devices, and a process that continues without you.
#
# The cells are the same on every machine. The profile, `GLANET_PROFILE`, sets how much they do: in
# `learn` you train a small network for a few minutes; in `full`, on a machine with GPUs, you train
# the paper's network.

# %% [markdown]
# ## 1 · What is trained
#
# The next cell holds all choices. Edit it, or set the environment variables that it reads before
# the kernel starts. On a machine without a browser, use the variables.

# %%
import os

from glanet.course.kit.profile import by_profile, profile

preset = os.environ.get("GLANET_TRAIN_PRESET") or by_profile(
    smoke="tiny", learn="tiny", full="paper"
)
scale = int(os.environ.get("GLANET_TRAIN_SCALE") or 2)
network = os.environ.get("GLANET_TRAIN_NETWORK") or "gla-net"  # one of `glanet networks`
wanted = os.environ.get("GLANET_TRAIN_DATA", "")  # such as "T91,BSDS200"; if empty, see below
steps = os.environ.get("GLANET_TRAIN_STEPS", "")  # if empty, as in the recipe
print(
    f"profile {profile()}: {network}, {preset}, ×{scale}, {steps or 'the default number of'} steps"
)

# %% [markdown]
# The paper's recipe (§2.4) is the default of `Recipe`. What the paper leaves open follows
# SwinIR, on which it builds.

# %% tags=["nbval-check-output"]
from glanet.training import Recipe

paper = Recipe.preset("paper")
for name in ("data", "steps", "batch", "patch", "learning_rate", "schedule", "milestones"):
    print(f"{name:14} {getattr(paper, name)}")

# %% [markdown]
# **Prediction.** The milestones are fractions of all steps. At each milestone the learning rate is
# halved. What is the learning rate at step 460,000?

# %%
guess = ...

# %% tags=["nbval-check-output"]
from glanet.course.kit.predictions import reveal
from glanet.training.schedule import learning_rate

reveal(
    guess,
    learning_rate(paper, 460_000),
    unit="at that step",
    because="It has passed the milestones 250,000, 400,000 and 450,000: 1e-4 / 2 / 2 / 2.",
)

# %%
from glanet.course.lessons.training_in_miniature.figures import schedules

moments = range(0, paper.steps, 1000)
schedules({"the paper's": (moments, [learning_rate(paper, step) for step in moments])})

# %% [markdown]
# ## 2 · Memory and disk
#
# The paper trains on DIV2K (§3): 800 photographs, each 2040 pixels wide or high. If every step
# decoded PNG files, the GPU would wait for them. So all images, low-resolution (LR) and
# high-resolution (HR), are decoded *once* and kept in memory as bytes.
#
# By hand: take an image of 4 × 6 pixels, for ×2. LR has 2 × 3 = 6 pixels, HR has 24, and a pixel
# has three bytes: 30 · 3 = 90 bytes. An image of 5 × 7 first loses its last row and column, so it
# also takes 90 bytes.
#
# **Exercise 1 · Memory for decoded images** ★☆☆, 5 minutes. `sizes` lists (height, width) of each
# HR image.
#
# <details><summary>Hint 1</summary>
#
# Count LR pixels first: `height // scale` rows, `width // scale` columns.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Each LR pixel comes with `scale**2` HR pixels, which makes `1 + scale**2` pixels together.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Take `sum((height // scale) * (width // scale) for height, width in sizes)`. Multiply it by the
# number from hint 2 and by the bytes of a pixel.
#
# </details>


# %%
def decoded_bytes(sizes, scale):
    """Bytes of all images as pixels, LR and HR, one byte per colour: an int."""
    # >>>
    lr_pixels = sum((height // scale) * (width // scale) for height, width in sizes)
    return 3 * lr_pixels * (1 + scale**2)
    # <<<


# %%
from glanet.course.lessons.full_training import exercises

decoded_bytes = exercises.decoded_bytes.check(decoded_bytes)

# %% [markdown]
# **Prediction.** DIV2K's training images come as an archive of 3.5 GB. No image is larger than
# 2040 × 2040. How many GB do they take at most when decoded, for ×2?

# %%
guess = ...

# %% tags=["nbval-check-output"]
most = decoded_bytes(800 * [(2040, 2040)], scale=2)
reveal(
    guess,
    round(most / 1e9, 1),
    unit="GB",
    because="PNG compresses. Most of these photographs are not square, so it will be less.",
)

# %% [markdown]
# Before hours of downloading and training, check that everything fits. `requirements` checks this
# machine; it uses `needs`, which is pure arithmetic. Where something is short, the line says what
# helps. Without a GPU, half of the free memory stays reserved for the network, so the line asks for
# twice the bytes of the pixels. Only memory can be short without stopping the run: the pixels are then read
# from a file.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

from glanet.course.kit.lines import short_lines
from glanet import networks
from glanet.course.kit.paths import RUNS
from glanet.training import follow, launch, requirements

temporary = TemporaryDirectory(ignore_cleanup_errors=True)  # gone when the kernel ends

large = networks.find(network).config.preset("paper", scale)
for need in requirements.requirements(large, paper, RUNS / "paper"):
    print(short_lines(need, hang="  "))

# %% [markdown]
# A GPU has memory of its own, and the training needs most of it for the layers' outputs, which wait for
# the backward pass. That is proportional to the batch and to the area of a patch. Where there is a GPU,
# `requirements` counts it: it carries out a step on tensors without values, and adds up their bytes.
# Here is what was measured, for GLA-Net at ×2:

# %%
import torch

from glanet.course.kit.paths import results

entry = results("paper-run")
if entry is None:
    print("This copy has no measured run of the paper's network.")
elif torch.cuda.is_available():
    free, _ = torch.cuda.mem_get_info()
    remedy = "choose a smaller batch, or a smaller preset"
    measured = int(entry["memory_gb"] * 1e9)
    print(requirements.Need("GPU memory, a batch of 32", measured, free, remedy))
else:
    print(f"no GPU here; measured: {entry['memory_gb']:.0f} GB on {entry['trained_on']}")

# %% [markdown]
# Which images are available for *this* run? In the full profile the cell downloads DIV2K if it is
# not here yet. If the download fails, it uses the 291 images that small networks are trained on;
# without those, scikit-image's photographs. The validation images must be different ones: Set5, or
# two held-out photographs.

# %%
from glanet.course.kit import practice
from glanet.data import catalog
from glanet.data.catalog import DataError


def at_hand(sets):
    """Whether all these sets are here; in the full profile, missing ones are downloaded."""
    try:
        for name in sets:
            catalog.get(name) if profile() == "full" else catalog.hr_images(name)
    except DataError as error:
        print(f"· {error}")
        return False
    return True


choices = by_profile(smoke=(), learn=(catalog.THE_291,), full=(("DIV2K",), catalog.THE_291))
if wanted:
    data = tuple(wanted.split(","))
else:
    files = practice.training_images()[: by_profile(smoke=4, learn=None, full=None)]
    data = next((sets for sets in choices if at_hand(sets)), tuple(map(str, files)))
if profile() != "smoke" and at_hand(("Set5",)):
    validation = ("Set5",)
else:
    files = practice.held_out_images()[by_profile(smoke=-1, learn=0, full=0) :]
    validation = tuple(map(str, files))
for what, names in {"trained": data, "measured": validation}.items():
    print(f"{what} on {', '.join(Path(name).stem for name in names)}")

# %% [markdown]
# ## 3 · One batch, several devices
#
# The paper's batch has 32 patches. Two GPUs take 16 each. There is one *process* for each GPU.
# Every process computes the gradient of its share, and before Adam takes its step, the processes
# *average* their gradients. Processes are numbered from 0. The number of a process is its *rank*,
# and the number of processes is the *world*.
#
# Why is this the same training? The loss is a mean over the batch. Try it: compute the gradient of
# a whole batch, and the mean of the gradients of its two halves.

# %%
import torch.nn.functional as F

from contextlib import redirect_stderr
from io import StringIO

from glanet import GLANet, ModelConfig
from glanet.data.patches import PatchStore

small = ModelConfig(channels=8, blocks=1, layers=2, heads=2, window=4, light_head=True)
two = [path for path in catalog.hr_images("photos") if path.stem in ("astronaut", "coffee")]
with redirect_stderr(StringIO()):  # hide the progress bar
    store = PatchStore.from_images(two, scale=2, patch=16)

torch.manual_seed(0)
model = GLANet(small).double().eval()  # float64 makes rounding negligible


def gradient(lr, hr):
    """The gradient of the loss of a batch, as one vector over all weights."""
    loss = F.l1_loss(model(lr.double()), hr.double())
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))])


lr, hr = store.batch(seed=0, step=7, size=8)
whole = gradient(lr, hr)
halves = [gradient(lr[:4], hr[:4]), gradient(lr[4:], hr[4:])]
mean = sum(halves) / 2
print(f"largest entry {whole.abs().max():.3f}, largest difference {(whole - mean).abs().max():.0e}")

# %% [markdown]
# They are equal up to rounding, *if* the shares are equally large and together make up the batch.
# Which process takes which patches? The patches are numbered in the order of the batch, and the
# shares are consecutive: of 8 patches, rank 0 of 2 takes 0, 1, 2, 3, and rank 1 takes 4, 5, 6, 7.
#
# **Exercise 2 · A share** ★☆☆, 5 minutes. Return the numbers of the patches that a process takes,
# as a list. `batch` is a multiple of `world`.
#
# <details><summary>Hint 1</summary>
#
# Each process takes `batch // world` patches.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Rank 0 starts with patch 0, and each next rank starts where the previous one ended: `rank * each`.
# `range(start, end)` leaves out `end`.
#
# </details>


# %%
def share(batch, rank, world):
    """The numbers of the patches that process `rank` of `world` takes: a list of ints."""
    # >>>
    each = batch // world
    return list(range(rank * each, (rank + 1) * each))
    # <<<


# %%
share = exercises.share.check(share)

# %%
from glanet.course.lessons.full_training.figures import shares

print([share(8, rank, world=2) for rank in range(2)])
shares(lr, world=2)

# %% [markdown]
# As in notebook 11, the patches depend on `(seed, step)` alone, not on rank or world. So a run may
# resume with another number of GPUs, and it sees the same patches. Move the step slider: the
# patches change. Change the number of processes: only the frames change. (Without a kernel, the
# figure above shows the same.)

# %%
from glanet.course.lessons.full_training.widgets import explore_shares

explore_shares(store)

# %% [markdown]
# The batch stays the same, so the learning rate stays the same too: four GPUs run the same 500,000
# steps, and each step is faster.

# %% [markdown]
# ## 4 · A process that outlives the notebook
#
# Three things can end a cell that trains for days: the browser closes, the kernel restarts, or the
# terminal that started Jupyter is closed. So the training does not run in a cell. It is a separate
# program, and it shares only a folder with the notebook.
#
# ![Browser and kernel may end; the training process has a session of its own, writes into the run's folder, and the kernel reads there](figures/12_detached.svg)
#
# When a terminal or a kernel ends, all processes of its *session* receive a signal that ends them.
# A program that must continue needs its own session. It cannot print into a cell either, because
# the cell may be gone: its output, including errors, goes to a file.
#
# **Exercise 3 · Start** ★★★, 15 minutes. `start(command, output)` starts a program without waiting
# for it, and returns its process number, the *pid*. `command` is a list such as `["sleep", "5"]`.
# `output` is the path of the file. The file may already hold the output of an earlier process,
# which must stay.
#
# <details><summary>Hint 1</summary>
#
# `subprocess.Popen(command)` starts a program without waiting; `subprocess.run` waits. The object
# that Popen returns has an attribute `pid`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Popen takes `stdout=file`, where `file` is open for writing. `stderr=subprocess.STDOUT` sends
# errors to the same place. `Path(output).open("ab")` opens the file to append to it.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `start_new_session=True` gives the program its own session.
#
# </details>

# %%
import subprocess


def start(command, output):
    """Start a program that outlives this one, append its output to a file, return its pid."""
    # >>>
    with Path(output).open("ab") as file:
        process = subprocess.Popen(
            command,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return process.pid
    # <<<


# %%
start = exercises.start.check(start)

# %% [markdown]
# Try yours. Sessions have numbers too: the session of the child is not the session of the kernel.

# %%
import sys
import time

said = Path(temporary.name) / "said.txt"
pid = start([sys.executable, "-c", "import time; print('hello'); time.sleep(1)"], said)
if hasattr(os, "getsid"):  # not on Windows
    print("sessions differ:", os.getsid(pid) != os.getsid(0))
while not said.read_text():
    time.sleep(0.05)
print(said.read_text())

# %% [markdown]
# The package's `launch.detach` starts the training in this way, and records the pid. In that
# process, accelerate's `notebook_launcher` starts one process for each GPU. With one GPU or none,
# it just calls `train`.

# %% [markdown]
# ## 5 · How long?
#
# The training writes an entry to its log every 50 steps. Among other things, an entry holds its
# `step` and the `seconds` of training up to that step:

# %%
log = [
    {"step": 50, "seconds": 40.0},
    {"step": 100, "seconds": 60.0},
    {"step": 150, "seconds": 80.0},
]

# %% [markdown]
# The first 50 steps took 40 s, and the next 50 only 20 s. That is usual: caches fill, memory is
# allocated, kernels are selected. So leave out the steps of the first entry. The 100 steps from 50
# to 150 took 40 s, which is 0.4 s per step. To step 1150 there are 1000 steps left, so 400 s.
#
# **Exercise 4 · Seconds left** ★★☆, 8 minutes. `entries` has two entries or more. Use the recent
# pace: from the entry 20 before the last to the last. If there are fewer entries, use the first and
# the last.
#
# <details><summary>Hint 1</summary>
#
# `entries[-21:]` are the last 21 entries, or all entries if there are fewer.
#
# </details>
# <details><summary>Hint 2</summary>
#
# With `first` and `last` of those, the pace is the difference in seconds divided by the difference
# in steps.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Multiply by `steps - last["step"]`.
#
# </details>


# %%
def seconds_left(entries, steps):
    """Seconds of training from the last entry to `steps`, at the recent pace."""
    # >>>
    first, last = entries[-21:][0], entries[-1]
    pace = (last["seconds"] - first["seconds"]) / (last["step"] - first["step"])
    return pace * (steps - last["step"])
    # <<<


# %%
seconds_left = exercises.seconds_left.check(seconds_left)

# %%
print(
    follow.duration(seconds_left(log, steps=1150)),
    "·",
    follow.duration(seconds_left(log, steps=500_000)),
)

# %% [markdown]
# ## 6 · The run
#
# A run needs a config, a recipe and a folder. In the full profile nothing in the preset changes.
# The folder has a fixed place, so that a restarted kernel finds it again. In the learn profile its
# name contains a short digest of the config and the recipe, so that a different run gets a
# different folder.

# %%
import zlib

changes = by_profile(
    smoke={"steps": 4, "batch": 2, "patch": 8, "warm_up": 0, "validate_every": 2, "save_every": 2},
    learn={"steps": 300, "warm_up": 50, "average": 0.99, "validate_every": 100, "save_every": 50},
    full={},
)
if steps:
    changes["steps"] = int(steps)
config = networks.find(network).config.preset(preset, scale)
recipe = Recipe.preset(preset, data=data, validation=validation, **changes)
settings = zlib.crc32(repr((config, recipe)).encode())
name = preset if network == "gla-net" else f"{network}-{preset}"
run = by_profile(
    smoke=Path(temporary.name) / "run",
    learn=RUNS / f"notebook-12-{settings:08x}",
    full=RUNS / f"{name}-x{scale}{f'-{steps}-steps' if steps else ''}",
)
print(run.name)
if follow.status(run).state == follow.NEW:
    for need in requirements.requirements(config, recipe, run):
        print(short_lines(need, hang="  "))
        assert not need.lacking or "memory" in need.what, "free the space first, see the line above"

# %% [markdown]
# Now start it. `ensure` starts the process, *unless* this run is already running or finished. So
# you may run this cell at any time, even tomorrow after a restart of the kernel: it never starts a
# run twice, and nothing is lost.

# %%
print(launch.ensure(config, recipe, run))

# %% [markdown]
# Watch it. The plot grows as entries arrive. The remaining time is printed for the first time after
# 100 steps, and about twenty times in all.
#
# - **Jupyter's stop button** ends the watching, and the training goes on. Run the cell again to
#   watch again.
# - **The browser closes, or the kernel restarts**: the training goes on. Run the cells above, then
#   this one.
# - **The machine restarts**: the training is gone, but its checkpoints remain. The cell above
#   resumes from the last one.
# - **You want to end it**: `follow.stop(run)` lets it save first. From a terminal, send a plain
#   `kill` to the pid in `process.json`.

# %%
from glanet.course.lessons.training_in_miniature.widgets import LivePlot

plot = LivePlot()
plot

# %%
progress = follow.watch(run, plot)
plot.draw()  # include the last entry

# %% [markdown]
# For readers without a kernel, here is the same plot, drawn once from the log.

# %%
from glanet.course.lessons.training_in_miniature.figures import curve
from glanet.training.log import read_log

curve(read_log(run / "log.jsonl"))

# %% [markdown]
# At its end the training left `weights/` in the run's folder: the averaged weights, their config,
# and a *model card* that says where they come from. `glanet.weights.load`,
# `glanet upscale --weights` and notebook 13 accept that folder.

# %%
from IPython.display import display

from glanet.course.kit.photo import details
from glanet.data.degradation import imresize, modcrop
from glanet.data.images import read_rgb
from glanet.evaluation.metrics import psnr_y
from glanet.inference import upscale
from glanet.weights import load

if progress.state == follow.FINISHED:
    card = (run / "weights" / "README.md").read_text(encoding="utf-8")
    print(short_lines(card[card.index("# ") : card.index("The weights are")]))
    trained = load(run / "weights")
    photo = modcrop(read_rgb(practice.held_out_images()[-1]), scale)
    lr = imresize(photo, 1 / scale)
    found = {"bicubic": imresize(lr, scale), "trained here": upscale(trained, lr)}
    for name, image in found.items():
        print(f"{name:13} {psnr_y(image, photo, border=scale):.2f} dB")
    top, left = photo.shape[0] // 4, photo.shape[1] // 4
    display(details({"original": photo, **found}, top=top, left=left, side=64))
else:
    print(short_lines(progress))

# %% [markdown]
# To train from the start again in the learn profile, move the folder away, or give `run` another
# name.

# %% [markdown]
# ## 7 · Kill it
#
# `kill -9` ends a process at once, without letting it save, like a power failure. Take a small run
# with a checkpoint every 10 steps, on the CPU and in float32.

# %%
from dataclasses import replace
from tempfile import mkdtemp

short = Recipe(
    data=(str(two[0]),),
    validation=(),
    steps=by_profile(smoke=60, learn=120, full=300),
    batch=2,
    patch=8,
    precision="float32",
    save_every=10,
)
victim = Path(mkdtemp(prefix="victim-", dir=temporary.name))
job = (small, short, victim)
first = launch.ensure(*job, device="cpu")
print(first)

# %% [markdown]
# While it trains: what if you start it a second time, for example from another notebook? Two
# processes would write the same files.

# %%
from glanet.training import LaunchError

try:
    launch.detach(*job, device="cpu")
except LaunchError as error:
    print(short_lines(str(error).replace(temporary.name, "…")))

# %% [markdown]
# The second start is rejected. Now wait until the run has made some progress, and kill it.

# %%
import psutil

while (now := follow.status(victim)).state == follow.RUNNING and now.saved < 0.3 * short.steps:
    time.sleep(0.02)
process = psutil.Process(first.pid)
process.kill()  # kill -9
process.wait()
died = follow.status(victim)
print(died)

# %% [markdown]
# Nobody knows how many steps it had done after the last checkpoint. At most ten, and they are lost.
#
# **Prediction.** The run resumes from that checkpoint. For comparison, the same training also runs
# once without interruption. How do the weights compare at the end: `"bit-identical"`,
# `"nearly the same"` or `"different"`?

# %%
guess = ...

# %%
print(launch.ensure(*job, device="cpu"))
end = follow.watch(victim)

# %%
from safetensors.torch import load_file

from glanet.course.kit.predictions import reveal_choice
from glanet.training import train

with redirect_stderr(StringIO()):
    undisturbed = train(small, short, victim.with_name("undisturbed"), device="cpu")
ends = [load_file(folder / "model.safetensors") for folder in (victim / "weights", undisturbed)]
gap = max((ends[0][name] - ends[1][name]).abs().max().item() for name in ends[1])
answers = ("bit-identical", "nearly the same", "different")
reveal_choice(
    guess,
    answers[0 if gap == 0 else 1 if gap < 1e-4 else 2],
    choices=answers,
    because=f"The weights differ by up to {gap:g}. A checkpoint holds the weights, their "
    "average and Adam's numbers; batches follow from seed and step.",
)

# %%
from glanet.course.lessons.full_training.figures import lives

lives([(0, died.saved, died.saved), (died.saved, short.steps, short.steps)], steps=short.steps)

# %% [markdown]
# On one or more GPUs, the order in which sums are added may change from run to run. There the final
# weights are nearly the same, and equally good.

# %% [markdown]
# ## 8 · Several GPUs, several machines, no browser
#
# Several GPUs in one machine need nothing from you: `ensure` uses all of them, and the log covers
# the whole batch. For several machines, use accelerate's own command. Start it on each machine, with
# that machine's own `--machine_rank` and the address of machine 0. `--num_processes` counts the GPUs of
# all machines, and `--out` is a folder that all of them see:
#
# ```
# accelerate launch --multi_gpu --num_machines 2 --machine_rank 0 --num_processes 8 \
#     --main_process_ip 10.0.0.1 --main_process_port 29500 \
#     -m glanet train --preset paper --scale 2 --out /shared/runs/paper-x2
# ```
#
# **×4 starts from ×2.** The paper does not say how it trains ×3 and ×4. SwinIR starts them from the
# weights for ×2, and so may you. All weights but the head's are taken over:
#
# ```
# glanet train --preset paper --scale 4 --init runs/paper-x2/weights
# ```
#
# **Compiling.** On a GPU, a run of 2,000 steps or more begins with a minute or two in which nothing
# seems to happen. The layers are compiled, and with one GPU the forward and backward pass are recorded
# once and then replayed (a *CUDA graph*). On an H100, this and bf16 (notebook 11) together made a step
# of `light` 3.0 times as fast.
#
# **What is untested.** Two processes on a CPU are tested, and one GPU has been used. Nobody has run
# this on several GPUs or several machines yet, and nobody has trained the paper's network for all
# 500,000 steps. Try a short run first.
#
# A machine without a browser can run this notebook, too. In a terminal,
#
# ```
# make train-full
# ```
#
# executes it in the full profile, prints what the cells print, and writes the executed copy to
# `runs/notebooks`, saved after each cell. For a short first try:
#
# ```
# GLANET_TRAIN_PRESET=tiny GLANET_TRAIN_DATA=T91,BSDS200 GLANET_TRAIN_STEPS=200 make train-full
# ```
#
# Several processes on a *CPU* are not faster, but they let you test. There is a trap, found by
# measurement: accelerate connects processes on a CPU only if you tell it that they run on a CPU.
# Otherwise each of two processes has rank 0, and each would train the whole network alone, into the
# same folder. The lock of the folder rejects the second one. `launch.launch(..., processes=2)`
# tells accelerate that it is a CPU.

# %% [markdown]
# ## What can go wrong
#
# - **A second process in one folder**: rejected, as in section 7, and by `glanet train` too. Each
#   run holds a lock that ends with its process.
# - **The disk fills up in the third night**: disk space is checked before the start, as in
#   section 2. If a checkpoint cannot be written anyway, the older ones are intact. Free some space,
#   and resume.
# - **An image in both the training and the validation set**: scores on trained images say nothing.
# - **A changed recipe in an old folder**: a run with half its steps at one learning rate and half
#   at another follows neither recipe.
# - **A batch that the GPUs cannot share equally**: rejected, too. Choose a multiple of their
#   number.
#
# Cause three of them on purpose. First, a disk that is nearly full. `needs` is a pure function, so
# you can try any machine:

# %%
from glanet.networks import count_parameters

known = {
    "archive": catalog.find("DIV2K").archives[catalog.HR].size,
    "decoded": most,
    "parameters": count_parameters(large),
    "stores": 1,
}
machine = {"data_disk": 5e9, "run_disk": 5e9, "one_disk": True, "memory": 64e9}
needed = requirements.needs(**known, **machine)
print(short_lines("\n".join(map(str, needed)), hang="  "))

# %%
machine |= {"data_disk": 50e9, "run_disk": 50e9}  # fixed: a larger disk
needed = requirements.needs(**known, **machine)
print(short_lines("\n".join(map(str, needed)), hang="  "))

# %% [markdown]
# Next, the images. `train` reports an invalid setup before the first step.

# %%
from glanet.training import TrainError


def attempt(recipe, folder):
    """Train in this process, and print the error or that it trained."""
    with redirect_stderr(StringIO()):
        try:
            train(small, recipe, folder, device="cpu")
            print("✓ trained")
        except TrainError as error:
            text = str(error).replace(temporary.name, "…").replace(str(two[0].parent), "…")
            print(short_lines(text))


brief = replace(short, steps=2)
attempt(replace(brief, validation=brief.data), Path(temporary.name) / "both-sides")
attempt(brief, Path(temporary.name) / "apart")  # fixed: no image in both sets

# %% [markdown]
# Last, the finished run of section 7, with another batch size.

# %%
attempt(replace(short, batch=2 * short.batch), victim)
attempt(replace(brief, batch=2 * brief.batch), Path(temporary.name) / "other-batch")  # fixed

# %% [markdown]
# ## The same as the package's
#
# Compare your arithmetic with the package's, and your shares with the batches that the package
# cuts: each rank gets the patches that `share` lists.

# %%
import numpy as np

from glanet.course.kit.sameness import same_function
from glanet.data import patches

rng = np.random.default_rng(0)
cases = [(rng.integers(50, 2041, (20, 2)).tolist(), scale) for scale in (2, 3, 4)]
print(same_function(decoded_bytes, patches.decoded_bytes, cases))

entries = [
    {"step": 50 * (i + 1), "seconds": s} for i, s in enumerate(rng.uniform(10, 20, 60).cumsum())
]
cases = [(entries[:count], 500_000) for count in range(2, 61)]
print(same_function(seconds_left, follow.seconds_left, cases, tolerance=1e-6))


def by_my_share(step, rank, world):
    whole, _ = store.batch(seed=0, step=step, size=8)
    return whole[share(8, rank, world)]


def batch(step, rank, world):
    return store.batch(seed=0, step=step, size=8, rank=rank, world=world)[0]


cases = [(step, rank, world) for step in (0, 7) for world in (1, 2, 4) for rank in range(world)]
print(same_function(by_my_share, batch, cases))


def facts_of(starter):
    return lambda earlier: exercises.run_start(starter, earlier)


theirs = facts_of(launch.start_process)
theirs.__name__ = "start_process"
print(same_function(facts_of(start), theirs, [("earlier\n",)]))

# %% [markdown]
# `decoded_bytes` gives exactly the memory that the store of section 3 takes:

# %%
from glanet.data.images import image_size

print(decoded_bytes([image_size(path) for path in two], scale=2), "=", store.nbytes, "bytes")

# %% [markdown]
# Notebook 13 measures the weights that you trained. It uses the paper's image sets and shows your
# results next to the published ones.

# %%
from glanet.course.report import report as progress_report

print(progress_report("full_training"))
