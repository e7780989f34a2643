"""What a notebook links to: the lessons beside it, and services that run it without an install.

The sources hold none of this; `build.convert` adds it. The address of the repository stands in one
place, ``Repository`` under ``[project.urls]`` in pyproject.toml. Without it there are no links to
services, because these read notebooks from GitHub.
"""

import re
import tomllib
from urllib.parse import urlsplit

from glanet.course.kit.lessons import LESSONS
from glanet.course.kit.paths import HOME
from glanet.course.tools import dev_extra
from glanet.errors import GlanetError

with dev_extra():
    import nbformat

BRANCH = "main"  # that the services open
INSTALL, ONWARD = "install", "onward"  # ids of the cells that `add_links` adds
MAP = LESSONS[0]  # holds the map of the course


class AddressError(GlanetError, ValueError):
    """The address of the repository cannot be used; the message says what is expected."""


def repository() -> str | None:
    """The repository's address; None where pyproject.toml has none.

    Raises:
        AddressError: it is not the address of a GitHub repository.
    """
    project = tomllib.loads((HOME / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    address = project.get("urls", {}).get("Repository")
    if address is None:
        return None
    if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", address):
        raise AddressError(
            f"pyproject.toml: Repository is {address!r}, expected https://github.com/OWNER/NAME"
        )
    return address


def services(stem, address) -> dict[str, str]:
    """The services that open a notebook of the repository at ``address``: {name: address}."""
    path = f"notebooks/{stem}.ipynb"
    name = urlsplit(address).path
    return {
        "Colab": f"https://colab.research.google.com/github{name}/blob/{BRANCH}/{path}",
        "Kaggle": f"https://kaggle.com/kernels/welcome?src={address}/blob/{BRANCH}/{path}",
        "Binder": f"https://mybinder.org/v2/gh{name}/{BRANCH}?labpath={path}",
    }


def launch(stem, address) -> str:
    """The line of links to `services`."""
    links = [f"[{name}]({link})" for name, link in services(stem, address).items()]
    return f"Run it on {' · '.join(links)}"


def navigation(lesson) -> str:
    """The line of links to the previous lesson, the map of the course and the next lesson."""
    before, after = neighbours(lesson)
    links = [
        before and f"[← {_name(before)}]({before.stem}.ipynb)",
        lesson != MAP and f"[map of the course]({MAP.stem}.ipynb)",
        after and f"[{_name(after)} →]({after.stem}.ipynb)",
    ]
    return " · ".join(link for link in links if link)


def neighbours(lesson):
    """The lessons before and after; None beyond the ends."""
    place = LESSONS.index(lesson)
    return (
        LESSONS[place - 1] if place else None,
        LESSONS[place + 1] if place + 1 < len(LESSONS) else None,
    )


def link_map(text) -> str:
    """``text`` with each lesson's row of the map linked to its notebook."""
    for lesson in LESSONS:
        row = f"| {_name(lesson)} |"
        text = text.replace(row, f"| [{_name(lesson)}]({lesson.stem}.ipynb) |")
    return text


def add_links(cells, lesson, address):
    """Add to a notebook's ``cells``, in place: links under its title and at its end.

    With the repository's ``address`` also the links to `services`, and a cell that installs the
    package there.
    """
    title, _, text = cells[0].source.partition("\n\n")
    lines = [navigation(lesson)]
    if address:
        lines.append(launch(lesson.stem, address))
        code = install_line(requirement(address))
        cells.insert(1, nbformat.v4.new_code_cell(code, id=INSTALL))
    cells[0].source = "\n\n".join([title, *lines, text])
    if lesson == MAP:
        for cell in cells:
            cell.source = link_map(cell.source)
    _, after = neighbours(lesson)
    if after:
        text = f"**Next:** [{_name(after)}]({after.stem}.ipynb)"
        cells.append(nbformat.v4.new_markdown_cell(text, id=ONWARD))


def install_line(requirement) -> str:
    """A line of code that installs ``requirement`` in a kernel that lacks the package.

    Services bring Jupyter and matplotlib in versions of their own, which must stay, so the
    requirement is the package without its course extra.
    """
    return (
        'from importlib.util import find_spec; find_spec("glanet") or '
        f'get_ipython().run_line_magic("pip", \'install --quiet "{requirement}"\');'
    )


def requirement(address) -> str:
    """What pip installs from the repository at ``address``."""
    return f"glanet @ git+{address}@{BRANCH}"


def _name(lesson):
    return f"{lesson.number} {lesson.title}"
