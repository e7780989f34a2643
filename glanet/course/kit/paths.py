"""The folders of the course and of its results."""

import json
import os
from pathlib import Path

_REPOSITORY = Path(__file__).parents[3]

if (_REPOSITORY / "pyproject.toml").is_file():
    HOME = _REPOSITORY
    NOTEBOOKS = HOME / "notebooks"
    MY_WORK = NOTEBOOKS / "my_work"  # the learner's own copies; ignored by git
else:  # a wheel, which brings the notebooks along; results go to the working directory
    HOME = Path.cwd()
    NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
    MY_WORK = HOME if HOME.name == "glanet-course" else HOME / "glanet-course"
FIGURES = NOTEBOOKS / "figures"
RUNS = Path(os.environ.get("GLANET_RUNS") or HOME / "runs")


def results(claim) -> dict | None:
    """The ledger's entry of a claim, ``results/CLAIM.json``; None outside a checkout."""
    path = HOME / "results" / f"{claim}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def results_in(folder) -> list[dict]:
    """The ledger's entries in a folder of it, by name; none outside a checkout."""
    paths = sorted((HOME / "results" / folder).glob("*.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]
