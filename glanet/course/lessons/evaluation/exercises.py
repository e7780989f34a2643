"""The exercises of notebook 13: mean scores, pairing by name, self-ensemble, blended tiles."""

import re
from collections.abc import Iterable
from operator import itemgetter
from statistics import median

import numpy as np
import torch
import torch.nn.functional as F

from glanet.config import SCALES
from glanet.course.kit.checks import AnswerError, Exercise
from glanet.evaluation import benchmark
from glanet.evaluation.benchmark import Score, fitting_outputs
from glanet.inference.upscale import self_ensemble as package_ensemble


class _Many(list):
    """A list whose repr is its length, to keep messages short."""

    def __init__(self, items, what):
        super().__init__(items)
        self.what = what

    def __repr__(self):
        return f"{len(self)} {self.what}"


# Exercise 1: from the scores of images to a row


def _draw_scores(rng):
    def scores(sets):
        return [
            Score(name, f"{number}", rng.uniform(20, 45), rng.uniform(0.6, 1))
            for number, name in enumerate(sets)
        ]

    # sets that are unsorted, of different sizes, and mixed
    return [(_Many(scores("HHABAHABBA"), "scores"),), (_Many(scores("H"), "score"),)]


def _as_rows(function, scores):
    """The answer as an array with a row (set, PSNR, SSIM) for each set.

    Raises:
        AnswerError: the answer is no dictionary from each set to a pair, or the list is changed.
    """
    names, before = [score.set for score in scores], list(scores)
    answer = function(scores)
    if answer is None or answer is ...:
        return answer
    if not isinstance(answer, dict):
        raise AnswerError(
            f"it returns a {type(answer).__name__}: return a dict with one entry per set"
        )
    if scores != before:
        raise AnswerError("the list of scores is changed: later cells need it as it is")
    if set(answer) != set(names):
        found, expected = (", ".join(map(str, keys)) for keys in (answer, dict.fromkeys(names)))
        raise AnswerError(f"the keys are {found or 'none'}, expected the sets: {expected}")
    if any(np.shape(pair) != (2,) for pair in answer.values()):
        raise AnswerError("the value of each set must be two numbers, its PSNR and its SSIM")
    return np.array([[names.index(name), *pair] for name, pair in answer.items()])


def _grouped(of_psnr, of_ssim=np.mean):
    """A ``mean_scores`` that applies other functions to the PSNRs and SSIMs of each set."""

    def mean_scores(scores):
        groups = {}
        for score in scores:
            groups.setdefault(score.set, []).append(score)
        return {
            name: (of_psnr([s.psnr_y for s in group]), of_ssim([s.ssim_y for s in group]))
            for name, group in groups.items()
        }

    return mean_scores


def _of_mean_error(decibels):
    return -10 * np.log10(np.mean(10 ** (-np.array(decibels) / 10)))


def _over_all(divide_by_all):
    """The mean over all images, or each set's sum divided by the number of all images."""

    def mean_scores(scores):
        if divide_by_all:
            n = len(scores)
            return _grouped(lambda x: sum(x) / n, lambda x: sum(x) / n)(scores)
        pair = np.mean([(s.psnr_y, s.ssim_y) for s in scores], axis=0)
        return dict.fromkeys((s.set for s in scores), pair)

    return mean_scores


def _as_neighbours(scores):
    """A new group wherever the set changes, as in itertools.groupby; the last group stays."""
    runs = {}
    for before, score in zip([None, *scores], scores, strict=False):
        if before is None or before.set != score.set:
            runs[score.set] = []
        runs[score.set].append((score.psnr_y, score.ssim_y))
    return {name: np.mean(pairs, axis=0) for name, pairs in runs.items()}


mean_scores = Exercise(
    "evaluation",
    "mean_scores",
    benchmark.mean_scores,
    _draw_scores,
    {
        "this is the PSNR of the mean error: take the mean of the decibels": (
            _grouped(_of_mean_error)
        ),
        "this is the mean over all images: each set has its own mean": _over_all(False),
        "you divide each set's sum by the number of all images: divide by the set's own number": (
            _over_all(True)
        ),
        "these are sums: divide each by the number of images in the set": _grouped(sum, sum),
        "these are medians: take the mean": _grouped(median, median),
        "these are the best images of the sets: take the mean": _grouped(max, max),
        "only the last image of each set is counted: collect a list for each set": (
            _grouped(itemgetter(-1), itemgetter(-1))
        ),
        "only the first image of each set is counted: append to the set's list": (
            _grouped(itemgetter(0), itemgetter(0))
        ),
        "a set that appears again replaces its earlier images: keep one list for each set": (
            _as_neighbours
        ),
        "SSIM is first: the pair is (PSNR, SSIM)": (
            lambda scores: {n: pair[::-1] for n, pair in benchmark.mean_scores(scores).items()}
        ),
        "the sets are sorted: keep the order of their first appearance": (
            lambda scores: dict(sorted(benchmark.mean_scores(scores).items()))
        ),
        "the means are rounded: round only when you print": (
            lambda scores: {
                n: (round(p, 2), round(s, 4)) for n, (p, s) in benchmark.mean_scores(scores).items()
            }
        ),
    },
    run=_as_rows,
)


# Exercise 2: the outputs that belong to an image


def _draw_outputs(rng):
    cases = []
    names = ("boat", "boat2", "img_1", "img_10", "a.b", "shot (1)")
    for name, scale in zip(names, (2, 4, 3, 2, 2, 3), strict=True):
        outputs = []
        for n in (*names, "tugboat", "Boat", "acb", "shot 1"):
            heads = [n, f"{n}x2", f"{n}x3", f"{n}x4", f"{n}x20", f"{n}-x{scale}"]
            outputs += [*heads, *(f"{head}_mine" for head in heads), f"{n}x{scale}b"]
        shuffled = _Many(map(str, rng.permutation(outputs)), "outputs")
        cases.append((name, shuffled, scale))
    return cases


def _as_places(function, name, outputs, scale):
    answer = function(name, outputs, scale)
    if answer is None or answer is ...:
        return answer
    if isinstance(answer, str | bool | dict) or not isinstance(answer, Iterable):
        raise AnswerError(f"it returns a {type(answer).__name__}: return a list of names")
    answer = list(answer)
    for found in answer:
        if found not in outputs:
            raise AnswerError(f"it returns {found!r}, which is none of the outputs")
    return sorted(outputs.index(found) for found in answer)  # any order is right


def _where(belongs):
    return lambda name, outputs, scale: [o for o in outputs if belongs(o, name, f"{name}x{scale}")]


def _any_scale(name, outputs, scale):
    found = {out for s in SCALES for out in fitting_outputs(name, outputs, s)}
    return [out for out in outputs if out in found]


outputs_of = Exercise(
    "evaluation",
    "outputs_of",
    fitting_outputs,
    _draw_outputs,
    {
        "you accept everything that starts with the name, also boat2 for boat: after the name must "
        "come the end, the scale or an underscore": _where(
            lambda out, name, scaled: out.startswith(name)
        ),
        "you accept everything that contains the name, also tugboat for boat": (
            _where(lambda out, name, scaled: name in out)
        ),
        "the check for an underscore after the scale is missing: boatx20 is not boatx2": _where(
            lambda out, name, scaled: (
                out == name or out.startswith(f"{name}_") or out.startswith(scaled)
            )
        ),
        "the name is read as a pattern, so a.b finds acb too: use re.escape(name)": (
            lambda name, outputs, scale: [
                out for out in outputs if re.fullmatch(rf"{name}(x{scale})?(_.*)?", out)
            ]
        ),
        "you do not tell capital letters from small ones: Boat is not boat": _where(
            lambda out, name, scaled: any(
                out.lower() == head.lower() or out.lower().startswith(f"{head.lower()}_")
                for head in (name, scaled)
            )
        ),
        "you find only NAME itself: it may be followed by the scale, a suffix or both": _where(
            lambda out, name, scaled: out == name
        ),
        "you find only NAMExSCALE: the scale may be missing, and a suffix may follow": _where(
            lambda out, name, scaled: out == scaled
        ),
        "you miss outputs with a suffix, such as boat_mine": (
            _where(lambda out, name, scaled: out in (name, scaled))
        ),
        "you miss outputs without the scale in their name": (
            _where(lambda out, name, scaled: out == scaled or out.startswith(f"{scaled}_"))
        ),
        "you miss outputs with the scale in their name": (
            _where(lambda out, name, scaled: out == name or out.startswith(f"{name}_"))
        ),
        "you miss outputs with both the scale and a suffix, such as boatx2_mine": (
            _where(lambda out, name, scaled: out in (name, scaled) or out.startswith(f"{name}_"))
        ),
        "you accept NAMEx2, NAMEx3 and NAMEx4: only one of them has this scale": _any_scale,
        "you cut at the first underscore, so img_1 becomes img: a name may contain underscores": (
            _where(lambda out, name, scaled: out.split("_")[0] in (name, scaled))
        ),
        "you cut at the last underscore, so img_1 becomes img: a name may contain underscores": (
            _where(lambda out, name, scaled: out.rsplit("_", 1)[0] in (name, scaled))
        ),
        "you cut at the last underscore, so boat becomes empty: a name may have no suffix": (
            _where(lambda out, name, scaled: out.rpartition("_")[0] in (name, scaled))
        ),
    },
    run=_as_places,
)


# Exercise 3: self-ensemble


class _Lopsided:
    """A model of one random layer, ×2, whose answers differ in all orientations."""

    def __init__(self, rng):
        self.weight = torch.from_numpy(rng.standard_normal((12, 3, 3, 3)))

    def __call__(self, image):
        return F.pixel_shuffle(F.conv2d(image, self.weight, padding=1), 2)

    def __repr__(self):
        return "a model of one layer"


def _draw_models(rng):
    shapes = ((1, 3, 4, 7), (2, 3, 6, 5))
    return [(_Lopsided(rng), torch.from_numpy(rng.standard_normal(shape))) for shape in shapes]


def _answers(model, image, back=lambda answer, turns: answer.rot90(-turns, (2, 3)), mirror=True):
    """The answers for all orientations, each turned back by ``back``."""
    answers = []
    for turns in range(4):
        turned = image.rot90(turns, (2, 3))
        answers.append(back(model(turned), turns))
        if mirror:
            answers.append(back(model(turned.flip(3)).flip(3), turns))
    return torch.stack(answers)


def _mirrored(model, image, *, before, after):
    """A mean whose mirrored answers are mirrored back before or after turning back, or never."""
    answers = [_answers(model, image, mirror=False).mean(0)]
    for turns in range(4):
        answer = model(image.rot90(turns, (2, 3)).flip(3))
        answer = answer.flip(3) if before else answer
        answer = answer.rot90(-turns, (2, 3))
        answers.append((answer.flip(3) if after else answer) / 4)
    return (answers[0] + sum(answers[1:])) / 2


def _mirrored_by(model, image, axis, back):
    """A mean whose mirrored answers are mirrored back along another axis."""
    answers = []
    for turns in range(4):
        turned = image.rot90(turns, (2, 3))
        answers.append(model(turned).rot90(-turns, (2, 3)))
        answers.append(model(turned.flip(axis)).flip(back).rot90(-turns, (2, 3)))
    return torch.stack(answers).mean(0)


def _flips(model, image):
    axes = ((), (2,), (3,), (2, 3))
    return torch.stack([model(image.flip(a)).flip(a) for a in axes]).mean(0)


self_ensemble = Exercise(
    "evaluation",
    "self_ensemble",
    package_ensemble,
    _draw_models,
    {
        "this is one answer: take the mean over eight orientations": (
            lambda model, image: model(image)
        ),
        "only the four turns are there: the mirrored ones are missing": (
            lambda model, image: _answers(model, image, mirror=False).mean(0)
        ),
        "only the four mirrors are there: the quarter turns are missing": _flips,
        "only the image and its quarter turn are there: take four turns, each also mirrored": (
            lambda model, image: _answers(model, image)[[0, 2]].mean(0)
        ),
        "only the image and its half turn are there: take four turns, each also mirrored": (
            lambda model, image: _answers(model, image)[[0, 4]].mean(0)
        ),
        "only the image and its mirror image are there: take four turns, each also mirrored": (
            lambda model, image: _answers(model, image)[:2].mean(0)
        ),
        "only the first two of the four turns are there: go on to three quarter turns": (
            lambda model, image: _answers(model, image)[:4].mean(0)
        ),
        "only the mirrored answers are there: take those of the unmirrored image too": (
            lambda model, image: _answers(model, image)[1::2].mean(0)
        ),
        "the mirrored answers are mirrored top to bottom when they are mirrored back: undo flip(3) "
        "with flip(3)": lambda model, image: _mirrored_by(model, image, 3, 2),
        "you turn the answers further instead of back: turn by -turns": (
            lambda model, image: _answers(model, image, lambda a, t: a.rot90(t, (2, 3))).mean(0)
        ),
        "the mirrored answers are not mirrored back: flip(3) them before you turn them back": (
            lambda model, image: _mirrored(model, image, before=False, after=False)
        ),
        "undo in reverse order: mirror back first, then turn back": (
            lambda model, image: _mirrored(model, image, before=False, after=True)
        ),
        "this is the sum of eight answers: divide by 8": (
            lambda model, image: 8 * package_ensemble(model, image)
        ),
        "you divide the sum of eight answers by 4: divide by 8": (
            lambda model, image: 2 * package_ensemble(model, image)
        ),
        "this is the median: take the mean": (
            lambda model, image: _answers(model, image).quantile(0.5, dim=0)
        ),
        "this is the lower median, which torch.median returns: take the mean": (
            lambda model, image: _answers(model, image).median(0).values
        ),
        "the unchanged image is missing: it is one of the eight": (
            lambda model, image: _answers(model, image)[1:].mean(0)
        ),
        "only the last orientation is left: collect all eight answers": (
            lambda model, image: _answers(model, image)[-1]
        ),
        "you clamp each answer to [0, 1]: leave that to to_image, after the mean": (
            lambda model, image: _answers(model, image).clamp(0, 1).mean(0)
        ),
        "you clamp the mean to [0, 1]: leave that to to_image": (
            lambda model, image: package_ensemble(model, image).clamp(0, 1)
        ),
        "the answers are not turned back: turn them by -turns": lambda model, image: torch.stack(
            [
                model(image.rot90(turns, (2, 3)).flip(axes))
                for turns in range(2)
                for axes in ((), (3,))
            ]
        ),
        "rot90 turns the first two axes, images and colours: pass (2, 3)": lambda model, image: (
            model(image.rot90())
        ),
    },
)


# Exercise 4: two tiles that overlap


def blend_tiles(left, right, overlap):
    """Join two tiles that share ``overlap`` columns: (..., A), (..., B) -> (..., A + B - overlap).

    In the shared columns the share of ``right`` rises linearly; at the centre of column j it is
    (j + ½) / overlap. `glanet.inference.upscale` blends two neighbouring tiles by the same rule.
    """
    share = (torch.arange(overlap, dtype=left.dtype, device=left.device) + 0.5) / overlap
    return _joined(left, right, overlap, lambda a, b: (1 - share) * a + share * b)


def _joined(left, right, overlap, mix):
    start = left.shape[-1] - overlap
    middle = mix(left[..., start:], right[..., :overlap])
    return torch.cat([left[..., :start], middle, right[..., overlap:]], dim=-1)


def _mixed(shares):
    """A blend in which ``shares(overlap)`` are the shares of ``right``."""

    def blend(left, right, overlap):
        share = shares(overlap).to(left.dtype)
        return _joined(left, right, overlap, lambda a, b: (1 - share) * a + share * b)

    return blend


def _middles(overlap):
    return (torch.arange(overlap) + 0.5) / overlap


def _counted_from_the_end(left, right, overlap):
    """A blend with ``left[..., :-overlap]``, which is empty for an overlap of 0."""
    return blend_tiles(left if overlap else left[..., :0], right, overlap)


def _run_blend(function, left, right, overlap):
    """The answer.

    Raises:
        AnswerError: the function failed at an overlap of 0; the message names the usual cause.
    """
    try:
        return function(left, right, overlap)
    except RuntimeError as error:
        if overlap:
            raise
        why = "left[..., -0:] is the whole tile: count from the front"
        raise AnswerError(f"for an overlap of 0: {error}. {why}") from error


def _draw_tiles(rng):
    shapes = (((2, 3, 4, 9), (2, 3, 4, 7), 4), ((1, 6, 8), (1, 6, 11), 6), ((5, 3), (5, 4), 0))
    cases = [
        (*(torch.from_numpy(rng.standard_normal(shape)) for shape in (a, b)), overlap)
        for a, b, overlap in shapes
    ]
    left, right, overlap = cases[0]
    return [*cases, (left.float(), right.float(), overlap)]  # later cells blend both types


blend = Exercise(
    "evaluation",
    "blend",
    blend_tiles,
    _draw_tiles,
    {
        "the shared columns appear twice: blend them into one piece": (
            lambda left, right, overlap: torch.cat([left, right], dim=-1)
        ),
        "the shared columns come from the left tile alone: blend them": (
            lambda left, right, overlap: torch.cat([left, right[..., overlap:]], dim=-1)
        ),
        "the shared columns come from the right tile alone: blend them": (
            _mixed(lambda overlap: torch.ones(overlap))
        ),
        "both shares are ½ everywhere: let the right tile's share rise": (
            _mixed(lambda overlap: torch.full((overlap,), 0.5))
        ),
        "the shares are swapped: the left tile fades out, the right tile fades in": (
            _mixed(lambda overlap: 1 - _middles(overlap))
        ),
        "the share runs from 0 to 1, so the first and the last column do not blend: take it at the "
        "centres of the columns, (j + ½) / overlap": (
            _mixed(lambda overlap: torch.linspace(0, 1, overlap))
        ),
        "the share is j / overlap, half a column too little: take (j + ½) / overlap": (
            _mixed(lambda overlap: torch.arange(overlap) / overlap)
        ),
        "the share is (j + 1) / overlap, half a column too much: take (j + ½) / overlap": (
            _mixed(lambda overlap: (torch.arange(overlap) + 1) / overlap)
        ),
        "the share is (j + 1) / (overlap + 1): take (j + ½) / overlap": (
            _mixed(lambda overlap: (torch.arange(overlap) + 1) / (overlap + 1))
        ),
        "you add the shared columns: multiply each by its share, the two shares add up to 1": (
            lambda left, right, overlap: _joined(left, right, overlap, torch.add)
        ),
        "the share is smoothed with a cosine: let it rise linearly": (
            _mixed(lambda overlap: (1 - torch.cos(torch.pi * _middles(overlap))) / 2)
        ),
        "you blend the right tile's last columns: it shares its first ones": (
            lambda left, right, overlap: (
                blend_tiles(left, right.roll(overlap, -1), overlap)
                if overlap
                else torch.cat([left, right], -1)
            )
        ),
        "you blend the left tile's first columns: it shares its last ones": (
            lambda left, right, overlap: blend_tiles(left.roll(-overlap, -1), right, overlap)
        ),
        "right except for an overlap of 0: left[..., :-0] is empty, so count from the front": (
            _counted_from_the_end
        ),
        "the shared columns come from the right tile alone, and left[..., :-0] is empty: blend "
        "them, and count from the front": lambda left, right, overlap: torch.cat(
            [left[..., :-overlap], right], dim=-1
        ),
    },
    run=_run_blend,
)
