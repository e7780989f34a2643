"""Notebook 10: rings of frequency, hooks that leave no trace, coherence, folding by windows."""

from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from einops import reduce
from torch import nn

from glanet.analysis import coherence, footprint, probes, spectrum
from glanet.course.kit.checks import AnswerError, Exercise, by_steps

BANDS = spectrum.BANDS


def _normal(rng, *shape):
    return torch.from_numpy(rng.standard_normal(shape))


# Exercise 1: the mean over each ring of frequency


def _draw_powers(rng):
    # not square, so that rows and columns differ; odd, so that no frequency lies on the border of
    # two rings, where rounding would decide
    return [(_normal(rng, *shape).square(),) for shape in ((37, 45), (51, 41))]


def _frequencies(height, width):
    return torch.fft.fftfreq(height).double()[:, None], torch.fft.fftfreq(width).double()[None]


def _radius(height, width):
    return torch.hypot(*_frequencies(height, width))


@by_steps
def _rings(*, radius=_radius, mean=True, top=0.5, first=0, last=None):
    """`by_ring` with another ``radius``, a function of (H, W), or other rings."""

    def mistaken(power):
        ring = (BANDS / top * radius(*power.shape) + 1e-9).long() - first
        if last is not None:
            ring = ring.clamp(max=last)
        means = [power[ring == number].sum() for number in range(BANDS)]
        counts = [(ring == number).sum() if mean else 1 for number in range(BANDS)]
        return torch.stack(means) / torch.tensor(counts)

    return mistaken


def _radius_from_corner(height, width):
    return torch.hypot(torch.arange(height)[:, None] / height, torch.arange(width) / width).double()


def _radius_from_the_middle(height, width):
    rows, columns = (torch.linspace(-0.5, 0.5, n, dtype=torch.float64) for n in (height, width))
    return torch.hypot(rows[:, None], columns)


def _radius_in_bins(height, width):
    rows, columns = _frequencies(height, width)
    return torch.hypot(height * rows, width * columns) / max(height, width)


def _as_tensor(function, power):
    """The answer; an array of numpy is as good as a tensor in what follows."""
    answer = function(power)
    return torch.from_numpy(answer) if isinstance(answer, np.ndarray) else answer


by_ring = Exercise(
    "frequency_lab",
    "by_ring",
    spectrum.by_ring,
    _draw_powers,
    {
        "that is the sum over each ring: divide by the number of frequencies in it": (
            _rings(mean=False)
        ),
        "the frequencies go from 0 to 1: in FFT order the second half is negative, as in "
        "torch.fft.fftfreq": _rings(radius=_radius_from_corner),
        "the zero frequency is taken to be in the middle: in FFT order it is in the corner": (
            _rings(radius=lambda *size: torch.fft.fftshift(_radius(*size)))
        ),
        "the power is shifted, the radius is not: in FFT order both have the zero frequency in the "
        "corner": _rings(radius=lambda *size: torch.fft.ifftshift(_radius(*size))),
        "the frequencies run from -0.5 to 0.5: in FFT order they start at 0, as in "
        "torch.fft.fftfreq": _rings(radius=_radius_from_the_middle),
        "the borders of the rings are half a ring too low: ring n is from n to n + 1 ring widths": (
            _rings(radius=lambda *size: _radius(*size) + 0.25 / BANDS)
        ),
        "the rings are square: the radius is the root of the sum of squares": (
            _rings(radius=lambda *size: torch.maximum(*(f.abs() for f in _frequencies(*size))))
        ),
        "the two frequencies are added: the radius is the root of the sum of their squares": (
            _rings(radius=lambda *size: sum(f.abs() for f in _frequencies(*size)))
        ),
        "the radius uses only the frequencies of rows: use those of columns too": (
            _rings(radius=lambda *size: _frequencies(*size)[0].abs().expand(size))
        ),
        "the radius uses only the frequencies of columns: use those of rows too": (
            _rings(radius=lambda *size: _frequencies(*size)[1].abs().expand(size))
        ),
        "frequencies are in cycles per map, so rows and columns differ if it is not square: divide "
        "by each side": _rings(radius=_radius_in_bins),
        "the rings reach to 0.707, into the corners: the last ring ends at 0.5": (
            _rings(top=0.5**0.5)
        ),
        "frequencies beyond 0.5 are in the last ring: leave them out": (_rings(last=BANDS - 1)),
        "the first ring is missing: it begins at 0": _rings(first=1),
        "the rings reach to 1, so each is twice as wide: the last ring ends at 0.5": (
            _rings(top=1)
        ),
        "this is a logarithm: return the means": lambda power: spectrum.by_ring(power).log(),
        "rfftfreq has half of the frequencies, and the power all of them: use torch.fft.fftfreq": (
            lambda power: power[torch.ones(len(power), power.shape[1] // 2 + 1) > 0]
        ),
    },
    run=_as_tensor,
    tolerance=1e-5,
)


# Exercise 2: hooks that leave no trace


class _Pair(nn.Module):
    """Two named modules, one after the other; between them, values that are not finite raise."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, tokens):
        middle = self.first(tokens)
        if not middle.isfinite().all():
            raise FloatingPointError
        return self.second(middle)


def _draw_recordings(rng):
    return [(_normal(rng, 2, 3).float(), int(rng.integers(2**31))) for _ in range(2)]


def run_recorder(record, tokens, seed):
    """What ``record`` notes of two modules, NaN for nothing, and the hooks it leaves: float (n,).

    The last two numbers are the hooks left after a block without and with an exception.

    Raises:
        AnswerError: what is noted is no pair of tensors for each name; an exception of the block is
            swallowed; or hooks of others are removed.
    """
    torch.manual_seed(seed)
    model = _Pair()
    others = [
        module.register_forward_hook(lambda *_: None) for module in (model.first, model.second)
    ]
    modules = {"first": model.first, "second": model.second}
    recorder = record(modules)
    # contextmanager has no generator as long as the function does not yield
    if recorder is None or recorder is ... or getattr(recorder, "gen", ...) is None:
        return None
    with recorder as heard:
        if heard is None or heard is ...:
            return None
        model(tokens)
    noted = [part.detach().flatten() for name in modules for part in _noted(heard, name)]
    if any(
        other.id not in m._forward_hooks for other, m in zip(others, modules.values(), strict=True)
    ):
        raise AnswerError(
            "hooks that were there before are gone: call remove() on your own handles only"
        )
    for hook in others:
        hook.remove()
    broken = _Pair()
    try:
        with record({"first": broken.first, "second": broken.second}):
            broken(tokens * torch.nan)
    except FloatingPointError:
        pass
    else:
        raise AnswerError(
            "an exception in the block is swallowed: `finally` passes it on, `except` does not"
        )
    return torch.cat([*noted, torch.tensor([float(_hooks(model)), float(_hooks(broken))])])


def _noted(heard, name):
    """What is noted of the module ``name``: tensors, NaN for nothing."""
    if not isinstance(heard, dict):
        kind = type(heard).__name__
        raise AnswerError(f"it yields a {kind}: yield a dictionary that maps each name to a pair")
    if heard and not all(isinstance(key, str) for key in heard):
        raise AnswerError("the keys are not the names: `modules` maps names to modules")
    if name not in heard:
        return [torch.full((1,), torch.nan)]
    pair = heard[name]
    if not isinstance(pair, tuple | list):
        kind = type(pair).__name__
        raise AnswerError(f"a {kind} is recorded for each name: record the pair (input, output)")
    if any(isinstance(part, tuple) for part in pair):
        raise AnswerError(
            "the recorded input is a tuple: a hook gets all arguments, so record inputs[0]"
        )
    return pair


def _hooks(model):
    return sum(len(module._forward_hooks) for module in model.modules())


@by_steps
def _recorder(
    *,
    kept=lambda inputs, output: (inputs[0], output),
    named=lambda names: names,
    removed=slice(None),
    safely=True,
):
    """`record` that keeps something else, by other names, or removes only some of its hooks."""

    @contextmanager
    def record(modules):
        heard = {}

        def note(name, module, inputs, output):
            heard[name] = kept(inputs, output)

        names = named(list(modules))
        hooks = [
            module.register_forward_hook(partial(note, name))
            for name, module in zip(names, modules.values(), strict=True)
        ]
        went_well = False
        try:
            yield heard
            went_well = True
        finally:
            for hook in hooks[removed] if went_well or safely else ():
                hook.remove()

    return record


@contextmanager
def _returning(modules):
    hooks = [
        module.register_forward_hook(lambda module, inputs, output: (inputs[0], output))
        for module in modules.values()
    ]
    try:
        yield {}
    finally:
        for hook in hooks:
            hook.remove()


record = Exercise(
    "frequency_lab",
    "record",
    probes.record,
    _draw_recordings,
    {
        "the hooks are still there at the end: call remove() on each handle that "
        "register_forward_hook returned": _recorder(removed=slice(0)),
        "after an exception the hooks are still there: remove them in a `finally`": (
            _recorder(safely=False)
        ),
        "only one hook is removed: keep the handles of all modules, and remove them all": (
            _recorder(removed=slice(-1, None))
        ),
        "all modules are recorded under the last name: a function defined in a loop looks `name` "
        "up when it is called, so bind it, with partial or as name=name": _recorder(
            named=lambda names: names[-1:] * len(names)
        ),
        "input and output are swapped: the input comes first": (
            _recorder(kept=lambda inputs, output: (output, inputs[0]))
        ),
        "only the output is recorded: record the pair (input, output)": (
            _recorder(kept=lambda inputs, output: (output,))
        ),
        "only the input is recorded: record the pair (input, output)": (
            _recorder(kept=lambda inputs, output: (inputs[0],))
        ),
        "the output is recorded twice: a forward hook gets (module, inputs, output), and the input "
        "is inputs[0]": _recorder(kept=lambda inputs, output: (output, output)),
        "the hook returns something, which PyTorch takes for the module's output: return nothing": (
            _returning
        ),
    },
    run=run_recorder,
)


# Exercise 3: coherent gain and coherence


def _draw_waves(rng):
    def waves(*shape):
        return torch.complex(_normal(rng, *shape), _normal(rng, *shape))

    z = waves(7, 5)
    return [
        (waves(4, 3), waves(4, 3), 0),
        (z * (1 - 2j) + 0.3 * waves(7, 5), z, 0),
        (waves(4, 4), waves(4, 4), 1),  # the expectation need not be over the first axis
    ]


def run_coherent(function, y, z, axis):
    """The real and imaginary part of H₁, and γ²: (3, frequencies).

    Raises:
        AnswerError: the answer is no pair of tensors, or γ² is complex.
    """
    answer = function(y, z, lambda values: values.mean(axis))
    if answer is None or answer is ...:
        return None
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        kind = type(answer).__name__
        raise AnswerError(f"it returns a {kind}: return the pair H₁, γ²")
    gain, share = answer
    if not isinstance(gain, torch.Tensor) or not isinstance(share, torch.Tensor):
        raise AnswerError("H₁ and γ² must be torch tensors, as later cells need them")
    gain = gain.to(torch.complex128)
    if share.is_complex():
        if share.imag.abs().max() < 1e-9:
            raise AnswerError("γ² is real, but of a complex type: return its real part")
        share = torch.where(share.imag.abs() < 1e-9, share.real, torch.nan)
    return torch.stack([gain.real, gain.imag, share.double()])


@by_steps
def _coherent(
    both=lambda y, z, mean: mean(y * z.conj()),
    power=lambda values, mean: mean(values.abs().square()),
    gain=lambda cross, of_y, of_z: cross / of_z,
    share=lambda cross, of_y, of_z: cross.abs().square() / (of_y * of_z),
):
    """`coherence.coherent`, with other steps for some of the right ones."""

    def mistaken(y, z, mean):
        means = both(y, z, mean), power(y, mean), power(z, mean)
        return gain(*means), share(*means)

    return mistaken


coherent = Exercise(
    "frequency_lab",
    "coherent",
    coherence.coherent,
    _draw_waves,
    {
        "Y is conjugated, so H₁ has the wrong sign of phase: conjugate Z": (
            _coherent(both=lambda y, z, mean: mean(y.conj() * z))
        ),
        "nothing is conjugated, so the phases of Y and Z add up: conjugate Z": (
            _coherent(both=lambda y, z, mean: mean(y * z))
        ),
        "the absolute value is taken before the mean: what is unrelated to Z cancels only in a "
        "mean of complex numbers": _coherent(both=lambda y, z, mean: mean((y * z.conj()).abs())),
        "the gain is divided by E|Y|²: divide by E|Z|², the power of the input": (
            _coherent(gain=lambda cross, of_y, of_z: cross / of_y)
        ),
        "the gain is the ratio of amplitudes: divide the mean of Y conj Z by E|Z|²": (
            _coherent(gain=lambda cross, of_y, of_z: (of_y / of_z).sqrt())
        ),
        "the gain has lost its phase: H₁ is complex": (
            _coherent(gain=lambda cross, of_y, of_z: cross.abs() / of_z)
        ),
        "the numerator of γ² is not squared": (
            _coherent(share=lambda cross, of_y, of_z: cross.abs() / (of_y * of_z))
        ),
        "the coherence is γ: return γ²": (
            _coherent(share=lambda cross, of_y, of_z: cross.abs() / (of_y * of_z).sqrt())
        ),
        "γ² is divided by E|Z|² alone: divide by the product of both powers": (
            _coherent(share=lambda cross, of_y, of_z: cross.abs().square() / of_z)
        ),
        "the two results are swapped: H₁ first, then γ²": (
            lambda y, z, mean: coherence.coherent(y, z, mean)[::-1]
        ),
        "the gain is the mean of the ratio Y / Z: take the means first, then divide": (
            lambda y, z, mean: (mean(y / z), coherence.coherent(y, z, mean)[1])
        ),
        "`mean` is not used: the expectation is not always over the first axis": (
            lambda y, z, mean: coherence.coherent(y, z, lambda values: values.mean(0))
        ),
        "the amplitudes are not squared: the powers are E|Y|² and E|Z|²": (
            _coherent(power=lambda values, mean: mean(values.abs()))
        ),
        "γ² is divided by E|Y|² alone: divide by the product of both powers": (
            _coherent(share=lambda cross, of_y, of_z: cross.abs().square() / of_y)
        ),
        "γ² is computed for each number separately, so it is always 1: take the means first": (
            lambda y, z, mean: (
                coherence.coherent(y, z, mean)[0],
                mean((y * z.conj()).abs().square() / (y.abs() * z.abs()).square()),
            )
        ),
        "the square is inside the expectation: take the mean of Y conj Z, then its size, then the "
        "square": lambda y, z, mean: (
            coherence.coherent(y, z, mean)[0],
            mean((y * z.conj()).abs().square()) / (mean(y.abs().square()) * mean(z.abs().square())),
        ),
        "a complex number is squared: γ² needs its size, .abs(), first": _coherent(
            share=lambda cross, of_y, of_z: cross.square() / (of_y * of_z)
        ),
    },
    run=run_coherent,
)


# Exercise 4: fold by windows


def _draw_jumps(rng):
    return [(_normal(rng, 2, 13, 11).abs(), 4), (_normal(rng, 1, 10, 15).abs(), 5)]


def _whole_windows(values, window):
    height, width = (size // window * window for size in values.shape[1:])
    return values[:, :height, :width]


def _folded(pattern, reduction="mean"):
    return lambda values, window: reduce(
        _whole_windows(values, window), pattern, reduction, i=window, j=window
    )


def _as_if_rows_were_windows(values, window):
    cut = _whole_windows(values, window)
    return cut.reshape(len(cut), -1, window, window).mean(1)


def _padded(fill, reduction):
    """Incomplete windows are kept, with ``fill`` for what they lack."""

    def mistaken(values, window):
        height, width = (-size % window for size in values.shape[1:])
        whole = nn.functional.pad(values, (0, width, 0, height), value=fill)
        return reduce(whole, "b (h i) (w j) -> b i j", reduction, i=window, j=window)

    return mistaken


def run_fold(function, values, window):
    """The answer.

    Raises:
        AnswerError: the function fails where a side is no multiple of the window, and only there.
    """
    try:
        return function(values, window)
    except Exception as error:
        whole = _whole_windows(values, window)
        try:
            found = torch.as_tensor(function(whole, window))
        except Exception:
            raise error from None
        if found.shape == (len(values), window, window):
            raise AnswerError(
                "a side need not be a multiple of the window: cut off the incomplete windows at "
                "the bottom and right first"
            ) from error
        raise


fold = Exercise(
    "frequency_lab",
    "fold",
    footprint.fold,
    _draw_jumps,
    {
        "rows and columns are split in the wrong order: the window's own axis comes last, (h i)": (
            _folded("b (i h) (j w) -> b i j")
        ),
        "rows are split correctly, columns in the wrong order: write (w j)": (
            _folded("b (h i) (j w) -> b i j")
        ),
        "columns are split correctly, rows in the wrong order: write (h i)": (
            _folded("b (i h) (w j) -> b i j")
        ),
        "rows and columns of the window are swapped: rows come first": (
            _folded("b (h i) (w j) -> b j i")
        ),
        "that is the sum over the windows: take the mean": (
            _folded("b (h i) (w j) -> b i j", "sum")
        ),
        "that is the maximum over the windows: take the mean": (
            _folded("b (h i) (w j) -> b i j", "max")
        ),
        "that is one number for each window: average over windows, not inside them": (
            _folded("b (h i) (w j) -> b h w")
        ),
        "incomplete windows are filled up with zeros: cut them off": _padded(0.0, "mean"),
        "the pixels of incomplete windows count, too: cut them off": (
            _padded(torch.nan, lambda whole, axes: whole.nanmean(axes))
        ),
        "the images are averaged too: keep the first axis": _folded("b (h i) (w j) -> i j"),
        "reshape alone splits the image row by row: rows and columns need axes of their own": (
            _as_if_rows_were_windows
        ),
        "the windows start at the bottom right: they start at the top left": (
            lambda values, window: footprint.fold(
                values[:, values.shape[1] % window :, values.shape[2] % window :], window
            )
        ),
        "this is the first window alone: take the mean over all": (
            lambda values, window: values[:, :window, :window]
        ),
    },
    run=run_fold,
)
