import pytest
import torch
from torch.autograd import gradcheck

from glanet import networks
from glanet.errors import ArgumentError
from glanet.rivals import san
from glanet.rivals.covariance import covariance, square_root
from glanet.rivals.rcan import read_released as read_rcan
from glanet.rivals.san import SAN, SANConfig
from tests import golden_cases
from tests.peak import values_per_pixel

SMALL = SANConfig(groups=1, blocks=1, channels=8, reduction=4)


def stirred(module):
    """The module with every parameter moved: those that start at zero would hide the rest."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return module


def test_gradients_are_right():
    model = stirred(SAN(SMALL)).double().eval()
    model.value_range = 1.0  # steps of 1e-6 of 255 would cross ReLUs
    assert gradcheck(model, torch.rand(1, 3, 4, 5, dtype=torch.float64, requires_grad=True))


def test_gradients_of_the_square_root_are_right():
    features = torch.randn(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x: square_root(covariance(x)), features)


def test_subtracting_the_mean_equals_the_centring_matrix():
    features = torch.randn(2, 5, 6, 7, dtype=torch.float64)
    flat, count = features.flatten(2), 42
    centring = (torch.eye(count) - torch.ones(count, count) / count).double() / count
    torch.testing.assert_close(covariance(features), flat @ centring @ flat.mT)


def test_the_square_root_is_close_for_large_eigenvalues_and_too_small_for_tiny_ones():
    values = torch.tensor([0.6, 0.4, 1e-6], dtype=torch.float64)
    basis = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64)).Q
    root = square_root((100 * basis * values) @ basis.mT[None])[0]
    found = (basis.mT @ root @ basis).diagonal()
    torch.testing.assert_close(found[:2], 10 * values[:2].sqrt(), rtol=1e-3, atol=0)
    torch.testing.assert_close(found[2], 10 * 1.5**5 * values[2], rtol=1e-2, atol=0)


def test_constant_features_have_a_root_of_zero_and_finite_gradients():
    features = torch.ones(1, 4, 5, 5, requires_grad=True)
    root = square_root(covariance(features))
    root.sum().backward()
    assert not root.any()
    assert features.grad.isfinite().all()


@pytest.mark.parametrize("turned", [lambda x: x, lambda x: x.mT])
def test_the_statistics_come_from_the_middle_1000_positions_of_a_side(turned):
    image = torch.rand(1, 2, 1004, 5)
    before = san.statistics(turned(image))
    image[:, :, :2] = image[:, :, 1002:] = 9
    assert torch.equal(san.statistics(turned(image)), before)
    image[:, :, 2] = 9
    assert not torch.allclose(san.statistics(turned(image)), before)


def test_statistics_are_in_float32_where_the_rest_is_in_bf16():
    features = torch.randn(1, 1, 12, 12) + 0.01 * torch.randn(1, 16, 12, 12)
    features = features.bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = san.statistics(features)
    assert torch.equal(found, san.statistics(features.float()))


def test_keys_and_values_are_pooled():
    module = stirred(san.NonLocal(8))
    assert set(dict(module.named_parameters())) >= {"g.0.weight", "phi.0.weight"}
    assert module.g(torch.rand(1, 8, 6, 8)).shape == module.phi(torch.rand(1, 8, 6, 8)).shape
    assert module.g(torch.rand(1, 8, 6, 8)).shape == (1, 1, 3, 4)


def test_a_quadrant_sees_nothing_of_the_others():
    module, features = stirred(san.RegionNonLocal(8)), torch.randn(1, 8, 9, 7)
    changed = features.clone()
    changed[:, :, 4:, 3:] += 1
    same = (module(changed) == module(features)).all(1)[0]
    assert same[:4].all() and same[:, :3].all()
    assert not same[4:, 3:].any()


def test_one_non_local_module_serves_before_and_after_the_body():
    model, calls = SAN(SMALL), []
    model.non_local.register_forward_hook(lambda *_: calls.append(1))
    model(torch.rand(1, 3, 6, 6))
    assert len(calls) == 2


def test_unused_parameters_change_nothing_and_are_frozen():
    model, lr = stirred(SAN(SMALL)).eval(), torch.rand(1, 3, 6, 6)
    unused = {n: p for n, p in model.named_parameters() if model.UNUSED.fullmatch(n)}
    assert {n for n, p in model.named_parameters() if not p.requires_grad} == set(unused)
    with torch.no_grad():
        before = model(lr)
        for parameter in unused.values():
            parameter.fill_(7)
        assert torch.equal(model(lr), before)


def test_the_published_network_has_38_044_unused_parameters():
    with torch.device("meta"):
        model = SAN(SANConfig())
    sizes = {n: p.numel() for n, p in model.named_parameters() if model.UNUSED.fullmatch(n)}
    after_the_groups = sizes.pop("conv_last.weight") + sizes.pop("conv_last.bias")
    assert (sum(sizes.values()), after_the_groups) == (1_116, 36_928)


def test_images_below_4_pixels_are_padded_and_larger_ones_are_not():
    model = stirred(SAN(SMALL)).eval()
    lr = torch.rand(1, 3, 2, 7)
    padded = torch.cat([lr, lr[:, :, -1:], lr[:, :, -1:]], 2)
    assert torch.equal(model(lr), model(padded)[:, :, :4])
    assert model(torch.rand(1, 3, 5, 7)).shape == (1, 3, 10, 14)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("preset", ["paper", "tiny"])
def test_memory_is_what_the_model_says(preset, scale):
    # at 96, a matrix of all queries and keys would show
    model = SAN(SANConfig.preset(preset, scale, groups=1, blocks=1)).eval()
    for side in (48, 96):
        assert values_per_pixel(model, side) == model.values_per_pixel


def test_the_tiny_preset_has_as_many_parameters_as_gla_nets():
    for scale, count in ((2, 133_976), (3, 145_576), (4, 143_256)):
        assert networks.count_parameters(SANConfig.preset("tiny", scale)) == count


def test_checkpoints_are_told_apart():
    assert read_rcan(golden_cases.released_state("san-small")) is None
    assert san.read_released(golden_cases.released_state("rcan-small")) is None


def test_channels_must_allow_the_attentions():
    with pytest.raises(ArgumentError, match="channels is 4; expected at least 8"):
        SANConfig(channels=4, reduction=2)
    with pytest.raises(ArgumentError, match=r"channels is 24; expected a multiple of reduction"):
        SANConfig(channels=24)
