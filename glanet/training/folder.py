"""The folder of a run: the name of every file in it."""

import json
from pathlib import Path

from glanet.weights.found import RUN_WEIGHTS
from glanet.weights.pretrained import TENSORS
from glanet.weights.trained import SUFFIX


class RunFolder:
    """The paths of a run's files, whether or not they exist yet.

    While it trains, a run holds ``lock`` and writes ``log`` and ``checkpoints/``, from its first
    validation on also ``weights/``. A process that `launch.detach` started adds ``job``,
    ``process`` and ``output``.
    """

    def __init__(self, path):
        self.path = Path(path)
        self.lock = self.path / ".lock"
        self.log = self.path / "log.jsonl"
        self.checkpoints = self.path / "checkpoints"
        self.best = self.checkpoints / f"best{SUFFIX}"  # by PSNR on the validation images
        self.weights = self.path / RUN_WEIGHTS  # the last, and in best/ the best
        self.best_weights = self.weights / "best"
        self.tensors = self.weights / TENSORS
        self.job = self.path / "job.json"  # what is trained: config, recipe, options
        self.process = self.path / "process.json"  # which process trains, or how it ended
        self.output = self.path / "output.txt"  # of that process

    def checkpoint(self, step) -> Path:
        """The checkpoint after that many steps."""
        return self.checkpoints / f"step-{step:08d}{SUFFIX}"

    def before_not_finite(self, step) -> Path:
        """The checkpoint before a step whose loss is not finite. No run resumes from it."""
        return self.checkpoints / f"non-finite-{step:08d}{SUFFIX}"

    def saved(self) -> list[Path]:
        """The checkpoints from which the run can resume, oldest first."""
        return sorted(self.checkpoints.glob(f"step-*{SUFFIX}"))

    def saved_step(self) -> int:
        """The step of the last of them, 0 if there is none."""
        return max((int(path.stem.partition("-")[2]) for path in self.saved()), default=0)

    def unfinished(self) -> list[Path]:
        """Checkpoints that a killed process left half written."""
        return list(self.checkpoints.glob(f".*{SUFFIX}"))


def read_json(path) -> dict:
    """The JSON object in a file; empty where the file is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
