"""Window attention as a kernel: equal to its twin, which is equal to the layer's."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from glanet.kernels import window_attention as kernel
from glanet.model.attention import WindowAttention

TRITON = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="Triton is not installed"
)
CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
SCRIPT = Path(__file__).with_name("compare.py")
# window, shift, heads, width of a head, (B, H, W): a last group that is not full, odd widths
CASES = (
    (8, 0, 2, 30, (1, 16, 24)),
    (8, 4, 2, 30, (1, 16, 24)),
    (8, 4, 1, 16, (1, 8, 8)),
    (4, 2, 3, 5, (3, 8, 12)),
)


@TRITON
def test_in_the_interpreter_the_kernel_is_its_twin(tmp_path):
    (tmp_path / "cases.json").write_text(json.dumps(CASES))
    run = subprocess.run(
        [sys.executable, SCRIPT, tmp_path / "cases.json"],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert "falls back" not in run.stderr
    found = json.loads(run.stdout)
    assert len(found) == len(CASES)
    for case, differences in zip(CASES, found, strict=True):
        assert max(differences) <= 1e-6, case


@CUDA
@TRITON
@pytest.mark.parametrize("case", [*CASES, (8, 4, 6, 30, (4, 48, 48)), (8, 4, 6, 32, (4, 48, 48))])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("bfloat16", 0.03)])
def test_on_a_gpu_the_kernel_is_its_twin(case, dtype, tolerance, capsys):
    sys.path.insert(0, str(SCRIPT.parent))
    try:
        from compare import differences
    finally:
        sys.path.pop(0)
    assert max(differences(*case, device="cuda", dtype=dtype)) <= tolerance
    assert "falls back" not in capsys.readouterr().err


@pytest.mark.parametrize("shift", [0, 4])
def test_the_twin_is_the_layers_attention(shift):
    layer = WindowAttention(12, 3, 8, shift).double()
    torch.nn.init.normal_(layer.bias_table)
    tokens = torch.randn(2, 16, 24, 12, dtype=torch.float64)
    bias = layer.position_bias(torch.float64)
    found = layer.proj(kernel.plain_window_attention(layer.qkv(tokens), bias, 8, shift))
    torch.testing.assert_close(found, layer(tokens), rtol=0, atol=1e-13)


def test_without_a_gpu_it_falls_back_and_says_so_once(capsys, monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    kernel._why_not.cache_clear()
    kernel._say_once.cache_clear()
    qkv, bias = torch.randn(1, 8, 8, 24), torch.randn(2, 64, 64)
    for _ in range(2):
        found = kernel.window_attention(qkv, bias, 8)
    assert torch.equal(found, kernel.plain_window_attention(qkv, bias, 8))
    said = capsys.readouterr().err
    assert said.count("window attention falls back to plain PyTorch: ") == 1


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (("cuda", torch.float64, 8, 30), "it does not compute in torch.float64"),
        (("cuda", torch.bfloat16, 7, 30), "it takes windows of 4 or 8"),
        (("cuda", torch.bfloat16, 2, 30), "it takes windows of 4 or 8"),
        (("cuda", torch.bfloat16, 8, 65), "heads of at most 64, not 8 and 65"),
        (("mps", torch.bfloat16, 8, 30), "it needs a CUDA device, not mps"),
        (("cuda", torch.bfloat16, 8, 30), ""),
    ],
)
def test_it_knows_what_the_kernel_can_run(asked, reason, monkeypatch):
    monkeypatch.setattr(kernel, "find_spec", lambda name: object())
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    kernel._why_not.cache_clear()
    found = kernel._why_not(*asked)
    kernel._why_not.cache_clear()
    assert reason in found
    assert bool(found) == bool(reason)


def test_without_triton_it_falls_back(monkeypatch):
    monkeypatch.setattr(kernel, "find_spec", lambda name: None)
    kernel._why_not.cache_clear()
    assert kernel._why_not("cuda", torch.bfloat16, 8, 30) == "Triton is not installed"
    kernel._why_not.cache_clear()
