"""From image to image through the network: whole, in tiles, with self-ensemble."""

import logging
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from glanet.data.tensors import to_image, to_tensor
from glanet.device import free_memory, is_out_of_memory
from glanet.errors import ArgumentError, GlanetError
from glanet.inference.prepare import Prepared, ready
from glanet.inference.quadrants import in_quadrants

OVERLAP = 32  # LR pixels shared by neighbouring tiles and blended there, or a seam would show
MARGIN = 12  # of these, the outermost that count for nothing: a tile sees too little around them
_LOG = logging.getLogger("glanet")


class OutOfMemoryError(GlanetError, MemoryError):
    """Not even the smallest tile fits into memory."""


def upscale(model, image, tile=None, ensemble=False, cut_at=None, progress=None):
    """The image, enlarged by the network: uint8 (H, W, 3) -> uint8 (scale·H, scale·W, 3).

    Also uint16 -> uint16. Runs on the model's device, in eval mode. By default the whole image goes
    through at once. ``tile``, in LR pixels, bounds the memory: tiles of that side overlap and are
    blended, at the cost of what a pixel near a tile's edge cannot see. After each tile,
    ``progress`` is called with the number of tiles done, and of all. With ``ensemble``, the result
    is the mean over the image's eight orientations (EDSR, Lim et al. 2017): eight times the work.
    With ``cut_at``, the image is cut as many authors did when they measured: into quadrants, and
    these again if they have that many LR pixels (see ``quadrants``).

    Raises:
        ArgumentError: the image is not a uint8 or uint16 (H, W, 3) array; or the tile is not a
            multiple of ``model.multiple``, or not larger than twice the overlap; or the network
            takes no tiles; or both a tile and ``cut_at`` are given.

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
        check_tile(model, tile)
    fast = model if isinstance(model, Prepared) else ready(model)
    run = fast if cut_at is None else partial(in_quadrants, fast, limit=cut_at)
    if ensemble:
        run = partial(self_ensemble, run)
    with torch.no_grad(), _evaluating(model):
        if tile is not None:
            return _in_tiles(run, model, tile, image, progress or _ignore)
        return to_image(run(to_tensor(image, next(model.parameters()).device)), image.dtype)


def upscale_within(
    model: nn.Module,
    lr: np.ndarray,
    memory: int | None = None,
    *,
    tile: int | None = None,
    ensemble: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[np.ndarray, int | None]:
    """The enlarged image and the tile that was used: ``upscale`` where memory may be short.

    Works within half of the memory that is free on the model's device, and within ``memory`` bytes
    where that is less: on the whole image if it fits, else in the largest tiles that do, or in
    tiles of side ``tile``. Where memory runs out nevertheless, smaller tiles are tried, and a
    warning goes to the log of "glanet".

    Returns:
        The enlarged image as of ``upscale``, and the tile's side in LR pixels or None for the whole
        image.

    Raises:
        ArgumentError: as ``upscale``.
        OutOfMemoryError: the smallest tile does not fit, or the network takes no tiles.
    """
    if tile is None:
        half = free_memory(next(model.parameters()).device) // 2
        bound = half if memory is None else min(memory, half)
        tile = tile_that_fits(model, *lr.shape[:2], bound)
    while True:
        try:
            return upscale(model, lr, tile, ensemble, progress=progress), tile
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            found = str(error).splitlines()[0] if str(error) else "no details"
        tile = _smaller_tile(model, tile or max(lr.shape[:2]), found)
        _LOG.warning("Out of memory. Trying again in tiles of %d LR pixels.", tile)


def tile_that_fits(model, height, width, memory):
    """The side of the largest tile that ``upscale`` can do in ``memory`` bytes, in LR pixels.

    None where the whole image of ``height`` × ``width`` LR pixels fits, or where the network takes
    no tiles. Never below the smallest tile that ``upscale`` takes.
    """
    pixels = memory // (4 * model.values_per_pixel)
    if height * width <= pixels or not model.tiling:
        return None
    return max(_smallest_tile(model), int(pixels**0.5) // model.multiple * model.multiple)


def _smallest_tile(model):
    return (2 * OVERLAP // model.multiple + 1) * model.multiple


def _smaller_tile(model, side, found):
    """A tile of at most half the pixels of one with this side."""
    smaller = int(side / 2**0.5) // model.multiple * model.multiple
    if not model.tiling or side <= _smallest_tile(model):
        raise OutOfMemoryError(
            f"{side} × {side} LR pixels at a time do not fit into memory ({found}). Close other "
            "programs, or take a smaller network, such as tiny."
        )
    return max(_smallest_tile(model), smaller)


def _ignore(done, total):
    """The progress that nobody watches."""


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


def check_tile(model, tile):
    """Raise ArgumentError unless ``upscale`` can work in tiles of this side."""
    if not model.tiling:
        raise ArgumentError(f"tile is {tile}; this network needs the whole image: expected None")
    if tile % model.multiple or tile <= 2 * OVERLAP:
        raise ArgumentError(
            f"tile is {tile}; expected a multiple of {model.multiple} over {2 * OVERLAP}"
        )


def _in_tiles(run, model, tile, image, progress):
    """The answers to all tiles, blended; what is kept meanwhile is one row of tiles as floats."""
    scale, device = model.config.scale, next(model.parameters()).device
    height, width, _ = image.shape
    rows, columns = (_spans(size, tile, model.multiple) for size in (height, width))
    row_shares, column_shares = (_shares(spans, scale, device) for spans in (rows, columns))
    sr = np.empty((scale * height, scale * width, 3), image.dtype)
    tops = [scale * span.start for span in rows] + [scale * height]
    carried = torch.zeros(1, 3, 0, scale * width, device=device)
    done = 0
    for row, row_share, (top, bottom) in zip(rows, row_shares, pairwise(tops), strict=True):
        side = scale * (row.stop - row.start)
        band = torch.zeros(1, 3, side, scale * width, device=device)
        band[:, :, : carried.shape[2]] = carried
        for column, column_share in zip(columns, column_shares, strict=True):
            answer = run(to_tensor(image[row, column], device)).float()
            place = slice(scale * column.start, scale * column.stop)
            band[..., place] += answer * torch.outer(row_share, column_share)
            done += 1
            progress(done, len(rows) * len(columns))
        sr[top:bottom] = to_image(band[:, :, : bottom - top], image.dtype)
        carried = band[:, :, bottom - top :].clone()
    return sr


def _spans(size, tile, multiple):
    """Slices of at most ``tile`` that cover 0 ... size and start on multiples of ``multiple``."""
    step = (tile - OVERLAP) // multiple * multiple
    count = max(1, -(-(size - OVERLAP) // step))
    return [slice(i * step, min(i * step + tile, size)) for i in range(count)]


def _shares(spans, scale, device):
    """Blend weights of the tiles along one axis, for each a vector; they sum to 1 everywhere.

    A tile's own border is the image's, where it has no neighbour; elsewhere the outermost
    ``MARGIN`` LR pixels count for nothing, as the network could not see beyond them.
    """
    total = torch.zeros(scale * spans[-1].stop, dtype=torch.float64)  # which MPS does not have
    shares = []
    for span in spans:
        inward = torch.arange(scale * (span.stop - span.start)) + 0.5
        rise = ((inward / scale - MARGIN) / (OVERLAP - 2 * MARGIN)).clamp(0, 1).double()
        share = torch.ones_like(rise)
        if span is not spans[0]:
            share = torch.minimum(share, rise)
        if span is not spans[-1]:
            share = torch.minimum(share, rise.flip(0))
        total[scale * span.start : scale * span.stop] += share
        shares.append(share)
    return [
        (share / total[scale * span.start : scale * span.stop]).float().to(device)
        for span, share in zip(spans, shares, strict=True)
    ]


@contextmanager
def _evaluating(model):
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
