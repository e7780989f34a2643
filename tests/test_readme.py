"""The README says what is true: its numbers are the ledger's, its links lead somewhere."""

import re
from pathlib import Path

from benchmarks import gallery, readme

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / path for path in ("README.md", "CONTRIBUTING.md", "data/README.md", "docs/gallery.md")
]


def test_the_tables_are_the_ledgers():
    text = PAGES[0].read_text(encoding="utf-8")
    assert readme.PLACE.findall(text), "no table"
    assert readme.fill(text) == text, "run: python -m benchmarks.readme"


def test_a_table_says_where_no_seed_of_a_variant_meets_the_whole_network(monkeypatch):
    score = {"mean": 36.05, "low": 36.0, "high": 36.1}
    far = {"mean": 35.9, "low": 35.8, "high": 35.99}
    value = {
        "unmatched: GLA-Net": dict.fromkeys(readme.SETS, score),
        "parameters: GLA-Net": dict.fromkeys(readme.SETS, score),
        "unmatched: SwinIR": {"Set5": far, "Set14": score, "B100": score},
        "parameters: SwinIR": {"Set5": score, "Set14": {**score, "low": 36.2}, "B100": score},
    }
    networks = {key: {"parameters": 1000, "steps": 10} for key in value}
    monkeypatch.setattr(readme, "ledger", lambda claim: {"value": value, "networks": networks})
    lines = readme.ablation().splitlines()[2:]
    assert [line.count("▼") for line in lines] == [0, 1, 0, 0]
    assert [line.count("▲") for line in lines] == [0, 0, 0, 1]
    assert "| SwinIR | 1,000 | 10 | 35.90 (35.80–35.99) ▼ |" in lines[1]


def test_what_chance_hides_is_as_the_seeds_spread(monkeypatch):
    one = {"mean": 36.0, "low": 35.9, "high": 36.1}  # 35.9, 36.0, 36.1: a spread of 0.1
    far = {"mean": 35.0, "low": 34.8, "high": 35.2}  # 34.8, 35.0, 35.2: of 0.2
    names = [f"{comparison}: {name}" for comparison in readme.COMPARISONS for name in "ab"]
    value = {name: dict.fromkeys(readme.SETS, one if name[-1] == "a" else far) for name in names}
    monkeypatch.setattr(readme, "ledger", lambda claim: {"value": value, "seed": [0, 1, 2]})
    # both together sqrt(0.025); Student's t for 4 degrees of freedom is 2.776 (any table has it)
    expected = f"{2.776 * 0.025**0.5 * (2 / 3) ** 0.5:.2f}"
    for line in readme.hidden().splitlines()[2:]:
        assert line.endswith(f"| {expected} | {expected} | {expected} |")


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


def test_the_gallery_shows_the_figures_that_the_lab_stores():
    stored = gallery.figures()
    shown = {path.stem: path.read_bytes() for path in gallery.FOLDER.glob("*.png")}
    assert shown == stored, "run: python -m benchmarks.gallery"
    links = re.findall(r"\]\(lab/(\S+)\.png\)", PAGES[3].read_text(encoding="utf-8"))
    assert links == list(stored)
