"""The shares of a batch, with controls for the step and the number of processes."""

from ipywidgets import Dropdown, IntSlider

from glanet.course.kit.explore import explore
from glanet.course.lessons.full_training.figures import shares


def explore_shares(store, *, size=8, steps=500_000):
    """`shares` of a batch, with controls for the step and the number of processes.

    ``store`` is a `PatchStore`, ``size`` the number of patches in a batch, ``steps`` the end of the
    slider.
    """
    return explore(
        lambda step, world: shares(store.batch(0, step, size)[0], world),
        step=IntSlider(7, 0, steps - 1, description="step", continuous_update=False),
        world=Dropdown(
            options=[world for world in (1, 2, 4, 8) if size % world == 0],
            value=2,
            description="processes",
        ),
    )
