"""A live plot of a training, and a schedule with sliders."""

import time

from ipywidgets import Dropdown, IntSlider, Output

from glanet.course.kit.explore import explore
from glanet.course.lessons.training_in_miniature.figures import curve, schedules
from glanet.training.recipe import Recipe

POINTS = 400  # per schedule curve
EVERY = 5.0  # seconds between two drawings of a live plot


class LivePlot(Output):
    """A live `curve` of a run, for ``train(..., watch=plot)``.

    Called with each entry of the log, it redraws at most once in `EVERY` seconds, so that drawing
    hardly slows training. ``bicubic`` is passed on to `curve`. The plot updates even while a cell
    keeps the kernel busy.
    """

    def __init__(self, *, bicubic=None):
        super().__init__()
        self.bicubic = bicubic
        self.entries, self.drawn_at = [], -float("inf")

    def __call__(self, entry):
        self.entries.append(entry)
        if time.monotonic() - self.drawn_at >= EVERY:
            self.draw()

    def draw(self):
        """Redraw the plot with all entries so far."""
        with self.hold_sync():  # one message, so that the plot does not flicker
            self.outputs = ()
            self.append_display_data(curve(self.entries, bicubic=self.bicubic))
        self.drawn_at = time.monotonic()


def explore_schedule(learning_rate):
    """`schedules` of one recipe, with a control for each of its settings.

    ``learning_rate(recipe, step)`` is the package's function or the learner's.
    """

    def draw(schedule, steps, warm_up, milestones):
        recipe = Recipe(
            steps=steps,
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
