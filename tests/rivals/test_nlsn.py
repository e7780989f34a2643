"""Non-local sparse attention, against what it should come to."""

import pytest
import torch
from torch.nn import functional as F

from glanet.networks import NETWORKS, count_parameters
from glanet.rivals import nlsn
from glanet.rivals.nlsn import (
    NLSN,
    NLSNConfig,
    SparseAttention,
    attend_within_chunks,
    hash_buckets,
    read_released,
    sort_by_bucket,
)
from tests import golden_cases

SMALL = NLSNConfig(groups=2, blocks=1, channels=8, chunk=4, hashes=2)


def drawn(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def shuffled(batch, length):
    return torch.stack([torch.randperm(length) for _ in range(batch)])


def attend_one_by_one(match, value, order, chunk):
    """The definition, for one image: each element looks up who is in the chunks it may see."""
    length = len(match)
    places = [*order.tolist(), *order.tolist()[length - (-length % chunk) :]]
    chunks = [places[i : i + chunk] for i in range(0, len(places), chunk)]
    sums, likeness = torch.empty_like(value), torch.empty_like(match[:, 0])
    for place, element in enumerate(order.tolist()):
        n = place // chunk
        seen = chunks[n] + chunks[n - 1] + chunks[(n + 1) % len(chunks)]
        scores = F.normalize(match[seen], dim=1, eps=5e-5) @ match[element]
        sums[element] = scores.softmax(0) @ value[seen]
        likeness[element] = scores.logsumexp(0)
    return sums, likeness


@pytest.mark.parametrize(("length", "chunk"), [(12, 3), (13, 4), (17, 3), (4, 4), (5, 4)])
def test_attention_in_chunks_equals_that_of_one_element_after_the_other(length, chunk):
    match, value, order = drawn(2, length, 3), drawn(2, length, 5), shuffled(2, length)
    sums, likeness = attend_within_chunks(match, value, order, chunk)
    for image in range(2):
        expected = attend_one_by_one(match[image], value[image], order[image], chunk)
        torch.testing.assert_close((sums[image], likeness[image]), expected)


@pytest.mark.parametrize("length", [1, 5, 9])
def test_an_image_of_at_most_one_chunk_attends_to_all_of_itself(length):
    match, value = drawn(1, length, 3), drawn(1, length, 5)
    sums, _ = attend_within_chunks(match, value, shuffled(1, length), 9)
    scores = match @ F.normalize(match, dim=2, eps=5e-5).mT
    torch.testing.assert_close(sums, scores.softmax(2) @ value)


def test_the_first_chunk_sees_the_last_but_not_the_one_in_the_middle():
    match, value, order = drawn(1, 20, 3), drawn(1, 20, 5), torch.arange(20)[None]
    before, _ = attend_within_chunks(match, value, order, 4)
    for changed, is_seen in ((19, True), (9, False)):
        other = value.clone()
        other[:, changed] += 1
        after, _ = attend_within_chunks(match, other, order, 4)
        assert torch.equal(before[:, :4], after[:, :4]) is not is_seen


def test_the_gradient_of_attention_in_chunks_is_right():
    match, value = drawn(1, 10, 2).requires_grad_(), drawn(1, 10, 3).requires_grad_()
    order = shuffled(1, 10)
    assert torch.autograd.gradcheck(
        lambda m, v: attend_within_chunks(m, v, order, 4), (match, value)
    )


def test_the_gradient_of_the_network_is_right():
    torch.manual_seed(0)
    model = NLSN(SMALL).double().eval()
    lr = torch.rand(1, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(model, (lr,), eps=1e-7, atol=1e-4)


def test_a_vector_and_its_opposite_hash_to_opposite_ends_of_one_axis():
    match, rotations = drawn(1, 50, 3), drawn(3, 2, 4)
    buckets = hash_buckets(match, rotations)
    assert buckets.shape == (1, 2, 50)
    assert torch.equal((buckets + 4) % 8, hash_buckets(-match, rotations))
    assert torch.equal(buckets, hash_buckets(5 * match, rotations))


def test_elements_are_sorted_by_bucket_in_each_round():
    match, rotations = drawn(2, 50, 3), drawn(3, 4, 3)
    order = sort_by_bucket(match, rotations)
    assert torch.equal(order.sort(dim=2).values, torch.arange(50).expand(2, 4, 50))
    assert (hash_buckets(match, rotations).gather(2, order).diff(dim=2) >= 0).all()


@pytest.mark.parametrize(
    ("pixels", "buckets"), [(1, 2), (8, 2), (12, 4), (20, 6), (4 * 127, 128), (4 * 200, 128)]
)
def test_there_are_about_as_many_buckets_as_chunks_and_at_most_128(pixels, buckets):
    rotations = SparseAttention(SMALL)._rotations(torch.empty(1, pixels, 2), None)
    assert rotations.shape == (2, 2, buckets // 2)


def test_a_round_counts_by_the_likeness_it_found(monkeypatch):
    rounds = iter(
        [(torch.zeros(1, 4, 8), torch.zeros(1, 4)), (torch.ones(1, 4, 8), 3 + torch.zeros(1, 4))]
    )
    monkeypatch.setattr(nlsn, "attend_within_chunks", lambda *_: next(rounds))
    features = torch.zeros(1, 8, 2, 2)
    expected = torch.full_like(features, 0.1 * torch.tensor(3.0).sigmoid())
    torch.testing.assert_close(SparseAttention(SMALL)(features), expected)


def test_rotations_stay_in_evaluation_and_change_in_training():
    model, lr = NLSN(SMALL), torch.rand(1, 3, 12, 12)
    state = torch.get_rng_state()
    assert torch.equal(model.eval()(lr), model(lr))
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(model.train()(lr), model(lr))
    torch.manual_seed(5)
    once = model(lr)
    torch.manual_seed(5)
    assert torch.equal(once, model(lr))


def test_an_image_in_a_batch_is_enlarged_as_if_alone():
    model, lr = NLSN(SMALL).eval(), torch.rand(3, 3, 12, 12)
    torch.testing.assert_close(model(lr)[1:2], model(lr[1:2]))


def test_the_order_within_a_bucket_moves_the_output_by_less_than_half_a_percent(monkeypatch):
    config, tensors = read_released(golden_cases.released_state("nlsn-small"))
    model = NLSN(config).eval()
    model.load_state_dict(tensors)

    def stable(match, rotations):
        return hash_buckets(match, rotations).argsort(dim=2, stable=True)

    monkeypatch.setattr(nlsn, "sort_by_bucket", stable)
    for lr, expected in golden_cases.images("nlsn-small"):
        with torch.no_grad():
            assert (model(lr) - expected).abs().max() < 5e-3 * expected.abs().max()


def test_attention_stands_before_and_after_every_group():
    body = NLSN(SMALL).body
    kinds = [type(part).__name__ for part in body]
    assert kinds == ["SparseAttention", *2 * ["ResidualBlock", "SparseAttention"], "Conv2d"]


def test_only_the_mean_layers_are_frozen():
    frozen = [name for name, p in NLSN(SMALL).named_parameters() if not p.requires_grad]
    assert frozen == ["sub_mean.weight", "sub_mean.bias", "add_mean.weight", "add_mean.bias"]


def test_tiny_is_as_large_as_the_others():
    assert count_parameters(NLSNConfig.preset("tiny", 2)) == pytest.approx(135_012, rel=0.03)


@pytest.mark.parametrize("case", golden_cases.NAMES)
def test_a_checkpoint_is_recognised_as_its_own_only(case):
    described = golden_cases.description(case)
    tensors = {
        name: torch.empty(entry["shape"], device="meta")
        for name, entry in described["state"].items()
    }
    if described["network"] != "nlsn":
        assert read_released(tensors) is None
    else:
        found = [name for name, network in NETWORKS.items() if network.read_released(tensors)]
        assert found == ["nlsn"]
