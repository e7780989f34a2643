"""The step as a function of tensors: what it refuses, and when Python learns of it."""

import math
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils._python_dispatch import TorchDispatchMode

from glanet.training import NotFiniteError, checkpoint, loop, losses, train
from glanet.training.capture import Captured
from glanet.training.log import read_log

CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.fixture
def broken_at(monkeypatch):
    """A function that makes the loss of the n-th call a NaN, or an infinity."""

    def choose(number, value=math.nan):
        calls = []

        def loss(sr, hr):
            calls.append(1)
            return (sr - hr).abs().mean() * (value if len(calls) == number else 1)

        monkeypatch.setitem(losses.LOSSES, "l1", loss)

    return choose


def tensors(run):
    return {name: tensor.clone() for name, tensor in checkpoint._tensors(run.state).items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_refused_step_leaves_every_bit(config, recipe, tmp_path, broken_at, fused, value):
    broken_at(3, value)
    run = loop.Run(config, recipe(on_nan="skip"), tmp_path, device="cpu")
    if not fused:
        parameters = run.state.model.parameters()
        run.state.optimizer = torch.optim.Adam(parameters, fused=False)
    for _ in range(2):
        run.step()
    before = tensors(run)
    assert before["optimizer.0.step"] == before["average.n_averaged"] == 2
    run.step()
    assert same(before, tensors(run))
    assert run.state.skipped == 1
    run.step()
    after = tensors(run)
    assert after["optimizer.0.step"] == after["average.n_averaged"] == 3
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert {name.partition(".")[0] for name in changed} == {"model", "average", "optimizer"}


def test_a_refused_first_step_leaves_the_start(config, recipe, tmp_path, broken_at):
    broken_at(1)
    run = loop.Run(config, recipe(on_nan="skip"), tmp_path, device="cpu")
    start = tensors(run)
    run.step()
    after = tensors(run)
    assert all(torch.equal(start[name], after[name]) for name in start)
    assert not any(after[name].any() for name in after.keys() - start.keys())  # Adam's zeros


def test_a_run_that_stops_keeps_the_model_before_the_step(config, recipe, tmp_path, broken_at):
    straight = loop.Run(config, recipe(), tmp_path / "straight", device="cpu")
    for _ in range(5):
        straight.step()
    broken_at(6)
    run = loop.Run(config, recipe(), tmp_path / "run", device="cpu")
    with pytest.raises(NotFiniteError, match="step 5: the loss is nan"):
        run.to_the_end()
    path = tmp_path / "run" / "checkpoints" / "non-finite-00000005.safetensors"
    assert same(load_file(path), tensors(straight))
    assert checkpoint.read(path)["step"] == 5


def test_python_learns_a_step_late_and_the_log_has_all(config, recipe, tmp_path):
    run = loop.Run(config, recipe(), tmp_path / "late", device="cpu")
    waiting = []
    for _ in range(12):
        run.advance()
        waiting.append(run.pending is not None)
    # a checkpoint after steps 3, 6, 9 and 12, a validation after 4, 8 and 12
    assert waiting == [step % 3 > 0 and step % 4 > 0 for step in range(1, 13)]
    train(config, recipe(), tmp_path / "run", device="cpu")
    twin = loop.Run(config, recipe(), tmp_path / "twin", device="cpu")
    for entry in read_log(tmp_path / "run" / "log.jsonl"):
        found = [twin.step() for _ in range(4)]
        assert entry["loss"] == sum(loss for loss, _, _ in found) / 4
        assert entry["gradient"] == sum(norm for _, norm, _ in found) / 4


class Watched(TorchDispatchMode):
    """Notes every operation whose result depends on the values of a tensor, for which one waits."""

    def __init__(self):
        super().__init__()
        self.waited = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = str(func)
        if any(part in name for part in ("_local_scalar_dense", "nonzero", "is_pinned", "equal")):
            self.waited.append(name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("on_nan", ["stop", "skip"])
def test_a_step_looks_at_no_value(config, recipe, tmp_path, on_nan):
    chosen = recipe(on_nan=on_nan, gradient_clip=0.1, accumulate=2)
    run = loop.Run(config, chosen, tmp_path, device="cpu")
    inputs = run._inputs(asked=False)
    with Watched() as watched:
        values = run.compute(*inputs)
    assert watched.waited == []
    with watched:
        values.tolist()
        bool(values[0] > 0)
    assert watched.waited


def test_a_step_lists_no_parameters_and_sets_no_mode(config, recipe, tmp_path, monkeypatch):
    run = loop.Run(config, recipe(gradient_clip=0.1, accumulate=2), tmp_path, device="cpu")
    assert all(module.training for module in run.model.modules())

    def listed(module, *given, **options):
        raise AssertionError("hundreds of tensors are looked up in every step")

    for name in ("train", "named_modules", "named_parameters", "named_buffers"):
        monkeypatch.setattr(torch.nn.Module, name, listed)
    run.step()


def test_trials_change_nothing(config, recipe, tmp_path):
    run = loop.Run(config, recipe(), tmp_path / "run", device="cpu")
    start = tensors(run)
    with run.compute.refusing():
        for _ in range(3):
            run.compute(*run._inputs(asked=False))
    after = tensors(run)
    assert all(torch.equal(start[name], after[name]) for name in start)
    plain = loop.Run(config, recipe(), tmp_path / "plain", device="cpu")
    for _ in range(2):
        assert run.step() == plain.step()
    assert same(tensors(run), tensors(plain))


def test_the_average_is_torchs(config, recipe, tmp_path):
    run = loop.Run(config, recipe(average=0.9), tmp_path, device="cpu")
    twin = AveragedModel(run.state.model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    for _ in range(4):
        run.step()
        twin.update_parameters(run.state.model)
    for name, tensor in twin.state_dict().items():
        torch.testing.assert_close(run.state.average.state_dict()[name], tensor)


@CUDA
def test_a_captured_step_refuses_as_an_eager_one(config, recipe, tmp_path):
    run = loop.Run(config, recipe(on_nan="skip"), tmp_path)
    start = tensors(run)
    with run.compute.refusing():
        run.compute = Captured(run.compute, *run._inputs(asked=False))
    after = tensors(run)
    assert all(torch.equal(start[name], after[name]) for name in start)
    lr, hr, *rest = run._inputs(asked=False)
    assert not run.compute(lr, hr * math.nan, *rest)[0].isfinite()
    assert same(after, tensors(run))
    loss, _, _ = run.step()
    assert math.isfinite(loss)
    assert not same(after, tensors(run))


@CUDA
def test_no_two_captured_steps_drop_alike(config, recipe, tmp_path):
    # the light head starts at zero, and hides what is dropped
    deep = replace(config, stochastic_depth=0.5, light_head=False)
    run = loop.Run(deep, recipe(), tmp_path)
    inputs = run._inputs(asked=False)
    with run.compute.refusing():
        run.compute = captured = Captured(run.compute, *inputs)
        found = []
        for seed in (0, 1, 2, 0):
            torch.manual_seed(seed)
            found.append(captured(*inputs)[0].item())
    assert len({*found}) == 3
    assert found[0] == found[3]
