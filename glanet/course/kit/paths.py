"""The folders of the course and of its results."""

from pathlib import Path

_REPOSITORY = Path(__file__).parents[3]
# installed from a wheel there is no repository: both are then in the working directory
HOME = _REPOSITORY if (_REPOSITORY / "pyproject.toml").is_file() else Path.cwd()
NOTEBOOKS = HOME / "notebooks"
RUNS = HOME / "runs"
