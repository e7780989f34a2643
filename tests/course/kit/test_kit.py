from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from glanet.course.kit import paths
from glanet.course.kit.photo import details, explore_details, photograph
from glanet.course.kit.predictions import reveal, reveal_choice
from glanet.course.kit.profile import PROFILES, by_profile, profile
from glanet.course.kit.style import drawing


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


def test_a_photograph_is_shown_whole_with_the_square_marked(images):
    axes = photograph(images["original"], top=3, left=5, side=7).axes[0]
    assert np.array_equal(axes.images[0].get_array(), images["original"])
    assert {patch.get_bbox().bounds for patch in axes.patches} == {(5, 3, 7, 7)}


def test_the_sliders_draw_a_figure_at_both_their_ends(images, sweep):
    assert sweep(explore_details(images, side=16)) == 3


@pytest.mark.parametrize(
    ("guess", "says"),
    [(..., "No guess"), (110, "is close"), (10, "too low"), (1000, "too high")],
)
def test_a_guess_is_compared_and_explained(guess, says):
    text = reveal(guess, 100, unit="eggs", because="Because.")
    assert says in text
    assert text.endswith("answer is 100 eggs. Because.")


@pytest.mark.parametrize(
    ("guess", "says"),
    [
        (..., "No guess. The answer is low-pass. Because."),
        ("low-pass", "Right: the answer is low-pass. Because."),
        ("high-pass", "You said high-pass, but the answer is low-pass. Because."),
        ("loud", "'loud' is not a choice. Choose one of 'low-pass', 'high-pass'."),
    ],
)
def test_a_choice_is_compared_and_explained(guess, says):
    choices = ("low-pass", "high-pass")
    assert reveal_choice(guess, "low-pass", choices=choices, because="Because.") == says


def test_the_profile_is_learn_unless_the_environment_says_otherwise(monkeypatch):
    monkeypatch.delenv("GLANET_PROFILE", raising=False)
    assert profile() == "learn"
    for name in PROFILES:
        monkeypatch.setenv("GLANET_PROFILE", name)
        assert by_profile(smoke="smoke", learn="learn", full="full") == name
    monkeypatch.setenv("GLANET_PROFILE", "fast")
    with pytest.raises(ValueError, match=r"GLANET_PROFILE is 'fast'.*smoke, learn, full"):
        profile()


def test_results_are_read_in_a_checkout_only(monkeypatch, tmp_path):
    assert paths.results("ablation")["claim"] == "ablation"
    monkeypatch.setattr(paths, "HOME", tmp_path)
    assert paths.results("ablation") is None


def test_a_drawing_of_few_colours_keeps_the_rare_ones():
    levels = np.linspace(0, 1, 24)[:, None]

    def picture(colours):
        figure = drawing(3, 2, colours=colours)
        wide, narrow = figure.subplots(1, 2, width_ratios=(20, 1))
        wide.imshow(np.zeros((4, 4)), cmap="viridis", vmin=0, vmax=1)
        narrow.imshow(levels, cmap="viridis", aspect="auto")
        written = BytesIO()
        figure.savefig(written)
        return np.asarray(Image.open(written).convert("RGB")).astype(int)

    assert np.abs(picture(128) - picture(256)).max() <= 8
    assert len(np.unique(picture(32).reshape(-1, 3), axis=0)) <= 32
