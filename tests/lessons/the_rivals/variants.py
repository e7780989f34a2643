"""Right answers to the exercises of notebook 15 in other words."""

import torch
import torch.nn.functional as F
from torch import nn


class Squeezed(nn.Module):
    """Channel attention by hand, from the weights of its convolutions."""

    def __init__(self, channels, reduction):
        super().__init__()
        squeezed = channels // reduction
        steps = (nn.Conv2d(channels, squeezed, 1), nn.ReLU(), nn.Conv2d(squeezed, channels, 1))
        self.conv_du = nn.Sequential(*steps, nn.Sigmoid())

    def forward(self, features):
        squeeze, _, excite, _ = self.conv_du
        means = F.adaptive_avg_pool2d(features, 1).flatten(1)
        hidden = F.linear(means, squeeze.weight.flatten(1), squeeze.bias).clamp(min=0)
        weights = torch.sigmoid(F.linear(hidden, excite.weight.flatten(1), excite.bias))
        return torch.einsum("b c h w, b c -> b c h w", features, weights)


def covariance_by_cov(features):
    return torch.stack([torch.cov(one.flatten(1), correction=0) for one in features])


def covariance_of_products(features):
    flat = features.flatten(2)
    mean = flat.mean(-1)
    products = torch.einsum("b c n, b d n -> b c d", flat, flat) / flat.shape[-1]
    return products - mean[:, :, None] * mean[:, None]


def newton_schulz_by_image(matrix, steps):
    roots = []
    for one in matrix:
        trace = torch.trace(one)
        y, z = one / trace, torch.eye(len(one), dtype=one.dtype)
        for _ in range(steps):
            s = 1.5 * torch.eye(len(one), dtype=one.dtype) - 0.5 * z @ y
            y, z = torch.matmul(y, s), torch.matmul(s, z)
        roots.append(y * trace**0.5)
    return torch.stack(roots)


def weights_by_exponentials(maps):
    energy = torch.einsum("b n c h w, b m c h w -> b n m", maps, maps)
    least = energy.amin(-1, keepdim=True)  # so that nothing overflows
    raised = torch.exp(least - energy)
    return raised / raised.sum(-1, keepdim=True)


def sum_by_einsum(query, key, value):
    scores = torch.einsum("b i c, b j c -> b i j", query, key)
    return torch.einsum("b i j, b j c -> b i c", F.softmax(scores, dim=-2), value)


def replace_by_loops(query, key, value, scale):
    batch, _, height, width = query.shape
    side, channels = 3 * scale, value.shape[1] // (3 * scale) ** 2
    patches = F.unfold(query, 3, padding=1)
    larger = query.new_zeros(batch, channels, scale * (height + 2), scale * (width + 2))
    for place in range(height * width):
        row, column = divmod(place, width)
        scores = torch.einsum("b e, b e n -> b n", patches[:, :, place], key)
        patch = torch.einsum("b v n, b n -> b v", value, scores.softmax(-1))
        top, left = scale * row, scale * column
        larger[:, :, top : top + side, left : left + side] += patch.view(
            batch, channels, side, side
        )
    return larger[:, :, scale:-scale, scale:-scale]


def buckets_by_rounds(match, rotations):
    found = []
    for number in range(rotations.shape[1]):
        turned = match @ rotations[:, number]
        found.append(torch.argmax(torch.cat((turned, -turned), 2), 2))
    return torch.stack(found, 1)


def nearest_by_sorting(query, key, k):
    return torch.cdist(query, key, compute_mode="donot_use_mm_for_euclid_dist").argsort(1)[:, :k]


VARIANTS = {
    "ChannelAttention": (Squeezed,),
    "covariance": (covariance_by_cov, covariance_of_products),
    "newton_schulz": (newton_schulz_by_image,),
    "layer_weights": (weights_by_exponentials,),
    "sum_over_keys": (sum_by_einsum,),
    "replace_patches": (replace_by_loops,),
    "hash_buckets": (buckets_by_rounds,),
    "nearest_patches": (nearest_by_sorting,),
}
