"""Controls for the figures of notebook 05."""

from ipywidgets import Dropdown

from glanet.course.kit.explore import explore_pixel
from glanet.course.lessons.window_attention.figures import pixel_attention


def explore_attention(photo, weights, *, row, column):
    """`pixel_attention` with a menu of layers, for a pixel to choose.

    ``weights`` maps the name of a layer to its weights (windows, heads, N, N).
    """
    return explore_pixel(
        photo,
        lambda row, column, layer: pixel_attention(photo, weights[layer], row=row, column=column),
        row=row,
        column=column,
        layer=Dropdown(options=list(weights)),
    )
