"""Put the figures of notebook 10 into docs/lab, for the gallery: ``python -m benchmarks.gallery``.

They are the outputs that the notebook stores, so both show the same. A figure has the name of the
function that drew it.
"""

import base64
import json
import re

from benchmarks.ledger import ROOT

NOTEBOOK = ROOT / "notebooks" / "10_frequency_lab.ipynb"
FOLDER = ROOT / "docs" / "lab"
DRAWS = re.compile(
    r"^from glanet\.course\.lessons\.frequency_lab\.figures import (\w+)$", re.MULTILINE
)


def main():
    found = figures()
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.png"):
        old.unlink()
    for name, picture in found.items():
        (FOLDER / f"{name}.png").write_bytes(picture)


def figures():
    """The figures that the notebook stores, in order: {name: PNG}."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    names = {name for cell in cells for name in DRAWS.findall("".join(cell["source"]))}
    found = {}
    for cell in cells:
        for output in cell.get("outputs", ()):
            if picture := output.get("data", {}).get("image/png"):
                calls = re.findall(r"\b(\w+)\(", "".join(cell["source"]))
                drawn = [name for name in calls if name in names][-1]
                number = sum(name.rstrip("0123456789-") == drawn for name in found) + 1
                key = drawn if number == 1 else f"{drawn}-{number}"
                found[key] = base64.b64decode("".join(picture))
    return found


if __name__ == "__main__":
    main()
