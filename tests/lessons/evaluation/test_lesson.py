import base64
import itertools
import json
import re
import statistics
from io import BytesIO

import numpy as np
import pytest
import torch
from ipywidgets import Dropdown
from matplotlib.colors import to_hex
from PIL import Image
from skimage import data

from glanet import GLANet, ModelConfig
from glanet.analysis.ablation import Difference
from glanet.analysis.statistics import Interval
from glanet.course.kit.paths import NOTEBOOKS
from glanet.course.lessons.evaluation import exercises as evaluation
from glanet.course.lessons.evaluation.figures import (
    OURS,
    compared,
    differences,
    extreme_squares,
    gain_bars,
    ladder,
    seams,
)
from glanet.course.lessons.evaluation.widgets import crops_page, explore_crops
from glanet.evaluation import benchmark
from glanet.evaluation.metrics import psnr_y
from glanet.evaluation.published import SETS, published
from glanet.inference import upscale
from glanet.inference.upscale import MARGIN
from glanet.networks import count_parameters
from glanet.weights.found import card, find_weights
from tests.lessons.verdicts import assert_rejected, assert_right, message_on

# A row


def by_sets(row):
    """A row from what ``row`` makes of one set's two arrays, PSNRs and SSIMs."""

    def means(scores):
        names = list(dict.fromkeys(score.set for score in scores))
        of = {n: np.array([(s.psnr_y, s.ssim_y) for s in scores if s.set == n]) for n in names}
        return {name: row(*numbers.T) for name, numbers in of.items()}

    return means


def test_a_row_may_be_written_in_other_ways():
    assert_right(evaluation.mean_scores, by_sets(lambda p, s: [p.mean(), s.mean()]))

    def running_sums(scores):
        sums = {}
        for score in scores:
            psnr, ssim, count = sums.get(score.set, (0, 0, 0))
            sums[score.set] = psnr + score.psnr_y, ssim + score.ssim_y, count + 1
        return {name: (psnr / count, ssim / count) for name, (psnr, ssim, count) in sums.items()}

    assert_right(evaluation.mean_scores, running_sums)


def in_decibels_of_the_mean_error(psnr, ssim):
    return 10 * np.log10(255**2 / np.mean(255**2 / 10 ** (psnr / 10))), ssim.mean()


def one_mean(scores):
    means = [statistics.fmean(getattr(s, of) for s in scores) for of in ("psnr_y", "ssim_y")]
    return {score.set: means for score in scores}


def over_all(scores):
    return by_sets(lambda psnr, ssim: (psnr.sum() / len(scores), ssim.sum() / len(scores)))(scores)


def groups_as_they_come(scores):
    return {
        name: np.mean([(s.psnr_y, s.ssim_y) for s in group], axis=0)
        for name, group in itertools.groupby(scores, key=lambda score: score.set)
    }


def first_of_each(scores):
    row = {}
    for score in scores:
        row.setdefault(score.set, (score.psnr_y, score.ssim_y))
    return row


def sorts_them(scores):
    scores.sort(key=lambda score: score.set)
    return benchmark.mean_scores(scores)


def in_order_of_names(scores):
    return groups_as_they_come(sorted(scores, key=lambda score: score.set))


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (by_sets(in_decibels_of_the_mean_error), "the PSNR of the mean error"),
        (one_mean, "the mean over all images"),
        (over_all, "by the number of all images"),
        (by_sets(lambda psnr, ssim: (psnr.sum(), ssim.sum())), "these are sums"),
        (by_sets(lambda psnr, ssim: (np.median(psnr), np.median(ssim))), "these are medians"),
        (by_sets(lambda psnr, ssim: (psnr.max(), ssim.max())), "the best images of the sets"),
        (by_sets(lambda psnr, ssim: (psnr[-1], ssim[-1])), "only the last image"),
        (first_of_each, "only the first image"),
        (groups_as_they_come, "a set that appears again replaces its earlier images"),
        (by_sets(lambda psnr, ssim: (ssim.mean(), psnr.mean())), "SSIM is first"),
        (in_order_of_names, "the sets are sorted"),
        (by_sets(lambda p, s: (float(f"{p.mean():.2f}"), float(f"{s.mean():.4f}"))), "rounded"),
        (lambda scores: [(s.psnr_y, s.ssim_y) for s in scores], "returns a list: return a dict"),
        (by_sets(lambda psnr, ssim: psnr.mean()), "must be two numbers"),
        (lambda scores: {"all": benchmark.mean_scores(scores)["H"]}, "the keys are all, expected"),
        (lambda scores: dict(list(benchmark.mean_scores(scores).items())[1:]), "expected the sets"),
        (sorts_them, "the list of scores is changed"),
    ],
)
def test_each_mistake_in_a_row_is_named(mistaken, says):
    assert_rejected(evaluation.mean_scores, mistaken, says)


def test_an_unknown_mistake_gets_a_short_message():
    def too_much(scores):
        return {name: (p + 1, s) for name, (p, s) in benchmark.mean_scores(scores).items()}

    assert re.match(r"for \d+ scores at index", message_on(evaluation.mean_scores, too_much))
    assert_rejected(evaluation.outputs_of, lambda name, outputs, scale: [], "outputs, 2")


# Pairing


def matching(pattern):
    """Outputs whose whole name fits a pattern, in which NAME and SCALE stand for themselves."""

    def outputs_of(name, outputs, scale):
        filled = pattern.replace("NAME", re.escape(name)).replace("SCALE", str(scale))
        return [output for output in outputs if re.fullmatch(filled, output)]

    return outputs_of


def unescaped(name, outputs, scale):
    return [output for output in outputs if re.match(f"{name}(x{scale})?(_|$)", output)]


def blind_to_case(name, outputs, scale):
    pattern = re.compile(f"{re.escape(name)}(x{scale})?(_.*)?", re.IGNORECASE)
    return [output for output in outputs if pattern.fullmatch(output)]


def test_pairing_may_be_written_in_other_ways():
    assert_right(evaluation.outputs_of, matching("NAME(xSCALE)?(_.*)?"))

    def by_removing(name, outputs, scale):
        rests = ((out, out.removeprefix(name).removeprefix(f"x{scale}")) for out in outputs)
        return [out for out, rest in rests if out.startswith(name) and (not rest or rest[0] == "_")]

    assert_right(evaluation.outputs_of, by_removing)
    in_another_order = (
        lambda *given: by_removing(*given)[::-1],
        lambda *given: set(by_removing(*given)),
        lambda name, outputs, scale: by_removing(name, sorted(outputs), scale),
    )
    for right in in_another_order:
        assert_right(evaluation.outputs_of, right)


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (matching("NAME.*"), "everything that starts with the name"),
        (unescaped, "use re.escape(name)"),
        (blind_to_case, "capital letters"),
        (lambda name, outputs, scale: "boat", "it returns a str"),
        (lambda name, outputs, scale: [f"{name}x{scale}", f"{name}.png"], "none of the outputs"),
        (matching(".*NAME.*"), "everything that contains the name"),
        (
            matching("NAME(_.*)?|NAMExSCALE.*"),
            "the check for an underscore after the scale is missing",
        ),
        (matching("NAME"), "you find only NAME itself"),
        (matching("NAMExSCALE"), "you find only NAMExSCALE"),
        (matching("NAME(xSCALE)?"), "you miss outputs with a suffix, such as boat_mine"),
        (matching("NAMExSCALE(_.*)?"), "you miss outputs without the scale in their name"),
        (matching("NAME(_.*)?"), "you miss outputs with the scale in their name"),
        (matching("NAME(xSCALE|_.*)?"), "both the scale and a suffix"),
        (matching("NAME(x[234])?(_.*)?"), "only one of them has this scale"),
        (
            lambda name, outs, scale: [
                o for o in outs if o[: (o + "_").index("_")] in {name, f"{name}x{scale}"}
            ],
            "cut at the first underscore",
        ),
        (
            lambda name, outs, scale: [
                o for o in outs if re.sub("_[^_]*$", "", o) in {name, f"{name}x{scale}"}
            ],
            "cut at the last underscore, so img_1 becomes img",
        ),
        (matching("(NAME|NAMExSCALE)_[^_]*"), "a name may have no suffix"),
        (lambda name, outputs, scale: True, "return a list of names"),
    ],
)
def test_each_mistake_in_pairing_is_named(mistaken, says):
    assert_rejected(evaluation.outputs_of, mistaken, says)


# Self-ensemble

MIRRORS = ((), (2,), (3,), (2, 3))


def views_by_transposing(model, image):
    """The eight answers, from mirrors and the transpose in place of turns."""
    straight = [model(image.flip(axes)).flip(axes) for axes in MIRRORS]
    transposed = [model(image.flip(axes).mT).mT.flip(axes) for axes in MIRRORS]
    return torch.stack(straight + transposed)


def of_views(reduce):
    return lambda model, image: reduce(views_by_transposing(model, image))


def of_turns(undo):
    """A mean over turns, and turns mirrored, of what ``undo`` makes of (answer, turns, mirror)."""

    def ensemble(model, image):
        total = 0
        for turns in range(4):
            view = torch.rot90(image, turns, dims=(-2, -1))
            total = total + undo(model(view), turns, False)
            total = total + undo(model(view.flip(-1)), turns, True)
        return total / 8

    return ensemble


def turned(answer, turns):
    return torch.rot90(answer, turns, dims=(-2, -1))


def unmirrored_last(answer, turns, mirror):
    answer = turned(answer, -turns)
    return answer.flip(-1) if mirror else answer


def both_mirrors(answer, turns, mirror):
    return turned(answer.flip(-2) if mirror else answer, -turns)


def of_some(views):
    """The mean over some orientations: pairs of quarter turns and whether it is mirrored."""

    def mistaken(model, image):
        answers = []
        for turns, mirror in views:
            view = turned(image, turns)
            answer = model(view.flip(-1)).flip(-1) if mirror else model(view)
            answers.append(turned(answer, -turns))
        return sum(answers) / len(answers)

    return mistaken


def last_view(model, image):
    for turns in range(4):
        for mirror in (False, True):
            view = turned(image, turns)
            answer = model(view.flip(-1)).flip(-1) if mirror else model(view)
            result = turned(answer, -turns)
    return result


def test_self_ensemble_may_be_written_in_other_ways():
    assert_right(evaluation.self_ensemble, of_views(lambda views: views.mean(0)))
    undone = of_turns(lambda a, turns, mirror: turned(a.flip(-1) if mirror else a, 4 - turns))
    assert_right(evaluation.self_ensemble, undone)


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (of_views(lambda views: views[0]), "this is one answer"),
        (
            lambda model, image: (
                sum(turned(model(turned(image, turns)), -turns) for turns in range(4)) / 4
            ),
            "the mirrored ones are missing",
        ),
        (of_views(lambda views: views[:4].mean(0)), "the quarter turns are missing"),
        (
            of_turns(lambda a, turns, mirror: turned(a.flip(-1) if mirror else a, turns)),
            "further instead of back",
        ),
        (of_turns(lambda a, turns, mirror: turned(a, -turns)), "are not mirrored back"),
        (of_turns(unmirrored_last), "undo in reverse order"),
        (of_views(lambda views: views.sum(0)), "this is the sum"),
        (of_views(lambda views: views.sum(0) / 4), "the sum of eight answers by 4"),
        (of_views(lambda views: torch.from_numpy(np.median(views, axis=0))), "the median"),
        (of_views(lambda views: views.sort(0).values[3]), "the lower median"),
        (of_views(lambda views: views[1:].mean(0)), "the unchanged image is missing"),
        (of_turns(both_mirrors), "undo flip(3)"),
        (of_some([(0, 0), (1, 0)]), "only the image and its quarter turn"),
        (of_some([(0, 0), (2, 0)]), "only the image and its half turn"),
        (of_some([(0, 0), (0, 1)]), "only the image and its mirror image"),
        (of_some([(0, 0), (0, 1), (1, 0), (1, 1)]), "only the first two of the four turns"),
        (of_some([(turns, 1) for turns in range(4)]), "only the mirrored answers"),
        (last_view, "only the last orientation"),
        (of_views(lambda views: views.clip(0, 1).mean(0)), "you clamp each answer"),
        (of_views(lambda views: views.mean(0).clip(0, 1)), "you clamp the mean"),
    ],
)
def test_each_mistake_in_self_ensemble_is_named(mistaken, says):
    assert_rejected(evaluation.self_ensemble, mistaken, says)


# Blend


def column_by_column(share, mix=lambda s, a, b: a + s * (b - a)):
    """A blend in a loop over the columns of the result; ``share`` of the right tile's (j, o)."""

    def blend(left, right, overlap):
        start = left.shape[-1] - overlap
        columns = list(left.unbind(-1)[:start])
        for j in range(overlap):
            columns.append(mix(share(j, overlap), left[..., start + j], right[..., j]))
        return torch.stack([*columns, *right.unbind(-1)[overlap:]], dim=-1)

    return blend


def middles(j, overlap):
    return (2 * j + 1) / (2 * overlap)


def from_the_wrong_end(of_left, of_right):
    def blend(left, right, overlap):
        start = left.shape[-1] - overlap
        shares = torch.tensor([middles(j, overlap) for j in range(overlap)])
        a = left[..., :overlap] if of_left else left[..., start:]
        b = right[..., right.shape[-1] - overlap :] if of_right else right[..., :overlap]
        own_left = left[..., overlap:] if of_left else left[..., :start]
        own_right = right[..., : right.shape[-1] - overlap] if of_right else right[..., overlap:]
        return torch.cat([own_left, torch.lerp(a, b, shares.to(a.dtype)), own_right], dim=-1)

    return blend


def empty_at_0(left, right, overlap):
    shares = torch.tensor([middles(j, overlap) for j in range(overlap)]).to(left.dtype)
    middle = torch.lerp(left[..., left.shape[-1] - overlap :], right[..., :overlap], shares)
    return torch.cat([left[..., :-overlap], middle, right[..., overlap:]], dim=-1)


def everything_at_0(left, right, overlap):
    shares = (torch.arange(overlap) + 0.5) / overlap
    middle = left[..., -overlap:] * (1 - shares) + right[..., :overlap] * shares
    return torch.cat([left[..., :-overlap], middle, right[..., overlap:]], dim=-1)


def test_blend_may_be_written_in_other_ways():
    assert_right(evaluation.blend, column_by_column(middles))
    assert_right(evaluation.blend, from_the_wrong_end(False, False))

    def weighted(left, right, overlap):
        a, b = left.shape[-1], right.shape[-1]
        total = left.new_zeros(*left.shape[:-1], a + b - overlap)
        shares = (torch.arange(overlap) + 0.5) / max(overlap, 1)
        total[..., :a] += left * torch.cat([torch.ones(a - overlap), shares.flip(0)])
        total[..., a - overlap :] += right * torch.cat([shares, torch.ones(b - overlap)])
        return total

    assert_right(evaluation.blend, weighted)


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (lambda left, right, overlap: torch.cat([left, right], -1), "appear twice"),
        (column_by_column(lambda j, o: 0), "from the left tile alone"),
        (column_by_column(lambda j, o: 1), "from the right tile alone"),
        (column_by_column(lambda j, o: 0.5), "both shares are ½"),
        (column_by_column(lambda j, o: middles(o - 1 - j, o)), "the shares are swapped"),
        (column_by_column(lambda j, o: j / (o - 1)), "the share runs from 0 to 1"),
        (column_by_column(lambda j, o: j / o), "half a column too little"),
        (column_by_column(lambda j, o: (j + 1) / o), "half a column too much"),
        (column_by_column(lambda j, o: (j + 1) / (o + 1)), "(j + 1) / (overlap + 1)"),
        (column_by_column(middles, lambda s, a, b: a + b), "you add the shared columns"),
        (
            column_by_column(lambda j, o: np.sin(np.pi / 2 * middles(j, o)) ** 2),
            "smoothed with a cosine",
        ),
        (from_the_wrong_end(False, True), "the right tile's last columns"),
        (from_the_wrong_end(True, False), "the left tile's first columns"),
        (empty_at_0, "right except for an overlap of 0"),
        (everything_at_0, "left[..., -0:] is the whole tile"),
    ],
)
def test_each_mistake_in_blend_is_named(mistaken, says):
    assert_rejected(evaluation.blend, mistaken, says)


def test_a_blend_into_its_own_input_is_told():
    def into_the_left(left, right, overlap):
        start = left.shape[-1] - overlap
        share = (torch.arange(overlap) + 0.5) / overlap
        left[..., start:] = (1 - share) * left[..., start:] + share * right[..., :overlap]
        return torch.cat([left, right[..., overlap:]], dim=-1)

    assert_rejected(evaluation.blend, into_the_left, "writes into its input")


def test_two_blended_tiles_are_what_the_package_makes_of_them():
    model = GLANet(ModelConfig(channels=8, blocks=1, layers=1, heads=2)).eval()
    image = np.random.default_rng(0).integers(0, 256, (24, 112, 3), dtype=np.uint8)
    whole = torch.from_numpy(image / np.float32(255)).permute(2, 0, 1)[None]
    with torch.no_grad():
        tiles = [model(whole[..., :72]), model(whole[..., 40:])]
    edge = 2 * MARGIN  # HR columns of each tile's edge that count for nothing
    kept = tiles[0][..., :-edge], tiles[1][..., edge:]
    blended = evaluation.blend_tiles(*kept, overlap=64 - 2 * edge)[0].clamp(0, 1) * 255
    made = upscale(model, image, tile=72).astype(float)
    # vertically, the package's one row of tiles weighs itself: the weights cancel
    assert np.abs(blended.permute(1, 2, 0).numpy() - made).max() <= 0.51


# Figures

ROWS = [
    ("bicubic", True, {"Set5": (33.0, 0.93), "Set14": (30.0, 0.87)}),
    ("tiny", True, {"Set5": (36.5, 0.95)}),
    ("EDSR", False, {"Set5": (38.0, 0.96), "Set14": (33.5, 0.92)}),
]


def test_ladder_marks_measured_here_are_filled():
    panels = ladder(ROWS, base=ROWS[0][2]).axes
    assert [axes.get_title() for axes in panels] == ["Set5", "Set14"]
    marks = [[(*line.get_xydata()[0], line.get_mfc()) for line in a.lines] for a in panels]
    assert marks[0] == [(0, 0, OURS), (3.5, 1, OURS), (5, 2, "white")]
    assert marks[1] == [(0, 0, OURS), (3.5, 2, "white")]
    labels = {label.get_text(): label.get_fontweight() for label in panels[0].get_yticklabels()}
    assert labels == {"bicubic": "bold", "tiny": "bold", "EDSR": "normal"}
    assert panels[0].get_xlim() == panels[1].get_xlim()


def test_gain_bars_are_ranked_and_losses_have_another_colour():
    (axes,) = gain_bars({"a": 0.5, "b": -0.25, "c": 2.0}, rival="bicubic").axes
    assert [bar.get_width() for bar in axes.patches] == [2.0, 0.5, -0.25]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["c", "a", "b"]
    assert axes.yaxis_inverted()
    colours = [to_hex(bar.get_facecolor()).upper() for bar in axes.patches]
    assert colours[0] == colours[1] == OURS != colours[2]
    assert axes.get_legend().get_texts()[0].get_text() == "mean of 3: 0.75 dB"
    assert axes.get_xlabel() == "dB over bicubic"


def test_gain_bars_of_many_images_show_both_ends():
    (axes,) = gain_bars({f"{n}": float(n) for n in range(50)}, rival="SwinIR").axes
    assert [bar.get_width() for bar in axes.patches] == [*range(49, 37, -1), *range(11, -1, -1)]
    assert axes.get_legend().get_texts()[0].get_text() == "mean of 50: 24.50 dB"


@pytest.fixture(scope="module")
def photo():
    """A photograph and two methods: the first errs by 8 levels, the second by 8, 1 or 16."""
    hr = data.coffee()[100:164, 200:296] // 2 + 40
    even, uneven = hr + np.uint8(8), hr + np.uint8(8)
    uneven[16:32, 48:64] = hr[16:32, 48:64] + 1
    uneven[48:64, 32:48] = hr[48:64, 32:48] + 16
    return hr, {"even": even, "uneven": uneven}


def test_the_squares_with_the_largest_and_the_smallest_gain_are_found(photo):
    hr, images = photo
    best, worst = extreme_squares(hr, images["uneven"], images["even"], side=16)
    assert (best, worst) == ((16, 48), (48, 32))


def test_crops_are_those_of_the_squares_with_their_own_psnr(photo):
    hr, images = photo
    figure = compared(hr, images, [(16, 48), (40, 8)], side=16)
    whole, *panels = [axes for part in figure.subfigs for axes in part.axes]
    corners = [square.get_xy() for square in whole.patches[1::2]]
    assert corners == [(48, 16), (8, 40)]
    assert [text.get_text() for text in whole.texts] == ["A", "B"]
    shown = [np.asarray(axes.images[0].get_array()) for axes in panels]
    squares = [np.s_[16:32, 48:64], np.s_[40:56, 8:24]]
    for square, *crops in zip(squares, shown[0::3], shown[1::3], shown[2::3], strict=True):
        for crop, image in zip(crops, (hr, *images.values()), strict=True):
            assert np.array_equal(crop, image[square])
    title = f"uneven\n{psnr_y(images['uneven'][squares[0]], hr[squares[0]], 0):.2f} dB"
    assert panels[2].get_title() == title
    figure.canvas.draw()


def test_crops_of_many_methods_go_on_in_the_next_line(photo):
    hr, images = photo
    many = {f"{n}": images["even"] for n in range(5)}
    figure = compared(hr, many, [(0, 0), (8, 8)], side=16)
    panels = figure.subfigs[1].axes
    assert [len(axes.images) for axes in panels] == [1] * 6 + [0] * 2 + [1] * 6 + [0] * 2
    assert panels[8].get_title() == "B: HR\n"


def test_seams_are_drawn_on_one_scale_in_grey_levels():
    maps = {"none": np.zeros((20, 30)), "some": np.linspace(0, 7, 600).reshape(20, 30)}
    first, second, bar = seams(maps).axes
    for axes, (title, difference) in zip((first, second), maps.items(), strict=True):
        (shown,) = axes.images
        assert (axes.get_title(), shown.get_clim()) == (title, (0, 7))
        assert np.array_equal(shown.get_array(), difference)
    assert bar.get_ylabel() == "difference (grey levels)"


def difference(mean, outcome):
    """A `Difference` of that outcome; what one seed does not show is nan."""
    photographs = Interval(mean, mean - 0.05, mean + 0.05)
    if outcome == "too few runs":
        return Difference(Interval(mean, np.nan, np.nan), photographs, np.nan, np.nan, seeds=1)
    p = 0.01 if outcome == "lower" else 0.5
    return Difference(Interval(mean, mean - 0.2, mean + 0.2), photographs, p, 0.1, seeds=4)


def test_differences_are_drawn_with_both_intervals_and_filled_where_decided():
    found = {
        "without attention": {"Set5": difference(-0.3, "lower")},
        "SwinIR": {"Set5": difference(0.1, "not told apart")},
        "without Inception": {"Set5": difference(0.0, "too few runs")},
    }
    figure = differences(found, "GLA-Net")
    (axes,) = figure.axes
    assert figure.get_suptitle() == "PSNR less that of GLA-Net"
    assert [label.get_text() for label in axes.get_yticklabels()] == [*found]
    drawn = [line for line in axes.lines if line.get_marker() == "o"]
    assert [line.get_xdata()[0] for line in drawn] == [-0.3, 0.1, 0.0]
    assert [line.get_markerfacecolor() == "white" for line in drawn] == [False, True, True]
    spans = [[*line.get_xdata()] for line in axes.lines if line.get_color() == "black"][:3]
    assert spans[0] == pytest.approx([-0.5, -0.1])
    assert spans[1] == pytest.approx([-0.1, 0.3])
    assert np.isnan(spans[2]).all()
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["over photographs", "over seeds and photographs"]


# Widget


def data_of(page):
    return json.loads(re.search(r"images\} = (\{.*\});", page)[1])


def test_page_holds_what_gives_the_psnr_of_any_square(photo):
    hr, images = photo
    page = data_of(crops_page(hr, images, side=16))
    assert (page["height"], page["width"], page["side"]) == (64, 96, 16)
    assert page["start"] == [16, 48]  # where the last method gains most over the first
    assert [image["name"] for image in page["images"]] == ["HR", *images]
    assert page["images"][0]["errors"] == ""
    for image, expected in zip(page["images"], (hr, *images.values()), strict=True):
        png = base64.b64decode(image["png"].removeprefix("data:image/png;base64,"))
        assert np.array_equal(np.asarray(Image.open(BytesIO(png))), expected)
    for image, method in zip(page["images"][1:], images.values(), strict=True):
        errors = np.frombuffer(base64.b64decode(image["errors"]), "<f4").reshape(64, 96)
        for square in (np.s_[10:26, 40:56], np.s_[48:64, 32:48]):
            psnr = 10 * np.log10(255**2 / errors[square].mean())
            assert psnr == pytest.approx(psnr_y(method[square], hr[square], 0), abs=1e-4)


def test_the_page_holds_its_script_and_needs_no_other_file(photo):
    page = crops_page(*photo, side=16)
    assert page.count("<script>") == 1
    assert "whole.onpointerdown" in page
    assert page.count('"images": ') == 1
    assert "PAGE_" not in page


def test_two_pages_in_a_notebook_do_not_share_a_name(photo):
    keys = [re.search('id="([^"]+)"', crops_page(*photo, side=16))[1] for _ in range(2)]
    assert keys[0] != keys[1]


def test_the_widget_makes_a_page_of_every_photograph_and_size(photo):
    hr, images = photo
    turned_images = {name: image.swapaxes(0, 1) for name, image in images.items()}
    shown = explore_crops({"a": photo, "b": (hr.swapaxes(0, 1), turned_images)}, side=16)
    menu, slider = shown.children[:2]
    assert isinstance(menu, Dropdown)
    assert (slider.min, slider.max) == (16, 64)
    for name, width in (("a", 96), ("b", 64)):
        for side in (slider.min, slider.max):
            menu.value, slider.value = name, side
            page = data_of(shown.f(**shown.kwargs).data)
            assert (page["width"], page["side"]) == (width, side)


# What Table 1 leaves out


def prose():
    """The notebook's text, on one line."""
    text = (NOTEBOOKS / "source" / "13_evaluation.py").read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", text.replace("\n#", "\n"))


def test_the_rows_above_the_papers_are_those_that_the_notebook_names():
    above = {}
    for scale in (2, 4):
        rows = {method: scores for method, _, scores in published(scale)}
        ours = rows["GLA-Net"]
        for method, name in itertools.product(rows, SETS):
            if name in rows[method] and rows[method][name][0] > ours[name][0]:
                above[scale, name, method] = f"{rows[method][name][0]:.2f}", f"{ours[name][0]:.2f}"
    assert above == {
        (2, "Urban100", "PFT-light"): ("33.67", "33.62"),
        (4, "Urban100", "CSNLN"): ("27.22", "27.13"),
        (4, "Urban100", "PFT-light"): ("27.20", "27.13"),
    }
    for sentence in (
        "At ×4 on Urban100, CSNLN has 27.22 dB and GLA-Net 27.13 dB.",
        "PFT-light is above GLA-Net on Urban100: 33.67 dB against 33.62 dB at ×2, and 27.20 dB "
        "against 27.13 dB at ×4.",
        "In PSNR, no other published row is above GLA-Net on any set.",
    ):
        assert sentence in prose()


def test_the_light_networks_that_the_notebook_names_are_the_rows_after_the_papers():
    names = [method for method, _, _ in published(2)]
    *first, last = names[names.index("GLA-Net") + 1 :]
    assert f"light networks of 2024 and 2025: {', '.join(first)} and {last}." in prose()
    assert round(count_parameters(ModelConfig.preset("paper", 2)) / 1e6) == 18
    assert "while GLA-Net has 18 million" in prose()


def test_all_who_knew_woman_are_named():
    knew = {method for scale in (2, 4) for method, images, _ in published(scale) if images == "291"}
    sentence = re.search(r"knew one of Set5's five images: (.*?)\.", prose())[1]
    named, _, ours = sentence.partition(", and ")
    assert set(re.split(", | and ", named)) == knew
    assert ours == "every network that comes with the package"
    shipped = find_weights(runs="none", released="none")
    assert all("BSDS200" in card(found)["trained on"] for found in shipped)


def stored_rows():
    """The rows in bold of the tables that the notebook stores: {method: its other cells}."""
    text = (NOTEBOOKS / "13_evaluation.ipynb").read_text(encoding="utf-8")
    rows = re.findall(r"\| (\*\*[^|]+\*\*) \| (\*\*.+?\*\*) \|(?!\s*\*\*)", text)
    return {name.strip("*"): [c.strip("*") for c in cells.split(" | ")] for name, cells in rows}


def test_the_stored_table_says_what_each_network_learned_from_and_was_watched_on():
    rows = stored_rows()
    for found in find_weights(runs="none", released="none"):
        if found.name.startswith(f"{found.config.network}-") or found.name.endswith("-photo"):
            continue  # small rivals, which notebook 15 compares; weights for photographs
        images, set5, set14 = rows[found.name]
        assert images == card(found)["trained on"].partition(" (")[0]
        assert set5.endswith(" †")  # whose score the training watched
        assert re.fullmatch(r"\d\d\.\d\d / 0\.\d{4}", set14)
    assert set(rows) > {"bicubic"}


def test_the_gains_that_stand_in_the_prose_are_the_published_ones():
    rows = {method: scores["Set5"][0] for method, _, scores in published(2)}
    assert f"over bicubic's {rows['bicubic']:.2f} dB" in prose()
    for method in ("SRCNN", "VDSR", "EDSR", "GLA-Net"):
        gain = f"{rows[method] - rows['bicubic']:.2f} dB"
        assert re.search(f"{method}( gained)? {gain}", prose()), method
