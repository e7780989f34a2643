import os
import pickle

import pytest
import torch
from safetensors.torch import load_file

from glanet import GLANet, ModelConfig
from glanet.model import released as layout
from glanet.model.block import GLABlock
from glanet.weights import WeightsError, load_released
from tests import golden_cases


def test_single_layers_inception_and_block_give_the_released_outputs():
    parts = load_file(golden_cases.FOLDER / "glanet-parts.safetensors")
    block = GLABlock(24, 3, 8, mlp_ratio=2.0, inception=True, drop_probabilities=(0.0, 0.0)).eval()
    inside = "trunk.blocks.0."
    tensors = layout.renamed(
        {key[len("state.") :]: parts[key] for key in parts if key.startswith("state.")}
    )
    block.load_state_dict({name.removeprefix(inside): tensors[name] for name in tensors})
    modules = {
        "layer0": block.layers[0],
        "layer1": block.layers[1],
        "inception0": block.layers[0].inception,
        "inception1": block.layers[1].inception,
        "block0": block,
    }
    with torch.no_grad():
        for name, module in modules.items():
            torch.testing.assert_close(module(parts["tokens"]), parts[name], rtol=0, atol=1e-5)


def released_state():
    """A state dict in the released layout, small and made here: no golden file needed."""
    model = GLANet(ModelConfig(channels=8, blocks=1, layers=1, heads=2, window=4))
    outside = {v: k for k, v in layout.OUTSIDE_BLOCKS.items()}
    inside = {v: k for k, v in layout.INSIDE_LAYERS.items()}
    first = "layers.0.residual_group.blocks.0"
    state = {  # what the release saves beside its parameters
        f"{first}.attn_mask": torch.zeros(4, 16, 16),
        f"{first}.attn.relative_position_index": torch.zeros(16, 16, dtype=torch.int64),
    }
    for name, tensor in model.state_dict().items():
        prefix, _, kind = name.rpartition(".")
        if prefix in outside:
            released = f"{outside[prefix]}.{kind}"
        elif name.endswith("bias_table"):
            released = "layers.0.residual_group.blocks.0.attn.relative_position_bias_table"
        elif prefix == "trunk.blocks.0.conv":
            released = f"layers.0.conv.{kind}"
        elif prefix == "trunk.transitions.0":
            released = f"conv_layers.0.{kind}"
        else:
            within = prefix.removeprefix("trunk.blocks.0.layers.0.")
            released = f"layers.0.residual_group.blocks.0.{inside[within]}.{kind}"
        pointwise = "Conv_h" in released or "conv_layers" in released
        if pointwise and tensor.ndim == 2:
            tensor = tensor[:, :, None, None]
        state[released] = tensor
    return model, state


@pytest.mark.parametrize("wrapper", [None, "params", "params_ema"])
def test_a_state_dict_is_found_bare_or_wrapped(tmp_path, wrapper):
    model, state = released_state()
    torch.save({wrapper: state} if wrapper else state, tmp_path / "net.pth")
    loaded = load_released(tmp_path / "net.pth")
    assert loaded.config == model.config.__class__(
        **{**model.config.to_dict(), "stochastic_depth": loaded.config.stochastic_depth}
    )
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name


class RunsCode:
    """A pickle that makes a file when it is opened without care."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch '{self.marker}'",)


@pytest.mark.parametrize("container", ["zip", "legacy", "pickle"])
def test_a_pickle_that_wants_to_run_code_is_refused_and_does_not_run(tmp_path, container):
    marker, path = tmp_path / "it-ran", tmp_path / "evil.pth"
    content = {"conv_first.weight": RunsCode(marker)}
    if container == "pickle":
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=container == "zip")
    with pytest.raises(WeightsError, match=r"evil\.pth.*could run code"):
        load_released(path)
    assert not marker.exists()


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_named(tmp_path, share):
    path = tmp_path / "net.pth"
    torch.save(released_state()[1], path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(WeightsError, match=r"net\.pth: .*Fetch"):
        load_released(path)


@pytest.mark.parametrize(
    "content",
    [
        {"features.0.weight": torch.zeros(4, 3, 3, 3)},
        {"params": {"conv_first.weight": torch.zeros(64, 3, 3, 3)}},
        {"epoch": 3, "model": {}},
        torch.zeros(3),
        [torch.zeros(3)],
        {},
    ],
)
def test_a_checkpoint_of_something_else_is_recognised(tmp_path, content):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"other\.pth: .*Fetch the file"):
        load_released(tmp_path / "other.pth")


def test_a_tensor_missing_spare_or_misshapen_is_named(tmp_path):
    path = tmp_path / "net.pth"
    _, state = released_state()
    torch.save({k: v for k, v in state.items() if k != "conv_after_body.bias"}, path)
    with pytest.raises(WeightsError, match=r"net\.pth.*trunk\.conv\.bias is absent"):
        load_released(path)
    torch.save({**state, "conv_extra.weight": torch.zeros(2)}, path)
    with pytest.raises(WeightsError, match=r"net\.pth.*conv_extra\.weight is \(2,\).*absent"):
        load_released(path)
    torch.save({**state, "norm.bias": torch.zeros(9)}, path)
    with pytest.raises(WeightsError, match=r"net\.pth.*norm_out\.bias is \(9,\).*\(8,\)"):
        load_released(path)


def test_html_under_the_name_of_a_checkpoint_and_no_file_at_all(tmp_path):
    path = tmp_path / "page.pth"
    path.write_text("<html>404</html>")
    with pytest.raises(WeightsError, match=r"page\.pth"):
        load_released(path)
    with pytest.raises(WeightsError, match=r"gone\.pth: no such file"):
        load_released(tmp_path / "gone.pth")
