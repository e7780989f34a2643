"""Controls for the figures of notebook 06."""

from ipywidgets import Checkbox, IntSlider

from glanet.course.kit.explore import explore
from glanet.course.lessons.shifted_windows.figures import reach


def explore_reach(photo, *, row, column, window):
    """`reach` with sliders for row and column, and a checkbox for the shift."""
    height, width = photo.shape[:2]
    return explore(
        lambda row, column, shifted: reach(
            photo, row=row, column=column, window=window, shift=shifted * (window // 2)
        ),
        row=IntSlider(row, 0, height - 1, continuous_update=False),
        column=IntSlider(column, 0, width - 1, continuous_update=False),
        shifted=Checkbox(True, description="shifted"),
    )
