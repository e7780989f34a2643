import numpy as np
import pytest
import torch
import torch.nn.functional as F

from glanet import ModelConfig
from glanet.model import GLANet
from glanet.model.attention import WindowAttention, attend
from glanet.model.network import MEAN_RGB, reflect_to_multiple
from glanet.model.reconstruction import coarse_image


def small_model(scale=2, **overrides):
    small = {"channels": 8, "blocks": 2, "layers": 2, "heads": 2, "window": 4}
    return GLANet(ModelConfig(scale=scale, **{**small, **overrides})).eval()


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("light_head", [True, False])
@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 9), (7, 1), (2, 3), (4, 4), (5, 12), (13, 6)]
)
def test_any_image_comes_out_scaled(scale, light_head, height, width):
    model = small_model(scale, light_head=light_head)
    with torch.no_grad():
        out = model(torch.rand(2, 3, height, width))
    assert out.shape == (2, 3, scale * height, scale * width)
    assert out.isfinite().all()


def test_equation_4():
    model = small_model().double()
    image = torch.rand(1, 3, 8, 12, dtype=torch.float64)
    mean = torch.tensor(MEAN_RGB).double().view(1, 3, 1, 1)  # a float32 buffer made double
    shallow = model.shallow(image - mean)
    expected = model.reconstruct(shallow + model.trunk(shallow))
    expected = expected + F.interpolate(
        image - mean, scale_factor=2, mode="bilinear", align_corners=False
    )
    torch.testing.assert_close(model(image), expected + mean)


def test_the_coarse_image_is_bilinear_between_pixel_centres():
    row = torch.tensor([0.0, 4.0, 8.0]).view(1, 1, 1, 3).double()
    assert coarse_image(row, 2)[0, 0, 0].tolist() == [0, 1, 3, 5, 7, 8]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_untrained_with_a_light_head_it_gives_the_coarse_image(scale):
    model = small_model(scale, light_head=True)
    image = torch.rand(1, 3, 8, 4)
    torch.testing.assert_close(model(image), coarse_image(image, scale))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 9, 16])
def test_padding_is_numpys_reflect_for_images_of_any_size(size):
    image = torch.randn(1, 1, size, 3)
    padded = reflect_to_multiple(image, 8)
    extra = -size % 8, -3 % 8
    expected = np.pad(image[0, 0].numpy(), [(0, extra[0]), (0, extra[1])], mode="reflect")
    np.testing.assert_array_equal(padded[0, 0].numpy(), expected)


def test_every_parameter_gets_a_gradient():
    model = small_model(stochastic_depth=0.0).train()
    model(torch.rand(1, 3, 9, 9)).square().sum().backward()
    without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


def test_fused_and_step_by_step_attention_give_the_same_image():
    model = small_model()
    image = torch.rand(1, 3, 13, 18)
    with torch.no_grad():
        fused = model(image)
        for module in model.modules():
            if isinstance(module, WindowAttention):
                module.attend = attend
        torch.testing.assert_close(model(image), fused, rtol=0, atol=1e-5)


def test_the_state_dict_holds_parameters_and_nothing_else():
    model = small_model()
    with torch.no_grad():
        model(torch.rand(1, 3, 9, 9))
    assert set(model.state_dict()) == {name for name, _ in model.named_parameters()}


def test_images_of_one_batch_do_not_touch_each_other():
    model = small_model().double()
    images = torch.rand(3, 3, 9, 7, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(model(images)[1:2], model(images[1:2]))


@pytest.mark.parametrize(
    ("image", "error", "says"),
    [
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), TypeError, "uint8"),
        (torch.zeros(3, 8, 8), ValueError, r"\(3, 8, 8\)"),
        (torch.zeros(1, 1, 8, 8), ValueError, r"\(1, 1, 8, 8\)"),
        (torch.zeros(1, 3, 0, 8), ValueError, r"\(1, 3, 0, 8\)"),
    ],
)
def test_what_is_no_batch_of_rgb_images_is_rejected(image, error, says):
    with pytest.raises(error, match=says):
        small_model()(image)


CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def exact():
    """Without it, cuDNN would convolve in TF32, which keeps 10 bits."""
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)


@CUDA
def test_on_cuda_the_numbers_are_the_cpus():
    model = small_model()
    image = torch.rand(2, 3, 13, 18)
    with torch.no_grad(), exact():
        expected = model(image)
        found = model.cuda()(image.cuda()).cpu()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


@CUDA
def test_on_cuda_the_gradients_are_the_cpus():
    model = small_model()
    image = torch.rand(2, 3, 13, 18)
    model(image).square().sum().backward()
    expected = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    with exact():
        model.cuda()(image.cuda()).square().sum().backward()
    for name, parameter in model.named_parameters():
        error = (parameter.grad.cpu() - expected[name]).norm()
        assert error <= 1e-3 * expected[name].norm() + 1e-5, name


@CUDA
@pytest.mark.parametrize("compiled", [False, True])
def test_on_cuda_bf16_stays_near_float32(compiled):
    model = small_model().cuda()
    run = torch.compile(model) if compiled else model
    image = torch.rand(2, 3, 24, 16, device="cuda")
    with torch.no_grad():
        expected = model(image)
        with torch.autocast("cuda", torch.bfloat16):
            found = run(image).float()
    assert found.isfinite().all()
    # 8 bits of mantissa, measured on a whole network of the paper's size: 7e-4 on average
    assert (found - expected).square().mean().sqrt() <= 5e-3
