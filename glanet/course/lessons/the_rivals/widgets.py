"""Controls for the figure of what a pixel looks at."""

from ipywidgets import Dropdown

from glanet.course.kit.explore import explore_pixel
from glanet.course.lessons.the_rivals.figures import look


def explore_looks(photo, looks, *, mechanism, row, column):
    """`look` with a menu of mechanisms, for a pixel to choose.

    ``looks`` maps a mechanism to a function of row and column that returns shares (H, W).
    """
    return explore_pixel(
        photo,
        lambda row, column, mechanism: look(
            photo, looks[mechanism](row, column), row=row, column=column, title=mechanism
        ),
        row=row,
        column=column,
        mechanism=Dropdown(options=list(looks), value=mechanism),
    )
