"""Models with a home: shipped weights, folders, released files and the Hugging Face Hub."""

import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from huggingface_hub import (
    PyTorchModelHubMixin,
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
)
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from glanet import networks
from glanet.errors import GlanetError
from glanet.weights.plausible import ImplausibleError, check_numbers, expected_shapes

SHIPPED = Path(str(files("glanet.weights"))) / "shipped"
CONFIG, TENSORS = "config.json", "model.safetensors"
_SPARE = 64  # missing tensors up to which a file is still told which one is missing
HUB_TIMEOUT = 3  # seconds that the Hub has to answer
CARD = """---
{{ card_data }}
---

# {{ title }}

Super-resolution weights for the `glanet` package:

```python
from glanet.inference import upscale
from glanet.weights import load

model = load("this folder or repository")
sr = upscale(model, lr)  # uint8 (H, W, 3)
```
"""


class WeightsError(GlanetError, ValueError):
    """Weights that cannot be used; the message names the file, what was found and what mends it."""


def shipped_names() -> list[str]:
    """The weights that come with the package, for example ``tiny-x2``."""
    return sorted(folder.name for folder in SHIPPED.iterdir() if (folder / TENSORS).is_file())


def load(name_or_path: str | Path, **hub_options) -> nn.Module:
    """The model with these weights, in eval mode on the CPU, of whatever network they are.

    ``name_or_path`` is a shipped name (``tiny-x2``), a folder that ``save_pretrained`` wrote, a
    released checkpoint (``.pth``, ``.pt``), a checkpoint of a run (``.safetensors``), or the id of
    a repository on the Hub (``somebody/their-glanet``). ``hub_options`` (``revision``, ``token``,
    ``cache_dir``, ``local_files_only``) go to huggingface_hub. A name that looks like a path
    (``runs/mine`` beside a folder ``runs``, ``./mine``) is never asked of the Hub. Without a
    network, the Hub's cache is used.

    Raises:
        WeightsError: not found, or damaged, or weights of another network; or a revision of shipped
            weights, which have one.

    Example:
        >>> from glanet.weights import load
        >>> model = load("tiny-x2")
        >>> model.config.network, model.config.scale, model.training
        ('gla-net', 2, False)
    """
    name = str(name_or_path)
    if name in shipped_names():
        if revision := hub_options.get("revision"):
            raise WeightsError(
                f"{name}: shipped with glanet in one revision, and revision is {revision!r}. Leave "
                "it out, or give a repository on the Hub, owner/name."
            )
        return _read_folder(SHIPPED / name)
    if Path(name).suffix in (".pth", ".pt"):
        from glanet.weights.released import load_released  # which needs this module

        return load_released(name)
    if Path(name).suffix == ".safetensors" and Path(name).name != TENSORS:
        from glanet.weights.trained import load_checkpoint  # as above

        return load_checkpoint(name)
    if Path(name).is_dir():
        return _read_folder(Path(name))
    if Path(name).exists():
        raise WeightsError(
            f"{name}: a file, where a folder with {CONFIG} and {TENSORS} is expected. A released "
            "checkpoint ends in .pth or .pt, a checkpoint of a run in .safetensors."
        )
    return _read_folder(_download(name, hub_options))


def _download(name, hub_options):
    """The folder of that repository's files in the Hub's cache."""
    if "/" not in name:
        raise WeightsError(
            f"{name}: not a local folder, and not shipped with glanet, which has "
            f"{', '.join(shipped_names())}. Check the name; on the Hub, names are owner/name."
        )
    if _is_path(name):
        raise WeightsError(f"{name}: not a local folder. {_weights_near(Path(name))}")
    silent = not hub_options.get("local_files_only") and _hub_is_silent(name, hub_options)
    options = {**hub_options, "local_files_only": True} if silent else hub_options
    try:
        downloaded = [hf_hub_download(name, file, **options) for file in (CONFIG, TENSORS)]
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        found = "no answer from" if silent else "not found on"
        raise WeightsError(
            f"{name}: not a local folder, and {found} the Hub ({type(error).__name__}). "
            "Check the name and the network connection."
        ) from error
    return Path(downloaded[0]).parent


def _is_path(name):
    """Whether a name can only be meant as a path: on the Hub, names are owner/name."""
    return name[0] in ".~/" or name.count("/") != 1 or Path(name).parent.is_dir()


def _weights_near(path):
    """A sentence on the weights in the nearest folder above ``path`` that exists."""
    folder = next(parent for parent in path.parents if parent.is_dir())
    configs = sorted([*folder.glob(f"*/{CONFIG}"), *folder.glob(f"*/weights/{CONFIG}")])
    found = [str(config.parent) for config in configs if config.with_name(TENSORS).is_file()]
    if not found:
        return f"{folder.absolute()} holds no weights: check the path."
    more = f" and {len(found) - 8} more" if len(found) > 8 else ""
    return f"There are weights in {', '.join(found[:8])}{more}."


def _hub_is_silent(name, hub_options):
    """Whether the Hub gives no answer. hf_hub_download would retry for 25 seconds."""
    where = {key: hub_options.get(key) for key in ("revision", "endpoint")}
    try:
        url = hf_hub_url(name, CONFIG, **where)
        get_hf_file_metadata(url, token=hub_options.get("token"), timeout=HUB_TIMEOUT)
    except (HFValidationError, HfHubHTTPError):
        return False  # hf_hub_download raises the same
    except Exception:  # the errors of an HTTP library, which is another one in every version
        return True
    return False


def empty_model(config):
    """The untrained model of a config, with ``save_pretrained`` and the like."""
    return with_hub(networks.find(config.network).model)(config)


@cache
def with_hub(model_class):
    """The class with ``from_pretrained``, ``save_pretrained`` and ``push_to_hub``.

    Weights are kept as ``model.safetensors`` beside ``config.json``, which names the network.
    """

    class Pretrained(
        model_class,
        PyTorchModelHubMixin,
        model_card_template=CARD,
        library_name="glanet",
        pipeline_tag="image-to-image",
        tags=["super-resolution", "image-super-resolution"],
    ):
        __doc__ = model_class.__doc__

        def __init__(self, config):
            super().__init__(config)
            self._hub_mixin_config = networks.to_dict(config)

        @classmethod
        def from_pretrained(cls, name_or_path, **hub_options):
            """The model with these weights; arguments and errors as of `load`.

            Example:
                >>> from glanet import GLANet
                >>> model = GLANet.from_pretrained("light-x4")
                >>> model.config.channels, model.config.scale
                (60, 4)
            """
            model = load(name_or_path, **hub_options)
            if not isinstance(model, model_class):
                raise WeightsError(
                    f"{name_or_path}: weights of {networks.find(model.config.network).title}, "
                    f"where {model_class.__name__} is expected. Use glanet.weights.load."
                )
            return model

        def save_pretrained(
            self, save_directory, *, repo_id=None, model_card_kwargs=None, **hub_options
        ):
            """Write ``model.safetensors``, ``config.json`` and, if there is none, a model card.

            A failed save leaves what the folder held. Options and return value are the mixin's.
            """
            folder = Path(save_directory)
            folder.mkdir(parents=True, exist_ok=True)
            title = networks.find(self.config.network).title
            with TemporaryDirectory(prefix=".saving-", dir=folder) as staging:
                url = super().save_pretrained(
                    staging,
                    repo_id=repo_id or folder.name,
                    model_card_kwargs={"title": title, **(model_card_kwargs or {})},
                    **hub_options,
                )
                readable = (Path(staging) / CONFIG).stat().st_mode
                (Path(staging) / TENSORS).chmod(readable)  # safetensors lets its owner alone read
                for file in Path(staging).iterdir():
                    if file.name != "README.md" or not (folder / file.name).exists():
                        file.replace(folder / file.name)
            return url

    Pretrained.__name__ = Pretrained.__qualname__ = model_class.__name__
    return Pretrained


def _read_folder(folder):
    try:
        values = json.loads((folder / CONFIG).read_text())
        shapes = _shapes_in(folder / TENSORS)
        check_numbers(values, shapes)
        config = networks.from_dict(values)
        check_shapes(config, shapes, folder / TENSORS)
        tensors = load_file(folder / TENSORS)
    except WeightsError:
        raise
    except FileNotFoundError as error:
        raise WeightsError(
            f"{error.filename or folder / TENSORS}: no such file. A folder of weights holds "
            f"{CONFIG} and {TENSORS}, as save_pretrained writes them. "
            + _weights_near(folder / CONFIG)
        ) from error
    except OSError as error:
        path = error.filename or folder / TENSORS
        raise WeightsError(
            f"{path}: cannot be read ({error.strerror or error}). A folder of weights holds the "
            f"files {CONFIG} and {TENSORS}."
        ) from error
    except (
        ImplausibleError,
        RecursionError,
        json.JSONDecodeError,
        UnicodeDecodeError,
        OverflowError,
        TypeError,
        ValueError,
    ) as error:
        raise WeightsError(
            f"{folder / CONFIG}: not a configuration of glanet: {error}. Fetch or save it again."
        ) from error
    except SafetensorError as error:
        raise WeightsError(
            f"{folder / TENSORS}: damaged, or not safetensors ({error}). Fetch or save it again."
        ) from error
    return load_tensors(empty_model(config), tensors, folder / TENSORS)


def _shapes_in(path):
    """The shape of each tensor of a safetensors file, from its header."""
    if path.is_dir():
        raise IsADirectoryError(0, "a folder, where a file is expected", str(path))
    with safe_open(path, "pt") as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118


def check_shapes(config, shapes, source):
    """Check that the tensors of these shapes (name -> shape) are those of the model of ``config``.

    Raises:
        WeightsError: a tensor is missing, unexpected or of another shape; names ``source``.
        ImplausibleError: the model is far larger than what the tensors can be.
    """
    expected = expected_shapes(config, 2 * len(shapes) + _SPARE)
    title = networks.find(config.network).title
    for name in sorted(expected.keys() | shapes.keys()):
        found, wanted = shapes.get(name, "absent"), expected.get(name, "absent")
        if found != wanted:
            raise WeightsError(
                f"{source}: not the weights of this {title}: {name} is {found}, expected {wanted}. "
                "Use the weights and the configuration that belong together."
            )


def load_tensors(model, tensors, source):
    """Put ``tensors`` (name -> tensor) into ``model``, all of them and no others; eval mode.

    Raises:
        WeightsError: as `check_shapes`.
    """
    check_shapes(model.config, {name: tuple(t.shape) for name, t in tensors.items()}, source)
    model.load_state_dict(tensors)
    return model.eval()
