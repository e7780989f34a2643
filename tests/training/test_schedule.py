import pytest

from glanet.training import Recipe
from glanet.training.schedule import learning_rate


def test_the_papers_rate_is_halved_at_swinirs_milestones():
    paper = Recipe()
    last_steps = {1e-4: 249_999, 5e-5: 399_999, 2.5e-5: 449_999, 1.25e-5: 474_999}
    for rate, step in last_steps.items():
        assert learning_rate(paper, step) == rate
        assert learning_rate(paper, step + 1) == rate / 2
    assert learning_rate(paper, 0) == 1e-4


def test_the_cosine_falls_from_the_full_rate_to_none():
    recipe = Recipe(steps=100, learning_rate=2.0, schedule="cosine")
    rates = [learning_rate(recipe, step) for step in (0, 25, 50, 75, 100)]
    assert rates == pytest.approx([2, 1 + 0.5**0.5, 1, 1 - 0.5**0.5, 0])


@pytest.mark.parametrize("schedule", ["halving", "cosine"])
def test_the_warm_up_rises_to_the_full_rate(schedule):
    recipe = Recipe(steps=100, learning_rate=1.0, schedule=schedule, warm_up=4)
    rates = [learning_rate(recipe, step) for step in range(5)]
    assert rates == pytest.approx([0.25, 0.5, 0.75, 1, 1])
