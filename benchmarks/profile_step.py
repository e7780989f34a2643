"""What takes a device's time in a training step, by kernel: now, and at an earlier commit.

    GLANET_DATA=... python -m benchmarks.profile_step --presets light paper --earlier 890caba

Each version is profiled by torch.profiler in a process of its own. This file runs in both; the step
is the one that `benchmarks.train_step` of each version measures.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import tyro
from torch.profiler import ProfilerActivity, profile

from benchmarks import ledger, train_step

NOW, EARLIER = "now", "earlier"
FORGOTTEN = 5  # first steps: memory is found, kernels are chosen
LONGEST = 60  # letters of a kernel's name


@dataclass(frozen=True)
class Options:
    presets: tuple[str, ...] = ("light", "paper")
    data: tuple[str, ...] = ("BSDS200",)
    batch: int = 32
    patch: int = 48  # side of an LR patch, pixels
    steps: int = 5  # profiled
    shown: int = 12  # kernels with the most time
    device: str | None = None  # the accelerator if there is one
    earlier: str | None = None  # a commit, or a folder with its files


def main(options: Options):
    ledger.started()
    device = train_step.choose_device(options.device)
    with train_step.checked_out(options.earlier) as earlier:
        for preset in options.presets:
            roots = {NOW: ledger.ROOT} | ({EARLIER: earlier} if earlier else {})
            found = {}
            for version, root in roots.items():
                found[version] = in_its_own_process(preset, options, root)
                report(preset, found, options, device)


def report(preset, found, options, device):
    entry = ledger.record(
        f"profile-{preset}-{device.type}",
        {version: round(sum(k["ms"] for k in ks), 2) for version, ks in found.items()},
        "ms of the device's time in a step",
        preset=preset,
        kernels={version: kernels[: options.shown] for version, kernels in found.items()},
        batch=options.batch,
        patch=options.patch,
        earlier=Path(options.earlier).name if EARLIER in found else None,
    )
    print(json.dumps(entry, indent=2, ensure_ascii=False))


def in_its_own_process(preset, options, root):
    known = {name: getattr(options, name) for name in ("data", "batch", "patch", "steps", "device")}
    run = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), json.dumps([preset, known])],
        cwd=root,
        env=train_step.environment(root),
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return json.loads(run.stdout.splitlines()[-1])


def kernels_of(preset, data, batch, patch, steps, device):
    """The kernels of a step, the slowest first: name, milliseconds, launches."""
    options = train_step.Options(data=tuple(data), batch=batch, patch=patch, device=device)
    device = train_step.choose_device(device)
    on_gpu = device.type == "cuda"
    with tempfile.TemporaryDirectory() as folder:
        step, _ = train_step.our_steps(preset, options, device, Path(folder))
        for _ in range(FORGOTTEN):
            step()
        train_step.wait(device)
        activity = ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU
        with profile(activities=[activity]) as profiler:
            for _ in range(steps):
                step()
            train_step.wait(device)
    events = profiler.key_averages()
    time_of = {e.key: e.self_device_time_total if on_gpu else e.self_cpu_time_total for e in events}
    slowest = sorted(events, key=lambda event: time_of[event.key], reverse=True)
    return [
        {
            "name": event.key[:LONGEST],
            "ms": round(time_of[event.key] / 1000 / steps, 4),
            "launches": event.count / steps,
        }
        for event in slowest
        if time_of[event.key] > 0
    ]


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].startswith("["):  # a process of its own
        preset, known = json.loads(sys.argv[1])
        print(json.dumps(kernels_of(preset, **known)))
    else:
        main(tyro.cli(Options))
