"""A menu of photographs, and a square that you drag over them."""

import base64
import json
from io import BytesIO
from uuid import uuid4

import numpy as np
from IPython.display import HTML
from ipywidgets import Dropdown, IntSlider
from PIL import Image

from glanet.course.kit.explore import explore
from glanet.course.lessons.evaluation.figures import extreme_squares
from glanet.evaluation.metrics import rgb_to_y

# Dragging happens in the browser, so that the crops follow the pointer: a Figure would have to be
# drawn anew by the kernel for each step. Arrow keys move the square too.
PAGE = """
<div id="KEY" style="display: flex; gap: 12px; padding: 8px; background: white; color: #222;
  font: 13px Helvetica, Arial, sans-serif"></div>
<script>
(() => {
  const {width, height, side, start, images} = DATA;
  const page = document.getElementById("KEY"), zoom = 384 / width;
  let [top, left] = start;

  function add(parent, tag, style) {
    const element = document.createElement(tag);
    element.style.cssText = style;
    return parent.appendChild(element);
  }

  const whole = add(page, "div", "position: relative; touch-action: none; cursor: move;"
    + "flex: none; align-self: flex-start");
  const photo = add(whole, "img", "display: block; max-width: none; pointer-events: none");
  [photo.src, photo.width, photo.height] = [images[0].png, zoom * width, zoom * height];
  const square = add(whole, "div", "position: absolute; box-sizing: border-box;"
    + "border: 2px solid white; outline: 2px solid black");
  square.style.width = square.style.height = zoom * side + "px";

  const crops = add(page, "div", "display: flex; flex-wrap: wrap; gap: 12px");
  const views = images.map(({name, png, errors}) => {
    const frame = add(crops, "div", "width: 180px");
    const canvas = add(frame, "canvas", "width: 180px; height: 180px; image-rendering: pixelated");
    canvas.width = canvas.height = side;
    const caption = add(frame, "div", "text-align: center");
    const image = new Image();
    image.onload = show;
    image.src = png;
    const bytes = Uint8Array.from(atob(errors), (letter) => letter.charCodeAt(0));
    return {name, canvas, caption, image, errors: new Float32Array(bytes.buffer)};
  });

  function decibels(errors) {  // of the square, from the squared errors on Y of all pixels
    let sum = 0;
    for (let row = top; row < top + side; row++)
      for (let column = left; column < left + side; column++) sum += errors[row * width + column];
    return 10 * Math.log10(255 ** 2 * side ** 2 / sum);
  }

  function show() {
    [square.style.top, square.style.left] = [zoom * top + "px", zoom * left + "px"];
    for (const {name, canvas, caption, image, errors} of views) {
      canvas.getContext("2d").drawImage(image, -left, -top);
      const score = errors.length ? ": " + decibels(errors).toFixed(2) + " dB" : "";
      caption.textContent = name + score;
    }
  }

  function move(row, column) {
    top = Math.min(Math.max(Math.round(row), 0), height - side);
    left = Math.min(Math.max(Math.round(column), 0), width - side);
    show();
  }

  function follow(event) {
    const box = whole.getBoundingClientRect(), half = side / 2;
    move((event.clientY - box.top) / zoom - half, (event.clientX - box.left) / zoom - half);
  }

  whole.tabIndex = 0;
  whole.onpointerdown = (event) => {
    whole.setPointerCapture(event.pointerId);
    follow(event);
  };
  whole.onpointermove = (event) => whole.hasPointerCapture(event.pointerId) && follow(event);
  whole.onkeydown = (event) => {
    const step = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]};
    if (!(event.key in step)) return;
    event.preventDefault();
    event.stopPropagation();  // or the notebook goes to the next cell
    move(top + step[event.key][0], left + step[event.key][1]);
  };
})();
</script>
"""


def explore_crops(photos, *, side=48):
    """A photograph with a square to drag, and beside it the square as each method made it.

    ``photos`` maps names to (HR image, {method: image}), all uint8 (H, W, 3), of two methods at
    least. Their PSNR on Y in the square alone stands below. The square of ``side`` pixels begins
    where the last method gains most over the first; ``figures.evaluation.compared`` shows that
    without a kernel.
    """
    smallest = min(min(hr.shape[:2]) for hr, _ in photos.values())
    return explore(
        lambda photo, side: HTML(crops_page(*photos[photo], side=side)),
        photo=Dropdown(options=list(photos), description="photograph"),
        side=IntSlider(side, 16, min(128, smallest), description="side", continuous_update=False),
    )


def crops_page(hr, images, *, side):
    """The HTML of one photograph, uint8 (H, W, 3), and of {method: image}, at least two."""
    first, *_, last = images.values()
    data = {
        "height": hr.shape[0],
        "width": hr.shape[1],
        "side": side,
        "start": extreme_squares(hr, last, first, side=side)[0],
        "images": [{"name": "HR", "png": _png(hr), "errors": ""}],
    }
    for name, image in images.items():
        errors = (rgb_to_y(image) - rgb_to_y(hr)) ** 2
        text = base64.b64encode(errors.astype("<f4").tobytes()).decode()
        data["images"].append({"name": name, "png": _png(image), "errors": text})
    return PAGE.replace("KEY", f"crops-{uuid4().hex}").replace("DATA", json.dumps(data))


def _png(image):
    """The image as an address that a browser shows."""
    file = BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
