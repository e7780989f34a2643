"""The benchmark: a method's PSNR and SSIM on a set of images, by the protocol of the papers.

MATLAB's bicubic makes the LR images from the HR images. The result is bit-identical to the
published LR files, so a benchmark needs HR images only. Other degradations are for networks that
were trained with them.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from glanet.data import degradations
from glanet.data.degradation import modcrop
from glanet.data.degradations import BICUBIC
from glanet.data.images import find_images, image_size, read_image, read_rgb
from glanet.errors import ArgumentError, GlanetError
from glanet.evaluation.metrics import psnr_y, ssim_y
from glanet.evaluation.published import published


class BenchmarkError(GlanetError, ValueError):
    """A benchmark that cannot be run; the message names the files and says what to do."""


@dataclass(frozen=True)
class Score:
    """One image's PSNR and SSIM on Y, and the time of its upscaling."""

    set: str
    image: str  # file name without its ending
    psnr_y: float  # dB; inf for identical images
    ssim_y: float
    seconds: float | None = None  # None where somebody else made the image
    tile: int | None = None  # side in LR pixels; None for the whole image at once
    cut_at: int | None = None  # LR pixels at which quadrants were cut again; None: no quadrants
    degradation: str = BICUBIC  # what made the LR image


def evaluate(
    upscaler: Callable[[np.ndarray], tuple[np.ndarray, int | None]],
    set_name: str,
    hr_images: Iterable[Path],
    scale: int,
    cut_at: int | None = None,
    degradation: str = BICUBIC,
) -> Iterator[Score]:
    """Yield the Score of each image, in order.

    Args:
        upscaler: LR image, uint8 (h, w, 3) -> SR image, uint8 (scale·h, scale·w, 3), and the side
            of the tiles used, or None for the whole image.
        cut_at: LR pixels at which ``upscaler`` cuts quadrants again; None if it cuts none.
        degradation: how LR images are made, a name of `degradations.find`; its random numbers
            depend on the place of an image only.

    Raises:
        ArgumentError: no such degradation.
        BenchmarkError: an image is too small for the protocol.
    """
    degrade = degradations.find(degradation, scale)
    for number, path in enumerate(hr_images):
        with _naming(path):
            hr = modcrop(read_rgb(path), scale)
            lr = degrade(np.random.default_rng([0, number]), hr)
        started = time.perf_counter()
        sr, tile = upscaler(lr)
        seconds = time.perf_counter() - started
        yield _score(set_name, path, sr, hr, scale, seconds, tile, cut_at, degradation)


def evaluate_folder(
    folder: Path, set_name: str, hr_images: Iterable[Path], scale: int
) -> Iterator[Score]:
    """Yield the Score of each image that another method wrote into ``folder``.

    The call itself checks the pairs and sizes of all images, before the first is scored.

    Raises:
        BenchmarkError: an HR image without its output, or with several; an output of another size;
            while scoring, an output with transparent pixels.
    """
    pairs = _pair_outputs(folder, hr_images, scale)

    def scores():
        for output, path in pairs:
            with _naming(path):
                hr = modcrop(read_rgb(path), scale)
            yield _score(set_name, path, _opaque(output), hr, scale)

    return scores()


def _pair_outputs(folder: Path, hr_images: Iterable[Path], scale: int) -> list[tuple[Path, Path]]:
    """(output, HR image) for every HR image, matched by name as ``fitting_outputs`` does.

    Raises:
        BenchmarkError: an HR image without its output, or with several; an output of another size.
    """
    outputs = find_images(folder)
    pairs, problems = [], []
    for path in hr_images:
        found = [out for out in outputs if fitting_outputs(path.stem, [out.stem], scale)]
        if len(found) != 1:
            names = " and ".join(output.name for output in found) or "none"
            problems.append(f"for {path.name} there is {names}")
            continue
        size, expected = image_size(found[0]), tuple(s - s % scale for s in image_size(path))
        if size != expected:
            problems.append(f"{found[0].name} is {_pixels(size)}, expected {_pixels(expected)}")
        pairs.append((found[0], path))
    if problems:
        more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise BenchmarkError(
            f"{folder}: expected one output for each HR image at ×{scale}: "
            f"{'; '.join(problems[:5])}{more}. "
            f"Name each output NAME.png or NAMEx{scale}.png, and check the scale."
        )
    return pairs


def fitting_outputs(name: str, outputs: Iterable[str], scale: int) -> list[str]:
    """Those of ``outputs`` that belong to the HR image ``name``; all names without an ending.

    An output is named NAME or NAMExSCALE, and may have a suffix that starts with an underscore:
    ``babyx2_SwinIR``.
    """
    heads = (name, f"{name}x{scale}")
    return [out for out in outputs if any(out == h or out.startswith(f"{h}_") for h in heads)]


def _pixels(size):
    height, width = size
    return f"{width} × {height} pixels"


@contextmanager
def _naming(path):
    """Errors within it name the image, which may be too small for the protocol."""
    try:
        yield
    except ArgumentError as error:
        raise BenchmarkError(f"{path}: {error}. Leave it out.") from error


def _opaque(path):
    """The colours of an image without transparency, which a score would ignore."""
    image = read_image(path)
    if image.alpha is not None and (image.alpha < 255).any():
        raise BenchmarkError(
            f"{path}: has transparent pixels, which PSNR and SSIM do not see. Save it without an "
            "alpha channel."
        )
    return image.rgb


def _score(set_name, path, sr, hr, scale, *measured_here):
    with _naming(path):
        psnr, ssim = psnr_y(sr, hr, scale), ssim_y(sr, hr, scale)
    return Score(set_name, path.stem, psnr, ssim, *measured_here)


def mean_scores(scores: Iterable[Score]) -> dict[str, tuple[float, float]]:
    """{set: (PSNR in dB, SSIM)}: means over the images of each set, sets in order."""
    by_set = {}
    for score in scores:
        by_set.setdefault(score.set, []).append((score.psnr_y, score.ssim_y))
    return {name: tuple(np.mean(pairs, axis=0).tolist()) for name, pairs in by_set.items()}


def document(scores: Iterable[Score], scale: int, label: str) -> dict:
    """The scores and their means by set, as plain values for JSON.

    JSON has no infinity: the PSNR of identical images becomes None.
    """
    scores = list(scores)
    return {
        "method": label,
        "scale": scale,
        "protocol": f"PSNR (dB) and SSIM on Y, {scale} pixels cut from each side; "
        "null: the PSNR is infinite, as the images are identical. "
        + " ".join(filter(None, (_degrading(scores), _cutting(scores)))),
        "means": {
            name: {"psnr_y": _finite(psnr), "ssim_y": ssim}
            for name, (psnr, ssim) in mean_scores(scores).items()
        },
        "images": [{**asdict(score), "psnr_y": _finite(score.psnr_y)} for score in scores],
    }


def _degrading(scores):
    """How the LR images were made, if not as the protocol of the papers makes them; else ""."""
    others = sorted({score.degradation for score in scores} - {BICUBIC})
    if not others:
        return ""
    return f"LR images by {' and '.join(others)}: not comparable with published scores."


def _cutting(scores):
    """Which protocol of `glanet evaluate` the scores follow; "" for another method's images."""
    limits = sorted({score.cut_at for score in scores if score.cut_at is not None})
    if limits:
        pixels = " or ".join(f"{limit:,}" for limit in limits)
        return (
            f"Protocol authors: every image is cut into quadrants, and these again if they have "
            f"{pixels} LR pixels or more."
        )
    if any(score.seconds is not None for score in scores):
        return "Protocol whole: no image is cut into quadrants."
    return ""


def _finite(value):
    return value if math.isfinite(value) else None


def table(scores: Iterable[Score], scale: int, label: str, *, with_published: bool = False) -> str:
    """The scores as a Markdown table, one row for ``label``.

    ``with_published`` adds the rows of ``published`` above it, marked as published.
    """
    scores = list(scores)
    means = mean_scores(scores)
    rows = [("method", "trained on", *means)]
    for method, trained_on, known in published(scale) if with_published else ():
        cells = (_cell(known.get(name)) for name in means)
        rows.append((f"{method} (published)", trained_on, *cells))
    rows.append((label, "measured here", *(_cell(pair) for pair in means.values())))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    notes = [f"×{scale}, PSNR (dB) / SSIM on Y, {scale} pixels cut from each side."]
    notes += filter(None, (_degrading(scores), _cutting(scores)))
    if tiled := [score for score in scores if score.tile]:
        sides = ", ".join(str(tile) for tile in sorted({score.tile for score in tiled}))
        notes.append(
            f"**In tiles** of {sides} LR pixels: {len(tiled)} of {len(scores)} images; "
            "whole images can score higher."
        )
    return "\n".join([*lines, "", *notes])


def _cell(pair):
    return f"{pair[0]:.2f} / {pair[1]:.4f}" if pair else "–"
