"""What the page that enlarges photographs needs from npm is brought once, and checked."""

import os

import pytest

from glanet.course.tools import enlarge
from glanet.course.tools.enlarge import RuntimeMissingError

NAME = f"{enlarge.PACKAGE}-{enlarge.VERSION}.tgz"
PACKS = f"""#!/bin/sh
echo "$@" >> "$CALLS"
printf archive > {NAME}
"""


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """A function that puts a script in the place of npm; returns the file of its calls."""
    monkeypatch.setattr(enlarge, "CACHE", tmp_path / "cache")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")

    def install(script):
        (tmp_path / "bin" / "npm").write_text(script)
        (tmp_path / "bin" / "npm").chmod(0o755)
        return tmp_path / "calls"

    return install


def test_npm_is_asked_once(npm, tmp_path, monkeypatch):
    (tmp_path / "archive").write_text("archive")
    monkeypatch.setattr(enlarge, "INTEGRITY", enlarge._integrity(tmp_path / "archive"))
    calls = npm(PACKS)
    assert enlarge.cached() is None
    archive = enlarge.fetch()
    assert archive.read_text() == "archive"
    assert enlarge.fetch() == enlarge.cached() == archive
    assert calls.read_text().startswith(f"pack {enlarge.PACKAGE}@{enlarge.VERSION} ")
    assert calls.read_text().count("\n") == 1
    assert list(enlarge.CACHE.iterdir()) == [archive]


def test_another_archive_is_rejected_and_not_kept(npm):
    npm(PACKS)
    with pytest.raises(RuntimeMissingError, match=rf"npm brought another {NAME} \(sha512-"):
        enlarge.fetch()
    assert list(enlarge.CACHE.iterdir()) == []


def test_a_damaged_archive_is_brought_again(npm):
    calls = npm(PACKS)
    enlarge.CACHE.mkdir()
    (enlarge.CACHE / NAME).write_text("half of it")
    assert enlarge.cached() is None
    with pytest.raises(RuntimeMissingError):
        enlarge.fetch()
    assert calls.exists()


def test_the_error_of_npm_is_shown_with_what_mends_it(npm):
    npm("#!/bin/sh\nprintf 'npm error code ENOTFOUND\\nnpm error more\\n' >&2\nexit 1\n")
    with pytest.raises(RuntimeMissingError, match=r"ENOTFOUND\).*connect to the internet"):
        enlarge.fetch()


def test_without_npm_nodejs_is_asked_for(npm, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeMissingError, match=r"npm not found.*install Node.js"):
        enlarge.fetch()
