import subprocess
import sys

import psutil
import pytest
import torch

from glanet.device import choose_device, free_memory, peak_memory


def test_a_device_is_had_by_name_or_chosen():
    assert choose_device("cpu") == torch.device("cpu")
    assert (
        choose_device().type
        == (torch.accelerator.current_accelerator() or choose_device("cpu")).type
    )


@pytest.mark.parametrize("name", ["cuda:99", "toaster"])
def test_a_device_that_is_not_here_is_named(name):
    with pytest.raises(ValueError, match=rf"device '{name}' is not available.*glanet doctor"):
        choose_device(name)


def test_free_memory_of_the_processor_is_the_machines():
    assert 0 < free_memory("cpu") <= psutil.virtual_memory().total


def test_peak_memory_is_this_processes_own_and_remembers_what_was_freed():
    # measured in a process of its own: this one may have held more before
    asks = (
        "from glanet.device import peak_memory\n"
        "before = peak_memory()\nheld = b'1' * 500_000_000\ndel held\n"
        "print(before, peak_memory())"
    )
    ballast = b"1" * 1_000_000_000  # what the process that starts it holds does not count
    run = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True)
    assert len(ballast) == 1_000_000_000
    before, after = map(int, run.stdout.split())
    assert before < 1_000_000_000
    assert before + 250_000_000 < after < psutil.virtual_memory().total


def test_peak_memory_grows_with_what_is_held():
    held = b"1" * 100_000_000
    assert peak_memory() > len(held)
