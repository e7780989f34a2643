"""Widgets of notebook 14."""

from dataclasses import replace

from ipywidgets import FloatLogSlider

from glanet.course.kit.explore import explore
from glanet.course.lessons.speed.exercises import shortest_time
from glanet.course.lessons.speed.figures import roofline
from glanet.course.lessons.speed.instruments import Machine


def explore_machines(machine, works):
    """`roofline` of machines some times as fast as ``machine``, or as slow, at its best.

    Every work, {name: `Operation`}, then takes the shortest time possible.
    """

    def draw(rate, bandwidth):
        other = Machine(
            rate * machine.rate, bandwidth * machine.bandwidth, bandwidth * machine.cache
        )
        return roofline(
            other,
            {
                name: replace(
                    work,
                    seconds=shortest_time(work.flop, work.moved, other.rate, other.bandwidth),
                )
                for name, work in works.items()
            },
        )

    def slider(description):
        return FloatLogSlider(
            1, min=-1, max=2, step=0.1, description=description, continuous_update=False
        )

    return explore(draw, rate=slider("rate"), bandwidth=slider("bandwidth"))
