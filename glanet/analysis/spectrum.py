"""Power by frequency, measured so that means, borders and scales are not mistaken for detail.

Frequencies are in cycles/pixel of the given maps. Power is averaged over ``BANDS`` rings of equal
width up to 0.5, the highest frequency along rows and columns. Frequencies beyond 0.5, which only
diagonal waves have, are left out. The rings are the same for maps of any size, so that they can be
compared.
"""

from dataclasses import dataclass

import numpy as np
import torch

from glanet.errors import ArgumentError

BANDS = 16
EDGES = np.linspace(0, 0.5, BANDS + 1)
FREQUENCY = (EDGES[:-1] + EDGES[1:]) / 2  # the middle of each ring
AREA = np.pi * np.diff(EDGES**2)  # of each ring, (cycles/pixel)²
LOW = 0.125  # cycles/pixel: "low" frequencies end here
HIGH = 0.25  # cycles/pixel, half of the highest: "high" frequencies begin here


@dataclass(frozen=True)
class Spectrum:
    """Power by frequency of n images.

    frequency: (BANDS,), cycles/pixel, the middle of each ring. power: (n, BANDS), in the squared
    unit of the maps; white noise of variance 1 has power 1 in every ring.
    """

    frequency: np.ndarray
    power: np.ndarray

    def energy(self, low=0.0, high=0.5) -> np.ndarray:
        """The variance in the rings from ``low`` to ``high`` cycles/pixel: (n,)."""
        inside = (low < self.frequency) & (self.frequency < high)
        return (self.power * AREA)[:, inside].sum(1)

    def high_share(self) -> np.ndarray:
        """The share of the energy above `HIGH`: (n,), 0 to 1; white noise has 3/4."""
        return self.energy(low=HIGH) / self.energy()


@dataclass(frozen=True)
class SumSpectrum:
    """Power by frequency of several summands and of their sum, each of n images.

    parts: {name: Spectrum}, in the given order. together: the Spectrum of the sum.
    """

    parts: dict[str, Spectrum]
    together: Spectrum

    def shares(self, low=0.0, high=0.5) -> dict[str, np.ndarray]:
        """Energy from ``low`` to ``high`` cycles/pixel, divided by that of the sum: {name: (n,)}.

        "cross-terms" come last and are the rest to 1: positive where summands reinforce each other,
        negative where they cancel.
        """
        whole = self.together.energy(low, high)
        shares = {name: part.energy(low, high) / whole for name, part in self.parts.items()}
        return shares | {"cross-terms": 1 - sum(shares.values())}


def hann(size) -> np.ndarray:
    """One period of the Hann window, float64 (size,): 0 at its start, 1 in its middle."""
    return torch.hann_window(size, dtype=torch.float64).numpy()


def waves(tokens):
    """The Fourier transform of each map: (B, H, W, C) -> complex128 (B, H, W, C), in FFT order.

    The spatial mean is subtracted first. Then a periodic Hann window fades the borders out, since
    the transform treats opposite borders as neighbours. The window is divided by the root of its
    mean square, and the transform preserves power (``norm="ortho"``).
    """
    height, width = tokens.shape[1:3]
    window = torch.from_numpy(np.outer(hann(height), hann(width))).to(tokens.device)[..., None]
    window = window / window.square().mean().sqrt()
    maps = tokens.detach().double()
    maps = maps - maps.mean((1, 2), keepdim=True)
    return torch.fft.fft2(maps * window, dim=(1, 2), norm="ortho")


def by_ring(values, bands=BANDS):
    """The mean over each ring of equal frequency: (..., H, W), in FFT order -> (..., bands).

    Raises:
        ArgumentError: a side is too short to have a frequency in each ring.
    """
    sides = values.shape[-2:]
    if min(sides) < 2 * bands:
        raise ArgumentError(f"maps are {tuple(sides)} pixels; expected at least {2 * bands} a side")
    options = {"dtype": torch.float64, "device": values.device}
    rows, columns = (torch.fft.fftfreq(n, **options) for n in sides)
    radius = torch.hypot(rows[:, None], columns)
    # 1e-9: a frequency on the border of two rings belongs to the outer one, whatever the rounding
    ring = (2 * bands * radius + 1e-9).long().clamp(max=bands).flatten()
    sums = values.new_zeros(*values.shape[:-2], bands + 1)
    sums.index_add_(-1, ring, values.flatten(-2))
    return (sums / torch.bincount(ring, minlength=bands + 1))[..., :bands]


def power_map(image) -> np.ndarray:
    """The power of each frequency of an image, averaged over its channels.

    image: (H, W, C), any unit. Returns float (H, W) in that unit squared, in the order of
    `numpy.fft.fft2`, with frequency 0 in the corner. White noise has its variance at every
    frequency.
    """
    return waves(torch.from_numpy(image)[None])[0].abs().square().mean(-1).numpy()


def by_radius(power, bins=2 * BANDS) -> tuple[np.ndarray, np.ndarray]:
    """`by_ring` of a `power_map` (H, W), with the frequency in the middle of each ring: (bins,).

    H and W are at least 2 · bins.
    """
    middles = (np.arange(bins) + 0.5) / (2 * bins)
    return middles, by_ring(torch.from_numpy(power), bins).numpy()


def cross_power(ours, theirs):
    """E[A conj B] over rings and channels, of two `waves` (B, H, W, C): real, (B, BANDS).

    The result is real, since the imaginary parts of a frequency and of its negative cancel.
    """
    return by_ring((ours * theirs.conj()).real.mean(-1))


def power_spectrum(tokens) -> Spectrum:
    """Power by frequency, averaged over channels, of maps (B, H, W, C); sides at least 2 · BANDS.

    The power itself is averaged, not its logarithm. It is not divided by the power at frequency 0,
    so a constant added to a map changes nothing.
    """
    transformed = waves(tokens)
    return Spectrum(FREQUENCY, cross_power(transformed, transformed).cpu().numpy())


def sum_spectrum(parts) -> SumSpectrum:
    """Power of summands and of their sum, from {name: maps (B, H, W, C)}, all of one shape."""
    together = sum(part.double() for part in parts.values())  # float32 would round the sum
    spectra = {name: power_spectrum(part) for name, part in parts.items()}
    return SumSpectrum(spectra, power_spectrum(together))


def decibels(power) -> np.ndarray:
    """10 log10 of a ratio of powers: 0 is equal, −10 a tenth, +3 about twice."""
    return 10 * np.log10(np.asarray(power))


def lean(power) -> np.ndarray:
    """How much power favours high frequencies: (..., BANDS) -> dB (...).

    Mean power above `HIGH` over mean power below, weighted by the area of the rings; 0 for white
    noise.
    """
    power, high = np.asarray(power), FREQUENCY > HIGH
    above, below = (
        np.average(power[..., rings], axis=-1, weights=AREA[rings]) for rings in (high, ~high)
    )
    return decibels(above / below)
