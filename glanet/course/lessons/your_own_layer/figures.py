"""Figures of notebook 16: leads over the original, by seed, by image and by frequency."""

import numpy as np
from matplotlib.ticker import MaxNLocator

from glanet.analysis.statistics import t_interval
from glanet.course.kit.style import drawing, shared_legend

LOOKS = {
    "original": {"color": "#7F7F7F", "linestyle": "-"},
    "mine": {"color": "#0072B2", "linestyle": "-"},
    "control": {"color": "#E69F00", "linestyle": "--"},
    "weaker": {"color": "#D55E00", "linestyle": "-."},
}
LEAD = "dB over the original"


def _look(name):
    return LOOKS.get(name, {"color": "#009E73", "linestyle": ":"})


def leads(differences):
    """Each network's lead over the original in dB: its samples, their mean and 95 % interval.

    ``differences`` maps a network to an array (seeds, images). One panel has a mark for each seed,
    a mean over the images; the other has a mark for each image, a mean over the seeds.
    """
    figure = drawing(7.4, 1.2 + 0.5 * len(differences))
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, kept, what in zip(panels, (1, 0), ("seeds", "images"), strict=True):
        for height, (name, values) in enumerate(differences.items()):
            samples, colour = np.asarray(values).mean(kept), _look(name)["color"]
            found = t_interval(samples)
            axes.plot(samples, np.full(len(samples), height + 0.22), "o", mfc="none", color=colour)
            axes.hlines(height, found.low, found.high, lw=5, color=colour, alpha=0.4)
            axes.plot(found.mean, height, "|", color=colour, markersize=14, markeredgewidth=3)
        axes.axvline(0, color="black", lw=1)
        axes.set_title(f"{len(samples)} {what}")
        axes.set_xlabel(LEAD)
        axes.grid(axis="x", color="#DDDDDD")
        axes.xaxis.set_major_locator(MaxNLocator(5))
    panels[0].set_yticks(range(len(differences)), list(differences))
    panels[0].set_ylim(len(differences) - 0.5, -0.5)
    return figure


def chosen(differences, seeds, images):
    """The lead of the most favourable ``seeds`` and ``images``, and the lead of all.

    ``differences`` is an array (seeds, images) in dB. Every pair of a seed and an image is a mark;
    those of the best seeds and, among these, the best images are filled.
    """
    differences = np.asarray(differences)
    best_seeds = np.argsort(-differences.mean(1))[:seeds]
    best_images = np.argsort(-differences[best_seeds].mean(0))[:images]
    kept = np.zeros(differences.shape, bool)
    kept[np.ix_(best_seeds, best_images)] = True
    figure = drawing(5.6, 2.6)
    axes = figure.subplots()
    seed, _ = np.indices(differences.shape)
    colour = _look("mine")["color"]
    for marks, fill in ((kept, colour), (~kept, "none")):
        axes.plot(differences[marks], seed[marks], "o", color=colour, mfc=fill)
    every, some = differences.mean(), differences[kept].mean()
    axes.axvline(every, color="black", ls=":", label=f"all: {every:+.3f} dB")
    axes.axvline(some, color=colour, label=f"chosen: {some:+.3f} dB")
    axes.axvline(0, color="black", lw=1)
    axes.set_yticks([])
    axes.set_ylabel("a row for each seed")
    axes.set_ylim(len(differences) - 0.5, -0.5)
    axes.set_xlabel(f"{LEAD}; a mark for each image")
    shared_legend(figure, "upper", 2)
    return figure


def gains_by_frequency(frequency, gains):
    """By how many dB the error is smaller than the original's, against the frequency.

    Args:
        frequency: (bands,), cycles per HR pixel.
        gains: {network: dB (seeds, bands)}, each seed a mean over the images. The line is the mean
            over the seeds, the shading its 95 % interval at each frequency.
    """
    figure = drawing(5.6, 3.0)
    axes = figure.subplots()
    for name, samples in gains.items():
        look, found = _look(name), t_interval(samples)
        axes.plot(frequency, found.mean, label=name, **look)
        axes.fill_between(frequency, found.low, found.high, color=look["color"], alpha=0.2, lw=0)
    axes.axhline(0, color="black", lw=1)
    axes.set_xlabel("cycles per HR pixel")
    axes.set_ylabel("smaller error (dB)")
    axes.grid(color="#DDDDDD")
    axes.legend(frameon=False)
    return figure


def reaches(fields):
    """How strongly the LR pixels at a distance affect one pixel of the trunk, relative to the most.

    ``fields`` maps a network to a `ReceptiveField` for each of its seeds. Each line is the root
    mean square over the seeds and over the pixels at one distance, in whole LR pixels.
    """
    figure = drawing(5.6, 2.8)
    axes = figure.subplots()
    for name, several in fields.items():
        power = np.mean([field.strength**2 for field in several], axis=0)
        rows, columns = np.indices(power.shape)
        distance = np.hypot(rows - several[0].row, columns - several[0].column).round().astype(int)
        strength = np.sqrt(np.bincount(distance.flat, power.flat) / np.bincount(distance.flat))
        # beyond the nearest border a ring is cut off
        inside = strength[: min(several[0].row, several[0].column) + 1]
        axes.semilogy(inside / strength.max(), label=name, **_look(name))
    axes.set_xlabel("distance (LR pixels)")
    axes.set_ylabel("relative strength")
    axes.grid(color="#DDDDDD")
    axes.legend(frameon=False)
    return figure


def false_finds(found, band):
    """Leads in dB that stand for no better layer, as bars; ``found`` maps a trap to its lead.

    ``band`` is the control's interval over the seeds: what chance does here.
    """
    figure = drawing(6.6, 0.9 + 0.36 * len(found))
    axes = figure.subplots()
    axes.axvspan(band.low, band.high, color="#DDDDDD", label="control, 95 % interval")
    axes.barh(range(len(found)), list(found.values()), color="#0072B2", height=0.6)
    axes.set_yticks(range(len(found)), list(found))
    axes.invert_yaxis()
    axes.axvline(0, color="black", lw=1)
    axes.set_xlabel(LEAD)
    shared_legend(figure, "upper", 1)
    return figure
