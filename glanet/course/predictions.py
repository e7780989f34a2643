"""Predictions: commit to a guess, then let the notebook answer."""


def reveal(guess, answer, *, unit, because, close=0.25):
    """Compare a ``guess`` with the ``answer`` and say why it is so, as text to print.

    A guess of ``...`` skips the question. Within a share of ``close`` of the answer it counts as
    right.
    """
    if guess is ...:
        verdict = f"No guess, no harm: it is {answer:,} {unit}."
    elif abs(guess - answer) <= close * abs(answer):
        verdict = f"Your guess {guess:,} is close: it is {answer:,} {unit}."
    else:
        direction = "too low" if guess < answer else "too high"
        verdict = f"Your guess {guess:,} is {direction}: it is {answer:,} {unit}."
    return f"{verdict} {because}"
