"""NLSN: attention over the whole image, among the pixels that hash alike.

Mei, Fan, Zhou: *Image Super-Resolution with Non-Local Sparse Attention*, CVPR 2021. EDSR's body,
with non-local sparse attention (NLSA) before it and after every eighth block. A random rotation
gives each pixel a hash bucket (spherical locality-sensitive hashing, LSH). Pixels are sorted by
bucket and cut into chunks; each attends to its own chunk and to the two beside it. So the cost
grows with the number of pixels, not with its square.
"""

import re
from dataclasses import dataclass
from typing import ClassVar

import torch
from einops import rearrange
from torch import nn
from torch.nn import functional as F

from glanet.config import ModelShape
from glanet.rivals.common import RESIDUAL_SCALE, Frame, ResidualBlock, Upsampler, conv, scale_of

MOST_BUCKETS = 128


@dataclass(frozen=True, kw_only=True)
class NLSNConfig(ModelShape):
    """The shape of an NLSN. The defaults are the paper's network at ×2."""

    network: ClassVar[str] = "nlsn"
    PRESETS: ClassVar[dict[str, dict]] = {
        "tiny": {"groups": 5, "blocks": 5, "channels": 16, "chunk": 32, "hashes": 2},
        "paper": {},
    }

    groups: int = 4  # of residual blocks, with attention before the first and after each
    blocks: int = 8  # residual blocks in each group
    channels: int = 256  # width of the trunk
    chunk: int = 144  # pixels that attend to each other
    hashes: int = 4  # rounds of hashing, each with rotations of its own

    def __post_init__(self):
        super().__post_init__()
        self.require_at_least(groups=1, blocks=1, channels=1, chunk=1, hashes=1)
        self.require(self.channels % 4 == 0, "channels", "a multiple of 4")


class SparseAttention(nn.Module):
    """Non-local sparse attention (NLSA): (B, C, H, W) -> the same.

    Each round of hashing sorts the pixels anew. A pixel's result is the mean over the rounds,
    weighted by how much of its likeness each has found.
    """

    def __init__(self, config):
        super().__init__()
        c = config.channels
        self.chunk, self.hashes = config.chunk, config.hashes
        self.conv_match = nn.Sequential(conv(c, c // 4))
        self.conv_assembly = nn.Sequential(conv(c, c, 1))

    def forward(self, features, generator=None):
        """``generator`` draws the rotations on the CPU; without one, the device's own does."""
        height = features.shape[2]
        match = rearrange(self.conv_match(features), "b c h w -> b (h w) c")
        value = rearrange(self.conv_assembly(features), "b c h w -> b (h w) c")
        orders = sort_by_bucket(match.detach(), self._rotations(match, generator)).unbind(1)
        rounds = [attend_within_chunks(match, value, order, self.chunk) for order in orders]
        results, likeness = (torch.stack(parts) for parts in zip(*rounds, strict=True))
        weights = likeness.softmax(dim=0)  # over the rounds
        mixed = (weights[..., None] * results).sum(dim=0)
        return features + RESIDUAL_SCALE * rearrange(mixed, "b (h w) c -> b c h w", h=height)

    def _rotations(self, match, generator):
        """(C/4, hashes, buckets/2); an even number of buckets, about one for each chunk."""
        chunks = max(1, match.shape[1] // self.chunk)
        half = min(chunks + chunks % 2, MOST_BUCKETS) // 2
        device = generator.device if generator else match.device
        drawn = torch.randn(match.shape[2], self.hashes, half, generator=generator, device=device)
        return drawn.to(match)


def hash_buckets(match, rotations):
    """The bucket of each vector in each round of hashing, spherical LSH (Andoni et al., 2015).

    A bucket is one end of one axis of a randomly turned space: the end nearest to the vector.
    (B, N, C), (C, hashes, buckets/2) -> (B, hashes, N), in 0 ... buckets - 1.
    """
    turned = torch.einsum("b n c, c r k -> b r n k", match, rotations)
    return torch.cat([turned, -turned], dim=-1).argmax(dim=-1)


def sort_by_bucket(match, rotations):
    """The elements in the order of their buckets, for each round of hashing.

    (B, N, C), (C, hashes, buckets/2) -> permutations (B, hashes, N).

    One sort for all rounds, and not a stable one, as in the release: the order within a bucket
    decides where chunks are cut, and moves the network's output by up to 0.3 %.
    """
    buckets = hash_buckets(match, rotations)
    rounds = torch.arange(buckets.shape[1], device=buckets.device)[:, None]
    order = (buckets + 2 * rotations.shape[2] * rounds).flatten(1).argsort(dim=1)
    return order.view_as(buckets) % buckets.shape[2]


def attend_within_chunks(match, value, order, chunk):
    """One round of attention: in ``order``, each chunk attends to itself and its two neighbours.

    ``match`` (B, N, C/4) are queries and keys, ``value`` (B, N, C), ``order`` (B, N) a permutation
    for each image -> sums (B, N, C) and the logarithm of each softmax's denominator (B, N). Keys
    have length 1. The first and the last chunk are neighbours; the last is filled up with the last
    elements again. At most ``chunk`` elements make one chunk: all attend to all.
    """
    length = match.shape[1]
    chunk = min(chunk, length)
    missing = -length % chunk
    filled = torch.cat([order, order[:, length - missing :]], dim=1)
    query = rearrange(_take(match, filled), "b (n i) c -> b n i c", i=chunk)
    value = rearrange(_take(value, filled), "b (n j) c -> b n j c", j=chunk)
    key = _with_neighbours(F.normalize(query, dim=-1, eps=5e-5))
    scores = query @ key.mT  # (B, chunks, chunk, 3 · chunk)
    sums = rearrange(scores.softmax(dim=-1) @ _with_neighbours(value), "b n i c -> b (n i) c")
    likeness = rearrange(scores.logsumexp(dim=-1), "b n i -> b (n i)")
    back = order.argsort(dim=-1)
    return _take(sums, back), likeness.gather(1, back)


def _take(vectors, index):
    """(B, N, C), (B, M) -> (B, M, C)."""
    return vectors.take_along_dim(index[..., None], dim=1)


def _with_neighbours(chunks):
    """(B, n, m, C) -> (B, n, 3·m, C): each chunk, the one before it, the one after it."""
    return torch.cat([chunks, chunks.roll(1, dims=1), chunks.roll(-1, dims=1)], dim=2)


class Body(nn.Sequential):
    """Attention, groups of blocks with attention after each, a convolution: (B, C, H, W) -> same.

    In training, rotations come from the global generator. In evaluation they are the same in every
    pass, as the authors seed their generator before they measure.
    """

    def __init__(self, config):
        parts = [SparseAttention(config)]
        for _ in range(config.groups):
            parts += [ResidualBlock(config.channels) for _ in range(config.blocks)]
            parts.append(SparseAttention(config))
        super().__init__(*parts, conv(config.channels, config.channels))

    def forward(self, features):
        generator = None if self.training else torch.Generator().manual_seed(1)
        for part in self:
            drawn = (generator,) if isinstance(part, SparseAttention) else ()
            features = part(features, *drawn)
        return features


class NLSN(Frame):
    """Non-local sparse network."""

    value_range = 1.0

    def __init__(self, config):
        super().__init__(config)
        c = config.channels
        self.head = nn.Sequential(conv(3, c))
        self.body = Body(config)
        self.tail = nn.Sequential(Upsampler(c, config.scale), conv(c, 3))

    @property
    def values_per_pixel(self):
        """The larger of what attention and the upsampler hold.

        Fitted to the peak of all memory alive on a CPU, by PyTorch's profiler: paper at 48² LR
        pixels, tiny at 48² and 96², not at ×3.
        """
        c, scale = self.config.channels, self.config.scale
        return max(13 * c + 2 * MOST_BUCKETS * self.config.hashes, {2: 17, 3: 24, 4: 51}[scale] * c)

    def repeated(self):
        """The residual blocks."""
        return [part for part in self.body if isinstance(part, ResidualBlock)]


def read_released(tensors):
    """The config and the tensors, whose names are ours; None where they are not NLSN's."""
    match = tensors.get("body.0.conv_match.0.weight")
    if match is None:
        return None
    found = (re.fullmatch(r"body\.(\d+)\.conv_match\.0\.weight", name) for name in tensors)
    places = sorted(int(name[1]) for name in found if name)
    config = NLSNConfig(
        scale=scale_of(tensors),
        groups=len(places) - 1,
        blocks=places[1] - 1,
        channels=match.shape[1],
    )
    return config, tensors
