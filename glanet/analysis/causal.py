"""Causal effects: how much the error in one square grows when another place is hidden."""

import numpy as np
import torch


def causal_effects(model, lr, hr, *, top, left, side, block=4, batch=16) -> np.ndarray:
    """The effect of each block of an image on the PSNR of a square: dB, (H / block, W / block).

    An intervention in the sense of Hu et al. (Interpreting Low-Level Vision Models with Causal
    Effect Maps, 2024): a block of ``block`` LR pixels a side is replaced by its mean colour, and
    the effect is the PSNR of the square before, less the PSNR after. It is positive where the block
    helps, and negative where the network would do better without it. Attribution has no such sign.

    lr: (1, 3, H, W) in [0, 1], H and W multiples of ``block``. hr: (1, 3, scale·H, scale·W). The
    square is in LR pixels; blocks that touch it are nan, as hiding it is no question.
    """
    height, width = (size // block for size in lr.shape[-2:])
    scale = hr.shape[-1] // lr.shape[-1]
    rows, columns = (slice(scale * start, scale * (start + side)) for start in (top, left))

    def psnr(images):
        error = (model(images) - hr)[..., rows, columns].square().mean((1, 2, 3))
        return -10 * error.log10()

    places = [
        (i, j)
        for i in range(height)
        for j in range(width)
        if not (top - block < i * block < top + side and left - block < j * block < left + side)
    ]
    effects = np.full((height, width), np.nan)
    with torch.no_grad():
        before = psnr(lr)
        for start in range(0, len(places), batch):
            some = places[start : start + batch]
            hidden = lr.repeat(len(some), 1, 1, 1)
            for image, (i, j) in zip(hidden, some, strict=True):
                here = image[:, i * block : (i + 1) * block, j * block : (j + 1) * block]
                here[:] = here.mean((1, 2), keepdim=True)
            for place, effect in zip(some, (before - psnr(hidden)).tolist(), strict=True):
                effects[place] = effect
    return effects
