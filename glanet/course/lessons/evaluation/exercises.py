"""Notebook 13: a set's row, whose picture it is, self-ensemble, two tiles that overlap."""

from operator import itemgetter
from statistics import median

import numpy as np
import torch
import torch.nn.functional as F

from glanet.course.kit.checks import Exercise
from glanet.evaluation import benchmark
from glanet.evaluation.benchmark import Score, fitting_outputs
from glanet.inference.upscale import self_ensemble as package_ensemble


class _Many(list):
    """A list that messages name by its length."""

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

    # sets that are not sorted, of different sizes, and mixed up
    return [(_Many(scores("HHABAHABBA"), "scores"),), (_Many(scores("H"), "score"),)]


def _as_rows(function, scores):
    """The answer as an array: which set, PSNR, SSIM."""
    names = [score.set for score in scores]
    answer = function(scores)
    if answer is None or answer is ...:
        return answer
    if not isinstance(answer, dict):
        raise TypeError(f"it returns a {type(answer).__name__}: a dict of sets is expected")
    if any(np.shape(pair) != (2,) for pair in answer.values()):
        raise TypeError("each set gets two numbers, its PSNR and its SSIM")
    return np.array([[names.index(name), *pair] for name, pair in answer.items()])


def _grouped(of_psnr, of_ssim=np.mean):
    """A row of each set from functions of the lists of its images' numbers."""

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
    """The mean over all images, or each set's sum over the number of all."""

    def mean_scores(scores):
        if divide_by_all:
            n = len(scores)
            return _grouped(lambda x: sum(x) / n, lambda x: sum(x) / n)(scores)
        pair = np.mean([(s.psnr_y, s.ssim_y) for s in scores], axis=0)
        return dict.fromkeys((s.set for s in scores), pair)

    return mean_scores


def _as_neighbours(scores):
    """A new group wherever the set changes, as itertools.groupby makes them: the last one stays."""
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
        "the PSNR is the decibels of the mean error: take the mean of the decibels": (
            _grouped(_of_mean_error)
        ),
        "all images are thrown together: each set has a mean of its own": _over_all(False),
        "each set's sum is divided by the number of all images: divide by the set's own": (
            _over_all(True)
        ),
        "those are sums: divide each by the number of images in the set": _grouped(sum, sum),
        "those are medians: a row has the mean": _grouped(median, median),
        "those are the best images of the sets: a row has the mean": _grouped(max, max),
        "only the last image of each set is there: collect a list for each set": (
            _grouped(itemgetter(-1), itemgetter(-1))
        ),
        "only the first image of each set is there: append to the set's list": (
            _grouped(itemgetter(0), itemgetter(0))
        ),
        "a set that comes again starts anew: its images need not stand side by side": (
            _as_neighbours
        ),
        "SSIM comes first: the pair is (PSNR, SSIM)": (
            lambda scores: {n: pair[::-1] for n, pair in benchmark.mean_scores(scores).items()}
        ),
        "the sets are sorted: keep the order in which they first come": (
            lambda scores: dict(sorted(benchmark.mean_scores(scores).items()))
        ),
        "the means are rounded: round when you print": (
            lambda scores: {
                n: (round(p, 2), round(s, 4)) for n, (p, s) in benchmark.mean_scores(scores).items()
            }
        ),
    },
    run=_as_rows,
)


# Exercise 2: which outputs belong to an image


def _draw_outputs(rng):
    cases = []
    for name, scale in (("boat", 2), ("boat2", 4), ("img_1", 3), ("img_10", 2)):
        outputs = []
        for n in ("boat", "boat2", "img_1", "img_10", "tugboat"):
            heads = [n, f"{n}x2", f"{n}x3", f"{n}x4", f"{n}x20", f"{n}-x{scale}"]
            outputs += [*heads, *(f"{head}_mine" for head in heads), f"{n}x{scale}b"]
        shuffled = _Many(map(str, rng.permutation(outputs)), "outputs")
        cases.append((name, shuffled, scale))
    return cases


def _as_places(function, name, outputs, scale):
    answer = function(name, outputs, scale)
    if answer is None or answer is ...:
        return answer
    if isinstance(answer, str | bool):
        raise TypeError(f"it returns a {type(answer).__name__}: a list of names is expected")
    return [outputs.index(found) for found in answer]


def _where(belongs):
    return lambda name, outputs, scale: [o for o in outputs if belongs(o, name, f"{name}x{scale}")]


def _any_scale(name, outputs, scale):
    found = {out for s in (2, 3, 4) for out in fitting_outputs(name, outputs, s)}
    return [out for out in outputs if out in found]


outputs_of = Exercise(
    "evaluation",
    "outputs_of",
    fitting_outputs,
    _draw_outputs,
    {
        "whatever begins with the name is taken, boat2 for boat too: after the name comes the end, "
        "or an underscore": _where(lambda out, name, scaled: out.startswith(name)),
        "whatever holds the name is taken, tugboat for boat too": (
            _where(lambda out, name, scaled: name in out)
        ),
        "an underscore is missing: boatx20 is not boatx2": _where(
            lambda out, name, scaled: (
                out == name or out.startswith(f"{name}_") or out.startswith(scaled)
            )
        ),
        "only NAME itself is found": _where(lambda out, name, scaled: out == name),
        "only NAMExSCALE is found": _where(lambda out, name, scaled: out == scaled),
        "outputs with a suffix, as in boat_mine, are not found": (
            _where(lambda out, name, scaled: out in (name, scaled))
        ),
        "outputs without the scale in their name are not found": (
            _where(lambda out, name, scaled: out == scaled or out.startswith(f"{scaled}_"))
        ),
        "outputs with the scale in their name are not found": (
            _where(lambda out, name, scaled: out == name or out.startswith(f"{name}_"))
        ),
        "boatx2_mine has both the scale and a suffix, and is not found": (
            _where(lambda out, name, scaled: out in (name, scaled) or out.startswith(f"{name}_"))
        ),
        "NAMEx2, NAMEx3 and NAMEx4 are all taken: only one is of this scale": _any_scale,
        "cut at the first underscore, img_1 is img: a name may hold underscores itself": (
            _where(lambda out, name, scaled: out.split("_")[0] in (name, scaled))
        ),
        "cut at the last underscore, img_1 is img: a name may hold underscores itself": (
            _where(lambda out, name, scaled: out.rsplit("_", 1)[0] in (name, scaled))
        ),
        "cut at the last underscore, boat is nothing: a name may have no suffix": (
            _where(lambda out, name, scaled: out.rpartition("_")[0] in (name, scaled))
        ),
    },
    run=_as_places,
)


# Exercise 3: self-ensemble


class _Lopsided:
    """A network of one random layer that doubles the sides: no two orientations agree."""

    def __init__(self, rng):
        self.weight = torch.from_numpy(rng.standard_normal((12, 3, 3, 3)))

    def __call__(self, image):
        return F.pixel_shuffle(F.conv2d(image, self.weight, padding=1), 2)

    def __repr__(self):
        return "a network of one layer"


def _draw_networks(rng):
    shapes = ((1, 3, 4, 7), (2, 3, 6, 5))
    return [(_Lopsided(rng), torch.from_numpy(rng.standard_normal(shape))) for shape in shapes]


def _answers(model, image, back=lambda answer, turns: answer.rot90(-turns, (2, 3)), mirror=True):
    """The answers to the orientations, each turned back by ``back``."""
    answers = []
    for turns in range(4):
        turned = image.rot90(turns, (2, 3))
        answers.append(back(model(turned), turns))
        if mirror:
            answers.append(back(model(turned.flip(3)).flip(3), turns))
    return torch.stack(answers)


def _mirrored(model, image, *, before, after):
    """The mirrored answers with other mirrors before and after they are turned back."""
    answers = [_answers(model, image, mirror=False).mean(0)]
    for turns in range(4):
        answer = model(image.rot90(turns, (2, 3)).flip(3))
        answer = answer.flip(3) if before else answer
        answer = answer.rot90(-turns, (2, 3))
        answers.append((answer.flip(3) if after else answer) / 4)
    return (answers[0] + sum(answers[1:])) / 2


def _flips(model, image):
    axes = ((), (2,), (3,), (2, 3))
    return torch.stack([model(image.flip(a)).flip(a) for a in axes]).mean(0)


self_ensemble = Exercise(
    "evaluation",
    "self_ensemble",
    package_ensemble,
    _draw_networks,
    {
        "that is one answer: take the mean over eight orientations": (
            lambda model, image: model(image)
        ),
        "the four turns are there, the mirrored ones are missing": (
            lambda model, image: _answers(model, image, mirror=False).mean(0)
        ),
        "the four mirrors are there, the quarter turns are missing": _flips,
        "the answers are turned on instead of back: turn by -turns": (
            lambda model, image: _answers(model, image, lambda a, t: a.rot90(t, (2, 3))).mean(0)
        ),
        "the mirrored answers are not mirrored back": (
            lambda model, image: _mirrored(model, image, before=False, after=False)
        ),
        "undo in reverse: what was turned and then mirrored is mirrored back first, then turned": (
            lambda model, image: _mirrored(model, image, before=False, after=True)
        ),
        "those are sums of eight answers: divide by 8": (
            lambda model, image: 8 * package_ensemble(model, image)
        ),
        "the sum of eight answers is divided by 4": (
            lambda model, image: 2 * package_ensemble(model, image)
        ),
        "that is the median: take the mean": (
            lambda model, image: _answers(model, image).quantile(0.5, dim=0)
        ),
        "that is the lower median, which torch.median gives: take the mean": (
            lambda model, image: _answers(model, image).median(0).values
        ),
        "the image as it is is missing: it is one of the eight": (
            lambda model, image: _answers(model, image)[1:].mean(0)
        ),
        "only the last orientation is left: collect all eight answers": (
            lambda model, image: _answers(model, image)[-1]
        ),
        "each answer is clamped to [0, 1]: that comes once, after the mean": (
            lambda model, image: _answers(model, image).clamp(0, 1).mean(0)
        ),
        "the mean is clamped to [0, 1]: leave that to to_image": (
            lambda model, image: package_ensemble(model, image).clamp(0, 1)
        ),
    },
)


# Exercise 4: two tiles that overlap


def blend_tiles(left, right, overlap):
    """One image from two that share ``overlap`` columns: (..., A) and (..., B) -> (..., A + B - o).

    Across the shared columns the share of ``right`` rises linearly; at the middle of column j it is
    (j + ½) / overlap. The rule of `glanet.inference.upscale` for two neighbouring tiles.
    """
    share = (torch.arange(overlap, dtype=left.dtype, device=left.device) + 0.5) / overlap
    return _joined(left, right, overlap, lambda a, b: (1 - share) * a + share * b)


def _joined(left, right, overlap, mix):
    start = left.shape[-1] - overlap
    middle = mix(left[..., start:], right[..., :overlap])
    return torch.cat([left[..., :start], middle, right[..., overlap:]], dim=-1)


def _mixed(shares):
    """A blend with other shares of ``right``."""

    def blend(left, right, overlap):
        share = shares(overlap).to(left.dtype)
        return _joined(left, right, overlap, lambda a, b: (1 - share) * a + share * b)

    return blend


def _middles(overlap):
    return (torch.arange(overlap) + 0.5) / overlap


def _counted_from_the_end(left, right, overlap):
    """left[..., :-overlap] is empty where the overlap is 0."""
    return blend_tiles(left if overlap else left[..., :0], right, overlap)


def _run_blend(function, left, right, overlap):
    """The answer; an exception at an overlap of 0, which nearly always has one cause, says so."""
    try:
        return function(left, right, overlap)
    except RuntimeError as error:
        if overlap:
            raise
        why = "left[..., -0:] is the whole tile: count from the front"
        raise ValueError(f"for an overlap of 0, {error}. {why}") from error


def _draw_tiles(rng):
    shapes = (((2, 3, 4, 9), (2, 3, 4, 7), 4), ((1, 6, 8), (1, 6, 11), 6), ((5, 3), (5, 4), 0))
    return [
        (*(torch.from_numpy(rng.standard_normal(shape)) for shape in (a, b)), overlap)
        for a, b, overlap in shapes
    ]


blend = Exercise(
    "evaluation",
    "blend",
    blend_tiles,
    _draw_tiles,
    {
        "the shared columns are there twice: they become one blended piece": (
            lambda left, right, overlap: torch.cat([left, right], dim=-1)
        ),
        "the left tile has the shared columns for itself: blend them": (
            lambda left, right, overlap: torch.cat([left, right[..., overlap:]], dim=-1)
        ),
        "the right tile has the shared columns for itself: blend them": (
            _mixed(lambda overlap: torch.ones(overlap))
        ),
        "half of each, everywhere: let the right tile's share rise": (
            _mixed(lambda overlap: torch.full((overlap,), 0.5))
        ),
        "the shares have changed places: the left tile fades out, the right one in": (
            _mixed(lambda overlap: 1 - _middles(overlap))
        ),
        "the share runs from 0 to 1, so that its first and last column do not blend: take it at "
        "the middles of the columns, (j + ½) / overlap": (
            _mixed(lambda overlap: torch.linspace(0, 1, overlap))
        ),
        "the share is j / overlap: half a column is missing, (j + ½) / overlap": (
            _mixed(lambda overlap: torch.arange(overlap) / overlap)
        ),
        "the share is (j + 1) / overlap: half a column too much, (j + ½) / overlap": (
            _mixed(lambda overlap: (torch.arange(overlap) + 1) / overlap)
        ),
        "the share is (j + 1) / (overlap + 1): take (j + ½) / overlap": (
            _mixed(lambda overlap: (torch.arange(overlap) + 1) / (overlap + 1))
        ),
        "the shared columns are added up: the two shares must add up to 1": (
            lambda left, right, overlap: _joined(left, right, overlap, torch.add)
        ),
        "the share is smoothed with a cosine: let it rise linearly": (
            _mixed(lambda overlap: (1 - torch.cos(torch.pi * _middles(overlap))) / 2)
        ),
        "the right tile's last columns are blended: it is the first that it shares": (
            lambda left, right, overlap: (
                blend_tiles(left, right.roll(overlap, -1), overlap)
                if overlap
                else torch.cat([left, right], -1)
            )
        ),
        "the left tile's first columns are blended: it is the last that it shares": (
            lambda left, right, overlap: blend_tiles(left.roll(-overlap, -1), right, overlap)
        ),
        "right but for an overlap of 0: left[..., :-0] is empty; count from the front": (
            _counted_from_the_end
        ),
    },
    run=_run_blend,
)
