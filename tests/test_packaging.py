"""The ways to install agree with each other."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def requirements(project):
    extras = project["optional-dependencies"]
    return [*project["dependencies"], *extras["course"], *extras["heif"], *extras["dev"]]


def test_conda_installs_what_pip_installs(project):
    wanted = {f"python{project['requires-python']}", "pip"}
    for requirement in requirements(project):
        if not requirement.startswith("glanet["):
            name, bound = re.fullmatch(r"([\w-]+)(.*)", requirement).groups()
            wanted.add(CONDA_NAMES.get(name, name) + bound)
    found = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert sorted(found) == sorted(wanted)


def test_every_requirement_is_pinned_to_a_version_that_meets_its_bound(project):
    lines = (ROOT / "constraints.txt").read_text().lower().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))

    def number(version):
        return [int(part) for part in re.findall(r"\d+", version)]

    for requirement in requirements(project):
        if not requirement.startswith("glanet["):
            name, bound = requirement.split(">=")
            assert number(pins[name]) >= number(bound), requirement
