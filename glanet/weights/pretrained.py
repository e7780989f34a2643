"""The network with a home: shipped weights, folders and the Hugging Face hub."""

import json
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from huggingface_hub import PyTorchModelHubMixin, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError
from safetensors.torch import load_file

from glanet.config import ModelConfig
from glanet.model import network

SHIPPED = Path(str(files("glanet.weights"))) / "shipped"
CONFIG, TENSORS = "config.json", "model.safetensors"
CARD = """---
{{ card_data }}
---

# GLA-Net

Super-resolution weights for the `glanet` package:

```python
from glanet import GLANet
from glanet.inference import upscale

network = GLANet.from_pretrained("this folder or repository")
larger = upscale(network, photo)  # uint8 (H, W, 3)
```
"""


class WeightsError(ValueError):
    """Weights that cannot be used; the message names the file, what was found and what mends it."""


def shipped_names() -> list[str]:
    """The weights that come with the package, for example ``tiny-x2``."""
    return sorted(folder.name for folder in SHIPPED.iterdir() if (folder / TENSORS).is_file())


class GLANet(
    network.GLANet,
    PyTorchModelHubMixin,
    model_card_template=CARD,
    library_name="glanet",
    pipeline_tag="image-to-image",
    tags=["super-resolution", "image-super-resolution"],
):
    """GLA-Net (:class:`glanet.model.GLANet`) with ``from_pretrained``, ``save_pretrained`` and
    ``push_to_hub``. Weights are kept as ``model.safetensors`` beside ``config.json``.
    """

    def __init__(self, config: ModelConfig):  # the annotation tells the mixin how to read the JSON
        super().__init__(config)

    @classmethod
    def from_pretrained(cls, name_or_path, **hub_options) -> "GLANet":
        """The network with these weights, in eval mode on the CPU.

        ``name_or_path`` is a shipped name (``tiny-x2``), a folder that ``save_pretrained`` wrote,
        or the id of a repository on the hub (``somebody/their-glanet``). ``hub_options``
        (``revision``, ``token``, ``cache_dir``, ``local_files_only``) go to huggingface_hub.

        Raises:
            WeightsError: not to be found, or damaged, or weights of another network.
        """
        name = str(name_or_path)
        if name in shipped_names():
            return _read_folder(SHIPPED / name, cls)
        if Path(name).is_dir():
            return _read_folder(Path(name), cls)
        if Path(name).exists():
            raise WeightsError(
                f"{name}: a file, where a folder with {CONFIG} and {TENSORS} is expected. "
                "For a released .pth checkpoint use glanet.weights.load_released."
            )
        if "/" not in name:
            raise WeightsError(
                f"{name}: no folder here, and not shipped with glanet, which has "
                f"{', '.join(shipped_names())}. Check the name; on the hub, names are owner/name."
            )
        try:
            downloaded = [hf_hub_download(name, file, **hub_options) for file in (CONFIG, TENSORS)]
        except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
            raise WeightsError(
                f"{name}: no folder here, nor to be had from the hub ({type(error).__name__}). "
                "Check the name, or the network connection."
            ) from error
        return _read_folder(Path(downloaded[0]).parent, cls)

    def save_pretrained(self, save_directory, *, repo_id=None, **hub_options):
        """Write ``model.safetensors``, ``config.json`` and, if there is none, a model card.

        A failed save leaves what the folder held. Options and return value are the mixin's.
        """
        folder = Path(save_directory)
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".saving-", dir=folder) as staging:
            url = super().save_pretrained(staging, repo_id=repo_id or folder.name, **hub_options)
            readable = (Path(staging) / CONFIG).stat().st_mode
            (Path(staging) / TENSORS).chmod(readable)  # safetensors lets its owner alone read it
            for file in Path(staging).iterdir():
                if file.name != "README.md" or not (folder / file.name).exists():
                    file.replace(folder / file.name)
        return url


def _read_folder(folder, cls):
    try:
        config = ModelConfig.from_dict(json.loads((folder / CONFIG).read_text()))
        tensors = load_file(folder / TENSORS)
    except FileNotFoundError as error:
        raise WeightsError(
            f"{error.filename or folder / TENSORS}: no such file. A folder of weights holds "
            f"{CONFIG} and {TENSORS}, as save_pretrained writes them."
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{folder / CONFIG}: not a configuration of glanet: {error}. Fetch or save it again."
        ) from error
    except SafetensorError as error:
        raise WeightsError(
            f"{folder / TENSORS}: damaged or no safetensors file ({error}). Fetch or save it again."
        ) from error
    return load_tensors(cls(config), tensors, folder / TENSORS)


def load_tensors(model, tensors, source):
    """Put ``tensors`` (name -> tensor) into ``model``, all of them and no others; eval mode.

    Raises:
        WeightsError: a tensor is missing, unexpected or of another shape; names ``source``.
    """
    expected = model.state_dict()
    for name in sorted(expected.keys() | tensors.keys()):
        found, wanted = (_shape(state, name) for state in (tensors, expected))
        if found != wanted:
            raise WeightsError(
                f"{source}: not the weights of this GLA-Net: {name} is {found}, expected {wanted}. "
                "Use the weights and the configuration that belong together."
            )
    model.load_state_dict(tensors)
    return model.eval()


def _shape(state, name):
    return tuple(state[name].shape) if name in state else "absent"
