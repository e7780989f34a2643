"""Figures of a training: losses, learning rates, batches and PSNR."""

import numpy as np

from glanet.course.kit.style import new_figure, shared_legend

# lines in one figure differ in colour (Okabe and Ito's) and in dash
LINES = (
    {"color": "#0072B2", "linestyle": "-"},
    {"color": "#D55E00", "linestyle": "--"},
    {"color": "#009E73", "linestyle": "-."},
    {"color": "#CC79A7", "linestyle": ":"},
    {"color": "black", "linestyle": (0, (5, 1, 1, 1, 1, 1))},
)
STEP = "step"
WIDE, SMALL = (6.4, 2.5), (4.8, 2.5)  # inches


def one_number_for_all(values):
    """L1 and L2 loss of answering one number c to all ``values``, against c, with their minima.

    Each loss is divided by its minimum, because the two have different units.
    """
    values = np.asarray(values, float)
    grid = np.linspace(values.min(), values.max(), 1001)
    guesses = np.union1d(grid, [*values, values.mean()])  # include the exact minima
    gaps = np.abs(guesses[:, None] - values)
    figure = new_figure(*SMALL)
    axes = figure.subplots()
    for line, name, loss in zip(
        LINES, ("L1", "L2"), (gaps.mean(1), (gaps**2).mean(1)), strict=False
    ):
        best = loss.argmin()
        axes.plot(guesses, loss / loss[best], label=f"{name}, minimum at {guesses[best]:g}", **line)
        axes.plot(guesses[best], 1, "o", color=line["color"])
    axes.vlines(values, 0, 0.06, transform=axes.get_xaxis_transform(), color="black")
    axes.set_xlabel("c (ticks: the values)")
    axes.set_ylabel("loss / its minimum")
    axes.legend(frameon=False)
    return figure


def descents(paths, steepness):
    """Paths of several optimizers on the contours of the bowl x² + ``steepness``·y².

    ``paths`` maps a name to positions (T, 2), columns x and y. The minimum is at (0, 0).
    """
    figure = new_figure(*WIDE)
    reach = 1.15 * max(np.abs(np.asarray(path)).max() for path in paths.values())
    x, y = np.meshgrid(np.linspace(-reach, reach, 200), np.linspace(-reach, reach, 200))
    for axes, line, (name, path) in zip(
        figure.subplots(1, len(paths), sharey=True), LINES, paths.items(), strict=False
    ):
        path = np.asarray(path)
        axes.contour(x, y, np.log1p(x**2 + steepness * y**2), 6, colors="0.75", linewidths=0.8)
        axes.plot(*path.T, marker=".", **line)
        axes.plot(0, 0, "x", color="black", markersize=9)
        axes.set_title(f"{name}, {len(path) - 1} steps")
        axes.set_xlabel("flat direction, x")
    figure.axes[0].set_ylabel("steep direction, y")
    return figure


def patches(lr, hr):
    """A batch: each LR patch above its HR patch.

    ``lr`` (B, 3, h, w) and ``hr`` (B, 3, scale·h, scale·w) are tensors in [0, 1].
    """
    figure = new_figure(1.0 * len(lr), 2.2)
    rows = figure.subplots(2, len(lr), squeeze=False)
    for row, batch, name in zip(rows, (lr, hr), ("LR", "HR"), strict=True):
        for axes, image in zip(row, batch, strict=True):
            axes.imshow(image.permute(1, 2, 0).clamp(0, 1).numpy(), interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
        height, width = batch.shape[-2:]
        row[0].set_ylabel(f"{name}, {height}×{width}")
    return figure


def loss_lines(runs, *, rolling=1):
    """The loss of each step, on a logarithmic axis; ``runs`` maps a name to its losses.

    Each point is a mean over the last ``rolling`` steps, because batches differ. A line ends at the
    first loss that is not finite.
    """
    figure = new_figure(*SMALL)
    axes = figure.subplots()
    for line, (name, values) in zip(LINES, runs.items(), strict=False):
        smooth = _rolling_mean(values, rolling)
        axes.semilogy(np.arange(len(smooth)) + rolling, smooth, label=name, **line)
    axes.set_xlabel(STEP)
    axes.set_ylabel("L1 loss" + (f", mean of {rolling} steps" if rolling > 1 else ""))
    axes.grid(axis="y", alpha=0.3)
    if len(runs) > 1:
        axes.legend(frameon=False)
    return figure


def _rolling_mean(values, count):
    return np.convolve(np.asarray(values, float), np.full(count, 1 / count), mode="valid")


def losses_by_rate(by_rate, start):
    """The final loss against the learning rate, both logarithmic.

    ``by_rate`` maps a rate to a loss; a loss that is NaN or infinite is a cross at the top.
    ``start`` is the loss before the first step, drawn as a dashed line.
    """
    figure = new_figure(*SMALL)
    axes = figure.subplots()
    rates, found = np.array(list(by_rate)), np.array(list(by_rate.values()), float)
    good = np.isfinite(found)
    axes.loglog(rates[good], found[good], "o-", color=LINES[0]["color"])
    axes.axhline(start, color="#7F7F7F", linestyle="--", label="before the first step")
    if not good.all():
        top = np.full((~good).sum(), 2 * max([start, *found[good]]))
        axes.plot(rates[~good], top, "x", color="#D55E00", markersize=10, label="not finite")
    if good.any():
        best = rates[good][found[good].argmin()]
        axes.plot(best, found[good].min(), "o", color="black", label=f"minimum, at {best:g}")
    axes.set_xlabel("learning rate")
    axes.set_ylabel("L1 loss at the end")
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False)
    return figure


def schedules(curves):
    """Learning rates over the steps; ``curves`` maps a name to (steps, rates)."""
    figure = new_figure(*SMALL)
    axes = figure.subplots()
    for line, (name, (steps, rates)) in zip(LINES, curves.items(), strict=False):
        axes.plot(steps, rates, label=name, **line)
    axes.set_xlabel(STEP)
    axes.set_ylabel("learning rate")
    axes.set_ylim(bottom=0)
    axes.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False)
    return figure


def scores(steps, by_name, *, bicubic=None):
    """PSNR against the step; ``by_name`` maps a name to its values in dB, one for each step."""
    figure = new_figure(*SMALL)
    axes = figure.subplots()
    for line, (name, values) in zip(LINES, by_name.items(), strict=False):
        axes.plot(steps, values, marker=".", label=name, **line)
    if bicubic is not None:
        axes.axhline(bicubic, color="#7F7F7F", linestyle=":", label="bicubic")
    axes.set_xlabel(STEP)
    axes.set_ylabel("PSNR on Y (dB)")
    axes.grid(axis="y", alpha=0.3)
    shared_legend(figure, "upper", ncols=2)  # curves that jitter leave no room inside
    return figure


def curve(entries, *, bicubic=None):
    """Loss, PSNR and learning rate of a run against the step.

    Args:
        entries: the dicts of `glanet.training.log.read_log`. An entry repeats the ``psnr_y`` of the
            last validation, so a point is drawn only where it changes.
        bicubic: PSNR of bicubic interpolation in dB, drawn as a line.
    """
    figure = new_figure(5.6, 3.8)
    loss, psnr, rate = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 1.3))
    steps = [entry["step"] for entry in entries]
    loss.semilogy(steps, [entry["loss"] for entry in entries], **LINES[0])
    loss.set_ylabel("L1 loss")
    measured = [
        (entry["step"], entry["psnr_y"])
        for before, entry in zip([{}, *entries], entries, strict=False)
        if entry.get("psnr_y") != before.get("psnr_y")
    ]
    psnr.plot(*zip(*measured, strict=True) if measured else ((), ()), "o-", color="#D55E00")
    if bicubic is not None:
        psnr.axhline(bicubic, color="#7F7F7F", linestyle="--", label="bicubic")
        psnr.legend(loc="lower right", frameon=False)
    psnr.set_ylabel("PSNR on Y (dB)")
    rate.plot(steps, [entry["learning_rate"] for entry in entries], color="black")
    rate.set_ylabel("rate")
    rate.set_ylim(bottom=0)
    rate.set_xlabel(STEP)
    for axes in (loss, psnr, rate):
        axes.grid(axis="y", alpha=0.3)
    return figure
