"""A step that is compiled and captured is the step as it was.

The light head starts at zero and hides what the layers do, so models here have the paper's.
"""

import shutil
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from torch._dynamo.utils import counters
from torch._inductor.exc import TritonMissing

from glanet import GLANet
from glanet.compile import compile_repeated
from glanet.fast import fast_layers
from glanet.model.layer import StochasticDepth
from glanet.training import checkpoint, loop, losses, train
from glanet.training.capture import Captured
from glanet.training.log import read_log

CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def step(model, image):
    """An output and its gradients, of a model in training mode."""
    torch.manual_seed(1)
    out = model(image)
    out.square().sum().backward()
    return [out, *(parameter.grad for parameter in model.parameters())]


@pytest.fixture
def compiled(monkeypatch):
    """The graphs that torch.compile makes; they run uncompiled."""
    graphs = []

    def count(graph, inputs):
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=count))
    torch.compiler.reset()
    return graphs


def test_equal_layers_share_compiled_graphs(config, compiled):
    deep = replace(config, layers=4, stochastic_depth=0.0, light_head=False)
    ours, plain = GLANet(deep), GLANet(deep)
    plain.load_state_dict(ours.state_dict())
    compile_repeated(ours)
    image = torch.rand(2, 3, 16, 16)
    for mine, theirs in zip(step(ours, image), step(plain, image), strict=True):
        torch.testing.assert_close(mine, theirs)
    assert len(compiled) == 2  # of 8 layers, with W-MSA and SW-MSA in turn


@pytest.mark.parametrize("joined", [False, True])
def test_layers_of_any_drop_probability_share_graphs(config, compiled, monkeypatch, joined):
    deep = replace(config, layers=4, stochastic_depth=0.3, light_head=False)
    ours, plain = GLANet(deep).train(), GLANet(deep).train()
    plain.load_state_dict(ours.state_dict())
    for model in (ours, plain):
        if joined:
            fast_layers(model)
        compile_repeated(model)
    image = torch.rand(4, 3, 16, 16)
    counters.clear()
    found = step(ours, image)
    # W-MSA and SW-MSA, and the first layer, which drops nothing; none is cut in pieces
    assert len(compiled) == 3
    assert not counters["graph_break"]
    with monkeypatch.context() as patch, torch.compiler.set_stance("force_eager"):
        patch.setattr(torch.compiler, "is_compiling", lambda: True)  # the same random numbers
        for mine, theirs in zip(found, step(plain, image), strict=True):
            torch.testing.assert_close(mine, theirs)
    step(ours, image)
    assert len(compiled) == 3


class Branches(torch.nn.Module):
    """Samples that go through stochastic depth, as in layers of other probabilities."""

    def __init__(self, probabilities):
        super().__init__()
        self.drops = torch.nn.ModuleList(StochasticDepth(p) for p in probabilities)
        self.weight = torch.nn.Parameter(torch.ones(()))

    def repeated(self):
        return self.drops

    def forward(self, branch):
        return torch.stack([drop(branch * self.weight) for drop in self.drops])


@pytest.mark.parametrize("in_eager_mode", [False, True])
def test_compiled_layers_drop_at_their_rate(compiled, in_eager_mode):
    probabilities = (0.1, 0.5, 0.9)
    model = Branches(probabilities).train()
    compile_repeated(model)
    if in_eager_mode:
        model.forward = torch.compiler.set_stance("force_eager")(model.forward)
    branch = torch.rand(20_000, 2, 2, 3) + 1
    found, again = model(branch), model(branch)
    assert len(compiled) == (0 if in_eager_mode else 1)
    assert not torch.equal(found, again)
    for probability, one in zip(probabilities, found, strict=True):
        whole = (one == 0).flatten(1)
        assert torch.equal(whole.any(1), whole.all(1))  # samples are dropped as a whole
        kept = ~whole.any(1)
        assert 1 - kept.float().mean() == pytest.approx(probability, abs=0.015)
        torch.testing.assert_close(one[kept], branch[kept] / (1 - probability))


@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler for inductor")
def test_inductor_drops_at_the_rate_of_each_layer():
    torch.compiler.reset()
    counters.clear()
    probabilities = (0.2, 0.7)
    model = Branches(probabilities).train()
    compile_repeated(model)
    branch = torch.rand(20_000, 1, 1, 2) + 1
    found, again = model(branch), model(branch)
    assert counters["stats"]["unique_graphs"] == 1
    assert not torch.equal(found, again)
    for probability, one in zip(probabilities, found, strict=True):
        assert (one == 0).float().mean() == pytest.approx(probability, abs=0.015)


def test_no_two_compiled_steps_drop_alike(compiled, config):
    model = GLANet(replace(config, stochastic_depth=0.5, light_head=False)).train()
    compile_repeated(model)
    image, found = torch.rand(8, 3, 8, 8), []
    for seed in (0, 1, 2, 0):
        torch.manual_seed(seed)
        found.append(model(image).detach())
    assert torch.equal(found[0], found[3])
    assert not any(torch.equal(found[i], found[j]) for i, j in ((0, 1), (0, 2), (1, 2)))


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


def test_a_run_of_joined_products_is_a_plain_run(config, recipe, tmp_path, monkeypatch):
    # in float64: in float32, Adam makes steps of the rounding errors of gradients that are 0
    found = {}
    for name, devices in {"plain": (), "joined": ("cpu",)}.items():
        monkeypatch.setattr(loop, "JOINED_ON", devices)
        awake = replace(config, light_head=False)
        run = loop.Run(awake, recipe(), tmp_path / name, device="cpu")
        layers = run.state.model.repeated()
        assert all(("forward" in vars(layer)) == (name == "joined") for layer in layers)
        for model in (run.state.model, run.state.average):
            model.double()
        for step in range(8):
            torch.manual_seed(step)
            lr, hr, *rest = run._inputs(asked=False)
            run.compute(lr.double(), hr.double(), *rest)
            run.state.step += 1
        found[name] = checkpoint._tensors(run.state)
    assert found["plain"].keys() == found["joined"].keys()
    for name, tensor in found["plain"].items():
        torch.testing.assert_close(found["joined"][name], tensor, rtol=1e-9, atol=1e-9)


def test_a_checkpoint_says_nothing_of_joined_products(config, recipe, tmp_path, monkeypatch):
    train(config, recipe(), tmp_path / "plain", device="cpu")
    with monkeypatch.context() as patch:
        patch.setattr(loop, "JOINED_ON", ("cpu",))
        train(config, recipe(), tmp_path / "joined", device="cpu")
    for file in ("checkpoints/step-00000012.safetensors", "weights/model.safetensors"):
        plain, joined = (load_file(tmp_path / name / file) for name in ("plain", "joined"))
        shapes = [{name: t.shape for name, t in found.items()} for found in (plain, joined)]
        assert shapes[0] == shapes[1]
    resumed = loop.Run(config, recipe(), tmp_path / "joined", device="cpu")
    assert resumed.state.step == 12
    assert not any("forward" in vars(layer) for layer in resumed.state.model.repeated())


@pytest.fixture
def stand_in(monkeypatch):
    """In the place of `torch.cuda`: its graphs hold nothing. ``mode`` is what it does on a wait."""

    class Cuda:
        mode = "default"

        def set_sync_debug_mode(self, mode):
            self.mode = mode

    cuda, stream = Cuda(), SimpleNamespace(wait_stream=lambda other: None)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", SimpleNamespace)
    monkeypatch.setattr(torch.cuda, "graph", nullcontext)
    monkeypatch.setattr(torch.cuda, "Stream", lambda: stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: stream)
    monkeypatch.setattr(torch.cuda, "stream", nullcontext)
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", cuda.set_sync_debug_mode)
    return cuda


@pytest.mark.parametrize("waits", [False, True])
def test_a_step_that_waits_for_the_gpu_is_not_captured(
    config, recipe, tmp_path, monkeypatch, capsys, compiled, stand_in, waits
):
    def loss(sr, hr):
        if waits and stand_in.mode == "error":  # as .item() does
            raise RuntimeError("called a synchronizing CUDA operation")
        return (sr - hr).abs().mean()

    monkeypatch.setitem(losses.LOSSES, "l1", loss)
    certain = replace(config, stochastic_depth=0.0)
    plain = loop.Run(certain, recipe(), tmp_path / "plain", device="cpu")
    run = loop.Run(certain, recipe(), tmp_path / "run", device="cpu")
    run._compile()
    assert stand_in.mode == "default"
    assert isinstance(run.compute, Captured) is not waits
    said = capsys.readouterr().err
    assert ("goes on without a CUDA graph, which is slower: something" in said) is waits
    if waits:
        assert run.step() == pytest.approx(plain.step())


@CUDA
def test_a_run_whose_loss_waits_trains(config, recipe, tmp_path, monkeypatch, capsys):
    def loss(sr, hr):
        return (sr - hr).abs().mean() * (1 if sr.mean().item() > -1e9 else 0)

    monkeypatch.setitem(losses.LOSSES, "l1", loss)
    monkeypatch.setattr(loop, "COMPILED_FROM", 1)
    assert train(config, recipe(), tmp_path)
    assert "goes on without a CUDA graph" in capsys.readouterr().err


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
