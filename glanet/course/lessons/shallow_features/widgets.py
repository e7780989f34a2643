"""Widgets of notebook 03: its figures with a slider and a menu."""

from ipywidgets import Dropdown, IntSlider

from glanet.course.kit.explore import explore
from glanet.course.lessons.shallow_features.figures import response


def explore_channels(image, states, *, channel):
    """`response` of one channel: a slider chooses the channel, a menu the weights.

    image: uint8 (H, W, 3). ``states`` maps a name, such as "trained", to filters (C, 3, 3) and
    their feature maps (H, W, C). All states of a channel share one colour range. ``channel`` is the
    channel shown first.
    """
    channels = len(next(iter(states.values()))[0])

    def draw(channel, weights):
        kernels, features = states[weights]
        limit = max(abs(maps[..., channel]).max() for _, maps in states.values())
        return response(image, kernels[channel], features[..., channel], limit=limit)

    return explore(
        draw,
        channel=IntSlider(channel, 0, channels - 1, description="channel", continuous_update=False),
        weights=Dropdown(options=list(states), description="weights"),
    )
