import re
import shutil
from dataclasses import replace

import pytest
import torch

from glanet import GLANet, ModelConfig
from glanet.weights import load, shipped_names
from glanet.weights.found import RELEASED, broken_promise, card, find_weights
from glanet.weights.pretrained import SHIPPED
from tests.golden_cases import released_state


@pytest.fixture
def folders(tmp_path):
    found = {"runs": tmp_path / "runs", "released": tmp_path / "weights"}
    for folder in found.values():
        folder.mkdir()
    return found


def small_run(folders, name, **settings):
    config = ModelConfig(channels=8, blocks=1, layers=1, heads=2, window=4, **settings)
    GLANet(config).save_pretrained(folders["runs"] / name / "weights")
    return config


def test_without_any_other_what_is_shipped_is_at_hand(tmp_path):
    found = find_weights(runs=tmp_path / "none", released=tmp_path / "nor-here")
    assert [weights.name for weights in found] == shipped_names()
    for weights in found:
        assert (weights.kind, weights.problem) == ("shipped", "")
        assert weights.config == load(weights.source).config


def test_finished_runs_follow_and_those_under_way_are_left_out(folders):
    config = small_run(folders, "mine", scale=3)
    (folders["runs"] / "under-way" / "checkpoints").mkdir(parents=True)
    *shipped, mine = find_weights(**folders)
    assert {weights.kind for weights in shipped} == {"shipped"}
    assert (mine.kind, mine.name, mine.config) == ("trained", "runs/mine", config)
    assert load(mine.source).config == config


def test_a_run_that_has_been_shipped_since_counts_once(folders):
    weights = folders["runs"] / "tiny-x2" / "weights"
    shutil.copytree(SHIPPED / "tiny-x2", weights)
    assert [found.kind for found in find_weights(**folders)] == ["shipped"] * len(shipped_names())
    network = GLANet.from_pretrained(weights)
    network.shallow.conv.bias.data += 1  # the same run, trained on
    network.save_pretrained(weights)
    assert find_weights(**folders)[-1].name == "runs/tiny-x2"


def test_a_run_without_its_tensors_is_told_and_stops_nobody(folders):
    small_run(folders, "cut")
    small_run(folders, "whole")
    (folders["runs"] / "cut" / "weights" / "model.safetensors").unlink()
    cut, whole = find_weights(**folders)[-2:]
    assert cut.config is None
    assert "model.safetensors: no such file" in cut.problem
    assert (whole.name, whole.problem) == ("runs/whole", "")


def test_released_files_are_recognised_by_their_tensors_whatever_their_name(folders):
    torch.save(released_state("glanet-full-x4"), folders["released"] / "somebody.pth")
    torch.save(released_state("swinir-full-x2"), folders["released"] / "another.pth")
    another, somebody = find_weights(**folders)[-2:]
    assert (somebody.kind, somebody.config.scale, somebody.config.dense) == ("released", 4, True)
    assert (another.config.scale, another.config.dense, another.problem) == (2, False, "")


@pytest.mark.parametrize("name", RELEASED)
def test_a_file_is_held_to_the_network_that_its_name_promises(folders, name):
    torch.save(released_state("rcan-small"), folders["released"] / name)
    found = find_weights(**folders)[-1]
    assert found.config is None
    assert f"{name}: not the network that its name promises" in found.problem
    if RELEASED[name].network == "rcan":
        assert "channels is 16, expected 64" in found.problem
        assert ("scale is 2" in found.problem) == ("X2" not in name)
    else:
        assert f"network is rcan, expected {RELEASED[name].network}" in found.problem


def test_a_published_name_promises_the_network_and_the_scale_in_it():
    networks = {"GLA-Netx": "gla-net", "SwinIR-M": "swinir", "SwinIR-S": "swinir-light"}
    networks |= {"RCAN": "rcan", "SAN": "san", "HAN": "han", "RNAN": "rnan"}
    for name, config in RELEASED.items():
        assert re.search(rf"(x{config.scale}|{config.scale}x)\.pt", name.lower())
        assert broken_promise(name, config) == ""
        assert [config.network] == [networks[part] for part in networks if part in name]
    assert broken_promise("GLA-Netx2.pth", RELEASED["GLA-Netx4.pth"]) == "scale is 4, expected 2"
    assert broken_promise("mine.pth", RELEASED["GLA-Netx4.pth"]) == ""


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<!DOCTYPE html><title>Download</title>", "not a PyTorch file"),
        (b"", "cut short"),
        ({"features.0.weight": torch.zeros(8, 3, 3, 3)}, "but of none of GLA-Net, SwinIR"),
    ],
)
def test_what_is_no_such_checkpoint_is_told(folders, content, says):
    path = folders["released"] / "GLA-Netx2.pth"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    found = find_weights(**folders)[-1]
    assert found.config is None
    assert says in found.problem
    assert "GLA-Netx2.pth" in found.problem


def test_other_files_in_the_folder_are_left_alone(folders):
    for name in ("README.txt", "._GLA-Netx2.pth", "GLA-Netx2.pth.part"):
        (folders["released"] / name).write_text("none of our business")
    assert {weights.kind for weights in find_weights(**folders)} == {"shipped"}


def test_a_card_says_what_weights_were_trained_and_watched_on(tmp_path):
    (tiny,) = (f for f in find_weights(runs=tmp_path, released=tmp_path) if f.name == "tiny-x2")
    says = card(tiny)
    assert says["trained on"] == "T91 and BSDS200 (291 images); LR by MATLAB's bicubic"
    assert "Set5" in says["validation"]
    assert says["steps"] == "6000"
    assert card(replace(tiny, kind="yours", source=str(tmp_path))) == {}
