"""Data sets: where each comes from, where it lies, and whether it is whole.

Below the data root, benchmarks lie as in EDSR's archive and DIV2K as in its own archives;
``data/README.md`` draws it. What lies there is used as it is. `get` brings what is missing, and a
folder of images gets its name only when all of them are in it.
"""

import contextlib
import errno
import hashlib
import os
import platform
import shutil
import stat
import tarfile
import tempfile
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path, PurePath, PureWindowsPath

import pooch
import psutil
from PIL import Image
from tqdm import tqdm

from glanet.config import SCALES
from glanet.errors import GlanetError
from glanet.files import free_disk

HR = 1  # HR images are those at ×1
THE_291 = ("T91", "BSDS200")  # the training set of VDSR, LapSRN and DRRN
PRESENT, INCOMPLETE, ABSENT = "present", "incomplete", "absent"

_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp"}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # full disk, quota, limit on a file's size
_TRIES = 4  # failures of a download in a row, without a new byte between them
_PAUSE = 1.0  # seconds after the first failure; then two, three
_CHUNK = 2**18  # bytes
_SHOWN = {"leave": False, "disable": None}  # progress, on a terminal alone
_ONE_AT_A_TIME = threading.Lock()  # so that a workspace of this process is never a running one


class DataError(GlanetError):
    """A data set that cannot be had or used; the message says what was found and what mends it."""


@dataclass(frozen=True)
class Archive:
    """A zip or tar file to download."""

    url: str
    size: int  # bytes
    hash: str  # algorithm:hexadecimal digits
    base: str  # the folder below the data root, "" for itself, that the members' paths start from


@dataclass(frozen=True)
class Dataset:
    """A set of images: HR, and for some LR made from them by MATLAB's bicubic imresize."""

    name: str
    about: str
    count: int  # HR images, and LR images at each scale
    folder: str  # of the HR images, below the data root
    terms: str
    citation: str
    lr_folder: str = ""  # of the LR images at ×{scale}, below the data root; "" for no LR
    archives: dict[int, Archive] = field(default_factory=dict)  # scale, HR for HR -> what holds it
    by_hand: str = ""  # where a set without archives comes from
    stems: tuple[str, ...] = ()  # the names of the HR images without suffix, where they are known
    bundled: bool = False  # lies among scikit-image's files
    digest: str = ""  # of the HR images' pixels, see `pixel_digest`, where it is known

    @property
    def scales(self):
        """HR and the scales of the LR images."""
        return (HR, *SCALES) if self.lr_folder else (HR,)


@dataclass(frozen=True)
class Status:
    """What of a set is here.

    state: ``present`` when the HR images are whole, and so is whatever LR there is; ``absent`` when
    there is no image; else ``incomplete``. found: number of images by scale (1 is HR), where there
    are any. problems: one sentence for each folder with too few, too many or other images.
    """

    state: str
    found: dict[int, int]
    problems: tuple[str, ...]


# DIV2K_*.zip: name, bytes, sha256
_DIV2K_ZIPS = """
train_HR 3530603713 9d0b9c463f6e35b6c62cc6a930ee2224f670b34c1df841a57670f9acf0f6c335
train_LR_bicubic_X2 925390592 a53a424317575838dadce4bcd97cf7b744d6855f43740ed5f0245af3cf4bd850
train_LR_bicubic_X3 427847282 ad5c8e5507e2765823d3c2c5bd0934842efcd487c5370604c224090898b3163a
train_LR_bicubic_X4 246914039 f006b837f4eb52b82909aa01478e6d6d199eefce932179491d0c9dbb706dde3a
valid_HR 448993893 20dd31fd84d777bc1cf5d6b7654a3f569c0aec74458ae094122ad1d0489900fc
valid_LR_bicubic_X2 117763600 60eed9875c697df51204aa579e2a699e1d5215095788a097ff54dd17e2664d57
valid_LR_bicubic_X3 54513392 04b9a2ed3b4a0715d3924d3ae8514830c3328fac8d30512ce716d6f419e052a3
valid_LR_bicubic_X4 31505881 a50a5d1c4b88de4e8d300d8fb2b904c52fe93b2b298a4899697760d7cbb6d553
"""


def _div2k_archive(part, scale):
    name = f"{part}_HR" if scale == HR else f"{part}_LR_bicubic_X{scale}"
    _, size, digest = next(
        line.split() for line in _DIV2K_ZIPS.splitlines() if line.startswith(f"{name} ")
    )
    url = f"https://data.vision.ee.ethz.ch/cvl/DIV2K/DIV2K_{name}.zip"
    return Archive(url, int(size), f"sha256:{digest}", base="DIV2K")


def _div2k(part, first, last):
    return Dataset(
        name="DIV2K" if part == "train" else f"DIV2K-{part}",
        about=f"photographs 2040 pixels wide or high, {first:04} to {last:04}",
        count=last - first + 1,
        folder=f"DIV2K/DIV2K_{part}_HR",
        lr_folder=f"DIV2K/DIV2K_{part}_LR_bicubic/X{{scale}}",
        stems=tuple(f"{number:04}" for number in range(first, last + 1)),
        archives={scale: _div2k_archive(part, scale) for scale in (HR, *SCALES)},
        terms="academic research; each image belongs to its owner",
        citation="E. Agustsson, R. Timofte. NTIRE 2017 Challenge on Single Image "
        "Super-Resolution: Dataset and Study. CVPR Workshops 2017.",
    )


def _benchmark(name, count, **rest):
    return Dataset(
        name=name,
        count=count,
        folder=f"benchmark/{name}/HR",
        lr_folder=f"benchmark/{name}/LR_bicubic/X{{scale}}",
        **rest,
    )


_EDSR = Archive(
    "https://cv.snu.ac.kr/research/EDSR/benchmark.tar",
    size=250_000_000,  # rounded; the exact size is not known, the hash is
    hash="md5:4ace41d33c2384b97e6b320cd0afd6ba",
    base="",
)
_IN_EDSR = {"archives": dict.fromkeys((HR, *SCALES), _EDSR)}
_BSDS = {
    "terms": "research and education, not for profit",
    "citation": "D. Martin, C. Fowlkes, D. Tal, J. Malik. A Database of Human Segmented Natural "
    "Images. ICCV 2001. P. Arbeláez, M. Maire, C. Fowlkes, J. Malik. Contour Detection and "
    "Hierarchical Image Segmentation. TPAMI 2011.",
}
_BSDS500 = "it is the folder images/{} of Berkeley's segmentation data set, BSDS500"

CATALOG = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            name="photos",
            about="photographs that come with scikit-image",
            count=6,
            folder="data",
            terms="public domain or CC0",
            citation="S. van der Walt et al. scikit-image: image processing in Python. PeerJ 2014.",
            stems=("astronaut", "chelsea", "coffee", "hubble_deep_field", "retina", "rocket"),
            bundled=True,
        ),
        _benchmark(
            "Set5",
            5,
            about="five photographs, the smallest benchmark",
            terms="research use",
            citation="M. Bevilacqua, A. Roumy, C. Guillemot, M.-L. Alberi-Morel. Low-Complexity "
            "Single-Image Super-Resolution Based on Nonnegative Neighbor Embedding. BMVC 2012.",
            **_IN_EDSR,
        ),
        _benchmark(
            "Set14",
            14,
            about="fourteen images, one of them (bridge) greyscale",
            terms="research use",
            citation="R. Zeyde, M. Elad, M. Protter. On Single Image Scale-Up Using "
            "Sparse-Representations. Curves and Surfaces 2010.",
            **_IN_EDSR,
        ),
        _benchmark(
            "B100",
            100,
            about="BSD100, which is val of BSDS500: never train on it",
            **_BSDS,
            **_IN_EDSR,
        ),
        _benchmark(
            "Urban100",
            100,
            about="buildings and streets with repeating structure",
            terms="research use; photographs from Flickr",
            citation="J.-B. Huang, A. Singh, N. Ahuja. Single Image Super-Resolution from "
            "Transformed Self-Exemplars. CVPR 2015.",
            **_IN_EDSR,
        ),
        _benchmark(
            "Manga109",
            109,
            about="Japanese comics, one page of each of 109 volumes",
            terms="academic use, on application; not to be redistributed, not even a crop of it",
            citation="Y. Matsui et al. Sketch-Based Manga Retrieval Using Manga109 Dataset. "
            "Multimedia Tools and Applications 2017. K. Aizawa et al. Building a Manga Dataset "
            '"Manga109" with Annotations for Multimedia Applications. IEEE MultiMedia 2020.',
            by_hand="its owners, the Aizawa laboratory of the University of Tokyo, lend it to "
            "those who ask: fill in the application that www.manga109.org leads to, accept the "
            "licence, and wait a few days for the answer",
        ),
        _div2k("train", 1, 800),
        _div2k("valid", 801, 900),
        Dataset(
            name="T91",
            about="T91, 91 small images; with BSDS200 the 291 images of VDSR, LapSRN and DRRN",
            count=91,
            folder="train/T91",
            terms="research use",
            citation="J. Yang, J. Wright, T. Huang, Y. Ma. Image Super-Resolution via Sparse "
            "Representation. IEEE TIP 2010.",
            by_hand="Yang et al. trained on it; code for SRCNN and VDSR brings it along",
        ),
        Dataset(
            name="BSDS200",
            about="train of BSDS500, 481×321 pixels or upright",
            count=200,
            folder="train/BSDS200",
            by_hand=_BSDS500.format("train"),
            **_BSDS,
        ),
        Dataset(
            name="BSDS500-test",
            about="test of BSDS500, 481×321 pixels or upright; more to train on",
            count=200,
            folder="train/BSDS500-test",
            by_hand=_BSDS500.format("test"),
            **_BSDS,
        ),
        Dataset(
            name="CID22",
            about="photographs of 512×512 pixels, the training part of CID22; more to train on",
            count=203,
            folder="train/CID22",
            terms="CC BY-SA 4.0",
            citation="J. Sneyers, E. Ben Baruch, Y. Vaxman. CID22: A Large-Scale Subjective "
            "Quality Assessment Dataset for High Fidelity Image Coding. IEEE MultiMedia 2023.",
            by_hand="it is the training part of the Cloudinary Image Dataset '22, the originals "
            "only: https://cloudinary.com/labs/cid22",
            digest="7b0ab63f9d549ba9bea0b18ff9eb9955b1382ead55146fcc455c1a58944e3e62",
        ),
        Dataset(
            name="CLIC2025",
            about="photographs about 2048 pixels wide or high; more to train on",
            count=26,
            folder="train/CLIC2025",
            terms="Unsplash licence",
            citation="Challenge on Learned Image Compression (CLIC), 2025.",
            by_hand="photographs of the Challenge on Learned Image Compression 2025: "
            "https://clic2025.compression.cc",
            digest="76c5e07be00df9f105a82145afa4da79a5a87ff0443ea5361dfe68ce7c228ee4",
        ),
    )
}


def data_root() -> Path:
    """The folder that all data sets lie in, as an absolute path; it need not exist.

    ``GLANET_DATA`` if it is set; else ``data`` of the checkout that the package runs from; else,
    for an installed package, the user's cache folder (``~/.cache/glanet`` on Linux).
    """
    if chosen := os.environ.get("GLANET_DATA"):
        return Path(chosen).expanduser().resolve()
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").is_file():
        return checkout / "data"
    return Path(pooch.os_cache("glanet")).resolve()


def find(name) -> Dataset:
    """The entry of a data set. Raises DataError for a name that is not in the catalogue."""
    if name not in CATALOG:
        raise DataError(f"{name}: no such data set. There are {', '.join(CATALOG)}.")
    return CATALOG[name]


def present() -> list[str]:
    """The data sets that are whole below the data root; scikit-image's photographs do not count."""
    return [
        name
        for name, dataset in CATALOG.items()
        if not dataset.bundled and status(name).state == PRESENT
    ]


def status(name) -> Status:
    """What of a data set is here, by counting files and, where names are known, reading those."""
    dataset = find(name)
    found = {scale: len(_images(dataset, scale)) for scale in dataset.scales}
    found = {scale: count for scale, count in found.items() if count}
    problems = tuple(
        f"{_folder(dataset, scale)} {problem}"
        for scale in sorted({HR, *found})
        if (problem := _problem(dataset, scale))
    )
    state = PRESENT if not problems else INCOMPLETE if found else ABSENT
    return Status(state, found, problems)


def hr_images(name) -> list[Path]:
    """The HR images of a data set, sorted by name.

    Raises:
        DataError: the set is absent or incomplete; the message says what brings it.

    Example:
        >>> from glanet.data import catalog
        >>> [path.stem for path in catalog.hr_images("photos")]  # come with scikit-image
        ['astronaut', 'chelsea', 'coffee', 'hubble_deep_field', 'retina', 'rocket']
    """
    return _whole(find(name), HR)


def pairs(name, scale) -> list[tuple[Path, Path]]:
    """(LR, HR) images of a data set, sorted by HR name and paired by name: NAME, NAMExSCALE.

    Raises:
        DataError: HR or LR images are absent or incomplete, or an image has no partner.
    """
    dataset = find(name)
    _require_scale(dataset, scale)
    hr, lr = hr_images(name), _whole(dataset, scale)
    if lonely := _lonely(hr, lr, scale):
        raise DataError(
            f"{name} at ×{scale}: {_few(lonely)} without a partner. The LR image of NAME.png is "
            f"expected to be NAMEx{scale}.png: rename what has another name."
        )
    by_stem = {path.stem: path for path in lr}
    return [(by_stem[f"{path.stem}x{scale}"], path) for path in hr]


def verify(name) -> list[str]:
    """What is wrong with a data set, one sentence each; an empty list if nothing is.

    Checks counts and names; that each LR image has an HR image ``scale`` times its size, and each
    HR image an LR image; that every image decodes, and has the pixels that are on record, if any.
    """
    dataset, here = find(name), status(name)
    images = {scale: _images(dataset, scale) for scale in sorted({HR, *here.found})}
    sizes, unreadable = _read_sizes([path for paths in images.values() for path in paths])
    wrong = [*here.problems, *unreadable]
    for scale in sorted(here.found.keys() - {HR}):
        lonely = _lonely(images[HR], images[scale], scale)
        wrong += [f"{path} has no partner at ×{scale}" for path in lonely]
        wrong += _wrong_sizes(images[HR], images[scale], scale, sizes)
    if dataset.digest and not wrong and pixel_digest(images[HR]) != dataset.digest:
        wrong.append(
            f"{_folder(dataset, HR)} holds other pixels than the {name} that is on record: an "
            "image is damaged, was resized or was saved with loss. Bring the set again."
        )
    return wrong


def pixel_digest(paths) -> str:
    """The sha256 of the images' names without suffix, sizes and RGB values, sorted by name.

    It is the same in every format without loss. Raises OSError for a file that is no image.
    """
    found = hashlib.sha256()
    for path in sorted(paths, key=lambda path: path.stem):
        with Image.open(path) as image:
            found.update(f"{path.stem} {image.width} {image.height} ".encode())
            found.update(image.convert("RGB").tobytes())
    return found.hexdigest()


def get(name, scale=HR) -> Path:
    """The folder of a data set's HR images; what is absent is downloaded first.

    With ``scale`` 2, 3 or 4 the LR images are brought too. A download goes on where its connection
    broke, is checked against its hash, and unpacked beside its destination; then each folder of
    images that is whole moves there in one step, unless one is there already. What several sets
    share is downloaded once for all of them. A killed run leaves a folder ``.unfinished-*``, which
    the next one on the same machine deletes. Several processes may do this at once: each downloads,
    and the first to finish puts its folder in place.

    Raises:
        DataError: there is no address for the set; no network; another hash than expected; an
            archive with unsafe members or other images than expected; too little room; a folder
            that holds something else already.
    """
    dataset = find(name)
    _require_scale(dataset, scale)
    for part in sorted({HR, scale}):
        folder = _folder(dataset, part)
        with _ONE_AT_A_TIME:
            if not folder.is_dir() or not any(folder.iterdir()):
                _install(dataset, part)
        if problem := _problem(dataset, part):
            raise DataError(
                f"{folder} {problem}. Complete it or move it away. {_remedy(dataset, part)}"
            )
    return _folder(dataset, HR)


def unpacking_bytes(size: int) -> int:
    """Disk space that an archive of ``size`` bytes takes until it is unpacked and deleted.

    The images are there twice then, packed and unpacked: PNG files do not shrink in an archive.
    """
    return 2 * size


def table() -> str:
    """All data sets, one a line: images, what is here, how to get it, what it is."""
    rows = [("set", "images", "here", "to get it", "what it is")]
    for name, dataset in CATALOG.items():
        rows.append((name, str(dataset.count), _here(status(name)), _way(dataset), dataset.about))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([*lines, "", f"data root: {data_root()}"])


def describe(name) -> str:
    """All about one data set: what it is, what of it is here, addresses, terms, whom to cite."""
    dataset, found = find(name), status(name)
    lines = [
        f"{name}: {dataset.about}",
        f"images   {dataset.count}",
        f"here     {_here(found)}",
        f"folder   {_folder(dataset, HR)}",
    ]
    if dataset.lr_folder:
        lines.append(f"LR       {_home(dataset) / dataset.lr_folder.format(scale='2, X3, X4')}")
    for archive in dict.fromkeys(dataset.archives.values()):
        lines.append(f"from     {archive.url}, {_gigabytes(archive.size)}, {archive.hash}")
    if dataset.by_hand:
        lines.append(f"by hand  {dataset.by_hand}")
    lines += [f"terms    {dataset.terms}", f"cite     {dataset.citation}"]
    if found.state == INCOMPLETE:
        lines += [f"problem  {problem}" for problem in found.problems]
    return "\n".join(lines)


def _here(found):
    scales = "".join(f" ×{scale}" for scale in found.found if scale != HR)
    return found.state + (f", LR{scales}" if scales else "")


def _way(dataset):
    if dataset.bundled:
        return "comes with scikit-image"
    if not dataset.archives:
        return "by hand"
    archive = dataset.archives[HR]
    shared = archive == dataset.archives[SCALES[0]]
    return f"download {_gigabytes(archive.size)}" + (", shared" if shared else "")


def _gigabytes(size):
    return f"{size / 1e9:.2f} GB"


def _home(dataset):
    return Path(str(files("skimage"))) if dataset.bundled else data_root()


def _folder(dataset, scale):
    """Where the images of a set lie; raises DataError for a scale that it does not have."""
    _require_scale(dataset, scale)
    path = dataset.folder if scale == HR else dataset.lr_folder.format(scale=scale)
    return _home(dataset) / path


def _images(dataset, scale, folder=None):
    """The image files of a set, sorted; ``folder`` if they are not (yet) in their place."""
    folder = folder or _folder(dataset, scale)
    return sorted(
        path
        for path in (folder.iterdir() if folder.is_dir() else ())
        if path.suffix.lower() in _SUFFIXES
        and not path.name.startswith(".")  # macOS adds ._NAME.png to NAME.png
        and (not dataset.bundled or path.stem in dataset.stems)
    )


def _problem(dataset, scale, folder=None):
    """What is wrong with the number or the names of images, to follow the folder's name; or ""."""
    found = [path.stem for path in _images(dataset, scale, folder)]
    mark = "" if scale == HR else f"x{scale}"
    expected = {stem + mark for stem in dataset.stems} or set(found)
    missing, extra = sorted(expected - {*found}), sorted({*found} - expected)
    if len(found) == dataset.count and not missing and not extra:
        return ""
    return (
        f"holds {len(found)} images, expected {dataset.count}"
        + (f", {min(expected)} to {max(expected)}" if dataset.stems else "")
        + (f"; missing: {_few(missing)}" if missing else "")
        + (f"; not expected: {_few(extra)}" if extra else "")
    )


def _few(names):
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(map(str, names[:3])) + more


def _require_scale(dataset, scale):
    if scale not in dataset.scales:
        raise DataError(f"{dataset.name} has no images at ×{scale}. {_remedy(dataset, scale)}")


def _whole(dataset, scale):
    if problem := _problem(dataset, scale):
        raise DataError(f"{_folder(dataset, scale)} {problem}. {_remedy(dataset, scale)}")
    return _images(dataset, scale)


def _remedy(dataset, scale):
    """What brings the images of a set: a sentence."""
    if scale in dataset.archives:
        option = "" if scale == HR else f" --scale {scale}"
        return f"Run `glanet data get {dataset.name}{option}`."
    if scale != HR:
        return (
            "Make them from the HR images with glanet.data.degradation.imresize, which resizes as "
            "the published ones were."
        )
    if dataset.bundled:
        return "Install scikit-image again."
    return (
        f"{dataset.name} cannot be downloaded from here: {dataset.by_hand}. Put its "
        f"{dataset.count} images into that folder."
    )


def _lonely(hr, lr, scale):
    """The images, LR and HR, without a partner."""
    wanted = {f"{path.stem}x{scale}" for path in hr}
    found = {path.stem for path in lr}
    return [path for path in hr if f"{path.stem}x{scale}" not in found] + [
        path for path in lr if path.stem not in wanted
    ]


def _wrong_sizes(hr, lr, scale, sizes):
    """Sentences on LR images that are not their HR image's size divided by the scale.

    Rounded up or down: sets differ in whether HR was cropped to a multiple of the scale first.
    """
    by_stem = {path.stem: path for path in lr}
    for path in hr:
        partner = by_stem.get(f"{path.stem}x{scale}")
        if path in sizes and partner in sizes:
            (width, height), (lr_width, lr_height) = sizes[path], sizes[partner]
            if max(abs(width - scale * lr_width), abs(height - scale * lr_height)) >= scale:
                yield (
                    f"{partner} is {lr_width}×{lr_height} pixels, which is not {width}×{height}, "
                    f"as {path.name} is, divided by {scale}"
                )


def _read_sizes(paths):
    """{path: (width, height)} of the images that can be read, and sentences on the others."""
    sizes, unreadable = {}, []

    def read(path):
        try:
            with Image.open(path) as image:
                image.load()
                return image.size
        except Exception as error:  # Pillow raises half a dozen kinds for damaged files
            return error

    with ThreadPoolExecutor() as pool:
        read_all = pool.map(read, paths)
        results = tqdm(read_all, "verifying", len(paths), unit=" images", **_SHOWN)
        for path, result in zip(paths, results, strict=True):
            if isinstance(result, Exception):
                unreadable.append(f"{path} cannot be read as an image ({result})")
            else:
                sizes[path] = result
    return sizes, unreadable


def _install(dataset, scale):
    """Download and unpack what holds a set's images at a scale. Raises as `get` does."""
    folder, archive = _folder(dataset, scale), dataset.archives.get(scale)
    if archive is None:
        raise DataError(f"{folder} has no images. {_remedy(dataset, scale)}")
    place = data_root() / PurePath(dataset.folder).parts[0]
    needed = unpacking_bytes(archive.size)
    try:
        if free_disk(place) < needed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with _workspace(place) as work:
            packed, unpacked = work / PurePath(archive.url).name, work / "unpacked"
            by_hand = (
                f"try again with `glanet data get {dataset.name}`, or fetch the file in another "
                f"way and unpack it so that the images lie in {folder}"
            )
            _download(archive, packed, by_hand)
            _unpack(packed, unpacked)
            _put_in_place(archive, unpacked, dataset, scale)
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise DataError(
                f"{place}: no room for {archive.url}. It takes {needed:,} bytes until it is "
                f"unpacked, and {free_disk(place):,} are free (a quota may allow less). Nothing "
                "was kept. Make room, or set GLANET_DATA to a folder on a larger disk."
            ) from error
        raise DataError(
            f"{error.filename or place}: cannot be written ({error.strerror or error}). Check "
            "who may write there, or set GLANET_DATA to another folder."
        ) from error


@contextlib.contextmanager
def _workspace(place):
    """A new folder in ``place``, gone afterwards; those that killed processes left go at once."""
    place.mkdir(parents=True, exist_ok=True)
    ours = f".unfinished-{platform.node()}"  # on a shared disk, other machines have their own
    for left in place.glob(".unfinished-*-*-*"):
        owner, process, _ = left.name.rsplit("-", 2)
        if owner == ours and (int(process) == os.getpid() or not psutil.pid_exists(int(process))):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(
        prefix=f"{ours}-{os.getpid()}-", dir=place, ignore_cleanup_errors=True
    ) as work:
        yield Path(work)


def _download(archive, path, remedy):
    """Write an archive's bytes to ``path``, going on where the connection breaks.

    Raises:
        DataError: it broke too often without a new byte, or the hash is another; ends with remedy.
        OSError: there is no room.
    """
    failures = furthest = 0
    with path.open("wb") as file:
        while True:
            try:
                _append(archive, file)
                break
            except OSError as error:  # requests' exceptions are of this kind too
                if error.errno in _NO_ROOM:
                    raise
                failures = 1 if file.tell() > furthest else failures + 1
                furthest = max(furthest, file.tell())
                if failures == _TRIES:
                    raise DataError(
                        f"{archive.url}: cannot be downloaded ({error}). Check the network "
                        f"connection; {remedy}."
                    ) from error
            time.sleep(_PAUSE * failures)
    algorithm, expected = archive.hash.split(":")
    found = pooch.file_hash(path, algorithm)
    if found != expected:
        raise DataError(
            f"{archive.url}: the {algorithm} of what came ({path.stat().st_size:,} bytes) is "
            f"{found}, expected {expected}. It was deleted: damaged on its way, or replaced at its "
            f"source; {remedy}."
        )


def _append(archive, file):
    """Download the rest of a file, or all of it where the server cannot go on in the middle."""

    def start_again_if_all_comes(response, **_):
        if response.status_code == 200:
            file.seek(0)
            file.truncate()

    rest = {"Range": f"bytes={file.tell()}-", "Accept-Encoding": "identity"}
    with tqdm(  # with a total, as pooch asks for its truth and tqdm has none without
        desc=PurePath(archive.url).name,
        total=archive.size,
        unit="B",
        unit_scale=True,
        disable=None,
    ) as progress:
        download = pooch.HTTPDownloader(
            progressbar=progress,
            chunk_size=_CHUNK,
            headers=rest,
            hooks={"response": start_again_if_all_comes},
        )
        download(archive.url, file, None)


def _unpack(packed, into):
    """Write the files of an archive below ``into``.

    Raises:
        DataError: a member is no plain file or folder, or would lie outside.
    """
    members = _zip_members(packed) if packed.suffix == ".zip" else _tar_members(packed)
    for name, content in tqdm(members, f"unpacking {packed.name}", unit=" files", **_SHOWN):
        path = into / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with content, path.open("wb") as file:
            shutil.copyfileobj(content, file)
            file.flush()
            os.fsync(file.fileno())  # or a power cut could leave the name without the bytes


def _zip_members(packed):
    with zipfile.ZipFile(packed) as archive:
        for member in archive.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)  # 0 where it was packed on Windows
            folder = member.is_dir()
            _refuse_unsafe(packed, member.filename, folder or kind in (0, stat.S_IFREG))
            if not folder:
                yield member.filename, archive.open(member)


def _tar_members(packed):
    with tarfile.open(packed) as archive:
        for member in archive:
            _refuse_unsafe(packed, member.name, member.isdir() or member.isreg())
            if member.isreg():
                yield member.name, archive.extractfile(member)


def _refuse_unsafe(packed, name, plain):
    path = PureWindowsPath(name)  # the stricter rules: drives, and both kinds of slashes
    if path.anchor or ".." in path.parts:
        what = "would be written outside of its folder"
    elif not plain:
        what = "is a link or a device, not a file or a folder"
    else:
        return
    raise DataError(
        f"{packed.name}: refused, as its member {name!r} {what}. Nothing was kept. Do not unpack "
        "this file by hand; fetch the images from a source that you trust."
    )


def _put_in_place(archive, unpacked, dataset, scale):
    """Move whole folders of images to where they belong; a folder that is there already stays.

    Raises:
        DataError: the images asked for are not those expected; then nothing is moved.
    """
    found = {}
    for other in CATALOG.values():
        for part, source in other.archives.items():
            if source == archive:
                home = _folder(other, part)
                found[other.name, part] = unpacked / home.relative_to(data_root() / archive.base)
    asked_for = found[dataset.name, scale]
    if problem := _problem(dataset, scale, asked_for):
        raise DataError(
            f"{archive.url}: its folder {asked_for.relative_to(unpacked)} {problem}. Nothing was "
            "kept. This is not the archive that the papers use; fetch it from another source."
        )
    for (name, part), folder in found.items():
        if not _problem(CATALOG[name], part, folder):
            _move(folder, _folder(CATALOG[name], part))


def _move(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):
        target.rmdir()  # if it is empty, as Windows replaces no folder; any other stays
    try:
        source.replace(target)
    except OSError:
        if not target.is_dir():  # else another process was first, or the user
            raise
