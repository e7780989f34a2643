"""Predictions: the learner makes a guess, then the notebook shows the answer."""


def reveal(guess, answer, *, unit, because, close=0.25):
    """Text that compares the number ``guess`` with ``answer``, in ``unit``, and explains why.

    A ``guess`` of ``...`` skips the question. A guess counts as close if its relative error is at
    most ``close``. ``because`` is the explanation.
    """
    if guess is ...:
        verdict = f"No guess. The answer is {answer:,} {unit}."
    elif abs(guess - answer) <= close * abs(answer):
        verdict = f"Your guess {guess:,} is close: the answer is {answer:,} {unit}."
    else:
        direction = "too low" if guess < answer else "too high"
        verdict = f"Your guess {guess:,} is {direction}: the answer is {answer:,} {unit}."
    return f"{verdict} {because}"


def reveal_choice(guess, answer, *, choices, because):
    """Text that compares the choice ``guess`` with ``answer`` and explains why.

    A ``guess`` of ``...`` skips the question. For a guess outside ``choices`` the text lists the
    choices and keeps the answer back. ``because`` is the explanation.
    """
    if guess is ...:
        return f"No guess. The answer is {answer}. {because}"
    if guess not in choices:
        return f"{guess!r} is not a choice. Choose one of {', '.join(map(repr, choices))}."
    if guess == answer:
        return f"Right: the answer is {answer}. {because}"
    return f"You said {guess}, but the answer is {answer}. {because}"
