"""Sliders for the figure of the parameters."""

from ipywidgets import Checkbox, Dropdown, IntSlider

from glanet.course.kit.explore import explore
from glanet.course.lessons.the_whole_network.figures import PAPER, parameter_bars
from glanet.model.config import ModelConfig


def explore_parameters():
    """`parameter_bars` with a control for each size and switch; 6 heads."""

    def draw(**settings):
        return parameter_bars(ModelConfig(heads=PAPER.heads, **settings))

    return explore(
        draw,
        channels=IntSlider(
            PAPER.channels,
            min=12,
            max=240,
            step=12,  # divisible by both 6 heads and 4 branches
            description="channels",
            continuous_update=False,
        ),
        blocks=IntSlider(PAPER.blocks, 1, 8, description="blocks", continuous_update=False),
        layers=IntSlider(PAPER.layers, 1, 8, description="layers", continuous_update=False),
        scale=Dropdown(value=2, options=[("×2", 2), ("×3", 3), ("×4", 4)], description="scale"),
        inception=Checkbox(True, description="Inception"),
        dense=Checkbox(True, description="dense connections"),
        first_transition=Checkbox(True, description="1×1 before block 1"),
    )
