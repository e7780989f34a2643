"""Figures of notebook 01: shrinking, what it loses, and power spectra."""

import numpy as np

from glanet.course.kit.style import LOOKS, new_figure
from glanet.data.degradation import cubic_kernel, resize_matrix

_LR_COLOUR = "#56B4E9"  # from the Okabe-Ito palette; no branch of the network uses it
# LR is wide and pale: the other curves cover it wherever nothing is lost
_SPECTRUM_LOOKS = {
    "LR": {"color": _LR_COLOUR, "linestyle": "-", "linewidth": 6},
    "original": LOOKS["original"],
    "bicubic": LOOKS["bicubic"],
    "GLA-Net": {"color": "#5D3A9B", "linestyle": (0, (1, 1)), "linewidth": 2.5},
}


def kernel_weights(size, outputs):
    """The kernel over the input pixels of one output pixel, one panel for each scale.

    ``size``: number of input pixels of the axis. ``outputs`` maps a scale to the index of the
    output pixel to show. Each stem is a weight, labelled in 256ths; the weights of a panel sum to
    1. A hollow stem falls outside the axis.
    """
    figure = new_figure(5.8, 2.2 * len(outputs))
    panels = figure.subplots(len(outputs), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for axes, (scale, output) in zip(panels, outputs.items(), strict=True):
        stretch = min(scale, 1)
        centre = (output + 0.5) / scale - 0.5
        places = np.arange(np.ceil(centre - 2 / stretch), np.floor(centre + 2 / stretch) + 1)
        weights = cubic_kernel(stretch * (places - centre))
        total = weights.sum()
        fine = np.linspace(centre - 2.5 / stretch, centre + 2.5 / stretch, 400)
        axes.plot(fine, cubic_kernel(stretch * (fine - centre)) / total, color="#7F7F7F", lw=1)
        for inside, fill in ((True, "black"), (False, "white")):
            chosen = ((places >= 0) & (places < size)) == inside
            axes.vlines(places[chosen], 0, weights[chosen] / total, color="black", lw=1)
            axes.plot(
                places[chosen], weights[chosen] / total, "o", color="black", markerfacecolor=fill
            )
        for place, weight in zip(places, weights / total, strict=True):
            if weight:
                above = weight > 0
                axes.annotate(
                    f"{256 * weight:.4g}",
                    (place, weight),
                    xytext=(0, 6 if above else -6),
                    textcoords="offset points",
                    ha="center",
                    va="bottom" if above else "top",
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8},
                )
        axes.axvline(centre, color="black", linestyle=":")
        axes.axhline(0, color="black", lw=0.5)
        axes.axvspan(-4.5, -0.5, color="#EEEEEE", zorder=0)
        axes.set_title(f"output pixel {output} at scale {scale:g}: its centre is at {centre:g}")
        axes.set_ylabel("weight")
    panels[-1].set_xticks(range(-4, size))
    panels[-1].set_xlim(-4.5, size - 0.5)
    panels[-1].set_ylim(-0.35, 1.2)
    panels[-1].set_xlabel("input pixel (grey: outside the image)")
    return figure


def pictures(*rows):
    """A grid of images, all drawn at the same size, however many pixels they have.

    Each of ``rows`` maps a title to an image (H, W) or (H, W, 3) with values in 0..255; values
    outside are clipped. All rows have the same number of images.
    """
    columns = len(rows[0])
    figure = new_figure(2.2 * columns, 2.25 * len(rows))
    for line, images in zip(figure.subplots(len(rows), columns, squeeze=False), rows, strict=True):
        for axes, (title, image) in zip(line, images.items(), strict=True):
            axes.imshow(
                np.clip(image, 0, 255).astype(np.uint8),
                cmap="gray",
                vmin=0,
                vmax=255,
                extent=(0, 1, 1, 0),
                interpolation="nearest",
            )
            height, width = image.shape[:2]
            axes.set_title(title)
            axes.set_xticks([0, 1], ["0", f"{width} pixels"])
            axes.set_yticks([0, 1], ["0", f"{height}"])
    return figure


def large_and_small(images, shrink):
    """HR images in the upper row, and below each of them its LR image.

    ``images`` maps a title to a float image (H, W, 3) in 0..255. Values outside this range are
    clipped for display only. ``shrink`` maps such an image to its LR image (h, w, 3).
    """
    return pictures(images, {f"its LR ({title})": shrink(i) for title, i in images.items()})


def aliasing(frequency, scale):
    """A wave shrunk by ``scale`` in two ways: by picking pixels, and by `resize_matrix`.

    ``frequency``: of the wave, in cycles per HR pixel. ``scale``: an integer, 2 or more. Large dots
    are LR pixels at their positions on the HR axis; the dashed line through them is the wave that
    LR shows.
    """
    margin = 6 * scale  # outside the plot, so that no border affects it
    pixels = np.arange(-margin, 24 + margin)
    fine = np.linspace(-0.5, 23.5, 1000)
    wave = np.cos(2 * np.pi * frequency * pixels)
    kept = pixels[::scale]
    antialiased = resize_matrix(len(pixels), 1 / scale) @ wave
    ways = {
        f"keep one pixel in {scale}": (kept, wave[::scale]),
        "bicubic with the stretched kernel": (kept + (scale - 1) / 2, antialiased),
    }
    figure = new_figure(5.8, 3.2)
    panels = figure.subplots(2, 1, sharex=True, sharey=True)
    for axes, (title, (places, values)) in zip(panels, ways.items(), strict=True):
        axes.plot(fine, np.cos(2 * np.pi * frequency * fine), color="#BBBBBB", lw=1)
        axes.plot(pixels, wave, ".", color="#888888", ms=5, label="HR pixels")
        axes.plot(places, values, "o--", color=_LR_COLOUR, ms=6, label="LR pixels")
        axes.set_title(title, loc="left")
        axes.set_ylabel("value")
    panels[0].set_ylim(-1.3, 1.3)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    panels[1].set_xlim(-0.5, 23.5)
    panels[1].set_xlabel(
        f"HR pixel (wave: {frequency:.2f} cycles per HR pixel; LR ends at {0.5 / scale:.3g})"
    )
    return figure


def spectra(curves, nyquist):
    """Power over frequency, with a mark at the highest frequency that LR can show.

    ``curves`` maps "LR", "original", "bicubic" or "GLA-Net" to (frequencies in cycles per HR pixel,
    power in grey levels²), as from `by_radius`. ``nyquist``: in cycles per HR pixel.
    """
    figure = new_figure(6.0, 3.5)
    axes = figure.subplots()
    for name, (frequency, power) in curves.items():
        axes.semilogy(frequency, power, label=name, **_SPECTRUM_LOOKS[name])
    axes.axvline(nyquist, color="black", lw=0.8)
    axes.axvspan(nyquist, 0.5, color="#EEEEEE", zorder=0)
    axes.text(nyquist + 0.005, 0.97, "LR ends here", transform=axes.get_xaxis_transform(), va="top")
    axes.set_xlim(0, 0.5)
    axes.set_xlabel("frequency (cycles per HR pixel)")
    axes.set_ylabel("power (grey levels²)")
    axes.legend(loc="lower left")
    return figure
