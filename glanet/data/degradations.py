"""How LR images to train on are made: like those of the benchmarks, or like a camera's.

`glanet.data.degradation.imresize` is MATLAB's bicubic, from which all published scores come. A
network that has seen only such images makes the noise and the blocks of real photographs sharper.
"""

import io
from collections.abc import Callable
from functools import partial

import numpy as np
from PIL import Image

from glanet.data.degradation import imresize
from glanet.errors import ArgumentError
from glanet.functions import function_named

BICUBIC = "bicubic"
NOISE = (0.0, 10.0)  # standard deviation, grey values of 255
QUALITY = (50, 95)  # of JPEG


def noise(rng, image):
    """Adds Gaussian noise of a random strength: uint8 (H, W, 3) -> the same."""
    noisy = image + rng.normal(0, rng.uniform(*NOISE), image.shape)
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def jpeg(rng, image):
    """Saves as JPEG of a random quality, and reads that: uint8 (H, W, 3) -> the same."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=int(rng.integers(*QUALITY, endpoint=True)))
    return np.array(Image.open(file).convert("RGB"))


STEPS = {"noise": noise, "jpeg": jpeg}


def find(name: str, scale: int) -> Callable:
    """The degradation of that name: a function of (rng, hr) that returns lr.

    ``hr`` is uint8 (H, W, 3) with sides that are multiples of ``scale``, ``lr`` uint8 of sides
    divided by it, ``rng`` a NumPy generator. ``bicubic`` shrinks alone; what follows it after a
    plus sign is done to the small image: ``bicubic+noise+jpeg``. ``module:name`` is such a function
    of the user's.

    Raises:
        ArgumentError: there is none of that name.
    """
    if ":" in name:
        return function_named(name, "degradation")
    first, *steps = name.split("+")
    if first != BICUBIC or not STEPS.keys() >= set(steps):
        known = ", ".join([BICUBIC, *(f"{BICUBIC}+{step}" for step in STEPS)])
        raise ArgumentError(f"degradation is {name!r}; expected {known}, or module:function")
    return partial(_shrink, scale, [STEPS[step] for step in steps])


def _shrink(scale, steps, rng, hr):
    lr = imresize(hr, 1 / scale)
    for step in steps:
        lr = step(rng, lr)
    return lr
