"""The authors' cutting: what each piece sees, and where its answer goes."""

from types import SimpleNamespace

import pytest
import torch

from glanet.inference.quadrants import OVERLAP, in_quadrants


class Nearest:
    """Repeats every pixel, and notes the sizes that it was asked for."""

    def __init__(self, scale):
        self.config, self.sizes = SimpleNamespace(scale=scale), []

    def __call__(self, lr):
        self.sizes.append(tuple(lr.shape[-2:]))
        scale = self.config.scale
        return lr.repeat_interleave(scale, -2).repeat_interleave(scale, -1)


@pytest.mark.parametrize("scale", [2, 3])
@pytest.mark.parametrize("size", [(60, 81), (41, 40), (200, 30)])
def test_every_pixel_comes_from_its_place(size, scale):
    model, lr = Nearest(scale), torch.rand(1, 3, *size)
    whole = Nearest(scale)(lr)
    assert torch.equal(in_quadrants(model, lr, limit=1000), whole)
    assert len(model.sizes) > 1


def test_a_small_image_is_cut_once():
    model = Nearest(2)
    in_quadrants(model, torch.rand(1, 3, 40, 50), limit=160_000)
    assert model.sizes == [(20 + OVERLAP, 25 + OVERLAP)] * 4


def test_a_quadrant_below_the_limit_is_not_cut_again():
    model = Nearest(2)
    in_quadrants(model, torch.rand(1, 3, 60, 80), limit=40 * 50 + 1)
    assert model.sizes == [(40, 50)] * 4
    model = Nearest(2)
    in_quadrants(model, torch.rand(1, 3, 60, 80), limit=40 * 50)
    assert model.sizes == [(20 + OVERLAP, 25 + OVERLAP)] * 16


def test_it_is_cut_again_until_it_is_small():
    model = Nearest(2)
    in_quadrants(model, torch.rand(1, 3, 100, 100), limit=2000)
    assert model.sizes == [(40, 40)] * 16  # 100 -> 60 -> 40


def test_it_ends_where_quadrants_no_longer_shrink():
    model = Nearest(2)
    lr = torch.rand(1, 3, 15, 18)
    assert torch.equal(in_quadrants(model, lr, limit=1), Nearest(2)(lr))


def test_a_pixel_is_answered_by_its_own_quadrant():
    class Corner(Nearest):
        def __call__(self, lr):
            return super().__call__(torch.ones_like(lr) * lr[..., :1, :1])

    lr = torch.arange(60.0 * 60).reshape(1, 1, 60, 60)
    sr = in_quadrants(Corner(2), lr, limit=2500)
    corner = 30 - OVERLAP
    assert (sr[..., :60, :60] == lr[0, 0, 0, 0]).all()
    assert (sr[..., 60:, :60] == lr[0, 0, corner, 0]).all()
    assert (sr[..., :60, 60:] == lr[0, 0, 0, corner]).all()
    assert (sr[..., 60:, 60:] == lr[0, 0, corner, corner]).all()
