"""Figures that look at photographs."""

import matplotlib.pyplot as plt


def details(images, *, top, left, side):
    """The same square of several images, side by side.

    ``images`` maps a title to uint8 (H, W, 3), all of one size. The square of ``side`` pixels
    starts at (``top``, ``left``), and is moved inside the image where it would stick out.
    """
    height, width = next(iter(images.values())).shape[:2]
    side = min(side, height, width)
    top, left = min(top, height - side), min(left, width - side)
    # a Figure outside pyplot's list: nothing shows twice, nothing is left open
    figure = plt.Figure(figsize=(3.2 * len(images), 3.6), layout="constrained")
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
