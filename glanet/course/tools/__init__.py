"""What builds and runs the notebooks."""

import sys
from contextlib import contextmanager


@contextmanager
def dev_extra():
    """For the imports of the tools that need the dev extra: without it, one sentence says so.

    The tools are commands, so they end here instead of showing a traceback.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = error.name.partition(".")[0]
        sys.exit(
            f"glanet: {package} is not installed; building and running notebooks needs the dev "
            "extra: pip install 'glanet[dev]'"
        )
