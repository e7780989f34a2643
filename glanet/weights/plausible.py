"""Whether a config can belong to the tensors of a file, found out before memory is taken for it."""

import torch
from torch.nn.modules.module import register_module_parameter_registration_hook

from glanet import networks
from glanet.config import ModelShape

_SMALL = 1024  # a number of a config up to this is harmless, whatever it counts


class ImplausibleError(Exception):
    """A config that asks for more than the tensors that come with it; the message says what."""


def check_numbers(values, shapes: dict[str, tuple[int, ...]]) -> None:
    """Check that no number in a config exceeds what tensors of these shapes can have.

    ``values`` are the plain values of a config, unchecked. Before this check, making the config
    itself could take all memory.

    Raises:
        ImplausibleError: one does.
    """
    most = max([_SMALL, len(shapes), *(size for shape in shapes.values() for size in shape)])
    for name, value in values.items() if isinstance(values, dict) else ():
        parts = value if isinstance(value, list | tuple) else [value]
        largest = max([len(parts), *(part for part in parts if isinstance(part, int))])
        if largest > most:
            raise ImplausibleError(f"{name} is {largest}, more than its tensors can have ({most})")


def expected_shapes(config: ModelShape, tensors: int) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor of the model of a config, which is built without memory.

    Raises:
        ImplausibleError: it has more parameters than there are ``tensors``, or sizes beyond any.
    """
    seen = 0

    def count(module, name, parameter):
        nonlocal seen
        seen += 1
        if seen > tensors:
            raise ImplausibleError(f"a network of more than the file's {tensors} tensors")

    hook = register_module_parameter_registration_hook(count)
    try:
        with torch.device("meta"):
            model = networks.build(config)
    except (RuntimeError, OverflowError, TypeError, ValueError, MemoryError) as error:
        reason = str(error).splitlines()[0]
        raise ImplausibleError(f"a network that cannot be built ({reason})") from error
    finally:
        hook.remove()
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
