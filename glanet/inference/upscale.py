"""From image to image through the network: whole, in tiles, with self-ensemble."""

from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from torch import nn

from glanet.data.tensors import to_image, to_tensor
from glanet.device import free_memory
from glanet.errors import ArgumentError
from glanet.inference.prepare import biases_kept
from glanet.inference.quadrants import in_quadrants

OVERLAP = 32  # LR pixels shared by neighbouring tiles and blended there, or a seam would show


def upscale(model, image, tile=None, ensemble=False, cut_at=None):
    """The image, enlarged by the network: uint8 (H, W, 3) -> uint8 (scale·H, scale·W, 3).

    Runs on the model's device, in eval mode. By default the whole image goes through at once.
    ``tile``, in LR pixels, bounds the memory: tiles of that side overlap and are blended, at the
    cost of what a pixel near a tile's edge cannot see. With ``ensemble``, the result is the mean
    over the image's eight orientations (EDSR, Lim et al. 2017): eight times the work. With
    ``cut_at``, the image is cut as many authors did when they measured: into quadrants, and these
    again if they have that many LR pixels (see ``quadrants``).

    Raises:
        ArgumentError: the image is not a uint8 (H, W, 3) array; or the tile is not a multiple of
            ``model.multiple``, or not larger than twice the overlap; or the network takes no tiles;
            or both a tile and ``cut_at`` are given.

    Example:
        >>> import numpy as np
        >>> from glanet.inference import upscale
        >>> from glanet.weights import load
        >>> lr = np.full((32, 48, 3), 128, np.uint8)
        >>> upscale(load("tiny-x2"), lr).shape
        (64, 96, 3)
    """
    if tile is not None:
        if cut_at is not None:
            raise ArgumentError(f"tile is {tile} and cut_at {cut_at}; expected one of them")
        _check_tile(model, tile)
    run = model if cut_at is None else partial(in_quadrants, model, limit=cut_at)
    if ensemble:
        run = partial(self_ensemble, run)
    if tile is not None:
        run = partial(_in_tiles, run, model.config.scale, model.multiple, tile)
    with torch.no_grad(), _evaluating(model), biases_kept(model):
        return to_image(run(to_tensor(image, next(model.parameters()).device)))


def upscale_within(
    model: nn.Module,
    lr: np.ndarray,
    memory: int | None = None,
    *,
    tile: int | None = None,
    ensemble: bool = False,
) -> tuple[np.ndarray, int | None]:
    """The enlarged image and the tile that was used: ``upscale`` where memory may be short.

    Works within half of the memory that is free on the model's device, and within ``memory`` bytes
    where that is less: on the whole image if it fits, else in the largest tiles that do. A ``tile``
    that is given is used as it is.

    Returns:
        uint8 (scale·H, scale·W, 3), and the tile's side in LR pixels or None for the whole image.

    Raises:
        ArgumentError: as ``upscale``.
    """
    if tile is None:
        half = free_memory(next(model.parameters()).device) // 2
        bound = half if memory is None else min(memory, half)
        tile = tile_that_fits(model, *lr.shape[:2], bound)
    return upscale(model, lr, tile, ensemble), tile


def tile_that_fits(model, height, width, memory):
    """The side of the largest tile that ``upscale`` can do in ``memory`` bytes, in LR pixels.

    None where the whole image of ``height`` × ``width`` LR pixels fits, or where the network takes
    no tiles. Never below the smallest tile that ``upscale`` takes.
    """
    pixels = memory // (4 * model.values_per_pixel)
    if height * width <= pixels or not model.tiling:
        return None
    smallest = (2 * OVERLAP // model.multiple + 1) * model.multiple
    return max(smallest, int(pixels**0.5) // model.multiple * model.multiple)


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


def _check_tile(model, tile):
    if not model.tiling:
        raise ArgumentError(f"tile is {tile}; this network needs the whole image: expected None")
    if tile % model.multiple or tile <= 2 * OVERLAP:
        raise ArgumentError(
            f"tile is {tile}; expected a multiple of {model.multiple} over {2 * OVERLAP}"
        )


def _in_tiles(run, scale, multiple, tile, image):
    height, width = image.shape[2:]
    total = image.new_zeros(1, 3, scale * height, scale * width)
    weight = image.new_zeros(1, 1, scale * height, scale * width)
    for rows in _spans(height, tile, multiple):
        for columns in _spans(width, tile, multiple):
            answer = run(image[:, :, rows, columns])
            share = torch.outer(*(_ramp(side, scale, image) for side in answer.shape[2:]))
            place = (..., *(slice(scale * s.start, scale * s.stop) for s in (rows, columns)))
            total[place] += share * answer
            weight[place] += share
    return total / weight


def _spans(size, tile, multiple):
    """Slices of at most ``tile`` that cover 0 ... size and start on multiples of ``multiple``."""
    step = (tile - OVERLAP) // multiple * multiple
    count = max(1, -(-(size - OVERLAP) // step))
    return [slice(i * step, min(i * step + tile, size)) for i in range(count)]


def _ramp(size, scale, like):
    """Blend weight of a tile along one axis: rises over the overlap, full in the middle."""
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
