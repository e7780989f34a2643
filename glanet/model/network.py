"""GLA-Net, Fig. 2: shallow features, deep features, reconstruction."""

import torch
from torch import nn

from glanet.errors import ArgumentError, ArgumentTypeError
from glanet.model.reconstruction import LightHead, PaperHead, coarse_image
from glanet.model.shallow import ShallowFeatures
from glanet.model.trunk import Trunk

MEAN_RGB = (0.4488, 0.4371, 0.4040)  # of DIV2K, in [0, 1]; from the released code


class GLANet(nn.Module):
    """Images (B, 3, H, W) in [0, 1] -> images (B, 3, scale·H, scale·W), for any H, W ≥ 1.

    The output is not clamped to [0, 1].

    Raises:
        ArgumentTypeError: the input is not a floating-point tensor.
        ArgumentError: the input is not (B, 3, H, W) with H, W ≥ 1.
    """

    tiling = True
    value_range = 1.0

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.shallow = ShallowFeatures(config.channels)
        self.trunk = Trunk(config)
        head = LightHead if config.light_head else PaperHead
        self.reconstruct = head(config.channels, config.scale)
        self.register_buffer("mean", torch.tensor(MEAN_RGB).view(1, 3, 1, 1), persistent=False)
        self.apply(initialise)

    @property
    def multiple(self):
        """Tiles start on whole windows."""
        return self.config.window

    @property
    def values_per_pixel(self):
        """40 float32 values for each channel of the trunk, measured on tiny."""
        return 40 * self.config.channels

    def repeated(self):
        """The layers."""
        return [layer for block in self.trunk.blocks for layer in block.layers]

    def forward(self, image):
        check_image(image)
        height, width = (side * self.config.scale for side in image.shape[-2:])
        centred = reflect_to_multiple(image - self.mean, self.config.window)
        shallow = self.shallow(centred)  # F_s, Eq. 1
        deep = self.trunk(shallow)  # F_d, Eq. 2
        upscaled = self.reconstruct(shallow + deep)  # Θ(F_s + F_d), Eq. 4
        if self.config.bilinear_base:
            upscaled = upscaled + coarse_image(centred, self.config.scale)  # + I_CSR, Eq. 5
        return (upscaled + self.mean)[..., :height, :width]


def reflect_to_multiple(image, multiple):
    """Mirror (B, C, H, W) at its right and bottom edges until H and W are multiples.

    Unlike ``F.pad(mode="reflect")``, it goes on mirroring where a side is smaller than its padding.
    """
    height, width = image.shape[-2:]
    if height % multiple:
        image = image[:, :, _reflected_index(height, multiple, image.device)]
    if width % multiple:
        image = image[:, :, :, _reflected_index(width, multiple, image.device)]
    return image


def _reflected_index(size, multiple, device):
    # 0 1 2 3 2 1 0 1 2 3 ...: a triangle wave of period 2 (size - 1)
    period = max(2 * (size - 1), 1)
    index = torch.arange(-(-size // multiple) * multiple, device=device) % period
    return torch.minimum(index, period - index) if size > 1 else index


def check_image(image):
    """Raise ArgumentError or ArgumentTypeError unless a model takes this for a batch of images."""
    if not torch.is_floating_point(image):
        raise ArgumentTypeError(f"image is {image.dtype}; expected floating point in [0, 1]")
    if image.ndim != 4 or image.shape[1] != 3 or 0 in image.shape:
        raise ArgumentError(
            f"image has shape {tuple(image.shape)}; expected (B, 3, H, W) with H, W at least 1"
        )


def initialise(module):
    """Give a linear layer its initial weights, as in Swin Transformer; for ``model.apply``.

    Convolutions, the 1×1 among them, keep PyTorch's own start.
    """
    if type(module) is nn.Linear:
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
