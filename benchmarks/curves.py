"""Draw PSNR against parameters and against hours: ``python -m benchmarks.curves``.

The pictures in docs/ need the ledger and the published scores, no data and no runs. A picture holds
its alternative text, which has the numbers of our networks; a test compares it with the ledger.
"""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from benchmarks import ledger
from glanet import ModelConfig
from glanet.course.kit.style import drawing
from glanet.data.degradations import BICUBIC
from glanet.evaluation.published import parameters, published
from glanet.weights import shipped_names

KEY = "Description"  # of the text in a PNG
FOLDER = ledger.ROOT / "docs"
SCALES = (2, 3, 4)
SETS = ("Set5", "B100")
OURS = {"marker": "D", "color": "#0072B2", "ms": 8}
LOOKS = {  # of published networks, by what they were trained on
    "291": {"marker": "o", "mfc": "white", "color": "#555555", "label": "published, 291 images"},
    "DIV2K": {"marker": "s", "color": "#999999", "label": "published, DIV2K"},
    "-": {"marker": "^", "mfc": "white", "color": "#555555", "label": "published, other images"},
}
LIGHT = 5e6  # parameters, between light networks and the others
COLUMNS = {True: 3.6e6, False: 1e8}  # where the names of light networks and of the others stand
TICKS = [mantissa * 10.0**power for power in range(-3, 4) for mantissa in (1, 2, 5)]  # hours
RUNS = ("ablation", "rivals")
SHOWN = 4.0  # dB below the best end of a training: before that, a network has barely begun
INCHES = 9  # as wide as 900 pixels


@dataclass(frozen=True)
class Curve:
    """A training: pairs of hours and PSNR on Set5 in dB, the last one of the finished weights."""

    name: str
    scale: int
    points: list[tuple[float, float]]
    device: str


def main():
    for name, (figure, alt) in pictures().items():
        drawn, about = BytesIO(), PngInfo()
        figure.savefig(drawn, dpi=100)
        about.add_itxt(KEY, alt)
        Image.open(drawn).save(FOLDER / f"{name}.png", pnginfo=about, optimize=True)


def pictures():
    """{file name without ending: (figure, alternative text)}."""
    found = {}
    for scale in SCALES:
        points = plane_points(scale)
        found[f"parameters-x{scale}"] = plane(points, scale), plane_alt(points, scale)
    curves = shipped_curves() + run_curves()
    return found | {"hours": (hours(curves), hours_alt(curves))}


def markdown():
    """The pictures as Markdown, for docs/results.md."""
    return "\n\n".join(f"![{alt}]({name}.png)" for name, (_, alt) in pictures().items())


def described(path: Path):
    """The alternative text that a picture holds."""
    return Image.open(path).text[KEY]


# Parameters and PSNR


def plane_points(scale):
    """[(name, trained on or None if ours, parameters, {set: PSNR in dB})], the fewest first."""
    found = [
        (name, None, entry["parameters"], {of: entry["value"][of]["psnr_y"] for of in SETS})
        for name, entry in shipped().items()
        if entry["scale"] == scale
    ]
    for method, trained_on, scores in published(scale):
        if count := parameters(method, scale):
            found.append((method, trained_on, count, {of: scores[of][0] for of in SETS}))
    return sorted(found, key=lambda point: point[2])


def plane(points, scale):
    """Networks by their parameters and their PSNR, one panel a set; ours are filled diamonds."""
    figure = drawing(INCHES, 9)
    panels = figure.subplots(len(SETS), 1, sharex=True)
    for axes, of in zip(panels, SETS, strict=True):
        for _, trained_on, count, psnr in points:
            look = LOOKS.get(trained_on, {**OURS, "label": "this package"})
            axes.plot(count, psnr[of], ls="none", **look)
        axes.set(xscale="log", xlim=(4e4, 3.5e8), title=f"{of}, ×{scale}", ylabel="PSNR (dB)")
        axes.grid(color="#E5E5E5")
        axes.set_axisbelow(True)
        axes.margins(y=0.08)
        for light, place in COLUMNS.items():
            _label(axes, [point for point in points if (point[2] < LIGHT) == light], of, place)
    panels[-1].set_xlabel("parameters")
    handles = dict(zip(*reversed(panels[0].get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4)
    return figure


def _label(axes, points, of, place):
    """Names of points in a column, apart from each other, each with a line to its point."""
    if not points:
        return
    points = sorted(points, key=lambda point: point[3][of])
    low, high = axes.get_ylim()
    line = 0.034 * (high - low)
    heights = spread([point[3][of] for point in points], line, high - line / 2)
    for (name, trained_on, count, psnr), height in zip(points, heights, strict=True):
        axes.annotate(
            name,
            (count, psnr[of]),
            (place, height),
            va="center",
            fontsize=8,
            fontweight="normal" if trained_on else "bold",
            arrowprops={"arrowstyle": "-", "color": "#AAAAAA", "lw": 0.6, "shrinkB": 4},
        )


def spread(values, apart, highest):
    """Rising ``values``, moved so that neighbours are ``apart`` at least and none is too high.

    Where there is room, their mean stays.
    """
    moved = np.array(values, float)
    for number in range(1, len(moved)):
        moved[number] = max(moved[number], moved[number - 1] + apart)
    return moved - max(moved.mean() - np.mean(values), moved[-1] - highest)


def plane_alt(points, scale):
    ours = "; ".join(
        f"{name}, {count:,} parameters, "
        + " and ".join(f"{psnr[of]:.2f} dB on {of}" for of in SETS)
        for name, trained_on, count, psnr in points
        if trained_on is None
    )
    others = sum(trained_on is not None for _, trained_on, _, _ in points)
    return f"PSNR against parameters at ×{scale}: {others} published networks, and ours: {ours}."


# Hours and PSNR


def shipped_curves():
    """The training of the shipped weights: their last stage begins after the hours before it."""
    return [
        _curve(name, entry, entry["scale"], entry["value"]["Set5"]["psnr_y"], entry["trained_on"])
        for name, entry in shipped().items()
    ]


def run_curves():
    """The runs of the ablation and of the rivals whose entries have their hours."""
    found = []
    for folder in RUNS:
        for path in sorted((ledger.RESULTS / folder).glob("*.json")):
            entry = ledger.read(f"{folder}/{path.stem}")
            if "training_hours" in entry:
                psnr = float(np.mean([*entry["value"]["Set5"].values()]))
                found.append(_curve(path.stem, entry, 2, psnr, entry["device"]))
    return found


def _curve(name, entry, scale, psnr, device):
    before = earlier_hours(entry.get("init"))
    curve = entry.get("curve", {"images": "", "points": []})
    points = curve["points"] if curve["images"] == "Set5" else []
    end = [entry["training_hours"], psnr]
    return Curve(name, scale, [(before + hour, score) for hour, score in [*points, end]], device)


def earlier_hours(init):
    """The hours of the weights that a training started from, all stages that the ledger knows."""
    if isinstance(init, dict):
        return init["training_hours"] + earlier_hours(init.get("init"))
    name = Path(init).parent.name if init else None  # runs/NAME/weights
    if name in shipped_names():
        entry = ledger.read(f"scores-{name}")
        return entry["training_hours"] + earlier_hours(entry["init"])
    return 0.0


def hours(curves):
    """PSNR on Set5 against hours of training, one panel a scale; ours are named at the right."""
    figure = drawing(INCHES, 9)
    scales = sorted({curve.scale for curve in curves})
    panels = figure.subplots(len(scales), 1, sharex=True, squeeze=False)[:, 0]
    ends = [curve.points[-1][0] for curve in curves]
    limits = min(ends) / 2, max(ends) * 10  # the names stand on the right
    for axes, scale in zip(panels, scales, strict=True):
        here = [curve for curve in curves if curve.scale == scale]
        for curve in here:
            ours = curve.name in shipped_names()
            look = OURS if ours else {"marker": ".", "color": "#999999"}
            axes.plot(*zip(*curve.points, strict=True), **{**look, "marker": ""}, lw=1)
            axes.plot(*curve.points[-1], **look)
        axes.set(title=f"Set5, ×{scale}", ylabel="PSNR (dB)", xscale="log", xlim=limits)
        highest = max(curve.points[-1][1] for curve in here)
        axes.set_ylim(highest - SHOWN, highest + SHOWN / 10)
        axes.grid(color="#E5E5E5")
        axes.set_axisbelow(True)
        named = [
            (
                f"{curve.name}, {curve.device}",
                None,
                curve.points[-1][0],
                {"Set5": curve.points[-1][1]},
            )
            for curve in here
            if curve.name in shipped_names()
        ]
        _label(axes, named, "Set5", max(ends) * 1.3)
    ticks = [tick for tick in TICKS if limits[0] <= tick <= limits[1]]
    panels[-1].set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    panels[-1].minorticks_off()
    panels[-1].set_xlabel("hours, all stages")
    return figure


def hours_alt(curves):
    ends = "; ".join(
        f"{curve.name}, {curve.points[-1][1]:.2f} dB after {curve.points[-1][0]:.2f} hours"
        for curve in curves
        if curve.name in shipped_names()
    )
    runs = sum(curve.name not in shipped_names() for curve in curves)
    others = f", and {runs} short runs" if runs else ""
    return f"PSNR on Set5 against hours of training: {ends}{others}."


def shipped():
    """{name: entry of the ledger} of the shipped weights of GLA-Net for clean images.

    Small rivals, whose names start with the network's, have a table of their own.
    """
    names = [name for name in shipped_names() if name.partition("-")[0] in ModelConfig.PRESETS]
    entries = {name: ledger.read(f"scores-{name}") for name in names}
    return {
        name: entry
        for name, entry in entries.items()
        if entry.get("degradation", BICUBIC) == BICUBIC
    }


if __name__ == "__main__":
    main()
