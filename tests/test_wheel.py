"""`pip install glanet[course]` is enough for the whole course, without a checkout.

The wheel is installed into a fresh environment. It has no index to download from: what the course
extra requires is linked from the environment of the tests, and nothing else is.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from importlib import metadata
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import nbformat
import pytest
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from glanet.course.kit.lessons import LESSONS
from glanet.course.tools import build, links
from glanet.course.tools.build import Runner

ROOT = Path(__file__).parents[1]
SOURCES = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "glanet", "notebooks")
DEV_ONLY = ("jupytext", "nbval", "pytest", "ruff", "importlinter")
CELL_TIMEOUT = 600  # seconds


def build_wheel(folder):
    """The wheel of the source distribution of this checkout; nothing is downloaded."""
    tree = folder / "tree"  # setuptools leaves files in the tree that it builds
    tree.mkdir()
    left_out = shutil.ignore_patterns("__pycache__", "my_work", ".ipynb_checkpoints")
    for name in SOURCES:
        copy = shutil.copy2 if (ROOT / name).is_file() else shutil.copytree
        copy(ROOT / name, tree / name, **({} if copy is shutil.copy2 else {"ignore": left_out}))
    build = "import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])"
    run([sys.executable, "-c", build, str(folder)], tree)
    (archive,) = folder.glob("*.tar.gz")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--no-cache-dir")
    run([sys.executable, "-m", "pip", "wheel", *options, str(archive)], folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


def run(command, folder, **options):
    """What a command prints; fails with all of it where the command does."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def required_by(wheel):
    """The distributions that the wheel with its course extra requires, and those they require."""
    with ZipFile(wheel) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(path).decode().partition("\n\n")[0].splitlines()
    wanted = [line.partition(": ")[2] for line in lines if line.startswith("Requires-Dist: ")]
    found, seen = {}, set()
    waiting = [(Requirement(line), {"", "course"}) for line in wanted]
    while waiting:
        requirement, extras = waiting.pop()
        if requirement.marker and not any(
            requirement.marker.evaluate({"extra": extra}) for extra in extras
        ):
            continue
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        distribution = found.setdefault(key[0], metadata.distribution(requirement.name))
        assert requirement.specifier.contains(distribution.version, prereleases=True), requirement
        extras = {"", *requirement.extras}
        waiting += [(Requirement(line), extras) for line in distribution.requires or ()]
    return found


def top_level(distribution):
    """The files and folders in site-packages that a distribution consists of."""
    parts = {PurePosixPath(file).parts[0] for file in distribution.files or ()}
    return parts - {"..", "__pycache__"}


class Fresh:
    """An environment with what the course requires but glanet, and an empty home folder."""

    def __init__(self, folder):
        self.home = folder / "home"
        self.home.mkdir()
        self.wheel = build_wheel(folder)
        venv.create(folder / "venv", symlinks=os.name != "nt")
        self.bin = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        self.python = self.bin / "python"
        self.environment = self._environment()
        self.packages = Path(self.says("import sysconfig; print(sysconfig.get_path('purelib'))"))
        self.required = required_by(self.wheel)
        for distribution in self.required.values():
            self.add(distribution)
        self.kernels = self._describe_kernel(folder / "kernels")

    def add(self, distribution):
        """Link a distribution from the environment of the tests."""
        for name in top_level(distribution):
            link = self.packages / name
            if not link.exists():  # namespaces are shared
                link.symlink_to(distribution.locate_file(name))

    def _environment(self):
        """This process's variables without what points at our data, code and settings."""
        ours = re.compile(r"GLANET_|PYTHON|XDG_|JUPYTER|IPYTHON|MPL")
        kept = {name: value for name, value in os.environ.items() if not ours.match(name)}
        return kept | {
            "HOME": str(self.home),
            "USERPROFILE": str(self.home),
            "PATH": os.pathsep.join([str(self.bin), kept.get("PATH", "")]),
            "PYTHONPATH": str(ROOT / "tests" / "offline"),  # no other machine can be reached
            "GLANET_PROFILE": "smoke",
            "PIP_NO_INDEX": "1",
            "PIP_NO_CACHE_DIR": "1",
        }

    def _describe_kernel(self, folder):
        """A folder for Jupyter that describes the kernel of this environment, named wheel."""
        command = [str(self.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec = {"argv": command, "display_name": "wheel", "language": "python"}
        (folder / "wheel").mkdir(parents=True)
        (folder / "wheel" / "kernel.json").write_text(json.dumps(spec))
        return folder

    def glanet(self, *arguments):
        """What the installed command prints."""
        return run([self.bin / "glanet", *arguments], self.home, env=self.environment)

    def says(self, code):
        """What its Python prints."""
        return run([self.python, "-c", code], self.home, env=self.environment).strip()

    def lacks(self, modules):
        """Which of these modules cannot be imported there."""
        code = "import sys; from importlib.util import find_spec\n"
        code += "print(*(name for name in sys.argv[1:] if find_spec(name) is None))"
        command = [self.python, "-c", code, *modules]
        return set(run(command, self.home, env=self.environment).split())

    def execute(self, notebook, folder):
        """Run a notebook in a folder, in a kernel of this environment."""
        specs = KernelSpecManager(kernel_dirs=[str(self.kernels)])
        kernel = AsyncKernelManager(kernel_name="wheel", kernel_spec_manager=specs)
        place = {"metadata": {"path": folder}}
        runner = Runner(notebook, km=kernel, timeout=CELL_TIMEOUT, resources=place)
        runner.execute(env=self.environment)


class Installed(Fresh):
    """A fresh environment with the wheel, and the notebooks in its home folder."""

    def __init__(self, folder):
        super().__init__(folder)
        pip = [sys.executable, "-m", "pip", "--python", str(self.python), "install", "--no-deps"]
        run([*pip, "--no-index", "--no-cache-dir", str(self.wheel)], folder)
        self.copied = self.glanet("work")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return Installed(tmp_path_factory.mktemp("wheel"))


def test_the_environment_has_what_the_course_requires_and_no_more(installed):
    others = [
        name
        for distribution in metadata.distributions()
        if canonicalize_name(distribution.name) not in (*installed.required, "glanet")
        for name in top_level(distribution)
    ]
    ours = {name for found in installed.required.values() for name in top_level(found)}
    modules = {
        name.split(".")[0] for name in set(others) - ours if not name.endswith((".pth", "-info"))
    }
    foreign = {name for name in modules if name.isidentifier()}
    assert foreign.issuperset(DEV_ONLY)
    assert installed.lacks(foreign) == foreign


def test_the_package_is_the_wheels(installed):
    found = Path(installed.says("import glanet; print(glanet.__file__)"))
    assert found == installed.packages / "glanet" / "__init__.py"


@pytest.mark.parametrize("command", ["--help", "doctor", "progress"])
def test_the_command_line_works(installed, command):
    assert installed.glanet(command)


def test_all_notebooks_are_copied_with_their_pictures(installed):
    copies = installed.home / "glanet-course"
    names = [f"{lesson.stem}.ipynb" for lesson in LESSONS]
    assert installed.copied == "".join(f"glanet-course/{name}: copied\n" for name in names)
    assert sorted(path.name for path in copies.glob("*.ipynb")) == names
    for name in names:
        cells = nbformat.read(copies / name, as_version=4).cells
        text = "".join(cell.source for cell in cells if cell.cell_type == "markdown")
        for picture in re.findall(r"\]\(([^)]*\.svg)\)", text):
            assert (copies / picture).is_file(), f"{name}: {picture}"


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)
def test_a_notebook_runs(installed, lesson):
    path = installed.home / "glanet-course" / f"{lesson.stem}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    installed.execute(notebook, path.parent)
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")


def test_the_shipped_weights_enlarge_a_photograph(installed):
    installed.says("from skimage import data, io; io.imsave('cat.png', data.chelsea()[:64, :96])")
    installed.glanet("upscale", "cat.png", "-o", "larger.png", "--weights", "tiny-x2")
    assert installed.says("from skimage import io; print(io.imread('larger.png').shape)") == (
        "(128, 192, 3)"
    )


def test_the_types_are_the_packages(installed):
    assert (installed.packages / "glanet" / "py.typed").is_file()


def test_a_launched_notebook_installs_the_package_once_and_runs(tmp_path, monkeypatch):
    fresh = Fresh(tmp_path)
    fresh.add(metadata.distribution("pip"))
    assert fresh.lacks(["glanet"]) == {"glanet"}
    monkeypatch.setattr(links, "repository", lambda: "https://github.com/someone/glanet")
    monkeypatch.setattr(links, "requirement", lambda address: f"glanet @ {fresh.wheel.as_uri()}")
    notebook = build.convert(build.NOTEBOOKS / "source" / "00_start_here.py")
    (install,) = (cell for cell in notebook.cells if cell.id == links.INSTALL)
    again = nbformat.v4.new_code_cell(install.source)
    notebook.cells.append(again)
    fresh.execute(notebook, fresh.home)
    assert fresh.lacks(["glanet"]) == set()
    assert not again.outputs
