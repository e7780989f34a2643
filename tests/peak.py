"""How much memory a model's forward needs at its peak, for each pixel."""

import torch

from glanet.device import Alive


def values_per_pixel(model, side):
    """The float32 values alive at the peak of ``model``'s forward, for each LR pixel.

    Of an image of ``side`` × ``side`` pixels, in inference. The image and the result count;
    parameters do not, nor what a kernel takes for itself while it runs.
    """
    image = torch.zeros(1, 3, side, side)
    with torch.no_grad(), Alive() as alive:
        model(image)
    return (image.nbytes + alive.most) / 4 / side**2
