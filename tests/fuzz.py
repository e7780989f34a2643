"""Search for image files that end in a traceback: ``python -m tests.fuzz``.

Coverage-guided, with atheris (the extra ``fuzz``); options of libFuzzer follow, such as
``-max_total_time=600``. It starts from the hostile inputs of the tests. What it finds becomes one.
"""

import sys
import tempfile
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["glanet", "PIL"]):
    from glanet.data.images import read_image, write
    from glanet.errors import GlanetError
    from glanet.inference.batch import plan, upscale_all
    from glanet.inference.photo import Enlarger

from tests.inference.hostile.inputs import INPUTS
from tests.inference.nearest import Nearest, Silent

ENDINGS = (".png", ".jpg", ".tif", ".webp", ".bmp", ".avif")
LARGEST = 100_000  # pixels of an image whose enlargement is tried


def main():
    warnings.simplefilter("ignore")
    folder = Path(tempfile.mkdtemp(prefix="glanet-fuzz-"))
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, make in enumerate(INPUTS.values()):
        path = corpus / str(number)
        make(path)
        if path.is_symlink() or not path.is_file():
            path.rmdir() if path.is_dir() else path.unlink()
    enlarger = Enlarger(Nearest())

    def one(data):
        provider = atheris.FuzzedDataProvider(data[-1:])
        path = folder / ("a" + provider.PickValueInList(list(ENDINGS)))
        path.write_bytes(data)
        try:
            image = read_image(path, deep=True)
            if image.rgb.size < 3 * LARGEST:
                list(upscale_all(plan([path], label="-x2", overwrite=True), enlarger, Silent()))
                write(path.with_suffix(".png"), [image])
        except GlanetError:
            pass

    # what it finds goes there, not into the working directory; a later option takes precedence
    command, *options = sys.argv
    atheris.Setup([command, f"-artifact_prefix={folder}/", *options, str(corpus)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
