# %% [markdown]
# # 07 · The GLA layer
#
# | | |
# |---|---|
# | **You will** | put attention and Inception side by side in one layer, and find out which of them it listens to |
# | **It enables** | the blocks of notebook 08, which are rows of this layer |
# | **Takes** | 3 minutes, 2.5 GB of memory; about 80 minutes to work through |
# | **Becomes** | `glanet/model/layer.py` |
#
# This layer is the paper's first contribution (§2.1, Fig. 2b): attention for what is global, beside
# convolutions for what is local. You have both, from notebooks 04 to 06. What is left is to join them:
#
# ![tokens through norm, attention beside Inception, concatenation, 1×1, sum, norm, MLP, sum](figures/07_gla_layer.svg)

# %% [markdown]
# ## 1 · The norm, on one token
#
# Both tools read the tokens after a *LayerNorm*. It works on each token by itself, that is, on the channels of
# one pixel. Take a token of four channels, (1, 1, 5, 5). Subtract the mean, 3. Divide by the standard
# deviation, which is 2, since each number is 2 away from the mean.

# %% tags=["nbval-check-output"]
import torch

token = torch.tensor([1.0, 1.0, 5.0, 5.0])
mean = token.mean()
deviation = (token - mean).square().mean().sqrt()
print(mean.item(), deviation.item(), (token - mean) / deviation)

# %% [markdown]
# Then each channel is multiplied by a weight of its own, and gets a bias of its own. Both are learned, and start
# at 1 and 0. PyTorch has the same class, with a small number under the root so that it never divides by 0:

# %% tags=["nbval-check-output"]
from torch import nn

norm = nn.LayerNorm(4)
print([f"{value:.3f}" for value in norm(token).tolist()])

# %% [markdown]
# **Prediction.** Every channel of the token becomes ten times larger. What becomes of the norm's output?
# Choose `"as before"`, `"ten times larger"` or `"ten times smaller"`.

# %%
guess = ...

# %% tags=["nbval-check-output"]
from glanet.course.kit.predictions import reveal_choice

ratio = (norm(10 * token) / norm(token)).mean().item()
choices = {1: "as before", 10: "ten times larger", 0.1: "ten times smaller"}
print(
    reveal_choice(
        guess,
        choices[round(ratio, 1)],
        choices=list(choices.values()),
        because="Mean and deviation grow with the token, and cancel.",
    )
)

# %% [markdown]
# So attention and Inception never learn how strong a token was. The layer does not forget it, though: the
# tokens themselves pass by both on another way, the *residual*, and are added at the end. A layer *changes*
# its input instead of replacing it.

# %% [markdown]
# ## 2 · Two views, one matrix
#
# Attention gives $Z$, C channels. Inception gives $Y$, also C: a quarter from each of its branches max, 3, 5
# and 7. The paper joins them along the channels,
#
# $$V = \mathrm{Concat}(Y, Z_\bullet)$$
#
# and lets a 1×1 convolution bring the 2C channels back to C. In a 1×1 convolution, one output channel is a
# weighted sum of the channels of a pixel. A toy pixel with C = 4, and the weights of one output:

# %% tags=["nbval-check-output"]
z = torch.tensor([1.0, 2, 3, 4])  # attention
y = torch.tensor([10.0, 20, 30, 40])  # max, 3, 5, 7: one channel each
weights = torch.tensor([1, 0, 0, 0, 0.5, 0, 0, -0.1])

v = torch.cat([z, y])
print((weights @ v).item())  # 1·1 + 0.5·10 − 0.1·40

# %% [markdown]
# The paper writes Y first. Its released code puts attention first, as this cell does. Is that another network?
# Move the columns of the weights along with the channels:

# %% tags=["nbval-check-output"]
moved = torch.cat([weights[4:], weights[:4]])
print((moved @ torch.cat([y, z])).item())

# %% [markdown]
# The same, for a whole matrix of the paper's size:

# %% tags=["nbval-check-output"]
from glanet.model.tokens import TokenConv1x1

channels = 180
torch.manual_seed(0)
fuse = TokenConv1x1(2 * channels, channels).double()
swapped = TokenConv1x1(2 * channels, channels).double()
z, y = torch.randn(2, 1, 16, 24, channels, dtype=torch.float64)  # tokens (B, H, W, C)

with torch.no_grad():
    swapped.weight.copy_(torch.cat([fuse.weight[:, channels:], fuse.weight[:, :channels]], dim=1))
    swapped.bias.copy_(fuse.bias)
    print(torch.allclose(fuse(torch.cat([z, y], -1)), swapped(torch.cat([y, z], -1))))

# %% [markdown]
# The two orders are one network with its weights written down differently. Training can find either. Only who
# loads weights must know which order they were written in. So the package takes the released one: **attention,
# max, 3, 5, 7**.

# %% [markdown]
# ## 3 · The fusion taken apart
#
# The fusion is linear. So its result falls into five parts, exactly: the matrix $W$ is cut into the columns
# of each branch, and each block of columns meets its own channels only.
#
# $$W V + \text{bias} = \sum_b W_b\, z_b + \text{bias}, \qquad b = \text{attention, max, 3, 5, 7}$$
#
# ![the columns of the fusion's matrix: C for attention, C/4 for each of max, 3, 5, 7](figures/07_fusion.svg)
#
# $W_b z_b$ is what branch $b$ *contributes*. In section 7 you will measure it in a trained network.
#
# **Exercise 1 · Contributions** ★★☆, 10 minutes. `contributions(v, weight)` gets V, `(..., 2C)`, and the
# fusion's weight, `(C, 2C)`. It returns the five products $W_b z_b$ as one tensor, `(5, ..., C)`.
#
# <details><summary>Hint 1</summary>
#
# C is the number of rows, `len(weight)`. The five branches are C, C/4, C/4, C/4 and C/4 channels wide.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `tensor.split([...widths], dim=...)` cuts along one axis. Cut V along its last axis, and the weight along its
# columns, `dim=1`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# A linear layer computes `features @ weight.T`. Do that for each pair of pieces; `torch.stack` puts the five
# results behind a new first axis.
#
# </details>


# %%
def contributions(v, weight):
    """W_b z_b of attention, max, 3, 5, 7: V (..., 2C) and the weight (C, 2C) -> (5, ..., C)."""
    # >>>
    channels = len(weight)
    widths = [channels] + 4 * [channels // 4]
    parts, columns = v.split(widths, dim=-1), weight.split(widths, dim=1)
    return torch.stack([part @ column.T for part, column in zip(parts, columns, strict=True)])
    # <<<


# %%
from glanet.course.lessons.gla_layer import exercises

contributions = exercises.contributions.check(contributions)

# %% [markdown]
# Added up, with the bias, they are what the fusion gives:

# %% tags=["nbval-check-output"]
v = torch.cat([z, y], dim=-1)
with torch.no_grad():
    parts = contributions(v, fuse.weight)
    print(tuple(v.shape), "→", tuple(parts.shape))
    print("sum + bias is the fusion:", torch.allclose(parts.sum(0) + fuse.bias, fuse(v)))

# %% [markdown]
# ## 4 · The MLP
#
# After the first sum comes a *multilayer perceptron*: a linear layer from C to twice as many channels, an
# activation, and a linear layer back. It sees one token at a time and no neighbours. The activation is
# GELU, $x \cdot \Phi(x)$, where $\Phi(x)$ is the share of a normal distribution that lies below $x$:

# %% tags=["nbval-check-output"]
import torch.nn.functional as F

x = torch.tensor([-3.0, -1, 0, 1, 3])
share = torch.distributions.Normal(0, 1).cdf(x)
for name, values in {"x": x, "x·Φ(x)": x * share, "F.gelu": F.gelu(x), "ReLU": x.relu()}.items():
    print(f"{name:8}", *(f"{value:6.3f}" for value in values))

# %% [markdown]
# The MLP matters here more than it seems. No convolution branch holds an activation (notebook 04), and the
# fusion is linear. Of all that a layer adds, only norms, softmax, maximum and this GELU are not.
#
# **Exercise 2 · MLP** ★☆☆, 5 minutes. Two linear layers with a GELU between, as an `nn.Sequential`, whose steps
# are called 0, 1, 2: `self.append(step)` adds one. `ratio` is the hidden width over `channels`, 2 in the
# released code. It may be 1.5, too, so round `channels * ratio` down with `int`.
#
# <details><summary>Hint 1</summary>
#
# The steps are an `nn.Linear`, an `nn.GELU()`, and an `nn.Linear`. The residual is not in here; the layer
# adds it.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The first is `nn.Linear(channels, hidden)` with `hidden = int(channels * ratio)`, the last leads back.
#
# </details>


# %%
class MLP(nn.Sequential):
    """Linear, GELU, linear: tokens (B, H, W, C) -> (B, H, W, C)."""

    def __init__(self, channels, ratio):
        super().__init__()
        # >>>
        hidden = int(channels * ratio)
        self.append(nn.Linear(channels, hidden))
        self.append(nn.GELU())
        self.append(nn.Linear(hidden, channels))
        # <<<


# %%
MLP = exercises.mlp.check(MLP)

# %% [markdown]
# One token changes, and all others stay as they are:

# %% tags=["nbval-check-output"]
tokens = torch.randn(1, 4, 6, 8)
other = tokens.clone()
other[0, 2, 3] += 1
mlp = MLP(8, 2)
changed = ((mlp(other) - mlp(tokens)).abs() > 1e-6).any(-1)
print(changed[0].nonzero().tolist())

# %% [markdown]
# ## 5 · Stochastic depth
#
# A layer adds two things to its tokens: what the fusion gives, and what the MLP gives. In training, *stochastic
# depth* sometimes drops one of them as a whole, and the tokens pass by unchanged (Huang et al., ECCV 2016).
# The network cannot rely on any single layer then. The paper does not mention it; the released code has
# it.
#
# Each *sample* of a batch draws for itself. What is dropped with probability $p$ is there with probability
# $1 - p$, and would be too small on average. So what survives is divided by $1 - p$:
#
# $$p \cdot 0 + (1 - p) \cdot \frac{W V}{1 - p} = W V$$

# %%
p = 0.25
kept = torch.empty(8, 1).bernoulli_(1 - p)  # eight samples, one draw each
print("kept:   ", *kept[:, 0].int().tolist())
print("factors:", *(f"{factor:.2f}" for factor in (kept / (1 - p))[:, 0]))

# %% [markdown]
# In the released code $p$ rises from 0 at the first to 0.1 at the last of the 36 layers.
#
# **Prediction.** In a training step, how many of the 2 · 36 = 72 branches does a sample lose on average?

# %%
guess = ...

# %% tags=["nbval-check-output"]
from glanet.course.kit.predictions import reveal

probabilities = torch.linspace(0, 0.1, 36)
print(
    reveal(
        guess,
        round(2 * probabilities.sum().item(), 1),
        unit="branches",
        because="The mean probability is 0.05, and 72 times that is 3.6.",
    )
)

# %% [markdown]
# **Exercise 3 · StochasticDepth** ★★☆, 10 minutes. In training, each sample is dropped with `self.probability`;
# what survives is scaled. In eval mode, what comes in goes out. `branch` is `(B, ...)`, with any number of
# axes behind the first.
#
# <details><summary>Hint 1</summary>
#
# `self.training` says which mode it is: `module.train()` and `module.eval()` set it.
#
# </details>
# <details><summary>Hint 2</summary>
#
# One draw a sample, with an axis of length 1 for each further axis of `branch`, broadcasts over the sample. Its shape
# is `(len(branch), *[1] * (branch.ndim - 1))`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `branch.new_empty(shape).bernoulli_(1 - self.probability)` is 1 for what stays and 0 for what goes, on the
# device of `branch`. Multiply by it, and divide by `1 - self.probability`.
#
# </details>


# %%
class StochasticDepth(nn.Module):
    """In training, drop a sample's branch with ``probability``: (B, ...) -> (B, ...)."""

    def __init__(self, probability):
        super().__init__()
        self.probability = probability

    def forward(self, branch):
        # >>>
        if not self.training or self.probability == 0:
            return branch
        survival = 1 - self.probability
        kept = branch.new_empty(len(branch), *[1] * (branch.ndim - 1)).bernoulli_(survival)
        return branch * kept / survival
        # <<<


# %%
StochasticDepth = exercises.stochastic_depth.check(StochasticDepth)

# %%
drop = StochasticDepth(0.25)
branch = torch.ones(200_000, 1, 1, 2)
for mode, answer in {"training": drop.train()(branch), "eval": drop.eval()(branch)}.items():
    factors = ", ".join(f"{factor:.3f}" for factor in answer.unique())
    print(f"{mode:8} factors {factors}; mean {answer.mean():.3f}")

# %% [markdown]
# ## 6 · The class
#
# All parts are there. The layer is the drawing at the top, in two lines: $\hat F_c$ is the "comprehensive feature"
# of §2.1, $F_c$ the layer's output.
#
# $$\hat F_c = F + W V + \text{bias}, \qquad F_c = \hat F_c + \mathrm{MLP}(\mathrm{LayerNorm}(\hat F_c))$$
#
# **Exercise 4 · GLALayer** ★★★, 20 minutes. Write the parts and `forward`. The parts carry the package's names,
# so that its weights fit:
#
# | name | what |
# |---|---|
# | `norm1`, `norm2` | `nn.LayerNorm(channels)` |
# | `attention` | `WindowAttention(channels, heads, window, shift)`; it rolls its tokens and rolls them back by itself. Or `None` |
# | `inception` | `Inception(channels)`, or `None` |
# | `fuse` | `TokenConv1x1` from the channels of V to C; `None` without Inception |
# | `mlp` | `MLP(channels, mlp_ratio)` |
# | `drop` | `StochasticDepth(drop_probability)`, one for both branches: it holds no weights |
#
# Inception works on LayerNorm's output as it stands, never on rolled tokens. With `inception=False` there is
# nothing to fuse, and what attention gives is added by itself. That is the layer of SwinIR, and the row "w/o
# Inception" of Table 2. With `attention=False`, V is Y alone, C channels: an ablation that the paper leaves out.
#
# <details><summary>Hint 1</summary>
#
# `x = self.norm1(tokens)` comes first. Attention and Inception both read this `x`, side by side.
#
# </details>
# <details><summary>Hint 2</summary>
#
# V is `torch.cat([z, y], dim=-1)`, with z from attention; where one of the two is `None`, V is the other. `self.fuse`,
# if there is one, brings it back to C channels.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The first sum is `tokens + self.drop(features)`: the tokens as they came in, plus what was fused. Call it
# `tokens` again.
#
# </details>
# <details><summary>Hint 4</summary>
#
# The second sum has the same form: `tokens + self.drop(self.mlp(self.norm2(tokens)))`.
#
# </details>

# %%
from glanet.model.attention import WindowAttention  # notebooks 05 and 06
from glanet.model.inception import Inception  # notebook 04


class GLALayer(nn.Module):
    """Fig. 2b: tokens (B, H, W, C) -> (B, H, W, C); H and W are multiples of the window."""

    def __init__(
        self,
        channels,
        heads,
        window,
        shift,
        *,
        mlp_ratio=2.0,
        inception=True,
        attention=True,
        drop_probability=0.0,
    ):
        super().__init__()
        # >>>
        self.norm1 = nn.LayerNorm(channels)
        self.attention = WindowAttention(channels, heads, window, shift) if attention else None
        self.inception = Inception(channels) if inception else None
        width = 2 * channels if attention else channels
        self.fuse = TokenConv1x1(width, channels) if inception else None
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = MLP(channels, mlp_ratio)
        self.drop = StochasticDepth(drop_probability)

    def forward(self, tokens):
        x = self.norm1(tokens)
        views = [view(x) for view in (self.attention, self.inception) if view is not None]  # Z, Y
        features = torch.cat(views, dim=-1)  # V
        if self.fuse is not None:
            features = self.fuse(features)  # 2C -> C
        tokens = tokens + self.drop(features)
        return tokens + self.drop(self.mlp(self.norm2(tokens)))
        # <<<


# %%
GLALayer = exercises.gla_layer.check(GLALayer)

# %% [markdown]
# Where do the parameters of a layer sit? At the paper's size:

# %% tags=["nbval-check-output"]
layer = GLALayer(180, heads=6, window=8, shift=4)
for name, part in layer.named_children():
    print(f"{name:10} {sum(weight.numel() for weight in part.parameters()):8,}")
print(f"{'together':10} {sum(weight.numel() for weight in layer.parameters()):8,}")

# %% [markdown]
# Attention and MLP weigh nearly the same. `inception` and `fuse` are what GLA-Net adds to SwinIR's layer. (Notebook
# 09 writes the number as a formula.)
#
# And what the residuals are for: a layer whose two branches end in zeros hands its tokens on untouched. To do
# nothing is easy for it, so a deep row of them starts out harmless.

# %% tags=["nbval-check-output"]
tokens = torch.randn(1, 16, 24, 180)
for last in (layer.fuse, layer.mlp[-1]):
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
print(torch.equal(layer(tokens), tokens))

# %% [markdown]
# ## 7 · Which branch does the layer listen to?
#
# `tiny-x2` has three blocks of two such layers. First, put your class in the place of all six, with their weights.
# Then show the network photographs that it never saw in training, and keep V of each layer. (In the profile
# `smoke` they are cut small.)

# %%
from skimage import data

from glanet import GLANet
from glanet.course.kit.profile import by_profile
from glanet.data.degradation import imresize, modcrop
from glanet.data.tensors import to_tensor

network = GLANet.from_pretrained("tiny-x2")
config = network.config
layers = {}
for b, block in enumerate(network.trunk.blocks, 1):
    for number, theirs in enumerate(block.layers):
        mine = GLALayer(config.channels, config.heads, config.window, theirs.attention.shift)
        mine.load_state_dict(theirs.state_dict())
        block.layers[number] = layers[f"{b}.{number + 1}"] = mine.eval()

side = by_profile(smoke=64, learn=512, full=512)
originals = {
    name: modcrop(getattr(data, name)()[:side, :side], 2)
    for name in ("astronaut", "coffee", "rocket", "chelsea")
}
photos = {name: imresize(image, 1 / 2) for name, image in originals.items()}


# %%
def listen(photo):
    """V of each layer while the network looks at a photograph: {layer: (1, H, W, 2C)}."""
    heard, hooks = {}, []
    for name, layer in layers.items():

        def note(module, inputs, name=name):
            heard[name] = inputs[0]

        hooks.append(layer.fuse.register_forward_pre_hook(note))
    with torch.no_grad():
        network(to_tensor(photo))
    for hook in hooks:
        hook.remove()
    return heard


heard = {name: listen(photo) for name, photo in photos.items()}
print(tuple(heard["astronaut"]["1.1"].shape))

# %% [markdown]
# How loud is a branch? Take the mean of its squares, its *energy*. Each channel's mean over the image is subtracted
# first: a constant could as well stand in the fusion's bias.


# %%
def energy(features):
    """Mean square about each channel's mean: (B, H, W, C) -> a number."""
    return (features - features.mean((0, 1, 2))).square().mean().item()


# %% [markdown]
# The obvious place to measure is V itself: what each branch puts out. Here it is for the last layer.

# %%
branches = ["attention", "max", "3", "5", "7"]
widths = [32, 8, 8, 8, 8]


def put_out(v):
    """The energy of what each branch puts out, from V."""
    return [energy(z) for z in v.split(widths, dim=-1)]


for branch, value in zip(branches, put_out(heard["astronaut"]["3.2"]), strict=True):
    print(f"{branch:10} {value:.4f}")

# %% [markdown]
# The maximum is the loudest, and attention the quietest. But is that what the layer *hears*? Between
# a branch and the layer stands $W_b$, which may turn it up or down.
#
# **Prediction.** Which branch has the largest $W_b z_b$ in the last layer? Choose one of `branches`.

# %%
guess = ...


# %%
def added(layer, v):
    """The energy of what each branch contributes, W_b z_b, and of all together."""
    with torch.no_grad():
        parts = contributions(v, layer.fuse.weight)
    return [energy(part) for part in parts], energy(parts.sum(0))


energies, together = added(layers["3.2"], heard["astronaut"]["3.2"])
loudest = branches[energies.index(max(energies))]
ranked = sorted(zip(energies, branches, strict=True), reverse=True)
print(
    reveal_choice(
        guess,
        loudest,
        choices=branches,
        because="Of the energy of all together: "
        + ", ".join(f"{branch} {value / together:.2f}" for value, branch in ranked)
        + ".",
    )
)

# %% [markdown]
# What a branch puts out says nothing about its part, and here is why. Multiply a branch by ten, divide its
# columns of the fusion by ten: the layer computes the same as before. Try it with branch 3, which ends in a
# convolution.

# %%
import copy

louder = copy.deepcopy(layers["1.1"])
with torch.no_grad():
    last = louder.inception.branches[1][-1]
    last.weight *= 10
    last.bias *= 10
    louder.fuse.weight[:, 40:48] /= 10

    tokens = torch.randn(1, 16, 24, 32)
    difference = (louder(tokens) - layers["1.1"](tokens)).abs().max().item()
    print(f"the layer's output differs by {difference:.0e}")
    for name, layer in {"before": layers["1.1"], "louder": louder}.items():
        x = layer.norm1(tokens)
        v = torch.cat([layer.attention(x), layer.inception(x)], dim=-1)
        print(f"{name}: branch 3 puts out {put_out(v)[2]:.3f}, adds {added(layer, v)[0][2]:.4f}")

# %% [markdown]
# So training may park a factor on either side. Only the product is defined: **compare $W_b z_b$, never the
# branches' raw outputs.**
#
# Test the instrument before you use it. A fusion that listens to attention alone must read 1, 0, 0, 0, 0:

# %%
deaf = copy.deepcopy(layers["1.1"])
with torch.no_grad():
    deaf.fuse.weight[:, 32:] = 0
energies, together = added(deaf, heard["astronaut"]["1.1"])
print([round(value / together, 6) for value in energies])

# %% [markdown]
# One more thing before the measurement. The energies of five parts do not add up to the energy of their sum.
# Where two branches say the same, the sum is louder; where they contradict each other, it is quieter. The rest is
# the *cross-terms*:
#
# $$E\Big(\sum_b W_b z_b\Big) = \sum_b E(W_b z_b) + \text{cross-terms}$$

# %% tags=["nbval-check-output"]
a = torch.tensor([1.0, -1.0]).reshape(1, 1, 2, 1)
for name, b in {"the same": a, "the opposite": -a}.items():
    apart, both = energy(a) + energy(b), energy(a + b)
    print(f"{name:13} apart {apart:.0f}, together {both:.0f}, cross-terms {both - apart:+.0f}")

# %% [markdown]
# Now all six layers. Above, what the branches put out; below, what they contribute. Bars are means over the
# four photographs, whiskers reach from the least to the most.

# %%
import numpy as np

from glanet.course.lessons.gla_layer.figures import loudness

raw = np.array([[put_out(v[name]) for name in layers] for v in heard.values()])
raw = raw / raw.sum(-1, keepdims=True)

heard_shares = []
for v in heard.values():
    rows = [added(layer, v[name]) for name, layer in layers.items()]
    shares = [[value / together for value in energies] for energies, together in rows]
    heard_shares.append([[*row, 1 - sum(row)] for row in shares])
heard_shares = np.array(heard_shares)  # (photographs, layers, branches and cross-terms)

loudness({"raw outputs z_b, per channel": raw, "contributions W_b z_b": heard_shares}, list(layers))

# %%
mean_shares = heard_shares.mean(0)
for name, row in zip(layers, mean_shares, strict=True):
    first, second = np.argsort(row[:5])[::-1][:2]
    print(
        f"layer {name}: {branches[first]} {row[first]:.2f}, {branches[second]} {row[second]:.2f}; "
        f"cross-terms {row[5]:+.2f}"
    )
attention_alone = mean_shares[:, 0].mean()
print(f"attention, mean of the layers: {attention_alone:.2f}")

# %% [markdown]
# Two things can be said of this small network. No layer listens to one side only. And attention, the quietest in
# V in every layer but the first, is turned up by all of them. (It also has four times as many channels as another branch.)
#
# Is a loud branch a *needed* one? Silence each branch in turn: put its mean over the image in its place, and
# measure how much PSNR the enlarged photograph loses.

# %%
from glanet.evaluation.metrics import psnr_y
from glanet.inference import upscale

original, photo = originals["astronaut"], photos["astronaut"]


def silenced(layer, branch):
    """The PSNR without one branch of one layer, in dB."""
    start = sum(widths[:branch])
    part = slice(start, start + widths[branch])

    def silence(module, inputs):
        v = inputs[0].clone()
        v[..., part] = v[..., part].mean((0, 1, 2))
        return (v,)

    hook = layer.fuse.register_forward_pre_hook(silence)
    result = psnr_y(upscale(network, photo), original, border=2)
    hook.remove()
    return result


whole = psnr_y(upscale(network, photo), original, border=2)
losses = np.array([[whole - silenced(layer, b) for b in range(5)] for layer in layers.values()])

# %%
from glanet.course.lessons.gla_layer.figures import loud_and_needed

shares = heard_shares[0, :, :5]  # of the same photograph
print(f"PSNR {whole:.2f} dB; the costliest silence takes {losses.max():.2f} dB of it")
print(f"correlation: {np.corrcoef(shares.ravel(), losses.ravel())[0, 1]:.2f}")
loud_and_needed(shares, losses, list(layers))

# %% [markdown]
# No single silence costs much: the other branches, the residual and the other layers carry on. And loud and needed
# go together only loosely: attention in 3.2 adds far more to its layer than attention in 2.2, and costs less.
#
# So energy tells what a layer does, not what it is worth. For that, somebody must train without the part. The paper
# did, in Table 2: Inception is worth 0.19 dB on Urban100 (33.43 dB without, 33.62 dB with).

# %% [markdown]
# *Where* does a branch speak? A piece of one photograph, one branch, all five together. "Strength" is the root of
# the energy at each pixel.

# %%
from glanet.course.lessons.gla_layer.figures import contribution

square = by_profile(
    smoke=(slice(0, 32), slice(0, 32)),
    learn=(slice(0, 96), slice(64, 160)),  # rows and columns: her head
    full=(slice(0, 96), slice(64, 160)),
)
with torch.no_grad():
    parts = {
        name: contributions(heard["astronaut"][name][0][square], layer.fuse.weight).numpy()
        for name, layer in layers.items()
    }  # (5, H, W, C) each
contribution(photo[square], parts["1.1"], "5")

# %% [markdown]
# Now you choose layer and branch. Compare attention in 1.1 and in 3.2. The menus need a running kernel.

# %%
from glanet.course.lessons.gla_layer.widgets import explore_contributions

explore_contributions(photo[square], parts, layer="3.2", branch="attention")

# %% [markdown]
# ## What can go wrong
#
# - **Inception reads rolled tokens.** Somebody rolls in the layer, for attention, and Inception gets the rolled
#   tokens too. Shapes stay right, the network runs.
# - **Two calls differ.** The network is in training mode, and stochastic depth still draws. Call `.eval()`.
# - **The order in V.** Weights written for one order load without a word into the other: the shapes are the same.
# - **A residual is forgotten.** Shapes stay right. Test that a layer with zeros at the ends of its branches changes
#   nothing, as in section 6.
#
# Do the first on purpose: roll what Inception reads by half a window, in every shifted layer. First, where does its
# answer to a single token stand? It is a spot in row 12, column 20.

# %% tags=["nbval-check-output"]
inception = layers["1.2"].inception
dark = torch.zeros(1, 24, 32, 32)
spot = dark.clone()
spot[0, 12, 20] = 1


def answer_stands():
    """The rows and columns in which the spot changes what Inception gives."""
    with torch.no_grad():
        changed = ((inception(spot) - inception(dark)).abs() > 1e-6).any(-1)[0]
    rows, columns = changed.nonzero().T.tolist()
    return f"rows {min(rows)} to {max(rows)}, columns {min(columns)} to {max(columns)}"


def roll(module, inputs):
    half = config.window // 2
    return (inputs[0].roll((-half, -half), dims=(1, 2)),)


shifted = [layer for layer in layers.values() if layer.attention.shift]
hooks = [layer.inception.register_forward_pre_hook(roll) for layer in shifted]
print("rolled:", answer_stands())

# %% [markdown]
# It should be centred on the spot, three pixels to each side. It stands half a window off, up and to the left. And
# the whole network, on the photograph?

# %%
wrong = upscale(network, photo)
for hook in hooks:
    hook.remove()
print(f"rolled: {psnr_y(wrong, original, border=2):.2f} dB")

# %% [markdown]
# Mended, Inception reads `x` where it stands:

# %%
print("mended:", answer_stands())
print(f"mended: {psnr_y(upscale(network, photo), original, border=2):.2f} dB")
print(f"(bicubic {psnr_y(imresize(photo, 2), original, border=2):.2f} dB)")

# %% [markdown]
# No error, and an image that still beats bicubic: you might not see this mistake. That is why the check of
# exercise 4 compares numbers.

# %% [markdown]
# And the second, with a layer that drops half of the time:

# %% tags=["nbval-check-output"]
torch.manual_seed(0)
layer = GLALayer(8, heads=2, window=4, shift=0, drop_probability=0.5)
tokens = torch.randn(4, 8, 8, 8)
print("in training, two calls agree:", torch.equal(layer(tokens), layer(tokens)))
layer.eval()
print("in eval, two calls agree:    ", torch.equal(layer(tokens), layer(tokens)))

# %% [markdown]
# ## The same as the package's
#
# Your classes against `glanet/model/layer.py`: the same weights, the same output, the same gradients.

# %% tags=["nbval-check-output"]
from glanet.course.kit.sameness import same_function, same_module
from glanet.model import layer as package

tokens = torch.randn(1, 16, 24, 60)
print(same_module(MLP(60, 2), package.MLP(60, 2), tokens))
print(same_module(StochasticDepth(0.3), package.StochasticDepth(0.3), tokens))
for shift in (0, 4):
    for switch in ({}, {"inception": False}, {"attention": False}):
        settings = {"heads": 6, "window": 8, "shift": shift, **switch}
        mine, theirs = GLALayer(60, **settings), package.GLALayer(60, **settings)
        print(f"shift {shift}, {switch or 'the paper, attention and Inception'}")
        print(" ", same_module(mine, theirs, tokens))

# %% [markdown]
# That was eval mode. In training, stochastic depth draws. With the same seed, the same factors must come out:

# %% tags=["nbval-check-output"]


def factors_of(cls, probability):
    """What training multiplies 10,000 samples with."""
    torch.manual_seed(0)
    return cls(probability).train()(torch.ones(10_000, 3)).unique()


def mine(probability):
    return factors_of(StochasticDepth, probability)


def theirs(probability):
    return factors_of(package.StochasticDepth, probability)


theirs.__name__ = "StochasticDepth in training"
print(same_function(mine, theirs, [(0.0,), (0.1,), (0.3,)], tolerance=1e-6))

# %% [markdown]
# ## How far you are
#
# Notebook 08 puts these layers in a row, shifted and not in turn, and connects the rows.

# %%
from glanet.course.report import report as progress_report

print(progress_report("gla_layer"))
