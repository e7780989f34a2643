"""The command line: ``glanet doctor``, ``glanet upscale``."""

import sys
import time
from pathlib import Path
from typing import Literal

import torch
import tyro
from tyro.conf import Positional

from glanet import doctor as doctors
from glanet import inference
from glanet.data.images import ImageError, read_image, write_image
from glanet.weights import WeightsError, load

# a tile holds as many values as a 512×512 image has in tiny's 32 channels; some 40 times as many
# live at once, which makes 1.4 GB, however large the photograph
TILE_VALUES = 512 * 512 * 32

app = tyro.extras.SubcommandApp()


class CommandError(Exception):
    """What was asked for cannot be done; the message says why and what mends it."""


@app.command
def doctor():
    """Look at what this machine has and lacks, and say what to do about each thing missing."""
    findings = doctors.examine()
    print(doctors.report(findings))
    if any(finding.state == doctors.MISSING for finding in findings):
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
    model = _load(weights, scale).to(_device(device))
    image = read_image(source)
    tile = tile or _tile_that_fits(image.rgb, model.config)
    started = time.monotonic()
    enlarged = inference.upscale(model, image.rgb, tile=tile, ensemble=ensemble)
    write_image(target, enlarged)
    height, width = enlarged.shape[:2]
    print(
        f"{target}: {width} × {height} pixels in {time.monotonic() - started:.1f} s"
        + (f", in tiles of {tile}" if tile else "")
    )


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
    if name is None:
        return torch.accelerator.current_accelerator() or torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise CommandError(
            f"--device {name}: not to be had here ({str(error).splitlines()[0]}). "
            "Try cpu; glanet doctor says what there is."
        ) from error
    return device


def _tile_that_fits(image, config):
    """None where the whole image fits; else the side of the largest tile that does."""
    values = TILE_VALUES // config.channels
    height, width = image.shape[:2]
    if height * width <= values:
        return None
    return int(values**0.5) // config.window * config.window


def main():
    try:
        app.cli(prog="glanet", description="Super-resolution with GLA-Net.")
    except (CommandError, ImageError, WeightsError) as error:
        sys.exit(f"glanet: {error}")
    except KeyboardInterrupt:
        sys.exit("glanet: stopped")


if __name__ == "__main__":
    main()
