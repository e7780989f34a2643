"""A training in a process of its own: started, watched, stopped, killed, resumed."""

import json
import os
import signal
import subprocess
import sys

import psutil
import pytest
import torch
from safetensors.torch import load_file

from glanet import ModelConfig, networks
from glanet.training import LaunchError, Recipe, TrainError, follow, launch, train
from glanet.training.folder import RunFolder
from glanet.training.log import read_log
from tests.training.waiting import wait_for


def weights(folder):
    return load_file(folder / "weights" / "model.safetensors")


def same(one, other, tolerance=0.0):
    assert one.keys() == other.keys()
    return max((one[name] - other[name]).abs().max().item() for name in one) <= tolerance


# Starting, following, ending


def test_a_detached_run_outlives_its_starter(config, recipe, run, capsys):
    settings = {"config": config.to_dict(), "recipe": recipe(steps=60, save_every=20).to_dict()}
    starter = (
        "import json, sys\n"
        "from glanet import ModelConfig\n"
        "from glanet.training import Recipe, launch\n"
        "s = json.loads(sys.argv[1])\n"
        "job = ModelConfig.from_dict(s['config']), Recipe.from_dict(s['recipe'])\n"
        "print(launch.detach(*job, sys.argv[2], device='cpu').pid)\n"
    )
    command = [sys.executable, "-c", starter, json.dumps(settings), str(run)]
    started = subprocess.run(command, capture_output=True, text=True)
    pid = int(started.stdout)
    assert follow.status(run).pid == pid, started.stderr
    assert os.getsid(pid) == pid
    job = (config, Recipe.from_dict(settings["recipe"]), run)
    with pytest.raises(LaunchError, match=f"process {pid} is training there"):
        launch.detach(*job, device="cpu")
    with pytest.raises(LaunchError, match="is training there"):  # ensure, with other settings
        launch.ensure(config, recipe(seed=1), run, device="cpu")
    assert launch.ensure(*job, device="cpu").pid == pid
    seen = []
    end = follow.watch(run, seen.append, every=0.05)
    assert (end.state, end.step, end.saved, end.steps) == (follow.FINISHED, 60, 60, 60)
    assert seen == read_log(run / "log.jsonl")
    assert [entry["step"] for entry in seen][:3] == [4, 8, 12]
    printed = capsys.readouterr().out.splitlines()
    assert 2 <= len(printed) <= 22
    assert printed[-1] == "finished: step 60 of 60, checkpoint at 60"
    assert launch.ensure(*job, device="cpu") == end  # no new process
    assert "steps/s" in follow.last_words(run)


def test_stopped_and_killed_the_result_is_bit_identical(config, recipe, run, tmp_path):
    settings = recipe(steps=100, save_every=5, validate_every=100)
    job = (config, settings, run)
    train(*job[:2], tmp_path / "straight", device="cpu")

    launch.ensure(*job, device="cpu")
    wait_for(lambda: follow.status(run).saved >= 10)
    stopped = follow.stop(run)
    assert stopped.state == follow.STOPPED
    assert 10 <= stopped.saved < 100
    assert follow.stop(run) == stopped  # nothing to stop
    assert "the same command resumes from there" in follow.last_words(run)

    launch.ensure(*job, device="cpu")
    wait_for(lambda: follow.status(run).saved >= stopped.saved + 10)
    os.kill(follow.status(run).pid, signal.SIGKILL)
    wait_for(lambda: follow.status(run).pid is None)
    died = follow.status(run)
    assert died.state == follow.DIED
    assert stopped.saved < died.saved < 100

    launch.ensure(*job, device="cpu")
    assert follow.watch(run, every=0.05).state == follow.FINISHED
    assert same(weights(run), weights(tmp_path / "straight"))


def test_an_error_of_the_process_is_raised_by_watch(config, recipe, run, photos):
    launch.detach(config, recipe(validation=(str(photos[0]),)), run, device="cpu")
    with pytest.raises(LaunchError, match=r"(?s)ended with an error.*among the validation images"):
        follow.watch(run, every=0.05)
    assert follow.status(run).state == follow.FAILED
    assert "Traceback" not in follow.last_words(run, lines=100)
    # mended, the same folder serves
    launch.ensure(config, recipe(), run, device="cpu")
    assert follow.watch(run, every=0.05).state == follow.FINISHED


def test_two_processes_on_a_cpu_train_what_one_does(config, recipe, run, tmp_path):
    plain = ModelConfig(**{**config.to_dict(), "stochastic_depth": 0.0})
    settings = recipe(steps=60, save_every=5, validate_every=60)
    launch.detach(plain, settings, run, device="cpu", processes=2)
    wait_for(lambda: follow.status(run).saved >= 5)
    launcher = psutil.Process(follow.status(run).pid)
    trainers = launcher.children()
    assert len(trainers) == 2
    sockets = [used for one in (launcher, *trainers) for used in one.net_connections()]
    listening = {used.laddr.ip for used in sockets if used.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}
    stopped = follow.stop(run)
    assert stopped.state == follow.STOPPED
    assert 5 <= stopped.saved < 60
    assert not [process for process in trainers if process.is_running()]

    # a run may resume with another number of processes
    launch.ensure(plain, settings, run, device="cpu", processes=1)
    assert follow.watch(run, every=0.05).state == follow.FINISHED
    train(plain, settings, tmp_path / "one", device="cpu")
    assert same(weights(run), weights(tmp_path / "one"), tolerance=1e-3)
    said = (run / "output.txt").read_text()
    assert said.count("3 images") == 2  # one process of each launch speaks


def test_an_error_of_one_of_two_processes_is_raised(config, recipe, run):
    launch.detach(config, recipe(batch=3), run, device="cpu", processes=2)
    with pytest.raises(LaunchError, match="which 2 processes cannot share equally"):
        follow.watch(run, every=0.05)


def test_with_one_process_launch_is_train(config, recipe, run, photos):
    launch.launch(config, recipe(), run, device="cpu")
    assert follow.status(run).state == follow.FINISHED
    with pytest.raises(TrainError, match="among the validation images"):
        launch.launch(config, recipe(validation=(str(photos[0]),)), run, device="cpu")


def test_a_job_is_read_as_it_was_written(config, recipe, run):
    run.mkdir()
    job = launch._job(config, recipe(), init="tiny-x2")
    (run / "job.json").write_text(json.dumps(job))
    assert launch._read_job(RunFolder(run)) == job
    assert networks.from_dict(job["config"]) == config
    assert Recipe.from_dict(job["recipe"]) == recipe()


def test_jobs_of_version_01_are_read(config, recipe, run):
    launch.launch(config, recipe(), run, device="cpu")
    finished = follow.status(run)
    job = launch._job(config, recipe(), device="cpu")
    old = {"network": config.to_dict(), **{key: job[key] for key in job if key != "config"}}
    (run / "job.json").write_text(json.dumps(old))
    assert launch._read_job(RunFolder(run)) == job
    found = launch.ensure(config, recipe(), run, device="cpu")
    assert (found.state, found.saved) == (follow.FINISHED, finished.saved)
    assert not (run / "process.json").exists()  # no new process


def test_a_launch_on_the_cpu_starts_no_gpu(config, recipe, run):
    before = torch.cuda.is_initialized()  # by a test before this one
    launch.launch(config, recipe(steps=1), run, device="cpu")
    assert torch.cuda.is_initialized() == before
