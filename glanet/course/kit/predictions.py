"""Predictions: the learner makes a guess, then the notebook shows the answer.

Without a guess the answer is folded, so that a notebook that is read without a kernel asks first,
too.
"""

import math
from html import escape
from numbers import Real

from IPython.display import display

from glanet.course.kit.lines import short_lines

UNTOUCHED = "No guess yet. Put one in the cell above, then run both."
FOLDED = (
    "<details><summary>No guess yet. Put one in the cell above and run both, or unfold the answer."
    '</summary>\n<pre style="white-space: pre-wrap">{}</pre></details>'
)


def reveal(guess, answer, *, unit, because, close=0.25):
    """Compare the number ``guess`` with ``answer``, in ``unit``, and explain why.

    Prints the comparison. A ``guess`` of ``...`` skips the question: then the answer is shown
    folded. What is no number gets a sentence that says so, and keeps the answer back. A guess
    counts as close if its relative error is at most ``close``. ``because`` is the explanation.
    """
    right = f"The answer is {answer:,} {unit}. {because}"
    if guess is ...:
        _show_folded(right)
    elif not isinstance(guess, Real) or isinstance(guess, bool) or math.isnan(guess):
        _say(f"{guess!r} is not a number. Guess one number, without quotes.")
    elif abs(guess - answer) <= close * abs(answer):
        _say(f"Your guess {guess:,} is close. {right}")
    else:
        _say(f"Your guess {guess:,} is too {'low' if guess < answer else 'high'}. {right}")


def reveal_choice(guess, answer, *, choices, because):
    """Compare the choice ``guess`` with ``answer`` and explain why.

    Prints the comparison. A ``guess`` of ``...`` skips the question: then the answer is shown
    folded. What is not one of ``choices`` gets a sentence that lists them, and keeps the answer
    back. ``because`` is the explanation.
    """
    if guess is ...:
        _show_folded(f"The answer is {answer}. {because}")
    elif not any(type(guess) is type(choice) and guess == choice for choice in choices):
        _say(f"{guess!r} is not a choice. Choose one of {', '.join(map(repr, choices))}.")
    elif guess == answer:
        _say(f"Right: the answer is {answer}. {because}")
    else:
        _say(f"You said {guess}, but the answer is {answer}. {because}")


def _say(text):
    print(short_lines(text))


def _show_folded(text):
    folded = FOLDED.format(escape(short_lines(text), quote=False))
    display({"text/plain": UNTOUCHED, "text/html": folded}, raw=True)
