"""Train the first shipped ``tiny-x2`` on two CPU cores, and record what it scores on Set5.

    GLANET_DATA=... python -m benchmarks.train_tiny_x2

A short stand-in for ``glanet train``: all images in memory, random crops, L1, Adam with cosine
decay, an average of the weights. It trains on T91 and BSDS200, the "291 images".
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import tyro
from PIL import Image
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from benchmarks import ledger
from glanet import GLANet, ModelConfig
from glanet.data.degradation import imresize, modcrop
from glanet.data.tensors import to_tensor
from glanet.evaluation.metrics import psnr_y, ssim_y
from glanet.inference import upscale
from glanet.weights.pretrained import SHIPPED

SCALE = 2


@dataclass(frozen=True)
class Recipe:
    steps: int = 6_000
    batch: int = 16
    patch: int = 16  # side of an LR patch, pixels: two windows
    learning_rate: float = 2e-3  # at its highest; cosine decay to 0
    warm_up: int = 200  # steps
    average: float = 0.999  # decay of the moving average of the weights
    seed: int = 0
    out: Path = SHIPPED / f"tiny-x{SCALE}"


def main(recipe: Recipe):
    root = Path(os.environ["GLANET_DATA"])
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    pairs = [degrade(path) for path in training_files(root)]
    pairs = [pair for pair in pairs if min(pair[0].shape[2:]) >= recipe.patch]
    model = GLANet(ModelConfig.preset("tiny", SCALE))
    started = time.monotonic()
    average = train(model, pairs, recipe, rng)
    minutes = (time.monotonic() - started) / 60
    average.save_pretrained(recipe.out)
    psnr, ssim = zip(*(score(average, path) for path in set5(root)), strict=True)
    entry = ledger.record(
        "tiny-x2-set5",
        {"psnr_y": round(float(np.mean(psnr)), 3), "ssim_y": round(float(np.mean(ssim)), 4)},
        "psnr_y: dB on Y; ssim_y: 1",
        seed=recipe.seed,
        training_images=len(pairs),
        steps=recipe.steps,
        batch=recipe.batch,
        patch=recipe.patch,
        minutes=round(minutes, 1),
        parameters=sum(p.numel() for p in model.parameters()),
    )
    print(entry)


def training_files(root):
    folders = [root / "train" / name for name in ("T91", "BSDS200")]
    return sorted(
        path for folder in folders for path in folder.iterdir() if path.suffix in (".png", ".jpg")
    )


def set5(root):
    return sorted((root / "benchmark" / "Set5" / "HR").glob("*.png"))


def degrade(path):
    """LR and HR of a file, as float tensors (1, 3, H, W)."""
    hr = modcrop(np.asarray(Image.open(path).convert("RGB")), SCALE)
    return to_tensor(imresize(hr, 1 / SCALE)), to_tensor(hr)


def train(model, pairs, recipe, rng):
    """The moving average of the weights after all steps."""
    model.train()
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(recipe.average))
    optimizer = torch.optim.Adam(model.parameters(), recipe.learning_rate, betas=(0.9, 0.999))
    schedule = torch.optim.lr_scheduler.SequentialLR(
        optimizer,
        [
            torch.optim.lr_scheduler.LinearLR(optimizer, 0.01, total_iters=recipe.warm_up),
            torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.steps - recipe.warm_up),
        ],
        [recipe.warm_up],
    )
    progress = tqdm(range(recipe.steps))
    for _ in progress:
        lr, hr = sample(pairs, recipe, rng)
        loss = F.l1_loss(model(lr), hr)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        average.update_parameters(model)
        progress.set_postfix(loss=f"{loss.item():.4f}", refresh=False)
    return average.module.eval()


def sample(pairs, recipe, rng):
    """A batch of aligned crops, each in one of the 8 orientations: LR and HR (B, 3, h, w)."""
    crops = [crop(*pairs[rng.integers(len(pairs))], recipe.patch, rng) for _ in range(recipe.batch)]
    return tuple(torch.cat(side) for side in zip(*crops, strict=True))


def crop(lr, hr, patch, rng):
    top, left = (rng.integers(side - patch + 1) for side in lr.shape[2:])
    turns, flip = rng.integers(4), rng.integers(2)

    def orient(image, scale):
        cut = image[
            :,
            :,
            scale * top : scale * (top + patch),
            scale * left : scale * (left + patch),
        ].rot90(int(turns), (2, 3))
        return cut.flip(3) if flip else cut

    return orient(lr, 1), orient(hr, SCALE)


def score(model, path):
    hr = modcrop(np.asarray(Image.open(path).convert("RGB")), SCALE)
    sr = upscale(model, imresize(hr, 1 / SCALE))
    return psnr_y(sr, hr, SCALE), ssim_y(sr, hr, SCALE)


if __name__ == "__main__":
    main(tyro.cli(Recipe))
