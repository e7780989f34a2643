"""Figures of notebook 14: shares of time, bandwidths, rooflines, races."""

import numpy as np

from glanet.course.kit.style import drawing
from glanet.course.lessons.speed.instruments import UNCHANGED

MEMORY, ARITHMETIC, GREY = "#0072B2", "#D55E00", "#7F7F7F"
MARKERS = "osD^vP*X<>"


def time_bars(shares):
    """Shares of the time of each model: {model: {kind of operation: share}}, a panel each."""
    figure = drawing(8.4, 3.2)
    panels = figure.subplots(1, len(shares), sharex=True, squeeze=False)[0]
    for axes, (name, found) in zip(panels, shares.items(), strict=True):
        bars = axes.barh([*found], [100 * share for share in found.values()], color=MEMORY)
        axes.bar_label(bars, fmt="%.0f", padding=3)
        axes.invert_yaxis()
        axes.margins(x=0.15)
        axes.set(title=name, xlabel="share of the time (%)")
    return figure


def bandwidths(rates, marked):
    """Bytes per second of copies, {bytes: bytes/s}; a line at ``marked`` bytes."""
    figure = drawing(6.4, 2.9)
    axes = figure.subplots()
    axes.plot([*rates], [rate / 1e9 for rate in rates.values()], "o-", color=MEMORY, label="copies")
    axes.axvline(marked, color=GREY, linestyle="--", label="one feature map of this notebook")
    axes.set_xscale("log", base=2)
    axes.set_xticks([*rates][::2], [_bytes(size) for size in [*rates][::2]])
    axes.set_ylim(0)
    axes.set(xlabel="size of the array", ylabel="GB/s, read and written")
    axes.legend(frameon=False)
    return figure


def _bytes(size):
    """A power of two in the units that it is made of."""
    names = ["B", "KiB", "MiB", "GiB"]
    power = min(int(np.log2(size)) // 10, 3)
    return f"{size / 2 ** (10 * power):.0f} {names[power]}"


def roofline(machine, works):
    """Work on a machine, {name: `Operation`}: the rate that it reaches against its intensity.

    No work can be above the roof: left of the ridge memory limits it, right of it arithmetic. The
    dotted roof is for data that are in a cache. Work without arithmetic has no place here.
    """
    figure = drawing(8.4, 4.4)
    axes = figure.subplots()
    works = {name: work for name, work in works.items() if work.flop}
    found = [work.intensity for work in works.values()]
    intensity = np.geomspace(min([*found, 0.05]) / 2, max([*found, machine.ridge]) * 4, 200)
    for bandwidth, line, label in (
        (machine.cache, ":", "roof, data in a cache"),
        (machine.bandwidth, "-", "roof, data in memory"),
    ):
        roof = np.minimum(machine.rate, intensity * bandwidth) / 1e9
        axes.plot(intensity, roof, line, color="black", label=label)
    axes.axvline(machine.ridge, color=GREY, linestyle="--", linewidth=1, label="ridge")
    for marker, (name, work) in zip(MARKERS, works.items(), strict=False):
        colour = MEMORY if work.intensity < machine.ridge else ARITHMETIC
        reached = work.flop / work.seconds / 1e9
        axes.plot(work.intensity, reached, marker, color=colour, markersize=8, label=name)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="intensity (FLOP per byte)",
        ylabel="GFLOP/s",
    )
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def races(results):
    """How many times as fast each way was, {name: `Ratio`}: the median and its range."""
    figure = drawing(8.4, 0.8 + 0.4 * len(results))
    axes = figure.subplots()
    for row, result in enumerate(results.values()):
        colour = GREY if result.verdict == UNCHANGED else ARITHMETIC
        axes.plot([result.low, result.high], [row, row], color=colour, linewidth=3)
        axes.plot(result.median, row, "o", color=colour)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_yticks(range(len(results)), [*results])
    axes.set_ylim(len(results) - 0.5, -0.5)
    axes.set_xscale("log")
    low = min(result.low for result in results.values())
    high = max(result.high for result in results.values())
    ticks = [t for t in (0.1, 0.2, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 50) if low / 2 < t < high * 2]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("times as fast as before (grey: within noise)")
    return figure
