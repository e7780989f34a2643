"""Interactive figures: functions that draw, with sliders and menus."""

from io import BytesIO

import numpy as np
import PIL.Image
from ipyevents import Event
from ipywidgets import HBox, Image, IntSlider, interactive

WIDTH = 300  # of a photograph to click on, in pixels of the screen, at most


class Explorer(interactive):
    """Controls, and below them what ``f`` returns for their values.

    ipywidgets captures what ``f`` displays, and a client without a browser reports each capture to
    the kernel, through the socket on which it awaits the end of the cell. Then it can miss that end
    and wait for ever (nbclient's issue 312). So the outputs are set instead of captured.
    """

    moving = False

    def update(self, *args):
        if self.moving:
            return
        self.kwargs = {w._kwarg: w.get_interact_value() for w in self.kwargs_widgets}
        self.result = self.f(**self.kwargs)
        with self.out.hold_sync():  # one message: the old figure stays until the new one is there
            self.out.outputs = ()
            self.out.append_display_data(self.result)

    def move(self, **values):
        """Set the controls of these names, and draw once."""
        self.moving = True
        for control in self.kwargs_widgets:
            control.value = values.get(control._kwarg, control.value)
        self.moving = False
        self.update()


def explore(draw, **controls):
    """A widget with ``controls`` that shows the Figure returned by ``draw`` for their values."""
    return Explorer(draw, **controls)


def explore_pixel(photo, draw, *, row, column, **controls):
    """`explore` for a ``row`` and ``column`` of a photograph: click on a pixel, or use sliders.

    ``photo`` is uint8 (H, W, 3); ``row`` and ``column`` are where it starts.
    """
    height, width = photo.shape[:2]
    explorer = explore(
        draw,
        row=IntSlider(row, 0, height - 1, continuous_update=False),
        column=IntSlider(column, 0, width - 1, continuous_update=False),
        **controls,
    )
    zoom = max(1, WIDTH // width)
    image = Image(value=png(photo.repeat(zoom, 0).repeat(zoom, 1)))
    image.layout.margin = "0"  # or a photograph as wide as its cell is wider by the margins
    clicks = Event(source=image, watched_events=["click"])
    clicks.on_dom_event(
        lambda event: explorer.move(row=event["dataY"] // zoom, column=event["dataX"] // zoom)
    )
    explorer.clicks = clicks  # which works as long as it is kept
    explorer.children = HBox([image]), *explorer.children
    return explorer


def png(image) -> bytes:
    """An image, uint8 (H, W, 3), as a PNG file."""
    file = BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(image)).save(file, "PNG")
    return file.getvalue()
