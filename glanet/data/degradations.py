"""How LR images to train on are made: like those of the benchmarks, or like a camera's.

`glanet.data.degradation.imresize` is MATLAB's bicubic, from which all published scores come. A
network that has seen only such images makes the noise and the blocks of real photographs sharper.
"""

import io
import re
from collections.abc import Callable
from functools import partial

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from glanet.data.degradation import imresize
from glanet.errors import ArgumentError
from glanet.functions import function_named

BICUBIC = "bicubic"
PHOTO = "photo"
BLUR = (0.4, 0.8)  # standard deviation, LR pixels
NOISE = (0.0, 10.0)  # standard deviation, grey values of 255
QUALITY = (50, 95)  # of JPEG


def blur(rng, image):
    """Blurs by a Gaussian of a random width: uint8 (H, W, 3) -> the same."""
    width = rng.uniform(*BLUR)
    smooth = gaussian_filter(image.astype(np.float64), (width, width, 0), mode="nearest")
    return np.round(smooth).astype(np.uint8)


def noise(rng, image):
    """Adds Gaussian noise of a random strength: uint8 (H, W, 3) -> the same."""
    noisy = image + rng.normal(0, rng.uniform(*NOISE), image.shape)
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def jpeg(rng, image, quality=None):
    """Saves as JPEG of that or a random quality, and reads that: uint8 (H, W, 3) -> the same."""
    if quality is None:
        quality = int(rng.integers(*QUALITY, endpoint=True))
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.array(Image.open(file).convert("RGB"))


STEPS = {"blur": blur, "noise": noise, "jpeg": jpeg}
# Shares of the images. Most photographs are JPEG files, many are neither blurred nor noisy.
MIXTURE = {"blur": 0.5, "noise": 0.5, "jpeg": 0.8}
IN_WORDS = {
    BICUBIC: "MATLAB's bicubic",
    PHOTO: "photo, which is MATLAB's bicubic, then blur, noise and JPEG, each with some images",
}


def find(name: str, scale: int) -> Callable:
    """The degradation of that name: a function of (rng, hr) that returns lr.

    ``hr`` is uint8 (H, W, 3) with sides that are multiples of ``scale``, ``lr`` uint8 of sides
    divided by it, ``rng`` a NumPy generator. ``bicubic`` shrinks alone; what follows it after a
    plus sign is done to the small image: ``bicubic+noise+jpeg``, or ``bicubic+jpeg70`` for JPEG of
    quality 70. ``photo`` does each of blur, noise and JPEG, in this order, to a share of the
    images, `MIXTURE`. ``module:name`` is such a function of the user's.

    Raises:
        ArgumentError: there is none of that name.
    """
    if ":" in name:
        return function_named(name, "degradation")
    if name == PHOTO:
        return partial(_shrink, scale, [partial(_sometimes, *item) for item in MIXTURE.items()])
    first, *steps = name.split("+")
    found = [_step(step) for step in steps]
    if first != BICUBIC or None in found:
        known = ", ".join([BICUBIC, *(f"{BICUBIC}+{step}" for step in STEPS), f"{BICUBIC}+jpeg70"])
        raise ArgumentError(
            f"degradation is {name!r}; expected {known}, {PHOTO}, or module:function"
        )
    return partial(_shrink, scale, found)


def _step(name):
    """The step of that name, or None."""
    fixed = re.fullmatch(r"jpeg(\d{1,2}|100)", name)
    return partial(jpeg, quality=int(fixed[1])) if fixed else STEPS.get(name)


def _sometimes(name, share, rng, image):
    return STEPS[name](rng, image) if rng.random() < share else image


def _shrink(scale, steps, rng, hr):
    lr = imresize(hr, 1 / scale)
    for step in steps:
        lr = step(rng, lr)
    return lr
