"""Exercises of notebook 02: luma, PSNR, and SSIM of one window and of all windows."""

from functools import partial

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from skimage.metrics import structural_similarity

from glanet.course.kit.checks import Exercise
from glanet.evaluation import metrics

_WEIGHTS = np.array([65.481, 128.553, 24.966])  # of R, G and B in Y
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_TAPS = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
_WINDOW = np.outer(_TAPS, _TAPS) / _TAPS.sum() ** 2


# Luma


def _off_the_edge(image):
    """``image``, uint8 (H, W, 3), with colours replaced whose Y is a multiple of half a level.

    At such a Y the last bit decides how it rounds, so that the same mistake, written in two ways,
    could give two answers. Changes ``image`` in place.
    """
    doubled = 2 * metrics.rgb_to_y(image)
    image[np.isclose(doubled, np.round(doubled), rtol=0, atol=1e-9)] = 1, 0, 0
    return image


def _draw_colours(rng):
    sizes = (3, 5, 3), (4, 2, 3)
    images = [_off_the_edge(rng.integers(0, 256, size, dtype=np.uint8)) for size in sizes]
    images[0][0, :2] = (255, 255, 254), (0, 0, 1)  # nearly white and nearly black
    return [(image,) for image in images]


luma = Exercise(
    "the_yardstick",
    "luma",
    metrics.rgb_to_y,
    _draw_colours,
    {
        "the 16 is missing: black has Y = 16, so add 16": lambda image: image @ _WEIGHTS / 255,
        "the weights are for colours in 0..1: divide the weighted sum by 255": lambda image: (
            16 + image @ _WEIGHTS
        ),
        "the 16 is divided by 255 too: divide only the weighted sum": (
            lambda image: (16 + image @ _WEIGHTS) / 255
        ),
        "red and blue are swapped: red has the weight 65.481, blue 24.966": (
            lambda image: 16 + image @ _WEIGHTS[::-1] / 255
        ),
        "this is the mean of red, green and blue: give each its own weight": (
            lambda image: image.mean(-1)
        ),
        "this is JPEG's luma (0.299, 0.587, 0.114), from 0 to 255: use `weights`, and add 16": (
            lambda image: image @ np.array([0.299, 0.587, 0.114])
        ),
        "Y is rounded: the papers do not round it": (
            lambda image: np.round(metrics.rgb_to_y(image))
        ),
        "the fraction of Y is cut off: the papers keep it": (
            lambda image: np.floor(metrics.rgb_to_y(image))
        ),
        "the 16 is added once for each colour: add it once": (
            lambda image: metrics.rgb_to_y(image) + 32
        ),
        "red and green are swapped: red has the weight 65.481, green 128.553": (
            lambda image: metrics.rgb_to_y(image[..., [1, 0, 2]])
        ),
        "all colours count the same: use `weights`": (
            lambda image: 16 + 219 / 255 * image.mean(-1)
        ),
        "the weighted sum is divided by 256: divide it by 255": (
            lambda image: 16 + image @ _WEIGHTS / 256
        ),
        "the weighted sum is divided by 219: divide it by 255": (
            lambda image: 16 + image @ _WEIGHTS / 219
        ),
        "the weights are cut to bytes, and the products wrap around: use `weights` as they are": (
            lambda image: 16 + (image * _WEIGHTS.astype(np.uint8)).sum(-1, dtype=np.uint8) / 255
        ),
    },
)


# PSNR


def _draw_pairs(rng):
    hr = _off_the_edge(rng.integers(0, 256, (17, 23, 3), dtype=np.uint8))
    noise = rng.integers(-60, 61, hr.shape)
    sr = _off_the_edge(np.clip(hr + noise, 0, 255).astype(np.uint8))
    return [(sr, hr, 3), (sr, hr, 0), (hr, hr, 2)]


def _decibels(error, peak=255):
    return 10 * np.log10(peak**2 / np.mean(error**2))


def _psnr(decibels, prepare=metrics.rgb_to_y):
    """A PSNR with its own ``prepare`` (image -> values to compare) and ``decibels`` (of errors)."""

    def psnr(sr, hr, border):
        inside = np.s_[border : sr.shape[0] - border, border : sr.shape[1] - border]
        error = prepare(sr)[inside] - prepare(hr)[inside]
        return decibels(error) if error.any() else np.inf

    return psnr


def _cut(top, bottom, left, right):
    """A PSNR that cuts the border only on the sides whose argument is 1."""

    def psnr(sr, hr, border):
        height, width = sr.shape[:2]
        rows = slice(top * border, height - bottom * border)
        columns = slice(left * border, width - right * border)
        return metrics.psnr_y(sr[rows, columns], hr[rows, columns], 0)

    return psnr


def _with_error_plus(small):
    def psnr(sr, hr, border):
        error = 255**2 / 10 ** (metrics.psnr_y(sr, hr, border) / 10)
        return 10 * np.log10(255**2 / (error + small))

    return psnr


def _with_own_peak(sr, hr, border):
    inside = np.s_[border : sr.shape[0] - border, border : sr.shape[1] - border]
    return metrics.psnr_y(sr, hr, border) + 20 * np.log10(metrics.rgb_to_y(sr)[inside].max() / 255)


def _for_identical(answer):
    def psnr(sr, hr, border):
        return answer if np.array_equal(sr, hr) else metrics.psnr_y(sr, hr, border)

    return psnr


psnr_y = Exercise(
    "the_yardstick",
    "psnr_y",
    metrics.psnr_y,
    _draw_pairs,
    {
        "the border is not cut: cut `border` pixels from every side": _cut(0, 0, 0, 0),
        "the border is cut only at the top and left: end at height − border and width − border": (
            _cut(1, 0, 1, 0)
        ),
        "the border is cut only at the bottom and right: start at `border`": _cut(0, 1, 0, 1),
        "the border is cut from the rows but not from the columns": _cut(1, 1, 0, 0),
        "the border is cut from the columns but not from the rows": _cut(0, 0, 1, 1),
        "it fails only for a border of 0, where 0:-0 is an empty slice: end at height − border": (
            lambda sr, hr, border: np.nan if border == 0 else metrics.psnr_y(sr, hr, border)
        ),
        "this is the PSNR of R, G and B: compare the luma": metrics.psnr_rgb,
        "bytes are subtracted, and they wrap around: compare the luma, which is float": (
            _psnr(_decibels, prepare=lambda image: image)
        ),
        "Y is rounded: do not round it": (
            _psnr(_decibels, prepare=lambda image: np.round(metrics.rgb_to_y(image)))
        ),
        "Y is converted to bytes, which cut off its fraction and wrap around: keep it float": (
            _psnr(_decibels, prepare=lambda image: metrics.rgb_to_y(image).astype(np.uint8))
        ),
        "the peak is not squared: use 255²": (
            _psnr(lambda error: 10 * np.log10(255 / np.mean(error**2)))
        ),
        "use 10 · log10, not 20: 255² and the mean squared error are squares already": (
            _psnr(lambda error: 2 * _decibels(error))
        ),
        "divide 255² by the mean squared error itself, not by its root": (
            _psnr(lambda error: 10 * np.log10(255**2 / np.sqrt(np.mean(error**2))))
        ),
        "the errors are not squared: square them before you take the mean": (
            _psnr(lambda error: 10 * np.log10(255**2 / np.mean(np.abs(error))))
        ),
        "this is the natural logarithm: use log10": (
            _psnr(lambda error: np.log(10) * _decibels(error))
        ),
        "the peak is 235: by convention it is 255, although Y ends at 235": (
            _psnr(lambda error: _decibels(error, peak=235))
        ),
        "the peak is 219: by convention it is 255, although Y spans 219 levels": (
            _psnr(lambda error: _decibels(error, peak=219))
        ),
        "the peak is 1: the images are bytes, so it is 255": (
            _psnr(lambda error: _decibels(error, peak=1))
        ),
        "this is the mean squared error: turn it into decibels": (
            _psnr(lambda error: np.mean(error**2))
        ),
        "the squared errors are summed: take their mean": (
            _psnr(lambda error: 10 * np.log10(255**2 / np.sum(error**2)))
        ),
        "the result is rounded: return it as it is": (
            lambda sr, hr, border: np.round(metrics.psnr_y(sr, hr, border), 2)
        ),
        "twice the border is cut: cut `border` pixels from every side": (
            lambda sr, hr, border: metrics.psnr_y(sr, hr, 2 * border)
        ),
        "one pixel too many is cut from every side: cut `border`": (
            lambda sr, hr, border: metrics.psnr_y(sr, hr, border + 1)
        ),
        "it always cuts 2 pixels: use `border`": lambda sr, hr, border: metrics.psnr_y(sr, hr, 2),
        "for identical images it returns nan: they have no error, so return np.inf": _for_identical(
            np.nan
        ),
        "for identical images it returns 100: they have no error, so return np.inf": _for_identical(
            100.0
        ),
        "for identical images it returns 0: they have no error, so return np.inf": _for_identical(
            0.0
        ),
        **{
            f"{small} is added to the error, so identical images have a finite PSNR: return np.inf "
            "where the error is 0": _with_error_plus(small)
            for small in (1e-6, 1e-8, 1e-10, 1e-12)
        },
        "the errors are averaged before they are squared: square them first": (
            _psnr(lambda error: 10 * np.log10(255**2 / error.mean() ** 2))
        ),
        "the peak is the largest value of the image: by convention it is 255": _with_own_peak,
    },
    tolerance=1e-9,
)


# SSIM


def _luma_pair(rng, height, width):
    """Two correlated patches of luma (height, width), dark enough for C1 to matter."""
    x = rng.uniform(16, 40, (height, width))
    return x, 0.7 * x + rng.uniform(0, 20, x.shape)


def _draw_windows(rng):
    uneven = rng.uniform(0.1, 1, (4, 6))
    return [
        (*_luma_pair(rng, 11, 11), _WINDOW),
        (*_luma_pair(rng, 4, 6), uneven / uneven.sum()),
    ]


def _draw_luma(rng):
    return [_luma_pair(rng, *size) for size in ((15, 19), (13, 11))]


def _moments(x, y, weights):
    """Weighted means, variances and covariance over the last two axes."""

    def mean(values):
        return (values * weights).sum((-2, -1))

    mean_x, mean_y = mean(x), mean(y)
    products = mean(x * x), mean(y * y), mean(x * y)
    return mean_x, mean_y, *np.subtract(products, (mean_x**2, mean_y**2, mean_x * mean_y))


def _similarity(mean_x, mean_y, var_x, var_y, cov, c1=_C1, c2=_C2):
    return ((2 * mean_x * mean_y + c1) * (2 * cov + c2)) / (
        (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    )


def one_window(x, y, weights):
    """SSIM of two patches (Wang et al. 2004, Eq. 13): float64 (h, w) each, weights that sum to 1.

    Given stacks of patches (..., h, w), it returns (...).
    """
    return _similarity(*_moments(x, y, weights))


def local_ssim(x, y):
    """SSIM of every window inside two luma images, float64 (H, W) each: (H - 10, W - 10).

    The window is a Gaussian of 11×11 pixels with σ = 1.5.
    """
    _, similarity = _ssim_of_skimage(x, y)
    return similarity[5:-5, 5:-5]


def _ssim_of_skimage(x, y):
    """(mean SSIM, its map of the image's size): at the edges, windows cover mirrored pixels."""
    return structural_similarity(
        x,
        y,
        win_size=11,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )


def _changed(change):
    """SSIM of a window from moments that ``change`` has altered."""
    return lambda x, y, weights: _similarity(*change(*_moments(x, y, weights)))


def _with_constants(c1, c2):
    return lambda x, y, weights: _similarity(*_moments(x, y, weights), c1, c2)


def _with_means(fraction):
    """SSIM of a window with another ``fraction`` of the means."""

    def similarity(x, y, weights):
        mean_x, mean_y, *spreads = _moments(x, y, weights)
        return fraction(mean_x, mean_y) * _similarity(0, 0, *spreads)

    return similarity


def _product_of_variances(mean_x, mean_y, var_x, var_y, cov):
    return _similarity(mean_x, mean_y, 0, 0, 0) * (2 * cov + _C2) / (var_x * var_y + _C2)


def _sum_of_fractions(mean_x, mean_y, *spreads):
    return _similarity(mean_x, mean_y, 0, 0, 0) + _similarity(0, 0, *spreads)


def _denominators_added(mean_x, mean_y, var_x, var_y, cov):
    above = (2 * mean_x * mean_y + _C1) * (2 * cov + _C2)
    return above / (mean_x**2 + mean_y**2 + _C1 + var_x + var_y + _C2)


def _constants_crossed(mean_x, mean_y, var_x, var_y, cov):
    above = (2 * mean_x * mean_y + _C2) * (2 * cov + _C1)
    return above / ((mean_x**2 + mean_y**2 + _C1) * (var_x + var_y + _C2))


def _about_plain_means(x, y, weights):
    """Weighted means of the products of deviations from the unweighted means."""
    dx, dy = (image - image.mean((-2, -1), keepdims=True) for image in (x, y))
    return [(weights * product).sum((-2, -1)) for product in (dx * dx, dy * dy, dx * dy)]


def _unbiased(x, y, weights):
    mean_x, mean_y, *spreads = _moments(x, y, weights)
    factor = weights.size / (weights.size - 1)
    return _similarity(mean_x, mean_y, *(factor * spread for spread in spreads))


def _even(weights):
    return np.full_like(weights, 1 / weights.size)


def _even_spreads(x, y, weights):
    return _similarity(*_moments(x, y, weights)[:2], *_moments(x, y, _even(weights))[2:])


def _even_variances(x, y, weights):
    mean_x, mean_y, _, _, cov = _moments(x, y, weights)
    return _similarity(mean_x, mean_y, *_moments(x, y, _even(weights))[2:4], cov)


def _even_about_weighted_means(x, y, weights, *, about=(0, 1, 2)):
    """Unweighted means of squared deviations from weighted means; of those in ``about``."""
    means = _moments(x, y, weights)[:2]
    dx, dy = (image - mean[..., None, None] for image, mean in zip((x, y), means, strict=True))
    spreads = list(_moments(x, y, _even(weights))[2:])
    for place in about:
        spreads[place] = (dx * dx, dy * dy, dx * dy)[place].mean((-2, -1))
    return _similarity(*means, *spreads)


_IN_THE_FORMULA = {
    "C1 and C2 are missing: add them as in the formula": _with_constants(0, 0),
    "C1 and C2 are for images in 0..1: they are (0.01 · 255)² and (0.03 · 255)²": (
        _with_constants(0.01**2, 0.03**2)
    ),
    "C1 and C2 are swapped": _with_constants(_C2, _C1),
    "C1 and C2 are not squared: they are (0.01 · 255)² and (0.03 · 255)²": _with_constants(
        2.55, 7.65
    ),
    "the variances and the covariance are not centred: subtract the products of the means": (
        _changed(lambda mx, my, vx, vy, cov: (mx, my, vx + mx**2, vy + my**2, cov + mx * my))
    ),
    "only the covariance is not centred: subtract mean(x) · mean(y) from mean(x · y)": (
        _changed(lambda mx, my, vx, vy, cov: (mx, my, vx, vy, cov + mx * my))
    ),
    "these are standard deviations: the formula needs their squares, the variances": (
        _changed(lambda mx, my, vx, vy, cov: (mx, my, np.sqrt(vx), np.sqrt(vy), cov))
    ),
    "the 2 before the covariance is missing": (
        _changed(lambda mx, my, vx, vy, cov: (mx, my, vx, vy, cov / 2))
    ),
    "the covariance has a 2 too many": (
        _changed(lambda mx, my, vx, vy, cov: (mx, my, vx, vy, 2 * cov))
    ),
    "only the variances are not centred: subtract the squares of the means": (
        _changed(lambda mx, my, vx, vy, cov: (mx, my, vx + mx**2, vy + my**2, cov))
    ),
    "the variances are squared once more: the formula's σ² is the variance": (
        _changed(lambda mx, my, vx, vy, cov: (mx, my, vx**2, vy**2, cov))
    ),
    "the variance of x stands for that of y too": (
        _changed(lambda mx, my, vx, vy, cov: (mx, my, vx, vx, cov))
    ),
    "the 2 before the product of the means is missing": _with_means(
        lambda mx, my: (mx * my + _C1) / (mx**2 + my**2 + _C1)
    ),
    "the sum of the means is squared: square each mean, then add": _with_means(
        lambda mx, my: (2 * mx * my + _C1) / ((mx + my) ** 2 + _C1)
    ),
    "the variances are multiplied: add them": lambda x, y, weights: _product_of_variances(
        *_moments(x, y, weights)
    ),
    "the two fractions are added: multiply them": lambda x, y, weights: _sum_of_fractions(
        *_moments(x, y, weights)
    ),
    "only the means are compared: the fraction with the covariance is missing": (
        _changed(lambda mx, my, vx, vy, cov: (mx, my, 0, 0, 0))
    ),
    "the means are not compared: the fraction with the means is missing": (
        _changed(lambda mx, my, vx, vy, cov: (0, 0, vx, vy, cov))
    ),
    "all pixels count the same: weight them with w": (
        lambda x, y, weights: one_window(x, y, np.full_like(weights, 1 / weights.size))
    ),
    "only the means are weighted: weight the variances and the covariance too": _even_spreads,
    "only the means are weighted: weight the squared deviations from them too": (
        _even_about_weighted_means
    ),
    "the variances are not weighted, and neither is the mean of the products: weight them with w": (
        partial(_even_about_weighted_means, about=[2])
    ),
    "only the means and the covariance are weighted: weight the variances too": _even_variances,
    "the variances are scaled by n / (n − 1): a weighted mean needs no such correction": _unbiased,
    "the denominators are added: multiply them": lambda x, y, weights: _denominators_added(
        *_moments(x, y, weights)
    ),
    "deviations are from the unweighted means: subtract the weighted ones": (
        lambda x, y, weights: _similarity(
            *_moments(x, y, weights)[:2], *_about_plain_means(x, y, weights)
        )
    ),
    "these are means of weighted pixels: w adds up to 1, so add the products up": (
        lambda x, y, weights: one_window(x, y, weights / weights.size)
    ),
    "C1 and C2 are swapped in the numerator": lambda x, y, weights: _constants_crossed(
        *_moments(x, y, weights)
    ),
}

window_ssim = Exercise(
    "the_yardstick",
    "window_ssim",
    one_window,
    _draw_windows,
    _IN_THE_FORMULA,
    tolerance=1e-9,
)


def _everywhere(similarity, window=_WINDOW):
    """The function that maps two images to the ``similarity`` of each of their windows."""

    def ssim_map(x, y):
        x, y = (sliding_window_view(image, window.shape) for image in (x, y))
        return similarity(x, y, window)

    return ssim_map


ssim_map = Exercise(
    "the_yardstick",
    "ssim_map",
    local_ssim,
    _draw_luma,
    {message: _everywhere(wrong) for message, wrong in _IN_THE_FORMULA.items()}
    | {
        "the image is padded with zeros: do not pad, keep every window inside the image": (
            lambda x, y: _everywhere(one_window)(np.pad(x, 5), np.pad(y, 5))
        ),
        "windows reach beyond the edges of the image: leave out 5 positions on each side": (
            lambda x, y: _ssim_of_skimage(x, y)[1]
        ),
        "this is the mean of the map: return the map": lambda x, y: local_ssim(x, y).mean(),
        "the weights of the window add up to more than 1: divide them by their sum": (
            _everywhere(one_window, _WINDOW / _WINDOW.max())
        ),
        "the window is only one row high: it needs 11 rows and 11 columns": (
            _everywhere(one_window, _TAPS[None] / _TAPS.sum())
        ),
    },
    tolerance=1e-9,
)
