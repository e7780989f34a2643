"""Power by frequency, measured so that means, borders and scales cannot pass for detail.

Frequencies are in cycles/pixel of the maps that are given. Directions are averaged out over
``BANDS`` rings of equal width up to 0.5, the finest that rows and columns can carry; what only
slanting waves have, beyond 0.5, is left out. The grid is the same for all, so that maps of any size
can be compared.
"""

from dataclasses import dataclass

import numpy as np
import torch

from glanet.errors import ArgumentError

BANDS = 16
EDGES = np.linspace(0, 0.5, BANDS + 1)
FREQUENCY = (EDGES[:-1] + EDGES[1:]) / 2  # the middle of each ring
AREA = np.pi * np.diff(EDGES**2)  # of each ring, (cycles/pixel)²
HIGH = 0.25  # cycles/pixel, half of the finest: where "high" begins


@dataclass(frozen=True)
class Spectrum:
    """Power by frequency of n images.

    frequency: (BANDS,), cycles/pixel, the middle of each ring. power: (n, BANDS), the unit of the
    maps squared; white noise of variance 1 has 1 everywhere.
    """

    frequency: np.ndarray
    power: np.ndarray

    def energy(self, low=0.0, high=0.5) -> np.ndarray:
        """The variance that the rings from ``low`` to ``high`` cycles/pixel carry: (n,)."""
        inside = (low < self.frequency) & (self.frequency < high)
        return (self.power * AREA)[:, inside].sum(1)

    def high_share(self) -> np.ndarray:
        """The share of the energy above `HIGH`: (n,), 0 to 1; white noise has 3/4."""
        return self.energy(low=HIGH) / self.energy()


@dataclass(frozen=True)
class SumSpectrum:
    """Power by frequency of several summands and of their sum, each of n images.

    parts: {name: Spectrum}, in the order given. together: the Spectrum of the sum.
    """

    parts: dict[str, Spectrum]
    together: Spectrum

    def shares(self, low=0.0, high=0.5) -> dict[str, np.ndarray]:
        """Energy from ``low`` to ``high`` cycles/pixel over that of the sum: {name: (n,)}.

        "cross-terms" come last and make up the rest to 1: above 0 where summands agree, below
        where they cancel each other.
        """
        whole = self.together.energy(low, high)
        shares = {name: part.energy(low, high) / whole for name, part in self.parts.items()}
        return shares | {"cross-terms": 1 - sum(shares.values())}


@dataclass(frozen=True)
class Band:
    """A mean, and where bootstrap puts it 95 times in 100; each of the shape of one sample."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def waves(tokens):
    """The Fourier transform of each map: (B, H, W, C) -> complex128 (B, H, W, C), in FFT order.

    The spatial mean is taken away; a periodic Hann window, divided by the root of its mean square,
    fades the map out, since a transform takes opposite borders for neighbours; nothing else is
    scaled (``norm="ortho"``).
    """
    options = {"dtype": torch.float64, "device": tokens.device}
    rows, columns = (torch.hann_window(n, **options) for n in tokens.shape[1:3])
    window = torch.outer(rows, columns)[..., None]
    window = window / window.square().mean().sqrt()
    maps = tokens.detach().double()
    maps = maps - maps.mean((1, 2), keepdim=True)
    return torch.fft.fft2(maps * window, dim=(1, 2), norm="ortho")


def by_ring(values, bands=BANDS):
    """The mean over each ring of equal frequency: (..., H, W), in FFT order -> (..., bands).

    Raises:
        ArgumentError: a side is too short for one frequency in each ring.
    """
    sides = values.shape[-2:]
    if min(sides) < 2 * bands:
        raise ArgumentError(f"maps are {tuple(sides)} pixels; expected at least {2 * bands} a side")
    options = {"dtype": torch.float64, "device": values.device}
    rows, columns = (torch.fft.fftfreq(n, **options) for n in sides)
    radius = torch.hypot(rows[:, None], columns)
    # 1e-9: a frequency on the edge of two rings belongs to the upper, whatever the rounding
    ring = (2 * bands * radius + 1e-9).long().clamp(max=bands).flatten()
    sums = values.new_zeros(*values.shape[:-2], bands + 1)
    sums.index_add_(-1, ring, values.flatten(-2))
    return (sums / torch.bincount(ring, minlength=bands + 1))[..., :bands]


def cross_power(ours, theirs):
    """E[A conj B] over rings and channels, of two `waves` (B, H, W, C): real, (B, BANDS).

    The imaginary parts of a frequency and of its opposite cancel.
    """
    return by_ring((ours * theirs.conj()).real.mean(-1))


def power_spectrum(tokens) -> Spectrum:
    """Power by frequency, averaged over channels: maps (B, H, W, C), at least 2 · BANDS a side.

    No logarithm is taken before everything is averaged, and nothing is divided by what stands at
    frequency 0: a constant added to a map changes nothing.
    """
    transformed = waves(tokens)
    return Spectrum(FREQUENCY, cross_power(transformed, transformed).cpu().numpy())


def sum_spectrum(parts) -> SumSpectrum:
    """Power of summands and of their sum: {name: maps (B, H, W, C)}, all of one shape."""
    together = sum(part.double() for part in parts.values())  # in float32 the sum would round
    spectra = {name: power_spectrum(part) for name, part in parts.items()}
    return SumSpectrum(spectra, power_spectrum(together))


def bootstrap(samples, draws=2000) -> Band:
    """The mean over the first axis, and where it may lie: n images drawn n times, with repetition.

    The draws are the same each time. Take logarithms before, where samples differ by factors.
    """
    samples = np.asarray(samples)
    chosen = np.random.default_rng(0).integers(len(samples), size=(draws, len(samples)))
    low, high = np.quantile(samples[chosen].mean(1), (0.025, 0.975), axis=0)
    return Band(samples.mean(0), low, high)


def decibels(power) -> np.ndarray:
    """10 log10 of a ratio of powers: 0 is the same, −10 a tenth, +3 twice."""
    return 10 * np.log10(np.asarray(power))


def lean(power) -> np.ndarray:
    """How far power leans to high frequencies: (..., BANDS) -> dB (...).

    Mean power per frequency above `HIGH` over that below, both over areas; white noise has 0.
    """
    power, high = np.asarray(power), FREQUENCY > HIGH
    above, below = (
        np.average(power[..., rings], axis=-1, weights=AREA[rings]) for rings in (high, ~high)
    )
    return decibels(above / below)
