"""Exercises of notebook 03: convolution, shallow features, pixel shuffle, light head."""

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

from glanet.course.kit.checks import Exercise, random_weights, run_module, trains_alike
from glanet.model.reconstruction import LightHead, SubPixel
from glanet.model.shallow import ShallowFeatures


def weighted_neighbourhoods(image, kernel, padding=1, border="constant"):
    """A 3×3 convolution, zero-padded by default: image (H, W), kernel (3, 3) -> (H, W)."""
    padded = np.pad(image, padding, mode=border)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
    return (windows * kernel).sum(axis=(2, 3), dtype=float)


def _draw_images(rng):
    cases = [(rng.normal(size=size), rng.normal(size=(3, 3))) for size in ((4, 6), (5, 3))]
    whole = rng.integers(-9, 10, (3, 3))  # the notebook's filter is of whole numbers
    pixels = rng.integers(0, 256, (4, 5))
    return [*cases, (rng.normal(size=(3, 7)), whole), (pixels, whole), (pixels, cases[0][1])]


def _inside_only(image, kernel):
    answer = np.zeros(image.shape)
    answer[1:-1, 1:-1] = weighted_neighbourhoods(image, kernel, padding=0)
    return answer


def _matrix_products(image, kernel):
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(image, 1), (3, 3))
    return (windows @ kernel).sum(axis=(2, 3))


def _left_zero(computed, image, kernel):
    answer = np.zeros(image.shape)
    answer[computed] = weighted_neighbourhoods(image, kernel)[computed]
    return answer


def _wrapped_before(image, kernel):
    padded = np.pad(np.pad(image, ((1, 0), (1, 0)), mode="wrap"), ((0, 1), (0, 1)))
    return weighted_neighbourhoods(padded, kernel)[1:-1, 1:-1]


convolve = Exercise(
    "shallow_features",
    "convolve",
    weighted_neighbourhoods,
    _draw_images,
    {
        "two rows and two columns are missing: pad the image with one zero on every side": (
            partial(weighted_neighbourhoods, padding=0)
        ),
        "two rows and two columns are too many: pad the image with only one zero on every side": (
            partial(weighted_neighbourhoods, padding=2)
        ),
        "the answer lies one row too high and one column too far left: pad with one zero on all "
        "four sides, not with two on one side": partial(weighted_neighbourhoods, padding=(0, 2)),
        "the answer lies one row too low and one column too far right: pad with one zero on all "
        "four sides, not with two on one side": partial(weighted_neighbourhoods, padding=(2, 0)),
        "the pixels at the border are still zero: with padding they have neighbours too": (
            _inside_only
        ),
        "the padding repeats the outermost pixels: pad with zeros": (
            partial(weighted_neighbourhoods, border="edge")
        ),
        "the padding mirrors the image: pad with zeros": (
            partial(weighted_neighbourhoods, border="reflect")
        ),
        "the filter is turned by 180°: networks do not turn it, so kernel[0, 0] belongs to the "
        "neighbour above and to the left": (
            lambda image, kernel: weighted_neighbourhoods(image, kernel[::-1, ::-1])
        ),
        "the filter's rows and columns are swapped": (
            lambda image, kernel: weighted_neighbourhoods(image, kernel.T)
        ),
        "this is the mean of the nine products: add them up": (
            lambda image, kernel: weighted_neighbourhoods(image, kernel) / 9
        ),
        "the padding continues with the other end of the image: pad with zeros": (
            partial(weighted_neighbourhoods, border="wrap")
        ),
        "the filter is upside down: kernel[0] belongs to the row above": (
            lambda image, kernel: weighted_neighbourhoods(image, kernel[::-1])
        ),
        "the filter is mirrored: kernel[:, 0] belongs to the column on the left": (
            lambda image, kernel: weighted_neighbourhoods(image, kernel[:, ::-1])
        ),
        "@ is the product of two matrices: multiply number by number, with *": _matrix_products,
        "negative answers are cut off: keep them, they mark the other kind of edge": (
            lambda image, kernel: np.maximum(weighted_neighbourhoods(image, kernel), 0)
        ),
        "the answers have lost their sign: keep it": (
            lambda image, kernel: np.abs(weighted_neighbourhoods(image, kernel))
        ),
        "the first row and the first column are still zero: range(height) starts at 0": (
            partial(_left_zero, np.s_[1:, 1:])
        ),
        "the last row and the last column are still zero: range(height) ends before height by "
        "itself": partial(_left_zero, np.s_[:-1, :-1]),
        "an index of -1 reads the other end of the image: pad with zeros first": _wrapped_before,
        "fractions are cut off: np.zeros_like(image) holds whole numbers if the image does, so use "
        "np.zeros(image.shape)": lambda image, kernel: weighted_neighbourhoods(
            image, kernel
        ).astype(image.dtype),
    },
    tolerance=1e-9,
)


def _draw_features(rng):
    return [
        ((c,), random_weights(ShallowFeatures(c), rng), torch.randn(b, 3, h, w))
        for c, b, h, w in ((4, 2, 5, 7), (6, 1, 6, 3))
    ]


class _LeftAsPlanes(ShallowFeatures):
    def forward(self, image):
        return self.conv(image)


class _FeaturesTransposed(ShallowFeatures):
    def forward(self, image):
        return self.conv(image).permute(0, 3, 2, 1)


class _FeaturesReshaped(ShallowFeatures):
    def forward(self, image):
        features = self.conv(image)
        b, c, h, w = features.shape
        return features.reshape(b, h, w, c)


class _Unpadded(ShallowFeatures):
    def __init__(self, channels):
        super().__init__(channels)
        self.conv = nn.Conv2d(3, channels, kernel_size=3)


class _RepeatedBorder(ShallowFeatures):
    def __init__(self, channels):
        super().__init__(channels)
        self.conv = nn.Conv2d(3, channels, kernel_size=3, padding=1, padding_mode="replicate")


class _MirroredBorder(ShallowFeatures):
    def __init__(self, channels):
        super().__init__(channels)
        self.conv = nn.Conv2d(3, channels, kernel_size=3, padding=1, padding_mode="reflect")


class _WrappedBorder(ShallowFeatures):
    def __init__(self, channels):
        super().__init__(channels)
        self.conv = nn.Conv2d(3, channels, kernel_size=3, padding=1, padding_mode="circular")


class _Rectified(ShallowFeatures):
    def forward(self, image):
        return super().forward(image).relu()


class _Activated(ShallowFeatures):
    def forward(self, image):
        return F.gelu(super().forward(image))


shallow_features = Exercise(
    "shallow_features",
    "ShallowFeatures",
    ShallowFeatures,
    _draw_features,
    {
        "the features are still planes (B, C, H, W): permute them to tokens (B, H, W, C)": (
            _LeftAsPlanes
        ),
        "rows and columns are swapped: use permute(0, 2, 3, 1)": (_FeaturesTransposed),
        "reshape and view keep the order of the numbers in memory, which mixes channels and "
        "pixels: use permute": _FeaturesReshaped,
        "two rows and two columns are missing: the convolution needs padding=1": _Unpadded,
        "the padding repeats the outermost pixels: use PyTorch's default, zeros": (_RepeatedBorder),
        "the padding mirrors the image: use PyTorch's default, zeros": _MirroredBorder,
        "the padding continues with the other end of the image: use PyTorch's default, zeros": (
            _WrappedBorder
        ),
        "negative features are cut off: Eq. 1 has no ReLU": _Rectified,
        "there is a GELU: Eq. 1 has no activation function": _Activated,
    },
    run=run_module,
    also=trains_alike,
    tolerance=1e-5,
)


def shuffle(channels, scale):
    """Pixel shuffle: (B, C·scale², H, W) -> (B, C, scale·H, scale·W)."""
    return F.pixel_shuffle(channels, scale)


def _shuffled(pattern):
    return lambda channels, scale: rearrange(channels, pattern, i=scale, j=scale)


def _draw_channels(rng):
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    return [
        (torch.randn(b, c * s**2, h, w, generator=generator), s)
        for b, c, s, h, w in ((2, 3, 2, 2, 5), (1, 4, 3, 3, 2))
    ]


pixel_shuffle = Exercise(
    "shallow_features",
    "pixel_shuffle",
    shuffle,
    _draw_channels,
    {
        "the channel axis is split in the wrong order: consecutive channels belong to one colour, "
        "so it is (c i j), not (i j c)": _shuffled("b (i j c) h w -> b c (h i) (w j)"),
        "each small square is transposed: the second channel belongs to the right of the first, so "
        "it is (c i j), not (c j i)": _shuffled("b (c j i) h w -> b c (h i) (w j)"),
        **{
            f"the channel axis is split as {order}: the colour runs slowest, then the row of the "
            "small square, then its column, so it is (c i j)": (
                _shuffled(f"b {order} h w -> b c (h i) (w j)")
            )
            for order in ("(i c j)", "(j c i)", "(j i c)")
        },
        "small copies of the image lie side by side: the position inside the square runs faster "
        "than the pixel, so it is (h i) (w j)": _shuffled("b (c i j) h w -> b c (i h) (j w)"),
        "the columns are right but the rows lie block by block: it is (h i), not (i h)": _shuffled(
            "b (c i j) h w -> b c (i h) (w j)"
        ),
        "the rows are right but the columns lie block by block: it is (w j), not (j w)": _shuffled(
            "b (c i j) h w -> b c (h i) (j w)"
        ),
        "rows and columns are swapped: rows come first, (h i) (w j)": _shuffled(
            "b (c i j) h w -> b c (w j) (h i)"
        ),
        "a reshape does not reorder numbers: rearrange puts the channels of a pixel side by side": (
            lambda channels, scale: channels.reshape(
                len(channels), -1, scale * channels.shape[2], scale * channels.shape[3]
            )
        ),
        "it always shuffles by 2: use `scale`": lambda channels, scale: shuffle(channels, 2),
    },
)


def _draw_tokens(rng):
    cases = [
        ((c, s), random_weights(LightHead(c, s), rng), torch.randn(b, h, w, c))
        for c, s, b, h, w in ((5, 2, 2, 4, 3), (4, 3, 1, 3, 5))
    ]
    return [*cases, ((5, 2), None, torch.randn(1, 4, 3, 5))]


def _run_head(cls, settings, weights, tokens):
    """The head's answer with ``weights``; without, two flags: do its weight and its bias act?"""
    if weights is not None:
        return run_module(cls, settings, weights, tokens)
    with torch.no_grad():
        head = cls(*settings)
        bias_alone = head(torch.zeros_like(tokens))
        return [bool((head(tokens) - bias_alone).any()), bool(bias_alone.any())]


def _head_trains_alike(cls, reference, settings, weights, tokens):
    if weights is not None:
        trains_alike(cls, reference, settings, weights, tokens)


class _StartsAtRandom(nn.Module):
    def __init__(self, channels, scale):
        super().__init__()
        self.to_image = SubPixel(channels, 3, scale)

    def forward(self, tokens):
        return self.to_image(tokens.permute(0, 3, 1, 2))


class _WeightAtRandom(_StartsAtRandom):
    def __init__(self, channels, scale):
        super().__init__(channels, scale)
        nn.init.zeros_(self.to_image[0].bias)


class _BiasAtRandom(_StartsAtRandom):
    def __init__(self, channels, scale):
        super().__init__(channels, scale)
        nn.init.zeros_(self.to_image[0].weight)


class _HeadTransposed(LightHead):
    def forward(self, tokens):
        return self.to_image(tokens.permute(0, 3, 2, 1))


class _HeadReshaped(LightHead):
    def forward(self, tokens):
        b, h, w, c = tokens.shape
        return self.to_image(tokens.reshape(b, c, h, w))


class _ReadsTokens(LightHead):
    def forward(self, tokens):
        return self.to_image(tokens)


class _BackToTokens(LightHead):
    def forward(self, tokens):
        return super().forward(tokens).permute(0, 2, 3, 1)


class _Clamped(LightHead):
    def forward(self, tokens):
        return super().forward(tokens).clamp(0, 1)


class _HeadRectified(LightHead):
    def forward(self, tokens):
        return super().forward(tokens).relu()


class _AlwaysZero(LightHead):
    def forward(self, tokens):
        return 0 * super().forward(tokens)


class _WithTanh(LightHead):
    def forward(self, tokens):
        return super().forward(tokens).tanh()


class _WithSigmoid(LightHead):
    def forward(self, tokens):
        return super().forward(tokens).sigmoid()


light_head = Exercise(
    "shallow_features",
    "LightHead",
    LightHead,
    _draw_tokens,
    {
        "before training the head does not return 0: set the weight and the bias of its "
        "convolution to zero": _StartsAtRandom,
        "the bias starts at zero but the weight does not": _WeightAtRandom,
        "the weight starts at zero but the bias does not": _BiasAtRandom,
        "rows and columns are swapped: turn tokens (B, H, W, C) into (B, C, H, W) with "
        "permute(0, 3, 1, 2)": _HeadTransposed,
        "reshape and view mix channels and pixels: permute the tokens to (B, C, H, W)": (
            _HeadReshaped
        ),
        "the image has the layout of tokens: return (B, 3, scale·H, scale·W)": _BackToTokens,
        "the answer is clipped to 0…1: the head adds to an image, so it may be negative": _Clamped,
        "negative answers are cut off: the head adds to an image and must be able to darken it": (
            _HeadRectified
        ),
        "it returns 0 whatever its weights are: only the weights start at zero": _AlwaysZero,
        "there is a tanh after the convolution: the head ends with its SubPixel": _WithTanh,
        "there is a sigmoid after the convolution: the head ends with its SubPixel": _WithSigmoid,
        "a convolution reads (B, C, H, W): permute the tokens with permute(0, 3, 1, 2) first": (
            _ReadsTokens
        ),
    },
    run=_run_head,
    also=_head_trains_alike,
    tolerance=1e-5,
)
