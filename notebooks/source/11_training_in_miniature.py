# %% [markdown]
# # 11 · Training in miniature
#
# | | |
# |---|---|
# | **You will** | build the training loop line by line, and train a GLA-Net that leaves bicubic interpolation far behind |
# | **It enables** | 12, which trains on a GPU by the recipe of the paper ([Global-Local Awareness Network for Image Super-Resolution](https://panpinchi.github.io/GLA-Net/), ICIP 2023), and knowing where to look when a training fails |
# | **Takes** | 10 minutes, 2 GB of memory; about 90 minutes to work through |
# | **Becomes** | `glanet/training/`: `loop.py`, `schedule.py`, `checkpoint.py`, `log.py` |
#
# Notebooks 03 to 09 built the network. Its weights are still random numbers. Training is one small
# step, repeated many times: enlarge a few patches, measure how wrong they are, and change every
# weight a little so that they become less wrong.
#
# ![One step of training: batch, network, loss, gradients, Adam, average](figures/11_loop.svg)
#
# This notebook goes round the picture once and builds each box. Then it runs the whole loop.

# %% [markdown]
# ## 1 · The loss
#
# The paper (§2.3) compares the enlarged image with the original by
#
# $$\mathcal{L}_1(I_{HR}, I_{GT}), \quad (6)$$
#
# the mean of the absolute differences over all pixels and channels. Three numbers are enough to see
# it: the differences are 0.1, 0 and 0.5. They add up to 0.6, and their mean is 0.2.

# %% tags=["nbval-check-output"]
import torch
import torch.nn.functional as F

output = torch.tensor([0.2, 0.5, 0.9], requires_grad=True)
target = torch.tensor([0.3, 0.5, 0.4])

loss = F.l1_loss(output, target)  # (output - target).abs().mean()
loss.backward()
print(f"loss {loss.item():.3f}, gradient {output.grad}")

# %% [markdown]
# The first output is too small by 0.1, and the third is too large by 0.5. Both have a gradient of
# the same size, one third. The gradient of L1 is a *sign*: it says in which direction to go, but
# not how far.
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
    """Gradient of the L1 loss with respect to each value of output, in output's shape."""
    # >>>
    return (output - target).sign() / output.numel()
    # <<<


# %%
from glanet.course.lessons.training_in_miniature import exercises

l1_gradient = exercises.l1_gradient.check(l1_gradient)

# %% [markdown]
# PSNR (peak signal-to-noise ratio) is computed from the squared error, L2. So why not train with
# L2?
#
# **Prediction.** Replace the five values 1, 2, 3, 4 and 15 by one number $c$. The $c$ with the
# least *squared* error is their mean, 5. Which $c$ has the least *absolute* error?

# %%
guess = ...

# %%
import numpy as np

from glanet.course.kit.predictions import reveal

values = [1, 2, 3, 4, 15]
reveal(
    guess,
    int(np.median(values)),
    unit="(the median)",
    because="There the gradients cancel: two values lie below it, and two above.",
    close=0,
)

# %%
from glanet.course.lessons.training_in_miniature.figures import one_number_for_all

one_number_for_all(values)

# %% [markdown]
# The minimum of L1 is at the median. Replace 15 by 150: the median stays, but the mean follows the
# outlier and becomes wrong for all other values. In a photograph the outliers are the few pixels at
# hard edges that no network gets right. The paper follows SwinIR and uses L1.

# %% [markdown]
# ## 2 · Adam
#
# A gradient says in which direction to change a weight. The *optimizer* decides how far; the paper
# (§2.4) uses Adam. For every weight $w$, Adam keeps two moving averages: $m$ of the gradient $g$,
# and $v$ of its square. Both start at 0. In step $t = 1, 2, \dots$
#
# $$m \leftarrow \beta_1 m + (1 - \beta_1)\, g \qquad v \leftarrow \beta_2 v + (1 - \beta_2)\, g^2$$
#
# $$\hat m = \frac{m}{1 - \beta_1^t} \qquad \hat v = \frac{v}{1 - \beta_2^t} \qquad
# w \leftarrow w - \text{rate} \cdot \frac{\hat m}{\sqrt{\hat v} + \varepsilon}$$
#
# with $\beta_1 = 0.9$, $\beta_2 = 0.999$, $\varepsilon = 10^{-8}$. The *learning rate* is $10^{-4}$
# in the paper.
#
# **Prediction.** A weight is 5, the learning rate is 0.1, and the very first gradient is 1000. How
# far does Adam move the weight? Put $t = 1$ into the formulas, or guess.

# %%
guess = ...

# %% tags=["nbval-check-output"]
weight = torch.tensor([5.0], requires_grad=True)
adam = torch.optim.Adam([weight], lr=0.1)
weight.grad = torch.tensor([1000.0])
adam.step()
reveal(
    guess,
    round(5 - weight.item(), 4),
    unit="(the learning rate itself)",
    because="m̂ is g and v̂ is g², so m̂/√v̂ is a sign: 1000 counts as much as 0.001.",
)

# %% [markdown]
# The two divisions by $1 - \beta^t$ are the *bias correction*. Without them, $m$ would be 0.1 g and
# $\sqrt{v}$ about 0.03 g in the first step, only because both started at 0.
#
# **Exercise 2 · A step of Adam** ★★☆, 10 minutes. All arguments except `step` and `rate` are
# tensors of the same shape. `step` counts from 1.
#
# <details><summary>Hint 1</summary>
#
# Write four lines, in the order of the formulas: $m$, $v$, the two with hats, and the weight.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `gradient**2` squares each value, and `v_hat.sqrt()` takes the square root of each.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `m_hat = m / (1 - 0.9**step)`. Return the new weight with `m` and `v`, not with the hats: the next
# step continues from `m` and `v`.
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
# What does Adam gain? The next figure shows a bowl, $x^2 + 100\,y^2$, which is a hundred times
# steeper along $y$ than along $x$. Plain *gradient descent* needs a rate small enough for $y$ (at
# 0.01 it would oscillate for ever), and with such a rate it crawls along $x$. Adam has a step size
# of its own for each of the two.

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
# A step does not look at whole photographs. It takes a *batch*: a few small patches of
# low-resolution (LR) images and the high-resolution (HR) patches at the same places. Image, place,
# flip and rotation of each patch are random. `PatchStore` holds all images in memory and cuts the
# patches.
#
# If the 291 images that small networks are often trained on are on this machine, the notebook uses
# them. If not, it uses the photographs of scikit-image. It measures on other images, which are
# *held out* of training.

# %%
from contextlib import redirect_stderr
from io import StringIO

from glanet.course.kit import practice
from glanet.course.kit.profile import by_profile
from glanet.data.patches import PatchStore

training = practice.training_images()[: by_profile(smoke=4, learn=None, full=None)]
held_out = practice.held_out_images()[by_profile(smoke=-1, learn=0, full=0) :]
with redirect_stderr(StringIO()):  # hide the progress bar
    store = PatchStore.from_images(training, scale=2, patch=16)
print(f"{store}\n{len(held_out)} held out")

# %% [markdown]
# The patches of a batch are random, but they depend on `(seed, step)` alone: ask twice for the same
# step, and you get the same patches. Here are four of the eight patches of step 7.

# %%
from glanet.course.lessons.training_in_miniature.figures import patches

lr, hr = store.batch(seed=0, step=7, size=8)  # (8, 3, 16, 16), (8, 3, 32, 32)
again, _ = store.batch(seed=0, step=7, size=8)
other, _ = store.batch(seed=0, step=8, size=8)
print("step 7 again:", torch.equal(lr, again), "· step 8:", torch.equal(lr, other))
patches(lr[:4], hr[:4])

# %% [markdown]
# So the sampling has no state that could be lost. A run that stopped at step 7 resumes with the
# batch of step 7, as if nothing had happened. Section 9 uses that.

# %% [markdown]
# ## 4 · Overfit one patch first
#
# Before any long training, train on *one* patch. A network has far more weights than a patch has
# numbers, so it should memorise the patch, and the loss should fall to almost 0. If it does not,
# something is broken, and you know it after seconds instead of after a night.
#
# This small network serves the whole notebook. The loop below is the shortest possible one.

# %%
from glanet import GLANet, ModelConfig

config = ModelConfig(channels=24, blocks=2, layers=2, heads=4, stochastic_depth=0.0)


def new_model():
    torch.manual_seed(0)
    return GLANet(config)


model = new_model()
adam = torch.optim.Adam(model.parameters(), lr=1e-3)
lr, hr = store.batch(seed=0, step=7, size=1)
one_patch = []
for _ in range(by_profile(smoke=3, learn=400, full=400)):
    loss = F.l1_loss(model(lr), hr)
    adam.zero_grad()
    loss.backward()
    adam.step()
    one_patch.append(loss.item())
print(f"{sum(p.numel() for p in model.parameters()):,} weights, {hr.numel():,} numbers in a patch")
print(f"off by {255 * one_patch[0]:.1f} of 255 grey levels before, {255 * one_patch[-1]:.1f} after")

# %%
from glanet.course.lessons.training_in_miniature.figures import loss_lines

loss_lines({"one patch": one_patch})

# %% [markdown]
# ## 5 · The loop, line by line
#
# A reliable loop does six things in each step. You write all but the last.
#
# | | |
# |---|---|
# | mode | `train()`: some layers, such as stochastic depth, work differently in training and in use |
# | rate | give Adam the learning rate of this step |
# | forward | enlarge, and compare: Eq. 6 |
# | clear | `zero_grad()`: PyTorch *adds* new gradients to old ones |
# | backward, step | compute the gradients; then Adam changes the weights |
# | average | section 7 |
#
# **Exercise 3 · One step** ★★☆, 8 minutes. From here on, `adam` is `torch.optim.Adam`, which stores
# $m$, $v$ and the step number itself. `lr` and `hr` are the LR and HR patches of a batch, and
# `rate` is the learning rate. Return the loss as a plain number.
#
# <details><summary>Hint 1</summary>
#
# torch's Adam keeps its learning rate in `adam.param_groups[0]["lr"]` (this `"lr"` is short for
# learning rate). Assign to it.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Section 4 has forward, clear, backward and step in the right order.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The last line is `return loss.item()`. `loss` itself would keep in memory everything that backward
# needed.
#
# </details>


# %%
def train_step(model, adam, lr, hr, rate):
    """Change the weights once, on one batch, at this learning rate; returns the loss, a number."""
    # >>>
    model.train()
    adam.param_groups[0]["lr"] = rate
    loss = F.l1_loss(model(lr), hr)
    adam.zero_grad()
    loss.backward()
    adam.step()
    return loss.item()
    # <<<


# %%
train_step = exercises.train_step.check(train_step)

# %% [markdown]
# The loop calls `train_step` once for each learning rate in a list. So a schedule is just a list of
# rates.

# %%
from tqdm.auto import tqdm


def fit(model, rates, take_step=train_step, after_step=lambda step: None):
    """One step for each of the rates; returns the losses."""
    adam = torch.optim.Adam(model.parameters())
    losses = []
    for step, rate in enumerate(tqdm(rates, leave=False, unit=" steps")):
        lr, hr = store.batch(seed=0, step=step, size=8)
        losses.append(take_step(model, adam, lr, hr, rate))
        after_step(step)
    return losses


# %% [markdown]
# Why Adam and not plain gradient descent here? Look at the size of the gradient of each weight
# tensor.

# %%
model = new_model()
lr, hr = store.batch(seed=0, step=0, size=8)
F.l1_loss(model(lr), hr).backward()
sizes = {name: p.grad.square().mean().sqrt().item() for name, p in model.named_parameters()}
for name in sorted(sizes, key=sizes.get)[:: len(sizes) // 6]:
    print(f"{sizes[name]:.1e}  {name}")

# %% [markdown]
# The sizes differ by orders of magnitude. No single rate suits all of them. Adam divides each
# gradient by its own size.
#
# ### Which learning rate?
#
# If the rate is too small, the weights hardly move before training ends. If it is too large, every
# step jumps past the minimum.
#
# **Prediction.** Train a hundred steps with each of five rates, from the same weights, on the same
# batches. Which rate ends with the lowest loss? The paper trains a larger network with `1e-4`, for
# 500,000 steps.

# %%
rates = (2e-5, 1e-4, 5e-4, 2e-3, 1e-2)
guess = ...

# %%
from glanet.course.kit.predictions import reveal_choice

steps = by_profile(smoke=2, learn=100, full=300)
by_rate = {rate: fit(new_model(), [rate] * steps) for rate in rates}
last = {rate: np.mean(found[-20:]) for rate, found in by_rate.items()}
reveal_choice(
    guess,
    min(last, key=last.get),
    choices=rates,
    because="At lower rates the steps are too short to get far; at higher rates they overshoot.",
)

# %%
from glanet.course.lessons.training_in_miniature.figures import losses_by_rate

losses_by_rate(last, start=by_rate[rates[0]][0])

# %% [markdown]
# The loss of each rate is a mean over its last 20 steps. Every batch has other patches, some hard
# and some easy, so the loss of a single step jumps. And a hundred steps are few: for a longer
# training another rate may be best, and the best rate may change along the way.
#
# ### Gradient clipping
#
# One ingredient of a reliable loop is still missing. Now and then a batch has a far larger gradient
# than the others. Adam's $m$ keeps a tenth of it at once, but its $v$ only a thousandth: $\sqrt v$ is
# too small for that gradient, and all weights jump. *Clipping* limits the damage. It takes the norm of
# the gradient over all weights together. If the norm is above a maximum, it shortens the whole
# gradient to the maximum, and keeps its direction. By hand: the gradients 3 and 4 have the norm
# $\sqrt{3^2 + 4^2} = 5$. With a maximum of 1 they become 0.6 and 0.8.


# %% tags=["nbval-check-output"]
@torch.no_grad()
def clip(model, most):
    """Shorten the gradient of all weights together to the norm ``most``; returns its norm before."""
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    norm = sum(gradient.square().sum() for gradient in gradients) ** 0.5
    for gradient in gradients:
        gradient.mul_(min(1.0, most / norm.item()))
    return norm.item()


toy = torch.nn.Linear(2, 1, bias=False)
toy.weight.grad = torch.tensor([[3.0, 4.0]])
norm = clip(toy, most=1.0)
print(f"norm {norm:.1f}, clipped", [round(g, 2) for g in toy.weight.grad[0].tolist()])

# %% [markdown]
# It belongs between backward and Adam's step. Your `train_step` need not change for it: an optimizer
# of torch can call a function before each of its steps. Here is one bad batch in the middle of a
# training: its gradient is a thousand times as long.


# %%
def with_a_bad_batch(most):
    """The losses of a training in which the gradient of one step is a thousand times as long."""
    model, losses = new_model(), []
    adam = torch.optim.Adam(model.parameters())
    number = by_profile(smoke=2, learn=60, full=200)
    for step in range(number):

        def before_step(*unused, bad=step == number // 2):
            for parameter in model.parameters():
                parameter.grad.mul_(1000 if bad else 1)
            if most is not None:
                clip(model, most)

        hook = adam.register_step_pre_hook(before_step)
        losses.append(train_step(model, adam, *store.batch(seed=0, step=step, size=8), 2e-3))
        hook.remove()
    return losses


loss_lines(
    {"no clipping": with_a_bad_batch(None), "norm of at most 0.1": with_a_bad_batch(0.1)},
    rolling=min(5, by_profile(smoke=2, learn=60, full=200)),
)

# %% [markdown]
# Without clipping the loss jumps, and $v$ remembers the long gradient for a thousand steps: all the
# steps after it are too short. Choose the maximum a little above the usual norm, which the log of a run
# holds. The recipes call it `gradient_clip`.

# %% [markdown]
# ## 6 · The schedule
#
# A *schedule* changes the learning rate during training. Two schedules are common here.
#
# - **Halving.** SwinIR uses it; the paper names only the rate. The rate is halved after 50, 80, 90
#   and 95 % of the steps, the *milestones*.
# - **Cosine.** The rate falls along half a cosine from its full height to 0:
#   $\text{rate} \cdot \frac{1}{2}\left(1 + \cos \pi s\right)$, where $s$ goes from 0 to 1.
#
# Before either of them, a *warm-up* raises the rate in equal increments. In the first steps Adam's
# $v$ has seen few gradients, and a bad start is hard to repair.
#
# **Exercise 4 · The learning rate of a step** ★★☆, 12 minutes. `recipe` is a `Recipe`. You
# need its `learning_rate`, `steps`, `schedule` (`"halving"` or `"cosine"`), `milestones` (fractions
# of all steps, such as 0.5) and `warm_up` (a number of steps). Steps count from 0.
#
# - In a warm-up of $n$ steps, step $t$ has $(t + 1) / n$ of the rate.
# - The cosine starts where the warm-up ends: there $s = 0$. At `recipe.steps`, $s$ would be 1.
# - At a milestone's own step the rate is already halved.
#
# <details><summary>Hint 1</summary>
#
# There are three cases, each with its own `return`: warm-up, cosine, halving.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `s = (step - recipe.warm_up) / (recipe.steps - recipe.warm_up)`, and `math.cos` takes radians.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The number of milestones reached is
# `sum(step >= share * recipe.steps for share in recipe.milestones)`. Halving $k$ times means
# multiplying by $0.5^k$.
#
# </details>


# %%
import math


def learning_rate(recipe, step):
    """The learning rate of a step, counted from 0."""
    # >>>
    if step < recipe.warm_up:
        return recipe.learning_rate * (step + 1) / recipe.warm_up
    if recipe.schedule == "cosine":
        share = (step - recipe.warm_up) / (recipe.steps - recipe.warm_up)
        return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * share))
    passed = sum(step >= share * recipe.steps for share in recipe.milestones)
    return recipe.learning_rate * 0.5**passed
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
# Move the sliders to draw *your* function for other values. (Without a kernel, the figure above
# shows the same.)

# %%
from glanet.course.lessons.training_in_miniature.widgets import explore_schedule

explore_schedule(learning_rate)

# %% [markdown]
# ## 7 · The average of the weights
#
# Batches differ, so each step pulls the weights a little to one side, and they jitter around their
# target. An *exponential moving average* (EMA) of the weights jitters less. It follows the training
# and has no influence on it.
#
# $$\bar w \leftarrow d\, \bar w + (1 - d)\, w$$
#
# The *decay* $d$ is 0.999 in SwinIR's recipe. By hand, with $d = 0.9$: the average is 2 and the
# weight is 3, so the new average is 0.9 · 2 + 0.1 · 3 = 2.1.
#
# There is one special case. The first update *copies* the weights instead of mixing them. Otherwise
# the random initial weights would stay in the average for a long time.
#
# **Exercise 5 · Average** ★★★, 12 minutes. `Average` is a module that holds a copy of a model.
# Write `update_parameters`. The names are those of `torch.optim.swa_utils.AveragedModel`, which the
# package uses.
#
# <details><summary>Hint 1</summary>
#
# `zip(self.module.parameters(), model.parameters(), strict=True)` gives the tensors in pairs.
# `mine = ...` only gives a name to a new tensor. To change the tensor in the module, use a method
# that ends in `_`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Use `mine.copy_(theirs)` while `self.n_averaged == 0`. After that, use `mine.copy_(...)` with the
# formula.
#
# </details>
# <details><summary>Hint 3</summary>
#
# After the loop add `self.n_averaged += 1`. Without it, every update copies.
#
# </details>

# %%
import copy

from torch import nn


class Average(nn.Module):
    """A copy of a model; its weights are a moving average of the model's weights."""

    def __init__(self, model, decay):
        super().__init__()
        self.module = copy.deepcopy(model)
        self.decay = decay
        self.register_buffer("n_averaged", torch.tensor(0))  # updates so far

    def forward(self, image):
        return self.module(image)

    @torch.no_grad()
    def update_parameters(self, model):
        """Update the average with the current weights of the model."""
        # >>>
        for mine, theirs in zip(self.module.parameters(), model.parameters(), strict=True):
            if self.n_averaged == 0:
                mine.copy_(theirs)
            else:
                mine.copy_(self.decay * mine + (1 - self.decay) * theirs)
        self.n_averaged += 1
        # <<<


# %%
Average = exercises.Average.check(Average)

# %% [markdown]
# Is the average better than the weights that it averages? To measure it, take the centres of the
# held-out images, and PSNR in decibels (dB) as in notebook 02.

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
    """Mean PSNR on Y, in dB, over the centres of the held-out images."""
    return np.mean([psnr_y(upscaler(imresize(hr, 1 / 2)), hr, border=2) for hr in middles])


bicubic = score(lambda lr: imresize(lr, 2))
print(f"bicubic: {bicubic:.2f} dB")

# %% [markdown]
# Measure both at a constant rate: before the first step, where they are the same, and then ten times.

# %%
from functools import partial

from glanet.course.lessons.training_in_miniature.figures import scores


def watch_both(model, rates, decay):
    """Train, and score the weights and their average, from step 0 on: steps, and {name: dB}."""
    average = Average(model, decay)
    every = max(1, len(rates) // 10)
    moments, found = [], {"the weights": [], f"their average, decay {decay}": []}

    def note(step):
        moments.append(step)
        for values, module in zip(found.values(), (model, average.module), strict=True):
            values.append(score(partial(upscale, module)))

    def after_step(step):
        average.update_parameters(model)
        if (step + 1) % every == 0:
            note(step + 1)

    note(0)

    fit(model, rates, after_step=after_step)
    return moments, found


steps = by_profile(smoke=2, learn=100, full=300)
early = watch_both(new_model(), [5e-4] * steps, decay=0.95)
scores(*early, bicubic=bicubic)

# %% [markdown]
# In a training from scratch, the average only lags behind: it contains older and worse weights.
# (Bicubic's line is higher here than in section 8. Here it is measured on the centres of the images,
# there on the whole images, whose edges and textures are harder.)
#
# **Prediction.** You repeat the experiment after a long training, when the weights hardly improve
# any more. Which scores higher at its end, `"the weights"` or `"their average"`? Section 10 gives
# the answer.

# %%
guess_late = ...

# %% [markdown]
# ## 8 · The package's loop, live
#
# `glanet.training.train` is the loop that you built, plus everything that a long run needs: it
# validates, writes a log and checkpoints, resumes, and shares the work among devices. It takes a
# config, a recipe and a folder, here a temporary one. If the 291 images and Set5 are on this
# machine, the cell uses them. With scikit-image's photographs alone, your numbers will differ. The
# rate is higher than the best one of section 5, because a warm-up comes before it and the cosine
# lowers it again.

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
    gradient_clip=0.05,  # the maximum norm, section 5
    average=0.99,  # 0.999 averages about a thousand steps: too many for so short a run
    precision="float32",
    validate_every=by_profile(smoke=2, learn=250, full=500),
    save_every=by_profile(smoke=2, learn=250, full=500),
)
temporary = TemporaryDirectory()  # gone when the kernel ends
folder = Path(temporary.name) / "miniature"

# %% [markdown]
# **Prediction.** Compare with bicubic interpolation. By how many dB will this network beat it on
# images that it never saw? SRCNN, in 2014 the first network for the task, was 3.0 dB above bicubic
# on Set5.

# %%
guess_gain = ...

# %% [markdown]
# Now train. Every 50 steps `train` passes an entry of its log to `watch`. The plot starts empty and
# is redrawn with the new entries. PSNR is measured with the averaged weights on the whole held-out
# images. `train` also saves the averaged weights at the end. Jupyter's stop button ends the
# training and loses nothing: run the second cell again, and it resumes.

# %%
from glanet.course.lessons.training_in_miniature.widgets import LivePlot
from glanet.evaluation.benchmark import evaluate, mean_scores
from glanet.training import train


def whole_images(upscaler):
    """Mean PSNR on Y, in dB, over the whole held-out images."""
    found = evaluate(lambda lr: (upscaler(lr), None), "held out", held_out, scale=2)
    return mean_scores(found)["held out"][0]


bicubic_whole = whole_images(lambda lr: imresize(lr, 2))
plot = LivePlot(bicubic=bicubic_whole)
plot


# %%
def quietly(*arguments, **options):
    """Train without a progress bar."""
    with redirect_stderr(StringIO()):
        return train(*arguments, **options)


weights = quietly(config, recipe, folder, watch=plot)
plot.draw()  # include the last entry

# %%
trained = GLANet.from_pretrained(weights)
psnr = whole_images(lambda lr: upscale(trained, lr))
gain = psnr - bicubic_whole
reveal(
    guess_gain,
    round(float(gain), 2),
    unit="dB above bicubic",
    because=f"Bicubic has {bicubic_whole:.2f} dB, the network trained here {psnr:.2f} dB: its "
    f"squared error is {10 ** (gain / 10):.2f} times smaller.",
)

# %% [markdown]
# For readers without a kernel, here is the plot of the training, drawn once from the log file. Each
# loss is a mean over 50 steps.

# %%
from glanet.course.lessons.training_in_miniature.figures import curve
from glanet.training.log import read_log

curve(read_log(folder / "log.jsonl"), bicubic=bicubic_whole)

# %% [markdown]
# The loss soon looks flat: it still falls, but by less than the loss of single batches varies. PSNR
# rises for longer. So watch PSNR, which is always measured on the same images.

# %%
from glanet.course.kit.photo import details

photo = modcrop(read_rgb(held_out[len(held_out) // 2]), 2)
lr = imresize(photo, 1 / 2)
details(
    {"original": photo, "bicubic": imresize(lr, 2), "trained here": upscale(trained, lr)},
    top=photo.shape[0] // 4,
    left=photo.shape[1] // 4,
    side=32,
)

# %% [markdown]
# ## 9 · Stop and resume
#
# A run that takes days will be stopped: by you, by a power failure, by the queue of a cluster. A
# *checkpoint* holds everything that the next step needs: the weights, their average, Adam's $m$ and
# $v$, and the step number. It need not hold batches, because they follow from seed and step.
#
# Here is a tiny run that is stopped: at the first entry of its log it gets the signal that
# Jupyter's stop button sends.

# %%
import signal
from dataclasses import replace

from glanet.training.folder import RunFolder

tiny = ModelConfig(channels=8, blocks=1, layers=2, heads=2, light_head=True)
short = replace(recipe, steps=12, warm_up=0, batch=4, validate_every=5, save_every=5)
short = replace(short, data=short.data[:4], validation=short.validation[:1])


def press_stop(entry):
    signal.raise_signal(signal.SIGINT)


stopped = folder.with_name("stopped")
print("train returned", quietly(tiny, short, stopped, watch=press_stop))
print([path.name for path in RunFolder(stopped).saved()])

# %% [markdown]
# The run finished its current step, saved a checkpoint, and returned None. The same call resumes
# it. For comparison, the second run below goes through without a stop. Are the final weights the
# same?

# %%
from safetensors.torch import load_file

ends = [
    load_file(quietly(tiny, short, where) / "model.safetensors")
    for where in (stopped, folder.with_name("straight"))
]
same = all(torch.equal(ends[0][name], ends[1][name]) for name in ends[1])
print("the weights are bit-identical:", same)

# %% [markdown]
# A run can also end because the loss or a gradient is NaN (not a number) or infinite. One such step
# would spoil every weight, and the average with them. So `train` checks the loss and the gradient
# before Adam uses them, and stops. An absurd learning rate shows it.

# %%
from glanet.course.kit.lines import short_lines
from glanet.training import NotFiniteError

try:
    quietly(tiny, replace(short, learning_rate=1e30), folder.with_name("absurd"))
except NotFiniteError as error:
    print(short_lines(str(error).replace(temporary.name, "…")))

# %% [markdown]
# The message names the step and the patches, so that you can find a broken image. A checkpoint
# keeps the network as it was before that step. For a long run that sometimes meets a bad batch,
# there is `on_nan="skip"`.

# %% [markdown]
# ## 10 · What the average and bf16 change
#
# **The average, late in training.** Train on from the end of section 8, at a constant rate, and
# measure both again. One thing is not as in a long training: the cosine had brought the rate down to
# 0, and now it jumps to $10^{-3}$. So the weights first lose what the falling rate had gained. Compare
# the two curves with each other, and both with their common start at step 0.

# %%
steps = by_profile(smoke=2, learn=100, full=300)
late = watch_both(GLANet.from_pretrained(weights), [1e-3] * steps, decay=0.95)
scores(*late)

# %%
of_weights, of_average = (values[-1] for values in late[1].values())
ends = {"the weights": of_weights, "their average": of_average}
reveal_choice(
    guess_late,
    max(ends, key=ends.get),
    choices=tuple(ends),
    because=", ".join(f"{name}: {value:.2f} dB" for name, value in ends.items()),
)

# %% [markdown]
# Late in training the jitter costs more than the lag. And what if you use no average at all? The
# last checkpoint of section 8 still has the weights from which the average was made.

# %%
tensors = load_file(RunFolder(folder).saved()[-1])
raw = GLANet(config)
raw.load_state_dict(
    {name[6:]: tensor for name, tensor in tensors.items() if name.startswith("model.")}
)
psnr_raw = whole_images(lambda lr: upscale(raw, lr))
print(f"the average {psnr:.3f} dB, the weights themselves {psnr_raw:.3f} dB")

# %% [markdown]
# At the end of section 8 the cosine had lowered the rate to 0, and that removed the jitter as well.
# So the two hardly differ. A falling rate and an average have the same effect. But the average
# works at any moment, so it makes a validation in the middle of a run more meaningful.
#
# **bf16.** A float32 has 24 bits of precision. A *bfloat16* (bf16) has 8, with the range of a
# float32. A *float16* has 11, with a small range.

# %% tags=["nbval-check-output"]
numbers = torch.tensor([1.0, 1.001, 1.01, 3.14159, 70_000.0])
for kind in (torch.float32, torch.bfloat16, torch.float16):
    shown = [f"{value:.6g}" for value in numbers.to(kind).float().tolist()]
    print(f"{str(kind)[6:]:9}", *(f"{value:>8}" for value in shown))

# %% [markdown]
# In bf16, 1.001 becomes 1: a weight near 1 would never move by a step of $10^{-3}$ or less. So
# weights, gradients and Adam stay in float32, and `torch.autocast` rounds only the inputs of matrix
# products. How much does that change, and is it faster on *this* machine?

# %%
import time

from glanet.device import choose_device
from glanet.training.loop import has_bf16

device = choose_device()


def train_in(bf16, steps):
    """The losses of a few steps, and the seconds per step."""
    model = new_model().to(device)
    adam = torch.optim.Adam(model.parameters(), lr=5e-4)
    found, started = [], time.perf_counter()
    for step in range(steps):
        lr, hr = (part.to(device) for part in store.batch(seed=0, step=step, size=8))
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            loss = F.l1_loss(model(lr), hr)
        adam.zero_grad()
        loss.backward()
        adam.step()
        found.append(loss.item())
    return np.array(found), (time.perf_counter() - started) / steps


steps = by_profile(smoke=1, learn=12, full=100)
full, seconds = train_in(bf16=False, steps=steps)
half, seconds_bf16 = train_in(bf16=True, steps=steps)
print(f"this {device} has instructions for bf16: {has_bf16(cpu=device.type == 'cpu')}")
print(f"the losses differ by at most {np.abs(half / full - 1).max():.1%}")
print(f"speed in bf16: {seconds / seconds_bf16:.1f} × the speed in float32")

# %% [markdown]
# The loss hardly changes. Speed depends on the machine. A CPU without bf16 instructions has to
# emulate each product, so `precision="auto"` stays with float32 there. On hardware with bf16, most
# of a transformer runs faster. Notebook 14 measures that.

# %% [markdown]
# ## What can go wrong
#
# - **The loss explodes or is NaN**: the rate is too large, or the warm-up is missing. Divide the
#   rate by 10.
# - **The loss falls, then rises again**: `zero_grad` is missing.
# - **Scores differ from call to call**: the network is in training mode.
# - **Scores are too good**: they were measured on images that the network was trained on.
#
# Cause each of them on purpose. The first two are a rate that is a hundred times too large, and a
# step that never clears its gradients. Both are drawn beside a correct training.


# %%
def forgetful_step(model, adam, lr, hr, rate):
    adam.param_groups[0]["lr"] = rate
    loss = F.l1_loss(model(lr), hr)
    loss.backward()  # adds to the gradients of all earlier steps
    adam.step()
    return loss.item()


steps = by_profile(smoke=2, learn=60, full=200)
too_large = fit(new_model(), [5e-2] * steps)
forgetful = fit(new_model(), [5e-4] * steps, take_step=forgetful_step)
mended = fit(new_model(), [5e-4] * steps)
loss_lines(
    {"correct": mended, "rate × 100": too_large, "no zero_grad": forgetful},
    rolling=min(10, steps),
)

# %% [markdown]
# The first mistake is easy to see. The second is treacherous, because the network learns for a
# while. But the old gradients keep pulling, and the weights overshoot.
#
# Next, the mode. With stochastic depth, which skips random layers in training, the same image gets
# a different output each time, until you call `eval()`.

# %%
dropping = GLANet(replace(config, stochastic_depth=0.5))
image = store.batch(seed=0, step=0, size=1)[0]
with torch.no_grad():
    for name in ("train", "eval"):
        getattr(dropping, name)()  # dropping.train(), dropping.eval()
        answers = [dropping(image) for _ in range(8)]
        spread = max((answer - answers[0]).abs().max().item() for answer in answers)
        print(f"{name}(): eight outputs for one image differ by up to {spread:.4f}")

# %% [markdown]
# Last, an image that is in both the training and the validation set. `train` compares the contents
# of the files, so renaming one does not help.

# %%
from glanet.training import TrainError

try:
    quietly(tiny, replace(short, validation=short.data[:1]), folder.with_name("cheat"))
except TrainError as error:
    print(short_lines(error))

# %% [markdown]
# ## The same as the package's
#
# The schedule and Adam are functions; the average is a class.

# %%
from glanet.course.kit.sameness import same_function, same_module
from glanet.training import schedule

cases = [(recipe, step) for recipe in (paper, cosine) for step in range(0, 500_000, 997)]
print(same_function(learning_rate, schedule.learning_rate, cases, tolerance=1e-9))


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


def make_averaged(model, decay):
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))


def after_five_updates(make, seed):
    """The average of a model whose weights took five random steps."""
    torch.manual_seed(seed)
    model = GLANet(tiny)
    average = make(model, 0.9)
    for _ in range(5):
        for parameter in model.parameters():
            parameter.data += 0.01 * torch.randn_like(parameter)
        average.update_parameters(model)
    return average


def my_average(seed):
    return flat(after_five_updates(Average, seed).module)


def torch_average(seed):
    return flat(after_five_updates(make_averaged, seed).module)


print(same_function(my_average, torch_average, [(0,), (1,)], tolerance=1e-6))
mine, theirs = (after_five_updates(make, seed=0) for make in (Average, make_averaged))
print(same_module(mine, theirs, torch.rand(2, 3, 16, 24)))

# %% [markdown]
# Finally, the whole loop, with its clipping. Compare the weights after a few of your steps with the
# weights after as many steps of the package's `Run`, which `train` uses.

# %%
from glanet.training.loop import Run


def weights_by_my_loop(steps):
    torch.manual_seed(short.seed)
    model = GLANet(config)
    adam = torch.optim.Adam(model.parameters(), betas=short.betas)

    def clipped(*unused):  # a hook of Adam's must return nothing
        clip(model, short.gradient_clip)

    adam.register_step_pre_hook(clipped)
    patches = PatchStore.from_images(training[:4], scale=2, patch=16)
    for step in range(steps):
        batch = patches.batch(short.seed, step, short.batch)
        train_step(model, adam, *batch, learning_rate(short, step))
    return flat(model)


def weights_by_run(steps):
    run = Run(config, short, folder.with_name(f"run-{steps}"), device="cpu")
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
