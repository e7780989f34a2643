"""The one-page report of an experiment on the layer, made from what was measured."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from glanet.course.kit import origin, paths
from glanet.course.lessons.your_own_layer.experiment import (
    RULES,
    VERDICTS,
    broken_rules,
    compare,
    verdict,
)
from glanet.files import write_text

FIGURE = "leads.png"


def comparisons(psnr) -> dict:
    """{network: its `Comparison` with the original}, from {network: PSNR in dB (seeds, images)}."""
    return {
        name: compare(values, psnr["original"])
        for name, values in psnr.items()
        if name != "original"
    }


def results_table(psnr, parameters) -> str:
    """A Markdown table of the networks: parameters, mean PSNR, lead and its two 95 % intervals.

    ``psnr`` maps a network to dB (seeds, images), ``parameters`` to their number.
    """
    found = comparisons(psnr)
    lines = ["| network | parameters | PSNR | lead | over seeds | over images |", "|---" * 6 + "|"]
    for name, values in psnr.items():
        cells = [name, f"{parameters[name]:,}", f"{values.mean():.3f}"]
        if name in found:
            cells.append(f"{found[name].seeds.mean:+.3f}")
            cells += [f"{of.low:+.3f} to {of.high:+.3f}" for of in found[name]]
        else:
            cells += ["–"] * 3
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def conclude(psnr) -> str:
    """The key in `VERDICTS` of these PSNRs, {network: dB (seeds, images)}."""
    found = comparisons(psnr)
    return verdict(*(found[name].side for name in ("mine", "control", "weaker")))


def write_report(folder, *, question, expected, trials, psnr, figure):
    """Write ``report.md`` and its figure into ``folder``; returns the path and the text.

    Args:
        question: what was changed, and what for, in a sentence.
        expected: the verdict that was predicted, a key of `VERDICTS`, or ``...`` for none.
        trials: what was carried out, a list of `Trial`.
        psnr: {network: dB (seeds, images)} of these trials.
        figure: the Figure of the leads.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / FIGURE, dpi=150)
    text = _text(question, expected, trials, psnr)
    path = folder / "report.md"
    write_text(path, text)
    return path, text


def _text(question, expected, trials, psnr):
    recipe = trials[0].recipe
    found, broken = conclude(psnr), broken_rules(trials)
    seeds = sorted({trial.recipe.seed for trial in trials})
    parameters = {trial.network: trial.parameters for trial in trials}
    images = ", ".join(Path(file).stem for file in recipe.validation)
    predicted = "none" if expected is ... else expected
    checked = "\n".join(f"- {'broken: ' if rule in broken else ''}{rule}" for rule in RULES)
    said = VERDICTS[found]
    if broken:
        said = f"None: the experiment breaks {len(broken)} of its rules. It would have been: {said}"
    return f"""# {question}

**Verdict.** {said} (Predicted: {predicted}.)

![Each network's lead over the original, by seed and by image, with 95 % intervals]({FIGURE})

PSNR on Y in dB at ×2, mean over seeds and images; the intervals are paired, 95 %, by Student's t.

{results_table(psnr, parameters)}

| | |
|---|---|
| seeds | {", ".join(map(str, seeds))} |
| budget of each training | {recipe.steps:,} steps of {recipe.batch} patches, {recipe.patch}×\
{recipe.patch} LR pixels, learning rate {recipe.learning_rate:g} |
| trained on | {len(recipe.data)} images |
| measured on | {len(recipe.validation)} images: {images} |
| commit | {origin.commit(paths.HOME) or "unknown"} |
| device | {origin.device_name()} |
| torch, date | {torch.__version__}, {datetime.now(UTC).date().isoformat()} |

The rules that were checked:

{checked}

The smallest lead that this experiment would have called a finding is about {_least(psnr):.3f} dB.
The result holds for a network of this size, trained for this long, and for images like these.
"""


def _least(psnr):
    """Half the width of the wider of the two intervals of "mine", in dB."""
    return float(np.max([(of.high - of.low) / 2 for of in comparisons(psnr)["mine"]]))
