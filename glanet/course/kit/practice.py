"""Images and a short training loop for notebooks that try out a model."""

import math

import torch
import torch.nn.functional as F
from torch import nn
from tqdm.auto import tqdm

from glanet.data import catalog
from glanet.training.recipe import Recipe
from glanet.training.schedule import learning_rate

HELD_OUT = ("chelsea", "coffee")  # among the photographs of scikit-image


def training_images() -> list:
    """HR files to train on: the 291 images if present, else photographs of scikit-image."""
    if all(catalog.status(name).state == catalog.PRESENT for name in catalog.THE_291):
        return [path for name in catalog.THE_291 for path in catalog.hr_images(name)]
    return [path for path in catalog.hr_images("photos") if path.stem not in HELD_OUT]


def held_out_images() -> list:
    """HR files to measure on: Set5 if present, else two photographs of scikit-image.

    None of them is in `training_images`.
    """
    if catalog.status("Set5").state == catalog.PRESENT:
        return catalog.hr_images("Set5")
    return [path for path in catalog.hr_images("photos") if path.stem in HELD_OUT]


def fit(model, store, *, steps, batch=8, rate=2e-3, seed=0, after=None) -> list[float]:
    """Train ``model`` in place for ``steps`` steps on the batches of a `PatchStore`.

    L1 loss, Adam, float32, and a learning rate that falls from ``rate`` to 0 along half a cosine.
    ``after`` is called with the number of steps done, the model in eval mode. Returns the loss of
    each step, and leaves ``model`` in eval mode. Notebook 11 builds such a loop line by line.
    """
    recipe = Recipe(steps=steps, batch=batch, learning_rate=rate, schedule="cosine", seed=seed)
    return fit_by(recipe, model, store, after)


def fit_by(recipe, model, store, after=None) -> list[float]:
    """`fit` by a recipe. Of it count steps, batch, seed, Adam's decay rates, the maximum gradient
    norm, and the learning rate with its schedule and warm-up.
    """
    clip = recipe.gradient_clip or math.inf
    adam = torch.optim.Adam(model.parameters(), betas=recipe.betas)
    losses = []
    for step in tqdm(range(recipe.steps), leave=False, unit=" steps"):
        model.train()
        lr, hr = store.batch(recipe.seed, step, recipe.batch)
        adam.param_groups[0]["lr"] = learning_rate(recipe, step)
        loss = F.l1_loss(model(lr), hr)
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), clip)
        adam.step()
        losses.append(loss.item())
        model.eval()
        if after is not None:
            after(step + 1)
    return losses
