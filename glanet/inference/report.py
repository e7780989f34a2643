"""What is said while photographs are enlarged, and at the end."""

import sys
import time
from collections import Counter
from dataclasses import asdict

from glanet.inference.batch import (
    DONE,
    FAILED,
    LEFT_OUT,
    RESULT,
    SKIPPED,
    Outcome,
    one_line,
    pixels,
)

EVERY = 10.0  # seconds between lines of progress in a file or a pipe
EVERY_ON_A_TERMINAL = 0.2


class Watcher:
    """Shows progress and the time that is left, of a file and of all, on the error stream.

    On a terminal one line is rewritten; elsewhere a line is added every `EVERY` seconds.
    """

    def __init__(self, outcomes, stream=None, now=time.monotonic):
        self.stream, self.now = stream or sys.stderr, now
        self.sizes = {outcome.source: pixels(outcome) for outcome in outcomes if not outcome.state}
        self.total, self.before, self.count = sum(self.sizes.values()), 0, 0
        self.current, self.width = None, 0
        self.started = self.began = self.said = now()

    def begin(self, outcome: Outcome) -> None:
        """A file is begun; the one before it has ended."""
        self.before += self.sizes.get(self.current, 0)
        self.current, self.count = outcome.source, self.count + 1
        self.began = self.now()

    def tiles(self, done: int, total: int) -> None:
        """So many tiles of the current file are done."""
        now = self.now()
        terminal = self.stream.isatty()
        if now - self.said < (EVERY_ON_A_TERMINAL if terminal else EVERY):
            return
        self.said = now
        text = f"[{self.count}/{len(self.sizes)}] {one_line(self.current)}: " + _share(
            done, total, now - self.began
        )
        if len(self.sizes) > 1:
            through = self.before + self.sizes[self.current] * done / total
            text += "; all files: " + _share(through, self.total, now - self.started)
        if terminal:
            self.stream.write("\r" + text.ljust(self.width))
            self.width = len(text)
        else:
            self.stream.write(text + "\n")
        self.stream.flush()

    def clear(self) -> None:
        """Make room for another line on a terminal."""
        if self.width:
            self.stream.write("\r" + " " * self.width + "\r")
            self.stream.flush()
            self.width = 0


def _share(done, total, seconds):
    left = seconds * (total - done) / done if done else 0
    return f"{done / max(total, 1):.0%}, {int(left) // 60}:{int(left) % 60:02} left"


def line(outcome: Outcome) -> str:
    """What became of one file, in one line."""
    if outcome.state == FAILED:
        return f"failed: {outcome.reason}"
    if outcome.state == LEFT_OUT:
        return f"{one_line(outcome.source)}: left out {outcome.reason}"
    if outcome.state == SKIPPED:
        advice = "; --overwrite replaces it" if outcome.reason == "exists" else ""
        what = outcome.target if outcome.reason == "exists" else outcome.source
        return f"{one_line(what)}: skipped, {outcome.reason}{advice}"
    said = f"{one_line(outcome.target)}: {outcome.width} × {outcome.height} pixels"
    said += f" in {outcome.seconds:.1f} s"
    if outcome.tile:
        said += f", in tiles of {outcome.tile}"
    return "; ".join([said, *outcome.notes])


def summary(outcomes: list[Outcome]) -> str:
    """How many files were enlarged, skipped and failed, and why those failed."""
    counts = Counter(outcome.state for outcome in outcomes)
    count = len(outcomes) - counts[LEFT_OUT]
    head = f"{count} files: {counts[DONE]} enlarged, {counts[SKIPPED]} skipped, "
    head += f"{counts[FAILED]} failed"
    if results := sum(outcome.reason == RESULT for outcome in outcomes):
        head += f"; {results} left out as results of others"
    failures = [f"  {outcome.reason}" for outcome in outcomes if outcome.state == FAILED]
    return "\n".join([head, *failures])


def document(outcomes: list[Outcome], scale: float, weights: str) -> dict:
    """The same as plain values, for JSON."""
    files = [
        {
            **asdict(outcome),
            "source": str(outcome.source),
            "target": None if outcome.target is None else str(outcome.target),
        }
        for outcome in outcomes
    ]
    counts = Counter(outcome.state for outcome in outcomes)
    return {
        "scale": scale,
        "weights": weights,
        **{state: counts[state] for state in (DONE, SKIPPED, FAILED)},
        "files": files,
    }
