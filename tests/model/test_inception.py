import torch
import torch.nn.functional as F

from glanet.model.inception import Inception


def test_branches_come_in_the_order_max_3_5_7():
    inception = Inception(16).double()
    tokens = torch.randn(1, 12, 12, 16, dtype=torch.float64)
    together = inception(tokens)
    for i, branch in enumerate(inception.branches):
        torch.testing.assert_close(together[..., 4 * i : 4 * i + 4], branch(tokens))


def test_a_conv_branch_reaches_half_its_kernel_and_no_further():
    for size, branch in zip((3, 5, 7), Inception(8).branches[1:], strict=True):
        tokens = torch.zeros(1, 15, 15, 8, requires_grad=True)
        branch(tokens)[0, 7, 7].sum().backward()
        reached = tokens.grad[0].abs().sum(-1).nonzero()
        half = size // 2
        assert reached.min(0).values.tolist() == [7 - half, 7 - half]
        assert reached.max(0).values.tolist() == [7 + half, 7 + half]


def test_a_conv_branch_is_one_linear_filter():
    branch = Inception(8).double().branches[2]
    a, b = torch.randn(2, 1, 9, 9, 8, dtype=torch.float64)
    zero = branch(torch.zeros_like(a))
    torch.testing.assert_close(
        branch(2 * a + 3 * b) - zero, 2 * (branch(a) - zero) + 3 * (branch(b) - zero)
    )


def test_the_first_kernel_is_a_row_and_the_second_a_column():
    branch = Inception(8).branches[3]
    assert branch[1].kernel_size == (1, 7)
    assert branch[2].kernel_size == (7, 1)


def test_the_max_branch_takes_the_maximum_of_a_3_by_3_neighbourhood():
    branch = Inception(8).double().branches[0]
    tokens = torch.randn(1, 6, 7, 8, dtype=torch.float64)
    padded = F.pad(tokens, (0, 0, 1, 1, 1, 1), value=float("-inf"))
    around = torch.stack([padded[:, i : i + 6, j : j + 7] for i in range(3) for j in range(3)])
    torch.testing.assert_close(branch(tokens), branch[1](around.max(0).values))
