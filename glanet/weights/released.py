"""Checkpoints as their authors publish them, of any network of the register."""

import pickle
import zipfile
from pathlib import Path

import torch

from glanet.errors import ArgumentError
from glanet.networks import NETWORKS, to_dict
from glanet.weights.plausible import ImplausibleError, check_numbers
from glanet.weights.pretrained import WeightsError, check_shapes, empty_model, load_tensors

_FETCH = "Fetch the file that the authors publish."


def load_released(path):
    """The model in a published checkpoint (``.pth``, ``.pt``), in eval mode on the CPU.

    Reads the layout of every network of the register, bare or under ``params_ema`` or ``params``;
    network, size and scale are read off the tensors. Images go in and come out in [0, 1], whatever
    range the release expects. Only tensors are unpickled: a file that asks for anything else is
    rejected, and nothing in it is run.

    Raises:
        WeightsError: no such file, damaged, holding code, or a checkpoint of another network.

    Example:
        >>> import torch
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from glanet import networks
        >>> from glanet.rivals.rcan import RCANConfig
        >>> from glanet.weights import load_released
        >>> rcan = networks.build(RCANConfig.preset("tiny", scale=3))
        >>> with TemporaryDirectory() as folder:
        ...     released = Path(folder) / "RCAN.pt"
        ...     torch.save(rcan.state_dict(), released)  # its published names are ours
        ...     load_released(released).config == rcan.config
        True
    """
    path = Path(path)
    config, tensors = _recognise(_read_tensors(path), path)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    try:
        check_numbers(to_dict(config), shapes)
        check_shapes(config, shapes, path)
    except ImplausibleError as error:
        raise WeightsError(f"{path}: not the weights of a network: {error}. {_FETCH}") from error
    return load_tensors(empty_model(config), tensors, path)


def _recognise(tensors, path):
    """The config and the tensors by our names."""
    problem = "no network here has such tensors"
    for network in NETWORKS.values():
        try:
            if found := network.read_released(tensors):
                return found
        except (KeyError, IndexError, ArgumentError, ValueError, ZeroDivisionError) as error:
            problem = f"as {network.title}'s: {type(error).__name__}: {error}"
    known = ", ".join(network.title for network in NETWORKS.values())
    raise WeightsError(
        f"{path}: a checkpoint, but of none of {known} ({problem}). "
        "Fetch the file that its authors publish for classical super-resolution."
    )


def _read_tensors(path):
    """Tensors by their released name."""
    if not path.is_file():
        raise WeightsError(f"{path}: no such file. Check the path to the checkpoint.")
    _check_container(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path}: not a checkpoint of tensors alone: it is not a PyTorch file, or it holds "
            "Python objects, which could run code; nothing in it was run. "
            "Fetch a checkpoint that holds a state dict."
        ) from error
    except Exception as error:  # damaged bytes can raise nearly anything in the unpickler
        raise WeightsError(
            f"{path}: damaged or cut short ({path.stat().st_size} bytes; "
            f"{type(error).__name__} while reading). Fetch it again."
        ) from error
    for wrapper in ("params_ema", "params"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict) or not content or not _all_tensors(content):
        raise WeightsError(
            f"{path}: holds a {type(content).__name__}, but no state dict (names to tensors), bare "
            f"or under 'params' or 'params_ema'. {_FETCH}"
        )
    _check_storage(content, path)
    return content


def _check_container(path):
    """Raise WeightsError where a file would grow when it is read: no checkpoint is compressed."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as container:
            grown = sum(entry.file_size for entry in container.infolist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return  # torch.load says what is wrong
    if grown > 2 * path.stat().st_size:
        raise WeightsError(
            f"{path}: {path.stat().st_size:,} bytes that unpack to {grown:,}: not a checkpoint. "
            + _FETCH
        )


def _check_storage(tensors, path):
    """Raise WeightsError unless the file holds every value of every tensor."""
    size = path.stat().st_size
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
            raise WeightsError(f"{path}: {name} is no plain tensor. {_FETCH}")
        claimed = tensor.numel() * tensor.element_size()
        held = min(tensor.untyped_storage().nbytes(), size)
        if claimed > held:
            raise WeightsError(
                f"{path}: {name} claims {claimed:,} bytes, where the file holds {held:,}. {_FETCH}"
            )
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if claimed > 2 * size:  # the same values may serve two tensors, not hundreds
        raise WeightsError(
            f"{path}: its tensors claim {claimed:,} bytes, and it has {size:,}. {_FETCH}"
        )


def _all_tensors(content):
    return all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in content.items())
