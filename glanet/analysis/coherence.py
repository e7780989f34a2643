"""Attention as a filter: what it passes on of its values, apart from what it makes up.

Beside a filter's answer, attention puts out much that is no filter's. With every window it starts
anew, and the steps between windows are power at multiples of 1/8 cycle/pixel. A ratio of amplitudes
counts that as passed.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from glanet.analysis.spectrum import FREQUENCY, by_ring, waves

NEIGHBOURS = 3  # frequencies a side that share one expectation


@dataclass(frozen=True)
class Coherence:
    """What of Z is found in Y by frequency; no units.

    frequency: (BANDS,), cycles/pixel. coherence: (BANDS,), γ²: the share of the power of Y that a
    filter makes of Z, one filter for each channel, 0 to 1. naive: (BANDS,), the ratio of amplitudes
    √(E|Y|² / E|Z|²), which does not ask whether what is in Y came from Z.
    """

    frequency: np.ndarray
    coherence: np.ndarray
    naive: np.ndarray

    @property
    def gain(self) -> np.ndarray:
        """|H₁|, the coherent gain: the factor by which that filter multiplies amplitudes."""
        return self.naive * np.sqrt(self.coherence)


def coherent(y, z, mean):
    """H₁ = E[Y conj Z] / E|Z|² and γ² = |E[Y conj Z]|² / (E|Y|² E|Z|²) of Fourier transforms.

    ``mean`` takes the expectation E, for instance over the first axis.
    """
    both, of_y, of_z = mean(y * z.conj()), mean(y.abs().square()), mean(z.abs().square())
    return both / of_z, both.abs().square() / (of_y * of_z)


def coherence(y, z) -> Coherence:
    """Coherence and coherent gain of maps Y with maps Z, both (B, H, W, C).

    E is the mean over the images and over 3×3 neighbouring frequencies, for each channel by itself:
    narrow enough that a filter may turn waves or move them by a few pixels without a loss. Over so
    few, some coherence comes out by chance; as much as comes out with Z turned upside down, which
    has the same power and nothing to do with Y, is taken away.
    """
    upside_down = waves(z.flip(1, 2))
    y, z = waves(y), waves(z)
    of_y, of_z = (_over_channels(_expectation(part.abs().square())) for part in (y, z))
    share, by_chance = (_coherent_power(y, other) / of_y for other in (z, upside_down))
    share = ((share - by_chance) / (1 - by_chance)).clamp(min=0)
    return Coherence(FREQUENCY, share.numpy(), (of_y / of_z).sqrt().numpy())


def _coherent_power(y, z):
    """The power of Y that a filter makes of Z: (BANDS,)."""
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
    """Z: what window attention gives where each pixel attends to itself alone, (B, H, W, C).

    That is its value and output matrices and nothing else.
    """
    channels = tokens.shape[-1]
    weight, bias = attention.qkv.weight[2 * channels :], attention.qkv.bias[2 * channels :]
    with torch.no_grad():
        return attention.proj(F.linear(tokens, weight, bias))
