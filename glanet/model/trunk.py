"""Deep features, §2.1, Eq. 2: F_d = ψ(F_s), GLA blocks with dense connections between them."""

from itertools import islice

import torch
from torch import nn

from glanet.model.block import GLABlock
from glanet.model.tokens import TokenConv, TokenConv1x1


class Trunk(nn.Module):
    """ψ: tokens F_s (B, H, W, C) -> tokens F_d (B, H, W, C); H, W multiples of the window.

    Each block reads the outputs of all blocks before it, newest first, brought back to C channels
    by its transition, a 1×1 convolution. Without ``config.dense`` the blocks form a plain chain.
    """

    def __init__(self, config):
        super().__init__()
        c = config.channels
        self.norm_in = nn.LayerNorm(c)  # in the released code, not drawn in Fig. 2
        self.blocks = nn.ModuleList(
            GLABlock(
                c,
                config.heads,
                config.window,
                mlp_ratio=config.mlp_ratio,
                inception=config.inception,
                attention=config.attention,
                mixer=config.mixer,
                drop_probabilities=probabilities,
            )
            for probabilities in _drop_probabilities(config)
        )
        self.transitions = nn.ModuleList(
            TokenConv1x1((i + 1) * c, c) if i > 0 or config.first_transition else nn.Identity()
            for i in range(config.blocks if config.dense else 0)
        )
        self.norm_out = nn.LayerNorm(c)  # likewise
        self.conv = TokenConv(c, c, kernel_size=3, padding=1)

    def forward(self, shallow):
        tokens = self.norm_in(shallow)
        if self.transitions:
            tokens = self._dense(tokens)
        else:
            for block in self.blocks:
                tokens = block(tokens)
        return self.conv(self.norm_out(tokens))

    def _dense(self, tokens):
        collected = [tokens]
        for transition, block in zip(self.transitions, self.blocks, strict=True):
            tokens = block(transition(torch.cat(collected, dim=-1)))
            collected.insert(0, tokens)
        return tokens


def _drop_probabilities(config):
    """Stochastic depth rises linearly with depth: one list a block, one probability a layer."""
    depth = sum(config.layers_by_block)
    rising = iter(config.stochastic_depth * i / max(1, depth - 1) for i in range(depth))
    return [list(islice(rising, count)) for count in config.layers_by_block]
