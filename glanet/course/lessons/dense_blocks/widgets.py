"""Controls for the figure of gradients in dense and plain trunks."""

from ipywidgets import Checkbox, Dropdown

from glanet.course.kit.explore import explore
from glanet.course.lessons.dense_blocks.figures import gradients


def explore_gradients(measured, *, quantity):
    """`gradients` with a menu for the quantity and a box that divides by the last block's norm.

    ``measured`` maps a quantity, which becomes the label, to the panels that `gradients` takes.
    ``quantity`` is the one shown first.
    """
    return explore(
        lambda quantity, relative: gradients(measured[quantity], quantity, relative),
        quantity=Dropdown(options=list(measured), value=quantity, description="gradient"),
        relative=Checkbox(False, description="divided by the last block's"),
    )
