"""The widget of notebook 16: choose seeds and images until the result pleases."""

from ipywidgets import Dropdown, IntSlider

from glanet.course.kit.explore import explore
from glanet.course.lessons.your_own_layer.figures import chosen


def explore_choice(differences):
    """`chosen` with a menu for the network and sliders for the numbers of seeds and images.

    ``differences`` maps a network to an array (seeds, images), the same for all.
    """
    seeds, images = next(iter(differences.values())).shape
    return explore(
        lambda network, seeds, images: chosen(differences[network], seeds, images),
        network=Dropdown(options=list(differences), description="network"),
        seeds=IntSlider(seeds, 1, seeds, description="best seeds"),
        images=IntSlider(images, 1, images, description="best images"),
    )
