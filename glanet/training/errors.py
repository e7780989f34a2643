"""What can go wrong with a run. The messages say what was found and what mends it."""

from glanet.errors import GlanetError


class TrainError(GlanetError, ValueError):
    """A run that cannot start or resume."""


class NotFiniteError(GlanetError, RuntimeError):
    """A loss or a gradient is NaN or infinite; the message names the step and its patches."""


class LaunchError(GlanetError, RuntimeError):
    """A process that cannot be started, stopped or followed, or that ended with an error."""
