"""The links of the notebooks: to each other, and to services that run them."""

import re

import pytest

from glanet.course.kit.lessons import LESSONS, lesson
from glanet.course.tools import build, links

EXAMPLE = "https://github.com/someone/glanet"
SOURCES = {source.stem: source for source in build.sources()}


def convert(stem, monkeypatch, address):
    monkeypatch.setattr(links, "repository", lambda: address)
    return build.convert(SOURCES[stem])


@pytest.mark.parametrize("stem", SOURCES)
def test_every_link_to_a_notebook_leads_to_one(stem, monkeypatch):
    cells = convert(stem, monkeypatch, None).cells
    text = "".join(cell.source for cell in cells if cell.cell_type == "markdown")
    found = re.findall(r"\]\((\w+\.ipynb)\)", text)
    assert found
    for name in found:
        assert (build.NOTEBOOKS / name).is_file()


def test_the_top_leads_back_to_the_map_and_on(monkeypatch):
    first, *_, last = convert("06_shifted_windows", monkeypatch, None).cells
    assert first.source.split("\n\n")[:2] == [
        "# 06 · Shifted windows",
        "[← 05 window attention](05_window_attention.ipynb) · "
        "[map of the course](00_start_here.ipynb) · [07 the GLA layer →](07_gla_layer.ipynb)",
    ]
    assert last.source == "**Next:** [07 the GLA layer](07_gla_layer.ipynb)"


def test_the_first_has_no_previous_and_the_last_no_next(monkeypatch):
    first = convert(LESSONS[0].stem, monkeypatch, None).cells[0].source
    assert "←" not in first.split("\n\n")[1]
    last = convert(LESSONS[-1].stem, monkeypatch, None).cells
    assert "→" not in last[0].source.split("\n\n")[1]
    assert last[-1].id != links.ONWARD


def test_every_lesson_of_the_map_is_linked(monkeypatch):
    text = "".join(cell.source for cell in convert("00_start_here", monkeypatch, None).cells)
    for found in LESSONS:
        assert f"| [{found.number} {found.title}]({found.stem}.ipynb) |" in text


def test_without_an_address_nothing_is_launched_or_installed(monkeypatch):
    cells = convert("05_window_attention", monkeypatch, None).cells
    assert links.INSTALL not in [cell.id for cell in cells]
    assert "Colab" not in cells[0].source


@pytest.mark.parametrize("stem", SOURCES)
def test_with_an_address_three_services_open_the_notebook(stem, monkeypatch):
    head, install, *_ = convert(stem, monkeypatch, EXAMPLE).cells
    assert head.source.split("\n\n")[2] == (
        "Run it on [Colab](https://colab.research.google.com/github/someone/glanet/blob/main/"
        f"notebooks/{stem}.ipynb) · [Kaggle](https://kaggle.com/kernels/welcome?src="
        f"https://github.com/someone/glanet/blob/main/notebooks/{stem}.ipynb) · "
        f"[Binder](https://mybinder.org/v2/gh/someone/glanet/main?labpath=notebooks/{stem}.ipynb)"
    )
    assert install.id == links.INSTALL
    assert "\n" not in install.source
    assert "glanet @ git+https://github.com/someone/glanet@main" in install.source


def project(folder, urls):
    (folder / "pyproject.toml").write_text(f'[project]\nname = "glanet"\n{urls}')


def test_the_address_is_that_of_the_project(tmp_path, monkeypatch):
    monkeypatch.setattr(links, "HOME", tmp_path)
    project(tmp_path, "")
    assert links.repository() is None
    project(tmp_path, f'[project.urls]\nRepository = "{EXAMPLE}"')
    assert links.repository() == EXAMPLE


@pytest.mark.parametrize("address", ["https://example.org/a/b", f"{EXAMPLE}/", f"{EXAMPLE}/tree/x"])
def test_an_address_that_no_service_opens_is_rejected(address, tmp_path, monkeypatch):
    monkeypatch.setattr(links, "HOME", tmp_path)
    project(tmp_path, f'[project.urls]\nRepository = "{address}"')
    with pytest.raises(links.AddressError, match=r"expected https://github\.com/OWNER/NAME"):
        links.repository()


def test_the_paper_is_linked_from_every_notebook():
    for found in LESSONS:
        text = build.target(SOURCES[found.stem]).read_text(encoding="utf-8")
        assert "](https://panpinchi.github.io/GLA-Net/)" in text, found.stem
    assert lesson("00") is links.MAP
