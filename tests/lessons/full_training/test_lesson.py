"""Notebook 12: its exercises name mistakes, its figures and its widget show what they claim."""

import math
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from glanet.course.kit.paths import NOTEBOOKS, results
from glanet.course.lessons.full_training import exercises, figures
from glanet.course.lessons.full_training.widgets import PATCHES, explore_shares
from glanet.data.patches import PatchStore
from glanet.training import launch
from tests.lessons.verdicts import assert_rejected, assert_right

# Bytes of decoded images


def bytes_by_loop(sizes, scale):
    total = 0
    for height, width in sizes:
        hr = (height - height % scale) * (width - width % scale)
        total += 3 * (hr + hr // scale**2)
    return total


def test_bytes_are_accepted_in_other_words():
    assert_right(exercises.decoded_bytes, bytes_by_loop)


def bytes_of(text):
    """A sum over all images of an expression in h, w and s."""

    def mistaken(sizes, s):
        return sum(eval(text, {"h": h, "w": w, "s": s, "ceil": math.ceil}) for h, w in sizes)

    return mistaken


@pytest.mark.parametrize(
    ("text", "says_so"),
    [
        ("3 * (h - h % s) * (w - w % s)", "the LR images are missing"),
        ("3 * (h // s) * (w // s)", "these are the LR images alone"),
        ("(h // s) * (w // s) * (s * s + 1)", "a pixel takes three bytes"),
        ("3 * ((h // s) * (w // s) + (h // s) * (w // s) * s)", "scale² times the pixels"),
        ("3 * (h * w + (h // s) * (w // s))", "cropped to multiples of the scale first"),
        ("3 * (h * w + h / s * (w / s))", "you divide with /"),
        ("3 * (h // s) * (w // s) * (2 + s * s)", "the LR images count twice"),
        ("3 * ceil(h / s) * ceil(w / s) * (1 + s * s)", "you round up"),
        ("3 * (h * w // (s * s)) * (1 + s * s)", "crop each of them by itself"),
        ("12 * (h // s) * (w // s) * (1 + s * s)", "the bytes of float32"),
    ],
)
def test_each_mistake_in_the_bytes_is_named(text, says_so):
    assert_rejected(exercises.decoded_bytes, bytes_of(text), says_so)


def test_bytes_in_a_float_are_told_so():
    def with_floor(sizes, scale):
        return sum(3 * np.floor(h / scale) * np.floor(w / scale) for h, w in sizes) * (1 + scale**2)

    assert_rejected(exercises.decoded_bytes, with_floor, "right, but as a float")


def test_bytes_of_one_image_only_are_named():
    def last(sizes, scale):
        for size in sizes:
            total = bytes_by_loop([size], scale)
        return total

    assert_rejected(exercises.decoded_bytes, last, "this is the last image alone")


# Shares


def test_shares_are_accepted_in_other_words():
    def by_array(batch, rank, world):
        return np.arange(batch).reshape(world, -1)[rank]

    def by_plan(batch, rank, world):
        return np.array_split(range(batch), world)[rank]

    for right in (by_array, by_plan):
        assert_right(exercises.share, right)


@pytest.mark.parametrize(
    ("mistaken", "says_so"),
    [
        (lambda b, r, w: np.arange(b).reshape(-1, w)[:, r], "deal the patches out in turn"),
        (lambda b, r, w: [b // w * (r - 1) + i for i in range(b // w)], "ranks count from 0"),
        (lambda b, r, w: np.arange(b), "the whole batch"),
        (lambda b, r, w: np.arange(1, b + 1).reshape(w, -1)[r], "patches count from 0"),
        (lambda b, r, w: (r * b // w, (r + 1) * b // w), "these are the start and the end"),
        (lambda b, r, w: [r * b // w, (r + 1) * b // w - 1], "the first and the last patch"),
        (lambda b, r, w: b // w, "this is the number of patches"),
        (lambda b, r, w: [i for i in range(b) if i < b // w], "every process takes the first part"),
        (
            lambda b, r, w: np.arange(b).reshape(w, -1)[::-1][r],
            "the order of the shares is reversed",
        ),
        (lambda b, r, w: [b // w * r + i for i in range(b // w + 1)], "one patch too many"),
        (lambda b, r, w: [b // w * r + i for i in range(b // w - 1)], "one patch too few"),
        (lambda b, r, w: [w * r + i for i in range(w)], "not world"),
    ],
)
def test_each_mistake_in_a_share_is_named(mistaken, says_so):
    assert_rejected(exercises.share, mistaken, says_so)


def test_the_shares_are_those_of_the_store(store):
    whole = store.plan(0, 7, 12)
    for world in (1, 2, 3, 4):
        for rank in range(world):
            mine = exercises.consecutive(12, rank, world)
            part = store.plan(0, 7, 12, rank, world)
            for all_of_it, of_rank in zip(vars(whole).values(), vars(part).values(), strict=True):
                assert np.array_equal(all_of_it[mine], of_rank)


# A detached process

STARTED = []  # kept, as Python warns of a process that runs on without its handle


def start_of(text):
    """A function start(command, output) of these lines."""
    lines = "".join(f"    {line}\n" for line in text.strip().splitlines())
    namespace = {"os": os, "subprocess": subprocess, "STARTED": STARTED}
    lines += "    STARTED.append(process)\n    return answer\n"
    exec(f"def start(command, output):\n{lines}", namespace)
    return namespace["start"]


RIGHT_START = """
file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
os.close(file)
answer = process.pid
"""


def test_a_start_is_accepted_in_other_words():
    assert_right(exercises.start, start_of(RIGHT_START))


@pytest.mark.parametrize(
    ("old", "new", "says_so"),
    [
        ("start_new_session=True", "start_new_session=False", "the kernel's own session"),
        ("answer =", "process.wait(); answer =", "you wait for the end"),
        ("stderr=file", "stderr=subprocess.PIPE", "its errors are not in the file"),
        (
            "stdout=file, stderr=file",
            "stdout=subprocess.PIPE, stderr=subprocess.PIPE",
            "its output is not in the file",
        ),
        ("os.O_APPEND", "os.O_TRUNC", "is overwritten"),
        ("process.pid", "process", "return its number"),
    ],
)
def test_each_mistake_in_a_start_is_named(old, new, says_so):
    assert RIGHT_START.count(old) == 1
    assert_rejected(exercises.start, start_of(RIGHT_START.replace(old, new)), says_so)


def test_a_start_that_fails_is_described(monkeypatch):
    assert_rejected(
        exercises.start,
        lambda command, output: subprocess.Popen(["/no/such/program"]).pid,
        "it raised FileNotFoundError",
    )
    returns_nothing = start_of(RIGHT_START.replace("process.pid", "None"))
    assert_rejected(exercises.start, returns_nothing, "return process.pid")
    monkeypatch.setattr(exercises, "PATIENCE", 0.1)
    assert_rejected(exercises.start, lambda command, output: 12345, "the command was not started")


def test_the_facts_of_a_start_are_true():
    facts = exercises.run_start(launch.start_process, "before\n")
    assert facts == [1, 1, 1, 1, 1, 1]
    mistaken = exercises.start_mistaken(own_session=False, wait=True, mode="wb", answer="process")
    assert exercises.run_start(mistaken, "before\n") == [0, 0, 0, 1, 1, 0]


def test_started_processes_see_further_variables(tmp_path):
    says_it = "import os; print(os.environ['SAID'], 'PATH' in os.environ)"
    command = [sys.executable, "-S", "-c", says_it]
    launch.start_process(command, tmp_path / "said", SAID="this")
    launch._started[-1].wait()
    assert (tmp_path / "said").read_text() == "this True\n"


# Seconds left


def by_numpy(entries, steps):
    late = entries[max(0, len(entries) - 21) :]
    (took,) = np.diff([late[0]["seconds"], late[-1]["seconds"]])
    return took * (steps - late[-1]["step"]) / (late[-1]["step"] - late[0]["step"])


def test_seconds_are_accepted_in_other_words():
    assert_right(exercises.seconds_left, by_numpy)


def left_of(pace, left="n - b['step']"):
    """Of a = the entry 21 from the end, b = the last, c = the last but one, f = the first."""

    def mistaken(entries, n):
        names = {"a": entries[-21:][0], "b": entries[-1], "c": entries[-2], "f": entries[0]}
        names |= {"d": entries[-20:][0], "n": n, "count": len(entries[-21:]) - 1}
        return eval(f"({pace}) * ({left})", names)

    return mistaken


RIGHT_PACE = "(b['seconds'] - a['seconds']) / (b['step'] - a['step'])"


@pytest.mark.parametrize(
    ("mistaken", "says_so"),
    [
        (left_of("b['seconds'] / b['step']"), "the slow steps of the first entry"),
        (left_of(RIGHT_PACE.replace("a[", "f[")), "since the first entry"),
        (left_of(RIGHT_PACE.replace("a[", "c[")), "the last entry alone"),
        (left_of(RIGHT_PACE.replace("a[", "d[")), "take 21"),
        (left_of(RIGHT_PACE, "n"), "the time for all steps"),
        (left_of(RIGHT_PACE, "b['step']"), "steps already done"),
        (lambda e, n: e[-1]["seconds"] + by_numpy(e, n), "from the start to the end"),
        (left_of(f"1 / ({RIGHT_PACE})"), "the pace is inverted"),
        (left_of(f"{RIGHT_PACE} / 60 / 60"), "these are hours"),
        (left_of(f"{RIGHT_PACE} / 60"), "these are minutes"),
        (left_of("(b['seconds'] - a['seconds']) / count"), "the number of entries"),
    ],
)
def test_each_mistake_in_the_seconds_is_named(mistaken, says_so):
    assert_rejected(exercises.seconds_left, mistaken, says_so)


# Figures and the widget


@pytest.fixture
def store(tmp_path):
    rng = np.random.default_rng(0)
    for name in "ab":
        Image.fromarray(rng.integers(0, 256, (40, 60, 3), np.uint8)).save(tmp_path / f"{name}.png")
    return PatchStore.from_images(tmp_path, 2, patch=8)


@pytest.mark.parametrize("world", [1, 2, 4])
def test_shares_shows_patches_in_order_framed_by_process(store, world):
    batch = store.batch(0, 7, 8)[0]
    axes = figures.shares(batch, world).axes
    for number, (panel, patch) in enumerate(zip(axes, batch, strict=True)):
        shown = panel.images[0].get_array()
        assert np.array_equal(shown, patch.permute(1, 2, 0).numpy())
        assert panel.get_xlabel() == str(number)
        rank = number // (8 // world)
        assert panel.spines["left"].get_edgecolor() == panel.spines["top"].get_edgecolor()
        same = panel.spines["left"].get_edgecolor() == axes[0].spines["left"].get_edgecolor()
        assert same == (rank == 0)
        title = panel.get_title(loc="left")
        assert title == (f"rank {rank}" if number % (8 // world) == 0 else " ")


def test_lives_shows_who_did_which_steps_and_which_were_done_again():
    axes = figures.lives([(0, 55, 40), (40, 100, 100)], steps=100).axes[0]
    bars = [(bar.get_x(), bar.get_width(), bool(bar.get_hatch())) for bar in axes.patches]
    assert bars == [(0, 40, False), (40, 15, True), (40, 60, False)]
    assert axes.get_xlim() == (0, 100)
    assert axes.get_legend() is not None
    assert figures.lives([(0, 40, 40)], steps=100).axes[0].get_legend() is None


def test_share_widget_offers_worlds_that_share_equally(store, sweep):
    widget = explore_shares(store)
    assert sweep(widget) == 2
    worlds = widget.children[1].options
    assert worlds == (1, 2, 4, 8)
    assert not any(PATCHES % world for world in worlds)
    torch.testing.assert_close(
        widget.f(step=3, world=2).axes[5].images[0].get_array(),
        store.batch(0, 3, PATCHES)[0][5].permute(1, 2, 0).numpy(),
    )


def test_what_the_notebook_says_of_a_gpu_was_measured():
    text = (NOTEBOOKS / "source" / "12_full_training.py").read_text(encoding="utf-8")
    prose = re.sub(r"\s+", " ", text.replace("\n#", "\n"))
    run, light = results("paper-run"), results("train-step-light-cuda")
    assert f"trained its first {run['steps']} steps" in prose
    assert f"{run['images_per_second']:.0f} images per second" in prose
    assert f"with {run['memory_gb']:.0f} GB of GPU memory" in prose
    assert f"all steps take {run['hours_for_all_steps']:.0f} hours" in prose
    assert f"a step of `light` {light['value']['speed']:.1f} times as fast" in prose
