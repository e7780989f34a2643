"""The errors that glanet raises on purpose. Any other error is a bug.

The command line prints a ``GlanetError`` in one line, and any other error with its traceback.
"""


class GlanetError(Exception):
    """Base of all of them. The message says what was found, what was expected and what to do."""


class ArgumentError(GlanetError, ValueError):
    """An argument with an invalid value or shape."""


class ArgumentTypeError(GlanetError, TypeError):
    """An argument of an invalid type."""
