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
    """An output and its gradients, of a network in training."""
    torch.manual_seed(1)
    out = model(image)
    out.square().sum().backward()
    return [out, *(parameter.grad for parameter in model.parameters())]


@pytest.mark.parametrize(("stochastic_depth", "graphs"), [(0.0, 2), (0.3, 5)])
def test_all_layers_share_few_compiled_graphs_and_give_the_same_numbers(
    network, monkeypatch, stochastic_depth, graphs
):
    compiled = []

    def count(graph, inputs):
        compiled.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=count))
    torch.compiler.reset()
    config = replace(network, layers=4, stochastic_depth=stochastic_depth)
    ours, plain = GLANet(config), GLANet(config)
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
def test_where_nothing_can_be_compiled_the_run_says_why_and_goes_on(
    network, recipe, tmp_path, monkeypatch, capsys, error, says
):
    def broken(graph, inputs):
        raise error

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=broken))
    torch.compiler.reset()
    ours = loop.Run(network, recipe(), tmp_path / "run", None, None, "cpu", None)
    plain = loop.Run(network, recipe(), tmp_path / "plain", None, None, "cpu", None)
    with torch.compiler.set_stance("default"):  # and back to it afterwards
        ours._compile()
        assert f"goes on without, and takes longer: {says}" in capsys.readouterr().err
        assert [ours.step() for _ in range(2)] == [plain.step() for _ in range(2)]


@CUDA
def test_a_captured_run_goes_as_one_launched_kernel_by_kernel(
    network, recipe, tmp_path, monkeypatch
):
    logs = []
    for name, compiled_from in {"plain": 10**9, "captured": 1}.items():
        monkeypatch.setattr(loop, "COMPILED_FROM", compiled_from)
        config = recipe(steps=60, validate_every=10)
        train(replace(network, stochastic_depth=0.0), config, tmp_path / name)
        logs.append(read_log(tmp_path / name / "log.jsonl"))
    for plain, captured in zip(*logs, strict=True):
        assert captured["loss"] == pytest.approx(plain["loss"], rel=0.02)
        assert captured["psnr_y"] == pytest.approx(plain["psnr_y"], abs=0.1)


@CUDA
def test_after_a_training_on_a_gpu_the_next_may_be_on_the_processor(network, recipe, tmp_path):
    train(network, recipe(), tmp_path / "gpu")
    run = loop.Run(network, recipe(), tmp_path / "cpu", None, None, "cpu", None)
    assert {parameter.device.type for parameter in run.model.parameters()} == {"cpu"}
