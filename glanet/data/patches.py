"""Training batches: aligned LR and HR patches, cut from images that were decoded once.

A batch is a pure function of ``(seed, step, rank)``. `PatchStore.plan` draws where its patches lie,
on the CPU, from a counter-based generator; `PatchStore.gather` cuts them out, on the device that
holds the images. There are no worker processes and there is no state: after a restart the same
step gives the same batch, bit for bit, on any device.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from glanet.data import degradations
from glanet.data.catalog import DataError, data_root
from glanet.data.degradation import modcrop
from glanet.data.degradations import BICUBIC
from glanet.data.images import find_images, image_size, read_rgb
from glanet.device import free_memory
from glanet.errors import ArgumentError
from glanet.files import free_disk

CHANNELS = 3
_PIXEL = np.dtype(f"V{CHANNELS}")
_CACHE_FORMAT = 1  # raise it when the same files would be stored as other bytes


@dataclass(frozen=True)
class Plan:
    """Where the patches of a batch lie: four int64 arrays (B,), one entry a sample.

    ``orientation`` 0..7: the patch is flipped top to bottom if bit 0 is set, left to right if
    bit 1 is, and then transposed if bit 2 is. These are the 8 symmetries of the square: a flip
    or not, times four rotations by 90°.
    """

    image: np.ndarray  # index into PatchStore.names
    top: np.ndarray  # first row of the LR patch, LR pixels
    left: np.ndarray  # first column of the LR patch, LR pixels
    orientation: np.ndarray


def decoded_bytes(sizes: Iterable[tuple[int, int]], scale: int) -> int:
    """Bytes that images take as pixels, LR and HR, one byte per colour.

    sizes: (height, width) of each HR image. Images are cropped to multiples of ``scale`` first.
    """
    lr_pixels = sum((height // scale) * (width // scale) for height, width in sizes)
    return CHANNELS * lr_pixels * (1 + scale**2)


class PatchStore:
    """Images as uint8 pixels, LR and HR, and the batches cut from them.

    Build one with `from_images`. All pixels lie in one storage, uint8 (P, 3), image after image,
    each as its LR rows and then its HR rows, so that on a GPU one indexing operation cuts all
    patches of a batch. It is a tensor there and else a NumPy array, whose work stays on one core:
    PyTorch would share it among all, and wait for the slowest on a machine that does other things
    too.

    names: the HR files, as given; sizes: LR (height, width) of each, int64 (N, 2); left_out: the
    HR files that are too small for a patch; mapped: whether the pixels lie in a file.
    """

    def __init__(self, pixels, names, sizes, *, scale, patch, device, left_out, mapped):
        self.pixels, self.names, self.left_out, self.mapped = pixels, names, left_out, mapped
        self.scale, self.patch, self.device = scale, patch, device
        self.sizes = np.array(sizes, np.int64)
        lr_pixels = self.sizes.prod(axis=1)
        ends = np.cumsum(lr_pixels * (1 + scale**2))
        self._lr_start = ends - lr_pixels * (1 + scale**2)
        self._hr_start = self._lr_start + lr_pixels
        self._white = torch.tensor(255.0, device=device)

    @classmethod
    def from_images(
        cls,
        source,
        scale,
        patch=48,
        device="cpu",
        *,
        degradation=BICUBIC,
        seed=0,
        memory=None,
        cache=None,
    ):
        """Decode images once and hold them on ``device``, or in a file if they do not fit.

        source: a folder, or a list of HR files or of (LR file, HR file) pairs. HR is cropped to
        multiples of ``scale``; where no LR file is given, LR is made from it by ``degradation``,
        a name of `degradations.find`, with random numbers of ``seed`` and the image's place.
        patch: side of an LR patch, LR pixels. Images smaller than a patch are left out.
        memory: bytes that the pixels may take on ``device``; default half of what is free, which
        leaves the rest to the network. Above it, pixels are memory-mapped from a file in ``cache``
        (default ``.glanet`` in the data root), which is written once and used until the images
        change. The folder may be deleted whenever no store is using it.

        Raises:
            ArgumentError: there are no images, or none as large as a patch; an LR image has not the
                size that its HR file asks for; no such degradation.
            DataError: the disk of ``cache`` has too little free space.
            Whatever `read_rgb` raises for a file that it cannot read.

        Example:
            >>> from glanet.data import catalog
            >>> from glanet.data.patches import PatchStore
            >>> photos = catalog.hr_images("photos")[:2]
            >>> store = PatchStore.from_images(photos, scale=2, patch=16)
            >>> lr, hr = store.batch(seed=0, step=7, size=4)
            >>> tuple(lr.shape), tuple(hr.shape)
            ((4, 3, 16, 16), (4, 3, 32, 32))
        """
        found = [(pair, image_size(pair[1])) for pair in _pairs(source)]
        kept = [(pair, size) for pair, size in found if min(size) // scale >= patch]
        left_out = [str(hr) for (_, hr), size in found if min(size) // scale < patch]
        if not kept:
            raise ArgumentError(
                f"none of the {len(found)} images in {Path(left_out[0]).parent} is as large as a "
                f"patch, {scale * patch}×{scale * patch} pixels at ×{scale}: "
                "give larger images or a smaller patch"
            )
        pairs = [pair for pair, _ in kept]
        needed = decoded_bytes([size for _, size in kept], scale)
        total = needed // CHANNELS
        device = torch.device(device)
        decoded = partial(_decode_all, pairs, scale, degradations.find(degradation, scale), seed)
        mapped = needed > (free_memory(device) // 2 if memory is None else memory)
        if mapped:
            cache = Path(cache or data_root() / ".glanet")
            key = _content_key(pairs, scale, degradation, seed)
            pixels, lr_sizes = _map_pixels(decoded, total, cache, key)
        else:
            pixels, lr_sizes = _load_pixels(decoded, total, device)
        return cls(
            pixels,
            [str(hr) for _, hr in pairs],
            lr_sizes,
            scale=scale,
            patch=patch,
            device=device,
            left_out=left_out,
            mapped=mapped,
        )

    @property
    def nbytes(self):
        """Bytes that the pixels take, in memory or on disk."""
        return self.pixels.nbytes

    def __str__(self):
        place = "a memory-mapped file" if self.mapped else self.device
        return (
            f"{len(self.names)} images, {self.nbytes / 1e6:.0f} MB in {place}; "
            f"{len(self.left_out)} left out, smaller than a patch"
        )

    def batch(self, seed, step, size, rank=0, world=1):
        """LR and HR patches: float32 (B, 3, p, p) and (B, 3, s·p, s·p) in [0, 1], on the device.

        B = size / world. Both are in channels-last memory. Arguments and errors as in `plan`.
        """
        return self.gather(self.plan(seed, step, size, rank, world))

    def plan(self, seed, step, size, rank=0, world=1):
        """Where the patches of a step lie: the share of ``rank`` in a global batch of ``size``.

        The shares are consecutive, so all ranks' patches, concatenated, are those of one process
        with the whole batch, for any ``world``. Images are drawn uniformly and with replacement,
        whatever their size, as in the recipes of EDSR and SwinIR (which draw without); positions
        uniformly among all that lie within the image, and orientations uniformly.

        Raises:
            ArgumentError: ``size`` is no multiple of ``world``, or ``rank`` is not below it.
            OverflowError: ``seed`` or ``step`` is negative, or 2⁶⁴ or more.
        """
        if size < 1 or size % world or not 0 <= rank < world:
            raise ArgumentError(
                f"rank {rank} of {world} has no equal share of a batch of {size}: "
                "give a batch that is a multiple of the number of processes"
            )
        # One Philox block, four words, is one sample. Raw words, because NumPy promises that they
        # stay the same in all versions, which it does not of Generator.integers. A remainder of a
        # 63-bit word is biased by less than one part in 10¹².
        words = np.random.Philox(key=np.array([seed, step], np.uint64)).random_raw((size, 4))
        share = slice(rank * size // world, (rank + 1) * size // world)
        image, top, left, orientation = (words[share] >> np.uint64(1)).astype(np.int64).T
        image = image % len(self.names)
        rows, columns = (self.sizes[image] - self.patch + 1).T
        return Plan(image, top % rows, left % columns, orientation % 8)

    def gather(self, plan):
        """The patches of a plan, LR and HR, as `batch` returns them."""
        lr = self._to_float(self._cut(self._lr_start[plan.image], plan, 1))
        hr = self._to_float(self._cut(self._hr_start[plan.image], plan, self.scale))
        return lr, hr

    def describe(self, plan):
        """The file, LR position and orientation of each patch of a plan: a list of B strings."""
        return [
            f"{self.names[image]}: LR rows {top}..{top + self.patch - 1}, "
            f"columns {left}..{left + self.patch - 1}, orientation {orientation}"
            for image, top, left, orientation in zip(*astuple(plan), strict=True)
        ]

    def _cut(self, start, plan, scale):
        """uint8 (B, side, side, 3), from and on wherever the pixels are."""
        side = scale * self.patch
        if isinstance(self.pixels, np.ndarray):
            return self._copy(start, plan, scale, side)
        width = scale * self.sizes[plan.image, 1]
        corner = start + scale * (plan.top * width + plan.left)
        walk = _walk(corner, width, side, plan.orientation)
        walk, along = (_sent(part, self.pixels.device) for part in (walk, np.arange(side)))
        return self.pixels[_index(walk, along)]

    def _copy(self, start, plan, scale, side):
        """`_cut` patch by patch, which suits a CPU, as `_index` suits a GPU."""
        out = np.empty((len(start), side, side, CHANNELS), np.uint8)
        # A pixel as one item of three bytes, not as three items, is copied in a third of the time.
        items, patches = self.pixels.view(_PIXEL)[:, 0], out.view(_PIXEL)[..., 0]
        sizes, tops, lefts = scale * self.sizes[plan.image], scale * plan.top, scale * plan.left
        for patch, first, (height, width), top, left, turn in zip(
            patches, start, sizes, tops, lefts, plan.orientation, strict=True
        ):
            image = items[first : first + height * width].reshape(height, width)
            patch[...] = _orient(image[top : top + side, left : left + side], turn)
        return out

    def _to_float(self, patches):
        """uint8 (B, side, side, 3) -> float32 (B, 3, side, side) in [0, 1] on the device."""
        if isinstance(patches, np.ndarray) and self.device.type == "cpu":
            patches = torch.from_numpy(patches / np.float32(255))
        else:
            # Divided by a tensor: by a number, CUDA would multiply with its rounded inverse and
            # differ from the CPU in the last bit.
            if isinstance(patches, np.ndarray):
                patches = _sent(patches, self.device)
            patches = patches.float() / self._white
        return patches.permute(0, 3, 1, 2)


def _sent(array, device):
    """An array as a tensor on a device. A GPU is not waited for: it may be at work on a step."""
    tensor = torch.from_numpy(array)
    if device.type == "cuda":
        tensor = tensor.pin_memory()  # only pinned memory is copied without waiting
    return tensor.to(device, non_blocking=device.type == "cuda")


def _orient(patch, orientation):
    """The view of a patch (side, side) in one of the 8 orientations that `Plan` describes."""
    patch = patch[::-1] if orientation & 1 else patch
    patch = patch[:, ::-1] if orientation & 2 else patch
    return patch.T if orientation & 4 else patch


def _walk(corner, width, side, orientation):
    """How to read oriented patches off image rows: int64 (3, B), ``first``, ``down``, ``right``.

    Pixel (i, j) of a patch is pixel ``first + i * down + j * right`` of the storage, in which its
    upper left pixel before orientation is number ``corner`` and an image row has ``width`` pixels.
    """
    upside_down, mirrored, transposed = (orientation >> bit & 1 for bit in range(3))
    first = corner + (side - 1) * (upside_down * width + mirrored)
    to_next_row = np.where(upside_down, -width, width)
    to_next_column = np.where(mirrored, -1, 1)
    down = np.where(transposed, to_next_column, to_next_row)
    right = np.where(transposed, to_next_row, to_next_column)
    return np.stack([first, down, right])


def _index(walk, along):
    """Number in the storage of each pixel of each patch: int64 (B, side, side).

    walk: as from `_walk`; along: 0..side-1. Both are tensors on the device of the pixels.
    """
    first, down, right = walk[..., None, None]
    return first + down * along[:, None] + right * along


def _pairs(source):
    """The images as a list of (LR path or None, HR path).

    Raises:
        ArgumentError: there are none.
    """
    if isinstance(source, str | Path):
        files, place = find_images(source), f"the folder {source}"
    else:
        files, place = list(source), "the list"
    if not files:
        raise ArgumentError(
            f"{place} holds no images: give a folder with PNG or JPEG files; "
            "`glanet data` fetches data sets"
        )
    pairs = [file if isinstance(file, tuple) else (None, file) for file in files]
    return [(lr and Path(lr), Path(hr)) for lr, hr in pairs]


def _decode(pair, scale, degrade, rng):
    """LR (height, width) of a pair, and its LR and HR pixels, end to end: uint8 (P, 3).

    Raises:
        ArgumentError: the LR image has not the size that the HR file asks for.
    """
    lr_path, hr_path = pair
    hr = modcrop(read_rgb(hr_path), scale)
    lr = degrade(rng, hr) if lr_path is None else read_rgb(lr_path)
    expected = (hr.shape[0] // scale, hr.shape[1] // scale)
    is_array = isinstance(lr, np.ndarray)
    if not is_array or lr.dtype != np.uint8 or lr.shape[2:] != (CHANNELS,):
        made = f"{lr.dtype} {lr.shape}" if is_array else type(lr).__name__
        raise ArgumentError(
            f"the degradation made {made} of {hr_path}; expected an array uint8 (H, W, 3)"
        )
    if lr.shape[:2] != expected:
        raise ArgumentError(
            f"{lr_path or 'the degraded image'} is {lr.shape[1]}×{lr.shape[0]} pixels; expected "
            f"{expected[1]}×{expected[0]} for {hr_path} at ×{scale}: "
            "check the scale, and that both show the same image"
        )
    return expected, np.concatenate([image.reshape(-1, CHANNELS) for image in (lr, hr)])


def _decode_all(pairs, scale, degrade, seed):
    """Yield what `_decode` returns for each pair, in order, from a pool of threads."""
    workers = os.cpu_count() or 1
    numbered = [(pair, np.random.default_rng([seed, i])) for i, pair in enumerate(pairs)]
    chunk = 4 * workers  # no more than these wait in memory while the consumer writes
    with (
        ThreadPoolExecutor(workers) as pool,
        tqdm(
            total=len(pairs), desc="decoding", unit=" images", leave=False, disable=None
        ) as progress,
    ):
        for start in range(0, len(pairs), chunk):
            for decoded in pool.map(
                lambda one: _decode(one[0], scale, degrade, one[1]), numbered[start:][:chunk]
            ):
                yield decoded
                progress.update()


def _load_pixels(decoded, total, device):
    """All pixels in memory, uint8 (total, 3), and the LR sizes: on a GPU, else as an array."""
    on_gpu = device.type == "cuda"
    pixels = torch.empty((total, CHANNELS), dtype=torch.uint8, device=device if on_gpu else "cpu")
    sizes, end = [], 0
    for size, image in decoded():
        sizes.append(size)
        start, end = end, end + len(image)
        pixels[start:end] = torch.from_numpy(image)
    return pixels if on_gpu else pixels.numpy(), sizes


def _map_pixels(decoded, total, cache, key):
    """All pixels in a read-only file in ``cache``, uint8 (total, 3), and the LR sizes.

    The file is named ``key``. Its sizes are written when it is whole: without them it is not read.
    """
    path, sizes_path = cache / f"{key}.pixels", cache / f"{key}.json"
    whole = sizes_path.exists() and path.exists() and path.stat().st_size == total * CHANNELS
    if not whole:
        _write_pixels(decoded, total, path, sizes_path)
    pixels = np.memmap(path, np.uint8, "r", shape=(total, CHANNELS))
    return np.asarray(pixels), json.loads(sizes_path.read_text())


def _content_key(pairs, scale, degradation, seed):
    """A name made from the paths, sizes and times of the images: other ones make another file."""
    content = [[file and _content_mark(file) for file in pair] for pair in pairs]
    made = [] if degradation == BICUBIC else [degradation, seed]
    about = [_CACHE_FORMAT, scale, content, *made]
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:24]


def _content_mark(file):
    found = file.stat()
    return str(file.resolve()), found.st_size, found.st_mtime_ns


def _write_pixels(decoded, total, path, sizes_path):
    """Decode the images into a file. Safe beside other processes that write the same one.

    Raises:
        DataError: the disk has too little free space.
    """
    cache = path.parent
    free = free_disk(cache)
    if free < total * CHANNELS:
        raise DataError(
            f"{cache}: {free / 1e9:.1f} GB free; the images take {total * CHANNELS / 1e9:.1f} GB. "
            "Make room, set GLANET_DATA to a folder on a larger disk, or give `cache` one."
        )
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as unfinished:
        part, sizes_part = Path(unfinished, path.name), Path(unfinished, sizes_path.name)
        sizes = []
        with part.open("wb") as file:
            for size, pixels in decoded():
                sizes.append(size)
                file.write(pixels)
            file.flush()
            os.fsync(file.fileno())  # or a power cut could leave the name without the bytes
        sizes_part.write_text(json.dumps(sizes))
        part.replace(path)
        sizes_part.replace(sizes_path)  # last: it says that the pixels are whole
