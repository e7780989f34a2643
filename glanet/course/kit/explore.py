"""Interactive figures: functions that draw, with sliders and menus."""

from ipywidgets import interactive


def explore(draw, **controls):
    """A widget with ``controls`` that shows the Figure returned by ``draw`` for their values."""
    return interactive(draw, {"auto_display": True}, **controls)
