"""Notebook 16: its rules judge the experiment, its report says what was measured."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from glanet import ModelConfig
from glanet.analysis.receptive import ReceptiveField
from glanet.analysis.spectrum import FREQUENCY
from glanet.course.kit import practice
from glanet.course.lessons.your_own_layer import exercises, experiment, figures
from glanet.course.lessons.your_own_layer.experiment import (
    RULES,
    VERDICTS,
    Trial,
    Variant,
    broken_rules,
    carry_out,
    compare,
    takes_effect,
    training_images,
    with_hidden,
)
from glanet.course.lessons.your_own_layer.report import conclude, write_report
from glanet.course.lessons.your_own_layer.widgets import explore_choice
from glanet.model.layer import GLALayer
from glanet.training import Recipe
from glanet.training.images import check_apart
from tests.lessons.verdicts import assert_named, assert_not_done, assert_rejected, assert_right
from tests.lessons.your_own_layer.variants import VARIANTS

TINY = ModelConfig(channels=8, blocks=1, layers=2, heads=2, light_head=True)


# The exercises


@pytest.mark.parametrize("name", VARIANTS)
def test_other_right_answers_pass(name):
    for answer in VARIANTS[name]:
        assert_right(getattr(exercises, name), answer)


def test_a_hidden_width_in_a_float_is_told_so():
    right = exercises.hidden_width.reference
    says = "right, but as a float"
    assert_rejected(exercises.hidden_width, lambda *given: float(right(*given)), says)


def test_a_plan_without_cleaned_images_is_told_so():
    def naive(parameters, recipe):
        names = ["original", "mine", "control", "weaker"]
        return [Trial(n, parameters[n], replace(recipe, seed=s)) for n in names for s in range(3)]

    assert_named(exercises.plan, naive, "both trained and measured on")


def test_a_plan_of_two_networks_is_told_so():
    def short(parameters, recipe):
        return [
            trial
            for trial in exercises.fair_plan(parameters, recipe)
            if trial.network in ("original", "mine")
        ]

    assert_named(exercises.plan, short, "a network is missing")


def test_a_plan_that_is_no_list_of_trials_is_told_so():
    assert_rejected(exercises.plan, lambda parameters, recipe: parameters, "list of Trial")


def test_other_words_than_the_five_are_rejected():
    assert_rejected(exercises.verdict, lambda *sides: "significant", "return one of broken")


def test_an_unfinished_plan_is_not_done():
    assert_not_done(exercises.plan, lambda parameters, recipe: ...)


# The experiment


def test_networks_of_one_variant_and_seed_are_alike_and_of_another_seed_are_not():
    one, again, other = (Variant(TINY).build(seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["shallow.conv.weight"], other["shallow.conv.weight"])


def test_a_variant_has_windows_and_shifted_windows_and_the_initial_weights_of_a_gla_net():
    model = Variant(TINY).build()
    layers = model.trunk.blocks[0].layers
    assert [layer.attention.shift for layer in layers] == [0, 4]
    for layer in layers:
        assert layer.attention.qkv.weight.std().item() == pytest.approx(0.02, rel=0.3)
        assert not layer.attention.qkv.bias.any()


class Wider(GLALayer):
    """A layer with weights of its own, in another shape, and an effect."""

    def __init__(self, *settings):
        super().__init__(*settings, mlp_ratio=3)


class Idle(GLALayer):
    """A layer with a change that never runs."""

    def __init__(self, *settings):
        super().__init__(*settings)
        self.unused = nn.Linear(3, 3)


@pytest.mark.parametrize(("layer", "expected"), [(Wider, True), (Idle, False)])
def test_a_change_that_never_runs_is_noticed(layer, expected):
    tokens = torch.randn(1, 8, 8, 8)
    changed, unchanged = (kind(8, 2, 8, 0) for kind in (layer, GLALayer))
    before = {name: tensor.clone() for name, tensor in changed.state_dict().items()}
    assert takes_effect(changed, unchanged, tokens) == expected
    assert all(torch.equal(before[name], now) for name, now in changed.state_dict().items())


@pytest.mark.parametrize("channels", [12, 16, 24, 28])
def test_the_mlp_has_as_many_hidden_channels_as_asked_for(channels):
    config = replace(TINY, channels=channels)
    for hidden in range(1, 3 * channels):
        mlp = GLALayer(channels, 2, 8, 0, mlp_ratio=with_hidden(config, hidden).mlp_ratio).mlp
        assert mlp[0].out_features == hidden


def test_images_to_train_on_and_to_measure_on_are_apart():
    check_apart(training_images(), practice.held_out_images())


def test_without_data_photographs_serve(monkeypatch, tmp_path):
    monkeypatch.setenv("GLANET_DATA", str(tmp_path))
    assert training_images() == practice.training_images()


def test_carrying_out_a_recipe_trains_and_is_repeatable():
    files = tuple(map(str, training_images()[:2]))
    recipe = Recipe(data=files, validation=(), steps=2, batch=2, patch=8, seed=5)
    one, again, shorter = (
        carry_out(Variant(TINY), replace(recipe, steps=steps)).state_dict() for steps in (2, 2, 1)
    )
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not all(torch.equal(one[name], shorter[name]) for name in one)


PLAN = exercises.fair_plan(
    {"original": 1000, "mine": 1000, "control": 1000, "weaker": 700},
    Recipe(data=("a", "b"), validation=("c", "d"), steps=10, schedule="cosine"),
)


def spoil(**fields):
    """The fair plan, with other fields in the recipe of one trial."""
    first, *others = PLAN
    return [replace(first, recipe=replace(first.recipe, **fields)), *others]


def test_a_fair_plan_breaks_no_rule():
    assert broken_rules(PLAN) == []


@pytest.mark.parametrize(
    ("trials", "words"),
    [
        (PLAN[:3], "all there"),
        (PLAN[:8], "at least 3 seeds"),
        (PLAN[:-1], "same seeds"),
        ([*PLAN, PLAN[-1]], "twice"),
        (spoil(data=("b",)), "trained on the same images"),
        (spoil(validation=("c",)), "measured on the same images"),
        (spoil(data=("a", "c")), "both trained and measured"),
        (spoil(steps=11), "number of steps"),
        (spoil(batch=3), "batches of the same size"),
        (spoil(patch=8), "batches of the same size"),
        (spoil(learning_rate=1e-2), "same learning rate"),
        (spoil(warm_up=3), "same learning rate"),
        ([replace(PLAN[0], parameters=1100), *PLAN[1:]], "as many parameters"),
        ([*PLAN[:3], replace(PLAN[3], parameters=1100), *PLAN[4:]], "as many parameters"),
    ],
)
def test_each_rule_notices_what_breaks_it(trials, words):
    assert any(words in rule for rule in broken_rules(trials))


def psnr(mine=0.0, control=0.0, weaker=-0.5, noise=0.01):
    """PSNRs of 3 seeds and 5 images, with these leads over the original."""
    rng = np.random.default_rng(0)
    images = rng.uniform(28, 38, (1, 5)) + rng.normal(0, 0.1, (3, 1))
    leads = {"original": 0.0, "mine": mine, "control": control, "weaker": weaker}
    return {name: images + lead + rng.normal(0, noise, (3, 5)) for name, lead in leads.items()}


@pytest.mark.parametrize(
    ("leads", "expected"),
    [
        ({"mine": 0.2}, "better"),
        ({"mine": -0.2}, "worse"),
        ({"mine": 0.001, "noise": 0.05}, "undecided"),
        ({"mine": 0.2, "control": 0.2}, "broken"),
        ({"mine": 0.2, "weaker": 0.0}, "insensitive"),
    ],
)
def test_the_verdict_follows_from_the_numbers(leads, expected):
    assert conclude(psnr(**leads)) == expected


def test_a_lead_counts_only_over_seeds_and_over_images():
    theirs = np.zeros((3, 4))
    everywhere = np.array([[0.1], [0.11], [0.12]]) + np.array([0.0, 0.01, 0.02, 0.03])
    one_image = np.array([[0.1], [0.11], [0.12]]) * np.array([10, 0, 0, 0])
    assert compare(everywhere, theirs).side == 1
    assert compare(-everywhere, theirs).side == -1
    assert compare(one_image, theirs).seeds.low > 0
    assert compare(one_image, theirs).side == 0


# The report


def written(folder, trials=PLAN, expected="better", **leads):
    found = psnr(**leads)
    lead = {name: found[name] - found["original"] for name in ("mine", "control", "weaker")}
    path, text = write_report(
        folder,
        question="Does it help?",
        expected=expected,
        trials=trials,
        psnr=found,
        figure=figures.leads(lead),
    )
    assert path.read_text(encoding="utf-8") == text
    assert (folder / "leads.png").stat().st_size > 1000
    return text


def test_the_report_has_question_verdict_prediction_budget_and_rules(tmp_path):
    text = written(tmp_path, mine=0.2)
    assert text.startswith("# Does it help?")
    assert f"**Verdict.** {VERDICTS['better']} (Predicted: better.)" in text
    for part in ("| seeds | 0, 1, 2 |", "10 steps of 32 patches", "2 images: c, d", "| commit |"):
        assert part in text
    assert all(f"- {rule}" in text for rule in RULES)


def test_the_report_of_an_unfair_experiment_has_no_verdict(tmp_path):
    text = written(tmp_path, trials=spoil(steps=20), expected=..., mine=0.2)
    assert "**Verdict.** None: the experiment breaks 1 of its rules." in text
    assert "- broken: all take the same number of steps" in text
    assert "(Predicted: none.)" in text


def test_the_reports_names_of_images_have_no_folder(tmp_path):
    recipe = replace(PLAN[0].recipe, validation=("/x/baby.png", "/x/bird.v2.png"))
    trials = [replace(t, recipe=replace(recipe, seed=t.recipe.seed)) for t in PLAN]
    assert "2 images: baby, bird.v2 |" in written(tmp_path, trials=trials)


# Figures and the widget


def test_leads_are_drawn_by_seed_and_by_image():
    lead = np.array([[0.1, 0.3], [0.2, 0.4], [0.3, 0.5]])
    by_seed, by_image = figures.leads({"mine": lead}).axes
    np.testing.assert_allclose(sorted(by_seed.lines[0].get_xdata()), [0.2, 0.3, 0.4])
    np.testing.assert_allclose(sorted(by_image.lines[0].get_xdata()), [0.2, 0.4])
    assert (by_seed.get_title(), by_image.get_title()) == ("3 seeds", "2 images")


def test_choosing_keeps_the_most_favourable():
    lead = np.array([[0.0, 0.3, -0.1], [-0.2, -0.3, -0.1]])
    (axes,) = figures.chosen(lead, seeds=1, images=1).axes
    filled, hollow = axes.lines[:2]
    assert list(filled.get_xdata()) == [0.3]
    assert len(hollow.get_xdata()) == 5


def test_gains_are_drawn_by_frequency():
    samples = np.random.default_rng(0).normal(size=(3, len(FREQUENCY)))
    (axes,) = figures.gains_by_frequency(FREQUENCY, {"mine": samples}).axes
    np.testing.assert_allclose(axes.lines[0].get_ydata(), samples.mean(0))


def test_the_reach_is_relative_to_the_strongest_ring():
    rows, columns = np.indices((9, 9))
    field = ReceptiveField(np.exp(-np.hypot(rows - 4, columns - 4)), row=4, column=4)
    (axes,) = figures.reaches({"mine": [field, field]}).axes
    strength = axes.lines[0].get_ydata()
    assert strength[0] == 1
    assert len(strength) == 5
    assert (np.diff(strength) < 0).all()


def test_false_finds_are_drawn_beside_the_control():
    band = compare(psnr()["control"], psnr()["original"]).seeds
    (axes,) = figures.false_finds({"one": 0.1, "two": -0.2}, band).axes
    assert [bar.get_width() for bar in axes.patches[1:]] == [0.1, -0.2]


def test_every_control_of_the_widget_draws(sweep):
    found = psnr()
    lead = {name: found[name] - found["original"] for name in ("control", "mine")}
    assert sweep(explore_choice(lead)) == 3


def test_the_roles_are_those_that_the_report_judges():
    assert set(experiment.ROLES) == set(psnr())
