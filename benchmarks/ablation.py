"""The paper's claim put to the test: do Inception, dense connections and attention help?

    GLANET_DATA=... python -m benchmarks.ablation --jobs 2

Trains GLA-Net and what remains without each of its parts, three seeds each, at the size of the
``tiny`` preset, and measures all on Set5, Set14 and B100 at ×2. Three comparisons:

- ``unmatched``: a part is left out and nothing put in its place, as in the paper's Table 2;
- ``parameters``: the network without it is widened to the parameters of the whole one, ±3 %;
- ``minutes``: those again, with as many steps as fit into the time that the whole one takes.

Every run lives in a folder below ``runs/ablation`` and goes on where it was stopped: start the same
command again. When all are there, the ledger gets ``ablation``.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
import tyro
from tqdm import tqdm

from benchmarks import ledger
from benchmarks.scores import SETS, measure
from glanet import GLANet, ModelConfig, TrainConfig
from glanet.files import write_text

SCALE = 2
WHOLE = "GLA-Net"
VARIANTS = {  # what each leaves out
    WHOLE: {},
    "without dense connections": {"dense": False},
    "without Inception": {"inception": False},
    "without attention": {"attention": False},
    "SwinIR": {"inception": False, "dense": False, "bilinear_base": False},
}
ROUNDS, FORGOTTEN = 14, 4  # of the measurement of speed
TOLERANCE = 0.03  # share of the parameters by which matched networks may differ


@dataclass(frozen=True)
class Options:
    steps: int = 1500  # of the whole network, and of all but those matched in minutes
    seeds: tuple[int, ...] = (0, 1, 2)
    jobs: int = 1  # runs at a time, each on a core of its own
    folder: Path = Path("runs/ablation")


@dataclass(frozen=True)
class Entry:
    """One network of one comparison."""

    comparison: str
    variant: str
    network: ModelConfig
    steps: int

    @property
    def key(self):
        """A name for it: runs that serve two comparisons share one."""
        shape = f"{self.network.channels}-{self.network.mlp_ratio:.4f}"
        return f"{self.variant.replace(' ', '-')}-{shape}-{self.steps}"


def main(options: Options):
    speeds = step_seconds(options)
    entries = plan(options, speeds)
    wanted = {(e.key, seed): (e, seed) for e in entries for seed in options.seeds}
    with ThreadPoolExecutor(options.jobs) as pool, tqdm(total=len(wanted), unit=" runs") as bar:
        for _ in pool.map(lambda job: in_its_own_process(*job, options), wanted.values()):
            bar.update()
    record(entries, speeds, options)


def plan(options, speeds):
    """The networks of all comparisons."""
    entries = []
    for variant, left_out in VARIANTS.items():
        bare = ModelConfig.preset("tiny", SCALE, **left_out)
        same_size = bare if variant == WHOLE else matched(bare)
        share = speeds[WHOLE] / speeds[variant]
        entries += [
            Entry("unmatched", variant, bare, options.steps),
            Entry("parameters", variant, same_size, options.steps),
            Entry("minutes", variant, same_size, round(options.steps * share)),
        ]
    return entries


def matched(config):
    """``config`` with as many parameters as the whole network, ±3 %.

    Its channels are raised as far as they go in whole heads and branches, and the hidden width of
    the MLP makes up the rest; of the ways to do so, the one that leaves ``mlp_ratio`` nearest to 2.
    """
    target = parameters(ModelConfig.preset("tiny", SCALE))
    found = []
    for channels in range(config.channels, 2 * config.channels, config.heads):
        narrow, wide = (replace(config, channels=channels, mlp_ratio=float(r)) for r in (1, 2))
        fewest = parameters(narrow)
        per_hidden = (parameters(wide) - fewest) / channels  # the count is linear in that width
        hidden = channels + round((target - fewest) / per_hidden)
        if channels <= hidden <= 4 * channels:
            found.append(replace(config, channels=channels, mlp_ratio=hidden / channels))
    best = min(found, key=lambda candidate: abs(candidate.mlp_ratio - 2))
    assert abs(parameters(best) / target - 1) <= TOLERANCE
    return best


def parameters(config):
    return sum(tensor.numel() for tensor in GLANet(config).parameters())


def step_seconds(options):
    """Seconds of a step of each network matched in parameters, measured once, in turns."""
    path = options.folder / "step-seconds.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    torch.set_num_threads(1)  # as in the runs
    recipe = TrainConfig.preset("tiny")
    low = torch.rand(recipe.batch, 3, recipe.patch, recipe.patch)
    networks = {}
    for variant, left_out in VARIANTS.items():
        config = ModelConfig.preset("tiny", SCALE, **left_out)
        networks[variant] = GLANet(config if variant == WHOLE else matched(config))
    high = F.interpolate(low, scale_factor=SCALE)
    seconds = {variant: [] for variant in networks}
    for _ in range(ROUNDS):
        for variant, network in networks.items():
            started = time.perf_counter()
            F.l1_loss(network(low), high).backward()
            seconds[variant].append(time.perf_counter() - started)
    # the first rounds find memory; the optimizer's share is small, and the same for all
    found = {v: statistics.median(times[FORGOTTEN:]) for v, times in seconds.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(found, indent=1))
    return found


def in_its_own_process(entry, seed, options):
    """Train and measure, on one core; what was done before is not done again."""
    settings = [entry.network.to_dict(), entry.steps, seed, str(run_folder(entry, seed, options))]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, "-m", __spec__.name, json.dumps(settings)],
        env=environment,
        stderr=subprocess.DEVNULL,  # progress bars of several runs at a time
        check=True,
    )


def run_folder(entry, seed, options):
    return options.folder / f"{entry.key}-seed{seed}"


def average(steps):
    """The decay of the moving average that reaches back as far, of all steps, as the preset's."""
    preset = TrainConfig.preset("tiny")
    return 1 - (1 - preset.average) * preset.steps / steps


def train_and_measure(network, steps, seed, folder):
    from glanet.training import train

    scores = Path(folder) / "scores.json"
    if scores.exists():
        return
    recipe = TrainConfig.preset(
        "tiny",
        steps=steps,
        average=average(steps),
        seed=seed,
        validation=(),
        precision="float32",
        save_every=100,
    )
    started = time.monotonic()
    weights = train(ModelConfig.from_dict(network), recipe, folder, device="cpu")
    if weights is None:
        sys.exit(1)  # asked to stop
    model = GLANet.from_pretrained(weights).eval()
    found = {name: psnr for name, (psnr, _) in measure(model).items()}
    document = {"psnr_y": found, "seconds_of_last_run": round(time.monotonic() - started, 1)}
    write_text(scores, json.dumps(document, indent=1))


def record(entries, speeds, options):
    """The ledger's entry: for each comparison and variant, mean and range over the seeds."""
    value, networks = {}, {}
    for entry in entries:
        scores = [
            json.loads((run_folder(entry, seed, options) / "scores.json").read_text())["psnr_y"]
            for seed in options.seeds
        ]
        name = f"{entry.comparison}: {entry.variant}"
        value[name] = {
            of: {
                "mean": round(statistics.mean(s[of] for s in scores), 4),
                "low": round(min(s[of] for s in scores), 4),
                "high": round(max(s[of] for s in scores), 4),
            }
            for of in SETS
        }
        networks[name] = {
            "parameters": parameters(entry.network),
            "channels": entry.network.channels,
            "mlp_ratio": round(entry.network.mlp_ratio, 4),
            "steps": entry.steps,
        }
    recipe = TrainConfig.preset("tiny")
    entry = ledger.record(
        "ablation",
        value,
        "PSNR on Y at ×2, dB: mean, lowest and highest over the seeds",
        seed=list(options.seeds),
        networks=networks,
        seconds_of_a_forward_and_backward={v: round(s, 4) for v, s in speeds.items()},
        data=list(recipe.data),
        batch=recipe.batch,
        patch=recipe.patch,
        moving_average=[round(average(steps), 4) for steps in sorted({e.steps for e in entries})],
        how_matched="wider in whole heads and branches, and the MLP's hidden width makes up the "
        f"rest, to within {TOLERANCE:.0%}",
    )
    print(json.dumps(entry, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].startswith("["):  # a process of its own
        train_and_measure(*json.loads(sys.argv[1]))
    else:
        main(tyro.cli(Options))
