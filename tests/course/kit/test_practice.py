import pytest
import torch
from torch import nn

from glanet.course.kit import practice
from glanet.data.patches import PatchStore
from glanet.training.images import check_apart


def test_without_data_photographs_train_and_others_measure(monkeypatch, tmp_path):
    monkeypatch.setenv("GLANET_DATA", str(tmp_path))
    training, held_out = practice.training_images(), practice.held_out_images()
    assert len(training) == 4
    assert {path.stem for path in held_out} == set(practice.HELD_OUT)
    check_apart(training, held_out)


def test_with_data_the_291_train_and_set5_measures(data_root):
    assert len(practice.training_images()) == 291
    assert len(practice.held_out_images()) == 5


class Gain(nn.Module):
    """Its best gain, 2, is known: the images below are twice as bright at HR."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(0.5))

    def forward(self, low):
        return self.gain * low.repeat_interleave(2, 2).repeat_interleave(2, 3)


@pytest.fixture
def store(tmp_path):
    from PIL import Image

    pairs = []
    for level in (20, 60, 100):
        pairs.append((tmp_path / f"{level}.png", tmp_path / f"{2 * level}-hr.png"))
        Image.new("RGB", (8, 8), (level,) * 3).save(pairs[-1][0])
        Image.new("RGB", (16, 16), (2 * level,) * 3).save(pairs[-1][1])
    return PatchStore.from_images(pairs, scale=2, patch=4)


def test_fitting_finds_what_there_is_to_find_and_is_repeatable(store):
    model, again = Gain(), Gain()
    losses = practice.fit(model, store, steps=200, batch=2, rate=0.05)
    assert len(losses) == 200
    assert losses[-1] < losses[0] / 20
    assert model.gain.item() == pytest.approx(2, abs=0.02)
    assert not model.training
    seen = []

    def look(step):
        seen.append((step, again.training))

    assert practice.fit(again, store, steps=200, batch=2, rate=0.05, after=look) == losses
    assert seen == [(step, False) for step in range(1, 201)]
