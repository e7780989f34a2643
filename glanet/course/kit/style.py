"""Figures of the course: each function takes its data and returns a matplotlib Figure."""

import re
from io import BytesIO

import matplotlib.pyplot as plt
from IPython.core.pylabtools import print_figure
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
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

KINDS = "Picture", "Plot"  # of panels


class _DescribedFigure(Figure):
    """A Figure that notebooks store with a text for readers who do not see it."""

    def _repr_mimebundle_(self, **which):
        picture = print_figure(self, "png")
        return {"image/png": picture}, {"image/png": {"alt": alt_text(self)}}


def new_figure(width, height):
    """An empty Figure of ``width`` × ``height`` inches.

    pyplot creates it, which registers how a notebook displays figures, and then closes it: so the
    figure appears once, where a cell returns it, and no figure stays open.
    """
    figure = plt.figure(figsize=(width, height), layout="constrained", FigureClass=_DescribedFigure)
    plt.close(figure)
    return figure


def alt_text(figure) -> str:
    """What a figure shows, in words: the titles, labels and legends of its panels, each once."""
    panels = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    bars = [axes for axes in figure.axes if axes.get_label() == "<colorbar>"]
    title = figure.get_suptitle()
    texts = [title, *map(_panel, panels), *(f"colours: {bar.get_ylabel()}" for bar in bars)]
    texts = [_plain(text) for text in dict.fromkeys(texts) if text.strip(" :")]
    texts = [text for text in texts if text not in KINDS] or texts  # the kind alone says little
    count = f"{len(panels)} panels. " if len(panels) > 1 else ""
    return count + ". ".join(texts)


def _panel(axes):
    """The title of a panel, what its axes show, and the names of its lines."""
    kind = KINDS[not axes.images]
    x, y = axes.get_xlabel(), axes.get_ylabel()
    shown = f"{y} against {x}" if x and y else x or y
    names = dict.fromkeys(axes.get_legend_handles_labels()[1])
    names = names or dict.fromkeys(label.get_text() for label in _words(axes))
    return ": ".join(filter(None, (kind, axes.get_title(), shown, ", ".join(names))))


def _words(axes):
    """The tick labels of a panel that are no numbers, such as the names of bars."""
    labels = [*axes.get_yticklabels(), *axes.get_xticklabels()]
    return [label for label in labels if re.search("[a-z]{3}", _unformatted(label.get_text()))]


def _unformatted(text):
    """A tick label without the command that matplotlib sets powers of ten with."""
    return text.replace("\\mathdefault", "")


def _plain(text):
    """Text in one line, without the marks of formulas."""
    return " ".join(text.replace("$", "").replace("\\", "").split())


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
