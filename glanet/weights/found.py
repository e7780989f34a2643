"""All available weights: shipped with the package, trained here, released by others."""

import filecmp
import re
from dataclasses import dataclass
from pathlib import Path

from glanet.config import SCALES, ModelShape
from glanet.networks import NETWORKS, to_dict
from glanet.weights import WeightsError, load, shipped_names
from glanet.weights.pretrained import CONFIG, SHIPPED, TENSORS

RUN_WEIGHTS = "weights"  # the folder of the weights in the folder of a run
CARD = "README.md"

# the files under the names that their authors publish them under, and what each of them holds
RELEASED = {
    name.format(scale=scale): network.config.preset("paper", scale)
    for network in NETWORKS.values()
    for name in network.files
    for scale in SCALES
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
    config: ModelShape | None
    problem: str = ""


def find_weights(*, runs, released) -> list[Found]:
    """Shipped weights, then ``runs/*/weights``, then the ``.pth`` files in the folder ``released``.

    Each is loaded once to see that it can be. Neither folder need exist. Runs whose weights have
    been shipped since are left out.
    """
    found = [_look("shipped", name, name) for name in shipped_names()]
    found += [
        _look("trained", f"{Path(runs).name}/{folder.parent.name}", folder)
        for folder in sorted(Path(runs).glob(f"*/{RUN_WEIGHTS}"))
        if not _shipped_since(folder)
    ]
    found += [
        _look("released", file.name, file)
        for file in sorted(Path(released).glob("[!.]*"))
        if file.suffix in (".pth", ".pt")
    ]
    return found


def card(found) -> dict[str, str]:
    """What the model card of shipped or trained weights says, for example "trained on".

    The rows of its table and the fields of its recipe, by name; empty without a card.
    """
    file = (SHIPPED / found.name if found.kind == "shipped" else Path(found.source)) / CARD
    if not file.is_file():
        return {}
    text = file.read_text(encoding="utf-8")
    return dict(re.findall(r"^(?:\| |- )([\w ]+?)(?: \||:) (.+?)(?: \|)?$", text, re.MULTILINE))


def broken_promise(file_name, config) -> str:
    """How a network differs from the one that is published under ``file_name``; "" if it does not.

    A name that nobody publishes promises nothing.
    """
    promised = to_dict(RELEASED.get(file_name, config))
    differences = [
        f"{field} is {value}, expected {promised.get(field)}"
        for field, value in to_dict(config).items()
        if value != promised.get(field)
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
