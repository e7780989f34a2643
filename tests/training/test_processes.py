"""Several processes do what one does."""

import dataclasses
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from glanet.evaluation.benchmark import evaluate
from glanet.inference import upscale_within
from glanet.training import loop
from glanet.training.log import read_log
from glanet.weights import load

# accelerate would look for a GPU for each process, even on a CPU
NO_GPU = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
# what `accelerate launch` starts for GPUs, and what starts several processes on a CPU
TORCHRUN = ("torch.distributed.run", "--standalone", "--nnodes=1")


def test_two_processes_have_the_gradients_of_one(config, recipe, tmp_path):
    found = {}
    for processes, parts in ((1, 1), (2, 1), (2, 2)):
        settings = {
            # stochastic depth draws for each process by itself
            "config": dataclasses.replace(config, stochastic_depth=0.0).to_dict(),
            "recipe": recipe(batch=32, accumulate=parts).to_dict(),
            "folder": str(tmp_path / f"run{processes}-{parts}"),
        }
        path = tmp_path / f"{processes}-{parts}.json"
        path.write_text(json.dumps(settings))
        out = tmp_path / f"{processes}-{parts}.safetensors"
        script = [str(Path(__file__).with_name("gradients.py")), str(path), str(out)]
        run = subprocess.run(
            [sys.executable, "-m", *TORCHRUN, f"--nproc-per-node={processes}", *script],
            env=NO_GPU,
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stderr[-3000:]
        with safe_open(out, "pt") as file:
            assert file.metadata()["processes"] == str(processes)
            found[processes, parts] = load_file(out), float(file.metadata()["loss"])
    one, loss_of_one = found.pop((1, 1))
    assert max(gradient.abs().max() for gradient in one.values()) > 1e-4
    for two, loss_of_two in found.values():
        assert one.keys() == two.keys()
        assert max((one[name] - two[name]).abs().max() for name in one) <= 1e-6
        assert abs(loss_of_one - loss_of_two) <= 1e-6


@pytest.mark.parametrize("started_by", ["torchrun", "launch"])
def test_processes_wait_an_hour_for_each_other(photos, tmp_path, started_by):
    loss = tmp_path / "patience.py"
    loss.write_text(
        "import torch\n"
        "def l1(sr, hr):\n"
        "    gloo = torch.distributed.group.WORLD._get_backend(torch.device('cpu'))\n"
        "    print('waits', gloo.options._timeout)\n"
        "    return (sr - hr).abs().mean()\n"
    )
    script = tmp_path / "script.py"
    script.write_text(
        "from glanet import ModelConfig\nfrom glanet.training import Recipe, launch, train\n"
        f"recipe = Recipe(data=({str(photos[0])!r},), validation=(), steps=1, batch=2, patch=8, "
        "loss='patience:l1')\n"
        "run = ModelConfig.preset('tiny'), recipe, 'run'\n"
        + {
            "torchrun": "train(*run, device='cpu')\n",
            "launch": "launch.launch(*run, device='cpu', processes=2)\n",
        }[started_by]
    )
    launcher = ["-m", *TORCHRUN, "--nproc-per-node=2"] if started_by == "torchrun" else []
    run = subprocess.run(
        [sys.executable, *launcher, str(script)],
        env=NO_GPU,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.count(f"waits {loop.PATIENCE}\n") == 2  # torch's own is shorter on GPUs


def train_in_two(photos, out, *options):
    """`glanet train` in two processes on the CPU, run to its end."""
    images = ["--data", str(photos[0]), "--validation", str(photos[1])]
    command = [sys.executable, "-m", *TORCHRUN, "--nproc-per-node=2", "-m", "glanet.cli", "train"]
    return subprocess.run(
        [*command, *images, "--out", str(out), *options],
        env=NO_GPU,
        capture_output=True,
        text=True,
    )


def test_only_the_first_of_two_processes_prints(photos, tmp_path):
    run = train_in_two(photos, tmp_path / "run", "--smoke", "--device", "cpu")
    assert run.returncode == 0, run.stderr[-3000:]
    weights = tmp_path / "run" / "weights"
    assert run.stdout == f"{weights}: glanet evaluate --weights {weights}\n"


def test_processes_that_see_different_checkpoints_are_rejected(photos, tmp_path):
    images = ["--data", str(photos[0]), "--validation", str(photos[1])]
    options = [*images, "--smoke", "--device", "cpu", "--out"]
    alone = [sys.executable, "-m", "glanet", "train", *options, str(tmp_path / "0")]
    subprocess.run(alone, env=NO_GPU, check=True, capture_output=True)
    script = tmp_path / "each_in_its_own.py"
    script.write_text(
        "import os, sys\nfrom glanet.cli import main\n"
        f"out = os.path.join({str(tmp_path)!r}, os.environ['RANK'])\n"
        f"sys.argv = ['glanet', 'train', *{options!r}, out]\n"
        "main()\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", *TORCHRUN, "--nproc-per-node=2", str(script)],
        env=NO_GPU,
        capture_output=True,
        text=True,
    )
    assert run.returncode != 0
    assert "would resume from different checkpoints" in run.stderr
    assert "step-00000004.safetensors; process 1: no checkpoint" in run.stderr


def test_two_processes_measure_what_one_does(photos, tmp_path):
    for path in photos[0].iterdir():  # turned, as no image may be both trained and measured on
        Image.open(path).rotate(180).save(photos[1] / path.name)
    images = ["--data", str(photos[0]), "--validation", str(photos[1])]
    options = [*images, "--smoke", "--device", "cpu", "--out"]
    alone = [sys.executable, "-m", "glanet", "train", *options, str(tmp_path / "one")]
    subprocess.run(alone, env=NO_GPU, check=True, capture_output=True)
    run = train_in_two(photos, tmp_path / "two", "--smoke", "--device", "cpu")
    assert run.returncode == 0, run.stderr[-3000:]
    one, two = (read_log(tmp_path / name / "log.jsonl")[-1]["psnr_y"] for name in ("one", "two"))
    upscaler = partial(upscale_within, load(tmp_path / "one" / "weights"))
    of_each = [s.psnr_y for s in evaluate(upscaler, "all", sorted(photos[1].iterdir()), scale=2)]
    assert one == pytest.approx(np.mean(of_each), abs=1e-9)
    # stochastic depth draws for each process by itself, so their weights differ a little
    assert abs(one - two) < 0.05 < abs(one - np.mean(of_each[::2]))


def test_unjoined_processes_do_not_share_a_folder(photos, tmp_path):
    # on a CPU accelerate joins them only with --device cpu; without it each is the first
    run = train_in_two(photos, tmp_path / "run", "--steps", "100000")
    assert run.returncode != 0
    assert "run: another process is training there" in run.stderr


def test_a_signal_to_one_of_two_processes_stops_both(photos, tmp_path):
    script = tmp_path / "stopped.py"
    script.write_text(
        "import os, signal\nfrom glanet import ModelConfig\n"
        "from glanet.training import Recipe, train\n"
        "def stop(entry):\n    os.kill(os.getpid(), signal.SIGTERM)\n"
        f"recipe = Recipe(data=({str(photos[0])!r},), validation=({str(photos[1])!r},), steps=40, "
        "batch=2, patch=8, validate_every=4, save_every=40)\n"
        f"found = train(ModelConfig.preset('tiny'), recipe, {str(tmp_path / 'run')!r}, "
        "device='cpu', watch=stop)\n"
        "assert found is None\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", *TORCHRUN, "--nproc-per-node=2", str(script)],
        env=NO_GPU,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    # the signal comes after step 4, goes with step 5 to the other process, which has begun step 6
    assert "stopped after step 6 of 40" in run.stderr
    assert (tmp_path / "run" / "checkpoints" / "step-00000006.safetensors").exists()
