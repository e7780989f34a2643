"""The folders of the course and of its results."""

import json
from pathlib import Path

_REPOSITORY = Path(__file__).parents[3]
# installed from a wheel there is no repository: both are then in the working directory
HOME = _REPOSITORY if (_REPOSITORY / "pyproject.toml").is_file() else Path.cwd()
NOTEBOOKS = HOME / "notebooks"
RUNS = HOME / "runs"


def results(claim) -> dict | None:
    """The ledger's entry of a claim, ``results/CLAIM.json``; None outside a checkout."""
    path = HOME / "results" / f"{claim}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
