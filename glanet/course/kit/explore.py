"""Interactive figures: sliders and menus around the functions of ``figures``."""

from ipywidgets import interactive


def explore(draw, **controls):
    """Controls, and the Figure that ``draw`` returns for them, drawn anew whenever one is moved."""
    return interactive(draw, {"auto_display": True}, **controls)
