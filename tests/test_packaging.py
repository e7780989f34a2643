"""The ways to install agree with each other."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from glanet.course.tools import site

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_citation_is_of_this_version_and_names_the_paper(project):
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    for key in ("version", "license", "keywords"):
        assert citation[key] == project[key]
    assert citation["title"] == project["name"]
    assert citation["abstract"] == project["description"]
    (paper,) = citation["references"]
    assert paper["url"] == project["urls"]["Paper"]
    assert paper["title"] == "Global-Local Awareness Network for Image Super-Resolution"


def test_the_changelog_has_this_version(project):
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\n## {project['version']}\n" in changes


def test_the_workflow_publishes_what_make_book_builds():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "pages.yml").read_text())
    steps = workflow["jobs"]["publish"]["steps"]
    assert {"run": "make book"} in steps
    (uploaded,) = (step["with"]["path"] for step in steps if "artifact" in step.get("uses", ""))
    assert ROOT / uploaded == site.BOOK / "html"


def requirements(project, *extras):
    """What the package and these extras require on every system.

    Left out are other extras of the package; and Triton, which is for one system, and whose version
    PyTorch for CUDA chooses.
    """
    optional = project["optional-dependencies"]
    found = [*project["dependencies"], *(line for extra in extras for line in optional[extra])]
    return [line for line in found if not line.startswith(("glanet[", "triton"))]


@pytest.mark.parametrize(
    ("file", "extras", "torch"),
    [
        ("environment.yml", ("course", "book", "export", "heif", "dev"), "pytorch"),
        ("binder/environment.yml", ("course",), "pytorch-cpu"),
    ],
)
def test_conda_installs_what_pip_installs(project, file, extras, torch):
    names = {"torch": torch, "matplotlib": "matplotlib-base", "playwright": "playwright-python"}
    wanted = {f"python{project['requires-python']}", "pip"}
    for requirement in requirements(project, *extras):
        name, bound = re.fullmatch(r"([\w-]+)(.*)", requirement).groups()
        wanted.add(names.get(name, name) + bound)
    found = yaml.safe_load((ROOT / file).read_text())["dependencies"]
    assert sorted(found) == sorted(wanted)


def test_every_requirement_is_pinned_to_a_version_that_meets_its_bound(project):
    lines = (ROOT / "constraints.txt").read_text().lower().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))

    def number(version):
        return [int(part) for part in re.findall(r"\d+", version)]

    for requirement in requirements(project, "course", "book", "export", "heif", "openvino", "dev"):
        name, bound = requirement.split(">=")
        assert number(pins[name]) >= number(bound), requirement
