"""Notebook 09: padding, the head, the whole network, and the parameters of a layer."""

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from glanet.course.kit.checks import (
    AnswerError,
    Exercise,
    random_weights,
    returns_int,
    run_module,
    trains_alike,
)
from glanet.model.config import INCEPTION_BRANCHES, ModelConfig
from glanet.model.inception import KERNEL_SIZES
from glanet.model.layer import GLALayer
from glanet.model.network import GLANet, check_image, reflect_to_multiple
from glanet.model.reconstruction import PaperHead, coarse_image
from glanet.networks import count_parameters

# Exercise 1: indices of a row padded by reflection


def pixels_after_padding(size, multiple):
    """Index of each pixel of a row of ``size`` after `reflect_to_multiple`: int64 (length,)."""
    row = torch.arange(size).view(1, 1, 1, size)
    return reflect_to_multiple(row, multiple)[0, 0, 0]


def _run_indices(function, size, multiple):
    """The answer; a list or an array chooses pixels as well as a tensor does."""
    answer = function(size, multiple)
    return torch.tensor(answer) if isinstance(answer, list | np.ndarray) else answer


def _draw_sizes(rng):
    # reflected once, several times, one pixel, no padding, more than one multiple, random
    sizes = [(5, 8), (3, 8), (2, 7), (1, 8), (8, 8), (9, 4)]
    return [*sizes, (int(rng.integers(2, 20)), int(rng.integers(2, 12)))]


def _pad(size, before=0, after=0, mode="reflect"):
    return np.pad(np.arange(size), (before, after), mode=mode)


def _back_and_forth(size, multiple, back):
    """The row and the way ``back``, again and again."""
    length = size + -size % multiple
    return ([*range(size), *back] * length)[:length]


def _fails_on_one_pixel(size, multiple):
    period = 2 * (size - 1)
    place = torch.arange(size + -size % multiple) % period
    return torch.minimum(place, period - place)


def _by_pad(size, multiple):
    row = torch.arange(size).view(1, 1, size).float()
    return F.pad(row, (0, -size % multiple), mode="reflect")[0, 0].long()


reflected_indices = Exercise(
    "the_whole_network",
    "reflected_indices",
    pixels_after_padding,
    _draw_sizes,
    {
        "the last pixel comes twice: the row is reflected at it, so after 3 4 comes 3": (
            lambda size, multiple: _pad(size, after=-size % multiple, mode="symmetric")
        ),
        "the last pixel is repeated to the end: turn around there and go back": (
            lambda size, multiple: _pad(size, after=-size % multiple, mode="edge")
        ),
        "it starts again at 0 where the row ends: turn around there and go back": (
            lambda size, multiple: _pad(size, after=-size % multiple, mode="wrap")
        ),
        "it turns around at the last pixel, then goes past 0: turn around at 0 too": (
            lambda size, multiple: size - 1 - abs(np.arange(-(size - 1), -size % multiple + 1))
        ),
        "the row turns around only once, and then it ends: turn around at 0 too, and go on": (
            lambda size, multiple: [*range(size), *range(size - 2, -1, -1)][
                : size + -size % multiple
            ]
        ),
        "it turns around only once, and then stays at 0: turn around there too": (
            lambda size, multiple: np.maximum(
                size - 1 - abs(np.arange(-(size - 1), -size % multiple + 1)), 0
            )
        ),
        "the first pixel comes twice where the row turns around at 0: after 1 0 comes 1": (
            lambda size, multiple: _back_and_forth(size, multiple, range(size - 2, -1, -1))
        ),
        "only the padding is returned: start with the row itself": (
            lambda size, multiple: _pad(size, after=-size % multiple)[size:]
        ),
        "a row whose size is a multiple gets one multiple more: it needs no padding": (
            lambda size, multiple: _pad(size, after=multiple - size % multiple)
        ),
        "the result is always one `multiple` long: a longer row needs a larger multiple": (
            lambda size, multiple: _pad(size, after=multiple)[:multiple]
        ),
        "the row is padded at its start: pad it at its end": (
            lambda size, multiple: _pad(size, before=-size % multiple)
        ),
        "a row of one pixel has no neighbour to reflect: its indices are 0": _fails_on_one_pixel,
        "F.pad reflects only once, so less than the row: turn around as often as needed": _by_pad,
    },
    run=_run_indices,
)

# Exercise 2: the head


class _NoActivation(PaperHead):
    def __init__(self, channels, scale):
        super().__init__(channels, scale)
        self.reduce[1] = nn.Identity()


class _ReLU(PaperHead):
    def __init__(self, channels, scale):
        super().__init__(channels, scale)
        self.reduce[1] = nn.ReLU()


class _SteepLeak(PaperHead):
    def __init__(self, channels, scale):
        super().__init__(channels, scale)
        self.reduce[1] = nn.LeakyReLU(0.2)


class _TenfoldLeak(PaperHead):
    def __init__(self, channels, scale):
        super().__init__(channels, scale)
        self.reduce[1] = nn.LeakyReLU(0.1)


class _GELU(PaperHead):
    def __init__(self, channels, scale):
        super().__init__(channels, scale)
        self.reduce[1] = nn.GELU()


class _ActivationAfterSteps(_NoActivation):
    def __init__(self, channels, scale):
        super().__init__(channels, scale)
        self.to_image.register_forward_pre_hook(lambda _, inputs: F.leaky_relu(inputs[0]))


class _ActivationTwice(PaperHead):
    def __init__(self, channels, scale):
        super().__init__(channels, scale)
        self.to_image.register_forward_pre_hook(lambda _, inputs: F.leaky_relu(inputs[0]))


class _OneStepTwice(PaperHead):
    def __init__(self, channels, scale):
        super().__init__(channels, scale)
        self.upsample = nn.Sequential(*[self.upsample[0]] * len(self.upsample))


class _NoPaddingFirst(PaperHead):
    def __init__(self, channels, scale):
        super().__init__(channels, scale)
        self.reduce[0].padding = (0, 0)


class _NoPaddingLast(PaperHead):
    def __init__(self, channels, scale):
        super().__init__(channels, scale)
        self.to_image.padding = (0, 0)


class _Transposed(PaperHead):
    def forward(self, tokens):
        return super().forward(tokens.transpose(1, 2))


class _Reshaped(PaperHead):
    def forward(self, tokens):
        batch, height, width, channels = tokens.shape
        image = tokens.reshape(batch, channels, height, width)
        return super().forward(image.permute(0, 2, 3, 1))


class _ReadsTokens(PaperHead):
    def forward(self, tokens):
        return self.to_image(self.upsample(self.reduce(tokens)))


class _ReturnsTokens(PaperHead):
    def forward(self, tokens):
        return super().forward(tokens).permute(0, 2, 3, 1)


class _Clamped(PaperHead):
    def forward(self, tokens):
        return super().forward(tokens).clamp(0, 1)


def _draw_heads(rng):
    cases = []
    for scale, shape in ((2, (2, 4, 3, 6)), (3, (1, 3, 5, 8)), (4, (1, 3, 4, 8))):
        settings = (shape[-1], scale)
        tokens = torch.from_numpy(rng.standard_normal(shape, np.float32))
        cases.append((settings, random_weights(PaperHead(*settings), rng), tokens))
    return cases


def _run_head(cls, settings, weights, tokens):
    """As `run_module`.

    Raises:
        AnswerError: at ×4, there is one step of 4.
    """
    module = cls(*settings)
    first = module.state_dict().get("upsample.0.0.weight")
    if settings[1] == 4 and first is not None and len(first) == 16 * 64:
        raise AnswerError("at ×4 there is one step of 4: there are two steps of 2")
    return run_module(lambda: module, (), weights, tokens)


paper_head = Exercise(
    "the_whole_network",
    "PaperHead",
    PaperHead,
    _draw_heads,
    {
        "the activation is missing: a LeakyReLU follows the first convolution": _NoActivation,
        "ReLU sets negative numbers to 0: LeakyReLU(0.01) multiplies them by 0.01": _ReLU,
        "the LeakyReLU multiplies negative numbers by 0.2, expected 0.01": _SteepLeak,
        "the LeakyReLU multiplies negative numbers by 0.1, expected 0.01": _TenfoldLeak,
        "the activation is a GELU: it is a LeakyReLU(0.01)": _GELU,
        "the activation comes after the sub-pixel steps: it belongs before them": (
            _ActivationAfterSteps
        ),
        "there is one activation too many: only the first convolution has one": _ActivationTwice,
        "at ×4 both steps are the same module: each needs weights of its own": (_OneStepTwice),
        "the first convolution has no padding, so the image shrinks: padding=1": _NoPaddingFirst,
        "the last convolution has no padding, so the image shrinks: padding=1": _NoPaddingLast,
        "rows and columns are swapped: (B, H, W, C) to (B, C, H, W) is (0, 3, 1, 2)": (_Transposed),
        "reshape mixes pixels and channels: move the channels' axis with permute(0, 3, 1, 2)": (
            _Reshaped
        ),
        "it returns (B, sH, sW, 3): the head returns an image, (B, 3, sH, sW)": (_ReturnsTokens),
        "the result is clamped: Θ is added to I_CSR, so it must be able to be negative": _Clamped,
        "a convolution reads (B, C, H, W): permute the tokens with permute(0, 3, 1, 2) first": (
            _ReadsTokens
        ),
    },
    run=_run_head,
    also=trains_alike,
    tolerance=1e-4,  # float32 rounds differently in another order
)

# Exercise 3: the whole network


class _Steps(GLANet):
    """GLANet with a method for each step, so that a mistake replaces one method."""

    def forward(self, image):
        check_image(image)
        centred = self.centre(image)
        padded = self.pad(centred)
        shallow = self.shallow(padded)
        upscaled = self.head(shallow, self.trunk(shallow))
        if self.wants_base():
            upscaled = self.add_base(upscaled, image, padded)
        return self.crop(self.uncentre(upscaled), *image.shape[-2:], self.config.scale)

    def centre(self, image):
        return image - self.mean

    def pad(self, centred):
        return reflect_to_multiple(centred, self.config.window)

    def head(self, shallow, deep):
        return self.reconstruct(shallow + deep)

    def wants_base(self):
        return self.config.bilinear_base

    def add_base(self, upscaled, image, padded):
        return upscaled + coarse_image(padded, self.config.scale)

    def uncentre(self, upscaled):
        return upscaled + self.mean

    def crop(self, upscaled, height, width, scale):
        return upscaled[..., : scale * height, : scale * width]


class _NotCentred(_Steps):
    def centre(self, image):
        return image


class _NotUncentred(_Steps):
    def uncentre(self, upscaled):
        return upscaled


class _NoMeanAtAll(_NotCentred, _NotUncentred):
    pass


class _PadsWithZeros(_Steps):
    mode = "constant"

    def pad(self, centred):
        height, width = centred.shape[-2:]
        window = self.config.window
        return F.pad(centred, (0, -width % window, 0, -height % window), mode=self.mode)


class _PadsWithEdge(_PadsWithZeros):
    mode = "replicate"


class _PadsToEight(_Steps):
    def pad(self, centred):
        return reflect_to_multiple(centred, 8)


class _NoLongSkip(_Steps):
    def head(self, shallow, deep):
        return self.reconstruct(deep)


class _NoDeepFeatures(_Steps):
    def head(self, shallow, deep):
        return self.reconstruct(shallow)


class _SkipOfTheNorm(_Steps):
    def head(self, shallow, deep):
        return self.reconstruct(self.trunk.norm_in(shallow) + deep)


class _TwoHeads(_Steps):
    def head(self, shallow, deep):
        return self.reconstruct(shallow) + self.reconstruct(deep)


class _NoBase(_Steps):
    def wants_base(self):
        return False


class _AlwaysBase(_Steps):
    def wants_base(self):
        return True


class _BaseInverted(_Steps):
    def wants_base(self):
        return not self.config.bilinear_base


class _TwoMeans(_Steps):
    def uncentre(self, upscaled):
        return upscaled + 2 * self.mean


class _BaseWithMean(_Steps):
    def add_base(self, upscaled, image, padded):
        return super().add_base(upscaled, image, padded + self.mean)


class _BaseUnpadded(_Steps):
    def add_base(self, upscaled, image, padded):
        base = coarse_image(image - self.mean, self.config.scale)
        return upscaled[..., : base.shape[-2], : base.shape[-1]] + base


class _BaseCornerToCorner(_Steps):
    def add_base(self, upscaled, image, padded):
        size = upscaled.shape[-2:]
        return upscaled + F.interpolate(padded, size, mode="bilinear", align_corners=True)


class _NotCropped(_Steps):
    def crop(self, upscaled, height, width, scale):
        return upscaled


class _CroppedToSmall(_Steps):
    def crop(self, upscaled, height, width, scale):
        return upscaled[..., :height, :width]


class _CroppedAtStart(_Steps):
    def crop(self, upscaled, height, width, scale):
        return upscaled[..., -scale * height :, -scale * width :]


class _CroppedSideways(_Steps):
    def crop(self, upscaled, height, width, scale):
        return super().crop(upscaled, width, height, scale)


class _ClampedImage(_Steps):
    def crop(self, upscaled, height, width, scale):
        return super().crop(upscaled, height, width, scale).clamp(0, 1)


class _MeanAdded(_Steps):
    def centre(self, image):
        return image + self.mean


class _MeanSubtracted(_Steps):
    def uncentre(self, upscaled):
        return upscaled - self.mean


class _OwnMean(_Steps):
    def centre(self, image):
        return image - image.mean()


class _BicubicBase(_Steps):
    def add_base(self, upscaled, image, padded):
        size = upscaled.shape[-2:]
        return upscaled + F.interpolate(padded, size, mode="bicubic", align_corners=False)


class _RepeatedBase(_Steps):
    def add_base(self, upscaled, image, padded):
        return upscaled + F.interpolate(padded, upscaled.shape[-2:])


class _CroppedToTwice(_Steps):
    def crop(self, upscaled, height, width, scale):
        return super().crop(upscaled, height, width, 2)


def _rejects(model, wrong):
    try:
        model(wrong)
    except (TypeError, ValueError):
        return True
    except Exception:  # it failed later, in a layer
        return False
    return False


def _run_network(cls, settings, weights, image):
    """As `run_module`.

    Raises:
        AnswerError: the network takes what is no image.
    """
    model = cls(*settings)
    answer = run_module(lambda: model, (), weights, image)
    if answer is None or answer is ...:
        return None
    for wrong in (torch.zeros(1, 3, 4, 4, dtype=torch.uint8), torch.zeros(1, 1, 4, 4)):
        if not _rejects(model, wrong):
            raise AnswerError(
                f"a {str(wrong.dtype)[6:]} tensor {tuple(wrong.shape)} is taken for an image: "
                "keep check_image(image) as the first line"
            )
    return answer


def _draw_networks(rng):
    small = {"channels": 8, "blocks": 1, "layers": 1, "heads": 2, "window": 4}
    cases = []
    for shape, settings in (
        ((2, 3, 5, 10), {"scale": 2}),
        ((1, 3, 2, 6), {"scale": 3, "light_head": True}),
        ((1, 3, 8, 9), {"scale": 2, "light_head": True, "bilinear_base": False}),
    ):
        config = ModelConfig(**small, **settings)
        image = torch.from_numpy(rng.random(shape, np.float32))
        cases.append(((config,), random_weights(GLANet(config), rng), image))
    return cases


gla_net = Exercise(
    "the_whole_network",
    "GLANet",
    GLANet,
    _draw_networks,
    {
        "the mean is added at the end but never subtracted: subtract it first": _NotCentred,
        "the mean is not added again at the end: the image is too dark": _NotUncentred,
        "the mean is never used: subtract it first, add it last": _NoMeanAtAll,
        "the image is padded with zeros: reflect it, with reflect_to_multiple": _PadsWithZeros,
        "the image is padded by repeating its edge: reflect it, with reflect_to_multiple": (
            _PadsWithEdge
        ),
        "it pads to multiples of 8: pad to multiples of config.window": _PadsToEight,
        "the head reads F_d alone: the long skip adds F_s": _NoLongSkip,
        "the head reads F_s alone: F_d, the trunk's output, is missing": _NoDeepFeatures,
        "the long skip adds LayerNorm(F_s): Eq. 4 adds F_s itself": _SkipOfTheNorm,
        "the head runs on F_s and F_d separately: add them first, since Θ is not linear": _TwoHeads,
        "I_CSR is missing: add the coarse image, Eq. 4": _NoBase,
        "I_CSR is added even where config.bilinear_base is False": _AlwaysBase,
        "config.bilinear_base is read the wrong way round: add I_CSR where it is on": _BaseInverted,
        "the mean is added twice: add it once, at the end": _TwoMeans,
        "I_CSR includes the mean, which is then added twice: make it from the centred image": (
            _BaseWithMean
        ),
        "I_CSR is made from the image before padding: make it from the padded image, so that the "
        "right and bottom edges see the reflection": _BaseUnpadded,
        "I_CSR is stretched from corner to corner: use coarse_image, align_corners=False": (
            _BaseCornerToCorner
        ),
        "the padding is still there: crop to scale·H rows and scale·W columns": _NotCropped,
        "it is cropped to H × W: the enlarged image has scale·H × scale·W": _CroppedToSmall,
        "it is cropped at the top left: the padding is at the bottom right": _CroppedAtStart,
        "height and width are swapped in the crop: height comes first": _CroppedSideways,
        "the result is clamped to [0, 1]: clamped pixels pass no gradient on in training": (
            _ClampedImage
        ),
        "the mean is added at the start: subtract it": _MeanAdded,
        "the mean is subtracted at the end: add it again": _MeanSubtracted,
        "the mean of this image is subtracted: subtract self.mean, that of DIV2K": _OwnMean,
        "I_CSR is bicubic: Eq. 5 is bilinear, use coarse_image": _BicubicBase,
        "I_CSR repeats pixels: Eq. 5 is bilinear, use coarse_image": _RepeatedBase,
        "it always crops to twice the size: use config.scale": _CroppedToTwice,
    },
    run=_run_network,
    also=trains_alike,
    tolerance=1e-4,  # float32 rounds differently in another order
)

# Exercise 4: the parameters of a layer


@cache  # every mistake needs the same counts
def count_layer(channels, heads, window, mlp_ratio):
    """The number of parameters of a GLALayer, counted in the module itself."""
    return count_parameters(GLALayer(channels, heads, window, shift=0, mlp_ratio=mlp_ratio))


def _draw_layers(rng):
    heads = int(rng.integers(2, 6))
    channels = 4 * heads * int(rng.integers(2, 5))
    window = int(rng.integers(3, 9))
    # 2.7 · 28 is 75.6, which int() cuts off
    return [(180, 6, 8, 2.0), (24, 3, 4, 1.5), (channels, heads, window, 4.0), (28, 7, 4, 2.7)]


def _plus(extra):
    """The right number plus ``extra``, a function of C, the heads h, the window w, and two widths.

    B is the width of a branch, M that of the MLP's hidden layer.
    """

    def count(channels, heads, window, mlp_ratio):
        right = count_layer(channels, heads, window, mlp_ratio)
        width, hidden = channels // INCEPTION_BRANCHES, int(channels * mlp_ratio)
        return right + extra(C=channels, B=width, h=heads, w=window, M=hidden)

    return count


def _hidden(channels, heads, window, mlp_ratio, hidden):
    """The number with another width of the MLP's hidden layer."""
    wider = hidden - int(channels * mlp_ratio)
    return count_layer(channels, heads, window, mlp_ratio) + wider * (2 * channels + 1)


layer_parameters = Exercise(
    "the_whole_network",
    "layer_parameters",
    count_layer,
    _draw_layers,
    {
        "the biases are missing: every linear layer and convolution has one for each output": (
            _plus(lambda C, B, h, w, M: -(3 * C + C + 10 * B + C + M + C))
        ),
        "the bias table is missing: it has (2·window - 1)² rows, and a column for each head": (
            _plus(lambda C, B, h, w, M: -((2 * w - 1) ** 2) * h)
        ),
        "the bias table has a row for each offset between two pixels, (2·window - 1)² of them, "
        "not for each pixel": _plus(lambda C, B, h, w, M: (w**2 - (2 * w - 1) ** 2) * h),
        "the bias table has a row for each offset between two pixels, (2·window - 1)² of them, "
        "not for each pair": _plus(lambda C, B, h, w, M: (w**4 - (2 * w - 1) ** 2) * h),
        "the bias table has one column: every head has a column of its own": (
            _plus(lambda C, B, h, w, M: (2 * w - 1) ** 2 * (1 - h))
        ),
        "one norm is missing: there are two, each with a scale and a shift for every channel": (
            _plus(lambda C, B, h, w, M: -2 * C)
        ),
        "both norms are missing: each has a scale and a shift for every channel": (
            _plus(lambda C, B, h, w, M: -4 * C)
        ),
        "the convolutions are counted as k×k: each is a 1×k and then a k×1": (
            _plus(
                lambda C, B, h, w, M: sum(
                    k**2 * B**2 + B - 2 * (k * B**2 + B) for k in KERNEL_SIZES
                )
            )
        ),
        "one convolution of each branch is missing: the branches have both a 1×k and a k×1": (
            _plus(lambda C, B, h, w, M: -sum(k * B**2 + B for k in KERNEL_SIZES))
        ),
        "the branches are counted C wide: each is C/4 wide, together they have C channels": (
            _plus(
                lambda C, B, h, w, M: (
                    4 * (C**2 + C - C * B - B)
                    + sum(2 * (k * (C**2 - B**2) + C - B) for k in KERNEL_SIZES)
                )
            )
        ),
        "the 1×1 convolutions at the start of the branches 3, 5 and 7 are missing": (
            _plus(lambda C, B, h, w, M: -3 * (C * B + B))
        ),
        "the 1×1 convolution of one branch is missing: all four have one, the max branch too": (
            _plus(lambda C, B, h, w, M: -(C * B + B))
        ),
        "the fusion is counted with C inputs: it reads 2·C, attention's C and Inception's C": (
            _plus(lambda C, B, h, w, M: -(C**2))
        ),
        "the fusion is missing: it is a 1×1 convolution from 2·C channels to C": (
            _plus(lambda C, B, h, w, M: -(2 * C**2 + C))
        ),
        "attention's output projection is missing: proj, from C to C": (
            _plus(lambda C, B, h, w, M: -(C**2 + C))
        ),
        "qkv is counted from C to C: query, key and value have a matrix each, so it is C to 3·C": (
            _plus(lambda C, B, h, w, M: -2 * (C**2 + C))
        ),
        "the hidden width is always 2·C: it is mlp_ratio·C": (
            _plus(lambda C, B, h, w, M: (2 * C - M) * (2 * C + 1))
        ),
        "the hidden width is rounded: it is int(mlp_ratio * channels), which cuts off": (
            lambda channels, heads, window, ratio: _hidden(
                channels, heads, window, ratio, round(channels * ratio)
            )
        ),
        "the hidden width is not a whole number: it is int(mlp_ratio * channels)": (
            lambda channels, heads, window, ratio: _hidden(
                channels, heads, window, ratio, channels * ratio
            )
        ),
        "the biases of the two layers of the MLP are missing": (
            _plus(lambda C, B, h, w, M: -(M + C))
        ),
        "the MLP's second layer is missing: it has two, C to hidden and hidden to C": (
            _plus(lambda C, B, h, w, M: -(M * C + C))
        ),
    },
    also=returns_int,
)
