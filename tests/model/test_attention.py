import copy

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from glanet.model.attention import (
    WindowAttention,
    attend,
    attend_fused,
    relative_position_index,
    shift_mask,
)


def attention(shift, channels=8, heads=2, window=4):
    module = WindowAttention(channels, heads, window, shift).double().eval()
    torch.nn.init.normal_(module.bias_table)  # large enough that a wrong bias shows
    return module


def brute_force(module, tokens):
    """Attention of each pixel over the unrolled image: no windows cut, no roll, no mask.

    A pixel attends to those in its own window of the shifted grid, whose first window is cut off
    at the image's edge and whose last ends there; the bias is looked up by the offset.
    """
    batch, height, width, channels = tokens.shape
    window, heads = module.window, module.heads
    query, key, value = module.qkv(tokens).reshape(batch, -1, 3, heads, channels // heads).unbind(2)
    rows, columns = (
        grid.reshape(-1)
        for grid in torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    )

    def group(position):
        return torch.div(position - module.shift, window, rounding_mode="floor")

    together = (group(rows)[:, None] == group(rows)) & (group(columns)[:, None] == group(columns))
    table = module.bias_table.reshape(2 * window - 1, 2 * window - 1, heads)
    d_row, d_column = (
        (p[:, None] - p).clamp(1 - window, window - 1) + window - 1 for p in (rows, columns)
    )
    scores = torch.einsum("bihd,bjhd->bhij", query, key) / (channels // heads) ** 0.5
    scores = scores + table[d_row, d_column].permute(2, 0, 1)
    weights = scores.masked_fill(~together, float("-inf")).softmax(-1)
    mixed = torch.einsum("bhij,bjhd->bihd", weights, value).reshape(tokens.shape)
    return module.proj(mixed)


@pytest.mark.parametrize("shift", [0, 1, 2, 3])
@pytest.mark.parametrize(("height", "width"), [(4, 4), (8, 4), (4, 12), (12, 8)])
def test_window_attention_equals_brute_force_over_the_unrolled_image(shift, height, width):
    module = attention(shift)
    tokens = torch.randn(2, height, width, 8, dtype=torch.float64)
    torch.testing.assert_close(module(tokens), brute_force(module, tokens), rtol=0, atol=1e-12)


@pytest.mark.parametrize("shift", [0, 2])
def test_gradients_are_the_numerical_ones(shift):
    module = attention(shift, channels=4, window=2)
    names = [name for name, _ in module.named_parameters()]

    def run(tokens, *weights):
        return torch.func.functional_call(module, dict(zip(names, weights, strict=True)), tokens)

    tokens = torch.randn(1, 4, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(run, (tokens, *module.parameters()))


def queries_and_bias(windows, width=6, **where):
    query, key, value = torch.randn(3, 2, 5, 3, 16, width, **where)
    return query, key, value, torch.randn(windows, 3, 16, 16, **where)


@pytest.mark.parametrize("windows", [1, 5])
def test_fused_and_step_by_step_attention_give_the_same_numbers(windows):
    inputs = queries_and_bias(windows)
    torch.testing.assert_close(attend(*inputs), attend_fused(*inputs), rtol=0, atol=1e-5)


@pytest.mark.parametrize("windows", [1, 5])
def test_without_gradients_the_cpus_fused_kernel_is_used(windows):
    with torch.no_grad(), sdpa_kernel(SDPBackend.FLASH_ATTENTION):  # no other is allowed
        attend_fused(*queries_and_bias(windows))


CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@CUDA
@pytest.mark.parametrize(
    "kernel", [SDPBackend.EFFICIENT_ATTENTION, SDPBackend.CUDNN_ATTENTION, SDPBackend.MATH]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("windows", [1, 5])
@pytest.mark.parametrize("width", [8, 10, 30])
def test_every_cuda_kernel_equals_step_by_step(kernel, dtype, windows, width):
    if kernel == SDPBackend.CUDNN_ATTENTION and dtype == torch.float32:
        pytest.skip("cuDNN's kernel computes in half precision only")
    inputs = [t.requires_grad_() for t in queries_and_bias(windows, width, device="cuda")]
    expected = attend(*inputs)
    weighing = torch.randn_like(expected)
    expected_gradients = torch.autograd.grad((expected * weighing).sum(), inputs)
    with sdpa_kernel(kernel):
        try:
            found = attend_fused(*(t.to(dtype) for t in inputs)).float()
        except RuntimeError as error:  # an H100's cuDNN takes no bias that wants a gradient
            if kernel != SDPBackend.CUDNN_ATTENTION or "No available kernel" not in str(error):
                raise
            pytest.skip("cuDNN has no kernel for this here")
        gradients = torch.autograd.grad((found * weighing).sum(), inputs)
    # bfloat16 keeps 8 bits; float32 on a GPU may add in another order
    close = 1e-4 if dtype == torch.float32 else 5e-2
    torch.testing.assert_close(found, expected, rtol=close, atol=close)
    for mine, theirs in zip(gradients, expected_gradients, strict=True):
        assert mine.isfinite().all()
        assert (mine - theirs).norm() <= close * theirs.norm()


@CUDA
def test_on_cuda_a_masked_bias_table_has_the_same_gradient():
    found = []
    for kernel in (attend, attend_fused):
        torch.manual_seed(0)
        module = WindowAttention(60, 6, 8, shift=4).cuda()
        module.attend = kernel
        module(torch.randn(2, 16, 24, 60, device="cuda")).square().sum().backward()
        found.append(module.bias_table.grad)
    assert found[1].isfinite().all()
    assert (found[0] - found[1]).norm() <= 1e-4 * found[0].norm()


def test_the_bias_index_numbers_the_offsets_row_by_row():
    # two by two pixels: 0 1 / 2 3. Offsets run from (-1, -1), number 0, to (1, 1), number 8
    assert relative_position_index(2).tolist() == [
        [4, 3, 1, 0],
        [5, 4, 2, 1],
        [7, 6, 4, 3],
        [8, 7, 5, 4],
    ]


def test_the_mask_parts_only_what_the_roll_made_neighbours():
    mask = shift_mask(6, 6, 2, 1, torch.float64, torch.device("cpu"))[:, 0] != 0
    assert mask.shape == (9, 4, 4)
    assert not mask[[0, 1, 3, 4]].any()  # windows away from the far edges
    right = [[False, True, False, True], [True, False, True, False]] * 2
    assert mask[2].tolist() == mask[5].tolist() == right  # left column from right column
    bottom = [[False, False, True, True]] * 2 + [[True, True, False, False]] * 2
    assert mask[6].tolist() == mask[7].tolist() == bottom
    assert mask[8].tolist() == (~torch.eye(4, dtype=bool)).tolist()  # four corners of the image


def test_an_optimizer_step_shows_in_the_position_bias():
    module = attention(0)
    optimizer = torch.optim.SGD(module.parameters(), lr=1.0)
    before = module.position_bias(torch.float64).detach()
    module(torch.randn(1, 4, 4, 8, dtype=torch.float64)).square().sum().backward()
    optimizer.step()
    assert not torch.equal(module.position_bias(torch.float64), before)
    assert module.float().position_bias(torch.float32).dtype == torch.float32


def test_inference_mode_does_not_break_a_later_training_step():
    module = attention(2)
    tokens = torch.randn(1, 8, 8, 8, dtype=torch.float64)
    with torch.inference_mode():
        expected = module(tokens)
    frozen = copy.deepcopy(module).requires_grad_(False)
    for trained in (module, frozen):
        out = trained(tokens.clone().requires_grad_())
        torch.testing.assert_close(out, expected)
        out.sum().backward()


def test_a_module_made_in_inference_mode_works():
    with torch.inference_mode():
        module = WindowAttention(8, 2, 4, 2)
        assert module(torch.randn(1, 8, 8, 8)).shape == (1, 8, 8, 8)


def test_no_mask_index_or_bias_is_in_the_state_dict():
    module = attention(2)
    with torch.no_grad():
        module(torch.randn(1, 8, 8, 8, dtype=torch.float64))
    assert sorted(module.state_dict()) == [
        "bias_table",
        "proj.bias",
        "proj.weight",
        "qkv.bias",
        "qkv.weight",
    ]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_mask_and_bias_follow_the_modules_dtype(dtype):
    module = WindowAttention(8, 2, 4, 2)
    tokens = torch.randn(1, 8, 8, 8)
    with torch.no_grad():
        expected = module(tokens)
        found = module.to(dtype)(tokens.to(dtype))
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), expected, rtol=0, atol=2e-2)


def test_under_autocast_the_bias_is_in_the_autocast_dtype():
    module = WindowAttention(8, 2, 4, 2)
    tokens = torch.randn(1, 8, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        out = module(tokens)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), module(tokens), rtol=0, atol=2e-2)
