# %% [markdown]
# # 08 · Dense blocks
#
# | | |
# |---|---|
# | **You will** | build the GLA block and the trunk, and measure what dense connections do to gradients |
# | **It enables** | the whole network in notebook 09: between its first and its last convolution, this is all |
# | **Takes** | 8 minutes, 3 GB of memory; about 90 minutes to work through |
# | **Becomes** | `glanet/model/block.py` and `glanet/model/trunk.py` |
#
# Six layers make a block, six blocks make a trunk. The paper's second contribution is how the blocks are
# connected: *densely*, each reading all before it, "to strengthen feature propagation and alleviate the
# vanishing-gradient problem" (§2.1). You will build it, and then see whether it does.

# %% [markdown]
# ## 1 · Why the layers take turns
#
# A block (Fig. 2a) is a row of GLA layers, and every other one is shifted. What for? Change a single token, and count
# which tokens notice. Windows of 4, and no Inception, which would blur the picture:

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
    """The rows and columns of the tokens that changed, and how many there are."""
    rows, columns = ((before - after).abs() > 1e-12).any(-1)[0].nonzero().T
    box = f"rows {rows.min()} to {rows.max()}, columns {columns.min()} to {columns.max()}"
    return f"{len(rows)} tokens: {box}"


with torch.no_grad():
    before, after = unshifted(tokens), unshifted(changed)
    print("W-MSA:           ", noticed(before, after))
    print("and W-MSA again: ", noticed(unshifted(before), unshifted(after)))

# %% [markdown]
# A window never hears of another. Now let the second layer be shifted by half a window.
#
# **Prediction.** How many tokens notice after a W-MSA and an SW-MSA layer?

# %%
guess = ...

# %% tags=["nbval-check-output"]
from glanet.course.kit.predictions import reveal

with torch.no_grad():
    before, after = shifted(before), shifted(after)
count = ((before - after).abs() > 1e-12).any(-1).sum().item()
print(noticed(before, after))
print(
    reveal(
        guess,
        count,
        unit="tokens",
        close=0.05,
        because="The 4×4 tokens lie in four shifted windows of 4×4, which are 8×8 together.",
    )
)

# %% [markdown]
# ## 2 · The block
#
# Behind the layers stands a 3×3 convolution, "to bring the inductive bias of the convolutional operation into
# the network" (§2.1): it applies one small pattern everywhere, across the borders of windows too. Around it all goes a
# residual.
#
# ![six layers, W and SW in turn, a 3×3 convolution, and a residual around them](figures/08_gla_block.svg)
#
# **Exercise 1 · GLABlock** ★★☆, 15 minutes. Write the parts and `forward`. `drop_probabilities` is a list with one
# stochastic-depth probability for each layer; so its length is the number of layers.
#
# | name | what |
# |---|---|
# | `layers` | an `nn.Sequential` of `GLALayer(channels, heads, window, shift=..., mlp_ratio=mlp_ratio, inception=inception, attention=attention, drop_probability=...)`, shifted by `window // 2` in layers 1, 3, 5 |
# | `conv` | `TokenConv(channels, channels, kernel_size=3, padding=1)` |
#
# <details><summary>Hint 1</summary>
#
# `enumerate(drop_probabilities)` gives the number of each layer, from 0, and its probability. Odd numbers are
# shifted.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `shift=window // 2 if number % 2 else 0`. Build a list of layers, and hand it over as `nn.Sequential(*layers)`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `forward` is one line: `tokens + self.conv(...)`, with what the layers make of the tokens inside.
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
    print("one token changes;", noticed(block(tokens), block(changed)))

# %% [markdown]
# The convolution carries the news one pixel further on each side: 10×10.

# %% [markdown]
# ## 3 · Everyone reads everyone before
#
# In a plain chain, block 3 reads what block 2 gives, and nothing else. With dense connections it reads the outputs of
# *all* blocks before, and what came in. They are concatenated, **newest first**, and a 1×1 convolution, the
# *transition*, brings them back to C channels.
#
# ![piles of what each block reads: f0; f1, f0; f2, f1, f0; a 1×1 under each pile](figures/08_trunk.svg)
#
# By hand, with tokens of a single number: let a block double what it reads, and a transition add up. In goes 1.
#
# - block 1 reads 1 and gives **2**
# - block 2 reads 2 + 1 = 3 and gives **6**
# - block 3 reads 6 + 2 + 1 = 9 and gives **18**. (The plain chain would give 8.)
#
# **Exercise 2 · Dense** ★★☆, 10 minutes. `dense(tokens, blocks, transitions)` returns what the last block gives.
# Both lists hold functions, as many of one as of the other; transition `i`, counted from 0, takes `(i + 1)·C`
# channels.
#
# <details><summary>Hint 1</summary>
#
# Keep a list of what there is to read. It starts as `[tokens]`, and every block's output joins it.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Each round has three steps: concatenate the list along the last axis, transition, block.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Newest first: `collected.insert(0, tokens)` puts an output in front.
#
# </details>


# %%
def dense(tokens, blocks, transitions):
    """The last block's output: tokens (..., C) -> (..., C)."""
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
# After the last block, one more pile could be made, of all six outputs and $f_0$. The released code makes it, and
# never reads it. You return the last block's output instead.

# %% [markdown]
# ## 4 · What it costs
#
# **Exercise 3 · The transitions' parameters** ★☆☆, 10 minutes. `transition_parameters(channels, blocks,
# first_transition)` returns a list: how many parameters the transition of each block has, weights and biases.
# Without `first_transition`, block 1 has none, and its entry is 0.
#
# <details><summary>Hint 1</summary>
#
# A 1×1 convolution from `a` to `b` channels has a matrix of `b · a` weights, and `b` biases.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Block i, counted from 1, reads the outputs of i − 1 blocks and what came in: i·C channels.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `i * channels**2 + channels` for i from 1 to `blocks`. The first entry depends on the switch.
#
# </details>


# %%
def transition_parameters(channels, blocks, first_transition):
    """The parameters of each block's transition, as a list."""
    # >>>
    counts = [i * channels**2 + channels for i in range(1, blocks + 1)]
    if not first_transition:
        counts[0] = 0
    return counts
    # <<<


# %%
transition_parameters = exercises.transition_parameters.check(transition_parameters)

# %% [markdown]
# **Prediction.** The paper's network at ×2 has 18,142,847 parameters, 180 channels and six blocks. How many
# *percent* of them sit in the six transitions?

# %%
guess = ...

# %% tags=["nbval-check-output"]
counts = transition_parameters(180, 6, True)
for number, count in enumerate(counts, 1):
    print(f"before block {number}: {180 * number:5} → 180 channels, {count:8,} parameters")
print(
    reveal(
        guess,
        round(100 * sum(counts) / 18_142_847, 1),
        unit="percent",
        because=f"Together they have {sum(counts):,}.",
    )
)

# %% [markdown]
# Six or five? The paper says "five 1×1": in its Fig. 2, block 1 reads its input as it is. The released code has a sixth,
# before block 1, which mixes the channels once more. The package follows the code, and has a switch,
# `first_transition`. The difference:

# %% tags=["nbval-check-output"]
five = transition_parameters(180, 6, False)
print(f"{sum(counts) - sum(five):,} parameters")

# %% [markdown]
# ## 5 · The trunk
#
# $$F_d = \psi(F_s) \qquad (2)$$
#
# $\psi$ is everything between the shallow features and the head. Around the blocks stand two norms, which Fig. 2 does
# not show and the released code has: the blocks start from LayerNorm($F_s$), and another LayerNorm stands
# before the last 3×3 convolution.
#
# Stochastic depth rises over *all* layers of the trunk. This splits the row into one list for each block:


# %%
def drop_probabilities(config):
    """One list a block, one probability a layer: from 0 up to ``config.stochastic_depth``."""
    depth = config.blocks * config.layers
    rising = [config.stochastic_depth * i / max(1, depth - 1) for i in range(depth)]
    return [rising[i : i + config.layers] for i in range(0, depth, config.layers)]


# %% [markdown]
# **Exercise 4 · Trunk** ★★★, 20 minutes. Write the parts and `forward`. With `config.dense` off, there are no
# transitions, and the blocks form a plain chain. That is the row "w/o Dense Connection" of Table 2.
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
# `forward` begins with `self.norm_in(shallow)` and ends with `self.conv(self.norm_out(tokens))`. In between is your
# `dense`, or the chain.
#
# </details>
# <details><summary>Hint 3</summary>
#
# A list is true if it holds something: `if self.transitions:` chooses. The chain is
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
# ## 6 · On a photograph: who reads whom?
#
# Give `tiny-x2` your trunk, with its own weights. It has three blocks.

# %%
from skimage import data

from glanet import GLANet
from glanet.course.kit.profile import by_profile
from glanet.data.degradation import imresize, modcrop
from glanet.evaluation.metrics import psnr_y
from glanet.inference import upscale

network = GLANet.from_pretrained("tiny-x2")
theirs = network.trunk
mine = Trunk(network.config).eval()
mine.load_state_dict(theirs.state_dict())

side = by_profile(smoke=64, learn=512, full=512)
originals = {
    name: modcrop(getattr(data, name)()[:side, :side], 2)
    for name in ("astronaut", "coffee", "rocket", "chelsea")
}
photos = {name: imresize(image, 1 / 2) for name, image in originals.items()}

photo, original = photos["coffee"], originals["coffee"]
for whose, trunk in {"the package's": theirs, "yours": mine}.items():
    network.trunk = trunk
    print(f"{whose:14} {psnr_y(upscale(network, photo), original, border=2):.2f} dB")
print(f"{'bicubic':14} {psnr_y(imresize(photo, 2), original, border=2):.2f} dB")

# %% [markdown]
# A transition is a matrix, like the fusion of notebook 07. So what a block reads falls into parts, exactly: one from each
# output before it. Measure their energy, each channel's mean subtracted.

# %%
import numpy as np

from glanet.data.tensors import to_tensor

channels = network.config.channels


def energy(features):
    """Mean square about each channel's mean: (B, H, W, C) -> a number."""
    return (features - features.mean((0, 1, 2))).square().mean().item()


def readings_of(photo):
    """Row i: shares of the energy that block i + 1 reads, oldest first: (blocks, blocks)."""
    shares = np.zeros((len(mine.blocks),) * 2)

    def note(module, inputs):
        parts = zip(inputs[0].split(channels, -1), module.weight.split(channels, 1), strict=True)
        parts = [part @ columns.T for part, columns in parts]  # newest first
        row = len(parts) - 1
        shares[row, : row + 1] = [energy(part) / energy(sum(parts)) for part in reversed(parts)]

    hooks = [transition.register_forward_pre_hook(note) for transition in mine.transitions]
    with torch.no_grad():
        network(to_tensor(photo))
    for hook in hooks:
        hook.remove()
    return shares


shares = np.mean([readings_of(photo) for photo in photos.values()], axis=0)

# %%
from glanet.course.lessons.dense_blocks.figures import readings

readings(shares)

# %% [markdown]
# The mean of four photographs. Each block takes most from its neighbour, and what is older fades. But it is not gone:
# the trained network uses its dense connections. (Where a row adds up to less than 1, the parts agree with each other:
# the cross-terms of notebook 07.)

# %% [markdown]
# ## 7 · Do gradients vanish?
#
# Training moves each weight along the gradient of the loss, which travels back through all blocks. If every block makes it
# smaller, little arrives at the first: it *vanishes*. Dense connections are a remedy (DenseNet, the paper's [12]): they
# give it short ways. A residual is another.
#
# Work it out with numbers. Six blocks that halve what they read: block $k$ gives $\frac{1}{2} x$, or
# $x + \frac{1}{2} x$ with a residual. How much does the end depend on what block 1 gives?


# %%
def end_by_first(residual, connected, blocks=6):
    """The derivative of the last block's output by the first one's."""
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
# The first is $(1/2)^5$, and vanishes. Dense connections rescue it. So does a residual alone: $(3/2)^5$. And a GLA-Net has
# residuals: one around each block, two in each layer. Is there anything left to rescue?
#
# Measure. The instrument sums the squares of the gradient that arrives at each block's output, and of the gradient of
# each block's parameters, and takes roots.


# %%
def gradient_norms(blocks, loss_of):
    """Norms of a loss's gradient at each block's output and over its parameters: (2, blocks)."""
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
# First on a chain where the answer is known, the halving blocks without a residual:

# %% tags=["nbval-check-output"]
chain = nn.Sequential(*(nn.Linear(1, 1, bias=False) for _ in range(6)))
for block in chain:
    nn.init.constant_(block.weight, 0.5)

at_outputs, of_parameters = gradient_norms(chain, lambda: chain(torch.ones(1, 1)).sum())
print(at_outputs)

# %% [markdown]
# It sees a gradient vanish where it must. Now the networks. `build` starts one from a seed and puts your trunk into it.

# %%
import torch.nn.functional as F

from glanet import ModelConfig
from glanet.course.kit import practice
from glanet.data.patches import PatchStore


def build(config, seed):
    """A network with your trunk, started from a seed."""
    torch.manual_seed(seed)
    network = GLANet(config)
    trunk = Trunk(config)
    trunk.load_state_dict(network.trunk.state_dict())
    network.trunk = trunk
    return network.eval()


store = PatchStore.from_images(practice.training_images(), scale=2, patch=16)
low, high = store.batch(seed=0, step=0, size=by_profile(smoke=1, learn=4, full=16))


def measure(network):
    """`gradient_norms` of the loss on always the same patches."""
    return gradient_norms(network.trunk.blocks, lambda: F.l1_loss(network(low), high))


print(store)
print(tuple(low.shape), tuple(high.shape))

# %% [markdown]
# Two networks at the paper's size, one dense, one plain, each from three seeds, before any training.
#
# **Prediction.** Divide the norm at block 1's output by that at block 6's. In which network is this ratio larger,
# `"dense"` or `"plain"`?

# %%
guess = ...

# %%
from glanet.course.kit.predictions import reveal_choice

seeds = by_profile(smoke=(0, 1), learn=(0, 1, 2), full=(0, 1, 2, 3, 4))
size = by_profile(smoke={"channels": 24, "layers": 2}, learn={}, full={})  # {}: the paper's

paper = {
    name: np.array(
        [measure(build(ModelConfig.preset("paper", dense=is_dense, **size), s)) for s in seeds]
    )  # (seeds, 2, blocks)
    for name, is_dense in {"dense": True, "plain": False}.items()
}
ratios = {name: norms[:, 0, 0] / norms[:, 0, -1] for name, norms in paper.items()}
print(
    reveal_choice(
        guess,
        max(ratios, key=lambda name: ratios[name].mean()),
        choices=list(ratios),
        because="Block 1 over block 6, a number for each seed: "
        + "; ".join(f"{name} {', '.join(f'{r:.2f}' for r in rs)}" for name, rs in ratios.items())
        + ".",
    )
)

# %%
print("at the outputs of blocks 1 to 6, mean of the seeds:")
for name, norms in paper.items():
    print(f"  {name}", *(f"{norm:.1e}" for norm in norms[:, 0].mean(0)))
print("at block 1's output, seed by seed:")
for name, norms in paper.items():
    print(f"  {name}", *(f"{norm:.1e}" for norm in norms[:, 0, 0]))

# %% [markdown]
# In neither network does anything vanish. In the plain one the gradient *grows* on its way back, as the residuals
# promised. In the dense one it drops between blocks 6 and 5, where it must pass a transition, which has no residual
# around it. Further back it grows again, slowly. Block 1 receives about as much in both, a little more in the dense one.
#
# So at the start there is nothing to rescue. That is no proof that dense connections are useless. It says that this
# is not what they are good for here.

# %% [markdown]
# ## 8 · And in training?
#
# Train both, briefly: a small network of six blocks, so that several runs fit in minutes. One run says little, since
# runs that differ by their seed alone end at different places. So there are several seeds, and for each seed, both
# networks see the same batches. And there are two learning rates, for what wins at one may lose at the other.

# %%
small = {"channels": 16, "layers": 2, "heads": 4, "stochastic_depth": 0.0, "light_head": True}
networks = {"plain": {"dense": False}, "dense": {"dense": True}}
configs = {
    name: ModelConfig.preset("paper", **small, **switch) for name, switch in networks.items()
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


def held_out_psnr(network):
    """Mean PSNR on images that no network was trained on, in dB."""
    return np.mean([psnr_y(upscale(network, imresize(hr, 1 / 2)), hr, 2) for hr in held_out])


psnrs = {rate: {name: [] for name in configs} for rate in rates}
losses = {rate: {name: [] for name in configs} for rate in rates}
trained = {}
for rate in rates:
    for name, config in configs.items():
        for seed in seeds:
            network = trained[rate, name, seed] = build(config, seed)
            curve = practice.fit(network, store, steps=steps, batch=4, rate=rate, seed=seed)
            losses[rate][name].append(np.mean(curve[-20:]))
            psnrs[rate][name].append(held_out_psnr(network))

bicubic = np.mean([psnr_y(imresize(imresize(hr, 1 / 2), 2), hr, 2) for hr in held_out])
print(f"{len(held_out)} images; bicubic {bicubic:.2f} dB")

# %%
from glanet.course.lessons.dense_blocks.figures import pairs

pairs(
    {f"learning rate {rate:g}": results for rate, results in psnrs.items()},
    "PSNR on held-out images (dB)",
)

# %%
for rate in rates:
    for quantity, results, digits in (("PSNR", psnrs, 2), ("loss", losses, 4)):
        plain, connected = np.array(results[rate]["plain"]), np.array(results[rate]["dense"])
        gains = ", ".join(f"{gain:+.{digits}f}" for gain in connected - plain)
        print(f"rate {rate:g}, {quantity}: dense − plain, seed by seed: {gains}")
        print(f"    plain, between its own seeds: up to {np.ptp(plain):.{digits}f}")

# %% [markdown]
# The first line of each pair would have to be of one sign, and larger than the second, before you could call it a result.
# It is not: at this size, after so few steps, **nothing can be said**. A small difference may well be there, and three seeds
# too few to see it. And all of these networks are at the very beginning: bicubic is still ahead. Change the number of steps,
# of heads or of seeds above, and see how far the picture moves.
#
# The paper's Table 2 has 33.48 dB on Urban100 without dense connections and 33.62 dB with them, after 500,000 steps at
# full size. It gives one number for each. In the profile `full`, this cell trains longer and with more seeds.

# %% [markdown]
# And the gradients, now that the networks have learned something? (The head of these small networks starts at zero. For the
# measurement at the start it gets PyTorch's own start; "What can go wrong" shows why.)

# %%
from glanet.course.lessons.dense_blocks.figures import gradients

start, end = {}, {}
for name, config in configs.items():
    begun = [build(config, seed) for seed in seeds]
    for network in begun:
        network.reconstruct.to_image[0].reset_parameters()
    start[name] = np.array([measure(network) for network in begun])
    end[name] = np.array([measure(trained[rates[0], name, seed]) for seed in seeds])

moments = {"paper's size, start": paper, "small, start": start, "small, trained": end}
measured = {
    quantity: {
        moment: {name: norms[:, row] for name, norms in curves.items()}
        for moment, curves in moments.items()
    }
    for row, quantity in enumerate(("at the block's output", "of the block's parameters"))
}
gradients(measured["at the block's output"], "at the block's output")

# %% [markdown]
# The curves keep their shape. In no panel does the gradient fade on its way from block 5 to block 1, dense or not, and at
# block 1 the two networks lie close together. Where the dense curve is higher as a whole, that is scale, and Adam, which
# trains these networks, divides it out (notebook 11).
#
# That is a null result, and as good as any: here, where layers and blocks have residuals, there was no vanishing gradient
# to alleviate. The paper does not measure one either.
#
# What remains of the paper's reasons is the other half, "to strengthen feature propagation": in section 6, a trained
# network did read old features.

# %% [markdown]
# That was the gradient at the outputs. What an optimiser uses is the gradient of the *parameters*. Choose it here, or
# divide each curve by its value at block 6. The menu needs a running kernel.

# %%
from glanet.course.lessons.dense_blocks.widgets import explore_gradients

explore_gradients(measured, quantity="of the block's parameters")

# %% [markdown]
# ## What can go wrong
#
# - **The gradient is 0 everywhere.** Not vanished: a layer at the end starts at zero, and nothing gets through it.
# - **Oldest first.** All parts of a pile are C wide, so weights load and shapes fit, and the network computes
#   nonsense.
# - **A plain list of blocks.** PyTorch finds parameters in `nn.ModuleList`, not in a list: nothing is trained, nothing
#   is saved.
# - **One seed.** Two runs always differ. Compare the difference with that between seeds.
#
# Do the first on purpose: measure a small network just as it starts.

# %% tags=["nbval-check-output"]
network = build(configs["dense"], seed=0)
print(measure(network)[0])

# %% [markdown]
# Its light head starts at zero, so that the untrained network gives the coarse image $I_{CSR}$. Zero weights pass
# on no gradient; only the head itself learns in the first step. One step is enough to mend it:

# %%
practice.fit(network, store, steps=1, batch=4)
print(" ".join(f"{norm:.1e}" for norm in measure(network)[0]))

# %% [markdown]
# And the second, with `tiny-x2`. Turn each transition's pile around:

# %%
network = GLANet.from_pretrained("tiny-x2")


def oldest_first(module, inputs):
    return (torch.cat(inputs[0].split(channels, dim=-1)[::-1], dim=-1),)


hooks = [t.register_forward_pre_hook(oldest_first) for t in network.trunk.transitions]
print(f"oldest first: {psnr_y(upscale(network, photo), original, border=2):.2f} dB")
for hook in hooks:
    hook.remove()
print(f"newest first: {psnr_y(upscale(network, photo), original, border=2):.2f} dB")

# %% [markdown]
# ## The same as the package's
#
# Your classes against `glanet/model/block.py` and `glanet/model/trunk.py`.

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
# All that is left of the network stands before and behind the trunk. Notebook 09 joins it.

# %%
from glanet.course.report import report as progress_report

print(progress_report("dense_blocks"))
