"""All weights at hand: shipped with the package, trained here, released by others."""

import filecmp
from dataclasses import dataclass
from pathlib import Path

from glanet.config import ModelConfig
from glanet.weights import WeightsError, load, shipped_names
from glanet.weights.pretrained import CONFIG, SHIPPED, TENSORS

SWINIR = {"inception": False, "dense": False, "bilinear_base": False}
# the files of the authors and of SwinIR, under the names that they are published under, and the
# network that each of them holds
RELEASED = {
    name.format(scale): ModelConfig.preset("paper", scale, **switches)
    for name, switches in (
        ("GLA-Netx{}.pth", {}),
        ("001_classicalSR_DIV2K_s48w8_SwinIR-M_x{}.pth", SWINIR),
        ("001_classicalSR_DF2K_s64w8_SwinIR-M_x{}.pth", SWINIR),
    )
    for scale in (2, 3, 4)
}


@dataclass(frozen=True)
class Found:
    """Weights, or what was meant to be some.

    ``source`` is what `glanet.weights.load` takes, ``name`` what a table calls them, and ``kind``
    is shipped, trained or released. ``config`` is that of the network they belong to, or None where
    they cannot be used; ``problem`` then says what was found and what mends it.
    """

    kind: str
    name: str
    source: str
    config: ModelConfig | None
    problem: str = ""


def find_weights(*, runs, released) -> list[Found]:
    """Shipped weights, then ``runs/*/weights``, then the ``.pth`` files in the folder ``released``.

    Each is loaded once to see that it can be. Neither folder need exist. Runs whose weights have
    been shipped since are left out.
    """
    found = [_look("shipped", name, name) for name in shipped_names()]
    found += [
        _look("trained", f"{Path(runs).name}/{folder.parent.name}", folder)
        for folder in sorted(Path(runs).glob("*/weights"))
        if not _shipped_since(folder)
    ]
    found += [
        _look("released", file.name, file)
        for file in sorted(Path(released).glob("[!.]*"))
        if file.suffix in (".pth", ".pt")
    ]
    return found


def broken_promise(file_name, config) -> str:
    """How a network differs from the one that is published under ``file_name``; "" if it does not.

    A name that nobody publishes promises nothing.
    """
    promised = RELEASED.get(file_name, config).to_dict()
    differences = [
        f"{field} is {value}, expected {promised[field]}"
        for field, value in config.to_dict().items()
        if value != promised[field]
    ]
    return ", ".join(differences)


def _look(kind, name, source):
    try:
        config = load(source).config
    except WeightsError as error:
        return Found(kind, name, str(source), None, str(error))
    if broken := broken_promise(name, config):
        problem = (
            f"{source}: not the network that its name promises: {broken}. Fetch that file again, "
            "or give this one another name."
        )
        return Found(kind, name, str(source), None, problem)
    return Found(kind, name, str(source), config)


def _shipped_since(folder):
    return any(
        all(_same(folder / file, SHIPPED / name / file) for file in (CONFIG, TENSORS))
        for name in shipped_names()
    )


def _same(file, other):
    return file.is_file() and filecmp.cmp(file, other, shallow=False)
