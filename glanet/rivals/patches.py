"""Square patches of maps: cut out, compared, and put where others were. For CSNLN and IGNN."""

from itertools import groupby

import torch
from einops import rearrange
from torch.nn import functional as F

from glanet.rivals.common import SCORES, attend


def to_patches(maps, size, stride):
    """Square patches that cover the maps: (B, C, H, W) -> (B, C, size², rows, columns).

    Zeros are added at the right and the bottom where the last patch reaches beyond the map.
    H, W > size - stride.
    """
    bottom, right = (-(side - size) % stride for side in maps.shape[2:])
    padded = F.pad(maps, (0, right, 0, bottom))
    rows = (padded.shape[2] - size) // stride + 1
    patches = F.unfold(padded, size, stride=stride)
    return rearrange(patches, "b (c p) (h w) -> b c p h w", p=size**2, h=rows)


def from_patches(patches, stride, height, width):
    """Maps in which overlapping patches are averaged: (B, C, size², rows, columns) -> (B, C, H, W).

    Undoes `to_patches`, and crops what it added.
    """
    _, _, area, rows, columns = patches.shape
    size = round(area**0.5)
    sides = (rows - 1) * stride + size, (columns - 1) * stride + size
    flat = rearrange(patches, "b c p h w -> b (c p) (h w)")
    total = F.fold(flat, sides, size, stride=stride)
    count = F.fold(torch.ones_like(flat[:1, :area]), sides, size, stride=stride)
    return (total / count)[..., :height, :width]


def nearest(queries, keys, neighbours, window, scale):
    """The most alike keys of each query, by Euclidean distance.

    queries (B, D, rows, columns), of an image; keys (B, D, rows', columns'), of the image shrunk by
    ``scale`` -> (B, neighbours, rows, columns), which count keys from left to right and from top
    to bottom.

    A query looks at ``window`` × ``window`` keys about its own place, or as many as there are,
    shifted inwards at the edges. Memory grows with the number of queries, not with its square.
    """
    lengths = keys.square().sum(1)
    places = torch.arange(lengths[0].numel(), device=keys.device).view(lengths.shape[1:])
    bands = []
    for rows, key_rows in _windows(queries.shape[2], keys.shape[2], window, scale):
        band = []
        for columns, key_columns in _windows(queries.shape[3], keys.shape[3], window, scale):
            seen = ..., key_rows, key_columns
            products = torch.einsum("bdij,bdrc->bijrc", queries[..., rows, columns], keys[seen])
            # squared, less the query's length, which changes no order
            distances = lengths[seen][:, None, None] - 2 * products
            best = distances.flatten(3).topk(neighbours, largest=False).indices
            band.append(places[seen].flatten()[best])
        bands.append(torch.cat(band, dim=2))
    return rearrange(torch.cat(bands, dim=1), "b i j k -> b k i j")


def _windows(count, available, window, scale):
    """Along an axis of ``count`` queries: slices of those that see the same keys, and of these."""
    furthest = max(available - window, 0)
    starts = [min(max(i // scale - window // 2, 0), furthest) for i in range(count)]
    for start, group in groupby(range(count), key=starts.__getitem__):
        first, *rest = group
        yield slice(first, first + len(rest) + 1), slice(start, start + window)


def take(patches, index):
    """(B, C, P, rows', columns') at ``index`` (B, rows, columns) -> (B, C, P, rows, columns)."""
    flat = patches.flatten(3)
    places = index.flatten(1)[:, None, None].expand(*flat.shape[:3], -1)
    return flat.gather(3, places).unflatten(3, index.shape[1:])


def statistics(patches):
    """Mean and deviation of each channel of each patch, and the patches freed of both."""
    variance, mean = torch.var_mean(patches, dim=2, keepdim=True)
    deviation = (variance + 1e-5).sqrt()
    return mean, deviation, (patches - mean) / deviation


def replace_patches(query, key, value, scale, scores=SCORES):
    """Each 3×3 patch of ``query`` becomes a mean of large patches, which are summed where they lie.

    ``query`` (B, E, H, W), ``key`` (B, 9·E, N), ``value`` (B, C·(3·scale)², N): N patches, of which
    the keys are like the query, and the values are what to put in its place ->
    (B, C, scale·H, scale·W). In bands of whole rows, of about ``scores`` numbers.
    """
    height, width = query.shape[2:]
    channels, side = value.shape[1] // (3 * scale) ** 2, (width + 2) * scale
    total = value.new_zeros(len(value), channels, (height + 2) * scale, side)
    query = F.pad(query, (1, 1, 1, 1))
    rows = max(1, scores // (width * max(value.shape[1:])))
    for top in range(0, height, rows):
        band = query[:, :, top : top + rows + 2]
        size = (band.shape[2] * scale, side)
        found = attend(F.unfold(band, 3).mT, key.mT, value.mT).mT
        placed = F.fold(found, size, 3 * scale, stride=scale)
        total[:, :, top * scale : top * scale + placed.shape[2]] += placed
    return total[:, :, scale:-scale, scale:-scale]
