"""Cross-scale and in-scale attention, and the cell, against what they should come to."""

import pytest
import torch
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from glanet import networks
from glanet.networks import NETWORKS, count_parameters
from glanet.rivals import csnln
from glanet.rivals.csnln import (
    CSNLN,
    Cell,
    CrossScaleAttention,
    CSNLNConfig,
    InScaleAttention,
    read_released,
)
from glanet.rivals.patches import replace_patches
from tests import golden_cases
from tests.peak import values_per_pixel


def drawn(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def patches(scale, channels=2, height=6, width=5, number=7):
    """A query, keys and values for ``replace_patches``."""
    query, key = drawn(2, channels, height, width), drawn(2, 9 * channels, number)
    return query, key, drawn(2, 3 * (3 * scale) ** 2, number)


@pytest.mark.parametrize("scale", [2, 3])
def test_patches_are_replaced_as_by_convolutions_whose_kernels_are_patches(scale):
    query, key, value = patches(scale)
    found = replace_patches(query, key, value, scale)
    for image in range(2):
        like = key[image].T.reshape(7, 2, 3, 3)
        large = value[image].T.reshape(7, 3, 3 * scale, 3 * scale)
        shares = F.conv2d(query[image : image + 1], like, padding=1).softmax(1)
        expected = F.conv_transpose2d(shares, large, stride=scale, padding=scale)
        torch.testing.assert_close(found[image : image + 1], expected)


@pytest.mark.parametrize("rows", [0, 1, 4])
def test_in_bands_equals_at_once(rows):
    query, key, value = patches(2)
    in_bands = replace_patches(query, key, value, 2, scores=rows * 5 * value.shape[1])
    torch.testing.assert_close(in_bands, replace_patches(query, key, value, 2))


def test_in_scale_attention_is_softmax_over_all_pixels():
    attention, features = InScaleAttention(4).double(), drawn(1, 4, 3, 5)
    query, key, value = (
        branch(features).flatten(2)[0]
        for branch in (attention.conv_match1, attention.conv_match2, attention.conv_assembly)
    )
    expected = value @ (query.T @ key).softmax(1).T
    torch.testing.assert_close(attention(features)[0], expected.reshape(4, 3, 5))


def test_nine_patches_lie_on_a_pixel_though_the_sum_is_divided_by_six():
    query, key, value = patches(2)
    total = replace_patches(query, key, torch.ones_like(value), 2)
    torch.testing.assert_close(total[:, :, 2:-2, 2:-2], torch.full((2, 3, 8, 6), 9.0).double())
    assert csnln.OVERLAP == 6


def test_a_pixel_is_replaced_by_the_middle_of_the_patch_whose_key_is_most_like_it():
    query, key, value = patches(2, height=1, width=1)
    key[:, :, 4] = 1e3 * F.unfold(query, 3, padding=1)[:, :, 0]
    middle = value[:, :, 4].reshape(2, 3, 6, 6)[:, :, 2:4, 2:4]
    torch.testing.assert_close(replace_patches(query, key, value, 2), middle)


def test_keys_count_by_their_direction_and_queries_by_their_length_too():
    attention, features = CrossScaleAttention(4, 2).double(), drawn(1, 4, 6, 6)
    before = attention(features)
    for branch, is_same in ((attention.conv_match_2, True), (attention.conv_match_1, False)):
        with torch.no_grad():
            for tensor in branch[0].parameters():
                tensor.mul_(5)
        assert torch.allclose(attention(features), before) is is_same


def test_bands_have_the_right_gradient():
    arguments = [tensor.requires_grad_() for tensor in patches(2, 1, 4, 3, 3)]
    assert torch.autograd.gradcheck(lambda *a: replace_patches(*a, 2, scores=5), arguments)


@pytest.mark.parametrize(("scale", "side"), [(2, 4), (3, 3), (4, 2)])
def test_the_cell_has_the_right_gradient(scale, side):
    torch.manual_seed(0)
    features = drawn(1, 2, side, side).requires_grad_()
    assert torch.autograd.gradcheck(Cell(2, scale).double(), (features,))


def test_a_patch_of_zeros_has_a_finite_gradient():
    attention = CrossScaleAttention(2, 2)
    attention.conv_match_2[0].bias.data.zero_()
    features = torch.zeros(1, 2, 6, 6, requires_grad=True)
    attention(features).sum().backward()
    assert features.grad.isfinite().all()


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_other_sides_than_multiples_are_mirrored_and_cropped(scale):
    model, lr = CSNLN(CSNLNConfig(scale=scale, channels=4, depth=2)), torch.rand(1, 3, 7, 11)
    mirrored = F.pad(lr, (0, -11 % model.multiple, 0, -7 % model.multiple), mode="reflect")
    expected = model(mirrored)[:, :, : 7 * scale, : 11 * scale]
    torch.testing.assert_close(model(lr), expected)


def test_one_cell_is_used_again_and_the_tail_sees_all_its_maps():
    model, lr = CSNLN(CSNLNConfig(channels=4, depth=3)), torch.rand(1, 3, 6, 8)
    maps = []
    model.SEM.register_forward_hook(lambda module, inputs, outputs: maps.append(outputs[1]))
    sr = model(lr)
    assert len(maps) == 3
    torch.testing.assert_close(sr, model.add_mean(model.tail(torch.cat(maps, dim=1))))


class Largest(TorchDispatchMode):
    """Notes the number of values of the largest tensor that an operation returns."""

    values = 0

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        result = function(*arguments, **(options or {}))
        if isinstance(result, torch.Tensor):
            self.values = max(self.values, result.numel())
        return result


@pytest.mark.parametrize("scale", [2, 4])
def test_tensors_grow_with_the_pixels_not_with_their_square(scale):
    with torch.device("meta"), torch.no_grad():
        model = CSNLN(CSNLNConfig.preset("tiny", scale))
        largest = []
        for side in (64, 128):
            lr = torch.rand(1, 3, side, side)
            with Largest() as tracker:
                model(lr)
            largest.append(tracker.values)
    assert largest[1] <= 4.1 * largest[0]


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("preset", ["tiny", "paper"])
def test_memory_is_at_most_what_the_model_says(preset, scale):
    model = CSNLN(CSNLNConfig.preset(preset, scale, depth=1)).eval()
    assert 0.65 <= values_per_pixel(model, 48) / model.values_per_pixel <= 1


def test_only_the_mean_layers_are_frozen():
    model = CSNLN(CSNLNConfig.preset("tiny"))
    frozen = [name for name, p in model.named_parameters() if not p.requires_grad]
    assert frozen == ["sub_mean.weight", "sub_mean.bias", "add_mean.weight", "add_mean.bias"]


def test_tiny_is_as_large_as_the_others():
    assert count_parameters(CSNLNConfig.preset("tiny", 2)) == pytest.approx(135_012, rel=0.03)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_sizes_are_read_off_the_tensors(scale):
    config = CSNLNConfig(scale=scale, channels=6, depth=5)
    with torch.device("meta"):
        tensors = networks.build(config).state_dict()
    found = {name: network.read_released(tensors) for name, network in NETWORKS.items()}
    assert {name: result[0] for name, result in found.items() if result} == {"csnln": config}


@pytest.mark.parametrize("case", golden_cases.NAMES)
def test_other_checkpoints_are_left_to_others(case):
    described = golden_cases.description(case)
    tensors = {
        name: torch.empty(entry["shape"], device="meta")
        for name, entry in described["state"].items()
    }
    assert (read_released(tensors) is None) == (described["network"] != "csnln")
