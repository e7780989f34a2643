"""The error of enlarged images by frequency."""

from dataclasses import dataclass

import numpy as np
import torch

from glanet.analysis.spectrum import FREQUENCY, decibels, power_spectrum
from glanet.evaluation.metrics import rgb_to_y


@dataclass(frozen=True)
class ErrorSpectrum:
    """The error of n enlarged images on luma, by frequency in cycles per HR pixel.

    frequency: (BANDS,). error: (n, BANDS), power of SR − HR over power of HR: 0 is perfect, 1 as
    bad as plain grey. power: (n, BANDS), power of SR over power of HR: below 1, SR is too soft.
    """

    frequency: np.ndarray
    error: np.ndarray
    power: np.ndarray

    def gain_over(self, other) -> np.ndarray:
        """How many dB smaller this error is than that of ``other``: (n, BANDS)."""
        return decibels(other.error / self.error)


def error_spectrum(sr, hr, border) -> ErrorSpectrum:
    """Error by frequency of enlarged images against the originals, both uint8 (n, H, W, 3).

    It is measured on Y, with ``border`` pixels cut from each side, like PSNR.
    """
    sr, hr = (
        torch.from_numpy(np.stack([rgb_to_y(image) for image in images]))[..., None]
        for images in (sr, hr)
    )
    inside = slice(border, -border or None)
    sr, hr = sr[:, inside, inside], hr[:, inside, inside]
    original = power_spectrum(hr).power
    return ErrorSpectrum(
        FREQUENCY, power_spectrum(sr - hr).power / original, power_spectrum(sr).power / original
    )
