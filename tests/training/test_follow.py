"""Following a run: what its folder tells, how it is stopped, how long it still takes."""

import json
import os
import sys
import time

import pytest

from glanet.training import LaunchError, follow, launch, train
from glanet.training.folder import RunFolder, read_json
from tests.training.waiting import wait_for


def sign(folder, pid, **changes):
    """Let ``folder`` look as if that process trains there."""
    files = RunFolder(folder)
    files.path.mkdir(exist_ok=True)
    launch._sign(files, pid)
    files.process.write_text(json.dumps(read_json(files.process) | changes))


# Watching and stopping


def test_the_stop_button_ends_only_the_watching(run, monkeypatch, capsys):
    sign(run, os.getpid())

    def press(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", press)
    assert follow.watch(run).state == follow.RUNNING
    assert f"the run goes on as process {os.getpid()}" in capsys.readouterr().out
    (run / "process.json").unlink()


def test_a_process_that_does_not_stop_is_named(run):
    run.mkdir()
    stubborn = (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('here')\n"
        "time.sleep(60)"
    )
    pid = launch.start_process([sys.executable, "-uSc", stubborn], run / "output.txt")
    sign(run, pid)
    wait_for(lambda: "here" in follow.last_words(run))
    with pytest.raises(LaunchError, match=f"process {pid} is still busy after 0 s"):
        follow.stop(run, patience=0.2)
    assert follow.status(run).state == follow.RUNNING


# What a folder tells


def test_a_reused_pid_is_not_the_run(run):
    sign(run, os.getpid())
    assert follow.status(run).state == follow.RUNNING
    sign(run, os.getpid(), created=1.0)
    assert follow.status(run).state == follow.DIED


def test_a_run_on_another_machine_is_left_alone(run, config, recipe):
    sign(run, os.getpid(), machine="elsewhere")
    for act in (
        follow.status,
        follow.stop,
        lambda folder: launch.detach(config, recipe(), folder),
    ):
        with pytest.raises(LaunchError, match=r"machine 'elsewhere'.*delete .*process\.json"):
            act(run)
    (run / "process.json").unlink()


def test_status_knows_runs_of_glanet_train(config, recipe, run):
    assert follow.status(run).state == follow.NEW
    train(config, recipe(), run, device="cpu", watch=lambda entry: os.kill(os.getpid(), 2))
    assert follow.status(run).state == follow.STOPPED
    train(config, recipe(), run, device="cpu")
    found = follow.status(run)
    assert (found.state, found.step, found.saved) == (follow.FINISHED, 12, 12)


def test_the_last_words_are_lines_as_they_were_shown(tmp_path):
    (tmp_path / "output.txt").write_text("one\n 0%\r 50%\r100%\nthree\n")
    assert follow.last_words(tmp_path, lines=2) == "100%\nthree"
    assert follow.last_words(tmp_path / "none") == ""


# Seconds left


def entries(*pairs):
    return [{"step": step, "seconds": seconds} for step, seconds in pairs]


def test_seconds_left_leaves_the_first_steps_out():
    log = entries((50, 40.0), (100, 60.0), (150, 80.0))
    assert follow.seconds_left(log, 1150) == pytest.approx(400)
    assert follow.seconds_left(log[:1], 1150) is None
    assert follow.seconds_left([], 1150) is None


def test_seconds_left_uses_the_recent_pace(monkeypatch):
    slow = [(50 * i, 100.0 * i) for i in range(1, 31)]
    fast = [(1500 + 50 * i, 3000.0 + 10.0 * i) for i in range(1, 21)]
    assert follow.seconds_left(entries(*slow, *fast), 3500) == pytest.approx(0.2 * 1000)
    monkeypatch.setattr(follow, "WINDOW", 21)
    assert follow.seconds_left(entries(*slow, *fast), 3500) > 0.2 * 1000


@pytest.mark.parametrize(
    ("seconds", "text"), [(90, "90 s"), (720, "12 minutes"), (113_400, "31.5 hours")]
)
def test_a_duration_has_a_suitable_unit(seconds, text):
    assert follow.duration(seconds) == text
