"""Batches: the right pixels, drawn the right way, wherever the images lie."""

import os

import numpy as np
import pytest
import torch
from PIL import Image

from glanet.data.catalog import DataError
from glanet.data.degradation import imresize, modcrop
from glanet.data.patches import PatchStore, Plan

PATCH = 6
ON_DISK = {"memory": 0}  # nothing fits in memory
SIZES = [(25, 31), (40, 26), (24, 24)]  # HR height and width; no multiple of every scale


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def save_images(folder, sizes, rng):
    folder.mkdir(exist_ok=True)
    files = []
    for i, (height, width) in enumerate(sizes):
        files.append(folder / f"{i}.png")
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(files[-1])
    return files


@pytest.fixture
def files(tmp_path, rng):
    return save_images(tmp_path / "images", SIZES, rng)


def read(path):
    return np.array(Image.open(path))


def to_uint8(patches):
    """Floating-point (B, 3, p, p) -> uint8 (B, p, p, 3)."""
    return (patches * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def sliced(image, top, left, side, orientation):
    """The oriented patch, the straightforward way."""
    patch = image[top : top + side, left : left + side]
    if orientation & 1:
        patch = np.flipud(patch)
    if orientation & 2:
        patch = np.fliplr(patch)
    return patch.swapaxes(0, 1) if orientation & 4 else patch


def every_plan(store):
    """Every position in every image, in every orientation."""
    rows = [
        (image, top, left, orientation)
        for image, (height, width) in enumerate(store.sizes)
        for top in range(height - store.patch + 1)
        for left in range(width - store.patch + 1)
        for orientation in range(8)
    ]
    return Plan(*np.array(rows).T)


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


# The right pixels


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_lr_and_hr_patches_show_the_same_region(files, scale):
    store = PatchStore.from_images(files, scale, PATCH)
    plan = every_plan(store)
    lr, hr = (to_uint8(side) for side in store.gather(plan))
    hr_images = [modcrop(read(file), scale) for file in files]
    lr_images = [imresize(image, 1 / scale) for image in hr_images]
    for i, (image, top, left, turn) in enumerate(
        zip(plan.image, plan.top, plan.left, plan.orientation, strict=True)
    ):
        expected = sliced(lr_images[image], top, left, PATCH, turn)
        assert np.array_equal(lr[i], expected)
        expected = sliced(hr_images[image], scale * top, scale * left, scale * PATCH, turn)
        assert np.array_equal(hr[i], expected)


def test_orientations_are_the_eight_of_the_square(files):
    store = PatchStore.from_images(files, 2, PATCH)
    zero = np.zeros(8, int)
    lr, _ = store.gather(Plan(zero, zero, zero, np.arange(8)))
    patch = to_uint8(lr)[0]
    rotations = [np.rot90(patch, turns) for turns in range(4)]
    expected = [turned.tobytes() for turned in rotations + [np.fliplr(r) for r in rotations]]
    assert sorted(oriented.tobytes() for oriented in to_uint8(lr)) == sorted(expected)


def test_batches_are_float_in_0_1_of_the_promised_shapes(files):
    lr, hr = PatchStore.from_images(files, 3, PATCH).batch(seed=0, step=0, size=10)
    assert lr.shape == (10, 3, PATCH, PATCH)
    assert hr.shape == (10, 3, 3 * PATCH, 3 * PATCH)
    for side in (lr, hr):
        assert side.dtype == torch.float32
        assert side.is_contiguous(memory_format=torch.channels_last)
        assert 0 <= side.min() < 0.5 < side.max() <= 1


def test_floats_are_the_pixels_divided_by_255_to_the_last_bit(tmp_path):
    ramp = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    store = PatchStore.from_images([tmp_path / "ramp.png"], 1, 16)
    _, hr = store.gather(Plan(*np.zeros((4, 1), int)))
    assert torch.equal(hr[0, 0].flatten(), torch.arange(256) / 255)


def test_given_lr_files_are_used_in_place_of_a_resize(files, tmp_path, rng):
    lr_files = save_images(tmp_path / "lr", [(h // 2, w // 2) for h, w in SIZES], rng)
    store = PatchStore.from_images(list(zip(lr_files, files, strict=True)), 2, PATCH)
    plan = store.plan(seed=0, step=0, size=50)
    lr, hr = store.gather(plan)
    without = PatchStore.from_images(files, 2, PATCH).gather(plan)
    assert torch.equal(hr, without[1])
    for patch, image, top, left, turn in zip(
        to_uint8(lr), plan.image, plan.top, plan.left, plan.orientation, strict=True
    ):
        assert np.array_equal(patch, sliced(read(lr_files[image]), top, left, PATCH, turn))


# Drawn the right way


def test_a_batch_depends_on_seed_step_and_rank_alone(files):
    store, other = (PatchStore.from_images(files, 2, PATCH) for _ in range(2))
    batch = store.batch(seed=3, step=70, size=8, rank=1, world=2)
    store.batch(seed=3, step=71, size=8)
    assert same(batch, store.batch(3, 70, 8, 1, 2))
    assert same(batch, other.batch(3, 70, 8, 1, 2))
    for changed in [(4, 70, 8, 1, 2), (3, 71, 8, 1, 2), (3, 70, 8, 0, 2), (70, 3, 8, 1, 2)]:
        assert not same(batch, store.batch(*changed))


def test_the_draws_are_the_same_on_every_machine_and_version(files):
    plan = PatchStore.from_images(files, 2, PATCH).plan(seed=1, step=2, size=3)
    drawn = np.stack([plan.image, plan.top, plan.left, plan.orientation])
    assert drawn.tolist() == [[0, 0, 1], [6, 6, 9], [1, 2, 6], [1, 5, 6]]


@pytest.mark.parametrize("world", [1, 2, 4])
def test_the_ranks_together_have_the_batch_of_one_process(files, world):
    store = PatchStore.from_images(files, 2, PATCH)
    shares = [store.batch(0, 5, 32, rank, world) for rank in range(world)]
    together = [torch.cat(sides) for sides in zip(*shares, strict=True)]
    assert same(together, store.batch(0, 5, 32))


def test_a_larger_batch_begins_with_the_smaller_one(files):
    store = PatchStore.from_images(files, 2, PATCH)
    small, large = store.plan(0, 5, 8), store.plan(0, 5, 32)
    assert np.array_equal(small.top, large.top[:8])


def chi_square(counts):
    """How far counts are from uniform, in standard deviations of what chance gives."""
    expected = counts.sum() / counts.size
    freedom = counts.size - 1
    return (((counts - expected) ** 2 / expected).sum() - freedom) / np.sqrt(2 * freedom)


def test_images_positions_and_orientations_are_uniform(files):
    store = PatchStore.from_images(files, 2, PATCH)
    plan = store.plan(seed=0, step=0, size=400_000)
    assert abs(chi_square(np.bincount(plan.image))) < 4
    for image, (height, width) in enumerate(store.sizes):
        counts = np.zeros((height - PATCH + 1, width - PATCH + 1, 8), int)
        mine = plan.image == image
        np.add.at(counts, (plan.top[mine], plan.left[mine], plan.orientation[mine]), 1)
        assert counts[[0, 0, -1, -1], [0, -1, 0, -1]].min() > 0
        assert abs(chi_square(counts)) < 4


def test_successive_steps_draw_independently(files):
    store = PatchStore.from_images(files, 2, PATCH)
    orientations = [store.plan(0, step, 16).orientation for step in range(2000)]
    now, then = np.array(orientations[:-1]), np.array(orientations[1:])
    assert abs(chi_square(np.bincount((8 * now + then).ravel(), minlength=64))) < 4


def test_an_image_of_exactly_one_patch_is_used(tmp_path, rng):
    files = save_images(tmp_path, [(2 * PATCH, 2 * PATCH)], rng)
    plan = PatchStore.from_images(files, 2, PATCH).plan(0, 0, 100)
    assert plan.top.max() == plan.left.max() == 0


def test_a_plan_prints_as_words(files):
    store = PatchStore.from_images(files, 2, PATCH)
    told = store.describe(Plan(*np.array([[1], [4], [0], [5]])))
    assert told == [f"{files[1]}: LR rows 4..9, columns 0..5, orientation 5"]


# Wherever the images lie


def test_mapped_batches_equal_batches_from_memory(files, tmp_path):
    held = PatchStore.from_images(files, 2, PATCH)
    for _ in range(2):  # written, then read
        mapped = PatchStore.from_images(files, 2, PATCH, cache=tmp_path / "cache", **ON_DISK)
        assert mapped.mapped
        assert not held.mapped
        assert all(same(held.batch(0, i, 16), mapped.batch(0, i, 16)) for i in range(5))


def test_the_cache_lies_in_the_data_root_by_default(files, tmp_path, monkeypatch):
    monkeypatch.setenv("GLANET_DATA", str(tmp_path / "root"))
    PatchStore.from_images(files, 2, PATCH, **ON_DISK)
    assert list((tmp_path / "root" / ".glanet").glob("*.pixels"))


def test_the_cache_is_written_once(files, tmp_path):
    PatchStore.from_images(files, 2, PATCH, cache=tmp_path, **ON_DISK)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    PatchStore.from_images(files, 2, PATCH, cache=tmp_path, **ON_DISK)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}


def test_a_changed_image_a_scale_or_an_lr_file_makes_another_cache(files, tmp_path, rng):
    cache = tmp_path / "cache"

    def load(source=files, scale=2):
        return PatchStore.from_images(source, scale, PATCH, cache=cache, **ON_DISK)

    load()
    time = files[0].stat().st_mtime
    changed = 255 - read(files[0])
    Image.fromarray(changed).save(files[0])
    os.utime(files[0], (time + 1, time + 1))
    fresh = PatchStore.from_images(files, 2, PATCH)
    assert same(load().batch(0, 0, 64), fresh.batch(0, 0, 64))
    lr_files = save_images(tmp_path / "lr", [(h // 2, w // 2) for h, w in SIZES], rng)
    for source, scale in [(list(zip(lr_files, files, strict=True)), 2), (files, 3)]:
        fresh = PatchStore.from_images(source, scale, PATCH)
        assert same(load(source, scale).batch(0, 0, 64), fresh.batch(0, 0, 64))
    assert len(list(cache.glob("*.pixels"))) == 4


@pytest.mark.parametrize("damage", ["truncated", "sizes missing", "pixels missing"])
def test_a_damaged_cache_is_made_again(files, tmp_path, damage):
    batch = PatchStore.from_images(files, 2, PATCH, cache=tmp_path, **ON_DISK).batch(0, 0, 64)
    (pixels,), (sizes,) = tmp_path.glob("*.pixels"), tmp_path.glob("*.json")
    if damage == "truncated":
        pixels.write_bytes(pixels.read_bytes()[:-1])
    else:
        (sizes if damage == "sizes missing" else pixels).unlink()
    again = PatchStore.from_images(files, 2, PATCH, cache=tmp_path, **ON_DISK)
    assert same(batch, again.batch(0, 0, 64))


def test_an_interrupted_writer_leaves_nothing_that_is_taken_for_whole(files, tmp_path):
    cache = tmp_path / "cache"
    whole = files[1].read_bytes()
    files[1].write_bytes(whole[: len(whole) // 2])  # the header can be read, the pixels cannot
    with pytest.raises(Exception, match=files[1].name):
        PatchStore.from_images(files, 2, PATCH, cache=cache, **ON_DISK)
    assert list(cache.iterdir()) == []


def test_a_full_disk_is_an_error_before_writing(files, tmp_path, monkeypatch):
    full = type("Usage", (), {"free": 100})
    monkeypatch.setattr("shutil.disk_usage", lambda path: full)
    with pytest.raises(DataError, match=r"free; the images take .*GLANET_DATA.*cache"):
        PatchStore.from_images(files, 2, PATCH, cache=tmp_path, **ON_DISK)


def test_pixels_beyond_half_of_free_memory_are_mapped(files, tmp_path, monkeypatch):
    bytes_held = PatchStore.from_images(files, 2, PATCH).nbytes
    assert bytes_held == sum((h // 2) * (w // 2) * 3 * (1 + 4) for h, w in SIZES)
    for free, mapped in [(2 * bytes_held, False), (2 * bytes_held - 2, True)]:
        memory = type("Memory", (), {"available": free})
        monkeypatch.setattr("psutil.virtual_memory", lambda memory=memory: memory)
        assert PatchStore.from_images(files, 2, PATCH, cache=tmp_path).mapped == mapped


def test_pixels_in_a_tensor_give_the_same_batches(files):
    store = PatchStore.from_images(files, 3, PATCH)
    tensor = PatchStore(
        torch.from_numpy(store.pixels),
        store.names,
        store.sizes,
        scale=3,
        patch=PATCH,
        device=store.device,
        left_out=[],
        mapped=False,
    )
    plan = every_plan(store)
    assert same(store.gather(plan), tensor.gather(plan))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("where", [{}, ON_DISK], ids=["on the device", "mapped"])
def test_a_gpu_gives_the_batches_of_a_cpu_to_the_last_bit(files, tmp_path, where):
    cpu = PatchStore.from_images(files, 2, PATCH)
    gpu = PatchStore.from_images(files, 2, PATCH, "cuda", cache=tmp_path, **where)
    assert isinstance(gpu.pixels, torch.Tensor) == (not where)
    for step in range(5):
        lr, hr = gpu.batch(0, step, 32)
        assert lr.is_cuda
        assert hr.is_cuda
        assert same((lr.cpu(), hr.cpu()), cpu.batch(0, step, 32))


# What cannot be used


def test_images_smaller_than_a_patch_are_left_out_and_counted(files, tmp_path, rng):
    small = save_images(tmp_path / "small", [(2 * PATCH - 1, 40), (40, 2 * PATCH - 1), (1, 1)], rng)
    store = PatchStore.from_images(files[:1] + small + files[1:], 2, PATCH)
    assert store.names == [str(file) for file in files]
    assert store.left_out == [str(file) for file in small]
    assert "3 left out" in str(store)


def test_only_small_images_are_rejected_by_folder_and_patch(tmp_path, rng):
    small = save_images(tmp_path / "small", [(20, 20)], rng)
    with pytest.raises(ValueError, match=r"none of the 1 images in .*small .* 48×48 .*smaller"):
        PatchStore.from_images(small, 2, patch=24)


def test_a_folder_can_be_given_in_place_of_its_images(files):
    folder = PatchStore.from_images(files[0].parent, 2, PATCH)
    assert folder.names == [str(file) for file in files]


def test_no_images_are_an_error_that_says_what_to_give(tmp_path):
    with pytest.raises(ValueError, match=r"no images.*give"):
        PatchStore.from_images([], 2)


def test_an_lr_file_of_another_scale_is_rejected(files, tmp_path, rng):
    (lr,) = save_images(tmp_path / "x3", [(8, 10)], rng)
    with pytest.raises(ValueError, match=r"x3.0\.png is 10×8 .*expected 15×12 for .*0\.png at ×2"):
        PatchStore.from_images([(lr, files[0])], 2, PATCH)


def test_an_unreadable_image_is_named(files):
    files[1].write_text("no image")
    with pytest.raises(Exception, match=files[1].name):
        PatchStore.from_images(files, 2, PATCH)


@pytest.mark.parametrize(("size", "rank", "world"), [(0, 0, 1), (9, 0, 2), (8, 2, 2), (8, -1, 2)])
def test_a_batch_that_ranks_cannot_share_is_rejected(files, size, rank, world):
    store = PatchStore.from_images(files, 2, PATCH)
    with pytest.raises(ValueError, match=f"rank {rank} of {world} .* {size}"):
        store.batch(0, 0, size, rank, world)


def test_a_negative_seed_or_step_is_rejected(files):
    store = PatchStore.from_images(files, 2, PATCH)
    for seed, step in [(-1, 0), (0, -1)]:
        with pytest.raises(OverflowError):
            store.batch(seed, step, 4)
