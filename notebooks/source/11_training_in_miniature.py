# %% [markdown]
# # 11 · Training in miniature
#
# | | |
# |---|---|
# | **You will** | build the training loop line by line, and train a GLA-Net that leaves bicubic interpolation far behind |
# | **It enables** | 12, the paper's recipe on a GPU, and knowing where to look when a training fails |
# | **Takes** | 10 minutes, 2 GB of memory; about 90 minutes to work through |
# | **Becomes** | `glanet/training/`: `loop.py`, `schedule.py`, `checkpoint.py`, `log.py` |
#
# Notebooks 03 to 09 built the network. Its weights still are what chance made of them. Training is
# one small step, done many times: enlarge a few patches, measure how wrong they are, and turn every
# weight a little so that they would be less wrong.
#
# ![One step of training: batch, network, loss, gradients, Adam, average](figures/11_loop.svg)
#
# The notebook goes round this picture once, builds each box, and then lets it turn.

# %% [markdown]
# ## 1 · The loss
#
# The paper (§2.3) compares the enlarged image with the true one by
#
# $$\mathcal{L}_1(I_{HR}, I_{GT}), \quad (6)$$
#
# the mean of the absolute differences over all pixels and channels. Three numbers will do to see it:
# the differences are 0.1, 0 and 0.5, together 0.6, and their mean is 0.2.

# %% tags=["nbval-check-output"]
import torch
import torch.nn.functional as F

output = torch.tensor([0.2, 0.5, 0.9], requires_grad=True)
target = torch.tensor([0.3, 0.5, 0.4])

loss = F.l1_loss(output, target)  # (output - target).abs().mean()
loss.backward()
print(f"loss {loss.item():.3f}, gradient {output.grad}")

# %% [markdown]
# The first output is too small by 0.1, the third too large by 0.5, and both pull with the same force,
# one third. The gradient of L1 is a *sign*: it says in which direction to go, and not how far.
#
# **Exercise 1 · The gradient of L1** ★☆☆, 5 minutes. Write it for tensors of any shape, without
# autograd.
#
# <details><summary>Hint 1</summary>
#
# `tensor.sign()` is −1, 0 or 1 for each value.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The loss is a *mean*, so each value has only its share of it. `tensor.numel()` counts the values.
#
# </details>


# %%
def l1_gradient(output, target):
    """Gradient of the L1 loss with respect to each value of output; its shape is output's."""
    # >>>
    return (output - target).sign() / output.numel()
    # <<<


# %%
from glanet.course.lessons.training_in_miniature import exercises

l1_gradient = exercises.l1_gradient.check(l1_gradient)

# %% [markdown]
# Why not the squared error, L2? PSNR is made from it, after all.
#
# **Prediction.** Answer one number $c$ to the five values 1, 2, 3, 4 and 15. The $c$ with the least
# *squared* error is their mean, 5. Which $c$ has the least *absolute* error?

# %%
guess = ...

# %%
import numpy as np

from glanet.course.kit.predictions import reveal

values = [1, 2, 3, 4, 15]
print(
    reveal(
        guess,
        int(np.median(values)),
        unit="in place of 5",
        because="There the pulls of both sides are equal: two values below, two above.",
        close=0,
    )
)

# %%
from glanet.course.lessons.training_in_miniature.figures import one_number_for_all

one_number_for_all(values)

# %% [markdown]
# L1 wants the median. Put 150 in place of 15 and it does not move, while the mean goes after the outlier
# and is wrong for everybody else. In a photograph the outliers are the few pixels at hard edges that no
# network gets right. Following SwinIR, the paper takes L1.

# %% [markdown]
# ## 2 · Adam
#
# A gradient says where to turn a weight. How far is up to the *optimizer*; the paper (§2.4) uses Adam.
# For every weight $w$ it keeps two moving averages: $m$ of the gradient $g$, and $v$ of its square.
# Both start at 0. In step $t = 1, 2, \dots$
#
# $$m \leftarrow \beta_1 m + (1 - \beta_1)\, g \qquad v \leftarrow \beta_2 v + (1 - \beta_2)\, g^2$$
#
# $$\hat m = \frac{m}{1 - \beta_1^t} \qquad \hat v = \frac{v}{1 - \beta_2^t} \qquad
# w \leftarrow w - \text{rate} \cdot \frac{\hat m}{\sqrt{\hat v} + \varepsilon}$$
#
# with $\beta_1 = 0.9$, $\beta_2 = 0.999$, $\varepsilon = 10^{-8}$. The *learning rate* is the paper's
# $10^{-4}$.
#
# **Prediction.** A weight is 5, the learning rate 0.1, and the very first gradient is 1000. How far does
# Adam move the weight? Put $t = 1$ into the formulas, or guess.

# %%
guess = ...

# %% tags=["nbval-check-output"]
weight = torch.tensor([5.0], requires_grad=True)
adam = torch.optim.Adam([weight], lr=0.1)
weight.grad = torch.tensor([1000.0])
adam.step()
print(
    reveal(
        guess,
        round(5 - weight.item(), 4),
        unit="(the learning rate itself)",
        because="m̂ is g and v̂ is g², so their quotient is a sign: 1000 counts as much as 0.001.",
    )
)

# %% [markdown]
# That is what the two divisions by $1 - \beta^t$ are for, the *bias correction*. Without them, $m$ would
# be 0.1 g and $\sqrt{v}$ about 0.03 g in the first step, only because both began at 0.
#
# **Exercise 2 · A step of Adam** ★★☆, 10 minutes. All arguments but `step` and `rate` are tensors of one
# shape. `step` counts from 1.
#
# <details><summary>Hint 1</summary>
#
# Four lines, in the order of the formulas: $m$, $v$, the two with hats, and the weight.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `gradient**2` squares each value, `v_hat.sqrt()` is the root of each.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `m_hat = m / (1 - 0.9**step)`. Return the new weight with `m` and `v`, not with the hats: the next step
# goes on from those.
#
# </details>


# %%
def adam_step(weight, gradient, m, v, step, rate):
    """One step of Adam: the new weight, m and v. β₁ = 0.9, β₂ = 0.999, ε = 1e-8."""
    # >>>
    m = 0.9 * m + 0.1 * gradient
    v = 0.999 * v + 0.001 * gradient**2
    m_hat = m / (1 - 0.9**step)
    v_hat = v / (1 - 0.999**step)
    return weight - rate * m_hat / (v_hat.sqrt() + 1e-8), m, v
    # <<<


# %%
adam_step = exercises.adam_step.check(adam_step)

# %% [markdown]
# What is gained? Here is a bowl, $x^2 + 100\,y^2$, a hundred times steeper in one direction. Plain
# *gradient descent* must take a rate that is small enough for $y$ (at 0.01 it would swing for ever), and then
# it crawls along $x$. Adam gives each of the two a step of its own.

# %%
from glanet.course.lessons.training_in_miniature.figures import descents


def gradient(place):
    return torch.tensor([2.0, 200.0]) * place


start = torch.tensor([-1.5, 0.5])
plain, adams = [start], [start]
m = v = torch.zeros(2)
for step in range(1, 41):
    plain.append(plain[-1] - 0.009 * gradient(plain[-1]))
    place, m, v = adam_step(adams[-1], gradient(adams[-1]), m, v, step, rate=0.1)
    adams.append(place)
descents(
    {"gradient descent": torch.stack(plain), "Adam": torch.stack(adams)},
    steepness=100,
)

# %% [markdown]
# ## 3 · Batches
#
# A step does not look at whole photographs. It takes a *batch*: a few small patches from here and
# there, of LR and HR at the same place, flipped and turned by chance. `PatchStore` holds all images in
# memory and cuts them.
#
# If the 291 images that small networks are often trained on are here, they are used; else the photographs of
# scikit-image. The images to measure on are others, *held out*.

# %%
from contextlib import redirect_stderr
from io import StringIO

from glanet.course.kit import practice
from glanet.course.kit.profile import by_profile
from glanet.data.patches import PatchStore

training = practice.training_images()[: by_profile(smoke=4, learn=None, full=None)]
held_out = practice.held_out_images()[by_profile(smoke=-1, learn=0, full=0) :]
with redirect_stderr(StringIO()):  # a progress bar, which is gone before it is read
    store = PatchStore.from_images(training, scale=2, patch=16)
print(f"{store}; {len(held_out)} held out")

# %% [markdown]
# Which patches are in a batch is decided by chance, and by nothing else than `(seed, step)`: ask twice
# for a step, and you get the same. Here are four of the eight patches of step 7.

# %%
from glanet.course.lessons.training_in_miniature.figures import patches

low, high = store.batch(seed=0, step=7, size=8)  # (8, 3, 16, 16), (8, 3, 32, 32)
again, _ = store.batch(seed=0, step=7, size=8)
other, _ = store.batch(seed=0, step=8, size=8)
print("step 7 again:", torch.equal(low, again), "· step 8:", torch.equal(low, other))
patches(low[:4], high[:4])

# %% [markdown]
# So there is no state to lose. A run that was cut off at step 7 goes on with the batch of step 7, as if
# nothing had happened. Section 9 makes use of that.

# %% [markdown]
# ## 4 · Overfit one patch first
#
# Before any long training, train on *one* patch. A network has far more weights than a patch has
# numbers, so it should learn it by heart, and the loss should go to 0. If it does not, something is
# broken, and you know after seconds and not after a night.
#
# This small network serves all of this notebook. The loop is the shortest there is.

# %%
from glanet import GLANet, ModelConfig

config = ModelConfig(channels=24, blocks=2, layers=2, heads=4, stochastic_depth=0.0)


def new_network():
    torch.manual_seed(0)
    return GLANet(config)


network = new_network()
adam = torch.optim.Adam(network.parameters(), lr=1e-3)
low, high = store.batch(seed=0, step=7, size=1)
one_patch = []
for _ in range(by_profile(smoke=3, learn=400, full=400)):
    loss = F.l1_loss(network(low), high)
    adam.zero_grad()
    loss.backward()
    adam.step()
    one_patch.append(loss.item())
print(
    f"{sum(p.numel() for p in network.parameters()):,} weights, {high.numel():,} numbers in a patch"
)
print(f"off by {255 * one_patch[0]:.1f} of 255 grey levels before, {255 * one_patch[-1]:.1f} after")

# %%
from glanet.course.lessons.training_in_miniature.figures import loss_lines

loss_lines({"one patch": one_patch})

# %% [markdown]
# ## 5 · The loop, line by line
#
# A loop that can be trusted does six things in each step. All but the last are yours to write.
#
# | | |
# |---|---|
# | mode | `train()`: layers that behave otherwise when used, such as stochastic depth, train |
# | rate | put this step's learning rate into Adam |
# | forward | enlarge, and compare: Eq. 6 |
# | clear | `zero_grad()`: PyTorch *adds* new gradients to old ones |
# | backward, step | gradients; then Adam turns the weights |
# | average | section 7 |
#
# **Exercise 3 · One step** ★★☆, 8 minutes. `adam` is `torch.optim.Adam` from here on; it keeps $m$, $v$ and
# the step's number for itself. Return the loss as a plain number.
#
# <details><summary>Hint 1</summary>
#
# `adam.param_groups[0]["lr"]` is where torch's Adam keeps its learning rate; assign to it.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Forward, clear, backward and step stand in section 4, in the right order.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The last line is `return loss.item()`: `loss` itself would keep all that backward needed in memory.
#
# </details>


# %%
def train_step(network, adam, low, high, rate):
    """Turn the weights once, on one batch, at this learning rate; returns the loss, a number."""
    # >>>
    network.train()
    adam.param_groups[0]["lr"] = rate
    loss = F.l1_loss(network(low), high)
    adam.zero_grad()
    loss.backward()
    adam.step()
    return loss.item()
    # <<<


# %%
train_step = exercises.train_step.check(train_step)

# %% [markdown]
# The loop goes round it. It gets the rates, one for each step, so that a schedule is just a list.

# %%
from tqdm.auto import tqdm


def fit(network, rates, take_step=train_step, after_step=lambda step: None):
    """One step for each of the rates; returns the losses."""
    adam = torch.optim.Adam(network.parameters())
    losses = []
    for step, rate in enumerate(tqdm(rates, leave=False, unit=" steps")):
        low, high = store.batch(seed=0, step=step, size=8)
        losses.append(take_step(network, adam, low, high, rate))
        after_step(step)
    return losses


# %% [markdown]
# Why Adam and not plain gradient descent, here? Take one step, and look at how large the gradients of
# the network's weight tensors came out.

# %%
network = new_network()
fit(network, [1e-4])
sizes = {name: p.grad.square().mean().sqrt().item() for name, p in network.named_parameters()}
for name in sorted(sizes, key=sizes.get)[:: len(sizes) // 6]:
    print(f"{sizes[name]:.1e}  {name}")

# %% [markdown]
# The sizes differ by orders of magnitude. No single rate suits all of them; Adam divides each by its own.
#
# ### Which learning rate?
#
# Too small, and the weights hardly move before the time is over. Too large, and every step jumps over what
# it aims at.
#
# **Prediction.** A hundred steps with each of five rates, from the same weights, on the same
# batches. Which ends with the least loss? The paper trains with `1e-4`, a larger network, for 500,000
# steps.

# %%
rates = (2e-5, 1e-4, 5e-4, 2e-3, 1e-2)
guess = ...

# %%
from glanet.course.kit.predictions import reveal_choice

steps = by_profile(smoke=2, learn=100, full=300)
by_rate = {rate: fit(new_network(), [rate] * steps) for rate in rates}
last = {rate: np.mean(found[-20:]) for rate, found in by_rate.items()}
print(
    reveal_choice(
        guess,
        min(last, key=last.get),
        choices=rates,
        because="Below it, steps are too short to get far; above it, too long to settle.",
    )
)

# %%
from glanet.course.lessons.training_in_miniature.figures import losses_by_rate

losses_by_rate(last, start=by_rate[rates[0]][0])

# %% [markdown]
# The loss of a rate here is a mean over its last 20 steps: each batch has other patches, some hard, some
# easy, so single losses jump. And a hundred steps are few. Which rate is best for longer is another question,
# and it need not stay the same all the way.

# %% [markdown]
# ## 6 · The schedule
#
# A *schedule* changes the rate while training goes on. Two are in use here.
#
# - **Halving.** SwinIR's; the paper names only the rate. It is halved after 50, 80, 90 and 95 % of the
#   steps, the *milestones*.
# - **Cosine.** The rate falls along half a cosine from its full height to 0:
#   $\text{rate} \cdot \frac{1}{2}\left(1 + \cos \pi s\right)$, where $s$ goes from 0 to 1.
#
# Before either, a *warm-up* lets the rate rise in equal parts: Adam's $v$ knows little yet in its first
# steps, and a wrong start is hard to mend.
#
# **Exercise 4 · The learning rate of a step** ★★☆, 12 minutes. `config` is a `Recipe`. You need its
# `learning_rate`, `steps`, `schedule` (`"halving"` or `"cosine"`), `milestones` (shares of all steps, such as
# 0.5) and `warm_up` (steps). Steps count from 0.
#
# - Step $t$ of a warm-up of $n$ steps gets $(t + 1) / n$ of the rate.
# - The cosine begins where the warm-up ends: there $s = 0$; it would be 1 at `config.steps`.
# - At a milestone's own step the rate is halved already.
#
# <details><summary>Hint 1</summary>
#
# Three cases, each with a `return` of its own: in the warm-up, cosine, halving.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `s = (step - config.warm_up) / (config.steps - config.warm_up)`, and `math.cos` wants radians.
#
# </details>
# <details><summary>Hint 3</summary>
#
# How many milestones are passed: `sum(step >= share * config.steps for share in config.milestones)`. Halving
# $k$ times is multiplying by $0.5^k$.
#
# </details>


# %%
import math


def learning_rate(config, step):
    """The learning rate of a step, counted from 0."""
    # >>>
    if step < config.warm_up:
        return config.learning_rate * (step + 1) / config.warm_up
    if config.schedule == "cosine":
        share = (step - config.warm_up) / (config.steps - config.warm_up)
        return config.learning_rate * 0.5 * (1 + math.cos(math.pi * share))
    passed = sum(step >= share * config.steps for share in config.milestones)
    return config.learning_rate * 0.5**passed
    # <<<


# %%
learning_rate = exercises.learning_rate.check(learning_rate)

# %%
from glanet.training import Recipe
from glanet.course.lessons.training_in_miniature.figures import schedules

paper = Recipe()  # the paper's recipe is the default
cosine = Recipe(schedule="cosine", warm_up=20_000)
moments = range(0, paper.steps, 1000)
schedules(
    {
        "halving": (moments, [learning_rate(paper, step) for step in moments]),
        "cosine, warm-up 20,000": (moments, [learning_rate(cosine, step) for step in moments]),
    }
)

# %% [markdown]
# With sliders, and of *your* function. (Without a kernel, the figure above shows the same.)

# %%
from glanet.course.lessons.training_in_miniature.widgets import explore_schedule

explore_schedule(learning_rate)

# %% [markdown]
# ## 7 · The average of the weights
#
# Batches differ, so each step pulls a little aside, and the weights jitter around the place they aim at.
# An *exponential moving average* (EMA) of the weights jitters less. It takes no part in training; it
# watches, and is what is kept at the end.
#
# $$\bar w \leftarrow d\, \bar w + (1 - d)\, w$$
#
# The *decay* $d$ is 0.999 in SwinIR's recipe. By hand, with $d = 0.9$: the average is 2, the weight 3, so
# the new average is 0.9 · 2 + 0.1 · 3 = 2.1.
#
# One thing is special. The first update *copies* the weights instead of mixing them. Otherwise the
# random weights of the beginning would stay in the average for long.
#
# **Exercise 5 · Average** ★★★, 12 minutes. A module that holds a copy of a network. Write
# `update_parameters`; the names are those of `torch.optim.swa_utils.AveragedModel`, which the package
# uses.
#
# <details><summary>Hint 1</summary>
#
# `zip(self.module.parameters(), network.parameters(), strict=True)` gives the tensors in pairs. `mine = ...` only gives a
# name to a new tensor; to change the one in the module, use a method that ends in `_`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `mine.copy_(theirs)` while `self.n_averaged == 0`, else `mine.copy_(...)` of the formula.
#
# </details>
# <details><summary>Hint 3</summary>
#
# After the loop `self.n_averaged += 1`, or it copies for ever.
#
# </details>

# %%
import copy

from torch import nn


class Average(nn.Module):
    """A copy of a network whose weights are a moving average of the network's."""

    def __init__(self, network, decay):
        super().__init__()
        self.module = copy.deepcopy(network)
        self.decay = decay
        self.register_buffer("n_averaged", torch.tensor(0))  # updates so far

    def forward(self, image):
        return self.module(image)

    @torch.no_grad()
    def update_parameters(self, network):
        """Take the network's weights of now into the average."""
        # >>>
        for mine, theirs in zip(self.module.parameters(), network.parameters(), strict=True):
            if self.n_averaged == 0:
                mine.copy_(theirs)
            else:
                mine.copy_(self.decay * mine + (1 - self.decay) * theirs)
        self.n_averaged += 1
        # <<<


# %%
Average = exercises.Average.check(Average)

# %% [markdown]
# Is it better than the weights that it averages? We need something to measure on: the middles of the
# images that were held out, and PSNR as in notebook 02.

# %%
from glanet.data.degradation import imresize, modcrop
from glanet.data.images import read_rgb
from glanet.evaluation.metrics import psnr_y
from glanet.inference import upscale


def middle(image, side=128):
    top, left = ((size - side) // 2 for size in image.shape[:2])
    return image[top : top + side, left : left + side]


middles = [middle(modcrop(read_rgb(path), 2)) for path in held_out]


def score(upscaler):
    """Mean PSNR on Y over the middles of the images held out, in dB."""
    return np.mean([psnr_y(upscaler(imresize(high, 1 / 2)), high, border=2) for high in middles])


bicubic = score(lambda low: imresize(low, 2))
print(f"bicubic: {bicubic:.2f} dB")

# %% [markdown]
# Watch both from the first step on, at a constant rate.

# %%
from functools import partial

from glanet.course.lessons.training_in_miniature.figures import scores


def watch_both(network, rates, decay):
    """Train on, and score the weights and their average ten times: steps, and {name: dB}."""
    average = Average(network, decay)
    every = max(1, len(rates) // 10)
    moments, found = [], {"the weights": [], f"their average, decay {decay}": []}

    def after_step(step):
        average.update_parameters(network)
        if (step + 1) % every == 0:
            moments.append(step + 1)
            for values, module in zip(found.values(), (network, average.module), strict=True):
                values.append(score(partial(upscale, module)))

    fit(network, rates, after_step=after_step)
    return moments, found


steps = by_profile(smoke=2, learn=100, full=300)
early = watch_both(new_network(), [5e-4] * steps, decay=0.95)
scores(*early, bicubic=bicubic)

# %% [markdown]
# From scratch the average only lags behind. It is made of weights that were worse.
#
# **Prediction.** After a long training, when the weights hardly improve any more and only jitter, the same
# experiment is done again. Which is ahead at its end, `"the weights"` or `"their average"`? Section 10
# will tell.

# %%
guess_late = ...

# %% [markdown]
# ## 8 · The package's loop, live
#
# `glanet.training.train` is the loop that you built, and what a long run needs besides: it validates, writes
# a log and checkpoints, resumes, and shares the work among devices. It takes a network, a recipe, and a
# folder, here a temporary one. With the 291 images and Set5 at hand it uses them; with scikit-image's
# photographs alone the numbers will be others. The rate stands above section 5's: a warm-up goes before it, and the cosine
# takes it down again.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

recipe = Recipe(
    data=tuple(map(str, training)),
    validation=tuple(map(str, held_out)),
    steps=by_profile(smoke=4, learn=1500, full=6000),
    batch=8,
    patch=16,
    learning_rate=2e-3,
    schedule="cosine",
    warm_up=by_profile(smoke=2, learn=300, full=300),
    gradient_clip=0.05,  # a longer gradient, over all weights, is shortened to this
    average=0.99,  # 0.999 remembers a thousand steps: too many for so short a run
    precision="float32",
    validate_every=by_profile(smoke=2, learn=250, full=500),
    save_every=by_profile(smoke=2, learn=250, full=500),
)
temporary = TemporaryDirectory()  # gone when the kernel ends
folder = Path(temporary.name) / "miniature"

# %% [markdown]
# **Prediction.** Bicubic interpolation is the rival. How many dB above it will this network be on images
# that it never saw? SRCNN, in 2014 the first network for the task, was 3.0 dB above it on Set5.

# %%
guess_gain = ...

# %% [markdown]
# Now let it turn. Every 50 steps `train` hands an entry of its log to `watch`, and the plot, which is empty
# as yet, draws itself anew. PSNR is that of the averaged network on the whole images held out. Jupyter's
# stop button ends it and loses nothing; run the second cell again, and it goes on.

# %%
from glanet.course.lessons.training_in_miniature.widgets import LivePlot
from glanet.evaluation.benchmark import evaluate, mean_scores
from glanet.training import train


def whole_images(upscaler):
    """Mean PSNR on Y of the whole images held out, in dB."""
    found = evaluate(lambda low: (upscaler(low), None), "held out", held_out, scale=2)
    return mean_scores(found)["held out"][0]


bicubic_whole = whole_images(lambda low: imresize(low, 2))
plot = LivePlot(bicubic=bicubic_whole)
plot


# %%
def quietly(*arguments, **options):
    """Train without a progress bar."""
    with redirect_stderr(StringIO()):
        return train(*arguments, **options)


weights = quietly(config, recipe, folder, watch=plot)
plot.draw()  # the last entry, too

# %% [markdown]
# The same plot, drawn once from the log file, for readers without a kernel. The loss is a mean of 50 steps.

# %%
from glanet.course.lessons.training_in_miniature.figures import curve
from glanet.training.log import read_log

curve(read_log(folder / "log.jsonl"), bicubic=bicubic_whole)

# %% [markdown]
# The loss soon looks flat, lost in the noise of the batches, while PSNR still rises. So look at PSNR, on images
# that are always the same.

# %%
trained = GLANet.from_pretrained(weights)
psnr = whole_images(lambda low: upscale(trained, low))
gain = psnr - bicubic_whole
print(f"bicubic {bicubic_whole:.2f} dB, trained here {psnr:.2f} dB")
print(
    reveal(
        guess_gain,
        round(float(gain), 2),
        unit="dB above bicubic",
        because=f"The squared error is {10 ** (gain / 10):.2f} times smaller.",
    )
)

# %%
from glanet.course.kit.photo import details

photo = modcrop(read_rgb(held_out[len(held_out) // 2]), 2)
small = imresize(photo, 1 / 2)
details(
    {"original": photo, "bicubic": imresize(small, 2), "trained here": upscale(trained, small)},
    top=photo.shape[0] // 4,
    left=photo.shape[1] // 4,
    side=32,
)

# %% [markdown]
# ## 9 · Stop, and go on
#
# A run of days will be stopped: by you, by the power company, by the queue of a cluster. A *checkpoint* holds
# all that matters between two steps: the weights, their average, Adam's $m$ and $v$, and the number of the
# step. Batches need no entry, they follow from seed and step.
#
# Here is a tiny run with a hand on the stop button: at the first entry of its log it gets the signal that
# Jupyter's button sends.

# %%
import signal
from dataclasses import replace

from glanet.training import checkpoint

tiny = ModelConfig(channels=8, blocks=1, layers=2, heads=2, light_head=True)
short = replace(recipe, steps=12, warm_up=0, batch=4, validate_every=5, save_every=5)
short = replace(short, data=short.data[:4], validation=short.validation[:1])


def press_stop(entry):
    signal.raise_signal(signal.SIGINT)


stopped = folder.with_name("stopped")
print("train returned", quietly(tiny, short, stopped, watch=press_stop))
print([path.name for path in checkpoint.checkpoints(stopped / "checkpoints")])

# %% [markdown]
# It ended the step that it was in, saved, and returned nothing. The same call goes on. Beside it, the
# same run without a stop: are the weights alike?

# %%
from safetensors.torch import load_file

ends = [
    load_file(quietly(tiny, short, where) / "model.safetensors")
    for where in (stopped, folder.with_name("straight"))
]
same = all(torch.equal(ends[0][name], ends[1][name]) for name in ends[1])
print("the same weights, to the last bit:", same)

# %% [markdown]
# The other way for a run to end is a loss or a gradient that is NaN or infinite. One such step would spoil
# every weight, and the average with them. So `train` looks at both before Adam does, and stops. An absurd
# learning rate will do to see it.

# %%
from glanet.training import NotFiniteError

try:
    quietly(tiny, replace(short, learning_rate=1e30), folder.with_name("absurd"))
except NotFiniteError as error:
    print(str(error).replace(temporary.name, "…"))

# %% [markdown]
# It names the step and the patches, so that a broken image can be found, and it keeps the network as it was
# before. For a long run that meets a bad batch once in a while there is `on_nan="skip"`.

# %% [markdown]
# ## 10 · What the average and bf16 change
#
# **The average, late.** Train on from the end of section 8, at a constant rate, and watch both again.

# %%
steps = by_profile(smoke=2, learn=100, full=300)
late = watch_both(GLANet.from_pretrained(weights), [1e-3] * steps, decay=0.95)
scores(*late)

# %%
of_weights, of_average = (values[-1] for values in late[1].values())
ends = {"the weights": of_weights, "their average": of_average}
print(
    reveal_choice(
        guess_late,
        max(ends, key=ends.get),
        choices=tuple(ends),
        because=", ".join(f"{name}: {value:.2f} dB" for name, value in ends.items()),
    )
)

# %% [markdown]
# Late in a training the jitter costs more than the lag. And without any average? The last checkpoint of section
# 8 still has the weights that were averaged.

# %%
tensors = load_file(checkpoint.checkpoints(folder / "checkpoints")[-1])
raw = GLANet(config)
raw.load_state_dict(
    {name[6:]: tensor for name, tensor in tensors.items() if name.startswith("model.")}
)
psnr_raw = whole_images(lambda low: upscale(raw, low))
print(f"the average {psnr:.3f} dB, the weights themselves {psnr_raw:.3f} dB")

# %% [markdown]
# There the cosine had taken the rate down to 0, and with it the jitter: the two differ little. A falling rate and an
# average do the same work. The average does it at any moment, so a validation in the middle of a run is
# worth more.
#
# **bf16.** A float32 has 24 bits for its digits. A *bfloat16* has 8, and the range of a float32;
# a *float16* has 11, and a small range.

# %% tags=["nbval-check-output"]
numbers = torch.tensor([1.0, 1.001, 1.01, 3.14159, 70_000.0])
for kind in (torch.float32, torch.bfloat16, torch.float16):
    shown = [f"{value:.6g}" for value in numbers.to(kind).float().tolist()]
    print(f"{str(kind)[6:]:9}", *(f"{value:>8}" for value in shown))

# %% [markdown]
# In bf16, 1.001 is 1: a weight near 1 would never move by a step of $10^{-3}$ or less. So weights, gradients and
# Adam stay float32, and `torch.autocast` rounds only what goes into matrix products. What does that
# change, and is it faster *here*?

# %%
import time

from glanet.device import choose_device
from glanet.training.loop import has_bf16

device = choose_device()


def train_in(bf16, steps):
    """Losses of a few steps, and seconds a step."""
    network = new_network().to(device)
    adam = torch.optim.Adam(network.parameters(), lr=5e-4)
    found, started = [], time.perf_counter()
    for step in range(steps):
        low, high = (part.to(device) for part in store.batch(seed=0, step=step, size=8))
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            loss = F.l1_loss(network(low), high)
        adam.zero_grad()
        loss.backward()
        adam.step()
        found.append(loss.item())
    return np.array(found), (time.perf_counter() - started) / steps


steps = by_profile(smoke=1, learn=12, full=100)
full, seconds = train_in(bf16=False, steps=steps)
half, seconds_bf16 = train_in(bf16=True, steps=steps)
print(f"this {device} computes in bf16 by itself: {has_bf16(cpu=device.type == 'cpu')}")
print(f"losses differ by {np.abs(half / full - 1).max():.1%} at most")
print(f"speed in bf16: {seconds / seconds_bf16:.1f} times that of float32")

# %% [markdown]
# The loss hardly notices. Speed is a matter of the machine: where the processor has no bf16 of its own, each
# product is computed by a detour, and `precision="auto"` stays with float32. Where it has, most of a
# transformer runs faster. Notebook 14 measures that.

# %% [markdown]
# ## What can go wrong
#
# - **The loss explodes or is NaN**: the rate is too large, or no warm-up. Divide it by 10.
# - **The loss falls, then wanders off**: `zero_grad` is missing.
# - **Scores differ from call to call**: the network is in training mode.
# - **Scores are too good**: they were measured on images that the network was trained on.
#
# Trigger them. First a rate a hundred times too large, and a step that never clears its gradients; both
# beside the right one.


# %%
def forgetful_step(network, adam, low, high, rate):
    adam.param_groups[0]["lr"] = rate
    loss = F.l1_loss(network(low), high)
    loss.backward()  # onto the gradients of all steps before
    adam.step()
    return loss.item()


steps = by_profile(smoke=2, learn=60, full=200)
too_large = fit(new_network(), [5e-2] * steps)
forgetful = fit(new_network(), [5e-4] * steps, take_step=forgetful_step)
mended = fit(new_network(), [5e-4] * steps)
loss_lines(
    {"as it should be": mended, "rate × 100": too_large, "no zero_grad": forgetful},
    rolling=min(10, steps),
)

# %% [markdown]
# The first is easy to see. The second is treacherous: it learns for a while. But old gradients go on pulling,
# and it overshoots.
#
# Then the mode. With stochastic depth, which leaves out layers by chance in training, the same image gives
# another answer each time, until `eval()`.

# %%
dropping = GLANet(replace(config, stochastic_depth=0.5))
image = store.batch(seed=0, step=0, size=1)[0]
with torch.no_grad():
    for name in ("train", "eval"):
        getattr(dropping, name)()  # dropping.train(), dropping.eval()
        answers = [dropping(image) for _ in range(8)]
        spread = max((answer - answers[0]).abs().max().item() for answer in answers)
        print(f"{name}(): eight answers to one image differ by up to {spread:.4f}")

# %% [markdown]
# Last, an image on both sides. `train` compares the files' contents, so renaming does not help.

# %%
from glanet.training import TrainError

try:
    quietly(tiny, replace(short, validation=short.data[:1]), folder.with_name("cheat"))
except TrainError as error:
    print(error)

# %% [markdown]
# ## The same as the package's
#
# The schedule and Adam are functions; the average is a class.

# %%
from glanet.course.kit.sameness import same_function, same_module
from glanet.training import schedule

cases = [(recipe, step) for recipe in (paper, cosine) for step in range(0, 500_000, 997)]
print(same_function(learning_rate, schedule.learning_rate, cases))


def adam_by_hand(weight, gradients):
    m = v = torch.zeros_like(weight)
    for step, gradient in enumerate(gradients, start=1):
        weight, m, v = adam_step(weight, gradient, m, v, step, rate=1e-2)
    return weight


def torch_adam(weight, gradients):
    weight = weight.clone().requires_grad_()
    adam = torch.optim.Adam([weight], lr=1e-2)
    for gradient in gradients:
        weight.grad = gradient
        adam.step()
    return weight.detach()


cases = [(torch.randn(4, 3), torch.randn(30, 4, 3)) for _ in range(5)]
print(same_function(adam_by_hand, torch_adam, cases, tolerance=1e-6))

# %%
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def flat(module):
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


def make_averaged(network, decay):
    return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay))


def after_five_updates(make, seed):
    """An average that watched a network on a random walk."""
    torch.manual_seed(seed)
    network = GLANet(tiny)
    average = make(network, 0.9)
    for _ in range(5):
        for parameter in network.parameters():
            parameter.data += 0.01 * torch.randn_like(parameter)
        average.update_parameters(network)
    return average


def my_average(seed):
    return flat(after_five_updates(Average, seed).module)


def torch_average(seed):
    return flat(after_five_updates(make_averaged, seed).module)


print(same_function(my_average, torch_average, [(0,), (1,)], tolerance=1e-6))
mine, theirs = (after_five_updates(make, seed=0) for make in (Average, make_averaged))
print(same_module(mine, theirs, torch.rand(2, 3, 16, 24)))

# %% [markdown]
# And the whole loop: the weights after a few of your steps, and after as many of the package's `Run`, which
# `train` calls; without clipping, which your loop does not do.

# %%
from glanet.training.loop import Run

plain = replace(short, gradient_clip=0.0)


def weights_by_my_loop(steps):
    torch.manual_seed(plain.seed)
    network = GLANet(config)
    adam = torch.optim.Adam(network.parameters(), betas=plain.betas)
    patches = PatchStore.from_images(training[:4], scale=2, patch=16)
    for step in range(steps):
        batch = patches.batch(plain.seed, step, plain.batch)
        train_step(network, adam, *batch, learning_rate(plain, step))
    return flat(network)


def weights_by_run(steps):
    run = Run(config, plain, folder.with_name(f"run-{steps}"), None, None, "cpu", None)
    for _ in range(steps):
        run.step()
    run.close()
    return flat(run.state.model)


with redirect_stderr(StringIO()):
    proof = same_function(weights_by_my_loop, weights_by_run, [(1,), (4,)], tolerance=1e-6)
print(proof)

# %% [markdown]
# You have built the loop. Notebook 12 gives it more images, more steps, and a GPU.

# %%
from glanet.course.report import report as progress_report

print(progress_report("training_in_miniature"))
