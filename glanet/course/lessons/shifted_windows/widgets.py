"""Controls for the figures of notebook 06."""

from ipywidgets import Checkbox

from glanet.course.kit.explore import explore_pixel
from glanet.course.lessons.shifted_windows.figures import reach


def explore_reach(photo, *, row, column, window):
    """`reach` with a checkbox for the shift, for a pixel to choose."""
    return explore_pixel(
        photo,
        lambda row, column, shifted: reach(
            photo, row=row, column=column, window=window, shift=shifted * (window // 2)
        ),
        row=row,
        column=column,
        shifted=Checkbox(True, description="shifted"),
    )
