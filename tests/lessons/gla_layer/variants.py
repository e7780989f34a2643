"""Right answers to the exercises of notebook 07 in other words."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from glanet.model import layer as package
from glanet.model.attention import WindowAttention
from glanet.model.inception import Inception
from glanet.model.tokens import TokenConv1x1


def masked(v, weight, edges=None):
    """The whole matrix five times, with all columns but a branch's set to 0."""
    channels = weight.shape[0]
    edges = edges or [0, 4, 5, 6, 7, 8]  # in quarters of the channels
    parts = []
    for start, stop in pairwise(edges):
        mask = torch.zeros(2 * channels, dtype=weight.dtype)
        mask[start * channels // 4 : stop * channels // 4] = 1
        parts.append(F.linear(v, weight * mask))
    return torch.stack(parts)


def gelu(x):
    return x * (1 + torch.erf(x / 2**0.5)) / 2


class Perceptron(nn.Module):
    """The MLP from its tensors, with knobs to turn wrong."""

    before, between, after, residual = nn.Identity(), staticmethod(gelu), nn.Identity(), 0

    def __init__(self, channels, ratio):
        super().__init__()
        hidden = int(ratio * channels)
        self.add_module("0", nn.Linear(channels, hidden))
        self.add_module("2", nn.Linear(hidden, channels))

    def forward(self, tokens):
        first, second = self.children()
        hidden = self.between(F.linear(self.before(tokens), first.weight, first.bias))
        answer = self.after(F.linear(hidden, second.weight, second.bias))
        return answer + self.residual * tokens


class WithRand(nn.Module):
    """Another source of luck, with knobs to turn wrong."""

    def __init__(self, probability):
        super().__init__()
        self.p = probability

    def stays(self, draw):
        return draw >= self.p

    def draw(self, branch):
        return torch.rand(len(branch))

    def scaled(self, branch):
        return branch / (1 - self.p)

    def calm(self, branch):
        return branch

    def forward(self, branch):
        if not self.training:
            return self.calm(branch)
        stays = self.stays(self.draw(branch)).to(branch)
        while stays.ndim < branch.ndim:
            stays = stays.unsqueeze(-1)
        return torch.where(stays > 0, self.scaled(branch), torch.zeros_like(branch))


class Layer(nn.Module):
    """The layer written another way: as two functions that are added, with knobs."""

    feeds_mlp, passes_mlp = "middle", "middle"  # what the MLP reads, and what passes by it
    keeps, norms, order, reads = (1, 1), (1, 1), (0, 1), "x"
    bias, rolls, drops, shifts = 1, False, (1, 1), True

    def __init__(self, channels, heads, window, shift, mlp_ratio=2, drop_probability=0, **switches):
        super().__init__()
        self.probability = drop_probability
        whole = package.GLALayer(
            channels,
            heads,
            window,
            shift if self.shifts else 0,
            mlp_ratio=mlp_ratio,
            **switches,
        )
        for name, part in whole.named_children():
            setattr(self, name, part)
        self.attention, self.inception, self.fuse = whole.attention, whole.inception, whole.fuse

    def dropped(self, branch, number):
        if not self.drops[number] or not self.training or not self.probability:
            return branch
        return 0 * branch  # with the other probability of the exercise, always

    def side_by_side(self, tokens):
        x = self.norm1(tokens) if self.norms[0] else tokens
        views = [self.attention(x)] if self.attention else []
        if self.inception is None:
            return views[0]
        seen = {"x": x, "tokens": tokens, "z": views[0] if views else x}[self.reads]
        if self.rolls and views:
            seen = torch.roll(seen, [-self.attention.shift] * 2, [1, 2])
        views.append(self.inception(seen))
        v = torch.cat([views[i] for i in self.order] if views[1:] else views, 3)
        return F.linear(v, self.fuse.weight, self.bias * self.fuse.bias)

    def forward(self, tokens):
        middle = self.keeps[0] * tokens + self.dropped(self.side_by_side(tokens), 0)
        names = {"tokens": tokens, "middle": middle, "norm": self.norm2(middle)}
        read = names[self.feeds_mlp]
        inside = self.mlp(self.norm2(read) if self.norms[1] else read)
        return self.keeps[1] * names[self.passes_mlp] + self.dropped(inside, 1)


def by_einsum(v, weight):
    widths = [len(weight)] + [len(weight) // 4] * 4
    pairs = zip(v.split(widths, dim=-1), weight.split(widths, dim=1), strict=True)
    return torch.stack([torch.einsum("...i, oi -> ...o", *pair) for pair in pairs])


def into_a_new_tensor(v, weight):
    channels = weight.shape[0]
    parts = v.new_empty(5, *v.shape[:-1], channels)
    start = 0
    for number, width in enumerate([channels] + [channels // 4] * 4):
        part = slice(start, start + width)
        parts[number] = F.linear(v[..., part], weight[:, part])
        start += width
    return parts


class Steps(nn.Sequential):
    def __init__(self, channels, ratio):
        hidden = int(channels * ratio // 1)
        super().__init__(nn.Linear(channels, hidden), nn.GELU(), nn.Linear(hidden, channels))


class SampleBySample(nn.Module):
    def __init__(self, probability):
        super().__init__()
        self.probability = probability

    def forward(self, branch):
        if not self.training:
            return branch
        stays = torch.rand(len(branch)) >= self.probability
        return torch.stack(
            [
                sample / (1 - self.probability) if stay else torch.zeros_like(sample)
                for sample, stay in zip(branch, stays, strict=True)
            ]
        )


class Bernoulli(SampleBySample):
    def forward(self, branch):
        if not self.training:
            return branch
        shape = (len(branch), *[1] * (branch.ndim - 1))
        kept = torch.bernoulli(torch.full(shape, 1 - self.probability, dtype=branch.dtype))
        return kept * branch / (1 - self.probability)


class CaseByCase(nn.Module):
    """The layer with a case for each switch, and two modules that drop."""

    def __init__(
        self,
        channels,
        heads,
        window,
        shift,
        mlp_ratio=2.0,
        inception=True,
        attention=True,
        drop_probability=0.0,
    ):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.attention = WindowAttention(channels, heads, window, shift) if attention else None
        self.inception = Inception(channels) if inception else None
        self.fuse = None
        if inception:
            self.fuse = TokenConv1x1(channels * (2 if attention else 1), channels)
        self.mlp = package.MLP(channels, mlp_ratio)
        self.drop = package.StochasticDepth(drop_probability)
        self.drop_too = package.StochasticDepth(drop_probability)

    def forward(self, tokens):
        x = self.norm1(tokens)
        if self.attention is None:
            features = self.fuse(self.inception(x))
        elif self.inception is None:
            features = self.attention(x)
        else:
            features = self.fuse(torch.cat((self.attention(x), self.inception(x)), dim=3))
        middle = tokens + self.drop(features)
        return middle + self.drop_too(self.mlp(self.norm2(middle)))


VARIANTS = {
    "contributions": (masked, by_einsum, into_a_new_tensor),
    "MLP": (Steps,),
    "StochasticDepth": (WithRand, Bernoulli, SampleBySample),
    "GLALayer": (CaseByCase,),
}
