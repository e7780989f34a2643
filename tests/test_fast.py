"""A GLA layer of joined products is the layer as written: outputs, gradients, names."""

import copy

import pytest
import torch

from glanet import GLANet, ModelConfig, networks
from glanet.fast import can_join, fast_layers, join
from glanet.model.config import MIXERS
from glanet.model.layer import GLALayer
from glanet.networks import NETWORKS


def randomised(module):
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return module


def outputs_and_gradients(module, given, seed=1):
    """What the module returns, and the gradients of what it was given and of its parameters."""
    torch.manual_seed(seed)
    given = given.clone().requires_grad_()
    out = module(given)
    weights = torch.randn(out.shape, dtype=out.dtype)
    return [out, *torch.autograd.grad(out, [given, *module.parameters()], weights)]


def assert_equal(found, expected, tolerance=1e-12):
    for mine, theirs in zip(found, expected, strict=True):
        difference = (mine - theirs).abs().max() / theirs.abs().max()
        assert difference <= tolerance


@pytest.mark.parametrize("inception", [True, False])
@pytest.mark.parametrize("shift", [0, 4])
@pytest.mark.parametrize(("channels", "heads"), [(180, 6), (60, 6), (64, 4), (40, 4), (32, 4)])
def test_outputs_and_all_gradients_are_the_layers(channels, heads, shift, inception):
    torch.manual_seed(0)
    drop = {"drop_probability": 0.5}
    plain = randomised(GLALayer(channels, heads, 8, shift, inception=inception, **drop)).double()
    joined = fast_layers(copy.deepcopy(plain))
    tokens = torch.randn(6, 16, 24, channels, dtype=torch.float64)
    assert_equal(outputs_and_gradients(joined, tokens), outputs_and_gradients(plain, tokens))


def test_widths_are_aligned():
    joined = join(GLALayer(180, 6, 8, 4))
    assert joined.qkv.shape == (3 * 6 * 32, 180)
    assert joined.branches.opening.shape == (3 * 48, 180)
    assert [row.shape for row in joined.branches.rows] == [(48, 48, 1, k) for k in (3, 5, 7)]
    assert joined.fuse_attention.shape == (180, 6 * 32)


def test_gradients_follow_weights_that_change():
    model = fast_layers(GLALayer(8, 2, 4, 0).double())
    tokens = torch.randn(1, 8, 8, 8, dtype=torch.float64)
    first = model(tokens)
    with torch.no_grad():
        model.fuse.weight.mul_(2)
    assert not torch.allclose(model(tokens), first)


def test_names_and_copies_stay_as_they_are():
    config = ModelConfig.preset("tiny")
    plain, model = GLANet(config), fast_layers(GLANet(config))
    model.load_state_dict(plain.state_dict())
    assert list(model.state_dict()) == list(plain.state_dict())
    other = copy.deepcopy(model)  # a moving average is one
    with torch.no_grad():
        other.trunk.blocks[0].layers[0].fuse.bias.add_(1)
        lr = torch.rand(1, 3, 16, 16)
        torch.testing.assert_close(model(lr), plain(lr), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [{}, {"inception": False}, {"attention": False}, {"dense": False, "window": 4}]
    + [{"mixer": mixer} for mixer in MIXERS if mixer != "gla"],
    ids=str,
)
def test_every_variant_computes_what_it_did(changes):
    check_network(ModelConfig(channels=16, blocks=1, layers=2, heads=4, light_head=True, **changes))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_computes_what_it_did(name):
    check_network(NETWORKS[name].config.preset("tiny"))


def check_network(config):
    torch.manual_seed(0)
    plain = networks.build(config).double().train()
    model = fast_layers(copy.deepcopy(plain))
    lr = torch.rand(1, 3, 16, 16, dtype=torch.float64)
    torch.manual_seed(1)
    expected = plain(lr)
    torch.manual_seed(1)
    torch.testing.assert_close(model(lr), expected, rtol=1e-12, atol=1e-12 * plain.value_range)


def test_a_layer_of_another_kind_is_left_alone():
    class Mine(GLALayer):
        def forward(self, tokens):
            return tokens

    assert can_join(GLALayer(8, 2, 4, 0))
    assert not can_join(Mine(8, 2, 4, 0))
    assert not can_join(GLALayer(8, 2, 4, 0, attention=False))
    assert "forward" not in vars(fast_layers(Mine(8, 2, 4, 0)))


def test_layers_share_compiled_graphs(monkeypatch):
    compiled = []

    def count(graph, inputs):
        compiled.append(graph)
        return graph.forward

    torch.compiler.reset()
    layers = [fast_layers(GLALayer(16, 2, 4, shift)) for shift in (0, 2, 0, 2)]
    tokens = torch.rand(1, 8, 8, 16)
    for layer in layers:
        layer.compile(backend=count)
        layer(tokens).sum().backward()
        assert layer.fuse.weight.grad is not None
    assert len(compiled) == 2
