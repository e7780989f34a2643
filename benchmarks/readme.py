"""Fill the README's tables from the ledger: ``python -m benchmarks.readme``.

A table stands between ``<!-- table: NAME -->`` and ``<!-- end -->``; a test holds that filling
again changes nothing.
"""

import re
import statistics

from scipy.stats import t

from benchmarks.ablation import WHOLE
from benchmarks.ledger import RESULTS, ROOT
from benchmarks.ledger import read as ledger
from benchmarks.scores import SETS
from glanet.evaluation.published import published
from glanet.files import write_text
from glanet.weights import shipped_names

RIVALS = ("bicubic", "VDSR", "DRRN", "GLA-Net")  # published: the floor, two peers, the paper's
COMPARISONS = {
    "unmatched": "nothing, as in Table 2",
    "parameters": "parameters",
    "minutes": "minutes",
}
SEEDS = 3  # of each network in the ablation; so lowest, mean and highest tell the third
PLACE = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main():
    page = ROOT / "README.md"
    write_text(page, fill(page.read_text(encoding="utf-8")))


def fill(text):
    """``text`` with every table made anew."""
    return PLACE.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}\n{found[3]}", text)


def markdown(rows):
    """A table; the first row is its head."""
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body])


def scores():
    """The shipped weights, between what others report."""
    rows = [("", "parameters", "trained on", *SETS)]
    entries = [ledger(f"scores-{name}") for name in shipped_names()]
    for scale in sorted({entry["scale"] for entry in entries}):
        others = {name: (data, found) for name, data, found in published(scale)}
        ours = [
            (name, entry)
            for name, entry in zip(shipped_names(), entries, strict=True)
            if entry["scale"] == scale
        ]
        for rival in RIVALS:
            data, found = others[rival]
            if rival == WHOLE:
                rows += [_shipped(name, entry) for name, entry in ours]
            images = {"291": "291 images", "-": "–"}.get(data, data)
            cells = [f"{found[of][0]:.2f} / {found[of][1]:.4f}" for of in SETS]
            rows.append((f"{rival} ×{scale}, published", "", images, *cells))
    return markdown(rows)


def _shipped(name, entry):
    trained = (
        f"{entry['training_images']} images, {entry['steps']:,} steps, "
        f"{entry['training_hours']:.1f} h on {entry['trained_on']}"
    )
    cells = [_score(entry["value"][of]) for of in SETS]
    return f"**`{name}`**", f"{entry['parameters']:,}", trained, *cells


def _score(found):
    return f"**{found['psnr_y']:.2f}** / {found['ssim_y']:.4f}"


def steps():
    """A training step, the plain path against ours, wherever it was measured."""
    rows = [("on", "network", "batch", "plain, ms", "ours, ms", "faster", "memory")]
    for path in sorted(RESULTS.glob("train-step-*.json")):
        entry = ledger(path.stem)
        preset = path.stem.split("-")[2]
        ms = (f"{statistics.median(entry['ms'][way]):,.0f}" for way in ("plain", "ours"))
        ratios = f"**{entry['value']['speed']:.2f}×**", f"{entry['value']['memory']:.2f}×"
        rows.append((entry["device"], f"`{preset}`", str(entry["batch"]), *ms, *ratios))
    return markdown(rows)


def paper_run():
    """The paper's network on its way: loss, each time at twice the steps, and the last scores."""
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
    """Mean PSNR and range over the seeds; arrows where no seed meets the whole network's range."""
    entry = ledger("ablation")
    rows = [("matched in", "network", "parameters", "steps", *SETS)]
    # the ledger goes by network, the reader by comparison; sorting keeps the order within each
    names = sorted(entry["value"], key=lambda name: [*COMPARISONS].index(name.partition(":")[0]))
    for name in names:
        found = entry["value"][name]
        comparison, variant = name.split(": ", 1)
        network = entry["networks"][name]
        whole = entry["value"][f"{comparison}: {WHOLE}"]
        cells = [_range(found[of], whole[of]) for of in SETS]
        sizes = f"{network['parameters']:,}", f"{network['steps']:,}"
        rows.append((COMPARISONS[comparison], variant, *sizes, *cells))
    return markdown(rows)


def hidden():
    """The difference of two means that chance stays below in 19 of 20 cases, dB, by Student's t.

    The spread of the seeds is pooled over the networks of a comparison.
    """
    entry = ledger("ablation")
    assert len(entry["seed"]) == SEEDS
    rows = [("matched in", *SETS)]
    for comparison, title in COMPARISONS.items():
        networks = [
            scores for name, scores in entry["value"].items() if name.startswith(f"{comparison}:")
        ]
        doubt = t.ppf(0.975, len(networks) * (SEEDS - 1)) * (2 / SEEDS) ** 0.5
        spreads = {of: statistics.mean(_variance(n[of]) for n in networks) ** 0.5 for of in SETS}
        rows.append((title, *(f"{doubt * spreads[of]:.2f}" for of in SETS)))
    return markdown(rows)


def _variance(score):
    """Of the seeds; the one between is what the mean leaves over."""
    middle = SEEDS * score["mean"] - score["low"] - score["high"]
    return statistics.variance([score["low"], middle, score["high"]])


def _range(score, whole):
    arrow = ""
    if score["high"] < whole["low"]:
        arrow = " ▼"
    elif score["low"] > whole["high"]:
        arrow = " ▲"
    return f"{score['mean']:.2f} ({score['low']:.2f}–{score['high']:.2f}){arrow}"


TABLES = {
    "scores": scores,
    "steps": steps,
    "paper-run": paper_run,
    "ablation": ablation,
    "hidden": hidden,
}


if __name__ == "__main__":
    main()
