"""Training: the loop, its checkpoints, its schedule."""

from glanet.training.checkpoint import TrainError
from glanet.training.loop import NotFiniteError, train
from glanet.training.recipe import Recipe

__all__ = ["NotFiniteError", "Recipe", "TrainError", "train"]
