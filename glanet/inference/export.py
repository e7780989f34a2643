"""A model as one file for other programs: ONNX, or PyTorch's own format.

The file takes images of any size. What the model does with an image's size, padding it to whole
windows and cropping the result, is in the graph, which is traced for symbolic heights and widths.
"""

import copy
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.export import Dim

from glanet import networks
from glanet.errors import GlanetError
from glanet.files import atomic_path, write_text
from glanet.model.attention import WindowAttention, attend

FORMATS = {"onnx": ".onnx", "torch": ".pt2"}
# by how much the file may differ from the model in float32, of values in [0, 1]
TOLERANCE = {"float32": 1e-4, "float16": 1e-2}
LARGEST = 16_384  # LR pixels of a side that the graph is traced for
INPUT, OUTPUT = "lr", "sr"


class ExportError(GlanetError, RuntimeError):
    """A model that cannot be exported, or a file that does not compute what the model does."""


class AnySize(nn.Module):
    """A model without a condition on the image's size, in one precision.

    Images (1, 3, H, W), float32 in [0, 1] -> (1, 3, scale·H, scale·W), float32.
    """

    def __init__(self, model, dtype):
        super().__init__()
        self.model, self.dtype = copy.deepcopy(model).to(dtype), dtype
        for part in self.model.modules():
            if isinstance(part, WindowAttention):
                part.attend = attend  # the fused one asks how many windows there are

    def forward(self, lr):
        height, width = (side * self.model.config.scale for side in lr.shape[-2:])
        rows, columns = (_mirrored(side, self.model.multiple) for side in lr.shape[-2:])
        sr = self.model(lr.to(self.dtype)[:, :, rows][:, :, :, columns])
        return sr[..., :height, :width].float()


def _mirrored(size, multiple):
    """The places from which `reflect_to_multiple` takes the rows of an image of ``size`` rows."""
    period = torch.full((1,), 2 * (size - 1), dtype=torch.int64).clamp(min=1)
    index = torch.arange((size + multiple - 1) // multiple * multiple).remainder(period)
    return torch.minimum(index, (period - index).clamp(min=0))


def export(model: nn.Module, path: str | Path, format="onnx", dtype="float32", source="") -> float:
    """Write ``model`` to ``path``, check the file against it, and write a card beside it.

    The file's input is ``lr``, (1, 3, H, W), float32 in [0, 1], for any H and W; its output ``sr``.

    Args:
        format: of `FORMATS`.
        dtype: what the file computes in, float32 or float16.
        source: the name of the weights, for the card.

    Returns:
        The largest difference from the model at three sizes, of values in [0, 1].

    Raises:
        ExportError: the extra ``export`` is not installed; the network does something that the
            format has not; or the file differs by more than `TOLERANCE`. Then no file is left.
    """
    path = Path(path)
    model = model.eval().cpu()
    with atomic_path(path) as part, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about its own parts
        run = _write(traced(model, dtype), part, format)
        found = max(_difference(run, model, size) for size in sizes_to_check(model))
        if not found <= TOLERANCE[dtype]:
            raise ExportError(
                f"{path}: differs from the model by {found:.1g}, expected {TOLERANCE[dtype]:.0e} "
                "at most. Export it as float32."
            )
    write_text(path.with_suffix(".md"), card(model, path.name, dtype, source, found))
    return found


def sizes_to_check(model) -> list[tuple[int, int]]:
    """Whole windows, a size that is none, and a single pixel."""
    whole = 3 * model.multiple
    return [(max(whole, 16), max(whole, 16)), (max(whole, 16) - 3, max(whole, 16) + 5), (1, 1)]


def traced(model: nn.Module, dtype: str) -> torch.export.ExportedProgram:
    """The graph of a model, for images of any size, as of `AnySize`.

    Raises:
        ExportError: what it does depends on the image's size in a way that no graph can say.
    """
    example = torch.rand(1, 3, *sizes_to_check(model)[1])
    sides = {2: Dim("height", min=1, max=LARGEST), 3: Dim("width", min=1, max=LARGEST)}
    try:
        with torch.no_grad():
            program = torch.export.export(
                AnySize(model, getattr(torch, dtype)).eval(),
                (example,),
                dynamic_shapes=(sides,),
                strict=False,
                prefer_deferred_runtime_asserts_over_guards=True,
            )
    except Exception as error:  # of the tracer's many kinds
        raise _cannot(model, error) from error
    return _without_assertions(program)


def _without_assertions(program):
    """The graph without what the tracer believes of sizes, such as that some cropping is done.

    It believes too much: no padding is a case as well. `export` checks the file at three sizes.
    """
    graph = program.graph_module.graph
    for node in graph.nodes:
        if node.target is torch.ops.aten._assert_scalar.default:
            graph.erase_node(node)
    graph.eliminate_dead_code()
    program.graph_module.recompile()
    return program


def _cannot(model, error):
    title = networks.find(model.config.network).title
    why = str(error).strip().partition("\n")[0]
    return ExportError(
        f"{title} cannot be exported for images of any size: {type(error).__name__}: {why}. "
        "PyTorch can run it: `glanet upscale`, or glanet.inference.upscale."
    )


def _write(program, path, format) -> Callable:
    """Write the graph; returns what runs the file: (1, 3, H, W) -> the same, upscaled."""
    if format == "torch":
        torch.export.save(program, path)
        return torch.export.load(path).module()
    try:
        import onnxruntime
        from onnxscript.ir.passes.common import ClearMetadataAndDocStringPass
    except ImportError as error:
        raise ExportError(f"{error.name} is not installed: pip install glanet[export]") from error
    try:
        written = torch.onnx.export(
            program, dynamo=True, verbose=False, input_names=[INPUT], output_names=[OUTPUT]
        )
        ClearMetadataAndDocStringPass()(written.model)  # which names files of this machine
        written.save(path)
    except torch.onnx.OnnxExporterError as error:
        raise ExportError(f"ONNX has no such operation: {error}") from error
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda lr: torch.from_numpy(session.run([OUTPUT], {INPUT: lr.numpy()})[0])


def _difference(run, model, size):
    lr = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return float((run(lr) - model(lr)).abs().max())


def card(model, file_name, dtype, source, difference) -> str:
    """What the file is and takes, as Markdown."""
    entry, config = networks.find(model.config.network), model.config
    sizes = ", ".join(f"{height}×{width}" for height, width in sizes_to_check(model))
    example = (
        f"""session = onnxruntime.InferenceSession("{file_name}")
(sr,) = session.run(["{OUTPUT}"], {{"{INPUT}": lr}})"""
        if file_name.endswith(FORMATS["onnx"])
        else f"""sr = torch.export.load("{file_name}").module()(lr)"""
    )
    return f"""# {file_name}

{entry.title} ({entry.paper} {entry.year}), {networks.count_parameters(config):,} parameters.

| | |
|---|---|
| weights | {source or "not named"} |
| input | `{INPUT}`: float32 (1, 3, H, W), RGB in [0, 1], for any H and W up to {LARGEST:,} |
| output | `{OUTPUT}`: float32 (1, 3, {config.scale}·H, {config.scale}·W), to be clipped to [0, 1] |
| computes in | {dtype} |
| checked | at {sizes} pixels: differs from the model by {difference:.1g} at most |

```python
{example}
```

A large image needs memory in proportion to its pixels. Cut it into tiles that overlap, or use
`glanet upscale`, which does.
"""
