"""Analytic answers that the instruments are held to, computed here in other ways than there."""

import numpy as np
import pytest

RINGS = 16


def box(u, v):
    return (1 + 2 * np.cos(2 * np.pi * u)) * (1 + 2 * np.cos(2 * np.pi * v)) / 9


def laplacian(u, v):
    return 4 - 2 * np.cos(2 * np.pi * u) - 2 * np.cos(2 * np.pi * v)


# name -> kernel, 3×3, and its real frequency response at (u, v) cycles/pixel
FILTERS = {
    "identity": ([[0, 0, 0], [0, 1, 0], [0, 0, 0]], lambda u, v: np.ones_like(u)),
    "low-pass": ([[1 / 9] * 3] * 3, box),
    "high-pass": ([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], laplacian),
}


@pytest.fixture(params=FILTERS)
def known_filter(request):
    """A kernel, float64 (3, 3), and its frequency response, a function of (u, v)."""
    kernel, formula = FILTERS[request.param]
    return np.array(kernel, dtype=float), formula


@pytest.fixture(scope="session")
def ring_mean():
    """A function that averages a function of (u, v) over each ring of frequency, by integration."""

    def average(function, fine=400):
        middles = (np.arange(fine) + 0.5) / fine / 2
        u, v = np.meshgrid(middles, middles, indexing="ij")  # functions here are even
        ring = (2 * RINGS * np.hypot(u, v)).astype(int)
        return np.array([function(u, v)[ring == number].mean() for number in range(RINGS)])

    return average
