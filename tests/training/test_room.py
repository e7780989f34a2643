"""The room that a run needs: its arithmetic, and what is looked up."""

import pytest

from glanet import GLANet
from glanet.data.catalog import DataError
from glanet.data.images import find_images, image_size
from glanet.data.patches import PatchStore
from glanet.training import checkpoint, room, train

PAPER = {"archive": 3_530_603_713, "decoded": 10_000_000_000, "parameters": 18_142_847, "stores": 1}
ROOMY = {"data_disk": 1e12, "run_disk": 1e12, "one_disk": False, "memory": 1e12}


def lacking(**changes):
    return [need.what for need in room.needs(**{**PAPER, **ROOMY, **changes}) if need.lacking]


def test_a_roomy_machine_lacks_nothing_and_says_what_is_needed():
    found = room.needs(**PAPER, **ROOMY)
    assert [need.needed for need in found] == [7_061_207_426, 20_000_000_000, 68 * 18_142_847]
    assert not lacking()
    assert str(found[0]) == (
        "✓ disk, to download and unpack the images: 7.06 GB needed, 1000.00 free"
    )


def test_what_lacks_is_named_with_what_mends_it():
    assert lacking(data_disk=7_061_207_425) == ["disk, to download and unpack the images"]
    assert not lacking(data_disk=7_061_207_426)
    assert lacking(run_disk=68 * 18_142_847 - 1) == ["disk, for checkpoints and weights"]
    assert lacking(memory=19e9) == ["memory, for the decoded images"]
    found = room.needs(**{**PAPER, **ROOMY, "data_disk": 1e9})
    assert str(found[0]) == (
        "! disk, to download and unpack the images: 7.06 GB needed, 1.00 free\n"
        "  → make room, or set GLANET_DATA to a folder on a larger disk"
    )


def test_images_that_do_not_fit_into_memory_need_a_file_beside_the_unpacked_archive():
    file = "disk, for a file of decoded images"
    assert lacking(memory=1e9, data_disk=13.6e9) == ["memory, for the decoded images"]
    assert lacking(memory=1e9, data_disk=13.5e9) == ["memory, for the decoded images", file]
    assert lacking(stores=2, memory=39e9) == ["memory, for the decoded images"]
    assert not lacking(stores=2, memory=40e9)


def test_on_one_disk_data_and_run_share_the_room():
    disks = {"data_disk": 7.1e9, "run_disk": 7.1e9}
    assert not lacking(**disks, one_disk=True, decoded=0)
    assert lacking(**disks, one_disk=True, memory=1e9)[1:] == [
        "disk, for a file of decoded images",
        "disk, for checkpoints and weights",
    ]
    disks = {"data_disk": 4e9, "run_disk": 4e9}
    assert not lacking(**disks, one_disk=True, archive=0)


def test_the_room_for_images_is_what_the_store_takes(photos):
    for scale in (2, 3, 4):
        store = PatchStore.from_images(photos[0], scale, patch=4)
        sizes = [image_size(path) for path in find_images(photos[0])]
        assert room.decoded_bytes(sizes, scale) == store.nbytes
    assert room.decoded_bytes([(5, 7)], 2) == 90


def test_the_room_for_a_run_is_what_its_largest_moment_takes(network, recipe, tmp_path):
    train(network, recipe(), tmp_path, device="cpu")
    parameters = sum(tensor.numel() for tensor in GLANet(network).parameters())
    saved = checkpoint.checkpoints(tmp_path / "checkpoints")[-1].stat().st_size
    numbers = 16 * parameters
    assert numbers <= saved < numbers + 100_000  # the rest: names, and buffers
    assert room.run_bytes(parameters) == 4 * numbers + 4 * parameters


def test_what_this_machine_has_is_looked_up(network, recipe, monkeypatch, tmp_path):
    found = room.requirements(network, recipe(), tmp_path)
    assert [need.what for need in found] == [
        "memory, for the decoded images",
        "disk, for checkpoints and weights",
    ]
    assert not [need for need in found if need.lacking]
    monkeypatch.setenv("GLANET_DATA", str(tmp_path / "empty"))
    archive, memory, *_ = room.requirements(network, recipe(data=("DIV2K",)), tmp_path)
    assert archive.needed == 2 * 3_530_603_713
    assert memory.needed == 2 * 800 * 2040**2 * 3 * 5 // 4
    with pytest.raises(DataError, match="T91"):
        room.requirements(network, recipe(data=("T91",)), tmp_path)
