"""Where the course lies, and where its results go."""

from pathlib import Path

_REPOSITORY = Path(__file__).parents[3]
# from a wheel there is no repository: then both lie where the learner works
HOME = _REPOSITORY if (_REPOSITORY / "pyproject.toml").is_file() else Path.cwd()
NOTEBOOKS = HOME / "notebooks"
RUNS = HOME / "runs"
