"""Fill the tables of the documents: ``python -m benchmarks.readme``.

The numbers come from the ledger, the lessons from the table of lessons, the recipes' presets from
`Recipe`. A table stands between ``<!-- table: NAME -->`` and ``<!-- end -->``. A test holds that
filling again changes nothing.
"""

import math
import re
import statistics
from collections import Counter
from dataclasses import fields

from benchmarks import curves, photo_variants
from benchmarks.ablation import VARIANTS, WHOLE
from benchmarks.ledger import RESULTS, ROOT
from benchmarks.ledger import read as ledger
from benchmarks.scaling import WHOLE as WHOLE_IMAGE
from benchmarks.scores import SETS
from benchmarks.shapes import SHAPES
from benchmarks.shapes import Options as ShapeOptions
from benchmarks.spin import WORKS
from glanet.analysis import ablation as analysis
from glanet.course.kit.lessons import LESSONS, lesson
from glanet.course.report import all_exercises
from glanet.evaluation.published import published
from glanet.files import write_text
from glanet.networks import NETWORKS
from glanet.training import Recipe

PAGES = [
    ROOT / name
    for name in (
        "README.md",
        "docs/training.md",
        "docs/upscaling.md",
        "docs/results.md",
        "docs/teaching.md",
    )
]
PEERS = ("bicubic", "VDSR", "DRRN")  # published scores: the floor, two peers
PARTS = [network for network in VARIANTS if network.startswith("without")]
LARGEST = "B100"  # of the sets that the ablation is measured on
# a course of six weeks, in numbers of lessons
WEEKS = (
    ("00", "01", "02"),
    ("03", "04"),
    ("05", "06", "07"),
    ("08", "09", "10"),
    ("11", "12", "13"),
    ("14", "15", "16"),
)
PLACE = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main():
    for page in PAGES:
        write_text(page, fill(page.read_text(encoding="utf-8")))


def fill(text):
    """``text`` with every table made anew."""
    return PLACE.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}\n{found[3]}", text)


def markdown(rows):
    """A table; the first row is its head."""
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body])


def lessons(linked=True):
    """The map of the course. ``linked``: to the notebooks, from the repository's root."""
    rows = [("notebook", "builds", "shows")]
    for found in LESSONS:
        name = f"{found.number} {found.title}"
        if linked:
            name = f"[{name}](notebooks/{found.stem}.ipynb)"
        rows.append((name, found.builds or "–", found.shows))
    return markdown(rows)


def teaching():
    """What each lesson takes: a run in the learn profile, a learner's time, earlier lessons."""
    rows = [("notebook", "to work through", "exercises", "a run takes", "memory", "assumes")]
    exercises = Counter(exercise.lesson for exercise in all_exercises())
    for found in LESSONS:
        measured = ledger(f"notebook-{found.number}")["value"]
        rows.append(
            (
                f"[{found.number} {found.title}](../notebooks/{found.stem}.ipynb)",
                f"{work_minutes(found)} min",
                str(exercises[found.name]),
                f"{measured['minutes']:.1f} min",
                f"{measured['memory']:.1f} GB",
                ", ".join(found.assumes) or "–",
            )
        )
    return markdown(rows)


def work_minutes(found):
    """A learner's minutes, as the head of the notebook promises; 15 where it promises none."""
    source = ROOT / "notebooks" / "source" / f"{found.stem}.py"
    promised = re.search(r"about (\d+) minutes to work through", source.read_text(encoding="utf-8"))
    return int(promised[1]) if promised else 15


def weeks():
    """A plan for a course of several weeks."""
    rows = [("week", "notebooks", "to work through")]
    for number, numbers in enumerate(WEEKS, start=1):
        hours = sum(work_minutes(lesson(key)) for key in numbers) / 60
        rows.append((str(number), ", ".join(numbers), f"{hours:.1f} h"))
    return markdown(rows)


def recipes():
    """The fields in which the recipes' presets differ."""
    found = {name: Recipe.preset(name).to_dict() for name in Recipe.PRESETS}
    rows = [("", *(f"`{name}`" for name in found))]
    for field in fields(Recipe):
        values = [recipe[field.name] for recipe in found.values()]
        if len(set(values)) > 1:
            rows.append((f"`{field.name}`", *map(_setting, values)))
    return markdown(rows)


def _setting(value):
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)


def scores():
    """PSNR and SSIM of the shipped weights, between published ones."""
    rows = [("", "parameters", "trained on", "from", *SETS)]
    for scale, entries in _shipped_by_scale().items():
        others = {name: (data, found) for name, data, found in published(scale)}
        rows += [_published(name, scale, *others[name]) for name in PEERS]
        rows += [_shipped(name, entry) for name, entry in entries.items()]
        if WHOLE in others:  # the paper has no ×3
            rows.append(_published(WHOLE, scale, *others[WHOLE]))
    return markdown(rows)


def _published(name, scale, data, found):
    images = {"291": "291 images", "-": "–"}.get(data, data)
    cells = [f"{found[of][0]:.2f} / {found[of][1]:.4f}" for of in SETS]
    return f"{name} ×{scale}, published", "", images, "", *cells


def _shipped_by_scale():
    """{scale: {name: entry of the ledger}} of weights for clean images, small networks first."""
    entries = curves.shipped()
    found = {}
    for name, entry in sorted(entries.items(), key=lambda item: item[1]["parameters"]):
        found.setdefault(entry["scale"], {})[name] = entry
    return dict(sorted(found.items()))


def _shipped(name, entry):
    trained = (
        f"{entry['training_images']} images, {entry['steps']:,} steps, "
        f"{entry['training_hours']} h on {entry['trained_on']}"
    )
    cells = [_score(entry["value"][of]) for of in SETS]
    began = _began(entry["init"])
    return f"**`{name}`**", f"{entry['parameters']:,}", trained, began, *cells


def _began(init):
    """What a run started from: nothing, the weights of a run, or shipped weights as they were."""
    if isinstance(init, dict):
        earlier = f"`{init['weights']}` after {init['steps']:,} steps, {init['training_hours']} h"
        return f"{earlier}, from {_began(init['init'])}" if init.get("init") else earlier
    return f"`{init.removeprefix('runs/').removesuffix('/weights')}`" if init else ""


def _score(found):
    return f"**{found['psnr_y']:.2f}** / {found['ssim_y']:.4f}"


def steps():
    """A training step of the plain script and of ours, on each device that was measured."""
    head = ("device", "preset", "batch", "plain, ms", "ours, ms", "speedup", "memory ratio")
    rows = [(*head, "speedup over the earlier version")]
    for path in sorted(RESULTS.glob("train-step-*.json")):
        entry = ledger(path.stem)
        preset = path.stem.split("-")[2]
        ms = (f"{statistics.median(entry['ms'][way]):,.0f}" for way in ("plain", "ours"))
        ratios = f"**{entry['value']['speed']:.2f}×**", f"{entry['value']['memory']:.2f}×"
        since = entry["value"].get("speed_over_earlier")
        ratios += (f"**{since:.2f}×**, `{entry['earlier']}`" if since else "",)
        rows.append((entry["device"], f"`{preset}`", str(entry["batch"]), *ms, *ratios))
    return markdown(rows)


def profile():
    """What takes the device's time in a step, earlier and now; no rows before it is measured."""
    rows = [("preset", "version", "ms a step", "share", "launches", "kernel")]
    for path in sorted(RESULTS.glob("profile-*.json")):
        entry = ledger(path.stem)
        for version, kernels in entry["kernels"].items():
            total = entry["value"][version]
            for kernel in kernels:
                rows.append(
                    (
                        f"`{entry['preset']}`",
                        version,
                        f"{kernel['ms']:.2f}",
                        f"{kernel['ms'] / total:.0%}",
                        f"{kernel['launches']:.0f}",
                        f"`{kernel['name']}`",
                    )
                )
    return markdown(rows)


def window_attention():
    """The Triton kernel beside PyTorch's attention; no rows before it is measured."""
    rows = [("device", "head width", "shift", "PyTorch, ms", "kernel, ms", "speedup")]
    if (RESULTS / "window-attention.json").exists():
        entry = ledger("window-attention")
        for case, ratio in entry["value"].items():
            width, shift = case.split(", ")
            ms = (f"{entry['ms'][way][case]:.3f}" for way in ("pytorch", "kernel"))
            rows.append((entry["device"], width, shift, *ms, f"**{ratio:.2f}×**"))
    return markdown(rows)


def batches():
    """Training batches of the store of decoded images and of a DataLoader."""
    rows = [("source of the batches", "patches a second")]
    for name, speeds in ledger("batches-cpu")["patches_per_second"].items():
        rows.append((name, f"{statistics.median(speeds):,.0f}"))
    return markdown(rows)


def paper_run():
    """The first steps of the paper's run: the loss at 50, 100, 200, ..., and the last scores."""
    entry = ledger("paper-run")
    found, step = [_score(entry["value"][of]) for of in SETS], entry["steps"]
    rows = []
    while str(step) in entry["loss"]:
        share, loss = step / entry["of_steps"], entry["loss"][str(step)]
        rows.append((f"{step:,}", f"{share:.2%}", f"{loss:.4f}", *found))
        found, step = [""] * len(SETS), step // 2
    head = ("step", f"of the paper's {entry['of_steps']:,}", "L1 loss", *SETS)
    return markdown([head, *reversed(rows)])


def ablation():
    """Mean PSNR of the finished runs, and its standard deviation over the seeds."""
    entries = _ablation_entries()
    rows = [("network", "parameters", "seeds", *entries[0]["value"])]
    parameters = {entry["network"]: entry["parameters"] for entry in entries}
    seeds = Counter(entry["network"] for entry in entries)
    for network, by_set in analysis.spread(analysis.runs(entries)).items():
        head = network, f"{parameters[network]:,}", str(seeds[network])
        rows.append((*head, *map(_mean_and_deviation, by_set.values())))
    return markdown(rows)


def ablation_differences():
    """Each network's difference from the whole one on each set, its intervals and the outcome."""
    return _differences("network", _ablation_differences())


def _differences(what, differences):
    head = (what, "set", "difference", "over photographs", "over seeds and photographs")
    rows = [(*head, "smallest found", "outcome")]
    for name, by_set in differences.items():
        for of, found in by_set.items():
            known = found.outcome != "too few runs"
            cells = _span(found.photographs), _span(found.interval) if known else "–"
            least = f"{found.least:.2f}" if known else "–"
            difference = analysis.signed(found.mean)
            rows.append((name, of, difference, *cells, least, found.outcome))
    return markdown(rows)


def ablation_sentences():
    """What follows from the differences by rule, one sentence a network."""
    found = _ablation_differences()
    return "\n".join(f"- {analysis.sentence(*item, WHOLE)}" for item in found.items())


def ablation_summary():
    """The same of the parts of the whole network, on its largest set, in one sentence."""
    found = _ablation_differences()
    parts = {network: by_set for network, by_set in found.items() if network in PARTS}
    return analysis.summary(parts, WHOLE, LARGEST)


def _ablation_differences():
    return analysis.compare(analysis.runs(_ablation_entries()), WHOLE)


def _ablation_entries():
    """The entries of the finished runs, by network, as the benchmark orders them, and by seed."""
    paths = (RESULTS / "ablation").glob("*.json")
    entries = [ledger(f"ablation/{path.stem}") for path in paths]
    return sorted(entries, key=lambda entry: ([*VARIANTS].index(entry["network"]), entry["seed"]))


def _span(interval):
    return f"{analysis.signed(interval.low)} to {analysis.signed(interval.high)}"


def _mean_and_deviation(found):
    mean, deviation = found
    return f"{mean:.2f}" + ("" if math.isnan(deviation) else f" ± {deviation:.2f}")


def shapes():
    """Shapes of ``light`` after the same minutes: mean PSNR, and its deviation over the seeds."""
    steps, runs = ledger("shapes/steps"), _shape_runs()
    head = "shape", "parameters", f"steps in {steps['minutes']:g} minutes", "seeds"
    rows = [(*head, *next(iter(runs.values())))]
    for name, by_set in analysis.spread(runs).items():
        seeds = sum(shape == name for shape, _ in runs)
        counts = steps["parameters"][name], steps["value"][name], seeds
        cells = map(_mean_and_deviation, by_set.values())
        rows.append((name, *(f"{count:,}" for count in counts), *cells))
    return markdown(rows)


def shape_differences():
    """Each shape's difference from today's, as `ablation_differences` has it of networks."""
    return _differences("shape", _shape_differences())


def shape_choice():
    """Which shape `light` should have, by rule: the best one that is better for certain."""
    if len(_shape_runs()) < len(SHAPES) * len(ShapeOptions.seeds):
        return "Runs are missing, so no shape is chosen yet."
    found = {name: by_set[LARGEST] for name, by_set in _shape_differences().items()}
    better = {name: each.mean for name, each in found.items() if each.outcome == "higher"}
    if not better:
        return "So `light` keeps its shape."
    return f"So `light` should have the shape {max(better, key=better.get)}."


def _shape_differences():
    return analysis.compare(_shape_runs(), next(iter(SHAPES)))


def _shape_runs():
    """The finished runs, by shape, as the benchmark orders them, and by seed."""
    entries = [ledger(f"shapes/{path.stem}") for path in RESULTS.glob("shapes/*-seed*.json")]
    entries.sort(key=lambda entry: ([*SHAPES].index(entry["shape"]), entry["seed"]))
    return {(entry["shape"], entry["seed"]): entry["value"] for entry in entries}


def rivals():
    """Networks of one size, trained alike: mean PSNR of the finished runs, and their range."""
    rows = [("network", "parameters", "steps", "seeds", *SETS)]
    found = {}
    for path in sorted((RESULTS / "rivals").glob("*-seed*.json")):
        entry = ledger(f"rivals/{path.stem}")
        found.setdefault((entry["steps"], entry["network"]), []).append(entry)
    for steps, name in sorted(found, key=lambda key: (key[0], [*NETWORKS].index(key[1]))):
        entries = found[steps, name]
        head = f"{entries[0]['parameters']:,}", f"{steps:,}", str(len(entries))
        cells = (_of_seeds([_mean(entry["value"][of]) for entry in entries]) for of in SETS)
        rows.append((NETWORKS[name].title, *head, *cells))
    return markdown(rows)


def _mean(by_image):
    return statistics.mean(by_image.values())


def _of_seeds(scores):
    mean = f"{statistics.mean(scores):.2f}"
    return mean if len(scores) == 1 else f"{mean} ({min(scores):.2f}–{max(scores):.2f})"


def rivals_speed():
    """Time and memory of the networks at their published size, and their ratios to GLA-Net's."""
    rows = [("network", "parameters", "seconds", "ratio", "memory, GB", "ratio")]
    if (RESULTS / "rivals-speed.json").exists():
        entry = ledger("rivals-speed")
        for name, ratio in entry["value"].items():
            seconds = statistics.median(entry["seconds"][name])
            time = f"{seconds:,.2f}", f"**{ratio['seconds']:.2f}×**"
            memory = f"{entry['peak_memory_gb'][name]:.2f}", f"**{ratio['memory']:.2f}×**"
            rows.append(
                (NETWORKS[name].title, f"{entry['parameters'][name]:,}", *time, *memory),
            )
    return markdown(rows)


def hostile():
    """What became of the hostile image files of the tests."""
    value = ledger("hostile")["value"]
    head = ("files", "picture", "error in one line", "traceback")
    counts = (value[state] for state in ("done", "failed", "traceback"))
    return markdown([head, (str(sum(value.values())), *map(str, counts))])


def photo():
    """The memory that a large photograph takes; no rows before it is measured."""
    rows = [("photograph", "weights", "GB at the peak", "of which imports", "device")]
    if (RESULTS / "photo.json").exists():
        entry = ledger("photo")
        memory = f"{entry['value']:.2f}", f"{entry['imports_gb']:.2f}"
        rows.append((entry["image"], entry["weights"], *memory, entry["device"]))
    return markdown(rows)


def inference():
    """How much sooner a prepared model answers than the plain one, and than the authors' layout."""
    head = ("device", "preset", "scale", "LR image", "plain, s", "prepared", "in bf16", "OpenVINO")
    rows = [(*head, "authors' layout")]
    for path in sorted(RESULTS.glob("inference-*.json")):
        entry = ledger(path.stem)
        seconds = f"{statistics.median(entry['seconds']['plain']):.3g}"
        found = entry["value"]
        names = ("prepared", "prepared, bf16", "openvino", "prepared to authors")
        ratios = (f"{found[name]:.2f}×" if name in found else "–" for name in names)
        preset, side = path.stem.split("-")[1], entry["side"]
        shape = f"×{entry['scale']}", f"{side} × {entry.get('width', side)}"
        rows.append((entry["device"], f"`{preset}`", *shape, seconds, *ratios))
    return markdown(rows)


def spin():
    """How much sooner work is done when threads spin less."""
    rows = [("", *WORKS)]
    for beside, found in ledger("spin")["value"].items():
        rows.append((beside, *(f"**{found[work]:.2f}×**" for work in WORKS)))
    return markdown(rows)


def scaling():
    """Time and memory of the largest image, and how both grow."""
    rows = [("", "LR image", "seconds", "memory, GB", "seconds grow by", "memory grows by")]
    entry = ledger("scaling")
    for way, (*_, largest) in entry["measured"].items():
        rows.append(
            (
                way if way == WHOLE_IMAGE else f"in tiles of {entry['tile']}",
                f"{largest['side']} × {largest['side']}",
                f"{largest['seconds']:.1f}",
                f"{largest['memory'] / 1e9:.2f}",
                *(f"pixels^{entry['value'][f'{of}, {way}']}" for of in ("seconds", "memory")),
            )
        )
    return markdown(rows)


def in_browser():
    """How long a browser takes to enlarge a photograph."""
    head = ("photograph", "weights", "seconds", "of which loading", "browser", "device")
    entry = ledger("in-browser")
    seconds = (f"{each:.1f}" for each in (entry["value"], statistics.median(entry["loading"])))
    browser = f"Chromium {entry['chromium'].partition('.')[0]}", entry["device"]
    return markdown([head, (entry["image"], entry["weights"], *seconds, *browser)])


def division():
    """What the frequency lab found on the paper's sentence, as a sentence."""
    entry = ledger("frequency-lab")
    found, _, parts = entry["verdict"].partition(": ")
    told = {
        "true": "bear it out",
        "half true": f"bear out its half on {parts.replace(', ', ' and ')}",
        "false": "contradict it",
        "not shown": "do not show it",
    }[found]
    return (
        f"By fixed rules, {len(entry['networks'])} trained networks {told} "
        f"more\nthan {entry['untrained']} untrained ones do."
    )


TABLES = {
    "lessons": lessons,
    "teaching": teaching,
    "weeks": weeks,
    "recipes": recipes,
    "scores": scores,
    "curves": curves.markdown,
    "steps": steps,
    "profile": profile,
    "window-attention": window_attention,
    "batches": batches,
    "paper-run": paper_run,
    "ablation": ablation,
    "division": division,
    "inference": inference,
    "spin": spin,
    "scaling": scaling,
    "in-browser": in_browser,
    "ablation-differences": ablation_differences,
    "ablation-sentences": ablation_sentences,
    "ablation-summary": ablation_summary,
    "shapes": shapes,
    "shape-differences": shape_differences,
    "shape-choice": shape_choice,
    "hostile": hostile,
    "photo": photo,
    "rivals": rivals,
    "rivals-speed": rivals_speed,
    "photo-variants": photo_variants.markdown,
}


if __name__ == "__main__":
    main()
