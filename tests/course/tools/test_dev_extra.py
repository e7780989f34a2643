"""The tools that need the dev extra end with one sentence without it."""

import subprocess
import sys

import pytest

WITHOUT = """
import runpy, sys
sys.modules["{package}"] = None  # as if it were not installed
sys.argv = ["tool", "--help"]
runpy.run_module("glanet.course.tools.{tool}", run_name="__main__")
"""


@pytest.mark.parametrize(
    ("tool", "package"),
    [("build", "jupytext"), ("build", "nbclient"), ("headless", "nbformat"), ("site", "sphinx")],
)
def test_without_the_dev_extra_a_tool_ends_with_one_sentence(tool, package):
    code = WITHOUT.format(tool=tool, package=package)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"glanet: {package} is not installed; building and running notebooks needs the dev extra: "
        "pip install 'glanet[dev]'\n"
    )
