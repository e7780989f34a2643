"""The stored outputs can be read: on a narrow screen, and by who does not see the pictures."""

import logging

import nbformat
import pytest
from nbconvert import HTMLExporter

from glanet.course.kit.lines import WIDTH
from glanet.course.tools import build

NOTEBOOKS = pytest.mark.parametrize("source", build.sources(), ids=lambda path: path.stem)


def outputs(source):
    stored = nbformat.read(build.target(source), as_version=4)
    return [o for cell in stored.cells if cell.cell_type == "code" for o in cell.outputs]


@NOTEBOOKS
def test_printed_lines_fit(source):
    said = [
        output.get("text") or output["data"].get("text/plain", "")
        for output in outputs(source)
        if "image/png" not in output.get("data", {})
    ]
    lines = "\n".join(said).splitlines()
    # a single word, such as the name of a weight, cannot be cut
    assert not [line for line in lines if len(line) > WIDTH and " " in line.strip()]


@NOTEBOOKS
def test_every_picture_has_a_text_of_its_own(source):
    pictures = [o for o in outputs(source) if "image/png" in o.get("data", {})]
    assert pictures
    for picture in pictures:
        assert len(picture["metadata"]["image/png"]["alt"]) > 20


@NOTEBOOKS
def test_as_a_web_page_no_picture_lacks_its_text(source, caplog):
    with caplog.at_level(logging.WARNING):
        # the template that uses a picture's text; nbconvert's default does not
        exporter = HTMLExporter(template_name="classic")
        page, _ = exporter.from_filename(str(build.target(source)))
    assert "No description has been provided" not in page
    assert "Alternative text is missing" not in caplog.text
