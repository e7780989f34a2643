"""Three sizes of the same notebook: a cell asks for the size that fits the machine."""

import os

from glanet.errors import ArgumentError

PROFILES = {
    "smoke": "seconds; for tests",
    "learn": "minutes; two CPU cores",
    "full": "hours; a GPU",
}


def profile() -> str:
    """The profile in force, ``GLANET_PROFILE`` in the environment: smoke, learn or full.

    Raises:
        ArgumentError: the variable holds something else.
    """
    name = os.environ.get("GLANET_PROFILE", "learn")
    if name not in PROFILES:
        raise ArgumentError(
            f"GLANET_PROFILE is {name!r}; expected one of {', '.join(PROFILES)}. "
            "Set it before the notebook's kernel starts."
        )
    return name


def by_profile(*, smoke, learn, full):
    """The value for the profile in force."""
    return {"smoke": smoke, "learn": learn, "full": full}[profile()]
