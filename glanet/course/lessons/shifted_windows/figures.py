"""Figures of notebook 06: which pixels meet when the windows are shifted."""

import numpy as np
from matplotlib.patches import Rectangle

from glanet.course.kit.style import LOOKS, new_figure


def numbered(images, window):
    """Small images with a number in each pixel, and the borders of the windows.

    ``images`` maps a title to (numbers (H, W), (row, column) at which the first whole window
    starts). Equal numbers have the same grey.
    """
    figure = new_figure(2.5 * len(images), 2.7)
    panels = figure.subplots(1, len(images), squeeze=False)[0]
    for axes, (title, (numbers, first)) in zip(panels, images.items(), strict=True):
        numbers = np.asarray(numbers)
        low, high = numbers.min(), max(numbers.max(), numbers.min() + 1)
        # twice the range keeps the darkest cell light enough for black numbers
        axes.imshow(numbers, cmap="gray_r", vmin=low, vmax=2 * high - low)
        for (row, column), number in np.ndenumerate(numbers):
            axes.text(column, row, number, ha="center", va="center")
        _borders(axes, numbers.shape, window, first, color=LOOKS["attention"]["color"], lw=3)
        axes.set_title(title, fontsize="medium")
        axes.set_xticks([])
        axes.set_yticks([])
    return figure


def masks(mask):
    """The mask of each window, (windows, 1, N, N): white pairs may attend, black pairs may not."""
    mask = np.asarray(mask)[:, 0]
    figure = new_figure(2.0 * len(mask) + 0.4, 2.5)
    panels = figure.subplots(1, len(mask), sharey=True)
    for number, (axes, values) in enumerate(zip(panels, mask, strict=True)):
        axes.imshow(values, cmap="gray", vmin=mask.min(), vmax=0)
        axes.set_title(f"window {number}", fontsize="medium")
        axes.set_xlabel("key")
        axes.set_xticks(range(len(values)))
        axes.set_yticks(range(len(values)))
        axes.set_xticks(np.arange(0.5, len(values) - 1), minor=True)
        axes.set_yticks(np.arange(0.5, len(values) - 1), minor=True)
        axes.grid(which="minor", color="#888888", lw=0.8)
        axes.tick_params(which="minor", length=0)
    panels[0].set_ylabel("query")
    return figure


def touched(maps, *, row, column, window):
    """The pixels of an output that changed with one pixel of the input.

    ``maps`` maps a title to bool (H, W). A cross marks the input pixel, and
    lines mark the unshifted windows.
    """
    figure = new_figure(2.3 * len(maps) + 0.3, 2.8)
    panels = figure.subplots(1, len(maps), squeeze=False, sharey=True)[0]
    for axes, (title, changed) in zip(panels, maps.items(), strict=True):
        changed = np.asarray(changed)
        axes.imshow(changed, cmap="gray_r", vmin=0, vmax=2, interpolation="nearest")
        _borders(axes, changed.shape, window, (0, 0), color=LOOKS["attention"]["color"], lw=0.8)
        axes.plot(
            column, row, marker="x", color=LOOKS["5"]["color"], mew=2, clip_on=False, zorder=3
        )
        axes.set_title(f"{title}\n{np.count_nonzero(changed)} pixels", fontsize="medium")
        axes.set_xlabel("column (pixels)")
    panels[0].set_ylabel("row (pixels)")
    return figure


def seams(profiles):
    """The jump of a feature map from one column to the next, by the column's place in a window.

    ``profiles`` maps a name, "W-MSA" first, to (window,). Entry i is the mean jump from columns i,
    i + window, ... to their right neighbours, relative to the mean over all columns.
    """
    figure = new_figure(5.6, 3.0)
    axes = figure.subplots()
    looks = (LOOKS["attention"], LOOKS["5"], LOOKS["bicubic"])
    for (name, profile), look in zip(profiles.items(), looks, strict=True):
        axes.plot(range(len(profile)), profile, marker="o", label=name, **look)
    axes.set_xticks(
        range(len(profile)), [f"{i}–{(i + 1) % len(profile)}" for i in range(len(profile))]
    )
    axes.set_ylim(bottom=0)
    axes.set_xlabel("pair of columns (place in a window)")
    axes.set_ylabel("jump over mean jump")
    axes.legend()
    return figure


def reach(photo, *, row, column, window, shift):
    """The pixels that one pixel may attend to, in the image and rolled; the rest is dimmed.

    ``photo`` is uint8 (H, W, 3), its sides multiples of the window; ``row`` and ``column`` choose
    the pixel. Lines are the borders of the windows.
    """
    height, width = photo.shape[:2]
    allowed = _allowed(height, width, row, column, window, shift)
    dimmed = np.where(allowed[..., None], photo, photo // 3)
    rolled = np.roll(dimmed, (-shift, -shift), (0, 1))
    place_after = (row - shift) % height, (column - shift) % width
    figure = new_figure(7.4, 3.7 * height / width + 0.7)
    image, after = figure.subplots(1, 2)
    for axes, picture, (top, left), first, title in (
        (image, dimmed, (row, column), (shift, shift), f"image: {allowed.sum()} pixels"),
        (after, rolled, place_after, (0, 0), "rolled, as attention sees it"),
    ):
        axes.imshow(picture, interpolation="nearest")
        _borders(axes, photo.shape, window, first, color="white", lw=0.8)
        for colour, thickness in (("black", 4), ("white", 2)):  # visible on dark and on light
            axes.add_patch(
                Rectangle((left - 0.5, top - 0.5), 1, 1, fill=False, color=colour, lw=thickness)
            )
        axes.set_title(title, fontsize="medium")
        axes.set_xlabel("column (pixels)")
    image.set_ylabel("row (pixels)")
    return figure


def _allowed(height, width, row, column, window, shift):
    """The pixels in the given pixel's window of the shifted grid: (H, W) bool."""
    rows = (np.arange(height) - shift) // window == (row - shift) // window
    columns = (np.arange(width) - shift) // window == (column - shift) // window
    return rows[:, None] & columns


def _borders(axes, shape, window, first, **style):
    """Lines around windows; the first whole one starts at row and column ``first``."""
    height, width = shape[:2]
    for line in range(first[0] % window, height + 1, window):
        axes.plot((-0.5, width - 0.5), (line - 0.5, line - 0.5), **style)
    for line in range(first[1] % window, width + 1, window):
        axes.plot((line - 0.5, line - 0.5), (-0.5, height - 0.5), **style)
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)
