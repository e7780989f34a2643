"""The command line: ``glanet doctor | progress | work | data | train | evaluate | upscale``."""

import json
import sys
import time
from dataclasses import asdict, fields
from pathlib import Path
from typing import Literal

import tyro
from tqdm import tqdm
from tyro.conf import Positional

from glanet import doctor as doctors
from glanet import inference
from glanet.data import catalog
from glanet.data.catalog import DataError
from glanet.data.degradation import imresize
from glanet.data.images import ImageError, check_target, read_image, write_image
from glanet.device import choose_device, free_memory
from glanet.errors import GlanetError
from glanet.evaluation import benchmark
from glanet.evaluation.benchmark import BenchmarkError
from glanet.files import write_text
from glanet.model.config import ModelConfig
from glanet.training.recipe import Recipe
from glanet.weights import WeightsError, load

# what a photograph may take at once, so that the same photograph gives the same tiles everywhere;
# tiny does 512 × 512 pixels in it
MEMORY = 1_400_000_000

app = tyro.extras.SubcommandApp()
data = tyro.extras.SubcommandApp()
app.command(data, name="data", help="List the data sets, bring one, check one.")


class CommandError(GlanetError):
    """What was asked for cannot be done; the message says why and what mends it."""


@app.command
def doctor():
    """Look at what this machine has and lacks, and say what to do about each thing missing."""
    findings = doctors.examine()
    print(doctors.report(findings))
    if any(finding.state == doctors.MISSING for finding in findings):
        sys.exit(1)


@app.command
def progress():
    """Show which exercises of the course you have solved."""
    from glanet.course.report import report  # the course may not be installed

    print(report())


@app.command
def work(names: Positional[tuple[str, ...]] = (), /, *, fresh: bool = False):
    """Copy the course's notebooks to notebooks/my_work, where no update touches your answers.

    Args:
        names: How the notebooks' names start, such as 05. Without, all of them.
        fresh: Copy also what you have a copy of, under a new name beside it.
    """
    from glanet.course.tools.work import WorkError, copy_notebooks

    try:
        print("\n".join(copy_notebooks(names, fresh)))
    except WorkError as error:
        raise CommandError(str(error)) from error


@data.command(name="list")
def data_list(names: Positional[tuple[str, ...]] = (), /):
    """List the data sets, or tell all about some.

    Args:
        names: Sets to tell all about: addresses, terms, whom to cite.
    """
    print("\n\n".join(map(catalog.describe, names)) or catalog.table())


@data.command(name="get")
def data_get(name: Positional[str], /, *, scale: Literal[1, 2, 3, 4] = 1):
    """Bring a data set into the data root, where it is not there already.

    Args:
        name: A set of `glanet data list`.
        scale: LR images at this scale too; 1 for the HR images alone.
    """
    print(f"{name}: {catalog.get(name, scale)}")


@data.command(name="verify")
def data_verify(name: Positional[str], /):
    """Check that a data set is whole: counts, names, pairs, and that every image decodes.

    Args:
        name: A set of `glanet data list`.
    """
    problems = catalog.verify(name)
    print("\n".join(problems) or f"{name}: whole")
    if problems:
        sys.exit(1)


@app.command
def upscale(
    source: Positional[Path],
    target: Positional[Path],
    /,
    *,
    weights: str | None = None,
    scale: Literal[2, 3, 4] | None = None,
    tile: int | None = None,
    ensemble: bool = False,
    device: str | None = None,
):
    """Enlarge a photograph: glanet upscale photo.jpg larger.png --scale 2

    Args:
        source: The image to enlarge.
        target: Where the result goes; the ending says the format. An existing file is replaced.
        weights: A shipped name (tiny-x2), a folder, a hub id, or a released .pth file. Without it,
            tiny at the given scale.
        scale: How many times larger. Without it, what the weights were trained for.
        tile: Side in pixels of the tiles that the image is worked through in. Without it, the whole
            image at once where it is small enough, else tiles that are.
        ensemble: Average over the image's eight orientations: a little better, eight times slower.
        device: Where to compute: cpu, cuda, mps. Without it, an accelerator if there is one.
    """
    if source.resolve() == target.resolve():
        raise CommandError(f"{target}: is the source itself. Give the result another name.")
    image = read_image(source)
    check_target(target, image.alpha)
    device = _device(device)
    model = _load(weights, scale).to(device)
    memory = min(MEMORY, free_memory(device) // 2)
    tile = tile or inference.tile_that_fits(model, *image.rgb.shape[:2], memory)
    started = time.monotonic()
    enlarged = _upscale(model, image.rgb, tile, ensemble)
    write_image(target, enlarged, _enlarge(image.alpha, model.config.scale), image.icc_profile)
    height, width = enlarged.shape[:2]
    print(
        f"{target}: {width} × {height} pixels in {time.monotonic() - started:.1f} s"
        + (f", in tiles of {tile}" if tile else "")
    )


@app.command
def evaluate(
    *,
    weights: str = "tiny-x2",
    scale: Literal[2, 3, 4] | None = None,
    sets: tuple[str, ...] = ("Set5", "Set14", "B100"),
    images: Path | None = None,
    published: bool = False,
    ensemble: bool = False,
    tile: int | None = None,
    json_file: Path | None = None,
    device: str | None = None,
):
    """Measure PSNR and SSIM on Y, by the papers' protocol: glanet evaluate --weights tiny-x2

    Args:
        weights: A shipped name, a folder, a hub id, or a released .pth file.
        scale: How many times larger. Without it, what the weights were trained for; it must be
            given with --images.
        sets: Data sets of the catalogue.
        images: A folder with somebody else's results, to be scored in place of the weights'. With
            several sets, one folder in it for each.
        published: Show the published scores too.
        ensemble: Average over each image's eight orientations: eight times slower.
        tile: Side in LR pixels of tiles. Without it whole images, or tiles where memory is short;
            the table says where tiles were used.
        json_file: Where to write the scores of every image.
        device: Where to compute: cpu, cuda, mps. Without it, an accelerator if there is one.
    """
    hr_images = {name: catalog.hr_images(name) for name in sets}
    if images is not None:
        if scale is None:
            raise CommandError("--images needs --scale: the scale at which they were made.")
        label, runs = str(images), _score_folders(images, hr_images, scale)
    else:
        device = _device(device)
        model = _load(weights, scale).to(device)
        scale = model.config.scale
        label = f"{weights}, self-ensemble" if ensemble else weights
        run = _upscaler(model, tile, ensemble, device)
        runs = [benchmark.evaluate(run, name, hr_images[name], scale) for name in sets]
    total = sum(map(len, hr_images.values()))
    scores = list(tqdm((s for run in runs for s in run), label, total, unit=" images", leave=False))
    print(benchmark.table(scores, scale, label, with_published=published))
    if json_file is not None:
        means = benchmark.mean_scores(scores)
        document = {
            "method": label,
            "scale": scale,
            "protocol": f"PSNR (dB) and SSIM on Y, {scale} pixels cut from each side",
            "means": {name: {"psnr_y": p, "ssim_y": s} for name, (p, s) in means.items()},
            "images": [asdict(score) for score in scores],
        }
        write_text(json_file, json.dumps(document, indent=1, ensure_ascii=False) + "\n")


@app.command
def train(
    *,
    preset: Literal["tiny", "light", "paper"] = "tiny",
    scale: Literal[2, 3, 4] = 2,
    out: Path | None = None,
    init: str | None = None,
    data: tuple[str, ...] | None = None,
    validation: tuple[str, ...] | None = None,
    steps: int | None = None,
    batch: int | None = None,
    patch: int | None = None,
    learning_rate: float | None = None,
    warm_up: int | None = None,
    gradient_clip: float | None = None,
    average: float | None = None,
    precision: Literal["auto", "bf16", "float32"] | None = None,
    on_nan: Literal["stop", "skip"] | None = None,
    seed: int | None = None,
    validate_every: int | None = None,
    save_every: int | None = None,
    smoke: bool = False,
    log_with: Literal["tensorboard", "wandb"] | None = None,
    device: Literal["cpu"] | None = None,
):
    """Train a network: glanet train --preset tiny --scale 2

    The same command goes on with a run that was stopped, killed or cut off. Several GPUs:
    accelerate launch -m glanet.cli train ...

    Args:
        preset: The network and its recipe. What is not given below is the recipe's.
        scale: How many times larger.
        out: Folder of the run: checkpoints, log.jsonl, and weights at the end. Without it,
            runs/PRESET-xSCALE.
        init: Weights to start from, such as those at another scale: a shipped name, a folder, ...
        data: Sets of `glanet data list`, folders or image files to train on.
        validation: Likewise, to measure on; never among those trained on.
        steps: Number of steps.
        batch: Patches a step, over all processes.
        patch: Side of a patch, LR pixels.
        learning_rate: At its highest.
        warm_up: Steps in which the learning rate rises.
        gradient_clip: Longest gradient, as its norm; 0 for no limit.
        average: Decay of the moving average of the weights. It looks back 1 / (1 - average) steps,
            which in a short run may be too many.
        precision: auto is bf16 where the device has it.
        on_nan: What to do when a loss is not finite.
        seed: Of weights, batches and stochastic depth.
        validate_every: Steps between two measurements.
        save_every: Steps between two checkpoints.
        smoke: A few steps only, to see that everything works.
        log_with: A tracker besides log.jsonl.
        device: cpu leaves an accelerator alone.
    """
    from accelerate import PartialState  # takes seconds to import

    from glanet import training

    given = {name: value for name, value in locals().items() if name in _RECIPE}
    try:
        recipe = Recipe.preset(
            preset, **{name: value for name, value in given.items() if value is not None}
        )
        weights = training.train(
            ModelConfig.preset(preset, scale),
            recipe.smoke() if smoke else recipe,
            out or Path("runs") / f"{preset}-x{scale}",
            init=init,
            log_with=log_with,
            device=device,
        )
    except (ValueError, training.NotFiniteError) as error:
        raise CommandError(str(error)) from error
    if weights is not None and PartialState().is_main_process:
        print(f"{weights}: glanet evaluate --weights {weights}")


_RECIPE = {field.name for field in fields(Recipe)}


def _score_folders(images, hr_images, scale):
    """Runs over somebody else's images, all of which are paired and measured up beforehand."""
    folders = {name: images / name if len(hr_images) > 1 else images for name in hr_images}
    return [
        benchmark.evaluate_folder(folders[name], name, hr_images[name], scale) for name in hr_images
    ]


def _upscaler(model, tile, ensemble, device):
    """What ``benchmark.evaluate`` takes: LR image -> (SR image, tile or None)."""

    def run(lr):
        side = tile or inference.tile_that_fits(model, *lr.shape[:2], free_memory(device) // 2)
        return _upscale(model, lr, side, ensemble), side

    return run


def _upscale(model, image, tile, ensemble):
    try:
        return inference.upscale(model, image, tile=tile, ensemble=ensemble)
    except ValueError as error:
        raise CommandError(str(error)) from error


def _load(name, scale):
    name = name or f"tiny-x{scale or 2}"
    model = load(name)
    if scale not in (None, model.config.scale):
        raise CommandError(
            f"{name}: trained for ×{model.config.scale}, and --scale {scale} was asked for. "
            f"Leave --scale out, or choose weights for ×{scale}; glanet doctor lists those shipped."
        )
    return model


def _device(name):
    try:
        return choose_device(name)
    except ValueError as error:
        raise CommandError(f"--{error}") from error


def _enlarge(alpha, scale):
    """Opacity at the size of the enlarged image, bicubic: uint8 (H, W), or None for None."""
    return None if alpha is None else imresize(alpha[..., None].repeat(3, axis=2), scale)[..., 0]


def main():
    try:
        app.cli(prog="glanet", description="Super-resolution with GLA-Net.")
    except (BenchmarkError, CommandError, DataError, ImageError, WeightsError) as error:
        sys.exit(f"glanet: {error}")
    except KeyboardInterrupt:
        sys.exit("glanet: stopped")


if __name__ == "__main__":
    main()
