"""A model that repeats each pixel: quick, and its result is known."""

import torch

from glanet import ModelConfig


class Nearest(torch.nn.Module):
    """×2, on the CPU."""

    multiple, tiling, values_per_pixel = 8, True, 30

    def __init__(self):
        super().__init__()
        self.config = ModelConfig.preset("tiny")
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, lr):
        return lr.repeat_interleave(2, 2).repeat_interleave(2, 3)


class Silent:
    """A watcher of `upscale_all` that shows nothing."""

    def begin(self, outcome):
        pass

    def tiles(self, done, total):
        pass
