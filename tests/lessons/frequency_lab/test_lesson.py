from contextlib import contextmanager
from io import BytesIO

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from einops import reduce
from PIL import Image

from glanet.analysis.claims import BANDS as THIRDS
from glanet.analysis.claims import Division, leaning
from glanet.analysis.coherence import Coherence, coherent
from glanet.analysis.depth import Trajectory
from glanet.analysis.errors import error_spectrum
from glanet.analysis.filters import Response
from glanet.analysis.footprint import Footprint, fold
from glanet.analysis.probes import record
from glanet.analysis.receptive import Attribution, ReceptiveField
from glanet.analysis.spectrum import BANDS, FREQUENCY, Spectrum, SumSpectrum
from glanet.analysis.statistics import prediction
from glanet.course.kit.paths import NOTEBOOKS
from glanet.course.lessons.frequency_lab import exercises, figures
from glanet.course.lessons.frequency_lab.widgets import explore_surgery
from glanet.evaluation.metrics import rgb_to_y
from tests.lessons.verdicts import assert_not_done, assert_rejected, assert_right

# Rings


def rings_by_loops(
    power, radius=lambda v, u: (v * v + u * u) ** 0.5, signed=True, bands=16, top=0.5, start=0
):
    """One frequency after the other into the list of its ring."""
    height, width = power.shape
    inside = [[] for _ in range(bands)]
    for i, j in np.ndindex(height, width):
        v, u = i / height, j / width
        if signed:
            v, u = (f - 1 if f >= 0.5 else f for f in (v, u))
        number = int(radius(v, u) / top * bands) - start
        if 0 <= number < bands:
            inside[number].append(power[i, j].item())
    return inside


def means(**options):
    return lambda power: torch.tensor(
        [float(np.mean(ring)) for ring in rings_by_loops(power, **options)], dtype=torch.float64
    )


def rings_by_histogram(power):
    v, u = (np.fft.fftfreq(side) for side in power.shape)
    radius = np.hypot(v[:, None], u)
    edges = np.linspace(0, 0.5, 17)
    total, _ = np.histogram(radius, edges, weights=power.numpy())
    count, _ = np.histogram(radius, edges)
    return total / count


@pytest.mark.parametrize("right", [means(), rings_by_histogram])
def test_rings_in_other_words_are_right(right):
    assert_right(exercises.by_ring, right)


def beyond_the_last(power):
    inside = rings_by_loops(power, bands=32, top=1.0)
    inside = [*inside[:15], [value for ring in inside[15:] for value in ring]]
    return torch.tensor([float(np.mean(ring)) for ring in inside])


def zero_in_the_middle(power):
    return means()(torch.fft.ifftshift(power))


def from_the_middle(power):
    rows, columns = (np.linspace(-0.5, 0.5, size) for size in power.shape)
    radius = np.hypot(rows[:, None], columns) + 1e-10  # a radius on a border is in the outer ring
    rings = [
        power[torch.from_numpy((radius >= n / 32) & (radius < (n + 1) / 32))] for n in range(16)
    ]
    return torch.stack([ring.mean() for ring in rings])


def in_rounds_of_the_map(power):
    height, width = power.shape
    scale = 1 / max(height, width)
    return means(radius=lambda v, u: ((v * height) ** 2 + (u * width) ** 2) ** 0.5 * scale)(power)


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (lambda p: torch.tensor([sum(ring) for ring in rings_by_loops(p)]), "that is the sum"),
        (means(signed=False), "the second half is negative"),
        (zero_in_the_middle, "in FFT order it is in the corner"),
        (means(radius=lambda v, u: max(abs(v), abs(u))), "the rings are square"),
        (means(radius=lambda v, u: abs(v) + abs(u)), "frequencies are added"),
        (means(radius=lambda v, u: abs(v)), "only the frequencies of rows"),
        (means(radius=lambda v, u: abs(u)), "only the frequencies of columns"),
        (in_rounds_of_the_map, "cycles per map"),
        (means(top=0.5 * 2**0.5), "reach to 0.707"),
        (beyond_the_last, "beyond 0.5 are in the last ring"),
        (means(start=1), "the first ring is missing"),
        (lambda p: means()(torch.fft.fftshift(p)), "in FFT order both have"),
        (from_the_middle, "the frequencies run from -0.5 to 0.5"),
        (means(radius=lambda v, u: (v * v + u * u) ** 0.5 + 1 / 64), "half a ring too low"),
    ],
)
def test_each_mistake_with_rings_is_named(mistaken, says):
    assert_rejected(exercises.by_ring, mistaken, says)


# Probes


class Recorder:
    """`record` as a class, which may forget things."""

    def __init__(self, modules, keep=lambda x, y: (x, y), close=True, careful=True, count=None):
        self.modules, self.keep = modules, keep
        self.close, self.careful, self.count = close, careful, count

    def __enter__(self):
        self.heard, self.handles = {}, []
        for name, module in self.modules.items():

            def hook(module, inputs, output, name=name):
                self.heard[name] = self.keep(inputs[0], output)

            self.handles.append(module.register_forward_hook(hook))
        return self.heard

    def __exit__(self, kind, *rest):
        if self.close and (self.careful or kind is None):
            for handle in self.handles[: self.count]:
                handle.remove()


def test_a_recorder_in_other_words_is_right():
    assert_right(exercises.record, Recorder)


@contextmanager
def one_name(modules):
    heard = {}
    handles = []
    for name in modules:
        handles.append(
            modules[name].register_forward_hook(
                lambda module, inputs, output: heard.update({name: (inputs[0], output)})  # noqa: B023
            )
        )
    yield from _until_removed(heard, handles)


def _until_removed(heard, handles):
    try:
        yield heard
    finally:
        for handle in handles:
            handle.remove()


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (lambda modules: Recorder(modules, close=False), "still there at the end"),
        (lambda modules: Recorder(modules, careful=False), "after an exception"),
        (lambda modules: Recorder(modules, count=1), "only one hook is removed"),
        (one_name, "under the last name"),
        (lambda modules: Recorder(modules, keep=lambda x, y: (y, x)), "are swapped"),
        (lambda modules: Recorder(modules, keep=lambda x, y: [y]), "only the output"),
        (lambda modules: Recorder(modules, keep=lambda x, y: [x]), "only the input"),
        (lambda modules: Recorder(modules, keep=lambda x, y: [y, y]), "recorded twice"),
    ],
)
def test_each_mistake_with_probes_is_named(mistaken, says):
    assert_rejected(exercises.record, mistaken, says)


class Swallows(Recorder):
    def __exit__(self, *error):
        super().__exit__(*error)
        return True


class Clears(Recorder):
    def __exit__(self, *error):
        for module in self.modules.values():
            module._forward_hooks.clear()


class TakesTuples(Recorder):
    def __enter__(self):
        heard = super().__enter__()
        for name, module in self.modules.items():
            self.handles.append(
                module.register_forward_hook(
                    lambda module, inputs, output, name=name: heard.update({name: (inputs, output)})
                )
            )
        return heard


@contextmanager
def keyed_by_module(modules):
    with Recorder({module: module for module in modules.values()}) as heard:
        yield heard


@contextmanager
def listed(modules):
    with Recorder(modules):
        yield []


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (Swallows, "an exception in the block is swallowed"),
        (Clears, "on your own handles only"),
        (TakesTuples, "so record inputs[0]"),
        (keyed_by_module, "the keys are not the names"),
        (listed, "it yields a list"),
        (lambda modules: Recorder(modules, keep=lambda x, y: y), "a Tensor is recorded"),
    ],
)
def test_probes_that_leave_a_trace_or_note_something_else_are_told(mistaken, says):
    assert_rejected(exercises.record, mistaken, says)


@contextmanager
def without_yield(modules): ...


@contextmanager
def yields_nothing(modules):
    yield


@pytest.mark.parametrize("stub", [without_yield, yields_nothing, lambda modules: None])
def test_a_recorder_that_yields_nothing_is_not_done_yet(stub):
    assert_not_done(exercises.record, stub)


# Coherent gain


def by_parts(y, z, mean):
    """Real and imaginary parts written out."""
    real = mean(y.real * z.real + y.imag * z.imag)
    imaginary = mean(y.imag * z.real - y.real * z.imag)
    of_y, of_z = mean(y.real**2 + y.imag**2), mean(z.real**2 + z.imag**2)
    return torch.complex(real / of_z, imaginary / of_z), (real**2 + imaginary**2) / of_y / of_z


def complex_share(y, z, mean):
    cross = mean(y * z.conj())
    return cross / mean(z * z.conj()), cross * cross.conj() / mean(y * y.conj()) / mean(
        z.abs() ** 2
    )


def test_coherent_gain_in_other_words_is_right():
    assert_right(exercises.coherent, by_parts)


def test_a_complex_coherence_is_told_to_be_real():
    assert_rejected(exercises.coherent, complex_share, "return its real part")


def test_plain_numbers_stand_before_the_step_to_coherence():
    text = (NOTEBOOKS / "source" / "10_frequency_lab.py").read_text(encoding="utf-8")
    before = text.split("## 4 ·")[1].split("**Exercise 3")[0]
    assert before.index("factor = (y * z).mean()") < before.index("products = y * z.conj()")


def test_a_gain_in_numpy_is_told_to_be_a_tensor():
    def in_numpy(y, z, mean):
        return tuple(part.numpy() for part in by_parts(y, z, mean))

    assert_rejected(exercises.coherent, in_numpy, "must be torch tensors")


def changed(gain=lambda g, s, y, z: g, share=lambda g, s, y, z: s):
    """Right but for what is done to gain or share, given both and the two powers."""

    def mistaken(y, z, mean):
        g, s = by_parts(y, z, mean)
        powers = mean(y.abs() ** 2), mean(z.abs() ** 2)
        return gain(g, s, *powers), share(g, s, *powers)

    return mistaken


def magnitude_first(y, z, mean):
    size = mean(y.abs() * z.abs())
    return size / mean(z.abs() ** 2), size**2 / mean(y.abs() ** 2) / mean(z.abs() ** 2)


def unsquared(y, z, mean):
    cross, of_y, of_z = mean(y * z.conj()), mean(y.abs()), mean(z.abs())
    return cross / of_z, cross.abs() ** 2 / of_y / of_z


def ratio_first(y, z, mean):
    return mean(y * z.conj() / z.abs() ** 2), by_parts(y, z, mean)[1]


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (changed(gain=lambda g, s, y, z: g.conj()), "Y is conjugated"),
        (lambda y, z, mean: by_parts(y, z.conj(), mean), "nothing is conjugated"),
        (magnitude_first, "before the mean"),
        (changed(gain=lambda g, s, y, z: g * z / y), "divided by E|Y|²"),
        (changed(gain=lambda g, s, y, z: (y / z) ** 0.5), "the ratio of amplitudes"),
        (changed(gain=lambda g, s, y, z: g.abs()), "lost its phase"),
        (changed(share=lambda g, s, y, z: g.abs() / y), "numerator of γ² is not squared"),
        (changed(share=lambda g, s, y, z: s**0.5), "the coherence is γ: return γ²"),
        (changed(share=lambda g, s, y, z: s * y), "by the product of both"),
        (lambda y, z, mean: tuple(reversed(by_parts(y, z, mean))), "the two results are swapped"),
        (ratio_first, "the mean of the ratio"),
        (changed(share=lambda g, s, y, z: torch.ones_like(s)), "always 1"),
        (lambda y, z, mean: by_parts(y, z, lambda v: v.mean(0)), "`mean` is not used"),
        (unsquared, "the amplitudes are not squared"),
        (changed(share=lambda g, s, y, z: s * z), "by E|Y|² alone"),
        (lambda y, z, mean: by_parts(y, z, mean)[0], "return the pair"),
    ],
)
def test_each_mistake_with_coherent_gain_is_named(mistaken, says):
    assert_rejected(exercises.coherent, mistaken, says)


# Folding


def fold_by_slices(values, window):
    count = [side // window for side in values.shape[1:]]
    total = torch.zeros(len(values), window, window, dtype=values.dtype)
    for h, w in np.ndindex(*count):
        total += values[:, h * window : (h + 1) * window, w * window : (w + 1) * window]
    return total / (count[0] * count[1])


def fold_by_strides(values, window):
    height, width = (side // window * window for side in values.shape[1:])
    rows = [
        [values[:, i:height:window, j:width:window].mean((1, 2)) for j in range(window)]
        for i in range(window)
    ]
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)


@pytest.mark.parametrize("right", [fold_by_slices, fold_by_strides])
def test_folding_in_other_words_is_right(right):
    assert_right(exercises.fold, right)


def whole(values, window):
    height, width = (side // window * window for side in values.shape[1:])
    return values[:, :height, :width]


def reshaped(axes, average):
    """Whole windows, reshaped to B and four axes, averaged over two of them."""

    def mistaken(values, window):
        values = whole(values, window)
        h, w = (side // window for side in values.shape[1:])
        sizes = {"h": h, "w": w, "i": window, "j": window}
        return values.reshape(len(values), *(sizes[axis] for axis in axes)).mean(average)

    return mistaken


def counts(values, window):
    return whole(values, window)[:, ::window, ::window].numel() // len(values)


def filled_up(values, window):
    height, width = (-side % window for side in values.shape[1:])
    return fold_by_slices(F.pad(values, (0, width, 0, height)), window)


def not_cut(values, window):
    return reduce(values, "b (h i) (w j) -> b i j", "mean", i=window, j=window)


def not_cut_but_reshaped(values, window):
    h, w = (side // window for side in values.shape[1:])
    return values.reshape(len(values), h, window, w, window).mean((1, 3))


def from_the_end(values, window):
    turned = values.flip(1, 2)
    return fold_by_slices(turned, window).flip(1, 2)


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (reshaped("ihjw", (2, 4)), "in the wrong order: the window's own"),
        (reshaped("hijw", (1, 4)), "columns in the wrong order"),
        (reshaped("ihwj", (2, 3)), "rows in the wrong order"),
        (lambda v, w: fold_by_slices(v, w).mT, "are swapped"),
        (lambda v, w: fold_by_slices(v, w) * counts(v, w), "that is the sum"),
        (reshaped("hiwj", (2, 4)), "one number for each window"),
        (lambda v, w: fold_by_slices(v, w).mean(0), "the images are averaged"),
        (from_the_end, "start at the bottom right"),
        (filled_up, "filled up with zeros"),
        (not_cut, "cut off the incomplete windows"),
        (not_cut_but_reshaped, "cut off the incomplete windows"),
        (
            lambda v, w: whole(v, w).reshape(len(v), -1, w * w).mean(1).reshape(len(v), w, w),
            "reshape alone",
        ),
        (
            lambda v, w: torch.stack(
                [p for row in whole(v, w).split(w, 1) for p in row.split(w, 2)]
            ).amax(0),
            "the maximum over the windows",
        ),
    ],
)
def test_each_mistake_with_folding_is_named(mistaken, says):
    assert_rejected(exercises.fold, mistaken, says)


def test_the_references_are_the_packages_own():
    assert exercises.record.reference is record
    assert exercises.coherent.reference is coherent
    assert exercises.fold.reference is fold


# Figures

RNG = np.random.default_rng(0)
BRANCHES = ("attention", "max", "3", "5", "7")


def spectrum(power):
    return Spectrum(FREQUENCY, np.broadcast_to(power, (4, BANDS)).astype(float))


def sums(powers, together):
    parts = dict(zip(BRANCHES, map(spectrum, powers), strict=True))
    return SumSpectrum(parts, spectrum(together))


SUMS = {f"{b}.{n}": sums((1, 0.1, 0.01, 1, 10), 20.0) for b in (1, 2) for n in (1, 2)}


def test_calibration_puts_what_was_measured_on_what_was_expected():
    measured, expected = RNG.random(BANDS), RNG.random(BANDS)
    (axes,) = figures.calibration({"gain": {"identity": (measured, expected)}}).axes
    line, dots = axes.lines
    np.testing.assert_array_equal(line.get_ydata(), expected)
    np.testing.assert_array_equal(dots.get_ydata(), measured)
    assert dots.get_marker() != line.get_marker()


def test_spectra_of_contributions_are_in_decibels_on_one_scale():
    drawn = figures.contribution_spectra(SUMS)
    assert len(drawn.axes) == 4
    for axes in drawn.axes:
        levels = [line.get_ydata()[0] for line in axes.lines]
        assert levels == pytest.approx([0, -10, -20, 0, 10, 13.0103], abs=1e-4)
        assert axes.get_ylim() == drawn.axes[0].get_ylim()
        assert len(axes.collections) == 6  # a band for each
    labels = [text.get_text() for text in drawn.legends[0].get_texts()]
    assert labels == [*BRANCHES, "together"]


def test_bar_parts_add_up_to_one_and_negative_ones_hang():
    agreeing, cancelling = sums((1, 1, 1, 1, 1), 10.0), sums((2, 2, 2, 2, 2), 5.0)
    drawn = figures.band_shares({"1.1": agreeing, "1.2": cancelling})
    assert len(drawn.axes) == 3
    for axes in drawn.axes:
        heights = np.array([[bar.get_height() for bar in group] for group in axes.containers])
        np.testing.assert_allclose(heights.sum(0), 1)
        np.testing.assert_allclose(heights[:, 0], [0.1] * 5 + [0.5])
        cross = axes.containers[-1][1]
        assert (cross.get_y(), cross.get_height()) == pytest.approx((0, -1))
        tops = [group[0].get_y() + group[0].get_height() for group in axes.containers]
        np.testing.assert_allclose(tops, np.cumsum(heights[:, 0]))
        hatches = [group[0].get_hatch() for group in axes.containers]
        assert len(set(hatches)) == len(hatches)  # told apart in grey


def test_transfers_show_ratio_gain_and_coherence():
    found = Coherence(FREQUENCY, np.full(BANDS, 0.25), np.full(BANDS, 3.0))
    other = Coherence(FREQUENCY, np.full(BANDS, 1.0), np.full(BANDS, 0.5))
    drawn = figures.transfers({"a": other, "b": found})
    ratio, gain, share = drawn.axes[1].lines
    assert [line.get_ydata()[5] for line in (ratio, gain, share)] == pytest.approx([3, 1.5, 0.25])
    assert [axes.get_title() for axes in drawn.axes] == ["a", "b"]
    assert drawn.axes[0].get_ylim() == drawn.axes[1].get_ylim()
    assert drawn.axes[0].get_ylim()[0] == 0
    assert drawn.axes[0].get_ylim()[1] > 3  # nothing is cut off


def test_responses_show_the_first_and_the_last_layer_and_how_all_lean():
    high = np.where(FREQUENCY > 0.25, 10.0, 1.0)
    trained = {
        name: {branch: Response(FREQUENCY, gain) for branch in "357"}
        for name, gain in (("1.1", high), ("1.2", np.ones(BANDS)), ("2.1", 1 / high))
    }
    fresh = {branch: RNG.random((20, BANDS)) + 0.5 for branch in "357"}
    first, last, leans = figures.responses(fresh, trained).axes
    assert (first.get_title(), last.get_title()) == ("layer 1.1", "layer 2.1")
    np.testing.assert_allclose(first.lines[0].get_ydata(), 10 * np.log10(high))
    np.testing.assert_allclose(last.lines[0].get_ydata(), -10 * np.log10(high), atol=1e-9)
    assert first.get_ylim() == last.get_ylim()
    assert len(first.collections) == 3
    np.testing.assert_allclose(leans.lines[0].get_ydata(), [10, 0, -10], atol=1e-9)


def test_ratios_draw_means_with_bands_and_the_formula():
    samples = RNG.normal(size=(5, BANDS))
    axes = figures.ratios({"noise": samples}, formula=("by formula", np.zeros(BANDS))).axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), samples.mean(0))
    assert not axes.lines[1].get_ydata().any()
    band = axes.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() < samples.mean(0).min()


def pictures():
    coarse = RNG.integers(0, 256, (3, 12, 12, 3), dtype=np.uint8)
    originals = coarse.repeat(4, 1).repeat(4, 2)  # (3, 48, 48, 3)
    noisy = originals.astype(int) + RNG.integers(-20, 21, originals.shape)
    return originals, noisy.clip(0, 255).astype(np.uint8)


def test_errors_show_error_gain_power_and_the_limit_of_lr():
    originals, noisy = pictures()
    ours = error_spectrum(noisy, originals, border=2)
    bicubic = error_spectrum(np.full_like(originals, 128), originals, border=2)
    wrong, gain, power = figures.errors(ours, bicubic, scale=2).axes
    np.testing.assert_allclose(
        wrong.lines[0].get_ydata(), (10 * np.log10(ours.error)).mean(0), rtol=1e-6
    )
    np.testing.assert_allclose(gain.lines[0].get_ydata(), ours.gain_over(bicubic).mean(0))
    assert power.lines[1].get_ydata() == pytest.approx(np.zeros(BANDS), abs=1e-9)
    np.testing.assert_allclose(power.lines[2].get_ydata(), 1 - ours.error.mean(0))
    for axes in (wrong, gain, power):
        assert any(list(line.get_xdata()) == [0.25, 0.25] for line in axes.lines)


PLACE = {"top": 8, "left": 16, "side": 20, "scale": 2}


def test_surgery_shows_three_squares_and_where_the_error_grew():
    originals, noisy = pictures()
    drawn = figures.surgery(
        originals[0], originals[0] // 2 + 60, noisy[0], title="attention: zero", **PLACE
    )
    *squares, change = drawn.axes
    shown = rgb_to_y(originals[0])[8:28, 16:36]
    np.testing.assert_array_equal(squares[0].images[0].get_array(), shown)
    assert [axes.get_title().splitlines()[0] for axes in squares] == [
        "original",
        "whole",
        "attention: zero",
    ]
    assert all(axes.images[0].get_clim() == (16, 235) for axes in squares)
    before, after = (
        error_spectrum(image[None], originals[:1], border=2)
        for image in (originals[0] // 2 + 60, noisy[0])
    )
    np.testing.assert_allclose(change.lines[-1].get_ydata(), before.gain_over(after)[0])


def test_the_menus_reach_every_operation_branch_and_layer(sweep):
    originals, noisy = pictures()
    asked = []

    def operate(operation, branch, layer):
        asked.append((operation, branch, layer))
        return noisy[0]

    widget = explore_surgery(
        originals[0],
        noisy[1],
        operate,
        layers=["1.1", "1.2"],
        branches=["attention", "max"],
        operations=["zero", "mean"],
        **PLACE,
    )
    assert sweep(widget) == 3
    assert {operation for operation, _, _ in asked} == {"zero", "mean"}
    assert {branch for _, branch, _ in asked} == {"attention", "max"}
    assert {layer for _, _, layer in asked} == {None, "1.1", "1.2"}

    menu = widget.children[2]
    menu.value = "1.1"
    menu.value = "all"
    assert menu.index == 0  # shown, not empty
    assert asked[-1][-1] is None


def a_footprint(peak):
    folded = np.ones((8, 8))
    folded[:, 7] = peak
    frequency = np.arange(1, 45) / 88
    comb = np.where(np.isclose(frequency * 8 % 1, 0), peak**2, 1.0)
    profile = folded.mean(0)[None]
    return Footprint(profile, profile, folded, frequency, comb[None])


def test_footprints_share_a_scale_and_mark_the_comb():
    drawn = figures.footprints({"W-MSA": a_footprint(4), "tokens": a_footprint(1)})
    above, below = drawn.axes[:2], drawn.axes[2:4]
    assert {axes.images[0].get_clim() for axes in above} == {(0, 4)}
    np.testing.assert_array_equal(above[0].images[0].get_array()[:, 7], 4)
    marks = [line.get_xdata()[0] for line in below[0].lines[:-1]]
    assert marks == pytest.approx([1 / 8, 1 / 4, 3 / 8, 1 / 2])
    comb = below[0].lines[-1]
    assert max(comb.get_ydata()) == pytest.approx(20 * np.log10(4))
    assert below[0].get_ylim() == below[1].get_ylim()
    assert below[0].get_ylim()[1] > 12


def test_receptive_fields_are_shares_around_the_pixel():
    strength = np.zeros((16, 16))
    strength[5:8, 6:9] = 1
    drawn = figures.receptive_fields({"3": ReceptiveField(strength, 6, 7)}, reach=4)
    image = drawn.axes[0].images[0]
    shown = image.get_array()
    assert shown.sum() == pytest.approx(1)
    assert shown.mask.sum() == 16 * 16 - 9
    # the pixel lies at the origin of the axes
    left, right, bottom, top = image.get_extent()
    assert (left, right, bottom, top) == (-7.5, 8.5, 9.5, -6.5)
    assert image.norm.vmin == 1e-3


def test_attributions_share_one_scale_about_zero_and_mark_the_square():
    image = RNG.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    value = RNG.normal(size=(12, 16))
    maps = {"whole": Attribution(value, 0.0), "cut": Attribution(5 * value, 0.0)}
    drawn = figures.attributions(image, maps, top=3, left=5, side=4)
    photo, whole_map, cut = drawn.axes[:3]
    np.testing.assert_array_equal(photo.images[0].get_array(), rgb_to_y(image))
    np.testing.assert_array_equal(cut.images[0].get_array(), 5 * value)
    low, high = whole_map.images[0].get_clim()
    assert low == -high
    assert cut.images[0].get_clim() == (low, high)
    for axes in (photo, whole_map, cut):
        assert [patch.get_bbox().bounds for patch in axes.patches] == [(5, 3, 4, 4)]


def test_trajectories_draw_every_stage_on_both_measures_before_the_untrained_networks():
    stages = ("F_s", "1.1 mix", "F_d")
    high, over_dc = RNG.random((5, 3)) / 2, RNG.normal(size=(5, 3))
    found = Trajectory(stages, high, over_dc)
    fresh = [Trajectory(stages, 0 * high + level, over_dc) for level in (0.6, 0.7, 0.65)]
    drawn = figures.trajectories(found, fresh)
    above, below = drawn.axes
    assert list(above.lines[0].get_xdata()) == list(stages)
    np.testing.assert_allclose(above.lines[0].get_ydata(), high.mean(0))
    np.testing.assert_allclose(below.lines[0].get_ydata(), over_dc.mean(0))
    shade = above.collections[0].get_paths()[0].vertices[:, 1]
    expected = prediction(np.array([0.6, 0.7, 0.65]))
    assert (shade.min(), shade.max()) == pytest.approx((expected.low, expected.high))
    labels = [text.get_text() for text in drawn.legends[0].get_texts()]
    assert labels == ["3 untrained networks", "trained"]


def test_a_drawing_is_written_in_few_colours():
    drawn, written = figures.contribution_spectra(SUMS), BytesIO()
    drawn.savefig(written, format="png")
    picture = Image.open(written)
    assert picture.mode == "P"
    assert len(picture.getcolors()) <= 64
    assert picture.size == tuple(round(inches * drawn.dpi) for inches in drawn.get_size_inches())


# What the claims, noise, causes and seams look like


def divided(tilt):
    """A `Division` of 6 photographs and 4 layers whose ratio falls by ``tilt`` dB a band."""
    noise = RNG.normal(size=(3, 6, 4)) / 10
    ratio = {name: 5 - tilt * number + noise[number] for number, name in enumerate(THIRDS)}
    return Division({}, {}, {}, ratio, {})


def test_the_division_is_drawn_band_by_band_whatever_the_loudness():
    trained, null = divided(3.0), [divided(0.0) for _ in range(5)]
    for other in null:
        for values in other.ratio.values():
            values -= 40  # quiet attention
    drawn = figures.division(leaning(trained, null), networks=5)
    heights = [axes.lines[0].get_ydata().mean() for axes in drawn.axes]
    assert heights == pytest.approx([3, 0, -3], abs=0.2)
    shade = drawn.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    assert np.abs(shade).max() < 0.5
    assert len({axes.get_ylim() for axes in drawn.axes}) == 1
    labels = [text.get_text() for text in drawn.legends[0].get_texts()]
    assert labels == ["5 untrained networks", "trained, W-MSA", "trained, SW-MSA"]
    assert drawn.get_size_inches()[0] * drawn.dpi == 900
    drawn.savefig(written := BytesIO(), format="png")
    red, green, blue = np.moveaxis(np.array(Image.open(written).convert("RGB")), -1, 0)
    assert (red == green).all() and (green == blue).all()  # nothing is lost in a grey print


def test_outcomes_stand_in_the_row_of_their_network():
    networks = {"one": {"a": "for", "b": "against"}, "two": {"a": "neither", "b": "for"}}
    axes = figures.table_of_outcomes(networks, ["a", "b"]).axes[0]
    places = [points.get_offsets().tolist() for points in axes.collections]
    assert places == [[[0, 0], [1, 1]], [[0, 1]], [[1, 0]]]  # for, neither, against
    assert [label.get_text() for label in axes.get_yticklabels()] == ["one", "two"]


def test_sensitivities_are_relative_to_each_branch():
    change = np.array([[1.0, 0.1, 0.01]] * 4)
    names = (*BRANCHES, "even weights")
    loud = {branch: 100.0**number * change for number, branch in enumerate(names)}
    (axes,) = figures.sensitivities({"input": loud}).axes
    assert len(axes.containers) == len(names)
    for bars in axes.containers:
        np.testing.assert_allclose(bars.lines[0].get_ydata(), [10, 0, -10], atol=1e-9)


def test_linear_shares_show_each_part_and_the_limit_of_lr():
    shares = {
        name: np.full((3, BANDS), value)
        for name, value in zip("abcde", (1, 0.5, 0, 0.2, 0.9), strict=True)
    }
    axes = figures.linear_shares(shares, scale=2).axes[0]
    heights = [line.get_ydata()[3] for line in axes.lines[:5]]
    assert heights == pytest.approx([1, 0.5, 0, 0.2, 0.9])
    assert any(list(line.get_xdata()) == [0.25, 0.25] for line in axes.lines)


def test_causes_share_one_scale_about_zero_and_leave_the_square_empty():
    image = RNG.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    effects = {"whole": RNG.normal(size=(3, 4)), "cut": 3 * RNG.normal(size=(3, 4))}
    effects["whole"][1, 1] = np.nan
    place = {"top": 4, "left": 4, "side": 4, "block": 4}
    drawn = figures.causes(image, effects, **place)
    low, high = drawn.axes[1].images[0].get_clim()
    assert low == -high == drawn.axes[2].images[0].get_clim()[0]
    assert drawn.axes[1].images[0].get_array().mask.tolist()[1][1]
    for axes in drawn.axes[:3]:
        assert [patch.get_bbox().bounds for patch in axes.patches] == [(4, 4, 4, 4)]


def test_window_seams_show_the_square_with_the_borders_of_windows():
    errors = {"with": RNG.normal(size=(64, 64)), "without": RNG.normal(size=(64, 64))}
    drawn = figures.window_seams(errors, top=8, left=16, side=40, window=16)
    first, second = drawn.axes[:2]
    np.testing.assert_array_equal(second.images[0].get_array(), errors["without"][8:48, 16:56])
    assert first.images[0].get_clim() == second.images[0].get_clim()
    assert first.get_xticks().tolist() == [16, 32, 48]
    assert first.get_yticks().tolist() == [16, 32, 48]


def test_even_weights_differ_from_every_branch_also_in_a_grey_print():
    for name, look in figures.LOOKS.items():
        for part in ("color", "linestyle"):
            assert look[part] != figures.EVEN[part], (name, part)


@pytest.mark.parametrize("count", [2, 3])
def test_maps_beside_a_photograph_fit_900_pixels(count):
    image = RNG.integers(0, 256, (12, 12, 3), dtype=np.uint8)
    maps = {str(n): Attribution(RNG.normal(size=(12, 12)), 0.0) for n in range(count)}
    effects = {str(n): RNG.normal(size=(3, 3)) for n in range(count)}
    place = {"top": 4, "left": 4, "side": 4}
    for drawn in (
        figures.attributions(image, maps, **place),
        figures.causes(image, effects, **place, block=4),
    ):
        assert drawn.get_size_inches()[0] * drawn.dpi <= 900


def test_even_weights_and_the_floor_are_drawn_beside_attention():
    found = Coherence(FREQUENCY, np.full(BANDS, 0.25), np.full(BANDS, 2.0))
    floor = Coherence(FREQUENCY, np.full(BANDS, 0.01), np.full(BANDS, 2.0))
    axes = figures.transfers({"a": found}, even={"a": floor}, floors={"a": floor}).axes[0]
    labels = [line.get_label() for line in axes.lines]
    assert labels == ["|Y| / |Z|", "coherent gain", "even weights", "coherence γ²"]
    assert axes.lines[2].get_ydata()[0] == pytest.approx(0.2)
    assert axes.collections[0].get_paths()[0].vertices[:, 1].max() == pytest.approx(0.2)


ONES = np.ones(BANDS)
FLAT = Response(FREQUENCY, ONES)


def every_spectrum():
    """{name of a figure with spectra: (Figure, number of spectra, HR pixels per LR pixel)}."""
    originals, noisy = pictures()
    ours = error_spectrum(noisy, originals, border=2)
    shares = dict.fromkeys("abcde", np.ones((3, BANDS)))
    filters = {name: dict.fromkeys("357", FLAT) for name in ("1.1", "1.2")}
    attention = {"a": Coherence(FREQUENCY, ONES, ONES)}
    return {
        "calibration": (figures.calibration({"a": {"one": (ONES, ONES)}}), 1, 1),
        "contribution_spectra": (figures.contribution_spectra(SUMS), 4, 1),
        "transfers": (figures.transfers(attention), 1, 1),
        "responses": (figures.responses(dict.fromkeys("357", ONES[None]), filters), 2, 1),
        "ratios": (figures.ratios({"a": np.ones((3, BANDS))}, formula=("b", ONES)), 1, 1),
        "errors": (figures.errors(ours, ours, scale=2), 3, 2),
        "surgery": (figures.surgery(originals[0], noisy[0], noisy[1], title="a", **PLACE), 1, 2),
        "linear_shares": (figures.linear_shares(shares, scale=2), 1, 2),
    }


@pytest.mark.parametrize("name", every_spectrum())
def test_multiples_of_a_cycle_per_window_are_marked_in_every_spectrum(name):
    drawn, count, scale = every_spectrum()[name]
    spectra = [axes for axes in drawn.axes if axes.get_xlim() == (0, 0.5)]
    assert len(spectra) == count
    step = 1 / 8 / scale
    for axes in spectra:
        np.testing.assert_allclose(axes.get_xticks(minor=True), np.arange(step, 0.499, step))
        assert any(line.get_visible() for line in axes.get_xgridlines())


def test_a_calibrations_mark_belongs_to_its_operator_in_every_panel():
    values = np.ones(BANDS), np.ones(BANDS)
    drawn = figures.calibration({"a": {"one": values, "two": values}, "b": {"two": values}})
    first, second = drawn.axes
    marks = {line.get_label(): line.get_marker() for line in first.lines[1::2]}
    assert second.lines[1].get_marker() == marks["two"] != marks["one"]
    assert not any(axes.get_legend() for axes in drawn.axes)
