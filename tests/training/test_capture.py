"""A step that is compiled and captured is the step as it was."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch._inductor.exc import TritonMissing

from glanet import GLANet
from glanet.compile import compile_repeated
from glanet.training import loop, train
from glanet.training.log import read_log

CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def step(model, image):
    """An output and its gradients, of a model in training mode."""
    torch.manual_seed(1)
    out = model(image)
    out.square().sum().backward()
    return [out, *(parameter.grad for parameter in model.parameters())]


@pytest.mark.parametrize(("stochastic_depth", "graphs"), [(0.0, 2), (0.3, 5)])
def test_equal_layers_share_compiled_graphs(config, monkeypatch, stochastic_depth, graphs):
    compiled = []

    def count(graph, inputs):
        compiled.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=count))
    torch.compiler.reset()
    deep = replace(config, layers=4, stochastic_depth=stochastic_depth)
    ours, plain = GLANet(deep), GLANet(deep)
    plain.load_state_dict(ours.state_dict())
    compile_repeated(ours)
    image = torch.rand(2, 3, 16, 16)
    for mine, theirs in zip(step(ours, image), step(plain, image), strict=True):
        torch.testing.assert_close(mine, theirs)
    # 8 layers, with W-MSA and SW-MSA in turn; stochastic depth cuts a graph in pieces
    assert len(compiled) == graphs


@pytest.mark.parametrize(
    ("error", "says"),
    [(TritonMissing(None), "Cannot find a working triton"), (OSError("no gcc"), "no gcc")],
)
def test_a_run_falls_back_to_eager_mode(config, recipe, tmp_path, monkeypatch, capsys, error, says):
    def broken(graph, inputs):
        raise error

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=broken))
    torch.compiler.reset()
    ours = loop.Run(config, recipe(), tmp_path / "run", device="cpu")
    plain = loop.Run(config, recipe(), tmp_path / "plain", device="cpu")
    ours._compile()
    said = capsys.readouterr().err
    assert f"training falls back to eager mode, which is slower: {says}" in said
    assert [ours.step() for _ in range(2)] == [plain.step() for _ in range(2)]


def test_eager_mode_is_not_left_on_for_other_models(config, recipe, tmp_path, monkeypatch):
    compiled = []

    def broken(graph, inputs):
        raise OSError("no gcc")

    def count(graph, inputs):
        compiled.append(graph)
        return graph.forward

    torch.compiler.reset()
    run = loop.Run(config, recipe(), tmp_path, device="cpu")
    with monkeypatch.context() as patch:
        patch.setattr(torch, "compile", partial(torch.compile, backend=broken))
        run._compile()
    run.step()
    other = torch.compile(torch.nn.Linear(2, 2), backend=count)
    other(torch.rand(1, 2))
    assert len(compiled) == 1
    run.step()  # still eager
    assert len(compiled) == 1


@CUDA
def test_a_captured_run_trains_like_an_eager_one(config, recipe, tmp_path, monkeypatch):
    logs = []
    for name, compiled_from in {"plain": 10**9, "captured": 1}.items():
        monkeypatch.setattr(loop, "COMPILED_FROM", compiled_from)
        steps = recipe(steps=60, validate_every=10)
        train(replace(config, stochastic_depth=0.0), steps, tmp_path / name)
        logs.append(read_log(tmp_path / name / "log.jsonl"))
    for plain, captured in zip(*logs, strict=True):
        assert captured["loss"] == pytest.approx(plain["loss"], rel=0.02)
        assert captured["psnr_y"] == pytest.approx(plain["psnr_y"], abs=0.1)


@CUDA
def test_a_run_on_the_cpu_may_follow_one_on_a_gpu(config, recipe, tmp_path):
    train(config, recipe(), tmp_path / "gpu")
    run = loop.Run(config, recipe(), tmp_path / "cpu", device="cpu")
    assert {parameter.device.type for parameter in run.model.parameters()} == {"cpu"}
