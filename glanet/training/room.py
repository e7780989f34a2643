"""The room that a run needs, in memory and on disk, and the room that there is."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from glanet.data import catalog
from glanet.data.images import image_size
from glanet.device import free_memory, gpu_count
from glanet.networks import count_parameters
from glanet.training import images
from glanet.training.checkpoint import KEPT


@dataclass(frozen=True)
class Need:
    """Room that a run needs, and what there is, in bytes. ``remedy``: what helps where it lacks."""

    what: str
    needed: int
    free: int
    remedy: str

    @property
    def lacking(self):
        return self.needed > self.free

    def __str__(self):
        line = f"{self.what}: {self.needed / 1e9:.2f} GB needed, {self.free / 1e9:.2f} free"
        return f"! {line}\n  → {self.remedy}" if self.lacking else f"✓ {line}"


def requirements(network, recipe, folder, *, device=None, processes=None) -> list[Need]:
    """What a run needs of this machine: `needs`, with everything looked up.

    network, recipe, folder, device, processes: as `launch.launch` takes them.

    Raises:
        TrainError, DataError, ImageError: the images are not here, and cannot be downloaded.
    """
    gpus = gpu_count(device)
    parameters = count_parameters(network)
    archive, sizes = 0, []
    for name in recipe.data:
        if name in CAN_BE_BROUGHT and catalog.status(name).state == catalog.ABSENT:
            dataset = catalog.CATALOG[name]
            archive += dataset.archives[catalog.HR].size
            sizes += dataset.count * [CAN_BE_BROUGHT[name]]
        else:
            sizes += [image_size(path) for path in images.find([name])]
    places = _existing(catalog.data_root()), _existing(folder)
    return needs(
        archive=archive,
        decoded=decoded_bytes(sizes, network.scale),
        parameters=parameters,
        stores=1 if gpus else processes or 1,
        data_disk=shutil.disk_usage(places[0]).free,
        run_disk=shutil.disk_usage(places[1]).free,
        one_disk=places[0].stat().st_dev == places[1].stat().st_dev,
        memory=free_memory("cuda" if gpus else "cpu"),
    )


# sets that `catalog.get` downloads to train on, and the height and width that none of their images
# exceeds: all that is known of them before they are here
CAN_BE_BROUGHT = {"DIV2K": (2040, 2040)}


def needs(*, archive, decoded, parameters, stores, data_disk, run_disk, one_disk, memory):
    """What a run needs, as a list of `Need`; all arguments but two are bytes.

    archive: what is to be downloaded. decoded: what the images take as pixels, `decoded_bytes`.
    parameters: of the network. stores: how many processes hold the pixels in the same ``memory``.
    data_disk, run_disk: free where the data and where the run lies, on ``one_disk`` or on two.
    """
    found = []
    if archive:
        found.append(
            Need(
                "disk, to download and unpack the images",
                2 * archive,  # PNG files do not shrink in an archive
                data_disk,
                "make room, or set GLANET_DATA to a folder on a larger disk",
            )
        )
        data_disk -= archive  # the archive goes, what was in it stays
    in_memory = Need(
        "memory, for the decoded images",
        2 * stores * decoded,  # half of what is free is left to the network
        memory,
        "they will be read from a file in place of memory, which is slower: see the next line",
    )
    found.append(in_memory)
    in_file = decoded if in_memory.lacking else 0
    if in_file:
        found.append(
            Need(
                "disk, for a file of decoded images",
                in_file,
                data_disk,
                "make room, set GLANET_DATA to a folder on a larger disk, or train on fewer images",
            )
        )
    found.append(
        Need(
            "disk, for checkpoints and weights",
            run_bytes(parameters),
            run_disk - one_disk * (archive + in_file),
            "make room, or choose a folder on another disk",
        )
    )
    return found


def decoded_bytes(sizes, scale) -> int:
    """What images take as pixels, LR and HR, one byte a colour: `PatchStore`'s bytes.

    sizes: (height, width) of each HR image, cropped to multiples of ``scale`` before it is counted.
    """
    lr_pixels = sum((height // scale) * (width // scale) for height, width in sizes)
    return 3 * lr_pixels * (1 + scale**2)


def run_bytes(parameters) -> int:
    """The most that a run keeps on disk at once: checkpoints, and weights at its end.

    Each checkpoint holds four numbers a parameter, in four bytes: the weight, its average, and
    Adam's two. There are those kept, the best, and one being written.
    """
    return parameters * (16 * (KEPT + 2) + 4)


def _existing(folder):
    folder = Path(folder).resolve()
    return next(place for place in (folder, *folder.parents) if place.exists())
