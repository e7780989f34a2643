"""Controls around the gradients of dense and plain trunks."""

from ipywidgets import Checkbox, Dropdown

from glanet.course.kit.explore import explore
from glanet.course.lessons.dense_blocks.figures import gradients


def explore_gradients(measured, *, quantity):
    """``figures.dense.gradients`` with a menu for the quantity, absolute or over the last block's.

    ``measured`` maps a quantity, which becomes the label, to the panels that `gradients` takes.
    ``quantity`` is shown first.
    """
    return explore(
        lambda quantity, relative: gradients(measured[quantity], quantity, relative),
        quantity=Dropdown(options=list(measured), value=quantity, description="gradient"),
        relative=Checkbox(False, description="over the last block's"),
    )
