"""The recipe: how a model is trained. Every knob, with its unit and its place in the paper."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar, Self

from glanet.config import Config, knob
from glanet.data.catalog import THE_291
from glanet.data.degradations import BICUBIC

CHOICES = {
    "schedule": ("halving", "cosine"),
    "precision": ("auto", "bf16", "float32"),
    "on_nan": ("stop", "skip"),
}


@dataclass(frozen=True, kw_only=True)
class Recipe(Config):
    """How a model is trained. The defaults are the paper's recipe (§3), completed from SwinIR's.

    The optimizer is Adam without weight decay. Each preset belongs to the preset of
    the same name of a network's config.

    Raises:
        ArgumentError: a field has an impossible value; the message names the field.
    """

    PRESETS: ClassVar[dict[str, dict]] = {
        "tiny": {  # minutes on two CPU cores
            "data": THE_291,
            "steps": 6_000,
            "batch": 16,
            "patch": 16,
            "learning_rate": 2e-3,
            "schedule": "cosine",
            "warm_up": 200,
            "validate_every": 500,
            "save_every": 250,
        },
        "light": {  # made for half an hour on a GPU
            "data": THE_291,
            "steps": 30_000,
            "patch": 32,
            "learning_rate": 6e-4,
            "gradient_clip": 0.1,  # without it, at 1e-3, one steep gradient set a run far back
            "schedule": "cosine",
            "warm_up": 500,
            "validate_every": 1_000,
            "save_every": 500,
        },
        "paper": {},
    }

    data: tuple[str, ...] = knob(
        ("DIV2K",), "catalogue sets, folders or image files to train on (§3)"
    )
    validation: tuple[str, ...] = knob(
        ("Set5",), "the same, to measure on; an image of both is rejected"
    )
    lr: str = knob("", "folder of LR images, paired with the HR images by name; default: made here")
    degradation: str = knob(
        BICUBIC,
        "how LR images are made from HR images: bicubic, bicubic+jpeg, bicubic+noise, photo (blur, "
        "noise and JPEG at random), or module:function, a function of (rng, hr) that returns lr",
    )
    loss: str = knob(
        "l1", "l1 (§3), charbonnier, l1+fft, or module:function, a function of (sr, hr)"
    )
    steps: int = knob(500_000, "number of steps (§3)")
    batch: int = knob(32, "patches in a step, over all processes (§3)")
    patch: int = knob(48, "side of a patch in LR pixels (§3)")
    accumulate: int = knob(
        1, "parts in which a batch is computed: more need less memory, for the same gradient"
    )
    checkpointing: bool = knob(
        False,
        "activation checkpointing: layers are computed again in the backward pass, which needs "
        "less memory and more time, for the same gradient",
    )
    learning_rate: float = knob(1e-4, "learning rate at its highest (§3)")
    betas: tuple[float, float] = knob((0.9, 0.999), "Adam's decay rates (§3)")
    schedule: str = knob("halving", "halving: at the milestones; cosine: down to 0")
    milestones: tuple[float, ...] = knob(
        (0.5, 0.8, 0.9, 0.95), "where the rate is halved, as shares of the steps (SwinIR's)"
    )
    warm_up: int = knob(0, "steps in which the learning rate rises from 0")
    gradient_clip: float = knob(0.0, "maximum gradient norm; 0 disables clipping")
    average: float = knob(
        0.999,
        "decay of the moving average of the weights (EMA), which is what a run keeps; it looks "
        "back about 1 / (1 - average) steps, which may be too many for a short run",
    )
    precision: str = knob("auto", "bf16, float32, or auto: bf16 where the device has it")
    on_nan: str = knob("stop", "what to do when a loss or gradient is not finite: stop, or skip it")
    seed: int = knob(0, "seed of weights, batches and stochastic depth")
    validate_every: int = knob(5_000, "steps between two validations")
    save_every: int = knob(1_000, "steps between two checkpoints")

    def __post_init__(self):
        super().__post_init__()
        for name in ("steps", "batch", "patch", "accumulate", "validate_every", "save_every"):
            self.require(getattr(self, name) >= 1, name, "at least 1")
        for name in ("warm_up", "gradient_clip"):
            self.require(getattr(self, name) >= 0, name, "0 or more")
        self.require(0 <= self.seed < 2**63, "seed", "0 or more, below 2**63")
        self.require(self.data, "data", "a set, folder or file to train on", found="empty")
        self.require(
            not self.lr or self.degradation == BICUBIC,
            "degradation",
            "no degradation of LR images that are given by lr",
        )
        self.require(self.learning_rate > 0, "learning_rate", "above 0")
        self.require(0 <= self.average < 1, "average", "in [0, 1)")
        shares = (0.0, *self.milestones, 1.0)
        rising = all(a < b for a, b in pairwise(shares))
        self.require(rising, "milestones", "rising shares of the steps in (0, 1)")
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            self.require(value in choices, name, " or ".join(map(repr, choices)), repr(value))

    def smoke(self) -> Self:
        """The same recipe, cut down to seconds: enough to show that everything works."""
        return replace(self, steps=4, batch=2, patch=8, warm_up=0, validate_every=2, save_every=2)
