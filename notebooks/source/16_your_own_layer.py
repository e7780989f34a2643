# %% [markdown]
# # 16 · Your own layer
#
# | | |
# |---|---|
# | **You will** | change the GLA layer, train it beside the original, and find out whether the difference is more than chance |
# | **It enables** | experiments of your own, and reading those of others |
# | **Takes** | 11 minutes, 1 GB of memory; about 90 minutes to work through |
# | **Becomes** | nothing in the package: the layer is yours |
#
# [Notebook 07](07_gla_layer.ipynb) built the layer of
# [the paper (*Global-Local Awareness Network for Image Super-Resolution*, ICIP
# 2023)](https://panpinchi.github.io/GLA-Net/): attention for what is far, convolutions for what is
# near. Was it the best choice? Here you change it.
#
# A change takes one line. Finding out whether it helped takes an experiment, and most of this
# notebook is about that. You plan it, you write the rule of judgement *before* you see a result,
# you train, you judge, and you get a report of one page. The exercises check how the experiment is
# done. They do not check whether your layer wins.

# %% [markdown]
# ## 1 · The question
#
# First the network. It is small, so that a training takes seconds: one block of two layers, with 16
# channels.

# %%
from glanet import ModelConfig
from glanet.course.kit.profile import by_profile
from glanet.course.lessons.your_own_layer.experiment import Variant

config = ModelConfig(
    channels=by_profile(smoke=8, learn=16, full=32),
    blocks=by_profile(smoke=1, learn=1, full=3),
    layers=2,
    heads=2,
    stochastic_depth=0.0,
    light_head=True,
)
original = Variant(config)  # a GLA-Net of this shape, with the layers of the paper
print(f"{original.parameters:,} parameters")

# %% [markdown]
# Now your layer. It is a `GLALayer` with one change, and a switch for that change. The example
# replaces one of the four branches of Inception, the max-pooling over 3×3 pixels. A *dilated*
# convolution takes its place: its nine taps are four pixels apart, so it sees 9×9 pixels for the
# price of 3×3. Run all cells with the example first. Then come back and put in your own idea.

# %%
from glanet.model.layer import GLALayer
from glanet.model.tokens import TokenConv, TokenConv1x1
from torch import nn

question = "Does the GLA layer profit from a dilated convolution in place of max-pooling?"


class DilatedBranch(nn.Sequential):
    """A 1×1 convolution, then a dilated 3×3: tokens (B, H, W, C) -> (B, H, W, width)."""

    def __init__(self, channels, width):
        super().__init__(
            TokenConv1x1(channels, width),
            TokenConv(width, width, kernel_size=3, padding=4, dilation=4),
        )


class MyLayer(GLALayer):
    """The GLA layer with one change; with ``change=False`` it is the GLA layer."""

    def __init__(self, channels, *settings, change=True, **options):
        super().__init__(channels, *settings, **options)
        if change:
            self.inception.branches[0] = DilatedBranch(channels, channels // 4)


# %% [markdown]
# | idea | how |
# |---|---|
# | a branch | as above: `self.inception.branches[i]` are max, 3, 5 and 7 |
# | a window | in section 3, `replace(config, window=4)` in the config of "mine" |
# | another mixer | `make_mixer("depthwise", channels, heads, window, shift)` of `glanet.model.mixer` |
# | another fusion | `self.fuse`, or your own `forward` |
# | another place | the MLP, `self.mlp`, or the norms, `self.norm1` |
#
# One change at a time: of two changes, you would not know which one did it. The switch is there to
# prove that nothing *else* differs. With the change off, your class must give the outputs and the
# gradients of the original:

# %%
import torch
from glanet.course.kit.sameness import same_module

torch.manual_seed(0)
tokens = torch.randn(2, 16, 24, config.channels)
settings = (config.channels, config.heads, config.window, config.window // 2)
print(same_module(MyLayer(*settings, change=False), GLALayer(*settings), tokens))

# %% [markdown]
# And with the change on, the output must differ, from the same weights where they fit. A change that
# never runs is a common mistake.

# %%
from glanet.course.lessons.your_own_layer.experiment import takes_effect

print("the change takes effect:", takes_effect(MyLayer(*settings), GLALayer(*settings), tokens))

# %% [markdown]
# ## 2 · Equal parameters
#
# A dilated convolution has more weights than max-pooling, which has none. If your network wins, was it
# the idea, or the additional weights? So give both networks the same number of parameters, ±3 %. The
# MLP makes up the difference: its hidden channels are easy to count, and each costs the same number of
# parameters.
#
# By hand: a network has 1,050 parameters with one hidden channel and 1,100 with two. So a hidden
# channel costs 50. The target is 2,030, so 980 parameters are left for further channels. That is
# enough for 19.6 of them. The nearest whole number is 20, and the width is 21.
#
# **Exercise 1 · The hidden width** ★☆☆, 8 minutes. `count(width)` returns the parameters of the
# network with this hidden width, at least 1. They grow by the same number for each hidden channel.
# Return the width whose number of parameters is nearest to `target`. If even a width of 1 is too
# much, return 1.
#
# <details><summary>Hint 1</summary>
#
# `count(2) - count(1)` is the price of a hidden channel.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The width is 1 plus the number of further channels, `(target - count(1)) / price`, rounded. `max(1,
# ...)` keeps it at 1 or more.
#
# </details>


# %%
def hidden_width(count, target):
    """The hidden width, at least 1, whose count is nearest to the target."""
    # >>>
    price = count(2) - count(1)
    return max(1, 1 + round((target - count(1)) / price))
    # <<<


# %%
from glanet.course.lessons.your_own_layer import exercises

hidden_width = exercises.hidden_width.check(hidden_width)

# %%
from glanet.course.lessons.your_own_layer.experiment import with_hidden


def parameters_of(hidden):
    return Variant(with_hidden(config, hidden), MyLayer).parameters


hidden = hidden_width(parameters_of, original.parameters)
print(f"as it is: {Variant(config, MyLayer).parameters:,} parameters")
print(f"with {hidden} hidden channels: {parameters_of(hidden):,}")
print(f"original: {original.parameters:,}")

# %% [markdown]
# Parameters are not the only budget. Two networks of equal parameters may differ in time and memory: a
# larger window costs time and almost no parameters. Report what you do not match.

# %% [markdown]
# ## 3 · Two more networks
#
# Your network and the original are not enough. You also need to know whether the *experiment* works.
#
# - **A negative control**: a network with a change that cannot matter. If the experiment finds a
#   difference, it finds differences where there are none.
# - **A weaker baseline**: a network that is known to be worse. If the experiment does not find that, it
#   is too blunt, and "no difference" means nothing.
#
# The control below draws one random number before it makes its weights, and throws it away. So the
# weights get other random numbers, from the same distribution. That is all. It happens to your layer
# as well: it draws more numbers than max-pooling, which has fewer weights, and so everything after it
# starts elsewhere.
#
# The weaker baseline lacks the bilinear base of Eq. 5. So it has to learn what interpolation gives the
# others for free, and in a short training that costs a lot. It has as many parameters as the original.


# %%
from dataclasses import replace


class Redrawn(GLALayer):
    """The GLA layer, from other random numbers: a change that cannot matter."""

    def __init__(self, *settings, **options):
        torch.rand(1)
        super().__init__(*settings, **options)


variants = {
    "original": original,
    "mine": Variant(with_hidden(config, hidden), MyLayer),
    "control": Variant(config, Redrawn),
    "weaker": Variant(replace(config, bilinear_base=False)),
}
parameters = {name: variant.parameters for name, variant in variants.items()}
for name, count in parameters.items():
    print(f"{name:9} {count:,} parameters")

# %% [markdown]
# **Prediction.** Train the original and the control on the same batches, with the same seed, and
# compare their PSNR (peak signal-to-noise ratio) in decibels (dB), as a mean over the held-out images.
# How far are they apart? Choose `"under 0.01 dB"`, `"0.01 to 0.1 dB"` or `"over 0.1 dB"`. The answer
# comes in section 7.

# %%
distances = ("under 0.01 dB", "0.01 to 0.1 dB", "over 0.1 dB")
guess_control = ...

# %% [markdown]
# ## 4 · The plan
#
# A *trial* is one training and its measurement: the name of a network, its number of parameters, and a
# recipe. The recipe has the budget (steps, batch, patch), the learning rate, the seed, and two lists of
# files: `data` to train on, `validation` to measure on.

# %%
from glanet.course.kit import practice
from glanet.course.lessons.your_own_layer.experiment import Trial, training_images
from glanet.training import Recipe

training = training_images()[: by_profile(smoke=4, learn=None, full=None)]
held_out = practice.held_out_images()[by_profile(smoke=-2, learn=0, full=0) :]
recipe = Recipe(
    data=tuple(map(str, training)),
    validation=tuple(map(str, held_out)),
    steps=by_profile(smoke=4, learn=500, full=6000),
    batch=8,
    patch=16,
    learning_rate=4e-3,
    schedule="cosine",
    warm_up=by_profile(smoke=0, learn=50, full=200),
    gradient_clip=0.05,
)
print(f"{len(recipe.data)} images to train on, {len(recipe.validation)} to measure on")
example = Trial("mine", parameters["mine"], recipe)
print(f"{example.network}: {example.recipe.steps} steps, seed {example.recipe.seed}")

# %% [markdown]
# **Exercise 2 · A fair plan** ★★☆, 15 minutes. Return a list with the trials of all networks, from
# `parameters`, a dictionary of their numbers of parameters, and a `recipe`. In a fair experiment
#
# - each network is trained with the same seeds, at least three. The seed decides the batches, so with
#   the same seed all networks see the same patches, and results come in pairs;
# - all networks get the same recipe but for the seed;
# - no image is both trained and measured on. The recipe may have such an image. Take it out of `data`;
# - a network with over 3 % more or fewer parameters than `"original"` does not take part. Only
#   `"weaker"` may have fewer.
#
# <details><summary>Hint 1</summary>
#
# `replace(recipe, seed=1)` from `dataclasses` is a copy of a recipe with another seed. Two nested loops,
# over seeds and networks, make the list.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `data = tuple(file for file in recipe.data if file not in recipe.validation)` is the same for all
# trials.
#
# </details>
# <details><summary>Hint 3</summary>
#
# A network takes part if `name == "weaker"` or
# `abs(parameters[name] / parameters["original"] - 1) <= 0.03`.
#
# </details>


# %%
def plan(parameters, recipe):
    """The trials of a fair experiment: {network: parameters} and a recipe -> list of Trial."""
    # >>>
    data = tuple(file for file in recipe.data if file not in recipe.validation)
    size = parameters["original"]
    equal = [
        name
        for name, count in parameters.items()
        if name == "weaker" or abs(count / size - 1) <= 0.03
    ]
    return [
        Trial(name, parameters[name], replace(recipe, data=data, seed=seed))
        for seed in range(3)
        for name in equal
    ]
    # <<<


# %%
plan = exercises.plan.check(plan)

# %% [markdown]
# The same rules check the experiment that you really do. If you change something below, this cell
# tells you which rule it breaks:

# %%
from glanet.course.lessons.your_own_layer.experiment import broken_rules

trials = plan(parameters, recipe)
print(len(trials), "trials")
print("\n".join(broken_rules(trials)) or "no rule is broken")

# %% [markdown]
# ## 5 · What chance does
#
# Suppose that your network leads by 0.01, 0.05 and 0.09 dB with three seeds. The mean lead is 0.05 dB.
# Is it more than chance? The leads differ, so they are uncertain. The *standard deviation*
# $s$ measures by how much they differ. The differences from the mean are −0.04, 0 and 0.04, so
#
# $$s = \sqrt{\frac{0.04^2 + 0^2 + 0.04^2}{3 - 1}} = 0.04$$
#
# A mean of $n$ values differs less than a single value: its *standard error* is $s / \sqrt n = 0.023$.
# For many values, a *95 % confidence interval* reaches to 1.96 standard errors. But $s$ is uncertain as
# well if it comes from three values only. *Student's t* takes that into account: for three values, the
# factor is 4.30. So the interval is $0.05 \pm 4.30 \cdot 0.023$, from −0.05 to 0.15 dB. It includes 0.
# Three leads, all positive, and no finding.
#
# Take the *differences* of pairs first, with the same seed or on the same image. One image is hard
# for all networks and another is easy for all. The difference does not contain that.
#
# **Exercise 3 · A paired interval** ★★☆, 10 minutes. `ours` and `theirs` are arrays of PSNRs, pair by
# pair. Return the mean of ours − theirs, and the lower and upper end of its 95 % confidence interval.
#
# <details><summary>Hint 1</summary>
#
# Subtract first. `differences.std(ddof=1)` divides by $n - 1$, as above.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `t.ppf(0.975, n - 1)` from `scipy.stats` is the factor: 97.5 % lie below it, and so 2.5 % beyond
# each end.
#
# </details>

# %%
import numpy as np
from scipy.stats import t


def t_interval(ours, theirs):
    """Mean, low and high of ours - theirs: a paired 95 % confidence interval."""
    # >>>
    differences = ours - theirs
    n = len(differences)
    reach = t.ppf(0.975, n - 1) * differences.std(ddof=1) / n**0.5
    return differences.mean(), differences.mean() - reach, differences.mean() + reach
    # <<<


# %%
t_interval = exercises.t_interval.check(t_interval)

# %% tags=["nbval-check-output"]
three = np.array([36.01, 36.05, 36.09]), np.array([36.0, 36.0, 36.0])
print("three seeds: {:.3f}, from {:.3f} to {:.3f} dB".format(*t_interval(*three)))
six = np.tile(three, 2)
print("six seeds:   {:.3f}, from {:.3f} to {:.3f} dB".format(*t_interval(*six)))

# %% [markdown]
# An interval speaks only of what its samples vary in. You will make two:
#
# - **over seeds**: each sample is a seed, a mean over the images. Would the network win again, trained
#   from other random numbers, on *these* images?
# - **over images**: each sample is an image, a mean over the seeds. Would *these* trainings win on
#   other images as well?
#
# A lead counts if both intervals leave out 0, on the same side.

# %% [markdown]
# ## 6 · The rule of judgement
#
# Write the rule now, before there is a result. Afterwards you would find reasons for the rule that
# suits you.
#
# Each network but the original gets a *side*: 1 if it beats the original in both intervals, −1 if the
# original beats it in both, and 0 otherwise.
#
# **Exercise 4 · The verdict** ★☆☆, 8 minutes. From the sides of "mine", of the control and of the weaker
# baseline, return one of five words. `"broken"`: the control is on any side but 0. `"insensitive"`: the
# weaker baseline was not found weaker. If neither is the case, then `"better"`, `"worse"` or
# `"undecided"`, by the side of "mine". "Broken" comes first: if the control differs, nothing else
# counts.
#
# <details><summary>Hint 1</summary>
#
# Two `if`s that return early, then the side of "mine".
#
# </details>
# <details><summary>Hint 2</summary>
#
# `{1: "better", -1: "worse", 0: "undecided"}[mine]`
#
# </details>


# %%
def verdict(mine, control, weaker):
    """One of "broken", "insensitive", "better", "worse", "undecided", from three sides."""
    # >>>
    if control != 0:
        return "broken"
    if weaker != -1:
        return "insensitive"
    return {1: "better", -1: "worse", 0: "undecided"}[mine]
    # <<<


# %%
verdict = exercises.verdict.check(verdict)

# %% [markdown]
# **Prediction.** What will the verdict on your layer be? Write it down before you train: `"better"`,
# `"worse"`, `"undecided"`, `"insensitive"` or `"broken"`. It goes into your report.

# %%
guess_verdict = ...

# %% [markdown]
# ## 7 · Carry it out
#
# The next cell trains all networks of the plan, seed by seed, and measures each on the held-out images.
# It takes most of the notebook's time.

# %%
from glanet.course.lessons.your_own_layer.experiment import carry_out, psnrs
from tqdm.auto import tqdm

models, scores = {}, {}
for trial in tqdm(trials, leave=False, unit=" trials"):
    key = trial.network, trial.recipe.seed
    models[key] = carry_out(variants[trial.network], trial.recipe)
    scores[key] = psnrs(models[key], trial.recipe.validation)

seeds = sorted({seed for _, seed in scores})
psnr = {name: np.array([scores[name, seed] for seed in seeds]) for name in variants}
for name, values in psnr.items():
    print(f"{name:9} {values.shape[0]} seeds, {values.shape[1]} images")

# %% [markdown]
# The table, as in [notebook 13](13_evaluation.ipynb), with bicubic interpolation for scale. The *lead*
# is over the original; the last columns are the ends of the two intervals, in dB.

# %%
from glanet.course.lessons.your_own_layer.report import results_table
from glanet.data.degradation import imresize
from glanet.evaluation.benchmark import evaluate
from IPython.display import Markdown, display

scale = config.scale
bicubic = evaluate(lambda lr: (imresize(lr, scale), None), "held out", held_out, scale)
print(f"bicubic {np.mean([score.psnr_y for score in bicubic]):.3f} dB")
display(Markdown(results_table(psnr, parameters)))

# %%
from glanet.course.lessons.your_own_layer.figures import leads

differences = {name: psnr[name] - psnr["original"] for name in psnr if name != "original"}
leads(differences)

# %% [markdown]
# Each circle is a seed on the left, and an image on the right. The bar is the 95 % confidence
# interval, with its mean. First the prediction of section 3, for the control with the first seed:

# %%
from glanet.course.kit.predictions import reveal_choice

lead = differences["control"].mean(1)
apart = abs(lead[0])
reveal_choice(
    guess_control,
    distances[0] if apart < 0.01 else distances[1] if apart <= 0.1 else distances[2],
    choices=distances,
    because="By seed: " + ", ".join(f"{value:+.3f}" for value in lead) + " dB, for nothing.",
)

# %% [markdown]
# Now the verdict, by your rule:

# %%
from glanet.course.lessons.your_own_layer.experiment import VERDICTS


def side(name):
    """1 or -1 if both intervals leave out 0 on that side, else 0."""
    sides = set()
    for axis in (1, 0):  # over the images for the seeds, over the seeds for the images
        _, low, high = t_interval(psnr[name].mean(axis), psnr["original"].mean(axis))
        sides.add(int(low > 0) - int(high < 0))
    return sides.pop() if len(sides) == 1 else 0


sides = {name: side(name) for name in differences}
found = verdict(sides["mine"], sides["control"], sides["weaker"])
print(sides)
reveal_choice(guess_verdict, found, choices=tuple(VERDICTS), because=VERDICTS[found])

# %% [markdown]
# "Undecided" is not "equal". It means that a difference, if there is one, is smaller than the interval.
# How many seeds would you need to see a lead of 0.02 dB? The interval shrinks with $\sqrt n$, and for
# many seeds the factor is 1.96:

# %%
spread = differences["mine"].mean(1).std(ddof=1)
needed = (1.96 * spread / 0.02) ** 2
print(f"the lead varies by {spread:.3f} dB between seeds: about {max(3, round(needed))} seeds")

# %% [markdown]
# ## 8 · What changed inside
#
# A number says whether the network is better. The instruments of
# [notebook 10](10_frequency_lab.ipynb) say what is different. First the error by frequency: by how many
# dB is it smaller than the original's? The shading is the interval over the seeds. Where it includes 0,
# a bump is no finding, and with 16 frequencies side by side, expect about one to leave out 0 by chance.

# %%
from glanet.analysis.errors import error_spectrum
from glanet.course.lessons.your_own_layer.figures import gains_by_frequency
from glanet.data.degradation import modcrop
from glanet.data.images import read_rgb
from glanet.inference import upscale

side_of = by_profile(smoke=96, learn=192, full=224)  # all photographs are at least as large


def middle(image):
    """The square in the middle, side_of pixels."""
    top, left = ((length - side_of) // 2 for length in image.shape[:2])
    return image[top : top + side_of, left : left + side_of]


hr = [middle(modcrop(read_rgb(path), scale)) for path in held_out]


def error_of(model):
    sr = [upscale(model, imresize(image, 1 / scale)) for image in hr]
    return error_spectrum(sr, hr, border=scale)


errors = {key: error_of(model) for key, model in models.items()}
gains = {
    name: np.stack([errors[name, s].gain_over(errors["original", s]).mean(0) for s in seeds])
    for name in ("mine", "control")
}
gains_by_frequency(errors["original", seeds[0]].frequency, gains)

# %% [markdown]
# Then the reach: how strongly does each LR (low-resolution) pixel affect one pixel at the end of the
# trunk? The effective receptive field is a matter of the architecture and of what was learned.

# %%
from einops import rearrange
from glanet.analysis.receptive import receptive_field
from glanet.course.lessons.your_own_layer.figures import reaches
from glanet.data.tensors import to_tensor

lr = to_tensor(imresize(hr[0], 1 / scale))[..., :48, :48]


def field_of(model):
    def trunk(tokens):
        shallow = model.shallow(rearrange(tokens, "b h w c -> b c h w") - model.mean)
        return model.trunk(shallow)

    return receptive_field(trunk, rearrange(lr, "b c h w -> b h w c"), row=20, column=20)


fields = {
    name: [field_of(models[name, seed]) for seed in seeds]
    for name in ("original", "mine", "control")
}
reaches(fields)

# %% [markdown]
# If "mine" differs from the original where the control does not, the change did something, even if
# PSNR does not show it.

# %% [markdown]
# ## 9 · How to know that a finding is none
#
# Here are eight ways to find what is not there. Most need no bad intention. Each may produce a lead
# over the original without a better layer. Four of them need one more training each, with the first
# seed:

# %%
base = replace(trials[0].recipe, seed=seeds[0])
wide = Variant(replace(config, channels=config.channels + 4))
unfair = {
    "half as many steps again": (original, replace(base, steps=base.steps + base.steps // 2)),
    "the rival at an untuned rate": (original, replace(base, learning_rate=base.learning_rate / 4)),
    "trained on the measured images": (original, replace(base, data=base.validation)),
    f"{wide.parameters / original.parameters - 1:.0%} more parameters": (wide, base),
}
honest, traps = psnr["original"][0].mean(), {}
for title, (variant, changed) in tqdm(unfair.items(), leave=False, unit=" trials"):
    lead = np.mean(psnrs(carry_out(variant, changed), base.validation)) - honest
    traps[title] = -lead if "rival" in title else lead  # there the honest one is the winner

# %% [markdown]
# The others only need another way to look at the results that you have. The control is the same
# network as the original, so every lead of it is a false one:

# %%
null = differences["control"]
traps |= {
    "the best of the seeds": null.mean(1).max(),
    "the best of the images": null.mean(0).max(),
    "best seed against mean": psnr["control"].mean(1).max() - psnr["original"].mean(),
}
for title, lead in traps.items():
    print(f"{lead:+.3f} dB  {title}")

# %%
from glanet.course.lessons.your_own_layer.experiment import compare
from glanet.course.lessons.your_own_layer.figures import false_finds

false_finds(traps, compare(psnr["control"], psnr["original"]).seeds)

# %% [markdown]
# | trap | what happens | the antidote |
# |---|---|---|
# | **one seed**, or the best of them | half of all changes that do nothing lead, by chance | three seeds at least, all reported, in pairs |
# | **budgets differ** | the network that trained longer leads | the same steps, batches and patches; report minutes |
# | **tuned for one** | the learning rate suits your network, and the rival gets a rate from a paper | tune both in the same way, or neither |
# | **measured on training images** | the network has seen the answers | compare the files, and look for copies of other sizes: Set5's *woman* is in BSDS200 |
# | **a picked set** | on some image every network wins | choose the images before you train |
# | **parameters differ** | size helps, whatever the idea | match them, or show a larger rival |
# | **the best checkpoint on the test set** | a maximum over noise is above its mean | choose on other images, or take the last |
# | **many comparisons** | try twenty ideas, and one wins | count the tries, and demand more of each |
#
# The last one is a matter of arithmetic.
#
# **Prediction.** Twenty laboratories try one change each that does nothing. Each takes a 95 % interval,
# and so each finds "a difference" with a chance of 5 %. In how many of 100 such worlds does at least one
# of the twenty find something?

# %%
guess = ...

# %% tags=["nbval-check-output"]
from glanet.course.kit.predictions import reveal

reveal(
    guess,
    round(100 * (1 - 0.95**20)),
    unit="of 100 worlds",
    because="All twenty find nothing with the chance 0.95²⁰ = 0.36. You hear of the others.",
    close=0.1,
)

# %% [markdown]
# Now deceive yourself on purpose. In the next figure, every circle is a pair of a seed and an image.
# Choose the network `control` and lower the numbers of seeds and images. The figure keeps the most
# favourable ones. Without a kernel, see the figure below it: the best seed and the best two images.

# %%
from glanet.course.lessons.your_own_layer.widgets import explore_choice

explore_choice({name: differences[name] for name in ("control", "mine", "weaker")})

# %%
from glanet.course.lessons.your_own_layer.figures import chosen

chosen(null, seeds=1, images=2)

# %% [markdown]
# ## 10 · The report
#
# The report is made from the cells above. It has the question, the verdict by rule, the table, the
# figure, seeds, budget, images, commit and device, and the rules that were checked. It is saved as
# Markdown in the folder `runs/your_own_layer` (in the smoke profile, in a temporary folder).

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

from glanet.course.kit.paths import RUNS
from glanet.course.lessons.your_own_layer.report import write_report

temporary = TemporaryDirectory()  # gone when the kernel ends
places = {"learn": RUNS / "your_own_layer", "full": RUNS / "your_own_layer"}
path, text = write_report(
    by_profile(smoke=Path(temporary.name), **places),
    question=question,
    expected=guess_verdict,
    trials=trials,
    psnr=psnr,
    figure=leads(differences),
)
print(path.name)
figure_stands_above = (line for line in text.splitlines() if not line.startswith("!["))
display(Markdown("\n".join(figure_stands_above)))

# %% [markdown]
# Now put in your own layer: change `question` and `MyLayer` in section 1, restart the kernel, and run
# all cells. Write your prediction first. If the verdict is "undecided", raise the number of steps or
# seeds *for all networks*, and say in the report that you did so after a first look.

# %% [markdown]
# ## What can go wrong
#
# - **The sameness proof fails**: the class changes something also with `change=False`.
# - **The change never runs**: section 1 checks it. The rest of the notebook would not notice, and
#   would report an honest "undecided".
# - **"Broken"**: in one of twenty experiments this is chance. Run again with other seeds, and report
#   both runs.
# - **"Insensitive"**: more steps, more seeds or more images.
# - **Weights that never train**: a layer in a plain list, or one that is built in `forward`.
#
# Cause the last one on purpose. This class keeps its branch in a list, where PyTorch does not find it:


# %%
class Forgetful(GLALayer):
    def __init__(self, channels, *settings, **options):
        super().__init__(channels, *settings, **options)
        self.extra = [DilatedBranch(channels, channels)]

    def forward(self, tokens):
        return super().forward(tokens) + self.extra[0](tokens)


lost = Variant(config, Forgetful).parameters - original.parameters
kept = sum(p.numel() for p in DilatedBranch(config.channels, config.channels).parameters())
print(f"each layer has {kept:,} parameters more,")
print(f"but the network has {lost:,} more")

# %% [markdown]
# It would train, and it would even have equal parameters. Count what you added: `nn.ModuleList` is the
# mend.
#
# ## The same as the package's
#
# Section 1 proved that your layer without its change is the GLA layer. The interval that you wrote is
# that of `glanet.analysis`:

# %%
from glanet.analysis import statistics
from glanet.course.kit.sameness import same_function


def mine_of(ours, theirs):
    return np.array(t_interval(ours, theirs))


def package(ours, theirs):
    found = statistics.t_interval(ours - theirs)
    return np.array([found.mean, found.low, found.high])


rng = np.random.default_rng(0)
cases = [(rng.normal(36, 0.1, n), rng.normal(36, 0.1, n)) for n in (2, 3, 5, 20)]
print(same_function(mine_of, package, cases, tolerance=1e-9))

# %% [markdown]
# This was the last notebook. You have built a network, measured it, trained it, and judged a change of
# your own by rules that you wrote before you knew the outcome.

# %%
from glanet.course.report import report as progress_report

print(progress_report("your_own_layer"))
