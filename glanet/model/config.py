"""The shape of a GLA-Net: every knob, with its unit and its place in the paper."""

from dataclasses import dataclass
from typing import ClassVar

from glanet.config import ModelShape

MIXERS = ("gla", "split", "depthwise", "pooled", "iformer")
INCEPTION_BRANCHES = 4  # Fig. 3: max-pool, 3, 5 and 7, each a quarter of the channels


@dataclass(frozen=True, kw_only=True)
class ModelConfig(ModelShape):
    """The shape of a GLA-Net. The defaults are the paper's network at ×2.

    Presets: ``tiny`` trains on two CPU cores, ``light`` on a small GPU, ``paper`` is the paper's.
    With ``inception``, ``dense`` and ``bilinear_base`` off, what remains is SwinIR.

    Raises:
        ArgumentError: a field has an impossible value; the message names the field.
    """

    network: ClassVar[str] = "gla-net"
    PRESETS: ClassVar[dict[str, dict]] = {
        "tiny": {
            "channels": 32,
            "blocks": 3,
            "layers": 2,
            "heads": 4,
            "stochastic_depth": 0.0,  # so small a network underfits; dropping layers only hurts
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

    channels: int = 180  # C, the width of the trunk (§2.1)
    blocks: int = 6  # GLA blocks (§2.1)
    layers: int | tuple[int, ...] = 6  # GLA layers in each block (Fig. 2a); a tuple: block by block
    heads: int = 6  # attention heads (§2.4)
    window: int = 8  # side of an attention window, LR pixels (§2.4)
    mlp_ratio: float = 2.0  # hidden width of the MLP over C; from the released code
    # probability of dropping the last layer in training, 0 for the first, linear between; from the
    # released code
    stochastic_depth: float = 0.1
    inception: bool = True  # convolution branches beside attention (Fig. 3); Table 2, row 2
    attention: bool = True  # attention beside the branches; an ablation that the paper leaves out
    # what mixes the pixels in a layer: "gla"; "split", "depthwise" or "pooled", the GLA layer with
    # one of the paper's changes to iFormer's mixer undone (§2.1); or "iformer", that mixer itself
    mixer: str = "gla"
    dense: bool = True  # dense connections between blocks (Eq. 2); Table 2, row 1
    # six 1×1 convolutions as released, one before every block; False: five as in Fig. 2, none
    # before block 1. They fuse dense connections: without ``dense`` there are none
    first_transition: bool = True
    bilinear_base: bool = True  # I_CSR added to the output (Eq. 4, 5)
    light_head: bool = False  # reconstruct with one 3×3 and a pixel shuffle instead of §2.2's head

    def __post_init__(self):
        super().__post_init__()
        for name in ("channels", "blocks", "heads"):
            self.require(getattr(self, name) >= 1, name, "at least 1")
        for count in self.layers_by_block:
            whole = isinstance(count, int) and not isinstance(count, bool) and count >= 1
            self.require(whole, "layers", "whole numbers of at least 1")
        self.require(
            len(self.layers_by_block) == self.blocks,
            "layers",
            f"one number for all blocks, or one for each of the {self.blocks}",
        )
        self.require(self.window >= 2, "window", "at least 2 pixels")
        self.require(
            self.channels % self.heads == 0,
            "channels",
            f"a multiple of heads ({self.heads}), which share it equally",
        )
        self.require(
            not self.inception or self.channels % INCEPTION_BRANCHES == 0,
            "channels",
            f"a multiple of {INCEPTION_BRANCHES}, the number of Inception branches",
        )
        self.require(
            self.attention or self.inception,
            "attention",
            "one of the two, or a layer would have nothing to look around with",
            found="off, and so is inception",
        )
        self.require(self.mixer in MIXERS, "mixer", f"one of {', '.join(MIXERS)}", repr(self.mixer))
        if self.mixer != "gla":
            self._check_mixer()
        self.require(
            1 <= self.channels * self.mlp_ratio < float("inf"),
            "mlp_ratio",
            "large enough for one hidden channel, and finite",
        )
        self.require(0 <= self.stochastic_depth < 1, "stochastic_depth", "in [0, 1)")

    def _check_mixer(self):
        whole = self.attention and self.inception
        self.require(whole, "mixer", "gla where attention or inception is off", repr(self.mixer))
        if self.mixer in ("split", "iformer"):
            self.require(self.heads % 2 == 0, "heads", f"even, as {self.mixer} halves them")
        if self.mixer == "split":
            multiple = 2 * INCEPTION_BRANCHES
            fits = self.channels % multiple == 0
            self.require(fits, "channels", f"a multiple of {multiple}, as {self.mixer} halves them")
        if self.mixer in ("pooled", "iformer"):
            self.require(self.window % 2 == 0, "window", f"even, as {self.mixer} averages squares")

    @property
    def layers_by_block(self) -> tuple[int, ...]:
        """The number of layers of each block."""
        return self.layers if isinstance(self.layers, tuple) else (self.layers,) * self.blocks
