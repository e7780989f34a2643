import stat
import subprocess
import sys

import pytest

from glanet.files import atomic_path, remove_abandoned, write_bytes, write_text


def test_a_file_appears_whole_with_the_usual_permissions(tmp_path):
    path = tmp_path / "a.json"
    with atomic_path(path) as part:
        part.write_text("half")
        assert not path.exists()
        assert part.parent == tmp_path
        assert part.suffix == ".json"
    assert path.read_text() == "half"
    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(ordinary.stat().st_mode)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "ordinary"]


def test_after_an_error_the_old_file_is_as_it_was_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old ×")
    with pytest.raises(RuntimeError), atomic_path(path) as part:
        part.write_text("new")
        raise RuntimeError
    assert path.read_text(encoding="utf-8") == "old ×"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows deletes no open file")
def test_what_a_killed_process_left_is_removed_and_what_another_writes_is_not(tmp_path):
    killed = f"""
import os
from glanet.files import atomic_path
with atomic_path({str(tmp_path / "a.png")!r}) as part:
    part.write_text("half")
    os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", killed], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    with atomic_path(tmp_path / "b.png") as part:
        part.write_text("half")
        remove_abandoned(tmp_path)
        assert list(tmp_path.iterdir()) == [part]
    assert [path.name for path in tmp_path.iterdir()] == ["b.png"]


def test_the_longest_names_can_be_written(tmp_path):
    for name in ("n" * 251 + ".png", "n." + "e" * 253):
        write_bytes(tmp_path / name, b"content")
        assert (tmp_path / name).read_bytes() == b"content"
