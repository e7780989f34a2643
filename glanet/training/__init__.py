"""Training: the loop, its recipe, its checkpoints, and the process that runs it."""

from glanet.training.errors import LaunchError, NotFiniteError, TrainError
from glanet.training.loop import train
from glanet.training.recipe import Recipe

__all__ = ["LaunchError", "NotFiniteError", "Recipe", "TrainError", "train"]
