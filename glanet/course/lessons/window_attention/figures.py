"""Figures of notebook 05: scores and weights, windows, relative position bias."""

import numpy as np
from matplotlib.patches import Rectangle

from glanet.course.kit.style import LOOKS, new_figure

# the two curves of a comparison: dark and solid against grey and dashed
PAIR = (LOOKS["attention"], LOOKS["bicubic"])


def tables(named):
    """Small matrices side by side, each number written in its cell.

    ``named`` maps a title to (matrix (rows, columns), what the rows are, what the columns are).
    Larger numbers have a darker grey; each matrix has its own scale.
    """
    widths = [max(2, np.shape(matrix)[1]) for matrix, _, _ in named.values()]
    figure = new_figure(0.64 * sum(widths) + 0.6 * len(widths), 2.6)
    panels = figure.subplots(1, len(named), squeeze=False, width_ratios=widths)[0]
    for axes, (title, (matrix, rows, columns)) in zip(panels, named.items(), strict=True):
        matrix = np.asarray(matrix)
        low, high = matrix.min(), max(matrix.max(), matrix.min() + 1)
        # twice the range keeps the darkest cell light enough for black numbers
        axes.imshow(matrix, cmap="gray_r", vmin=low, vmax=2 * high - low)
        for (row, column), value in np.ndenumerate(matrix):
            axes.text(column, row, f"{value:.2f}", ha="center", va="center")
        axes.set_xticks(range(matrix.shape[1]))
        axes.set_yticks(range(matrix.shape[0]))
        axes.set_title(title)
        axes.set_xlabel(columns)
        axes.set_ylabel(rows)
    return figure


def scaling(measures):
    """How each measure grows with d, the number of channels of a query.

    ``measures`` maps what was measured to {name: {d: value}}, with two names in each.
    """
    figure = new_figure(2.6 * len(measures), 2.4)
    for axes, (what, curves) in zip(
        figure.subplots(1, len(measures)), measures.items(), strict=True
    ):
        for (name, values), look in zip(curves.items(), reversed(PAIR), strict=True):
            axes.plot(list(values), list(values.values()), marker="o", label=name, **look)
        axes.set_xscale("log", base=2)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("d (numbers in a query)")
        axes.set_title(what, fontsize="medium")
    figure.axes[0].legend()
    return figure


def sharpness(weights):
    """Softmax weights as bars, one panel for each temperature; ``weights`` maps it to (N,)."""
    figure = new_figure(7.5, 2.2)
    panels = figure.subplots(1, len(weights), sharey=True)
    for axes, (temperature, bars) in zip(panels, weights.items(), strict=True):
        axes.bar(range(len(bars)), bars, color=LOOKS["attention"]["color"])
        axes.set_title(f"scores / {temperature:g}")
        axes.set_xticks(range(len(bars)))
        axes.set_xlabel("key")
    panels[0].set_ylabel("weight")
    panels[0].set_ylim(0, 1)
    return figure


def mosaic(cuts):
    """Windows laid out in a grid, with gaps between them.

    ``cuts`` maps a title to uint8 (rows, columns, window, window, 3), the windows in their places.
    """
    figure = new_figure(2.4 * len(cuts), 2.6)
    for axes, (title, windows) in zip(figure.subplots(1, len(cuts)), cuts.items(), strict=True):
        rows, columns, side = windows.shape[:3]
        step = side + max(2, side // 10)
        canvas = np.full((rows * step, columns * step, 3), 255, np.uint8)
        for row, column in np.ndindex(rows, columns):
            top, left = row * step, column * step
            canvas[top : top + side, left : left + side] = windows[row, column]
        axes.imshow(canvas, interpolation="nearest")
        axes.set_title(title)
        axes.set_axis_off()
    return figure


def offsets(index, pixel):
    """The row of ``pixel`` in the index (N, N), laid out as the window."""
    index = np.asarray(index)
    side = round(len(index) ** 0.5)
    row = index[pixel].reshape(side, side)
    figure = new_figure(3.4, 3.4)
    axes = figure.subplots()
    axes.imshow(row, cmap="viridis", vmin=0, vmax=index.max())
    for (i, j), number in np.ndenumerate(row):
        shade = "black" if number > index.max() / 2 else "white"
        axes.text(j, i, number, ha="center", va="center", color=shade, fontsize="small")
    _mark(axes, *divmod(pixel, side))
    axes.set_title(f"row {pixel} of the index")
    axes.set_xlabel("column of pixel j")
    axes.set_ylabel("row of pixel j")
    return figure


def position_bias(bias):
    """What each head adds to the score of a neighbour, by the position of the neighbour.

    ``bias`` is (heads, 2·window - 1, 2·window - 1): the key's position minus the query's, from
    -(window - 1) to window - 1.
    """
    bias = np.asarray(bias)
    reach = bias.shape[-1] // 2
    largest = np.abs(bias).max()
    figure = new_figure(2.0 * len(bias) + 0.8, 2.4)
    panels = figure.subplots(1, len(bias), sharey=True)
    for head, (axes, values) in enumerate(zip(panels, bias, strict=True)):
        drawn = axes.imshow(
            values,
            cmap="RdBu_r",
            vmin=-largest,
            vmax=largest,
            extent=(-reach - 0.5, reach + 0.5, reach + 0.5, -reach - 0.5),
        )
        axes.set_xticks((-reach, 0, reach))
        axes.set_yticks((-reach, 0, reach))
        axes.set_title(f"head {head}")
        axes.set_xlabel("columns away (pixels)", fontsize="small")
    panels[0].set_ylabel("rows away (pixels)", fontsize="small")
    figure.colorbar(drawn, ax=panels, label="added to the score")
    return figure


def pixel_attention(photo, weights, *, row, column):
    """What one pixel attends to: its window in the photograph, and the weights of each head.

    ``photo`` is uint8 (H, W, 3). ``weights`` (windows, heads, N, N) are of all its windows in row
    order. ``row`` and ``column`` choose the pixel. All heads share one colour scale.
    """
    heads, pixels = weights.shape[1:3]
    side = round(pixels**0.5)
    top, left = row // side * side, column // side * side
    place = row - top, column - left
    number = row // side * (photo.shape[1] // side) + column // side
    of_pixel = np.asarray(weights)[number, :, place[0] * side + place[1]]
    figure = new_figure(1.5 * heads + 3.2, 2.0)
    panels = figure.subplots(1, heads + 2, width_ratios=[1.3, *[1] * (heads + 1)])
    panels[0].imshow(photo, interpolation="nearest")
    panels[0].add_patch(
        Rectangle((left - 0.5, top - 0.5), side, side, fill=False, color="white", lw=2)
    )
    panels[0].set_title("photograph")
    panels[0].set_xlabel("column (pixels)")
    panels[0].set_ylabel("row (pixels)")
    panels[1].imshow(photo[top : top + side, left : left + side], interpolation="nearest")
    panels[1].set_title("its window")
    for head, axes in enumerate(panels[2:]):
        drawn = axes.imshow(
            of_pixel[head].reshape(side, side), cmap="viridis", vmin=0, vmax=of_pixel.max()
        )
        axes.set_title(f"head {head}")
    for axes in panels[1:]:
        _mark(axes, *place)
        axes.set_xticks([])
        axes.set_yticks([])
    figure.colorbar(drawn, ax=panels[2:], label="weight")
    return figure


def _mark(axes, row, column):
    """A frame around one pixel, visible on dark and on light."""
    for colour, thickness in (("black", 4), ("white", 2)):
        axes.add_patch(
            Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, color=colour, lw=thickness)
        )
