import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from glanet import GLANet
from glanet.analysis.receptive import (
    Attribution,
    attribution,
    blur,
    dependence,
    detail,
    receptive_field,
)
from glanet.model.attention import WindowAttention
from glanet.model.inception import ConvBranch, MaxBranch


def test_the_field_of_a_convolution_is_its_kernel():
    kernel = torch.randn(3, 2, 5, 5)

    def convolve(tokens):
        return F.conv2d(tokens.permute(0, 3, 1, 2), kernel, padding=2).permute(0, 2, 3, 1)

    field = receptive_field(convolve, torch.randn(2, 12, 14, 2), row=6, column=7)
    # conv2d does not turn the kernel, so the weight [u, v] reads the pixel (6 + u - 2, 7 + v - 2)
    expected = np.zeros((12, 14))
    expected[4:9, 5:10] = kernel.square().sum((0, 1)).sqrt().numpy()
    np.testing.assert_allclose(field.strength, expected, rtol=1e-5, atol=1e-7)
    assert (field.row, field.column) == (6, 7)


@pytest.mark.parametrize(
    ("shift", "rows", "columns"), [(0, (8, 16), (0, 8)), (4, (12, 20), (4, 12))]
)
def test_attention_sees_its_window_and_nothing_else(shift, rows, columns):
    attention = WindowAttention(4, heads=2, window=8, shift=shift)
    field = receptive_field(attention, torch.randn(1, 24, 24, 4), row=13, column=6)
    window = np.zeros((24, 24), bool)
    window[slice(*rows), slice(*columns)] = True
    np.testing.assert_array_equal(field.strength > 0, window)


@pytest.mark.parametrize(
    ("branch", "reach"),
    [(MaxBranch(8, 4), 1), *((ConvBranch(8, 4, k), k // 2) for k in (3, 5, 7))],
    ids=["max", "3", "5", "7"],
)
def test_a_branch_sees_a_square_of_its_size(branch, reach):
    tokens = torch.randn(16, 15, 15, 8)  # of many images, each pixel is the largest of nine once
    seen = receptive_field(branch, tokens, row=7, column=7).strength > 0
    square = np.zeros((15, 15), bool)
    square[7 - reach : 8 + reach, 7 - reach : 8 + reach] = True
    np.testing.assert_array_equal(seen, square)


def test_images_are_averaged_as_squares():
    def squared(tokens):
        return tokens.square()

    tokens = torch.tensor([1.0, 3]).reshape(2, 1, 1, 1).expand(2, 3, 3, 1)
    field = receptive_field(squared, tokens, row=1, column=1)
    assert field.strength[1, 1] == pytest.approx(math.sqrt((2**2 + 6**2) / 2))
    assert field.strength.sum() == field.strength[1, 1]


# Blur


@pytest.mark.parametrize("sigma", [1.0, 2.5])
def test_the_blur_is_a_gaussian_of_that_width(sigma):
    image = torch.zeros(1, 1, 41, 41, dtype=torch.float64)
    image[0, 0, 20, 20] = 1
    blurred = blur(image, sigma)[0, 0]
    distance = torch.arange(41.0) - 20
    assert blurred.sum().item() == pytest.approx(1)
    variance = (blurred.sum(0) * distance.square()).sum().item()
    assert variance == pytest.approx(sigma**2, rel=1e-3)


def test_no_blur_leaves_the_image_as_it_is():
    image = torch.rand(1, 3, 10, 12)
    torch.testing.assert_close(blur(image, 0), image)


# Attribution


def test_of_a_linear_detector_each_pixel_is_given_what_it_adds():
    weights, image = torch.randn(1, 3, 16, 20), torch.rand(1, 3, 16, 20)
    found = attribution(lambda x: (weights * x).sum(), image, steps=3)
    expected = (weights * (image - blur(image, 4.0))).sum(1)[0]
    np.testing.assert_allclose(found.value, expected, atol=1e-4)
    assert found.value.sum() == pytest.approx(found.found, rel=1e-3)


def test_attributions_add_up_to_the_detectors_change():
    model = GLANet.from_pretrained("tiny-x2")
    image = torch.rand(1, 3, 16, 16)
    found = attribution(detail(model, top=8, left=8, side=16), image, steps=24)
    assert found.value.shape == (16, 16)
    assert found.value.sum() == pytest.approx(found.found, rel=0.05)
    assert not any(tensor.grad is not None for tensor in model.parameters())


def test_a_pixel_that_the_detector_does_not_look_at_is_given_nothing():
    image = torch.rand(1, 3, 16, 16)
    found = attribution(lambda x: x[..., 3:6, 8:10].square().sum(), image)
    inside = np.zeros((16, 16), bool)
    inside[3:6, 8:10] = True
    assert not found.value[~inside].any()
    assert found.value[inside].all()


def test_diffusion_index_of_one_pixel_all_pixels_and_half():
    one = np.zeros((10, 10))
    one[2, 3] = -5
    half = np.zeros((10, 10))
    half[:5] = 1
    indices = [Attribution(value, 0.0).diffusion() for value in (one, half, np.ones((10, 10)))]
    assert indices == pytest.approx([1, 50, 100])


def test_the_detector_measures_the_variation_inside_the_square_alone():
    def twice(image):
        return F.interpolate(image, scale_factor=2)

    image = torch.zeros(1, 3, 8, 8)
    image[..., 4:] = 1  # an edge between the HR columns 7 and 8
    rows, channels = 6, 3
    assert detail(twice, top=2, left=4, side=6)(image).item() == rows * channels
    assert detail(twice, top=2, left=8, side=6)(image).item() == 0


# Dependence by distance


@pytest.mark.parametrize(("branch", "reach"), [(ConvBranch(8, 4, 7), 3), (MaxBranch(8, 4), 1)])
def test_dependence_ends_where_the_field_of_a_branch_ends(branch, reach):
    found = dependence(branch, torch.randn(2, 48, 48, 8))
    assert (found.shares[:, : reach + 1] > 0).all()
    assert not found.shares[:, reach + 1 :].any()
    np.testing.assert_allclose(found.within(reach), 1)


def box(tokens):
    return F.avg_pool2d(tokens.permute(0, 3, 1, 2), 5, 1, 2).permute(0, 2, 3, 1)


def test_dependence_of_a_box_is_its_area_by_distance():
    found = dependence(box, torch.rand(2, 48, 48, 3), draws=1)
    # of 25 pixels, 8 lie in the ring at distance 1 and 16 in that at 2; borders cut some off
    np.testing.assert_allclose(found.shares[:, :3].mean(0), [1 / 25, 8 / 25, 16 / 25], atol=0.03)
    np.testing.assert_allclose(found.reach(), (8 + 2 * 16) / 25, atol=0.1)


def test_dependence_agrees_with_the_receptive_field_of_single_pixels():
    attention = WindowAttention(8, heads=2, window=8, shift=4).requires_grad_(False)
    for weight in (attention.qkv.weight, attention.bias_table):
        torch.nn.init.normal_(weight)
    tokens = torch.randn(1, 32, 32, 8)
    expected = np.zeros(9)
    for row, column in np.ndindex(8, 8):  # every place in a window
        squared = receptive_field(attention, tokens, row=12 + row, column=12 + column).strength ** 2
        i, j = np.indices(squared.shape)
        distance = np.maximum(abs(i - 12 - row), abs(j - 12 - column))
        expected += np.bincount(distance.ravel(), squared.ravel())[:9] / squared.sum() / 64
    many = torch.cat([tokens] * 2)
    found = dependence(attention, many, draws=200)
    np.testing.assert_allclose(found.shares[0], expected, atol=0.05)


def test_an_images_dependence_does_not_depend_on_the_other_images():
    images = torch.rand(3, 32, 32, 4)
    together = dependence(lambda tokens: box(tokens.square()), images)
    alone = dependence(lambda tokens: box(tokens.square()), images[1:2])
    np.testing.assert_allclose(together.shares[1], alone.shares[0], rtol=1e-5)
