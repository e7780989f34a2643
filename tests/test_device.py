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
    with pytest.raises(ValueError, match=rf"device '{name}' is not to be had here.*glanet doctor"):
        choose_device(name)


def test_free_memory_of_the_processor_is_the_machines():
    assert 0 < free_memory("cpu") <= psutil.virtual_memory().total


def test_peak_memory_remembers_what_was_freed():
    before = peak_memory()
    held = b"1" * 200_000_000
    del held
    assert before + 100_000_000 < peak_memory() < psutil.virtual_memory().total
