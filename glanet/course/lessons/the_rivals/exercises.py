"""Exercises of notebook 15: the mechanisms of RCAN, SAN, HAN, RNAN, CSNLN, NLSN and IGNN."""

import torch
from torch.nn import functional as F

from glanet.course.kit.checks import Exercise, random_weights, run_module, trains_alike
from glanet.rivals import csnln, han, nlsn, rcan, rnan, san


def normal(rng, *shape):
    """Normally distributed float64 numbers: rounding stays far below any real difference."""
    return torch.from_numpy(rng.standard_normal(shape))


# Exercise 1: RCAN


def _weighs(weights, use=lambda features, weights: features * weights):
    """Channel attention whose weights, or whose use of them, are mistaken."""

    def forward(self, features):
        return use(features, weights(self.conv_du, features))

    return type("Mistaken", (rcan.ChannelAttention,), {"forward": forward})


def _means(features):
    return features.mean((2, 3), keepdim=True)


def _right_weights(steps, features):
    return steps(_means(features))


def _draw_channel_attention(rng):
    cases = []
    for settings, shape in (((16, 2), (2, 5, 4)), ((12, 3), (3, 4, 6))):
        weights = random_weights(rcan.ChannelAttention(*settings), rng)
        batch, *sides = shape
        cases.append((settings, weights, 1 + normal(rng, batch, settings[0], *sides).float()))
    return cases


channel_attention = Exercise(
    "the_rivals",
    "ChannelAttention",
    rcan.ChannelAttention,
    _draw_channel_attention,
    {
        "the weights come from the largest values: take the means, features.mean(dim=(2, 3), "
        "keepdim=True)": _weighs(lambda steps, x: steps(x.amax((2, 3), keepdim=True))),
        "the weights come from sums: take means, or large images get other weights than small "
        "ones": _weighs(lambda steps, x: steps(x.sum((2, 3), keepdim=True))),
        "each row has its own mean: take the mean over rows and columns, dim=(2, 3)": (
            _weighs(lambda steps, x: steps(x.mean(3, keepdim=True)))
        ),
        "each column has its own mean: take the mean over rows and columns, dim=(2, 3)": (
            _weighs(lambda steps, x: steps(x.mean(2, keepdim=True)))
        ),
        "each pixel has its own weights: average over rows and columns first": (
            _weighs(lambda steps, x: steps(x))
        ),
        "all images of the batch share their means: keep the first axis, dim=(2, 3)": (
            _weighs(lambda steps, x: steps(x.mean((0, 2, 3), keepdim=True)))
        ),
        "this returns the weights alone: multiply the features by them": (
            _weighs(_right_weights, lambda x, weights: weights)
        ),
        "the features are added to the product: return the product alone": (
            _weighs(_right_weights, lambda x, weights: x + x * weights)
        ),
        "the weights are added to the features: multiply": (
            _weighs(_right_weights, lambda x, weights: x + weights)
        ),
        "the sigmoid is missing: weights lie between 0 and 1": (
            _weighs(lambda steps, x: steps[:3](_means(x)))
        ),
        "the weights are a softmax, which adds up to 1 over the channels: use a sigmoid": (
            _weighs(lambda steps, x: steps[:3](_means(x)).softmax(1))
        ),
        "the ReLU is missing: two linear steps in a row are one": (
            _weighs(lambda steps, x: steps[3](steps[2](steps[0](_means(x)))))
        ),
    },
    run=run_module,
    also=trains_alike,
    tolerance=1e-5,  # float32 rounds differently in another order
)


# Exercise 2: SAN's covariance


def _flat(features):
    return features.flatten(2)


def _centred(features):
    flat = _flat(features)
    return flat - flat.mean(-1, keepdim=True)


def _product(rows, count=None):
    return rows @ rows.mT / (count or rows.shape[-1])


def _correlation(features):
    matrix = san.covariance(features)
    deviation = matrix.diagonal(dim1=1, dim2=2).sqrt()
    return matrix / (deviation[:, :, None] * deviation[:, None])


covariance = Exercise(
    "the_rivals",
    "covariance",
    san.covariance,
    lambda rng: [(2 + normal(rng, *shape),) for shape in ((2, 4, 3, 5), (1, 3, 4, 4))],
    {
        "the means are still in: subtract each channel's mean over the pixels first": (
            lambda x: _product(_flat(x))
        ),
        "the mean over the channels is subtracted: subtract the mean over the pixels, dim=-1": (
            lambda x: _product(_flat(x) - _flat(x).mean(1, keepdim=True))
        ),
        "one mean of all channels is subtracted: each channel has its own": (
            lambda x: _product(_flat(x) - _flat(x).mean((1, 2), keepdim=True))
        ),
        "the sum is not divided: divide by the number of pixels": (
            lambda x: _product(_centred(x), 1)
        ),
        "it is divided by the number of pixels minus 1: divide by H·W": (
            lambda x: _product(_centred(x), _flat(x).shape[-1] - 1)
        ),
        "it is divided by the number of channels: divide by the number of pixels": (
            lambda x: _product(_centred(x), x.shape[1])
        ),
        "this compares pixels, (H·W, H·W): compare channels, centred @ centred.mT": (
            lambda x: _product(_centred(x).mT, _flat(x).shape[-1])
        ),
        "this is the correlation, whose diagonal is 1: do not divide by the deviations": (
            _correlation
        ),
        "all images of the batch share one matrix: keep the first axis": (
            lambda x: san.covariance(x).mean(0, keepdim=True).expand(len(x), -1, -1)
        ),
    },
)


# Exercise 3: SAN's square root


def square_root(matrix, steps):
    """Square root of positive semi-definite matrices, approximately: (B, N, N) -> (B, N, N).

    `san.square_root` with any number of steps.
    """
    return _iterate(matrix, steps)


def _trace(matrix):
    return matrix.diagonal(dim1=1, dim2=2).sum(-1)[:, None, None]


def _iterate(matrix, steps, *, by=_trace, back=torch.sqrt, three=3.0, half=0.5, after=None):
    """The iteration, with steps that can be mistaken; ``after`` picks and mends the answer."""
    scale = by(matrix)
    identity = torch.eye(matrix.shape[-1], dtype=matrix.dtype)
    root, inverse = matrix / scale, identity.expand_as(matrix)
    for _ in range(steps):
        step = half * (three * identity - inverse @ root)
        root, inverse = root @ step, step @ inverse
    return after(root, inverse, scale) if after else root * back(scale)


def _one_after_the_other(matrix, steps):
    scale, identity = _trace(matrix), torch.eye(matrix.shape[-1], dtype=matrix.dtype)
    root, inverse = matrix / scale, identity.expand_as(matrix)
    for _ in range(steps):
        root = root @ (3 * identity - inverse @ root) / 2
        inverse = (3 * identity - inverse @ root) / 2 @ inverse
    return root * scale.sqrt()


def _draw_matrices(rng):
    cases = []
    for batch, size, steps in ((2, 4, 5), (1, 3, 2)):
        rows = normal(rng, batch, size, 3 * size)
        cases.append((rows @ rows.mT / size, steps))
    return cases


newton_schulz = Exercise(
    "the_rivals",
    "newton_schulz",
    square_root,
    _draw_matrices,
    {
        "the matrix is not divided by its trace before: above 3, eigenvalues end with the wrong "
        "sign, or explode": lambda a, n: _iterate(a, n, by=lambda a: torch.ones_like(_trace(a))),
        "the root is of the matrix divided by its trace: multiply it by √trace": (
            lambda a, n: _iterate(a, n, back=torch.ones_like)
        ),
        "the root is multiplied by the trace: multiply it by √trace": (
            lambda a, n: _iterate(a, n, back=lambda scale: scale)
        ),
        "all matrices of the batch share one trace: each has its own": (
            lambda a, n: _iterate(a, n, by=lambda a: _trace(a).sum(0, keepdim=True))
        ),
        "this is Z, the inverse root: return Y": (
            lambda a, n: _iterate(a, n, after=lambda root, inverse, scale: inverse * scale.sqrt())
        ),
        "the step is ½(I − ZY): it is ½(3I − ZY)": lambda a, n: _iterate(a, n, three=1.0),
        "the step is 3I − ZY: half of it": lambda a, n: _iterate(a, n, half=1.0),
        "Z is computed from the new Y: compute the step once, from both, then update both": (
            _one_after_the_other
        ),
        "one step too few": lambda a, n: _iterate(a, n - 1),
        "one step too many": lambda a, n: _iterate(a, n + 1),
        "this takes the root of each entry: the root R of a matrix A is the one with R @ R = A": (
            lambda a, n: a.abs().sqrt()
        ),
    },
    tolerance=1e-5,
)


# Exercise 4: HAN


def _energies(maps):
    flat = maps.flatten(2)
    return flat @ flat.mT


def _alike(maps):
    flat = F.normalize(maps.flatten(2), dim=-1)
    return (-(flat @ flat.mT)).softmax(-1)


def _of_means(maps):
    means = maps.mean((3, 4))
    return (-(means @ means.mT)).softmax(-1)


layer_weights = Exercise(
    "the_rivals",
    "layer_weights",
    han.layer_weights,
    # small numbers: the softmax is not one-hot, so that mistakes show
    lambda rng: [(0.4 * normal(rng, *shape),) for shape in ((2, 3, 2, 2, 3), (1, 5, 2, 3, 1))],
    {
        "the minus is missing: softmax(−energy)": lambda maps: _energies(maps).softmax(-1),
        "the weights of a column add up to 1: the softmax runs along a row, dim=-1": (
            lambda maps: (-_energies(maps)).softmax(-2)
        ),
        "the softmax runs over the batch: it runs along a row, dim=-1": (
            lambda maps: (-_energies(maps)).softmax(0)
        ),
        "the energies are divided by the number of features: HAN does not scale them": (
            lambda maps: (-_energies(maps) / maps[0, 0].numel()).softmax(-1)
        ),
        "the energies are divided by the root of the number of features: HAN does not scale "
        "them": lambda maps: (-_energies(maps) / maps[0, 0].numel() ** 0.5).softmax(-1),
        "the maps are brought to length 1: HAN multiplies them as they are": _alike,
        "the energies are of the channels' means: sum over channels, rows and columns": _of_means,
        "this is the energy: take softmax(−energy)": _energies,
        "this is −energy: take its softmax": lambda maps: -_energies(maps),
    },
)


# Exercise 5: RNAN


def _weighted(weights, swap=lambda q, k: (q, k)):
    def mistaken(query, key, value):
        query, key = swap(query, key)
        return weights(query @ key.mT) @ value

    return mistaken


def _over_queries(scores):
    return scores.softmax(1)


sum_over_keys = Exercise(
    "the_rivals",
    "sum_over_keys",
    rnan.sum_over_keys,
    lambda rng: [tuple(normal(rng, *shape) for _ in range(3)) for shape in ((2, 6, 3), (1, 5, 4))],
    {
        "the softmax runs over the keys, as in notebook 05: here over the queries, dim=1": (
            _weighted(lambda scores: scores.softmax(-1))
        ),
        "the softmax runs over the batch: over the queries, dim=1": (
            _weighted(lambda scores: scores.softmax(0))
        ),
        "one softmax covers all pairs: one for each key, dim=1": (
            _weighted(lambda scores: scores.flatten(1).softmax(1).view_as(scores))
        ),
        "the scores are divided by √C: RNAN does not scale them": (
            lambda q, k, v: _over_queries(q @ k.mT / q.shape[-1] ** 0.5) @ v
        ),
        "query and key are swapped: row i of the scores is query i": (
            _weighted(_over_queries, lambda q, k: (k, q))
        ),
        "the weights are transposed: row i of the result belongs to query i": (
            _weighted(lambda scores: _over_queries(scores).mT)
        ),
        "the weights of each query are brought to a sum of 1: only those of a key add up to 1": (
            _weighted(lambda s: _over_queries(s) / _over_queries(s).sum(-1, keepdim=True))
        ),
        "the sum is divided by the number of keys: it is a sum, not a mean": (
            _weighted(lambda scores: _over_queries(scores) / scores.shape[-1])
        ),
        "there is no softmax: the scores are used as weights": _weighted(lambda scores: scores),
    },
)


# Exercise 6: CSNLN


def _replace(
    query,
    key,
    value,
    scale,
    *,
    weigh=lambda scores: scores.softmax(-1),
    pick=lambda patches, scale: patches,
    shared=lambda placed, scale: placed,
):
    """Right, but for the parts that are given."""
    height, width = query.shape[2:]
    weights = weigh(F.unfold(query, 3, padding=1).mT @ key)
    patches = pick(value @ weights.mT, scale)
    side = 3 * scale
    placed = F.fold(patches, (scale * height, scale * width), side, padding=scale, stride=scale)
    return shared(placed, scale)


def _with(**parts):
    return lambda *case: _replace(*case, **parts)


def _one_hot(scores):
    return F.one_hot(scores.argmax(-1), scores.shape[-1]).to(scores)


def _middles(patches, scale):
    """The large patches without their borders of ``scale`` pixels."""
    grid = patches.unflatten(1, (-1, 3, scale, 3, scale)).clone()
    grid[:, :, [0, 2]] = 0
    grid[:, :, :, :, [0, 2]] = 0
    return grid.flatten(1, 5)


def _swapped(patches, scale):
    square = patches.unflatten(1, (-1, 3 * scale, 3 * scale))
    return square.transpose(2, 3).flatten(1, 3)


def _mean_where_they_overlap(placed, scale):
    ones = torch.ones(1, 9 * scale**2, placed.shape[2] * placed.shape[3] // scale**2)
    count = F.fold(ones.to(placed), placed.shape[2:], 3 * scale, padding=scale, stride=scale)
    return placed / count


def _single_pixels(query, key, value, scale):
    """The scores of the middle pixels of the patches alone."""
    middle = slice(4, None, 9)
    height, width = query.shape[2:]
    weights = (query.flatten(2).mT @ key[:, middle]).softmax(-1)
    size = (scale * height, scale * width)
    return F.fold(value @ weights.mT, size, 3 * scale, padding=scale, stride=scale)


def _draw_patches(rng):
    cases = []
    for batch, c, scale, size, patches in ((2, 2, 2, (3, 4), 5), (1, 1, 3, (3, 2), 4)):
        query = normal(rng, batch, c, *size)
        key, value = (normal(rng, batch, n * c, patches) for n in (9, 9 * scale**2))
        cases.append((query, key, value, scale))
    return cases


replace_patches = Exercise(
    "the_rivals",
    "replace_patches",
    csnln.replace_patches,
    _draw_patches,
    {
        "the softmax runs over the query patches: over the keys, dim=-1": (
            _with(weigh=lambda scores: scores.softmax(1))
        ),
        "the scores are used as weights: take their softmax": _with(weigh=lambda scores: scores),
        "only the best key counts: take the mean weighted by the softmax": _with(weigh=_one_hot),
        "the scores are divided by the root of the length of a patch: CSNLN's are not": (
            lambda query, key, value, scale: _replace(
                query / key.shape[1] ** 0.5, key, value, scale
            )
        ),
        "only the middle pixels are compared: unfold the query into 3×3 patches": _single_pixels,
        "the patches do not overlap: put down all 3·scale × 3·scale pixels of each": (
            _with(pick=_middles)
        ),
        "overlapping patches are averaged: fold adds them up, and so does CSNLN": (
            _with(shared=_mean_where_they_overlap)
        ),
        "rows and columns of the large patches are swapped": (_with(pick=_swapped)),
    },
)


# Exercise 7: NLSN


def _turned(match, rotations):
    return torch.einsum("b n c, c r k -> b r n k", match, rotations)


def _both_ends(turned):
    return torch.cat([turned, -turned], dim=-1)


def _sign_bits(match, rotations):
    bits = (_turned(match, rotations) > 0).long()
    return (bits * 2 ** torch.arange(bits.shape[-1])).sum(-1)


def _on_turned(choose):
    return lambda match, rotations: choose(_turned(match, rotations))


hash_buckets = Exercise(
    "the_rivals",
    "hash_buckets",
    nlsn.hash_buckets,
    lambda rng: [
        (normal(rng, *match), normal(rng, *rotations))
        for match, rotations in (((2, 40, 6), (6, 3, 4)), ((1, 30, 4), (4, 2, 3)))
    ],
    {
        "each axis has only one end: join turned and −turned, then take the argmax": (
            _on_turned(lambda turned: turned.argmax(-1))
        ),
        "both ends of an axis share a bucket: join turned and −turned instead of taking abs()": (
            _on_turned(lambda turned: turned.abs().argmax(-1))
        ),
        "this is the farthest end: take the argmax of cat([turned, -turned]), in this order": (
            _on_turned(lambda turned: _both_ends(turned).argmin(-1))
        ),
        "the two ends of an axis are numbered side by side: join along the last axis, so that "
        "bucket k and bucket k + buckets/2 are opposite": (
            _on_turned(lambda turned: torch.stack([turned, -turned], -1).flatten(-2).argmax(-1))
        ),
        "the rounds are on the last axis: the result is (B, rounds, N)": (
            lambda match, rotations: nlsn.hash_buckets(match, rotations).mT
        ),
        "these are the signs read as a binary number: take the nearest end, by argmax": _sign_bits,
        "this is the product itself, max(): its place is the bucket, argmax()": (
            _on_turned(lambda turned: _both_ends(turned).amax(-1))
        ),
        "all rounds use the first rotation: each round has its own": (
            lambda match, rotations: nlsn.hash_buckets(match, rotations[:, :1].expand_as(rotations))
        ),
    },
)


# Exercise 8: IGNN


def nearest(query, key, k):
    """The places of the ``k`` keys nearest to each query: (N, C), (M, C) -> (N, k), nearest first.

    Distances are Euclidean.
    """
    return _distances(query, key).topk(k, largest=False).indices


def _distances(query, key):
    return (query[:, None] - key[None]).square().sum(-1)


nearest_patches = Exercise(
    "the_rivals",
    "nearest_patches",
    nearest,
    lambda rng: [
        (normal(rng, 12, 4), 0.3 + normal(rng, 20, 4), 3),
        (normal(rng, 9, 2), normal(rng, 9, 2), 2),
    ],
    {
        "these are the farthest: topk(k, largest=False)": (
            lambda query, key, k: _distances(query, key).topk(k).indices
        ),
        "these have the largest products: a long key has large products with everything, so take "
        "distances": lambda query, key, k: (query @ key.mT).topk(k).indices,
        "these are the most parallel: take distances, not angles": (
            lambda q, key, k: (F.normalize(q, dim=-1) @ F.normalize(key, dim=-1).mT).topk(k).indices
        ),
        "distances are sums of absolute differences: take squares": (
            lambda q, key, k: (q[:, None] - key[None]).abs().sum(-1).topk(k, largest=False).indices
        ),
        "the nearest is left out: keep it": (
            lambda q, key, k: _distances(q, key).topk(k + 1, largest=False).indices[:, 1:]
        ),
        "the farthest of the k comes first: begin with the nearest": (
            lambda query, key, k: nearest(query, key, k).flip(1)
        ),
        "the roles are swapped: find keys for each query": (
            lambda query, key, k: nearest(key, query, k)
        ),
        "each column is a query: the result is (N, k)": (
            lambda query, key, k: nearest(query, key, k).mT
        ),
        "these are the distances: return the places, .indices": (
            lambda query, key, k: _distances(query, key).topk(k, largest=False).values
        ),
    },
)
