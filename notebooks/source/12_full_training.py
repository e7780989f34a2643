# %% [markdown]
# # 12 · Full training
#
# | | |
# |---|---|
# | **You will** | train by the paper's recipe, on whatever this machine has, in a process that survives the notebook; kill it, and see it go on |
# | **It enables** | weights of your own, for 13, the paper's tables |
# | **Takes** | 8 minutes, 3 GB of memory; about 60 minutes to work through |
# | **Becomes** | `glanet/training/launch.py`, `room.py` |
#
# Notebook 11 trained a small network while you looked on. The paper's network has 18 million weights
# and trains for 500,000 steps: days, on a GPU. Nobody keeps a browser open for days. So this notebook is
# about what stands *around* the loop: room, several devices, and a process that goes on without you.
#
# The cells are the same everywhere. How much they do is up to the profile, `GLANET_PROFILE`: in `learn`
# you train a small network for a few minutes; in `full`, on a machine with GPUs, the paper's.

# %% [markdown]
# ## 1 · What is trained
#
# All choices stand in this cell. Edit it, or set the variables that it reads before the kernel starts:
# that is how a machine without a browser is told.

# %%
import os

from glanet.course.kit.profile import by_profile, profile

preset = os.environ.get("GLANET_TRAIN_PRESET") or by_profile(
    smoke="tiny", learn="tiny", full="paper"
)
scale = int(os.environ.get("GLANET_TRAIN_SCALE") or 2)
wanted = os.environ.get("GLANET_TRAIN_DATA", "")  # such as "T91,BSDS200"; without it, see below
steps = os.environ.get("GLANET_TRAIN_STEPS", "")  # without it, those of the recipe
print(f"profile {profile()}: {preset}, ×{scale}, {steps or 'its own number of'} steps")

# %% [markdown]
# The paper's recipe (§2.4) is the default of `Recipe`. What it leaves open follows SwinIR, from which
# the paper starts.

# %% tags=["nbval-check-output"]
from glanet import ModelConfig
from glanet.training import Recipe

paper = Recipe.preset("paper")
for name in ("data", "steps", "batch", "patch", "learning_rate", "schedule", "milestones"):
    print(f"{name:14} {getattr(paper, name)}")

# %% [markdown]
# **Prediction.** The milestones are shares of all steps, and at each the learning rate is halved. What is it at
# step 460,000?

# %%
guess = ...

# %% tags=["nbval-check-output"]
from glanet.course.kit.predictions import reveal
from glanet.training.schedule import learning_rate

print(
    reveal(
        guess,
        learning_rate(paper, 460_000),
        unit="at that step",
        because="Steps 250,000, 400,000 and 450,000 have passed: 1e-4 / 2 / 2 / 2.",
    )
)

# %%
from glanet.course.lessons.training_in_miniature.figures import schedules

moments = range(0, paper.steps, 1000)
schedules({"the paper's": (moments, [learning_rate(paper, step) for step in moments])})

# %% [markdown]
# ## 2 · Room
#
# The paper trains on DIV2K (§3): 800 photographs, each 2040 pixels wide or high. Decoding a PNG in every step
# would keep a GPU waiting. So all images are decoded *once*, HR and LR, and their bytes lie in memory.
#
# By hand: an image of 4 × 6 pixels, for ×2. LR has 2 × 3 = 6 pixels, HR has 24, a pixel has three bytes:
# 30 · 3 = 90 bytes. Of an image of 5 × 7 the last row and column are cut off first, so it takes 90 as well.
#
# **Exercise 1 · Room for decoded images** ★☆☆, 5 minutes. `sizes` lists (height, width) of each HR image.
#
# <details><summary>Hint 1</summary>
#
# Count LR pixels first: `height // scale` rows, `width // scale` columns.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Each LR pixel has `scale**2` HR pixels beside it, so the two together are `1 + scale**2`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `sum((height // scale) * (width // scale) for height, width in sizes)`, times two factors.
#
# </details>


# %%
def decoded_bytes(sizes, scale):
    """What images take as pixels, LR and HR, one byte a colour: an int."""
    # >>>
    lr_pixels = sum((height // scale) * (width // scale) for height, width in sizes)
    return 3 * lr_pixels * (1 + scale**2)
    # <<<


# %%
from glanet.course.lessons.full_training import exercises

decoded_bytes = exercises.decoded_bytes.check(decoded_bytes)

# %% [markdown]
# **Prediction.** DIV2K's training images come as an archive of 3.5 GB. No image is larger than 2040 × 2040. How
# many GB do they take decoded, for ×2, at most?

# %%
guess = ...

# %% tags=["nbval-check-output"]
most = decoded_bytes(800 * [(2040, 2040)], scale=2)
print(
    reveal(
        guess,
        round(most / 1e9, 1),
        unit="GB",
        because="PNG packs pixels; and most of these photographs are not square, so it will be less.",
    )
)

# %% [markdown]
# Before hours of downloading and training, look whether it all fits. `requirements` looks at this machine; `needs`, below it,
# is plain arithmetic. Where something lacks, the line says what helps. Half of the free memory is left to the network, so what is
# needed is twice the pixels' bytes. Memory is the one need that may lack: then the pixels are read from a file.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

import glanet
from glanet.training import launch, room

temporary = TemporaryDirectory(ignore_cleanup_errors=True)  # gone when the kernel ends
runs = Path(glanet.__file__).parents[1] / "runs"

for need in room.requirements(ModelConfig.preset("paper", scale), paper, runs / "paper"):
    print(need)

# %% [markdown]
# Which images are there for *this* run? In the full profile DIV2K is brought, if it is not here yet. Where it
# cannot be had, the 291 images that small networks are trained on stand in; without those, scikit-image's
# photographs. What is measured on must be other images: Set5, or two photographs held out.

# %%
from glanet.course.kit import practice
from glanet.data import catalog
from glanet.data.catalog import DataError


def at_hand(sets):
    """Whether all of some sets are here; in the full profile, what can be downloaded is brought."""
    try:
        for name in sets:
            catalog.get(name) if profile() == "full" else catalog.hr_images(name)
    except DataError as error:
        print(f"· {error}")
        return False
    return True


choices = by_profile(smoke=(), learn=(practice.THE_291,), full=(("DIV2K",), practice.THE_291))
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
# The paper's batch has 32 patches. Two GPUs take 16 each: every *process* (one for each GPU) computes the
# gradient of its share, and before Adam steps, the processes *average* their gradients. Processes are
# numbered from 0, the number is called *rank*, and how many there are, the *world*.
#
# In what sense is that the same training? The loss is a mean over the batch. Try it: the gradient of a whole
# batch, and the mean of the gradients of its halves.

# %%
import torch
import torch.nn.functional as F

from contextlib import redirect_stderr
from io import StringIO

from glanet import GLANet
from glanet.data.patches import PatchStore

small = ModelConfig(channels=8, blocks=1, layers=2, heads=2, window=4, light_head=True)
two = [path for path in catalog.hr_images("photos") if path.stem in ("astronaut", "coffee")]
with redirect_stderr(StringIO()):  # a progress bar, which is gone before it is read
    store = PatchStore.from_images(two, scale=2, patch=16)

torch.manual_seed(0)
network = GLANet(small).double().eval()  # in float64, so that rounding is out of the way


def gradient(low, high):
    """The gradient of the loss of a batch, all weights' in one vector."""
    loss = F.l1_loss(network(low.double()), high.double())
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(network.parameters()))])


low, high = store.batch(seed=0, step=7, size=8)
whole = gradient(low, high)
halves = [gradient(low[:4], high[:4]), gradient(low[4:], high[4:])]
mean = sum(halves) / 2
print(f"largest entry {whole.abs().max():.3f}, largest difference {(whole - mean).abs().max():.0e}")

# %% [markdown]
# The same but for rounding, *if* the shares are equally large and together are the batch. Who takes which patches?
# They are numbered in the order of the batch, and the shares are consecutive: of 8 patches, rank 0 of 2 takes 0, 1, 2, 3,
# and rank 1 takes 4, 5, 6, 7.
#
# **Exercise 2 · A share** ★☆☆, 5 minutes. The numbers of the patches that a process takes, as a list. `batch` is a
# multiple of `world`.
#
# <details><summary>Hint 1</summary>
#
# Each process takes `batch // world` patches.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Rank 0 begins with patch 0, and each next rank where the one before ended: `rank * each`. `range(start, end)` leaves out `end`.
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
shares(low, world=2)

# %% [markdown]
# Patches are drawn from `(seed, step)`, as in notebook 11. Neither rank nor world has a say in it. So a run may go on with
# another number of GPUs than it began with, and sees the same patches. Move the step: the patches change. Change the number
# of processes: only the frames do. (Without a kernel, the figure above shows the same.)

# %%
from glanet.course.lessons.full_training.widgets import explore_shares

explore_shares(store)

# %% [markdown]
# The learning rate stays, as the batch does: four GPUs make the same 500,000 steps, each of them faster.

# %% [markdown]
# ## 4 · A process that outlives you
#
# A cell that trains for days has three enemies: the browser that closes, the kernel that restarts, and the
# terminal that Jupyter was started in. So the training is not a cell. It is a program of its own, and all that it
# and the notebook have in common is a folder.
#
# ![Browser and kernel may end; the training process has a session of its own, writes into the run's folder, and the kernel reads there](figures/12_detached.svg)
#
# When a terminal or a kernel is ended, the signal goes to all processes of its *session*. A program that shall live on gets
# a session of its own. It cannot print into a cell that may be gone, either: what it says, errors too, goes into a file.
#
# **Exercise 3 · Start** ★★★, 15 minutes. `start(command, output)` starts a program and returns its number, the *pid*, without
# waiting for it. `command` is a list such as `["sleep", "5"]`; `output` is the path of the file, which may hold what an earlier
# process said.
#
# <details><summary>Hint 1</summary>
#
# `subprocess.Popen(command)` starts a program and does not wait, as `subprocess.run` does. The object that it returns has an
# attribute `pid`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Popen takes `stdout=file`, where `file` is open for writing; `stderr=subprocess.STDOUT` sends errors to the same place.
# `Path(output).open("ab")` adds to what is there.
#
# </details>
# <details><summary>Hint 3</summary>
#
# A session of its own is `start_new_session=True`. With `stdin=subprocess.DEVNULL` it never waits for a keyboard.
#
# </details>

# %%
import subprocess


def start(command, output):
    """Start a program that outlives this one; its output is added to a file. Returns its pid."""
    # >>>
    with Path(output).open("ab") as file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return process.pid
    # <<<


# %%
start = exercises.start.check(start)

# %% [markdown]
# Try yours. The sessions are numbers too: the child's is not the kernel's.

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
# The package's `launch.detach` starts the training in this way, and writes down the pid. In that process, accelerate's
# `notebook_launcher` starts one process for each GPU; where there is one or none, it just calls `train`.

# %% [markdown]
# ## 5 · How long?
#
# The training writes an entry into its log every 50 steps. An entry tells, among other things, how many `seconds` of
# training have passed by its `step`:

# %%
log = [
    {"step": 50, "seconds": 40.0},
    {"step": 100, "seconds": 60.0},
    {"step": 150, "seconds": 80.0},
]

# %% [markdown]
# The first 50 steps took 40 s, the next 50 only 20 s. That is usual: caches fill, memory is fetched, kernels are chosen.
# So leave the first entry's steps out. From step 50 to 150 it is 40 s for 100 steps, 0.4 s a step; to step 1150 there are 1000
# steps left, 400 s.
#
# **Exercise 4 · Seconds left** ★★☆, 8 minutes. `entries` has two entries or more. Take the pace of late: from the entry 20
# before the last to the last; where there are fewer, from the first to the last.
#
# <details><summary>Hint 1</summary>
#
# The last 21 entries are `entries[-21:]`, and if there are fewer, these are all.
#
# </details>
# <details><summary>Hint 2</summary>
#
# With `first` and `last` of those, the pace is a quotient of two differences: seconds by steps.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Multiply by `steps - last["step"]`.
#
# </details>


# %%
def seconds_left(entries, steps):
    """Seconds of training from the last entry to `steps`, at the pace of late."""
    # >>>
    first, last = entries[-21:][0], entries[-1]
    pace = (last["seconds"] - first["seconds"]) / (last["step"] - first["step"])
    return pace * (steps - last["step"])
    # <<<


# %%
seconds_left = exercises.seconds_left.check(seconds_left)

# %%
print(
    launch.duration(seconds_left(log, steps=1150)),
    "·",
    launch.duration(seconds_left(log, steps=500_000)),
)

# %% [markdown]
# ## 6 · The run
#
# Network, recipe, folder. In the full profile nothing of the preset is changed. The folder has a fixed place, so that a kernel
# that was restarted finds it again; in the learn profile a short digest of all settings is in its name, so that other settings get
# another folder.

# %%
import zlib

changes = by_profile(
    smoke={"steps": 4, "batch": 2, "patch": 8, "warm_up": 0, "validate_every": 2, "save_every": 2},
    learn={"steps": 300, "warm_up": 50, "average": 0.99, "validate_every": 100, "save_every": 50},
    full={},
)
if steps:
    changes["steps"] = int(steps)
network = ModelConfig.preset(preset, scale)
recipe = Recipe.preset(preset, data=data, validation=validation, **changes)
settings = zlib.crc32(repr((network, recipe)).encode())
run = by_profile(
    smoke=Path(temporary.name) / "run",
    learn=runs / f"notebook-12-{settings:08x}",
    full=runs / f"{preset}-x{scale}{f'-{steps}-steps' if steps else ''}",
)
print(run.name)
if launch.status(run).state == launch.NEW:
    for need in room.requirements(network, recipe, run):
        print(need)
        assert not need.lacking or "memory" in need.what, "make room first, see the line above"

# %% [markdown]
# Now start it. `ensure` starts the process, *unless* this very training is running or finished already. So you may run
# this cell at any time, and again tomorrow after the kernel was restarted: nothing is started twice, nothing is lost.

# %%
print(launch.ensure(network, recipe, run))

# %% [markdown]
# Watch it. The plot fills as entries come; how long it will take is printed after 100 steps, and twenty times in all.
#
# - **Jupyter's stop button** ends the watching, and the training goes on. Run the cell again, and watch on.
# - **The browser closes, or the kernel restarts**: the training goes on. Run the cells above, then this one.
# - **The machine restarts**: the training is gone, and its checkpoints are not. The cell above goes on from the last.
# - **You want it to end**: `launch.stop(run)` lets it save. From a terminal, the pid in `process.json` gets a plain `kill`.

# %%
from glanet.course.lessons.training_in_miniature.widgets import LivePlot

plot = LivePlot()
plot

# %%
progress = launch.watch(run, plot)
plot.draw()  # the last entry, too

# %% [markdown]
# The same plot, drawn once from the log, for readers without a kernel.

# %%
from glanet.course.lessons.training_in_miniature.figures import curve
from glanet.training.log import read_log

curve(read_log(run / "log.jsonl"))

# %% [markdown]
# At its end, training left `weights/` in the run's folder: the averaged weights, their configuration, and a *model card* that says
# where they come from. `GLANet.from_pretrained`, `glanet upscale --weights` and notebook 13 take that folder.

# %%
from IPython.display import display

from glanet.course.kit.photo import details
from glanet.data.degradation import imresize, modcrop
from glanet.data.images import read_rgb
from glanet.evaluation.metrics import psnr_y
from glanet.inference import upscale

if progress.state == launch.FINISHED:
    card = (run / "weights" / "README.md").read_text(encoding="utf-8")
    print(card[card.index("# ") : card.index("The weights are")])
    trained = GLANet.from_pretrained(run / "weights")
    photo = modcrop(read_rgb(practice.held_out_images()[-1]), scale)
    low = imresize(photo, 1 / scale)
    found = {"bicubic": imresize(low, scale), "trained here": upscale(trained, low)}
    for name, image in found.items():
        print(f"{name:13} {psnr_y(image, photo, border=scale):.2f} dB")
    top, left = photo.shape[0] // 4, photo.shape[1] // 4
    display(details({"original": photo, **found}, top=top, left=left, side=64))
else:
    print(progress)

# %% [markdown]
# To train it anew in the learn profile, move the folder away, or give `run` another name.

# %% [markdown]
# ## 7 · Kill it
#
# `kill -9` is as rude as it gets: the process is gone at once, without a last word, as in a power failure. Take a small
# run, with a checkpoint every 10 steps, on the processor and in float32.

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
# While it trains: what if you start it a second time, say from another notebook? Two processes would write the same files.

# %%
from glanet.training.launch import LaunchError

try:
    launch.detach(*job, device="cpu")
except LaunchError as error:
    print(str(error).replace(temporary.name, "…"))

# %% [markdown]
# It is refused. Now wait until it has come a little way, and kill it.

# %%
import psutil

while (now := launch.status(victim)).state == launch.RUNNING and now.saved < 0.3 * short.steps:
    time.sleep(0.02)
process = psutil.Process(first.pid)
process.kill()  # kill -9
process.wait()
died = launch.status(victim)
print(died)

# %% [markdown]
# Nobody knows how many steps after the last checkpoint it had done; ten at most, and they are lost.
#
# **Prediction.** It goes on from that checkpoint. Beside it, the same training without any disturbance. How do the weights
# compare at the end: `"the same bits"`, `"nearly the same"` or `"other weights"`?

# %%
guess = ...

# %%
print(launch.ensure(*job, device="cpu"))
end = launch.watch(victim)

# %%
from safetensors.torch import load_file

from glanet.course.kit.predictions import reveal_choice
from glanet.training import train

with redirect_stderr(StringIO()):
    undisturbed = train(small, short, victim.with_name("undisturbed"), device="cpu")
ends = [load_file(folder / "model.safetensors") for folder in (victim / "weights", undisturbed)]
gap = max((ends[0][name] - ends[1][name]).abs().max().item() for name in ends[1])
answers = ("the same bits", "nearly the same", "other weights")
print(
    reveal_choice(
        guess,
        answers[0 if gap == 0 else 1 if gap < 1e-4 else 2],
        choices=answers,
        because=f"Weights differ by up to {gap:g}. A checkpoint holds the weights, their average "
        "and Adam's numbers; batches follow from seed and step.",
    )
)

# %%
from glanet.course.lessons.full_training.figures import lives

lives([(0, died.saved, died.saved), (died.saved, short.steps, short.steps)], steps=short.steps)

# %% [markdown]
# On a GPU, and on several, sums are added up in an order that may change. There the end is nearly the same, and as good.

# %% [markdown]
# ## 8 · Several GPUs, several machines, no browser
#
# Several GPUs in one machine need nothing from you: `ensure` takes all of them, and the log tells of the whole batch. For several
# machines there is accelerate's own command; the README has the lines.
#
# A machine without a browser runs this very notebook, too. In a terminal,
#
# ```
# make train-full
# ```
#
# executes it in the full profile, prints what the cells print, and leaves the executed copy in `runs/notebooks`, saved cell by
# cell. Bounded, for a first try:
#
# ```
# GLANET_TRAIN_PRESET=tiny GLANET_TRAIN_DATA=T91,BSDS200 GLANET_TRAIN_STEPS=200 make train-full
# ```
#
# Several processes on a *processor* gain nothing, but let you test. A trap lies there, and it was measured: accelerate
# joins processes on a processor only where it is told that it is one. Otherwise each of two processes has rank 0 and would train the
# whole network by itself, into one folder, whose lock refuses the second. `launch.launch(..., processes=2)` tells it.

# %% [markdown]
# ## What can go wrong
#
# - **A second process in one folder**: refused, as in section 7, and by `glanet train` too: a lock, which ends with the process that
#   holds it.
# - **Disk full in the third night**: looked up before the start, as in section 2. If a checkpoint cannot be written all the same, the
#   older ones are whole; make room, and go on.
# - **An image on both sides**: scores on images that were trained on say nothing.
# - **Other settings in an old folder**: a run with half its steps at one rate and half at another is neither.
# - **A batch that the GPUs cannot share equally**: refused, too; choose a multiple of their number.
#
# Trigger three of them. First, a disk that is nearly full. `needs` is a pure function, so any machine can be tried:

# %%
machine = {"data_disk": 5e9, "run_disk": 5e9, "one_disk": True, "memory": 64e9}
needed = room.needs(archive=3_530_603_713, decoded=most, parameters=18_142_847, stores=1, **machine)
print("\n".join(map(str, needed)))

# %%
machine |= {"data_disk": 50e9, "run_disk": 50e9}  # mended: a larger disk
needed = room.needs(archive=3_530_603_713, decoded=most, parameters=18_142_847, stores=1, **machine)
print("\n".join(map(str, needed)))

# %% [markdown]
# Then the images. `train` says what is wrong before the first step.

# %%
from glanet.training import TrainError


def attempt(recipe, folder):
    """Train in this process; say what is wrong, or that nothing is."""
    with redirect_stderr(StringIO()):
        try:
            train(small, recipe, folder, device="cpu")
            print("✓ trained")
        except TrainError as error:
            print(str(error).replace(temporary.name, "…").replace(str(two[0].parent), "…"))


brief = replace(short, steps=2)
attempt(replace(brief, validation=brief.data), Path(temporary.name) / "both-sides")
attempt(brief, Path(temporary.name) / "apart")  # mended: measured on none of them

# %% [markdown]
# Last, the finished run of section 7, with another learning rate.

# %%
attempt(replace(short, learning_rate=2e-4), victim)
attempt(replace(brief, learning_rate=2e-4), Path(temporary.name) / "other-rate")  # mended

# %% [markdown]
# ## The same as the package's
#
# Your arithmetic against the package's, and your shares against the batches that it cuts: every rank's patches are those that
# `share` names.

# %%
import numpy as np

from glanet.course.kit.sameness import same_function

rng = np.random.default_rng(0)
cases = [(rng.integers(50, 2041, (20, 2)).tolist(), factor) for factor in (2, 3, 4)]
print(same_function(decoded_bytes, room.decoded_bytes, cases))

entries = [
    {"step": 50 * (i + 1), "seconds": s} for i, s in enumerate(rng.uniform(10, 20, 60).cumsum())
]
cases = [(entries[:count], 500_000) for count in range(2, 61)]
print(same_function(seconds_left, launch.seconds_left, cases))


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
# And `decoded_bytes` is not only arithmetic: it is what the store of section 3 takes.

# %%
from glanet.data.images import image_size

print(decoded_bytes([image_size(path) for path in two], scale=2), "=", store.nbytes, "bytes")

# %% [markdown]
# Notebook 13 measures the weights that you trained on the paper's image sets, beside the published ones.

# %%
from glanet.course.report import report as progress_report

print(progress_report("full_training"))
