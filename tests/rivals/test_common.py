import pytest
import torch

from glanet.rivals.common import attend
from tests import peak


@pytest.mark.parametrize("scores", [1, 35, 100, 10_000])
def test_attention_in_chunks_equals_all_at_once(scores):
    query, key, value = (torch.randn(2, n, 4, dtype=torch.float64) for n in (11, 35, 35))
    expected = (query @ key.mT).softmax(dim=2) @ value
    torch.testing.assert_close(attend(query, key, value, scores), expected)


def test_the_matrix_of_all_scores_never_exists():
    query, key, value = torch.randn(3, 1, 64 * 64, 2)
    with peak._Alive() as alive:
        attend(query, key, value, scores=2**16)
    assert alive.peak < 4 * 5 * 2**16  # bytes; the matrix alone has 4 · 2**24
