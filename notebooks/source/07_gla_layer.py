# %% [markdown]
# # 07 · The GLA layer
#
# | | |
# |---|---|
# | **You will** | put attention and Inception side by side in one global-local awareness (GLA) layer, and find out which of the two the layer listens to |
# | **It enables** | the blocks of notebook 08, which are rows of this layer |
# | **Takes** | 3 minutes, 2.5 GB of memory; about 80 minutes to work through |
# | **Becomes** | `glanet/model/layer.py` |
#
# This layer is the first contribution of [the paper (*Global-Local Awareness Network for Image
# Super-Resolution*, ICIP 2023; §2.1 and Fig. 2b)](https://panpinchi.github.io/GLA-Net/): attention
# for global information, beside convolutions for local information. You built both in notebooks 04
# to 06. Now join them:
#
# ![tokens through norm, attention beside Inception, concatenation, 1×1, sum, norm, MLP, sum](figures/07_gla_layer.svg)

# %% [markdown]
# ## 1 · The norm, on one token
#
# Attention and Inception both read the tokens after a *LayerNorm*. It works on each token
# separately, that is, on the channels of one pixel. Take a token of four channels, (1, 1, 5, 5).
# Subtract the mean, 3. Divide by the standard deviation. It is 2, because each number is 2 away
# from the mean.

# %% tags=["nbval-check-output"]
import torch

token = torch.tensor([1.0, 1.0, 5.0, 5.0])
mean = token.mean()
deviation = (token - mean).square().mean().sqrt()
print(mean.item(), deviation.item(), (token - mean) / deviation)

# %% [markdown]
# Then LayerNorm multiplies each channel by its own weight and adds its own bias. Both are learned;
# they start at 1 and 0. PyTorch has the same class, with a small number under the root so that it
# never divides by 0:

# %% tags=["nbval-check-output"]
from torch import nn

norm = nn.LayerNorm(4)
print([f"{value:.3f}" for value in norm(token).tolist()])

# %% [markdown]
# **Prediction.** Multiply every channel of the token by ten. How does the output of the norm
# change? Choose `"as before"`, `"ten times larger"` or `"ten times smaller"`.

# %%
guess = ...

# %% tags=["nbval-check-output"]
from glanet.course.kit.predictions import reveal_choice

ratio = (norm(10 * token) / norm(token)).mean().item()
choices = {1: "as before", 10: "ten times larger", 0.1: "ten times smaller"}
reveal_choice(
    guess,
    choices[round(ratio, 1)],
    choices=list(choices.values()),
    because="Mean and standard deviation grow with the token, so the factor cancels.",
)

# %% [markdown]
# So attention and Inception cannot see how strong a token was. But the layer does not lose this
# information: the *residual* connection carries the tokens themselves past attention and Inception
# and adds them at the end. A layer *changes* its input instead of replacing it.

# %% [markdown]
# ## 2 · Two views, one matrix
#
# Attention gives $Z$, with C channels. Inception gives $Y$, also with C channels: a quarter from
# each of its branches max, 3, 5 and 7. The paper joins them along the channels,
#
# $$V = \mathrm{Concat}(Y, Z_\bullet)$$
#
# and a 1×1 convolution, the *fusion*, reduces the 2C channels to C. In a 1×1 convolution, one
# output channel is a weighted sum of the channels of a pixel. Take a toy pixel with C = 4, and the
# weights of one output channel:

# %% tags=["nbval-check-output"]
z = torch.tensor([1.0, 2, 3, 4])  # attention
y = torch.tensor([10.0, 20, 30, 40])  # max, 3, 5, 7: one channel each
weights = torch.tensor([1, 0, 0, 0, 0.5, 0, 0, -0.1])

v = torch.cat([z, y])
print((weights @ v).item())  # 1·1 + 0.5·10 − 0.1·40

# %% [markdown]
# The paper writes Y first. Its released code puts attention first, as this cell does. Does that
# make a different network? Reorder the columns of the weights in the same way as the channels:

# %% tags=["nbval-check-output"]
moved = torch.cat([weights[4:], weights[:4]])
print((moved @ torch.cat([y, z])).item())

# %% [markdown]
# Do the same for a whole matrix of the paper's size:

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
# The two orders are the same network with its weights in a different order. Training can find
# either. The order matters only when you load weights. So the package uses the released one:
# **attention, max, 3, 5, 7**.

# %% [markdown]
# ## 3 · The fusion taken apart
#
# The fusion is linear. So its result is exactly the sum of five parts and the bias: cut the matrix
# $W$ into the columns of each branch, and multiply each block of columns by the channels of its
# branch.
#
# $$W V + \text{bias} = \sum_b W_b\, z_b + \text{bias}$$
#
# $$b = \text{attention, max, 3, 5, 7}$$
#
# ![the columns of the fusion's matrix: C for attention, C/4 for each of max, 3, 5, 7](figures/07_fusion.svg)
#
# $W_b z_b$ is the *contribution* of branch $b$. In section 7 you will measure it in a trained
# network.
#
# **Exercise 1 · Contributions** ★★☆, 10 minutes. `contributions(v, weight)` gets V, `(..., 2C)`,
# and the fusion's weight, `(C, 2C)`. It returns the five products $W_b z_b$ as one tensor,
# `(5, ..., C)`.
#
# <details><summary>Hint 1</summary>
#
# C is the number of rows, `len(weight)`. The five branches are C, C/4, C/4, C/4 and C/4 channels
# wide.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `tensor.split([...widths], dim=...)` cuts along one axis. Cut V along its last axis, and the
# weight along its columns, `dim=1`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# A linear layer computes `features @ weight.T`. Do that for each pair of parts. `torch.stack` joins
# the five results along a new first axis.
#
# </details>


# %%
def contributions(v, weight):
    """W_b z_b of attention, max, 3, 5, 7: V (..., 2C), weight (C, 2C) -> (5, ..., C)."""
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
# Their sum, plus the bias, equals the output of the fusion:

# %% tags=["nbval-check-output"]
v = torch.cat([z, y], dim=-1)
with torch.no_grad():
    parts = contributions(v, fuse.weight)
    print(tuple(v.shape), "→", tuple(parts.shape))
    print("sum + bias is the fusion:", torch.allclose(parts.sum(0) + fuse.bias, fuse(v)))

# %% [markdown]
# ## 4 · The MLP
#
# After the first sum comes a *multilayer perceptron* (MLP): a linear layer from C to twice as many
# channels, an activation, and a linear layer back to C. It sees one token at a time and no
# neighbours. The activation is the Gaussian error linear unit (GELU), $x \cdot \Phi(x)$. $\Phi(x)$
# is the share of a standard normal distribution that lies below $x$:

# %% tags=["nbval-check-output"]
import torch.nn.functional as F

x = torch.tensor([-3.0, -1, 0, 1, 3])
share = torch.distributions.Normal(0, 1).cdf(x)
for name, values in {"x": x, "x·Φ(x)": x * share, "F.gelu": F.gelu(x), "ReLU": x.relu()}.items():
    print(f"{name:8}", *(f"{value:6.3f}" for value in values))

# %% [markdown]
# The MLP matters here more than it seems. No convolution branch has an activation (notebook 04),
# and the fusion is linear. The only nonlinear parts of a layer are the norms, the softmax, the
# maximum and this GELU.
#
# **Exercise 2 · MLP** ★☆☆, 5 minutes. Write two linear layers with a GELU between them, as an
# `nn.Sequential`, which numbers its steps 0, 1, 2. `self.append(step)` adds one. `ratio` is the
# hidden width divided by `channels`: 2 in the released code. It can also be 1.5, so round
# `channels * ratio` down with `int`.
#
# <details><summary>Hint 1</summary>
#
# The steps are an `nn.Linear`, an `nn.GELU()`, and an `nn.Linear`. The residual is not part of the
# MLP; the layer adds it.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The first is `nn.Linear(channels, hidden)` with `hidden = int(channels * ratio)`. The last one
# goes back to `channels`.
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
# Change one token, and all others stay as they are:

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
# A layer adds two things to its tokens: the output of the fusion and the output of the MLP. These
# are its two *residual branches*. In training, *stochastic depth* sometimes drops a whole residual
# branch, and the tokens pass unchanged (Huang et al., ECCV 2016). So the network cannot rely on any
# single layer. The paper does not mention stochastic depth; the released code has it.
#
# Each *sample* of a batch is dropped or kept independently. With drop probability $p$, a residual
# branch is kept with probability $1 - p$, so its mean would be too small. To correct that, divide
# the kept ones by $1 - p$:
#
# $$p \cdot 0 + (1 - p) \cdot \frac{W V}{1 - p} = W V$$

# %%
p = 0.25
kept = torch.empty(8, 1).bernoulli_(1 - p)  # eight samples, one draw each
print("kept:   ", *kept[:, 0].int().tolist())
print("factors:", *(f"{factor:.2f}" for factor in (kept / (1 - p))[:, 0]))

# %% [markdown]
# In the released code, $p$ rises from 0 in the first to 0.1 in the last of the 36 layers.
#
# **Prediction.** In a training step, how many of the 2 · 36 = 72 residual branches does a sample
# lose on average?

# %%
guess = ...

# %% tags=["nbval-check-output"]
from glanet.course.kit.predictions import reveal

probabilities = torch.linspace(0, 0.1, 36)
reveal(
    guess,
    round(2 * probabilities.sum().item(), 1),
    unit="branches",
    because="The mean probability is 0.05, and 72 · 0.05 = 3.6.",
)

# %% [markdown]
# **Exercise 3 · StochasticDepth** ★★☆, 10 minutes. In training, drop each sample with
# `self.probability`, and scale the samples that are kept. In eval mode, return the input unchanged.
# `branch` is `(B, ...)`, with any number of axes after the first.
#
# <details><summary>Hint 1</summary>
#
# `self.training` tells you the mode: `module.train()` and `module.eval()` set it.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Draw one number for each sample, with an axis of length 1 for each further axis of `branch`. It
# then broadcasts over the sample. Its shape is `(len(branch), *[1] * (branch.ndim - 1))`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `branch.new_empty(shape).bernoulli_(1 - self.probability)` is 1 for samples to keep and 0 for
# samples to drop, on the device of `branch`. Multiply by it, and divide by `1 - self.probability`.
#
# </details>


# %%
class StochasticDepth(nn.Module):
    """In training, drop each sample of a branch with ``probability``: (B, ...) -> (B, ...)."""

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
# You have all the parts. The layer is the drawing at the top, in two lines: $\hat F_c$ is the
# "comprehensive feature" of §2.1, $F_c$ is the output of the layer.
#
# $$\hat F_c = F + W V + \text{bias}$$
#
# $$F_c = \hat F_c + \mathrm{MLP}(\mathrm{LayerNorm}(\hat F_c))$$
#
# **Exercise 4 · GLALayer** ★★★, 20 minutes. Write the parts and `forward`. Give the parts the
# package's names, so that its weights fit:
#
# | name | what |
# |---|---|
# | `norm1`, `norm2` | `nn.LayerNorm(channels)` |
# | `attention` | `WindowAttention(channels, heads, window, shift)`, which rolls its tokens and rolls them back; or `None` |
# | `inception` | `Inception(channels)`, or `None` |
# | `fuse` | `TokenConv1x1` from the channels of V to C; `None` without Inception |
# | `mlp` | `MLP(channels, mlp_ratio)` |
# | `drop` | `StochasticDepth(drop_probability)`, one for both residual branches: it holds no weights |
#
# Inception always reads the output of LayerNorm directly, never rolled tokens. With
# `inception=False` there is nothing to fuse, and the layer adds the output of attention directly.
# This is the layer of SwinIR, and the row "w/o Inception" of Table 2. With `attention=False`, V is
# Y alone, with C channels: an ablation that is not in the paper.
#
# <details><summary>Hint 1</summary>
#
# `x = self.norm1(tokens)` comes first. Attention and Inception both read this `x`, side by side.
#
# </details>
# <details><summary>Hint 2</summary>
#
# V is `torch.cat([z, y], dim=-1)`, with z from attention. If one of the two is `None`, V is the
# other. `self.fuse`, if there is one, brings V back to C channels.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The first sum is `tokens + self.drop(features)`: the input tokens plus the output of the fusion.
# Call it `tokens` again.
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
# Where are the parameters of a layer? At the paper's size:

# %% tags=["nbval-check-output"]
layer = GLALayer(180, heads=6, window=8, shift=4)
for name, part in layer.named_children():
    print(f"{name:10} {sum(weight.numel() for weight in part.parameters()):8,}")
print(f"{'together':10} {sum(weight.numel() for weight in layer.parameters()):8,}")

# %% [markdown]
# Attention and MLP have nearly the same number of parameters. `inception` and `fuse` are what
# GLA-Net adds to SwinIR's layer. (Notebook 09 writes the number as a formula.)
#
# The next cell shows what the residuals are for: if both residual branches end in zeros, the layer
# returns its tokens unchanged. Doing nothing is easy for it, so many such layers in a row do no
# harm at the start of training.

# %% tags=["nbval-check-output"]
tokens = torch.randn(1, 16, 24, 180)
for last in (layer.fuse, layer.mlp[-1]):
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
print(torch.equal(layer(tokens), tokens))

# %% [markdown]
# ## 7 · Which branch does the layer listen to?
#
# `tiny-x2` has three blocks of two such layers. First, replace all six layers with your class, and
# load their weights. Then run the network on photographs that it never saw in training, and keep V
# of each layer. (The `smoke` profile cuts the photographs small.)

# %%
from skimage import data

from glanet import GLANet
from glanet.course.kit.profile import by_profile
from glanet.data.degradation import imresize, modcrop
from glanet.data.tensors import to_tensor

model = GLANet.from_pretrained("tiny-x2")
config = model.config
layers = {}
for b, block in enumerate(model.trunk.blocks, 1):
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
    """V of each layer while the model enlarges a photograph: {layer: (1, H, W, 2C)}."""
    heard, hooks = {}, []
    for name, layer in layers.items():

        def note(module, inputs, name=name):
            heard[name] = inputs[0]

        hooks.append(layer.fuse.register_forward_pre_hook(note))
    with torch.no_grad():
        model(to_tensor(photo))
    for hook in hooks:
        hook.remove()
    return heard


heard = {name: listen(photo) for name, photo in photos.items()}
print(tuple(heard["astronaut"]["1.1"].shape))

# %% [markdown]
# To measure the strength of a branch, take the mean of its squares, its *energy*. First subtract
# the mean over the image from each channel: a constant could just as well be part of the fusion's
# bias.


# %%
def energy(features):
    """Mean square after subtracting the mean of each channel: (B, H, W, C) -> a number."""
    return (features - features.mean((0, 1, 2))).square().mean().item()


# %% [markdown]
# The obvious place to measure is V itself, the output of each branch. Here is the last layer:

# %%
branches = ["attention", "max", "3", "5", "7"]
widths = [32, 8, 8, 8, 8]


def put_out(v):
    """The energy of the output of each branch, from V."""
    return [energy(z) for z in v.split(widths, dim=-1)]


for branch, value in zip(branches, put_out(heard["astronaut"]["3.2"]), strict=True):
    print(f"{branch:10} {value:.4f}")

# %% [markdown]
# The maximum has the most energy, attention the least. But is that also what the layer *hears*?
# Between a branch and the layer stands $W_b$, which may amplify or weaken it.
#
# **Prediction.** Which branch has the largest $W_b z_b$ in the last layer? Choose one of
# `branches`.

# %%
guess = ...


# %%
def added(layer, v):
    """The energy of the contribution W_b z_b of each branch, and of their sum."""
    with torch.no_grad():
        parts = contributions(v, layer.fuse.weight)
    return [energy(part) for part in parts], energy(parts.sum(0))


energies, together = added(layers["3.2"], heard["astronaut"]["3.2"])
loudest = branches[energies.index(max(energies))]
ranked = sorted(zip(energies, branches, strict=True), reverse=True)
reveal_choice(
    guess,
    loudest,
    choices=branches,
    because="Energy of each contribution, relative to the sum: "
    + ", ".join(f"{branch} {value / together:.2f}" for value, branch in ranked)
    + ".",
)

# %% [markdown]
# The output of a branch does not tell you its contribution. To see why, multiply a branch by ten
# and divide its columns of the fusion by ten: the layer computes the same as before. Try it with
# branch 3, which ends in a convolution.

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
        print(f"{name}: branch 3 output {put_out(v)[2]:.3f}, adds {added(layer, v)[0][2]:.4f}")

# %% [markdown]
# So training may put a factor into the branch or into the fusion. Only the product is defined:
# **compare $W_b z_b$, never the branches' raw outputs.**
#
# Calibrate the measurement before you use it. A fusion that uses attention alone must give 1, 0, 0,
# 0, 0:

# %%
deaf = copy.deepcopy(layers["1.1"])
with torch.no_grad():
    deaf.fuse.weight[:, 32:] = 0
energies, together = added(deaf, heard["astronaut"]["1.1"])
print([round(value / together, 6) for value in energies])

# %% [markdown]
# One more thing before you measure all layers. The energies of five parts do not add up to the
# energy of their sum. Where two branches agree, the sum has more energy; where they contradict each
# other, it has less. The difference is the *cross-terms*:
#
# $$E\Big(\sum_b W_b z_b\Big) = \sum_b E(W_b z_b) + \text{cross-terms}$$

# %% tags=["nbval-check-output"]
a = torch.tensor([1.0, -1.0]).reshape(1, 1, 2, 1)
for name, b in {"the same": a, "the opposite": -a}.items():
    apart, both = energy(a) + energy(b), energy(a + b)
    print(f"{name:13} separate {apart:.0f}, sum {both:.0f}, cross-terms {both - apart:+.0f}")

# %% [markdown]
# Now measure all six layers. The upper panel shows the outputs of the branches; the lower panel
# shows their contributions. Bars are means over the four photographs; whiskers reach from the
# smallest to the largest value.

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
print(f"attention, mean over the layers: {attention_alone:.2f}")

# %% [markdown]
# You can see two things in this small network. No layer uses one branch only. And attention, which
# has the lowest energy in V in every layer but the first, is amplified by all six. (It also has
# four times as many channels as each other branch.)
#
# Does the network *need* a branch with a large contribution? Silence each branch in turn: replace
# it with its mean over the image, and measure how much peak signal-to-noise ratio (PSNR) the
# enlarged photograph loses.

# %%
from tqdm.auto import tqdm

from glanet.evaluation.metrics import psnr_y
from glanet.inference import upscale

hr, lr = originals["astronaut"], photos["astronaut"]


def silenced(layer, branch):
    """The PSNR without one branch of one layer, in dB."""
    start = sum(widths[:branch])
    part = slice(start, start + widths[branch])

    def silence(module, inputs):
        v = inputs[0].clone()
        v[..., part] = v[..., part].mean((0, 1, 2))
        return (v,)

    hook = layer.fuse.register_forward_pre_hook(silence)
    result = psnr_y(upscale(model, lr), hr, border=2)
    hook.remove()
    return result


whole = psnr_y(upscale(model, lr), hr, border=2)
pairs = [(layer, branch) for layer in layers.values() for branch in range(5)]
losses = [whole - silenced(*pair) for pair in tqdm(pairs, leave=False, unit=" images")]
losses = np.array(losses).reshape(len(layers), 5)

# %%
from glanet.course.lessons.gla_layer.figures import loud_and_needed

shares = heard_shares[0, :, :5]  # of the same photograph
print(f"PSNR {whole:.2f} dB; a silenced branch costs up to {losses.max():.2f} dB")
print(f"correlation of share and loss: {np.corrcoef(shares.ravel(), losses.ravel())[0, 1]:.2f}")
loud_and_needed(shares, losses, list(layers), named=[("3.2", "attention"), ("2.2", "attention")])

# %% [markdown]
# No single branch costs much: the other branches, the residual and the other layers still work. And
# a large contribution goes only loosely with a large loss: attention in 3.2 contributes far more to
# its layer than attention in 2.2, and silencing it costs less.
#
# So energy tells you what a layer does, not what it is worth. To learn that, you must train without
# the part. The paper did this in Table 2: Inception is worth 0.19 dB on Urban100 (33.43 dB without,
# 33.62 dB with).

# %% [markdown]
# *Where* in the image does a branch contribute? The figure shows a part of one photograph, one
# branch, and all five branches together. "Strength" is the root of the energy at each pixel.

# %%
from glanet.course.lessons.gla_layer.figures import contribution

square = by_profile(
    smoke=(slice(0, 32), slice(0, 32)),
    learn=(slice(0, 96), slice(64, 160)),  # rows and columns: the head
    full=(slice(0, 96), slice(64, 160)),
)
with torch.no_grad():
    parts = {
        name: contributions(heard["astronaut"][name][0][square], layer.fuse.weight).numpy()
        for name, layer in layers.items()
    }  # (5, H, W, C) each
contribution(lr[square], parts["1.1"], "5")

# %% [markdown]
# Now you choose layer and branch. Compare attention in 1.1 and in 3.2. The menus need a running
# kernel.

# %%
from glanet.course.lessons.gla_layer.widgets import explore_contributions

explore_contributions(lr[square], parts, layer="3.2", branch="attention")

# %% [markdown]
# ## What can go wrong
#
# - **Inception reads rolled tokens.** The layer rolls its tokens for attention, and Inception gets
#   the rolled tokens too. Shapes stay right, and the network runs.
# - **Two calls differ.** The network is in training mode, and stochastic depth still drops
#   branches. Call `.eval()`.
# - **The order in V is wrong.** Weights for one order load into the other without an error: the
#   shapes are the same.
# - **A residual is missing.** Shapes stay right. Test that a layer with zeros at the ends of its
#   residual branches changes nothing, as in section 6.
#
# Make the first mistake on purpose: roll the input of Inception by half a window, in every shifted
# layer. First, put a spot into row 12, column 20. Where does the output of Inception respond to it?

# %% tags=["nbval-check-output"]
inception = layers["1.2"].inception
dark = torch.zeros(1, 24, 32, 32)
spot = dark.clone()
spot[0, 12, 20] = 1


def answer_stands():
    """The rows and columns in which the spot changes the output of Inception."""
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
# The response should be centred on the spot, with three pixels on each side. Instead it is half a
# window off, up and to the left. What does this do to the whole network, on the photograph?

# %%
wrong = upscale(model, lr)
for hook in hooks:
    hook.remove()
print(f"rolled: {psnr_y(wrong, hr, border=2):.2f} dB")

# %% [markdown]
# The correct Inception reads `x` without a roll:

# %%
print("correct:", answer_stands())
print(f"correct: {psnr_y(upscale(model, lr), hr, border=2):.2f} dB")
print(f"(bicubic {psnr_y(imresize(lr, 2), hr, border=2):.2f} dB)")

# %% [markdown]
# There is no error, and the image still beats bicubic: you might not notice this mistake. That is
# why the check of exercise 4 compares numbers.

# %% [markdown]
# Now the second mistake, with a layer that drops half of its residual branches:

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
# Compare your classes with `glanet/model/layer.py`: the same weights, the same output, the same
# gradients.

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
        print(f"shift {shift}, {switch or 'as in the paper: attention and Inception'}")
        print(" ", same_module(mine, theirs, tokens))

# %% [markdown]
# That was eval mode. In training, stochastic depth draws random numbers. With the same seed, both
# classes must draw the same factors:

# %% tags=["nbval-check-output"]


def factors_of(cls, probability):
    """The distinct factors of 10,000 samples in training mode."""
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
# Notebook 08 puts these layers in a row, unshifted and shifted in turn, and connects the rows.

# %%
from glanet.course.report import report as progress_report

print(progress_report("gla_layer"))
