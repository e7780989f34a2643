"""The memory of a step is counted before it runs, and checkpointing changes no gradient."""

from dataclasses import replace

import pytest
import torch

from benchmarks import ledger
from glanet import GLANet, ModelConfig, networks
from glanet.data.images import find_images, image_size
from glanet.data.patches import decoded_bytes
from glanet.device import Alive
from glanet.fast import fast_layers
from glanet.model.attention import WindowAttention, attend
from glanet.networks import NETWORKS
from glanet.training import Recipe, checkpoint, loop, memory, train
from glanet.training.folder import RunFolder
from glanet.training.log import read_notes


def plain(model):
    """A model that computes attention step by step, as a plain script does."""
    for module in model.modules():
        if isinstance(module, WindowAttention):
            module.attend = attend
    return model


def test_what_is_counted_is_what_a_gpu_took(monkeypatch):
    monkeypatch.setattr(memory, "_as_on_gpu", plain)
    entry = ledger.read("train-step-light-cuda")
    config = ModelConfig.preset("light", entry["scale"], stochastic_depth=0.0)
    recipe = Recipe.preset("light", batch=entry["batch"], patch=entry["patch"])
    found = memory.step_bytes(config, recipe, bf16=False) / 1e9
    assert found == pytest.approx(entry["peak_memory_gb"]["plain"], rel=memory.SPARE)


def test_what_is_counted_is_what_lives(config, monkeypatch):
    monkeypatch.setattr(memory, "_as_on_gpu", plain)
    recipe = Recipe.preset("tiny", batch=3, patch=16)
    model = plain(GLANet(config)).train()
    lr, hr = torch.rand(3, 3, 16, 16), torch.rand(3, 3, 32, 32)
    with Alive() as alive:
        (model(lr) - hr).abs().mean().backward()
    kept = (memory.KEPT_VALUES - 1) * 4 * networks.count_parameters(config)
    real = alive.most + kept + lr.nbytes + hr.nbytes
    assert memory.step_bytes(config, recipe, bf16=False) == pytest.approx(real, rel=0.02)


def test_memory_grows_with_the_part_of_a_batch_that_a_gpu_holds(config):
    def counted(batch, accumulate=1, processes=1):
        recipe = Recipe.preset("tiny", batch=batch, accumulate=accumulate)
        return memory.step_bytes(config, recipe, processes=processes)

    four, eight, twelve = counted(4), counted(8), counted(12)
    assert twelve - eight == pytest.approx(eight - four, rel=1e-3)
    assert counted(16, accumulate=2) == counted(16, processes=2) == eight
    assert counted(16, accumulate=2, processes=2) == four


def test_bf16_needs_less(config):
    recipe = Recipe.preset("tiny", batch=8)
    assert memory.step_bytes(config, recipe) < 0.9 * memory.step_bytes(config, recipe, bf16=False)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_memory_of_every_network_is_counted(name):
    config = NETWORKS[name].config.preset("tiny")
    recipe = Recipe.preset("tiny", batch=2, patch=16)
    found = memory.step_bytes(config, recipe)
    assert found > 24 * networks.count_parameters(config)
    assert memory.step_bytes(config, replace(recipe, checkpointing=True)) < found


@pytest.mark.parametrize("room", [0, -1])
def test_images_stay_on_a_gpu_if_the_step_still_fits(
    config, recipe, photos, tmp_path, monkeypatch, room
):
    step = memory.needed_for_step(config, recipe(), 0).needed
    images = decoded_bytes(map(image_size, find_images(photos[0])), config.scale)
    need = memory.needed_for_step(config, recipe(), step + images + room)
    monkeypatch.setattr(loop.Run, "_memory_of_step", lambda run: need)  # as on a GPU
    monkeypatch.setenv("GLANET_DATA", str(tmp_path / "data"))
    run = loop.Run(config, recipe(), tmp_path / "run", device="cpu")
    assert run.store.mapped is (room < 0)


def test_the_log_says_before_the_first_step_what_it_needs(config, recipe, tmp_path, monkeypatch):
    monkeypatch.setenv("GLANET_DATA", str(tmp_path / "data"))
    for free in (10**12, 1000):
        need = memory.needed_for_step(config, recipe(), free)
        monkeypatch.setattr(loop.Run, "_memory_of_step", lambda run, need=need: need)
        run = loop.Run(config, recipe(), tmp_path / str(free), device="cpu")
        note = read_notes(run.files.log)[1]["note"]
        assert "GPU memory, for a step: " in note
        assert ("--accumulate 2" in note) is need.lacking is (free == 1000)


def test_on_a_cpu_half_of_the_memory_is_left_to_the_model(config, recipe, tmp_path):
    assert loop.Run(config, recipe(), tmp_path, device="cpu")._memory_of_step() is None


@pytest.mark.parametrize("joined", [False, True])
def test_checkpointing_changes_no_bit(config, recipe, tmp_path, monkeypatch, joined):
    monkeypatch.setattr(loop, "JOINED_ON", ("cpu",) if joined else ())
    found = []
    for again in (False, True):
        awake = replace(config, light_head=False)  # a light head starts at zero
        run = loop.Run(awake, recipe(checkpointing=again), tmp_path / str(again), device="cpu")
        outcomes = [run.step() for _ in range(2)]
        gradients = [p.grad for p in run.state.model.parameters()]
        found.append((outcomes, gradients, [*checkpoint._tensors(run.state).values()]))
    (outcomes, *tensors), (others, *other_tensors) = found
    assert outcomes == others
    for mine, theirs in zip(tensors, other_tensors, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))
    assert all(gradient.any() for gradient in tensors[0])


def test_a_run_may_go_on_with_checkpointing(config, recipe, tmp_path):
    train(config, recipe(), tmp_path, device="cpu")
    run = loop.Run(config, recipe(checkpointing=True), tmp_path, device="cpu")
    assert run.state.step == 12
    saved = checkpoint.read(RunFolder(tmp_path).saved()[-1])
    assert not saved["about"]["recipe"]["checkpointing"]
    note = checkpoint.load(RunFolder(tmp_path).saved()[-1], run.state, run.about)
    assert "recipe.checkpointing False → True" in note
    assert "reproduces" not in note


def test_checkpointed_layers_compile_whole(config):
    graphs = []

    def count(graph, inputs):
        graphs.append(graph)
        return graph.forward

    torch.compiler.reset()
    model = fast_layers(GLANet(replace(config, light_head=False, stochastic_depth=0.0)))
    twin = GLANet(replace(config, light_head=False, stochastic_depth=0.0))
    twin.load_state_dict(model.state_dict())
    memory.recompute_layers(model)
    for layer in model.repeated():
        layer.compile(backend=count, fullgraph=True)
    image = torch.rand(2, 3, 16, 16)
    for one in (model, twin):
        one(image).square().sum().backward()
    assert len(graphs) == 2
    for mine, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-4, atol=1e-4)
