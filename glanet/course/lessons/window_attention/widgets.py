"""Controls for the figures of notebook 05."""

from ipywidgets import Dropdown, IntSlider

from glanet.course.kit.explore import explore
from glanet.course.lessons.window_attention.figures import pixel_attention


def explore_attention(photo, weights, *, row, column):
    """`pixel_attention` with sliders for row and column, and a menu of layers.

    ``weights`` maps the name of a layer to its weights (windows, heads, N, N).
    """
    height, width = photo.shape[:2]
    return explore(
        lambda row, column, layer: pixel_attention(photo, weights[layer], row=row, column=column),
        row=IntSlider(row, 0, height - 1, continuous_update=False),
        column=IntSlider(column, 0, width - 1, continuous_update=False),
        layer=Dropdown(options=list(weights)),
    )
