"""A button that takes a photograph, and gives it back enlarged."""

import base64
import os
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import skimage.data
from ipywidgets import HTML, FileUpload, FloatProgress, HBox, VBox

from glanet.analysis.compare import place_of_most
from glanet.course.kit.photo import before_after
from glanet.data.degradation import resize_to
from glanet.data.formats import READABLE, format_of
from glanet.data.images import read_rgb, write_image
from glanet.device import choose_device
from glanet.inference.batch import FAILED, SKIPPED, pixels, plan, upscale_all
from glanet.inference.photo import Enlarger
from glanet.weights import load

LARGEST = 16_000_000  # pixels: the result goes through the page in the browser, four times as large
SIDE = 240  # pixels of the result, side of the square under the slider
TILE = 200  # LR pixels: small enough that progress shows
ROCKET = slice(171, 427), slice(230, 486)  # rows and columns: few pixels, enlarged in a moment


class EnlargeYours(VBox):
    """A button for a photograph, progress, a link to the result, and a slider over a detail.

    Left of the slider's handle is what bicubic interpolation makes of the square with most detail,
    right of it what the network does. Until a file comes, the photograph is one of scikit-image's.
    """

    def __init__(self, weights="tiny-x2"):
        self.name = weights
        self.enlarger = Enlarger(load(weights).to(choose_device()), tile=TILE)
        self.button = FileUpload(
            accept=",".join(("image/*", *READABLE)),
            description="Choose a photograph",
            tooltip="",
            layout={"width": "auto", "flex": "0 0 auto"},
        )
        self.bar = FloatProgress(max=1.0, layout={"visibility": "hidden"})
        self.said, self.picture = HTML(), HTML()
        super().__init__([HBox([self.button, self.bar]), self.said, self.picture])
        with TemporaryDirectory() as folder:
            path = Path(folder, "rocket.png")
            write_image(path, skimage.data.rocket()[ROCKET])
            self.enlarge(path)
        self.button.observe(self._take, "value")

    def _take(self, change):
        for file in change["new"]:
            with TemporaryDirectory() as folder:
                path = Path(folder, Path(file["name"]).name or "photograph")
                path.write_bytes(file["content"])
                self.enlarge(path)

    def enlarge(self, path):
        """Show what becomes of the image file ``path``; errors are sentences."""
        self.picture.value = ""
        (outcome,) = plan([path], label=f"-x{self.enlarger.scale}")
        if (size := pixels(outcome)) > LARGEST:
            return self._fail(
                f"{path.name}: {size / 1e6:.3g} million pixels; expected {LARGEST / 1e6:g} "
                f"million at most. Use a terminal: glanet upscale {path.name}"
            )
        self.bar.value, self.bar.layout.visibility = 0.0, "visible"
        try:
            (outcome,) = upscale_all([outcome], self.enlarger, self)
        finally:
            self.bar.layout.visibility = "hidden"
        if outcome.state in (FAILED, SKIPPED):
            return self._fail(outcome.reason.replace(f"{path.parent}{os.sep}", ""))
        self._show(path, outcome)

    def begin(self, outcome):
        """A photograph is read."""
        self.said.value = f"<p role='status'>Enlarging {escape(outcome.source.name)} …</p>"

    def tiles(self, done, total):
        """So many of its tiles are done."""
        self.bar.value = done / total

    def _fail(self, reason):
        self.said.value = f"<p role='alert'>{escape(reason)}</p>"

    def _show(self, path, outcome):
        content = outcome.target.read_bytes()
        kind = format_of(outcome.target).name.lower()
        name = escape(outcome.target.name)
        self.said.value = (
            f"<p role='status'><a download='{name}' href='data:image/{kind};base64,"
            f"{base64.b64encode(content).decode()}'>Save {name}</a>: "
            f"{outcome.width} × {outcome.height} pixels, {len(content) / 1e6:.1f} MB"
            f"{''.join(f'; {escape(note)}' for note in outcome.notes)}</p>"
        )
        scale, lr, sr = self.enlarger.scale, read_rgb(path), read_rgb(outcome.target)
        square = place_of_most(_detail(lr), SIDE // scale)
        rows, columns = (slice(scale * part.start, scale * part.stop) for part in square)
        sr = sr[rows, columns]
        bicubic = resize_to(lr[square], *sr.shape[:2])
        images = {"bicubic interpolation": bicubic, f"GLA-Net, {self.name}": sr}
        self.picture.value = before_after(images, top=0, left=0, side=len(sr)).data


def _detail(image):
    """How much each pixel differs from its neighbours above and to the left: (H, W)."""
    values = image.astype(np.int16)
    return sum(np.abs(values - np.roll(values, 1, axis)).sum(axis=2) for axis in (0, 1))
