"""Figures of the trunk: which block reads which, gradients along the blocks, pairs of runs."""

import numpy as np

from glanet.course.kit.style import new_figure

LOOKS = {
    "dense": {"color": "#56B4E9", "linestyle": "-", "marker": "o"},
    "plain": {"color": "black", "linestyle": "--", "marker": "s"},
}


def readings(shares):
    """The share of each earlier output in what each block reads, as a table of colours and numbers.

    ``shares`` is (blocks, blocks): row i is what block i + 1 reads, column j its part from F_s
    (j = 0) or from block j. Outputs that do not exist yet, j > i, are blank.
    """
    blocks = len(shares)
    figure = new_figure(4.8, 3.2)
    axes = figure.subplots()
    can = np.tril(np.ones_like(shares, bool))
    shown = axes.imshow(np.where(can, shares, np.nan), vmin=0, vmax=1, cmap="viridis")
    for i, j in zip(*np.nonzero(can), strict=True):
        colour = "black" if shares[i, j] > 0.5 else "white"
        axes.text(j, i, f"{shares[i, j]:.2f}", ha="center", va="center", color=colour)
    axes.set_xticks(range(blocks), ["norm of F_s", *(f"block {j}" for j in range(1, blocks))])
    axes.set_yticks(range(blocks), [f"block {i + 1}" for i in range(blocks)])
    axes.set(xlabel="output of", ylabel="read by")
    figure.colorbar(shown, ax=axes, label="share of the energy", shrink=0.9)
    return figure


def gradients(panels, label, relative=False):
    """Norms of gradients along the blocks, on one logarithmic scale for all panels.

    ``panels`` maps a title to {"dense", "plain": (seeds, blocks)}. A thin line is one seed, a thick
    line the geometric mean of all seeds. ``label`` names what the gradient is taken with respect
    to. With ``relative``, the norms of each seed are divided by the norm of its last block.
    """
    figure = new_figure(1.0 + 2.8 * len(panels), 3.4)
    all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (title, curves) in zip(all_axes, panels.items(), strict=True):
        for name, norms in curves.items():
            norms = norms / norms[:, -1:] if relative else norms
            blocks = np.arange(1, norms.shape[1] + 1)
            look = LOOKS[name]
            axes.plot(blocks, norms.T, color=look["color"], linestyle=look["linestyle"], lw=0.7)
            axes.plot(blocks, np.exp(np.log(norms).mean(0)), label=name, lw=2.2, **look)
        axes.set(title=title, xlabel="block", yscale="log", xticks=blocks)
        axes.grid(alpha=0.3, which="both")
    over = ", divided by the last block's" if relative else ""
    all_axes[0].set_ylabel(f"norm of the gradient\n{label}{over}")
    all_axes[-1].legend()
    return figure


def pairs(panels, label):
    """Two models trained from the same seeds on the same batches; a line joins each pair.

    ``panels`` maps a title to {"plain", "dense": (seeds,)}, all on one scale. ``label`` is the
    quantity and its unit.
    """
    figure = new_figure(0.8 + 2.3 * len(panels), 3.2)
    all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (title, results) in zip(all_axes, panels.items(), strict=True):
        values = np.stack(list(results.values()))  # (2, seeds)
        axes.plot(values, color="#7F7F7F", lw=1)
        for place, name in enumerate(results):
            look = {**LOOKS[name], "linestyle": "none"}
            axes.plot(np.full(values.shape[1], place), values[place], ms=7, **look)
        axes.set(title=title, xlim=(-0.5, 1.5))
        axes.set_xticks(range(len(results)), results)
        axes.grid(axis="y", alpha=0.3)
    all_axes[0].set_ylabel(label)
    return figure
