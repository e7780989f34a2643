"""Many photographs: which files there are, where results go, and enlarging one after the other.

One bad file does not stop the rest, and what is done is not done again.
"""

import glob
import os
import re
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryFile

from glanet.data.formats import ENDINGS, READABLE, WRITABLE, ImageError, check_fits, format_of
from glanet.data.images import (
    content_format,
    frame_count,
    image_size,
    read_frames,
    read_image,
    write,
)
from glanet.errors import GlanetError
from glanet.files import existing, remove_abandoned
from glanet.inference.photo import Enlarger

_LABEL = re.compile(r"-x\d+(\.\d+)?$")  # how `glanet upscale` ends the names of its results
DONE, SKIPPED, FAILED = "done", "skipped", "failed"
LEFT_OUT = "left out"  # results of other inputs; a folder's files with other endings, as one
RESULT = "as the result of another input"


@dataclass(frozen=True)
class Outcome:
    """One file: where its result goes, and what became of it. Sizes are those of the result."""

    source: Path
    target: Path | None = None
    state: str = ""  # DONE, SKIPPED, FAILED or LEFT_OUT; "" before it is carried out
    reason: str = ""  # of a failure or a skip
    width: int | None = None
    height: int | None = None
    tile: int | None = None
    seconds: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """An input file, and the folder that the structure of its results starts from."""

    path: Path
    root: Path


def plan(
    inputs: Iterable[str | Path],
    out: Path | None = None,
    ending: str | None = None,
    label: str = "",
    overwrite: bool = False,
) -> list[Outcome]:
    """What is to be done for each input file; nothing is decoded, and nothing written.

    Args:
        inputs: files, folders (with all below them) and glob patterns
        out: file of the result of one input file, or a folder; None: beside each input
        ending: of the results, such as .png; None: that of the input
        label: what the names of results beside their inputs have in addition, such as -x2
        overwrite: replace existing results; else they are skipped

    Returns:
        An `Outcome` for each file. A ``state`` other than "" is final.
    """
    inputs = list(inputs)
    found, failed = _find(inputs, out)
    single = len(inputs) == 1 and len(found) == 1 and found[0].path == Path(inputs[0])
    outcomes = []
    for entry in found:
        try:
            target = _target(entry, out, ending, label, single)
            outcomes.append(Outcome(entry.path, target))
        except GlanetError as error:
            outcomes.append(_failed(Outcome(entry.path), error))
        except OSError as error:  # ``out`` lies in a folder that is closed to us
            outcomes.append(_failed(Outcome(entry.path, out), error))
    checked = _checked(outcomes, beside=out is None, overwrite=overwrite)
    return [*checked, *failed]


def _find(inputs, out):
    """(`Found` files, outcomes of inputs that cannot be read), without what lies under ``out``."""
    found, failed = {}, []
    for given in inputs:
        name = str(given)
        try:
            path = Path(name)
            if path.is_dir():
                for file in _walk(path, out, failed):
                    found.setdefault(_place(file), Found(file, path))
            elif name == str(inputs[-1]) and _is_meant_as_result(path, inputs, out):
                raise ImageError(f"{name}: no such file. If the result is to have it, add -o.")
            elif os.path.lexists(path) or not glob.has_magic(name):
                found.setdefault(_place(path), Found(path, path.parent))
            else:
                _add_matches(name, out, found, failed)
        except (
            GlanetError,
            OSError,
            ValueError,
            RuntimeError,
        ) as error:  # a 0 byte in a name; a loop of links
            failed.append(_failed(Outcome(Path(name)), error))
    return [*found.values()], failed


def _is_meant_as_result(path, inputs, out):
    """Whether ``path``, the last of several, is a name for a result, as `cp` takes it."""
    return len(inputs) > 1 and out is None and not path.exists() and path.suffix in WRITABLE


def _add_matches(pattern, out, found, failed):
    matches = sorted(map(Path, glob.glob(pattern, recursive=True)))  # noqa: PTH207
    if not matches:
        raise FileNotFoundError(0, "no file matches this pattern")
    for path in matches:
        files = _walk(path, out, failed) if path.is_dir() else [path]
        for file in files:
            found.setdefault(_place(file), Found(file, path if path.is_dir() else path.parent))


def _walk(folder, out, failed):
    """The image files below ``folder``, by their endings, without hidden ones and those in ``out``.

    Links to folders are not followed: they may form a loop.
    """

    def unreadable(error):
        failed.append(_failed(Outcome(Path(error.filename)), error))

    before = len(failed)
    files, others = [], []
    excluded = None if out is None else _place(out)
    for parent, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if excluded is not None and _place(parent) == excluded and _place(folder) != excluded:
            folders.clear()
            continue
        shown = [Path(parent, name) for name in sorted(names) if not name.startswith(".")]
        files += [path for path in shown if path.suffix.lower() in READABLE]
        others += [path for path in shown if path.suffix.lower() not in READABLE]
    if not files and len(failed) == before:
        reason = f"{folder}: no image in it. Choose a folder with files that end in {ENDINGS}."
        failed.append(Outcome(Path(folder), state=FAILED, reason=one_line(reason)))
    elif others:
        failed.append(Outcome(Path(folder), state=LEFT_OUT, reason=_endings_of(others)))
    return files


def _endings_of(paths):
    """How many files there are, and how they end."""
    endings = sorted({path.suffix.lower() or "no ending" for path in paths})
    more = ", …" if len(endings) > 5 else ""
    return one_line(f"{len(paths)} with other endings: {', '.join(endings[:5])}{more}")


def _place(path):
    """A path that is equal for all names of one file, through links and in any letter case."""
    return os.path.normcase(os.path.realpath(path))


def _target(entry, out, ending, label, single):
    path = entry.path
    if single and out is not None and out.suffix and not out.is_dir():
        if out.suffix.lower() not in READABLE:
            raise ImageError(
                f"{out}: {out.suffix} is no ending of an image that can be written. "
                f"Use {', '.join(WRITABLE)}, or create the folder first if it is one."
            )
        format_of(out)
        return out
    if ending is None:
        ending = path.suffix if path.suffix.lower() in WRITABLE else _content_ending(path)
    if out is None:
        return path.with_name(f"{path.stem}{label}{ending}")
    if not out.is_dir() and (out.exists() or out.suffix.lower() in READABLE):
        raise ImageError(f"{out}: a file; several results need a folder. Choose another --out.")
    return (out / path.relative_to(entry.root)).with_suffix(ending)


def _content_ending(path):
    """The ending for a result where that of the source does not say it."""
    kind = content_format(path)
    return kind.endings[0] if kind.written else ".png"


def _checked(outcomes, beside, overwrite):
    """The outcomes, with those decided that are clear before any work."""
    sources = {_place(outcome.source): outcome.source for outcome in outcomes}
    targets = {}
    for outcome in outcomes:
        if outcome.target is not None and _place(outcome.target) != _place(outcome.source):
            targets.setdefault(_place(outcome.target), outcome.source)
    return [_check(outcome, sources, targets, beside, overwrite) for outcome in outcomes]


def _check(outcome, sources, targets, beside, overwrite):
    source, target = outcome.source, outcome.target
    if outcome.state:
        return outcome
    place = _place(target)
    try:
        if beside and (_place(source) in targets or _is_enlarged(source, sources)):
            return replace(outcome, state=LEFT_OUT, reason=RESULT)
        if place == _place(source):
            raise ImageError(f"{target}: the source itself. Give the result another name.")
        if place in sources and not beside:
            raise ImageError(f"{target}: also an input. Choose another --out.")
        if targets[place] != source:
            raise ImageError(
                f"{target}: also the result of {targets[place]}. Enlarge one of them elsewhere."
            )
        if target.is_dir():
            raise ImageError(f"{target}: a folder; expected a file to write. Rename one of them.")
        if target.exists() and not overwrite:
            return replace(outcome, state=SKIPPED, reason="exists")
        _check_folder(target.parent)
    except (GlanetError, OSError) as error:
        return _failed(outcome, error)
    return outcome


def _is_enlarged(path, sources):
    """Whether a name is that of an earlier result, at any scale, of one of ``sources``."""
    original = _LABEL.sub("", path.stem)
    return original != path.stem and any(
        _place(path.with_name(original + ending)) in sources for ending in READABLE
    )


def _check_folder(folder):
    """Raise OSError unless files can be written in the folder, which need not exist yet."""
    place = existing(folder)
    if not place.is_dir():
        raise NotADirectoryError(0, f"{place} is a file, where a folder is needed")
    TemporaryFile(dir=place).close()


def _failed(outcome, error):
    """The outcome of a file that failed; an OSError's message does not name what is to be done."""
    if isinstance(error, GlanetError):
        reason = str(error)
    else:
        strerror = getattr(error, "strerror", None) or str(error) or type(error).__name__
        reason = f"{outcome.target or outcome.source}: {strerror}. Check the path."
    return replace(outcome, state=FAILED, reason=one_line(reason))


def one_line(text) -> str:
    """Text that prints in one line on any terminal: control and undecodable characters escaped."""
    printable = str(text).encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in printable)


def upscale_all(
    outcomes: Iterable[Outcome],
    enlarger: Enlarger,
    watcher,
    quality: int | None = None,
    animated: bool = False,
) -> Iterable[Outcome]:
    """Yield each outcome once it is final, in order.

    While one photograph is computed, the next is read and the one before it written.
    ``watcher.begin(outcome)`` and ``watcher.tiles(done, total)`` are called meanwhile.
    """
    outcomes = list(outcomes)
    waiting = [outcome for outcome in outcomes if not outcome.state]
    for folder in {outcome.target.parent for outcome in waiting}:
        remove_abandoned(folder)
    yield from (outcome for outcome in outcomes if outcome.state)
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        try:
            written = None
            ahead = [reader.submit(_read, outcome, enlarger, animated) for outcome in waiting[:1]]
            for outcome, following in zip_longest(waiting, waiting[1:]):
                frames = ahead.pop()
                if following is not None:
                    frames.exception()  # waits: one photograph at a time is read ahead
                    ahead.append(reader.submit(_read, following, enlarger, animated))
                watcher.begin(outcome)
                made = _carry_out(outcome, frames, enlarger, watcher)
                if written is not None:
                    yield written.result()
                written = writer.submit(_write, *made, quality)
            if written is not None:
                yield written.result()
        finally:
            reader.shutdown(wait=False, cancel_futures=True)
            writer.shutdown(wait=True, cancel_futures=True)


def pixels(outcome: Outcome) -> int:
    """How many pixels a source has, by its header; 0 where that cannot be read."""
    try:
        height, width = image_size(outcome.source)
    except GlanetError:
        return 0
    return height * width


def _read(outcome, enlarger, animated):
    count = frame_count(outcome.source)
    if count > 1 and not animated:
        raise ImageError(
            f"{outcome.source}: {count} frames or pages. Enlarge each with --animated, or save the "
            "one that you want as a file."
        )
    kind = format_of(outcome.target)
    if count > 1 and not kind.frames:
        raise ImageError(
            f"{outcome.target}: {kind.name} holds one image, found {count}. Use .png or .webp."
        )
    height, width = enlarger.size(*image_size(outcome.source))
    check_fits(outcome.target, height, width)
    if count > 1:
        frames = list(read_frames(outcome.source, deep=True))
    else:
        frames = [read_image(outcome.source, deep=True)]
    check_fits(outcome.target, height, width, any(frame.alpha is not None for frame in frames))
    return frames


def _carry_out(outcome, frames, enlarger, watcher):
    """(outcome, enlarged frames or [] after a failure)."""
    started = time.monotonic()
    try:
        made = [enlarger(frame, watcher.tiles) for frame in frames.result()]
    except (GlanetError, MemoryError) as error:
        return _failed(outcome, error), []
    larger, tiles = zip(*made, strict=True)
    height, width = larger[0].rgb.shape[:2]
    notes = [note for frame in larger for note in frame.notes]
    return replace(
        outcome,
        width=width,
        height=height,
        tile=tiles[0],
        seconds=time.monotonic() - started,
        notes=tuple(dict.fromkeys([*filter(None, [enlarger.note]), *notes])),
    ), list(larger)


def _write(outcome, frames, quality):
    if not frames:
        return outcome
    try:
        notes = write(outcome.target, frames, quality)
    except GlanetError as error:
        return _failed(outcome, error)
    return replace(outcome, state=DONE, notes=(*outcome.notes, *notes))
