"""The log of a run: a file of JSON lines, a tracker, and a function that watches."""

import json
import sys

from glanet.files import write_text
from glanet.training.guards import writing


class Log:
    """The log of a run: one JSON object a line, an entry or a note.

    Args:
        path: the file.
        since: the step from which the run resumes. Later lines are dropped at the start, as their
            steps will be done again.
        tracker: accelerate's, which gets every entry; or None.
        watch: a function that gets every entry; or None.
        mute: neither write nor print, as in all processes of a run but the main one.
    """

    def __init__(self, path, since, tracker=None, watch=None, mute=False):
        self.path, self.tracker, self.watch, self.mute = path, tracker, watch, mute
        self.since, self._losses, self._gradients, self._seconds = since, [], [], None
        if not mute:
            path.parent.mkdir(parents=True, exist_ok=True)
            kept = [line for line in _lines(path) if line["step"] <= since]
            self._seconds = max((line.get("seconds", 0.0) for line in kept), default=0.0)
            with writing(path):
                write_text(path, "".join(json.dumps(entry) + "\n" for entry in kept))

    def collect(self, loss, gradient):
        """Remember a step's loss and gradient norm until the next line."""
        self._losses.append(loss)
        self._gradients.append(gradient)

    def write(self, state, learning_rate, batch, memory) -> dict:
        """Write an entry, with the means since the last one, and return it.

        ``batch``: patches in a step. ``memory``: peak bytes so far.
        """
        count = len(self._losses)
        entry = {
            "step": state.step,
            "loss": sum(self._losses) / count,
            "gradient": sum(self._gradients) / count,
            "learning_rate": learning_rate,
            "skipped": state.skipped,
            **state.scores,
            "seconds": round(state.seconds, 3),
            "images_per_second": round(
                count * batch / max(state.seconds - (self._seconds or 0.0), 1e-9), 2
            ),
            "memory_gb": round(memory / 1e9, 3),
        }
        self._losses, self._gradients, self._seconds = [], [], state.seconds
        if not self.mute:
            self._append(entry)
            if self.tracker is not None:
                self.tracker.log(entry, step=state.step)
            if self.watch is not None:
                self.watch(entry)
        return entry

    def say(self, text):
        """Print to stderr, once for all processes."""
        if not self.mute:
            print(text, file=sys.stderr)

    def note(self, text):
        """Print a sentence on how the run started or resumed, and write it into the log file."""
        self.say(text)
        if not self.mute:
            self._append({"step": self.since, "note": text})

    def _append(self, line):
        with writing(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def read_log(path) -> list[dict]:
    """The entries of a log file; its notes are left out."""
    return [line for line in _lines(path) if "note" not in line]


def read_notes(path) -> list[dict]:
    """The notes of a log file: the step at which the run started or resumed, and a sentence."""
    return [line for line in _lines(path) if "note" in line]


def _lines(path):
    """The JSON objects in a log file, without a last line that a kill cut off."""
    found = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return found
