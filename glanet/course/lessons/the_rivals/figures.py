"""Figures of notebook 15: what mechanisms look at and cost, what networks see and restore."""

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import LogNorm
from matplotlib.patches import Rectangle

from glanet.analysis.spectrum import FREQUENCY, decibels
from glanet.course.kit.style import LOOKS, drawing
from glanet.evaluation.metrics import rgb_to_y

COLOURS = colormaps["viridis"].resampled(24)  # few colours: a smaller file
SIGNED = colormaps["RdBu_r"].resampled(25)
GREY = colormaps["gray"].resampled(24)
# one look for each network, in the order in which they came out
NETWORKS = {
    "RCAN": {"color": "#0072B2", "linestyle": "-", "marker": "o"},
    "SAN": {"color": "#E69F00", "linestyle": "--", "marker": "s"},
    "RNAN": {"color": "#009E73", "linestyle": "-.", "marker": "D"},
    "HAN": {"color": "#CC79A7", "linestyle": ":", "marker": "^"},
    "CSNLN": {"color": "#D55E00", "linestyle": "-", "marker": "v"},
    "IGNN": {"color": "#56B4E9", "linestyle": "--", "marker": "<"},
    "NLSN": {"color": "#882255", "linestyle": "-.", "marker": ">"},
    "SwinIR": {"color": "#8B6F00", "linestyle": ":", "marker": "P"},
    "SwinIR-light": {"color": "#B0B000", "linestyle": "-", "marker": "X"},
    "GLA-Net": {"color": "#5D3A9B", "linestyle": "-", "marker": "*"},
}


def look(photo, share, *, row, column, title):
    """What one pixel looks at: a photograph, in grey, and the share of each pixel in the result.

    ``photo`` is uint8 (H, W, 3), ``share`` (H, W), at least 0, adds up to 1. White is zero. The
    scale is logarithmic and the same for every mechanism; 1 on it is the share that each pixel has
    if all pixels count alike.
    """
    height, width = share.shape
    relative = np.ma.masked_less_equal(np.asarray(share) * share.size, 0)
    figure = drawing(5.6, 2.6, colours=128)
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    place = {"extent": (0, width, height, 0), "interpolation": "nearest"}
    left.imshow(rgb_to_y(photo), cmap=GREY, vmin=16, vmax=235, **place)
    drawn = right.imshow(relative, cmap=COLOURS, norm=LogNorm(1e-2, 1e3), **place)
    for axes, name in ((left, "photograph (LR)"), (right, title)):
        _mark(axes, row, column)
        axes.set(title=name, xlabel="column (pixels)")
    left.set_ylabel("row (pixels)")
    figure.colorbar(drawn, ax=right, label="share · number of pixels", extend="both", pad=0.02)
    return figure


def matrices(named):
    """Square matrices side by side, ``named`` by their titles, each on its own scale around 0."""
    figure = drawing(3.0 * len(named), 2.7)
    for axes, (title, matrix) in zip(_row(figure, len(named)), named.items(), strict=True):
        limit = np.abs(matrix).max()
        drawn = axes.imshow(matrix, cmap=SIGNED, vmin=-limit, vmax=limit)
        axes.set(title=title, xlabel="channel")
        figure.colorbar(drawn, ax=axes)
    figure.axes[0].set_ylabel("channel")
    return figure


def roots(eigenvalues, found):
    """Roots by iteration against exact ones; ``found`` maps the number of steps to (N,).

    ``eigenvalues`` (N,) are shares of the trace. Both axes are logarithmic.
    """
    figure = drawing(5.2, 3.2)
    axes = figure.subplots()
    looks = [{key: value for key, value in v.items() if key != "marker"} for v in NETWORKS.values()]
    for style, (steps, values) in zip(looks, found.items(), strict=False):
        axes.loglog(eigenvalues, values, label=f"steps: {steps}", **style)
    axes.loglog(eigenvalues, np.sqrt(eigenvalues), color="black", lw=1, label="exact root")
    axes.set(xlabel="eigenvalue / trace", ylabel="its root")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    return figure


def costs(sides, measured):
    """What mechanisms cost against the side of the image, a panel a cost, all axes logarithmic.

    ``measured`` maps a mechanism to (sides, 3): its operations, seconds and megabytes.
    """
    figure = drawing(8.4, 3.6)
    for number, label in enumerate(("operations", "time (s)", "memory (MB)")):
        axes = figure.add_subplot(1, 3, number + 1)
        for name, found in measured.items():
            axes.loglog(sides, found[:, number], label=name, ms=5, **NETWORKS[name])
        axes.set_xticks(sides, [str(side) for side in sides])
        axes.minorticks_off()
        axes.set(title=label, xlabel="side (LR pixels)")
        axes.grid(alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def error_spectra(measured, *, scale):
    """The error of enlarged images by frequency, and its gain over bicubic.

    ``measured`` maps a name to an `ErrorSpectrum`, "bicubic" among them. The dashed line is the
    highest frequency that an LR image can hold.
    """
    figure = drawing(8.4, 3.4)
    wrong, gain = figure.subplots(1, 2)
    for name, found in measured.items():
        style = LOOKS.get(name) or {k: v for k, v in NETWORKS[name].items() if k != "marker"}
        wrong.plot(FREQUENCY, decibels(found.error.mean(0)), label=name, **style)
        gain.plot(FREQUENCY, found.gain_over(measured["bicubic"]).mean(0), **style)
    wrong.set(title="error / original", ylabel="power (dB)")
    gain.set(title="error of bicubic / of the network", ylabel="gain (dB)")
    for axes in (wrong, gain):
        axes.axvline(0.5 / scale, color="black", lw=0.8, ls="--")
        axes.set(xlabel="cycles per HR pixel", xlim=(0, 0.5))
        axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=6)
    return figure


def noise_by_band(measured, bands):
    """How much more than bicubic each network changes its output with noise of each band.

    ``measured`` maps a name to mean squares (n, bands) of `noise_response`, "bicubic" among them;
    ``bands`` are pairs of edges in cycles per LR pixel.
    """
    figure = drawing(6.4, 3.4)
    axes = figure.subplots()
    middles = np.mean(bands, axis=1)
    for name, found in measured.items():
        style = LOOKS.get(name) or NETWORKS[name]
        axes.plot(middles, decibels(found / measured["bicubic"]).mean(0), label=name, **style)
    axes.set(
        xlabel="band of the noise (cycles per LR pixel)",
        ylabel="change of the output,\nless bicubic's (dB)",
        xlim=(0, 0.5),
    )
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=6)
    return figure


BANDS = {  # of the HR image's frequencies, cycles per HR pixel
    "below 1/8": ((0, 1 / 8), {"color": "#7f7f7f", "ls": ":"}),
    "1/8 to 1/4": ((1 / 8, 1 / 4), {"color": "#444444", "ls": "--"}),
    "above 1/4": ((1 / 4, 1 / 2), {"color": "black", "ls": "-"}),
}


def learning(measured, bicubic):
    """The error in three bands after so many steps of training; thin lines are bicubic's.

    ``measured`` maps a network's title to {steps: `ErrorSpectrum`}; ``bicubic`` is one of the same
    photographs. An error is the mean over the band and the photographs.
    """
    figure = drawing(8.4, 3.4)
    for axes, (title, found) in zip(
        figure.subplots(1, len(measured), sharey=True, squeeze=False)[0],
        measured.items(),
        strict=True,
    ):
        for label, ((low, high), style) in BANDS.items():
            inside = slice(*np.searchsorted(FREQUENCY, (low, high)))
            errors = [decibels(one.error[:, inside].mean()) for one in found.values()]
            axes.plot(list(found), errors, label=label, marker="o", **style)
            axes.axhline(decibels(bicubic.error[:, inside].mean()), lw=0.8, **style)
        axes.set(title=title, xlabel="steps of training", xscale="log")
        axes.set_xticks(list(found), [str(steps) for steps in found])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("error / original (dB)")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, title="cycles per HR pixel")
    return figure


def fields(measured):
    """How much one pixel of each network's output depends on each LR pixel.

    ``measured`` maps a name to a `ReceptiveField`. Colour is a pixel's share of the sum of squares,
    on one logarithmic scale; white is zero.
    """
    figure, panels = _grid(len(measured))
    for axes, (name, field) in zip(panels, measured.items(), strict=True):
        squared = field.strength**2
        shares = np.ma.masked_equal(squared / squared.sum(), 0)
        drawn = axes.imshow(shares, cmap=COLOURS, norm=LogNorm(1e-8, 1), interpolation="nearest")
        axes.set_title(name)
    figure.colorbar(drawn, ax=panels, label="share of squares", extend="min", pad=0.01)
    return figure


def attributions(image, measured, *, top, left, side):
    """A photograph, in grey, and what each pixel contributes to the detail in the marked square.

    ``image`` is uint8 (H, W, 3); ``measured`` maps a name to an `Attribution`. The square is in LR
    pixels. All maps share one scale around 0.
    """
    figure, panels = _grid(1 + len(measured))
    panels[0].imshow(rgb_to_y(image), cmap=GREY, vmin=16, vmax=235)
    panels[0].set_title("photograph (LR)")
    limit = np.quantile(np.abs(np.stack([found.value for found in measured.values()])), 0.995)
    for axes, (name, found) in zip(panels[1:], measured.items(), strict=True):
        drawn = axes.imshow(found.value, cmap=SIGNED, vmin=-limit, vmax=limit)
        axes.set_title(f"{name}, {found.diffusion():.1f}")
    for axes in panels:
        axes.add_patch(Rectangle((left - 0.5, top - 0.5), side, side, fill=False, lw=1.5))
    figure.colorbar(drawn, ax=panels, label="total variation added", pad=0.01, extend="both")
    return figure


def _row(figure, count):
    return figure.subplots(1, count, squeeze=False)[0]


def _grid(count):
    """A figure and ``count`` panels for maps of LR pixels, at most five in a row."""
    rows = -(-count // 5)
    columns = -(-count // rows)
    figure = drawing(1.75 * columns + 0.9, 1.9 * rows + 0.4, colours=128)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    panels = list(grid.flat)[:count]
    for axes in grid.flat[count:]:
        axes.remove()
    for axes in panels[::columns]:
        axes.set_ylabel("row (pixels)")
    for axes in panels[-columns:]:  # the lowest of each column
        axes.set_xlabel("column (pixels)")
        axes.tick_params(labelbottom=True)
    return figure, panels


def _mark(axes, row, column):
    """A frame around one pixel and its 5×5 neighbours, visible on dark and on light."""
    for colour, thickness in (("black", 3), ("white", 1.5)):
        axes.add_patch(
            Rectangle((column - 2, row - 2), 5, 5, fill=False, color=colour, lw=thickness)
        )
