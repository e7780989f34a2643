"""The course as a web site: it builds without a warning, and every page stands alone."""

import re
import tomllib

import pytest

from glanet.course.kit.lessons import LESSONS
from glanet.course.kit.paths import HOME
from glanet.course.tools import build, enlarge, links, site

EXAMPLE = "https://github.com/someone/glanet"


def read(path):
    return path.read_text(encoding="utf-8")


def test_every_lesson_has_a_page_between_its_neighbours(site_pages):
    for lesson in LESSONS:
        text = read(site_pages / "notebooks" / f"{lesson.stem}.html")
        for neighbour, rel in zip(links.neighbours(lesson), ("prev", "next"), strict=True):
            if neighbour:
                assert re.search(rf'rel="{rel}"[^>]*href="{neighbour.stem}\.html"', text)
        assert links.ONWARD not in text
        assert "map of the course" not in text


def test_every_answer_to_a_prediction_is_folded(site_pages):
    for lesson in LESSONS:
        text = read(site_pages / "notebooks" / f"{lesson.stem}.html")
        source = read(build.NOTEBOOKS / "source" / f"{lesson.stem}.py")
        cells = [cell for cell in source.split("# %%") if site.REVEALS.search(cell)]
        assert text.count("Show the answer") == len(cells) > 0


def test_every_module_of_the_package_has_its_docstrings_on_a_page(site_pages):
    text = "".join(read(path) for path in (site_pages / "api").glob("*.html"))
    for path in sorted((HOME / "glanet").rglob("*.py")):
        parts = path.relative_to(HOME).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        if name not in ("glanet", "glanet.__main__"):
            assert f'id="module-{name}"' in text, name


def test_every_document_is_a_page_and_can_be_searched(site_pages):
    index = read(site_pages / "searchindex.js")
    for document in (*(HOME / "docs").glob("*.md"), HOME / "CONTRIBUTING.md"):
        name = document.relative_to(HOME).with_suffix("").as_posix()
        assert (site_pages / f"{name}.html").is_file()
        assert f'"{name}"' in index


def test_formulas_are_drawn_without_scripts(site_pages):
    text = read(site_pages / "notebooks" / "05_window_attention.html")
    assert text.count("<math ") > 10
    assert not re.search(r"<script[^>]*mathjax", text, re.IGNORECASE)


def test_tables_that_cells_display_are_tables(site_pages):
    for stem, cell in (
        ("13_evaluation", "<strong>tiny-x2</strong>"),
        ("16_your_own_layer", "control"),
    ):
        text = read(site_pages / "notebooks" / f"{stem}.html")
        assert re.search(rf"<td[^>]*><p>{cell}</p></td>", text)
        assert not re.search(r"<p>\| ", text)


@pytest.fixture
def folder(tmp_path):
    """A site of one page without faults."""
    (tmp_path / "page.html").write_text('<h1 id="top"><a href="#top">a</a></h1>')
    return tmp_path


def test_a_page_without_faults_passes(folder):
    (folder / "site.css").write_text("a { background: url(data:image/png;base64,AA) }")
    (folder / "more.html").write_text(
        '<a href="page.html#top">a</a><a href="https://example.org">b</a><a href="site.css">c</a>'
        '<link rel="canonical" href="https://example.org/more.html">'
    )
    assert site.check(folder) == []


@pytest.mark.parametrize("link", ["gone.html", "page.html#gone", "#gone", "gone/"])
def test_a_dead_link_is_a_fault(folder, link):
    (folder / "more.html").write_text(f'<a href="{link}">a</a>')
    assert site.check(folder) == [f"more.html: {link} leads nowhere"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("more.html", '<script src="URL"></script>'),
        ("more.html", '<img alt="" src="URL">'),
        ("more.html", '<link rel="stylesheet" href="URL">'),
        ("more.html", '<iframe src="URL"></iframe>'),
        ("more.html", "<style>@import 'URL';</style>"),
        ("site.css", "@import url(URL);"),
        ("site.css", "@font-face { src: url('URL') }"),
        ("site.js", "import('URL')"),
        ("site.js", 'fetch("URL")'),
        ("site.js", "script.src = 'URL'"),
        ("site.mjs", "import('URL')"),
    ],
)
@pytest.mark.parametrize("url", ["https://cdn.example.org/a", "//cdn.example.org/a"])
def test_a_load_from_elsewhere_is_a_fault(folder, name, text, url):
    (folder / name).write_text(text.replace("URL", url))
    assert site.check(folder) == [f"{name}: loads {url}"]


def test_without_an_address_links_to_other_files_are_text(tmp_path, monkeypatch):
    monkeypatch.setattr(links, "repository", lambda: None)
    site.assemble(tmp_path)
    text = read(tmp_path / "docs" / "adding-a-network.md")
    assert "](../glanet" not in text
    assert "networks.py" in text


@pytest.mark.parametrize("enlarging", [True, False])
def test_the_page_that_enlarges_photographs_can_be_left_out(tmp_path, monkeypatch, enlarging):
    monkeypatch.setattr(links, "repository", lambda: None)
    site.assemble(tmp_path, enlarging=enlarging)
    assert (tmp_path / f"{site.ENLARGE}.md").exists() == enlarging
    assert (site.ENLARGE in read(tmp_path / "index.md")) == enlarging
    assert ("](book/enlarge.md)" in read(tmp_path / "docs" / "upscaling.md")) == enlarging


def test_without_npm_the_command_names_the_way_out(tmp_path, monkeypatch):
    monkeypatch.setattr(enlarge, "CACHE", tmp_path / "npm")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match=r"npm not found.*make book ARGS=--no-enlarge"):
        site.main(tmp_path / "book")
    assert not (tmp_path / "book").exists()


def test_with_an_address_pages_link_to_the_repository_and_to_services(tmp_path, monkeypatch):
    monkeypatch.setattr(links, "repository", lambda: EXAMPLE)
    monkeypatch.setattr(site, "NOTEBOOKS", tmp_path / "notebooks")
    (tmp_path / "notebooks").mkdir()
    for source in build.sources():
        stored = tmp_path / "notebooks" / f"{source.stem}.ipynb"
        build.write(build.convert(source), stored)
    site.assemble(tmp_path / "source")
    text = read(tmp_path / "source" / "docs" / "adding-a-network.md")
    assert f"]({EXAMPLE}/blob/main/glanet/networks.py)" in text
    for lesson in LESSONS:
        text = read(tmp_path / "source" / "notebooks" / f"{lesson.stem}.ipynb")
        assert links.launch(lesson.stem, EXAMPLE) in text
        assert "find_spec" not in text


def test_the_layers_of_the_reference_are_those_that_are_checked(tmp_path):
    settings = tomllib.loads(read(HOME / "pyproject.toml"))["tool"]["importlinter"]
    layers = settings["contracts"][0]["layers"]
    site.assemble(tmp_path)
    found = {path.stem for path in (tmp_path / "api").glob("*.rst")}
    assert found == {layer.replace(" | ", "-") for layer in layers} - {"__main__"}
