"""Figures of notebook 13: gains over bicubic, crops, seams, and what parts are worth.

`extreme_squares` finds the crops that are worth showing.
"""

from string import ascii_uppercase

import numpy as np
from matplotlib.patches import Rectangle

from glanet.course.kit.style import LOOKS, drawing, new_figure
from glanet.evaluation.metrics import psnr_y

OURS, THEIRS = "#0072B2", "#7F7F7F"  # measured here, published by others
COLUMNS = 4  # panels side by side, at most
MOST = 12  # bars at each end of a ranking
LETTER = {"ha": "center", "va": "center", "weight": "bold", "bbox": {"fc": "#222222", "pad": 2}}


def ladder(rows, base):
    """Each method's gain over bicubic in dB, one panel per set, all with the same axis.

    Filled marks and bold names were measured here.

    Args:
        rows: (method, measured here, {set: (PSNR, SSIM)}), from bottom to top. A method has no mark
            for a set that it lacks.
        base: bicubic's {set: (PSNR, SSIM)}; its sets are the panels.
    """
    sets = list(base)
    figure = drawing(2.2 + 2.6 * len(sets), 0.9 + 0.24 * len(rows))
    panels = figure.subplots(1, len(sets), sharex=True, sharey=True, squeeze=False)[0]
    for axes, name in zip(panels, sets, strict=True):
        for height, (_, here, scores) in enumerate(rows):
            if name in scores:
                lead = scores[name][0] - base[name][0]
                axes.plot(lead, height, "o", color=OURS if here else THEIRS, mfc=_fill(here))
        axes.set_title(name)
        axes.set_xlabel("dB over bicubic")
        axes.grid(axis="x", color="#DDDDDD")
    panels[0].set_yticks(range(len(rows)), [method for method, _, _ in rows])
    for label, (_, here, _) in zip(panels[0].get_yticklabels(), rows, strict=True):
        label.set_fontweight("bold" if here else "normal")
    return figure


def _fill(here):
    return OURS if here else "white"


def gain_bars(gains, *, rival):
    """Bars of each image's gain over a rival in dB, the best on top, with the mean as a line.

    ``gains`` maps image names to dB. Of many images, only the `MOST` best and the `MOST` worst are
    shown.
    """
    ranked = sorted(gains, key=gains.get, reverse=True)
    if len(ranked) > 2 * MOST:
        ranked = ranked[:MOST] + ranked[-MOST:]
    figure = drawing(6.0, 0.8 + 0.22 * len(ranked))
    axes = figure.subplots()
    values = [gains[name] for name in ranked]
    colours = [OURS if value >= 0 else LOOKS["5"]["color"] for value in values]
    axes.barh(range(len(ranked)), values, color=colours)
    axes.set_yticks(range(len(ranked)), ranked)
    axes.invert_yaxis()
    axes.axvline(0, color="black", lw=1)
    mean = float(np.mean(list(gains.values())))
    axes.axvline(mean, color="black", ls=":", lw=1.5, label=f"mean of {len(gains)}: {mean:.2f} dB")
    axes.set_xlabel(f"dB over {rival}")
    axes.legend(loc="lower right")
    return figure


def extreme_squares(hr, image, rival, *, side):
    """The squares in which ``image`` gains most and least over ``rival``: two pairs (top, left).

    The gain is in PSNR on Y. The images are uint8 (H, W, 3). The squares have sides of ``side``
    pixels, and lie on a grid of half a side.
    """
    height, width = hr.shape[:2]
    gains = {}
    for top in range(0, height - side + 1, side // 2):
        for left in range(0, width - side + 1, side // 2):
            place = np.s_[top : top + side, left : left + side]
            gains[top, left] = psnr_y(image[place], hr[place], 0) - psnr_y(
                rival[place], hr[place], 0
            )
    return max(gains, key=gains.get), min(gains, key=gains.get)


def compared(hr, images, places, *, side):
    """An image with marked squares, and each method's crops of these squares.

    Each crop's title has its PSNR on Y.

    Args:
        hr: uint8 (H, W, 3).
        images: maps methods to images of that size.
        places: (top, left) of each square, which must lie inside the image.
        side: of the squares, in pixels.
    """
    height, width = hr.shape[:2]
    columns = min(COLUMNS, 1 + len(images))
    rows = -(-(1 + len(images)) // columns)  # per square
    figure = new_figure(2.4 + 1.65 * columns, 1.95 * max(rows * len(places), 1.3))
    left_half, right_half = figure.subfigures(1, 2, width_ratios=(2.4, 1.65 * columns))
    whole = left_half.subplots()
    whole.imshow(hr, extent=(0, width, height, 0))
    whole.set(title="HR", xlabel="column (pixels)", ylabel="row (pixels)")
    panels = iter(right_half.subplots(rows * len(places), columns, squeeze=False).flat)
    for letter, (top, left) in zip(ascii_uppercase, places, strict=False):
        for colour, thickness in (("black", 4), ("white", 2)):  # visible on dark and on light
            square = Rectangle((left, top), side, side, fill=False, color=colour, lw=thickness)
            whole.add_patch(square)
        whole.annotate(letter, (left + side / 2, top + side / 2), color="white", **LETTER)
        place = np.s_[top : top + side, left : left + side]
        crops = {f"{letter}: HR\n": hr[place]}
        for method, image in images.items():
            crops[f"{method}\n{psnr_y(image[place], hr[place], 0):.2f} dB"] = image[place]
        for (title, crop), axes in zip(crops.items(), panels, strict=False):
            axes.imshow(crop, interpolation="nearest")
            axes.set_title(title, fontsize=9)
        for _ in range(rows * columns - len(crops)):
            next(panels)
    for axes in right_half.axes:
        axes.set_axis_off()
    return figure


def seams(differences):
    """Maps of absolute differences in grey levels, with one colour scale.

    ``differences`` maps titles to float (H, W).
    """
    top = max(difference.max() for difference in differences.values())
    height, width = next(iter(differences.values())).shape
    figure = new_figure(4.4 * len(differences) + 0.6, 0.9 + 4.2 * height / width)
    panels = figure.subplots(1, len(differences), squeeze=False)[0]
    for axes, (title, difference) in zip(panels, differences.items(), strict=True):
        shown = axes.imshow(
            difference, vmin=0, vmax=top, cmap="viridis", extent=(0, width, height, 0)
        )
        axes.set(title=title, xlabel="column (pixels)")
    panels[0].set_ylabel("row (pixels)")
    figure.colorbar(shown, ax=panels, label="difference (grey levels)", shrink=0.8)
    return figure


def differences(found, whole):
    """The difference that each network makes on each set, dB, from `glanet.analysis.ablation`.

    ``found`` maps a network to {set: Difference} from the ``whole`` network. A mark is the mean; it
    is filled if the difference is decided. The thick grey line is the interval over photographs for
    the networks that were trained, the thin black one that over seeds and photographs, if it is
    known.
    """
    networks, sets = list(found), list(next(iter(found.values())))
    figure = drawing(2.6 + 1.7 * len(sets), 1.3 + 0.4 * len(networks))
    panels = figure.subplots(1, len(sets), sharex=True, sharey=True, squeeze=False)[0]
    for axes, of in zip(panels, sets, strict=True):
        for height, network in enumerate(networks):
            each = found[network][of]
            spans = (
                (each.photographs, {"color": "#BBBBBB", "lw": 6}, "over photographs"),
                (each.interval, {"color": "black", "lw": 1.2}, "over seeds and photographs"),
            )
            for span, look, name in spans:
                label = name if not height else None
                axes.plot([span.low, span.high], [height] * 2, label=label, **look)
            decided = each.outcome in ("lower", "higher")
            axes.plot(each.mean, height, "o", color=OURS, mfc=_fill(decided), ms=6)
        axes.axvline(0, color="black", lw=0.8, ls=":")
        axes.set(title=of, xlabel="dB")
    panels[0].set_yticks(range(len(networks)), networks)
    panels[0].set_ylim(len(networks) - 0.5, -0.5)
    figure.suptitle(f"PSNR less that of {whole}")
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False
    )
    return figure
