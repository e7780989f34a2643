"""How long a training step takes and what it holds: the plain path against ours, in one run.

    GLANET_DATA=... python -m benchmarks.train_step --presets light --batch 4
    GLANET_DATA=... python -m benchmarks.train_step --presets light paper        # on a GPU
    GLANET_DATA=... python -m benchmarks.train_step --earlier 890caba     # beside that commit

The plain path is what a first training script does: float32, eager, attention step by step, a
DataLoader that decodes files in worker processes. Ours is `glanet train`'s own step. Both do the
same work: forward, L1, backward, Adam, moving average. They take turns, each time in a process of
its own, so that neither inherits the other's memory. An earlier version of ours is measured by the
benchmark that lies beside it.

With ``--layers``, ours takes turns with itself: GLA layers by joined products (`glanet.fast`), as
they are written, and as written but padded by the compiler (its ``force_shape_pad``).
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch._inductor.config
import torch.nn.functional as F
import tyro
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import ledger
from benchmarks.batches import Options as BatchOptions
from benchmarks.batches import loader_batches, write_lr_files
from glanet import GLANet, ModelConfig
from glanet.data import catalog
from glanet.device import choose_device, peak_memory
from glanet.model.attention import WindowAttention, attend
from glanet.training import Recipe, loop

PLAIN, OURS, EARLIER = "plain", "ours", "earlier"
WRITTEN, PADDED = "as written", "as written, force_shape_pad"  # ways to compute GLA layers
FORGOTTEN = 3  # first steps of a process: memory is found, kernels are chosen


@dataclass(frozen=True)
class Options:
    presets: tuple[str, ...] = ("light",)
    data: tuple[str, ...] = ("BSDS200",)
    scale: int = 2
    batch: int = 32
    patch: int = 48  # side of an LR patch, pixels
    steps: int = 8  # timed in each process
    rounds: int = 3  # processes of each path
    earlier: str | None = None  # a commit, or a folder with its files, to measure ours of as well
    layers: bool = False  # compare ways to compute GLA layers instead
    device: str | None = None  # the accelerator if there is one
    seed: int = 0


def main(options: Options):
    ledger.started()
    device = choose_device(options.device)
    rates = {str(dtype): matrix_rate(device, dtype) for dtype in (torch.float32, torch.bfloat16)}
    with checked_out(options.earlier) as earlier:
        for preset in options.presets:
            paths = (PLAIN, OURS, *([EARLIER] if earlier else []))
            found = {path: [] for path in ((OURS, WRITTEN, PADDED) if options.layers else paths)}
            for path in options.rounds * list(found):
                found[path].append(in_its_own_process(path, preset, options, earlier))
                # at once, so that what ends the next process leaves this one in the ledger
                known = {path: results for path, results in found.items() if results}
                if options.layers and WRITTEN in known:
                    report_layers(preset, known, options, device)
                elif not options.layers and {PLAIN, OURS} <= known.keys():
                    report(preset, known, rates, options, device)


@contextmanager
def checked_out(earlier):
    """The folder of an earlier version: ``earlier``, or a worktree of that commit, or None."""
    if earlier is None or Path(earlier).is_dir():
        yield earlier and Path(earlier).resolve()
        return
    git = ["git", "-C", str(ledger.ROOT), "worktree"]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, EARLIER)
        subprocess.run([*git, "add", "--quiet", "--detach", str(root), earlier], check=True)
        try:
            yield root
        finally:
            subprocess.run([*git, "remove", "--force", str(root)], check=True)


def report(preset, found, rates, options, device):
    ms = {path: statistics.median(r["ms"] for r in results) for path, results in found.items()}
    memory = {path: max(r["memory"] for r in results) for path, results in found.items()}
    ours = found[OURS][0]
    flop = step_flop(preset, options)
    ratio = ms[PLAIN] / ms[OURS]
    entry = ledger.record(
        f"train-step-{preset}-{device.type}",
        {
            "speed": round(ratio, 2),
            "memory": round(memory[OURS] / memory[PLAIN], 2),
            **over_earlier(ms, memory),
        },
        "speed: ms of the plain path / ms of ours; memory: bytes of ours / bytes of the plain path"
        + "; over_earlier: the same ratios to an earlier version" * (EARLIER in ms),
        seed=options.seed,
        earlier=Path(options.earlier).name if EARLIER in ms else None,
        ms={path: [round(r["ms"], 2) for r in results] for path, results in found.items()},
        peak_memory_gb={path: round(value / 1e9, 3) for path, value in memory.items()},
        precision_of_ours=ours["precision"],
        images_per_second=round(options.batch * 1000 / ms[OURS], 1),
        gigaflop_a_step=round(flop / 1e9, 1),
        matrix_rates_gflops={name: round(rate / 1e9) for name, rate in rates.items()},
        share_of_matrix_rate=round(flop / (ms[OURS] / 1000) / rates[ours["precision"]], 3),
        **hours(ms[OURS], options),
        scale=options.scale,
        batch=options.batch,
        patch=options.patch,
    )
    print(json.dumps(entry, indent=2, ensure_ascii=False))


def report_layers(preset, found, options, device):
    ms = {path: statistics.median(r["ms"] for r in results) for path, results in found.items()}
    entry = ledger.record(
        f"layers-{preset}-{device.type}",
        {path: round(ms[WRITTEN] / ms[path], 3) for path in ms},
        "ms of a step with GLA layers as written / ms in this way; ours: joined products",
        seed=options.seed,
        ms={path: [round(r["ms"], 2) for r in results] for path, results in found.items()},
        peak_memory_gb={p: round(max(r["memory"] for r in rs) / 1e9, 3) for p, rs in found.items()},
        scale=options.scale,
        batch=options.batch,
        patch=options.patch,
    )
    print(json.dumps(entry, indent=2, ensure_ascii=False))


def over_earlier(ms, memory):
    """The ratios of ours to an earlier version, if that was measured."""
    if EARLIER not in ms:
        return {}
    return {
        "speed_over_earlier": round(ms[EARLIER] / ms[OURS], 2),
        "memory_over_earlier": round(memory[OURS] / memory[EARLIER], 2),
    }


def hours(ms, options):
    """The hours that the paper's steps take at ``ms`` each, if each has the recipe's patches."""
    recipe = Recipe.preset("paper")
    others = [
        f"measured at {name} {getattr(options, name)}, the recipe has {getattr(recipe, name)}"
        for name in ("batch", "patch")
        if getattr(options, name) != getattr(recipe, name)
    ]
    if others:
        return {"hours_left_out": "; ".join(others)}
    return {f"hours_for_{recipe.steps // 1000}k_steps": round(ms * recipe.steps / 3.6e6, 1)}


def in_its_own_process(path, preset, options, earlier=None):
    new = ("earlier", "layers")  # an earlier version does not know them
    known = {name: value for name, value in vars(options).items() if name not in new}
    settings = json.dumps([OURS if path == EARLIER else path, preset, known])
    root = earlier if path == EARLIER else ledger.ROOT
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.train_step", settings],
        cwd=root,
        env=environment(root),
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return json.loads(run.stdout.splitlines()[-1])


def environment(root):
    """This process's variables, for one that runs the code in ``root`` on the same images."""
    data = str(catalog.data_root().resolve())
    return {**os.environ, "PYTHONPATH": str(root), "GLANET_DATA": data}


def measure(path, preset, options):
    """Milliseconds of a step, peak memory in bytes, and the precision, of one path."""
    device = choose_device(options.device)
    with tempfile.TemporaryDirectory() as folder:
        if path in (WRITTEN, PADDED):
            loop.JOINED_ON = ()
            torch._inductor.config.force_shape_pad = path == PADDED
        make = plain_steps if path == PLAIN else our_steps
        step, precision = make(preset, options, device, Path(folder))
        for _ in range(FORGOTTEN):
            step()
        started = wait(device)
        for _ in range(options.steps):
            step()
        seconds = wait(device) - started
    return {
        "ms": 1000 * seconds / options.steps,
        "memory": peak_memory(device),
        "precision": precision,
    }


def plain_steps(preset, options, device, folder):
    torch.manual_seed(options.seed)
    model = plain_model(preset, options).to(device)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.999))
    adam = torch.optim.Adam(model.parameters(), 1e-4)
    files = write_lr_files(hr_files(options), options.scale, folder)
    workers = 4 if (os.cpu_count() or 1) >= 4 else 2
    batches = loader_batches(
        files,
        workers,
        BatchOptions(
            scale=options.scale, patch=options.patch, batch=options.batch, device=str(device)
        ),
    )

    def step():
        lr, hr = next(batches)
        loss = F.l1_loss(model(lr), hr)
        adam.zero_grad()
        loss.backward()
        adam.step()
        average.update_parameters(model)

    return step, str(torch.float32)


def our_steps(preset, options, device, folder):
    recipe = Recipe.preset(
        preset,
        data=options.data,
        validation=(),
        batch=options.batch,
        patch=options.patch,
        seed=options.seed,
    )
    config = replace(ModelConfig.preset(preset, options.scale), stochastic_depth=0.0)
    run = loop.Run(config, recipe, folder, device=options.device)
    bf16 = run.accelerator.mixed_precision == "bf16"
    return run.advance, str(torch.bfloat16 if bf16 else torch.float32)


def plain_model(preset, options):
    """The model with attention step by step; without stochastic depth, as in ours."""
    model = GLANet(replace(ModelConfig.preset(preset, options.scale), stochastic_depth=0.0))
    for module in model.modules():
        if isinstance(module, WindowAttention):
            module.attend = attend
    return model


def hr_files(options):
    return [path for name in options.data for path in catalog.hr_images(name)]


def step_flop(preset, options):
    """Floating-point operations of forward and backward, counted on the plain path."""
    model = plain_model(preset, options)
    lr = torch.rand(1, 3, options.patch, options.patch)
    with FlopCounterMode(display=False) as counter:
        model(lr).sum().backward()
    return counter.get_total_flops() * options.batch


def matrix_rate(device, dtype):
    """What the device does at best: floating-point operations a second of a large product."""
    side = 2048 if device.type == "cpu" else 4096
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    a @ b
    started, count = wait(device), 0
    while (elapsed := wait(device) - started) < 2.0:
        for _ in range(4):
            a @ b
        count += 4
    return count * 2 * side**3 / elapsed


def wait(device):
    """The time, when the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].startswith("["):  # a process of its own
        path, preset, settings = json.loads(sys.argv[1])
        print(json.dumps(measure(path, preset, Options(**settings))))
    else:
        main(tyro.cli(Options))
