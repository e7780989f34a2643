"""Right answers to the exercises of notebook 03 in other words."""

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage, signal
from torch import nn


def by_shifts(image, kernel):
    answer = np.zeros(image.shape)
    rows, columns = image.shape
    for i in range(rows):
        for j in range(columns):
            for u in (-1, 0, 1):
                for v in (-1, 0, 1):
                    if 0 <= i + u < rows and 0 <= j + v < columns:
                        answer[i, j] += kernel[u + 1, v + 1] * image[i + u, j + v]
    return answer


def by_slices_of_the_image(image, kernel):
    padded = np.pad(image, 1)
    rows, columns = image.shape
    return sum(
        kernel[u, v] * padded[u : u + rows, v : v + columns] for u in range(3) for v in range(3)
    )


def by_scipy(image, kernel):
    return signal.correlate2d(image, kernel, mode="same")


def by_ndimage(image, kernel):
    return ndimage.correlate(image.astype(float), kernel, mode="constant")


def by_torch(image, kernel):
    image, kernel = (torch.tensor(array, dtype=torch.float64) for array in (image, kernel))
    return F.conv2d(image[None, None], kernel[None, None], padding=1)[0, 0].numpy()


class ByEinsum(nn.Module):
    """Unfold the neighbourhoods, and multiply them by the weights."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 3, 1, 1)

    def forward(self, image):
        b, _, h, w = image.shape
        columns = F.unfold(image, 3, padding=1).transpose(1, 2)  # (B, H·W, 27)
        return (columns @ self.conv.weight.flatten(1).T + self.conv.bias).view(b, h, w, -1)


class InThatOrder(nn.Module):
    """Not contiguous: only the numbers count."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(3, channels, (3, 3), padding="same")

    def forward(self, image):
        return self.conv(image).movedim(1, -1)


def by_strides(channels, scale):
    b, many, h, w = channels.shape
    answer = channels.new_empty(b, many // scale**2, scale * h, scale * w)
    for i in range(scale):
        for j in range(scale):
            answer[:, :, i::scale, j::scale] = channels[:, i * scale + j :: scale**2]
    return answer


def by_views(channels, scale):
    b, many, h, w = channels.shape
    parts = channels.reshape(b, many // scale**2, scale, scale, h, w)
    return parts.permute(0, 1, 4, 2, 5, 3).reshape(b, -1, h * scale, w * scale)


def by_pytorch(channels, scale):
    return nn.PixelShuffle(scale)(channels)


class OneHead(nn.Module):
    def __init__(self, channels, scale):
        super().__init__()
        conv = nn.Conv2d(channels, 3 * scale * scale, 3, padding=1)
        for parameter in conv.parameters():
            parameter.data.zero_()
        self.to_image = nn.Sequential(conv, nn.PixelShuffle(scale))

    def forward(self, tokens):
        return self.to_image(tokens.movedim(-1, 1).contiguous())


class HeadOfOneLayer(nn.Module):
    """The shuffle is not a layer here."""

    def __init__(self, channels, scale):
        super().__init__()
        self.to_image = nn.Sequential(nn.Conv2d(channels, 3 * scale**2, 3, padding="same"))
        nn.init.constant_(self.to_image[0].weight, 0)
        nn.init.constant_(self.to_image[0].bias, 0)
        self.scale = scale

    def forward(self, tokens):
        return F.pixel_shuffle(self.to_image(tokens.transpose(2, 3).transpose(1, 2)), self.scale)


VARIANTS = {
    "convolve": (by_shifts, by_slices_of_the_image, by_scipy, by_ndimage, by_torch),
    "ShallowFeatures": (ByEinsum, InThatOrder),
    "pixel_shuffle": (by_strides, by_views, by_pytorch),
    "LightHead": (OneHead, HeadOfOneLayer),
}
