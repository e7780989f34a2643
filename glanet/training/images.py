"""The images that a run trains on and is measured on."""

import hashlib
from pathlib import Path

from glanet.data import catalog
from glanet.data.images import find_images
from glanet.training.errors import TrainError


def find(names) -> list[Path]:
    """The HR images of ``names``: sets of the catalogue, folders, or image files.

    Raises:
        TrainError: a name is none of these.
        DataError: a set is absent or incomplete.
        ImageError: a folder has no image.
    """
    return [path for name in names for path in _find(name)]


def _find(name):
    if name in catalog.CATALOG:
        return catalog.hr_images(name)
    path = Path(name)
    if path.is_dir():
        return find_images(path)
    if path.is_file():
        return [path]
    raise TrainError(
        f"{name}: neither a data set ({', '.join(catalog.CATALOG)}), nor a folder, nor a file. "
        "Check the name."
    )


def pair(hr_images, folder, scale) -> list[tuple[Path, Path]]:
    """(LR, HR) files: NAME belongs to NAME or NAMExSCALE in ``folder``, whatever their endings.

    Raises:
        TrainError: an HR image has no partner, or several.
        ImageError: the folder has no image.
    """
    by_stem = {}
    for path in find_images(folder):
        by_stem.setdefault(path.stem, []).append(path)
    pairs = []
    for hr in hr_images:
        found = [*by_stem.get(hr.stem, ()), *by_stem.get(f"{hr.stem}x{scale}", ())]
        if len(found) != 1:
            names = " and ".join(path.name for path in found) or "none"
            raise TrainError(
                f"{folder}: {names} for {hr}; expected one file {hr.stem} or {hr.stem}x{scale}. "
                "Name each LR image after its HR image."
            )
        pairs.append((found[0], hr))
    return pairs


def check_apart(training, validation):
    """Check that no image is in both lists. Files with the same bytes are the same image.

    Raises:
        TrainError: an image is in both.
    """
    by_size = {}
    for path in training:
        by_size.setdefault(path.stat().st_size, []).append(path)
    for path in validation:
        for other in by_size.get(path.stat().st_size, ()):
            if other.samefile(path) or digest(other) == digest(path):
                raise TrainError(
                    f"{path}: among the validation images, and as {other} among the training "
                    "images. Leave it out of one: scores on training images say nothing."
                )


def fingerprint(paths) -> str:
    """The number of images, and a short digest of their names and sizes in order."""
    listing = "\n".join(f"{path.name} {path.stat().st_size}" for path in paths)
    return f"{len(paths)} images, {hashlib.sha256(listing.encode()).hexdigest()[:12]}"


def digest(path) -> str:
    """The sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
