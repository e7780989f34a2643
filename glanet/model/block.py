"""The GLA block, §2.1, Fig. 2a."""

from torch import nn

from glanet.model.layer import GLALayer
from glanet.model.mixer import MixerLayer, make_mixer
from glanet.model.tokens import TokenConv


class GLABlock(nn.Module):
    """GLA layers with W-MSA and SW-MSA in turn, a 3×3 convolution, and a residual around both.

    tokens (B, H, W, C) -> tokens (B, H, W, C); H and W are multiples of the window.
    ``drop_probabilities`` has one stochastic-depth probability for each layer;
    ``mixer`` is as in `glanet.model.config`.
    """

    def __init__(
        self,
        channels,
        heads,
        window,
        *,
        mlp_ratio,
        inception,
        drop_probabilities,
        attention=True,
        mixer="gla",
    ):
        super().__init__()

        def layer(shift, probability):
            if mixer != "gla":
                mix = make_mixer(mixer, channels, heads, window, shift)
                return MixerLayer(mix, channels, mlp_ratio, probability)
            return GLALayer(
                channels,
                heads,
                window,
                shift,
                mlp_ratio=mlp_ratio,
                inception=inception,
                attention=attention,
                drop_probability=probability,
            )

        self.layers = nn.Sequential(
            *(
                layer(window // 2 if i % 2 else 0, probability)
                for i, probability in enumerate(drop_probabilities)
            )
        )
        self.conv = TokenConv(channels, channels, kernel_size=3, padding=1)

    def forward(self, tokens):
        return tokens + self.conv(self.layers(tokens))
