"""A step and a number of processes under controls, and the shares of its batch."""

from ipywidgets import Dropdown, IntSlider

from glanet.course.kit.explore import explore
from glanet.course.lessons.full_training.figures import shares


def explore_shares(store, *, size=8, steps=500_000):
    """``figures.full.shares`` of a step that you choose, for a number of processes.

    ``store`` is a `PatchStore`; ``size`` the patches in a batch.
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
