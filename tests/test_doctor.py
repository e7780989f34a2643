from collections import namedtuple

import psutil
import pytest
import torch

from glanet import doctor
from glanet.doctor import MISSING, NOTE, OK, Finding, examine, report
from glanet.weights import shipped_names


def finding(name):
    return next(finding for finding in examine() if finding.name == name)


def test_whatever_is_not_ok_comes_with_advice():
    names = [finding.name for finding in examine()]
    assert names == ["Python", "kernel", "torch", "accelerator", "memory", "data", "weights"]
    for found in examine():
        assert found.found
        assert bool(found.advice) == (found.state != OK)


def test_nothing_that_the_course_needs_is_missing_here():
    assert [found for found in examine() if found.state == MISSING] == []
    assert finding("weights").found == ", ".join(shipped_names())


def test_a_report_puts_advice_below_its_finding():
    text = report([Finding("torch", OK, "2.0"), Finding("data", NOTE, "none", "get some")])
    assert text.splitlines() == [
        "✓ torch        2.0",
        "· data         none",
        "  " + " " * 12 + " → get some",
    ]


def test_little_memory_is_noted(monkeypatch):
    memory = namedtuple("memory", "available total")(2**30, 2**33)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    assert finding("memory").state == NOTE
    assert finding("memory").found == "1.0 GiB free of 8.0"


def test_without_data_the_advice_says_how_to_get_some(monkeypatch, tmp_path):
    monkeypatch.setenv("GLANET_DATA", str(tmp_path))
    assert finding("data").state == NOTE
    assert "glanet data list" in finding("data").advice


def test_data_sets_that_are_present_are_listed(monkeypatch, data_root):
    monkeypatch.setenv("GLANET_DATA", str(data_root))
    assert "Set5" in finding("data").found


def test_a_kernel_of_another_environment_is_reported(monkeypatch):
    class Spec:
        argv = ("/elsewhere/bin/python", "-m", "ipykernel_launcher")

    manager = "jupyter_client.kernelspec.KernelSpecManager.get_kernel_spec"
    monkeypatch.setattr(manager, lambda self, name: Spec)
    assert finding("kernel").state == MISSING
    assert "/elsewhere" in finding("kernel").found
    assert "make lab" in finding("kernel").advice


def test_a_driver_that_torch_cannot_use_is_reported(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    assert "CUDA build" in finding("accelerator").advice
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert "notebook 12" in finding("accelerator").advice


def test_an_installation_without_weights_is_reported(monkeypatch, tmp_path):
    monkeypatch.setattr("glanet.weights.pretrained.SHIPPED", tmp_path)
    assert finding("weights").state == MISSING


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_is_named():
    assert torch.cuda.get_device_name() in doctor.report(examine())
