# %% [markdown]
# # 13 · Evaluation
#
# | | |
# |---|---|
# | **You will** | measure weights on the paper's image sets, set them into its Table 1, and find out what self-ensemble, tiles and time do to a comparison |
# | **It enables** | a number for your own network that stands beside the published ones |
# | **Takes** | 4 minutes, 3 GB of memory; about 75 minutes to work through |
# | **Becomes** | `glanet/evaluation/benchmark.py`, `glanet/inference/upscale.py` |
#
# Notebook 02 built the yardstick for one image. A row of Table 1 takes five sets of images, and weights. On the
# way from the one to the other lie a mean, file names, memory, and some temptations.

# %% [markdown]
# ## 1 · From images to a row
#
# Two methods, two images, PSNR in decibels (dB):
#
# | | image 1 | image 2 |
# |---|---|---|
# | method A | 30 | 40 |
# | method B | 31 | 38 |
#
# By the mean of the decibels, A leads: 35 to 34.5.
#
# **Prediction.** Somebody averages the *squared errors* of the two images instead, and turns their mean into
# decibels. Who leads now: `"A"`, `"B"`, or `"neither"`?

# %%
guess = ...

# %% tags=["nbval-check-output"]
import numpy as np

from glanet.course.kit.predictions import reveal_choice

decibels = {"A": np.array([30, 40]), "B": np.array([31, 38])}


def of_mean_error(values):
    """PSNR of the mean squared error of several images, from their PSNRs."""
    errors = 255**2 / 10 ** (values / 10)
    return 10 * np.log10(255**2 / errors.mean())


numbers = {method: of_mean_error(values) for method, values in decibels.items()}
print(
    reveal_choice(
        guess,
        max(numbers, key=numbers.get),
        choices=("A", "B", "neither"),
        because="The error of image 1 is larger by far, and decides alone.",
    )
)
for method, values in decibels.items():
    print(f"{method}: mean of decibels {values.mean():.2f}, of mean error {numbers[method]:.2f}")

# %% [markdown]
# Neither mean is wrong. But they rank the methods differently, and every row of Table 1 is a *mean of the
# decibels*: each image counts alike. A row that was made in the other way cannot stand there, even if all
# images were the same.
#
# In the package, the numbers of one image are a `Score`:

# %% tags=["nbval-check-output"]
from glanet.evaluation.benchmark import Score

scores = [
    Score("Set5", "baby", psnr_y=30.0, ssim_y=0.9),
    Score("Set5", "bird", psnr_y=40.0, ssim_y=0.8),
    Score("Set14", "zebra", psnr_y=28.0, ssim_y=0.7),
]
print(scores[0].set, scores[0].psnr_y)

# %% [markdown]
# **Exercise 1 · A row** ★☆☆, 10 minutes. `mean_scores(scores)` takes a list of `Score`, and returns a dictionary:
# for each set the pair (mean PSNR, mean SSIM). The sets come in the order in which they first appear; the images
# of a set need not stand side by side. Of the three above, it makes `{"Set5": (35.0, 0.85), "Set14": (28.0, 0.7)}`.
#
# <details><summary>Hint 1</summary>
#
# First collect, then average. A dictionary from each set to a list of pairs keeps the order of first appearance by
# itself.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `pairs.setdefault(score.set, [])` gives the set's list, and makes an empty one where there is none yet. Append
# `(score.psnr_y, score.ssim_y)` to it.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `np.mean(list_of_pairs, axis=0)` is the mean PSNR and the mean SSIM. Then
# `{name: tuple(np.mean(found, axis=0)) for name, found in pairs.items()}`.
#
# </details>


# %%
def mean_scores(scores):
    """{set: (mean PSNR in dB, mean SSIM)}, in the order of first appearance."""
    # >>>
    pairs = {}
    for score in scores:
        pairs.setdefault(score.set, []).append((score.psnr_y, score.ssim_y))
    return {name: tuple(np.mean(found, axis=0)) for name, found in pairs.items()}
    # <<<


# %%
from glanet.course.lessons.evaluation import exercises

mean_scores = exercises.mean_scores.check(mean_scores)

# %% tags=["nbval-check-output"]
for name, (psnr, ssim) in mean_scores(scores).items():
    print(f"{name:6} {psnr:.2f} / {ssim:.4f}")

# %% [markdown]
# ## 2 · Whose picture is it?
#
# Often a method comes as a folder of pictures that it made. Each has to be held against its own original. Here are
# three originals, and the outputs that somebody made of them at ×2. Both lists are sorted by name, as a folder shows
# them:

# %% tags=["nbval-check-output"]
originals = sorted(["1", "2", "10"])
outputs = sorted(["1x2", "2x2", "10x2"])
for pair in zip(originals, outputs, strict=True):
    print(*pair)

# %% [markdown]
# Two of three are wrong. "1" comes before "10", since it ends first; but "10x2" comes before "1x2", since 0 comes
# before x. No error is raised, and a PSNR comes out all the same. So pair by name.
#
# What names do people give? For an original `boat` at ×2: `boat`, or `boatx2`, or one of these with a suffix that
# begins with an underscore, as in `boat_SwinIR` and `boatx2_SwinIR`.
#
# **Exercise 2 · Pairing** ★☆☆, 10 minutes. `outputs_of(name, outputs, scale)` returns a list of those of `outputs`
# that belong to the original `name`, by these four forms and no others. All are names without their endings.
#
# <details><summary>Hint 1</summary>
#
# There are two heads, `name` and `f"{name}x{scale}"`. An output is right if it *is* a head, or goes on behind it with
# an underscore.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Names may hold underscores themselves, such as `img_001`. So do not cut the output; compare its beginning:
# `output.startswith(head + "_")`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `any(output == head or output.startswith(head + "_") for head in heads)` is the condition, for each `output`.
#
# </details>


# %%
def outputs_of(name, outputs, scale):
    """The names among ``outputs`` that belong to the original ``name``."""
    # >>>
    heads = (name, f"{name}x{scale}")
    return [
        output
        for output in outputs
        if any(output == head or output.startswith(head + "_") for head in heads)
    ]
    # <<<


# %%
outputs_of = exercises.outputs_of.check(outputs_of)

# %% tags=["nbval-check-output"]
for name in originals:
    print(name, outputs_of(name, outputs, 2))
print(outputs_of("boat", ["boat2", "boatx4", "tugboat", "boatx2_mine"], 2))

# %% [markdown]
# `benchmark.evaluate_folder` scores such a folder, and refuses it before the first number unless *each* original has
# exactly one output, of the right size. From a terminal:
# `glanet evaluate --images their_outputs/ --scale 2 --sets Set5`.

# %% [markdown]
# ## 3 · Weights at hand
#
# What can be measured? Three kinds of weights: those *shipped* with the package, those *trained* here (a run's
# folder `runs/NAME/weights`), and those *released* by others. The released ones you fetch by hand:
#
# 1. The authors of GLA-Net publish `GLA-Netx2.pth`, `GLA-Netx3.pth` and `GLA-Netx4.pth`; the authors of SwinIR publish
#    `001_classicalSR_DIV2K_s48w8_SwinIR-M_x2.pth`, which is trained as for the row in Table 1, and
#    `001_classicalSR_DF2K_s64w8_SwinIR-M_x2.pth`, trained on more images, each also with `_x3` and `_x4`.
# 2. Download those that you want from their authors' own pages: the files of GLA-Net carry no licence, so nobody may
#    pass them on to you.
# 3. Put them, under these names, into the folder `weights` of your data root, which the next cell prints.
#
# From there on everything is automatic, here and below. You need none of them: what is missing is left out.

# %%
from glanet.course.kit.paths import NOTEBOOKS
from glanet.data.catalog import data_root
from glanet.weights.found import find_weights

repository = NOTEBOOKS.parent
released = data_root() / "weights"
print("for released files:", released)

at_hand = find_weights(runs=repository / "runs", released=released)
for found in at_hand:
    print(f"{found.kind:9} {found.name:20}", found.problem or f"×{found.config.scale}")

# %% [markdown]
# Every file was opened and looked at. A released file says nothing about its network, but its tensors do: scale,
# width, depth, GLA-Net or SwinIR (notebook 09). Under a published name, they must be those that the name promises.
# Would a network for ×4 pass as `GLA-Netx2.pth`, and would GLA-Net pass as SwinIR?

# %% tags=["nbval-check-output"]
from glanet import GLANet, ModelConfig
from glanet.weights.found import broken_promise

print(broken_promise("GLA-Netx2.pth", ModelConfig.preset("paper", scale=4)))
swinir_x2 = "001_classicalSR_DIV2K_s48w8_SwinIR-M_x2.pth"
print(broken_promise(swinir_x2, ModelConfig.preset("paper", scale=2)))

# %% [markdown]
# Other weights, from anywhere? Put a folder, a `.pth` file or the name of a repository on the hub here.

# %%
my_weights = None  # for example "somebody/their-glanet"

if my_weights is not None:
    from glanet.weights import load
    from glanet.weights.found import Found

    at_hand.append(Found("yours", str(my_weights), str(my_weights), load(my_weights).config))

# %% [markdown]
# ## 4 · Table 1, with yours in it
#
# First the images: those of the paper's five sets that are on this machine. (The profile `learn` takes the two small
# ones; `full` takes all.) Without any, two photographs of scikit-image stand in; they have no published rows.
# Manga109 may not be passed on, not even a crop of it; so it is measured and never shown.

# %%
from glanet.course.kit.practice import held_out_images
from glanet.course.kit.profile import by_profile, profile
from glanet.data import catalog
from glanet.evaluation.published import SETS, published

wanted = by_profile(smoke=["Set5"], learn=["Set5", "Set14"], full=SETS)
sets = {name: catalog.hr_images(name) for name in wanted if name in catalog.present()}
sets = sets or {"photographs": held_out_images()}
first = by_profile(smoke=-2, learn=0, full=0)  # in smoke, the last two images do
sets = {name: paths[first:] for name, paths in sets.items()}
print({name: len(paths) for name, paths in sets.items()})

# %% [markdown]
# Then the networks. Each goes to the device at hand:

# %%
from glanet.device import choose_device, free_memory
from glanet.weights import load

device = choose_device()
networks = {}
for found in at_hand:
    if found.config is not None and (profile() != "smoke" or found.name == "tiny-x2"):
        name = found.name.removeprefix("001_classicalSR_").removesuffix(".pth")
        networks[name] = load(found.source).to(device)

for name, network in networks.items():
    parameters = sum(parameter.numel() for parameter in network.parameters())
    print(f"{name:24} ×{network.config.scale}  {parameters:10,} parameters")

# %% [markdown]
# `benchmark.evaluate` does for every image of a set what notebook 02 did for one: crop, shrink, enlarge, measure. It is
# given a function from LR image to (SR image, tile). The tile is `None` where the whole image went through at once, as
# it must for a benchmark; section 8 shows why. Where memory is too short for that, the score remembers it.

# %%
from glanet.data.degradation import imresize
from glanet.evaluation.benchmark import evaluate
from glanet.inference import tile_that_fits, upscale


def upscaler(network):
    """LR image -> (SR image, side of the tiles that it was made in, or None)."""

    def run(lr):
        tile = tile_that_fits(network, *lr.shape[:2], free_memory(device) // 2)
        return upscale(network, lr, tile=tile), tile

    return run


def sets_for(network):
    """All sets; in the profile learn, a large network gets only the first."""
    large = sum(parameter.numel() for parameter in network.parameters()) > 300_000
    return list(sets.items())[:1] if large and profile() == "learn" else list(sets.items())


def measure(run, scale, sets):
    """The Score of every image of the sets."""
    return [score for name, paths in sets for score in evaluate(run, name, paths, scale)]


# %%
from tqdm.auto import tqdm

measured = {}  # {scale: {method: [Score, ...]}}
for scale in sorted({network.config.scale for network in networks.values()}):
    bicubic = measure(lambda lr, scale=scale: (imresize(lr, scale), None), scale, sets.items())
    measured[scale] = {"bicubic": bicubic}

for name, network in tqdm(networks.items(), leave=False):
    scale = network.config.scale
    measured[scale][name] = measure(upscaler(network), scale, sets_for(network))

for methods in measured.values():
    for name, scores in methods.items():
        tiled = sum(score.tile is not None for score in scores)
        if tiled:
            print(f"{name}: {tiled} of {len(scores)} images had to be done in tiles")

# %% [markdown]
# The table. Rows in bold were **measured here**, with your `mean_scores`; the others are as their authors published
# them. They are sorted by the first set, so that you see where yours belong.

# %%
from IPython.display import Markdown, display


def table_1(scale):
    """Rows (method, measured here, trained on, {set: (PSNR, SSIM)}), sorted by the first set."""
    rows = [(method, False, trained_on, known) for method, trained_on, known in published(scale)]
    rows = [row for row in rows if row[3].keys() & sets.keys()]
    for method, scores in measured[scale].items():
        rows.append((method, True, "measured here", mean_scores(scores)))
    return sorted(rows, key=lambda row: row[3].get(next(iter(sets)), (0, 0)))


def as_markdown(rows):
    """The rows as a Markdown table, those measured here in bold."""
    lines = [["method", "trained on", *sets], ["---"] * (2 + len(sets))]
    for method, here, trained_on, known in rows:
        pairs = [known.get(name) for name in sets]
        cells = [method, trained_on, *("{:.2f} / {:.4f}".format(*p) if p else "–" for p in pairs)]
        lines.append([f"**{cell}**" if here else cell for cell in cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


for scale in measured:
    heading = f"×{scale}, PSNR (dB) / SSIM on Y, {scale} pixels cut from each side"
    display(Markdown(f"{heading}\n\n{as_markdown(table_1(scale))}"))

# %% [markdown]
# The same as a picture, as leads over bicubic. Filled marks were measured here. Notice how the distances shrink towards
# the top: most of what there is to gain, the small networks have already.

# %%
from glanet.course.lessons.evaluation.figures import ladder

rows = [(method, here, known) for method, here, _, known in table_1(2)]
ladder(rows, base=mean_scores(measured[2]["bicubic"]))

# %% [markdown]
# ### Does the yardstick hold?
#
# Some rows are there twice, published and measured: bicubic's always, and those of GLA-Net and SwinIR once their
# weights are at hand. This is also the last test of a released file: a file of the right shape could still hold other
# numbers, and then its row would not come out.

# %%
for scale, methods in measured.items():
    claims = {method: known for method, _, known in published(scale)}
    for method, scores in methods.items():
        twin = "SwinIR" if "DIV2K" in method else method.removesuffix(f"x{scale}")
        for name, (psnr, ssim) in mean_scores(scores).items():
            if name in claims.get(twin, {}) and len(sets[name]) == catalog.find(name).count:
                claimed_psnr, claimed_ssim = claims[twin][name]
                print(
                    f"×{scale} {method:24} {name:9} measured {psnr:.2f} / {ssim:.4f}, published "
                    f"{claimed_psnr:.2f} / {claimed_ssim:.4f}: {psnr - claimed_psnr:+.2f} dB"
                )

# %% [markdown]
# Bicubic's published row was made by older programs, which worked on Y alone and left grey files as they are: notebook
# 02 finds the hundredth on Set5, and the tenth on Set14. A network's row, made from colour images by today's
# programs, has no such excuse.
#
# ### Where the networks here belong

# %%
for scale, methods in measured.items():
    for method, scores in methods.items():
        for name, (psnr, _) in mean_scores(scores).items():
            known = sorted((scores[name], m) for m, _, scores in published(scale) if name in scores)
            below = [f"{m} {pair[0]:.2f}" for pair, m in known if pair[0] <= psnr]
            above = [f"{m} {pair[0]:.2f}" for pair, m in known if pair[0] > psnr]
            between = f"{(below or ['none'])[-1]} < {psnr:.2f} < {(above or ['none'])[0]}"
            if known and method != "bicubic":
                print(f"×{scale} {method:24} {name:9} {between}")

# %% [markdown]
# ### What Table 1 says
#
# The paper sums its table up in two sentences (§3.1): GLA-Net "outperforms the existing SISR methods in almost all
# metrics and datasets", by at most 0.2 dB, on Urban100 at ×2. Check it against the rows that it stands on, those from
# RCAN on:

# %% tags=["nbval-check-output"]
for scale in (2, 4):
    rows = {method: known for method, _, known in published(scale)}
    methods = list(rows)
    rivals = methods[methods.index("RCAN") : methods.index("GLA-Net")]
    for name in SETS:
        psnr, ssim = rows["GLA-Net"][name]
        lead = psnr - max(rows[rival][name][0] for rival in rivals)
        lead_ssim = ssim - max(rows[rival][name][1] for rival in rivals)
        print(f"×{scale} {name:9} {lead:+.2f} dB  {lead_ssim:+.4f}")

# %% [markdown]
# The sentences hold: the lead is largest on Urban100 at ×2, and one of twenty numbers is below a rival's, one equal.
# It also shows how narrow leads are. On Set5 and Manga109 at ×2 they are one or two hundredths of a decibel, smaller than
# what a border or a rounding moved in notebook 02. And a network trained twice, from other random weights, does not end
# at the same number: section 10 comes back to that.

# %% [markdown]
# ## 5 · Best and worst
#
# A mean hides its images. By how much does `tiny-x2` beat bicubic on each of them?
#
# **Prediction.** On which of these does it gain most? Choose a name.

# %%
every = next(iter(sets.values()))
choices = tuple(path.stem for path in every)
print(choices)

# %%
guess = ...


# %%
def margins(method, rival, scale):
    """{image: by how many dB the method beats its rival}, for images that both were measured on."""
    theirs = {(score.set, score.image): score.psnr_y for score in measured[scale][rival]}
    return {
        score.image: score.psnr_y - theirs[score.set, score.image]
        for score in measured[scale][method]
        if (score.set, score.image) in theirs
    }


gains = margins("tiny-x2", "bicubic", 2)
among = {name: gains[name] for name in choices}
best, worst = max(among, key=among.get), min(among, key=among.get)
print(
    reveal_choice(
        guess,
        best,
        choices=choices,
        because=f"It gains {among[best]:.2f} dB there, and {among[worst]:.2f} dB on {worst}.",
    )
)

# %%
from glanet.course.lessons.evaluation.figures import gain_bars

losing = sum(gain < 0 for gain in gains.values())
print(f"bicubic is better on {losing} of {len(gains)} images")
gain_bars(gains, rival="bicubic")

# %% [markdown]
# One number for a set stands for all of these. So when a network leads by a tenth of a decibel in the mean, ask on how
# many images it leads. For GLA-Net against SwinIR, the next cell answers once the files of both are at hand.

# %%
glanets = [name for name in measured[2] if name.startswith("GLA-Netx2")]
swinirs = [name for name in measured[2] if "SwinIR-M_x2" in name]
if glanets and swinirs:
    gains = margins(glanets[0], swinirs[0], 2)
    leads = sum(gain > 0 for gain in gains.values())
    print(f"{glanets[0]} leads {swinirs[0]} on {leads} of {len(gains)} images")
    display(gain_bars(gains, rival=swinirs[0]))
else:
    print("GLA-Netx2.pth and a SwinIR-M_x2.pth are not both in", released)

# %% [markdown]
# ## 6 · Look
#
# Fig. 4 of the paper compares SwinIR and GLA-Net on crops, and there are many to choose from. So choose for yourself,
# on photographs that are free of rights. Here are all networks for ×2 that are at hand, with bicubic as the rival.
# (The photographs are cut, so that large networks do not take long.)

# %%
from skimage import data

from glanet.data.degradation import modcrop

side = by_profile(smoke=48, learn=256, full=400)
corners = {"rocket": (60, 240), "astronaut": (0, 100), "coffee": (60, 30), "chelsea": (20, 100)}
photos = {}
for name, (top, left) in corners.items():
    hr = modcrop(getattr(data, name)()[top : top + side, left : left + side], 2)
    lr = imresize(hr, 1 / 2)
    images = {"bicubic": imresize(lr, 2)}
    for label, network in networks.items():
        if network.config.scale == 2:
            images[label] = upscale(network, lr)
    photos[name] = hr, images

# %% [markdown]
# Where does `tiny-x2` gain most over bicubic, and where least? In square A its gain in decibels is the largest, in B the
# smallest. The numbers in the titles are the PSNR of the square alone.

# %%
from glanet.course.lessons.evaluation.figures import compared, extreme_squares

square = by_profile(smoke=16, learn=48, full=48)
hr, images = photos["astronaut"]
most, least = extreme_squares(hr, images["tiny-x2"], images["bicubic"], side=square)
compared(hr, images, [most, least], side=square)

# %% [markdown]
# Now choose: drag the square, or move it with the arrow keys. The menu changes the photograph. This needs a running
# kernel; without one, the figure above shows the same for two squares. Can you find a square in which bicubic has the
# higher number? (Try the rocket.) And one in which the number and your eye disagree?

# %%
from glanet.course.lessons.evaluation.widgets import explore_crops

explore_crops(photos, side=square)

# %% [markdown]
# Who may choose the crop may choose the winner. A crop shows *what* a difference looks like; how large it is, the means
# over all images say.

# %% [markdown]
# ## 7 · Self-ensemble
#
# A network need not treat left and right alike. Here is a toy that does not: each number becomes the mean of itself and
# its right neighbour. (The last one has none, and stands in for it.) Ask it twice, once about the row and once about the
# mirrored row, and mirror the second answer back:

# %% tags=["nbval-check-output"]


def lopsided(row):
    """The mean of each number and its right neighbour."""
    return (row + np.append(row[1:], row[-1])) / 2


row = np.array([0, 4, 8])
straight, mirrored = lopsided(row), lopsided(row[::-1])[::-1]
print("straight", straight)
print("mirrored", mirrored)
print("mean    ", (straight + mirrored) / 2)

# %% [markdown]
# What the one answer has too much of, the other has too little of. The mean treats both sides alike. An image has eight
# such views: four quarter turns, and each of them mirrored. Their mean is called *self-ensemble* (Lim et al., EDSR,
# 2017).
#
# ![A letter in eight orientations; each answer is mirrored back, turned back, and the mean is taken](figures/13_orientations.svg)
#
# **Exercise 3 · Self-ensemble** ★★☆, 15 minutes. `self_ensemble(model, image)` takes any function from images
# `(B, 3, H, W)` to images `(B, 3, scale·H, scale·W)`, and an image. It returns the mean of the eight answers, each turned
# back.
#
# <details><summary>Hint 1</summary>
#
# `image.rot90(turns, (2, 3))` makes quarter turns, and `image.flip(3)` mirrors. A negative number of turns turns back.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Undo things in reverse. What was turned and then mirrored is mirrored back first, and then turned back.
#
# </details>
# <details><summary>Hint 3</summary>
#
# For each of `range(4)`: `turned = image.rot90(turns, (2, 3))`. One answer is `model(turned).rot90(-turns, (2, 3))`. For
# the other, put `.flip(3)` on both sides of the model's call: `model(turned.flip(3)).flip(3)`, before you turn it back.
#
# </details>
# <details><summary>Hint 4</summary>
#
# Collect all eight in a list; `torch.stack(answers).mean(0)` is their mean.
#
# </details>

# %%
import torch


def self_ensemble(model, image):
    """Mean over eight orientations: (B, 3, H, W) -> (B, 3, scale·H, scale·W)."""
    # >>>
    answers = []
    for turns in range(4):
        turned = image.rot90(turns, (2, 3))
        answers.append(model(turned).rot90(-turns, (2, 3)))
        answers.append(model(turned.flip(3)).flip(3).rot90(-turns, (2, 3)))
    return torch.stack(answers).mean(0)
    # <<<


# %%
self_ensemble = exercises.self_ensemble.check(self_ensemble)

# %% [markdown]
# **Prediction.** By how many dB does it raise `tiny-x2`, in the mean over the first set? The network was trained on turned
# and mirrored patches, and had no reason to treat one side better.

# %%
guess = ...

# %%
from glanet.course.kit.predictions import reveal
from glanet.data.tensors import to_image, to_tensor

network = networks["tiny-x2"]


def eightfold(lr):
    with torch.no_grad():
        return to_image(self_ensemble(network, to_tensor(lr, device))), None


name, paths = next(iter(sets.items()))
paths = by_profile(smoke=paths[:1], learn=paths, full=paths)
with_ensemble = {score.image: score.psnr_y for score in evaluate(eightfold, name, paths, 2)}
ensemble_gains = {
    score.image: with_ensemble[score.image] - score.psnr_y
    for score in measured[2]["tiny-x2"]
    if score.set == name and score.image in with_ensemble
}
gain = np.mean(list(ensemble_gains.values()))
each = ", ".join(f"{image} {value:+.2f}" for image, value in ensemble_gains.items())
print(reveal(guess, round(float(gain), 2), unit="dB", because=f"One by one: {each}."))

# %% [markdown]
# Must it gain? Here are the photographs of section 6:

# %%
from glanet.evaluation.metrics import psnr_y

for name, (hr, images) in photos.items():
    answer, _ = eightfold(imresize(hr, 1 / 2))
    print(f"{name:9} {psnr_y(answer, hr, 2) - psnr_y(images['tiny-x2'], hr, 2):+.2f} dB")

# %% [markdown]
# It can lose on a single image, where the straight answer happens to be one of the better of the eight.
#
# Self-ensemble costs eight times the work, and needs no training. Hold the gain against the leads of section 4: a row with
# self-ensemble does not belong beside rows without. Papers mark such rows with a plus, as in EDSR+. Table 1 has none.
# In the package it is `upscale(network, image, ensemble=True)`, and `glanet evaluate --ensemble` says so in its label.

# %% [markdown]
# ## 8 · Tiles
#
# Memory grows with the image. This is the largest tile, in LR pixels, that the paper's network can do in 4 GB (`None`
# would mean the whole image):

# %%
for height, width in ((256, 256), (1024, 1536), (4000, 6000)):
    tile = tile_that_fits(GLANet(ModelConfig.preset("paper")), height, width, memory=4_000_000_000)
    print(f"{height} × {width} LR pixels: {tile}")

# %% [markdown]
# So a large photograph is cut into tiles, which go through the network one by one. What does a cut do? A toy network
# again: the mean of three neighbours, where the first and the last stand in for those who are missing. The row 0 … 7,
# whole and in two tiles of four:

# %% tags=["nbval-check-output"]


def smooth(row):
    """The mean of each number and its two neighbours."""
    padded = np.pad(row.astype(float), 1, mode="edge")
    return (padded[:-2] + padded[1:-1] + padded[2:]) / 3


row = np.arange(8)
print("whole    ", smooth(row).round(2))
print("two tiles", np.concatenate([smooth(row[:4]), smooth(row[4:])]).round(2))

# %% [markdown]
# In the middle, 3 and 4 became 2.67 and 4.33. The step between them has grown from 1 to 1.67: a *seam*. Each tile knows
# nothing of its neighbour. So let them overlap, and blend them where they do:
#
# ![Two tiles overlap; the left one's share falls from 1 to 0 across the overlap, the right one's rises](figures/13_tiles.svg)
#
# A tile is worst at its very edge. There its share is smallest. With an overlap of two columns, the right tile's share is
# taken at the middles of the columns: at ¼ and at ¾ of the way.
#
# **Exercise 4 · Blend** ★★☆, 10 minutes. `blend(left, right, overlap)` takes two tensors, `(..., A)` and `(..., B)`. The
# last `overlap` columns of the left one are the first of the right one. It returns `(..., A + B - overlap)`. In the shared
# column `j` the right tile's share is `(j + ½) / overlap`, the left one's is the rest. An overlap of 0 just joins them.
#
# <details><summary>Hint 1</summary>
#
# Three pieces, joined by `torch.cat(..., dim=-1)`: the left tile's own columns, the blended ones, the right tile's own.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `share = (torch.arange(overlap, device=left.device) + 0.5) / overlap` has one number a column, and broadcasts over all
# axes before it. The middle piece is `(1 - share)` times the end of the left tile plus `share` times the beginning of
# the right one.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Where does the overlap begin in the left tile? `left[..., :-overlap]` is empty for an overlap of 0. Count from the front:
# `start = left.shape[-1] - overlap`, then `left[..., :start]` and `left[..., start:]`.
#
# </details>


# %%
def blend(left, right, overlap):
    """Join two tiles that share ``overlap`` columns: (..., A), (..., B) -> (..., A + B - overlap)."""
    # >>>
    start = left.shape[-1] - overlap
    share = (torch.arange(overlap, device=left.device) + 0.5) / overlap
    shared = (1 - share) * left[..., start:] + share * right[..., :overlap]
    return torch.cat([left[..., :start], shared, right[..., overlap:]], dim=-1)
    # <<<


# %%
blend = exercises.blend.check(blend)

# %% [markdown]
# On the toy: tiles of five numbers that share two. The step in the middle is nearly right again:

# %% tags=["nbval-check-output"]
tiles = [torch.tensor(smooth(part)) for part in (row[:5], row[3:])]
print(blend(*tiles, overlap=2).numpy().round(2))

# %% [markdown]
# An image is blended twice: tiles to strips from left to right, strips to the image from top to bottom. All that is left
# is where the tiles lie. They start at multiples of 8, so that the windows of attention lie as they do in the whole image.

# %%
from functools import reduce


def spans(size, tile, overlap):
    """Slices of at most ``tile`` that share ``overlap`` with the next, and cover 0 … size."""
    step = tile - overlap
    count = max(1, -(-(size - overlap) // step))
    return [slice(i * step, min(i * step + tile, size)) for i in range(count)]


def in_tiles(network, image, tile, overlap):
    """The network on an image (1, 3, H, W) in tiles: (1, 3, scale·H, scale·W)."""
    shared = network.config.scale * overlap
    strips = []
    for rows in spans(image.shape[2], tile, overlap):
        tiles = [
            network(image[:, :, rows, columns]) for columns in spans(image.shape[3], tile, overlap)
        ]
        strips.append(reduce(lambda left, right: blend(left, right, shared), tiles))
    upright = [strip.mT for strip in strips]  # rows become columns
    return reduce(lambda upper, lower: blend(upper, lower, shared), upright).mT


# %% [markdown]
# **Prediction.** Users of another network report that tiling a benchmark cost them 0.15 dB (HAT, issue 16). The smallest tile
# that `upscale` takes is 72 LR pixels; neighbours share 32. What does it cost `tiny-x2` on a photograph?
# Choose `"over 0.1 dB"`, `"0.01 to 0.1 dB"` or `"under 0.01 dB"`.

# %%
guess = ...

# %%
rows, columns = by_profile(smoke=(176, 208), learn=(426, 640), full=(426, 640))
hr = modcrop(data.rocket()[:rows, :columns], 2)
small = to_tensor(imresize(hr, 1 / 2), device)

with torch.no_grad():
    whole = network(small)
    tiled = in_tiles(network, small, tile=72, overlap=32)
whole_psnr, tiled_psnr = (psnr_y(to_image(answer), hr, 2) for answer in (whole, tiled))

loss = whole_psnr - tiled_psnr
choices = ("over 0.1 dB", "0.01 to 0.1 dB", "under 0.01 dB")
print(
    reveal_choice(
        guess,
        choices[0] if loss > 0.1 else choices[1] if loss >= 0.01 else choices[2],
        choices=choices,
        because=f"Whole {whole_psnr:.3f} dB, in tiles {tiled_psnr:.3f} dB.",
    )
)

# %% [markdown]
# Do not carry this number over to another network: it depends on how far a network looks, and this one is small
# (notebook 10 measures how far).
#
# Tiles also cost time: what is shared is computed twice, or four times. How many LR pixels go through the network, for
# each that the image has?

# %%
height, width = small.shape[2:]
for tile, overlap in ((72, 32), (128, 32), (128, 0)):
    areas = [
        (rows.stop - rows.start) * (columns.stop - columns.start)
        for rows in spans(height, tile, overlap)
        for columns in spans(width, tile, overlap)
    ]
    with torch.no_grad():
        answer = in_tiles(network, small, tile, overlap)
    lost = whole_psnr - psnr_y(to_image(answer), hr, 2)
    print(
        f"tiles of {tile:3}, overlap {overlap:2}: {sum(areas) / (height * width):.2f} times the "
        f"pixels, {round(lost, 3) + 0:+.3f} dB lost"  # + 0 turns -0 to 0
    )

# %% [markdown]
# Without overlap the number hardly suffers: seams are thin. Your eye finds them all the same; "What can go wrong"
# below makes some. For photographs, take large tiles that overlap. For a benchmark, take none, or say so in the table, as
# `glanet evaluate` does.

# %% [markdown]
# ## 9 · Time
#
# §3.1 of the paper reports 2.46 seconds an image for GLA-Net, and 1.91 for SwinIR. It does not say for which images.
# Each `Score` kept its seconds, so here is the same for what was measured above, on the first set:

# %%
name = next(iter(sets))
for scale, methods in measured.items():
    for method, scores in methods.items():
        seconds = np.mean([score.seconds for score in scores if score.set == name])
        print(f"×{scale} {method:24} {seconds:7.3f} seconds an image of {name}")

# %% [markdown]
# Seconds belong to a machine. The *ratio* of two networks, measured side by side, can be compared a little better. For
# that no weights are needed: how long a network takes depends on its shape, and random numbers do. Here are the two of
# the paper:

# %% tags=["nbval-check-output"]
shapes = {
    "GLA-Net": ModelConfig.preset("paper"),
    "SwinIR": ModelConfig.preset("paper", inception=False, dense=False, bilinear_base=False),
}
print(f"by the paper's seconds: {2.46 / 1.91:.2f}")

# %% [markdown]
# Three habits make it a measurement. The first round does not count, as it also finds memory. The two take *turns*, so
# that a busy minute hits both. And of all rounds the *fastest* is kept: other programs can only make a round slower.

# %%
from time import perf_counter

side = by_profile(smoke=16, learn=48, full=256)
rounds = by_profile(smoke=1, learn=8, full=20)
image = torch.rand(1, 3, side, side, device=device)
contenders = {name: GLANet(shape).to(device).eval() for name, shape in shapes.items()}


def seconds_of(network):
    started = perf_counter()
    with torch.no_grad():
        network(image)
    if device.type != "cpu":
        torch.accelerator.synchronize()  # a GPU computes while Python goes on
    return perf_counter() - started


times = {name: [] for name in contenders}
for _ in range(1 + rounds):
    for name, contender in contenders.items():
        times[name].append(seconds_of(contender))
fastest = {name: min(values[1:]) for name, values in times.items()}

# %% [markdown]
# **Prediction.** GLA-Net has 18.1 million parameters and SwinIR 11.8 million, a ratio of 1.54 (notebook 09). How many
# times as long as SwinIR does GLA-Net take on this machine?

# %%
guess = ...

# %%
ratio = fastest["GLA-Net"] / fastest["SwinIR"]
each = " and ".join(f"{name} {value:.3f} s" for name, value in fastest.items())
print(
    reveal(
        guess,
        round(ratio, 2),
        unit="times as long",
        close=0.1,
        because=f"For {side} × {side} LR pixels, {each}.",
    )
)

# %% [markdown]
# How far do the rounds lie apart? Where they differ much, the machine was busy: close other programs, and run the cell
# with the rounds again.

# %%
for name, values in times.items():
    print(f"{name:8}", " ".join(f"{value:.2f}" for value in values[1:]), "seconds")

# %% [markdown]
# The ratio depends on the machine, on the size of the image and on how the layers are written. Notebook 14 takes it apart.

# %% [markdown]
# ## 10 · Table 2
#
# Which of its parts makes GLA-Net better? Table 2 takes out one at a time, trains again, and measures on Urban100 at ×2:

# %% tags=["nbval-check-output"]
table_2 = {
    "GLA-Net": ({}, 33.62, 0.9412),
    "without dense connections": ({"dense": False}, 33.48, 0.9405),
    "without Inception": ({"inception": False}, 33.43, 0.9396),
}
for variant, (left_out, psnr, ssim) in table_2.items():
    remaining = GLANet(ModelConfig.preset("paper", **left_out))
    parameters = sum(parameter.numel() for parameter in remaining.parameters())
    print(
        f"{variant:26} {psnr:.2f} / {ssim:.4f}  {psnr - 33.62:+.2f} dB  {parameters:,} parameters"
    )

# %% [markdown]
# Two questions stay open. Is 0.14 dB more than chance? Every row is one training; with another *seed* each would be another
# number. And is it the part that helps, or the parameters that go with it?
#
# This project asks both, at the size of `tiny`, which can be trained often: three seeds, and three comparisons. `unmatched`
# takes a part out, as the paper does. `parameters` makes the network without it as large again. `minutes` lets it train as
# many minutes. The result lies in the project's ledger, the folder `results`, as soon as somebody has run it:

# %%
import json

from glanet.course.lessons.evaluation.figures import ablation

ledger = repository / "results" / "ablation.json"
if ledger.is_file():
    entry = json.loads(ledger.read_text(encoding="utf-8"))
    print(f"{entry['unit']}\n{entry['command']}, on {entry['date']}")
    display(ablation(entry["value"], "GLA-Net"))
else:
    entry = None
    print(
        "There is no results/ablation.json yet: python -m benchmarks.ablation makes it, in hours."
    )

# %% [markdown]
# Does a part help? The next cell asks whether even the best seed without it falls short of the worst seed with it, or the
# other way about. Where the ranges overlap, three seeds cannot tell. And where they do not, it may still be chance: deal
# six numbered cards to two players, and in 2 of the 20 ways one of them holds the three highest.

# %%
if entry is not None:
    for name, by_set in entry["value"].items():
        comparison, variant = name.split(": ", 1)
        whole_scores = entry["value"][f"{comparison}: GLA-Net"]
        verdicts = []
        for of, score in by_set.items():
            with_it = whole_scores[of]
            apart = score["high"] < with_it["low"] or score["low"] > with_it["high"]
            verdict = "apart" if apart else "overlap"
            verdicts.append(f"{of} {score['mean'] - with_it['mean']:+.3f} {verdict}")
        if variant != "GLA-Net":
            print(f"{comparison:10} {variant:26} {'; '.join(verdicts)}")

# %% [markdown]
# Read it with care, whatever it says: `tiny` has six layers where the paper's network has 36, learned from other images,
# and is measured on other sets. It says what is true at its size.

# %% [markdown]
# ## What can go wrong
#
# **Tiles without overlap.** Do it on purpose. Here is how far the tiled answer is from the whole one, in grey levels, without
# overlap:

# %%
from glanet.course.lessons.evaluation.figures import seams


def difference(answer):
    """Largest difference of the three colours from the whole answer, in grey levels: (H, W)."""
    return 255 * (answer - whole).abs().amax(1)[0].cpu().numpy()


with torch.no_grad():
    naive = in_tiles(network, small, tile=64, overlap=0)
print(f"up to {difference(naive).max():.0f} grey levels")

# %% [markdown]
# Mended, with the overlap and the blend:

# %%
print(f"up to {difference(tiled).max():.0f} grey levels")
seams({"tiles of 64, no overlap": difference(naive), "tiles of 72, overlap 32": difference(tiled)})

# %% [markdown]
# **Weights and scale that disagree.** The network doubles, and the benchmark is told ×4. The LR image is a quarter as wide,
# and the answer comes out at half the size of the original:

# %%
path = next(iter(sets.values()))[-1]
for scale in (4, network.config.scale):
    try:
        score = next(evaluate(upscaler(network), "any", [path], scale))
        print(f"×{scale}: {score.psnr_y:.2f} dB")
    except ValueError as error:
        print(f"×{scale}: {error}")

# %% [markdown]
# Mended in the second line: the scale is read from the weights. A folder's `config.json` can also be changed by hand. Then the
# tensors do not fit, and that is said before anything is computed:

# %%
import os
import tempfile
from pathlib import Path

from glanet.weights import WeightsError

temporary = tempfile.TemporaryDirectory()  # gone when the kernel ends
folder = Path(temporary.name)


def without_folder(text):
    return str(text).replace(f"{folder}{os.sep}", "")


load("tiny-x2").save_pretrained(folder / "copy")
config = folder / "copy" / "config.json"
right = config.read_text()
config.write_text(right.replace('"scale": 2', '"scale": 4'))
try:
    load(folder / "copy")
except WeightsError as error:
    print(without_folder(error))

config.write_text(right)  # mended
print("×", load(folder / "copy").config.scale, sep="")

# %% [markdown]
# **A wrong file.** Save the web page in place of the file; or fetch a network for something else, under a name that looks
# right; or lose the connection halfway. All three are in this folder:

# %%
(folder / "GLA-Netx2.pth").write_text("<!DOCTYPE html><title>Download</title>")
torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, folder / "GLA-Netx3.pth")
half = (folder / "GLA-Netx3.pth").read_bytes()
(folder / "GLA-Netx4.pth").write_bytes(half[: len(half) // 2])

for found in find_weights(runs=folder / "none", released=folder):
    if found.kind == "released":
        print(without_folder(found.problem), "\n")

# %% [markdown]
# No exception stops the notebook: a wrong file is named, left out, and the rest is measured. And in short:
#
# - **Numbers on R, G and B beside numbers on Y**: notebook 02.
# - **An image that was trained on.** `glanet train` refuses the same file, whatever its name. It does not see the same
#   photograph in another size, and there is one: Set5's `woman` is `302003` of BSDS200, made smaller. So networks that
#   were trained on the 291 images knew one image of Set5's five: VDSR, DRRN, and `tiny-x2`. A comparison of
#   all thumbnails found no other. Of released weights only their authors know.
# - **The best of many checkpoints on Set5, reported on Set5.** Choose on one set, report on others.
# - **The mean over fewer images.** One file missing changes a row by more than its rivals are apart. `glanet data verify`
#   counts.

# %% [markdown]
# ## The same as the package's
#
# Your means, your self-ensemble, and your tiles, against `glanet.evaluation` and `glanet.inference`. Tiles end as bytes, and
# where a value stands at a half, rounding may tip: one grey level is allowed. (Where the last tile is narrower than two
# overlaps, the package's shares fall at its other edge too, and differ a little from yours.)

# %% tags=["nbval-check-output"]
from glanet.course.kit.sameness import same_function
from glanet.evaluation import benchmark
from glanet.inference.upscale import self_ensemble as package_ensemble


def numbers_of(means):
    """The means of a dictionary as an array, under the function's own name."""

    def function(scores):
        return np.array(list(means(scores).values()))

    function.__name__ = means.__name__
    return function


rng = np.random.default_rng(0)
many = [Score(str(n % 3), str(n), *rng.uniform((20, 0.6), (45, 1))) for n in range(20)]
cases = [(scores,), (many,)]
print(same_function(numbers_of(mean_scores), numbers_of(benchmark.mean_scores), cases, 1e-6))

small_network = GLANet(ModelConfig(channels=8, blocks=1, layers=2, heads=2)).eval()
with torch.no_grad():
    cases = [(small_network, torch.rand(2, 3, height, 10)) for height in (1, 8, 13)]
    print(same_function(self_ensemble, package_ensemble, cases, tolerance=1e-6))

# %% tags=["nbval-check-output"]


def my_tiles(image, tile):
    with torch.no_grad():
        answer = to_image(in_tiles(small_network, to_tensor(image), tile, overlap=32))
    return answer.astype(int)


def upscale_in_tiles(image, tile):
    return upscale(small_network, image, tile=tile).astype(int)


cases = [
    (rng.integers(0, 256, (height, width, 3), dtype=np.uint8), tile)
    for height, width, tile in ((72, 152, 72), (112, 144, 72), (128, 70, 80))
]
print(same_function(my_tiles, upscale_in_tiles, cases, tolerance=1))

# %% [markdown]
# ## How far you are
#
# From a terminal, `glanet evaluate --weights tiny-x2 --sets Set5 Set14 --published --json-file scores.json` prints the
# table of section 4 for one set of weights, and keeps the score of every image. Notebook 14 is about the seconds.

# %%
from glanet.course.report import report as progress_report

print(progress_report("evaluation"))
