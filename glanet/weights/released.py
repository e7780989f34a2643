"""Checkpoints as their authors publish them, of any network of the register."""

import pickle
from pathlib import Path

import torch

from glanet.errors import ArgumentError
from glanet.networks import NETWORKS
from glanet.weights.pretrained import WeightsError, empty_model, load_tensors


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
            "or under 'params' or 'params_ema'. Fetch the file that the authors publish."
        )
    return content


def _all_tensors(content):
    return all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in content.items())
