"""Every knob of the network and of its training, with its unit and its place in the paper."""

from dataclasses import asdict, dataclass, fields, replace
from itertools import pairwise

INCEPTION_BRANCHES = 4  # Fig. 3: max-pool, 3, 5 and 7, each a quarter of the channels


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The shape of a GLA-Net. The defaults are the paper's network at ×2.

    With ``inception``, ``dense`` and ``bilinear_base`` off, what remains is SwinIR.

    Raises:
        ValueError: a field has an impossible value; the message names the field.
    """

    scale: int = 2  # upscaling factor: 2, 3 or 4
    channels: int = 180  # C, the width of the trunk (§2.1)
    blocks: int = 6  # GLA blocks (§2.1)
    layers: int = 6  # GLA layers in each block (Fig. 2a)
    heads: int = 6  # attention heads (§2.4)
    window: int = 8  # side of an attention window, LR pixels (§2.4)
    mlp_ratio: float = 2.0  # hidden width of the MLP over C; from the released code
    stochastic_depth: float = 0.1  # probability of dropping the last layer in training, 0 for the
    #                                first, linear between; from the released code
    inception: bool = True  # convolution branches beside attention (Fig. 3); Table 2, row 2
    attention: bool = True  # attention beside the branches; an ablation that the paper leaves out
    dense: bool = True  # dense connections between blocks (Eq. 2); Table 2, row 1
    first_transition: bool = True  # six 1×1 convolutions as released, one before every block;
    #                                False: five as in Fig. 2, none before block 1. They fuse dense
    #                                connections: without ``dense`` there are none
    bilinear_base: bool = True  # I_CSR added to the output (Eq. 4, 5)
    light_head: bool = False  # reconstruct with one 3×3 and a pixel shuffle instead of §2.2's head

    def __post_init__(self):
        for field in fields(self):
            _check_type(field, getattr(self, field.name))
        _require(self.scale in (2, 3, 4), "scale", self.scale, "2, 3 or 4")
        for name in ("channels", "blocks", "layers", "heads"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        _require(self.window >= 2, "window", self.window, "at least 2 pixels")
        _require(
            self.channels % self.heads == 0,
            "channels",
            self.channels,
            f"a multiple of heads ({self.heads}), which share it equally",
        )
        _require(
            not self.inception or self.channels % INCEPTION_BRANCHES == 0,
            "channels",
            self.channels,
            f"a multiple of {INCEPTION_BRANCHES}, the number of Inception branches",
        )
        _require(
            self.attention or self.inception,
            "attention",
            "off, and so is inception",
            "one of the two, or a layer would have nothing to look around with",
        )
        _require(
            self.channels * self.mlp_ratio >= 1,
            "mlp_ratio",
            self.mlp_ratio,
            "large enough for one hidden channel",
        )
        _require(
            0 <= self.stochastic_depth < 1, "stochastic_depth", self.stochastic_depth, "in [0, 1)"
        )

    @classmethod
    def preset(cls, name: str, scale: int = 2, **overrides) -> "ModelConfig":
        """The named network at ``scale``, with ``overrides`` of single fields.

        ``tiny`` trains on two CPU cores, ``light`` on a small GPU, ``paper`` is the paper's.

        Raises:
            ValueError: an unknown preset or field, or an impossible value.
        """
        if name not in PRESETS:
            raise ValueError(f"preset is {name!r}; expected one of {', '.join(PRESETS)}")
        return cls.from_dict({**PRESETS[name], "scale": scale, **overrides})

    @classmethod
    def from_dict(cls, values: dict) -> "ModelConfig":
        """The config with these fields; a field left out keeps its default.

        Raises:
            ValueError: an unknown field, or an impossible value.
        """
        _check_names(cls, values)
        return cls(**values)

    def to_dict(self) -> dict:
        """All fields as plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a GLA-Net is trained. The defaults are the paper's recipe (§3), completed from SwinIR's.

    The loss is L1, the optimizer Adam without weight decay.

    Raises:
        ValueError: a field has an impossible value; the message names the field.
    """

    data: tuple[str, ...] = ("DIV2K",)  # catalogue sets, folders or image files to train on (§3)
    validation: tuple[str, ...] = ("Set5",)  # likewise, to measure on; never among those trained on
    steps: int = 500_000  # (§3)
    batch: int = 32  # patches a step, over all processes (§3)
    patch: int = 48  # side of a patch, LR pixels (§3)
    learning_rate: float = 1e-4  # at its highest (§3)
    betas: tuple[float, float] = (0.9, 0.999)  # of Adam (§3)
    schedule: str = "halving"  # "halving" at the milestones, or "cosine" down to 0
    milestones: tuple[float, ...] = (0.5, 0.8, 0.9, 0.95)  # shares of the steps; SwinIR's: after
    #                                250k, 400k, 450k and 475k of 500k
    warm_up: int = 0  # steps in which the learning rate rises from 0
    gradient_clip: float = 0.0  # longest gradient, as its norm; 0: as long as it comes
    average: float = (
        0.999  # decay of the moving average of the weights (EMA), which is what is kept
    )
    precision: str = "auto"  # "bf16", "float32", or "auto": bf16 where the device has it
    on_nan: str = "stop"  # or "skip": leave out a step whose loss or gradient is not finite
    seed: int = 0
    validate_every: int = 5_000  # steps
    save_every: int = 1_000  # steps

    def __post_init__(self):
        for name in ("data", "validation", "betas", "milestones"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # JSON has lists
        for field in fields(self):
            _check_type(field, getattr(self, field.name))
        for name in ("steps", "batch", "patch", "validate_every", "save_every"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        for name in ("warm_up", "gradient_clip", "seed"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        _require(self.data, "data", "empty", "a set, folder or file to train on")
        _require(self.learning_rate > 0, "learning_rate", self.learning_rate, "above 0")
        _require(0 <= self.average < 1, "average", self.average, "in [0, 1)")
        shares = (0.0, *self.milestones, 1.0)
        rising = all(a < b for a, b in pairwise(shares))
        _require(rising, "milestones", self.milestones, "rising shares of the steps in (0, 1)")
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            _require(value in choices, name, repr(value), " or ".join(map(repr, choices)))

    @classmethod
    def preset(cls, name: str, **overrides) -> "TrainConfig":
        """The recipe for the network of that name, with ``overrides`` of single fields.

        Raises:
            ValueError: an unknown preset or field, or an impossible value.
        """
        if name not in RECIPES:
            raise ValueError(f"preset is {name!r}; expected one of {', '.join(RECIPES)}")
        return cls.from_dict({**RECIPES[name], **overrides})

    @classmethod
    def from_dict(cls, values: dict) -> "TrainConfig":
        """The config with these fields; a field left out keeps its default.

        Raises:
            ValueError: an unknown field, or an impossible value.
        """
        _check_names(cls, values)
        return cls(**values)

    def to_dict(self) -> dict:
        """All fields as plain values, for JSON."""
        return asdict(self)

    def smoke(self) -> "TrainConfig":
        """The same recipe cut down to seconds: it shows that everything works, and nothing else."""
        return replace(self, steps=4, batch=2, patch=8, warm_up=0, validate_every=2, save_every=2)


CHOICES = {
    "schedule": ("halving", "cosine"),
    "precision": ("auto", "bf16", "float32"),
    "on_nan": ("stop", "skip"),
}


def _check_names(cls, values):
    known = [field.name for field in fields(cls)]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ValueError(f"unknown field {unknown[0]!r}; the fields are {', '.join(known)}")


def _check_type(field, value):
    # bool is an int to Python, yet `layers=True` is a slip; an int is a fine float
    allowed = {int: int, float: (int, float), bool: bool, str: str}.get(field.type, object)
    if not isinstance(value, allowed) or (field.type is not bool and isinstance(value, bool)):
        raise ValueError(f"{field.name} is {value!r}; expected {field.type.__name__}")


def _require(condition, name, value, expected):
    if not condition:
        raise ValueError(f"{name} is {value}; expected {expected}")


PRESETS = {
    "tiny": {
        "channels": 32,
        "blocks": 3,
        "layers": 2,
        "heads": 4,
        "stochastic_depth": 0.0,  # a network this small underfits; dropping layers only hurts
        "light_head": True,
    },
    "light": {
        "channels": 60,
        "blocks": 4,
        "layers": 4,
        "heads": 6,
        "stochastic_depth": 0.0,
        "light_head": True,
    },
    "paper": {},
}

_291_IMAGES = ("T91", "BSDS200")  # what VDSR, LapSRN and DRRN were trained on
RECIPES = {
    "tiny": {  # minutes on two CPU cores
        "data": _291_IMAGES,
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
        "data": _291_IMAGES,
        "steps": 30_000,
        "patch": 32,
        "learning_rate": 6e-4,
        "gradient_clip": 0.1,  # at 1e-3, unclipped, one steep gradient threw a run back for long
        "schedule": "cosine",
        "warm_up": 500,
        "validate_every": 1_000,
        "save_every": 500,
    },
    "paper": {},
}
