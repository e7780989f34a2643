"""Where, by frequency, an enlargement is wrong."""

from dataclasses import dataclass

import numpy as np
import torch

from glanet.analysis.spectrum import FREQUENCY, decibels, power_spectrum
from glanet.evaluation.metrics import rgb_to_y


@dataclass(frozen=True)
class ErrorSpectrum:
    """The error of n enlargements on luma, by frequency in cycles per HR pixel.

    frequency: (BANDS,). error: (n, BANDS), power of SR − HR over power of HR: 0 is perfect, 1 as
    bad as grey. power: (n, BANDS), power of SR over power of HR: below 1 there is too little.
    """

    frequency: np.ndarray
    error: np.ndarray
    power: np.ndarray

    def gain_over(self, other) -> np.ndarray:
        """By how many dB the error is smaller than another's: (n, BANDS)."""
        return decibels(other.error / self.error)


def error_spectrum(sr, hr, border) -> ErrorSpectrum:
    """Error by frequency of uint8 images (n, H, W, 3) against the originals.

    On Y, with ``border`` pixels cut from each side, as PSNR is measured.
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
