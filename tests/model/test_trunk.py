import torch

from glanet import ModelConfig
from glanet.model.block import GLABlock
from glanet.model.trunk import Trunk


def config(**overrides):
    return ModelConfig(channels=8, blocks=3, layers=2, heads=2, window=4, **overrides)


def test_a_block_alternates_windows_and_ends_in_conv_residual():
    block = GLABlock(
        8, heads=2, window=4, mlp_ratio=2.0, inception=True, drop_probabilities=[0.0] * 4
    ).double()
    assert [layer.attention.shift for layer in block.layers] == [0, 2, 0, 2]
    tokens = torch.randn(1, 8, 8, 8, dtype=torch.float64)
    inside = tokens
    for layer in block.layers:
        inside = layer(inside)
    inside = block.conv(inside)
    torch.testing.assert_close(block(tokens), tokens + inside)


def test_each_block_reads_all_before_it_newest_first():
    trunk = Trunk(config()).double().eval()
    shallow = torch.randn(1, 8, 8, 8, dtype=torch.float64)
    f0 = trunk.norm_in(shallow)
    f1 = trunk.blocks[0](trunk.transitions[0](f0))
    f2 = trunk.blocks[1](trunk.transitions[1](torch.cat([f1, f0], -1)))
    f3 = trunk.blocks[2](trunk.transitions[2](torch.cat([f2, f1, f0], -1)))
    torch.testing.assert_close(trunk(shallow), trunk.conv(trunk.norm_out(f3)))


def test_as_in_figure_2_block_1_reads_the_shallow_features_themselves():
    trunk = Trunk(config(first_transition=False)).double().eval()
    seen = []
    trunk.blocks[0].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    shallow = torch.randn(1, 8, 8, 8, dtype=torch.float64)
    trunk(shallow)
    torch.testing.assert_close(seen[0], trunk.norm_in(shallow))


def test_without_dense_connections_the_blocks_are_a_chain():
    trunk = Trunk(config(dense=False)).double().eval()
    shallow = torch.randn(1, 8, 8, 8, dtype=torch.float64)
    tokens = trunk.norm_in(shallow)
    for block in trunk.blocks:
        tokens = block(tokens)
    torch.testing.assert_close(trunk(shallow), trunk.conv(trunk.norm_out(tokens)))
    assert len(trunk.transitions) == 0


def test_stochastic_depth_rises_linearly_over_all_layers():
    trunk = Trunk(config(stochastic_depth=0.1))
    found = [layer.drop.probability for block in trunk.blocks for layer in block.layers]
    torch.testing.assert_close(torch.tensor(found), torch.linspace(0, 0.1, 6))
