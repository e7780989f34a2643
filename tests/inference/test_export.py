"""An exported file computes what the model does, for images of any size."""

import dataclasses

import numpy as np
import onnxruntime
import pytest
import torch

from glanet import networks
from glanet.inference import export as exports
from glanet.inference.export import ExportError, export
from glanet.networks import NETWORKS

# small, so that tracing takes seconds
SMALL = {
    "gla-net": {"channels": 8, "blocks": 1, "layers": 2, "heads": 2, "window": 4},
    "swinir": {"channels": 8, "blocks": 1, "layers": 2, "heads": 2, "window": 4},
    "rcan": {"channels": 4, "groups": 1, "blocks": 1, "reduction": 2},
    "han": {"channels": 4, "groups": 1, "blocks": 1, "reduction": 2},
}
SIZES = [(1, 1), (8, 12), (13, 10)]


def small(name):
    config = dataclasses.replace(NETWORKS[name].config.preset("tiny"), **SMALL[name])
    torch.manual_seed(0)
    model = networks.build(config).eval()
    with torch.no_grad():  # some parts start at 0, and would hide the others
        for tensor in model.parameters():
            tensor += 0.05 * torch.randn_like(tensor)
    return model


@pytest.fixture(scope="module")
def gla_net():
    return small("gla-net")


@pytest.fixture(scope="module")
def onnx_file(gla_net, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "small-x2.onnx"
    export(gla_net, path, source="small-x2")
    return path


@pytest.mark.parametrize("size", SIZES)
def test_onnxruntime_computes_what_the_model_does(gla_net, onnx_file, size):
    lr = torch.rand(1, 3, *size)
    session = onnxruntime.InferenceSession(onnx_file, providers=["CPUExecutionProvider"])
    (sr,) = session.run(["sr"], {"lr": lr.numpy()})
    with torch.no_grad():
        expected = gla_net(lr).numpy()
    assert sr.shape == (1, 3, 2 * size[0], 2 * size[1])
    assert np.abs(sr - expected).max() < 1e-5
    assert np.ptp(expected) > 0.1


def test_the_file_names_no_file_of_this_machine(onnx_file):
    assert exports.__file__.encode() not in onnx_file.read_bytes()


def test_the_model_stays_as_it_was(gla_net, onnx_file):
    again = small("gla-net").state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in gla_net.state_dict().items())
    assert not gla_net.training


def test_a_card_lies_beside_the_file(onnx_file):
    text = onnx_file.with_suffix(".md").read_text()
    assert text.startswith("# small-x2.onnx\n\nGLA-Net (Pan et al., ICIP 2023), ")
    assert "| weights | small-x2 |" in text
    assert "float32 (1, 3, 2·H, 2·W)" in text
    assert 'InferenceSession("small-x2.onnx")' in text


@pytest.mark.parametrize("name", ["swinir", "rcan", "han"])
def test_rivals_are_exported(name, tmp_path):
    assert export(small(name), tmp_path / "rival.onnx") < 1e-5


def test_pytorchs_own_format(gla_net, tmp_path):
    path = tmp_path / "small.pt2"
    assert export(gla_net, path, "torch") < 1e-5
    lr = torch.rand(1, 3, 5, 6)
    with torch.no_grad():
        sr = torch.export.load(path).module()(lr)
        assert torch.allclose(sr, gla_net(lr), atol=1e-5)
    assert f'torch.export.load("{path.name}")' in path.with_suffix(".md").read_text()


def test_half_precision_takes_and_gives_float32(gla_net, tmp_path):
    path = tmp_path / "half.pt2"
    assert 0 < export(gla_net, path, "torch", "float16") < 1e-2
    with torch.no_grad():
        assert torch.export.load(path).module()(torch.rand(1, 3, 5, 6)).dtype == torch.float32


def test_a_network_that_depends_on_the_size_is_named(tmp_path):
    model = networks.build(NETWORKS["ignn"].config.preset("tiny", blocks=2)).eval()
    with pytest.raises(ExportError, match="IGNN cannot be exported for images of any size"):
        export(model, tmp_path / "ignn.onnx")
    assert not list(tmp_path.iterdir())


def test_a_file_that_differs_is_not_kept(gla_net, tmp_path, monkeypatch):
    monkeypatch.setattr(exports, "TOLERANCE", {"float32": 0.0})
    with pytest.raises(ExportError, match="differs from the model by"):
        export(gla_net, tmp_path / "x.pt2", "torch")
    assert not list(tmp_path.iterdir())
