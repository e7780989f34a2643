"""Attention as a linear filter: the part of its output that comes from its values.

The rest of its output comes from no linear filter. Attention treats each window separately, for
example, and the steps between windows have power at multiples of 1/8 cycle/pixel. A ratio of
amplitudes counts that power as if attention had let it through.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from glanet.analysis.spectrum import FREQUENCY, by_ring, waves

NEIGHBOURS = 3  # frequencies per axis that are averaged into one expectation


@dataclass(frozen=True)
class Coherence:
    """How much of Y comes from Z, by frequency; no units.

    frequency: (BANDS,), cycles/pixel. coherence: (BANDS,), γ², 0 to 1: the share of the power of Y
    that a linear filter of Z explains, one filter for each channel. naive: (BANDS,), the ratio of
    amplitudes √(E|Y|² / E|Z|²), which also counts what did not come from Z.
    """

    frequency: np.ndarray
    coherence: np.ndarray
    naive: np.ndarray

    @property
    def gain(self) -> np.ndarray:
        """``|H₁|``, the coherent gain, (BANDS,): that filter scales amplitudes by it."""
        return self.naive * np.sqrt(self.coherence)


def coherent(y, z, mean):
    """``H₁ = E[Y conj Z] / E|Z|²`` and ``γ² = |E[Y conj Z]|² / (E|Y|² E|Z|²)`` of spectra.

    ``mean`` computes the expectation E, for instance over the first axis.
    """
    both, of_y, of_z = mean(y * z.conj()), mean(y.abs().square()), mean(z.abs().square())
    return both / of_z, both.abs().square() / (of_y * of_z)


def coherence(y, z) -> Coherence:
    """Coherence and coherent gain of maps Y with maps Z, both (B, H, W, C).

    E is the mean over the images and over 3×3 neighbouring frequencies, for each channel
    separately. The neighbourhood is so narrow that a filter may change phases, or shift the maps by
    a few pixels, without loss of coherence. Over so few values, some coherence appears by chance.
    Its size is measured with Z upside down, which has the same power but is unrelated to Y, and the
    result is corrected for it.
    """
    upside_down = waves(z.flip(1, 2))
    y, z = waves(y), waves(z)
    of_y, of_z = (_over_channels(_expectation(part.abs().square())) for part in (y, z))
    share, by_chance = (_coherent_power(y, other) / of_y for other in (z, upside_down))
    share = ((share - by_chance) / (1 - by_chance)).clamp(min=0)
    return Coherence(FREQUENCY, share.numpy(), (of_y / of_z).sqrt().numpy())


def unrelated(y, z) -> Coherence:
    """The floor of `coherence` for these maps: each image's Y with the Z of another image.

    Y and Z are (B, H, W, C) of at least two images. They cannot be related, so what is read is
    chance, and what real pairs read below it is nothing. It falls with the number of images.
    """
    return coherence(y, z.roll(1, 0))


def _coherent_power(y, z):
    """The power of Y that a linear filter of Z explains: (BANDS,)."""
    gain, _ = coherent(y, z, _expectation)
    return _over_channels(gain.abs().square() * _expectation(z.abs().square()))


def _over_channels(power):
    return by_ring(power.mean(-1)).cpu()


def _expectation(values):
    """The mean over images and neighbouring frequencies: (B, H, W, C) -> (H, W, C)."""
    values = values.mean(0)
    for axis in (0, 1):
        shifts = range(-(NEIGHBOURS // 2), NEIGHBOURS // 2 + 1)
        values = sum(values.roll(shift, axis) for shift in shifts) / NEIGHBOURS
    return values


def value_path(attention, tokens):
    """Z: the output of window attention if each pixel attends to itself alone, (B, H, W, C).

    It applies the value and output matrices and nothing else.
    """
    channels = tokens.shape[-1]
    weight, bias = attention.qkv.weight[2 * channels :], attention.qkv.bias[2 * channels :]
    with torch.no_grad():
        return attention.proj(F.linear(tokens, weight, bias))
