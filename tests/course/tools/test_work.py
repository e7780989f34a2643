import shutil
import subprocess

import nbformat
import pytest

from glanet.course.tools import work
from glanet.course.tools.work import WorkError, copy_notebooks


def notebook(text):
    cells = [
        nbformat.v4.new_markdown_cell(
            "Look: ![a window](figures/05_window.svg)\nBefore: [04 Inception](04_inception.ipynb)"
        ),
        nbformat.v4.new_code_cell(text),
    ]
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(work, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(work, "MY_WORK", tmp_path / "my_work")
    monkeypatch.setattr(work, "FIGURES", tmp_path / "figures")
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "05_window.svg").write_text("<svg/>")
    for name in ("04_inception", "05_window_attention"):
        (tmp_path / f"{name}.ipynb").write_text(notebook("answer = ..."))
    return tmp_path


def answers(path):
    return nbformat.read(path, as_version=4).cells[1].source


def test_all_or_the_named_are_copied_and_their_pictures_are_found(folder):
    assert copy_notebooks(["05"]) == ["my_work/05_window_attention.ipynb: copied"]
    copy = folder / "my_work" / "05_window_attention.ipynb"
    assert "](../figures/05_window.svg)" in nbformat.read(copy, as_version=4).cells[0].source
    assert len(copy_notebooks()) == 2
    assert sorted(path.name[:2] for path in (folder / "my_work").iterdir()) == ["04", "05"]


def text(copy):
    return nbformat.read(copy, as_version=4).cells[0].source


def test_a_copy_links_to_copies_and_else_to_the_originals(folder):
    copy_notebooks(["05"])
    copy = folder / "my_work" / "05_window_attention.ipynb"
    assert "[04 Inception](../04_inception.ipynb)" in text(copy)
    copy_notebooks()
    copy_notebooks(["05"], fresh=True)
    assert "[04 Inception](04_inception.ipynb)" in text(copy.with_stem(f"{copy.stem}-2"))


def test_away_from_the_notebooks_a_copy_links_to_nothing_that_is_not_there(
    folder, monkeypatch, tmp_path_factory
):
    copies = tmp_path_factory.mktemp("anywhere") / "glanet-course"
    monkeypatch.setattr(work, "MY_WORK", copies)
    copy_notebooks(["05"])
    assert text(copies / "05_window_attention.ipynb").endswith("Before: 04 Inception")
    copy_notebooks(fresh=True)
    assert "(04_inception.ipynb)" in text(copies / "05_window_attention-2.ipynb")


def test_away_from_the_notebooks_the_copies_bring_their_pictures(
    folder, monkeypatch, tmp_path_factory
):
    copies = tmp_path_factory.mktemp("anywhere") / "glanet-course"
    monkeypatch.setattr(work, "MY_WORK", copies)
    assert copy_notebooks(["05"]) == ["glanet-course/05_window_attention.ipynb: copied"]
    text = nbformat.read(copies / "05_window_attention.ipynb", as_version=4).cells[0].source
    assert "](figures/05_window.svg)" in text
    assert (copies / "figures" / "05_window.svg").read_text() == "<svg/>"
    assert len(copy_notebooks()) == 2  # the pictures are there already


def test_a_copy_is_the_notebook_but_for_pictures_and_version(folder):
    copy_notebooks(["05"])
    original, copy = (
        nbformat.read(path / "05_window_attention.ipynb", as_version=4)
        for path in (folder, folder / "my_work")
    )
    nbformat.validate(copy)
    del copy.metadata["glanet_version"]
    assert copy.metadata == original.metadata
    assert copy.cells[1:] == original.cells[1:]


def test_a_new_version_never_overwrites_answers(folder):
    copy_notebooks()
    mine = folder / "my_work" / "05_window_attention.ipynb"
    solved = nbformat.read(mine, as_version=4)
    solved.cells[1].source = "answer = 42"
    nbformat.write(solved, mine)
    (said,) = copy_notebooks(["05"])
    assert said == "my_work/05_window_attention.ipynb: yours, left as it is"

    (folder / "05_window_attention.ipynb").write_text(notebook("answer = ...  # better asked"))
    (said,) = copy_notebooks(["05"])
    assert "another version by now: `glanet work 05 --fresh`" in said
    assert answers(mine) == "answer = 42"

    for number in (2, 3):
        (said,) = copy_notebooks(["05"], fresh=True)
        assert said == f"my_work/05_window_attention-{number}.ipynb: copied"
    assert answers(mine) == "answer = 42"
    assert "better asked" in answers(folder / "my_work" / "05_window_attention-2.ipynb")


def test_unknown_names_and_missing_notebooks_are_named(folder):
    with pytest.raises(WorkError, match=r"starts with 99; there are 04_inception, 05_window"):
        copy_notebooks(["99"])
    for path in folder.glob("*.ipynb"):
        path.unlink()
    with pytest.raises(WorkError, match=r"no notebooks found.*Install it again"):
        copy_notebooks()


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_leaves_the_copies_alone():
    asked = subprocess.run(
        ["git", "check-ignore", "notebooks/my_work/05_window_attention.ipynb"],
        cwd=work.NOTEBOOKS.parent,
        capture_output=True,
    )
    if asked.returncode == 128:
        pytest.skip("a source archive, not a git checkout")
    assert asked.returncode == 0
