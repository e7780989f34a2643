"""From image to image through the network: whole, in tiles, with self-ensemble."""

from contextlib import contextmanager
from functools import partial

import torch

from glanet.data.tensors import to_image, to_tensor

OVERLAP = 32  # LR pixels shared by neighbouring tiles and blended there, or a seam would show
# float32 values alive at once for each LR pixel and channel of the trunk, measured on tiny
VALUES_ALIVE = 40


def upscale(model, image, tile=None, ensemble=False):
    """The image, enlarged by the network: uint8 (H, W, 3) -> uint8 (scale·H, scale·W, 3).

    Runs on the model's device, in eval mode. By default the whole image goes through at once.
    ``tile``, in LR pixels, bounds the memory: tiles of that side overlap and are blended, at the
    cost of what a pixel near a tile's edge cannot see. With ``ensemble``, the result is the mean
    over the image's eight orientations (EDSR, Lim et al. 2017): eight times the work.

    Raises:
        ValueError: the image is not a uint8 (H, W, 3) array; or the tile is no multiple of the
            network's window, or not larger than twice the overlap.
    """
    window = model.config.window
    if tile is not None and (tile % window or tile <= 2 * OVERLAP):
        raise ValueError(
            f"tile is {tile}; expected a multiple of the window ({window}) over {2 * OVERLAP}"
        )
    run = partial(self_ensemble, model) if ensemble else model
    if tile is not None:
        run = partial(_in_tiles, run, model.config, tile)
    with torch.no_grad(), _evaluating(model):
        return to_image(run(to_tensor(image, next(model.parameters()).device)))


def tile_that_fits(config, height, width, memory):
    """The side of the largest tile that ``upscale`` can do in ``memory`` bytes, in LR pixels.

    None where the whole image of ``height`` × ``width`` LR pixels fits. Never below the smallest
    tile that ``upscale`` takes.
    """
    pixels = memory // (4 * VALUES_ALIVE * config.channels)
    if height * width <= pixels:
        return None
    smallest = (2 * OVERLAP // config.window + 1) * config.window
    return max(smallest, int(pixels**0.5) // config.window * config.window)


def self_ensemble(model, image):
    """Mean of the model's answers to the 8 orientations of ``image``, each turned back.

    (B, 3, H, W) -> (B, 3, scale·H, scale·W).
    """
    answers = []
    for turns in range(4):
        turned = image.rot90(turns, (2, 3))
        answers.append(model(turned).rot90(-turns, (2, 3)))
        answers.append(model(turned.flip(3)).flip(3).rot90(-turns, (2, 3)))
    return torch.stack(answers).mean(0)


def _in_tiles(run, config, tile, image):
    scale = config.scale
    height, width = image.shape[2:]
    total = image.new_zeros(1, 3, scale * height, scale * width)
    weight = image.new_zeros(1, 1, scale * height, scale * width)
    for rows in _spans(height, tile, config.window):
        for columns in _spans(width, tile, config.window):
            answer = run(image[:, :, rows, columns])
            share = torch.outer(*(_ramp(side, scale, image) for side in answer.shape[2:]))
            place = (..., *(slice(scale * s.start, scale * s.stop) for s in (rows, columns)))
            total[place] += share * answer
            weight[place] += share
    return total / weight


def _spans(size, tile, window):
    """Slices of at most ``tile`` that cover 0 ... size and start on the whole image's windows."""
    step = (tile - OVERLAP) // window * window
    count = max(1, -(-(size - OVERLAP) // step))
    return [slice(i * step, min(i * step + tile, size)) for i in range(count)]


def _ramp(size, scale, like):
    """A tile's say in the blend along one side: rises over the overlap, full in the middle."""
    inward = torch.arange(size, device=like.device, dtype=like.dtype) + 0.5
    return torch.minimum(inward, inward.flip(0)).clamp(max=scale * OVERLAP) / (scale * OVERLAP)


@contextmanager
def _evaluating(model):
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
