"""A prepared model gives the model's images, and is a snapshot of it."""

import numpy as np
import pytest
import torch
from torch import nn

from glanet import ModelConfig, networks
from glanet.data import catalog
from glanet.data.degradation import imresize
from glanet.data.images import read_rgb
from glanet.data.tensors import to_tensor
from glanet.errors import ArgumentError
from glanet.evaluation.metrics import psnr_y
from glanet.fast import fast_layers
from glanet.inference import bands, prepare, upscale
from glanet.inference.bands import BandedLayer
from glanet.inference.prepare import JoinedLayer, Prepared, ready
from glanet.model.config import MIXERS
from glanet.model.layer import GLALayer
from glanet.networks import NETWORKS
from glanet.weights import load

NARROW = ModelConfig(channels=36, blocks=2, layers=2, heads=6)  # the paper's, but for its size
SIZES = [(1, 1), (1, 9), (8, 8), (13, 8), (16, 40), (43, 61)]


def made(config):
    torch.manual_seed(0)
    model = networks.build(config).eval()
    with torch.no_grad():
        for tensor in model.parameters():  # a head that starts at zero would hide the rest
            tensor.add_(0.02 * torch.randn_like(tensor))
    return model


@pytest.fixture(scope="module", params=["tiny-x2", "light-x2", "narrow"])
def model(request):
    return made(NARROW) if request.param == "narrow" else load(request.param)


@pytest.fixture
def small():
    return made(ModelConfig(channels=8, blocks=1, layers=2, heads=2, window=4, light_head=True))


def assert_same_images(model, other, size, batch=1, atol=1e-5):
    lr = torch.rand(batch, 3, *size)
    with torch.no_grad():
        torch.testing.assert_close(other(lr), model(lr), rtol=0, atol=atol)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_images_are_the_models(model, size):
    assert_same_images(model, prepare(model), size)


@pytest.mark.parametrize("band", [1, 500])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_bands_leave_no_trace(monkeypatch, size, band):
    monkeypatch.setattr(bands, "BAND", band)
    model = made(NARROW)
    assert_same_images(model, prepare(model), size, batch=2)


def test_tiles_are_the_models(small):
    lr = np.random.default_rng(0).integers(0, 256, (90, 100, 3), dtype=np.uint8)
    prepared = upscale(small, lr, tile=72)
    small.register_forward_hook(lambda *_: None)  # now it is run as it is
    assert np.abs(prepared.astype(int) - upscale(small, lr, tile=72)).max() <= 1


@pytest.mark.parametrize(
    "changes",
    [{"inception": False}, {"attention": False}, {"dense": False}, {"first_transition": False}]
    + [{"window": 5}, {"stochastic_depth": 0.5}]
    + [{"mixer": mixer} for mixer in MIXERS if mixer != "gla"],
    ids=str,
)
def test_every_variant_gives_its_images(changes):
    settings = {"channels": 16, "blocks": 2, "layers": 2, "heads": 4, "window": 4, **changes}
    model = made(ModelConfig(**settings)).train()
    prepared = prepare(model)  # which is never in training mode
    assert_same_images(model.eval(), prepared, (14, 19))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_gives_its_images(name):
    model = made(NETWORKS[name].config.preset("tiny"))
    assert_same_images(model, prepare(model), (14, 19), atol=1e-4 if name == "nlsn" else 1e-5)


@pytest.mark.parametrize("kind", [BandedLayer, JoinedLayer])  # for a CPU, for a GPU
@pytest.mark.parametrize("inception", [True, False])
@pytest.mark.parametrize("shift", [0, 4])
def test_a_layer_computes_what_it_did(kind, inception, shift):
    torch.manual_seed(0)
    layer = GLALayer(20, 2, 8, shift, inception=inception, drop_probability=0.5).eval()
    tokens = torch.randn(2, 16, 24, 20)
    with torch.no_grad():
        expected = layer(tokens)
        torch.testing.assert_close(kind(layer, torch.float32)(tokens), expected)


@pytest.mark.parametrize("strength", [30, 300])
def test_scores_beyond_what_exp_can_hold_are_a_softmax_all_the_same(strength):
    torch.manual_seed(0)
    layer = GLALayer(20, 2, 8, 0).eval().double()
    with torch.no_grad():
        layer.attention.qkv.weight[:40] *= strength
        tokens = torch.randn(1, 16, 24, 20)
        expected = layer(tokens.double()).float()
        found = BandedLayer(layer.float(), torch.float32)(tokens)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_gpu_gives_the_images(model, dtype):
    lr = torch.rand(1, 3, 43, 61)
    found = prepare(model, "cuda", dtype)(lr.cuda()).cpu()
    with torch.no_grad():
        torch.testing.assert_close(
            found, model(lr), rtol=0, atol=1e-3 if dtype == torch.float32 else 2e-2
        )


def test_it_is_a_snapshot(small):
    lr = torch.rand(1, 3, 8, 8)
    prepared = prepare(small)
    before = prepared(lr)
    with torch.no_grad():
        for tensor in small.parameters():
            tensor.add_(1)
    assert torch.equal(prepared(lr), before)


def test_the_model_stays_as_it_is(small):
    small.train()
    names = [*small.state_dict()]
    prepare(small)
    assert small.training
    assert [*small.state_dict()] == names
    assert not any(isinstance(part, BandedLayer) for part in small.modules())


def test_upscaling_sees_weights_that_have_changed(small):
    lr = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    first = upscale(small, lr)
    table = small.trunk.blocks[0].layers[1].attention.bias_table
    with torch.no_grad():
        table.add_(5 * torch.randn(table.shape))
        expected = small(to_tensor(lr))[0].clamp(0, 1).mul(255).round().byte()
    second = upscale(small, lr)
    assert not np.array_equal(first, second)
    assert np.abs(second.astype(int) - expected.permute(1, 2, 0).numpy()).max() <= 1


def test_upscaling_prepares_what_it_may(small):
    assert isinstance(ready(small), Prepared)
    assert isinstance(ready(fast_layers(small)), Prepared)
    lr = np.zeros((9, 12, 3), np.uint8)
    assert np.array_equal(upscale(prepare(small), lr), upscale(small, lr))


def test_upscaling_asks_a_model_of_a_learner_for_its_config_alone(small):
    class Own(nn.Module):  # of the package's layers, as in notebook 09
        def __init__(self):
            super().__init__()
            self.config, self.body = small.config, small

        def forward(self, image):
            return self.body(image)

    lr = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    assert isinstance(ready(Own()), Prepared)
    np.testing.assert_array_equal(upscale(Own(), lr), upscale(small, lr))


def test_upscaling_runs_a_model_itself_that_somebody_looks_into(small):
    layer = small.trunk.blocks[0].layers[1]
    hook = layer.fuse.register_forward_hook(lambda *_: None)
    assert ready(small) is small
    hook.remove()
    kernel, layer.attention.attend = layer.attention.attend, lambda query, key, value, bias: value
    assert ready(small) is small
    layer.attention.attend = kernel
    assert ready(small) is not small
    layer.norm1.forward = lambda tokens: tokens
    assert ready(small) is small


def test_a_layer_of_another_kind_is_computed_as_it_says(small):
    class Mine(GLALayer):
        def forward(self, tokens):
            return 2 * super().forward(tokens)

    layers = small.trunk.blocks[0].layers
    layers[1] = Mine(8, 2, 4, 2)
    assert_same_images(small.eval(), prepare(small), (14, 19))


@pytest.mark.parametrize("name", ["tiny-x2", "light-x2"])
def test_bf16_costs_no_quality(name):
    model = load(name)
    quick = prepare(model, dtype=torch.bfloat16)
    scores = []
    for path in catalog.hr_images("Set5"):
        hr = read_rgb(path)
        hr = hr[: len(hr) // 2 * 2, : hr.shape[1] // 2 * 2]
        lr = imresize(hr, 1 / 2)
        scores.append([psnr_y(upscale(one, lr), hr, 2) for one in (model, quick)])
    plain, reduced = np.mean(scores, axis=0)
    assert abs(plain - reduced) <= 0.005


def test_what_cannot_be_prepared_is_named(small):
    with pytest.raises(ArgumentError, match=r"float16; expected torch\.float32 or torch\.bfloat16"):
        prepare(small, dtype=torch.float16)
    with pytest.raises(ArgumentError, match="toaster"):
        prepare(small, "toaster")
    with pytest.raises(ArgumentError, match="is prepared"):
        prepare(prepare(small))
