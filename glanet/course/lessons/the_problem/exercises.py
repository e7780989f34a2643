"""Exercises of notebook 01: kernel, matrix of one axis, image in two passes, power spectrum."""

import math

import numpy as np

from glanet.analysis.spectrum import hann, power_map
from glanet.course.kit.checks import Exercise
from glanet.data import degradation

# The kernel


def keys(a):
    """Keys' kernel for any ``a``; MATLAB's has -0.5."""

    def kernel(distance):
        x = np.abs(distance)
        inner = ((a + 2) * x - (a + 3)) * x**2 + 1
        outer = a * (((x - 5) * x + 8) * x - 4)
        return np.where(x <= 1, inner, np.where(x < 2, outer, 0.0))

    return kernel


def _pieces(x):
    inner = (1.5 * x - 2.5) * x**2 + 1
    outer = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return inner, outer


def _signed(distance):
    inner, outer = _pieces(np.asarray(distance))
    return np.where(distance <= 1, inner, np.where(distance < 2, outer, 0.0))


def _by_distance(within_1, within_2, beyond):
    """A kernel from its three pieces: each maps (inner, outer) to the values on its interval."""

    def kernel(distance):
        x = np.abs(distance)
        inner, outer = _pieces(x)
        further = np.where(x < 2, within_2(inner, outer), beyond(inner, outer))
        return np.where(x <= 1, within_1(inner, outer), further)

    return kernel


def _with_term(change, within_1):
    """The kernel with ``change`` of the distance added to one line of its formula."""

    def kernel(distance):
        x = np.abs(distance)
        here = x <= 1 if within_1 else (x > 1) & (x < 2)
        return degradation.cubic_kernel(x) + here * change(x)

    return kernel


def _inner(inner, outer):
    return inner


def _outer(inner, outer):
    return outer


def _zero(inner, outer):
    return 0.0


cubic_kernel = Exercise(
    "the_problem",
    "cubic_kernel",
    degradation.cubic_kernel,
    lambda rng: [(rng.uniform(-3, 3, (4, 7)),), (np.arange(-2.5, 3, 0.5),)],
    {
        "negative distances count like positive ones: take np.abs(distance) first": _signed,
        "the second line of the formula ends at a distance of 2: beyond it the kernel is 0": (
            _by_distance(_inner, _outer, _outer)
        ),
        "the first line of the formula ends at a distance of 1: beyond it, use the second": (
            _by_distance(_inner, _inner, _inner)
        ),
        "the second line of the formula is missing: between 1 and 2 the kernel is not 0": (
            _by_distance(_inner, _zero, _zero)
        ),
        "the two lines are swapped: the first is for distances up to 1": (
            _by_distance(_outer, _inner, _zero)
        ),
        "the second line has the wrong sign: between 1 and 2 the weights are negative": (
            _by_distance(_inner, lambda inner, outer: -outer, _zero)
        ),
        "the first line of the formula is missing: up to 1, use it": (
            _by_distance(_outer, _outer, _zero)
        ),
        **{
            f"in the first line of the formula {term} {fault}": _with_term(change, within_1=True)
            for term, fault, change in (
                ("the + 1", "is missing", lambda x: -1),
                ("5/2 x²", "must be subtracted", lambda x: 5 * x**2),
                ("3/2 x³", "must be added", lambda x: -3 * x**3),
            )
        },
        **{
            f"in the second line of the formula {term} {fault}": _with_term(change, within_1=False)
            for term, fault, change in (
                ("the + 2", "is missing", lambda x: -2),
                ("4 x", "must be subtracted", lambda x: 8 * x),
                ("5/2 x²", "must be added", lambda x: -5 * x**2),
                ("1/2 x³", "must be subtracted", lambda x: x**3),
            )
        },
        "this is the kernel with a = -0.75, which PyTorch uses: here a = -0.5": (keys(-0.75)),
        "this is the kernel with a = -1: here a = -0.5": keys(-1.0),
        "this is linear interpolation, a triangle: write the cubic kernel": (
            lambda distance: np.maximum(0, 1 - np.abs(distance))
        ),
        "in the first line of the formula the powers are swapped: it is 3/2 x³ - 5/2 x² + 1": (
            _with_term(lambda x: 4 * (x**2 - x**3), within_1=True)
        ),
        "`if` looks at one number, but `distance` is an array: choose with np.where": (
            lambda distance: np.zeros_like(distance) if np.abs(distance) >= 2 else distance
        ),
    },
)

# The matrix


def mirror(places, size):
    """The pixels, 0 to size - 1, that an axis of ``size`` shows at ``places``, mirrored outside."""
    around = np.asarray(places) % (2 * size)
    return np.minimum(around, 2 * size - 1 - around)


def _matrix(
    size,
    scale,
    *,
    kernel=degradation.cubic_kernel,
    count=math.ceil,
    stretch=lambda scale: min(scale, 1),
    centre=lambda i, scale: (i + 0.5) / scale - 0.5,
    fold=mirror,
    divide=True,
    keep_last=False,
):
    """`degradation.resize_matrix` with a parameter per decision, to make one mistake at a time."""
    narrow = stretch(scale)
    matrix = np.zeros((count(size * scale), size))
    for i, row in enumerate(matrix):
        middle = centre(i, scale)
        reach = 2 / narrow
        places = np.arange(math.floor(middle - reach), math.ceil(middle + reach) + 1)
        weights = kernel(narrow * (places - middle))
        if divide:
            weights = weights / weights.sum()
        places = fold(places, size)
        inside = (places >= 0) & (places < size)
        if keep_last:
            row[places[inside]] += weights[inside]
        else:
            np.add.at(row, places[inside], weights[inside])
    return matrix


def _wrong(**decision):
    return lambda size, scale: _matrix(size, scale, **decision)


def _cut_and_divided(size, scale):
    matrix = _matrix(size, scale, fold=lambda places, size: places)
    return matrix / matrix.sum(axis=1, keepdims=True)


def _corners_aligned(size, scale):
    last = max(math.ceil(size * scale) - 1, 1)
    return _matrix(size, scale, centre=lambda i, scale: i * (size - 1) / last)


def _over_columns(matrix):
    return matrix / matrix.sum(axis=0)


def _draw_axes(rng):
    sizes = 2 * rng.integers(3, 7, 5) + 1  # odd: halving an odd size leaves half a pixel
    return [
        (int(size), scale) for size, scale in zip(sizes, (1 / 2, 1 / 3, 1 / 4, 1.5, 2), strict=True)
    ]


resize_matrix = Exercise(
    "the_problem",
    "resize_matrix",
    degradation.resize_matrix,
    _draw_axes,
    {
        "when you shrink, the kernel must be stretched: multiply the distances by min(scale, 1)": (
            _wrong(stretch=lambda scale: 1)
        ),
        "when you enlarge, the kernel keeps its width: multiply by min(scale, 1), not by scale": (
            _wrong(stretch=lambda scale: scale)
        ),
        "output pixel i does not lie at i / scale: its centre is (i + 0.5) / scale - 0.5": (
            _wrong(centre=lambda i, scale: i / scale)
        ),
        "half a pixel is still missing: the centre is (i + 0.5) / scale - 0.5": (
            _wrong(centre=lambda i, scale: (i + 0.5) / scale)
        ),
        "the centres of the outermost pixels coincide (PyTorch's align_corners): here the outer "
        "edges must coincide, so the centre is (i + 0.5) / scale - 0.5": (_corners_aligned),
        "weights outside the image are lost: add them to the pixels that mirror() gives": (
            _wrong(fold=lambda places, size: places)
        ),
        "weights outside the image are dropped and the rest is divided by its sum: add them to the "
        "pixels that mirror() gives": _cut_and_divided,
        "outside, the image is mirrored: do not repeat its last pixel": (
            _wrong(fold=lambda places, size: np.clip(places, 0, size - 1))
        ),
        "outside, the image is mirrored: do not continue with its other end": (
            _wrong(fold=lambda places, size: places % size)
        ),
        "the mirror image repeats the border pixel: b a | a b, not c b | a b": (
            _wrong(fold=lambda places, size: (size - 1) - abs((size - 1) - places % (2 * size - 2)))
        ),
        "weights that mirror() sends to the same pixel must add up there: "
        "row[places] += weights keeps only the last. Add one at a time, or use np.add.at": (
            _wrong(keep_last=True)
        ),
        "the weights of a row must sum to 1: divide them by their sum": _wrong(divide=False),
        "the last output pixel is missing: their number is math.ceil(size * scale)": (
            _wrong(count=math.floor)
        ),
        "the first half pixel is missing: the centre is (i + 0.5) / scale - 0.5": (
            _wrong(centre=lambda i, scale: i / scale - 0.5)
        ),
        "the centre is multiplied by the scale: divide, (i + 0.5) / scale - 0.5": (
            _wrong(centre=lambda i, scale: (i + 0.5) * scale - 0.5)
        ),
        "the kernel is stretched by the larger of scale and 1: multiply by min(scale, 1)": (
            _wrong(stretch=lambda scale: max(scale, 1))
        ),
        "the kernel is stretched as for a scale of 1/2, as in the example: use min(scale, 1)": (
            _wrong(stretch=lambda scale: 1 / 2)
        ),
        "the weights of a column sum to 1: divide each row by its own sum": (
            lambda size, scale: _over_columns(_matrix(size, scale, divide=False))
        ),
        "the matrix holds whole numbers, which cut the weights off: np.zeros((...)) makes floats": (
            lambda size, scale: _matrix(size, scale).astype(int)
        ),
        "rows and columns are swapped: make one row for each output pixel": (
            lambda size, scale: _matrix(size, scale).T
        ),
    },
)

# The image


def _half_up(values):
    return np.floor(values + 0.5)


def _bytes(values):
    return np.clip(_half_up(values), 0, 255).astype(np.uint8)


def _height(image, scale, matrix=degradation.resize_matrix):
    return np.tensordot(matrix(len(image), scale), image, 1)


def _width(image, scale, matrix=degradation.resize_matrix):
    return _height(image.swapaxes(0, 1), scale, matrix).swapaxes(0, 1)


def _two_passes(after_height, after_width, first=_height, second=_width):
    """`imresize` with a function applied after each of its two passes."""
    return lambda image, scale: after_width(second(after_height(first(image, scale)), scale))


def _same(values):
    return values


def _wrapped(values):
    return _half_up(values).astype(np.int64).astype(np.uint8)


def _without_stretch(image, scale):
    matrix = _wrong(stretch=lambda scale: 1)
    return _bytes(_width(_bytes(_height(image, scale, matrix)), scale, matrix))


def _draw_images(rng):
    def noise(height, width):
        return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)

    # scales 1/2, 1/4 and 2 sum exactly, so a mistake gives one answer, however it is written
    black_and_white = (rng.integers(0, 2, (12, 14, 3)) * 255).astype(np.uint8)  # overshoots
    return [
        (noise(2, 60), 1 / 2),  # the mean of two rows: every second value ends in a half
        (noise(40, 30), 1 / 2),
        (noise(13, 20), 1 / 4),
        (black_and_white, 2),
    ]


imresize = Exercise(
    "the_problem",
    "imresize",
    degradation.imresize,
    _draw_images,
    {
        "it rounds only once, at the end: call to_bytes after the first pass too": (
            _two_passes(_same, _bytes)
        ),
        "the width comes first: resize the height first, as MATLAB does": (
            _two_passes(_bytes, _bytes, _width, _height)
        ),
        "after the first pass it rounds but does not clip to 0..255: call to_bytes there too": (
            _two_passes(_half_up, _bytes)
        ),
        "after the first pass it clips but does not round: call to_bytes there too": (
            _two_passes(lambda values: np.clip(values, 0, 255), _bytes)
        ),
        "a half must be rounded up: np.round rounds it to the even neighbour": (
            _two_passes(*[lambda v: np.clip(np.round(v), 0, 255).astype(np.uint8)] * 2)
        ),
        "the fraction is cut off: round it": (
            _two_passes(*[lambda v: np.clip(v, 0, 255).astype(np.uint8)] * 2)
        ),
        "values below 0 or above 255 wrap around: clip before you convert to uint8": (
            _two_passes(*[_wrapped] * 2)
        ),
        "after the second pass, values below 0 or above 255 wrap around: call to_bytes there": (
            _two_passes(_bytes, _wrapped)
        ),
        "nothing is rounded: call to_bytes after each pass": _two_passes(_same, _same),
        "after the second pass it does not round: call to_bytes there too": (
            _two_passes(_bytes, _same)
        ),
        "after the second pass it rounds but does not clip to 0..255: call to_bytes there too": (
            _two_passes(_bytes, _half_up)
        ),
        "the height is resized but the width is not": lambda image, s: _bytes(_height(image, s)),
        "the width is resized but the height is not": lambda image, s: _bytes(_width(image, s)),
        "rows and columns are swapped in the result": (
            lambda image, s: degradation.imresize(image, s).swapaxes(0, 1)
        ),
        "it shrinks without stretching the kernel: use resize_matrix from exercise 2": (
            _without_stretch
        ),
        "after the second pass the fraction is cut off: call to_bytes there too": (
            _two_passes(_bytes, lambda values: np.clip(values, 0, 255).astype(np.uint8))
        ),
    },
)

# The power spectrum


def _spectrum(
    image,
    *,
    mean=lambda image: image.mean(axis=(0, 1)),
    window=hann,
    size_of_window=lambda window: np.sqrt((window**2).mean()),
    transform=lambda image: np.fft.fft2(image, axes=(0, 1), norm="ortho"),
    power=lambda waves: np.abs(waves) ** 2,
    channels=lambda power: power.mean(axis=-1),
):
    """`power_spectrum` with one parameter per decision, to make one mistake at a time."""
    height, width = image.shape[:2]
    fade = (window(height)[:, None] * window(width))[..., None]
    return channels(power(transform((image - mean(image)) * fade / size_of_window(fade))))


def _badly(**decision):
    return lambda image: _spectrum(image, **decision)


def _draw_photos(rng):
    tint = np.array([0.0, 0.4, 1.0])  # gives each channel its own mean
    return [
        (rng.random((16, 12, 3)) + tint,),
        (rng.random((9, 20, 3)) - tint,),
        (rng.integers(0, 256, (12, 10, 3), dtype=np.uint8),),  # as photographs are
    ]


power_spectrum = Exercise(
    "the_problem",
    "power_spectrum",
    power_map,
    _draw_photos,
    {
        "the mean is still in it: first subtract each channel's mean over rows and columns": (
            _badly(mean=lambda image: 0)
        ),
        "one mean is subtracted from all channels: each has its own, image.mean(axis=(0, 1))": (
            _badly(mean=lambda image: image.mean())
        ),
        "the window is missing: multiply rows by hann(height) and columns by hann(width)": (
            _badly(window=np.ones)
        ),
        "np.hanning ends with a second 0: use hann, which is one period": _badly(window=np.hanning),
        "the window reduces the power: divide it by np.sqrt((window**2).mean())": (
            _badly(size_of_window=lambda window: 1)
        ),
        "the window is divided by its mean: np.sqrt((window**2).mean()) keeps the power": (
            _badly(size_of_window=np.mean)
        ),
        "fft2 transforms the last two axes, width and channels: pass axes=(0, 1)": (
            _badly(transform=lambda image: np.fft.fft2(image, norm="ortho"))
        ),
        'the power grows with the number of pixels: pass norm="ortho" to fft2': (
            _badly(transform=lambda image: np.fft.fft2(image, axes=(0, 1)))
        ),
        "this is |F|, the amplitude: square it": _badly(power=np.abs),
        "no logarithm here: average the powers themselves": (
            _badly(channels=lambda power: np.log(power.mean(axis=-1)))
        ),
        "the channels are summed: take their mean": _badly(channels=lambda p: p.sum(axis=-1)),
        "only the first channel counts: average over all": _badly(channels=lambda p: p[..., 0]),
        "each channel keeps its own spectrum: average over the channels": _badly(channels=_same),
        "this is the square of a complex number, which is complex: take np.abs before you square": (
            _badly(power=lambda waves: waves**2)
        ),
        "only the real part is squared: take np.abs, which has the imaginary part in it": (
            _badly(power=lambda waves: waves.real**2)
        ),
        "these are the complex amplitudes: take np.abs, and square it": _badly(power=_same),
        "this is the root of the power: leave it squared": (
            _badly(channels=lambda power: np.sqrt(power.mean(axis=-1)))
        ),
        "this is in decibels: take no logarithm": (
            _badly(channels=lambda power: 10 * np.log10(power.mean(axis=-1)))
        ),
        "the mean of each column is subtracted: take it over rows and columns, axis=(0, 1)": (
            _badly(mean=lambda image: image.mean(axis=0))
        ),
        "the mean of each row is subtracted: take it over rows and columns, axis=(0, 1)": (
            _badly(mean=lambda image: image.mean(axis=1, keepdims=True))
        ),
        "the window is divided by the mean of its square: divide by the square root of that": (
            _badly(size_of_window=lambda window: (window**2).mean())
        ),
        'norm="forward" divides by the number of pixels: pass norm="ortho"': (
            _badly(transform=lambda image: np.fft.fft2(image, axes=(0, 1), norm="forward"))
        ),
        "half the frequencies are missing: use fft2, not rfft2": (
            _badly(transform=lambda image: np.fft.rfft2(image, axes=(0, 1), norm="ortho"))
        ),
        "channels averaged before the transform can cancel: average their powers instead": (
            lambda image: _spectrum(image.mean(axis=-1, keepdims=True))
        ),
        "frequency 0 is in the middle: leave it in the corner, where fft2 puts it": (
            lambda image: np.fft.fftshift(_spectrum(image))
        ),
    },
)
