"""Figures of notebook 12: shares of a batch, and the processes that worked on one run."""

from glanet.course.kit.style import new_figure
from glanet.course.lessons.training_in_miniature.figures import LINES

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")  # Okabe and Ito's, one for each rank


def shares(batch, world):
    """The patches of a batch in order, framed in the colour of the process that takes them.

    ``batch`` (B, 3, h, w) is a tensor in [0, 1]; B is a multiple of ``world``, the number of
    processes. The rank stands above the first patch of each share.
    """
    count, each = len(batch), len(batch) // world
    figure = new_figure(0.8 * count, 1.35)
    for number, (axes, image) in enumerate(
        zip(figure.subplots(1, count, squeeze=False)[0], batch, strict=True)
    ):
        rank = number // each
        colour = COLOURS[rank % len(COLOURS)]
        axes.imshow(image.permute(1, 2, 0).clamp(0, 1).cpu().numpy(), interpolation="nearest")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_xlabel(str(number))
        for spine in axes.spines.values():
            spine.set(color=colour, linewidth=3)
        axes.set_title(f"rank {rank}" if number % each == 0 else " ", color=colour, loc="left")
    return figure


def lives(spans, *, steps):
    """The steps that each process did in one run, one bar per process.

    ``spans`` lists (first, last, saved) for each process: it did the steps ``first`` to ``last``,
    and its last checkpoint was at ``saved``. The steps after that are hatched, because they were
    lost. ``steps`` is the length of the run.
    """
    figure = new_figure(5.6, 0.9 + 0.4 * len(spans))
    axes = figure.subplots()
    for row, (first, last, saved) in enumerate(spans):
        axes.barh(row, saved - first, left=first, height=0.6, color=LINES[0]["color"])
        if last > saved:
            axes.barh(
                row, last - saved, left=saved, height=0.6, color="white", edgecolor="black",
                hatch="////", label="lost and repeated",
            )  # fmt: skip
    axes.set_yticks(range(len(spans)), [f"process {row + 1}" for row in range(len(spans))])
    axes.set_ylim(len(spans) - 0.5, -0.5)
    axes.set_xlim(0, steps)
    axes.set_xlabel("step")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, loc="lower left")
    return figure
