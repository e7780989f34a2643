"""The commands, run as a user runs them: what they print, write and reject."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import fields, replace
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from glanet import GLANet, cli
from glanet.data import degradations
from glanet.data.catalog import DataError
from glanet.data.degradation import imresize, modcrop
from glanet.device import choose_device
from glanet.evaluation.metrics import psnr_y
from glanet.inference import upscale
from glanet.networks import NETWORKS
from glanet.rivals.rcan import RCANConfig
from glanet.training.guards import STOP_SIGNALS
from glanet.training.recipe import Recipe
from glanet.weights import load
from glanet.weights.pretrained import empty_model

REPOSITORY = Path(__file__).parents[1]


def tiny():
    """The weights that the commands take, on the device that they choose."""
    return GLANet.from_pretrained("tiny-x2").to(choose_device())


@pytest.fixture
def glanet(monkeypatch, capsys):
    """Run a command line; returns what it printed, or raises SystemExit with its message."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["glanet", *map(str, arguments)])
        cli.main()
        return capsys.readouterr().out

    return run


@pytest.fixture
def rejects(glanet, capsys):
    """Run a command line that must fail; returns the message on the error stream."""

    def run(*arguments):
        with pytest.raises(SystemExit) as error:
            glanet(*arguments)
        if error.value.code == 2:
            return capsys.readouterr().err.removesuffix("\n")
        assert isinstance(error.value.code, str)
        return error.value.code

    return run


@pytest.fixture
def no_work(monkeypatch):
    """From now on, running a network fails."""
    monkeypatch.setattr("glanet.model.GLANet.forward", None)


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(skimage.data.rocket()[330:394, 540:620]).save(path)
    return path


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A data root whose Set5 is five small images."""
    folder = tmp_path / "data" / "benchmark" / "Set5" / "HR"
    folder.mkdir(parents=True)
    for number, name in enumerate(("baby", "bird", "butterfly", "head", "woman")):
        crop = skimage.data.astronaut()[20 * number : 20 * number + 41, 200:232]
        Image.fromarray(crop).save(folder / f"{name}.png")
    monkeypatch.setenv("GLANET_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def read(path):
    return np.asarray(Image.open(path))


# upscale


def test_a_photograph_is_enlarged_as_in_python(glanet, photo, tmp_path):
    larger = tmp_path / "larger.png"
    said = glanet("upscale", photo, "-o", larger, "--scale", 2, "--weights", "tiny-x2")
    expected = upscale(tiny(), read(photo))
    assert np.array_equal(read(larger), expected)
    assert "larger.png: 160 × 128 pixels in" in said
    assert "tiles" not in said


def test_tiles_and_self_ensemble_are_used_when_asked_for(glanet, photo, tmp_path):
    options = {"tile": 72, "ensemble": True}
    glanet("upscale", photo, "-o", tmp_path / "larger.png", "--tile", 72, "--ensemble")
    expected = upscale(tiny(), read(photo), **options)
    assert np.array_equal(read(tmp_path / "larger.png"), expected)


def test_the_engine_runs_the_network(glanet, photo, tmp_path, monkeypatch):
    def without_mean(model):  # another model, which shows in the result
        model.mean.zero_()
        return model

    monkeypatch.setattr(cli, "OnOpenVINO", without_mean)
    glanet("upscale", photo, "-o", tmp_path / "larger.png", "--engine", "openvino")
    expected = upscale(without_mean(GLANet.from_pretrained("tiny-x2")), read(photo))
    assert np.array_equal(read(tmp_path / "larger.png"), expected)
    assert not np.array_equal(expected, upscale(tiny(), read(photo)))


def test_a_photograph_too_large_for_memory_is_enlarged_in_tiles(
    glanet, photo, tmp_path, monkeypatch
):
    module = import_module("glanet.inference.upscale")  # which the function's name hides
    monkeypatch.setattr(module, "free_memory", lambda device: 1)
    said = glanet("upscale", photo, "-o", tmp_path / "larger.png")
    assert said.strip().endswith("in tiles of 72")
    assert read(tmp_path / "larger.png").shape == (128, 160, 3)


def test_opacity_and_profile_survive(glanet, photo, tmp_path):
    alpha = np.zeros((64, 80), np.uint8)
    alpha[:, 40:] = 255
    profile = b"a profile"
    Image.fromarray(np.dstack([read(photo), alpha])).save(photo, icc_profile=profile)
    glanet("upscale", photo, "-o", tmp_path / "larger.png")
    larger = Image.open(tmp_path / "larger.png")
    assert larger.mode == "RGBA"
    assert larger.info["icc_profile"] == profile
    opacity = np.asarray(larger)[..., 3]
    assert (opacity[:, :70] == 0).all()
    assert (opacity[:, 90:] == 255).all()


def test_an_invalid_upscale_is_rejected_before_any_work_and_writes_nothing(
    rejects, photo, tmp_path, no_work
):
    out = ("-o", tmp_path / "larger.png")
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "folder.png").mkdir()
    rejections = [
        ((), "nothing to enlarge; expected image files"),
        ((tmp_path / "nothing.png", *out), f"glanet: {tmp_path / 'nothing.png'}: no such file. "),
        ((tmp_path / "notes.txt", *out), "notes.txt: not an image"),
        ((photo, "-o", photo), "photo.png: the source itself. Give the result another name."),
        ((photo, "-o", tmp_path / "larger.gif"), "larger.gif: .gif cannot be written. Use .avif"),
        ((photo, *out, "--weights", "tiny-x2", "--scale", 4), "tiny-x2: trained for ×2"),
        ((photo, *out, "--scale", 9), "glanet: --scale is 9; expected 1 to 8, such as"),
        ((photo, *out, "--scale", "twice"), "glanet: --scale is twice; expected 1 to 8, such as"),
        ((photo, *out, "--scale", "nan"), "glanet: --scale is nan; expected 1 to 8, such as"),
        ((photo, *out, "--quality", 0), "glanet: --quality is 0; expected 1 to 100."),
        ((photo, *out, "--quality", "high"), "glanet: --quality is high; expected 1 to 100."),
        ((photo, *out, "--format", "gif"), "glanet: --format is gif; expected same, avif, bmp,"),
        ((photo, *out, "--tile", 70), "tile is 70; expected a multiple of 8"),
        ((photo, *out, "--tile", 0), "tile is 0; expected a multiple of 8"),
        ((photo, *out, "--tile", "big"), "glanet: --tile is big; expected a number of LR pixels"),
        ((photo, *out, "--device", "toaster"), "device 'toaster' is not available"),
        ((photo, *out, "--device", "meta"), "device 'meta' is not available"),
        (
            (photo, *out, "--engine", "openvino", "--device", "cuda"),
            "--engine openvino computes on the CPU; found --device cuda",
        ),
    ]
    before = sorted(path.name for path in tmp_path.iterdir())
    for arguments, says in rejections:
        assert says in rejects("upscale", *arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_transparency_and_jpeg_do_not_go_together(rejects, photo, tmp_path):
    Image.fromarray(read(photo)).convert("LA").save(photo)
    larger = tmp_path / "larger.jpg"
    assert "cannot hold the transparency" in rejects("upscale", photo, "-o", larger)


def test_a_folder_is_enlarged_once_and_one_bad_file_does_not_stop_the_rest(
    glanet, rejects, photo, tmp_path, capsys
):
    (tmp_path / "deep").mkdir()
    shutil.copy(photo, tmp_path / "deep" / "b.png")
    (tmp_path / "c.png").write_text("no image")
    rejected = rejects("upscale", tmp_path)
    assert "3 files: 2 enlarged, 0 skipped, 1 failed\n" in rejected
    assert "c.png: not an image" in rejected
    assert read(tmp_path / "photo-x2.png").shape == (128, 160, 3)
    assert read(tmp_path / "deep" / "b-x2.png").shape == (128, 160, 3)
    (tmp_path / "c.png").unlink()
    capsys.readouterr()
    assert glanet("upscale", tmp_path).splitlines() == [
        f"{tmp_path / 'photo-x2.png'}: skipped, exists; --overwrite replaces it",
        f"{tmp_path / 'deep' / 'b-x2.png'}: skipped, exists; --overwrite replaces it",
        "2 files: 0 enlarged, 2 skipped, 0 failed; 2 left out as results of others",
    ]


def test_the_report_is_json(glanet, photo, tmp_path):
    report = json.loads(glanet("upscale", photo, "-o", tmp_path / "out", "--json"))
    (file,) = report["files"]
    assert (report["done"], report["failed"], report["scale"]) == (1, 0, 2)
    assert (file["width"], file["height"], file["state"]) == (160, 128, "done")
    assert file["target"] == str(tmp_path / "out" / "photo.png")


def test_a_failure_is_in_the_report_and_in_the_exit_status(rejects, photo, tmp_path, capsys):
    photo.write_bytes(photo.read_bytes()[:2000])
    assert "photo.png: damaged or cut short" in rejects("upscale", photo, "--json")
    assert json.loads(capsys.readouterr().out)["files"][0]["state"] == "failed"


@pytest.mark.parametrize(
    ("scale", "size", "note"),
    [(1.5, (96, 120), "×2 and resized to ×1.5"), (3.5, (224, 280), "×4 and")],
)
def test_a_scale_between_is_reached_by_a_network_and_bicubic(
    glanet, photo, tmp_path, scale, size, note
):
    said = glanet("upscale", photo, "--scale", scale)
    assert read(tmp_path / f"photo-x{scale}.png").shape[:2] == size
    assert f"enlarged {note}" in said


def test_the_format_and_its_quality_are_chosen(glanet, photo, tmp_path):
    glanet("upscale", photo, "--format", "jpg", "--quality", 10)
    small = (tmp_path / "photo-x2.jpg").stat().st_size
    assert "PNG is lossless and has no quality to choose" in glanet(
        "upscale", photo, "--quality", "10", "--output", tmp_path / "x.png"
    )
    glanet("upscale", photo, "--format", "jpg", "--overwrite")
    assert Image.open(tmp_path / "photo-x2.jpg").format == "JPEG"
    assert (tmp_path / "photo-x2.jpg").stat().st_size > 2 * small


@pytest.mark.parametrize("name", ["JPEG", ".jpeg", "tif"])
def test_a_format_has_all_its_usual_names(glanet, photo, tmp_path, name):
    glanet("upscale", photo, "--format", name)
    made = tmp_path / f"photo-x2.{name.lower().removeprefix('.')}"
    assert Image.open(made).format == {"tif": "TIFF"}.get(name, "JPEG")


@pytest.mark.parametrize("scale", ["2X", "×2"])
def test_a_scale_may_be_written_as_one_says_it(glanet, photo, tmp_path, scale):
    glanet("upscale", photo, "--scale", scale)
    assert read(tmp_path / "photo-x2.png").shape == (128, 160, 3)


def test_a_full_disk_keeps_the_old_pictures(rejects, tmp_path, fill_disk):
    names = ["a.bmp", "b.jpg", "c.png", "d.tif", "e.webp"]
    noise = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    for folder in ("new", "old"):
        (tmp_path / folder).mkdir()
        for name in names:
            Image.fromarray(noise if folder == "new" else noise[:2]).save(tmp_path / folder / name)
    old = tmp_path / "old"
    before = {name: (old / name).read_bytes() for name in names}
    fill_disk(3000)
    said = rejects("upscale", tmp_path / "new", "-o", old, "--overwrite").splitlines()
    assert said[0] == "glanet: 5 files: 0 enlarged, 0 skipped, 5 failed"
    for name, line in zip(names, said[1:], strict=True):
        assert f"{name}: cannot be written (File too large). Make room, or choose" in line
    assert {path.name: path.read_bytes() for path in old.iterdir()} == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_sigterm_ends_as_ctrl_c_does(rejects, photo, monkeypatch):
    def terminated(*_, **__):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

    monkeypatch.setattr("glanet.inference.photo.upscale_within", terminated)
    before = signal.getsignal(signal.SIGTERM)
    assert rejects("upscale", photo) == (
        "glanet: stopped; 0 enlarged. The same command does the rest."
    )
    assert signal.getsignal(signal.SIGTERM) == before


# compare


def test_two_images_are_compared_in_a_picture_or_a_page(glanet, rejects, photo, tmp_path):
    said = glanet("compare", photo, photo, "-o", tmp_path / "x.png")
    assert "PSNR inf dB on Y; SSIM 1.0000" in said
    assert read(tmp_path / "x.png").shape[2] == 3
    glanet("compare", photo, photo, "-o", tmp_path / "x.html")
    assert "photo.png" in (tmp_path / "x.html").read_text()
    photo = photo.rename(tmp_path / "new\nline.png")
    said = glanet("compare", photo, photo, "-o", tmp_path / "y\n.png").splitlines()
    assert said[0].startswith("new\\nline.png: 80 × 64 pixels; new\\nline.png: 80 ×")
    assert said[1:] == [str(tmp_path / "y\\n.png")]
    assert "x.png: exists. Choose" in rejects("compare", photo, photo, "-o", tmp_path / "x.png")
    assert ".gif cannot be written" in rejects("compare", photo, photo, "-o", tmp_path / "x.gif")


# evaluate


def test_evaluate_gives_the_table_and_the_scores_of_every_image(glanet, root, tmp_path):
    said = glanet(
        "evaluate", "--sets", "Set5", "--published", "--json-file", tmp_path / "scores.json"
    )
    document = json.loads((tmp_path / "scores.json").read_text())
    hr = modcrop(read(root / "benchmark/Set5/HR/bird.png"), 2)
    sr = upscale(tiny(), imresize(hr, 1 / 2))
    bird = next(image for image in document["images"] if image["image"] == "bird")
    assert bird["psnr_y"] == psnr_y(sr, hr, 2)
    assert len(document["images"]) == 5
    mean = np.mean([image["psnr_y"] for image in document["images"]])
    assert document["means"]["Set5"]["psnr_y"] == pytest.approx(mean)
    assert document["scale"] == 2
    assert f"{mean:.2f} / " in said
    assert "GLA-Net (published)" in said
    assert "tiles" not in said


def test_the_table_reports_tiles_given_or_chosen_for_lack_of_memory(glanet, root, monkeypatch):
    assert "In tiles** of 72 LR pixels: 5 of 5" in glanet(
        "evaluate", "--sets", "Set5", "--tile", 72
    )
    module = import_module("glanet.inference.upscale")  # which the function's name hides
    monkeypatch.setattr(module, "free_memory", lambda device: 1)
    assert "In tiles** of 72 LR pixels: 5 of 5" in glanet("evaluate", "--sets", "Set5")


def test_another_methods_images_are_scored(glanet, rejects, root, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for path in (root / "benchmark/Set5/HR").iterdir():
        Image.fromarray(modcrop(read(path), 2) // 2).save(theirs / f"{path.stem}x2.png")
    said = glanet("evaluate", "--images", theirs, "--scale", 2, "--sets", "Set5")
    assert f"| {theirs} | measured here" in said
    assert "Protocol" not in said  # nobody knows how they were made
    assert "--images needs --scale" in rejects("evaluate", "--images", theirs, "--sets", "Set5")
    (theirs / "birdx2.png").unlink()
    rejected = rejects("evaluate", "--images", theirs, "--scale", 2, "--sets", "Set5")
    assert "for bird.png there is none" in rejected


def test_the_authors_protocol_cuts_images_as_their_tests_did(glanet, root, tmp_path):
    empty_model(RCANConfig.preset("tiny")).save_pretrained(tmp_path / "rcan")
    arguments = ("evaluate", "--sets", "Set5", "--weights", tmp_path / "rcan")
    file = tmp_path / "scores.json"
    said = glanet(*arguments, "--protocol", "authors", "--json-file", file)
    document = json.loads(file.read_text())
    hr = modcrop(read(root / "benchmark/Set5/HR/bird.png"), 2)
    model = load(tmp_path / "rcan").to(choose_device())
    sr = upscale(model, imresize(hr, 1 / 2), cut_at=160_000)
    bird = next(image for image in document["images"] if image["image"] == "bird")
    assert (bird["psnr_y"], bird["cut_at"]) == (psnr_y(sr, hr, 2), 160_000)
    for text in (said, document["protocol"]):
        assert "Protocol authors: " in text
        assert "160,000 LR pixels" in text
    whole = glanet(*arguments, "--json-file", file)
    document = json.loads(file.read_text())
    assert "Protocol whole: " in whole
    assert "Protocol whole: " in document["protocol"]
    assert {image["cut_at"] for image in document["images"]} == {None}


def test_the_authors_protocol_is_rejected_where_it_does_not_apply(rejects, root, tmp_path, no_work):
    protocol = ("evaluate", "--sets", "Set5", "--protocol", "authors")
    assert "the authors of GLA-Net measured whole images. Leave" in rejects(*protocol)
    said = rejects(*protocol, "--images", tmp_path, "--scale", 2)
    assert "--protocol authors is for networks" in said
    empty_model(RCANConfig.preset("tiny")).save_pretrained(tmp_path)
    assert "both cut the image" in rejects(*protocol, "--weights", tmp_path, "--tile", 72)


def test_another_degradation_makes_the_lr_images_and_is_named(glanet, root, tmp_path):
    file = tmp_path / "scores.json"
    arguments = ("evaluate", "--sets", "Set5", "--json-file", file)
    said = glanet(*arguments, "--degradation", "bicubic+jpeg70")
    document = json.loads(file.read_text())
    hr = modcrop(read(root / "benchmark/Set5/HR/bird.png"), 2)
    lr = degradations.find("bicubic+jpeg70", 2)(np.random.default_rng(0), hr)
    bird = next(image for image in document["images"] if image["image"] == "bird")
    assert bird["psnr_y"] == psnr_y(upscale(tiny(), lr), hr, 2)
    for text in (said, document["protocol"]):
        assert "LR images by bicubic+jpeg70: not comparable with published scores." in text
    assert "LR images by" not in glanet(*arguments)


def test_a_degradation_is_rejected_where_it_does_not_apply(rejects, root, tmp_path, no_work):
    jpeg = ("evaluate", "--sets", "Set5", "--degradation", "bicubic+jpeg70")
    assert "--published scores are of LR images by bicubic" in rejects(*jpeg, "--published")
    said = rejects(*jpeg, "--images", tmp_path, "--scale", 2)
    assert "bicubic+jpeg70 is for LR images that are made here, and --images" in said
    said = rejects(*jpeg[:-1], "rain")
    assert "degradation is 'rain'; expected bicubic, bicubic+blur" in said


def test_identical_images_score_null_in_the_json_file(glanet, root, tmp_path):
    (tmp_path / "theirs").mkdir()
    for path in (root / "benchmark/Set5/HR").iterdir():
        Image.fromarray(modcrop(read(path), 2)).save(tmp_path / "theirs" / path.name)
    glanet(
        *("evaluate", "--images", tmp_path / "theirs", "--scale", 2, "--sets", "Set5"),
        *("--json-file", tmp_path / "scores.json"),
    )
    document = json.loads((tmp_path / "scores.json").read_text(), parse_constant=pytest.fail)
    assert [image["psnr_y"] for image in document["images"]] == [None] * 5
    assert document["means"]["Set5"] == {"psnr_y": None, "ssim_y": 1}
    assert "null: the PSNR is infinite" in document["protocol"]


def test_no_progress_bar_is_written_into_a_pipe(root, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["glanet", "evaluate", "--sets", "Set5"])
    cli.main()
    assert "\r" not in capsys.readouterr().err


def test_the_folder_of_the_json_file_is_made(glanet, root, tmp_path):
    file = tmp_path / "new" / "folder" / "scores.json"
    glanet("evaluate", "--sets", "Set5", "--json-file", file)
    assert json.loads(file.read_text())["scale"] == 2


def test_an_invalid_evaluation_is_rejected_before_any_work(rejects, root, tmp_path, no_work):
    assert "--sets is empty; expected sets of" in rejects("evaluate", "--sets")
    (tmp_path / "file").touch()
    for target, says in {
        tmp_path / "file" / "scores.json": "scores.json: cannot be written (",
        tmp_path: f"{tmp_path}: a folder; expected a file",
    }.items():
        assert says in rejects("evaluate", "--sets", "Set5", "--json-file", target)
    assert "no such data set. There are photos" in rejects("evaluate", "--sets", "Set6")
    assert "Run `glanet data get Set14`" in rejects("evaluate", "--sets", "Set5", "Set14")
    assert "trained for ×2" in rejects("evaluate", "--sets", "Set5", "--scale", 3)


# train


@pytest.fixture
def trained(monkeypatch):
    """What `glanet train` passes on: filled with (config, recipe, folder), options."""
    calls = []

    def train(*given, **options):
        calls.append(given)
        return Path("weights")

    monkeypatch.setattr("glanet.training.train", train)
    return calls


def test_every_field_of_the_recipe_is_an_option(glanet, trained):
    values = {"data": ("a", "b"), "validation": (), "betas": (0.8, 0.9), "milestones": (0.5, 0.6)}
    values |= {"schedule": "halving", "precision": "float32", "on_nan": "skip"}
    values |= {"checkpointing": True}
    values |= {"lr": "", "degradation": "bicubic+jpeg", "loss": "l1+fft"}
    values |= {"learning_rate": 0.5, "gradient_clip": 0.25, "average": 0.75}
    values |= {field.name: 7 for field in fields(Recipe) if field.name not in values}
    arguments = []
    for name, value in values.items():
        arguments.append(f"--{name.replace('_', '-')}")
        arguments += value if isinstance(value, tuple) else [value]
    glanet("train", *arguments)
    assert trained[0][1] == Recipe(**values)


def test_an_option_that_is_left_out_has_the_presets_value(glanet, trained):
    glanet("train", "--preset", "light", "--steps", 5)
    glanet("train", "--preset", "paper", "--scale", 3, "--smoke")
    glanet("train", "--smoke", "--batch", 3)
    assert trained[0][1] == Recipe.preset("light", steps=5)
    assert trained[1][1] == Recipe.preset("paper").smoke()
    assert trained[2][1] == replace(Recipe.preset("tiny").smoke(), batch=3)


def test_the_help_of_train_explains_every_option(glanet, capsys):
    with pytest.raises(SystemExit):
        glanet("train", "--help")
    shown = capsys.readouterr().out
    for field in fields(Recipe):
        assert f"--{field.name.replace('_', '-')} " in shown
        assert field.metadata["help"][:25] in shown
    assert "None" not in shown


def test_a_run_is_named_after_its_network_preset_and_scale(glanet, trained):
    glanet("train")
    glanet("train", "--network", "rcan", "--preset", "paper", "--scale", 4)
    glanet("train", "--network", "rcan", "--out", "mine")
    glanet("train", "--network", "rcan", "--smoke")
    assert [folder for *_, folder in trained] == [
        Path("runs/tiny-x2"),
        Path("runs/rcan-paper-x4"),
        Path("mine"),
        Path("runs/rcan-tiny-x2-smoke"),
    ]
    assert trained[1][0] == RCANConfig.preset("paper", 4)


def test_a_stopped_run_exits_3(glanet, monkeypatch):
    monkeypatch.setattr("glanet.training.train", lambda *given, **options: None)
    with pytest.raises(SystemExit) as error:
        glanet("train")
    assert error.value.code == 3


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_run_that_is_stopped_before_its_first_step_exits_3(glanet, monkeypatch, capsys, number):
    def start(*given, **options):
        signal.raise_signal(number)
        pytest.fail("it went on")

    before = signal.getsignal(number)
    monkeypatch.setattr("glanet.training.train", start)
    with pytest.raises(SystemExit) as error:
        glanet("train", "--out", "mine")
    assert error.value.code == 3
    assert "mine: stopped; the same command starts or resumes it" in capsys.readouterr().err
    assert signal.getsignal(number) is before


def test_an_invalid_training_is_rejected(rejects, trained):
    for options, says in [
        (("--network", "rcan", "--preset", "light"), "'light'; expected one of tiny, paper"),
        (("--seed", 10**23), f"seed is {10**23}; expected 0 or more, below 2**63"),
        (("--data",), "data is empty; expected a set, folder or file"),
    ]:
        assert says in rejects("train", *options)
    assert not trained


def test_a_rival_is_trained_and_its_weights_are_used(glanet, root, photo, tmp_path):
    (tmp_path / "training").mkdir()
    Image.fromarray(skimage.data.coffee()[:64, :80]).save(tmp_path / "training" / "coffee.png")
    out = tmp_path / "run"
    said = glanet(
        *("train", "--network", "rcan", "--preset", "tiny", "--smoke", "--device", "cpu"),
        *("--data", tmp_path / "training", "--validation", "Set5", "--out", out),
    )
    weights = out / "weights"
    assert f"glanet evaluate --weights {weights}" in said
    assert load(weights).config == RCANConfig.preset("tiny")
    assert str(weights) in glanet("evaluate", "--weights", weights, "--sets", "Set5")
    glanet("upscale", photo, "-o", tmp_path / "larger.png", "--weights", weights)
    assert read(tmp_path / "larger.png").shape == (128, 160, 3)


# data, doctor, progress, networks


def test_data_sets_are_listed_described_fetched_and_verified(glanet, rejects, root):
    assert f"data root: {root}" in glanet("data", "list")
    told = glanet("data", "list", "Set5", "Manga109")
    assert "Bevilacqua" in told
    assert "Matsui" in told
    assert str(root / "benchmark/Set5/HR") in glanet("data", "get", "Set5")
    assert "T91 cannot be downloaded" in rejects("data", "get", "T91")
    assert "Set5: complete" in glanet("data", "verify", "Set5")


def test_a_damaged_set_fails_its_verification(glanet, root, capsys):
    (root / "benchmark/Set5/HR/bird.png").write_bytes(b"no image")
    with pytest.raises(SystemExit) as error:
        glanet("data", "verify", "Set5")
    assert error.value.code == 1
    assert "bird.png cannot be read as an image" in capsys.readouterr().out


def test_the_doctor_and_the_progress_report(glanet):
    assert "tiny-x2" in glanet("doctor")
    assert "exercises of the course are solved" in glanet("progress")


def test_the_networks_are_listed(glanet):
    rows = {line.split()[0]: line for line in glanet("networks").splitlines() if line}
    assert {*NETWORKS} <= {*rows}
    for part in ("RCAN", "Zhang et al., ECCV 2018", "15,444,667", "15,629,307", "15,592,379"):
        assert part in rows["rcan"]
    for part in ("0–255", "tiny, paper", "github.com/yulunzhang/RCAN"):
        assert part in rows["rcan"]
    assert " 0–1 " in rows["gla-net"]


def test_the_operations_of_the_networks_are_listed_on_request(glanet, monkeypatch):
    two = {name: NETWORKS[name] for name in ("swinir-light", "rnan")}
    monkeypatch.setattr("glanet.networks.NETWORKS", two)
    rows = {line.split()[0]: line for line in glanet("networks", "--flops").splitlines() if line}
    assert " 8.6 " in rows["swinir-light"]
    assert " 58.4 " in rows["rnan"]
    assert "GFLOP" not in glanet("networks")


# errors


def fails_with(error, monkeypatch, function="glanet.data.catalog.table"):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(function, fail)


def test_an_error_on_purpose_is_one_line(rejects, monkeypatch):
    fails_with(DataError("the disk is full"), monkeypatch)
    assert rejects("data", "list") == "glanet: the disk is full"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            "upscale --nope x.png",
            "upscale does not know --nope. `glanet upscale --help` lists all.",
        ),
        ("upscale x.png -q 3", "upscale does not know -q. `glanet upscale --help` lists all."),
        (
            "upscale x.png --overwrit",
            "upscale does not know --overwrit. Did you mean --overwrite? `glanet upscale --help` "
            "lists all.",
        ),
        ("train fast", "train does not know fast. `glanet train --help` lists all."),
        ("evaluate --scale 2x", "--scale is 2x; expected 2, 3 or 4."),
        ("train --scale=2x", "--scale is 2x; expected 2, 3 or 4."),
        ("data get Set5 --scale 7", "--scale is 7; expected 1, 2, 3 or 4."),
        ("upscale x.png --alpha none", "--alpha is none; expected bicubic or network."),
        ("upscale x.png --scale 9", "--scale is 9; expected 1 to 8, such as 2 or 1.5."),
        ("train --steps many", "--steps is many; expected INT: number of steps (§3)."),
        ("train --steps", "Missing value for argument '--steps'. Expected 1 values. For full"),
        (
            "compare a.png",
            "Missing from glanet compare: B image file (required). For full helptext",
        ),
        ("upscal x.png", "there is no command upscal; expected compare, data, doctor, evaluate,"),
        ("data", "Expected one of {list, get, verify}. For full helptext, run glanet --help."),
    ],
)
def test_an_invalid_command_line_is_one_line_and_exits_2(glanet, capsys, line, says):
    with pytest.raises(SystemExit) as error:
        glanet(*line.split())
    assert error.value.code == 2
    found = capsys.readouterr()
    assert found.err.startswith(f"glanet: {says}")
    assert (found.out, found.err.count("\n")) == ("", 1)


def test_an_invalid_command_line_is_one_line_of_plain_text_on_a_terminal(
    rejects, monkeypatch, capsys
):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    assert rejects("evaluate", "--scale", "2x") == "glanet: --scale is 2x; expected 2, 3 or 4."


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("training.train", ["train"]),
        ("cli.choose_device", ["evaluate", "--sets", "photos"]),
        ("inference.upscale_within", ["evaluate", "--sets", "photos"]),
        ("data.catalog.table", ["data", "list"]),
    ],
)
def test_a_bug_shows_its_traceback(glanet, monkeypatch, function, arguments):
    fails_with(ValueError("a bug"), monkeypatch, f"glanet.{function}")
    with pytest.raises(ValueError, match="a bug"):
        glanet(*arguments)


@pytest.mark.parametrize("error", [DataError("the disk is full"), KeyboardInterrupt()])
def test_debug_anywhere_shows_the_traceback_of_any_error(glanet, monkeypatch, error):
    fails_with(error, monkeypatch)
    for arguments in (["--debug", "data", "list"], ["data", "list", "--debug"]):
        with pytest.raises(type(error)):
            glanet(*arguments)


def test_ctrl_c_is_one_line(rejects, monkeypatch):
    fails_with(KeyboardInterrupt(), monkeypatch)
    assert rejects("data", "list") == "glanet: stopped"


# the program


def program(*arguments, **options):
    """Run Python with these arguments: the process, when it has ended."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, **options)


def test_the_version_is_printed_by_the_installed_command_and_by_the_module():
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    module, function = tomllib.loads(text)["project"]["scripts"]["glanet"].split(":")
    installed = f"from {module} import {function}; {function}()"
    for way in (["-c", installed], ["-m", "glanet.cli"]):
        shown = program(*way, "--version", stdout=subprocess.PIPE)
        assert (shown.stdout, shown.stderr) == (f"glanet {version('glanet')}\n", "")


def test_help_names_the_commands(glanet, capsys):
    with pytest.raises(SystemExit):
        glanet("--help")
    shown = capsys.readouterr().out
    for command in (
        "compare",
        "data",
        "doctor",
        "evaluate",
        "networks",
        "progress",
        "train",
        "upscale",
    ):
        assert f"• {command} " in shown
    assert "--version" in shown
    assert "--debug" in shown


def test_output_that_nobody_reads_ends_the_program_quietly():
    reader, writer = os.pipe()
    os.close(reader)
    ended = program("-m", "glanet", "data", "list", stdout=writer)
    os.close(writer)
    assert ended.stderr == ""


def test_ctrl_c_during_the_imports_is_one_line(tmp_path):
    interrupted = "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(60)"
    (tmp_path / "torch.py").write_text(interrupted)
    path = os.pathsep.join([str(tmp_path), str(REPOSITORY)])
    ended = program(
        *("-m", "glanet", "doctor"),
        env={**os.environ, "PYTHONPATH": path},
        # tests that a script started in the background ignore it, and so would this process
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert (ended.returncode, ended.stderr) == (1, "glanet: stopped\n")
