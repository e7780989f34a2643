"""Weights made to do harm are rejected in one line, before memory or time is taken."""

import json
import shutil
import zipfile

import pytest
import torch

from glanet.device import peak_memory
from glanet.weights import WeightsError, load, load_released
from glanet.weights.pretrained import SHIPPED
from tests.weights.test_released import released_state

ALLOWED = 300_000_000  # bytes by which the memory may grow


@pytest.fixture
def folder(tmp_path):
    """A copy of tiny-x2."""
    return shutil.copytree(SHIPPED / "tiny-x2", tmp_path / "net")


def with_config(folder, **values):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "values",
    [
        {"channels": 40_000, "heads": 4},
        {"channels": 10**12, "heads": 4},
        {"channels": 1024},
        {"layers": 10**7},
        {"layers": 1000},
        {"layers": [2, 2, 10**9]},
        {"layers": [1] * 10**5, "blocks": 10**5},
        {"blocks": 10**9},
        {"blocks": 1000, "layers": 1000},
        {"window": 20_000},
        {"window": 1000},
        {"heads": 10**9},
        {"mlp_ratio": float("inf")},
        {"mlp_ratio": float("nan")},
        {"mlp_ratio": 1e300},
        {"mlp_ratio": 1e9},
        {"mlp_ratio": 10**400},
        {"scale": 10**9},
        {"network": "rcan", "blocks": 10**9},
        {"network": ["gla-net"]},
        {"channels": "32"},
        {"channels": None},
    ],
    ids=lambda values: json.dumps(values)[:40],
)
def test_a_config_that_asks_for_too_much_is_rejected(folder, values):
    with_config(folder, **values)
    before = peak_memory()
    with pytest.raises(WeightsError, match=r"(config\.json|model\.safetensors): "):
        load(folder)
    assert peak_memory() - before < ALLOWED


def test_json_that_nests_a_hundred_thousand_times_is_rejected(folder):
    (folder / "config.json").write_text("[" * 100_000)
    with pytest.raises(WeightsError, match=r"config\.json: not a configuration"):
        load(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_folder_in_place_of_a_file_is_named(folder, name):
    (folder / name).unlink()
    (folder / name).mkdir()
    with pytest.raises(WeightsError, match=rf"{name}: cannot be read \(.*older|directory"):
        load(folder)


@pytest.mark.parametrize("header", [b"\xff" * 8, (10**9).to_bytes(8, "little") + b"{}", b""])
def test_a_damaged_header_is_named(folder, header):
    (folder / "model.safetensors").write_bytes(header)
    with pytest.raises(WeightsError, match=r"model\.safetensors: damaged"):
        load(folder)


def rejected(path):
    before = peak_memory()
    with pytest.raises(WeightsError, match=r"net\.pth: .*Fetch"):
        load_released(path)
    assert peak_memory() - before < ALLOWED


def test_tensors_whose_values_are_not_in_the_file_are_rejected(tmp_path):
    state = released_state()[1]
    state["conv_first.weight"] = torch.zeros(1).expand(10**6, 10**5, 1, 1)
    torch.save(state, tmp_path / "net.pth")
    rejected(tmp_path / "net.pth")


def test_many_tensors_of_the_same_values_are_rejected(tmp_path):
    shared = torch.zeros(10**5)
    state = {f"layers.0.residual_group.blocks.{i}.norm1.weight": shared for i in range(50)}
    torch.save(state, tmp_path / "net.pth")
    rejected(tmp_path / "net.pth")


@pytest.mark.parametrize("tensor", [torch.zeros(3).to_sparse(), torch.zeros(3, device="meta")])
def test_tensors_of_other_kinds_are_rejected(tmp_path, tensor):
    torch.save({**released_state()[1], "conv_first.weight": tensor}, tmp_path / "net.pth")
    rejected(tmp_path / "net.pth")


def test_a_name_that_promises_ten_million_layers_is_rejected(tmp_path):
    state = released_state()[1]
    state["layers.0.residual_group.blocks.9999999.norm1.weight"] = torch.zeros(8)
    torch.save(state, tmp_path / "net.pth")
    rejected(tmp_path / "net.pth")


def test_a_compressed_checkpoint_is_rejected(tmp_path):
    with zipfile.ZipFile(tmp_path / "net.pth", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data/0", bytes(10**7))
    rejected(tmp_path / "net.pth")
