"""Figures of the course: each function takes its data and returns a matplotlib Figure."""

import matplotlib.pyplot as plt


def new_figure(width, height):
    """An empty Figure of ``width`` × ``height`` inches.

    Made by pyplot, which teaches a notebook to show figures, and then forgotten by it: the figure
    shows once, where it is returned, and none is left open.
    """
    figure = plt.figure(figsize=(width, height), layout="constrained")
    plt.close(figure)
    return figure
