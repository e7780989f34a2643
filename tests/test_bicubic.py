import pytest
import torch
from torch.autograd import gradcheck

from glanet.bicubic import shrink
from glanet.data.degradation import imresize_tensor


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("multiples", [(1, 1), (1, 4), (5, 2), (12, 15)])
def test_shrink_equals_imresize_tensor(scale, multiples):
    images = torch.rand(2, 3, *(scale * side for side in multiples), dtype=torch.float64)
    shrunk = shrink(images, scale)
    assert shrunk.shape == (2, 3, *multiples)
    torch.testing.assert_close(shrunk, imresize_tensor(images, 1 / scale), rtol=0, atol=1e-14)


def test_gradients_of_shrink_are_right():
    images = torch.rand(1, 2, 4, 6, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x: shrink(x, 2), images)
