"""Functions that a user names as ``module:name``, from their own file."""

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from glanet.errors import ArgumentError


def function_named(name: str, what: str) -> Callable:
    """The function ``name``, which is ``module:function``; the working directory is searched first.

    Args:
        what: what it is for, as the first word of an error.

    Raises:
        ArgumentError: there is no such module, or no such function in it.
    """
    module_name, _, function_name = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = getattr(import_module(module_name), function_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ArgumentError(
            f"{what} is {name!r}, which cannot be imported ({error}). Expected module:function, "
            f"such as mine:{what} for a function in the file mine.py of the working directory."
        ) from error
    if not callable(found):
        raise ArgumentError(f"{what} is {name!r}, which is no function but {found!r}.")
    return found
