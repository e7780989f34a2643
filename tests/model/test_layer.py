import torch

from glanet.model.layer import GLALayer, StochasticDepth


def layer(**options):
    made = GLALayer(8, heads=2, window=4, shift=2, **options).double().eval()
    if made.attention is not None:
        torch.nn.init.normal_(made.attention.bias_table)
    return made


def test_gradients_are_the_numerical_ones():
    module = GLALayer(4, heads=2, window=2, shift=1).double()
    names = [name for name, _ in module.named_parameters()]

    def run(tokens, *weights):
        return torch.func.functional_call(module, dict(zip(names, weights, strict=True)), tokens)

    tokens = torch.randn(1, 4, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(run, (tokens, *module.parameters()))


def test_inception_reads_unshifted_tokens_after_attention_in_v():
    module = layer()
    tokens = torch.randn(2, 8, 12, 8, dtype=torch.float64)
    x = module.norm1(tokens)
    v = torch.cat([module.attention(x), module.inception(x)], dim=-1)
    fused = tokens + v @ module.fuse.weight.T + module.fuse.bias
    torch.testing.assert_close(module(tokens), fused + module.mlp(module.norm2(fused)))


def test_without_inception_it_is_a_swin_layer():
    module = layer(inception=False)
    tokens = torch.randn(1, 8, 8, 8, dtype=torch.float64)
    attended = tokens + module.attention(module.norm1(tokens))
    torch.testing.assert_close(module(tokens), attended + module.mlp(module.norm2(attended)))
    assert not [name for name, _ in module.named_parameters() if "inception" in name]


def test_without_attention_the_branches_alone_are_fused():
    module = layer(attention=False)
    tokens = torch.randn(1, 8, 8, 8, dtype=torch.float64)
    fused = tokens + module.fuse(module.inception(module.norm1(tokens)))
    torch.testing.assert_close(module(tokens), fused + module.mlp(module.norm2(fused)))
    assert not [name for name, _ in module.named_parameters() if "attention" in name]


def test_stochastic_depth_drops_whole_samples_and_keeps_the_mean():
    drop = StochasticDepth(0.25).train()
    dropped = drop(torch.ones(20_000, 1, 1, 2))
    per_sample = dropped[:, 0, 0]
    assert torch.equal(per_sample[:, 0], per_sample[:, 1])
    assert set(per_sample.unique().tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    assert abs(dropped.mean().item() - 1) < 0.02  # five standard errors


def test_stochastic_depth_is_the_identity_outside_training():
    branch = torch.randn(4, 3)
    assert StochasticDepth(0.5).eval()(branch) is branch
    assert StochasticDepth(0.0).train()(branch) is branch
