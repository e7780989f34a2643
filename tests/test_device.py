import subprocess
import sys

import psutil
import pytest
import torch

from glanet import device
from glanet.device import Alive, choose_device, free_memory, peak_memory


def test_a_device_is_had_by_name_or_chosen():
    assert choose_device("cpu") == torch.device("cpu")
    there = torch.accelerator.is_available()
    assert choose_device() == (
        torch.accelerator.current_accelerator() if there else choose_device("cpu")
    )


def test_a_build_for_cuda_on_a_machine_without_a_gpu_takes_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cuda"))
    assert choose_device() == torch.device("cpu")


@pytest.mark.parametrize("name", ["cuda:99", "toaster", "meta"])
def test_a_device_that_is_not_here_is_named(name):
    with pytest.raises(ValueError, match=rf"device '{name}' is not available; .*glanet doctor"):
        choose_device(name)


@pytest.mark.parametrize(
    ("accelerator", "there"),
    [(None, "cpu"), (torch.device("mps"), "cpu and mps")],
)
def test_a_wrong_name_gets_those_that_are_here(monkeypatch, accelerator, there):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: accelerator is not None)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: accelerator)
    with pytest.raises(ValueError, match=rf"'toaster' is not .*; this machine has {there}\. `gl"):
        choose_device("toaster")
    with pytest.raises(ValueError, match=rf"machine has {there}\. An NVIDIA GPU is called cuda, "):
        choose_device("gpu")


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


def test_what_lives_at_once_is_counted_and_what_was_there_before_is_not():
    given = torch.zeros(1000)
    with Alive() as alive:
        for _ in range(3):
            made = given + 1  # its predecessor lives until it is there
            view = given[10:], made[10:]
            made += 1
        del made, view
        assert alive.now == 0
    assert alive.most == 2 * given.nbytes


LIMITS = {
    "version 2": ("0::/box", "box", "memory.max", "memory.current"),
    "version 2, of the folder above": ("0::/box/inner", "box", "memory.max", "memory.current"),
    "version 2, seen from inside": ("0::/gone", "", "memory.max", "memory.current"),
    "version 1": (
        *("4:cpu:/\n3:memory:/box", "memory/box"),
        *("memory.limit_in_bytes", "memory.usage_in_bytes"),
    ),
}


@pytest.mark.parametrize(("membership", "group", "limit", "used"), LIMITS.values(), ids=LIMITS)
def test_a_containers_limit_bounds_the_free_memory(
    tmp_path, monkeypatch, membership, group, limit, used
):
    folder = tmp_path / "groups" / group
    folder.mkdir(parents=True)
    (folder / limit).write_text("1000\n")
    (folder / used).write_text("700\n")
    (folder / "memory.stat").write_text("anon 500\ninactive_file 200\n")
    (tmp_path / "membership").write_text(membership + "\n")
    monkeypatch.setattr(device, "CONTROL_GROUPS", tmp_path / "groups")
    monkeypatch.setattr(device, "MEMBERSHIP", tmp_path / "membership")
    assert free_memory("cpu") == 1000 - (700 - 200)
    (folder / limit).write_text("max\n")
    assert free_memory("cpu") > 1_000_000
