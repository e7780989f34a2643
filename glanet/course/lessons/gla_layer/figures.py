"""Figures of the GLA layer: how much each branch contributes to the output of the fusion."""

import numpy as np
from matplotlib import colormaps

from glanet.course.kit.style import LOOKS, new_figure

BRANCHES = ("attention", "max", "3", "5", "7")  # in the order of V
CROSS = "cross-terms"
COLOURS = {name: LOOKS[name]["color"] for name in BRANCHES} | {CROSS: "#B0B0B0"}
HATCHES = dict(zip((*BRANCHES, CROSS), ("", "//", "..", "xx", "\\\\", "--"), strict=True))
MARKERS = dict(zip(BRANCHES, "osD^v", strict=True))


def loudness(panels, layers):
    """Shares of the energy as bars, grouped by layer, with the panels stacked on one scale.

    ``panels`` maps a title to (photographs, layers, branches), with the branches in the order of
    `BRANCHES`, optionally followed by the cross-terms. A bar is the mean over the photographs, and
    its whisker reaches from the smallest to the largest value. ``layers`` names the layers.
    """
    figure = new_figure(8.6, 2.5 * len(panels) + 0.5)
    rows = figure.subplots(len(panels), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for axes, (title, shares) in zip(rows, panels.items(), strict=True):
        names = (*BRANCHES, CROSS)[: shares.shape[2]]
        width = 0.8 / len(names)
        for number, name in enumerate(names):
            values = shares[:, :, number]
            mean = values.mean(0)
            axes.bar(
                np.arange(len(layers)) + (number - (len(names) - 1) / 2) * width,
                mean,
                width,
                yerr=[mean - values.min(0), values.max(0) - mean],
                label=name,
                color=COLOURS[name],
                hatch=HATCHES[name],
                edgecolor="white",
                error_kw={"lw": 1},
            )
        axes.set(title=title, ylabel="share of the energy")
        axes.axhline(0, color="black", lw=0.8)
        axes.grid(axis="y", alpha=0.3)
        axes.set_axisbelow(True)
    rows[-1].set_xticks(range(len(layers)), layers)
    rows[-1].set_xlabel("layer (block.layer)")
    figure.legend(*rows[-1].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    return figure


def loud_and_needed(shares, losses, layers, *, named=()):
    """The contribution of each branch against the PSNR lost without it, one point for each.

    ``shares`` (layers, 5) are energies relative to the output of the fusion, ``losses`` (layers, 5)
    are in dB. Labels give the layer of the four largest losses, and of the points ``named``, which
    are pairs of a layer and a branch.
    """
    figure = new_figure(5.6, 3.8)
    axes = figure.subplots()
    for number, name in enumerate(BRANCHES):
        axes.plot(
            shares[:, number],
            losses[:, number],
            MARKERS[name],
            color=COLOURS[name],
            label=name,
            ms=8,
            mec="black",
            mew=0.6,
        )
    largest = np.argsort(losses, axis=None)[-4:]
    labelled = {np.unravel_index(flat, losses.shape) for flat in largest}
    labelled |= {(layers.index(layer), BRANCHES.index(branch)) for layer, branch in named}
    for layer, branch in sorted(labelled):
        axes.annotate(
            layers[layer],
            (shares[layer, branch], losses[layer, branch]),
            xytext=(7, 4),
            textcoords="offset points",
        )
    axes.axhline(0, color="black", lw=0.8)
    axes.margins(0.1)
    axes.set(xlabel="share of the energy", ylabel="PSNR lost without the branch (dB)")
    axes.grid(alpha=0.3)
    axes.legend(title="branch")
    return figure


def strength(features):
    """RMS over the channels, after subtracting each channel's mean: (H, W, C) -> (H, W)."""
    return np.sqrt(np.square(features - features.mean((0, 1))).mean(-1))


def contribution(photo, parts, branch):
    """A photograph, the strength of one branch at each pixel, and that of all five together.

    ``photo`` is uint8 (H, W, 3). ``parts`` (5, H, W, C) is W_b z_b of each branch in the order of
    `BRANCHES`, and ``branch`` is one of them. Both maps have the same scale for every branch.
    """
    together = strength(parts.sum(0))
    one = strength(parts[BRANCHES.index(branch)])
    height, width = together.shape
    figure = new_figure(9.0, 0.8 + 2.7 * height / width)
    first, middle, last = figure.subplots(1, 3, sharex=True, sharey=True)
    place = {"extent": (0, width, height, 0), "interpolation": "nearest"}
    first.imshow(photo, **place)
    limit = np.quantile(together, 0.995)
    colours = colormaps["viridis"].resampled(16)  # few colours: a smaller file
    for axes, shown in ((middle, one), (last, together)):
        drawn = axes.imshow(shown, cmap=colours, vmin=0, vmax=limit, **place)
    for axes, title in zip(
        (first, middle, last), ("photograph", f"{branch} alone", "all five"), strict=True
    ):
        axes.set(title=title, xlabel="column (pixels)")
    first.set_ylabel("row (pixels)")
    figure.colorbar(drawn, ax=(middle, last), label="strength", pad=0.01, extend="max")
    return figure
