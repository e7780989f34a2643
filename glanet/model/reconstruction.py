"""Reconstruction of the HR image, §2.2, Eq. 4 and 5: I_HR = Θ(F_s + F_d) + Φ(I_LR)."""

import torch.nn.functional as F
from torch import nn

HEAD_CHANNELS = 64  # width after the first convolution, from the released code


class PaperHead(nn.Module):
    """Θ as released: tokens (B, H, W, C) -> image (B, 3, scale·H, scale·W).

    A 3×3 convolution, then sub-pixel convolutions: one ×2 step at ×2, two at ×4, one ×3 step at ×3.
    """

    def __init__(self, channels, scale):
        super().__init__()
        self.reduce = nn.Sequential(
            nn.Conv2d(channels, HEAD_CHANNELS, kernel_size=3, padding=1), nn.LeakyReLU(0.01)
        )
        steps = {2: [2], 3: [3], 4: [2, 2]}[scale]
        self.upsample = nn.Sequential(*(SubPixel(HEAD_CHANNELS, HEAD_CHANNELS, s) for s in steps))
        self.to_image = nn.Conv2d(HEAD_CHANNELS, 3, kernel_size=3, padding=1)

    def forward(self, tokens):
        return self.to_image(self.upsample(self.reduce(tokens.permute(0, 3, 1, 2))))


class LightHead(nn.Module):
    """Θ for small networks: one sub-pixel convolution straight to the image.

    tokens (B, H, W, C) -> image (B, 3, scale·H, scale·W). It starts at zero, so that an untrained
    network gives the coarse image I_CSR and training goes up from there.
    """

    def __init__(self, channels, scale):
        super().__init__()
        self.to_image = SubPixel(channels, 3, scale)
        nn.init.zeros_(self.to_image[0].weight)
        nn.init.zeros_(self.to_image[0].bias)

    def forward(self, tokens):
        return self.to_image(tokens.permute(0, 3, 1, 2))


class SubPixel(nn.Sequential):
    """A 3×3 convolution whose channels become pixels: (B, C, H, W) -> (B, C', scale·H, scale·W)."""

    def __init__(self, channels_in, channels_out, scale):
        super().__init__(
            nn.Conv2d(channels_in, channels_out * scale**2, kernel_size=3, padding=1),
            nn.PixelShuffle(scale),
        )


def coarse_image(image, scale):
    """Φ, bilinear interpolation: (B, 3, H, W) -> I_CSR (B, 3, scale·H, scale·W), Eq. 5."""
    return F.interpolate(image, scale_factor=scale, mode="bilinear", align_corners=False)
