"""Figures of the frequency lab: each shows what one instrument of ``glanet.analysis`` measures.

Frequencies are in cycles/pixel. Means over images have a 95 % t interval. Panels side by
side share their scale.
"""

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import LogNorm
from matplotlib.patches import Rectangle

from glanet.analysis.errors import error_spectrum
from glanet.analysis.probes import CONVOLUTIONS
from glanet.analysis.spectrum import FREQUENCY, HIGH, decibels, lean
from glanet.analysis.statistics import t_interval
from glanet.course.kit.style import LOOKS, drawing, shared_legend
from glanet.evaluation.metrics import psnr_y, rgb_to_y

TOGETHER = {"color": "black", "linestyle": "-", "linewidth": 1.0}
NETWORK = {"color": "#5D3A9B", "linestyle": "-"}
CROSS = "cross-terms"
COLOURS = {name: look["color"] for name, look in LOOKS.items()} | {CROSS: "#B0B0B0"}
HATCHES = {"attention": "", "max": "//", "3": "..", "5": "xx", "7": "\\\\", CROSS: "--"}
THIRDS = {
    "low: 0 to 1/8": (0, 1 / 8),
    "middle: 1/8 to 1/4": (1 / 8, 1 / 4),
    "high: 1/4 to 1/2": (1 / 4, 1 / 2),
}
FEW_COLOURS = 24  # in pictures of numbers: a smaller file


def calibration(panels):
    """Measurements of known operators as dots, the values expected from formulas as lines.

    ``panels`` maps a title to {operator: (measured, expected)}, both (BANDS,) and without a unit.
    """
    figure = drawing(4.0 * len(panels), 3.0)
    dashes = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
    for axes, (title, operators) in zip(_row(figure, len(panels)), panels.items(), strict=True):
        for dash, marker, (name, (measured, expected)) in zip(
            dashes, "osD^v", operators.items(), strict=False
        ):
            (line,) = axes.plot(FREQUENCY, expected, linestyle=dash, color="black", lw=0.9)
            axes.plot(
                FREQUENCY, measured, marker, ms=5, mfc="none", color=line.get_color(), label=name
            )
        axes.set(title=title, xlabel="frequency (cycles/pixel)", xlim=(0, 0.5))
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    figure.axes[0].set_ylabel("out / in (lines: by formula)")
    return figure


def contribution_spectra(spectra):
    """The power of each branch's contribution, one panel for each layer.

    ``spectra`` maps a layer to the `SumSpectrum` of its branches. The black line is their sum.
    """
    figure = drawing(2.8 * _columns(spectra), 1.9 * _rows(spectra) + 0.8)
    for axes, (layer, spectrum) in zip(_grid(figure, spectra), spectra.items(), strict=True):
        for name, part in spectrum.parts.items():
            _curve(axes, decibels(part.power), name, **LOOKS[name])
        _curve(axes, decibels(spectrum.together.power), "together", **TOGETHER)
        axes.set_title(f"layer {layer}", fontsize="medium")
        axes.set_xlim(0, 0.5)
        axes.grid(alpha=0.3)
    _outer_labels(figure, "frequency (cycles/pixel)", "power (dB)")
    shared_legend(figure, "upper", ncols=6)
    return figure


def band_shares(spectra):
    """The share of each branch in the energy of three bands, layer by layer.

    ``spectra`` as for `contribution_spectra`. Bars are stacked means over the images; cross-terms
    below 0 mean that branches cancel each other. The parts of a bar add up to 1.
    """
    figure = drawing(8.4, 3.2)
    for axes, (title, band) in zip(_row(figure, 3), THIRDS.items(), strict=True):
        shares = [
            {name: share.mean() for name, share in spectrum.shares(*band).items()}
            for spectrum in spectra.values()
        ]
        above, below = np.zeros(len(shares)), np.zeros(len(shares))
        for name in shares[0]:
            heights = np.array([share[name] for share in shares])
            start = np.where(heights >= 0, above, below)
            axes.bar(
                list(spectra),
                heights,
                bottom=start,
                color=COLOURS[name],
                hatch=HATCHES[name],
                edgecolor="white",
                label=name,
            )
            above, below = above + heights.clip(min=0), below + heights.clip(max=0)
        axes.set_title(f"{title} cycles/pixel", fontsize="medium")
        axes.set_xlabel("layer")
        axes.axhline(0, color="black", lw=0.8)
        axes.axhline(1, color="black", lw=0.8, ls=":")
    figure.axes[0].set_ylabel("share of the sum's energy")
    shared_legend(figure, "lower", ncols=6)
    return figure


def transfers(measured):
    """Attention as a filter: coherent gain, coherence, and the misleading ratio of amplitudes.

    ``measured`` maps a title to a `Coherence`.
    """
    figure = drawing(2.8 * _columns(measured), 1.9 * _rows(measured) + 0.8)
    for axes, (title, found) in zip(_grid(figure, measured), measured.items(), strict=True):
        axes.plot(found.frequency, found.naive, label="|Y| / |Z|", **LOOKS["bicubic"])
        axes.plot(found.frequency, found.gain, label="coherent gain", **LOOKS["attention"])
        axes.plot(found.frequency, found.coherence, label="coherence γ²", color="black", ls=":")
        axes.set_title(title, fontsize="medium")
        axes.set_xlim(0, 0.5)
        axes.grid(alpha=0.3)
    axes.set_ylim(bottom=0)  # of all panels: they share it
    _outer_labels(figure, "frequency (cycles/pixel)", "gain, or γ²")
    shared_legend(figure, "upper", ncols=3)
    return figure


def responses(fresh, trained):
    """Exact responses of the convolution branches with their columns of the fusion.

    ``fresh`` maps a branch to gains (n, BANDS) of untrained layers; ``trained`` maps a layer to
    {branch: `Response`}. The panels are the first layer, the last layer, and the `lean` of all:
    above 0 dB, a branch favours high frequencies. Nine in ten untrained layers are in the shade.
    """
    figure = drawing(8.4, 3.2)
    *panels, leans = figure.subplots(1, 3)
    panels[1].sharey(panels[0])
    names = list(trained)
    for axes, layer in zip(panels, (names[0], names[-1]), strict=True):
        for branch in CONVOLUTIONS:
            gain = trained[layer][branch].gain
            axes.plot(FREQUENCY, decibels(gain), label=f"{branch}×{branch}", **LOOKS[branch])
            low, high = np.quantile(decibels(fresh[branch]), (0.05, 0.95), axis=0)
            axes.fill_between(FREQUENCY, low, high, color=COLOURS[branch], alpha=0.15, lw=0)
        axes.set(title=f"layer {layer}", xlabel="frequency (cycles/pixel)", xlim=(0, 0.5))
    for branch in CONVOLUTIONS:
        values = [lean(trained[layer][branch].gain) for layer in names]
        leans.plot(names, values, marker="o", ms=4, **LOOKS[branch])
        low, high = np.quantile(lean(fresh[branch]), (0.05, 0.95))
        leans.axhspan(low, high, color=COLOURS[branch], alpha=0.12, lw=0)
    leans.axhline(0, color="black", lw=0.8)
    leans.set(title="gain above / below 0.25", xlabel="layer", ylabel="ratio (dB)")
    panels[0].set_ylabel("gain (dB)")
    for axes in figure.axes:
        axes.grid(alpha=0.3)
    shared_legend(figure, "lower", ncols=3)
    return figure


def ratios(curves, *, formula):
    """Ratios of power by frequency; ``curves`` maps a name to (n, BANDS) in decibels.

    ``formula`` is (label, (BANDS,) in decibels), drawn as a thin line.
    """
    figure = drawing(6.2, 3.3)
    axes = figure.subplots()
    looks = (LOOKS["original"], LOOKS["5"], LOOKS["max"], LOOKS["7"], LOOKS["attention"])
    for look, (name, samples) in zip(looks, curves.items(), strict=False):
        _curve(axes, samples, name, **look)
    axes.plot(FREQUENCY, formula[1], color="#7F7F7F", lw=1, label=formula[0])
    axes.axhline(0, color="black", lw=0.8)
    axes.set(xlabel="frequency (cycles/pixel)", ylabel="power out / in (dB)", xlim=(0, 0.5))
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    return figure


def errors(ours, bicubic, *, scale):
    """The error of enlarged images by frequency, the gain over bicubic, and the power.

    ``ours`` and ``bicubic`` are `ErrorSpectrum`. The dashed line is the highest frequency that an
    LR image can hold.
    """
    figure = drawing(8.4, 3.1)
    wrong, gain, power = figure.subplots(1, 3)
    for name, found, look in (
        ("GLA-Net", ours, NETWORK),
        ("bicubic", bicubic, LOOKS["bicubic"]),
    ):
        _curve(wrong, decibels(found.error), name, **look)
        _curve(power, found.power, name, **look)
    power.plot(
        FREQUENCY, 1 - ours.error.mean(0), color="black", ls=":", label="1 − error of GLA-Net"
    )
    _curve(gain, ours.gain_over(bicubic), "GLA-Net", **NETWORK)
    gain.axhline(0, color="black", lw=0.8)
    power.axhline(1, color="black", lw=0.8)
    wrong.set(title="error / original", ylabel="power (dB)")
    gain.set(title="error of bicubic / GLA-Net", ylabel="gain (dB)")
    power.set(title="power / original", ylabel="ratio (1: same power)", ylim=(0, 1.15))
    for axes in figure.axes:
        axes.axvline(0.5 / scale, color="black", lw=0.8, ls="--")
        axes.set(xlabel="cycles per HR pixel", xlim=(0, 0.5))
        axes.grid(alpha=0.3)
    shared_legend(figure, "lower", ncols=3)
    return figure


def surgery(original, whole, lesioned, *, title, top, left, side, scale):
    """The effect of an operation on an image, and the growth of the error in dB by frequency.

    ``original`` and its enlargements by the ``whole`` and by the ``lesioned`` model are uint8
    (H, W, 3). The panels show the luma, on which PSNR is measured, of a square of ``side`` pixels
    that starts at (``top``, ``left``).
    """
    images = {"original": original}
    for name, image in {"whole": whole, title: lesioned}.items():
        images[f"{name}\n{psnr_y(image, original, border=scale):.2f} dB"] = image
    before, after = (
        error_spectrum(image[None], original[None], border=scale) for image in (whole, lesioned)
    )
    change = before.gain_over(after)[0]
    figure = drawing(8.4, 2.4, colours=256)
    *panels, axes = figure.subplots(1, 4, width_ratios=(1, 1, 1, 1.5))
    for panel, (name, image) in zip(panels, images.items(), strict=True):
        panel.imshow(
            rgb_to_y(image)[top : top + side, left : left + side],
            cmap="gray",
            vmin=16,
            vmax=235,
            extent=(left, left + side, top + side, top),
            interpolation="nearest",
        )
        panel.set_title(name, fontsize="medium")
        panel.set_xlabel("column (pixels)")
        panel.tick_params(labelleft=panel is panels[0])
    panels[0].set_ylabel("row (pixels)")
    axes.axhline(0, color="black", lw=0.8)
    axes.axvline(0.5 / scale, color="black", lw=0.8, ls="--")
    axes.plot(FREQUENCY, change, marker="o", ms=3, **NETWORK)
    axes.set(title="error, after / before", xlabel="cycles per HR pixel", ylabel="dB")
    axes.set_xlim(0, 0.5)
    axes.set_ylim(min(-2, change.min()), max(6, change.max()))  # the same for most operations
    axes.grid(alpha=0.3)
    return figure


def footprints(measured):
    """Jumps between pixels by their position in a window, and the spectrum of the jumps.

    ``measured`` maps a title to a `Footprint`. Above, one square is one window, and the mean jump
    is 1. Below, a grid of windows appears as a comb at the marked frequencies.
    """
    figure = drawing(1.9 * len(measured) + 0.9, 4.2)
    rows = figure.subplots(2, len(measured), squeeze=False, height_ratios=(1.2, 1))
    largest = max(found.folded.max() for found in measured.values())
    colours = colormaps["viridis"].resampled(FEW_COLOURS)
    for column, (title, found) in enumerate(measured.items()):
        above, below = rows[:, column]
        drawn = above.imshow(found.folded, cmap=colours, vmin=0, vmax=largest)
        window = len(found.folded)
        above.set_title(title, fontsize="medium")
        above.set(xlabel="column in window", xticks=(0, window - 1), yticks=(0, window - 1))
        for tooth in range(1, window // 2 + 1):
            below.axvline(tooth / window, color="#BBBBBB", lw=3)
        power = decibels(found.comb.mean(0))
        below.plot(found.frequency, power - np.median(power), color="black", lw=1)
        below.set(xlabel="cycles/pixel", xlim=(0, 0.5))
        below.tick_params(labelleft=column == 0)
    ends = [axes.get_ylim() for axes in rows[1]]
    for axes in rows[1]:
        axes.set_ylim(min(low for low, _ in ends), max(high for _, high in ends))
    rows[0, 0].set_ylabel("row in window")
    rows[1, 0].set_ylabel("power of jumps (dB)")
    figure.colorbar(drawn, ax=rows[0], label="jump / mean jump", pad=0.01)
    return figure


def receptive_fields(fields, *, reach):
    """How much one output pixel of each branch depends on the input pixels around it.

    ``fields`` maps a branch to a `ReceptiveField`; ``reach`` pixels to each side are shown. Colour
    is a pixel's share of the sum of squares, on one logarithmic scale; white is zero.
    """
    figure = drawing(1.75 * len(fields) + 0.7, 2.4)
    colours = colormaps["viridis"].resampled(FEW_COLOURS)
    scale = LogNorm(1e-3, 1)
    for axes, (name, field) in zip(_row(figure, len(fields)), fields.items(), strict=True):
        squared = field.strength**2
        shares = np.ma.masked_equal(squared / squared.sum(), 0)
        height, width = shares.shape
        place = (-field.column - 0.5, width - field.column - 0.5)
        drawn = axes.imshow(
            shares,
            cmap=colours,
            norm=scale,
            extent=(*place, height - field.row - 0.5, -field.row - 0.5),
        )
        axes.plot(0, 0, "+", color="white", ms=9, mew=3)
        axes.plot(0, 0, "+", color="black", ms=8, mew=1)
        axes.set(xlim=(-reach, reach), ylim=(reach, -reach), xlabel="columns away")
        axes.set_title(name)
    figure.axes[0].set_ylabel("rows away")
    figure.colorbar(drawn, ax=figure.axes, label="share of squares", pad=0.01, extend="min")
    return figure


def attributions(image, maps, *, top, left, side):
    """A photograph, in grey, and what each pixel contributes to the detail in the marked square.

    ``image`` is uint8 (H, W, 3); ``maps`` maps a title to an `Attribution`. The square is in LR
    pixels. All maps share one scale around 0.
    """
    figure = drawing(2.3 * (1 + len(maps)) + 0.8, 2.7, colours=128)
    panels = _row(figure, 1 + len(maps))
    height, width = image.shape[:2]
    place = {"extent": (0, width, height, 0), "interpolation": "nearest"}
    grey = colormaps["gray"].resampled(FEW_COLOURS)
    panels[0].imshow(rgb_to_y(image), cmap=grey, vmin=16, vmax=235, **place)
    panels[0].set(title="photograph (LR)", ylabel="row (pixels)")
    limit = np.quantile(np.abs(np.stack([found.value for found in maps.values()])), 0.995)
    colours = colormaps["RdBu_r"].resampled(FEW_COLOURS + 1)
    for axes, (title, found) in zip(panels[1:], maps.items(), strict=True):
        drawn = axes.imshow(found.value, cmap=colours, vmin=-limit, vmax=limit, **place)
        axes.set_title(title)
    for axes in panels:
        axes.add_patch(Rectangle((left, top), side, side, fill=False, color="black", lw=1.5))
        axes.set_xlabel("column (pixels)")
    figure.colorbar(drawn, ax=panels[1:], label="contribution", pad=0.01, extend="both")
    return figure


def trajectories(measured):
    """The share of high frequencies in the tokens from stage to stage; below, relative to DC.

    ``measured`` maps a name to a `Trajectory`, all of the same stages.
    """
    figure = drawing(8.4, 4.6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.5, 1))
    looks = (NETWORK, LOOKS["bicubic"], LOOKS["5"], LOOKS["7"])
    for look, (name, found) in zip(looks, measured.items(), strict=False):
        for axes, samples in ((above, found.high), (below, found.over_dc)):
            band = t_interval(samples)
            axes.plot(found.stages, band.mean, marker="o", ms=4, label=name, **look)
            axes.fill_between(
                found.stages, band.low, band.high, color=look["color"], alpha=0.2, lw=0
            )
    above.axhline(0.75, color="black", lw=0.8, ls=":")
    above.text(0.01, 0.755, "white noise", va="bottom", transform=above.get_yaxis_transform())
    above.set(ylabel=f"energy above {HIGH} (share)", ylim=(0, 0.85))
    below.set_ylabel("log |F|,\nfinest − DC")
    below.tick_params(axis="x", rotation=60)
    for axes in (above, below):
        axes.grid(alpha=0.3)
    shared_legend(figure, "upper", ncols=len(measured))
    return figure


def _curve(axes, samples, label, **look):
    """Plot the mean over images, (n, BANDS), and its band."""
    band = t_interval(samples)
    axes.plot(FREQUENCY, band.mean, label=label, **look)
    axes.fill_between(FREQUENCY, band.low, band.high, color=look["color"], alpha=0.2, lw=0)


def _row(figure, count):
    return figure.subplots(1, count, sharey=True, squeeze=False)[0]


def _columns(panels):
    return min(3, len(panels))


def _rows(panels):
    return -(-len(panels) // 3)


def _grid(figure, panels):
    """Panels in rows of three, on one scale; empty ones are removed."""
    rows = _rows(panels)
    every = figure.subplots(rows, _columns(panels), sharex=True, sharey=True, squeeze=False).ravel()
    for axes in every[len(panels) :]:
        axes.remove()
    return every[: len(panels)]


def _outer_labels(figure, xlabel, ylabel):
    figure.supxlabel(xlabel, fontsize="medium")
    figure.supylabel(ylabel, fontsize="medium")
