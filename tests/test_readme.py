"""The documents say what is true: numbers are the ledger's, links lead somewhere, examples run."""

import re
import sys
import tomllib
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from benchmarks import gallery, ledger, readme, shapes
from glanet import cli
from glanet.course.kit.lessons import LESSONS
from glanet.course.tools import enlarge

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PAGES = [
    README,
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "data" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


@pytest.mark.parametrize("page", readme.PAGES, ids=lambda page: page.name)
def test_the_tables_are_the_ledgers(page):
    text = page.read_text(encoding="utf-8")
    assert readme.PLACE.findall(text), "no table"
    assert readme.fill(text) == text, "run: python -m benchmarks.readme"


def test_every_table_stands_in_one_document():
    text = "".join(page.read_text(encoding="utf-8") for page in readme.PAGES)
    assert sorted(name for _, name, _ in readme.PLACE.findall(text)) == sorted(readme.TABLES)


def test_the_readme_has_at_most_900_words():
    assert len(README.read_text(encoding="utf-8").split()) <= 900


def test_the_python_example_runs():
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    names = {"lr": np.zeros((5, 7, 3), np.uint8)}
    exec(example, names)
    assert names["sr"].shape == (10, 14, 3)


def test_the_map_in_notebook_00_is_the_table_of_lessons():
    source = ROOT / "notebooks" / "source" / "00_start_here.py"
    wanted = "".join(f"# {line}\n" for line in readme.lessons(linked=False).splitlines())
    assert wanted in source.read_text(encoding="utf-8"), f"put this map there:\n{wanted}"


def test_the_map_spells_out_the_two_kinds_of_attention():
    shows = {lesson.builds: lesson.shows for lesson in LESSONS}
    assert "window-based multi-head self-attention" in shows["W-MSA"]
    assert "shifted-window multi-head self-attention" in shows["SW-MSA"]


def test_the_plan_of_six_weeks_has_every_lesson_once():
    assert sorted(chain(*readme.WEEKS)) == [lesson.number for lesson in LESSONS]


def test_a_lesson_assumes_earlier_ones():
    for place, lesson in enumerate(LESSONS):
        assert set(lesson.assumes) <= {earlier.number for earlier in LESSONS[:place]}


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A ledger without entries."""
    monkeypatch.setattr(ledger, "RESULTS", tmp_path)
    monkeypatch.setattr(readme, "RESULTS", tmp_path)
    return tmp_path


def test_the_tables_of_rivals_have_no_rows_before_there_are_results(results):
    for table in (readme.rivals, readme.rivals_speed):
        assert len(table().splitlines()) == 2


def ablation_run(network, seed, psnr):
    value = {of: {f"{number}": psnr + number / 9 for number in range(5)} for of in readme.SETS}
    about = {"steps": 3000, "data": ["T91"], "batch": 16, "patch": 16, "parameters": 135_012}
    name = network.replace(" ", "-").lower()
    ledger.record(f"ablation/{name}-seed{seed}", value, "", seed=seed, network=network, **about)


def test_the_ablation_is_listed_as_it_was_planned_with_what_follows(results):
    for seed in range(3):
        ablation_run("GLA-Net", seed, 36 + seed / 100)
        ablation_run("without attention", seed, 35 - seed / 100)
        ablation_run("without Inception", seed, 36.001 + seed / 50)
    ablation_run("SwinIR", 0, 30)
    body = readme.ablation().splitlines()[2:]
    names = ["GLA-Net", "without Inception", "without attention", "SwinIR"]
    assert [line.split(" | ")[0] for line in body] == [f"| {name}" for name in names]
    assert body[0].startswith("| GLA-Net | 135,012 | 3 | 36.23 ± 0.01 |")
    assert body[-1].startswith("| SwinIR | 135,012 | 1 | 30.22 | 30.22 |")
    rows = readme.ablation_differences().splitlines()[2:]
    assert len(rows) == 3 * len(readme.SETS)
    assert rows[3].startswith("| without attention | Set5 | −1.02 | −1.02 to −1.02 | −1.0")
    outcomes = [line.split(" | ")[-1] for line in rows[::3]]
    assert outcomes == ["not told apart |", "lower |", "too few runs |"]
    sentences = readme.ablation_sentences().splitlines()
    assert [line.partition(":")[0].lower() for line in sentences] == [
        f"- {name.lower()}" for name in names[1:]
    ]
    assert readme.ablation_summary() == (
        "On B100, lower PSNR than GLA-Net: without attention (−1.02 dB); "
        "cannot be told apart from GLA-Net: without Inception."
    )


def test_one_seed_decides_nothing(results):
    ablation_run("GLA-Net", 0, 36.0)
    ablation_run("without attention", 0, 30.0)
    assert readme.ablation_summary() == "On B100, too few runs to decide: without attention."
    assert "| −6.00 | −6.00 to −6.00 | – | – | too few runs |" in readme.ablation_differences()


def shape_runs(psnrs, seeds):
    """Runs of that many seeds of every shape, by their PSNR."""
    names = list(shapes.SHAPES)
    counts = dict.fromkeys(names, 800)
    ledger.record("shapes/steps", counts, "", minutes=10, parameters=dict.fromkeys(names, 984_072))
    for name, psnr in zip(names, psnrs, strict=True):
        for seed in range(seeds):
            value = {of: {f"{n}": psnr + n + seed / 100 for n in range(5)} for of in readme.SETS}
            ledger.record(f"shapes/{name}-seed{seed}", value, "PSNR", seed=seed, shape=name)
    return names


@pytest.mark.parametrize(
    ("aligned", "chosen"),
    [
        ((36.5, 36.9, 35.0), "So `light` should have the shape {2}."),
        ((36.0, 35.9, 35.0), "So `light` keeps its shape."),
    ],
)
def test_light_takes_the_best_shape_that_is_better_for_certain(results, aligned, chosen):
    names = shape_runs((36.0, *aligned), seeds=3)
    today, *others = readme.shapes().splitlines()[2:]
    assert today.startswith(f"| {names[0]} | 984,072 | 800 | 3 | 38.01 ± 0.01 |")
    assert [row.split(" | ")[0] for row in others] == [f"| {name}" for name in names[1:]]
    last = readme.shape_differences().splitlines()[-1]
    assert last.startswith(f"| {names[3]} | B100 | −1.00 |")
    assert last.endswith("| lower |")
    assert readme.shape_choice() == chosen.format(*names)


def test_no_shape_is_chosen_before_all_have_run(results):
    names = shape_runs((36.0, 37.0, 38.0, 39.0), seeds=3)
    (results / f"shapes/{names[3]}-seed2.json").unlink()
    assert readme.shape_choice() == "Runs are missing, so no shape is chosen yet."


def test_rivals_are_listed_as_in_the_register_with_the_mean_and_range_of_their_seeds(results):
    for name, seed, psnr in (("rcan", 0, 36.0), ("rcan", 1, 36.5), ("gla-net", 0, 37.0)):
        value = {of: {"a": psnr - 1, "b": psnr + 1} for of in readme.SETS}
        about = {"network": name, "parameters": 135_012, "steps": 2000}
        ledger.record(f"rivals/{name}-seed{seed}", value, "PSNR", seed=seed, **about)
    _, _, ours, rcan = readme.rivals().splitlines()
    assert ours == "| GLA-Net | 135,012 | 2,000 | 1 | 37.00 | 37.00 | 37.00 |"
    assert rcan.startswith("| RCAN | 135,012 | 2,000 | 2 | 36.25 (36.00–36.50) | 36.25 (36.00")


def test_the_speed_of_rivals_is_the_ledgers(results):
    ledger.record(
        "rivals-speed",
        {"rcan": {"seconds": 0.504, "memory": 1.25}},
        "ratios",
        parameters={"rcan": 15_444_667},
        seconds={"rcan": [1.0, 9.0, 2.0]},
        peak_memory_gb={"rcan": 0.5},
    )
    row = readme.rivals_speed().splitlines()[-1]
    assert row == "| RCAN | 15,444,667 | 2.00 | **0.50×** | 0.50 | **1.25×** |"


COMMAND = re.compile(r"(?:^|`|/|-m )glanet ((?:data )?[a-z]+)((?:\\\n|[^`\n])*)", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_option_of_a_command_exists(page, monkeypatch, capsys):
    for command, rest in COMMAND.findall(page.read_text(encoding="utf-8")):
        monkeypatch.setattr(sys, "argv", ["glanet", *command.split(), "--help"])
        with pytest.raises(SystemExit, match="0"):
            cli.main()
        text = capsys.readouterr().out
        for option in re.findall(r"--[a-z][\w-]*", rest):
            assert option in text, f"glanet {command} {option}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_to_one(page):
    for link in re.findall(r"\]\(([^):]+)\)", page.read_text(encoding="utf-8")):
        name, _, heading = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not heading or heading in headings(target), link


def headings(page):
    """The anchors that GitHub gives the headings of a page."""
    lines = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [re.sub(r"[^\w -]", "", line).lower().replace(" ", "-") for line in lines]


def test_the_layout_is_that_of_the_package():
    (layout,) = re.findall(r"## Layout\n\n```\n(.*?)```", CONTRIBUTING, re.DOTALL)
    listed, folders = set(), [ROOT]
    for line in layout.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        path = folders[depth] / line.split()[0]
        folders[depth + 1 :] = [path]
        assert path.exists(), line
        listed.add(path)
    package = {path for path in (ROOT / "glanet").iterdir() if not path.name.startswith("__")}
    assert package <= listed


def test_the_layers_are_those_that_are_checked():
    contract, _ = PYPROJECT["tool"]["importlinter"]["contracts"]
    said = re.findall(r"^\d+\. (.*)$", CONTRIBUTING, re.MULTILINE)
    assert [re.findall(r"`(\w+)`", line) for line in said] == [
        layer.split(" | ") for layer in contract["layers"]
    ]


def test_every_dependency_is_explained():
    text = CONTRIBUTING.partition("## Dependencies")[2]
    extras = PYPROJECT["project"]["optional-dependencies"].values()
    wanted = chain(PYPROJECT["project"]["dependencies"], *extras)
    names = {re.match(r"[\w-]+", entry)[0] for entry in wanted} - {"glanet"} | {enlarge.PACKAGE}
    rows = re.findall(r"^\| ([^|(]+)", text, re.MULTILINE)
    explained = {name.strip() for row in rows for name in row.split(",")}
    assert names <= explained
    assert explained - names <= {"package", "setuptools"}


def test_every_notebook_is_linked():
    text = README.read_text(encoding="utf-8")
    linked = re.findall(r"\]\(notebooks/(\S+)\.ipynb\)", text)
    assert linked == sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))


def test_every_document_is_linked_from_the_readme():
    text = README.read_text(encoding="utf-8")
    for page in set(PAGES) - {README, ROOT / "CHANGELOG.md"}:
        assert f"]({page.relative_to(ROOT).as_posix()})" in text


def test_the_gallery_shows_the_figures_that_the_lab_stores():
    stored = gallery.figures()
    shown = {path.stem: path.read_bytes() for path in gallery.FOLDER.glob("*.png")}
    assert shown == stored, "run: python -m benchmarks.gallery"
    links = re.findall(r"\]\(lab/(\S+)\.png\)", (ROOT / "docs" / "gallery.md").read_text("utf-8"))
    assert sorted(links) == sorted(stored)  # which opens with the table of the end
