"""Build the course as a web site: ``make book``.

Sphinx reads a copy of the documents and notebooks under ``build/book``, at the places that they
have in the repository, so that their links lead to each other. Nothing is executed: the pages show
the outputs that the notebooks store. A dead link, or a page that would load something from another
site, fails the build.

One page enlarges photographs in the browser, with a runtime that npm brings once (`enlarge`).
``make book ARGS=--no-enlarge`` leaves it out.
"""

import re
import shutil
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from pkgutil import walk_packages
from urllib.parse import unquote, urlsplit

import tyro

import glanet
from glanet.course.kit.lessons import LESSONS
from glanet.course.kit.paths import FIGURES, HOME, NOTEBOOKS
from glanet.course.tools import dev_extra, links
from glanet.course.tools.enlarge import RuntimeMissingError, fetch, write
from glanet.errors import GlanetError

with dev_extra():
    import nbformat
    from sphinx.cmd.build import main as run_sphinx

BOOK = HOME / "build" / "book"
SETTINGS = HOME / "docs" / "book"
ENLARGE = "docs/book/enlarge"  # the page that enlarges photographs, and the folder beside it
REVEALS = re.compile(r"\breveal(?:_choice)?\(")
LINK = re.compile(r"\[([^\]]*)\]\(([^)\s:#]+)(#[^)\s]*)?\)")
DOCUMENT = re.compile(r"\]\(([\w/-]+)\.md\)")
# what a browser fetches by itself: attributes of these tags, and in styles url() and @import
LOADS = {"script", "img", "source", "iframe", "embed", "object", "video", "audio", "link"}
STYLE_LOADS = re.compile(r"""(?:url\(|@import\s+)\s*["']?((?:https?:)?//[^"')]+)""")
SCRIPT_LOADS = re.compile(
    r"""(?:import|fetch|importScripts)\s*\(?\s*["'`]((?:https?:)?//[^"'`]+)"""
    r"""|\.src\s*=\s*["'`]((?:https?:)?//[^"'`]+)"""
)


class SiteError(GlanetError):
    """The site was not built; the message says which page has which fault."""


def build(out, runtime: Path | None = None) -> Path:
    """Build the site in the folder ``out``, anew. Returns the folder of its pages.

    ``runtime`` is what `enlarge.fetch` returns; without it, no page enlarges photographs.

    Raises:
        SiteError: Sphinx warned, a link is dead, or a page loads something from another site.
    """
    source, pages = Path(out) / "source", Path(out) / "html"
    shutil.rmtree(out, ignore_errors=True)
    assemble(source, enlarging=runtime is not None)
    options = ["--builder=html", f"--conf-dir={SETTINGS}", "--fail-on-warning", "--quiet"]
    if run_sphinx([*options, str(source), str(pages)]):
        raise SiteError(f"{source}: Sphinx warned, see above. Mend the document or the docstring.")
    if runtime:
        write(pages / ENLARGE, runtime)
    faults = check(pages)
    if faults:
        raise SiteError("\n".join(faults))
    return pages


def assemble(source, *, enlarging=False):
    """Write the tree of pages that Sphinx reads into the folder ``source``.

    ``enlarging`` adds the page that enlarges photographs.
    """
    readme = (HOME / "README.md").read_text(encoding="utf-8")
    documents = [*dict.fromkeys(DOCUMENT.findall(readme)), "CHANGELOG"]
    tools = [ENLARGE] if enlarging else []
    for name in (*documents, *tools):
        _write(source / f"{name}.md", (HOME / f"{name}.md").read_text(encoding="utf-8"))
    for folder in (FIGURES, *(path for path in _pictures() if path.is_dir())):
        shutil.copytree(folder, source / folder.relative_to(HOME))
    for picture in (path for path in _pictures() if path.is_file()):
        shutil.copy2(picture, source / "docs")
    for lesson in LESSONS:
        _write(source / "notebooks" / f"{lesson.stem}.ipynb", _notebook(lesson))
    layers = _write_api(source / "api")
    contents = {
        "Try it": tools,
        "The course": [f"notebooks/{lesson.stem}" for lesson in LESSONS],
        "Documents": documents,
        "Reference": [f"api/{layer}" for layer in layers],
    }
    trees = (_toctree(caption, pages) for caption, pages in contents.items() if pages)
    _write(source / "index.md", readme + "".join(trees))
    _relink(source)


def _pictures():
    return [
        path for path in (HOME / "docs").iterdir() if path.name == "lab" or path.suffix == ".png"
    ]


def _write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _toctree(caption, pages):
    return f"\n\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n" + "\n".join(pages) + "\n```\n"


def _notebook(lesson):
    """A lesson's notebook for the site: answers folded, and no links that the site has itself."""
    notebook = nbformat.read(NOTEBOOKS / f"{lesson.stem}.ipynb", as_version=4)
    shown = [cell for cell in notebook.cells if cell.id not in (links.INSTALL, links.ONWARD)]
    shown[0].source = shown[0].source.replace(links.navigation(lesson), "", 1)
    for cell in shown:
        if cell.cell_type == "code" and REVEALS.search(cell.source):
            cell.metadata.setdefault("tags", []).append("hide-cell")
    notebook.cells = shown
    return nbformat.writes(notebook)


def _write_api(folder):
    """A page of docstrings for each layer of the package, from the top. Returns their names."""
    settings = tomllib.loads((HOME / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    layers = settings["importlinter"]["contracts"][0]["layers"]
    modules = [found.name for found in walk_packages(glanet.__path__, "glanet.")]
    pages = []
    for layer in layers:
        members = layer.split(" | ")
        if members == ["__main__"]:
            continue  # starts the command line when it is imported
        title = ", ".join(members)
        text = f"{title}\n{'=' * len(title)}\n"
        for module in modules:
            if module.split(".")[1] in members:
                text += f"\n{module}\n{'-' * len(module)}\n\n.. automodule:: {module}\n"
        pages.append("-".join(members))
        _write(folder / f"{pages[-1]}.rst", text)
    return pages


def _relink(source):
    """Links to files that the site does not hold lead to the repository, if it has an address."""
    address = links.repository()
    for page in source.rglob("*.md"):
        folder = HOME / page.relative_to(source).parent

        def lead(found, folder=folder):
            target = folder / found[2]
            if not target.exists():
                return found[0]  # code that looks like a link, or a dead link, which Sphinx reports
            path = target.resolve().relative_to(HOME)
            if (source / path).is_file():
                return found[0]
            kind = "tree" if target.is_dir() else "blob"
            return f"[{found[1]}]({address}/{kind}/{links.BRANCH}/{path})" if address else found[1]

        _write(page, LINK.sub(lead, page.read_text(encoding="utf-8")))


class _Page(HTMLParser):
    """The addresses on a page: ``links`` to follow, ``loads`` to fetch, and ``anchors``."""

    def __init__(self, path):
        super().__init__()
        self.links, self.loads, self.anchors = set(), set(), {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.anchors.update(values[name] for name in ("id", "name") if values.get(name))
        for name in ("href", "src", "data", "poster"):
            if values.get(name) and tag in (*LOADS, "a"):
                fetched = tag in LOADS and values.get("rel") not in ("canonical", "next", "prev")
                (self.loads if fetched else self.links).add(values[name])


def check(folder) -> list[str]:
    """The faults of the pages in ``folder``: dead links, and what they load from other sites."""
    folder = Path(folder).resolve()
    templates = folder / "_static"  # the theme's
    found = (path for path in folder.rglob("*.html") if not path.is_relative_to(templates))
    pages = {path: _Page(path) for path in sorted(found)}
    faults = []
    for path, page in pages.items():
        name = path.relative_to(folder)
        faults += [f"{name}: loads {url}" for url in sorted(page.loads) if _elsewhere(url)]
        for url in sorted(page.links | page.loads):
            if not _elsewhere(url) and not _leads(url, path, pages):
                faults.append(f"{name}: {url} leads nowhere")
    for kind, pattern in (("css", STYLE_LOADS), ("*js", SCRIPT_LOADS), ("html", STYLE_LOADS)):
        for path in sorted(folder.rglob(f"*.{kind}")):
            text = path.read_text(encoding="utf-8")
            for groups in pattern.finditer(text):
                faults.append(f"{path.relative_to(folder)}: loads {groups[groups.lastindex]}")
    return faults


def _elsewhere(url):
    return bool(urlsplit(url).netloc)


def _leads(url, path, pages):
    """Whether an address on the page at ``path`` leads to a file, and to an anchor in it."""
    parts = urlsplit(url)
    if parts.scheme:
        return True  # data: and mailto:
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target not in pages:
        return target.is_file()
    return unquote(parts.fragment) in pages[target].anchors


def main(out: Path = BOOK, enlarge: bool = True):
    """Build the site: python -m glanet.course.tools.site

    Args:
        out: Folder of the site; it is deleted first.
        enlarge: Build the page that enlarges photographs, too.
    """
    try:
        print(f"built: {build(out, fetch() if enlarge else None) / 'index.html'}")
    except RuntimeMissingError as error:
        sys.exit(f"glanet: {error}. `make book ARGS=--no-enlarge` builds the other pages.")
    except SiteError as error:
        sys.exit(f"glanet: {error}")


if __name__ == "__main__":
    tyro.cli(main)
