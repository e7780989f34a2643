"""Menus for surgery on a model."""

from ipywidgets import Dropdown

from glanet.course.kit.explore import explore
from glanet.course.lessons.frequency_lab.figures import surgery

ALL = "all"  # not None: ipywidgets takes a choice of None as none, and empties the menu


def explore_surgery(original, whole, operate, *, layers, branches, operations, **place):
    """`surgery` with one menu each for operation, branch and layer.

    ``operate(operation, branch, layer)`` returns the enlarged image, uint8 (H, W, 3); ``layer`` is
    None for all of ``layers``. ``place`` holds the scale, and the square's top, left and side.
    """

    def draw(operation, branch, layer):
        lesioned = operate(operation, branch, None if layer == ALL else layer)
        return surgery(original, whole, lesioned, title=f"{branch}: {operation}", **place)

    return explore(
        draw,
        operation=Dropdown(options=list(operations), description="operation"),
        branch=Dropdown(options=list(branches), description="branch"),
        layer=Dropdown(options=[ALL, *layers], description="layer"),
    )
