"""RNAN: no golden case exists, so its forward is held to the published layout, step by step."""

import pytest
import torch
import torch.nn.functional as F

from glanet.device import Alive
from glanet.rivals.rnan import RNAN, RNANConfig, read_released, sum_over_keys
from glanet.weights import load_released
from tests import peak

SMALL = RNANConfig(groups=3, channels=4)


def released(channels=4, scale=2):
    """A state dict with the published names, of three groups, one of them local."""
    shapes = {}

    def conv(name, out, into, size):
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (out, into, size, size), (out,)

    def block(name):
        conv(f"{name}.body.0", channels, channels, 3)
        conv(f"{name}.body.2", channels, channels, 3)

    for group in ("body_nl_low.0", "body.0", "body_nl_high.0"):
        inside, local = f"{group}.body.0", group == "body.0"
        mask = f"{inside}.RA_MB.0"
        if not local:
            for part in ("theta", "phi", "g"):
                conv(f"{mask}.MB_RB1.0.{part}", channels // 2, channels, 1)
            conv(f"{mask}.MB_RB1.0.W", channels, channels // 2, 1)
        blocks = ["RA_RB1.0", "RA_TB.0.body.0", "RA_TB.0.body.1", "RA_tail.0", "RA_tail.1"]
        blocks += [f"RA_MB.0.MB_{part}" for part in ("RB2.0", "RB2.1", "RB3.0")]
        blocks.append(f"RA_MB.0.MB_RB1.{0 if local else 1}")
        for name in blocks:
            block(f"{inside}.{name}")
        conv(f"{mask}.MB_Down.0", channels, channels, 3)
        conv(f"{mask}.MB_Up.0", channels, channels, 6)
        conv(f"{mask}.MB_1x1conv.0", channels, channels, 1)
        conv(f"{group}.body.1", channels, channels, 3)
    conv("body.1", channels, channels, 3)
    conv("head.0", channels, 3, 3)
    conv("tail.0.0", scale**2 * channels, channels, 3)
    conv("tail.1", 3, channels, 3)
    state = {name: 0.3 * torch.randn(shape) for name, shape in shapes.items()}
    for name, sign in (("sub_mean", -1), ("add_mean", 1)):
        state[f"{name}.weight"] = torch.eye(3)[:, :, None, None]
        state[f"{name}.bias"] = sign * 255 * torch.tensor([0.4488, 0.4371, 0.4040])
    return state


def step_by_step(state, lr):
    """What the published code does with these tensors, written out; sides of ``lr`` are even."""

    def conv(x, name, **options):
        weight = state[f"{name}.weight"]
        options.setdefault("padding", weight.shape[-1] // 2)
        return F.conv2d(x, weight, state[f"{name}.bias"], **options)

    def block(x, name):
        return x + conv(conv(x, f"{name}.body.0").relu(), f"{name}.body.2")

    def non_local(x, name):
        query, key, value = (conv(x, f"{name}.{part}").flatten(2) for part in ("theta", "phi", "g"))
        weights = (query.mT @ key).softmax(dim=1)  # over the queries
        return x + conv((value @ weights.mT).unflatten(2, x.shape[2:]), f"{name}.W")

    def group(x, name):
        inside, local = f"{name}.body.0", name == "body.0"
        x = block(x, f"{inside}.RA_RB1.0")
        trunk = block(block(x, f"{inside}.RA_TB.0.body.0"), f"{inside}.RA_TB.0.body.1")
        mask = f"{inside}.RA_MB.0"
        seen = x if local else non_local(x, f"{mask}.MB_RB1.0")
        before = block(seen, f"{mask}.MB_RB1.{0 if local else 1}")
        down = conv(before, f"{mask}.MB_Down.0", stride=2, padding=1)
        down = block(block(down, f"{mask}.MB_RB2.0"), f"{mask}.MB_RB2.1")
        up = F.conv_transpose2d(
            down,
            state[f"{mask}.MB_Up.0.weight"],
            state[f"{mask}.MB_Up.0.bias"],
            stride=2,
            padding=2,
        )
        weights = conv(block(before + up, f"{mask}.MB_RB3.0"), f"{mask}.MB_1x1conv.0").sigmoid()
        x = trunk * weights + x
        return conv(block(block(x, f"{inside}.RA_tail.0"), f"{inside}.RA_tail.1"), f"{name}.body.1")

    shallow = conv(conv(255 * lr, "sub_mean"), "head.0")
    deep = conv(group(group(shallow, "body_nl_low.0"), "body.0"), "body.1")
    deep = group(deep, "body_nl_high.0") + shallow
    upscaled = F.pixel_shuffle(conv(deep, "tail.0.0"), 2)
    return conv(conv(upscaled, "tail.1"), "add_mean") / 255


def test_a_released_checkpoint_gives_what_the_published_layout_computes(tmp_path):
    state = {name: tensor.double() for name, tensor in released().items()}
    torch.save({name: t.float() for name, t in state.items()}, tmp_path / "net.pt")
    model, lr = load_released(tmp_path / "net.pt"), torch.rand(1, 3, 6, 8, dtype=torch.float64)
    assert model.config == SMALL
    with torch.no_grad():
        found = model.double()(lr)
        expected = step_by_step(state, lr)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * expected.abs().max().item())


def test_other_checkpoints_are_not_its_own():
    state = released()
    assert read_released({k: t for k, t in state.items() if "nl_low" not in k}) is None


def test_keys_in_chunks_are_keys_at_once():
    query, key, value = torch.randn(3, 2, 35, 4, dtype=torch.float64)
    direct = (query @ key.mT).softmax(dim=1) @ value
    for scores in (1, 35, 100, 10_000):
        torch.testing.assert_close(sum_over_keys(query, key, value, scores), direct)


def test_a_key_gives_one_unit_of_attention_to_all_queries():
    query, key = torch.randn(2, 1, 12, 4)
    value = torch.zeros(1, 12, 4)
    value[0, 3] = 1
    torch.testing.assert_close(sum_over_keys(query, key, value).sum(1), torch.ones(1, 4))


def test_the_published_memory_is_bounded():
    query, key, value = torch.randn(3, 1, 64 * 64, 2)
    with Alive() as alive:
        sum_over_keys(query, key, value, scores=2**16)
    assert alive.most < 4 * 5 * 2**16  # bytes; the (N, N) matrix alone has 4 · 2**24


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("preset", ["tiny", "paper"])
def test_memory_is_what_the_model_says(preset, scale):
    model = RNAN(RNANConfig.preset(preset, scale, groups=2)).eval()
    assert peak.values_per_pixel(model, 48) == pytest.approx(model.values_per_pixel, abs=1)


@pytest.mark.parametrize("size", [(1, 1), (5, 8), (8, 5), (7, 7)])
def test_odd_sides_are_mirrored_to_even_ones(size):
    model, lr = RNAN(SMALL).eval(), torch.rand(1, 3, *size)
    rows, columns = (min(n, max(n - 2, 0)) for n in size)
    even = lr
    if size[0] % 2:
        even = torch.cat([even, even[:, :, rows : rows + 1]], dim=2)
    if size[1] % 2:
        even = torch.cat([even, even[..., columns : columns + 1]], dim=3)
    with torch.no_grad():
        expected = model(even)[..., : 2 * size[0], : 2 * size[1]]
        torch.testing.assert_close(model(lr), expected)


def test_gradients_are_right():
    model = RNAN(RNANConfig(groups=2, channels=2)).double()
    for tensor in model.parameters():
        torch.nn.init.normal_(tensor, std=0.3)
    lr = torch.rand(1, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(model, lr)


def test_only_the_first_and_the_last_mask_are_non_local():
    looks = [len(group.mask.look) for group in RNAN(RNANConfig(groups=5, channels=4)).groups]
    assert looks == [1, 0, 0, 0, 1]
