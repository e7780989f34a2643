import pytest
import torch
from torch.autograd import gradcheck
from torch.nn import functional as F

from glanet import networks
from glanet.networks import NETWORKS
from glanet.rivals.han import (
    HAN,
    ChannelSpatialAttention,
    HANConfig,
    LayerAttention,
    layer_weights,
    read_released,
)
from glanet.rivals.rcan import RCAN, RCANConfig
from tests import golden_cases
from tests.peak import values_per_pixel

SMALL = HANConfig(groups=2, blocks=1, channels=4, reduction=2)


def stirred(module):
    """The module with every parameter moved: those that start at zero would hide the rest."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return module


def with_gamma_one(module):
    torch.nn.init.ones_(module.gamma)
    return module


def test_gradients_are_right():
    model = stirred(HAN(SMALL)).double().eval()
    model.value_range = 1.0  # steps of 1e-6 of 255 would cross ReLUs
    assert gradcheck(model, torch.rand(1, 3, 4, 5, dtype=torch.float64, requires_grad=True))


def test_gradients_of_layer_attention_are_right():
    attention = with_gamma_one(LayerAttention()).double()
    maps = 0.3 * torch.randn(2, 3, 2, 2, 3, dtype=torch.float64)
    assert gradcheck(attention, maps.requires_grad_())


def test_maps_are_the_groups_and_the_last_convolution_newest_first():
    model, outputs = HAN(SMALL), []
    for layer in model.body:
        layer.register_forward_hook(lambda module, given, output: outputs.append(output))
    maps = model.layers(torch.randn(1, 4, 5, 6))
    assert torch.equal(maps, torch.stack(outputs[::-1], dim=1))
    assert len(outputs) == 3
    assert len(HAN(HANConfig.preset("paper", blocks=1)).body) == 11


def test_layer_attention_is_a_softmax_over_row_maximum_less_energy():
    attention, maps = with_gamma_one(LayerAttention()), 0.2 * torch.randn(2, 5, 3, 4, 6)
    flat = maps.flatten(2)
    energy = flat @ flat.mT
    weights = (energy.max(dim=-1, keepdim=True).values - energy).softmax(-1)
    torch.testing.assert_close(layer_weights(maps), weights)
    torch.testing.assert_close(attention(maps), maps + (weights @ flat).view_as(maps))


def test_all_weight_goes_to_the_map_least_alike():
    maps = 10 * torch.randn(1, 11, 16, 24, 24)
    flat = maps.flatten(2)
    least = (flat @ flat.mT).argmin(-1)
    assert (least != torch.arange(11)).all()
    torch.testing.assert_close(layer_weights(maps), F.one_hot(least, 11).float())


def test_layer_weights_are_in_float32_where_the_rest_is_in_bf16():
    maps = torch.randn(1, 1, 16, 24, 24) + 0.1 * torch.randn(1, 11, 16, 24, 24)
    maps = maps.bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = layer_weights(maps)
    assert torch.equal(found, layer_weights(maps.float()))


def test_channel_spatial_attention_reaches_one_channel_row_and_column_away():
    attention = with_gamma_one(ChannelSpatialAttention()).double()
    jacobian = torch.autograd.functional.jacobian(
        lambda features: attention(features)[0, 2, 3, 4],
        torch.randn(1, 5, 7, 8, dtype=torch.float64),
    )
    assert jacobian[0, 1:4, 2:5, 3:6].all()
    assert jacobian.count_nonzero() == 27


def test_both_attentions_change_nothing_at_first():
    maps = torch.randn(1, 3, 4, 5, 6)
    torch.testing.assert_close(LayerAttention()(maps), maps)
    assert torch.equal(ChannelSpatialAttention()(maps[:, 0]), maps[:, 0])


def test_rcans_weights_fit():
    model = HAN(HANConfig.preset("tiny"))
    rcan = RCAN(RCANConfig.from_dict(model.config.to_dict()))
    missing, unexpected = model.load_state_dict(rcan.state_dict(), strict=False)
    assert {name.split(".")[0] for name in missing} == {"la", "csa", "last_conv", "last"}
    assert unexpected == []


def test_the_mean_layers_are_frozen():
    frozen = {n for n, p in HAN(SMALL).named_parameters() if not p.requires_grad}
    assert frozen == {f"{end}_mean.{k}" for end in ("sub", "add") for k in ("weight", "bias")}


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("preset", ["paper", "tiny"])
def test_memory_is_what_the_model_says(preset, scale):
    model = HAN(HANConfig.preset(preset, scale, blocks=1)).eval()
    for side in (48, 96):
        assert values_per_pixel(model, side) == model.values_per_pixel


def test_the_tiny_preset_has_as_many_parameters_as_gla_nets():
    for scale, count in ((2, 133_737), (3, 145_337), (4, 143_017)):
        assert networks.count_parameters(HANConfig.preset("tiny", scale)) == count


@pytest.mark.parametrize("other", ["rcan-small", "san-small", "swinir-full-x2", "glanet-full-x2"])
def test_checkpoints_are_told_apart(other):
    assert read_released(golden_cases.released_state(other)) is None


def test_no_other_network_takes_a_checkpoint_of_han():
    tensors = golden_cases.released_state("han-small")
    taken = [name for name, network in NETWORKS.items() if network.read_released(tensors)]
    assert taken == ["han"]
