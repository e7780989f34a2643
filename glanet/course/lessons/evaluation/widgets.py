"""A menu of photographs, and a square to drag over them."""

import base64
import json
from importlib.resources import files
from uuid import uuid4

from IPython.display import HTML
from ipywidgets import Dropdown, IntSlider

from glanet.course.kit.explore import explore, png
from glanet.course.lessons.evaluation.figures import extreme_squares
from glanet.evaluation.metrics import rgb_to_y

# The square is dragged in the browser: a Figure would need the kernel for each step of the pointer.
SCRIPT = files(__package__).joinpath("evaluation.js").read_text(encoding="utf-8")
PAGE = """
<div id="PAGE_ID" style="display: flex; flex-wrap: wrap; gap: 12px; padding: 8px; background: white;
  color: #222; font: 13px Helvetica, Arial, sans-serif"></div>
<script>
PAGE_SCRIPT</script>
"""


def explore_crops(photos, *, side=48):
    """A photograph with a square to drag, and beside it each method's crop of that square.

    Below each crop is its PSNR on Y. The square starts where the last method gains most over the
    first; `figures.compared` shows that without a kernel.

    Args:
        photos: maps names to (HR image, {method: image}), all uint8 (H, W, 3), with two methods or
            more.
        side: of the square, in pixels.
    """
    smallest = min(min(hr.shape[:2]) for hr, _ in photos.values())
    return explore(
        lambda photo, side: HTML(crops_page(*photos[photo], side=side)),
        photo=Dropdown(options=list(photos), description="photograph"),
        side=IntSlider(side, 16, min(128, smallest), description="side", continuous_update=False),
    )


def crops_page(hr, images, *, side):
    """The page of one photograph, as HTML that needs no other file.

    ``hr`` and the values of ``images``, {method: image} with two methods or more, are uint8
    (H, W, 3). ``side`` is that of the square, in pixels.
    """
    first, *_, last = images.values()
    data = {
        "height": hr.shape[0],
        "width": hr.shape[1],
        "side": side,
        "start": extreme_squares(hr, last, first, side=side)[0],
        "images": [{"name": "HR", "png": _url(hr), "errors": ""}],
    }
    for name, image in images.items():
        errors = (rgb_to_y(image) - rgb_to_y(hr)) ** 2
        text = base64.b64encode(errors.astype("<f4").tobytes()).decode()
        data["images"].append({"name": name, "png": _url(image), "errors": text})
    page = PAGE.replace("PAGE_SCRIPT", SCRIPT).replace("PAGE_ID", f"crops-{uuid4().hex}")
    return page.replace("PAGE_DATA", json.dumps(data))


def _url(image):
    """The image as a data URL."""
    return "data:image/png;base64," + base64.b64encode(png(image)).decode()
