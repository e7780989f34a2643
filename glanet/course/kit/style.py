"""Figures of the course: each function takes its data and returns a matplotlib Figure."""

from io import BytesIO

import matplotlib.pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

# One look for each part of the network in all notebooks. The Okabe-Ito palette is safe for colour
# blindness; lines also differ in their dashes, for prints in grey.
LOOKS = {
    "attention": {"color": "#0072B2", "linestyle": "-"},
    "max": {"color": "#CC79A7", "linestyle": (0, (1, 1))},
    "3": {"color": "#E69F00", "linestyle": "--"},
    "5": {"color": "#D55E00", "linestyle": "-."},
    "7": {"color": "#009E73", "linestyle": (0, (5, 1, 1, 1, 1, 1))},
    "original": {"color": "black", "linestyle": "-"},
    "bicubic": {"color": "#7F7F7F", "linestyle": "--"},
}


def new_figure(width, height):
    """An empty Figure of ``width`` × ``height`` inches.

    pyplot creates it, which registers how a notebook displays figures, and then closes it: so the
    figure appears once, where a cell returns it, and no figure stays open.
    """
    figure = plt.figure(figsize=(width, height), layout="constrained")
    plt.close(figure)
    return figure


class PaletteCanvas(FigureCanvasAgg):
    """A canvas that writes PNGs of few ``colours``: enough for lines, in a fifth of the bytes.

    It keeps a stored notebook with many figures small enough.
    """

    colours = 64

    def print_png(self, filename_or_obj, **ignored):
        full = BytesIO()
        super().print_png(full)
        picture = Image.open(full).convert("RGB")
        # the other methods merge the rare colours of a colour bar
        method = Image.Quantize.MAXCOVERAGE
        picture = picture.quantize(self.colours, method, dither=Image.Dither.NONE)
        picture.save(filename_or_obj, "PNG", optimize=True)


def drawing(width, height, colours=64):
    """A `new_figure` for drawings that need few colours."""
    figure = new_figure(width, height)
    PaletteCanvas(figure).colours = colours
    return figure


def shared_legend(figure, place, ncols):
    """Add one legend for all panels, "upper" (above them) or "lower" (below), each label once."""
    by_label = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            by_label.setdefault(label, handle)
    figure.legend(by_label.values(), by_label.keys(), loc=f"outside {place} center", ncols=ncols)
