"""Figures of the frequency lab: each shows what one instrument of ``glanet.analysis`` measures.

Frequencies are in cycles/pixel. Means over images have a 95 % t interval. Panels side by side share
their scale. Dotted lines mark the multiples of 1/8 cycle/pixel, where windows of 8 pixels leave
their steps.
"""

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import LogNorm
from matplotlib.patches import Rectangle

from glanet.analysis.claims import BANDS as THIRDS
from glanet.analysis.errors import error_spectrum
from glanet.analysis.probes import CONVOLUTIONS
from glanet.analysis.spectrum import FREQUENCY, HIGH, decibels, lean
from glanet.analysis.statistics import prediction, t_interval
from glanet.course.kit.style import LOOKS, drawing, shared_legend
from glanet.evaluation.metrics import psnr_y, rgb_to_y

TOGETHER = {"color": "black", "linestyle": "-", "linewidth": 1.0}
NETWORK = {"color": "#5D3A9B", "linestyle": "-"}
EVEN = {"color": "#56B4E9", "linestyle": (0, (9, 2))}
CROSS = "cross-terms"
COLOURS = {name: look["color"] for name, look in LOOKS.items()} | {CROSS: "#B0B0B0"}
HATCHES = {"attention": "", "max": "//", "3": "..", "5": "xx", "7": "\\\\", CROSS: "--"}
FEW_COLOURS = 24  # in pictures of numbers: a smaller file
WINDOW = 8  # pixels
UNTRAINED = {"color": "#BBBBBB", "lw": 0}


def calibration(panels):
    """Measurements of known operators as dots, the values expected from formulas as lines.

    ``panels`` maps a title to {operator: (measured, expected)}, both (BANDS,) and without a unit.
    """
    figure = drawing(4.0 * len(panels), 3.3)
    dashes = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
    names = list(dict.fromkeys(name for operators in panels.values() for name in operators))
    looks = dict(zip(names, zip(dashes, "osD^v", strict=True), strict=False))
    for axes, (title, operators) in zip(_row(figure, len(panels)), panels.items(), strict=True):
        for name, (measured, expected) in operators.items():
            dash, marker = looks[name]
            axes.plot(FREQUENCY, expected, linestyle=dash, color="black", lw=0.9)
            axes.plot(FREQUENCY, measured, marker, ms=5, mfc="none", color="black", label=name)
        axes.set(title=title, xlabel="frequency (cycles/pixel)", xlim=(0, 0.5))
        _mark_windows(axes)
    figure.axes[0].set_ylabel("out / in (lines: by formula)")
    shared_legend(figure, "lower", ncols=len(names))
    return figure


def contribution_spectra(spectra):
    """The power of each branch's contribution, one panel for each layer.

    ``spectra`` maps a layer to the `SumSpectrum` of its branches. The black line is their sum.
    """
    figure = drawing(2.8 * _columns(spectra), 1.9 * _rows(spectra) + 0.8, colours=32)
    for axes, (layer, spectrum) in zip(_grid(figure, spectra), spectra.items(), strict=True):
        for name, part in spectrum.parts.items():
            _curve(axes, decibels(part.power), name, **LOOKS[name])
        _curve(axes, decibels(spectrum.together.power), "together", **TOGETHER)
        axes.set_title(f"layer {layer}", fontsize="medium")
        axes.set_xlim(0, 0.5)
        _mark_windows(axes)
    _outer_labels(figure, "frequency (cycles/pixel)", "power (dB)")
    shared_legend(figure, "upper", ncols=6)
    return figure


def band_shares(spectra):
    """The share of each branch in the energy of three bands, layer by layer.

    ``spectra`` as for `contribution_spectra`. Bars are stacked means over the images; cross-terms
    below 0 mean that branches cancel each other. The parts of a bar add up to 1.
    """
    figure = drawing(8.4, 3.2, colours=32)
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


def transfers(measured, even=None, floors=None):
    """Attention as a filter: coherent gain, coherence, and the misleading ratio of amplitudes.

    ``measured`` maps a title to a `Coherence`; ``even`` to that of attention with even weights in
    the same windows; ``floors`` to what unrelated photographs read, which is shaded.
    """
    figure = drawing(2.8 * _columns(measured), 1.9 * _rows(measured) + 0.8, colours=32)
    for axes, (title, found) in zip(_grid(figure, measured), measured.items(), strict=True):
        axes.plot(found.frequency, found.naive, label="|Y| / |Z|", **LOOKS["bicubic"])
        axes.plot(found.frequency, found.gain, label="coherent gain", **LOOKS["attention"])
        if even:
            axes.plot(found.frequency, even[title].gain, label="even weights", **EVEN)
        axes.plot(found.frequency, found.coherence, label="coherence γ²", color="black", ls=":")
        if floors:
            axes.fill_between(
                found.frequency, 0, floors[title].gain, label="unrelated photographs", **UNTRAINED
            )
        axes.set_title(title, fontsize="medium")
        axes.set_xlim(0, 0.5)
        _mark_windows(axes)
    axes.set_ylim(bottom=0)  # of all panels: they share it
    _outer_labels(figure, "frequency (cycles/pixel)", "gain, or γ²")
    shared_legend(figure, "upper", ncols=5)
    return figure


def responses(fresh, trained):
    """Exact responses of the convolution branches with their columns of the fusion.

    ``fresh`` maps a branch to gains (n, BANDS) of untrained layers; ``trained`` maps a layer to
    {branch: `Response`}. The panels are the first layer, the last layer, and the `lean` of all:
    above 0 dB, a branch favours high frequencies. Nine in ten untrained layers are in the shade.
    """
    figure = drawing(8.4, 3.2, colours=32)
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
    for axes in panels:
        _mark_windows(axes)
    leans.grid(alpha=0.3)
    shared_legend(figure, "lower", ncols=3)
    return figure


def ratios(curves, *, formula):
    """Ratios of power by frequency; ``curves`` maps a name to (n, BANDS) in decibels.

    ``formula`` is (label, (BANDS,) in decibels), drawn as a thin line.
    """
    figure = drawing(6.2, 3.6)
    axes = figure.subplots()
    looks = (LOOKS["original"], LOOKS["5"], LOOKS["max"], LOOKS["7"], LOOKS["attention"])
    for look, (name, samples) in zip(looks, curves.items(), strict=False):
        _curve(axes, samples, name, **look)
    axes.plot(FREQUENCY, formula[1], color="#7F7F7F", lw=1, label=formula[0])
    axes.axhline(0, color="black", lw=0.8)
    axes.set(xlabel="frequency (cycles/pixel)", ylabel="power out / in (dB)", xlim=(0, 0.5))
    _mark_windows(axes)
    shared_legend(figure, "lower", ncols=3)
    return figure


def errors(ours, bicubic, *, scale):
    """The error of enlarged images by frequency, the gain over bicubic, and the power.

    ``ours`` and ``bicubic`` are `ErrorSpectrum`. The dashed line is the highest frequency that an
    LR image can hold.
    """
    figure = drawing(8.4, 3.1, colours=32)
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
        _mark_windows(axes, scale)
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
    _mark_windows(axes, scale)
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
    figure = drawing(2.0 * (1 + len(maps)) + 0.8, 2.4, colours=128)
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
    figure.colorbar(drawn, ax=panels[1:], label="total variation added", pad=0.01, extend="both")
    return figure


def division(bands, *, networks):
    """Which tool leans to which frequencies, band by band, from layer to layer.

    ``bands`` is what `claims.leaning` returns for a network and so many untrained ``networks``.
    Bars are 95 % intervals over photographs; one more untrained network would lie in the shade, 95
    times in 100. Layers with shifted windows have an open mark.
    """
    figure = drawing(9.0, 3.6, colours=24)
    for axes, (band, (found, shade)) in zip(_row(figure, len(bands)), bands.items(), strict=True):
        depth = np.arange(1, len(found.mean) + 1)
        label = f"{networks} untrained networks"
        axes.fill_between(depth, shade.low, shade.high, label=label, **UNTRAINED)
        axes.plot(depth, found.mean, color="black", lw=1.5)
        for start, fill, label in ((0, "black", "trained, W-MSA"), (1, "white", "trained, SW-MSA")):
            its = slice(start, None, 2)
            axes.errorbar(
                depth[its],
                found.mean[its],
                yerr=(found.high - found.mean)[its],
                fmt="o",
                ms=7,
                color="black",
                mfc=fill,
                capsize=4,
                label=label,
            )
        axes.axhline(0, color="black", lw=0.8, ls="--")
        axes.set(title=f"{band} cycles/pixel", xlabel="layer", xticks=depth[:: len(depth) // 8 + 1])
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("Inception  ←  dB  →  attention")
    shared_legend(figure, "lower", ncols=3)
    return figure


def table_of_outcomes(networks, names):
    """What each network says about each claim: a table of marks.

    ``networks`` maps a network to {claim: "for", "neither" or "against"}; ``names`` are the claims.
    """
    figure = drawing(1.9 + 1.15 * len(names), 0.9 + 0.32 * len(networks), colours=16)
    axes = figure.subplots()
    looks = {"for": ("o", "black"), "neither": ("o", "white"), "against": ("X", "#D55E00")}
    for outcome, (marker, fill) in looks.items():
        places = [
            (column, row)
            for row, its in enumerate(networks.values())
            for column, name in enumerate(names)
            if its[name] == outcome
        ]
        columns, rows = zip(*places, strict=True) if places else ((), ())
        axes.scatter(columns, rows, s=80, marker=marker, c=fill, edgecolors="black", label=outcome)
    axes.set_xticks(range(len(names)), [name.replace(" ", "\n") for name in names])
    axes.set_yticks(range(len(networks)), networks)
    axes.set(xlim=(-0.5, len(names) - 0.5), ylim=(len(networks) - 0.5, -0.5))
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    shared_legend(figure, "lower", ncols=3)
    return figure


def sensitivities(found):
    """How much noise of each band changes the image: {title: {branch: (n photographs, 3)}}.

    A branch is one of `BRANCHES`, or "even weights": attention whose weights are even. The values
    are mean squares. They are drawn relative to the mean over all bands of a branch, as a louder
    branch gets louder noise; flat is a branch that depends on all frequencies alike.
    """
    figure = drawing(4.0 * len(found), 3.3, colours=32)
    bands, looks = np.arange(len(THIRDS)), LOOKS | {"even weights": EVEN}
    for axes, (title, by_branch) in zip(_row(figure, len(found)), found.items(), strict=True):
        for number, (branch, change) in enumerate(by_branch.items()):
            levels = decibels(change)
            band = t_interval(levels - levels.mean(1, keepdims=True))
            axes.errorbar(
                bands + 0.07 * (number - 2.5),
                band.mean,
                yerr=band.high - band.mean,
                marker="osD^vP"[number],
                ms=4,
                capsize=2,
                label=branch,
                **looks[branch],
            )
        axes.axhline(0, color="black", lw=0.8)
        axes.set_xticks(bands, THIRDS)
        axes.set(title=title, xlabel="noise (cycles/pixel)")
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("change of the image,\nagainst the branch's mean (dB)")
    shared_legend(figure, "lower", ncols=6)
    return figure


def linear_shares(shares, *, scale):
    """The share of the enlarged image's power that each part explains: {part: (n, BANDS)}."""
    figure = drawing(6.2, 3.5, colours=32)
    axes = figure.subplots()
    looks = (LOOKS["bicubic"], LOOKS["original"], LOOKS["attention"], LOOKS["5"], EVEN)
    for look, (name, samples) in zip(looks, shares.items(), strict=True):
        _curve(axes, samples, name, **look)
    axes.axhline(0, color="black", lw=0.8)
    axes.axvline(0.5 / scale, color="black", lw=0.8, ls="--")
    axes.set(xlabel="cycles per HR pixel", ylabel="share explained", xlim=(0, 0.5))
    axes.set_ylim(-0.5, 1.05)
    _mark_windows(axes, scale)
    shared_legend(figure, "lower", ncols=2)
    return figure


def causes(image, effects, *, top, left, side, block):
    """A photograph, and the effect of hiding each block on the PSNR of the marked square.

    ``image`` is uint8 (H, W, 3) at LR; ``effects`` maps a title to dB, (H / block, W / block). Red
    blocks help, blue ones mislead. All maps share one scale around 0.
    """
    figure = drawing(2.0 * (1 + len(effects)) + 0.8, 2.4, colours=128)
    panels = _row(figure, 1 + len(effects))
    height, width = image.shape[:2]
    place = {"extent": (0, width, height, 0), "interpolation": "nearest"}
    grey = colormaps["gray"].resampled(FEW_COLOURS)
    panels[0].imshow(rgb_to_y(image), cmap=grey, vmin=16, vmax=235, **place)
    panels[0].set(title="photograph (LR)", ylabel="row (pixels)")
    limit = np.nanmax(np.abs(np.stack(list(effects.values()))))
    colours = colormaps["RdBu_r"].resampled(FEW_COLOURS + 1)
    for axes, (title, values) in zip(panels[1:], effects.items(), strict=True):
        drawn = axes.imshow(values, cmap=colours, vmin=-limit, vmax=limit, **place)
        axes.set_title(title)
    for axes in panels:
        axes.add_patch(Rectangle((left, top), side, side, fill=False, color="black", lw=1.5))
        axes.set_xlabel("column (pixels)")
    figure.colorbar(drawn, ax=panels[1:], label="effect (dB)", pad=0.01)
    return figure


def window_seams(errors, *, top, left, side, window):
    """The error of enlarged images in a square, on one scale, with the borders of the windows.

    ``errors`` maps a title to SR − HR on luma, (H, W), in grey levels. ``window`` is in HR pixels.
    """
    figure = drawing(2.6 * len(errors) + 0.8, 2.9, colours=64)
    panels = _row(figure, len(errors))
    inside = slice(top, top + side), slice(left, left + side)
    limit = np.quantile(np.abs(np.stack([error[inside] for error in errors.values()])), 0.99)
    colours = colormaps["RdBu_r"].resampled(FEW_COLOURS + 1)
    for axes, (title, error) in zip(panels, errors.items(), strict=True):
        drawn = axes.imshow(
            error[inside],
            cmap=colours,
            vmin=-limit,
            vmax=limit,
            extent=(left, left + side, top + side, top),
            interpolation="nearest",
        )
        axes.set(title=title, xlabel="column (HR pixels)")
        axes.set_xticks(np.arange(-(-left // window) * window, left + side + 1, window))
        axes.set_yticks(np.arange(-(-top // window) * window, top + side + 1, window))
        axes.tick_params(labelsize="x-small")
        axes.grid(color="black", lw=0.4, alpha=0.6)
    panels[0].set_ylabel("row (HR pixels)")
    figure.colorbar(drawn, ax=panels, label="grey levels", pad=0.01, extend="both")
    return figure


def trajectories(trained, untrained):
    """The share of high frequencies in the tokens from stage to stage; below, relative to DC.

    ``trained`` is the `Trajectory` of a network, ``untrained`` those of several networks. One more
    untrained network would lie in the shade, 95 times in 100.
    """
    figure = drawing(8.4, 4.6, colours=32)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.5, 1))
    for axes, quantity in ((above, "high"), (below, "over_dc")):
        shade = prediction([getattr(other, quantity).mean(0) for other in untrained])
        label = f"{len(untrained)} untrained networks"
        axes.fill_between(trained.stages, shade.low, shade.high, label=label, **UNTRAINED)
        band = t_interval(getattr(trained, quantity))
        axes.plot(trained.stages, band.mean, marker="o", ms=4, label="trained", **NETWORK)
        axes.fill_between(
            trained.stages, band.low, band.high, color=NETWORK["color"], alpha=0.2, lw=0
        )
    above.axhline(0.75, color="black", lw=0.8, ls=":")
    above.text(0.01, 0.755, "white noise", va="bottom", transform=above.get_yaxis_transform())
    above.set(ylabel=f"energy above {HIGH} (share)", ylim=(0, 0.85))
    below.set_ylabel("log |F|,\nfinest − DC")
    below.tick_params(axis="x", rotation=60)
    for axes in (above, below):
        axes.grid(alpha=0.3)
    shared_legend(figure, "upper", ncols=2)
    return figure


def _mark_windows(axes, scale=1):
    """Dotted lines at the multiples of one cycle per window, which has 8 LR pixels a side."""
    step = 1 / (WINDOW * scale)
    axes.grid(alpha=0.3)
    axes.set_xticks(np.arange(step, 0.5, step), minor=True)
    axes.grid(which="minor", axis="x", color="#888888", ls=":", lw=0.8)


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
