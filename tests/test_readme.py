"""The README says what is true: its numbers are the ledger's, its links lead somewhere."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "data" / "README.md"]


def ledger(claim):
    return json.loads((ROOT / "results" / f"{claim}.json").read_text(encoding="utf-8"))


def test_the_score_of_tiny_is_the_ledgers():
    entry = ledger("tiny-x2-set5")
    expected = (
        f"{entry['value']['psnr_y']:.2f} dB / {entry['value']['ssim_y']:.4f} (PSNR and SSIM on Y), "
        f"after {entry['minutes']} minutes"
    )
    assert expected in PAGES[0].read_text(encoding="utf-8")


def test_every_link_to_a_file_leads_to_one():
    assert "](docs/detail.png)" in PAGES[0].read_text(encoding="utf-8")
    for page in PAGES:
        links = re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
        for link in links:
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_every_notebook_that_is_there_is_linked_as_ready_and_no_other():
    text = PAGES[0].read_text(encoding="utf-8")
    ready = re.findall(r"\]\(notebooks/(\S+)\.ipynb\)[^\n]*\| ready \|", text)
    assert sorted(ready) == sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
