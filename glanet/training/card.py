"""The model card: what people need to know about weights that were trained here."""

from dataclasses import asdict
from pathlib import Path

from glanet import networks
from glanet.data.degradations import IN_WORDS
from glanet.training.recipe import Recipe

LISTED = 5  # names; of more, the card gives the number


def model_card(name, about, *, steps, seconds, where, left_out, scores, init=None) -> str:
    """The card of a run's weights, as Markdown: data, recipe, steps, seed, hours, scores.

    Args:
        name: the title.
        about: the run's description, as its checkpoints hold it.
        steps: steps done.
        seconds: time in training.
        where: the device, in words.
        left_out: the number of training images that are smaller than a patch.
        scores: image set -> {"psnr_y": dB, "ssim_y": SSIM}; ``ssim_y`` may be missing.
        init: the weights that the run started from, in words; None if from scratch.
    """
    recipe = Recipe.from_dict(about["recipe"])
    config = networks.from_dict(about["config"])
    title = networks.find(config.network).title
    images = f"{names(recipe.data)} ({about['images'].partition(',')[0]})"
    if left_out:
        images += f", without {left_out} smaller than a patch"
    how = IN_WORDS.get(recipe.degradation, recipe.degradation)
    made = f"from {recipe.lr}" if recipe.lr else f"by {how}"
    patches = f"{recipe.batch} patches of {recipe.patch}×{recipe.patch} LR pixels"
    started = f", started from {init}" if init else ""
    kinds = "PSNR / SSIM" if any("ssim_y" in score for score in scores.values()) else "PSNR"
    measured = "; ".join(_score(*pair) for pair in scores.items()) or "not measured"
    listed = asdict(recipe) | {"data": names(recipe.data), "validation": names(recipe.validation)}
    lines = "\n".join(f"- {field}: {value}" for field, value in listed.items() if value != "")
    return f"""---
library_name: glanet
pipeline_tag: image-to-image
tags:
- image-super-resolution
- super-resolution
---

# {name}

{title}, {networks.count_parameters(config):,} parameters, ×{config.scale}.

| | |
|---|---|
| trained on | {images}; LR {made} |
| steps | {steps:,} of {patches}, seed {recipe.seed}{started} |
| took | {seconds / 3600:.2f} hours on {where} |
| {kinds} on Y | {measured} |

The weights are a moving average. The recipe:

{lines}
"""


def names(sets) -> str:
    """Image sets, folders and files in a few words, without the folders of this machine."""
    few = len(sets) <= LISTED
    return " and ".join(Path(name).name for name in sets) if few else f"{len(sets)} files"


def _score(name, score):
    ssim = f" / {score['ssim_y']:.4f}" if "ssim_y" in score else ""
    return f"{name} {score['psnr_y']:.2f} dB{ssim}"
