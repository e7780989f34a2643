"""A photograph of 12 megapixels on a CPU: the peak of the memory, and what it is made of.

    python -m benchmarks.photo

The command `glanet upscale` runs in a process of its own, whose memory nothing else has grown. The
photograph is scikit-image's astronaut, resized: memory depends on the size alone.
"""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import skimage.data
import tyro
from PIL import Image

from benchmarks import ledger

_RUN = """
import sys
from glanet import cli
from glanet.device import peak_memory
imported = peak_memory()
cli.main()
print(imported, peak_memory(), file=sys.stderr)
"""


@dataclass(frozen=True)
class Options:
    width: int = 4000  # pixels
    height: int = 3000
    weights: str = "tiny-x2"
    ending: str = ".png"  # of the result


def main(options: Options):
    ledger.started()
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "photo.jpg"
        size = (options.width, options.height)
        Image.fromarray(skimage.data.astronaut()).resize(size).save(photo, quality=92)
        out = Path(folder) / f"larger{options.ending}"
        arguments = ["upscale", photo, "-o", out, "--weights", options.weights, "--device", "cpu"]
        command = [sys.executable, "-c", _RUN, *map(str, arguments)]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        imported, peak = map(float, run.stderr.splitlines()[-1].split())
        with Image.open(out) as larger:
            assert larger.size == tuple(2 * side for side in size)
    entry = ledger.record(
        "photo",
        round(peak / 1e9, 2),
        "GB of memory at the peak, all of the process",
        image=f"{options.width} × {options.height}",
        weights=options.weights,
        ending=options.ending,
        imports_gb=round(imported / 1e9, 2),
    )
    print(f"{entry['value']} GB, of which imports take {entry['imports_gb']}")


if __name__ == "__main__":
    main(tyro.cli(Options))
