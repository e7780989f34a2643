"""Notebook 00: its warm-up names mistakes, and its first cell enlarges a photograph."""

import base64
import io
import re
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image
from skimage import data

from glanet.course.kit.paths import NOTEBOOKS
from glanet.course.kit.photo import before_after, explore_details
from glanet.course.lessons.start_here import exercises, widgets
from glanet.course.lessons.start_here.widgets import EnlargeYours
from glanet.data.degradation import resize_to
from glanet.inference import upscale
from glanet.weights import load
from tests.lessons.start_here.variants import with_loops
from tests.lessons.verdicts import assert_rejected

SOURCE = NOTEBOOKS / "source" / "00_start_here.py"


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
        (lambda image, s: with_loops(image.transpose(1, 0, 2), s), "rows and columns are swapped"),
        (lambda image, s: np.repeat(image, s), "one long row"),
    ],
)
def test_each_mistake_in_the_warm_up_is_named(mistaken, says):
    assert_rejected(exercises.nearest, mistaken, says)


@pytest.fixture
def widget():
    """The widget as the notebook shows it, of the original alone."""
    (call,) = re.findall(r"^explore_details\(.*\)$", SOURCE.read_text("utf-8"), re.MULTILINE)
    names = {"photo": data.rocket(), "enlargements": {}, "explore_details": explore_details}
    return eval(call, names)


@pytest.mark.parametrize("name", ["row", "column", "side"])
@pytest.mark.parametrize("step", [-16, 1, 16])
def test_each_step_of_a_slider_changes_the_first_picture(widget, name, step):
    def pixels():
        return widget.f(**widget.kwargs).axes[0].images[0].get_array()

    (slider,) = (c for c in widget.children if getattr(c, "description", "") == name)
    before = pixels()
    slider.value += step
    assert not np.array_equal(pixels(), before)


def test_a_square_that_grows_stays_inside(widget):
    row, column, side = widget.children[:3]
    side.value = 400
    assert (row.max, column.max) == (427 - 400, 640 - 400)
    assert row.value <= row.max
    row.value, side.value = 0, 16
    assert row.max == 427 - 16


# The photograph of one's own


@pytest.fixture(scope="module")
def yours():
    return EnlargeYours()


def encoded(image, kind="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()


def take(yours, name, content):
    """Hand a file over as the browser does."""
    file = {"name": name, "type": "", "size": len(content), "content": memoryview(content)}
    yours.button.value = ({**file, "last_modified": datetime.now(UTC)},)


def images(text):
    """The images that HTML holds: {their texts: pixels}."""
    found = re.findall(r'src="data:image/png;base64,([^"]*)" alt="([^"]*)"', text)
    return {
        alt: np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))) for content, alt in found
    }


def saved(yours):
    """(name, content) of the link."""
    name, content = re.search(
        r"download='([^']*)' href='data:image/\w+;base64,([^']*)'", yours.said.value
    ).groups()
    return name, base64.b64decode(content)


def test_without_a_file_there_is_a_photograph_under_the_slider(yours):
    assert saved(yours)[0] == "rocket-x2.png"
    bicubic, network = images(yours.picture.value).values()
    assert bicubic.shape == network.shape == (240, 240, 3)
    assert np.abs(bicubic.astype(int) - network).max() > 20


def test_a_photograph_comes_back_enlarged_under_its_name(yours):
    lr = data.astronaut()[:40, :60]
    take(yours, "a <b> & 'c'.png", encoded(lr))
    name, content = saved(yours)
    assert name == "a &lt;b&gt; &amp; &#x27;c&#x27;-x2.png"
    sr = upscale(load("tiny-x2"), lr)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), sr)
    shown = images(yours.picture.value)
    assert [*shown] == ["bicubic interpolation", "GLA-Net, tiny-x2"]
    bicubic, network = shown.values()
    left = next(x for x in range(0, 41) if np.array_equal(network, sr[:, x : x + 80]))
    assert np.array_equal(bicubic, resize_to(lr[:, left // 2 : left // 2 + 40], 80, 80))
    assert yours.bar.value == 1
    assert yours.bar.layout.visibility == "hidden"


def test_progress_shows_while_tiles_are_computed(yours, monkeypatch):
    seen = []
    monkeypatch.setattr(
        EnlargeYours,
        "tiles",
        lambda self, *share: seen.append((*share, self.bar.layout.visibility)),
    )
    take(yours, "a.jpg", encoded(data.astronaut()[:250, :200], "JPEG"))
    assert seen == [(1, 2, "visible"), (2, 2, "visible")]
    assert saved(yours)[0] == "a-x2.jpg"


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1)])
def test_the_smallest_photographs_are_shown(yours, size):
    take(yours, f"{size}.png", encoded(np.full((*size, 3), 9, np.uint8)))
    assert [image.shape for image in images(yours.picture.value).values()] == [(2, 2, 3)] * 2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<b>text", "a.png: not an image of a known format"),
        (b"", "a.png: an empty file. Fetch or save it again."),
        (encoded(data.astronaut()[:200, :200])[:5000], "a.png: damaged or cut short"),
        (
            encoded(np.zeros((300, 300, 3), np.uint8)),
            "a.png: 0.09 million pixels; expected 0.05 million at most. Use a terminal: "
            "glanet upscale a.png",
        ),
    ],
)
def test_what_cannot_be_enlarged_is_a_sentence(yours, monkeypatch, content, says):
    monkeypatch.setattr(widgets, "LARGEST", 50_000)
    take(yours, "a.png", content)
    assert yours.said.value.startswith(f"<p role='alert'>{says}")
    assert "<b>" not in yours.said.value
    assert "/" not in yours.said.value.removesuffix("</p>")
    assert yours.picture.value == ""
    assert yours.bar.layout.visibility == "hidden"


def test_a_square_of_two_images_lies_under_the_slider():
    photo = data.rocket()
    pair = {"a & b": photo, "c": 255 - photo}
    text = before_after(pair, top=30, left=40, side=50).data
    shown = images(text)
    assert [*shown] == ["a &amp; b", "c"]
    assert np.array_equal(shown["c"], 255 - photo[30:80, 40:90])
    assert "Left of the handle: a &amp; b. Right of it: c." in text
