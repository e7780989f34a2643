"""The share of high frequencies in the tokens, from layer to layer."""

from dataclasses import dataclass

import numpy as np
import torch

from glanet.analysis.spectrum import power_spectrum


@dataclass(frozen=True)
class Trajectory:
    """The share of high frequencies in the tokens of each stage, for n images.

    stages: their names, in order. high: (n, stages), the share of the energy above 0.25
    cycles/pixel, 0 to 1. over_dc: (n, stages), the natural logarithm of the amplitude of the finest
    wave over that of frequency 0, as in Park and Kim (ICLR 2022). It serves as a counterexample: it
    changes when a constant is added to the tokens.
    """

    stages: tuple[str, ...]
    high: np.ndarray
    over_dc: np.ndarray


def trajectory(maps) -> Trajectory:
    """The `Trajectory` of the tokens of each stage, {stage: (B, H, W, C)}; see `probes.stages`."""
    return Trajectory(
        tuple(maps),
        np.stack([power_spectrum(tokens).high_share() for tokens in maps.values()], axis=1),
        np.stack([log_amplitude_over_dc(tokens) for tokens in maps.values()], axis=1),
    )


def log_amplitude_over_dc(tokens):
    """``log |F|`` at (0.5, 0.5) cycles/pixel minus ``log |F|`` at 0: (B, H, W, C) -> (B,).

    The logarithms are averaged over channels. The spatial mean is not subtracted, and there is no
    window.
    """
    amplitude = torch.fft.fft2(tokens.detach().double(), dim=(1, 2)).abs().log().mean(-1)
    height, width = tokens.shape[1:3]
    return (amplitude[:, height // 2, width // 2] - amplitude[:, 0, 0]).cpu().numpy()
