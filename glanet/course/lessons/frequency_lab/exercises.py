"""Notebook 10: rings of frequency, hooks that leave no trace, coherence, folding by windows."""

from contextlib import contextmanager
from functools import partial

import torch
from einops import reduce
from torch import nn

from glanet.analysis import coherence, footprint, probes, spectrum
from glanet.course.kit.checks import Exercise

BANDS = spectrum.BANDS


def _normal(rng, *shape):
    return torch.from_numpy(rng.standard_normal(shape))


# Exercise 1: the mean over each ring of frequency


def _draw_powers(rng):
    # not square, so that rows and columns are told apart; odd, so that no frequency falls between
    # two rings, where rounding would decide
    return [(_normal(rng, *shape).square(),) for shape in ((37, 45), (51, 41))]


def _rings(radius, *, mean=True, bands=BANDS, top=0.5, first=0, last=None):
    """`by_ring` with another ``radius``, a function of (H, W), or other rings."""

    def mistaken(power):
        ring = (bands / top * radius(*power.shape) + 1e-9).long() - first
        if last is not None:
            ring = ring.clamp(max=last)
        means = [power[ring == number].sum() for number in range(bands)]
        counts = [(ring == number).sum() if mean else 1 for number in range(bands)]
        return torch.stack(means) / torch.tensor(counts)

    return mistaken


def _frequencies(height, width):
    return torch.fft.fftfreq(height).double()[:, None], torch.fft.fftfreq(width).double()[None]


def _radius(height, width):
    return torch.hypot(*_frequencies(height, width))


def _radius_from_corner(height, width):
    return torch.hypot(torch.arange(height)[:, None] / height, torch.arange(width) / width).double()


def _radius_in_bins(height, width):
    rows, columns = _frequencies(height, width)
    return torch.hypot(height * rows, width * columns) / max(height, width)


by_ring = Exercise(
    "frequency_lab",
    "by_ring",
    spectrum.by_ring,
    _draw_powers,
    {
        "that is the sum over each ring: outer ones hold more frequencies, so divide by how many": (
            _rings(_radius, mean=False)
        ),
        "frequencies count on from 0 to 1: in FFT order the second half is negative, as "
        "torch.fft.fftfreq has it": _rings(_radius_from_corner),
        "the zero frequency is taken to be in the middle: in FFT order it is in the corner": (
            _rings(lambda *size: torch.fft.fftshift(_radius(*size)))
        ),
        "these are frames, not rings: the radius is the root of the sum of squares": (
            _rings(lambda *size: torch.maximum(*(f.abs() for f in _frequencies(*size))))
        ),
        "the two frequencies are added: the radius is the root of the sum of their squares": (
            _rings(lambda *size: sum(f.abs() for f in _frequencies(*size)))
        ),
        "only rows count: the radius has columns in it too": (
            _rings(lambda *size: _frequencies(*size)[0].abs().expand(size))
        ),
        "only columns count: the radius has rows in it too": (
            _rings(lambda *size: _frequencies(*size)[1].abs().expand(size))
        ),
        "frequencies are counted in rounds of the map, and rows and columns differ where it is not "
        "square: divide by the side": _rings(_radius_in_bins),
        "the rings reach to 0.707, into the corners: the last one ends at 0.5": (
            _rings(_radius, top=0.5**0.5)
        ),
        "what lies beyond 0.5 is in the last ring: leave it out": _rings(_radius, last=BANDS - 1),
        "there is one ring too few at the start: the first begins at 0": _rings(_radius, first=1),
    },
    tolerance=1e-5,
)


# Exercise 2: hooks that leave no trace


class _Pair(nn.Module):
    """Two named modules in a row; the second one breaks where its input is not finite."""

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
    """What ``record`` notes of two modules, NaN for none, and how many hooks it leaves: float (n,).

    The last two numbers: hooks left when all went well, and when an exception ended the block.
    """
    torch.manual_seed(seed)
    network = _Pair()
    modules = {"first": network.first, "second": network.second}
    recorder = record(modules)
    # a function that does not yield yet leaves contextmanager without a generator
    if recorder is None or recorder is ... or getattr(recorder, "gen", ...) is None:
        return None
    with recorder as heard:
        if heard is None or heard is ...:
            return None
        network(tokens)
    noted = [
        part.detach().flatten()
        for name in modules
        for part in heard.get(name, (torch.full((1,), torch.nan),))
    ]
    broken = _Pair()
    try:
        with record({"first": broken.first, "second": broken.second}):
            broken(tokens * torch.nan)
    except FloatingPointError:
        pass
    return torch.cat([*noted, torch.tensor([float(_hooks(network)), float(_hooks(broken))])])


def _hooks(network):
    return sum(len(module._forward_hooks) for module in network.modules())


def _recorder(*, kept=lambda inputs, output: (inputs[0], output), removed=slice(None), safely=True):
    """`record` that keeps something else, or takes only some of its hooks away."""

    @contextmanager
    def record(modules):
        heard = {}

        def note(name, module, inputs, output):
            heard[name] = kept(inputs, output)

        hooks = [module.register_forward_hook(partial(note, n)) for n, module in modules.items()]
        went_well = False
        try:
            yield heard
            went_well = True
        finally:
            for hook in hooks[removed] if went_well or safely else ():
                hook.remove()

    return record


@contextmanager
def _last_name_for_all(modules):
    def note(module, inputs, output):
        heard[name] = inputs[0], output

    heard, hooks = {}, []
    for name, module in modules.items():  # noqa: B007 (it is looked up when a hook runs)
        hooks.append(module.register_forward_hook(note))
    try:
        yield heard
    finally:
        for hook in hooks:
            hook.remove()


record = Exercise(
    "frequency_lab",
    "record",
    probes.record,
    _draw_recordings,
    {
        "the hooks are still there at the end: call remove() on what register_forward_hook gave": (
            _recorder(removed=slice(0))
        ),
        "after an exception the hooks are still there: remove them in a `finally`": (
            _recorder(safely=False)
        ),
        "one hook is removed and the other is not: keep what register_forward_hook gave of each "
        "module, and remove them all": _recorder(removed=slice(-1, None)),
        "all modules are noted under the last name: a function that is made in a loop looks up "
        "`name` when it is called, so bind it, with partial or as name=name": _last_name_for_all,
        "input and output have changed places: the input comes first": (
            _recorder(kept=lambda inputs, output: (output, inputs[0]))
        ),
        "only the output is noted: note the pair (input, output)": (
            _recorder(kept=lambda inputs, output: (output,))
        ),
        "only the input is noted: note the pair (input, output)": (
            _recorder(kept=lambda inputs, output: (inputs[0],))
        ),
        "the output is noted twice: a forward hook is given the inputs as a tuple, before the "
        "output": _recorder(kept=lambda inputs, output: (output, output)),
    },
    run=run_recorder,
)


# Exercise 3: coherent gain and coherence


def _draw_waves(rng):
    def waves(*shape):
        return torch.complex(_normal(rng, *shape), _normal(rng, *shape))

    z = waves(7, 5)
    return [(waves(4, 3), waves(4, 3)), (z * (1 - 2j) + 0.3 * waves(7, 5), z)]


def _mean(values):
    return values.mean(0)


def run_coherent(function, y, z):
    """Real and imaginary part of H₁, and γ²: (3, frequencies)."""
    answer = function(y, z, _mean)
    if answer is None or answer is ...:
        return None
    gain, share = answer
    gain = torch.as_tensor(gain).to(torch.complex128)
    share = torch.as_tensor(share)
    if share.is_complex():  # a γ² whose imaginary part is 0 is right
        share = torch.where(share.imag.abs() < 1e-9, share.real, torch.nan)
    return torch.stack([gain.real, gain.imag, share.double()])


def _coherent(*, both=None, gain=None, share=None):
    """`coherence.coherent` with another cross-power, gain or γ²."""

    def mistaken(y, z, mean):
        of_y, of_z = mean(y.abs().square()), mean(z.abs().square())
        cross = mean(y * z.conj()) if both is None else both(y, z, mean)
        right_gain, right_share = cross / of_z, cross.abs().square() / (of_y * of_z)
        return (
            right_gain if gain is None else gain(cross, of_y, of_z),
            right_share if share is None else share(cross, of_y, of_z),
        )

    return mistaken


coherent = Exercise(
    "frequency_lab",
    "coherent",
    coherence.coherent,
    _draw_waves,
    {
        "it is Y that is conjugated: then H₁ turns waves the wrong way; conjugate Z": (
            _coherent(both=lambda y, z, mean: mean(y.conj() * z))
        ),
        "nothing is conjugated: the angles of Y and Z then add up instead of cancelling": (
            _coherent(both=lambda y, z, mean: mean(y * z))
        ),
        "the absolute value is taken before the mean: what has nothing to do with Z cancels in a "
        "mean of complex numbers only": _coherent(
            both=lambda y, z, mean: mean((y * z.conj()).abs())
        ),
        "the gain is divided by E|Y|²: divide by E|Z|², what was put in": (
            _coherent(gain=lambda cross, of_y, of_z: cross / of_y)
        ),
        "the gain is the ratio of amplitudes, which does not ask what came from Z": (
            _coherent(gain=lambda cross, of_y, of_z: (of_y / of_z).sqrt())
        ),
        "the gain has lost its angle: H₁ is complex": (
            _coherent(gain=lambda cross, of_y, of_z: cross.abs() / of_z)
        ),
        "γ² is not squared above": (
            _coherent(share=lambda cross, of_y, of_z: cross.abs() / (of_y * of_z))
        ),
        "that is γ, not γ²": (
            _coherent(share=lambda cross, of_y, of_z: cross.abs() / (of_y * of_z).sqrt())
        ),
        "γ² is divided by E|Z|² alone: by the product of both powers": (
            _coherent(share=lambda cross, of_y, of_z: cross.abs().square() / of_z)
        ),
        "the two have changed places: H₁ first, then γ²": (
            lambda y, z, mean: coherence.coherent(y, z, mean)[::-1]
        ),
        "the mean is taken of the ratio Y / Z: take means above and below before you divide": (
            lambda y, z, mean: (mean(y / z), coherence.coherent(y, z, mean)[1])
        ),
        "γ² is computed of each number by itself, where it is always 1: take the means first": (
            lambda y, z, mean: (
                coherence.coherent(y, z, mean)[0],
                mean((y * z.conj()).abs().square() / (y.abs() * z.abs()).square()),
            )
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


fold = Exercise(
    "frequency_lab",
    "fold",
    footprint.fold,
    _draw_jumps,
    {
        "rows and columns are cut into the wrong pieces: the window's own axis comes last, (h i)": (
            _folded("b (i h) (j w) -> b i j")
        ),
        "rows are cut rightly, and columns into the wrong pieces: write (w j)": (
            _folded("b (h i) (j w) -> b i j")
        ),
        "columns are cut rightly, and rows into the wrong pieces: write (h i)": (
            _folded("b (i h) (w j) -> b i j")
        ),
        "rows and columns of the window have changed places": _folded("b (h i) (w j) -> b j i"),
        "that is the sum over the windows: take the mean": (
            _folded("b (h i) (w j) -> b i j", "sum")
        ),
        "that is the largest of all windows: take the mean": (
            _folded("b (h i) (w j) -> b i j", "max")
        ),
        "that is one number for each window: average over windows, not inside them": (
            _folded("b (h i) (w j) -> b h w")
        ),
        "the images are averaged too: keep the first axis": _folded("b (h i) (w j) -> i j"),
        "reshape alone cuts the image along its lines: rows and columns need axes of their own": (
            _as_if_rows_were_windows
        ),
        "the windows are cut from the right and the bottom: they start at the top left": (
            lambda values, window: footprint.fold(
                values[:, values.shape[1] % window :, values.shape[2] % window :], window
            )
        ),
    },
)
