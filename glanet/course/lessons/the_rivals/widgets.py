"""Controls for the figure of what a pixel looks at."""

from ipywidgets import Dropdown, IntSlider

from glanet.course.kit.explore import explore
from glanet.course.lessons.the_rivals.figures import look


def explore_looks(photo, looks, *, mechanism, row, column):
    """`look` with a menu of mechanisms, and sliders for row and column.

    ``looks`` maps a mechanism to a function of row and column that returns shares (H, W).
    """
    height, width = photo.shape[:2]
    return explore(
        lambda mechanism, row, column: look(
            photo, looks[mechanism](row, column), row=row, column=column, title=mechanism
        ),
        mechanism=Dropdown(options=list(looks), value=mechanism),
        row=IntSlider(row, 0, height - 1, continuous_update=False),
        column=IntSlider(column, 0, width - 1, continuous_update=False),
    )
