"""The grid that windows leave: jumps from pixel to pixel, by their position in a window."""

from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange, reduce


@dataclass(frozen=True)
class Footprint:
    """Jumps between neighbouring pixels, ``|∂x|``, of n images, by their position in a window.

    across: (n, window); entry i is the jump from column i of a window to column i + 1 (the last
    one: into the next window), divided by the mean of all entries. Without a grid, all are 1.
    down: the same for rows. folded: (window, window), across and down together by row and column,
    mean over images, also divided by its mean. frequency: (F,), cycles/pixel. comb: (n, F), the
    power spectrum of the jumps along a row, divided by its mean; a grid has peaks at multiples of
    1 / window.
    """

    across: np.ndarray
    down: np.ndarray
    folded: np.ndarray
    frequency: np.ndarray
    comb: np.ndarray

    def contrast(self) -> np.ndarray:
        """The largest entry of the mean of across and down: (n,); 1 without a grid."""
        return ((self.across + self.down) / 2).max(1)


def jumps(tokens):
    """``|x[i, j+1] − x[i, j]|`` and ``|x[i+1, j] − x[i, j]|``.

    Both are means over the channels, (B, H−1, W−1).
    """
    tokens = tokens.detach().double()
    across = tokens[:, :-1, 1:] - tokens[:, :-1, :-1]
    down = tokens[:, 1:, :-1] - tokens[:, :-1, :-1]
    return across.abs().mean(-1), down.abs().mean(-1)


def fold(values, window):
    """The mean over all whole windows: (B, H, W) -> (B, window, window)."""
    height, width = (n // window * window for n in values.shape[1:])
    whole = values[:, :height, :width]
    return reduce(whole, "b (h i) (w j) -> b i j", "mean", i=window, j=window)


def footprint(tokens, window) -> Footprint:
    """The grid of period ``window`` in maps (B, H, W, C) of at least two windows per side."""
    across, down = jumps(tokens)
    profile = across.mean(1)  # (B, W - 1)
    profile = profile[:, : profile.shape[1] // window * window]  # 1 / window becomes a frequency
    profile = profile - profile.mean(1, keepdim=True)
    taper = torch.hann_window(profile.shape[1], dtype=profile.dtype, device=profile.device)
    comb = torch.fft.rfft(profile * taper).abs().square()[:, 1:]
    frequency = torch.fft.rfftfreq(profile.shape[1], dtype=profile.dtype)[1:]
    across, down = fold(across, window), fold(down, window)
    return Footprint(
        across=_over_mean(across.mean(1)),
        down=_over_mean(down.mean(2)),
        folded=_over_mean(rearrange(across + down, "b i j -> b (i j)")).mean(0).reshape(window, -1),
        frequency=frequency.numpy(),
        comb=_over_mean(comb),
    )


def _over_mean(values):
    return (values / values.mean(1, keepdim=True)).cpu().numpy()
