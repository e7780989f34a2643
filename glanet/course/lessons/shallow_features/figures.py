"""Figures of notebook 03: the effect of a filter on an image, and of a short training."""

import numpy as np
from matplotlib.ticker import FixedLocator, NullLocator

from glanet.course.kit.style import LOOKS, new_figure


def response(image, kernel, answer, *, limit):
    """An image, a 3×3 filter with its nine weights, and the filter's answer at each pixel.

    image: uint8 (H, W) or (H, W, 3); kernel: (3, 3); answer: (H, W), any unit. Red is positive,
    blue negative. The colours of the answer span -``limit`` to ``limit``.
    """
    figure = new_figure(5.8, 2.0)
    picture, weights, map_ = figure.subplots(1, 3, width_ratios=(3, 1.6, 3))
    picture.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    picture.set_title("image")
    picture.set_ylabel("row (pixels)")
    largest = max(np.abs(kernel).max(), 1e-9)
    weights.imshow(kernel, cmap="RdBu_r", vmin=-largest, vmax=largest)
    for (row, column), weight in np.ndenumerate(kernel):
        shade = "white" if abs(weight) > 0.7 * largest else "black"
        weights.text(
            column,
            row,
            f"{round(float(weight), 2) + 0.0:g}",
            ha="center",
            va="center",
            color=shade,
            fontsize=7,
        )
    weights.set_title("filter")
    weights.set_xticks([])
    weights.set_yticks([])
    shown = map_.imshow(answer, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    map_.set_title("answer")
    figure.colorbar(shown, ax=map_, shrink=0.8)
    for axes in (picture, map_):
        axes.set_xlabel("column (pixels)")
    return figure


def missing(original, base, *, top, left, side):
    """The difference between an original and an enlargement, in one square.

    original, base: uint8 (H, W, 3), of the same size. The square of ``side`` pixels starts at
    (``top``, ``left``). The third panel shows ``original`` minus ``base`` in grey levels, averaged
    over the three colours: red where the original is brighter.
    """
    square = slice(top, top + side), slice(left, left + side)
    original, base = original[square], base[square]
    difference = (original.astype(float) - base).mean(axis=-1)
    limit = max(np.abs(difference).max(), 1)
    figure = new_figure(6.8, 2.2)
    look = {"interpolation": "nearest", "extent": (left, left + side, top + side, top)}
    panels = figure.subplots(1, 3)
    panels[0].imshow(original, **look)
    panels[1].imshow(base, **look)
    shown = panels[2].imshow(difference, cmap="RdBu_r", vmin=-limit, vmax=limit, **look)
    figure.colorbar(shown, ax=panels[2], shrink=0.8, label="grey levels, of 255")
    titles = "original, $I_{GT}$", "bilinear, $I_{CSR}$", "original − bilinear"
    for axes, title in zip(panels, titles, strict=True):
        axes.set_title(title)
        axes.set_xlabel("column (pixels)")
    panels[0].set_ylabel("row (pixels)")
    return figure


def training_curve(losses, base_losses):
    """The ratio of a model's loss to that of bilinear interpolation on the same batch.

    ``losses`` and ``base_losses`` are lists with one L1 loss for each step. Both axes are
    logarithmic, because most of the change happens early. The black line is a running mean over a
    fiftieth of the steps.
    """
    ratio = np.divide(losses, base_losses)
    span = max(1, len(ratio) // 50)
    smooth = np.convolve(ratio, np.ones(span) / span, mode="valid")
    figure = new_figure(5.6, 2.8)
    axes = figure.subplots()
    axes.loglog(np.arange(1, len(ratio) + 1), ratio, color="0.75", lw=0.8, label="each step")
    axes.plot(np.arange(len(smooth)) + (span + 1) / 2, smooth, "k", label=f"mean of {span} steps")
    axes.axhline(1, **LOOKS["bicubic"], label="bilinear")
    axes.yaxis.set_major_locator(FixedLocator([0.5, 0.7, 1, 1.5, 2, 3, 5]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("step")
    axes.set_ylabel("L1 loss / bilinear's")
    axes.legend(fontsize="small")
    return figure


def filters(before, after):
    """3×3 filters before and after training, one row each, with the same colour range.

    before, after: (N, 3, 3). Red is positive, blue negative.
    """
    limit = max(np.abs(before).max(), np.abs(after).max())
    figure = new_figure(0.5 * len(before) + 0.8, 1.6)
    grid = figure.subplots(2, len(before))
    for name, row, kernels in zip(("before", "after"), grid, (before, after), strict=True):
        for number, (axes, kernel) in enumerate(zip(row, kernels, strict=True)):
            shown = axes.imshow(kernel, cmap="RdBu_r", vmin=-limit, vmax=limit)
            axes.set_xticks([])
            axes.set_yticks([])
            if name == "before":
                axes.set_title(number, fontsize="small")
        row[0].set_ylabel(name)
    figure.colorbar(shown, ax=grid, label="weight")
    return figure
