"""Predictions: commit to a guess, then let the notebook answer."""


def reveal(guess, answer, *, unit, because, close=0.25):
    """Compare a number guessed with the ``answer`` and say why it is so, as text to print.

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


def reveal_choice(guess, answer, *, choices, because):
    """Compare a choice guessed with the ``answer`` and say why it is so, as text to print.

    A guess of ``...`` skips the question. A guess that is none of the ``choices`` is told which
    there are, and nothing else.
    """
    if guess is ...:
        return f"No guess, no harm: it is {answer}. {because}"
    if guess not in choices:
        return f"{guess!r} is none of the choices: {', '.join(map(repr, choices))}. Choose again."
    if guess == answer:
        return f"Right, it is {answer}. {because}"
    return f"You said {guess}, and it is {answer}. {because}"
