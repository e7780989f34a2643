import json
import math
import re
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from glanet import GLANet, ModelConfig
from glanet.data.degradation import imresize, modcrop
from glanet.data.images import read_rgb
from glanet.errors import GlanetError
from glanet.evaluation.metrics import psnr_y
from glanet.inference import upscale, upscale_within
from glanet.training import NotFiniteError, Recipe, TrainError, checkpoint, loop, losses, train
from glanet.training.guards import enough_memory
from glanet.training.log import read_log
from glanet.training.state import new_state
from glanet.weights import WeightsError

# What a run leaves


def test_a_run_leaves_weights_card_log_and_checkpoints(config, recipe, photos, tmp_path):
    seen = []
    weights = train(config, recipe(), tmp_path / "run", watch=seen.append)
    log = read_log(tmp_path / "run" / "log.jsonl")
    assert log == seen
    assert [entry["step"] for entry in log] == [4, 8, 12]
    assert all(math.isfinite(entry["loss"]) and entry["loss"] > 0 for entry in log)
    assert all(entry["images_per_second"] > 0 and entry["memory_gb"] > 0 for entry in log)
    model = GLANet.from_pretrained(weights)
    hr = modcrop(read_rgb(photos[1] / "d.png"), 2)
    score = psnr_y(upscale(model, imresize(hr, 1 / 2)), hr, 2)
    assert score == log[-1]["psnr_y"]
    card = (weights / "README.md").read_text()
    assert f"{score:.2f} dB" in card
    assert "3 images" in card
    assert "- learning_rate: 0.001" in card
    assert (tmp_path / "run" / "checkpoints" / "best.safetensors").exists()


def test_training_lowers_the_loss(config, recipe, tmp_path):
    steep = recipe(steps=150, save_every=1000, validate_every=1000, learning_rate=5e-3)
    train(config, steep, tmp_path)
    log = read_log(tmp_path / "log.jsonl")
    assert log[-1]["loss"] < 0.8 * log[0]["loss"]


def test_the_average_of_the_weights_is_kept(config, recipe, tmp_path):
    short = recipe(steps=3, average=0.5, save_every=1)
    run = loop.Run(config, short, tmp_path, device="cpu")
    seen = []
    for _ in range(3):
        run.step()
        seen.append(run.state.model.trunk.conv.bias.detach().clone())
    expected = 0.25 * seen[0] + 0.25 * seen[1] + 0.5 * seen[2]
    assert torch.allclose(run.state.average.module.trunk.conv.bias, expected, atol=1e-7)
    assert not torch.equal(seen[0], seen[2])


def test_a_card_counts_files_instead_of_listing_many(config, recipe, photos, tmp_path):
    files = tuple(str(path) for path in sorted(photos[0].iterdir())) * 2
    weights = train(config, recipe(data=files, steps=1), tmp_path / "run")
    card = (weights / "README.md").read_text()
    assert "- data: 6 files" in card
    assert str(photos[0]) not in card


def test_a_step_is_adam_on_l1_at_the_scheduled_rate(config, recipe, tmp_path):
    plain = ModelConfig(**{**config.to_dict(), "stochastic_depth": 0.0})
    run = loop.Run(plain, recipe(warm_up=2), tmp_path, device="cpu")
    twin = GLANet(plain)
    twin.load_state_dict(run.state.model.state_dict())
    adam = torch.optim.Adam(twin.parameters(), 0.5e-3, (0.9, 0.999))
    lr, hr = run.store.batch(0, 0, 4)
    F.l1_loss(twin(lr), hr).backward()
    adam.step()
    run.step()
    for mine, theirs in zip(run.state.model.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-6)


def test_a_clipped_gradient_has_the_maximum_norm(config, recipe, tmp_path):
    run = loop.Run(config, recipe(gradient_clip=1e-3), tmp_path, device="cpu")
    _, norm, _ = run.step()
    clipped = torch.stack([p.grad.norm() for p in run.state.model.parameters()]).norm()
    assert norm > 1e-3
    assert clipped == pytest.approx(1e-3, rel=1e-3)


def test_init_at_another_scale_leaves_the_head_random(config, recipe, tmp_path):
    first = train(config, recipe(), tmp_path / "x2")
    target = ModelConfig(**{**config.to_dict(), "scale": 3})
    start = new_state(target, recipe(), torch.device("cpu"), first).model.state_dict()
    source = GLANet.from_pretrained(first).state_dict()
    fresh = {name for name, tensor in source.items() if not torch.equal(start[name], tensor)}
    assert fresh == {
        "reconstruct.to_image.0.weight",
        "reconstruct.to_image.0.bias",
    }


# Losses that are not finite


@pytest.fixture
def nan_at_step_5(monkeypatch):
    calls = []

    def loss(output, target):
        calls.append(1)
        return (output - target).abs().mean() * (math.nan if len(calls) == 6 else 1)

    monkeypatch.setattr(losses.F, "l1_loss", loss)


def test_a_loss_that_is_not_finite_stops_the_run(config, recipe, photos, tmp_path, nan_at_step_5):
    with pytest.raises(NotFiniteError) as error:
        train(config, recipe(), tmp_path / "run")
    message = str(error.value)
    path = tmp_path / "run" / "checkpoints" / "non-finite-00000005.safetensors"
    assert message.startswith("step 5: the loss is nan")
    assert str(path) in message
    assert path.exists()
    assert message.count(f"{photos[0]}") == 4
    assert message.count("LR rows") == 4
    train(config, recipe(), tmp_path / "run")  # and the run can resume


def test_a_step_that_is_not_finite_can_be_skipped(config, recipe, tmp_path, nan_at_step_5):
    weights = train(config, recipe(on_nan="skip"), tmp_path / "run")
    assert [entry["skipped"] for entry in read_log(tmp_path / "run" / "log.jsonl")] == [0, 1, 1]
    assert all(tensor.isfinite().all() for tensor in GLANet.from_pretrained(weights).parameters())


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError()])
def test_out_of_memory_says_what_to_change(config, recipe, tmp_path, monkeypatch, error):
    def full(sr, hr):
        raise error

    monkeypatch.setitem(losses.LOSSES, "l1", full)
    with pytest.raises(TrainError, match=r"4 patches of 8×8 pixels.*--accumulate 2 computes"):
        train(config, recipe(), tmp_path, device="cpu")


@pytest.mark.parametrize("where", ["gradient", "Captured"])
def test_out_of_memory_while_compiling_or_capturing_says_it_too(
    config, recipe, tmp_path, monkeypatch, where
):
    def full(*given):
        raise RuntimeError("CUDA error: out of memory")

    run = loop.Run(config, recipe(), tmp_path, device="cpu")
    monkeypatch.setattr(loop, "compile_repeated", lambda model: None)
    monkeypatch.setattr(*((run.compute, where) if where == "gradient" else (loop, where)), full)
    with pytest.raises(TrainError, match=r"4 patches of 8×8 pixels.*--accumulate 2 computes"):
        run._compile()


def test_a_capture_that_ran_out_of_memory_ends_with_another_error(recipe):
    says = pytest.raises(TrainError, match="out of memory with 4 patches")
    with says, enough_memory(recipe(), "cuda"):
        try:
            raise torch.OutOfMemoryError("CUDA out of memory")
        finally:  # as torch.cuda.graph does
            raise RuntimeError("operation failed due to a previous error during capture")


# What may be chosen


def test_a_validation_in_tiles_is_told(config, recipe, tmp_path, monkeypatch, capsys):
    train(config, recipe(steps=1), tmp_path / "whole", device="cpu")
    assert "tiles" not in capsys.readouterr().err
    short = partial(upscale_within, tile=68)
    monkeypatch.setattr(loop, "upscale_within", short)
    train(config, recipe(steps=1), tmp_path / "tiled", device="cpu")
    assert "in tiles, for lack of memory: 1 of 1 images" in capsys.readouterr().err


def test_a_batch_in_parts_has_the_gradient_of_the_whole(config, recipe, tmp_path):
    # stochastic depth draws for each part by itself; a light head starts at zero
    steady = replace(config, stochastic_depth=0.0, light_head=False)
    found = []
    for parts in (1, 2, 4):
        run = loop.Run(steady, recipe(accumulate=parts), tmp_path / str(parts), device="cpu")
        loss = run.compute.gradient(*run._batch())
        gradients = [p.grad for p in run.state.model.parameters()]
        found.append(torch.cat([loss.view(1), *(g.flatten() for g in gradients)]))
    assert found[0].abs().max() > 1e-3
    for other in found[1:]:
        assert (found[0] - other).abs().max() <= 1e-6


def test_a_run_may_go_on_in_more_parts(config, recipe, tmp_path):
    train(config, recipe(), tmp_path, device="cpu")
    run = loop.Run(config, recipe(accumulate=2), tmp_path, device="cpu")
    assert run.state.step == 12


@pytest.mark.parametrize("name", losses.LOSSES)
def test_every_loss_can_be_trained_with(config, recipe, tmp_path, name):
    weights = train(config, recipe(loss=name, steps=2), tmp_path, device="cpu")
    assert (
        checkpoint.read(tmp_path / "checkpoints" / "step-00000002.safetensors")["about"]["recipe"][
            "loss"
        ]
        == name
    )
    assert GLANet.from_pretrained(weights)


def test_losses_are_what_their_papers_say():
    sr, hr = torch.rand(2, 2, 3, 8, 8, dtype=torch.float64)
    difference = (sr - hr).numpy()
    assert losses.l1(sr, hr).item() == pytest.approx(np.abs(difference).mean())
    expected = np.sqrt(difference**2 + 1e-6).mean()
    assert losses.charbonnier(sr, hr).item() == pytest.approx(expected)
    waves = np.fft.rfft2(difference.astype(np.float32), norm="ortho")
    spectral = np.abs(np.stack([waves.real, waves.imag])).mean()
    expected = np.abs(difference).mean() + losses.SPECTRAL * spectral
    assert losses.l1_and_spectrum(sr, hr).item() == pytest.approx(expected, rel=1e-5)


OF_A_USER = """
import numpy as np

def squared(sr, hr):
    return (sr - hr).square().mean()

def every_second(rng, hr):
    return np.ascontiguousarray(hr[::2, ::2])

def too_large(rng, hr):
    return hr

def gray(rng, hr):
    return hr[::2, ::2, 0]

def a_list(rng, hr):
    return hr[::2, ::2].tolist()

def for_each_pixel(sr, hr):
    return (sr - hr).abs()

def a_number(sr, hr):
    return (sr - hr).abs().mean().item()

def detached(sr, hr):
    return (sr - hr).abs().mean().detach()
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A module of the user's in the working directory."""
    (tmp_path / "of_a_user.py").write_text(OF_A_USER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    yield "of_a_user"
    sys.modules.pop("of_a_user", None)


def test_a_users_loss_and_degradation_are_used(config, recipe, photos, tmp_path, mine):
    chosen = recipe(loss=f"{mine}:squared", degradation=f"{mine}:every_second")
    run = loop.Run(config, chosen, tmp_path / "run", device="cpu")
    lr, hr = run._batch()
    found = run.loss(hr.clone().requires_grad_(), 0 * hr)
    assert found.item() == pytest.approx(hr.square().mean().item())
    upright = run.store.plan(0, 0, 4).orientation == 0
    assert torch.equal(lr[upright], hr[upright][..., ::2, ::2])


def test_the_functions_in_the_documents_train(config, recipe, tmp_path, monkeypatch):
    text = (Path(loop.__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    of_a_user = (
        r"```python\n# mine.py in the working directory: glanet train --(\w+) (\S+)\n(.+?)```"
    )
    found = re.findall(of_a_user, text, re.DOTALL)
    assert [option for option, _, _ in found] == ["loss", "degradation"]
    monkeypatch.setattr(sys, "path", sys.path.copy())
    for option, name, code in found:
        folder = tmp_path / option
        folder.mkdir()
        (folder / "mine.py").write_text(code, encoding="utf-8")
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
        monkeypatch.delitem(sys.modules, "mine", raising=False)
        loss, _, _ = loop.Run(config, recipe(**{option: name}), "run", device="cpu").step()
        assert 0 < loss < 1


def test_a_degradation_that_keeps_the_size_is_rejected(config, recipe, tmp_path, mine):
    with pytest.raises(GlanetError, match=r"the degraded image is 44×36 pixels; expected 22×18"):
        loop.Run(config, recipe(degradation=f"{mine}:too_large"), tmp_path / "run", device="cpu")


@pytest.mark.parametrize(("name", "made"), [("gray", r"uint8 \(18, 22\)"), ("a_list", "list")])
def test_a_degradation_that_makes_no_image_is_rejected(config, recipe, tmp_path, mine, name, made):
    says = rf"the degradation made {made} of .*\.png; expected an array uint8 \(H, W, 3\)"
    with pytest.raises(GlanetError, match=says):
        loop.Run(config, recipe(degradation=f"{mine}:{name}"), tmp_path / "run", device="cpu")


@pytest.mark.parametrize(
    ("name", "returned"),
    [
        ("for_each_pixel", r"a tensor of shape \(4, 3, 16, 16\) with a gradient"),
        ("a_number", "float"),
        ("detached", r"a tensor of shape \(\) without a gradient"),
    ],
)
def test_a_loss_that_is_none_is_rejected(config, recipe, tmp_path, mine, name, returned):
    run = loop.Run(config, recipe(loss=f"{mine}:{name}"), tmp_path / "run", device="cpu")
    with pytest.raises(GlanetError, match=f"'{mine}:{name}', which returned {returned}; expected"):
        run.step()


@pytest.mark.parametrize("name", ["bicubic+noise", "photo"])
def test_degraded_images_are_the_same_in_every_run(config, recipe, tmp_path, name):
    runs = [
        loop.Run(config, recipe(degradation=chosen, seed=seed), tmp_path / str(i), device="cpu")
        for i, (chosen, seed) in enumerate([("bicubic", 0), (name, 0), (name, 0), (name, 1)])
    ]
    plain, one, two, other = (run.store.pixels for run in runs)
    assert np.array_equal(one, two)
    assert not np.array_equal(one, plain)
    assert not np.array_equal(one, other)


def test_given_lr_images_are_trained_on(config, recipe, photos, tmp_path):
    (tmp_path / "lr").mkdir()
    for hr in photos[0].iterdir():
        grey = np.full((18, 22, 3), 99, np.uint8)
        Image.fromarray(grey).save(tmp_path / "lr" / f"{hr.stem}x2.png")
    run = loop.Run(config, recipe(lr=str(tmp_path / "lr")), tmp_path / "run", device="cpu")
    lr, _ = run._batch()
    assert torch.equal(lr, torch.full_like(lr, 99 / 255))

    (tmp_path / "lr" / "bx2.png").unlink()
    with pytest.raises(TrainError, match=r"none for .*b\.png; expected one file b or bx2"):
        loop.Run(config, recipe(lr=str(tmp_path / "lr")), tmp_path / "other", device="cpu")
    Image.fromarray(grey[1:]).save(tmp_path / "lr" / "b.png")
    with pytest.raises(GlanetError, match=r"b\.png is 22×17 pixels; expected 22×18"):
        loop.Run(config, recipe(lr=str(tmp_path / "lr")), tmp_path / "third", device="cpu")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"loss": "l3"}, "loss is 'l3'; expected l1, charbonnier, l1\\+fft, or module:function"),
        ({"degradation": "blur"}, "degradation is 'blur'; expected bicubic, bicubic\\+blur"),
        ({"loss": "nowhere:to_be_found"}, "'nowhere:to_be_found', which cannot be imported"),
        ({"loss": "math:pi"}, "loss is 'math:pi', which is no function"),
        ({"lr": "x", "degradation": "bicubic+jpeg"}, "no degradation of LR images that are given"),
        ({"accumulate": 3}, "batch is 4, which 1 processes cannot share equally in 3 parts"),
    ],
)
def test_an_impossible_choice_is_rejected(config, recipe, tmp_path, settings, says):
    with pytest.raises(GlanetError, match=says):
        loop.Run(config, recipe(**settings), tmp_path, device="cpu")


# Invalid setups


def rejected(config, recipe, tmp_path, **options):
    def no_step(self, asked=False):
        raise AssertionError("a step was taken")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.Run, "step", no_step)
        with pytest.raises(GlanetError) as error:
            train(config, recipe, tmp_path / "run", **options)
    return str(error.value)


def test_invalid_setups_are_rejected_before_the_first_step(config, recipe, photos, tmp_path):
    (tmp_path / "empty").mkdir()
    cases = [
        ({"patch": 20}, "none of the 3 images"),
        ({"data": (str(tmp_path / "empty"),)}, "empty: no image in it"),
        ({"data": ("Set99",)}, "Set99: neither a data set"),
        ({"data": ("DIV2K",)}, "glanet data get DIV2K"),
        ({"validation": (str(photos[0] / "a.png"),)}, "a.png: among the validation images"),
    ]
    for overrides, says in cases:
        assert says in rejected(config, recipe(**overrides), tmp_path), overrides


def test_a_renamed_validation_image_is_found(config, recipe, photos, tmp_path):
    (photos[0] / "same.png").write_bytes((photos[1] / "d.png").read_bytes())
    message = rejected(config, recipe(), tmp_path)
    assert "d.png: among the validation images, and as" in message
    assert "same.png among the training images" in message


def test_a_batch_that_cannot_be_shared_is_rejected(config, recipe, tmp_path, monkeypatch):
    monkeypatch.setattr("accelerate.Accelerator.num_processes", property(lambda self: 3))
    assert "3 processes cannot share equally" in rejected(config, recipe(), tmp_path)


def test_init_with_another_config_is_rejected(config, recipe, tmp_path):
    message = rejected(config, recipe(), tmp_path, init="tiny-x2")
    assert "tiny-x2: channels is 32, and 8 in the model to train" in message
    with pytest.raises(WeightsError, match="tiny-x9: not a local folder"):
        train(config, recipe(), tmp_path / "run", init="tiny-x9")


def test_a_card_names_the_weights_of_the_start(config, recipe, tmp_path):
    first = train(config, recipe(), tmp_path / "first")
    second = train(config, recipe(), tmp_path / "second", init=str(first))
    assert f"started from {first}" in (second / "README.md").read_text()
    assert "started from" not in (first / "README.md").read_text()


def test_a_folder_of_another_run_is_rejected(config, recipe, photos, tmp_path):
    train(config, recipe(), tmp_path / "run")
    assert "recipe.batch was 4, and is now 2" in rejected(config, recipe(batch=2), tmp_path)
    other = ModelConfig(**{**config.to_dict(), "scale": 3})
    assert "config.scale was 2, and is now 3" in rejected(other, recipe(), tmp_path)
    (photos[0] / "b.png").unlink()
    assert "images was '3 images" in rejected(config, recipe(), tmp_path)


def test_images_smaller_than_a_patch_are_left_out(config, recipe, photos, tmp_path, capsys):
    from PIL import Image

    Image.new("RGB", (10, 10)).save(photos[0] / "small.png")
    weights = train(config, recipe(steps=1), tmp_path / "run")
    assert "3 images" in (said := capsys.readouterr().err)
    assert "1 left out, smaller than a patch" in said
    assert "(4 images), without 1 smaller than a patch;" in (weights / "README.md").read_text()


def test_bf16_is_rejected_where_the_device_lacks_it(config, recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "has_bf16", lambda cpu: False)
    assert "Choose float32" in rejected(config, recipe(precision="bf16"), tmp_path)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_the_precision_is_the_recipes(config, recipe, tmp_path, monkeypatch, precision):
    monkeypatch.setattr(loop, "has_bf16", lambda cpu: True)
    run = loop.Run(config, recipe(precision=precision), tmp_path, device="cpu")
    kinds = []
    run.state.model.trunk.register_forward_hook(lambda m, i, out: kinds.append(out.dtype))
    loss, norm, _ = run.step()
    assert kinds == [torch.float32 if precision == "float32" else torch.bfloat16]
    assert math.isfinite(loss)
    assert math.isfinite(norm)
    assert next(run.state.model.parameters()).dtype == torch.float32


# The recipe


def test_presets_are_the_papers_and_two_smaller_ones():
    paper = Recipe.preset("paper")
    assert (paper.steps, paper.batch, paper.patch, paper.learning_rate) == (500_000, 32, 48, 1e-4)
    assert (paper.betas, paper.average, paper.data) == ((0.9, 0.999), 0.999, ("DIV2K",))
    for name in ("tiny", "light"):
        assert Recipe.preset(name, steps=7).steps == 7
        assert "B100" not in Recipe.preset(name).data
    assert Recipe.from_dict(json.loads(json.dumps(paper.to_dict()))) == paper


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", 0),
        ("batch", 1.5),
        ("patch", "48"),
        ("learning_rate", 0),
        ("average", 1.0),
        ("schedule", "linear"),
        ("precision", "fp16"),
        ("on_nan", "hope"),
        ("milestones", (0.5, 0.4)),
        ("data", ()),
        ("seed", -1),
        ("colour", 1),
    ],
)
def test_an_impossible_recipe_names_the_field(field, value):
    with pytest.raises(ValueError, match=field):
        Recipe.preset("tiny", **{field: value})


@pytest.mark.parametrize("name", ["tiny", "light"])
def test_the_smoke_profile_of_each_preset_runs(name, recipe, tmp_path):
    own = recipe()
    smoke = Recipe.preset(name, data=own.data, validation=own.validation).smoke()
    weights = train(ModelConfig.preset(name), smoke, tmp_path / "run")
    assert GLANet.from_pretrained(weights).config == ModelConfig.preset(name)
