"""OpenVINO gives the model's images, and sends nothing to anybody."""

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from glanet import ModelConfig, networks
from glanet.errors import ArgumentError
from glanet.inference import prepare, upscale
from glanet.inference.export import ExportError
from glanet.inference.openvino import OnOpenVINO

needs_openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="needs openvino")


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    model = networks.build(ModelConfig(channels=8, blocks=1, layers=2, heads=2, window=4)).eval()
    with torch.no_grad():  # some parts start at 0, and would hide the others
        for tensor in model.parameters():
            tensor += 0.05 * torch.randn_like(tensor)
    return model


@pytest.fixture(scope="module")
def translated(small):
    return OnOpenVINO(small)


@needs_openvino
@pytest.mark.parametrize("size", [(1, 1), (8, 12), (13, 10), (64, 40)])
def test_the_images_are_the_models(small, translated, size):
    lr = torch.rand(2, 3, *size)
    with torch.no_grad():
        expected = small(lr)
    assert np.ptp(expected.numpy()) > 0.1
    torch.testing.assert_close(translated(lr), expected, rtol=0, atol=1e-5)


@needs_openvino
@pytest.mark.parametrize("options", [{}, {"tile": 72}, {"ensemble": True}])
def test_it_takes_a_models_place_in_upscale(small, translated, options):
    lr = np.random.default_rng(0).integers(0, 256, (90, 84, 3), dtype=np.uint8)
    found, expected = (upscale(model, lr, **options) for model in (translated, small))
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert np.ptp(expected) > 20


@needs_openvino
def test_it_is_a_snapshot_that_needs_no_preparation(small, translated):
    lr = torch.rand(1, 3, 8, 8)
    before = translated(lr)
    with torch.no_grad():
        small.shallow.conv.weight.mul_(2)
        changed = small(lr)
        small.shallow.conv.weight.div_(2)
    assert not torch.allclose(changed, before, atol=1e-3)
    assert torch.equal(translated(lr), before)
    with pytest.raises(ArgumentError, match="is prepared"):
        prepare(translated)


@needs_openvino
def test_a_network_without_such_a_graph_is_named():
    config = networks.NETWORKS["ignn"].config.preset("tiny", blocks=2)
    with pytest.raises(ExportError, match="IGNN cannot be exported for images of any size"):
        OnOpenVINO(networks.build(config))


@needs_openvino
def test_its_telemetry_is_never_loaded():
    code = """
import sys
from glanet.inference.openvino import _imported
openvino = _imported()
assert openvino.Core().available_devices
print([name for name, module in sys.modules.items() if "telemetry" in name and module])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "openvino_telemetry" not in run.stdout
    assert "openvino.tools.ovc.telemetry_stub" in run.stdout  # so it has still a place for it


def test_without_the_extra_it_is_named(small, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ExportError, match=r"openvino is not installed: pip install glanet\[openv"):
        OnOpenVINO(small)
