import numpy as np
import pytest

from glanet.analysis.photographs import middle, photographs
from glanet.data import catalog
from glanet.training import Recipe


def test_without_data_there_are_six_at_most(tmp_path, monkeypatch):
    monkeypatch.setenv("GLANET_DATA", str(tmp_path))
    found = photographs(40, 96)
    assert len(found) == 6
    assert list(photographs(2, 96)) == list(found)[:2]
    assert {photo.shape for photo in found.values()} == {(96, 96, 3)}
    assert {photo.dtype for photo in found.values()} == {np.dtype(np.uint8)}


def test_with_data_there_are_forty_that_no_recipe_trains_on():
    if catalog.status("B100").state != catalog.PRESENT:
        pytest.skip("needs B100")
    assert len(photographs(40, 96)) == 40
    assert not any("B100" in Recipe.preset(name).data for name in Recipe.PRESETS)


def test_the_middle_has_as_much_on_either_side():
    image = np.arange(7 * 10).reshape(7, 10)
    np.testing.assert_array_equal(middle(image, 3), image[2:5, 3:6])
