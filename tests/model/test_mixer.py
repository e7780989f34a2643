"""iFormer's mixer equals the published code, and the GLA layer's three changes can be undone."""

import json

import pytest
import torch
from safetensors.torch import load_file

from glanet import GLANet, ModelConfig
from glanet.model.config import MIXERS
from glanet.model.mixer import IFormerMixer, PooledAttention
from tests.golden_cases import MIXERS as CASES
from tests.golden_cases import made

OURS = {  # released prefix -> ours
    "high_mixer.conv1": "expand",
    "high_mixer.proj1": "depthwise",
    "high_mixer.proj2": "after_pool",
    "low_mixer.qkv": "attention.qkv",
    "conv_fuse": "smooth",
    "proj": "fuse",
}


def published(path):
    """The mixer with a golden case's weights, and its input and output."""
    case = json.loads(path.read_text(encoding="utf-8"))
    sizes = case["arguments"]
    mixer = IFormerMixer(sizes["channels"], sizes["heads"], sizes["attention_heads"], sizes["pool"])
    expected = mixer.state_dict()
    for key, entry in case["state"].items():
        prefix, _, kind = key.rpartition(".")
        name = f"{OURS[prefix]}.{kind}"
        expected[name] = made(key, entry["shape"], case).reshape(expected[name].shape)
    mixer.load_state_dict(expected)
    tensors = load_file(path.with_suffix(".safetensors"))
    return mixer, tensors["input"], tensors["output"]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_it_gives_the_published_output(path):
    mixer, tokens, expected = published(path)
    with torch.no_grad():
        found = mixer(tokens)
    assert (found - expected).abs().max() <= 1e-4 * expected.abs().max()


@pytest.mark.parametrize("mixer", MIXERS)
def test_every_mixer_takes_any_size_and_learns_everywhere(mixer):
    model = GLANet(ModelConfig.preset("tiny", mixer=mixer, blocks=1))
    torch.nn.init.normal_(model.reconstruct.to_image[0].weight, std=0.05)
    assert model.eval()(torch.rand(1, 3, 1, 9)).shape == (1, 3, 2, 18)
    model.train()(torch.rand(2, 3, 16, 16)).square().sum().backward()
    assert [name for name, p in model.named_parameters() if not p.grad.any()] == []


@pytest.mark.parametrize("mixer", MIXERS)
def test_gradients_are_right(mixer):
    config = ModelConfig(
        channels=8, blocks=1, layers=2, heads=2, window=2, mixer=mixer, stochastic_depth=0.0
    )
    trunk = GLANet(config).double().trunk
    tokens = torch.randn(1, 2, 4, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(trunk, tokens)


def changed(mixer, tokens, moved):
    """Where the output of an 8-channel layer's mixer changes when ``tokens`` become ``moved``."""
    config = ModelConfig(channels=8, blocks=1, layers=1, heads=2, window=2, mixer=mixer)
    layer = GLANet(config).trunk.blocks[0].layers[0].mixer
    with torch.no_grad():
        return (layer(tokens) - layer(moved)).abs().sum(-1)[0] > 1e-6


def test_pooled_attention_sees_the_whole_image_and_windows_do_not():
    tokens = torch.randn(1, 16, 16, 8)
    moved = tokens.clone()
    moved[:, 0, 0] += 1
    assert changed("pooled", tokens, moved).all()
    assert changed("iformer", tokens, moved).all()
    for mixer in ("split", "depthwise"):
        assert not changed(mixer, tokens, moved)[6:, 6:].any()


def test_split_gives_each_side_its_own_half_of_the_channels():
    config = ModelConfig(channels=8, blocks=1, layers=1, heads=2, window=2, mixer="split")
    layer = GLANet(config).trunk.blocks[0].layers[0].mixer
    tokens = torch.randn(1, 4, 4, 8, requires_grad=True)
    layer.attention(tokens[..., :4])
    seen = []
    layer.attention.register_forward_hook(lambda m, inputs, out: seen.append(inputs[0]))
    layer.inception.register_forward_hook(lambda m, inputs, out: seen.append(inputs[0]))
    layer(tokens)
    assert torch.equal(seen[0], tokens[..., :4])
    assert torch.equal(seen[1], tokens[..., 4:])


def test_depthwise_convolutions_have_one_kernel_a_channel():
    config = ModelConfig(channels=16, blocks=1, layers=1, heads=2, mixer="depthwise")
    branches = GLANet(config).trunk.blocks[0].layers[0].mixer.inception.branches
    assert branches[3][1].weight.shape == (4, 1, 1, 7)
    assert branches[3][2].weight.shape == (4, 1, 7, 1)


def test_all_pixels_of_a_pooled_square_get_the_same_answer():
    with torch.no_grad():
        answer = PooledAttention(8, 2, 2)(torch.randn(1, 4, 6, 8))
    assert torch.equal(answer[:, ::2, ::2], answer[:, 1::2, 1::2])
    assert torch.equal(answer[:, ::2, ::2], answer[:, ::2, 1::2])


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"mixer": "swin"}, "mixer"),
        ({"mixer": "split", "inception": False}, "mixer"),
        ({"mixer": "iformer", "heads": 3, "channels": 24}, "heads"),
        ({"mixer": "split", "channels": 36, "heads": 2}, "channels"),
        ({"mixer": "pooled", "window": 7}, "window"),
    ],
)
def test_a_mixer_that_cannot_be_built_is_named(settings, field):
    with pytest.raises(ValueError, match=f"^{field} is "):
        ModelConfig.preset("tiny", **settings)
