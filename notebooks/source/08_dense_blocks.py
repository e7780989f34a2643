# %% [markdown]
# # 08 · Dense blocks
#
# | | |
# |---|---|
# | **You will** | build the GLA (global-local awareness) block and the trunk, and measure what dense connections do to gradients |
# | **It enables** | the whole network in notebook 09: the trunk is everything between its first convolution and its head |
# | **Takes** | 8 minutes, 3 GB of memory; about 90 minutes to work through |
# | **Becomes** | `glanet/model/block.py` and `glanet/model/trunk.py` |
#
# Six layers make a block, and six blocks make a trunk. The second contribution of the paper
# ([Global-Local Awareness Network for Image Super-Resolution](https://panpinchi.github.io/GLA-Net/),
# ICIP 2023) is how it connects the blocks: *densely*. Each block reads the outputs of all blocks
# before it, "to strengthen feature propagation and alleviate the vanishing-gradient problem"
# (§2.1). You will build these connections, and then measure whether they do that.

# %% [markdown]
# ## 1 · Why every other layer is shifted
#
# A block (Fig. 2a) is a chain of GLA layers. They alternate between W-MSA (window-based multi-head
# self-attention) and SW-MSA (shifted-window multi-head self-attention). To see why, change a single
# token, and count the tokens whose output changes. The windows here are 4×4, and the Inception
# branches are off, since convolutions would also spread the change:

# %% tags=["nbval-check-output"]
import torch

from glanet.model.layer import GLALayer  # notebook 07

torch.manual_seed(0)
settings = {"channels": 8, "heads": 2, "window": 4, "inception": False}
unshifted, shifted = (GLALayer(shift=shift, **settings).double() for shift in (0, 2))

tokens = torch.randn(1, 16, 16, 8, dtype=torch.float64)
changed = tokens.clone()
changed[0, 5, 6] = torch.randn(8)  # in the window of rows 4 to 7 and columns 4 to 7


def noticed(before, after):
    """How many tokens differ, and in which rows and columns, as text."""
    rows, columns = ((before - after).abs() > 1e-12).any(-1)[0].nonzero().T
    box = f"rows {rows.min()} to {rows.max()}, columns {columns.min()} to {columns.max()}"
    return f"{len(rows)} tokens: {box}"


with torch.no_grad():
    before, after = unshifted(tokens), unshifted(changed)
    print("W-MSA:           ", noticed(before, after))
    print("W-MSA twice:     ", noticed(unshifted(before), unshifted(after)))

# %% [markdown]
# Two W-MSA layers never pass anything from one window to another. Now shift the second layer by
# half a window.
#
# **Prediction.** How many tokens change after one W-MSA layer and one SW-MSA layer?

# %%
guess = ...

# %% tags=["nbval-check-output"]
from glanet.course.kit.predictions import reveal

with torch.no_grad():
    before, after = shifted(before), shifted(after)
count = ((before - after).abs() > 1e-12).any(-1).sum().item()
reveal(
    guess,
    count,
    unit="tokens",
    close=0.05,
    because="The 4×4 tokens lie in four shifted windows of 4×4, together 8×8 tokens.",
)

# %% tags=["nbval-check-output"]
print(noticed(before, after))

# %% [markdown]
# ## 2 · The block
#
# A 3×3 convolution follows the layers, "to bring the inductive bias of the convolutional operation
# into the network" (§2.1): it applies one small kernel everywhere, also across the borders of
# windows. A residual connection goes around layers and convolution.
#
# ![six layers, W and SW in turn, a 3×3 convolution, and a residual around them](figures/08_gla_block.svg)
#
# **Exercise 1 · GLABlock** ★★☆, 15 minutes. Write the parts and `forward`. `drop_probabilities` is
# a list with one stochastic-depth probability for each layer, so its length is the number of
# layers.
#
# | name | what |
# |---|---|
# | `layers` | an `nn.Sequential` of `GLALayer(channels, heads, window, shift=..., mlp_ratio=mlp_ratio, inception=inception, attention=attention, drop_probability=...)`, shifted by `window // 2` in layers 1, 3, 5 |
# | `conv` | `TokenConv(channels, channels, kernel_size=3, padding=1)` |
#
# <details><summary>Hint 1</summary>
#
# `enumerate(drop_probabilities)` gives the number of each layer, from 0, and its probability. The
# layers with odd numbers are shifted.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `shift=window // 2 if number % 2 else 0`. Build a list of layers, and unpack it into
# `nn.Sequential(*layers)`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `forward` is one line: `tokens + self.conv(...)`. The argument of `self.conv` is the output of the
# layers.
#
# </details>

# %%
from torch import nn

from glanet.model.tokens import TokenConv  # notebook 04


class GLABlock(nn.Module):
    """Fig. 2a: tokens (B, H, W, C) -> (B, H, W, C); H and W are multiples of the window."""

    def __init__(
        self, channels, heads, window, *, mlp_ratio, inception, drop_probabilities, attention=True
    ):
        super().__init__()
        # >>>
        layers = [
            GLALayer(
                channels,
                heads,
                window,
                shift=window // 2 if number % 2 else 0,
                mlp_ratio=mlp_ratio,
                inception=inception,
                attention=attention,
                drop_probability=probability,
            )
            for number, probability in enumerate(drop_probabilities)
        ]
        self.layers = nn.Sequential(*layers)
        self.conv = TokenConv(channels, channels, kernel_size=3, padding=1)

    def forward(self, tokens):
        return tokens + self.conv(self.layers(tokens))
        # <<<


# %%
from glanet.course.lessons.dense_blocks import exercises

GLABlock = exercises.gla_block.check(GLABlock)

# %%
block = GLABlock(8, 2, 4, mlp_ratio=2.0, inception=False, drop_probabilities=[0.0] * 2).double()
print("shifts:", [layer.attention.shift for layer in block.layers])
with torch.no_grad():
    print(tuple(tokens.shape), "→", tuple(block(tokens).shape))
    print("one token changed:", noticed(block(tokens), block(changed)))

# %% [markdown]
# The convolution carries the change one pixel further on each side: 10×10.

# %% [markdown]
# ## 3 · Each block reads all before it
#
# In a plain chain, block 3 reads the output of block 2 and nothing else. With dense connections it
# reads the outputs of *all* blocks before it and the input of the chain, $f_0$. They are
# concatenated, **newest first**, and a 1×1 convolution, the *transition*, reduces them to C
# channels again.
#
# ![piles of what each block reads: f0; f1, f0; f2, f1, f0; a 1×1 under each pile](figures/08_trunk.svg)
#
# Work it out by hand with tokens of a single number. Let each block double its input, and let each
# transition add up what it reads. The input is 1.
#
# - Block 1 reads 1 and returns **2**.
# - Block 2 reads 2 + 1 = 3 and returns **6**.
# - Block 3 reads 6 + 2 + 1 = 9 and returns **18**. (The plain chain would return 8.)
#
# **Exercise 2 · Dense** ★★☆, 10 minutes. `dense(tokens, blocks, transitions)` returns the output of
# the last block. Both lists hold functions and have the same length. Transition `i`, counted from
# 0, reads `(i + 1)·C` channels.
#
# <details><summary>Hint 1</summary>
#
# Keep a list of everything that the next block can read. It starts as `[tokens]`, and each block's
# output is added to it.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Each round has three steps: concatenate the list along the last axis, apply the transition, apply
# the block.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Newest first: `collected.insert(0, tokens)` puts an output at the front.
#
# </details>


# %%
def dense(tokens, blocks, transitions):
    """Return the last block's output: tokens (..., C) -> (..., C)."""
    # >>>
    collected = [tokens]
    for transition, block in zip(transitions, blocks, strict=True):
        tokens = block(transition(torch.cat(collected, dim=-1)))
        collected.insert(0, tokens)
    return tokens
    # <<<


# %%
dense = exercises.dense.check(dense)


# %% tags=["nbval-check-output"]
def double(tokens):
    return 2 * tokens


def add_up(pile):
    return pile.sum(dim=-1, keepdim=True)


for blocks in (1, 2, 3):
    print(
        blocks, "blocks:", dense(torch.tensor([1.0]), [double] * blocks, [add_up] * blocks).item()
    )

# %% [markdown]
# After the last block, the outputs of all six blocks and $f_0$ could be concatenated once more. The
# released code does so, and never reads the result. You return the last block's output instead.

# %% [markdown]
# ## 4 · What it costs
#
# **Exercise 3 · The transitions' parameters** ★☆☆, 10 minutes.
# `transition_parameters(channels, blocks, first_transition)` returns a list: the number of
# parameters, weights and biases, of each block's transition. Without `first_transition`, block 1
# has no transition, and its entry is 0.
#
# <details><summary>Hint 1</summary>
#
# A 1×1 convolution from `a` to `b` channels has a matrix of `b · a` weights, and `b` biases.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Block i, counted from 1, reads the outputs of i − 1 blocks and $f_0$: i·C channels.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `i * channels**2 + channels` for i from 1 to `blocks`. The first entry depends on the switch.
#
# </details>


# %%
def transition_parameters(channels, blocks, first_transition):
    """Return the number of parameters of each block's transition, as a list."""
    # >>>
    counts = [i * channels**2 + channels for i in range(1, blocks + 1)]
    if not first_transition:
        counts[0] = 0
    return counts
    # <<<


# %%
transition_parameters = exercises.transition_parameters.check(transition_parameters)

# %% [markdown]
# **Prediction.** The paper's network at ×2 has 18,142,847 parameters, 180 channels and six blocks.
# How many *percent* of the parameters are in the six transitions?

# %%
guess = ...

# %% tags=["nbval-check-output"]
counts = transition_parameters(180, 6, True)
reveal(
    guess,
    round(100 * sum(counts) / 18_142_847, 1),
    unit="percent",
    because=f"The six together have {sum(counts):,} parameters.",
)

# %% tags=["nbval-check-output"]
for number, count in enumerate(counts, 1):
    print(f"before block {number}: {180 * number:5} → 180 channels, {count:8,} parameters")

# %% [markdown]
# Six or five? The paper says "five 1×1": in its Fig. 2, block 1 reads its input directly. The
# released code has a sixth transition, before block 1, which mixes the channels once more. The
# package follows the code, and has a switch, `first_transition`. The difference is:

# %% tags=["nbval-check-output"]
five = transition_parameters(180, 6, False)
print(f"{sum(counts) - sum(five):,} parameters")

# %% [markdown]
# ## 5 · The trunk
#
# $$F_d = \psi(F_s) \qquad (2)$$
#
# $\psi$ is everything between the shallow features and the head. The released code has two norms
# around the blocks, which Fig. 2 does not show: the first block reads LayerNorm($F_s$), and another
# LayerNorm comes before the last 3×3 convolution.
#
# The stochastic-depth probability rises linearly over *all* layers of the trunk. This function
# splits the list of probabilities into one list for each block:


# %%
def drop_probabilities(config):
    """One list for each block, one probability for each layer, from 0 to the configured maximum."""
    depth = config.blocks * config.layers
    rising = [config.stochastic_depth * i / max(1, depth - 1) for i in range(depth)]
    return [rising[i : i + config.layers] for i in range(0, depth, config.layers)]


# %% [markdown]
# **Exercise 4 · Trunk** ★★★, 20 minutes. Write the parts and `forward`. With `config.dense` off,
# there are no transitions, and the blocks form a plain chain. That is the row "w/o Dense
# Connection" of Table 2.
#
# | name | what |
# |---|---|
# | `norm_in`, `norm_out` | `nn.LayerNorm(c)`, where `c` is `config.channels` |
# | `blocks` | an `nn.ModuleList` of `GLABlock(c, config.heads, config.window, mlp_ratio=config.mlp_ratio, inception=config.inception, attention=config.attention, drop_probabilities=...)`, one for each list of `drop_probabilities(config)` |
# | `transitions` | an `nn.ModuleList` of `TokenConv1x1`, one for each block; the first is `nn.Identity()` without `config.first_transition`; the list is empty without `config.dense` |
# | `conv` | `TokenConv(c, c, kernel_size=3, padding=1)` |
#
# <details><summary>Hint 1</summary>
#
# Transition i, counted from 0, is `TokenConv1x1((i + 1) * c, c)`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `forward` begins with `self.norm_in(shallow)` and ends with `self.conv(self.norm_out(tokens))`.
# Between the two comes your `dense`, or the plain chain.
#
# </details>
# <details><summary>Hint 3</summary>
#
# A list is true if it holds something, so `if self.transitions:` chooses. The plain chain is
# `for block in self.blocks: tokens = block(tokens)`.
#
# </details>

# %%
from glanet.model.tokens import TokenConv1x1  # notebook 04


class Trunk(nn.Module):
    """ψ, Eq. 2: tokens F_s (B, H, W, C) -> tokens F_d (B, H, W, C)."""

    def __init__(self, config):
        super().__init__()
        # >>>
        c = config.channels
        self.norm_in = nn.LayerNorm(c)
        self.blocks = nn.ModuleList(
            GLABlock(
                c,
                config.heads,
                config.window,
                mlp_ratio=config.mlp_ratio,
                inception=config.inception,
                attention=config.attention,
                drop_probabilities=probabilities,
            )
            for probabilities in drop_probabilities(config)
        )
        self.transitions = nn.ModuleList()
        if config.dense:
            for i in range(config.blocks):
                has_one = i > 0 or config.first_transition
                self.transitions.append(TokenConv1x1((i + 1) * c, c) if has_one else nn.Identity())
        self.norm_out = nn.LayerNorm(c)
        self.conv = TokenConv(c, c, kernel_size=3, padding=1)

    def forward(self, shallow):
        tokens = self.norm_in(shallow)
        if self.transitions:
            tokens = dense(tokens, self.blocks, self.transitions)
        else:
            for block in self.blocks:
                tokens = block(tokens)
        return self.conv(self.norm_out(tokens))
        # <<<


# %%
Trunk = exercises.trunk.check(Trunk)

# %% [markdown]
# ## 6 · On a photograph: which block reads which?
#
# Put your trunk into `tiny-x2`, with the weights of its own trunk. It has three blocks. The cell
# prints the PSNR (peak signal-to-noise ratio) of the enlarged photograph.

# %%
from skimage import data

from glanet import GLANet
from glanet.course.kit.profile import by_profile
from glanet.data.degradation import imresize, modcrop
from glanet.evaluation.metrics import psnr_y
from glanet.inference import upscale

model = GLANet.from_pretrained("tiny-x2")
theirs = model.trunk
mine = Trunk(model.config).eval()
mine.load_state_dict(theirs.state_dict())

side = by_profile(smoke=64, learn=512, full=512)
originals = {
    name: modcrop(getattr(data, name)()[:side, :side], 2)
    for name in ("astronaut", "coffee", "rocket", "chelsea")
}
photos = {name: imresize(image, 1 / 2) for name, image in originals.items()}

photo, original = photos["coffee"], originals["coffee"]
for whose, trunk in {"the package's": theirs, "yours": mine}.items():
    model.trunk = trunk
    print(f"{whose:14} {psnr_y(upscale(model, photo), original, border=2):.2f} dB")
print(f"{'bicubic':14} {psnr_y(imresize(photo, 2), original, border=2):.2f} dB")

# %% [markdown]
# A transition is a matrix, like the fusion of notebook 07. So the input of a block is exactly a sum
# of parts, one from each earlier output. Measure the energy of each part, after subtracting each
# channel's mean.

# %%
import numpy as np

from glanet.data.tensors import to_tensor

channels = model.config.channels


def energy(tokens):
    """Mean square after subtracting each channel's mean: (B, H, W, C) -> a number."""
    return (tokens - tokens.mean((0, 1, 2))).square().mean().item()


def readings_of(photo):
    """Row i: shares of the energy that block i + 1 reads, oldest output first: (blocks, blocks)."""
    shares = np.zeros((len(mine.blocks),) * 2)

    def note(module, inputs):
        parts = zip(inputs[0].split(channels, -1), module.weight.split(channels, 1), strict=True)
        parts = [part @ columns.T for part, columns in parts]  # newest first
        row = len(parts) - 1
        shares[row, : row + 1] = [energy(part) / energy(sum(parts)) for part in reversed(parts)]

    hooks = [transition.register_forward_pre_hook(note) for transition in mine.transitions]
    with torch.no_grad():
        model(to_tensor(photo))
    for hook in hooks:
        hook.remove()
    return shares


shares = np.mean([readings_of(photo) for photo in photos.values()], axis=0)

# %%
from glanet.course.lessons.dense_blocks.figures import readings

readings(shares)

# %% [markdown]
# The figure shows the mean of four photographs. Each block reads most from the block just before
# it, and less from older outputs. But the share of the old ones is not zero: the trained network
# uses its dense connections. (Where a row adds up to less than 1, the parts are positively
# correlated: those are the cross-terms of notebook 07.)

# %% [markdown]
# ## 7 · Do gradients vanish?
#
# Training moves each weight along the gradient of the loss, which travels back through all blocks.
# If every block makes the gradient smaller, little of it reaches the first block: it *vanishes*.
# Dense connections are one remedy (DenseNet, the paper's [12]): they give the gradient short paths.
# A residual connection is another.
#
# Work it out with numbers. Six blocks halve what they read: block $k$ returns $\frac{1}{2} x$, or
# $x + \frac{1}{2} x$ with a residual. What is the derivative of the last block's output with
# respect to the output of block 1?


# %%
def end_by_first(residual, connected, blocks=6):
    """The derivative of the last block's output with respect to the first block's."""
    outputs, collected = [], [torch.tensor(1.0, requires_grad=True)]
    for _ in range(blocks):
        read = sum(collected) if connected else collected[0]
        outputs.append(0.5 * read + (read if residual else 0))
        collected.insert(0, outputs[-1])
    return torch.autograd.grad(outputs[-1], outputs[0])[0].item()


for residual in (False, True):
    for connected in (False, True):
        ways = f"{'with' if residual else 'no':4} residual, {'dense' if connected else 'plain'}"
        print(f"{ways:22} {end_by_first(residual, connected):10.5f}")

# %% [markdown]
# The first number is $(1/2)^5$: the gradient vanishes. Dense connections prevent that. So does a
# residual alone: $(3/2)^5$. And a GLA-Net has residuals: one around each block, two in each layer.
# Is there anything left for dense connections to fix?
#
# Measure it. For each block, the function below returns two norms: that of the gradient with
# respect to the block's output, and that of the gradient with respect to the block's parameters. A
# norm is the root of the sum of squares.


# %%
def gradient_norms(blocks, loss_of):
    """Gradient norms of a loss: at each block's output, and of its parameters: (2, blocks)."""
    outputs = []

    def keep(module, inputs, output):
        output.retain_grad()
        outputs.append(output)

    hooks = [block.register_forward_hook(keep) for block in blocks]
    for block in blocks:
        block.zero_grad()
    loss_of().backward()
    for hook in hooks:
        hook.remove()
    squares = [sum(p.grad.square().sum() for p in block.parameters()) for block in blocks]
    return np.array([[o.grad.norm() for o in outputs], [square**0.5 for square in squares]])


# %% [markdown]
# First test it on a chain where the answer is known, the halving blocks without a residual:

# %% tags=["nbval-check-output"]
chain = nn.Sequential(*(nn.Linear(1, 1, bias=False) for _ in range(6)))
for block in chain:
    nn.init.constant_(block.weight, 0.5)

at_outputs, of_parameters = gradient_norms(chain, lambda: chain(torch.ones(1, 1)).sum())
print(at_outputs)

# %% [markdown]
# It detects a gradient that vanishes. Now measure the networks. `build` initialises a model from a
# seed and puts your trunk into it.

# %%
import torch.nn.functional as F

from glanet import ModelConfig
from glanet.course.kit import practice
from glanet.data.patches import PatchStore


def build(config, seed):
    """A model with your trunk, initialised from a seed."""
    torch.manual_seed(seed)
    model = GLANet(config)
    trunk = Trunk(config)
    trunk.load_state_dict(model.trunk.state_dict())
    model.trunk = trunk
    return model.eval()


store = PatchStore.from_images(practice.training_images(), scale=2, patch=16)
lr, hr = store.batch(seed=0, step=0, size=by_profile(smoke=1, learn=4, full=16))


def measure(model):
    """`gradient_norms` of the loss, on the same patches for every model."""
    return gradient_norms(model.trunk.blocks, lambda: F.l1_loss(model(lr), hr))


print(store)
print(tuple(lr.shape), tuple(hr.shape))

# %% [markdown]
# Compare two networks at the paper's size, one dense, one plain, each from three seeds, before any
# training.
#
# **Prediction.** Divide the norm at block 1's output by that at block 6's. In which network is this
# ratio larger, `"dense"` or `"plain"`?

# %%
guess = ...

# %%
from glanet.course.kit.predictions import reveal_choice

seeds = by_profile(smoke=(0, 1), learn=(0, 1, 2), full=(0, 1, 2, 3, 4))
size = by_profile(smoke={"channels": 24, "layers": 2}, learn={}, full={})  # {}: the paper's size

paper = {
    name: np.array(
        [measure(build(ModelConfig.preset("paper", dense=is_dense, **size), s)) for s in seeds]
    )  # (seeds, 2, blocks)
    for name, is_dense in {"dense": True, "plain": False}.items()
}
ratios = {name: norms[:, 0, 0] / norms[:, 0, -1] for name, norms in paper.items()}
reveal_choice(
    guess,
    max(ratios, key=lambda name: ratios[name].mean()),
    choices=list(ratios),
    because="Block 1 divided by block 6, one number for each seed: "
    + "; ".join(f"{name} {', '.join(f'{r:.2f}' for r in rs)}" for name, rs in ratios.items())
    + ".",
)

# %%
print("norm at the outputs of blocks 1 to 6, mean over the seeds:")
for name, norms in paper.items():
    print(f"  {name}", *(f"{norm:.1e}" for norm in norms[:, 0].mean(0)))
print("norm at block 1's output, for each seed:")
for name, norms in paper.items():
    print(f"  {name}", *(f"{norm:.1e}" for norm in norms[:, 0, 0]))

# %% [markdown]
# In neither network does the gradient vanish. In the plain one it *grows* on its way back, as the
# calculation with residuals predicts. In the dense one it drops between blocks 6 and 5, where it
# passes a transition, which has no residual around it. Further back it grows again, slowly. Block 1
# receives about the same gradient in both networks, slightly more in the dense one.
#
# So at the start of training there is no vanishing gradient to fix. That does not prove that dense
# connections are useless. It shows that fixing vanishing gradients is not what they do here.

# %% [markdown]
# ## 8 · And in training?
#
# Train both networks briefly. They have six blocks but few channels, so that several runs fit into
# minutes. One run says little, since two runs that differ only in their seed end with different
# results. So train with several seeds; for each seed, both networks see the same batches. Also use
# two learning rates, since the network that is better at one may be worse at the other.

# %%
small = {"channels": 16, "layers": 2, "heads": 4, "stochastic_depth": 0.0, "light_head": True}
variants = {"plain": {"dense": False}, "dense": {"dense": True}}
configs = {
    name: ModelConfig.preset("paper", **small, **switch) for name, switch in variants.items()
}
for name, config in configs.items():
    print(f"{name} {sum(p.numel() for p in build(config, 0).parameters()):,} parameters")

# %%
from glanet.data.images import read_rgb

steps = by_profile(smoke=2, learn=80, full=5_000)
rates = (2e-3, 5e-3)

held_out = [modcrop(read_rgb(path), 2) for path in practice.held_out_images()]
if by_profile(smoke=True, learn=False, full=False):
    held_out = [image[:64, :64] for image in held_out]


def held_out_psnr(model):
    """Mean PSNR in dB on images that no model was trained on."""
    return np.mean([psnr_y(upscale(model, imresize(hr, 1 / 2)), hr, 2) for hr in held_out])


psnrs = {rate: {name: [] for name in configs} for rate in rates}
losses = {rate: {name: [] for name in configs} for rate in rates}
trained = {}
for rate in rates:
    for name, config in configs.items():
        for seed in seeds:
            model = trained[rate, name, seed] = build(config, seed)
            curve = practice.fit(model, store, steps=steps, batch=4, rate=rate, seed=seed)
            losses[rate][name].append(np.mean(curve[-20:]))
            psnrs[rate][name].append(held_out_psnr(model))

bicubic = np.mean([psnr_y(imresize(imresize(hr, 1 / 2), 2), hr, 2) for hr in held_out])
print(f"{len(held_out)} images; bicubic {bicubic:.2f} dB")

# %%
from glanet.course.lessons.dense_blocks.figures import pairs

pairs(
    {f"learning rate {rate:g}": results for rate, results in psnrs.items()},
    "PSNR on held-out images (dB)",
)

# %% [markdown]
# You may call the difference between the two a result only if it has one sign for all seeds, and if
# the smallest of them is larger than the difference that the seed alone makes. This function decides,
# so that you do not read into the figure what you hope for:


# %%
def verdict(plain, dense):
    """What the scores of two networks decide, one score for each seed, the same seeds for both."""
    gains = np.array(dense) - np.array(plain)
    if gains.min() < 0 < gains.max():
        return "decides nothing: the seeds differ in sign"
    by_seed = max(np.ptp(plain), np.ptp(dense))
    if np.abs(gains).min() <= by_seed:
        return "decides nothing: no larger than between seeds"
    return "dense is higher" if gains.min() > 0 else "dense is lower"


for rate in rates:
    for quantity, results, digits in (("PSNR", psnrs, 2), ("loss", losses, 4)):
        plain, connected = np.array(results[rate]["plain"]), np.array(results[rate]["dense"])
        gains = ", ".join(f"{gain:+.{digits}f}" for gain in connected - plain)
        print(f"learning rate {rate:g}, {quantity}:")
        print(f"  dense − plain, for each seed: {gains}")
        spread = ", ".join(f"{np.ptp(values):.{digits}f}" for values in (plain, connected))
        print(f"  between seeds of plain and of dense: {spread}")
        print(f"  {verdict(plain, connected)}")

# %% [markdown]
# Where it says **decides nothing**, a small difference may still exist: so few seeds may be too few to
# show it. One sign for all seeds is not enough: three differences of chance have one sign in every
# fourth experiment. And where it names a winner, the result holds at this size and after so few steps:
# all of these networks are at the very beginning of training, where bicubic may still be better.
# Change the number of steps, heads or seeds above, and see how much the verdict changes.
#
# The paper's Table 2 reports 33.48 dB on Urban100 without dense connections and 33.62 dB with them,
# after 500,000 steps at full size. It gives one number for each. With the profile `full`, this cell
# trains longer and with more seeds.

# %% [markdown]
# What about the gradients, now that the networks are trained? (The head of these small networks is
# initialised to zero. For the measurement before training, the cell gives it PyTorch's default
# initialisation; "What can go wrong" shows why.)

# %%
from glanet.course.lessons.dense_blocks.figures import gradients

start, end = {}, {}
for name, config in configs.items():
    untrained = [build(config, seed) for seed in seeds]
    for model in untrained:
        model.reconstruct.to_image[0].reset_parameters()
    start[name] = np.array([measure(model) for model in untrained])
    end[name] = np.array([measure(trained[rates[0], name, seed]) for seed in seeds])

moments = {"paper's size, untrained": paper, "small, untrained": start, "small, trained": end}
measured = {
    quantity: {
        moment: {name: norms[:, row] for name, norms in curves.items()}
        for moment, curves in moments.items()
    }
    for row, quantity in enumerate(("at the block's output", "of the block's parameters"))
}
gradients(measured["at the block's output"], "at the block's output")

# %% [markdown]
# The curves keep their shape. In no panel does the gradient decrease from block 5 back to block 1,
# dense or not, and at block 1 the two networks are close. Where the dense curve as a whole is
# higher, the difference is a constant scale, and Adam, the optimiser of these networks, divides it
# out (notebook 11).
#
# That is a null result, and as valuable as any other: with residuals in layers and blocks, these
# networks had no vanishing gradient to alleviate. The paper does not measure one either.
#
# The other half of the paper's reason remains, "to strengthen feature propagation": in section 6, a
# trained network did read old features.

# %% [markdown]
# That was the gradient at the outputs. An optimiser uses the gradient of the *parameters*. Choose
# it in the menu, or divide each curve by its value at block 6. The menu needs a running kernel.

# %%
from glanet.course.lessons.dense_blocks.widgets import explore_gradients

explore_gradients(measured, quantity="of the block's parameters")

# %% [markdown]
# ## What can go wrong
#
# - **The gradient is 0 everywhere.** It did not vanish: a layer at the end is initialised to zero,
#   and no gradient passes through it.
# - **Oldest first.** All parts of the concatenation are C wide, so the weights load and the shapes
#   fit, but the output is nonsense.
# - **A plain list of blocks.** PyTorch finds parameters in an `nn.ModuleList`, but not in a list:
#   the blocks are neither trained nor saved.
# - **One seed.** Two runs always differ. Compare their difference with the difference between
#   seeds.
#
# Reproduce the first on purpose: measure a small network right after its initialisation.

# %% tags=["nbval-check-output"]
model = build(configs["dense"], seed=0)
print(measure(model)[0])

# %% [markdown]
# Its light head is initialised to zero, so that the untrained network returns the coarse image
# $I_{CSR}$. Zero weights pass no gradient on, so only the head itself learns in the first step.
# After that one step, the gradient reaches all blocks:

# %%
practice.fit(model, store, steps=1, batch=4)
print(" ".join(f"{norm:.1e}" for norm in measure(model)[0]))

# %% [markdown]
# Reproduce the second with `tiny-x2`. Reverse the order of each transition's input:

# %%
model = GLANet.from_pretrained("tiny-x2")


def oldest_first(module, inputs):
    return (torch.cat(inputs[0].split(channels, dim=-1)[::-1], dim=-1),)


hooks = [t.register_forward_pre_hook(oldest_first) for t in model.trunk.transitions]
print(f"oldest first: {psnr_y(upscale(model, photo), original, border=2):.2f} dB")
for hook in hooks:
    hook.remove()
print(f"newest first: {psnr_y(upscale(model, photo), original, border=2):.2f} dB")

# %% [markdown]
# ## The same as the package's
#
# Compare your classes with `glanet/model/block.py` and `glanet/model/trunk.py`.

# %% tags=["nbval-check-output"]
from glanet.course.kit.sameness import same_module
from glanet.model import block as package_block
from glanet.model import trunk as package_trunk

tokens = torch.randn(1, 16, 24, 24)
options = {"mlp_ratio": 2.0, "inception": True, "drop_probabilities": [0.0, 0.1, 0.1]}
print(
    same_module(GLABlock(24, 6, 8, **options), package_block.GLABlock(24, 6, 8, **options), tokens)
)
for switches in ({}, {"first_transition": False}, {"dense": False}, {"attention": False}):
    config = ModelConfig(channels=24, blocks=3, layers=2, **switches)
    print(switches or "as released")
    print(" ", same_module(Trunk(config), package_trunk.Trunk(config), tokens))

# %% [markdown]
# ## How far you are
#
# The rest of the network stands before and after the trunk. Notebook 09 adds it.

# %%
from glanet.course.report import report as progress_report

print(progress_report("dense_blocks"))
