import json

import pytest
import torch

from glanet import ModelConfig
from glanet.training import checkpoint
from glanet.training.errors import TrainError
from glanet.training.folder import RunFolder
from glanet.training.state import new_state
from glanet.weights import WeightsError, load
from glanet.weights.trained import with_config
from tests.weights.test_released import RunsCode

ABOUT = {"config": {"scale": 2}, "recipe": {"steps": 10, "betas": (0.9, 0.999)}}


@pytest.fixture
def state(config, recipe):
    """A state after two steps of Adam."""
    state = new_state(config, recipe(), torch.device("cpu"))
    for _ in range(2):
        loss = state.model(torch.rand(1, 3, 8, 8)).square().mean()
        state.optimizer.zero_grad()
        loss.backward()
        state.optimizer.step()
        state.average.update_parameters(state.model)
        state.step += 1
    state.scores, state.best, state.seconds = {"psnr_y": 31.5}, 31.0, 7.5
    return state


@pytest.fixture
def fresh(config, recipe):
    return new_state(config, recipe(seed=1), torch.device("cpu"))


def flat(state):
    return checkpoint._tensors(state)


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path / "run")


@pytest.fixture
def path(run, state):
    """A checkpoint of ``state``."""
    checkpoint.save_next(run, state, ABOUT)
    return run.checkpoint(2)


def test_what_is_saved_is_loaded(path, state, fresh):
    assert checkpoint.load(path, fresh, ABOUT) == ""
    saved, loaded = flat(state), flat(fresh)
    assert saved.keys() == loaded.keys()
    assert {key.split(".")[0] for key in saved} == {"model", "average", "optimizer"}
    assert all(torch.equal(saved[key], loaded[key]) for key in saved)
    for name in checkpoint.NUMBERS:
        assert getattr(fresh, name) == getattr(state, name)


def test_a_checkpoint_tells_of_its_run(path):
    found = checkpoint.read(path)
    assert found["about"] == json.loads(json.dumps(ABOUT))
    assert (found["step"], found["seconds"], found["scores"]) == (2, 7.5, {"psnr_y": 31.5})
    assert found["versions"]["torch"] == torch.__version__


def test_version_01_wrote_the_config_as_network(run, state, fresh):
    config = ModelConfig.preset("tiny").to_dict()
    old = {"network": config, "recipe": ABOUT["recipe"]}
    now = {"config": {"network": "gla-net", **config}, "recipe": ABOUT["recipe"]}
    checkpoint.save_next(run, state, old)
    assert checkpoint.read(run.checkpoint(2))["about"] == json.loads(json.dumps(now))
    checkpoint.load(run.checkpoint(2), fresh, now)
    assert fresh.step == 2


def test_the_last_two_and_the_best_are_kept(run, state):
    for step in (1, 2, 3, 4):
        state.step = step
        checkpoint.save_next(run, state, ABOUT, best=step == 2)
    assert [path.name for path in run.saved()] == [
        "step-00000003.safetensors",
        "step-00000004.safetensors",
    ]
    assert run.saved_step() == 4
    assert checkpoint.read(run.path / "checkpoints" / "best.safetensors")["step"] == 2


def test_a_checkpoint_to_look_at_replaces_no_other(run, path, state):
    for step in (3, 4):
        state.step = step
        checkpoint.save(run.before_not_finite(step), state, ABOUT)
    assert run.saved() == [path]
    assert {file.name for file in run.checkpoints.iterdir()} == {
        "step-00000002.safetensors",
        "non-finite-00000003.safetensors",
        "non-finite-00000004.safetensors",
    }


def test_a_full_disk_leaves_the_old_ones_intact(run, path, state, fresh, fill_disk):
    state.step += 1
    fill_disk(path.stat().st_size // 2)
    with pytest.raises(TrainError, match=r"step-00000003\.safetensors: cannot be written .*room"):
        checkpoint.save_next(run, state, ABOUT)
    assert list(run.checkpoints.iterdir()) == [path]
    checkpoint.load(path, fresh, ABOUT)


def test_a_full_disk_under_the_best_checkpoint_is_named(run, state, fresh, fill_disk, monkeypatch):
    def save_and_fill_disk(path, *arguments):
        save(path, *arguments)
        fill_disk(path.stat().st_size // 2)

    save = checkpoint.save
    monkeypatch.setattr(checkpoint, "save", save_and_fill_disk)
    with pytest.raises(TrainError, match=r"best\.safetensors: cannot be written .*make room"):
        checkpoint.save_next(run, state, ABOUT, best=True)
    assert list(run.checkpoints.iterdir()) == [run.checkpoint(2)]
    checkpoint.load(run.checkpoint(2), fresh, ABOUT)


@pytest.mark.parametrize("damage", ["cut", "text", "other tensors"])
def test_a_damaged_checkpoint_is_named(path, fresh, damage):
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "text":
        path.write_text("hello")
    else:
        checkpoint.save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(
        TrainError, match=r"step-00000002\.safetensors: not a checkpoint.*Delete it"
    ):
        checkpoint.load(path, fresh, ABOUT)


def test_a_pickle_in_place_of_a_checkpoint_does_not_run(path, fresh, tmp_path):
    torch.save({"model": RunsCode(tmp_path / "it-ran")}, path)
    with pytest.raises(TrainError, match=r"step-00000002\.safetensors: not a checkpoint"):
        checkpoint.load(path, fresh, ABOUT)
    with pytest.raises(WeightsError, match=r"step-00000002\.safetensors: "):
        load(path)
    assert not (tmp_path / "it-ran").exists()


def test_other_settings_are_named(path, fresh):
    with pytest.raises(TrainError, match=r"run: holds .* config\.scale was 2, and is now 3.*--out"):
        checkpoint.load(path, fresh, {**ABOUT, "config": {"scale": 3}})


def test_other_versions_are_noted(path, fresh, monkeypatch):
    now = checkpoint._versions()
    monkeypatch.setattr(checkpoint, "_versions", lambda: {**now, "torch": "9.0"})
    note = checkpoint.load(path, fresh, ABOUT)
    assert note == f"versions changed since the last checkpoint: torch {torch.__version__} → 9.0"


def test_a_field_that_is_new_since_a_run_began_has_its_default():
    config = {"network": "gla-net", **ModelConfig.preset("tiny").to_dict()}
    older = {name: value for name, value in config.items() if name != "mixer"}
    assert with_config({"config": older, "seed": 1}) == {"config": config, "seed": 1}
    older.pop("network")
    assert with_config({"network": older})["config"] == config  # as version 0.1 wrote it
