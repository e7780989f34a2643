"""The benchmarks claim no more than they measured."""

import importlib
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import tyro

from benchmarks import (
    ablation,
    curves,
    duplicates,
    frequency_lab,
    inference,
    ledger,
    photo_variants,
    profile_step,
    rivals,
    scaling,
    shapes,
    ship,
    short,
    spin,
    train_step,
    window_attention,
)
from glanet import ModelConfig, networks
from glanet.analysis.claims import CLAIMS, Division
from glanet.data import catalog
from glanet.data.degradation import imresize
from glanet.errors import ArgumentError
from glanet.networks import NETWORKS
from glanet.training import Recipe, loop
from glanet.training.folder import RunFolder
from glanet.weights import load


def test_hours_are_extrapolated_only_from_the_papers_patches():
    assert train_step.hours(72.0, train_step.Options()) == {"hours_for_500k_steps": 10.0}
    left_out = train_step.hours(72.0, train_step.Options(batch=16))
    assert left_out == {"hours_left_out": "measured at batch 16, the recipe has 32"}
    assert "patch 32, the recipe has 48" in str(
        train_step.hours(72.0, train_step.Options(patch=32))
    )


def test_the_ledger_has_no_hours_from_another_batch():
    paper, entries = Recipe.preset("paper"), list(ledger.RESULTS.glob("train-step-*.json"))
    assert entries
    for path in entries:
        entry = ledger.read(path.stem)
        measured = (entry["batch"], entry["patch"]) == (paper.batch, paper.patch)
        assert ("hours_for_500k_steps" in entry) == measured, path.name


def test_a_card_says_what_shipped_weights_were_at_the_start():
    entry = ledger.read("scores-light-x2")
    started = ship.start(ship.before("light-x2"))
    assert started == f"light-x2 as it was after {entry['steps']:,} steps"
    assert ship.start(ship.before("runs/mine/weights")) == "runs/mine/weights"
    assert ship.start(ship.before(None)) is None


@pytest.fixture
def results(tmp_path, monkeypatch):
    """An empty ledger."""
    monkeypatch.setattr(ledger, "RESULTS", tmp_path / "results")
    (tmp_path / "results").mkdir()
    return tmp_path / "results"


def test_the_rivals_have_as_many_parameters_as_gla_net():
    found = rivals.contestants()
    assert set(NETWORKS) - set(found) == {"swinir-light"}  # as SwinIR at this size
    for name, config in found.items():
        assert config.network == name
        assert networks.count_parameters(config) == pytest.approx(135_012, rel=0.03)


@pytest.mark.parametrize("failing", [None, "rcan"])
def test_every_rival_is_recorded_once_a_seed_before_the_next(results, monkeypatch, failing):
    asked = []

    def run(train, config, steps, seed, folder):
        assert (train, steps) == (rivals.train, 2)
        assert folder.name == f"{config['network']}-seed{seed}"
        asked.append((config["network"], seed))
        if config["network"] == failing:
            raise RuntimeError(f"{failing} fails")
        return {"psnr_y": {"Set5": {"bird": 30.0}}, "seconds_of_last_start": 1.0}

    monkeypatch.setattr(rivals, "found_by", run)
    options, names = rivals.Options(steps=2), list(rivals.contestants())
    if failing:
        with pytest.raises(SystemExit, match="rcan fails\nrcan fails"):
            rivals.train_all(options)
    else:
        rivals.train_all(options)
    assert asked == [(name, seed) for seed in (0, 1) for name in names]
    recorded = {path.stem for path in (results / "rivals").iterdir()}
    assert recorded == {f"{n}-seed{seed}" for n in names if n != failing for seed in (0, 1)}
    entry = ledger.read("rivals/san-seed1")
    assert (entry["network"], entry["seed"], entry["steps"]) == ("san", 1, 2)
    assert entry["value"] == {"Set5": {"bird": 30.0}}
    asked.clear()
    if not failing:
        rivals.train_all(options)
        assert asked == []


def test_a_short_run_is_measured_by_the_weights_that_it_leaves(tmp_path):
    quick = replace(short.recipe(2, seed=3), data=("photos",), validation=(), batch=2, patch=8)
    images = {"photos": catalog.hr_images("photos")[:1]}
    config = NETWORKS["rcan"].config.preset("tiny", 2, groups=1, blocks=1)
    short.train_and_measure(config, quick, tmp_path, images)
    found = json.loads((tmp_path / "scores.json").read_text())
    model = load(tmp_path / "weights")
    assert model.config == config
    measured = short.measure(model, images)
    assert {key: found[key] for key in measured} == measured
    assert [*measured] == ["psnr_y", "ssim_y"]


def test_what_a_run_found_is_not_measured_again(tmp_path):
    nothing = "not a config", 2, 0
    with pytest.raises(RuntimeError, match=r"benchmarks.rivals train .*: exit status 1\n"):
        short.found_by(rivals.train, *nothing, folder=tmp_path)
    (tmp_path / "scores.json").write_text('{"psnr_y": {}}')
    assert short.found_by(rivals.train, *nothing, folder=tmp_path) == {"psnr_y": {}}


def test_a_process_of_its_own_takes_and_returns_values_and_has_its_variables(tmp_path):
    (tmp_path / "trial.py").write_text(
        "import os\n"
        "from benchmarks import apart\n"
        "def asked(*values):\n"
        "    print('something else')\n"
        "    return [os.getpid(), os.environ.get('CASE'), *values]\n"
        "if __name__ == '__main__':\n"
        "    pid, *rest = apart.call(asked, 'ä', None, (1, 2.5), CASE='own')\n"
        "    assert pid != os.getpid() and 'CASE' not in os.environ\n"
        "    assert rest == ['own', 'ä', None, [1, 2.5]]\n"
    )
    path = os.pathsep.join(map(str, (ledger.ROOT, tmp_path)))
    environment = {**os.environ, "PYTHONPATH": path}
    subprocess.run([sys.executable, "-m", "trial"], env=environment, cwd=tmp_path, check=True)


@pytest.mark.parametrize("steps", [2, 600, 6000])
def test_a_short_recipe_is_tiny_with_as_long_a_memory(steps):
    preset, recipe = Recipe.preset("tiny"), short.recipe(steps, seed=1)
    assert recipe.average == pytest.approx(max(0, 1 - 6 / steps))  # 1/6 of the steps, as tiny's
    same = replace(recipe, steps=preset.steps, average=preset.average, seed=preset.seed)
    assert replace(same, precision="auto", save_every=250, validate_every=500) == preset


def test_a_run_of_the_ablation_is_recorded_with_its_hours_and_curve(results, tmp_path):
    options = ablation.Options(steps=2, folder=tmp_path)
    found = {"psnr_y": {"Set5": {"bird": 37.0}}, "seconds_of_last_start": 1.0}
    log = ablation.folder_of("without attention", 1, options) / "log.jsonl"
    log.parent.mkdir()
    log.write_text('{"step": 2, "seconds": 36.0, "psnr_y": 30.0}\n')
    ablation.record("without attention", 1, found, options)
    entry = ledger.read("ablation/without-attention-seed1")
    assert (entry["network"], entry["seed"]) == ("without attention", 1)
    assert entry["training_hours"] == 0.01
    assert entry["curve"] == {"images": "Set5", "points": [[0.01, 30.0]]}


def test_every_other_shape_of_light_is_aligned_and_at_most_a_tolerance_larger():
    today, *others = shapes.SHAPES.values()
    assert today == ModelConfig.preset("light", 2)
    for config in others:
        widths = config.channels, config.channels // config.heads, config.channels // 4
        assert all(width % 16 == 0 for width in widths)
        larger = networks.count_parameters(config) / networks.count_parameters(today) - 1
        assert larger <= ablation.TOLERANCE


def test_shapes_take_steps_for_the_same_minutes_and_each_run_is_recorded_once(results, monkeypatch):
    names = list(shapes.SHAPES)
    taken = {name: iter([100.0 * n, 400.0 * n, 200.0 * n]) for n, name in enumerate(names, 1)}
    timed, trained = [], []

    def time_one(milliseconds, name):
        assert milliseconds is shapes.milliseconds
        timed.append(name)
        return next(taken[name])

    def train_one(train, *asked, folder):
        trained.append(asked)
        return {"psnr_y": {"Set5": {"bird": 37.0}}, "seconds_of_last_start": 1.0}

    monkeypatch.setattr(shapes.apart, "call", time_one)
    monkeypatch.setattr(shapes, "found_by", train_one)
    monkeypatch.setattr(ledger, "commit", lambda root: "0" * 12)
    options = shapes.Options(minutes=1, seeds=(0, 1), rounds=3, folder=Path("nowhere"))
    shapes.main(options)
    assert timed == names * 3  # in turns
    steps = [300, 150, 100, 75]  # of the medians: 200, 400, 600 and 800 ms
    assert trained == [
        (name, its, seed) for seed in (0, 1) for name, its in zip(names, steps, strict=True)
    ]
    entry = ledger.read(f"shapes/{names[1]}-seed1")
    assert (entry["shape"], entry["steps"], entry["seed"]) == (names[1], 150, 1)
    assert entry["learning_rate"] == Recipe.preset("light").learning_rate
    shapes.main(options)
    assert (len(timed), len(trained)) == (12, 8)  # what is known is not done again


def test_the_ledger_keeps_the_hours_of_a_run_and_each_validation_once():
    log = [{"step": 50, "seconds": 36.0}, {"step": 100, "seconds": 72.0, "psnr_y": 30.0}]
    assert short.course(log[:1], ("Set5",)) == {"training_hours": 0.01}
    log += [{"step": 150, "seconds": 108.0, "psnr_y": 30.0}]  # as measured at step 100
    log += [{"step": 200, "seconds": 144.0, "psnr_y": 31.23456}]
    found = short.course(log, ("Set5",))
    assert found["training_hours"] == 0.04
    assert found["curve"] == {"images": "Set5", "points": [[0.02, 30.0], [0.04, 31.235]]}
    assert short.course([], ("Set5",)) == {}


@pytest.mark.parametrize("validations", [59, 60, 61, 1000])
def test_a_curve_is_thinned_and_keeps_its_ends(validations):
    log = [{"step": n, "seconds": 3600.0 * n, "psnr_y": float(n)} for n in range(validations)]
    points = short.course(log, ("Set5",))["curve"]["points"]
    assert min(validations, 30) <= len(points) <= short.MOST + 1
    assert (points[0], points[-1]) == ([0, 0], [validations - 1, validations - 1])


def test_the_speed_of_the_rivals_is_a_ratio_to_gla_net(results, monkeypatch):
    rounds = {"gla-net": [2.0, 4.0, 3.0], "rcan": [1.0, 1.5, 9.0]}
    taken = {name: iter(seconds) for name, seconds in rounds.items()}
    turns = []

    def timed(enlarge, name, preset, side):
        turns.append(name)
        return {"seconds": next(taken[name]), "memory": 10**9 if name == "rcan" else 4 * 10**9}

    monkeypatch.setattr(rivals, "NETWORKS", {name: NETWORKS[name] for name in rounds})
    monkeypatch.setattr(rivals.apart, "call", timed)
    rivals.measure_speed(rivals.Options())
    assert turns == ["gla-net", "rcan"] * 3
    value = ledger.read("rivals-speed")["value"]
    assert value["gla-net"] == {"seconds": 1, "memory": 1}
    assert value["rcan"] == {"seconds": 0.5, "memory": 0.25}  # of the medians, of the peaks


def test_a_rival_is_timed_and_what_was_held_before_does_not_count(monkeypatch):
    held = iter([500, 1200])
    monkeypatch.setattr(rivals, "peak_memory", lambda device: next(held))
    monkeypatch.setattr(rivals, "TIMED", 0.0)
    found = rivals.enlarge("rcan", "tiny", 16)
    assert found["seconds"] > 0
    assert found["memory"] == 700


def test_all_that_is_timed_gives_the_same_image():
    torch.manual_seed(0)
    model = networks.build(ModelConfig(channels=24, blocks=1, layers=2)).eval()
    lr = torch.rand(1, 3, 16, 24)
    with torch.no_grad():
        for name, run in inference.contestants(model, torch.device("cpu")).items():
            atol = 2e-2 if "bf16" in name else 1e-5
            torch.testing.assert_close(run(lr), model(lr), rtol=0, atol=atol)


def test_the_speed_of_inference_is_a_ratio_of_medians(results, monkeypatch):
    monkeypatch.setattr(inference, "matrix_rate", lambda device, dtype: 1e9)
    options = inference.Options(presets=("tiny",), side=8, rounds=1, device="cpu")
    found = inference.measure("tiny", options, torch.device("cpu"))
    taken = {inference.PLAIN: 4.0, inference.PREPARED: 2.0, inference.AUTHORS: 6.0}
    found.update({name: [seconds, seconds, 99.0] for name, seconds in taken.items()})
    inference.report("tiny", found, options, torch.device("cpu"))
    entry = ledger.read("inference-tiny-cpu")
    assert entry["value"][inference.PREPARED] == 2
    assert entry["value"]["prepared to authors"] == 3
    assert entry["matrix_rates_gflops"]["torch.float32"] == 1
    share = entry["gigaflop"] / 2
    assert entry["share_of_matrix_rate"][inference.PREPARED] == pytest.approx(share, abs=0.06)


def test_the_slope_is_the_exponent():
    found = [{"side": side, "memory": 3 * side**3} for side in (64, 128, 256)]
    assert scaling.slope(found, "memory") == 1.5
    assert scaling.slope(found[:1], "memory") is None


def test_scaling_is_measured_whole_and_in_tiles(results):
    options = scaling.Options(sides=(64, 96), tile=80)
    tiles = {scaling.WHOLE: None, scaling.TILED: options.tile}
    found = {way: [scaling.measure(options.weights, 96, tile, 0)] for way, tile in tiles.items()}
    assert all(result["seconds"] > 0 for (result,) in found.values())
    scaling.record(found, options)
    assert set(ledger.read("scaling")["value"]) == {
        f"{quantity}, {way}" for quantity in ("seconds", "memory") for way in ("whole", "tiled")
    }


def test_spinning_is_compared_alone_and_beside_other_programs(results, monkeypatch):
    beside = []

    @contextmanager
    def loops(count):
        beside.append(count)
        yield
        beside.append(0)

    def measured(measure, weights, side, GOMP_SPINCOUNT):
        spins = int(GOMP_SPINCOUNT)
        return dict.fromkeys(spin.WORKS, 6.0 if beside[-1] and spins == spin.RUNTIMES else 2.0)

    monkeypatch.setattr(spin, "loops", loops)
    monkeypatch.setattr(spin.apart, "call", measured)
    spin.main(spin.Options(rounds=1))
    assert ledger.read("spin")["value"] == {
        "alone": dict.fromkeys(spin.WORKS, 1.0),
        "beside loops": dict.fromkeys(spin.WORKS, 3.0),
    }
    assert max(beside) == torch.get_num_threads()


def test_other_programs_run_until_the_measurement_ends(monkeypatch):
    started, start = [], subprocess.Popen

    def watched(command, **options):
        started.append(start(command, **options))
        return started[-1]

    monkeypatch.setattr(spin.subprocess, "Popen", watched)
    with spin.loops(2):
        assert [program.poll() for program in started] == [None, None]
    assert all(program.poll() is not None for program in started)


def test_the_works_of_spinning_run(monkeypatch):
    monkeypatch.setattr(spin, "LEAST", 0.0)
    found = spin.measure("tiny-x2", 24)
    assert set(found) == set(spin.WORKS)
    assert all(ms > 0 for ms in found.values())


# Curves


def test_the_pictures_are_those_of_the_ledger():
    for name, (_, alt) in curves.pictures().items():
        found = curves.described(curves.FOLDER / f"{name}.png")
        assert found == alt, "run: python -m benchmarks.curves"


def test_our_networks_and_the_published_ones_share_a_plane():
    points = {name: rest for name, *rest in curves.plane_points(2)}
    assert points["tiny-x2"][:2] == [None, ledger.read("scores-tiny-x2")["parameters"]]
    assert points["GLA-Net"] == ["DIV2K", 18_142_847, {"Set5": 38.37, "B100": 32.48}]
    assert points["VDSR"][:2] == ["291", 666_000]
    assert not {"bicubic", "LapSRN", "tiny-x4"} & set(points)
    counts = [count for _, count, _ in points.values()]
    assert counts == sorted(counts)
    panels = curves.plane(curves.plane_points(2), 2).axes
    for axes in panels:
        assert {text.get_text() for text in axes.texts} == set(points)
        bold = {text.get_text() for text in axes.texts if text.get_fontweight() == "bold"}
        assert bold == {"tiny-x2", "light-x2"}  # which a print in grey shows too


@pytest.mark.parametrize("highest", [10, 2.2])
def test_names_keep_their_order_and_distance(highest):
    moved = curves.spread([1.0, 1.05, 1.1, 2.0, 2.0], 0.3, highest)
    assert (np.diff(moved) > 0.3 - 1e-9).all()
    assert moved[-1] <= highest + 1e-9
    if highest == 10:
        assert moved.mean() == pytest.approx(1.43)


def test_hours_of_earlier_stages_count(results):
    about = {"unit": "", "training_hours": 0.74, "init": None}
    ledger.record("scores-tiny-x2", {}, **about)
    assert curves.earlier_hours(None) == 0
    assert curves.earlier_hours("runs/tiny-x2/weights") == 0.74
    assert curves.earlier_hours("somewhere/else/weights") == 0
    stages = {"weights": "light-x2", "training_hours": 0.12, "init": {"training_hours": 1.74}}
    assert curves.earlier_hours(stages) == pytest.approx(1.86)


def test_a_run_is_drawn_from_its_curve_to_its_score(results):
    for seed, more in enumerate(({}, {"training_hours": 0.5})):
        ledger.record(f"ablation/a-seed{seed}", {"Set5": {"x": 36.0, "y": 38.0}}, "", **more)
    (curve,) = curves.run_curves()  # the other has no hours
    assert (curve.name, curve.points) == ("a-seed1", [(0.5, 37.0)])
    points = [[0.1, 30.0], [0.4, 36.5]]
    for images, drawn in (("Set5", points), ("photos", [])):
        more = {"training_hours": 0.5, "curve": {"images": images, "points": points}}
        ledger.record("rivals/b-seed0", {"Set5": {"x": 37.0}}, "", **more)
        found = curves.run_curves()[-1].points
        assert found == [*map(tuple, drawn), (0.5, 37.0)]
    figure = curves.hours(curves.run_curves())
    assert [len(axes.lines) for axes in figure.axes] == [4]  # one panel, of ×2
    assert "and 2 short runs" in curves.hours_alt(curves.run_curves())


# Weights for photographs


def test_weights_for_photographs_that_are_absent_are_explained(monkeypatch):
    options = photo_variants.Options(photo="tiny-x9-photo")
    with pytest.raises(SystemExit, match=r"tiny-x9-photo.*\n.*--degradation photo") as stopped:
        photo_variants.main(options)
    assert "--photo runs/tiny-x2-photo/weights" in str(stopped.value)


def test_both_variants_are_measured_and_shown_on_the_same_photographs(
    results, tmp_path, monkeypatch
):
    monkeypatch.setattr(photo_variants, "PICTURE", tmp_path / "photo-variants.png")
    monkeypatch.setattr(photo_variants, "upscale", lambda model, lr: imresize(lr, 2))
    asked = []

    def measure(model, sets, degradation):
        asked.append((sets, degradation))
        return {"B100": (30.0 + len(asked) / 10, 0.9)}

    monkeypatch.setattr(photo_variants, "measure", measure)
    load("tiny-x2").save_pretrained(tmp_path / "mine-photo")
    assert photo_variants.markdown() == "Such weights are not shipped yet."
    photo_variants.main(photo_variants.Options(photo=str(tmp_path / "mine-photo")))
    assert asked == 2 * [(("B100",), name) for name in ("bicubic", "bicubic+jpeg70", "photo")]
    value = ledger.read("photo-variants")["value"]
    assert value["tiny-x2"]["bicubic+jpeg70"] == 30.2
    assert value["mine-photo"]["bicubic+jpeg70"] == 30.5
    text = photo_variants.markdown()
    assert "| `mine-photo` | 30.40 | 30.50 | 30.60 |" in text
    assert "![Details of rocket, coffee, chelsea, enlarged by" in text
    figure = photo_variants.picture({"a": load("tiny-x2"), "b": load("tiny-x2")})
    shapes = {axes.images[0].get_array().shape for axes in figure.axes}
    assert (len(figure.axes), shapes) == (9, {(128, 128, 3)})


def test_the_advice_follows_from_the_gains():
    gains = {"clean": -0.4, "JPEG of quality 70": 0.85}
    assert photo_variants.advice("a", "b", gains) == (
        "`b` is better on images that are: JPEG of quality 70 (0.85 dB). "
        "`a` is better on images that are: clean (0.40 dB)."
    )
    assert "`b`" not in photo_variants.advice("a", "b", {"clean": -0.4})


def test_weights_for_photographs_stand_in_no_table_of_clean_scores(results, monkeypatch):
    names = ["tiny-x2", "tiny-x2-photo", "rcan-tiny-x2"]
    monkeypatch.setattr(curves, "shipped_names", lambda: names)
    ledger.record("scores-tiny-x2", {}, "", degradation="bicubic")
    ledger.record("scores-tiny-x2-photo", {}, "", degradation="photo")
    assert [*curves.shipped()] == ["tiny-x2"]


def test_weights_for_photographs_are_shipped_with_their_score_on_jpeg(monkeypatch, tmp_path):
    def measure(model, sets=("Set5", "Set14", "B100"), degradation="bicubic"):
        return {name: (len(degradation), 0.9) for name in sets}

    monkeypatch.setattr(ship, "measure", measure)
    clean = {"Set5": (7, 0.9), "Set14": (7, 0.9), "B100": (7, 0.9)}
    files = RunFolder(tmp_path)
    assert ship.measured(None, files, "bicubic") == clean
    assert ship.measured(None, files, "photo") == {**clean, "B100 by bicubic+jpeg70": (14, 0.9)}


def test_what_a_run_was_measured_on_is_not_measured_again_to_ship_it(monkeypatch, tmp_path):
    monkeypatch.setattr(ship, "measure", lambda model: "anew")
    scores = {"Set5": 5, "Set14": 14, "B100": 100}
    found = {
        key: {of: {f"{i}": best - i % 2 for i in range(count)} for of, count in scores.items()}
        for key, best in (("psnr_y", 31.0), ("ssim_y", 1.0))
    }
    (tmp_path / short.SCORES).write_text(json.dumps(found))
    files = RunFolder(tmp_path)
    assert ship.measured(None, files, "bicubic") == {
        "Set5": (pytest.approx(30.6), pytest.approx(0.6)),
        "Set14": (30.5, 0.5),
        "B100": (30.5, 0.5),
    }
    for key, of in (("psnr_y", "B100"), ("ssim_y", "Set5")):  # an image less
        less = {**found, key: {**found[key], of: dict([*found[key][of].items()][1:])}}
        (tmp_path / short.SCORES).write_text(json.dumps(less))
        assert ship.measured(None, files, "bicubic") == "anew"


def test_shipped_weights_are_those_of_the_run_and_have_a_card(monkeypatch, tmp_path):
    monkeypatch.setattr(ship, "SHIPPED", tmp_path / "shipped")
    files = RunFolder(tmp_path / "run")
    files.weights.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (files.weights / name).write_text(name)
    ship.ship("mine", files, "# mine")
    found = {file.name: file.read_text() for file in (tmp_path / "shipped" / "mine").iterdir()}
    assert found == {
        "config.json": "config.json",
        "model.safetensors": "model.safetensors",
        "README.md": "# mine",
    }


# The frequency lab


def division(photographs, tilt=0.0):
    """A `Division` of networks of two layers, around that ``tilt``."""

    def values(*keys, layers=(2,)):
        rng = np.random.default_rng(0)
        return {key: tilt + rng.normal(size=(photographs, *layers)) / 9 for key in keys}

    tools, bands = ("attention", "Inception"), ("below 1/8", "1/8 to 1/4", "above 1/4")
    return Division(
        values(*tools), values(*tools), values(*tools), values(*bands), values(*bands, layers=())
    )


def test_a_network_that_was_measured_is_not_measured_again(tmp_path):
    three, four = torch.zeros(3, 3, 32, 32), torch.zeros(4, 3, 32, 32)
    first = frequency_lab.divided(tmp_path, "tiny", lambda images: division(len(images)), three)
    again = frequency_lab.divided(tmp_path, "tiny", None, three)
    more = frequency_lab.divided(tmp_path, "tiny", lambda images: division(len(images)), four)
    assert more.image["above 1/4"].shape == (4,)  # of other photographs, it is
    for found in (first, again):
        assert list(found.ratio) == ["below 1/8", "1/8 to 1/4", "above 1/4"]
        np.testing.assert_array_equal(found.tilt["Inception"], division(3).tilt["Inception"])
        np.testing.assert_array_equal(found.image["above 1/4"], division(3).image["above 1/4"])


def test_a_measurement_that_is_killed_leaves_nothing_to_be_read(tmp_path, monkeypatch):
    def killed(path, **arrays):
        Path(path).write_bytes(b"half")
        raise KeyboardInterrupt

    images = torch.zeros(3, 3, 32, 32)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(np, "savez", killed)
        frequency_lab.kept(tmp_path, "tiny", lambda images: {"a": 1.0}, images)
    assert frequency_lab.kept(tmp_path, "tiny", lambda images: {"a": 2.0}, images) == {"a": 2.0}


@pytest.fixture
def asked(monkeypatch):
    """Nothing is measured: of how many photographs it was asked for."""
    asked = []

    def measure(model, images):
        asked.append(len(images))
        return division(len(images))

    monkeypatch.setattr(frequency_lab, "measure", measure)
    return asked


PHOTOS = {str(number): np.zeros((32, 32, 3), np.uint8) for number in range(5)}


def tinies(*names):
    return {name: networks.build(ModelConfig.preset("tiny")) for name in names}


def test_the_lab_counts_the_finished_networks_of_each_seed(results, tmp_path, asked):
    models, photos = tinies("tiny-x2", "gla-net-seed3"), PHOTOS
    options = frequency_lab.Options(folder=tmp_path, networks=3, compared=2)
    frequency_lab.record_claims(models, photos, options)
    entry = ledger.read("frequency-lab")
    assert [*entry["networks"]] == [*models]
    for claim in CLAIMS:
        assert sum(entry["value"][claim.name].values()) == len(models)
    assert sorted(asked) == [2] * 5 + [5] * 2  # 3 untrained of one shape, 2 even, 2 trained
    asked.clear()
    frequency_lab.record_claims(models, photos, options)
    assert not asked


def test_networks_that_are_not_at_hand_any_more_stay_in_the_ledger(results, tmp_path, asked):
    options = frequency_lab.Options(folder=tmp_path, networks=3, compared=2)
    frequency_lab.record_claims(tinies("tiny-x2", "gla-net-seed0"), PHOTOS, options)
    before = ledger.read("frequency-lab")["networks"]
    more = replace(options, compared=4)
    frequency_lab.record_claims(tinies("tiny-x2", "gla-net-seed3"), PHOTOS, more)
    entry = ledger.read("frequency-lab")
    compared = {name: found["compared"] for name, found in entry["networks"].items()}
    assert compared == {"tiny-x2": 4, "gla-net-seed0": 2, "gla-net-seed3": 4}
    assert entry["networks"]["gla-net-seed0"] == before["gla-net-seed0"]
    assert sum(entry["value"]["fusion"].values()) == 3


def test_networks_of_another_design_are_not_mixed(results, tmp_path, asked):
    options = frequency_lab.Options(folder=tmp_path, networks=3, compared=2)
    frequency_lab.record_claims(tinies("tiny-x2"), PHOTOS, options)
    asked.clear()
    with pytest.raises(ArgumentError, match=r"frequency-lab\.json: untrained is 3, and now 4"):
        frequency_lab.record_claims(tinies("tiny-x2"), PHOTOS, replace(options, networks=4))
    assert not asked  # nothing is measured in vain


def growth(seeds, by=1.0):
    return {"seeds": seeds, "growth": [[by] * 3] * 3}


def test_causes_of_networks_that_are_not_at_hand_stay_in_the_ledger(results, tmp_path, monkeypatch):
    answer, places = iter(range(100)), ("attention, input", "3, output")
    monkeypatch.setattr(
        frequency_lab, "noise_of", lambda *_: dict.fromkeys(places, float(next(answer)))
    )
    monkeypatch.setattr(frequency_lab, "linear_of", lambda *_: {"linear part": [1.0, 0.5, 0.0]})
    options = frequency_lab.Options(folder=tmp_path, networks=3)
    models = tinies("tiny-x2", "gla-net-seed0")
    models["light-x2"] = networks.build(ModelConfig.preset("light"))
    frequency_lab.record_causes({"attention, cut": growth(2)}, models, PHOTOS, options)
    first = ledger.read("frequency-lab-causes")
    del models["gla-net-seed0"]
    found = {"attention, cut": growth(1, by=2.0), "Inception, cut": growth(1)}
    frequency_lab.record_causes(found, models, PHOTOS, options)
    entry = ledger.read("frequency-lab-causes")
    for what in ("noise", "linear", "networks"):
        assert entry[what]["gla-net-seed0"] == first[what]["gla-net-seed0"]
    assert entry["noise"]["tiny-x2"] != first["noise"]["tiny-x2"]  # measured again
    assert entry["value"]["lesion and retrained"] == {
        "attention, cut": growth(2),  # of more seeds
        "Inception, cut": growth(1),
    }
    for preset in ("tiny", "light"):  # untrained networks are not
        null = entry["noise"][f"untrained {preset}"]
        assert null == first["noise"][f"untrained {preset}"]
        assert [*null] == [*places]
    assert entry["noise"]["untrained tiny"] != entry["noise"]["untrained light"]


def test_only_finished_runs_are_seeds(tmp_path):
    for name in ("gla-net-seed2", "gla-net-seed3", "swinir-seed2"):
        load("tiny-x2").save_pretrained(tmp_path / name / "weights")
        if name != "gla-net-seed3":  # validated, but not finished
            (tmp_path / name / "scores.json").write_text("{}")
    assert [*frequency_lab.seeds(tmp_path, "gla-net")] == ["gla-net-seed2"]


def test_what_the_linear_part_and_even_weights_explain_has_every_band():
    photos = {
        str(seed): np.random.default_rng(seed).integers(0, 256, (96, 96, 3), np.uint8)
        for seed in (0, 1)
    }
    found = frequency_lab.linear_of(load("tiny-x2"), photos)
    assert [*found] == [
        "bilinear base",
        "linear part",
        "without attention",
        "without Inception",
        "even weights",
    ]
    assert all(len(shares) == 3 and max(shares) <= 1 for shares in found.values())
    assert found["linear part"][0] > found["bilinear base"][0] > 0.5


# On a GPU


SCRIPT = ledger.ROOT / "benchmarks" / "gpu.sh"
FIRST = "benchmarks.train_step"


def test_the_gpu_script_runs_commands_that_exist_and_none_stops_the_others(tmp_path):
    python = tmp_path / "python"  # notes what it is asked to run, and fails at one
    python.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\nexec test "$2" != {FIRST}\n')
    python.chmod(0o755)
    run = subprocess.run(
        ["bash", SCRIPT, tmp_path],
        env={**os.environ, "PYTHON": str(python)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1
    assert f"failed: {python} -m {FIRST} --presets paper" in run.stderr
    _, *asked = (tmp_path / "asked").read_text().splitlines()
    names = [line.split()[1] for line in asked]
    assert names[0] == FIRST
    assert names[-1] == "benchmarks.readme"
    inferences = []
    for name, line in zip(names, asked, strict=True):
        arguments = line.split()[2:]
        if name == "pytest":
            assert arguments[-3:] == ["-m", "cuda", "tests"]
            continue
        module = importlib.import_module(name)
        assert callable(module.main)
        if arguments:
            options = tyro.cli(module.Options, args=arguments)
        if name == "benchmarks.inference":
            inferences.append((options.presets, options.scale, *inference.size(options)))
    both = ("paper", "light")
    assert inferences == [(both, 2, 128, 128), (both, 4, 180, 320)]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to measure")
def test_without_a_gpu_nothing_is_measured():
    environment = {**os.environ, "PYTHON": sys.executable}
    run = subprocess.run(["bash", SCRIPT], env=environment, capture_output=True, text=True)
    assert run.returncode == 2
    assert "no CUDA device, so nothing was measured" in run.stderr
    with pytest.raises(SystemExit) as ended:
        window_attention.main(window_attention.Options())
    assert ended.value.code == 2


def test_an_earlier_version_is_measured_by_its_own_benchmark(tmp_path):
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "train_step.py").write_text(
        "import json, sys\nprint(json.dumps(json.loads(sys.argv[1])))\n"
    )
    options = train_step.Options(batch=3, earlier=str(tmp_path))
    with train_step.checked_out(options.earlier) as earlier:
        path, preset, known = train_step.in_its_own_process("earlier", "tiny", options, earlier)
    assert (path, preset, known["batch"]) == ("ours", "tiny", 3)
    assert not {"earlier", "layers"} & set(known)
    with train_step.checked_out(None) as earlier:
        assert earlier is None


@pytest.mark.parametrize("benchmark", [train_step, profile_step])
def test_what_was_measured_before_a_failure_is_recorded(results, monkeypatch, tmp_path, benchmark):
    def measured(*given):
        if (given[0] if benchmark is train_step else given[2].name) == "earlier":
            raise subprocess.CalledProcessError(1, "an old version")
        if benchmark is profile_step:
            return [{"name": "a kernel", "ms": 2.0, "launches": 1.0}]
        return {"ms": 2.0, "memory": 1e9, "precision": "torch.float32"}

    (tmp_path / "earlier").mkdir()
    monkeypatch.setattr(train_step, "matrix_rate", lambda device, dtype: 1e9)
    monkeypatch.setattr(benchmark, "in_its_own_process", measured)
    options = {"presets": ("tiny",), "device": "cpu", "earlier": str(tmp_path / "earlier")}
    with pytest.raises(subprocess.CalledProcessError):
        benchmark.main(benchmark.Options(**options))
    (entry,) = map(json.loads, map(Path.read_text, results.glob("*.json")))
    assert entry["earlier"] is None
    assert set(entry["value"]) == ({"now"} if benchmark is profile_step else {"speed", "memory"})


def test_ratios_over_an_earlier_version_are_of_ours():
    ms, memory = {"plain": 4, "ours": 2, "earlier": 3}, {"plain": 4, "ours": 1, "earlier": 2}
    found = train_step.over_earlier(ms, memory)
    assert found == {"speed_over_earlier": 1.5, "memory_over_earlier": 0.5}
    assert train_step.over_earlier({"plain": 4, "ours": 2}, memory) == {}


def test_ways_to_compute_layers_are_told_apart(results, monkeypatch):
    monkeypatch.setattr(train_step, "matrix_rate", lambda device, dtype: 1e9)
    seen = []

    def steps(preset, options, device, folder):
        seen.append((loop.JOINED_ON, torch._inductor.config.force_shape_pad))
        return lambda: None, "torch.float32"

    with monkeypatch.context() as patch:
        patch.setattr(train_step, "our_steps", steps)
        patch.setattr(
            train_step,
            "in_its_own_process",
            lambda way, preset, options, earlier: train_step.measure(way, preset, options),
        )
        patch.setattr(loop, "JOINED_ON", loop.JOINED_ON)
        with torch._inductor.config.patch(force_shape_pad=False):
            train_step.main(train_step.Options(layers=True, rounds=1, steps=1, device="cpu"))
    assert seen == [(("cuda",), False), ((), False), ((), True)]
    assert set(ledger.read("layers-light-cpu")["value"]) == {
        "ours",
        "as written",
        "as written, force_shape_pad",
    }


def test_a_profile_has_the_slowest_first():
    quick = {"data": ("photos",), "batch": 1, "patch": 8, "steps": 1, "device": "cpu"}
    found = profile_step.kernels_of("tiny", **quick)
    times = [kernel["ms"] for kernel in found]
    assert times == sorted(times, reverse=True)
    assert times[-1] >= 0
    assert any("conv" in kernel["name"] for kernel in found)


def test_both_ways_of_window_attention_are_the_same():
    options = window_attention.Options(heads=2, window=4, batch=1, patch=8)
    functions, layer, qkv = window_attention.ways(6, 2, options, "cpu", torch.float32)
    one, other = (functions[way](layer, qkv) for way in window_attention.WAYS)
    torch.testing.assert_close(one, other)


def test_most_points_fit_the_transform_that_moved_them():
    rng = np.random.default_rng(0)
    points, elsewhere = rng.uniform(0, 300, (2, 40, 2))
    turned = 0.6 * points @ [[0.0, 1.0], [-1.0, 0.0]] + (20, -5)
    partners = np.where(np.arange(40)[:, None] < 25, turned, elsewhere)
    assert 25 <= duplicates.most_that_fit(points, partners) <= 26
    assert duplicates.most_that_fit(points, elsewhere) < duplicates.ALIKE
    assert duplicates.most_that_fit(points[:2], points[:2] * 10) == 0  # a zoom beyond reason


def test_a_crop_made_smaller_and_a_mirrored_image_are_near_duplicates():
    chelsea, coffee = (
        duplicates.grey(path)
        for path in catalog.hr_images("photos")
        if path.stem in ("chelsea", "coffee")
    )
    known = {"chelsea": duplicates.features(chelsea), "coffee": duplicates.features(coffee)}
    crop = duplicates.rescale(chelsea[30:250, 60:380], 0.6, anti_aliasing=True)
    for seen in (crop, chelsea[::-1, ::-1]):
        assert [key for key, _ in duplicates.alike(duplicates.features(seen), known)] == ["chelsea"]
    mirrored = duplicates.features(chelsea[:, ::-1])
    assert [key for key, _ in duplicates.alike(mirrored, {"coffee": known["coffee"]})] == []
    flipped = {"chelsea": duplicates.features(chelsea[:, ::-1])}
    assert [key for key, _ in duplicates.alike(mirrored, known, flipped)] == ["chelsea"]
