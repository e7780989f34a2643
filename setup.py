"""The packages of the wheel; everything else about the project stands in pyproject.toml."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["glanet", "glanet.*"]), "glanet.course.notebooks"],
    package_dir={"glanet.course.notebooks": "notebooks"},  # whose one home is the top folder
)
