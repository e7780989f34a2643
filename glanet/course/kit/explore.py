"""Interactive figures: functions that draw, with sliders and menus."""

from ipywidgets import interactive


class Explorer(interactive):
    """Controls, and below them what ``f`` returns for their values.

    ipywidgets captures what ``f`` displays, and a client without a browser reports each capture to
    the kernel, through the socket on which it awaits the end of the cell. Then it can miss that end
    and wait for ever (nbclient's issue 312). So the outputs are set instead of captured.
    """

    def update(self, *args):
        self.kwargs = {w._kwarg: w.get_interact_value() for w in self.kwargs_widgets}
        self.result = self.f(**self.kwargs)
        with self.out.hold_sync():  # one message: the old figure stays until the new one is there
            self.out.outputs = ()
            self.out.append_display_data(self.result)


def explore(draw, **controls):
    """A widget with ``controls`` that shows the Figure returned by ``draw`` for their values."""
    return Explorer(draw, **controls)
