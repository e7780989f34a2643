# %% [markdown]
# # 13 · Evaluation
#
# | | |
# |---|---|
# | **You will** | measure weights on the image sets of the paper ([Global-Local Awareness Network for Image Super-Resolution](https://panpinchi.github.io/GLA-Net/), ICIP 2023), add them to its Table 1, and find out how self-ensemble, tiles and time affect a comparison |
# | **It enables** | a number for your own network that stands beside the published ones |
# | **Takes** | 4 minutes, 3 GB of memory; about 75 minutes to work through |
# | **Becomes** | `glanet/evaluation/benchmark.py`, `glanet/inference/upscale.py` |
#
# Notebook 02 measured one image. A row of Table 1 needs weights and five sets of images. The way
# from one image to a row involves a mean, file names, memory, and some temptations.

# %% [markdown]
# ## 1 · From images to a row
#
# Here are two methods and two images, with the PSNR (peak signal-to-noise ratio) of each in
# decibels (dB):
#
# | | image 1 | image 2 |
# |---|---|---|
# | method A | 30 | 40 |
# | method B | 31 | 38 |
#
# By the mean of the decibels, A leads with 35 to 34.5.
#
# **Prediction.** Average the *squared errors* of the two images instead, and convert their mean to
# decibels. Who leads now: `"A"`, `"B"`, or `"neither"`?

# %%
guess = ...

# %% tags=["nbval-check-output"]
import numpy as np

from glanet.course.kit.predictions import reveal_choice

decibels = {"A": np.array([30, 40]), "B": np.array([31, 38])}


def of_mean_error(values):
    """PSNR of the mean of several images' squared errors, computed from their PSNRs."""
    errors = 255**2 / 10 ** (values / 10)
    return 10 * np.log10(255**2 / errors.mean())


numbers = {method: of_mean_error(values) for method, values in decibels.items()}
reveal_choice(
    guess,
    max(numbers, key=numbers.get),
    choices=("A", "B", "neither"),
    because="Image 1 has by far the larger error, so it decides alone.",
)

# %% tags=["nbval-check-output"]
for method, values in decibels.items():
    print(f"{method}: mean of decibels {values.mean():.2f}, by mean error {numbers[method]:.2f}")

# %% [markdown]
# Neither mean is wrong, but they rank the methods differently. Every row of Table 1 is a *mean of
# the decibels*: each image has the same weight. A row made in the other way does not belong in
# Table 1, even if all images are the same.
#
# In the package, a `Score` holds the numbers of one image. Besides PSNR it has SSIM (structural
# similarity). Both are measured on Y, the brightness:

# %% tags=["nbval-check-output"]
from glanet.evaluation.benchmark import Score

scores = [
    Score("Set5", "baby", psnr_y=30.0, ssim_y=0.9),
    Score("Set5", "bird", psnr_y=40.0, ssim_y=0.8),
    Score("Set14", "zebra", psnr_y=28.0, ssim_y=0.7),
]
print(scores[0].set, scores[0].psnr_y)

# %% [markdown]
# **Exercise 1 · A row** ★☆☆, 10 minutes. `mean_scores(scores)` takes a list of `Score` and returns
# a dictionary that maps each set to the pair (mean PSNR, mean SSIM). The sets are in the order of
# their first appearance. The images of a set need not be neighbours in the list. For the three
# scores above the result is `{"Set5": (35.0, 0.85), "Set14": (28.0, 0.7)}`.
#
# <details><summary>Hint 1</summary>
#
# First collect, then average. A dictionary that maps each set to a list of pairs keeps the order of
# first appearance by itself.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `pairs.setdefault(score.set, [])` returns the list of the set, and creates an empty one if there
# is none yet. Append `(score.psnr_y, score.ssim_y)` to it.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `np.mean(list_of_pairs, axis=0)` is the mean PSNR and the mean SSIM. Then use
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
# ## 2 · Which image does an output belong to?
#
# Often you get a method's results as a folder of images. You have to compare each with its own
# original. Here are three originals, and the outputs of some method at ×2. Both lists are sorted by
# name, as a folder shows them:

# %% tags=["nbval-check-output"]
originals = sorted(["1", "2", "10"])
outputs = sorted(["1x2", "2x2", "10x2"])
for pair in zip(originals, outputs, strict=True):
    print(*pair)

# %% [markdown]
# Two of the three pairs are wrong. "1" comes before "10" because it is shorter, but "10x2" comes
# before "1x2" because 0 comes before x. No error is raised, and you still get a PSNR. So pair by
# name.
#
# Which names are in use? For an original `boat` at ×2 they are `boat` and `boatx2`, or one of these
# with a suffix that starts with an underscore, such as `boat_SwinIR` and `boatx2_SwinIR`.
#
# **Exercise 2 · Pairing** ★☆☆, 10 minutes. `outputs_of(name, outputs, scale)` returns a list of
# those of `outputs` that belong to the original `name`. Accept these four forms and no others. All
# names are without file extensions.
#
# <details><summary>Hint 1</summary>
#
# There are two beginnings, `name` and `f"{name}x{scale}"`. An output belongs to the original if it
# *equals* one of them, or continues it with an underscore.
#
# </details>
# <details><summary>Hint 2</summary>
#
# A name may contain underscores itself, such as `img_001`. So do not split the output. Compare its
# beginning: `output.startswith(head + "_")`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# For each `output`, the condition is
# `any(output == head or output.startswith(head + "_") for head in heads)`.
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
# `benchmark.evaluate_folder` scores such a folder. It rejects the folder before it computes
# anything unless *each* original has exactly one output of the right size. From a terminal:
# `glanet evaluate --images their_outputs/ --scale 2 --sets Set5`.

# %% [markdown]
# ## 3 · Available weights
#
# What can you measure? There are three kinds of weights: weights *shipped* with the package,
# weights *trained* here (the folder `runs/NAME/weights` of a run), and weights *released* by
# others. Download the released ones by hand:
#
# 1. The authors of GLA-Net publish `GLA-Netx2.pth`, `GLA-Netx3.pth` and `GLA-Netx4.pth`. The
#    authors of SwinIR publish `001_classicalSR_DIV2K_s48w8_SwinIR-M_x2.pth`, which is trained like
#    the row in Table 1, and `001_classicalSR_DF2K_s64w8_SwinIR-M_x2.pth`, trained on more images.
#    Both also exist with `_x3` and `_x4`.
# 2. Download the files that you want from their authors' own pages. The files of GLA-Net have no
#    licence, so nobody else may pass them on to you.
# 3. Put them, under these names, into the folder `weights` of your data root. The next cell prints
#    that folder.
#
# Everything else is automatic, here and below. You need none of these files: the notebook leaves
# out what is missing.

# %%
from glanet.course.kit.paths import RUNS
from glanet.data.catalog import data_root
from glanet.weights.found import find_weights

released = data_root() / "weights"
print("for released files:", released)

at_hand = find_weights(runs=RUNS, released=released)
for found in at_hand:
    print(f"{found.kind:9} {found.name:20}", found.problem or f"×{found.config.scale}")

# %% [markdown]
# Every file was opened and checked. A released file does not describe its network, but its tensors
# show the scale, the width, the depth, and whether it is GLA-Net or SwinIR (notebook 09). If a file
# has a published name, its tensors must match that name. Would a network for ×4 be accepted as
# `GLA-Netx2.pth`? Would GLA-Net be accepted as SwinIR?

# %% tags=["nbval-check-output"]
from glanet import GLANet, ModelConfig
from glanet.course.kit.lines import short_lines
from glanet.weights.found import broken_promise

print(short_lines(broken_promise("GLA-Netx2.pth", ModelConfig.preset("paper", scale=4))))
swinir_x2 = "001_classicalSR_DIV2K_s48w8_SwinIR-M_x2.pth"
print(short_lines(broken_promise(swinir_x2, ModelConfig.preset("paper", scale=2))))

# %% [markdown]
# Do you have other weights? Enter a folder, a `.pth` file or the name of a repository on the
# Hugging Face Hub.

# %%
my_weights = None  # for example "somebody/their-glanet"

if my_weights is not None:
    from glanet.weights import load
    from glanet.weights.found import Found

    at_hand.append(Found("yours", str(my_weights), str(my_weights), load(my_weights).config))

# %% [markdown]
# ## 4 · Table 1, with yours in it
#
# First come the images: those of the paper's five sets that are on this machine. (The profile
# `learn` uses the two small sets, `full` uses all five.) If there are none, the cell uses two
# photographs of scikit-image, which have no published rows. Nobody may pass on Manga109, not even a
# crop of it, so it is measured but never shown.

# %%
from glanet.course.kit.practice import held_out_images
from glanet.course.kit.profile import by_profile, profile
from glanet.data import catalog
from glanet.evaluation.published import SETS, published

wanted = by_profile(smoke=["Set5"], learn=["Set5", "Set14"], full=SETS)
sets = {name: catalog.hr_images(name) for name in wanted if name in catalog.present()}
sets = sets or {"photographs": held_out_images()}
first = by_profile(smoke=-2, learn=0, full=0)  # the smoke profile uses only the last two images
sets = {name: paths[first:] for name, paths in sets.items()}
print({name: len(paths) for name, paths in sets.items()})

# %% [markdown]
# Next, the networks. The cell loads each onto the available device, and reads in its *model card*
# which images it was trained on, and which sets its training was watched on. A released file has no
# card: if it has the size of a published network, it is taken for the network of that row. The small
# rivals, such as `rcan-tiny-x2`, are left out: notebook 15 compares them. So are the weights for noisy
# photographs, because all images here are clean.

# %%
from glanet.device import choose_device
from glanet.evaluation.published import row_of
from glanet.weights import load
from glanet.weights.found import card

device = choose_device()
models, trained_on, watched_on, twins = {}, {"bicubic": "-"}, {}, {"bicubic": "bicubic"}
for found in at_hand:
    if found.config is None:
        continue
    small_rival = found.name.startswith(f"{found.config.network}-")
    if found.kind == "shipped" and (small_rival or found.name.endswith("-photo")):
        continue
    if profile() != "smoke" or found.name == "tiny-x2":
        name = found.name.removeprefix("001_classicalSR_").removesuffix(".pth")
        models[name] = load(found.source).to(device)
        says = card(found)
        watched_on[name] = [
            of
            for of, paths in sets.items()
            if any(part in says.get("validation", "") for part in (of, *(p.name for p in paths)))
        ]
        trained_on[name] = says.get("trained on", "?").partition(" (")[0]
        if found.kind == "released":
            more = "DF2K" in name  # published with more training images than the row has
            row = None if more else row_of(found.config)
            rows = {method: images for method, images, _ in published(found.config.scale)}
            twins[name], trained_on[name] = row, "DF2K" if more else rows.get(row, "?")

for name, model in models.items():
    parameters = sum(parameter.numel() for parameter in model.parameters())
    print(f"{name:24} ×{model.config.scale}  {parameters:10,} parameters")

# %% [markdown]
# `benchmark.evaluate` does for every image of a set what notebook 02 did for one: it crops,
# downscales, enlarges and measures. You give it a function from a low-resolution (LR) image to a
# pair of the super-resolved (SR) image and the tile. The tile is `None` if the whole image went
# through the network at once, as a benchmark requires; section 8 shows why. If memory is too small
# for that, the score records the tile.

# %%
from functools import partial

from glanet.data.degradation import imresize
from glanet.evaluation.benchmark import evaluate
from glanet.inference import tile_that_fits, upscale, upscale_within


def sets_for(model):
    """All sets; in the learn profile only the first for a large network."""
    large = sum(parameter.numel() for parameter in model.parameters()) > 3_000_000
    return list(sets.items())[:1] if large and profile() == "learn" else list(sets.items())


def measure(run, scale, sets):
    """The `Score` of every image of the sets."""
    return [score for name, paths in sets for score in evaluate(run, name, paths, scale)]


# %%
from tqdm.auto import tqdm

measured = {}  # {scale: {method: [Score, ...]}}
for scale in sorted({model.config.scale for model in models.values()}):
    bicubic = measure(lambda lr, scale=scale: (imresize(lr, scale), None), scale, sets.items())
    measured[scale] = {"bicubic": bicubic}

for name, model in tqdm(models.items(), leave=False):
    scale = model.config.scale
    measured[scale][name] = measure(partial(upscale_within, model), scale, sets_for(model))

for methods in measured.values():
    for name, scores in methods.items():
        tiled = sum(score.tile is not None for score in scores)
        if tiled:
            print(f"{name}: {tiled} of {len(scores)} images had to be upscaled in tiles")

# %% [markdown]
# Now the table. Rows in bold were **measured here**, with your `mean_scores`. The other rows are as
# their authors published them. The table is sorted by the first set, so that you see where your
# rows belong. A dagger (†) marks a set that the training of this network was watched on.

# %%
from IPython.display import Markdown, display


def table_1(scale):
    """Rows (method, measured here, trained on, {set: (PSNR, SSIM)}), sorted by the first set."""
    rows = [(method, False, images, known) for method, images, known in published(scale)]
    rows = [row for row in rows if row[3].keys() & sets.keys()]
    for method, scores in measured[scale].items():
        rows.append((method, True, trained_on[method], mean_scores(scores)))
    return sorted(rows, key=lambda row: row[3].get(next(iter(sets)), (0, 0))[0])


def as_markdown(rows):
    """The rows as a Markdown table; rows measured here are bold."""
    lines = [["method", "trained on", *sets], ["---"] * (2 + len(sets))]
    for method, here, images, known in rows:
        cells = [method, images]
        for name in sets:
            dagger = " †" if here and name in watched_on.get(method, ()) else ""
            cells.append("{:.2f} / {:.4f}".format(*known[name]) + dagger if name in known else "–")
        lines.append([f"**{cell}**" if here else cell for cell in cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


for scale in measured:
    heading = f"×{scale}, PSNR (dB) / SSIM on Y, {scale} pixels cut from each border"
    display(Markdown(f"{heading}\n\n{as_markdown(table_1(scale))}"))

# %% [markdown]
# "Trained on" decides whether a comparison is fair: more images, or more similar ones, give a better
# row to the same network. "291" stands for T91 and BSDS200.
#
# The dagger is about *choosing*. Somebody who looks at the score on a set during the training, and
# keeps the recipe or the checkpoint that does best there, has fitted a little to that set. So a
# network that you trained in notebook 12 stands beside the others with a dagger on its validation
# set. Compare it on the other sets.
#
# The figure shows the same as gains over bicubic. Filled marks were measured here. Without the image
# sets it shows your rows alone. The published ones on Set5 at ×2, over bicubic's 33.66 dB: SRCNN
# gained 3.00 dB in 2014, VDSR 3.87 dB, EDSR 4.45 dB, GLA-Net 4.71 dB in 2023. The distances shrink
# towards the top: the first small network achieved most of the possible gain.

# %%
from glanet.course.lessons.evaluation.figures import ladder

rows = [(method, here, known) for method, here, _, known in table_1(2)]
ladder(rows, base=mean_scores(measured[2]["bicubic"]))

# %% [markdown]
# ### Is the measurement right?
#
# Some rows exist twice, published and measured: always bicubic's, and that of each network of Table 1
# whose released weights are available. This is also the last check of a released file. A file of the
# right shape could still hold the wrong numbers, and then it would not reproduce its published row.

# %%
for scale, methods in measured.items():
    claims = {method: known for method, _, known in published(scale)}
    for method, scores in methods.items():
        claim = claims.get(twins.get(method), {})
        for name, (psnr, ssim) in mean_scores(scores).items():
            if name in claim and len(sets[name]) == catalog.find(name).count:
                print(f"×{scale} {method} on {name}")
                print(f"  measured {psnr:.2f} / {ssim:.4f}, ", end="")
                print("published {:.2f} / {:.4f}: ".format(*claim[name]), end="")
                print(f"{psnr - claim[name][0]:+.2f} dB")

# %% [markdown]
# Bicubic's published row comes from older programs, which worked on Y alone and left grey files as
# they are. Notebook 02 explains the hundredth of a decibel on Set5 and the tenth on Set14. The row
# of a network is made from colour images with today's programs, so nothing would explain such a gap
# there.
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
                print(f"×{scale} {method} on {name}:\n   {between}")

# %% [markdown]
# ### What Table 1 says
#
# The paper sums up its table in two sentences (§3.1): GLA-Net "outperforms the existing SISR
# methods in almost all metrics and datasets" (SISR is single-image super-resolution), by at most
# 0.2 dB, on Urban100 at ×2. Check this against the rows that it is based on, from RCAN on:

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
# The sentences are right. The lead is largest on Urban100 at ×2. Of twenty numbers, one is below a
# rival's and one is equal. The table also shows how narrow the leads are. On Set5 and Manga109 at
# ×2 they are one or two hundredths of a decibel, less than the effect of a border or of rounding in
# notebook 02. And a network that is trained twice, from different random weights, does not end at
# the same number: section 10 returns to that.
#
# The paper's table is not complete. The paper names CSNLN (as CS-NL) and leaves it out. At ×4 on
# Urban100, CSNLN has 27.22 dB and GLA-Net 27.13 dB. The published rows also include light networks
# of 2024 and 2025: HiT-SRF, ATD-light, ESC and PFT-light. Each has fewer than a million parameters,
# while GLA-Net has 18 million. PFT-light is above GLA-Net on Urban100: 33.67 dB against 33.62 dB at
# ×2, and 27.20 dB against 27.13 dB at ×4. In PSNR, no other published row is above GLA-Net on any
# set.

# %% [markdown]
# ## 5 · Best and worst
#
# A mean hides the single images. By how much does `tiny-x2` beat bicubic on each of them?
#
# **Prediction.** On which of these images does it gain most? Choose a name.

# %%
every = next(iter(sets.values()))
choices = tuple(path.stem for path in every)
print(choices)

# %%
guess = ...


# %%
def margins(method, rival, scale):
    """{image: gain of the method over its rival in dB}, for images measured with both."""
    theirs = {(score.set, score.image): score.psnr_y for score in measured[scale][rival]}
    return {
        score.image: score.psnr_y - theirs[score.set, score.image]
        for score in measured[scale][method]
        if (score.set, score.image) in theirs
    }


gains = margins("tiny-x2", "bicubic", 2)
among = {name: gains[name] for name in choices}
best, worst = max(among, key=among.get), min(among, key=among.get)
reveal_choice(
    guess,
    best,
    choices=choices,
    because=f"It gains {among[best]:.2f} dB on {best}, and {among[worst]:.2f} dB on {worst}.",
)

# %%
from glanet.course.lessons.evaluation.figures import gain_bars

losing = sum(gain < 0 for gain in gains.values())
print(f"bicubic is better on {losing} of {len(gains)} images")
gain_bars(gains, rival="bicubic")

# %% [markdown]
# One number for a set summarises all of these. So when a network leads by a tenth of a decibel in
# the mean, ask on how many images it leads. The next cell answers that for GLA-Net and SwinIR, once
# you have the files of both.

# %%
glanets = [name for name in measured[2] if name.startswith("GLA-Netx2")]
swinirs = [name for name in measured[2] if "SwinIR-M_x2" in name]
if glanets and swinirs:
    gains = margins(glanets[0], swinirs[0], 2)
    leads = sum(gain > 0 for gain in gains.values())
    print(f"{glanets[0]} leads {swinirs[0]} on {leads} of {len(gains)} images")
    display(gain_bars(gains, rival=swinirs[0]))
else:
    print("GLA-Netx2.pth and a SwinIR-M_x2.pth are not both in")
    print(released)

# %% [markdown]
# ## 6 · Look
#
# Fig. 4 of the paper compares SwinIR and GLA-Net on crops, and there are many crops to choose from.
# So choose for yourself, on photographs that are free of rights. The next cells compare all ×2
# available networks with bicubic. (The photographs are cropped, so that large networks do not take
# long.)

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
    for label, model in models.items():
        if model.config.scale == 2:
            images[label] = upscale(model, lr)
    photos[name] = hr, images

# %% [markdown]
# Where does `tiny-x2` gain most over bicubic, and where least? In square A its gain in decibels is
# largest, in square B smallest. The numbers in the titles are the PSNR of the square alone.

# %%
from glanet.course.lessons.evaluation.figures import compared, extreme_squares

square = by_profile(smoke=16, learn=48, full=48)
hr, images = photos["astronaut"]
most, least = extreme_squares(hr, images["tiny-x2"], images["bicubic"], side=square)
compared(hr, images, [most, least], side=square)

# %% [markdown]
# Now choose: drag the square, or move it with the arrow keys. The menu changes the photograph. This
# needs a running kernel. Without one, the figure above shows the same for two squares. Can you find
# a square where bicubic has the higher PSNR? (Try the rocket.) And a square where you disagree with
# the number?

# %%
from glanet.course.lessons.evaluation.widgets import explore_crops

explore_crops(photos, side=square)

# %% [markdown]
# By choosing the crop you can choose the winner. A crop shows *what* a difference looks like. The
# means over all images tell how large it is.

# %% [markdown]
# ## 7 · Self-ensemble
#
# A network may treat left and right differently. Here is a toy that does: it replaces each number
# by the mean of itself and its right neighbour. (The last number has no right neighbour, so it uses
# itself.) Apply it twice, to the row and to the mirrored row, and mirror the second answer back:

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
# Where one answer is too large, the other is too small. Their mean treats both sides alike. An
# image has eight such views: four quarter turns, each with and without a mirror. The mean of the
# eight answers is called *self-ensemble* (Lim et al., EDSR, 2017).
#
# ![A letter in eight orientations; each answer is mirrored back, turned back, and the mean is taken](figures/13_orientations.svg)
#
# **Exercise 3 · Self-ensemble** ★★☆, 15 minutes. `self_ensemble(model, image)` takes an image and
# any function that maps images `(B, 3, H, W)` to images `(B, 3, scale·H, scale·W)`. It returns the
# mean of the eight answers, each turned back.
#
# <details><summary>Hint 1</summary>
#
# `image.rot90(turns, (2, 3))` makes quarter turns, and `image.flip(3)` mirrors. A negative number
# of turns turns the other way.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Undo in reverse order. If you turned first and then mirrored, mirror back first and then turn
# back.
#
# </details>
# <details><summary>Hint 3</summary>
#
# For each of `range(4)`: `turned = image.rot90(turns, (2, 3))`. One answer is
# `model(turned).rot90(-turns, (2, 3))`. For the other, mirror before and after the model,
# `model(turned.flip(3)).flip(3)`, and then turn it back.
#
# </details>
# <details><summary>Hint 4</summary>
#
# Collect all eight in a list. `torch.stack(answers).mean(0)` is their mean.
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
# **Prediction.** How many dB does self-ensemble add to `tiny-x2`, as a mean over the first set? The
# network was trained on turned and mirrored patches, so it had no reason to prefer one side.

# %%
guess = ...

# %%
from glanet.course.kit.predictions import reveal
from glanet.data.tensors import to_image, to_tensor

model = models["tiny-x2"]


def eightfold(lr):
    with torch.no_grad():
        return to_image(self_ensemble(model, to_tensor(lr, device))), None


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
reveal(guess, round(float(gain), 2), unit="dB", because=f"By image: {each}.")

# %% [markdown]
# Does it always gain? Here are the photographs of section 6:

# %%
from glanet.evaluation.metrics import psnr_y

for name, (hr, images) in photos.items():
    answer, _ = eightfold(imresize(hr, 1 / 2))
    print(f"{name:9} {psnr_y(answer, hr, 2) - psnr_y(images['tiny-x2'], hr, 2):+.2f} dB")

# %% [markdown]
# It can lose on a single image, if the straight answer happens to be one of the better ones of the
# eight.
#
# Self-ensemble costs eight times the computation, and needs no training. Compare the gain with the
# leads of section 4: a row with self-ensemble does not belong beside rows without it. Papers mark
# such rows with a plus, as in EDSR+. Table 1 has none. In the package it is
# `upscale(model, image, ensemble=True)`, and `glanet evaluate --ensemble` marks it in its label.

# %% [markdown]
# ## 8 · Tiles
#
# Memory grows with the image. The next cell prints the largest tile, in LR pixels, that the paper's
# network can process in 4 GB (`None` means the whole image):

# %%
for height, width in ((256, 256), (1024, 1536), (4000, 6000)):
    tile = tile_that_fits(GLANet(ModelConfig.preset("paper")), height, width, memory=4_000_000_000)
    print(f"{height} × {width} LR pixels: {tile}")

# %% [markdown]
# So a large photograph is cut into tiles, which go through the network one by one. What does a cut
# do? Here is a toy network again: the mean of three neighbours, where the first and the last number
# stand in for a missing neighbour. It processes the row 0 … 7, first whole and then in two tiles of
# four:

# %% tags=["nbval-check-output"]


def smooth(row):
    """The mean of each number and its two neighbours."""
    padded = np.pad(row.astype(float), 1, mode="edge")
    return (padded[:-2] + padded[1:-1] + padded[2:]) / 3


row = np.arange(8)
print("whole    ", smooth(row).round(2))
print("two tiles", np.concatenate([smooth(row[:4]), smooth(row[4:])]).round(2))

# %% [markdown]
# In the middle, 3 and 4 became 2.67 and 4.33. The step between them grew from 1 to 1.67: a *seam*.
# Each tile knows nothing of its neighbour. So let the tiles overlap, and blend them in the overlap:
#
# ![Two tiles overlap; the left one's share falls from 1 to 0 across the overlap, the right one's rises](figures/13_tiles.svg)
#
# A tile is worst at its very edge, and there its share is smallest. With an overlap of two columns,
# the right tile's share is evaluated at the centres of the columns: at ¼ and at ¾ of the way.
#
# **Exercise 4 · Blend** ★★☆, 10 minutes. `blend(left, right, overlap)` takes two tensors,
# `(..., A)` and `(..., B)`. The last `overlap` columns of the left one and the first `overlap`
# columns of the right one show the same place. It returns `(..., A + B - overlap)`. In shared
# column `j` the right tile's share is `(j + ½) / overlap`, and the left tile has the rest. With an
# overlap of 0, just join the two.
#
# <details><summary>Hint 1</summary>
#
# Use `torch.cat(..., dim=-1)` to join three pieces: the left tile's own columns, the blended ones,
# and the right tile's own columns.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `share = (torch.arange(overlap, device=left.device) + 0.5) / overlap` has one number per column,
# and broadcasts over all axes before it. The middle piece is `(1 - share)` times the end of the
# left tile plus `share` times the beginning of the right one.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Where does the overlap start in the left tile? `left[..., :-overlap]` is empty for an overlap of
# 0. Count from the front: `start = left.shape[-1] - overlap`, then `left[..., :start]` and
# `left[..., start:]`.
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
# Try it on the toy, with tiles of five numbers that share two. The seam is nearly gone:

# %% tags=["nbval-check-output"]
tiles = [torch.tensor(smooth(part)) for part in (row[:5], row[3:])]
print(blend(*tiles, overlap=2).numpy().round(2))

# %% [markdown]
# An image is blended twice: first tiles to strips, from left to right, then strips to the image,
# from top to bottom. Now place the tiles. They start at multiples of 8, so that the attention
# windows are in the same places as in the whole image. Near an edge that only the cut made, a tile
# sees too little. So the outermost `margin` LR pixels of each overlap count for nothing: the package
# shares 32, leaves out 12 on either side, and blends the 8 between.

# %%
from functools import reduce


def spans(size, tile, overlap):
    """Slices of at most ``tile`` that cover 0 … size; neighbours share ``overlap``."""
    step = tile - overlap
    count = max(1, -(-(size - overlap) // step))
    return [slice(i * step, min(i * step + tile, size)) for i in range(count)]


def joined(tiles, overlap, margin):
    """Blend a row of tiles, each without ``margin`` columns where it has a neighbour."""
    first, last = 0, len(tiles) - 1
    kept = [
        tile[..., margin * (i > first) : tile.shape[-1] - margin * (i < last)]
        for i, tile in enumerate(tiles)
    ]
    return reduce(lambda left, right: blend(left, right, overlap - 2 * margin), kept)


def in_tiles(model, image, tile, overlap, margin):
    """Enlarge an image in tiles: (1, 3, H, W) -> (1, 3, scale·H, scale·W)."""
    shared, cut = model.config.scale * overlap, model.config.scale * margin
    strips = []
    for rows in spans(image.shape[2], tile, overlap):
        tiles = [
            model(image[:, :, rows, columns]) for columns in spans(image.shape[3], tile, overlap)
        ]
        strips.append(joined(tiles, shared, cut).mT)  # rows become columns
    return joined(strips, shared, cut).mT


# %% [markdown]
# **Prediction.** Users of another network report that tiles cost them 0.15 dB on a benchmark (HAT,
# issue 16). The smallest tile that `upscale` accepts is 72 LR pixels, and neighbours share 32. How
# much does it cost `tiny-x2` on a photograph? Choose `"over 0.1 dB"`, `"0.01 to 0.1 dB"` or
# `"under 0.01 dB"`.

# %%
guess = ...

# %%
rows, columns = by_profile(smoke=(176, 208), learn=(426, 640), full=(426, 640))
hr = modcrop(data.rocket()[:rows, :columns], 2)
lr = to_tensor(imresize(hr, 1 / 2), device)

with torch.no_grad():
    whole = model(lr)
    tiled = in_tiles(model, lr, tile=72, overlap=32, margin=12)
whole_psnr, tiled_psnr = (psnr_y(to_image(answer), hr, 2) for answer in (whole, tiled))

loss = whole_psnr - tiled_psnr
choices = ("over 0.1 dB", "0.01 to 0.1 dB", "under 0.01 dB")
reveal_choice(
    guess,
    choices[0] if loss > 0.1 else choices[1] if loss >= 0.01 else choices[2],
    choices=choices,
    because=f"Whole: {whole_psnr:.3f} dB. In tiles: {tiled_psnr:.3f} dB.",
)

# %% [markdown]
# Do not assume this number for another network. It depends on how far a network looks, and this one
# is small (notebook 10 measures how far it looks).
#
# Tiles also cost time: shared pixels are computed twice, or four times. How many LR pixels go
# through the network for each pixel of the image?

# %%
height, width = lr.shape[2:]
for tile, overlap in ((72, 32), (128, 32), (128, 0)):
    areas = [
        (rows.stop - rows.start) * (columns.stop - columns.start)
        for rows in spans(height, tile, overlap)
        for columns in spans(width, tile, overlap)
    ]
    with torch.no_grad():
        answer = in_tiles(model, lr, tile, overlap, margin=12 if overlap else 0)
    lost = whole_psnr - psnr_y(to_image(answer), hr, 2)
    print(
        f"tiles of {tile:3}, overlap {overlap:2}: {sum(areas) / (height * width):.2f} × the "
        f"pixels, {round(lost, 3) + 0:+.3f} dB lost"  # + 0 turns -0 into 0
    )

# %% [markdown]
# Without overlap the PSNR hardly suffers, because seams are thin. "What can go wrong" below makes
# some, and shows the worst place on the image. For photographs, use large tiles that overlap. For a
# benchmark, use no tiles, or report them in the table, as `glanet evaluate` does.

# %% [markdown]
# ## 9 · Time
#
# §3.1 of the paper reports 2.46 seconds per image for GLA-Net, and 1.91 for SwinIR. It does not
# name the images. Each `Score` stores its seconds, so here are the times of the measurements above,
# on the first set:

# %%
name = next(iter(sets))
for scale, methods in measured.items():
    for method, scores in methods.items():
        seconds = np.mean([score.seconds for score in scores if score.set == name])
        print(f"×{scale} {method:24} {seconds:7.3f} seconds per image of {name}")

# %% [markdown]
# Seconds depend on the machine. The *ratio* of two networks, measured side by side, depends on it
# less. You need no weights for that: the time of a network depends on its shape, so random weights
# are enough. Here are the paper's two networks:

# %% tags=["nbval-check-output"]
shapes = {
    "GLA-Net": ModelConfig.preset("paper"),
    "SwinIR": ModelConfig.preset("paper", inception=False, dense=False, bilinear_base=False),
}
print(f"ratio of the paper's seconds: {2.46 / 1.91:.2f}")

# %% [markdown]
# Three rules make it a measurement. Ignore the first round, because it also allocates memory. Let
# the two networks take *turns*, so that a busy minute affects both. And keep the *fastest* of all
# rounds: other programs can only make a round slower.

# %%
from time import perf_counter

side = by_profile(smoke=16, learn=48, full=256)
rounds = by_profile(smoke=1, learn=8, full=20)
image = torch.rand(1, 3, side, side, device=device)
contenders = {name: GLANet(shape).to(device).eval() for name, shape in shapes.items()}


def seconds_of(model):
    started = perf_counter()
    with torch.no_grad():
        model(image)
    if device.type != "cpu":
        torch.accelerator.synchronize()  # a GPU still computes when Python continues
    return perf_counter() - started


times = {name: [] for name in contenders}
for _ in range(1 + rounds):
    for name, contender in contenders.items():
        times[name].append(seconds_of(contender))
fastest = {name: min(values[1:]) for name, values in times.items()}

# %% [markdown]
# **Prediction.** GLA-Net has 18.1 million parameters and SwinIR has 11.8 million (notebook 09).
# How many times as long as SwinIR does GLA-Net take on this machine?

# %%
guess = ...

# %%
ratio = fastest["GLA-Net"] / fastest["SwinIR"]
each = " and ".join(f"{name} {value:.3f} s" for name, value in fastest.items())
reveal(
    guess,
    round(ratio, 2),
    unit="times as long",
    close=0.1,
    because=f"For {side} × {side} LR pixels, {each}.",
)

# %% [markdown]
# How much do the rounds differ? If they differ much, the machine was busy: close other programs,
# and run the cell with the rounds again.

# %%
for name, values in times.items():
    print(f"{name:8}", " ".join(f"{value:.2f}" for value in values[1:]), "seconds")

# %% [markdown]
# The ratio depends on the machine, on the image size and on the implementation of the layers.
# Notebook 14 analyses it.

# %% [markdown]
# ## 10 · Table 2
#
# Which part makes GLA-Net better? Table 2 leaves out one part at a time, trains again, and measures
# on Urban100 at ×2:

# %% tags=["nbval-check-output"]
table_2 = {
    "GLA-Net": ({}, 33.62, 0.9412),
    "without dense connections": ({"dense": False}, 33.48, 0.9405),
    "without Inception": ({"inception": False}, 33.43, 0.9396),
}
print(f"{'':25} PSNR  / SSIM      change  parameters")
for variant, (left_out, psnr, ssim) in table_2.items():
    remaining = GLANet(ModelConfig.preset("paper", **left_out))
    parameters = sum(parameter.numel() for parameter in remaining.parameters())
    print(f"{variant:25} {psnr:.2f} / {ssim:.4f} {psnr - 33.62:+.2f} dB {parameters:11,}")

# %% [markdown]
# Two questions remain open. Is 0.14 dB more than chance? Every row is one training, and another
# *seed* would give another number. And does the part help, or do its additional parameters?
#
# This project studies both questions at the size of `tiny`, which can be trained often, and with
# several seeds. A part can be taken out in several ways, and each answers another question:
#
# - **Take it out, and change nothing else**, as the paper does. The network that remains is smaller
#   and faster, so it would probably be worse whatever the part does.
# - **Match the parameters.** What remains is widened until it has GLA-Net's number of parameters.
#   If GLA-Net still leads, the part is worth more than the same parameters elsewhere.
# - **Match the minutes.** What remains also trains for as many minutes as GLA-Net. If a step takes it
#   less time, it takes more steps. That is the fair comparison for somebody whose time is limited.
#   Attention takes much of the time of a step, so a network without it gains most from this way.
#
# The runs here match the parameters. SwinIR is among them, as published and with GLA-Net's bilinear
# base added. The results come with a checkout of the repository:

# %%
from glanet.analysis.ablation import compare, runs, sentence, signed
from glanet.course.kit.lines import short_lines
from glanet.course.kit.paths import results_in
from glanet.course.lessons.evaluation.figures import differences

entries, found = results_in("ablation"), {}
if not entries:
    print("This copy has no results of networks trained without parts.")
else:
    found = compare(runs(entries), "GLA-Net")
    print(f"{len(entries)} runs of {entries[0]['steps']:,} steps; the paper's takes 500,000")
    display(differences(found, "GLA-Net"))

# %% [markdown]
# Every mark is a difference from GLA-Net, averaged over the seeds and over a set's images. Two things
# vary by chance, and so there are two intervals:
#
# - **Over photographs**, thick and grey: the networks are those that were trained, and only the
#   photographs could be others. With many photographs this interval is narrow. It cannot say that a
#   part helps, because another seed trains another network.
# - **Over seeds and photographs**, thin and black: both could be others. It needs two seeds at least.
#   It is Student's interval; its two variances, of seeds and of photographs, are added.
#
# A mark is filled if its difference is decided. There is one decision for each network and set, and
# Holm's method corrects for their number, as in notebook 10. The next cell prints the numbers, and
# then one sentence for each network, which follows from the numbers by rule. Where a difference is
# not decided, the sentence says which difference the experiment would probably have found. A smaller
# one may exist.

# %%
for network, by_set in found.items():
    seeds = next(iter(by_set.values())).seeds
    print(f"{network}, {seeds} seed{'s' if seeds > 1 else ''}")
    for of, each in by_set.items():
        span = f"{signed(each.interval.low)} to {signed(each.interval.high)}"
        if each.outcome == "too few runs":
            span = "interval unknown"
        print(f"    {of:5} {signed(each.mean):>5} dB  {span:16}  {each.outcome}")
print()
for network, by_set in found.items():
    print(short_lines(sentence(network, by_set, "GLA-Net"), hang="    "))

# %% [markdown]
# Interpret this result with care:
#
# - It holds at its size, and after its number of steps. `tiny` has six layers, the paper's network
#   has 36. After so few steps every network is still improving, and what helps at the beginning need
#   not help at the end.
# - "Cannot be told apart" is not "equal". It says that the experiment is too small to see the
#   difference, if there is one.
# - The spread between seeds is taken to be equally large for all networks. So few seeds cannot show
#   whether that is true.
# - SwinIR as published lacks the coarse image to which GLA-Net adds its output, and has to learn that
#   first. SwinIR with the bilinear base has it, so it is the fairer comparison.
# - All networks learned from other images than the paper's, and are measured on other sets.

# %% [markdown]
# ## What can go wrong
#
# **Tiles without overlap.** Make the seams on purpose. The next cell prints how far the result in
# tiles without overlap is from the result for the whole image, in grey levels:

# %%
from glanet.course.lessons.evaluation.figures import seams


def difference(answer):
    """Largest difference over the colours from the whole-image result, in grey levels: (H, W)."""
    return 255 * (answer - whole).abs().amax(1)[0].cpu().numpy()


with torch.no_grad():
    naive = in_tiles(model, lr, tile=64, overlap=0, margin=0)
print(f"up to {difference(naive).max():.0f} grey levels")

# %% [markdown]
# The fix is to overlap and blend:

# %%
print(f"up to {difference(tiled).max():.0f} grey levels")
seams({"tiles of 64, no overlap": difference(naive), "tiles of 72, overlap 32": difference(tiled)})

# %% [markdown]
# How bad is that on the image itself? Here is the place with the largest difference. A tile ends in
# the middle:

# %%
from glanet.course.kit.photo import details

worst = np.unravel_index(difference(naive).argmax(), difference(naive).shape)
row, column = (max(0, int(place) - 12) for place in worst)
answers = {"whole": whole, "tiles of 64, no overlap": naive, "tiles of 72, overlap 32": tiled}
details(
    {title: to_image(answer) for title, answer in answers.items()}, top=row, left=column, side=24
)

# %% [markdown]
# **Weights and scale that disagree.** The network doubles the image, but the benchmark runs at ×4.
# The LR image is a quarter as wide as the original, so the result has half the width of the
# original:

# %%
path = next(iter(sets.values()))[-1]
for scale in (4, model.config.scale):
    try:
        score = next(evaluate(partial(upscale_within, model), "any", [path], scale))
        print(f"×{scale}: {score.psnr_y:.2f} dB")
    except ValueError as error:
        print(short_lines(f"×{scale}: {error}"))

# %% [markdown]
# The second line is the fix: take the scale from the weights. Somebody could also edit a folder's
# `config.json` by hand. Then the tensors do not fit, and loading fails before anything is computed:

# %%
import os
import tempfile
from pathlib import Path

from glanet.weights import WeightsError

temporary = tempfile.TemporaryDirectory()  # gone when the kernel ends
folder = Path(temporary.name)


def without_folder(text):
    return short_lines(str(text).replace(f"{folder}{os.sep}", ""))


load("tiny-x2").save_pretrained(folder / "copy")
config = folder / "copy" / "config.json"
right = config.read_text()
config.write_text(right.replace('"scale": 2', '"scale": 4'))
try:
    load(folder / "copy")
except WeightsError as error:
    print(without_folder(error))

config.write_text(right)  # fixed
print("×", load(folder / "copy").config.scale, sep="")

# %% [markdown]
# **A wrong file.** You save the web page instead of the file; or you download a different kind of
# network under a name that looks right; or the connection breaks halfway. This folder has all
# three:

# %%
(folder / "GLA-Netx2.pth").write_text("<!DOCTYPE html><title>Download</title>")
torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, folder / "GLA-Netx3.pth")
half = (folder / "GLA-Netx3.pth").read_bytes()
(folder / "GLA-Netx4.pth").write_bytes(half[: len(half) // 2])

for found in find_weights(runs=folder / "none", released=folder):
    if found.kind == "released":
        print(without_folder(found.problem), "\n")

# %% [markdown]
# No exception stops the notebook: it names a wrong file, leaves it out, and measures the rest. Some
# more mistakes, in short:
#
# - **Numbers on R, G and B beside numbers on Y**: see notebook 02.
# - **An image that was trained on.** `glanet train` rejects the same file under any name. It does
#   not recognise the same photograph in another size, and there is one: Set5's `woman` is `302003`
#   of BSDS200, downscaled. So networks that were trained on the 291 images knew one of Set5's five
#   images: LapSRN, VDSR, DRRN, MemNet and IDN, and every network that comes with the package. A
#   comparison of all thumbnails found no other. For released weights, only their authors know.
# - **The best of many checkpoints on Set5, reported on Set5.** Choose on one set, and report on
#   others.
# - **The mean over fewer images.** One missing file changes a row by more than the gap to its
#   rivals. `glanet data verify` counts the files.

# %% [markdown]
# ## The same as the package's
#
# Compare your means, your self-ensemble and your tiles with `glanet.evaluation` and
# `glanet.inference`. Tiles end as bytes, and a value halfway between two bytes may round either
# way, so one grey level of difference is allowed. (Where the last tile is narrower than two
# overlaps, the package also lowers the shares at its other edge, and the result differs a little
# from yours.)

# %% tags=["nbval-check-output"]
from glanet.course.kit.sameness import same_function
from glanet.evaluation import benchmark
from glanet.inference.upscale import self_ensemble as package_ensemble


def numbers_of(means):
    """A function of the same name that returns the means as an array."""

    def function(scores):
        return np.array(list(means(scores).values()))

    function.__name__ = means.__name__
    return function


rng = np.random.default_rng(0)
many = [Score(str(n % 3), str(n), *rng.uniform((20, 0.6), (45, 1))) for n in range(20)]
cases = [(scores,), (many,)]
print(same_function(numbers_of(mean_scores), numbers_of(benchmark.mean_scores), cases, 1e-6))

small_model = GLANet(ModelConfig(channels=8, blocks=1, layers=2, heads=2)).eval()
with torch.no_grad():
    cases = [(small_model, torch.rand(2, 3, height, 10)) for height in (1, 8, 13)]
    print(same_function(self_ensemble, package_ensemble, cases, tolerance=1e-6))

# %% tags=["nbval-check-output"]


def my_tiles(image, tile):
    with torch.no_grad():
        tiled = in_tiles(small_model, to_tensor(image), tile, overlap=32, margin=12)
        answer = to_image(tiled)
    return answer.astype(int)


def upscale_in_tiles(image, tile):
    return upscale(small_model, image, tile=tile).astype(int)


cases = [
    (rng.integers(0, 256, (height, width, 3), dtype=np.uint8), tile)
    for height, width, tile in ((72, 152, 72), (112, 144, 72), (128, 70, 80))
]
print(same_function(my_tiles, upscale_in_tiles, cases, tolerance=1))

# %% [markdown]
# ## How far you are
#
# From a terminal,
# `glanet evaluate --weights tiny-x2 --sets Set5 Set14 --published --json-file scores.json` prints
# the table of section 4 for one set of weights, and stores the score of every image. Notebook 14 is
# about the seconds.

# %%
from glanet.course.report import report as progress_report

print(progress_report("evaluation"))
