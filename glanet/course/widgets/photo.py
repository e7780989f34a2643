"""Sliders around the figures of photographs."""

from ipywidgets import IntSlider

from glanet.course.figures.photo import details
from glanet.course.widgets import explore


def explore_details(images, *, top=0, left=0, side=96):
    """``figures.photo.details`` with a slider each for row, column and side."""
    height, width = next(iter(images.values())).shape[:2]
    return explore(
        lambda top, left, side: details(images, top=top, left=left, side=side),
        top=IntSlider(top, 0, height - 1, description="row", continuous_update=False),
        left=IntSlider(left, 0, width - 1, description="column", continuous_update=False),
        side=IntSlider(side, 16, min(height, width), description="side", continuous_update=False),
    )
