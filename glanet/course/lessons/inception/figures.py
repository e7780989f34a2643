"""Kernels, their frequency responses, and what pooling does to spectra.

Frequencies are in cycles/pixel; spectra and gains go over the rings of `glanet.analysis.spectrum`.
"""

import numpy as np
import torch
from matplotlib import colormaps

from glanet.analysis.filters import response
from glanet.analysis.spectrum import FREQUENCY, decibels
from glanet.analysis.statistics import t_interval
from glanet.course.kit.style import LOOKS, new_figure, shared_legend

POOLING_LOOKS = {
    "input": LOOKS["original"],
    "max": LOOKS["max"],
    "average": {"color": "#7F7F7F", "linestyle": "--"},
}


def transfer(kernels):
    """``|H|`` of each kernel: amplitude out over amplitude in, at each frequency.

    (..., k, k) -> (..., 64, 64), frequencies in the order of the FFT.
    """
    return torch.fft.fft2(kernels, s=(64, 64)).abs()


def kernel_and_response(kernels, *, output, source):
    """One kernel of a branch and its ``|H|``, the amplitude that it passes at each frequency.

    ``kernels`` is (outputs, inputs, k, k). All pairs of channels of the branch share one colour
    scale, so a weak pair is pale.
    """
    kernel = kernels[output, source]
    size = len(kernel)
    figure = new_figure(7.2, 3.1)
    left, right = figure.subplots(1, 2)
    limit = kernels.abs().max().item()
    reach = size / 2
    shown = left.imshow(
        kernel.numpy(),
        cmap="RdBu_r",
        vmin=-limit,
        vmax=limit,
        extent=(-reach, reach, reach, -reach),
    )
    figure.colorbar(shown, ax=left, label="weight")
    left.set(
        title=f"channel {source} → {output}",
        xlabel="column (pixels)",
        ylabel="row (pixels)",
    )
    amplitude = torch.fft.fftshift(transfer(kernel))
    shown = right.imshow(
        amplitude.numpy(),
        vmin=0,
        vmax=transfer(kernels).max().item(),
        extent=(-0.5, 0.5, 0.5, -0.5),
    )
    figure.colorbar(shown, ax=right, label="|H|, amplitude out / in")
    right.set(
        title="its frequency response",
        xlabel="across columns (cycles/pixel)",
        ylabel="across rows (cycles/pixel)",
        xticks=(-0.5, 0, 0.5),
        yticks=(-0.5, 0, 0.5),
    )
    return figure


def gains(panels):
    """Gain over frequency, in decibels: panels side by side, on one scale.

    ``panels`` maps a title to {branch: (n, BANDS) of n models}, branches named as in LOOKS. For
    several models the line is the mean, and nine in ten lie in the shaded range.
    """
    figure = new_figure(2.8 * len(panels), 3.0)
    all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (title, branches) in zip(all_axes, panels.items(), strict=True):
        for branch, power in branches.items():
            power = np.asarray(power)
            axes.plot(
                FREQUENCY, decibels(power.mean(0)), label=f"{branch}×{branch}", **LOOKS[branch]
            )
            if len(power) > 1:
                low, high = decibels(np.quantile(power, (0.05, 0.95), axis=0))
                axes.fill_between(
                    FREQUENCY, low, high, color=LOOKS[branch]["color"], alpha=0.15, lw=0
                )
        axes.set(title=title, xlabel="frequency (cycles/pixel)", xlim=(0, 0.5))
        axes.grid(alpha=0.3)
    all_axes[0].set_ylabel("gain (dB)")
    all_axes[-1].legend()
    return figure


def pooling(panels):
    """What pooling does to spectra: power above, power out / power in below, both in decibels.

    ``panels`` maps a title to {"input", "max", "average": (n, BANDS) of n images}. A line is the
    geometric mean over the images, the shading its 95 % t interval. The thin
    line is the formula for averaging nine pixels; the measured average must match it.
    """
    figure = new_figure(2.7 * len(panels), 4.4)
    rows = figure.subplots(2, len(panels), sharex=True, sharey="row", squeeze=False)
    box = decibels(response(torch.full((1, 1, 3, 3), 1 / 9)).gain)
    for column, (title, spectra) in enumerate(panels.items()):
        above, below = rows[:, column]
        spectra = {name: decibels(power) for name, power in spectra.items()}
        for name, level in spectra.items():
            _curve(above, level, name)
            if name != "input":
                _curve(below, level - spectra["input"], name)
        below.plot(FREQUENCY, box, color="black", lw=0.8, label="average, by formula")
        below.axhline(0, color="black", lw=0.8, ls=":")
        above.set_title(title)
        below.set(xlabel="frequency (cycles/pixel)", xlim=(0, 0.5))
    for axes in rows.flat:
        axes.grid(alpha=0.3)
    rows[0, 0].set_ylabel("power (dB)")
    rows[1, 0].set_ylabel("power out / in (dB)")
    shared_legend(figure, "lower", ncols=4)
    return figure


def _curve(axes, levels, name):
    band = t_interval(levels)
    axes.plot(FREQUENCY, band.mean, label=name, **POOLING_LOOKS[name])
    colour = POOLING_LOOKS[name]["color"]
    axes.fill_between(FREQUENCY, band.low, band.high, color=colour, alpha=0.2, lw=0)


def branch_maps(image, maps):
    """A photograph, uint8 (H, W, 3), beside titled maps (H, W) that share a scale centred on 0."""
    height, width = image.shape[:2]
    figure = new_figure(9.0, 0.6 + 1.4 * height / width)
    first, *others = figure.subplots(1, 1 + len(maps), sharex=True, sharey=True)
    place = {"extent": (0, width, height, 0), "interpolation": "nearest"}
    first.imshow(image, **place)
    first.set(title="photograph", ylabel="row (pixels)")
    # the strongest 1 % saturate the colours, so that the rest remains visible
    limit = np.quantile(np.abs(np.stack(list(maps.values()))), 0.99)
    colours = colormaps["RdBu_r"].resampled(21)  # few colours: a smaller file
    for axes, (title, shown) in zip(others, maps.items(), strict=True):
        drawn = axes.imshow(np.asarray(shown), cmap=colours, vmin=-limit, vmax=limit, **place)
        axes.set_title(title)
    for axes in figure.axes:
        axes.set_xlabel("column (pixels)")
    figure.colorbar(drawn, ax=others, label="feature", pad=0.01, extend="both")
    return figure
