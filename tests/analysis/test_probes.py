import pytest
import torch
from torch import nn

from glanet import GLANet, ModelConfig
from glanet.analysis import probes
from glanet.analysis.probes import (
    BRANCHES,
    branch_outputs,
    branches,
    contributions,
    fusion_columns,
    layers,
    listen,
    record,
    replace_output,
    stages,
    tools,
)
from glanet.rivals.swinir import SwinIR, SwinIRConfig

SWINIR = {"inception": False, "dense": False, "bilinear_base": False}


def small(**overrides):
    settings = {"channels": 16, "blocks": 2, "layers": 2, "heads": 2, "window": 4, **overrides}
    return GLANet(ModelConfig.preset("tiny", **settings)).eval()


def hooks(model):
    """Every hook of any kind that the network carries."""
    return [
        hook
        for module in model.modules()
        for name, registered in vars(module).items()
        if name.endswith("_hooks")
        for hook in registered.values()
    ]


@pytest.fixture
def model():
    return small()


@pytest.fixture
def images():
    return torch.rand(2, 3, 12, 16)


def test_recorded_output_is_the_module_of_the_recorded_input(model, images):
    with record({"mlp": model.trunk.blocks[1].layers[0].mlp}) as heard, torch.no_grad():
        model(images)
        mlp = model.trunk.blocks[1].layers[0].mlp
        assert heard["mlp"].input.shape == (2, 12, 16, 16)
        assert torch.equal(mlp(heard["mlp"].input), heard["mlp"].output)


def test_recording_changes_nothing_and_leaves_no_trace(model, images):
    with torch.no_grad():
        before = model(images)
        state = {name: value.clone() for name, value in model.state_dict().items()}
        with record(dict(model.named_modules())) as heard:
            during = model(images)
            assert len(hooks(model)) == len(list(model.modules()))
        after = model(images)
    assert torch.equal(before, during)
    assert torch.equal(before, after)
    assert not hooks(model)
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    assert "trunk.blocks.0.layers.1.attention" in heard


def test_no_trace_is_left_after_an_exception_either(model, images):
    attention = model.trunk.blocks[0].layers[0].attention
    with pytest.raises(KeyboardInterrupt), record({"a": attention}):
        raise KeyboardInterrupt
    with pytest.raises(ZeroDivisionError), replace_output(attention, lambda output: 1 / 0):
        model(images)
    with pytest.raises(AttributeError), record({"a": attention, "b": "no module"}):
        pass
    assert not hooks(model)


def test_an_output_is_replaced_inside_the_block_only(model, images):
    mlp = model.trunk.blocks[0].layers[0].mlp
    tokens = torch.randn(1, 4, 4, 16)
    with torch.no_grad():
        before = mlp(tokens)
        with replace_output(mlp, lambda output: output + 1):
            assert torch.equal(mlp(tokens), before + 1)
            with replace_output(mlp, lambda output: 2 * output):  # the later acts on the earlier
                assert torch.equal(mlp(tokens), 2 * (before + 1))
        assert torch.equal(mlp(tokens), before)


@pytest.mark.parametrize("breaks", [False, True])
def test_listening_uses_eval_mode_and_restores_all_modes(model, images, breaks):
    model.train()
    model.trunk.blocks[1].eval()
    modes = [part.training for part in model.modules()]
    seen = []

    def note(output):
        seen.append((model.training, torch.is_grad_enabled()))
        assert not breaks
        return output

    with replace_output(model.shallow, note):
        if breaks:
            with pytest.raises(AssertionError):
                listen(model, images, {"shallow": model.shallow})
        else:
            heard = listen(model, images, {"shallow": model.shallow})
            assert not heard["shallow"].output.requires_grad
    assert seen == [(False, False)]
    assert [part.training for part in model.modules()] == modes
    assert torch.is_grad_enabled()
    assert not hooks(model)


def test_layers_and_branches_have_the_names_of_the_paper(model):
    assert list(layers(model)) == ["1.1", "1.2", "2.1", "2.2"]
    layer = layers(model)["2.1"]
    assert layer is model.trunk.blocks[1].layers[0]
    assert tuple(branches(layer)) == BRANCHES
    assert branches(layer)["7"] is layer.inception.branches[3]
    assert list(branches(layers(small(**SWINIR))["1.1"])) == ["attention"]
    assert tuple(branches(layers(small(attention=False))["1.1"])) == BRANCHES[1:]


@pytest.mark.parametrize("overrides", [{}, {"attention": False}])
def test_contributions_and_bias_add_up_to_the_fused_features(images, overrides):
    model = small(**overrides).double()
    for layer in layers(model).values():
        nn.init.normal_(layer.fuse.bias)
    outputs = branch_outputs(model, images.double())
    fused = listen(model, images.double(), {n: la.fuse for n, la in layers(model).items()})
    for name, layer in layers(model).items():
        parts = contributions(outputs[name], layer.fuse)
        assert list(parts) == list(branches(layer))
        total = sum(parts.values()) + layer.fuse.bias
        torch.testing.assert_close(total, fused[name].output, rtol=0, atol=1e-12)
        columns = fusion_columns(layer)
        for branch, part in parts.items():
            expected = outputs[name][branch] @ columns[branch].T
            torch.testing.assert_close(part, expected, rtol=0, atol=1e-12)


def test_in_the_shipped_network_too_the_parts_add_up(images):
    model = GLANet.from_pretrained("tiny-x2")
    fused = listen(model, images, {n: la.fuse for n, la in layers(model).items()})
    for name, outputs in branch_outputs(model, images).items():
        fuse = layers(model)[name].fuse
        total = sum(contributions(outputs, fuse).values()) + fuse.bias
        torch.testing.assert_close(total, fused[name].output, rtol=1e-4, atol=1e-4)


def test_swinir_has_one_branch_that_is_added_as_it_is(images):
    model = small(**SWINIR)
    outputs = branch_outputs(model, images)
    assert [list(parts) for parts in outputs.values()] == [["attention"]] * 4
    part = contributions(outputs["1.1"], layers(model)["1.1"].fuse)["attention"]
    assert part is outputs["1.1"]["attention"]


def test_a_swinir_is_listened_to(images):
    model = SwinIR(SwinIRConfig.preset("tiny")).eval()
    outputs = branch_outputs(model, images)
    assert len(outputs) == len(layers(model)) == 6
    assert all(list(parts) == ["attention"] for parts in outputs.values())


def test_contributions_of_any_network_with_named_branches():
    class TwoViews(nn.Module):
        def __init__(self):
            super().__init__()
            self.wide, self.narrow, self.join = nn.Linear(3, 5), nn.Linear(3, 2), nn.Linear(7, 4)

        def forward(self, tokens):
            return self.join(torch.cat([self.wide(tokens), self.narrow(tokens)], dim=-1))

    views, tokens = TwoViews().double(), torch.randn(1, 4, 4, 3, dtype=torch.float64)
    heard = listen(views, tokens, {"wide": views.wide, "narrow": views.narrow})
    parts = contributions({name: part.output for name, part in heard.items()}, views.join)
    torch.testing.assert_close(sum(parts.values()) + views.join.bias, views(tokens))


def test_a_missing_branch_is_named():
    outputs = {"attention": torch.randn(1, 4, 4, 8), "max": torch.randn(1, 4, 4, 2)}
    with pytest.raises(
        ValueError, match="attention, max have 10 channels, and the fusion reads 16"
    ):
        contributions(outputs, nn.Linear(16, 8))


@pytest.mark.parametrize("overrides", [{}, SWINIR])
def test_stages_follow_the_tokens_through_the_trunk(images, overrides):
    model = small(**overrides)
    found = stages(model, images)
    assert list(found) == [
        "F_s",
        *("1.1 mix", "1.1 MLP", "1.2 mix", "1.2 MLP", "1 block"),
        *("2.1 mix", "2.1 MLP", "2.2 mix", "2.2 MLP", "2 block"),
        "F_d",
    ]
    with torch.no_grad():
        torch.testing.assert_close(model.trunk(found["F_s"]), found["F_d"])
        layer = layers(model)["1.2"]
        mixed = found["1.2 mix"]
        torch.testing.assert_close(mixed + layer.mlp(layer.norm2(mixed)), found["1.2 MLP"])
        torch.testing.assert_close(layer(found["1.1 MLP"]), found["1.2 MLP"])


def test_the_branches_named_here_are_those_of_the_model():
    assert len(BRANCHES) == 1 + probes.INCEPTION_BRANCHES


# Tools


def test_the_two_tools_and_the_bias_add_up_to_the_fusion():
    layer = layers(small())["2.2"]
    tokens = torch.randn(2, 8, 12, 16)
    with torch.no_grad():
        both = [function(tokens) for function in tools(layer).values()]
        fused = layer.fuse(torch.cat([layer.attention(tokens), layer.inception(tokens)], dim=-1))
    assert list(tools(layer)) == ["attention", "Inception"]
    torch.testing.assert_close(sum(both) + layer.fuse.bias, fused)


@pytest.mark.parametrize(
    ("overrides", "names"), [(SWINIR, ["attention"]), ({"attention": False}, ["Inception"])]
)
def test_a_layer_with_one_tool_has_only_that(overrides, names):
    layer = layers(small(**overrides))["1.1"]
    assert list(tools(layer)) == names
    assert all(f(torch.randn(1, 4, 4, 16)).shape == (1, 4, 4, 16) for f in tools(layer).values())
