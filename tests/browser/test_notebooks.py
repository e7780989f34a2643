"""Every notebook runs to its end in JupyterLab, its widgets move, and nothing is cut off."""

from pathlib import Path

import pytest

from glanet.course.kit.lessons import LESSONS
from tests.browser.lab import differs, pixels

SCREENSHOTS = Path(__file__).parent / "screenshots"

CONTROLS = ".noUi-handle, select, input[type=checkbox], .widget-output [role=slider]"
# keys that move a control, each with the key that takes the move back
ARROWS = {"ArrowRight": "ArrowLeft", "ArrowLeft": "ArrowRight"}
STEPS = {
    "SELECT": {"ArrowDown": "ArrowUp", "ArrowUp": "ArrowDown"},
    "INPUT": {"Space": "Space"},
}
VALUE = "(control) => control.ariaValueText ?? `${control.checked} ${control.value}`"
FOCUSED = "(control) => control === document.activeElement"


@pytest.fixture(scope="module", params=[lesson.stem for lesson in LESSONS])
def notebook(lab, request):
    """JupyterLab with a notebook of which all cells were run; and its name."""
    lab.open(request.param)
    lab.run_all()
    return lab, request.param


def test_all_cells_run_without_an_error(notebook):
    lab, _ = notebook
    assert lab.errors() == []


def move(lab, control) -> str:
    """Move a control that has the focus by one step; return the key that takes the step back."""
    before = control.evaluate(VALUE)
    keys = STEPS.get(control.evaluate("(control) => control.tagName"), ARROWS)
    for key, back in keys.items():
        lab.page.keyboard.press(key)
        if control.evaluate(VALUE) != before:
            return back
    pytest.fail(f"no key moves {control.evaluate('(control) => control.outerHTML')}")


def test_keys_reach_and_move_every_control_and_the_picture_changes(notebook):
    lab, _ = notebook
    widgets = lab.page.locator(".widget-interact")
    assert widgets.count() > 0
    for widget in widgets.all():
        controls, picture = widget.locator(CONTROLS), widget.locator(".widget-output")
        lab.select(lab.number(widget))
        for place in range(controls.count()):
            control = controls.nth(place)
            for _ in range(3):  # between two sliders there is the number of the first, to type over
                lab.page.keyboard.press("Tab")
                if control.evaluate(FOCUSED):
                    break
            else:
                pytest.fail(f"Tab does not reach control {place} of {widget.inner_text()!r}")
            before = pixels(picture)  # a control inside the picture has its focus ring now
            back = move(lab, control)
            assert differs(picture, before), f"control {place} of {widget.inner_text()!r}"
            drawn = picture.locator("img, canvas").count() > 0
            assert drawn, picture.inner_text()  # an error
            lab.page.keyboard.press(back)
            assert not differs(picture, before, wanted=False)
        assert lab.errors() == []


def test_nothing_overflows_on_screens_of_900_and_1280_pixels_light_or_dark(notebook):
    lab, stem = notebook
    SCREENSHOTS.mkdir(exist_ok=True)
    found = {}
    for width, themes in ((900, ("dark", "light")), (1280, ("light", "dark"))):
        for theme in themes:
            lab.lay_out(width, dark=theme == "dark")
            found |= {(width, theme): overflows} if (overflows := lab.overflows()) else {}
        # one of each width and of each theme, for people to look at: pictures are slow to take
        lab.page.screenshot(path=SCREENSHOTS / f"{stem}-{width}-{theme}.png")
    assert found == {}
