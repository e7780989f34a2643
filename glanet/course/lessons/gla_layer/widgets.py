"""Menus for the contributions of each branch of each layer."""

from ipywidgets import Dropdown

from glanet.course.kit.explore import explore
from glanet.course.lessons.gla_layer.figures import BRANCHES, contribution


def explore_contributions(photo, parts, *, layer, branch):
    """`contribution` with a menu for the layer and one for the branch.

    ``parts`` maps the name of a layer to (5, H, W, C). ``layer`` and ``branch`` are selected first.
    """
    return explore(
        lambda layer, branch: contribution(photo, parts[layer], branch),
        layer=Dropdown(options=list(parts), value=layer, description="layer"),
        branch=Dropdown(options=BRANCHES, value=branch, description="branch"),
    )
