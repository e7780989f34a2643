"""What becomes of the hostile image files of the tests: ``python -m benchmarks.hostile``.

Each is enlarged as by `glanet upscale`, with a model that repeats pixels.
"""

import tempfile
import warnings
from collections import Counter
from pathlib import Path

from benchmarks import ledger
from glanet.inference.batch import DONE, FAILED, plan, upscale_all
from glanet.inference.photo import Enlarger
from tests.inference.hostile.inputs import INPUTS
from tests.inference.nearest import Nearest, Silent

TRACEBACK = "traceback"


def main():
    ledger.started()
    warnings.simplefilter("ignore")
    counts = Counter({DONE: 0, FAILED: 0, TRACEBACK: 0})
    enlarger = Enlarger(Nearest())
    for name, make in INPUTS.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            make(path)
            try:
                (outcome,) = upscale_all(plan([path], label="-x2"), enlarger, Silent())
                counts[outcome.state] += 1
            except Exception:  # what is counted here
                counts[TRACEBACK] += 1
    ledger.record("hostile", dict(counts), "files")
    print(counts)


if __name__ == "__main__":
    main()
