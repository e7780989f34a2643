import ipywidgets
import matplotlib.figure
import numpy as np
import pytest

from glanet.course.figures.photo import details
from glanet.course.predictions import reveal
from glanet.course.profile import PROFILES, by_profile, profile
from glanet.course.widgets import explore_details


@pytest.fixture
def images():
    original = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    return {"original": original, "darker": original // 2}


@pytest.mark.parametrize("top", [0, 39])
@pytest.mark.parametrize("left", [0, 59])
@pytest.mark.parametrize("side", [16, 40])
def test_details_show_the_same_whole_square_of_every_image(images, top, left, side):
    figure = details(images, top=top, left=left, side=side)
    assert [axes.get_title() for axes in figure.axes] == list(images)
    for axes, image in zip(figure.axes, images.values(), strict=True):
        start = min(top, 40 - side), min(left, 60 - side)
        shown = image[start[0] : start[0] + side, start[1] : start[1] + side]
        assert np.array_equal(axes.images[0].get_array(), shown)
        assert axes.images[0].get_extent() == [
            start[1],
            start[1] + side,
            start[0] + side,
            start[0],
        ]


def test_the_sliders_draw_a_figure_at_both_their_ends(images):
    widget = explore_details(images, side=16)
    sliders = [child for child in widget.children if isinstance(child, ipywidgets.IntSlider)]
    assert len(sliders) == 3
    for slider in sliders:
        for end in (slider.min, slider.max):
            slider.value = end
            assert isinstance(widget.f(**widget.kwargs), matplotlib.figure.Figure)


@pytest.mark.parametrize(
    ("guess", "says"),
    [(..., "No guess"), (110, "is close"), (10, "too low"), (1000, "too high")],
)
def test_a_guess_is_compared_and_explained(guess, says):
    text = reveal(guess, 100, unit="eggs", because="Because.")
    assert says in text
    assert text.endswith("it is 100 eggs. Because.")


def test_the_profile_is_learn_unless_the_environment_says_otherwise(monkeypatch):
    monkeypatch.delenv("GLANET_PROFILE", raising=False)
    assert profile() == "learn"
    for name in PROFILES:
        monkeypatch.setenv("GLANET_PROFILE", name)
        assert by_profile(smoke="smoke", learn="learn", full="full") == name
    monkeypatch.setenv("GLANET_PROFILE", "fast")
    with pytest.raises(ValueError, match=r"GLANET_PROFILE is 'fast'.*smoke, learn, full"):
        profile()
