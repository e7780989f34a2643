"""An entry of the ledger names the commit that the measurement started with."""

import shutil
import subprocess

import pytest

from benchmarks import ledger


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder in place of the repository; no commit has been looked up yet."""
    monkeypatch.setattr(ledger, "ROOT", tmp_path)
    monkeypatch.setattr(ledger, "RESULTS", tmp_path / "results")
    ledger.started.cache_clear()
    yield tmp_path
    ledger.started.cache_clear()


def git(root, *arguments):
    author = ["-c", "user.name=name", "-c", "user.email=name@example.org"]
    subprocess.run(["git", "-C", root, *author, *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(root):
    """A repository of one commit, with the two folders whose changes count."""
    if shutil.which("git") is None:
        pytest.skip("needs git")
    git(root, "init")
    for folder in ("glanet", "benchmarks"):
        (root / folder).mkdir()
        (root / folder / "file.py").write_text("1\n")
    git(root, "add", ".")
    git(root, "commit", "-m", "first")
    return root


def test_outside_git_there_is_no_commit(root):
    assert ledger.started() is None
    assert ledger.record("speed", 1.0, "s")["commit"] is None


def test_an_archive_inside_another_repository_has_no_commit(checkout, monkeypatch):
    monkeypatch.setattr(ledger, "ROOT", checkout / "glanet")
    assert ledger.started() is None


def test_the_commit_is_that_of_the_start(checkout):
    commit = ledger.started()
    assert len(commit) == 12
    (checkout / "glanet" / "file.py").write_text("2\n")
    git(checkout, "commit", "-am", "second")
    assert ledger.record("speed", 1.0, "s")["commit"] == commit


def test_changed_files_are_marked(checkout):
    (checkout / "benchmarks" / "file.py").write_text("2\n")
    assert ledger.started().endswith("+changes")


def test_an_entry_reads_as_it_was_recorded(root):
    entry = ledger.record("speed", 1.5, "s", seed=3, batch=4)
    assert ledger.read("speed") == entry
    assert (entry["value"], entry["unit"], entry["seed"], entry["batch"]) == (1.5, "s", 3, 4)
