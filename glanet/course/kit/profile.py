"""Profiles: how much the notebooks compute, chosen by ``GLANET_PROFILE``."""

import os

from glanet.errors import ArgumentError

PROFILES = {
    "smoke": "seconds; for tests",
    "learn": "minutes; two CPU cores",
    "full": "hours; a GPU",
}


def profile() -> str:
    """The current profile, from ``GLANET_PROFILE`` in the environment: smoke, learn or full.

    Raises:
        ArgumentError: the variable has another value.
    """
    name = os.environ.get("GLANET_PROFILE", "learn")
    if name not in PROFILES:
        raise ArgumentError(
            f"GLANET_PROFILE is {name!r}; expected one of {', '.join(PROFILES)}. "
            "Set it before the notebook's kernel starts."
        )
    return name


def by_profile(*, smoke, learn, full):
    """The argument for the current profile."""
    return {"smoke": smoke, "learn": learn, "full": full}[profile()]
