"""What the site's page that enlarges photographs loads: its scripts, a network, what runs it.

ONNX Runtime Web runs the network. npm brings its archive into ``build/npm``, where it stays:

    python -m glanet.course.tools.enlarge
"""

import base64
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from glanet.course.kit.paths import HOME
from glanet.errors import GlanetError
from glanet.files import write_text
from glanet.inference.export import export
from glanet.inference.upscale import MARGIN, OVERLAP
from glanet.weights import load

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
# SHA-512, as `npm view onnxruntime-web@1.30.0 dist.integrity` prints it
INTEGRITY = (
    "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8p"
    "ZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
)
NEEDED = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")  # of its folder dist
CACHE = HOME / "build" / "npm"
SCRIPTS = HOME / "docs" / "book" / "enlarge"
WEIGHTS = "tiny-x2"
TILE = 272  # LR pixels: a phone can hold it, and 512 × 512 are four


class RuntimeMissingError(GlanetError):
    """ONNX Runtime Web cannot be had; the message says why, and what to do."""


def cached() -> Path | None:
    """The archive of ONNX Runtime Web, if it was brought before."""
    archive = CACHE / f"{PACKAGE}-{VERSION}.tgz"
    return archive if archive.is_file() and _integrity(archive) == INTEGRITY else None


def _integrity(archive):
    digest = hashlib.sha512(archive.read_bytes()).digest()
    return "sha512-" + base64.b64encode(digest).decode()


def fetch() -> Path:
    """The same; npm brings it if it is not there.

    Raises:
        RuntimeMissingError: there is no npm, npm failed, or brought another file.
    """
    if archive := cached():
        return archive
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeMissingError(f"npm not found, which brings {PACKAGE}: install Node.js")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        options = ["--loglevel=error", "--fetch-retries=1"]
        command = [npm, "pack", f"{PACKAGE}@{VERSION}", *options]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            why = done.stderr.partition("\n")[0]
            raise RuntimeMissingError(
                f"npm cannot bring {PACKAGE} ({why}): connect to the internet and try again"
            )
        (brought,) = Path(folder).iterdir()
        if (found := _integrity(brought)) != INTEGRITY:
            raise RuntimeMissingError(
                f"npm brought another {brought.name} ({found}), expected {INTEGRITY}: look which "
                "registry `npm config get registry` names"
            )
        return brought.replace(CACHE / brought.name)


def write(folder: Path, archive: Path) -> None:
    """Write what the page loads into ``folder``, which does not exist; ``archive``: of `fetch`."""
    shutil.copytree(SCRIPTS, folder)
    with tarfile.open(archive) as opened:
        for name in NEEDED:
            (folder / name).write_bytes(opened.extractfile(f"package/dist/{name}").read())
    model = load(WEIGHTS)
    export(model, folder / f"{WEIGHTS}.onnx", source=WEIGHTS)
    settings = {
        "network": f"{WEIGHTS}.onnx",
        "scale": model.config.scale,
        "multiple": model.multiple,
        "overlap": OVERLAP,
        "margin": MARGIN,
        "tile": TILE,
    }
    write_text(folder / "settings.json", json.dumps(settings))


def main():
    try:
        fetch()
    except RuntimeMissingError as error:
        sys.exit(f"glanet: {error}")


if __name__ == "__main__":
    main()
