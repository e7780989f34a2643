"""Importing glanet changes nothing else in the process, and starts nothing."""

import json
import os
import pkgutil
import subprocess
import sys

import pytest

import glanet
from glanet.__main__ import SPINS, SPINS_VARIABLE

MODULES = [
    module.name
    for module in pkgutil.walk_packages(glanet.__path__, "glanet.")
    if not module.name.endswith("__main__")
]
IMPORT_ALL = f"""
import importlib, json, sys
for name in {MODULES}:
    importlib.import_module(name)
print(json.dumps([name for name in sys.modules if name.partition(".")[0] != "glanet"]))
"""
# What other packages do at their import is theirs: they are imported first.
CHANGES = f"""
import importlib, json, os, signal, sys, warnings

for name in json.load(sys.stdin):
    try:
        importlib.import_module(name)
    except Exception:  # some modules are no use alone
        pass

import matplotlib
import numpy
import torch
from torch._dynamo import eval_frame


def state():
    return {{
        "warning filters": [str(entry) for entry in warnings.filters],
        "environment": dict(os.environ),
        "working directory": os.getcwd(),
        "signal handlers": [str(signal.getsignal(number)) for number in signal.valid_signals()],
        "matplotlib's style": {{name: str(v) for name, v in matplotlib.rcParams.items()}},
        "NumPy's errors": numpy.geterr(),
        "compiler stance": str(eval_frame._stance),
        "threads": [torch.get_num_threads(), torch.get_num_interop_threads()],
        "default dtype": str(torch.get_default_dtype()),
        "default device": str(torch.get_default_device()),
        "gradients": torch.is_grad_enabled(),
        "determinism": torch.are_deterministic_algorithms_enabled(),
        "matmul precision": torch.get_float32_matmul_precision(),
        "cuDNN": [torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic],
        "random numbers": torch.get_rng_state().tolist(),
    }}


started = []
STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.posix_spawn", "socket.connect")
sys.addaudithook(lambda event, args: started.append(str(args)) if event in STARTS else None)
before = state()
for name in {MODULES}:
    importlib.import_module(name)
after = state()
print(json.dumps({{
    "changed": [name for name in before if before[name] != after[name]], "started": started
}}))
"""


def run(code, said=""):
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, input=said, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def effects():
    return run(CHANGES, json.dumps(run(IMPORT_ALL)))


def test_no_setting_of_the_process_changes(effects):
    assert effects["changed"] == []


def test_no_other_program_and_no_connection_is_started(effects):
    assert effects["started"] == []


def test_the_command_shortens_spinning_before_torch_reads_for_how_long():
    # which value holds at the moment when torch begins to be imported
    code = f"""
import json, os, sys
from glanet import __main__ as entry
os.environ.pop({SPINS_VARIABLE!r}, None)
class Finder:
    def find_spec(name, *_):
        if name == "torch":
            print(json.dumps(os.environ.get({SPINS_VARIABLE!r})))
            sys.exit()
sys.meta_path.insert(0, Finder)
entry.main()
"""
    assert run(code) == str(SPINS)
