"""IGNN: details from patches of the same image that look alike at half the size.

Zhou, Zhang, Zuo, Loy: *Cross-Scale Internal Graph Neural Network for Image Super-Resolution*,
NeurIPS 2020. EDSR's network, with graph aggregation (GraphAgg, Fig. 2) in the middle of its blocks.
Graph construction finds, for every patch of the image, the most alike patches of the shrunk image.
Each of these shows what a patch of the image itself looks like when it is shrunk. Patch aggregation
puts those larger patches in the place of the small one, weighted by how much alike they are.

Attributes have their released names: ``gcn`` aggregates, ``embedcnn`` is the start of a VGG19.
"""

import re
from dataclasses import dataclass
from typing import ClassVar

import torch
from einops import rearrange
from torch import nn
from torch.nn import functional as F

from glanet.bicubic import shrink
from glanet.config import ModelShape
from glanet.model.network import reflect_to_multiple
from glanet.rivals.common import Frame, ResidualBlock, Upsampler, conv, depth, steps
from glanet.rivals.patches import from_patches, nearest, statistics, take, to_patches
from glanet.rivals.vgg import Embedding

PATCH, STRIDE = 3, 2  # pixels; patches overlap by one


@dataclass(frozen=True, kw_only=True)
class IGNNConfig(ModelShape):
    """The shape of an IGNN. The defaults are the paper's network at ×2."""

    network: ClassVar[str] = "ignn"
    PRESETS: ClassVar[dict[str, dict]] = {
        "tiny": {"blocks": 20, "channels": 16, "embedding": 16},
        "paper": {},
    }

    blocks: int = 32  # residual blocks, half of them before the graph aggregation
    channels: int = 256  # width of the trunk
    embedding: int = 64  # channels in which patches are compared
    neighbours: int = 5  # of each patch (the paper's k)
    window: int = 30  # a side of the square of patches in which neighbours are searched (d)

    def __post_init__(self):
        super().__post_init__()
        self.require(self.blocks >= 2 and self.blocks % 2 == 0, "blocks", "even, at least 2")
        self.require_at_least(channels=1, embedding=1, window=self.neighbours)
        self.require(1 <= self.neighbours <= 9, "neighbours", "1 to 9")

    @property
    def graph_scale(self):
        """How much larger the aggregated patches are: 2 at ×4, where an upsampler does the rest."""
        return 3 if self.scale == 3 else 2


class Graph(nn.Module):
    """Graph construction (Fig. 2): images (B, 3, H, W) in [0, 1] -> neighbours, edge labels.

    Neighbours (B, k, rows, columns) are `nearest`, of patches of the image in the shrunk image.
    Edge labels (B, k, E, H, W) say in which channels a patch and its neighbour differ. H, W are
    multiples of the graph's scale. In float32 at least: bf16 would find other neighbours.
    """

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embedcnn = Embedding(config.embedding)

    def forward(self, image):
        config = self.config
        with torch.autocast(image.device.type, enabled=False):
            shrunk = shrink(image, config.graph_scale).clamp(0, 1)
            maps = self.embedcnn(image), self.embedcnn(shrunk)
            queries, keys = (to_patches(each, PATCH, STRIDE) for each in maps)
            flat = queries.flatten(1, 2), keys.flatten(1, 2)
            neighbours = nearest(*flat, config.neighbours, config.window, config.graph_scale)
            labels = []
            for index in neighbours.unbind(1):
                label = (queries - take(keys, index)).abs().sum(2, keepdim=True)
                labels.append(from_patches(label.expand_as(queries), STRIDE, *image.shape[2:]))
        return neighbours, torch.stack(labels, dim=1)


class Aggregation(nn.Module):
    """Patch aggregation (Fig. 2): features (B, C, H, W), neighbours and edge labels of a `Graph`
    -> HR features (B, C, scale·H, scale·W) and enriched features (B, C, H, W).

    Each patch is replaced by the larger patches that its neighbours are shrunk from, with its own
    mean and standard deviation (AdaPN). Both results are weighted means over the neighbours, with
    weights from the edge labels; for the second, each neighbour's features are shrunk before.
    """

    def __init__(self, config):
        super().__init__()
        c, self.scale = config.channels, config.graph_scale
        smaller = nn.Conv2d(c, c, 5, stride=self.scale, padding=2)
        self.knn_downsample = steps([smaller, nn.ReLU()], [conv(c, c), nn.ReLU()], [conv(c, c)])
        self.weightnet_lr, self.weightnet_hr = (
            nn.Sequential(*steps([conv(e, e, 1)]), ResidualBlock(e, 1), *steps([conv(e, 1, 1)]))
            for e in 2 * [config.embedding]
        )

    def forward(self, features, neighbours, labels):
        height, width = (self.scale * side for side in features.shape[2:])
        lr_weights = self._weights(self.weightnet_lr, labels)
        hr_weights = self._weights(self.weightnet_hr, labels)
        mean, deviation, _ = statistics(to_patches(features, PATCH, STRIDE))
        _, _, values = statistics(to_patches(features, PATCH * self.scale, STRIDE * self.scale))
        detailed = enriched = 0
        for i, index in enumerate(neighbours.unbind(1)):
            patches = torch.addcmul(mean, deviation, take(values, index))  # AdaPN
            larger = from_patches(patches, STRIDE * self.scale, height, width)
            detailed = detailed + F.interpolate(hr_weights[:, i], scale_factor=self.scale) * larger
            enriched = enriched + lr_weights[:, i] * self.knn_downsample(larger)
        return detailed, enriched

    @staticmethod
    def _weights(network, labels):
        """(B, k, E, H, W) -> (B, k, 1, H, W), which add up to 1 over the neighbours."""
        scores = network(rearrange(labels, "b k e h w -> (b k) e h w"))
        return rearrange(scores, "(b k) 1 h w -> b k 1 h w", b=len(labels)).softmax(1)


class IGNN(Frame):
    """Cross-scale internal graph network (Fig. 2).

    ``FROZEN`` parameters are not trained: as published, and the biases without effect, since they
    raise all scores of a softmax alike.
    """

    FROZEN: ClassVar = re.compile(r"graph\.embedcnn\..+|gcn\.weightnet_[lh]r\.2\.0\.bias")

    def __init__(self, config):
        super().__init__(config)
        c, half = config.channels, config.blocks // 2
        self.graph = Graph(config)
        self.head = nn.Sequential(conv(3, c))
        self.body1 = nn.Sequential(*(ResidualBlock(c) for _ in range(half)))
        self.gcn = Aggregation(config)
        self.fuse_b = steps([conv(2 * c, c), nn.ReLU()], [conv(c, c)])
        self.body2 = nn.Sequential(*(ResidualBlock(c) for _ in range(half)), *steps([conv(c, c)]))
        self.upsample = Upsampler(c, config.graph_scale)
        self.fuse_up = steps([conv(2 * c, c), nn.ReLU()], [conv(c, c), nn.ReLU()])
        rest = [Upsampler(c, 2)] if config.scale == 4 else []
        self.tail = nn.Sequential(*rest, *steps([conv(c, 3)]))
        self.freeze(self.FROZEN)

    def upscaled(self, image):
        shallow = self.shallow(image)
        features = self.body1(shallow)
        detailed, enriched = self.gcn(features, *self.graph(image))
        deep = self.body2(self.fuse_b(torch.cat([features, enriched], dim=1))) + shallow
        return self.tail(self.fuse_up(torch.cat([self.upsample(deep), detailed], dim=1)))

    def filled(self, image):
        """The image, mirrored on until it can be shrunk and has enough patches to choose from."""
        scale = self.config.graph_scale
        image = reflect_to_multiple(image, scale)
        rows, columns = (side // scale // STRIDE for side in image.shape[2:])
        if rows * columns < self.config.neighbours:
            image = reflect_to_multiple(image, 6 * scale)  # which has 9
        return image

    @property
    def multiple(self):
        """Tiles start where patches of the whole image do."""
        return STRIDE * self.config.graph_scale

    @property
    def values_per_pixel(self):
        """The larger of what aggregation holds and, at ×4, the second upsampler.

        Counted by tests/peak.py on 24×24 to 200×200 LR pixels, rounded up.
        """
        c, embedding = self.config.channels, self.config.embedding
        aggregation = {2: 41, 3: 85}[self.config.graph_scale] * c + 7 * embedding
        return max(aggregation, 45 * c if self.config.scale == 4 else 0)

    def repeated(self):
        """The residual blocks."""
        return [*self.body1, *[*self.body2][:-1]]


def read_released(tensors):
    """The config and the tensors by our names; None where they are not IGNN's."""
    weigh = tensors.get("gcn.weightnet_lr.0.0.weight")
    if weigh is None:
        return None
    step = round((len(tensors["upsample.0.bias"]) / len(tensors["head.0.bias"])) ** 0.5)
    config = IGNNConfig(
        scale=2 * step if "tail.1.0.weight" in tensors else step,
        blocks=2 * depth(tensors, re.compile(r"body1\.(\d+)\.")),
        channels=len(tensors["head.0.bias"]),
        embedding=len(weigh),
    )
    # the release has one embedding under two names
    return config, {n: t for n, t in tensors.items() if not n.startswith("vggnet.")}
