"""The errors that glanet raises on purpose. Any other error is a bug, and shows its traceback."""


class GlanetError(Exception):
    """Base of all of them. The message names the thing, what was found and what mends it."""


class ArgumentError(GlanetError, ValueError):
    """An argument whose value or shape cannot be used."""


class ArgumentTypeError(GlanetError, TypeError):
    """An argument of a type that cannot be used."""
