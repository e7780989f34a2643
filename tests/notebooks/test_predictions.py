"""A prediction asks before it answers, in the notebooks as they are stored."""

import re
from dataclasses import dataclass
from html import unescape

import nbformat
import pytest

from glanet.course.kit.predictions import UNTOUCHED
from glanet.course.tools import build

EXPERIMENT = 10  # code cells after a guess, from which its answer is the end of an experiment
GUESS = re.compile(r"^(\w+) = \.\.\.", re.MULTILINE)


@dataclass
class Prediction:
    question: str  # the text that asks, up to the guess
    above: list  # the cells before the guess
    cells: list  # the code cells from the guess to the one that reveals

    @property
    def reveal(self):
        return self.cells[-1].outputs[-1]["data"]

    @property
    def answer(self):
        text = unescape(re.search("<pre[^>]*>(.*)</pre>", self.reveal["text/html"], re.DOTALL)[1])
        return re.match(r"The answer is (\S+)", text)[1].rstrip(".")


def predictions():
    for source in build.sources():
        cells = nbformat.read(build.target(source), as_version=4).cells
        for number, cell in enumerate(cells):
            guess = cell.cell_type == "code" and GUESS.search(cell.source)
            if not guess:
                continue
            asks = [
                c.source for c in cells[max(0, number - 3) : number] if c.cell_type == "markdown"
            ]
            code = [c for c in cells[number:] if c.cell_type == "code"]
            reads = re.compile(rf"^reveal(_choice)?\(\s*{guess[1]},", re.MULTILINE)
            last = next((i for i, c in enumerate(code) if reads.search(c.source)), None)
            if last is not None:  # a cell without a guess may be an exercise of one line
                question = "\n\n".join(asks).rpartition("**Prediction.**")[2]
                found = Prediction(question, cells[:number], code[: last + 1])
                yield pytest.param(found, id=f"{source.stem}-{number}")


ALL = pytest.mark.parametrize("prediction", list(predictions()))


def printed(cells):
    """What code cells say, but for what is folded."""
    outputs = [o for cell in cells if cell.cell_type == "code" for o in cell.outputs]
    texts = [o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs]
    return "\n".join(text for text in texts if text != UNTOUCHED)


def test_every_reveal_belongs_to_a_guess():
    calls = sum(
        len(re.findall(r"^reveal(?:_choice)?\(", source.read_text("utf-8"), re.MULTILINE))
        for source in build.sources()
    )
    assert len(list(predictions())) == calls >= 60


@ALL
def test_the_stored_answer_is_folded(prediction):
    assert prediction.reveal["text/plain"] == UNTOUCHED
    assert prediction.reveal["text/html"].startswith("<details><summary>No guess yet.")


@ALL
def test_nothing_between_guess_and_answer_gives_it_away(prediction):
    if len(prediction.cells) > EXPERIMENT:
        pytest.skip("a guess of what a whole experiment will say, which stands between")
    assert not re.search(rf"(?<![\w.]){re.escape(prediction.answer)}\b", printed(prediction.cells))
    assert "No guess. The answer is" not in printed(prediction.cells)


@ALL
def test_no_long_number_above_the_guess_is_the_answer(prediction):
    if len(re.findall(r"\d", prediction.answer)) < 3:
        pytest.skip("a word, or a number that may well occur by chance")
    if "reveal_choice(" in prediction.cells[-1].source:
        pytest.skip("one of several answers, all of which stand above")
    above = "\n".join(c.source for c in prediction.above) + printed(prediction.above)
    assert prediction.answer not in above


@ALL
def test_it_asks_one_question(prediction):
    assert prediction.question.count("?") == 1, prediction.question
