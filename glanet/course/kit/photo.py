"""Photographs, whole and in detail: figures, a slider between two, and a widget."""

from html import escape

from IPython.display import HTML
from ipywidgets import IntSlider
from matplotlib.patches import Rectangle

from glanet.analysis.compare import slider
from glanet.course.kit.explore import explore
from glanet.course.kit.style import new_figure


def photograph(image, *, top, left, side):
    """A whole image, uint8 (H, W, 3), with a square of ``side`` pixels marked in it."""
    height, width = image.shape[:2]
    figure = new_figure(5.0, 5.0 * height / width)
    axes = figure.subplots()
    axes.imshow(image, extent=(0, width, height, 0))
    for colour, thickness in (("black", 4), ("white", 2)):  # visible on dark and on light
        axes.add_patch(Rectangle((left, top), side, side, fill=False, color=colour, lw=thickness))
    axes.set_xlabel("column (pixels)")
    axes.set_ylabel("row (pixels)")
    return figure


def details(images, *, top, left, side):
    """The same square of several images, side by side.

    ``images`` maps a title to uint8 (H, W, 3), all of the same size. The square of ``side`` pixels
    starts at (``top``, ``left``). A square that reaches beyond the image is moved inside.
    """
    height, width = next(iter(images.values())).shape[:2]
    side = min(side, height, width)
    top, left = min(top, height - side), min(left, width - side)
    figure = new_figure(3.2 * len(images), 3.6)
    for axes, (title, image) in zip(
        figure.subplots(1, len(images), squeeze=False)[0], images.items(), strict=True
    ):
        axes.imshow(
            image[top : top + side, left : left + side],
            extent=(left, left + side, top + side, top),
            interpolation="nearest",
        )
        axes.set_title(title)
        axes.set_xlabel("column (pixels)")
    figure.axes[0].set_ylabel("row (pixels)")
    return figure


def before_after(images, *, top, left, side, width=480):
    """The same square of two images under a slider: a page that moves without a kernel.

    ``images`` maps two names to uint8 (H, W, 3) of one size. The square of ``side`` pixels starts
    at (``top``, ``left``) and is ``width`` pixels wide on the screen, if there is room.
    """
    (a_name, a), (b_name, b) = images.items()
    square = slice(top, top + side), slice(left, left + side)
    return HTML(
        slider(a[square], b[square], (a_name, b_name), width)
        + f"<p>Left of the handle: {escape(a_name)}. Right of it: {escape(b_name)}.</p>"
    )


def explore_details(images, *, top=0, left=0, side=96):
    """`details` with sliders for row, column and side.

    The sliders of row and column end where the square meets the border: each step of them changes
    the picture.
    """
    height, width = next(iter(images.values())).shape[:2]
    row = IntSlider(top, 0, height - side, description="row", continuous_update=False)
    column = IntSlider(left, 0, width - side, description="column", continuous_update=False)
    size = IntSlider(side, 16, min(height, width), description="side", continuous_update=False)

    def keep_inside(change):
        row.max, column.max = height - change["new"], width - change["new"]

    size.observe(keep_inside, "value")
    return explore(
        lambda top, left, side: details(images, top=top, left=left, side=side),
        top=row,
        left=column,
        side=size,
    )
