"""Notebook 11: its exercises name mistakes, its figures and widgets show what they claim."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from glanet import ModelConfig
from glanet.course.kit.checks import random_weights
from glanet.course.lessons.training_in_miniature import exercises, figures
from glanet.course.lessons.training_in_miniature.widgets import LivePlot, explore_schedule
from glanet.training import Recipe, schedule
from glanet.training.loop import Run
from tests.lessons.verdicts import assert_not_done, assert_rejected, assert_right, message_on

# The gradient of L1


def by_autograd(output, target):
    output = output.clone().requires_grad_()
    F.l1_loss(output, target).backward()
    return output.grad


def test_the_gradient_of_l1_is_autograds():
    assert_right(exercises.l1_gradient, by_autograd)


def l1_of(function):
    """The gradient of ``function(output, target)``, by autograd."""

    def gradient(output, target):
        output = output.clone().requires_grad_()
        return torch.autograd.grad(function(output, target), output)[0]

    return gradient


@pytest.mark.parametrize(
    ("mistaken", "says_so"),
    [
        (l1_of(lambda o, t: F.l1_loss(o, t, reduction="sum")), "divide them by the number"),
        (l1_of(lambda o, t: -F.l1_loss(o, t)), "the sign is wrong"),
        (l1_of(F.mse_loss), "gradient of the squared error"),
        (l1_of(lambda o, t: F.mse_loss(o, t) / 2), "take only its sign"),
        (lambda o, t: F.l1_loss(o, t, reduction="none") / np.prod(o.shape), "share of the loss"),
        (l1_of(lambda o, t: F.l1_loss(o, t, reduction="sum") / o.shape[0]), "number of images"),
        (lambda o, t: by_autograd(o, t).sum(), "this is one number"),
        (lambda o, t: ((o > t).float() * 2 - 1) / o.numel(), "are equal the gradient is 0"),
        (lambda o, t: by_autograd(o, t) * len(o), "the values of one image"),
    ],
)
def test_each_mistake_in_the_gradient_is_named(mistaken, says_so):
    assert_rejected(exercises.l1_gradient, mistaken, says_so)


# Adam


def adam_rewritten(weight, gradient, m, v, step, rate):
    """The same with the corrections moved into the rate, as in the paper's section 2."""
    m, v = m.lerp(gradient, 0.1), v.lerp(gradient.square(), 0.001)
    first, second = 1 - 0.9**step, (1 - 0.999**step) ** 0.5
    return weight - rate * second / first * m / (v.sqrt() + 1e-8 * second), m, v


def test_adam_is_accepted_in_other_words_and_equals_torchs():
    assert_right(exercises.adam_step, adam_rewritten)
    mine = theirs = torch.randn(5)
    theirs = theirs.clone().requires_grad_()
    optimizer = torch.optim.Adam([theirs], lr=0.1)
    m = v = torch.zeros(5)
    for step in range(1, 20):
        theirs.grad = torch.randn(5)
        mine, m, v = exercises.adam(mine, theirs.grad, m, v, step, 0.1)
        optimizer.step()
    assert torch.allclose(mine, theirs, atol=1e-6)


def adam_of(change):
    """The text of a right solution with one thing changed."""
    text = """
def mistaken(w, g, m, v, t, rate):
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g * g
    a = m / (1 - 0.9 ** t)
    b = v / (1 - 0.999 ** t)
    return w - rate * a / (b ** 0.5 + 1e-8), m, v
"""
    for old, new in change.items():
        assert old in text
        text = text.replace(old, new)
    namespace = {}
    exec(text, namespace)
    return namespace["mistaken"]


@pytest.mark.parametrize(
    ("change", "says_so"),
    [
        ({" / (1 - 0.9 ** t)": "", " / (1 - 0.999 ** t)": ""}, "divide by 1 − β"),
        ({"** t": "** (t + 1)"}, "step already counts from 1"),
        ({"g * g": "abs(g)"}, "should average the square"),
        (
            {"0.9 ": "β ", "0.1 ": "γ ", "0.999 ": "0.9 ", "0.001 ": "0.1 "}
            | {"β ": "0.999 ", "γ ": "0.001 "},
            "are swapped",
        ),
        ({"b ** 0.5": "b"}, "the square root is missing"),
        ({"w - rate": "w + rate"}, "moves uphill"),
        ({"0.1 * g": "g", "0.001 * g": "g"}, "grow without bound"),
        ({", m, v\n": ", a, b\n"}, "you return m̂ and v̂"),
        ({"b ** 0.5 + 1e-8": "(b + 1e-8) ** 0.5"}, "outside the root"),
        ({" / (1 - 0.999 ** t)": ""}, "only m is divided"),
        ({" / (1 - 0.9 ** t)": ""}, "only v is divided"),
        ({"return w": "return m, v, w", "1e-8), m, v": "1e-8)"}, "in this order"),
        ({"rate * a": "a"}, "does not depend on `rate`"),
        ({", m, v\n": "\n"}, "return three tensors"),
        ({"m = 0.9 * m + 0.1 * g": "m.mul_(0.9).add_(g, alpha=0.1)"}, "writes into its input"),
    ],
)
def test_each_mistake_in_adam_is_named(change, says_so):
    assert_rejected(exercises.adam_step, adam_of(change), says_so)


def test_an_adam_that_is_a_step_behind_is_named():
    def behind(weight, gradient, m, v, step, rate):
        moved = rate * (m / (1 - 0.9**step)) / ((v / (1 - 0.999**step)).sqrt() + 1e-8)
        return weight - moved, m.lerp(gradient, 0.1), v.lerp(gradient**2, 0.001)

    assert_rejected(exercises.adam_step, behind, "of the previous step")


# A step of training


def step_rewritten(model, adam, lr, hr, rate):
    model.train()
    for group in adam.param_groups:
        group["lr"] = rate
    for parameter in model.parameters():
        parameter.grad = None
    loss = (model(lr) - hr).abs().mean()
    loss.backward()
    adam.step()
    adam.zero_grad()
    return float(loss.detach())


def test_a_step_is_accepted_in_other_words():
    assert_right(exercises.train_step, step_rewritten)


def test_a_step_is_the_packages(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("one", "other"):
        pixels = rng.integers(0, 256, (40, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    recipe = Recipe(
        data=(str(tmp_path / "one.png"),),
        validation=(str(tmp_path / "other.png"),),
        steps=4,
        batch=2,
        patch=8,
        learning_rate=1e-3,
        precision="float32",
        schedule="cosine",
    )
    config = ModelConfig(
        channels=8, blocks=1, layers=1, heads=2, window=4, light_head=True, stochastic_depth=0.0
    )
    run = Run(config, recipe, tmp_path / "run", device="cpu")
    model = type(run.state.model)(config)
    model.load_state_dict(run.state.model.state_dict())
    adam = torch.optim.Adam(model.parameters())
    for step in range(3):
        batch = run.store.batch(recipe.seed, step, recipe.batch)
        rate = schedule.learning_rate(recipe, step)
        assert exercises.one_step(model, adam, *batch, rate) == pytest.approx(run.step()[0])
    run.close()
    for mine, theirs in zip(model.parameters(), run.state.model.parameters(), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-6)


def step_of(*lines):
    """A step made of these lines, in the names of the notebook."""
    text = "def mistaken(model, adam, lr, hr, rate):\n    " + "\n    ".join(lines)
    namespace = {"F": F}
    exec(f"{text}\n    return loss.item()", namespace)
    return namespace["mistaken"]


TRAIN = "model.train()"
RATE = "adam.param_groups[0]['lr'] = rate"
LOSS = "loss = F.l1_loss(model(lr), hr)"
CLEAR, BACKWARD, STEP = "adam.zero_grad()", "loss.backward()", "adam.step()"
ALL = (TRAIN, RATE, LOSS, CLEAR, BACKWARD, STEP)


@pytest.mark.parametrize(
    ("lines", "says_so"),
    [
        ((TRAIN, RATE, LOSS, BACKWARD, STEP), "gradients of earlier steps are still there"),
        ((TRAIN, RATE, LOSS, BACKWARD, CLEAR, STEP), "the weights do not change"),
        ((TRAIN, RATE, CLEAR, LOSS, BACKWARD), "the weights do not change"),
        ((TRAIN, RATE, CLEAR, LOSS, STEP), "the weights do not change"),
        ((TRAIN, RATE, STEP, CLEAR, LOSS, BACKWARD), "of the previous step"),
        ((TRAIN, RATE, LOSS, STEP, CLEAR, BACKWARD), "before loss.backward(): swap them"),
        ((TRAIN, CLEAR, LOSS, BACKWARD, STEP), "the rate is not used"),
        ((RATE, CLEAR, LOSS, BACKWARD, STEP), "model.train() first"),
        (
            (TRAIN, RATE, CLEAR, "loss = (model(lr) - hr).square().mean()", BACKWARD, STEP),
            "the squared error",
        ),
        (
            (TRAIN, RATE, CLEAR, "loss = (model(lr) - hr).abs().sum()", BACKWARD, STEP),
            "the sum over all values",
        ),
        (("adam = __import__('torch').optim.Adam(model.parameters())", *ALL), "built anew"),
        ((*ALL, "loss = F.l1_loss(model(lr), hr)"), "the changed weights"),
    ],
)
def test_each_mistake_in_a_step_is_named(lines, says_so):
    assert_rejected(exercises.train_step, step_of(*lines), says_so)


def test_a_step_that_returns_the_graph_of_its_loss_is_told():
    def heavy(model, adam, lr, hr, rate):
        model.train()
        adam.param_groups[0]["lr"] = rate
        loss = F.l1_loss(model(lr), hr)
        adam.zero_grad()
        loss.backward()
        adam.step()
        return loss

    assert_rejected(exercises.train_step, heavy, "the loss is a tensor")


def test_a_step_that_returns_no_loss_is_wrong_not_undone():
    def silent(*arguments):
        exercises.one_step(*arguments)

    assert_rejected(exercises.train_step, silent, "return loss.item()")


# The schedule


def rate_rewritten(config, step):
    after = step - config.warm_up
    if after < 0:
        return (1 + after / config.warm_up + 1 / config.warm_up) * config.learning_rate
    if config.schedule == "cosine":
        quarter = math.pi / 2 * after / (config.steps - config.warm_up)
        return config.learning_rate * math.cos(quarter) ** 2
    rate = config.learning_rate
    for share in config.milestones:
        if step / config.steps >= share:
            rate /= 2
    return rate


def test_the_schedule_is_accepted_in_other_words():
    assert_right(exercises.learning_rate, rate_rewritten)


def without_warm_up(config, step):
    return schedule.learning_rate(replace(config, warm_up=0), step)


def one_step_longer(config, step):
    if config.warm_up and step <= config.warm_up:
        return config.learning_rate * (step + 1) / config.warm_up
    return schedule.learning_rate(config, step)


def warm_up_only(kind):
    def mistaken(config, step):
        warm = config.warm_up if config.schedule == kind else 0
        if step < warm or config.schedule == "halving":
            return schedule.learning_rate(replace(config, warm_up=warm), step)
        share = (step - config.warm_up) / (config.steps - config.warm_up)
        return config.learning_rate * (1 + math.cos(math.pi * share)) / 2

    return mistaken


def cosine_or_halving(cosine):
    """The package's rate, but for the cosine after the warm-up."""

    def mistaken(config, step):
        if config.schedule == "halving" or step < config.warm_up:
            return schedule.learning_rate(config, step)
        return config.learning_rate * cosine(
            step, config.warm_up, config.steps, (step - config.warm_up) / config.steps
        )

    return mistaken


def half_wave(share):
    return (1 + math.cos(math.pi * share)) / 2


def share_left(step, warm_up, steps):
    return (step - warm_up) / (steps - warm_up)


def halving(halve):
    """The package's rate, but for the halving after the warm-up."""

    def mistaken(config, step):
        if config.schedule == "cosine" or step < config.warm_up:
            return schedule.learning_rate(config, step)
        return config.learning_rate * halve(step, config)

    return mistaken


def passed(step, config):
    return sum(step / config.steps >= share for share in config.milestones)


@pytest.mark.parametrize(
    ("mistaken", "says_so"),
    [
        (without_warm_up, "the warm-up is missing"),
        (one_step_longer, "take <, not <="),
        (warm_up_only("cosine"), "halving warms up too"),
        (warm_up_only("halving"), "the cosine warms up too"),
        (
            halving(lambda t, c: 0.5 ** sum(t >= m for m in c.milestones)),
            "milestones are fractions",
        ),
        (
            lambda c, t: schedule.learning_rate(replace(c, learning_rate=1.0), t),
            "share of the rate",
        ),
        (
            lambda config, step: (
                step / config.warm_up * config.learning_rate
                if step < config.warm_up
                else schedule.learning_rate(config, step)
            ),
            "rises with step + 1",
        ),
        (
            cosine_or_halving(lambda t, w, n, _: half_wave(t / n)),
            "start where the warm-up ends",
        ),
        (
            cosine_or_halving(lambda t, w, n, _: math.sin(math.pi / 2 * (1 - share_left(t, w, n)))),
            "a quarter of a cosine",
        ),
        (
            cosine_or_halving(lambda t, w, n, _: 2 * half_wave(share_left(t, w, n)) - 1),
            "ends below 0",
        ),
        (halving(lambda t, c: 0.5 ** passed(t - 1, c)), "one step too late"),
        (
            halving(
                lambda t, c: (
                    0.5 ** sum(share_left(t, c.warm_up, c.steps) >= m for m in c.milestones)
                )
            ),
            "fractions of all steps",
        ),
        (halving(lambda t, c: 1 - 0.5 * (t >= c.steps / 2)), "halved only once"),
        (halving(lambda t, c: 10.0 ** -passed(t, c)), "divide by 10"),
        (
            halving(lambda t, c: [1, 1 / 2, 1 / 4, 1 / 6, 1 / 8][passed(t, c)]),
            "the number of milestones passed",
        ),
    ],
)
def test_each_mistake_in_the_schedule_is_named(mistaken, says_so):
    assert_rejected(exercises.learning_rate, mistaken, says_so)


def test_a_warm_up_that_includes_its_end_is_told_where_it_divides_by_0():
    def mistaken(recipe, step):
        if step <= recipe.warm_up:
            return recipe.learning_rate * (step + 1) / recipe.warm_up
        return schedule.learning_rate(recipe, step)

    assert_rejected(exercises.learning_rate, mistaken, "where that is 0: divide only while step <")


def test_a_wrong_rate_names_only_what_it_depends_on():
    message = message_on(exercises.learning_rate, lambda config, step: 7.0)
    assert message.startswith("for Recipe(schedule='cosine', steps=")
    assert len(message) < 160


# The average of the weights


class AverageRewritten(nn.Module):
    def __init__(self, model, decay):
        super().__init__()
        self.module = type(model)(model.in_features, model.out_features)
        self.decay, self.n_averaged = decay, 0

    def update_parameters(self, model):
        decay = self.decay if self.n_averaged else 0.0
        theirs = model.state_dict()
        self.module.load_state_dict(
            {
                name: mine.lerp(theirs[name], 1 - decay)
                for name, mine in self.module.state_dict().items()
            }
        )
        self.n_averaged += 1


def average_that(update):
    """An average whose ``update_parameters`` is this function of (self, model)."""

    class Mistaken(AverageRewritten):
        def update_parameters(self, model):
            with torch.no_grad():
                update(self, model)

    return Mistaken


def pairs(average, model):
    return zip(average.module.parameters(), model.parameters(), strict=True)


def swapped(self, model):
    for mine, theirs in pairs(self, model):
        mine.lerp_(theirs, self.decay if self.n_averaged else 1.0)
    self.n_averaged += 1


def mixed_at_once(self, model):
    for mine, theirs in pairs(self, model):
        mine.mul_(self.decay).add_(theirs, alpha=1 - self.decay)
    self.n_averaged += 1


def not_counted(self, model):
    for mine, theirs in pairs(self, model):
        mine.lerp_(theirs, 1.0 if self.n_averaged == 0 else 1 - self.decay)


def only_named(self, model):
    for mine, theirs in pairs(self, model):
        mine = self.decay * mine + (1 - self.decay) * theirs
    self.n_averaged += 1


def copied_then_only_named(self, model):
    for mine, theirs in pairs(self, model):
        if self.n_averaged == 0:
            mine.copy_(theirs)
        else:
            mine = self.decay * mine + (1 - self.decay) * theirs
    self.n_averaged += 1


def plain_mean(self, model):
    self.n_averaged += 1
    for mine, theirs in pairs(self, model):
        mine.add_((theirs - mine) / self.n_averaged)


def not_shrunk(self, model):
    for mine, theirs in pairs(self, model):
        if self.n_averaged:
            mine.add_(theirs, alpha=1 - self.decay)
        else:
            mine.copy_(theirs)
    self.n_averaged += 1


def first_only(self, model):
    for mine, theirs in pairs(self, model):
        mine.lerp_(theirs, 1 - self.decay if self.n_averaged else 1.0)
        break
    self.n_averaged += 1


def counts_each_tensor(self, model):
    for mine, theirs in pairs(self, model):
        mine.lerp_(theirs, 1 - self.decay if self.n_averaged else 1.0)
        self.n_averaged += 1


def shares_memory(self, model):
    for mine, theirs in pairs(self, model):
        mine.data = (
            self.decay * mine + (1 - self.decay) * theirs if self.n_averaged else theirs.data
        )
    self.n_averaged += 1


def warming_decay(self, model):
    kept = min(self.decay, (1 + self.n_averaged) / (10 + self.n_averaged))
    for mine, theirs in pairs(self, model):
        mine.lerp_(theirs, 1 - kept if self.n_averaged else 1.0)
    self.n_averaged += 1


def writes_into_the_model(self, model):
    for mine, theirs in pairs(self, model):
        theirs.lerp_(mine, self.decay if self.n_averaged else 0.0)
    self.n_averaged += 1


class FirstOnly(average_that(first_only)):
    def __init__(self, model, decay):
        super().__init__(model, decay)
        self.module.load_state_dict(model.state_dict())


class CountsEachTensor(average_that(counts_each_tensor)):
    def __init__(self, model, decay):
        super().__init__(model, decay)
        self.module.load_state_dict(model.state_dict())


class MixedAtOnce(average_that(mixed_at_once)):
    def __init__(self, model, decay):
        super().__init__(model, decay)
        self.module.load_state_dict(model.state_dict())


def test_an_average_is_accepted_in_other_words():
    assert_right(exercises.Average, AverageRewritten)
    assert_not_done(exercises.Average, average_that(lambda self, model: ...))


@pytest.mark.parametrize(
    ("mistaken", "says_so"),
    [
        (average_that(swapped), "are swapped"),
        (MixedAtOnce, "the first update mixes in"),
        (average_that(not_counted), "always equals the last weights"),
        (average_that(copied_then_only_named), "does not change after the first update"),
        (average_that(plain_mean), "the plain mean"),
        (average_that(not_shrunk), "keeps growing"),
        (FirstOnly, "only the first tensor"),
        (CountsEachTensor, "n_averaged counts each tensor"),
        (average_that(warming_decay), "the decay grows"),
        (average_that(shares_memory), "share their numbers"),
        (average_that(writes_into_the_model), "the model changes"),
    ],
)
def test_each_mistake_in_the_average_is_named(mistaken, says_so):
    assert_rejected(exercises.Average, mistaken, says_so)


def test_an_average_under_another_name_is_told_so():
    class Renamed(nn.Module):
        def __init__(self, model, decay):
            super().__init__()
            self.average = model

    assert_rejected(exercises.Average, Renamed, "there is no `self.module`")


def test_an_average_that_only_rebinds_names_is_named():
    class Named(average_that(only_named)):
        def __init__(self, model, decay):
            super().__init__(model, decay)
            self.module.load_state_dict(model.state_dict())

    assert message_on(exercises.Average, Named).startswith("self.module never changes")


def test_in_place_on_weights_that_want_gradients_says_no_grad():
    class Graded(AverageRewritten):
        def update_parameters(self, model):
            mixed_at_once(self, model)

    assert_rejected(exercises.Average, Graded, "put @torch.no_grad() on the method")


# Figures


def drawn(figure):
    figure.canvas.draw()
    return figure.axes


def line(axes, number=0):
    return axes.lines[number].get_xydata()


def test_one_number_for_all_marks_median_and_mean():
    axes = drawn(figures.one_number_for_all([1, 2, 3, 4, 15]))[0]
    assert [axes.lines[number].get_xdata()[0] for number in (1, 3)] == [3, 5]
    at_ten = [np.interp(10, *axes.lines[number].get_data()) for number in (0, 2)]
    assert at_ten == pytest.approx([7 / 3.2, 51 / 26], abs=1e-3)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["L1, minimum at 3", "L2, minimum at 5"]


def test_descents_draw_each_path_on_the_same_axes():
    paths = {"a": torch.tensor([[1.0, 2], [0.5, 1]]), "b": torch.zeros(3, 2)}
    left, right = drawn(figures.descents(paths, steepness=10))
    assert np.array_equal(line(left), paths["a"])
    assert [left.get_title(), right.get_title()] == ["a, 1 steps", "b, 2 steps"]
    assert left.get_ylim() == right.get_ylim()
    assert left.get_xlim() == right.get_xlim()


def test_patches_show_each_pair_above_each_other():
    lr, hr = torch.rand(3, 3, 4, 4), torch.rand(3, 3, 8, 8)
    axes = drawn(figures.patches(lr, hr))
    for number in range(3):
        assert np.allclose(axes[number].images[0].get_array(), lr[number].permute(1, 2, 0))
        assert np.allclose(axes[3 + number].images[0].get_array(), hr[number].permute(1, 2, 0))
    assert [axes[0].get_ylabel(), axes[3].get_ylabel()] == ["LR, 4×4", "HR, 8×8"]


def test_losses_are_drawn_as_means_of_the_last_steps():
    axes = drawn(figures.loss_lines({"a": [4, 2, 3], "b": [1, 1, math.nan]}, rolling=2))[0]
    assert np.allclose(line(axes), [[2, 3], [3, 2.5]])
    assert np.allclose(line(axes, 1), [[2, 1], [3, math.nan]], equal_nan=True)
    assert axes.get_yscale() == "log"


def test_losses_by_rate_mark_the_least_and_those_that_are_not_finite():
    found = {1e-4: 0.5, 1e-3: 0.25, 1e-2: math.inf, 1e-1: math.nan}
    axes = drawn(figures.losses_by_rate(found, start=1.0))[0]
    assert np.allclose(line(axes), [[1e-4, 0.5], [1e-3, 0.25]])
    assert np.allclose(axes.lines[1].get_ydata(), 1.0)
    assert np.allclose(line(axes, 2), [[1e-2, 2], [1e-1, 2]])
    assert np.allclose(line(axes, 3), [[1e-3, 0.25]])


def test_losses_by_rate_can_all_be_infinite():
    axes = drawn(figures.losses_by_rate({1.0: math.inf, 2.0: math.nan}, start=3.0))[0]
    assert np.allclose(axes.lines[-1].get_xdata(), [1, 2])


def test_schedules_and_scores_draw_what_they_get():
    axes = drawn(figures.schedules({"a": ([0, 5], [1.0, 0.5])}))[0]
    assert np.allclose(line(axes), [[0, 1], [5, 0.5]])
    assert axes.get_ylim()[0] == 0
    axes = drawn(figures.scores([1, 2], {"a": [30, 31], "b": [29, 32]}, bicubic=28))[0]
    assert np.allclose(line(axes, 1), [[1, 29], [2, 32]])
    assert np.allclose(axes.lines[2].get_ydata(), 28)


def test_the_legend_of_scores_lies_above_the_curves():
    lines = {"the weights": [30, 31], "their average, decay 0.95": [29, 32]}
    figure = figures.scores([1, 2], lines, bicubic=28)
    figure.draw_without_rendering()  # lays out
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [*lines, "bicubic"]
    assert figure.axes[0].bbox.y1 < legend.get_window_extent().y0
    assert figure.bbox.x0 < legend.get_window_extent().x0


ENTRIES = [
    {"step": 50, "loss": 0.5, "learning_rate": 1e-3},
    {"step": 100, "loss": 0.25, "learning_rate": 5e-4, "psnr_y": 30.0},
    {"step": 150, "loss": 0.2, "learning_rate": 5e-4, "psnr_y": 30.0},
    {"step": 200, "loss": 0.1, "learning_rate": 0.0, "psnr_y": 31.0},
]


def test_the_curve_of_a_run_shows_psnr_only_where_it_was_measured():
    loss, psnr, rate = drawn(figures.curve(ENTRIES, bicubic=29))
    assert np.allclose(line(loss)[:, 1], [0.5, 0.25, 0.2, 0.1])
    assert np.allclose(line(psnr), [[100, 30], [200, 31]])
    assert np.allclose(psnr.lines[1].get_ydata(), 29)
    assert np.allclose(line(rate), [[50, 1e-3], [100, 5e-4], [150, 5e-4], [200, 0]])


def test_the_curve_can_be_drawn_before_the_first_validation():
    _, psnr, _ = drawn(figures.curve(ENTRIES[:1]))
    assert len(line(psnr)) == 0


# Widgets


def test_live_plot_redraws_at_most_every_few_seconds(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(
        "glanet.course.lessons.training_in_miniature.widgets.time.monotonic", lambda: now[0]
    )
    plot = LivePlot(bicubic=29)
    assert plot.outputs == ()
    plot(ENTRIES[0])
    (first,) = plot.outputs
    assert first["output_type"] == "display_data"
    now[0] += 4
    plot(ENTRIES[1])
    assert plot.outputs == (first,)
    now[0] += 1
    plot(ENTRIES[2])
    assert len(plot.outputs) == 1
    assert plot.drawn_at == now[0]
    assert plot.entries == ENTRIES[:3]


def test_the_live_plot_is_drawn_from_all_entries(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "glanet.course.lessons.training_in_miniature.widgets.curve",
        lambda entries, bicubic: seen.append((list(entries), bicubic)) or "a figure",
    )
    monkeypatch.setattr("glanet.course.lessons.training_in_miniature.widgets.EVERY", 0)
    plot = LivePlot(bicubic=29)
    for entry in ENTRIES:
        plot(entry)
    assert seen == [(ENTRIES[:count], 29) for count in (1, 2, 3, 4)]


def test_the_schedule_is_drawn_at_both_ends_of_every_control(sweep):
    assert sweep(explore_schedule(schedule.learning_rate)) == 4


def test_the_schedule_explorer_draws_the_function_that_it_gets():
    widget = explore_schedule(lambda recipe, step: step * recipe.learning_rate)
    axes = drawn(widget.f(schedule="cosine", steps=500, warm_up=0, milestones=2))[0]
    assert np.allclose(line(axes)[:, 1], Recipe.learning_rate * line(axes)[:, 0])
    assert line(axes)[-1, 0] == 499


def test_random_weights_of_the_toy_tell_training_from_use():
    toy = exercises._Toy()
    toy.load_state_dict(random_weights(toy, np.random.default_rng(0)))
    image = torch.rand(1, 3, 4, 5)
    assert torch.allclose(toy.train()(image), 2 * toy.eval()(image))
