import re
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from glanet.course.kit import paths, predictions
from glanet.course.kit.lines import short_lines
from glanet.course.kit.photo import details, explore_details, photograph
from glanet.course.kit.predictions import reveal, reveal_choice
from glanet.course.kit.profile import PROFILES, by_profile, profile
from glanet.course.kit.style import alt_text, drawing, new_figure


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


def shown(capsys):
    """What was printed, with its lines joined."""
    return " ".join(capsys.readouterr().out.split())


@pytest.fixture
def folded(monkeypatch):
    """The bundles that predictions display."""
    bundles = []
    monkeypatch.setattr(predictions, "display", lambda bundle, raw: bundles.append(bundle))
    return bundles


@pytest.mark.parametrize(
    ("guess", "says"),
    [(110, "is close"), (10, "too low"), (1000, "too high"), (np.float64(100), "is close")],
)
def test_a_guess_is_compared_and_explained(guess, says, capsys):
    reveal(guess, 100, unit="eggs", because="Because.")
    text = shown(capsys)
    assert says in text
    assert text.endswith("The answer is 100 eggs. Because.")


@pytest.mark.parametrize(
    ("guess", "says"),
    [
        ("low-pass", "Right: the answer is low-pass. Because."),
        ("high-pass", "You said high-pass, but the answer is low-pass. Because."),
    ],
)
def test_a_choice_is_compared_and_explained(guess, says, capsys):
    reveal_choice(guess, "low-pass", choices=("low-pass", "high-pass"), because="Because.")
    assert shown(capsys) == says


def ask_number(guess):
    reveal(guess, 12345, unit="eggs", because="Because.")


def ask_choice(guess):
    reveal_choice(guess, 12345, choices=(12345, 0), because="Because.")


@pytest.mark.parametrize("ask", [ask_number, ask_choice])
@pytest.mark.parametrize(
    "guess",
    [None, "12", "", (1, 2), [3], {"a": 1}, True, float("nan"), np.arange(2), 1j, int],
    ids=repr,
)
def test_what_is_no_answer_gets_one_sentence_and_no_answer(ask, guess, capsys):
    ask(guess)
    text = shown(capsys)
    assert repr(guess)[:20] in text
    assert "Guess one number" in text or "Choose one of" in text
    assert "The answer" not in text


@pytest.mark.parametrize("ask", [ask_number, ask_choice])
def test_without_a_guess_the_answer_is_folded(ask, folded, capsys):
    ask(...)
    (bundle,) = folded
    assert capsys.readouterr().out == ""
    assert "12" not in bundle["text/plain"]
    assert re.fullmatch(
        r"<details><summary>.*</summary>\n<pre .*The answer is .*12,?345.*</pre></details>",
        bundle["text/html"],
        re.DOTALL,
    )


def test_a_long_answer_is_wrapped_and_a_table_is_not(folded, capsys):
    table = "attention   0.04  0.34\nmax         0.05  0.09"
    for guess in (1, ...):
        reveal(guess, 1, unit="egg", because=f"{'long ' * 30}& <b>\n{table}")
    lines = capsys.readouterr().out.splitlines() + folded[0]["text/html"].splitlines()[1:]
    text = "\n".join(lines)
    assert text.count(table) == 2
    assert "&amp; &lt;b&gt;" in text
    assert max(map(len, lines)) <= 62 + len('<pre style="white-space: pre-wrap">')


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
    assert paths.results("photo")["claim"] == "photo"
    claims = [entry["claim"] for entry in paths.results_in("ablation")]
    assert "ablation/gla-net-seed0" in claims == sorted(claims)
    monkeypatch.setattr(paths, "HOME", tmp_path)
    assert paths.results("photo") is None
    assert paths.results_in("ablation") == []


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


def test_long_lines_are_cut_at_spaces_and_keep_their_indent():
    text = f"short\n  {'word ' * 20}\n{'x' * 70} end"
    lines = short_lines(text, hang=">").splitlines()
    assert lines[0] == "short"
    assert all(len(line) <= 62 for line in lines[:-2])
    assert [line[:4] for line in lines[1:3]] == ["  wo", "  >w"]
    assert lines[-2:] == ["x" * 70, ">end"]
    assert short_lines(ValueError("it is wrong")) == "it is wrong"


def test_a_figure_is_displayed_with_a_text_that_says_what_it_shows():
    figure = new_figure(4, 2)
    picture, curve = figure.subplots(1, 2)
    figure.colorbar(picture.imshow([[0, 1]]), ax=picture, label="weight")
    picture.set_title("base, $I_{CSR}$")
    curve.plot([1, 2], label="each step")
    curve.set(xlabel="step", ylabel="loss\n(dB)")
    curve.legend()
    bundle, metadata = figure._repr_mimebundle_()
    assert Image.open(BytesIO(bundle["image/png"])).size[0] > 300
    bars = new_figure(3, 2)
    bars.subplots().barh(["border", "rounding"], [1, 2])
    assert alt_text(bars) == "Plot: border, rounding"
    powers = new_figure(3, 2)
    powers.subplots().semilogy([0.01, 0.1])
    assert alt_text(powers) == "Plot"
    pair = new_figure(3, 2)
    for axes in pair.subplots(1, 2):
        axes.imshow([[0, 1]])
    pair.axes[0].set_title("LR")
    assert alt_text(pair) == "2 panels. Picture: LR"
    assert metadata["image/png"]["alt"] == (
        "2 panels. Picture: base, I_{CSR}. Plot: loss (dB) against step: each step. colours: weight"
    )
