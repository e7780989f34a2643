import math
import re

import nbformat
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from skimage import data
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from glanet.course.kit.paths import NOTEBOOKS
from glanet.course.lessons.the_yardstick import exercises as yardstick
from glanet.course.lessons.the_yardstick.figures import (
    DISTORTIONS,
    distort,
    local_similarity,
    psnr_differences,
)
from glanet.course.lessons.the_yardstick.widgets import explore_distortions
from glanet.evaluation.metrics import psnr_y, rgb_to_y, ssim_y
from glanet.evaluation.published import published
from tests.lessons.verdicts import assert_named, assert_rejected, assert_right, message_on

# Luma


def luma_with(red=65.481, green=128.553, blue=24.966, offset=16.0, span=255.0):
    def luma(image):
        parts = zip((red, green, blue), np.moveaxis(image, -1, 0), strict=True)
        return offset + sum(weight * (channel / span) for weight, channel in parts)

    return luma


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (luma_with(offset=0), "16 is missing"),
        (luma_with(span=1), "divide the weighted sum by 255"),
        (luma_with(offset=16 / 255), "16 is divided by 255 too"),
        (luma_with(red=24.966, blue=65.481), "red and blue are swapped"),
        (luma_with(85, 85, 85, offset=0), "the mean of red, green and blue"),
        (luma_with(76.245, 149.685, 29.07, offset=0), "JPEG's luma"),
        (lambda image: np.rint(rgb2ycbcr(image)[..., 0]), "Y is rounded"),
        (lambda image: rgb2ycbcr(image)[..., 0].astype(np.uint8), "the fraction of Y is cut off"),
    ],
)
def test_each_mistake_in_luma_is_named(mistaken, says):
    assert_rejected(yardstick.luma, mistaken, says)


# PSNR


def inside(image, border):
    height, width = image.shape[:2]
    return image[border : height - border, border : width - border]


def on_y(image, border):
    return inside(rgb2ycbcr(image)[..., 0], border)


def psnr_of(error_of, decibels=lambda mse: 20 * math.log10(255) - 10 * math.log10(mse)):
    """A PSNR from what ``error_of`` makes of the two images and the border; of 0, infinity."""

    def psnr(sr, hr, border):
        error = error_of(sr, hr, border)
        return decibels(error) if error else math.inf

    return psnr


def mse(sr, hr, border):
    return float(np.square(on_y(sr, border) - on_y(hr, border)).mean())


def mse_of(prepare):
    return lambda sr, hr, border: np.square(prepare(sr, border) - prepare(hr, border)).mean()


def cut_by_minus_border(sr, hr, border):
    images = (rgb2ycbcr(image)[border:-border, border:-border, 0] for image in (sr, hr))
    error = np.subtract(*images)
    return np.square(error).sum() / np.float64(error.size) if error.any() else np.nan


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (psnr_of(lambda sr, hr, border: mse(sr, hr, 0)), "the border is not cut"),
        (
            psnr_of(mse_of(lambda image, border: rgb2ycbcr(image)[border:, border:, 0])),
            "only at the top and left",
        ),
        (
            psnr_of(
                mse_of(
                    lambda i, border: on_y(np.pad(i, ((border, 0), (border, 0), (0, 0))), border)
                )
            ),
            "only at the bottom and right",
        ),
        (
            psnr_of(mse_of(lambda i, b: on_y(np.pad(i, ((0, 0), (b, b), (0, 0))), b))),
            "from the rows but not from the columns",
        ),
        (
            psnr_of(mse_of(lambda i, b: on_y(np.pad(i, ((b, b), (0, 0), (0, 0))), b))),
            "from the columns but not from the rows",
        ),
        (
            lambda sr, hr, border: (
                math.inf
                if (sr == hr).all()
                else 10 * np.log10(255**2 / cut_by_minus_border(sr, hr, border))
            ),
            "0:-0 is an empty slice",
        ),
        (
            lambda sr, hr, border: (
                math.inf
                if (sr == hr).all()
                else peak_signal_noise_ratio(inside(hr, border), inside(sr, border))
            ),
            "PSNR of R, G and B",
        ),
        (
            psnr_of(
                lambda sr, hr, border: inside(
                    (sr.astype(int) - hr.astype(int)) ** 2 % 256, border
                ).mean()
            ),
            "bytes are subtracted",
        ),
        (psnr_of(mse_of(lambda i, b: np.rint(on_y(i, b)))), "Y is rounded"),
        (
            psnr_of(mse_of(lambda i, b: on_y(i, b).astype(np.uint8))),
            "Y is converted to bytes",
        ),
        (
            psnr_of(mse, lambda e: 10 * math.log10(255) - 10 * math.log10(e)),
            "the peak is not squared",
        ),
        (psnr_of(mse, lambda e: 20 * math.log10(255**2 / e)), "10 · log10, not 20"),
        (psnr_of(mse, lambda e: 10 * math.log10(255**2 / math.sqrt(e))), "not by its root"),
        (
            psnr_of(lambda sr, hr, b: np.abs(on_y(sr, b) - on_y(hr, b)).mean()),
            "errors are not squared",
        ),
        (psnr_of(mse, lambda e: 10 * math.log(255**2 / e)), "natural logarithm"),
        (psnr_of(mse, lambda e: 20 * math.log10(235 / e**0.5)), "Y ends at 235"),
        (psnr_of(mse, lambda e: 20 * math.log10(219 / e**0.5)), "Y spans 219"),
        (
            lambda sr, hr, b: psnr_of(mse)(sr, hr, b) if mse(sr, hr, b) else 100,
            "for identical images it returns 100",
        ),
        (
            lambda sr, hr, b: psnr_of(mse)(sr, hr, b) if mse(sr, hr, b) else 0,
            "for identical images it returns 0:",
        ),
    ],
)
def test_each_mistake_in_psnr_is_named(mistaken, says):
    assert_rejected(yardstick.psnr_y, mistaken, says)


def test_no_drawn_colour_is_rounded_by_its_last_bit():
    whole = np.array([[[0, 0, 0], [255, 255, 255], [85, 85, 85], [9, 8, 7]]], np.uint8)
    assert [*(yardstick._off_the_edge(whole.copy()) == whole).all(-1)[0]] == [0, 0, 0, 1]
    for seed in range(50):
        rng = np.random.default_rng(seed)
        pairs = yardstick.psnr_y.draw(rng)
        images = [image for sr, hr, _ in pairs for image in (sr, hr)]
        images += [image for (image,) in yardstick.luma.draw(rng)]
        for image in images:
            doubled = 2 * rgb2ycbcr(image)[..., 0]
            assert np.abs(doubled - np.round(doubled)).min() > 1e-6


# SSIM of one window


def ssim_with(
    weigh=lambda values, weights: np.average(values, weights=weights),
    spread=lambda deviations, weights: np.average(deviations, weights=weights),
    c1=6.5025,
    c2=58.5225,
    same_mean=lambda mx, my, c1: (2 * mx * my + c1) / (mx**2 + my**2 + c1),
    same_pattern=lambda vx, vy, cov, c2: (2 * cov + c2) / (vx + vy + c2),
):
    """SSIM of a window by deviations from the means, each part of which may be replaced."""

    def ssim(x, y, weights):
        mx, my = weigh(x, weights), weigh(y, weights)
        vx, vy = spread((x - mx) ** 2, weights), spread((y - my) ** 2, weights)
        cov = spread((x - mx) * (y - my), weights)
        return same_mean(mx, my, c1) * same_pattern(vx, vy, cov, c2)

    return ssim


def raw_moments(x, y, weights):
    xx, yy, xy, mx, my = (np.sum(weights * v) for v in (x * x, y * y, x * y, x, y))
    return (
        (2 * mx * my + 6.5025)
        * (2 * xy + 58.5225)
        / ((mx**2 + my**2 + 6.5025) * (xx + yy + 58.5225))
    )


def raw_covariance(x, y, weights):
    both = np.sum(weights * x * y)
    return ssim_with(same_pattern=lambda vx, vy, cov, c2: (2 * both + c2) / (vx + vy + c2))(
        x, y, weights
    )


SSIM_MUTANTS = [
    (ssim_with(c1=0, c2=0), "C1 and C2 are missing"),
    (ssim_with(c1=1e-4, c2=9e-4), "for images in 0..1"),
    (ssim_with(c1=58.5225, c2=6.5025), "C1 and C2 are swapped"),
    (ssim_with(c1=0.01 * 255, c2=0.03 * 255), "C1 and C2 are not squared"),
    (raw_moments, "the variances and the covariance are not centred"),
    (raw_covariance, "only the covariance is not centred"),
    (
        ssim_with(same_pattern=lambda vx, vy, cov, c2: (2 * cov + c2) / (vx**0.5 + vy**0.5 + c2)),
        "standard deviations",
    ),
    (
        ssim_with(same_pattern=lambda vx, vy, cov, c2: (cov + c2) / (vx + vy + c2)),
        "the 2 before the covariance is missing",
    ),
    (ssim_with(same_pattern=lambda *_: 1.0), "only the means are compared"),
    (ssim_with(same_mean=lambda *_: 1.0), "the means are not compared"),
    (
        ssim_with(weigh=lambda v, _: v.mean(), spread=lambda v, _: v.mean()),
        "all pixels count the same",
    ),
    (
        ssim_with(spread=lambda v, weights: np.average(v, weights=weights) * v.size / (v.size - 1)),
        "scaled by n / (n − 1)",
    ),
]


def test_ssim_of_a_window_may_be_written_in_other_ways():
    assert_right(yardstick.window_ssim, ssim_with())


@pytest.mark.parametrize(("mistaken", "says"), SSIM_MUTANTS)
def test_each_mistake_in_ssim_of_a_window_is_named(mistaken, says):
    assert_rejected(yardstick.window_ssim, mistaken, says)


@pytest.mark.parametrize(
    ("variance", "covariance", "says"),
    [
        (
            lambda x, mean, w: np.var(x),
            lambda x, y, mx, my, w: np.cov(x.ravel(), y.ravel(), bias=True)[0, 1],
            "only the means are weighted: weight the variances and the covariance",
        ),
        (
            lambda x, mean, w: np.square(x - mean).mean(),
            lambda x, y, mx, my, w: ((x - mx) * (y - my)).mean(),
            "only the means are weighted: weight the squared deviations",
        ),
        (
            lambda x, mean, w: x.var(),
            lambda x, y, mx, my, w: ((x - mx) * (y - my)).mean(),
            "neither is the mean of the products",
        ),
        (
            lambda x, mean, w: x.var(),
            lambda x, y, mx, my, w: (w * x * y).sum() - mx * my,
            "only the means and the covariance are weighted",
        ),
    ],
)
def test_unweighted_variances_in_window_ssim_are_named(variance, covariance, says):
    def mistaken(x, y, weights):
        mx, my = np.average(x, weights=weights), np.average(y, weights=weights)
        cov = covariance(x, y, mx, my, weights)
        first = (2 * mx * my + 6.5025) / (mx**2 + my**2 + 6.5025)
        spread = variance(x, mx, weights) + variance(y, my, weights)
        return first * (2 * cov + 58.5225) / (spread + 58.5225)

    assert_named(yardstick.window_ssim, mistaken, says)


# SSIM everywhere


def gaussian(width=11):
    taps = torch.exp(-((torch.arange(width, dtype=torch.float64) - width // 2) ** 2) / 4.5)
    return torch.outer(taps, taps) / taps.sum() ** 2


def by_loops(ssim, kernel=None):
    kernel = gaussian().numpy() if kernel is None else kernel

    def ssim_map(x, y):
        rows, columns = kernel.shape
        return np.array(
            [
                [
                    ssim(x[i : i + rows, j : j + columns], y[i : i + rows, j : j + columns], kernel)
                    for j in range(x.shape[1] - columns + 1)
                ]
                for i in range(x.shape[0] - rows + 1)
            ]
        )

    return ssim_map


def by_convolution(kernel, padding=0):
    """The map as notebook 02 makes it, from convolutions in torch."""

    def ssim_map(x, y):
        x, y = torch.tensor(x), torch.tensor(y)
        products = torch.stack([x, y, x * x, y * y, x * y])[:, None]
        mx, my, xx, yy, xy = F.conv2d(products, kernel[None, None], padding=padding)[:, 0]
        same_mean = (2 * mx * my + 6.5025) / (mx**2 + my**2 + 6.5025)
        return same_mean * (2 * (xy - mx * my) + 58.5225) / (xx - mx**2 + yy - my**2 + 58.5225)

    return ssim_map


def skimages_map(x, y, **options):
    settings = {
        "win_size": 11,
        "gaussian_weights": True,
        "sigma": 1.5,
        "use_sample_covariance": False,
        "data_range": 255,
    }
    return structural_similarity(x, y, full=True, **settings | options)


def test_the_ssim_map_by_loops_is_right():
    assert_right(yardstick.ssim_map, by_loops(ssim_with()))


@pytest.mark.parametrize(
    ("exercise", "answer", "says"),
    [
        (yardstick.luma, lambda image: torch.tensor(rgb_to_y(image)), "return a numpy array"),
        (yardstick.luma, lambda image: np.float32(rgb_to_y(image)), "compute in float64"),
        (yardstick.psnr_y, lambda *pair: np.float32(psnr_y(*pair)), "compute in float64"),
        (
            yardstick.psnr_y,
            lambda *pair: torch.tensor(psnr_y(*pair), dtype=torch.float64),
            "return a number",
        ),
        (yardstick.ssim_map, by_convolution(gaussian()), "return a numpy array"),
    ],
)
def test_right_numbers_in_another_type_are_rejected_in_words(exercise, answer, says):
    assert_rejected(exercise, answer, f"right, but {'in' if 'compute' in says else 'as'}")
    assert_rejected(exercise, answer, says)


def test_one_constant_that_is_not_squared_is_rejected():
    for constants in ({"c1": 0.01 * 255}, {"c2": 0.03 * 255}):
        for _ in range(20):
            message_on(yardstick.window_ssim, ssim_with(**constants))


def test_luma_cut_at_a_level_is_rejected():
    for low, high in ((16, 230), (20, 235)):
        assert_rejected(
            yardstick.luma, lambda i, b=(low, high): rgb_to_y(i).clip(*b), "for a uint8 array"
        )


@pytest.mark.parametrize(("mistaken", "says"), SSIM_MUTANTS)
def test_each_mistake_in_the_formula_is_named_in_the_map_too(mistaken, says):
    assert_rejected(yardstick.ssim_map, by_loops(mistaken), says)


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (by_convolution(gaussian(), padding=5), "padded with zeros"),
        (lambda x, y: skimages_map(x, y)[1], "leave out 5 positions on each side"),
        (lambda x, y: skimages_map(x, y)[0], "the mean of the map"),
        (by_convolution(gaussian() / gaussian()[5, 5]), "add up to more than 1"),
        (by_convolution(gaussian().sum(0, keepdim=True)), "one row high"),
        (by_convolution(torch.full((11, 11), 1 / 121, dtype=torch.float64)), "count the same"),
        (
            lambda x, y: skimages_map(x, y, use_sample_covariance=True)[1][5:-5, 5:-5],
            "scaled by n / (n − 1)",
        ),
        (lambda x, y: skimages_map(x, y, data_range=1)[1][5:-5, 5:-5], "for images in 0..1"),
    ],
)
def test_each_mistake_in_the_map_is_named(mistaken, says):
    assert_rejected(yardstick.ssim_map, mistaken, says)


def test_the_mean_of_the_reference_map_is_the_packages_ssim():
    sr, hr = np.random.default_rng(0).integers(0, 256, (2, 20, 31, 3), dtype=np.uint8)
    similarity = yardstick.local_ssim(rgb_to_y(sr)[2:-2, 2:-2], rgb_to_y(hr)[2:-2, 2:-2])
    assert similarity.shape == (6, 17)
    assert similarity.mean() == pytest.approx(ssim_y(sr, hr, 2), abs=1e-12)


# Distortions


@pytest.fixture(scope="module")
def photo():
    return data.coffee()[100:260, 30:210]


@pytest.mark.parametrize("error", [1, 12, 20])
def test_all_distortions_do_the_same_squared_error_on_y(photo, error):
    psnrs = [psnr_y(distort(photo, kind, error), photo, 0) for kind in DISTORTIONS]
    assert psnrs == pytest.approx([psnrs[0]] * 4, abs=0.15 if error == 1 else 0.03)


def test_brightening_adds_levels_and_ends_at_white(photo):
    brighter = distort(photo, "brighter", 12)
    assert np.array_equal(brighter, np.minimum(photo.astype(int) + 12, 255))
    assert brighter.dtype == np.uint8


def test_distortions_are_what_they_are_called(photo):
    def roughness(image):
        return np.abs(np.diff(rgb_to_y(image), axis=1)).mean()

    spoiled = {kind: distort(photo, kind, 12) for kind in DISTORTIONS}
    assert roughness(spoiled["blurred"]) < 0.6 * roughness(photo)
    assert roughness(spoiled["noisy"]) > 1.4 * roughness(photo)
    # it was shifted by about a pixel: shifted back by one, it fits far better
    pixels = [psnr_y(np.roll(spoiled["shifted"], n, 1), photo, 4) for n in range(4)]
    assert max(pixels) > pixels[0] + 3
    assert np.array_equal(distort(photo, "noisy", 12), spoiled["noisy"])


def test_ssim_prefers_what_the_notebook_says(photo):
    ssims = {kind: ssim_y(distort(photo, kind, 12), photo, 0) for kind in DISTORTIONS}
    assert sorted(ssims, key=ssims.get) == ["noisy", "blurred", "shifted", "brighter"]


# Figures


def test_bars_show_how_far_each_number_is_from_the_first():
    figure = psnr_differences({"protocol": 30.0, "border": 30.25, "RGB": 28.5})
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [0.25, -1.5]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["border", "RGB"]
    assert [text.get_text() for text in axes.texts] == ["+0.25", "−1.50"]
    assert axes.get_xlabel() == "difference (dB) from 30.00 dB: protocol"
    low, high = axes.get_xlim()
    assert low < -1.5
    assert high > 0.25


def test_maps_lie_below_their_images_pixel_on_pixel_and_on_one_scale(photo):
    images = {"original": photo, "noisy": distort(photo, "noisy", 12)}
    maps = {t: yardstick.local_ssim(rgb_to_y(i), rgb_to_y(photo)) for t, i in images.items()}
    figure = local_similarity(images, maps, top=20, left=30, side=40)
    above, below, bar = figure.axes[:2], figure.axes[2:4], figure.axes[4]
    assert [axes.get_title() for axes in above] == ["original", "noisy"]
    for axes, image in zip(above, images.values(), strict=True):
        assert np.array_equal(axes.images[0].get_array(), image)
        assert axes.images[0].get_extent() == [0, 180, 160, 0]
    for axes, similarity in zip(below, maps.values(), strict=True):
        assert np.array_equal(axes.images[0].get_array(), similarity)
        assert axes.images[0].get_extent() == [5, 175, 155, 5]
        assert axes.images[0].get_clim() == (0, 1)
    assert {axes.get_xlim() for axes in above + below} == {(30, 70)}
    assert {axes.get_ylim() for axes in above + below} == {(60, 20)}
    assert bar.get_ylabel() == "local SSIM"


def test_distortion_widget_draws_both_ends_of_every_control(photo, sweep):
    widget = explore_distortions(photo, yardstick.local_ssim, side=40)
    assert sweep(widget) == 2
    assert widget.children[0].options == tuple(DISTORTIONS)


def test_the_widget_says_what_the_distortion_measures(photo):
    widget = explore_distortions(photo, yardstick.local_ssim, side=40)
    spoiled = distort(photo, "blurred", 7)
    psnr, ssim = psnr_y(spoiled, photo, 0), ssim_y(spoiled, photo, 0)
    titles = [axes.get_title() for axes in widget.f("blurred", 7).axes[:2]]
    assert titles == ["original", f"blurred\n{psnr:.2f} dB, SSIM {ssim:.3f}"]


# The rows of bicubic in the text

ROW = re.compile(r"^# \| ×(\d) (\w+) \| ([\d.]+ / [\d.]+) \| ([\d.]+ / [\d.]+) \|$", re.MULTILINE)
ROWS = ROW.findall((NOTEBOOKS / "source" / "02_the_yardstick.py").read_text("utf-8"))


def test_the_published_rows_in_the_text_are_published():
    assert len(ROWS) == 8
    for scale, name, claimed, _ in ROWS:
        _, _, known = published(int(scale))[0]
        assert claimed == "{:.2f} / {:.4f}".format(*known[name])


def test_the_measured_rows_in_the_text_are_those_of_the_notebook():
    stored = nbformat.read(NOTEBOOKS / "02_the_yardstick.ipynb", as_version=4)
    printed = [
        dict(re.findall(r"^×(\d \w+) +([\d.]+ / [\d.]+)", output.text, re.MULTILINE))
        for cell in stored.cells
        if cell.cell_type == "code" and cell.source.rpartition("\n")[2].startswith("compare(")
        for output in cell.outputs
    ]
    by_protocol, on_y_alone = ROWS[:4], ROWS[4:]
    for rows, measured in zip((by_protocol, on_y_alone), printed, strict=True):
        assert {f"{scale} {name}": numbers for scale, name, _, numbers in rows} == measured
