"""Every input ends in the right picture or in an error of one line, and leaves nothing behind."""

import sys
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from glanet.data.images import read_image
from glanet.inference.batch import DONE, FAILED, plan, upscale_all
from glanet.inference.photo import Enlarger
from tests.inference.hostile.inputs import ERROR, INPUTS, noise
from tests.inference.nearest import Nearest, Silent

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names and no pipes"),
    pytest.mark.timeout(60),
    pytest.mark.filterwarnings("ignore"),
]


def enlarged(path, **options):
    """The outcome of enlarging one file."""
    planned = plan([path], label="-x2", **options)
    (outcome,) = upscale_all(planned, Enlarger(Nearest()), Silent())
    return outcome


def doubled(image):
    return image.repeat(2, axis=0).repeat(2, axis=1)


def test_there_are_enough_inputs():
    assert len(INPUTS) >= 120


@pytest.mark.parametrize("name", INPUTS)
def test_an_input_gives_the_right_picture_or_an_error_of_one_line(tmp_path, name):
    path = tmp_path / name
    expected = INPUTS[name](path)
    outcome = enlarged(path)
    left = {found.name for found in tmp_path.iterdir()} - {path.name}
    if outcome.state == FAILED:
        assert expected is None or expected is ERROR, outcome.reason
        assert outcome.reason.isprintable()
        assert len(outcome.reason) > 20
        assert left == set()
        return
    assert outcome.state == DONE
    assert expected is not ERROR
    assert left == {outcome.target.name}
    source, result = (read_image(place, deep=True) for place in (path, outcome.target))
    assert result.rgb.shape == doubled(source.rgb).shape
    assert (result.alpha is None) == (source.alpha is None)
    if isinstance(expected, np.ndarray):
        eight = result.rgb if result.rgb.dtype == np.uint8 else (result.rgb + 128.0) // 257
        visible = np.ones(eight.shape[:2], bool) if result.alpha is None else result.alpha > 0
        assert np.abs(eight - doubled(expected).astype(float))[visible].max() <= 1


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    mode=st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"]),
    kind=st.sampled_from(["png", "tif", "bmp", "jpg", "webp"]),
)
def test_images_of_any_size_and_mode(tmp_path, height, width, mode, kind):
    path, result = tmp_path / f"a.{kind}", tmp_path / f"a-x2.{kind}"
    if mode in ("I;16", "F"):
        image = Image.fromarray(noise(height, width).astype("u2" if mode == "I;16" else "f4"))
    else:
        image = Image.fromarray(noise(height, width, 3)).convert(mode)
    try:
        image.save(path)
    except (OSError, ValueError):  # the format has no such mode
        return
    outcome = enlarged(path, overwrite=True)
    if mode == "F" and kind == "tif":
        assert "no agreed range" in outcome.reason
        return
    assert outcome.state == DONE, outcome.reason
    with Image.open(result) as enlarged_image:
        assert enlarged_image.size == (2 * width, 2 * height)


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=300), start=st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"BM"]))
def test_bytes_of_any_kind_end_in_an_error_of_one_line(tmp_path_factory, data, start):
    path = tmp_path_factory.mktemp("bytes") / "a.png"
    path.write_bytes(start + data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert enlarged(path).state in (DONE, FAILED)
