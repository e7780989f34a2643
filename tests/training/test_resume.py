"""A run that is stopped, killed or cut off ends as an uninterrupted one.

On a CPU the two are bit-identical; so these tests run there, even where there is a GPU.
"""

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from glanet.training import TrainError, checkpoint, loop
from glanet.training import train as train_anywhere
from glanet.training.folder import RunFolder
from glanet.training.guards import STOP_SIGNALS
from glanet.training.log import read_log, read_notes
from glanet.weights import load

train = partial(train_anywhere, device="cpu")
TIMES = {"seconds", "images_per_second", "memory_gb"}


@pytest.fixture
def one_thread():
    """As in kill.py, which forks; with more, sums are added up in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def ends(folder):
    """What a run leaves, but for times: weights, last checkpoint, log."""
    log = [{k: v for k, v in e.items() if k not in TIMES} for e in read_log(folder / "log.jsonl")]
    last = load_file(RunFolder(folder).saved()[-1])
    return load_file(folder / "weights" / "model.safetensors"), last, log


def assert_same_end(one, other):
    for mine, theirs in zip(ends(one)[:2], ends(other)[:2], strict=True):
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[key], theirs[key]) for key in mine)


def test_two_equal_runs_are_bit_identical(config, recipe, tmp_path):
    for name in ("one", "two"):
        train(config, recipe(), tmp_path / name)
    assert_same_end(tmp_path / "one", tmp_path / "two")
    assert ends(tmp_path / "one")[2] == ends(tmp_path / "two")[2]


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_stopped_run_saves_and_resumes(config, recipe, tmp_path, number, capsys):
    straight = train(config, recipe(), tmp_path / "straight")
    assert straight == tmp_path / "straight" / "weights"
    handler = signal.getsignal(number)

    def stop(entry):
        os.kill(os.getpid(), number)

    assert train(config, recipe(), tmp_path / "stopped", watch=stop) is None
    assert signal.getsignal(number) is handler
    assert "stopped after step 5 of 12; the same command resumes" in capsys.readouterr().err
    names = [path.stem for path in RunFolder(tmp_path / "stopped").saved()]
    assert names[-1] == "step-00000005"
    weights = tmp_path / "stopped" / "weights"  # of the validation after step 4
    assert load(weights / "best").config == load(weights).config == config
    assert train(config, recipe(), tmp_path / "stopped") == tmp_path / "stopped" / "weights"
    assert_same_end(tmp_path / "straight", tmp_path / "stopped")


@pytest.mark.parametrize("name", ["weights", "log.jsonl"])
def test_what_a_validation_cannot_write_is_named(config, recipe, tmp_path, monkeypatch, name):
    def validate(run):
        path = tmp_path / name
        if path.exists():
            path.unlink()
            path.mkdir()
        else:
            path.touch()
        return False

    monkeypatch.setattr(loop.Run, "_validate", validate)
    with pytest.raises(TrainError, match=rf"{name}: cannot be written .* make room, and start"):
        train(config, recipe(), tmp_path)
    assert [path.stem for path in RunFolder(tmp_path).saved()] == ["step-00000003"]


CHANGED = {
    "on_nan": "skip",
    "gradient_clip": 0.5,
    "learning_rate": 5e-4,
    "validate_every": 6,
    "save_every": 4,
}


def stopped_at_5(config, recipe, folder):
    def stop(entry):
        os.kill(os.getpid(), signal.SIGTERM)

    assert train(config, recipe(), folder, watch=stop) is None


def test_a_run_resumes_with_what_mends_it(config, recipe, tmp_path):
    stopped_at_5(config, recipe, tmp_path)
    assert train(config, recipe(**CHANGED), tmp_path)
    assert [entry["step"] for entry in read_log(tmp_path / "log.jsonl")] == [4, 6, 12]
    (first, start), (second, again), (third, note) = (
        note.values() for note in read_notes(tmp_path / "log.jsonl")
    )
    assert (first, second, third) == (0, 5, 5)
    assert start == again
    assert start.endswith("cpu, float32")
    for name, value in CHANGED.items():
        assert f"recipe.{name} {getattr(recipe(), name)} → {value}" in note
    assert note.endswith("no single recipe reproduces the result any more")


@pytest.mark.parametrize("asked", ["auto", "float32"])
def test_another_precision_is_noted(config, recipe, tmp_path, monkeypatch, asked):
    with monkeypatch.context() as patch:
        patch.setattr(loop, "has_bf16", lambda cpu: True)
        stopped_at_5(config, partial(recipe, precision="auto"), tmp_path)
    monkeypatch.setattr(loop, "has_bf16", lambda cpu: asked != "auto")  # another machine
    assert train(config, recipe(precision=asked), tmp_path)
    first, again, note = (line["note"] for line in read_notes(tmp_path / "log.jsonl"))
    assert first.endswith("cpu, bf16")
    assert again.endswith("cpu, float32")
    assert ("recipe.precision auto → float32" in note) == (asked != "auto")
    assert ", precision bf16 → float32" in f", {note.partition(': ')[2]}"
    assert note.endswith("no single recipe reproduces the result any more")
    assert checkpoint.read(RunFolder(tmp_path).saved()[-1])["about"]["precision"] == "float32"


def test_other_intervals_leave_the_result_as_it_is(config, recipe, tmp_path):
    train(config, recipe(), tmp_path / "straight")
    stopped_at_5(config, recipe, tmp_path / "stopped")
    train(config, recipe(validate_every=6, save_every=5), tmp_path / "stopped")
    straight, stopped = (
        load_file(tmp_path / name / "weights" / "model.safetensors")
        for name in ("straight", "stopped")
    )
    assert all(torch.equal(straight[name], stopped[name]) for name in straight)
    assert "reproduces" not in read_notes(tmp_path / "stopped" / "log.jsonl")[-1]["note"]


def test_other_validation_images_leave_the_result_as_it_is(config, recipe, tmp_path):
    train(config, recipe(), tmp_path / "straight")
    stopped_at_5(config, recipe, tmp_path / "stopped")
    (tmp_path / "dark").mkdir()
    Image.new("RGB", (44, 36)).save(tmp_path / "dark" / "dark.png")
    train(config, recipe(validation=(str(tmp_path / "dark"),)), tmp_path / "stopped")
    assert_same_end(tmp_path / "straight", tmp_path / "stopped")
    log = read_log(tmp_path / "stopped" / "log.jsonl")
    assert checkpoint.read(RunFolder(tmp_path / "stopped").best)["best"] == max(
        entry["psnr_y"] for entry in log if entry["step"] > 5
    )


def test_checkpoints_of_a_run_are_weights(config, recipe, tmp_path):
    train(config, recipe(validate_every=5), tmp_path / "run")
    files = RunFolder(tmp_path / "run")
    for path, weights in ((files.saved()[-1], files.weights), (files.best, files.best_weights)):
        ours, theirs = load(path).state_dict(), load(weights).state_dict()
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert train(config, recipe(), tmp_path / "next", init=files.best)


def test_best_is_what_was_measured_best(config, recipe, tmp_path):
    train(config, recipe(validate_every=5, save_every=4), tmp_path)
    best = max(read_log(tmp_path / "log.jsonl"), key=lambda entry: entry["psnr_y"])
    saved = checkpoint.read(RunFolder(tmp_path).best)
    assert (saved["step"], saved["best"]) == (best["step"], best["psnr_y"])


def test_killed_20_times_the_result_is_bit_identical(config, recipe, tmp_path, one_thread):
    steps = {"steps": 80, "save_every": 2, "validate_every": 20}
    train(config, recipe(**steps), tmp_path / "straight")
    settings = {
        "config": config.to_dict(),
        "recipe": recipe(**steps).to_dict(),
        "folder": str(tmp_path / "killed"),
        "kills": 20,
        "seed": 0,
    }
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    script = Path(__file__).with_name("kill.py")
    run = subprocess.run(
        [sys.executable, script, tmp_path / "settings.json"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert "killed 20 times" in run.stdout
    assert_same_end(tmp_path / "straight", tmp_path / "killed")
    steps_logged = [entry["step"] for entry in read_log(tmp_path / "killed" / "log.jsonl")]
    assert steps_logged == [20, 40, 50, 60, 80]
    left = [path.name for path in (tmp_path / "killed" / "checkpoints").iterdir()]
    assert not [name for name in left if name.startswith(".")]


def test_a_second_run_in_a_folder_is_rejected(config, recipe, tmp_path):
    straight, shared = tmp_path / "straight", tmp_path / "shared"
    train(config, recipe(), straight)

    def files():
        return {path: path.stat().st_mtime_ns for path in shared.rglob("*")}

    def intrude(entry):
        before = files()
        with pytest.raises(TrainError, match="another process is training there") as error:
            train(config, recipe(), shared)
        assert str(shared) in str(error.value)
        assert files() == before

    train(config, recipe(), shared, watch=intrude)
    assert_same_end(straight, shared)
    assert train(config, recipe(), shared) == shared / "weights"  # free again


def test_a_killed_run_leaves_its_folder_free(config, recipe, tmp_path):
    endless = recipe(steps=10_000, validate_every=10_000, save_every=10_000)
    settings = {"config": config.to_dict(), "recipe": endless.to_dict()}
    script = (
        "import json, sys; from glanet import ModelConfig; "
        "from glanet.training import Recipe, train; s = json.loads(sys.argv[1]); "
        "train(ModelConfig(**s['config']), Recipe(**s['recipe']), sys.argv[2], device='cpu')"
    )
    command = [sys.executable, "-c", script, json.dumps(settings), str(tmp_path / "run")]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        for line in process.stderr:
            if b"images" in line:
                break
        with pytest.raises(TrainError, match="another process"):
            train(config, endless, tmp_path / "run")
        process.kill()
    assert train(config, recipe(), tmp_path / "run") == tmp_path / "run" / "weights"


def test_a_rejected_run_leaves_its_folder_free(config, recipe, tmp_path):
    train(config, recipe(), tmp_path / "run")
    with pytest.raises(TrainError, match="other settings"):
        train(config, recipe(seed=1), tmp_path / "run")
    assert not list(tmp_path.glob("run/.*"))
    assert train(config, recipe(), tmp_path / "run")


def test_a_folder_that_cannot_be_written_is_named(config, recipe, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TrainError, match=r"file/run: cannot be written .* Choose another folder"):
        train(config, recipe(), tmp_path / "file" / "run")


def test_log_entries_of_repeated_steps_are_dropped(config, recipe, tmp_path):
    train(config, recipe(), tmp_path)
    for path in RunFolder(tmp_path).saved()[1:]:
        path.unlink()
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 1')
    train(config, recipe(), tmp_path)
    assert [entry["step"] for entry in read_log(tmp_path / "log.jsonl")] == [4, 8, 12]
