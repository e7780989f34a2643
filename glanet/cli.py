"""The command line: ``glanet doctor | train | evaluate | upscale | ...``; ``--help`` lists all."""

import io
import os
import re
import signal
import sys
import warnings
from contextlib import contextmanager, redirect_stderr
from dataclasses import fields
from functools import partial, wraps
from importlib.metadata import version
from itertools import groupby
from json import dumps
from math import inf, nan
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated, Literal, TypedDict

import tyro
from numpy import asarray
from tqdm import tqdm
from tyro.conf import (
    FlagConversionOff,
    FlagCreatePairsOff,
    OmitArgPrefixes,
    Positional,
    PositionalMetavarFromFieldName,
    arg,
)
from tyro.constructors import PrimitiveConstructorSpec

from glanet import doctor as doctors
from glanet import inference
from glanet import networks as register
from glanet.config import SCALES
from glanet.data import catalog, degradations
from glanet.data.degradations import BICUBIC
from glanet.data.formats import WRITABLE
from glanet.data.images import format_of, read_rgb, write_image
from glanet.device import choose_device
from glanet.errors import GlanetError
from glanet.evaluation import benchmark
from glanet.files import write_text
from glanet.inference import batch, report
from glanet.inference import export as exports
from glanet.inference.openvino import OnOpenVINO
from glanet.inference.photo import Enlarger
from glanet.training.recipe import CHOICES, Recipe
from glanet.weights import load, shipped_names

FORMAT_NAMES = tuple(ending.removeprefix(".") for ending in WRITABLE)
DEFAULT_NETWORK = next(iter(register.NETWORKS))
_COLOUR = re.compile(r"\x1b\[[\d;]*m")  # of text on a terminal

DESCRIPTION = """Super-resolution with GLA-Net and the networks that its paper compares with.
--version prints the version. --debug, with any command, shows the traceback of an error."""


def _optional(kind, metavar):
    """The type of an option that may be left out; its help says what happens then."""
    return Annotated[kind | None, arg(metavar=metavar, help_behavior_hint="")]


def _number(kind, name, metavar, expected, low=-inf, high=inf):
    """The type of a number that may be left out; any other value is rejected in one line."""

    def parse(texts):
        try:
            value = kind(texts[0])
        except ValueError:
            value = nan
        if not low <= value <= high:
            raise UsageError(f"{name} is {texts[0]}; expected {expected}.")
        return value

    spec = PrimitiveConstructorSpec(
        nargs=1,
        metavar=metavar,
        instance_from_str=parse,
        is_instance=lambda value: value is None or isinstance(value, int | float),
        str_from_instance=lambda value: [str(value)],
    )
    return Annotated[float | None, spec, arg(help_behavior_hint="")]


def _times(text):
    """The number in 2, 2x, x2 or ×2."""
    return float(text.lower().strip("x×"))


def _recipe_option(field):
    kind = Literal[CHOICES[field.name]] if field.name in CHOICES else field.type
    if kind is bool:  # a flag could not say that a preset's value is meant
        kind = Annotated[bool, FlagConversionOff]
    return Annotated[kind, arg(help=field.metadata["help"], help_behavior_hint="")]


Flag = Annotated[bool, arg(help_behavior_hint="")]
OptionalName = _optional(str, "NAME")
OptionalPath = _optional(Path, "PATH")
OptionalScale = _optional(Literal[SCALES], "{2,3,4}")
OptionalTile = _number(int, "--tile", "PIXELS", "a number of LR pixels, such as 96")
OptionalTracker = _optional(Literal["tensorboard", "wandb"], "{tensorboard,wandb}")
RecipeOptions = TypedDict(
    "RecipeOptions", {field.name: _recipe_option(field) for field in fields(Recipe)}, total=False
)
RecipeOptions.__doc__ = "An option that is left out has the preset's value. § refers to the paper."

app = tyro.extras.SubcommandApp()
data = tyro.extras.SubcommandApp()
app.command(data, name="data", help="List, download or verify the data sets.")


class CommandError(GlanetError):
    """A command that cannot be carried out; the message says why and what to do."""


class UsageError(CommandError):
    """A command line with an unknown option or an invalid value; the exit status is 2."""


def _command(commands=app, **options):
    """Register a command. To parse its line prepares it, and the caller of `app.cli` runs it."""

    def register(function):
        @wraps(function)
        def prepare(*arguments, **named):
            return partial(function, *arguments, **named)

        commands.command(prepare, **options)
        return function

    return register


@_command()
def doctor() -> None:
    """Report what this machine has and lacks, with advice on each thing that is missing."""
    findings = doctors.examine()
    print(doctors.report(findings))
    if any(finding.state == doctors.MISSING for finding in findings):
        sys.exit(1)


@_command()
def progress() -> None:
    """Show which exercises of the course you have solved."""
    from glanet.course.report import report  # the course may not be installed

    print(report())


@_command()
def work(names: Positional[tuple[str, ...]] = (), /, *, fresh: Flag = False) -> None:
    """Copy the course's notebooks to where no update touches your answers.

    In a checkout that is notebooks/my_work, else glanet-course in the working directory.

    Args:
        names: how the notebooks' names start, such as 05; default: all notebooks
        fresh: also copy notebooks that you have a copy of, under a new name beside it
    """
    from glanet.course.tools.work import copy_notebooks

    print("\n".join(copy_notebooks(names, fresh)))


@_command()
def networks(*, flops: Flag = False) -> None:
    """List the networks: papers, parameters, presets, and where trained weights are published.

    Args:
        flops: also count the operations of each, which takes half a minute
    """
    rows = []
    for name, entry in tqdm(
        register.NETWORKS.items(), leave=False, disable=None if flops else True
    ):
        published = {scale: entry.config.preset("paper", scale) for scale in SCALES}
        row = {"name": name, "network": entry.title, "paper": f"{entry.paper} {entry.year}"}
        for scale, config in published.items():
            row[f"parameters ×{scale}"] = f"{register.count_parameters(config):,}"
        if flops:
            row["GFLOP"] = f"{register.count_flop(published[2]) / 1e9:,.1f}"
        row["range"] = f"0–{entry.model.value_range:.0f}"
        row["presets"] = ", ".join(entry.config.PRESETS)
        rows.append({**row, "weights": entry.weights})
    cells = [tuple(rows[0]), *(tuple(row.values()) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    print(*("  ".join(map(str.ljust, row, widths)).rstrip() for row in cells), sep="\n")
    print("\nparameters: of the preset paper")
    if flops:
        print("GFLOP: of that preset at ×2, for 64 × 64 LR pixels; a multiply-add counts as 2")
    print("range: of the values inside; images go in and come out in 0–1 with every network")
    print("weights: the page that links to the authors' files; glanet evaluate --weights FILE")


@_command(data, name="list")
def data_list(names: Positional[tuple[str, ...]] = (), /) -> None:
    """List the data sets, or describe some in full.

    Args:
        names: sets to describe in full: addresses, terms, citation
    """
    print("\n\n".join(map(catalog.describe, names)) or catalog.table())


@_command(data, name="get")
def data_get(name: Positional[str], /, *, scale: Literal[1, *SCALES] = 1) -> None:
    """Download a data set into the data root, unless it is there already.

    Args:
        name: a set of `glanet data list`
        scale: also get the LR images at this scale; 1 gets the HR images alone
    """
    print(f"{name}: {catalog.get(name, scale)}")


@_command(data, name="verify")
def data_verify(name: Positional[str], /) -> None:
    """Check that a data set is complete: counts, names, pairs, and that every image decodes.

    Args:
        name: a set of `glanet data list`
    """
    problems = catalog.verify(name)
    print("\n".join(problems) or f"{name}: complete")
    if problems:
        sys.exit(1)


@_command()
def upscale(
    inputs: Annotated[Positional[tuple[str, ...]], arg(help_behavior_hint="(required)")],
    /,
    *,
    out: Annotated[OptionalPath, arg(aliases=["-o", "--output"])] = None,
    format: Annotated[str, arg(metavar="|".join(("same", *FORMAT_NAMES)))] = "same",
    quality: _number(int, "--quality", "1-100", "1 to 100", 1, 100) = None,
    weights: OptionalName = None,
    scale: _number(_times, "--scale", "1-8", "1 to 8, such as 2 or 1.5", 1, 8) = None,
    overwrite: Flag = False,
    animated: Flag = False,
    alpha: Literal["bicubic", "network"] = "bicubic",
    tile: OptionalTile = None,
    ensemble: Flag = False,
    json: Flag = False,
    engine: Literal["torch", "openvino"] = "torch",
    device: OptionalName = None,
) -> None:
    """Enlarge photographs: glanet upscale photo.jpg -o larger.png --scale 2

    Without --out, results lie beside the originals: photo-x2.jpg. Metadata, colour profiles and 16
    bits are kept. The exit status is 1 if a file failed; the others are enlarged all the same.

    Args:
        inputs: image files, folders with all below them, or patterns such as "scan??.jpg"
        out: file of the result of one image, or a folder for several, whose structure is kept
        format: of the results; same: that of the original, PNG for a GIF
        quality: of JPEG, AVIF and HEIF, by default 95, 90 and 90, and of WebP, by default lossless
        weights: shipped name, folder, Hub id or released .pth file; default: tiny at --scale
        scale: of the result to the image, also 1.5; default: the scale of the weights, or 2
        overwrite: replace results that exist; by default they are skipped
        animated: enlarge every frame or page of a file that has several
        alpha: what enlarges transparency
        tile: side of the tiles in LR pixels; default: the whole image, or tiles if it is large
        ensemble: average over the image's eight orientations: slightly better, eight times slower
        json: print a report in JSON
        engine: what runs the network. openvino computes on the CPU, and takes a while to start
        device: cpu, cuda or mps; default: an accelerator if there is one
    """
    if not inputs:
        raise UsageError("nothing to enlarge; expected image files, folders or patterns.")
    weights, model, scale = _model_for(weights, scale)
    ending = _ending(format)
    plan = batch.plan(inputs, out, ending, f"-x{scale:g}", overwrite)
    warnings.filterwarnings("ignore", module="PIL")  # of damaged metadata, which the notes name
    watcher, outcomes = report.Watcher(plan), []
    enlarger = Enlarger(_run_by(engine, model, device), scale, tile, ensemble, alpha)
    final = batch.upscale_all(plan, enlarger, watcher, quality, animated)
    with _ended_as_by_ctrl_c(signal.SIGTERM):
        try:
            for outcome in final:
                outcomes.append(outcome)
                watcher.clear()
                if not json and outcome.state != batch.FAILED and outcome.reason != batch.RESULT:
                    print(report.line(outcome), flush=True)
        except KeyboardInterrupt as error:
            done = sum(outcome.state == batch.DONE for outcome in outcomes)
            raise CommandError(
                f"stopped; {done} enlarged. The same command does the rest."
            ) from error
    if json:
        print(dumps(report.document(outcomes, scale, weights), indent=1))
    _conclude(outcomes, json)


@_command()
def compare(
    a: Positional[Path],
    b: Positional[Path],
    /,
    *,
    out: Annotated[OptionalPath, arg(aliases=["-o"])] = None,
    overwrite: Flag = False,
) -> None:
    """Show two images side by side: glanet compare photo-x2.png other.png -o page.html

    With a detail, the difference and the spectra, and PSNR and SSIM on Y if the sizes match. The
    colours of transparent pixels are compared, too. Of several frames, the first is compared.

    Args:
        a: image file
        b: image file
        out: .html for a page with a slider, or an image file; default: A-B.png, here
        overwrite: replace the file if it exists
    """
    from glanet.analysis import compare as comparing

    target = out or Path(f"{a.stem}-{b.stem}.png")
    as_page = target.suffix.lower() in (".html", ".htm")
    if not as_page:
        format_of(target)
    if target.exists() and not overwrite:
        raise CommandError(f"{target}: exists. Choose another --out, or add --overwrite.")
    _check_writable(target)
    names = tuple(batch.one_line(path.name) for path in (a, b))
    found = comparing.compare(read_rgb(a), read_rgb(b), names)
    if as_page:
        with _writing(target):
            write_text(target, comparing.page(found))
    else:
        write_image(target, asarray(comparing.figure(found)))
    print(found.facts(), batch.one_line(target), sep="\n")


def _ending(name):
    """The ending for results in the format called ``name``; None for that of each input."""
    ending = f".{name.lower().removeprefix('.')}"
    if ending == ".same":
        return None
    if ending not in WRITABLE:
        raise UsageError(f"--format is {name}; expected same, {', '.join(FORMAT_NAMES)}.")
    return ending


def _model_for(weights, scale):
    """(name of the weights, their model, scale of the results) of ``glanet upscale``."""
    if weights is None:
        scale = scale or 2
        made = [s for s in SCALES if f"tiny-x{s}" in shipped_names()]
        weights = f"tiny-x{next((s for s in made if s >= scale), made[-1])}"
        return weights, load(weights), scale
    model = load(weights)
    if scale is not None and scale > model.config.scale:
        raise CommandError(_wrong_scale(weights, model.config.scale, scale))
    return weights, model, scale or model.config.scale


def _run_by(engine, model, device):
    """The model on its device, as the engine runs it."""
    if engine == "torch":
        return inference.ready(model.to(choose_device(device)))
    if device not in (None, "cpu"):
        raise CommandError(
            f"--engine {engine} computes on the CPU; found --device {device}. "
            "Leave one of the two out."
        )
    return OnOpenVINO(model)


def _conclude(outcomes, quiet):
    """Sum up what became of several files, and exit with status 1 if any failed."""
    failed = [outcome.reason for outcome in outcomes if outcome.state == batch.FAILED]
    if len(outcomes) > 1 and not quiet and not failed:
        print(report.summary(outcomes))
    if failed:
        raise CommandError(failed[0] if len(outcomes) == 1 else report.summary(outcomes))


@contextmanager
def _ended_as_by_ctrl_c(*signals):
    """Within it, these signals are Ctrl-C: what is being written is removed."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@_command()
def evaluate(
    *,
    weights: str = "tiny-x2",
    scale: OptionalScale = None,
    sets: tuple[str, ...] = ("Set5", "Set14", "B100"),
    images: OptionalPath = None,
    published: Flag = False,
    ensemble: Flag = False,
    tile: OptionalTile = None,
    protocol: Literal["whole", "authors"] = "whole",
    degradation: str = BICUBIC,
    json_file: OptionalPath = None,
    device: OptionalName = None,
) -> None:
    """Measure PSNR and SSIM on Y by the papers' protocol: glanet evaluate --weights tiny-x2

    Args:
        weights: shipped name, folder, Hub id, released .pth file, or a checkpoint of a run
        scale: default: the scale of the weights; required with --images
        sets: sets of `glanet data list`
        images: folder of another method's results to score; of several sets, a folder in it each
        published: also show the published scores
        ensemble: average over each image's eight orientations: eight times slower
        tile: side of the tiles in LR pixels; default: whole images, or tiles if memory is short
        protocol: authors cuts images into quadrants, as the tests of RCAN and its successors did
        degradation: how LR images are made, as in `glanet train`, such as bicubic+jpeg70
        json_file: file for the scores of every image
        device: cpu, cuda or mps; default: an accelerator if there is one
    """
    if not sets:
        raise CommandError("--sets is empty; expected sets of `glanet data list`, such as Set5.")
    hr_images = {name: catalog.hr_images(name) for name in sets}
    if published and degradation != BICUBIC:
        raise CommandError(
            f"--published scores are of LR images by {BICUBIC}; found --degradation {degradation}. "
            "Leave one of the two out."
        )
    if images is not None:
        if scale is None:
            raise CommandError("--images needs --scale: the scale at which they were made.")
        if protocol != "whole":
            raise CommandError(
                f"--protocol {protocol} is for networks, and --images are finished. "
                "Leave one of the two out."
            )
        if degradation != BICUBIC:
            raise CommandError(
                f"--degradation {degradation} is for LR images that are made here, and --images "
                "are finished. Leave one of the two out."
            )
        label, runs = str(images), _score_folders(images, hr_images, scale)
    else:
        model = inference.ready(_load(weights, scale).to(choose_device(device)))
        scale = model.config.scale
        label = f"{weights}, self-ensemble" if ensemble else weights
        cut_at = _cut_at(weights, model.config.network, tile) if protocol == "authors" else None
        if cut_at is None:
            upscaler = partial(inference.upscale_within, model, tile=tile, ensemble=ensemble)
        else:
            upscaler = partial(_in_quadrants, model, cut_at, ensemble)
        degradations.find(degradation, scale)  # an error before the first image
        runs = [
            benchmark.evaluate(upscaler, name, hr_images[name], scale, cut_at, degradation)
            for name in sets
        ]
    if json_file is not None:
        _check_writable(json_file)
    total = sum(map(len, hr_images.values()))
    scores = list(
        tqdm(
            (s for run in runs for s in run),
            label,
            total,
            unit=" images",
            leave=False,
            disable=None,
        )
    )
    print(benchmark.table(scores, scale, label, with_published=published))
    if json_file is not None:
        document = benchmark.document(scores, scale, label)
        text = dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
        with _writing(json_file):
            write_text(json_file, text + "\n")


@_command()
def export(
    weights: Positional[str],
    /,
    *,
    format: Literal[*exports.FORMATS] = "onnx",
    dtype: Literal[*exports.TOLERANCE] = "float32",
    out: Annotated[Path | None, arg(metavar="FILE", aliases=["-o"], help_behavior_hint="")] = None,
) -> None:
    """Write weights as a file for other programs: glanet export tiny-x2 --format onnx

    The file takes images of any size. It is checked against the model, and a card beside it, with
    the ending .md, says what it takes.

    Args:
        weights: shipped name, folder, Hub id, released .pth file, or a checkpoint of a run
        format: onnx, or torch for torch.export.load
        dtype: what the file computes in
        out: file to write; default: the name of the weights, in the working directory
    """
    model, suffix = load(weights), exports.FORMATS[format]
    path = out or Path(Path(weights).stem + suffix)
    if path.suffix != suffix:
        raise CommandError(f"{path}: a file of this format ends in {suffix}.")
    _check_writable(path)
    found = exports.export(model, path, format, dtype, source=weights)
    print(f"{path}: differs from {weights} by {found:.1g} at most; see {path.with_suffix('.md')}")


@_command()
def train(
    *,
    network: Literal[*register.NETWORKS] = DEFAULT_NETWORK,
    preset: str = "tiny",
    scale: Literal[SCALES] = 2,
    out: OptionalPath = None,
    init: OptionalName = None,
    smoke: Flag = False,
    log_with: OptionalTracker = None,
    device: _optional(Literal["cpu"], "{cpu}") = None,
    recipe: OmitArgPrefixes[RecipeOptions],
) -> None:
    """Train a network: glanet train --preset tiny --scale 2

    The same command resumes a run that was stopped or killed. On several GPUs:
    accelerate launch -m glanet train ... The exit status is 0 if the run is finished, 3 if it was
    stopped by Ctrl-C, SIGTERM or SIGUSR1.

    Args:
        network: network to train; `glanet networks` describes them
        preset: preset of the network and of its recipe, such as tiny or paper
        scale: of the output to the input
        out: folder of the run; default: runs/PRESET-xSCALE, or runs/NETWORK-PRESET-xSCALE, which
            ends in -smoke with --smoke
        init: weights to start from, even at another scale: shipped name, folder, Hub id, or a
            checkpoint of a run
        smoke: train for a few steps on small patches, to check that everything works; the options
            of the recipe that are given count
        log_with: experiment tracker besides log.jsonl
        device: cpu leaves an accelerator unused
    """
    from accelerate import PartialState  # takes seconds to import

    from glanet import training
    from glanet.training.guards import STOP_SIGNALS, STOPPED_EXIT

    config = register.find(network).config.preset(preset, scale)
    plan = Recipe.preset(preset)
    plan = Recipe.from_dict({**(plan.smoke() if smoke else plan).to_dict(), **recipe})
    name = f"{preset}-x{scale}" + ("-smoke" if smoke else "")
    if network != DEFAULT_NETWORK:
        name = f"{network}-{name}"
    out = out or Path("runs", name)
    with _ended_as_by_ctrl_c(*STOP_SIGNALS):  # before the first step; then `training.train` saves
        try:
            weights = training.train(config, plan, out, init=init, log_with=log_with, device=device)
        except KeyboardInterrupt:
            print(f"{out}: stopped; the same command starts or resumes it", file=sys.stderr)
            weights = None
    if weights is None:
        sys.exit(STOPPED_EXIT)
    if PartialState().is_main_process:
        print(f"{weights}: glanet evaluate --weights {weights}")


def _score_folders(images, hr_images, scale):
    """The scores of another method's images, after a check of all pairs and sizes."""
    folders = {name: images / name if len(hr_images) > 1 else images for name in hr_images}
    return [
        benchmark.evaluate_folder(folders[name], name, hr_images[name], scale) for name in hr_images
    ]


def _cut_at(weights, network, tile):
    """LR pixels at which the authors of a network cut an image again."""
    entry = register.find(network)
    if entry.cut_at is None:
        raise CommandError(
            f"{weights}: the authors of {entry.title} measured whole images. "
            "Leave --protocol authors out."
        )
    if tile is not None:
        raise CommandError(
            "--tile and --protocol authors both cut the image. Leave one of the two out."
        )
    return entry.cut_at


def _in_quadrants(model, cut_at, ensemble, lr):
    return inference.upscale(model, lr, ensemble=ensemble, cut_at=cut_at), None


def _load(name, scale):
    model = load(name)
    if scale not in (None, model.config.scale):
        raise CommandError(_wrong_scale(name, model.config.scale, scale))
    return model


def _wrong_scale(name, made, wanted):
    return (
        f"{name}: trained for ×{made}, but --scale is {wanted:g}. "
        f"Leave --scale out, or choose weights for ×{wanted:g}; glanet doctor lists those shipped."
    )


def _check_writable(path):
    """Make the folder of a file that is to be written after hours of work, and try it."""
    if path.is_dir():
        raise CommandError(f"{path}: a folder; expected a file to write.")
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=path.parent).close()


@contextmanager
def _writing(path):
    try:
        yield
    except OSError as error:
        raise CommandError(
            f"{path}: cannot be written ({error.strerror or error}). Choose another file."
        ) from error


def main() -> None:
    """Run the command in ``sys.argv``; print a GlanetError in one line, other errors in full."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = "--debug" in sys.argv[1:]
    try:
        _run(arguments)
    except UsageError as error:
        if debug:
            raise
        print(f"glanet: {error}", file=sys.stderr)
        sys.exit(2)
    except GlanetError as error:
        if debug:
            raise
        sys.exit(f"glanet: {error}")
    except KeyboardInterrupt:
        if debug:
            raise
        sys.exit("glanet: stopped")
    except BrokenPipeError:  # whoever read the output has read enough
        if debug:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes at exit
        sys.exit(1)


def _run(arguments):
    try:
        if arguments == ["--version"]:
            print(f"glanet {version('glanet')}")
        else:
            _parsed(arguments)()
    finally:
        sys.stdout.flush()  # here, where a closed pipe is handled


def _parsed(arguments):
    """The command that the arguments ask for, as a function of none."""
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            return app.cli(
                prog="glanet",
                description=DESCRIPTION,
                args=arguments,
                config=(FlagCreatePairsOff, PositionalMetavarFromFieldName),
            )
    except SystemExit as error:
        if said.getvalue():
            raise UsageError(_in_one_line(said.getvalue(), arguments)) from error
        raise


def _in_one_line(box, arguments):
    """What tyro says of invalid arguments in a box, whose parts are separated by rules."""
    rows = [_COLOUR.sub("", row)[1:-1].strip() for row in box.splitlines()[1:-1]]
    parts = [" ".join(part) for text, part in groupby(rows, _is_text) if text]
    if found := re.fullmatch(
        r"invalid choice '(.*)' for argument '(.*)'\. .* \((.*)\)\.", parts[0]
    ):
        value, name, choices = found.groups()
        known = sorted({*re.findall(r"'(.*?)'", choices)} - {"None"})
        return f"{name} is {value}; expected {_either(known)}."
    if found := re.fullmatch(r"Error parsing (.*): .*: '(.*)'", parts[0]):
        name, value = found.groups()
        kind, _, meaning = parts[1].partition(f"{name} ")[2].partition(" ")
        return f"{name} is {value}; expected {kind}: {meaning}."
    if found := re.fullmatch(r"Unrecognized options: (.*)", parts[0]):
        return _unknown(found[1].split(", "), parts[1:], arguments)
    return " ".join(part.rstrip(".") + "." for part in parts)


def _is_text(row):
    return any(map(str.isalnum, row))


def _either(names):
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _unknown(tokens, parts, arguments):
    if tokens[0] == arguments[0]:
        known = parts[0].partition(": ")[2].split(", ")
        return f"there is no command {tokens[0]}; expected {_either(sorted(known))}."
    tokens = [token for token in tokens if token.startswith("-")] or tokens  # else their values
    similar = re.match("Perhaps you meant: (\\S+)", parts[0])
    hint = f" Did you mean {similar[1]}?" if similar else ""
    command = arguments[0]
    return f"{command} does not know {_either(tokens)}.{hint} `glanet {command} --help` lists all."


if __name__ == "__main__":
    main()
