import numpy as np
import pytest
import torch
from torch import nn

from glanet.course.kit.sameness import SamenessError, same_function, same_module


def double(image):
    return image * 2


CASES = [(np.arange(6.0).reshape(2, 3),), (np.ones(4),)]


def test_equal_functions_are_the_same():
    said = same_function(lambda image: image + image, double, CASES)
    assert said == "✓ double: bit-identical on 2 inputs."
    assert same_function(lambda i: i * 2.0000001, double, CASES, 1e-5).endswith("to 1e-05.")


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (lambda image: image * 2.1, "differ by up to 5.0e-01"),
        (lambda image: image * np.nan, "differ by up to nan"),
        (lambda image: (image * 2).T, r"\(3, 2\), expected float64 \(2, 3\)"),
        (lambda image: (image * 2).astype(np.float32), "float32"),
    ],
)
def test_functions_that_differ_are_rejected_with_the_place(other, says):
    with pytest.raises(SamenessError, match=says):
        same_function(other, double, CASES)


class Branch(nn.Module):
    def __init__(self, factor=1.0):
        super().__init__()
        self.inner = nn.Linear(3, 3)
        self.unused = nn.Linear(2, 2)
        self.factor = factor

    def forward(self, x, times):
        return times * self.factor * self.inner(x)


class SameForwardOtherGradient(Branch):
    def forward(self, x, times):
        return super().forward(x, times).detach() + 0 * self.inner(x).sum()


def test_equal_modules_are_the_same_and_stay_unchanged():
    mine, theirs = Branch(), Branch()
    before = mine.inner.weight.clone()
    said = same_module(mine, theirs, torch.rand(4, 3), 2)
    assert said == (
        "✓ Branch: from the same weights the same output\n  and the same 5 gradients, to 1e-06."
    )
    assert torch.equal(mine.inner.weight, before)
    assert mine.training
    assert mine.inner.weight.dtype == torch.float32


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (Branch(1.001), "output: differs"),
        (SameForwardOtherGradient(), "gradient of input 0: differs"),
        (nn.Linear(3, 3), "the weights do not fit: your class has no `inner.weight`"),
    ],
)
def test_modules_that_differ_are_rejected_with_the_place(other, says):
    with pytest.raises(SamenessError, match=says):
        same_module(other, Branch(), torch.rand(4, 3), 2)
