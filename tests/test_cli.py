"""The commands, run as a user runs them: what they print, write and refuse."""

import json
import subprocess
import sys

import numpy as np
import pytest
import skimage.data
from PIL import Image

from glanet import GLANet, cli
from glanet.data.degradation import imresize, modcrop
from glanet.device import choose_device
from glanet.evaluation.metrics import psnr_y
from glanet.inference import upscale


def tiny():
    """The weights that the commands take, on the device that they choose."""
    return GLANet.from_pretrained("tiny-x2").to(choose_device())


@pytest.fixture
def glanet(monkeypatch, capsys):
    """Run a command line; returns what it printed, or raises SystemExit with what it said."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["glanet", *map(str, arguments)])
        cli.main()
        return capsys.readouterr().out

    return run


@pytest.fixture
def refuses(glanet):
    """Run a command line that must fail; returns the message on the error stream."""

    def run(*arguments):
        with pytest.raises(SystemExit) as error:
            glanet(*arguments)
        assert isinstance(error.value.code, str)
        return error.value.code

    return run


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
    said = glanet("upscale", photo, tmp_path / "larger.png", "--scale", 2, "--weights", "tiny-x2")
    expected = upscale(tiny(), read(photo))
    assert np.array_equal(read(tmp_path / "larger.png"), expected)
    assert "larger.png: 160 × 128 pixels in" in said
    assert "tiles" not in said


def test_tiles_and_self_ensemble_are_used_when_asked_for(glanet, photo, tmp_path):
    options = {"tile": 72, "ensemble": True}
    glanet("upscale", photo, tmp_path / "larger.png", "--tile", 72, "--ensemble")
    expected = upscale(tiny(), read(photo), **options)
    assert np.array_equal(read(tmp_path / "larger.png"), expected)


def test_a_photograph_that_is_too_large_for_memory_goes_through_in_tiles(
    glanet, photo, tmp_path, monkeypatch
):
    monkeypatch.setattr(cli, "MEMORY", 1)
    said = glanet("upscale", photo, tmp_path / "larger.png")
    assert said.strip().endswith("in tiles of 72")
    assert read(tmp_path / "larger.png").shape == (128, 160, 3)


def test_opacity_and_profile_survive(glanet, photo, tmp_path):
    alpha = np.zeros((64, 80), np.uint8)
    alpha[:, 40:] = 255
    profile = b"a profile"
    Image.fromarray(np.dstack([read(photo), alpha])).save(photo, icc_profile=profile)
    glanet("upscale", photo, tmp_path / "larger.png")
    larger = Image.open(tmp_path / "larger.png")
    assert larger.mode == "RGBA"
    assert larger.info["icc_profile"] == profile
    opacity = np.asarray(larger)[..., 3]
    assert (opacity[:, :70] == 0).all()
    assert (opacity[:, 90:] == 255).all()


def test_what_cannot_be_done_is_refused_before_any_work_and_nothing_is_written(
    refuses, photo, tmp_path, monkeypatch
):
    target = tmp_path / "larger.png"
    (tmp_path / "notes.txt").write_text("hello")
    refusals = [
        ((tmp_path / "nothing.png", target), "nothing.png: no such file. Check the path."),
        ((tmp_path / "notes.txt", target), "notes.txt: not an image"),
        ((photo, photo), "photo.png: is the source itself. Give the result another name."),
        ((photo, tmp_path / "larger.gif"), "larger.gif: .gif cannot be written. Use .bmp"),
        ((photo, target, "--scale", 3), "tiny-x3: not a local folder, and not shipped"),
        ((photo, target, "--weights", "tiny-x2", "--scale", 4), "tiny-x2: trained for ×2"),
        ((photo, target, "--tile", 70), "tile is 70; expected a multiple of 8"),
        ((photo, target, "--device", "toaster"), "device 'toaster' is not available"),
    ]
    monkeypatch.setattr("glanet.model.GLANet.forward", None)  # no work: it would fail
    before = sorted(path.name for path in tmp_path.iterdir())
    for arguments, says in refusals:
        assert says in refuses("upscale", *arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_transparency_and_jpeg_do_not_go_together(refuses, photo, tmp_path):
    Image.fromarray(read(photo)).convert("LA").save(photo)
    assert "cannot hold the transparency" in refuses("upscale", photo, tmp_path / "larger.jpg")


# evaluate


def test_the_table_and_the_scores_of_every_image_come_out(glanet, root, tmp_path):
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


def test_tiles_are_told_when_asked_for_and_when_memory_demands_them(glanet, root, monkeypatch):
    assert "In tiles** of 72 LR pixels: 5 of 5" in glanet(
        "evaluate", "--sets", "Set5", "--tile", 72
    )
    monkeypatch.setattr(cli, "free_memory", lambda device: 1)
    assert "In tiles** of 72 LR pixels: 5 of 5" in glanet("evaluate", "--sets", "Set5")


def test_somebody_elses_images_are_scored(glanet, refuses, root, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for path in (root / "benchmark/Set5/HR").iterdir():
        Image.fromarray(modcrop(read(path), 2) // 2).save(theirs / f"{path.stem}x2.png")
    said = glanet("evaluate", "--images", theirs, "--scale", 2, "--sets", "Set5")
    assert f"| {theirs} | measured here" in said
    assert "--images needs --scale" in refuses("evaluate", "--images", theirs, "--sets", "Set5")
    (theirs / "birdx2.png").unlink()
    refused = refuses("evaluate", "--images", theirs, "--scale", 2, "--sets", "Set5")
    assert "for bird.png there is none" in refused


def test_an_evaluation_that_cannot_work_is_refused_before_any_work(refuses, root, monkeypatch):
    monkeypatch.setattr("glanet.model.GLANet.forward", None)
    assert "no such data set. There are photos" in refuses("evaluate", "--sets", "Set6")
    assert "Run `glanet data get Set14`" in refuses("evaluate", "--sets", "Set5", "Set14")
    assert "trained for ×2" in refuses("evaluate", "--sets", "Set5", "--scale", 3)


# data, doctor, progress


def test_data_sets_are_listed_told_of_fetched_and_verified(glanet, refuses, root):
    assert f"data root: {root}" in glanet("data", "list")
    told = glanet("data", "list", "Set5", "Manga109")
    assert "Bevilacqua" in told
    assert "Matsui" in told
    assert str(root / "benchmark/Set5/HR") in glanet("data", "get", "Set5")
    assert "T91 cannot be downloaded" in refuses("data", "get", "T91")
    assert "Set5: whole" in glanet("data", "verify", "Set5")


def test_a_damaged_set_fails_its_verification(glanet, root, capsys):
    (root / "benchmark/Set5/HR/bird.png").write_bytes(b"no image")
    with pytest.raises(SystemExit) as error:
        glanet("data", "verify", "Set5")
    assert error.value.code == 1
    assert "bird.png cannot be read as an image" in capsys.readouterr().out


def test_the_doctor_and_the_progress_report(glanet):
    assert "tiny-x2" in glanet("doctor")
    assert "exercises of the course are solved" in glanet("progress")


def test_the_command_is_installed_and_tells_what_it_can():
    for module in (["-m", "glanet.cli"], ["-c", "from glanet.cli import main; main()"]):
        shown = subprocess.run(
            [sys.executable, *module, "--help"], capture_output=True, text=True, check=True
        )
        for command in ("data", "doctor", "evaluate", "progress", "upscale"):
            assert command in shown.stdout
