import json
import shutil
import socket
import time

import pytest
import torch
from huggingface_hub import HfApi

import glanet.model
from glanet import GLANet, ModelConfig
from glanet.rivals.rcan import RCANConfig
from glanet.weights import WeightsError, load, shipped_names
from glanet.weights.pretrained import SHIPPED, empty_model


def small():
    return GLANet(ModelConfig(channels=8, blocks=2, layers=2, heads=2, window=4, scale=3))


def test_what_is_saved_is_loaded_and_the_folder_holds_what_the_hub_expects(tmp_path):
    model = small().eval()
    model.save_pretrained(tmp_path / "net")
    names = sorted(path.name for path in (tmp_path / "net").iterdir())
    assert names == ["README.md", "config.json", "model.safetensors"]
    modes = {path.stat().st_mode for path in (tmp_path / "net").iterdir()}
    assert len(modes) == 1  # who may read the configuration may read the weights
    loaded = GLANet.from_pretrained(tmp_path / "net")
    assert loaded.config == model.config
    assert not loaded.training
    image = torch.rand(1, 3, 5, 6)
    with torch.no_grad():
        assert torch.equal(loaded(image), model(image))


def test_a_model_card_is_written_once_and_never_over_yours(tmp_path):
    small().save_pretrained(tmp_path)
    assert "library_name: glanet" in (tmp_path / "README.md").read_text()
    (tmp_path / "README.md").write_text("mine")
    small().save_pretrained(tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"


def test_it_is_the_network_of_the_model_package():
    assert issubclass(GLANet, glanet.model.GLANet)


def test_push_to_hub_uploads_the_same_folder(monkeypatch):
    uploaded = {}

    def upload_folder(self, *, repo_id, folder_path, **_):
        uploaded[repo_id] = sorted(path.name for path in folder_path.iterdir())
        return "https://hub/commit"

    class Repository:
        repo_id = "somebody/net"

    monkeypatch.setattr(HfApi, "create_repo", lambda self, **_: Repository)
    monkeypatch.setattr(HfApi, "upload_folder", upload_folder)
    small().push_to_hub("somebody/net")
    assert uploaded == {"somebody/net": ["README.md", "config.json", "model.safetensors"]}


def test_every_shipped_network_loads_by_name_and_keeps_its_word():
    assert "tiny-x2" in shipped_names()
    for name in shipped_names():
        model = load(name)
        assert name.removesuffix("-photo").endswith(f"-x{model.config.scale}")
        with torch.no_grad():
            assert model(torch.rand(1, 3, 9, 9)).isfinite().all()


def test_a_revision_of_shipped_weights_is_rejected_and_not_ignored():
    with pytest.raises(
        WeightsError, match=r"tiny-x2: shipped with glanet in one .* is '1'\. Leave"
    ):
        GLANet.from_pretrained("tiny-x2", revision="1")


def test_an_unknown_name_lists_what_is_shipped_without_asking_the_hub(monkeypatch):
    monkeypatch.setattr("glanet.weights.pretrained.hf_hub_download", None)
    with pytest.raises(WeightsError, match=r"tiny-x9.*tiny-x2.*Check the name"):
        GLANet.from_pretrained("tiny-x9")


def test_what_the_hub_does_not_have_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"somebody/net: not a local folder.*Check the name"):
        GLANet.from_pretrained("somebody/net", local_files_only=True, cache_dir=tmp_path)
    with pytest.raises(WeightsError, match=r"a//b c: not a local folder"):
        GLANet.from_pretrained("a//b c")


@pytest.mark.parametrize(
    "name", ["runs/none", "./some/one", "../some", "/some/one", "~/one", "a/b/c"]
)
def test_a_path_is_never_asked_of_the_hub(tmp_path, monkeypatch, name):
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    for function in ("hf_hub_download", "get_hf_file_metadata"):
        monkeypatch.setattr(f"glanet.weights.pretrained.{function}", None)
    with pytest.raises(WeightsError, match=r"not a local folder\..*(holds no weights|weights in)"):
        load(name)


def test_the_weights_beside_a_missing_folder_are_listed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(SHIPPED / "tiny-x2", "runs/first/weights")
    shutil.copytree(SHIPPED / "tiny-x2", "runs/second")
    (tmp_path / "runs" / "third").mkdir()
    for name in ("runs/none", "runs/none/weights"):
        with pytest.raises(WeightsError, match=r"weights in runs/first/weights, runs/second\."):
            load(name)
    with pytest.raises(
        WeightsError, match=r"first/config\.json: no such file.*in runs/first/weights"
    ):
        load("runs/first")


def no_network(*_, **__):
    raise socket.gaierror("Name or service not known")


def no_pause(_):
    raise AssertionError("it waits to try again")


def test_without_a_network_the_hub_is_asked_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr(time, "sleep", no_pause)
    with pytest.raises(WeightsError, match=r"somebody/net: not a local folder, and no answer from"):
        load("somebody/net", cache_dir=tmp_path)


def test_without_a_network_the_hubs_cache_is_used(tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    repository, commit = tmp_path / "models--somebody--net", 40 * "0"
    shutil.copytree(SHIPPED / "tiny-x2", repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    assert load("somebody/net", cache_dir=tmp_path).config == load("tiny-x2").config


def broken(folder, file, content):
    small().save_pretrained(folder)
    path = folder / file
    if content is None:
        path.unlink()
    elif isinstance(content, float):
        path.write_bytes(path.read_bytes()[: int(content * path.stat().st_size)])
    else:
        path.write_text(content)
    return folder


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", None),
        ("config.json", "{"),
        ("config.json", "[1, 2]"),
        ("config.json", '{"scale": 7}'),
        ("config.json", '{"colour": 7}'),
        ("config.json", json.dumps({"channels": "8"})),
        ("model.safetensors", None),
        ("model.safetensors", ""),
        ("model.safetensors", "not tensors"),
        ("model.safetensors", 0.5),
        ("config.json", '{"channels": 12, "heads": 2, "blocks": 2, "layers": 2, "window": 4}'),
    ],
)
def test_a_broken_folder_is_refused_with_the_name_of_the_file(tmp_path, file, content):
    with pytest.raises(WeightsError, match=r"config\.json|model\.safetensors"):
        GLANet.from_pretrained(broken(tmp_path / "net", file, content))


def test_a_file_in_place_of_a_folder_is_named(tmp_path):
    path = tmp_path / "net.bin"
    path.write_bytes(b"x")
    with pytest.raises(WeightsError, match=r"net\.bin: a file, where a folder.*\.pth"):
        GLANet.from_pretrained(path)


def test_weights_of_another_network_are_rejected_by_the_class(tmp_path):
    empty_model(RCANConfig.preset("tiny")).save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match=r"weights of RCAN, where GLANet is expected"):
        GLANet.from_pretrained(tmp_path)


def test_a_failed_save_leaves_the_old_weights_whole(tmp_path, monkeypatch):
    model = small()
    model.save_pretrained(tmp_path)
    monkeypatch.setattr("safetensors.torch.save_model", _no_space)
    with pytest.raises(OSError, match="No space"):
        small().save_pretrained(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    kept = GLANet.from_pretrained(tmp_path).state_dict()
    assert all(torch.equal(kept[name], tensor) for name, tensor in model.state_dict().items())


def _no_space(*_, **__):
    raise OSError(28, "No space left on device")
