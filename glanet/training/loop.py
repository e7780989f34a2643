"""The training loop: a network, a recipe and a folder in; weights out.

What a step does is a pure function of the network's state, the seed and the step's number. A run
that was stopped, killed or cut off by a power failure goes on from its last checkpoint, and ends
where it would have ended.
"""

import math
import signal
import threading
import time
import zlib
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState
from filelock import FileLock, Timeout
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm.auto import tqdm

from glanet import networks
from glanet.compile import compile_repeated
from glanet.data.patches import PatchStore
from glanet.device import free_memory, peak_memory
from glanet.errors import GlanetError
from glanet.evaluation.benchmark import evaluate, mean_scores
from glanet.inference import tile_that_fits, upscale
from glanet.training import checkpoint, images
from glanet.training.capture import Captured
from glanet.training.checkpoint import State, TrainError
from glanet.training.log import Log
from glanet.training.recipe import Recipe
from glanet.training.schedule import learning_rate
from glanet.weights import load
from glanet.weights.pretrained import empty_model

LOG_EVERY = 50  # steps
COMPILED_FROM = 2_000  # steps of a run on a GPU; a shorter one is over before compiling pays


class NotFiniteError(GlanetError, RuntimeError):
    """A loss or a gradient was NaN or infinite; the message says where, and on what."""


def train(model_config, config, folder, *, init=None, log_with=None, device=None, watch=None):
    """Train a network into ``folder``, or go on where an earlier call stopped.

    The folder gets ``checkpoints/``, ``log.jsonl`` and, at the end, ``weights/``: the moving
    average of the weights, for ``glanet.weights.load``. Ctrl-C and SIGTERM save and return.

    Args:
        model_config: the shape of the model, of any network of the register.
        config: the recipe.
        folder: where the run lives; the same folder and settings go on with it.
        init: weights to start from, as ``glanet.weights.load`` takes them; at another scale, all
            but the head is taken over.
        log_with: a tracker of accelerate's, "tensorboard" or "wandb", besides the log file.
        device: "cpu" to leave an accelerator alone.
        watch: a function that gets every entry of the log, a dict, as it is written.

    Returns:
        The folder of the weights, or None if the run was stopped before its end.

    Raises:
        TrainError, DataError, ImageError, WeightsError: it cannot work; told before the first step.
        NotFiniteError: a loss was not finite, and ``config.on_nan`` is "stop".

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from glanet import ModelConfig
        >>> from glanet.data import catalog
        >>> from glanet.training import Recipe, train
        >>> from glanet.weights import load
        >>> photo = str(catalog.hr_images("photos")[0])
        >>> recipe = Recipe(data=(photo,), validation=(), steps=2, batch=2, patch=8)
        >>> with TemporaryDirectory() as folder:
        ...     weights = train(ModelConfig.preset("tiny"), recipe, folder, device="cpu")
        ...     weights.relative_to(folder).as_posix(), load(weights).config.channels
        ('weights', 32)
    """
    folder = Path(folder)
    with claimed(folder, by=PartialState(cpu=device == "cpu")):
        run = Run(model_config, config, folder, init, log_with, device, watch)
        try:
            return run.to_the_end()
        finally:
            run.close()


class Run:
    """A run in the making: what ``train`` sets up before its first step."""

    def __init__(self, model_config, config, folder, init, log_with, device, watch):
        self.config, self.folder = config, folder
        self.accelerator = make_accelerator(config, log_with, device, folder)
        processes = self.accelerator.num_processes
        if config.batch % processes:
            raise TrainError(
                f"batch is {config.batch}, which {processes} processes cannot share equally. "
                f"Choose a multiple of {processes}."
            )
        training, self.validation = images.find(config.data), images.find(config.validation)
        images.check_apart(training, self.validation)
        self.about = {
            "config": networks.to_dict(model_config),
            "recipe": config.to_dict(),
            "init": None if init is None else str(init),
            "images": images.fingerprint(training),
        }
        self.state = new_state(model_config, config, self.accelerator.device, init)
        note = self._resume()
        try:
            self.store = PatchStore.from_images(
                training, model_config.scale, config.patch, self.accelerator.device
            )
        except ValueError as error:
            raise TrainError(str(error)) from error
        self.model = self.accelerator.prepare_model(self.state.model)
        self.log = Log(
            folder / "log.jsonl",
            since=self.state.step,
            tracker=self.accelerator if log_with else None,
            watch=watch,
            mute=not self.accelerator.is_main_process,
        )
        self.log.say(f"{self.store}; {self.accelerator.device}, {config.precision}")
        if note:
            self.log.say(note)
        if self.accelerator.device.type == "cuda" and config.steps >= COMPILED_FROM:
            self._compile()

    def _compile(self):
        """Have ``gradient`` compiled, and captured where this process has no others to wait for."""
        from torch._dynamo.exc import ShortenTraceback  # takes a second to import

        self.log.say("compiling, which takes a minute or two")
        batch = self._batch()
        compile_repeated(self.state.model)
        self.model.train()
        try:
            self.gradient(*batch)
        except ShortenTraceback as error:  # no Triton, say, or no C compiler beside it
            torch.compiler.set_stance("force_eager")
            why = str(getattr(error, "inner_exception", error)).splitlines()[0]
            self.log.say(f"it goes on without, and takes longer: {why}")
            return
        if self.accelerator.num_processes == 1:
            self.gradient = Captured(self.gradient, *batch)

    def to_the_end(self):
        """All steps that are left. Returns the folder of the weights, or None if stopped."""
        config, state = self.config, self.state
        with asked_to_stop() as asked, self._progress() as progress:
            while state.step < config.steps:
                started = time.monotonic()
                loss, gradient, stop = self.step(asked())
                state.seconds += time.monotonic() - started
                self.log.collect(loss, gradient)
                progress.update()
                self._write_down(progress)
                if stop:
                    self._save()
                    self.log.say(
                        f"stopped after step {state.step} of {config.steps}; "
                        "the same command goes on from there"
                    )
                    return None
        return self._export()

    def step(self, asked=False):
        """One step: batch, loss, gradient, update, average.

        Returns the loss and the gradient's norm, and whether any process was asked to stop.
        """
        config, state, accelerator = self.config, self.state, self.accelerator
        # stochastic depth draws from this, as the batch does from seed and step
        torch.manual_seed(
            zlib.crc32(f"{config.seed} {state.step} {accelerator.process_index}".encode())
        )
        state.optimizer.param_groups[0]["lr"] = learning_rate(config, state.step)
        self.model.train()
        loss = self.gradient(*self._batch())
        norm = accelerator.clip_grad_norm_(
            self.model.parameters(), config.gradient_clip or math.inf
        )
        # every process must decide alike: on the mean loss, and if any was asked to stop
        shared = accelerator.reduce(
            torch.stack([loss, torch.full_like(loss, float(asked))]), "mean"
        )
        loss, norm, stop = *shared[:1].tolist(), norm.item(), shared[1].item() > 0
        if math.isfinite(loss) and math.isfinite(norm):
            state.optimizer.step()
            state.average.update_parameters(state.model)
        else:
            self._not_finite(loss, norm)
        state.step += 1
        return loss, norm, stop

    def _batch(self):
        """What this process takes of the step's batch: LR and HR patches."""
        config, accelerator = self.config, self.accelerator
        ranks = accelerator.process_index, accelerator.num_processes
        return self.store.batch(config.seed, self.state.step, config.batch, *ranks)

    def gradient(self, low, high):
        """The loss of a batch, a scalar; its gradient is left in the parameters."""
        self.state.optimizer.zero_grad(set_to_none=True)
        loss = F.l1_loss(self.model(low), high)
        self.accelerator.backward(loss)
        return loss.detach()

    def _not_finite(self, loss, norm):
        config, state = self.config, self.state
        plan = self.store.plan(config.seed, state.step, config.batch)
        patches = "\n  ".join(self.store.describe(plan))
        what = f"step {state.step}: the loss is {loss}, the gradient's norm {norm}"
        if config.on_nan == "skip":
            state.skipped += 1
            self.log.say(f"{what}; left out, {state.skipped} so far")
            return
        path = self.folder / "checkpoints"
        if self.accelerator.is_main_process:
            path = checkpoint.save(path, state, self.about, name="non-finite")
        raise NotFiniteError(
            f"{what}. The network before this step is in {path}. The batch was\n  {patches}\n"
            "A lower learning rate, a warm-up or gradient clipping may help; --on-nan skip leaves "
            "such steps out."
        )

    def _write_down(self, progress):
        """What is due after a step: validation, a line of the log, a checkpoint."""
        config, state = self.config, self.state
        last = state.step == config.steps
        if last or state.step % config.validate_every == 0:
            self._validate()
        if last or state.step % LOG_EVERY == 0 or state.step % config.validate_every == 0:
            entry = self.log.write(
                state,
                learning_rate(config, state.step - 1),
                config.batch,
                peak_memory(self.accelerator.device),
            )
            names = ("loss", "psnr_y", "images_per_second", "memory_gb")
            progress.set_postfix({n: entry[n] for n in names if n in entry}, refresh=False)
        if last or state.step % config.save_every == 0:
            self._save()

    def _validate(self):
        """PSNR of the averaged network on the validation images, in ``state.scores``."""
        state, accelerator = self.state, self.accelerator
        if accelerator.is_main_process and self.validation:
            network = state.average.module
            found = evaluate(self._upscaler(network), "all", self.validation, network.config.scale)
            state.scores = {"psnr_y": mean_scores(found)["all"][0]}
        accelerator.wait_for_everyone()

    def _upscaler(self, network):
        def run(low):
            room = free_memory(self.accelerator.device) // 2
            tile = tile_that_fits(network, *low.shape[:2], room)
            return upscale(network, low, tile=tile), tile

        return run

    def _save(self):
        if self.accelerator.is_main_process:
            folder, state = self.folder / "checkpoints", self.state
            score = state.scores.get("psnr_y")
            improved = score is not None and (state.best is None or score > state.best)
            if improved:
                state.best = score
            path = checkpoint.save(folder, state, self.about)
            if improved:
                checkpoint.keep_as_best(path)
        self.accelerator.wait_for_everyone()

    def _resume(self):
        """Go on from the last checkpoint, if there is one. Returns a note, or ""."""
        folder = self.folder / "checkpoints"
        if self.accelerator.is_main_process and folder.is_dir():
            for left in folder.glob(".*.safetensors"):  # of a write that was killed
                left.unlink()
        self.accelerator.wait_for_everyone()
        found = checkpoint.checkpoints(folder)
        return checkpoint.load(found[-1], self.state, self.about) if found else ""

    def _export(self):
        weights = self.folder / "weights"
        if self.accelerator.is_main_process:
            weights.mkdir(parents=True, exist_ok=True)
            left_out = len(self.store.left_out)
            card = model_card(
                self.folder.name, self.about, self.state, self.accelerator.device, left_out
            )
            (weights / "README.md").write_text(card, encoding="utf-8")
            self.state.average.module.save_pretrained(weights)
        self.accelerator.wait_for_everyone()
        return weights

    def _progress(self):
        return tqdm(
            total=self.config.steps,
            initial=self.state.step,
            unit=" steps",
            disable=not self.accelerator.is_main_process,
            smoothing=0.05,
        )

    def close(self):
        self.accelerator.end_training()


def make_accelerator(config, log_with, device, folder):
    """accelerate's view of devices, processes, precision and trackers.

    Raises:
        TrainError: bf16 was asked for and the device has none, or the tracker is not installed.
    """
    # one process may train one network after another, in another precision, on another device;
    # only the run that holds its folder comes here, so none that is under way loses its state
    AcceleratorState._reset_state(reset_partial_state=not torch.distributed.is_initialized())
    cpu = device == "cpu"
    has = has_bf16(cpu)
    if config.precision == "bf16" and not has:
        raise TrainError("precision is bf16, which this device does not have. Choose float32.")
    bf16 = has and config.precision != "float32"
    try:
        accelerator = Accelerator(
            cpu=cpu,
            mixed_precision="bf16" if bf16 else "no",
            log_with=log_with,
            project_dir=str(folder),
        )
        if log_with:
            accelerator.init_trackers(folder.name, {"steps": config.steps, "batch": config.batch})
    except (ImportError, ValueError) as error:
        raise TrainError(f"--log-with {log_with}: {error} Install glanet[{log_with}].") from error
    return accelerator


def has_bf16(cpu=False):
    """Whether the device that training would choose computes in bfloat16 by itself."""
    if torch.cuda.is_available() and not cpu:
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = getattr(torch.cpu, "get_capabilities", dict)()
    return any(able.get(name) for name in ("avx512_bf16", "amx_bf16"))


def new_state(model_config, config, device, init=None):
    """A run before its first step.

    Raises:
        WeightsError: ``init`` cannot be read. TrainError: it is of another network.
    """
    torch.manual_seed(config.seed)
    model = empty_model(model_config)
    if init is not None:
        _take_over(load(init), model, init)
    model.to(device)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(config.average))
    optimizer = torch.optim.Adam(
        model.parameters(), config.learning_rate, config.betas, fused=device.type != "mps"
    )
    return State(model, average, optimizer)


def _take_over(source, model, name):
    """Copy weights; at another scale the head has other shapes, and stays as it is."""
    theirs, ours = networks.to_dict(source.config), networks.to_dict(model.config)
    for field in theirs:
        if field not in ("scale", "stochastic_depth") and theirs[field] != ours.get(field):
            raise TrainError(
                f"{name}: {field} is {theirs[field]}, and {ours.get(field)} in the model to train. "
                "Start from weights of the same network; only the scale may differ."
            )
    state = model.state_dict()
    state |= {
        key: tensor
        for key, tensor in source.state_dict().items()
        if state[key].shape == tensor.shape
    }
    model.load_state_dict(state)


@contextmanager
def claimed(folder, by):
    """Keep ``folder`` to this run: two would delete and overwrite each other's checkpoints.

    The lock ends with its process, however that ends. Of several processes that share a run, the
    main one holds it: no other one writes. ``by``: accelerate's state of this process.

    Raises:
        TrainError: another run holds the folder, or it cannot be written.
    """
    if not by.is_main_process:
        yield
        return
    lock = FileLock(folder / ".lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except Timeout as error:
        raise TrainError(
            f"{folder}: another process is training there. Two would spoil each other's files: "
            "let that one end, stop it, or choose another folder with --out."
        ) from error
    except OSError as error:
        raise TrainError(
            f"{folder}: cannot be written ({error}). Choose another folder with --out."
        ) from error
    try:
        yield
    finally:
        with suppress(OSError):  # a file left there would look like a lock still held
            Path(lock.lock_file).unlink()
        lock.release()


@contextmanager
def asked_to_stop():
    """A function that says whether Ctrl-C or SIGTERM came; until the end, neither does more."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # signals go to the main thread
        yield asked.is_set
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: asked.set()) for number in numbers}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def model_card(name, about, state, device, left_out):
    """What the weights are, for people: data, recipe, steps, seed, device, hours, scores.

    left_out: how many of the images were smaller than a patch.
    """
    recipe = Recipe.from_dict(about["recipe"])
    config = networks.from_dict(about["config"])
    title = networks.find(config.network).title
    scores = ", ".join(
        f"{' and '.join(recipe.validation)}: {value:.2f} dB" for value in state.scores.values()
    )
    data = " and ".join(recipe.data) if len(recipe.data) <= 5 else f"{len(recipe.data)} files"
    listed = "\n".join(
        f"- {field}: {data if field == 'data' else value}"
        for field, value in asdict(recipe).items()
    )
    patches = f"{recipe.batch} patches of {recipe.patch}×{recipe.patch} LR pixels"
    images_of = f"{data} ({about['images'].partition(',')[0]})"
    if left_out:
        images_of += f", without {left_out} smaller than a patch"
    began = f", begun from {about['init']}" if about["init"] else ""
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return f"""---
library_name: glanet
pipeline_tag: image-to-image
tags:
- image-super-resolution
- super-resolution
---

# {name}

{title}, {networks.count_parameters(config):,} parameters, ×{config.scale}.

| | |
|---|---|
| trained on | {images_of}; LR by MATLAB's bicubic |
| steps | {state.step:,} of {patches}, seed {recipe.seed}{began} |
| took | {state.seconds / 3600:.2f} hours on {where} |
| PSNR on Y | {scores or "not measured"} |

The weights are a moving average. The recipe:

{listed}
"""
