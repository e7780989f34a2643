"""Widgets of notebook 01: its figures with sliders."""

from ipywidgets import Dropdown, FloatSlider

from glanet.course.kit.explore import explore
from glanet.course.lessons.the_problem.figures import aliasing, large_and_small


def explore_unseen(seen, unseen, shrink):
    """`large_and_small` with a slider for the amount of the part that LR does not see.

    seen, unseen: float (H, W, 3); their sum is a photograph in 0..255. ``shrink`` maps an HR image
    to its LR image.
    """

    def draw(amount):
        images = {"the photograph": 1, f"seen + {amount:g} · unseen": amount}
        return large_and_small({title: seen + t * unseen for title, t in images.items()}, shrink)

    amount = FloatSlider(0, min=-4, max=4, step=0.5, continuous_update=False)
    return explore(draw, amount=amount)


def explore_aliasing():
    """`aliasing` with a slider for the frequency and a menu for the scale."""
    return explore(
        aliasing,
        frequency=FloatSlider(0.4, min=0, max=0.5, step=0.01, continuous_update=False),
        scale=Dropdown(options=[2, 3, 4], value=2),
    )
