"""The benchmarks claim no more than they measured."""

from benchmarks import ledger, ship, train_step
from glanet.training import Recipe


def test_hours_are_extrapolated_only_from_the_papers_patches():
    assert train_step.hours(72.0, train_step.Options()) == {"hours_for_500k_steps": 10.0}
    left_out = train_step.hours(72.0, train_step.Options(batch=16))
    assert left_out == {"hours_left_out": "measured at batch 16, the recipe has 32"}
    assert "patch 32, the recipe has 48" in str(
        train_step.hours(72.0, train_step.Options(patch=32))
    )


def test_the_ledger_has_no_hours_from_another_batch():
    paper, entries = Recipe.preset("paper"), list(ledger.RESULTS.glob("train-step-*.json"))
    assert entries
    for path in entries:
        entry = ledger.read(path.stem)
        measured = (entry["batch"], entry["patch"]) == (paper.batch, paper.patch)
        assert ("hours_for_500k_steps" in entry) == measured, path.name


def test_a_card_says_what_shipped_weights_were_at_the_start():
    entry = ledger.read("scores-light-x2")
    started = ship.start(ship.before("light-x2"))
    assert started == f"light-x2 as it was after {entry['steps']:,} steps"
    assert ship.start(ship.before("runs/mine/weights")) == "runs/mine/weights"
    assert ship.start(ship.before(None)) is None
