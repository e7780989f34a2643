"""Images and a short training for notebooks that try a network out."""

import torch
import torch.nn.functional as F
from tqdm.auto import tqdm

from glanet.data import catalog
from glanet.training.recipe import Recipe
from glanet.training.schedule import learning_rate

THE_291 = ("T91", "BSDS200")  # what VDSR, LapSRN and DRRN were trained on
HELD_OUT = ("chelsea", "coffee")  # of scikit-image's photographs


def training_images() -> list:
    """HR files to train on: the 291 images if they are here, else photographs of scikit-image."""
    if all(catalog.status(name).state == catalog.PRESENT for name in THE_291):
        return [path for name in THE_291 for path in catalog.hr_images(name)]
    return [path for path in catalog.hr_images("photos") if path.stem not in HELD_OUT]


def held_out_images() -> list:
    """HR files never trained on: Set5 if it is here, else two photographs of scikit-image."""
    if catalog.status("Set5").state == catalog.PRESENT:
        return catalog.hr_images("Set5")
    return [path for path in catalog.hr_images("photos") if path.stem in HELD_OUT]


def fit(network, store, *, steps, batch=8, rate=2e-3, seed=0) -> list[float]:
    """Train ``network`` for a few ``steps`` on the batches of a `PatchStore`, and leave it so.

    L1, Adam, and a learning rate that falls from ``rate`` along half a cosine; in float32. Returns
    the loss of each step. Notebook 11 builds such a loop line by line.
    """
    recipe = Recipe(steps=steps, batch=batch, learning_rate=rate, schedule="cosine")
    adam = torch.optim.Adam(network.parameters(), betas=recipe.betas)
    losses = []
    network.train()
    for step in tqdm(range(steps), leave=False, unit=" steps"):
        low, high = store.batch(seed, step, batch)
        adam.param_groups[0]["lr"] = learning_rate(recipe, step)
        loss = F.l1_loss(network(low), high)
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    network.eval()
    return losses
