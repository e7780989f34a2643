"""Two images beside each other: a detail, their difference, their spectra, and scores.

`figure` draws all of it as one picture, `page` as an HTML page that needs no other file, with a
`slider`.
"""

import base64
import html
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from glanet.analysis.spectrum import power_map
from glanet.data.degradation import resize_to
from glanet.evaluation.metrics import psnr_y, ssim_y

PANEL = 400  # pixels, side of a panel of the figure
DETAIL = 64  # pixels, side of the region that is shown enlarged
SHOWN = 1600  # pixels, longest side of an image on the page
_CAPTION = 20  # pixels
_SPECTRUM = 1024  # pixels, side of the square whose spectrum is taken, at most
_RANGE = 80  # dB from black to white in a spectrum

# keys stop at the handle: JupyterLab would take its arrows for those of the notebook
_SLIDER = """<div class="slider" style="position:relative;max-width:{width}px;line-height:0">
<img src="{before}" alt="{before_name}" style="width:100%;image-rendering:{rendering}">
<img src="{after}" alt="{after_name}" style="position:absolute;inset:0;width:100%;
 image-rendering:{rendering};clip-path:inset(0 0 0 50%)">
<input type="range" min="0" max="100" value="50" aria-label="{before_name} | {after_name}"
 style="position:absolute;inset:auto 0 0 0;width:100%;margin:0"
 onkeydown="event.stopPropagation()"
 oninput="this.previousElementSibling.style.clipPath='inset(0 0 0 '+this.value+'%)'">
</div>
"""
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width">
<style>body{{font-family:sans-serif;margin:1rem;max-width:100rem}}img{{max-width:100%}}</style>
</head><body>
<h1>{title}</h1>
<p>{facts}</p>
{slider}
<p>Left of the handle: {before_name}. Right of it: {after_name}.</p>
<img src="{figure}" alt="Both images, a detail, their difference and their spectra">
</body></html>
"""


@dataclass(frozen=True)
class Comparison:
    """Two images of one size, uint8 (H, W, 3), and what was found. Scores are None where the files
    had different sizes; the smaller one was then resized with MATLAB's bicubic."""

    a: np.ndarray
    b: np.ndarray
    names: tuple[str, str]
    sizes: tuple[tuple[int, int], tuple[int, int]]  # (H, W) of the files
    psnr_y: float | None
    ssim_y: float | None

    def facts(self) -> str:
        """Sizes and scores in one line."""
        parts = [
            f"{name}: {width} × {height} pixels"
            for name, (height, width) in zip(self.names, self.sizes, strict=True)
        ]
        if self.psnr_y is None:
            parts.append("no PSNR and SSIM: the sizes differ")
        else:
            parts.append(f"PSNR {self.psnr_y:.2f} dB on Y")
        if self.ssim_y is not None:
            parts.append(f"SSIM {self.ssim_y:.4f}")
        return "; ".join(parts)


def compare(a: np.ndarray, b: np.ndarray, names: tuple[str, str]) -> Comparison:
    """Compare two images, uint8 (H, W, 3), of any sizes."""
    sizes = a.shape[:2], b.shape[:2]
    psnr = psnr_y(a, b, 0) if sizes[0] == sizes[1] else None
    ssim = ssim_y(a, b, 0) if psnr is not None and min(sizes[0]) >= 11 else None
    height, width = max(sizes)
    if psnr is None:
        a, b = (resize_to(image, height, width) for image in (a, b))
    return Comparison(a, b, names, sizes, psnr, ssim)


def figure(comparison: Comparison) -> Image.Image:
    """Three rows of three panels: the images, a detail and the spectra; of A, of B, and between.

    The detail is where the images differ most.
    """
    a, b = comparison.a, comparison.b
    difference = np.abs(a.astype(int) - b).mean(axis=2)
    gain = max(1.0, 255 / max(np.percentile(difference, 99.9), 1))
    between = (difference * gain).clip(0, 255).astype(np.uint8)
    place = place_of_most(difference, DETAIL)
    a_spectrum, b_spectrum = (_spectrum(image) for image in (a, b))
    a_name, b_name = comparison.names
    rows = [
        [(a, a_name), (b, b_name), (between, f"difference, {gain:.1f} times")],
        [(a[place], "detail"), (b[place], "detail"), (between[place], "detail of the difference")],
        [
            (_shades(a_spectrum, -_RANGE, 0), f"spectrum, {_RANGE} dB"),
            (_shades(b_spectrum, -_RANGE, 0), f"spectrum, {_RANGE} dB"),
            (_shades(b_spectrum - a_spectrum, -20, 20), "second less first, -20 to 20 dB"),
        ],
    ]
    return _sheet(rows)


def place_of_most(values: np.ndarray, side: int) -> tuple[slice, slice]:
    """Rows and columns of the square with the largest sum, of squares that overlap by half.

    ``values``: (H, W). ``side``: of the square, less where the image is smaller.
    """
    height, width = values.shape
    side = min(side, height, width)
    sums = np.pad(values.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    step = max(1, side // 2)
    rows, columns = (np.array([*range(0, n - side, step), n - side]) for n in (height, width))
    tops, lefts = rows[:, None], columns[None]
    inside = sums[tops + side, lefts + side] - sums[tops, lefts + side]
    inside += sums[tops, lefts] - sums[tops + side, lefts]
    row, column = np.unravel_index(inside.argmax(), inside.shape)
    top, left = rows[row], columns[column]
    return slice(top, top + side), slice(left, left + side)


def slider(a: np.ndarray, b: np.ndarray, names: tuple[str, str], width: int | None = None) -> str:
    """HTML of two images on top of each other, with a handle that uncovers one of them.

    Args:
        a, b: uint8 (H, W, 3), of one size
        names: what they are, for readers who do not see them
        width: that the images have on the screen, in pixels, if there is room; default: their own
    """
    a_name, b_name = map(html.escape, names)
    shown = [_shown(image) for image in (a, b)]
    before, after = map(_data_address, shown)
    width = width or max(shown[0].width, 300)
    return _SLIDER.format(
        width=width,
        rendering="pixelated" if width > shown[0].width else "auto",
        before=before,
        after=after,
        before_name=a_name,
        after_name=b_name,
    )


def page(comparison: Comparison) -> str:
    """An HTML page with the slider, the figure and the facts; it loads nothing."""
    a_name, b_name = map(html.escape, comparison.names)
    return _PAGE.format(
        title=f"{a_name} and {b_name}",
        facts=html.escape(comparison.facts()),
        slider=slider(comparison.a, comparison.b, comparison.names),
        before_name=a_name,
        after_name=b_name,
        figure=_data_address(figure(comparison)),
    )


def _spectrum(image):
    """The power of each frequency in dB, 0 for the strongest, frequency 0 in the middle."""
    side = min(*image.shape[:2], _SPECTRUM)
    top, left = ((size - side) // 2 for size in image.shape[:2])
    grey = image[top : top + side, left : left + side].mean(axis=2, keepdims=True)
    power = np.fft.fftshift(power_map(grey))
    return 10 * np.log10(np.maximum(power, 1e-12) / max(power.max(), 1e-12))


def _shades(values, low, high):
    return ((values - low) / (high - low) * 255).clip(0, 255).astype(np.uint8)


def _sheet(rows):
    columns = len(rows[0])
    sheet = Image.new("RGB", (columns * PANEL, len(rows) * (PANEL + _CAPTION)), "white")
    draw = ImageDraw.Draw(sheet)
    for row, panels in enumerate(rows):
        for column, (pixels, caption) in enumerate(panels):
            left, top = column * PANEL, row * (PANEL + _CAPTION)
            image = Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
            grow = PANEL / max(image.size)
            size = [max(1, round(side * grow)) for side in image.size]
            kind = Image.Resampling.NEAREST if grow > 1 else Image.Resampling.BOX
            sheet.paste(image.resize(size, kind), (left, top + _CAPTION))
            draw.text((left + 4, top + 4), caption[: PANEL // 7], fill="black")
    return sheet


def _shown(image):
    picture = Image.fromarray(image)
    picture.thumbnail((SHOWN, SHOWN), Image.Resampling.BOX)
    return picture


def _data_address(image):
    """The image as an address that holds it."""
    content = io.BytesIO()
    image.save(content, "PNG")
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()
