import numpy as np
import pytest

from glanet.course.checks import RIGHT, WRONG
from glanet.course.exercises import start
from glanet.course.figures.photo import details, photograph
from glanet.course.predictions import reveal, reveal_choice
from glanet.course.profile import PROFILES, by_profile, profile
from glanet.course.widgets.photo import explore_details


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
    assert text.endswith("it is 100 eggs. Because.")


@pytest.mark.parametrize(
    ("guess", "says"),
    [
        (..., "No guess, no harm: it is low-pass. Because."),
        ("low-pass", "Right, it is low-pass. Because."),
        ("high-pass", "You said high-pass, and it is low-pass. Because."),
        ("loud", "'loud' is none of the choices: 'low-pass', 'high-pass'. Choose again."),
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


def with_loops(image, scale):
    larger = np.empty((len(image) * scale, image.shape[1] * scale, 3), np.uint8)
    for row in range(len(larger)):
        for column in range(larger.shape[1]):
            larger[row, column] = image[row // scale, column // scale]
    return larger


def test_the_warm_up_accepts_the_solution_and_an_equivalent():
    assert start.nearest.judge(start.repeat_pixels).state == RIGHT
    assert start.nearest.judge(with_loops).state == RIGHT


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (
            lambda image, s: np.concatenate([image[i // s][None] for i in range(s * len(image))]),
            "columns are not",
        ),
        (lambda image, s: np.kron(image, np.ones((1, s, 1), np.uint8)), "rows are not"),
        (lambda image, s: np.concatenate([np.concatenate([image] * s, 1)] * s, 0), "like a tile"),
        (lambda image, s: np.kron(image, np.ones((s, s, s), np.uint8)), "colours are repeated"),
        (lambda image, s: with_loops(image, 2), "always enlarges by 2"),
        (lambda image, s: with_loops(image.transpose(1, 0, 2), s), "changed places"),
        (lambda image, s: np.repeat(image, s), "one long row"),
    ],
)
def test_each_mistake_in_the_warm_up_is_named(mistaken, says):
    verdict = start.nearest.judge(mistaken)
    assert verdict.state == WRONG
    assert says in verdict.message
