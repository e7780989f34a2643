import stat

import pytest

from glanet.files import atomic_path, write_text


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
