"""The memory and the disk space that a run needs, and what this machine has."""

from pathlib import Path

from glanet.config import ModelShape
from glanet.data import catalog
from glanet.data.images import image_size
from glanet.data.patches import decoded_bytes
from glanet.device import free_memory, gpu_count
from glanet.files import existing, free_disk
from glanet.networks import count_parameters
from glanet.training import images
from glanet.training.checkpoint import KEPT
from glanet.training.guards import smaller
from glanet.training.loop import has_bf16
from glanet.training.memory import Need, step_bytes, with_spare
from glanet.training.recipe import Recipe

# sets that `catalog.get` downloads to train on: (height, width) that none of their images exceeds,
# which is all that is known of them before the download
DOWNLOADABLE = {"DIV2K": (2040, 2040)}


def requirements(
    config: ModelShape,
    recipe: Recipe,
    folder: str | Path,
    *,
    device: str | None = None,
    processes: int | None = None,
) -> list[Need]:
    """What a run needs of this machine: `needs`, with everything looked up.

    Arguments are those of `launch.launch`.

    Raises:
        TrainError, DataError, ImageError: images are missing, and cannot be downloaded.
    """
    gpus, step = gpu_count(device), 0
    if gpus:
        bf16 = recipe.precision != "float32" and has_bf16()
        step = step_bytes(config, recipe, bf16=bf16, processes=processes or gpus)
    archive, sizes = 0, []
    for name in recipe.data:
        if name in DOWNLOADABLE and catalog.status(name).state == catalog.ABSENT:
            dataset = catalog.find(name)
            archive += dataset.archives[catalog.HR].size
            sizes += dataset.count * [DOWNLOADABLE[name]]
        else:
            sizes += [image_size(path) for path in images.find([name])]
    root = catalog.data_root()
    return needs(
        archive=archive,
        decoded=decoded_bytes(sizes, config.scale),
        parameters=count_parameters(config),
        stores=1 if gpus else processes or 1,
        data_disk=free_disk(root),
        run_disk=free_disk(folder),
        one_disk=existing(root).stat().st_dev == existing(folder).stat().st_dev,
        memory=free_memory("cuda" if gpus else "cpu"),
        step=step,
        step_remedy=smaller(recipe),
    )


def needs(
    *,
    archive,
    decoded,
    parameters,
    stores,
    data_disk,
    run_disk,
    one_disk,
    memory,
    step=0,
    step_remedy="",
) -> list[Need]:
    """What a run needs, by arithmetic alone.

    Args:
        archive: bytes to download.
        decoded: bytes of the images as pixels, `decoded_bytes`.
        parameters: of the model.
        stores: the number of processes that hold the pixels in the same ``memory``.
        data_disk: bytes free where the data lie.
        run_disk: bytes free where the run lies.
        one_disk: whether both are on the same disk.
        memory: bytes free, of a GPU where there is one.
        step: bytes of a step on a GPU, `memory.step_bytes`; 0 without one.
        step_remedy: what makes it need less, in words.
    """
    found, step = [], with_spare(step)
    if archive:
        found.append(
            Need(
                "disk, to download and unpack the images",
                catalog.unpacking_bytes(archive),
                data_disk,
                "make room, or set GLANET_DATA to a folder on a larger disk",
            )
        )
        data_disk -= archive  # the archive is deleted, its images stay
    if step:
        found.append(Need("GPU memory, for a step", step, memory, step_remedy))
    in_memory = Need(
        "GPU memory, for a step and the decoded images"
        if step
        else "memory, for the decoded images",
        # without a GPU, half of the free memory is left to the model
        step + decoded if step else 2 * stores * decoded,
        memory,
        "the images will be read from a file instead, which is slower: see the next line",
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


def run_bytes(parameters: int) -> int:
    """The most bytes that a run keeps on disk at once: its checkpoints and, at the end, weights.

    A checkpoint holds four float32 numbers for each parameter: the weight, its average, and Adam's
    two. There are those kept, the best, and one that is being written.
    """
    return parameters * (16 * (KEPT + 2) + 4)
