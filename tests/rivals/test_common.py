import subprocess
import sys

import pytest
import torch

from glanet.device import Alive
from glanet.rivals.common import attend


@pytest.mark.parametrize("scores", [1, 35, 100, 10_000])
def test_attention_in_chunks_equals_all_at_once(scores):
    query, key, value = (torch.randn(2, n, 4, dtype=torch.float64) for n in (11, 35, 35))
    expected = (query @ key.mT).softmax(dim=2) @ value
    torch.testing.assert_close(attend(query, key, value, scores), expected)


def test_the_matrix_of_all_scores_never_exists():
    query, key, value = torch.randn(3, 1, 64 * 64, 2)
    with Alive() as alive:
        attend(query, key, value, scores=2**16)
    assert alive.most < 4 * 5 * 2**16  # bytes; the matrix alone has 4 · 2**24


def test_the_process_does_not_grow_by_the_matrix_either():
    # in a process of its own, whose memory nothing has broken up before
    asks = (
        "import torch\n"
        "from glanet.device import peak_memory\n"
        "from glanet.rivals.common import attend\n"
        "query, (key, value) = torch.randn(1, 5000, 8), torch.randn(2, 1, 2**16, 8)\n"
        "before = peak_memory()\n"
        "with torch.inference_mode():\n"
        "    attend(query, key, value)\n"
        "print(peak_memory() - before)"
    )
    run = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 200_000_000  # the matrix alone has 1.3 GB
