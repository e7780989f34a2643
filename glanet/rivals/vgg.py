"""The start of VGG19, in whose features IGNN compares patches.

Simonyan, Zisserman: *Very Deep Convolutional Networks for Large-Scale Image Recognition*, ICLR
2015. IGNN's released checkpoints hold its weights, trained on ImageNet. In a model that is not
loaded from one they are random, and in training they stay as they are.
"""

import torch
from torch import nn

from glanet.rivals.common import conv

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Embedding(nn.Module):
    """As far as VGG19's conv1_2: images (B, 3, H, W) in [0, 1] -> (B, E, H, W), not negative."""

    def __init__(self, channels):
        super().__init__()
        self.sub_mean = conv(3, 3, 1)
        self.model = nn.Sequential(
            conv(3, channels), nn.ReLU(), conv(channels, channels), nn.ReLU()
        )
        mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
        with torch.no_grad():
            self.sub_mean.weight.copy_(torch.diag(1 / std)[:, :, None, None])
            self.sub_mean.bias.copy_(-mean / std)
        for part in (self.model[0], self.model[2]):  # random weights keep the image's contrast
            nn.init.kaiming_normal_(part.weight)
            nn.init.zeros_(part.bias)

    def forward(self, image):
        return self.model(self.sub_mean(image))
