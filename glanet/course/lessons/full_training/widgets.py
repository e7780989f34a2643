"""The shares of a batch, with controls for the step and the number of processes."""

from ipywidgets import Dropdown, IntSlider

from glanet.course.kit.explore import explore
from glanet.course.lessons.full_training.figures import shares

PATCHES = 8  # in a batch
STEPS = 500_000  # the end of the slider


def explore_shares(store):
    """`shares` of a batch of a `PatchStore`, with controls for the step and the processes."""
    return explore(
        lambda step, world: shares(store.batch(0, step, PATCHES)[0], world),
        step=IntSlider(7, 0, STEPS - 1, description="step", continuous_update=False),
        world=Dropdown(options=(1, 2, 4, 8), value=2, description="processes"),
    )
