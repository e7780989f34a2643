import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from glanet import ModelConfig
from glanet.course import report
from glanet.course.kit import progress
from glanet.course.kit.checks import (
    NOT_DONE,
    RIGHT,
    WRONG,
    Exercise,
    ExerciseError,
    Verdict,
    passes_gradients,
    random_weights,
    returns_int,
    run_module,
    trains_alike,
)


def mean_of_rows(image):
    return image.mean(axis=1)


def mine(image):
    """A right answer in other words."""
    return image.sum(1) / image.shape[1]


exercise = Exercise(
    "99",
    "mean of rows",
    mean_of_rows,
    lambda rng: [(rng.random((3, 5)),), (rng.random((4, 4)),)],
    {"that is the mean of the columns": lambda image: image.mean(axis=0)},
)


def test_the_right_function_is_right_and_handed_back(capsys):
    assert exercise.judge(mine).state == RIGHT
    assert exercise.check(mine) is mine
    assert capsys.readouterr().out.startswith("✓ mean of rows: right")


@pytest.mark.parametrize("nothing", [None, ...])
def test_what_returns_nothing_is_not_done_yet_and_replaced(nothing, capsys):
    assert exercise.judge(lambda image: nothing).state == NOT_DONE
    assert exercise.check(lambda image: nothing) is mean_of_rows
    assert "not done yet" in capsys.readouterr().out


def test_a_known_mistake_is_named(capsys):
    assert exercise.check(lambda image: image.mean(0)) is mean_of_rows
    assert "✗ mean of rows: that is the mean of the columns" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda image: image.mean(), r"shape is \(\), expected \(3,\)"),
        (lambda image: image.mean(1) + 1, r"at index \(\d,\) it returns .*expected"),
        (lambda image: image.mean(1) * np.nan, "it returns nan"),
        (lambda image: ["a"] * len(image), "returns list, expected numbers"),
        (lambda image: object(), "returns object, expected numbers"),
        (lambda image: image.nothing, "raised AttributeError"),
    ],
)
def test_any_other_mistake_is_described(wrong, says):
    verdict = exercise.judge(wrong)
    assert verdict.state == WRONG
    assert re.search(says, verdict.message), verdict.message


def test_a_call_that_a_function_cannot_take_is_not_told_as_an_error_inside_it():
    message = exercise.judge(lambda: 0).message
    assert message.startswith("it cannot be used as the exercise asks: ")
    assert "takes 0 positional arguments but 1 was given" in message


def test_numbers_equal_in_six_digits_are_printed_with_more():
    close = Exercise("99", "close", lambda: 98.4932761, lambda rng: [()])
    says = "returns 98.4932784, expected 98.4932761"
    assert says in close.judge(lambda: 98.4932784).message


def test_a_mistake_that_fails_is_known_by_its_error():
    failing = replace(exercise, mistakes={"axis 2 is missing": lambda image: image.mean(axis=2)})
    assert failing.judge(lambda image: image.mean(2)) == Verdict(WRONG, "axis 2 is missing")
    assert "axis 3" in failing.judge(lambda image: image.mean(3)).message


def test_an_error_that_the_reference_raises_too_is_no_mistake():
    def fails(image):
        raise OSError("no GPU here")

    failing = replace(exercise, reference=fails, mistakes={"the axis is wrong": fails})
    assert failing.judge(lambda image: fails(image)).message.endswith("OSError: no GPU here")


def test_words_are_compared_and_quoted():
    yes = returning("yes")
    assert yes.judge(lambda: "yes") == Verdict(RIGHT)
    assert yes.judge(lambda: "no").message.endswith("it returns 'no', expected 'yes'")


def test_a_mistake_that_gives_nan_is_known_by_it():
    undefined = Exercise(
        "99", "undefined", lambda: 1.0, lambda rng: [()], {"0 / 0": lambda: float("nan")}
    )
    assert undefined.judge(lambda: np.float64(np.nan)).message == "0 / 0"


def spoils(image):
    answer = image.mean(1)
    image[:] = 0
    return answer


@pytest.mark.parametrize("inside", [lambda image: image, lambda image: {"nested": [image]}])
def test_a_function_that_spoils_its_input_is_rejected(inside):
    nested = replace(
        exercise,
        draw=lambda rng: [(inside(rng.random((3, 5))),)],
        run=lambda f, image: f(image["nested"][0] if isinstance(image, dict) else image),
    )
    assert nested.judge(mine).state == RIGHT
    assert "right, but it writes into its input" in nested.judge(spoils).message
    torch_too = replace(nested, reference=torch.zeros_like, draw=lambda rng: [(torch.ones(3),)])
    assert "writes into its input" in torch_too.judge(torch.Tensor.zero_).message


def returning(right, **options):
    return Exercise("99", "any", lambda: right, lambda rng: [()], **options)


ARRAY, TENSOR = np.array([1.0, 2.5]), torch.tensor([1.0, 2.5])


@pytest.mark.parametrize(
    ("right", "answer", "says"),
    [
        (ARRAY, torch.from_numpy(ARRAY), "as a torch tensor: return a numpy array"),
        (ARRAY, [1.0, 2.5], "as a list: return a numpy array"),
        (TENSOR, TENSOR.numpy(), "as a numpy array: return a torch tensor"),
        (TENSOR, TENSOR.double(), "in float64: return float32"),
        (ARRAY, ARRAY.astype(np.float32), "in float32: compute in float64"),
        (np.uint8([1, 2]), np.int64([1, 2]), "in int64: return uint8"),
        (np.uint8([1, 2]), [1, 2], "as a list: return a numpy array"),
        (torch.tensor([1, 2]), torch.tensor([1, 2], dtype=torch.int32), "in int32: return int64"),
        (1.5, torch.tensor(1.5), "as a torch tensor: return a number"),
        ([TENSOR] * 2, (TENSOR, TENSOR.numpy()), "as a numpy array: return a torch tensor"),
    ],
)
def test_right_numbers_of_another_type_are_wrong(right, answer, says):
    assert returning(right).judge(lambda: answer) == Verdict(WRONG, f"right, but {says}")


@pytest.mark.parametrize(
    ("right", "answer"),
    [
        (1.5, np.float64(1.5)),
        (1.5, np.array(1.5)),
        (np.float64(2), 2),
        (np.array([1.0, 2]), np.array([1, 2])),
        ([1, 2], (1, 2)),
        ([1, 2], np.array([1, 2])),
        (TENSOR, nn.Parameter(TENSOR)),
    ],
)
def test_numbers_of_a_type_that_does_no_harm_are_right(right, answer):
    assert returning(right).judge(lambda: answer).state == RIGHT


def test_rounding_in_float32_is_told_from_a_mistake():
    right = np.array([123.456789, 0.1])
    once = returning(right, mistakes={"all are doubled": lambda: 2 * right})
    says = "right, but in float32: compute in float64"
    assert once.judge(lambda: right.astype(np.float32)).message == says
    assert once.judge(lambda: np.float32(right) * np.float32(1.00002)).message == says
    assert once.judge(lambda: 2 * right).message == "all are doubled"
    assert "it returns" in once.judge(lambda: 1.1 * np.float32(right)).message
    twice = replace(once, draw=lambda rng: [(right,), (np.float32(right),)], reference=np.copy)
    assert twice.judge(np.float32).message == says


def test_in_strict_mode_anything_but_right_is_an_error(monkeypatch):
    monkeypatch.setenv("GLANET_STRICT", "1")
    assert exercise.check(mine) is mine
    for other in (lambda image: None, lambda image: image.mean(0)):
        with pytest.raises(ExerciseError, match="mean of rows"):
            exercise.check(other)


# Classes


class Scaled(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.inside = nn.Linear(channels, channels)
        self.outside = nn.Linear(channels, channels)

    def forward(self, x):
        return self.outside(self.inside(x)) + x


class NoResidual(Scaled):
    def forward(self, x):
        return super().forward(x) - x


def draw_modules(rng):
    return [((c,), random_weights(Scaled(c), rng), torch.randn(2, c)) for c in (3, 5)]


module_exercise = Exercise(
    "99", "Scaled", Scaled, draw_modules, {"the residual is missing": NoResidual}, run=run_module
)


def test_a_class_is_built_given_weights_and_called():
    assert module_exercise.judge(Scaled).state == RIGHT
    assert module_exercise.judge(NoResidual).message == "the residual is missing"

    class Stub(nn.Module):
        def __init__(self, channels):
            super().__init__()
            ...

    assert module_exercise.judge(Stub).state == NOT_DONE

    class PlainList(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.steps = [nn.Linear(channels, channels)]

    assert "use nn.ModuleList" in module_exercise.judge(PlainList).message


class Named(nn.Module):
    def __init__(self, **layers):
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        ({"inside": nn.Linear(3, 3, bias=False)}, "no `inside.bias`: leave `bias=True`"),
        (
            {"first": nn.Linear(3, 3, bias=False)},
            "no `inside.weight`; it has first.weight",
        ),
        ({"inside": nn.Linear(3, 4)}, "`inside.weight` has the shape (4, 3), expected (3, 3)"),
        (
            {"inside": nn.Linear(3, 3), "outside": nn.Linear(3, 3), "more": nn.Linear(3, 3)},
            "your class has `more.weight`, which the exercise has not: leave it out",
        ),
    ],
)
def test_weights_that_do_not_fit_are_told_in_words(layers, says):
    message = module_exercise.judge(lambda channels: Named(**layers)).message
    assert says in message
    assert "raised" not in message


def scaled(change=lambda module: None, forward=Scaled.forward):
    """Scaled, changed after it is built, with another forward."""

    class Mine(Scaled):
        def __init__(self, channels):
            super().__init__(channels)
            change(self)

    Mine.forward = forward
    return Mine


@pytest.mark.parametrize(
    ("mine", "says"),
    [
        (scaled(lambda m: m.outside.requires_grad_(False)), "`outside.weight` is frozen"),
        (lambda channels: channels, "it builds a number, expected an nn.Module"),
        (scaled(lambda m: setattr(m, "more", (nn.Linear(2, 2),))), None),
    ],
)
def test_only_a_module_that_training_can_change_is_compared(mine, says):
    verdict = module_exercise.judge(mine)
    assert verdict == Verdict(RIGHT) if says is None else says in verdict.message


@pytest.mark.parametrize(
    ("forward", "says"),
    [
        (torch.no_grad()(Scaled.forward), "no gradient reaches the weights"),
        (lambda self, x: self.outside(self.inside(x).detach()) + x, "reaches `inside.weight`"),
        (lambda self, x: Scaled.forward(self, x.detach()), "no gradient reaches the input"),
        (
            lambda self, x: nn.functional.dropout(Scaled.forward(self, x), 0.5, self.training),
            "drop",
        ),
        (lambda self, x: Scaled.forward(self, x.mul_(1)), "with gradients, as in training"),
    ],
)
def test_a_class_that_cannot_train_is_told_why(forward, says):
    trained = replace(module_exercise, also=trains_alike)
    assert trained.judge(Scaled) == Verdict(RIGHT)
    assert says in trained.judge(scaled(forward=forward)).message


def test_a_function_that_stops_gradients_is_told_so():
    doubling = Exercise(
        "99", "double", lambda x: 2 * x, lambda rng: [(torch.ones(3),)], also=passes_gradients
    )
    assert doubling.judge(lambda x: x + x) == Verdict(RIGHT)
    assert "no gradient passes through" in doubling.judge(lambda x: x.detach() * 2).message
    product = replace(
        doubling, reference=torch.mul, draw=lambda rng: [(torch.ones(3), torch.ones(3))]
    )
    assert product.judge(lambda x, y: x * y) == Verdict(RIGHT)
    assert "to each of its inputs" in product.judge(lambda x, y: x * y.detach()).message


def test_a_float_is_told_so_where_an_int_is_needed():
    whole = returning(2, also=returns_int)
    assert whole.judge(lambda: 2) == whole.judge(lambda: np.int64(2)) == Verdict(RIGHT)
    assert whole.judge(lambda: 2.0).message == "right, but as a float: return an int"
    assert returning(2).judge(lambda: 2.0) == Verdict(RIGHT)


def test_a_class_is_compared_in_the_float_type_of_its_input():
    def draw(rng):
        return [((3,), random_weights(Scaled(3), rng), torch.randn(2, 3, dtype=torch.float64))]

    exact = replace(module_exercise, draw=draw)
    assert exact.judge(Scaled) == Verdict(RIGHT)
    rough = scaled(forward=lambda self, x: Scaled.forward(self, x).float())
    assert exact.judge(rough).message == "right, but in float32: compute in float64"


def test_random_weights_make_every_weight_matter():
    weights = random_weights(nn.LayerNorm(6), np.random.default_rng(0))
    assert all(tensor.std() > 0.05 for tensor in weights.values())


# Progress


def test_what_is_right_is_kept_once_and_only_that(tmp_path, monkeypatch):
    path = tmp_path / "home" / "progress.json"
    monkeypatch.setenv("GLANET_PROGRESS", str(path))
    exercise.check(lambda image: image.mean(0))
    assert not path.exists()
    exercise.check(mine)
    first = path.read_text()
    assert set(progress.solved()) == {"99.mean of rows"}
    exercise.check(mine)
    assert path.read_text() == first


def test_what_a_check_handed_back_is_no_answer_to_the_next(capsys, monkeypatch):
    handed_back = exercise.check(lambda image: image.mean(0))
    for _ in range(2):
        handed_back = exercise.check(handed_back)
        assert handed_back is mean_of_rows
        assert "run your cell again first" in " ".join(capsys.readouterr().out.split())
    assert progress.solved() == {}
    monkeypatch.setenv("GLANET_STRICT", "1")
    with pytest.raises(ExerciseError, match="package's own"):
        exercise.check(handed_back)


@pytest.mark.parametrize("content", ["", "{", "[1]"])
def test_a_damaged_file_of_progress_counts_as_empty(content):
    progress.progress_file().write_text(content)
    assert progress.solved() == {}
    exercise.check(mine)
    assert set(progress.solved()) == {"99.mean of rows"}


def test_progress_that_cannot_be_written_stops_nobody(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GLANET_PROGRESS", str(tmp_path / "file" / "progress.json"))
    assert exercise.check(mine) is mine
    assert "could not be saved" in capsys.readouterr().out


def test_report_shows_what_is_solved(monkeypatch):
    two = [replace(e, lesson="inception") for e in (exercise, module_exercise)]
    monkeypatch.setattr(report, "all_exercises", lambda: two)
    two[0].check(mine)
    for name in ("inception", "04", "04_inception", None):
        assert report.report(name) == (
            "04  ✓ mean of rows   · Scaled\n1 of 2 exercises of the course are solved."
        )


def test_progress_that_was_kept_by_number_still_counts():
    progress.progress_file().write_text('{"05.attend": "2026-11-24", "inception.compose": "x"}')
    assert progress.solved() == {"window_attention.attend": "2026-11-24", "inception.compose": "x"}


def test_no_two_exercises_share_a_key():
    keys = [exercise.key for exercise in report.all_exercises()]
    assert len(keys) == len(set(keys)) > 0


def test_a_plain_list_beside_other_layers_is_named():
    class Mine(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.inside = nn.Linear(channels, channels)
            self.rest = [nn.Linear(channels, channels)]

    assert "in the plain list `rest`" in module_exercise.judge(Mine).message


def test_a_long_config_is_described_by_what_differs_from_its_defaults():
    config = ModelConfig(channels=8, heads=2)
    of_config = Exercise("99", "wide", lambda config: config.channels, lambda rng: [(config,)])
    message = of_config.judge(lambda config: 5.5).message
    assert message.startswith("for ModelConfig(channels=8, heads=2) it returns 5.5")


def test_a_config_in_settings_and_a_long_list_are_described_briefly():
    case = (ModelConfig(channels=8, heads=2),), list(range(100))
    of_both = Exercise("99", "wide", lambda settings, entries: 1, lambda rng: [case])
    message = of_both.judge(lambda settings, entries: 5.5).message
    assert message.startswith("for (ModelConfig(channels=8, heads=2)), a list of 100 it returns")
