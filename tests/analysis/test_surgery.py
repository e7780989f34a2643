import pytest
import torch

from glanet import GLANet, ModelConfig
from glanet.analysis.coherence import value_path
from glanet.analysis.filters import high_pass, low_pass
from glanet.analysis.probes import BRANCHES, branches, layers
from glanet.analysis.surgery import OPERATIONS, average, even_weights, operate


@pytest.fixture(scope="module")
def model():
    return GLANet.from_pretrained("tiny-x2")


@pytest.fixture
def image():
    return torch.rand(1, 3, 16, 24)


def run(model, image):
    with torch.no_grad():
        return model(image)


def test_the_average_keeps_each_channels_mean_and_nothing_else():
    tokens = torch.tensor([[1.0, 10], [3, 30]]).reshape(1, 1, 2, 2)
    assert average(tokens).flatten().tolist() == [2, 20, 2, 20]


def test_the_operations_are_what_they_are_called():
    tokens = torch.randn(1, 16, 16, 3)
    assert torch.equal(OPERATIONS["zero"](tokens), 0 * tokens)
    assert torch.equal(OPERATIONS["mean"](tokens), average(tokens))
    assert torch.equal(OPERATIONS["low-pass"](tokens), low_pass(tokens, 0.25))
    assert torch.equal(OPERATIONS["high-pass"](tokens), high_pass(tokens, 0.25))


@pytest.mark.parametrize("branch", BRANCHES)
def test_zero_output_equals_zero_fusion_columns(model, image, branch):
    start = {"attention": 0, "max": 32, "3": 40, "5": 48, "7": 56}[branch]
    width = 32 if branch == "attention" else 8
    other = GLANet.from_pretrained("tiny-x2")
    with torch.no_grad():
        other.trunk.blocks[1].layers[0].fuse.weight[:, start : start + width] = 0
    with operate(model, "zero", branch, layer="2.1"):
        lesioned = run(model, image)
    torch.testing.assert_close(lesioned, run(other, image))
    assert not torch.equal(lesioned, run(model, image))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_operation_reaches_the_chosen_branches_only(model, image, operation):
    outputs = {}

    def note(name):
        return lambda module, inputs, output: outputs.setdefault(name, output)

    with operate(model, operation, "attention", "7"):
        notes = [
            module.register_forward_hook(note((name, branch)))
            for name, layer in layers(model).items()
            for branch, module in branches(layer).items()
        ]
        run(model, image)
    for hook in notes:
        hook.remove()
    for (_, branch), output in outputs.items():
        if operation in ("zero", "mean"):
            flat = torch.allclose(output, output[:, :1, :1].expand_as(output))
            assert flat == (branch in ("attention", "7"))
    assert len(outputs) == 30


def test_surgery_leaves_no_trace_also_after_an_exception(model, image):
    before = run(model, image)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    with operate(model, "mean", *BRANCHES):
        assert not torch.equal(run(model, image), before)
    with pytest.raises(RuntimeError), operate(model, "zero", "attention"):
        raise RuntimeError
    with pytest.raises(KeyError), operate(model, "zero", "attention", "no such branch"):
        pass
    assert torch.equal(run(model, image), before)
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize(
    ("operation", "branch", "layer"),
    [("burn", "max", None), ("zero", "9", None), ("zero", "max", "4.1")],
)
def test_a_missing_operation_branch_or_layer_is_named(model, operation, branch, layer):
    with pytest.raises(KeyError), operate(model, operation, branch, layer=layer):
        pass


def test_any_function_can_be_an_operation(model, image):
    with operate(model, lambda tokens: tokens, *BRANCHES):
        unchanged = run(model, image)
    assert torch.equal(unchanged, run(model, image))


def test_swinir_can_be_operated_on_too(image):
    swinir = GLANet(
        ModelConfig.preset(
            "tiny", channels=16, blocks=1, inception=False, dense=False, bilinear_base=False
        )
    ).eval()
    with torch.no_grad():
        torch.nn.init.normal_(swinir.reconstruct.to_image[0].weight)
    with operate(swinir, "zero", "attention", layer="1.2"):
        lesioned = run(swinir, image)
    assert not torch.equal(lesioned, run(swinir, image))


@pytest.mark.parametrize(("name", "shift"), [("1.1", 0), ("1.2", 4)])
def test_even_weights_are_means_of_the_values_over_each_window(model, name, shift):
    attention, tokens = layers(model)[name].attention, torch.randn(1, 24, 24, 32)
    values = value_path(attention, tokens)
    with even_weights(model), torch.no_grad():
        found = attention(tokens)
    window = found[:, 8 - shift : 16 - shift, 8 - shift : 16 - shift]
    mean = values[:, 8 - shift : 16 - shift, 8 - shift : 16 - shift].mean((1, 2), keepdim=True)
    torch.testing.assert_close(window, mean.expand_as(window), rtol=1e-4, atol=1e-5)


def test_even_weights_keep_opposite_edges_apart_and_end_with_the_block(model, image):
    attention, tokens = layers(model)["1.2"].attention, torch.zeros(1, 24, 24, 32)
    changed = tokens.clone()
    changed[:, 0, 0] = 1
    before = run(model, image)
    with even_weights(model), torch.no_grad():
        reaches = (attention(changed) - attention(tokens)).abs().sum(-1)[0] > 1e-6
    assert reaches.nonzero().max() == 3  # the corner's own window, cut to 4×4 by the mask
    torch.testing.assert_close(run(model, image), before, rtol=0, atol=0)
    with pytest.raises(ZeroDivisionError), even_weights(model):
        raise ZeroDivisionError
    torch.testing.assert_close(run(model, image), before, rtol=0, atol=0)
