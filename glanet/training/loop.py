"""The training loop: a config, a recipe and a folder in; weights out.

A step is a pure function of the model's state, the seed and the step's number. So a run that was
stopped, killed or cut off by a power failure resumes from its last checkpoint, and its result is
bit-identical to an uninterrupted run.
"""

import math
import time
import zlib
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import gather_object
from tqdm.auto import tqdm

from glanet import networks
from glanet.compile import compile_repeated
from glanet.config import ModelShape
from glanet.data.patches import PatchStore
from glanet.device import free_memory, peak_memory
from glanet.evaluation.benchmark import evaluate, mean_scores
from glanet.fast import fast_layers
from glanet.files import write_text
from glanet.inference import upscale_within
from glanet.training import checkpoint, images, losses
from glanet.training.capture import Captured, WaitsError
from glanet.training.card import model_card, names
from glanet.training.errors import NotFiniteError, TrainError
from glanet.training.folder import RunFolder
from glanet.training.guards import asked_to_stop, claimed, enough_memory, writing
from glanet.training.log import Log
from glanet.training.memory import needed_for_step, recompute_layers
from glanet.training.recipe import Recipe
from glanet.training.schedule import learning_rate
from glanet.training.state import new_state
from glanet.training.step import Outcome, Step

LOG_EVERY = 50  # steps
JOINED_ON = ("cuda",)  # devices on which a run computes GLA layers by joined products
COMPILED_FROM = 2_000  # steps of a run on a GPU; a shorter one ends before compiling pays
PATIENCE = timedelta(hours=1)  # of a process that waits for the others, as in a validation


def train(
    config: ModelShape,
    recipe: Recipe,
    folder: str | Path,
    *,
    init: str | Path | None = None,
    log_with: str | None = None,
    device: str | None = None,
    watch: Callable[[dict], None] | None = None,
) -> Path | None:
    """Train a model into ``folder``, or resume where an earlier call stopped.

    The folder gets ``checkpoints/``, ``log.jsonl`` and, from the first validation on, ``weights/``:
    the moving average of the weights, for `glanet.weights.load`, and in ``weights/best/`` what it
    was at the highest PSNR. Ctrl-C, SIGTERM and SIGUSR1 save and return.

    Args:
        config: the shape of the model, of any network of the register.
        recipe: how it is trained.
        folder: where the run lives. The same folder, config and recipe resume it. Of the recipe,
            ``checkpoint.MAY_CHANGE`` may differ; the log notes it.
        init: weights to start from, as `glanet.weights.load` takes them. At another scale, the head
            keeps its random weights.
        log_with: a tracker of accelerate's, "tensorboard" or "wandb", besides the log file.
        device: "cpu" leaves an accelerator alone.
        watch: a function that gets every entry of the log, a dict, as it is written.

    Returns:
        The folder of the weights, or None if the run was stopped before its end.

    Raises:
        TrainError, ArgumentError, DataError, ImageError, WeightsError: the setup is invalid;
            raised before the first step.
        NotFiniteError: a loss was not finite, and ``recipe.on_nan`` is "stop".

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
    with claimed(RunFolder(folder), by=joined(device)):
        run = Run(config, recipe, folder, init=init, log_with=log_with, device=device, watch=watch)
        try:
            return run.to_the_end()
        finally:
            run.close()


class Run:
    """A run before its first step, or between two steps. Arguments and errors as of `train`."""

    def __init__(
        self, config, recipe, folder, *, init=None, log_with=None, device=None, watch=None
    ):
        self.recipe, self.files = recipe, RunFolder(folder)
        self.accelerator = make_accelerator(recipe, log_with, device, self.files.path)
        processes = self.accelerator.num_processes
        shares = processes * recipe.accumulate
        if recipe.batch % shares:
            raise TrainError(
                f"batch is {recipe.batch}, which {processes} processes cannot share equally in "
                f"{recipe.accumulate} parts each. Choose a multiple of {shares}."
            )
        self.loss = losses.find(recipe.loss)
        training, self.validation = images.find(recipe.data), images.find(recipe.validation)
        images.check_apart(training, self.validation)
        self.about = {
            "config": networks.to_dict(config),
            "recipe": recipe.to_dict(),
            "init": None if init is None else str(init),
            "images": images.fingerprint(training),
            "precision": "bf16" if self.accelerator.mixed_precision == "bf16" else "float32",
        }
        source = training
        if recipe.lr:
            source = images.pair(training, recipe.lr, config.scale)
            self.about["lr_images"] = images.fingerprint([lr for lr, _ in source])
        self.state = new_state(config, recipe, self.accelerator.device, init)
        note = self._resume()
        memory = self._memory_of_step()
        self.store = PatchStore.from_images(
            source,
            config.scale,
            recipe.patch,
            self.accelerator.device,
            degradation=recipe.degradation,
            seed=recipe.seed,
            memory=memory and max(0, memory.free - memory.needed),
        )
        if self.accelerator.device.type in JOINED_ON:
            fast_layers(self.state.model)
        if recipe.checkpointing:
            recompute_layers(self.state.model)
        self.model = self.accelerator.prepare_model(self.state.model).train()
        self.compute = Step(self.state, self.model, self.loss, recipe, self.accelerator)
        self.pending = None  # the Outcome of a step that is not read yet
        self.log = Log(
            self.files.log,
            since=self.state.step,
            tracker=self.accelerator if log_with else None,
            watch=watch,
            mute=not self.accelerator.is_main_process,
        )
        self.log.note(f"{self.store}; {self.accelerator.device}, {self.about['precision']}")
        for line in filter(None, (memory, note)):
            self.log.note(str(line))
        if self.accelerator.device.type == "cuda" and recipe.steps >= COMPILED_FROM:
            self._compile()

    def _compile(self):
        """Compile the gradient, and capture the step if this process need not wait for others."""
        from torch._dynamo.exc import TorchDynamoException  # takes a second to import

        self.log.say("compiling, which takes a minute or two")
        lr, hr, *rest = self._inputs(asked=False)
        compile_repeated(self.state.model)
        try:
            with enough_memory(self.recipe, self.accelerator.device):
                self.compute.gradient(lr, hr)
        except TorchDynamoException as error:  # for example without Triton, or without a C compiler
            # the stance holds inside ``gradient`` alone: other models may compile
            eager = torch.compiler.set_stance("force_eager")
            self.compute.gradient = eager(self.compute.gradient)
            why = str(getattr(error, "inner_exception", error)).splitlines()[0]
            self.log.say(f"training falls back to eager mode, which is slower: {why}")
            return
        # a layer that is computed again reads the state of random numbers, which a graph cannot
        if self.accelerator.num_processes == 1 and not self.recipe.checkpointing:
            try:
                with enough_memory(self.recipe, self.accelerator.device), self.compute.refusing():
                    self.compute = Captured(self.compute, lr, hr, *rest)
            except WaitsError:
                self.log.say(
                    "training goes on without a CUDA graph, which is slower: something in a step "
                    "waits for the GPU, such as a loss that calls .item() or print()"
                )

    def _memory_of_step(self):
        """The memory that a step needs on this process's GPU, a `Need`; None elsewhere."""
        device = self.accelerator.device
        if device.type != "cuda":
            return None
        return needed_for_step(
            self.state.model.config,
            self.recipe,
            free_memory(device),
            bf16=self.about["precision"] == "bf16",
            processes=self.accelerator.num_processes,
        )

    def to_the_end(self):
        """Do all steps that are left. Returns the folder of the weights, or None if stopped."""
        recipe, state = self.recipe, self.state
        with asked_to_stop() as asked, self._progress() as progress:
            while state.step < recipe.steps:
                started = time.monotonic()
                stop = self.advance(asked())
                state.seconds += time.monotonic() - started
                progress.update()
                if not self.pending:
                    self._write_down(progress)
                if stop:
                    self._save()
                    self.log.say(
                        f"stopped after step {state.step} of {recipe.steps}; "
                        "the same command resumes from there"
                    )
                    return None
            return self._export()

    def advance(self, asked=False):
        """Begin a step, and meanwhile read what the one before it found.

        If something is due after this step, or the run ends with it, read this one as well. Returns
        whether it ends: any process was ``asked`` to stop.
        """
        before, self.pending = self.pending, self._begin(asked)
        stop = self._read(before) if before else False
        alone = self.accelerator.num_processes == 1  # else the others do not know of it yet
        if stop or self._is_due() or (asked and alone):
            stop |= self._read(self.pending)
            self.pending = None
        return stop

    def step(self, asked=False):
        """Do one step and wait for it.

        Returns the loss and the gradient's norm, and whether any process was ``asked`` to stop.
        """
        return self._checked(self._begin(asked))

    def _begin(self, asked):
        """Begin a step: batch, loss, gradient, update, average. Returns its `Outcome`."""
        recipe, state, accelerator = self.recipe, self.state, self.accelerator
        # stochastic depth draws from this, as the batch does from seed and step
        torch.manual_seed(
            zlib.crc32(f"{recipe.seed} {state.step} {accelerator.process_index}".encode())
        )
        with enough_memory(recipe, accelerator.device):
            values = self.compute(*self._inputs(asked))
        state.step += 1
        return Outcome(state.step - 1, values)

    def _inputs(self, asked):
        """The tensors that `Step` takes: LR and HR patches, learning rate, ``asked``."""
        numbers = (learning_rate(self.recipe, self.state.step), float(asked))
        device = self.accelerator.device
        return *self._batch(), *(torch.full((), number, device=device) for number in numbers)

    def _read(self, outcome):
        """Log what a step found. Returns whether any process was asked to stop."""
        loss, norm, stop = self._checked(outcome)
        self.log.collect(loss, norm)
        return stop

    def _checked(self, outcome):
        """What a step found, after a look at whether it is finite."""
        loss, norm, stop = outcome.read()
        if not (math.isfinite(loss) and math.isfinite(norm)):
            self._not_finite(outcome.step, loss, norm)
        return loss, norm, stop

    def _batch(self):
        """This process's share of the step's batch: LR and HR patches."""
        recipe, accelerator = self.recipe, self.accelerator
        ranks = accelerator.process_index, accelerator.num_processes
        return self.store.batch(recipe.seed, self.state.step, recipe.batch, *ranks)

    def _not_finite(self, step, loss, norm):
        recipe, state = self.recipe, self.state
        what = f"step {step}: the loss is {loss}, the gradient's norm {norm}"
        if recipe.on_nan == "skip":
            state.skipped += 1
            self.log.say(f"{what}; skipped, {state.skipped} so far")
            return
        state.step = step  # later steps may have begun; the device refused them
        path = self.files.before_not_finite(step)
        if self.accelerator.is_main_process:
            checkpoint.save(path, state, self.about)
        plan = self.store.plan(recipe.seed, step, recipe.batch)
        patches = "\n  ".join(self.store.describe(plan))
        raise NotFiniteError(
            f"{what}. The model before this step is in {path}. The batch was\n  {patches}\n"
            "A lower learning rate, a warm-up or gradient clipping may help; --on-nan skip skips "
            "such steps."
        )

    def _is_due(self):
        """Whether `_write_down` has something to write after this step."""
        recipe, step = self.recipe, self.state.step
        intervals = (LOG_EVERY, recipe.validate_every, recipe.save_every)
        return step == recipe.steps or any(step % interval == 0 for interval in intervals)

    def _write_down(self, progress):
        """What is due after a step: validation, an entry of the log, a checkpoint."""
        recipe, state = self.recipe, self.state
        last, improved = state.step == recipe.steps, False
        if last or state.step % recipe.validate_every == 0:
            improved = self._validate()
            self._export(improved)
        if last or state.step % LOG_EVERY == 0 or state.step % recipe.validate_every == 0:
            entry = self.log.write(
                state,
                learning_rate(recipe, state.step - 1),
                recipe.batch,
                peak_memory(self.accelerator.device),
            )
            shown = ("loss", "psnr_y")  # what a narrow window has room for
            progress.set_postfix({n: entry[n] for n in shown if n in entry}, refresh=False)
        if last or improved or state.step % recipe.save_every == 0:
            self._save(best=improved)

    def _validate(self):
        """Put the PSNR of the averaged model on the validation images into ``state.scores``.

        Each process measures a share of the images. Returns whether the PSNR is the highest so far.
        """
        if not self.validation:
            return False
        state, ranks = self.state, self.accelerator
        model = state.average.module
        share = [*enumerate(self.validation)][ranks.process_index :: ranks.num_processes]
        numbers, paths = zip(*share, strict=True) if share else ((), ())
        found = evaluate(partial(upscale_within, model), "all", paths, model.config.scale)
        by_number = dict(gather_object(list(zip(numbers, found, strict=True))))
        tiled = sum(score.tile is not None for score in by_number.values())
        if tiled:
            self.log.say(
                f"validation in tiles, for lack of memory: {tiled} of {len(by_number)} images. "
                "Their PSNR may differ from that of whole images"
            )
        # in their order, so that the sum is the same however many processes there are
        score = mean_scores(by_number[i] for i in range(len(self.validation)))["all"][0]
        state.scores = {"psnr_y": score}
        improved = state.best is None or score > state.best
        if improved:
            state.best = score
        return improved

    def _save(self, best=False):
        if self.accelerator.is_main_process:
            checkpoint.save_next(self.files, self.state, self.about, best=best)
        self.accelerator.wait_for_everyone()

    def _resume(self):
        """Load the last checkpoint, if there is one. Returns a note, or "".

        Raises:
            TrainError: the processes of this run do not see the same checkpoint.
        """
        if self.accelerator.is_main_process:
            for path in self.files.unfinished():
                path.unlink()
        self.accelerator.wait_for_everyone()
        last = self.files.saved()[-1:]
        seen = gather_object([tuple((str(path.resolve()), images.digest(path)) for path in last)])
        if len({tuple(d for _, d in paths) for paths in seen}) > 1:
            views = "; ".join(
                f"process {rank}: {paths[0][0] if paths else 'no checkpoint'}"
                for rank, paths in enumerate(seen)
            )
            raise TrainError(
                f"{self.files.path}: the processes of this run would resume from different "
                f"checkpoints ({views}). Give all of them the same --out, on a file system that "
                "all see up to date."
            )
        return checkpoint.load(last[0], self.state, self.about) if last else ""

    def _export(self, best=False):
        """Write the averaged weights and their card, also as the best so far."""
        if self.accelerator.is_main_process:
            for folder in (self.files.weights, *([self.files.best_weights] if best else [])):
                with writing(folder):
                    folder.mkdir(parents=True, exist_ok=True)
                    write_text(folder / "README.md", self._card())
                    self.state.average.module.save_pretrained(folder)
        self.accelerator.wait_for_everyone()
        return self.files.weights

    def _card(self):
        state, device = self.state, self.accelerator.device
        return model_card(
            self.files.path.name,
            self.about,
            steps=state.step,
            seconds=state.seconds,
            where=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
            left_out=len(self.store.left_out),
            scores={names(self.recipe.validation): state.scores} if state.scores else {},
            init=self.about["init"],
        )

    def _progress(self):
        return tqdm(
            total=self.recipe.steps,
            initial=self.state.step,
            unit=" steps",
            disable=not self.accelerator.is_main_process,
            smoothing=0.05,
            bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} [{remaining}, {rate_fmt}{postfix}]",
        )

    def close(self):
        """End what ``log_with`` began."""
        self.accelerator.end_training()


def joined(device) -> PartialState:
    """This process among those that share a run; the first call joins them.

    accelerate's own call would leave NCCL its limit of ten minutes.
    """
    return PartialState(cpu=device == "cpu", timeout=PATIENCE)


def make_accelerator(recipe, log_with, device, folder):
    """accelerate's view of devices, processes, precision and trackers.

    Raises:
        TrainError: the recipe demands bf16, which the device does not have; or the tracker is not
            installed.
    """
    # one process may train several models in turn, in another precision, on another device; only
    # the run that holds its folder comes here, so no run that is under way loses its state
    AcceleratorState._reset_state(reset_partial_state=not torch.distributed.is_initialized())
    joined(device)
    cpu = device == "cpu"
    has = has_bf16(cpu)
    if recipe.precision == "bf16" and not has:
        raise TrainError("precision is bf16, which this device does not have. Choose float32.")
    bf16 = has and recipe.precision != "float32"
    try:
        accelerator = Accelerator(
            cpu=cpu,
            mixed_precision="bf16" if bf16 else "no",
            log_with=log_with,
            project_dir=str(folder),
            kwargs_handlers=[
                # all buffers are constants
                DistributedDataParallelKwargs(broadcast_buffers=False, gradient_as_bucket_view=True)
            ],
        )
        if log_with:
            accelerator.init_trackers(folder.name, {"steps": recipe.steps, "batch": recipe.batch})
    except (ImportError, ValueError) as error:
        if not log_with:
            raise
        raise TrainError(f"--log-with {log_with}: {error} Install glanet[{log_with}].") from error
    return accelerator


def has_bf16(cpu=False) -> bool:
    """Whether the device that training would choose has instructions for bfloat16."""
    if torch.cuda.is_available() and not cpu:
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = getattr(torch.cpu, "get_capabilities", dict)()
    return any(able.get(name) for name in ("avx512_bf16", "amx_bf16"))
