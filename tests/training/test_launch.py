"""A training in a process of its own: started, followed, stopped, killed; and its arithmetic."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
import torch
from safetensors.torch import load_file

from glanet import ModelConfig, networks
from glanet.training import Recipe, TrainError, launch, train
from glanet.training.launch import LaunchError
from glanet.training.log import read_log

PATIENCE = 120.0  # seconds


@pytest.fixture
def run(tmp_path):
    """A folder for a run; what trains there is ended when the test is."""
    folder = tmp_path / "run"
    yield folder
    if (pid := launch.status(folder).pid) is not None:
        psutil.Process(pid).kill()


def wait_for(condition):
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < PATIENCE
        time.sleep(0.02)


def weights(folder):
    return load_file(folder / "weights" / "model.safetensors")


def same(one, other, tolerance=0.0):
    assert one.keys() == other.keys()
    return max((one[name] - other[name]).abs().max().item() for name in one) <= tolerance


# Starting, following, ending


def test_it_outlives_who_started_it_is_refused_a_rival_and_is_watched_to_its_end(
    network, recipe, run, capsys
):
    settings = {"network": network.to_dict(), "recipe": recipe(steps=60, save_every=20).to_dict()}
    starter = (
        "import json, sys\n"
        "from glanet import ModelConfig\n"
        "from glanet.training import Recipe, launch\n"
        "s = json.loads(sys.argv[1])\n"
        "job = ModelConfig.from_dict(s['network']), Recipe.from_dict(s['recipe'])\n"
        "print(launch.detach(*job, sys.argv[2], device='cpu').pid)\n"
    )
    command = [sys.executable, "-c", starter, json.dumps(settings), str(run)]
    started = subprocess.run(command, capture_output=True, text=True)
    pid = int(started.stdout)
    assert launch.status(run).pid == pid, started.stderr
    assert os.getsid(pid) == pid
    job = (network, Recipe.from_dict(settings["recipe"]), run)
    with pytest.raises(LaunchError, match=f"process {pid} is training there"):
        launch.detach(*job, device="cpu")
    with pytest.raises(LaunchError, match="is training there"):  # ensure, with other settings
        launch.ensure(network, recipe(seed=1), run, device="cpu")
    assert launch.ensure(*job, device="cpu").pid == pid
    seen = []
    end = launch.watch(run, seen.append, every=0.05)
    assert (end.state, end.step, end.saved, end.steps) == (launch.FINISHED, 60, 60, 60)
    assert seen == read_log(run / "log.jsonl")
    assert [entry["step"] for entry in seen][:3] == [4, 8, 12]
    printed = capsys.readouterr().out.splitlines()
    assert 2 <= len(printed) <= 22
    assert printed[-1] == "finished: step 60 of 60, checkpoint at 60"
    assert launch.ensure(*job, device="cpu") == end  # no new process
    assert "steps/s" in launch.last_words(run)


def test_stopped_and_killed_it_goes_on_and_ends_bit_identical(network, recipe, run, tmp_path):
    settings = recipe(steps=100, save_every=5, validate_every=100)
    job = (network, settings, run)
    train(*job[:2], tmp_path / "straight", device="cpu")

    launch.ensure(*job, device="cpu")
    wait_for(lambda: launch.status(run).saved >= 10)
    stopped = launch.stop(run)
    assert stopped.state == launch.STOPPED
    assert 10 <= stopped.saved < 100
    assert launch.stop(run) == stopped  # nothing to stop
    assert "the same command goes on from there" in launch.last_words(run)

    launch.ensure(*job, device="cpu")
    wait_for(lambda: launch.status(run).saved >= stopped.saved + 10)
    os.kill(launch.status(run).pid, signal.SIGKILL)
    wait_for(lambda: launch.status(run).pid is None)
    died = launch.status(run)
    assert died.state == launch.DIED
    assert stopped.saved < died.saved < 100

    launch.ensure(*job, device="cpu")
    assert launch.watch(run, every=0.05).state == launch.FINISHED
    assert same(weights(run), weights(tmp_path / "straight"))


def test_an_error_in_the_process_is_raised_where_it_is_watched(network, recipe, run, photos):
    launch.detach(network, recipe(validation=(str(photos[0]),)), run, device="cpu")
    with pytest.raises(LaunchError, match=r"(?s)ended with an error.*among the validation images"):
        launch.watch(run, every=0.05)
    assert launch.status(run).state == launch.FAILED
    assert "Traceback" not in launch.last_words(run, lines=100)
    # mended, the same folder serves
    launch.ensure(network, recipe(), run, device="cpu")
    assert launch.watch(run, every=0.05).state == launch.FINISHED


def test_two_processes_on_a_processor_are_two_and_train_what_one_does(
    network, recipe, run, tmp_path
):
    plain = ModelConfig(**{**network.to_dict(), "stochastic_depth": 0.0})
    settings = recipe(steps=60, save_every=5, validate_every=60)
    launch.detach(plain, settings, run, device="cpu", processes=2)
    wait_for(lambda: launch.status(run).saved >= 5)
    trainers = psutil.Process(launch.status(run).pid).children()
    assert len(trainers) == 2
    stopped = launch.stop(run)
    assert stopped.state == launch.STOPPED
    assert 5 <= stopped.saved < 60
    assert not [process for process in trainers if process.is_running()]

    # a run may go on with another number of processes than it began with
    launch.ensure(plain, settings, run, device="cpu", processes=1)
    assert launch.watch(run, every=0.05).state == launch.FINISHED
    train(plain, settings, tmp_path / "one", device="cpu")
    assert same(weights(run), weights(tmp_path / "one"), tolerance=1e-3)
    said = (run / "output.txt").read_text()
    assert said.count("3 images") == 2  # one process of each launch speaks


def test_an_error_in_one_of_two_processes_is_told(network, recipe, run):
    launch.detach(network, recipe(batch=3), run, device="cpu", processes=2)
    with pytest.raises(LaunchError, match="which 2 processes cannot share equally"):
        launch.watch(run, every=0.05)


def test_in_this_process_launch_is_train(network, recipe, run, photos):
    launch.launch(network, recipe(), run, device="cpu")
    assert launch.status(run).state == launch.FINISHED
    with pytest.raises(TrainError, match="among the validation images"):
        launch.launch(network, recipe(validation=(str(photos[0]),)), run, device="cpu")


def test_the_stop_button_ends_the_watching_and_not_the_run(run, monkeypatch, capsys):
    sign(run, os.getpid())

    def press(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", press)
    assert launch.watch(run).state == launch.RUNNING
    assert f"the run goes on as process {os.getpid()}" in capsys.readouterr().out
    (run / launch.PROCESS).unlink()


def test_a_process_that_does_not_stop_in_time_is_left_and_told_of(run):
    run.mkdir()
    stubborn = (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('here')\n"
        "time.sleep(60)"
    )
    pid = launch.start_process([sys.executable, "-uSc", stubborn], run / "output.txt")
    sign(run, pid)
    wait_for(lambda: "here" in launch.last_words(run))
    with pytest.raises(LaunchError, match=f"process {pid} is still busy after 0 s"):
        launch.stop(run, patience=0.2)
    assert launch.status(run).state == launch.RUNNING


# What a folder tells


def sign(folder, pid, **changes):
    folder.mkdir(exist_ok=True)
    launch._sign(folder, pid)
    found = json.loads((folder / launch.PROCESS).read_text())
    (folder / launch.PROCESS).write_text(json.dumps(found | changes))


def test_a_number_that_was_given_to_another_process_since_is_not_the_run(run):
    sign(run, os.getpid())
    assert launch.status(run).state == launch.RUNNING
    sign(run, os.getpid(), created=1.0)
    assert launch.status(run).state == launch.DIED


def test_a_run_of_another_machine_is_left_alone(run, network, recipe):
    sign(run, os.getpid(), machine="elsewhere")
    for act in (
        launch.status,
        launch.stop,
        lambda folder: launch.detach(network, recipe(), folder),
    ):
        with pytest.raises(LaunchError, match=r"machine 'elsewhere'.*delete .*process\.json"):
            act(run)
    (run / launch.PROCESS).unlink()


def test_a_run_of_glanet_train_is_known_by_what_it_left(network, recipe, run):
    assert launch.status(run).state == launch.NEW
    train(network, recipe(), run, device="cpu", watch=lambda entry: os.kill(os.getpid(), 2))
    assert launch.status(run).state == launch.STOPPED
    train(network, recipe(), run, device="cpu")
    found = launch.status(run)
    assert (found.state, found.step, found.saved) == (launch.FINISHED, 12, 12)


def test_a_job_is_read_as_it_was_written(network, recipe, run):
    run.mkdir()
    job = launch._job(network, recipe(), init="tiny-x2")
    (run / launch.JOB).write_text(json.dumps(job))
    assert launch._read(run / launch.JOB) == job
    assert networks.from_dict(job["config"]) == network
    assert Recipe.from_dict(job["recipe"]) == recipe()


def test_the_last_words_are_lines_as_they_were_seen(tmp_path):
    (tmp_path / launch.OUTPUT).write_text("one\n 0%\r 50%\r100%\nthree\n")
    assert launch.last_words(tmp_path, lines=2) == "100%\nthree"
    assert launch.last_words(tmp_path / "none") == ""


def test_starting_on_a_processor_starts_no_gpu(network, recipe, run):
    before = torch.cuda.is_initialized()  # by a test before this one
    launch.launch(network, recipe(steps=1), run, device="cpu")
    assert torch.cuda.is_initialized() == before


# Seconds left


def entries(*pairs):
    return [{"step": step, "seconds": seconds} for step, seconds in pairs]


def test_seconds_left_leaves_the_first_steps_out():
    log = entries((50, 40.0), (100, 60.0), (150, 80.0))
    assert launch.seconds_left(log, 1150) == pytest.approx(400)
    assert launch.seconds_left(log[:1], 1150) is None
    assert launch.seconds_left([], 1150) is None


def test_seconds_left_goes_by_the_pace_of_late(monkeypatch):
    slow = [(50 * i, 100.0 * i) for i in range(1, 31)]
    fast = [(1500 + 50 * i, 3000.0 + 10.0 * i) for i in range(1, 21)]
    assert launch.seconds_left(entries(*slow, *fast), 3500) == pytest.approx(0.2 * 1000)
    monkeypatch.setattr(launch, "WINDOW", 21)
    assert launch.seconds_left(entries(*slow, *fast), 3500) > 0.2 * 1000


@pytest.mark.parametrize(
    ("seconds", "text"), [(90, "90 s"), (720, "12 minutes"), (113_400, "31.5 hours")]
)
def test_a_duration_has_a_unit_that_suits_it(seconds, text):
    assert launch.duration(seconds) == text
