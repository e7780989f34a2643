"""Training: the loop, its checkpoints, its schedule."""

from glanet.training.checkpoint import TrainError
from glanet.training.loop import NotFiniteError, train

__all__ = ["NotFiniteError", "TrainError", "train"]
