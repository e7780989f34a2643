"""Menus and sliders for the kernels of a model."""

from ipywidgets import Dropdown, IntSlider

from glanet.course.kit.explore import explore
from glanet.course.lessons.inception.figures import kernel_and_response


def explore_kernels(kernels, *, output=0, source=0):
    """`kernel_and_response` with menus for layer and branch, and sliders for the two channels.

    ``kernels`` maps a layer's title to {branch: (outputs, inputs, k, k)}; all have the same
    numbers of outputs and inputs. ``output`` and ``source`` are the channels shown first.
    """
    branches = next(iter(kernels.values()))
    outputs, inputs = next(iter(branches.values())).shape[:2]
    return explore(
        lambda layer, branch, output, source: kernel_and_response(
            kernels[layer][branch], output=output, source=source
        ),
        layer=Dropdown(options=list(kernels), description="layer"),
        branch=Dropdown(options=list(branches), description="branch"),
        output=IntSlider(output, 0, outputs - 1, description="output", continuous_update=False),
        source=IntSlider(source, 0, inputs - 1, description="input", continuous_update=False),
    )
