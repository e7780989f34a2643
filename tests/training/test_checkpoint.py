import pytest
import torch

from glanet.training import checkpoint
from glanet.training.checkpoint import TrainError
from glanet.training.loop import new_state

ABOUT = {"config": {"scale": 2}, "recipe": {"steps": 10, "betas": (0.9, 0.999)}}


@pytest.fixture
def state(network, recipe):
    """A state after two steps of Adam."""
    state = new_state(network, recipe(), torch.device("cpu"))
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
def fresh(network, recipe):
    return new_state(network, recipe(seed=1), torch.device("cpu"))


def flat(state):
    return checkpoint._tensors(state)


def test_what_is_saved_is_what_is_loaded(tmp_path, state, fresh):
    path = checkpoint.save(tmp_path, state, ABOUT)
    assert checkpoint.load(path, fresh, ABOUT) == ""
    saved, loaded = flat(state), flat(fresh)
    assert saved.keys() == loaded.keys()
    assert {key.split(".")[0] for key in saved} == {"model", "average", "optimizer"}
    assert all(torch.equal(saved[key], loaded[key]) for key in saved)
    for name in checkpoint.NUMBERS:
        assert getattr(fresh, name) == getattr(state, name)


def test_the_last_two_and_the_best_are_kept(tmp_path, state):
    for step in (1, 2, 3, 4):
        state.step = step
        path = checkpoint.save(tmp_path, state, ABOUT)
        if step == 2:
            checkpoint.keep_as_best(path)
    assert [path.stem for path in checkpoint.checkpoints(tmp_path)] == [
        "step-00000003",
        "step-00000004",
    ]
    assert (tmp_path / "best.safetensors").exists()


def test_a_full_disk_leaves_the_old_ones_whole(tmp_path, state, fresh, monkeypatch):
    path = checkpoint.save(tmp_path, state, ABOUT)

    def full(tensors, file, metadata):
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    state.step += 1
    with pytest.raises(TrainError, match=r"step-00000003\.safetensors: cannot be written .*room"):
        checkpoint.save(tmp_path, state, ABOUT)
    assert [file for file in tmp_path.iterdir() if file.is_file()] == [path]
    checkpoint.load(path, fresh, ABOUT)


@pytest.mark.parametrize("damage", ["cut", "text", "other tensors"])
def test_a_damaged_checkpoint_is_named_and_told_how_to_do_without(tmp_path, state, fresh, damage):
    path = checkpoint.save(tmp_path, state, ABOUT)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "text":
        path.write_text("hello")
    else:
        checkpoint.save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(TrainError, match=r"step-00000002\.safetensors: no checkpoint.*Delete it"):
        checkpoint.load(path, fresh, ABOUT)


def test_a_run_with_other_settings_is_told_what_differs(tmp_path, state, fresh):
    path = checkpoint.save(tmp_path / "run" / "checkpoints", state, ABOUT)
    with pytest.raises(TrainError, match=r"run: holds .* config\.scale was 2, and is now 3.*--out"):
        checkpoint.load(path, fresh, {**ABOUT, "config": {"scale": 3}})


def test_other_versions_are_noted_and_stop_nobody(tmp_path, state, fresh, monkeypatch):
    path = checkpoint.save(tmp_path, state, ABOUT)
    now = checkpoint._versions()
    monkeypatch.setattr(checkpoint, "_versions", lambda: {**now, "torch": "9.0"})
    note = checkpoint.load(path, fresh, ABOUT)
    assert note == f"other versions than before: torch {torch.__version__} → 9.0"
