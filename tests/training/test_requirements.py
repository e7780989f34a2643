"""What a run needs of memory and disk: the arithmetic, and what is looked up."""

import pytest

from glanet.data.catalog import DataError
from glanet.data.images import find_images, image_size
from glanet.data.patches import PatchStore, decoded_bytes
from glanet.networks import count_parameters
from glanet.training import memory, requirements, train
from glanet.training.folder import RunFolder

PAPER = {"archive": 3_530_603_713, "decoded": 10_000_000_000, "parameters": 18_142_847, "stores": 1}
PLENTY = {"data_disk": 1e12, "run_disk": 1e12, "one_disk": False, "memory": 1e12}


def lacking(**changes):
    return [
        need.what for need in requirements.needs(**{**PAPER, **PLENTY, **changes}) if need.lacking
    ]


def test_a_large_machine_lacks_nothing():
    found = requirements.needs(**PAPER, **PLENTY)
    assert [need.needed for need in found] == [7_061_207_426, 20_000_000_000, 68 * 18_142_847]
    assert not lacking()
    assert str(found[0]) == (
        "✓ disk, to download and unpack the images: 7.06 GB needed, 1000.00 free"
    )


def test_what_is_lacking_is_named_with_a_remedy():
    assert lacking(data_disk=7_061_207_425) == ["disk, to download and unpack the images"]
    assert not lacking(data_disk=7_061_207_426)
    assert lacking(run_disk=68 * 18_142_847 - 1) == ["disk, for checkpoints and weights"]
    assert lacking(memory=19e9) == ["memory, for the decoded images"]
    found = requirements.needs(**{**PAPER, **PLENTY, "data_disk": 1e9})
    assert str(found[0]) == (
        "! disk, to download and unpack the images: 7.06 GB needed, 1.00 free\n"
        "  → make room, or set GLANET_DATA to a folder on a larger disk"
    )


def test_images_beyond_memory_need_a_file_on_disk():
    file = "disk, for a file of decoded images"
    assert lacking(memory=1e9, data_disk=13.6e9) == ["memory, for the decoded images"]
    assert lacking(memory=1e9, data_disk=13.5e9) == ["memory, for the decoded images", file]
    assert lacking(stores=2, memory=39e9) == ["memory, for the decoded images"]
    assert not lacking(stores=2, memory=40e9)


def test_data_and_run_share_one_disk():
    disks = {"data_disk": 7.1e9, "run_disk": 7.1e9}
    assert not lacking(**disks, one_disk=True, decoded=0)
    assert lacking(**disks, one_disk=True, memory=1e9)[1:] == [
        "disk, for a file of decoded images",
        "disk, for checkpoints and weights",
    ]
    disks = {"data_disk": 4e9, "run_disk": 4e9}
    assert not lacking(**disks, one_disk=True, archive=0)


def test_decoded_bytes_are_those_of_the_store(photos):
    for scale in (2, 3, 4):
        store = PatchStore.from_images(photos[0], scale, patch=4)
        sizes = [image_size(path) for path in find_images(photos[0])]
        assert decoded_bytes(sizes, scale) == store.nbytes
    assert decoded_bytes([(5, 7)], 2) == 90


def test_run_bytes_are_the_most_that_a_run_keeps(config, recipe, tmp_path):
    train(config, recipe(), tmp_path, device="cpu")
    parameters = count_parameters(config)
    saved = RunFolder(tmp_path).saved()[-1].stat().st_size
    numbers = 16 * parameters
    assert numbers <= saved < numbers + 100_000  # the rest: names, and buffers
    assert requirements.run_bytes(parameters) == 4 * numbers + 4 * parameters


def test_requirements_look_this_machine_up(config, recipe, monkeypatch, tmp_path):
    found = requirements.requirements(config, recipe(), tmp_path)
    assert [need.what for need in found] == [
        "memory, for the decoded images",
        "disk, for checkpoints and weights",
    ]
    assert not [need for need in found if need.lacking]
    monkeypatch.setenv("GLANET_DATA", str(tmp_path / "empty"))
    archive, memory, *_ = requirements.requirements(config, recipe(data=("DIV2K",)), tmp_path)
    assert archive.needed == 2 * 3_530_603_713
    assert memory.needed == 2 * 800 * 2040**2 * 3 * 5 // 4
    with pytest.raises(DataError, match="T91"):
        requirements.requirements(config, recipe(data=("T91",)), tmp_path)


def test_a_step_on_a_gpu_comes_before_the_images():
    found = requirements.needs(**{**PAPER, **PLENTY, "memory": 30e9}, step=20_000_000_000)
    assert [str(need) for need in found[1:3]] == [
        "✓ GPU memory, for a step: 21.00 GB needed, 30.00 free",
        "! GPU memory, for a step and the decoded images: 31.00 GB needed, 30.00 free\n"
        "  → the images will be read from a file instead, which is slower: see the next line",
    ]
    assert found[3].what == "disk, for a file of decoded images"


def test_requirements_count_the_step_on_a_gpu(config, recipe, monkeypatch, tmp_path):
    monkeypatch.setattr(requirements, "gpu_count", lambda device: 2)
    monkeypatch.setattr(requirements, "free_memory", lambda device: 1_000_000)
    step, images, *_ = requirements.requirements(config, recipe(precision="float32"), tmp_path)
    counted = memory.step_bytes(config, recipe(), bf16=False, processes=2)
    assert step.needed == memory.with_spare(counted)
    assert step.what == "GPU memory, for a step"
    for option in ("--accumulate 2", "--checkpointing True", "--batch"):
        assert option in step.remedy
    assert images.needed > step.needed
