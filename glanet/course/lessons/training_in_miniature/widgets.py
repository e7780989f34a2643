"""A plot that follows a training, and a schedule under sliders."""

import time

from ipywidgets import Dropdown, IntSlider, Output

from glanet.course.kit.explore import explore
from glanet.course.lessons.training_in_miniature.figures import curve, schedules
from glanet.training.recipe import Recipe

POINTS = 400  # of a drawn schedule


class LivePlot(Output):
    """``figures.training.curve`` of a run that goes on, for ``train(..., watch=plot)``.

    Called with each entry of the log, it draws anew, at most every ``every`` seconds, so that
    drawing takes little from training. ``bicubic`` is handed to the figure. A kernel that is busy
    in a cell still sends what this shows.
    """

    def __init__(self, *, every=5.0, bicubic=None):
        super().__init__()
        self.every, self.bicubic = every, bicubic
        self.entries, self.drawn_at = [], -float("inf")

    def __call__(self, entry):
        self.entries.append(entry)
        if time.monotonic() - self.drawn_at >= self.every:
            self.draw()

    def draw(self):
        """Show all entries so far, in place of what was shown before."""
        with self.hold_sync():  # one message: it does not flicker
            self.outputs = ()
            self.append_display_data(curve(self.entries, bicubic=self.bicubic))
        self.drawn_at = time.monotonic()


def explore_schedule(learning_rate, *, rate=1e-4):
    """``figures.training.schedules`` of one recipe, with controls for what it depends on.

    ``learning_rate(config, step)`` is the package's, or the learner's own.
    """

    def draw(schedule, steps, warm_up, milestones):
        recipe = Recipe(
            steps=steps,
            learning_rate=rate,
            schedule=schedule,
            warm_up=warm_up,
            milestones=Recipe.milestones[:milestones],
        )
        moments = sorted({round(i * (steps - 1) / POINTS) for i in range(POINTS + 1)})
        rates = [learning_rate(recipe, moment) for moment in moments]
        return schedules({schedule: (moments, rates)})

    return explore(
        draw,
        schedule=Dropdown(options=["halving", "cosine"], description="schedule"),
        steps=IntSlider(2000, 500, 5000, 100, description="steps", continuous_update=False),
        warm_up=IntSlider(200, 0, 500, 10, description="warm-up", continuous_update=False),
        milestones=IntSlider(4, 0, 4, description="milestones", continuous_update=False),
    )
