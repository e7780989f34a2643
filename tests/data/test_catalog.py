"""Data sets arrive whole or not at all, whatever the network, the archive or the disk does."""

import dataclasses
import errno
import hashlib
import http.server
import io
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glanet.data import catalog
from glanet.data.catalog import CATALOG, HR, SCALES, Archive, DataError

README = Path(__file__).parents[2] / "data" / "README.md"
COUNTS = {"Set5": 5, "Set14": 14, "B100": 100, "Urban100": 100}


# What the tests are made of


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves ``server.files``; the n-th request meets the n-th of ``server.troubles``."""

    def do_GET(self):
        server, wanted = self.server, self.headers["Range"]
        server.requests.append(wanted)
        trouble = server.troubles.pop(0) if server.troubles else None
        if trouble == "500":
            self.send_error(500)
            return
        content = server.files[self.path]
        if server.resumes:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            content = content[start:]
        else:
            self.send_response(200)
        if trouble != "cut unseen":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if trouble == "meet":  # before the content: who has that does not wait for the other
            server.meeting.wait()
        whole = trouble in (None, "meet")
        self.wfile.write(content if whole else content[: len(content) // 2])
        if trouble == "stall":
            server.over.wait()

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    """A web server on this machine, with whatever troubles a test gives it."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.requests, server.troubles, server.resumes = {}, [], [], True
    server.meeting, server.over = threading.Barrier(2, timeout=20), threading.Event()
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def root(tmp_path, monkeypatch):
    """An empty data root; what lies beside it is watched by the tests on unsafe archives."""
    monkeypatch.setenv("GLANET_DATA", str(tmp_path / "root"))
    monkeypatch.setattr(catalog, "_PAUSE", 0)
    monkeypatch.setattr(catalog, "_CHUNK", 1024)  # the archives here are small
    return tmp_path.resolve() / "root"


@pytest.fixture
def publish(server, monkeypatch):
    """Let an archive be what holds the images of a set at some scales."""

    def publish(content, name="Set5", scales=(HR,), **changes):
        base = "DIV2K" if CATALOG[name].folder.startswith("DIV2K") else ""
        url = f"http://127.0.0.1:{server.server_port}/{hashlib.md5(content).hexdigest()}"
        url += ".zip" if content[:2] == b"PK" else ".tar"
        archive = Archive(url, len(content), f"md5:{hashlib.md5(content).hexdigest()}", base)
        archive = dataclasses.replace(archive, **changes)
        server.files[url[url.rindex("/") :]] = content
        archives = CATALOG[name].archives | dict.fromkeys(scales, archive)
        changed = dataclasses.replace(CATALOG[name], archives=archives)
        monkeypatch.setitem(CATALOG, name, changed)
        return archive

    return publish


def png(width=8, height=8):
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def zipped(members, **options):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def tarred(members):
    """A tar of {name: bytes, or a TarInfo without content}."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                content.name = name
                archive.addfile(content)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def benchmark(name, count=None, scales=(HR, *SCALES)):
    """Members of EDSR's archive."""
    members = {}
    for i in range(count or CATALOG[name].count):
        for scale in scales:
            if scale == HR:
                members[f"benchmark/{name}/HR/{i}.png"] = png(24, 24)
            else:
                folder = f"benchmark/{name}/LR_bicubic/X{scale}"
                members[f"{folder}/{i}x{scale}.png"] = png(24 // scale, 24 // scale)
    return members


def div2k(folder, numbers, mark=""):
    return {f"{folder}/{number:04}{mark}.png": png() for number in numbers}


def lay(folder, names, content=None):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(content or png())


def nothing_in(root):
    return not [path for path in root.rglob("*") if path.is_file() or path.name.startswith(".")]


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# What is downloaded is whole


def test_a_set_is_downloaded_once_and_is_what_was_published(root, server, publish):
    members = benchmark("Set5", scales=(HR,))
    publish(tarred(members))
    assert catalog.status("Set5").state == "absent"
    assert catalog.get("Set5") == root / "benchmark/Set5/HR"
    assert {name: (root / name).read_bytes() for name in files_in(root)} == members
    assert catalog.status("Set5") == catalog.Status("present", {HR: 5}, ())
    catalog.get("Set5")
    assert len(server.requests) == 1


def test_one_download_brings_all_benchmarks_with_their_lr_images(root, server, publish):
    members = {key: value for name in COUNTS for key, value in benchmark(name).items()}
    content = tarred(members)
    for name in COUNTS:
        publish(content, name, (HR, *SCALES))
    catalog.get("Urban100")
    assert files_in(root) == sorted(members)
    for name, count in COUNTS.items():
        catalog.get(name, 4)
        assert catalog.status(name).found == dict.fromkeys((HR, *SCALES), count)
        assert catalog.verify(name) == []
    assert len(server.requests) == 1


def test_div2k_lies_where_its_archives_say(root, publish):
    publish(zipped(div2k("DIV2K_valid_HR", range(801, 901))), "DIV2K-valid")
    lr = div2k("DIV2K_valid_LR_bicubic/X2", range(801, 901), "x2")
    publish(zipped(lr), "DIV2K-valid", [2])
    assert catalog.get("DIV2K-valid", 2) == root / "DIV2K/DIV2K_valid_HR"
    (lr, hr), *rest = catalog.pairs("DIV2K-valid", 2)
    assert lr == root / "DIV2K/DIV2K_valid_LR_bicubic/X2/0801x2.png"
    assert hr == root / "DIV2K/DIV2K_valid_HR/0801.png"
    assert len(rest) == 99


def test_images_already_there_stay_as_they_are(root, publish):
    mine = png(9, 9)
    lay(root / "benchmark/Set5/HR", [f"{i}.png" for i in range(5)], mine)
    content = tarred(benchmark("Set5") | benchmark("Set14"))
    for name in ("Set5", "Set14"):
        publish(content, name, (HR, *SCALES))
    catalog.get("Set14")
    assert (root / "benchmark/Set5/HR/0.png").read_bytes() == mine
    assert catalog.status("Set5").found == dict.fromkeys((HR, *SCALES), 5)


def test_an_empty_folder_is_filled(root, publish):
    publish(tarred(benchmark("Set5")))
    (root / "benchmark/Set5/HR").mkdir(parents=True)
    catalog.get("Set5")
    assert catalog.status("Set5").state == "present"


def test_a_shared_archive_serves_though_it_lacks_another_set(root, publish):
    content = tarred(benchmark("Set5") | benchmark("Set14", 13))
    for name in ("Set5", "Set14"):
        publish(content, name)
    catalog.get("Set5")
    assert catalog.status("Set5").state == "present"
    assert catalog.status("Set14").state == "absent"
    with pytest.raises(DataError, match="holds 13 images, expected 14"):
        catalog.get("Set14")


# The network fails


@pytest.mark.parametrize("resumes", [True, False], ids=["goes on", "starts again"])
@pytest.mark.parametrize("trouble", ["cut", "500"])
def test_a_broken_download_is_mended(root, server, publish, trouble, resumes):
    content = tarred(benchmark("Set5"))
    publish(content)
    server.troubles, server.resumes = [trouble], resumes
    catalog.get("Set5")
    assert catalog.verify("Set5") == []
    got = len(content) // 2 // 1024 * 1024 if trouble == "cut" else 0
    assert server.requests == ["bytes=0-", f"bytes={got}-"]


def test_a_download_that_advances_may_break_any_number_of_times(root, server, publish):
    publish(tarred(benchmark("Set5")))
    server.troubles = ["cut", "500"] * 5
    catalog.get("Set5")
    assert catalog.verify("Set5") == []


@pytest.mark.parametrize("trouble", ["cut", "500"])
def test_a_stuck_download_fails_and_leaves_nothing(root, server, publish, trouble):
    archive = publish(tarred(benchmark("Set5")))
    server.troubles, server.resumes = [trouble] * 99, False
    with pytest.raises(DataError, match=r"cannot be downloaded.*Check the network") as error:
        catalog.get("Set5")
    assert archive.url in str(error.value)
    assert len(server.requests) < 9
    assert nothing_in(root)


def test_offline_the_error_says_where_to_put_files(root, server, publish):
    publish(tarred(benchmark("Set5")))
    server.shutdown()
    server.server_close()
    with pytest.raises(DataError, match="in another way") as error:
        catalog.get("Set5")
    assert str(root / "benchmark/Set5/HR") in str(error.value)
    assert nothing_in(root)


def test_a_wrong_hash_is_rejected_with_both_hashes(root, server, publish):
    content = tarred(benchmark("Set5"))
    archive = publish(content, hash="sha256:" + 64 * "0")
    with pytest.raises(DataError) as error:
        catalog.get("Set5")
    for part in (
        archive.url,
        64 * "0",
        hashlib.sha256(content).hexdigest(),
        "glanet data get Set5",
    ):
        assert part in str(error.value)
    assert nothing_in(root)


def test_a_file_that_ends_early_is_rejected(root, server, publish):
    publish(tarred(benchmark("Set5")))
    server.troubles = ["cut unseen"]
    with pytest.raises(DataError, match="md5 of what came"):
        catalog.get("Set5")
    assert nothing_in(root)


# The archive is not what it should be


def member(kind, target=""):
    info = tarfile.TarInfo()
    info.type, info.linkname = kind, target
    return info


def zip_link(target):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        link = zipfile.ZipInfo("benchmark/Set5/HR/0.png")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, target)
    return file.getvalue()


OUTSIDE = ["../x", "a/../../x", "/{beside}/x", "..\\x", "C:\\x", "C:x", "\\x"]
NO_FILES = {
    "a link that leads out": member(tarfile.SYMTYPE, "../../../../.."),
    "an absolute link": member(tarfile.SYMTYPE, "/etc"),
    "a hard link": member(tarfile.LNKTYPE, "../../x"),
    "a device": member(tarfile.CHRTYPE),
    "a pipe": member(tarfile.FIFOTYPE),
}


def refused(root, publish, content, message):
    """The archive is refused, and nothing is written, in the data root or beside it."""
    publish(content)
    before = files_in(root.parent)
    with pytest.raises(DataError, match=message):
        catalog.get("Set5")
    assert files_in(root.parent) == before
    assert nothing_in(root)


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize("name", OUTSIDE)
def test_an_archive_member_outside_the_folder_is_rejected(root, publish, pack, name):
    name = name.format(beside=root.parent)
    content = pack(benchmark("Set5") | {name: b"x"})
    refused(root, publish, content, re.escape(f"{name!r} would be written outside"))


@pytest.mark.parametrize("what", NO_FILES)
def test_a_tar_member_that_is_no_file_is_rejected(root, publish, what):
    name = "benchmark/Set5/link"
    content = tarred(benchmark("Set5") | {name: NO_FILES[what], f"{name}/x": b"x"})
    refused(root, publish, content, "is a link or a device")


def test_a_link_in_a_zip_is_rejected(root, publish):
    refused(root, publish, zip_link("/etc/passwd"), "is a link or a device")


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        (range(1, 901), r"holds 900 images, expected 800, 0001 to 0800; not expected: 0801, 0802"),
        (range(800), r"holds 800 images.*missing: 0800; not expected: 0000"),
        ([], r"holds 0 images"),
    ],
)
def test_the_training_set_is_0001_to_0800_and_no_other(root, publish, numbers, message):
    publish(zipped({"other/0001.png": png()} | div2k("DIV2K_train_HR", numbers)), "DIV2K")
    with pytest.raises(DataError, match=message):
        catalog.get("DIV2K")
    assert nothing_in(root)


def test_the_training_set_of_800_is_taken(root, publish):
    publish(zipped(div2k("DIV2K_train_HR", range(1, 801))), "DIV2K")
    catalog.get("DIV2K")
    assert [path.stem for path in catalog.hr_images("DIV2K")][::799] == ["0001", "0800"]


# The disk is full


@pytest.fixture
def small_files():
    """The system refuses to write any file beyond 64 KiB, as a quota would."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_quota_reached_in_download_or_unpacking_leaves_nothing(
    root, server, publish, small_files, compression
):
    large = {"benchmark/Set5/HR/large.png": bytes(2**20)}  # deflated, a KiB
    archive = publish(zipped(benchmark("Set5") | large, compression=compression))
    with pytest.raises(DataError, match=r"no room.*a quota may allow less") as error:
        catalog.get("Set5")
    assert f"{2 * archive.size:,} bytes" in str(error.value)
    assert len(server.requests) == 1
    assert nothing_in(root)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_leaves_nothing(root, publish, monkeypatch, code):
    def full(_):
        raise OSError(code, os.strerror(code))

    publish(tarred(benchmark("Set5")))
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="no room"):
        catalog.get("Set5")
    assert nothing_in(root)


def test_too_little_room_is_an_error_before_downloading(root, server, publish, monkeypatch):
    archive = publish(tarred(benchmark("Set5")))
    usage = type("Usage", (), {"free": 1234})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DataError, match=f"{2 * archive.size:,} bytes .* 1,234 are free"):
        catalog.get("Set5")
    assert server.requests == []
    assert not root.exists()


def test_a_data_root_that_cannot_be_written_is_named(root, publish):
    publish(tarred(benchmark("Set5")))
    root.write_text("a file")
    with pytest.raises(DataError, match=r"root.* cannot be written .*GLANET_DATA"):
        catalog.get("Set5")


# Several processes, killed processes

# The module alone: the package would import torch, which takes seconds.
GET = """
import dataclasses, sys
sys.path.append(sys.argv[1])
import catalog
archive = catalog.Archive(sys.argv[2], int(sys.argv[3]), sys.argv[4], base="")
dataset = dataclasses.replace(catalog.CATALOG["Set5"], archives={catalog.HR: archive})
catalog.CATALOG["Set5"] = dataset
catalog.get("Set5")
"""


def start_get(archive):
    """Another process that gets Set5."""
    arguments = [Path(catalog.__file__).parent, archive.url, archive.size, archive.hash]
    command = [sys.executable, "-c", GET, *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE)


def nothing_hidden_in(root):
    return not list(root.rglob(".*"))


def test_two_processes_at_once_give_one_whole_set(root, server, publish):
    members = benchmark("Set5", scales=(HR,))
    archive = publish(tarred(members))
    server.troubles = ["meet", "meet"]
    processes = [start_get(archive) for _ in range(2)]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()
    assert len(server.requests) == 2
    assert files_in(root) == sorted(members)
    assert nothing_hidden_in(root)


def test_after_a_kill_the_next_run_cleans_up(root, server, publish):
    archive = publish(tarred(benchmark("Set5")))
    server.troubles = ["stall"]
    process = start_get(archive)
    while not server.requests:
        assert process.poll() is None, process.stderr.read().decode()
    process.kill()
    process.communicate()
    assert catalog.status("Set5").state == "absent"
    assert not nothing_hidden_in(root)
    catalog.get("Set5")
    assert catalog.verify("Set5") == []
    assert nothing_hidden_in(root)


def test_what_other_processes_and_machines_use_is_left_alone(root, publish):
    publish(tarred(benchmark("Set5")))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    running = f".unfinished-{platform.node()}-{os.getppid()}-abc"
    elsewhere = f".unfinished-another-machine-{ended.pid}-abc"
    mine = f".unfinished-{platform.node()}-{os.getpid()}-abc"  # of a process that had my number
    for name in (running, elsewhere, mine):
        lay(root / "benchmark" / name, ["part"])
    catalog.get("Set5")
    left = {path.name for path in (root / "benchmark").glob(".unfinished*")}
    assert left == {running, elsewhere}


def test_a_set_that_another_process_finished_first_is_used(root, publish, monkeypatch):
    publish(tarred(benchmark("Set5")))
    unpack, theirs = catalog._unpack, png(9, 9)

    def be_slow(packed, into):
        unpack(packed, into)
        lay(root / "benchmark/Set5/HR", [f"{i}.png" for i in range(5)], theirs)

    monkeypatch.setattr(catalog, "_unpack", be_slow)
    assert (catalog.get("Set5") / "0.png").read_bytes() == theirs
    assert nothing_hidden_in(root)


# Brought by hand


def test_manga109_is_asked_for_from_its_owners(root):
    with pytest.raises(DataError, match=r"owners.*manga109\.org.*licence") as error:
        catalog.get("Manga109")
    assert str(root / "benchmark/Manga109/HR") in str(error.value)


@pytest.mark.parametrize("name", ["T91", "BSDS200", "BSDS500-test", "CID22", "CLIC2025"])
def test_a_set_without_url_names_its_source_and_its_place(root, name):
    with pytest.raises(DataError, match=r"cannot be downloaded.*(Yang|Berkeley|https://)") as error:
        catalog.get(name)
    assert str(root / "train" / name) in str(error.value)


def test_a_set_brought_by_hand_is_recognised(root):
    lay(root / "benchmark/Manga109/HR", [f"{i}.png" for i in range(109)])
    lay(root / "benchmark/Manga109/HR", ["._0.png", ".DS_Store", "readme.txt"])
    assert catalog.status("Manga109").state == "present"
    assert catalog.present() == ["Manga109"]
    assert len(catalog.hr_images("Manga109")) == 109
    assert catalog.get("Manga109") == root / "benchmark/Manga109/HR"


def test_other_pixels_than_those_on_record_are_reported(root, monkeypatch):
    monkeypatch.setitem(CATALOG, "T91", dataclasses.replace(CATALOG["T91"], count=2))
    folder = root / "train/T91"
    folder.mkdir(parents=True)
    for stem, colour in (("a", "red"), ("b", "blue")):
        Image.new("RGB", (4, 3), colour).save(folder / f"{stem}.png")
    digest = catalog.pixel_digest(folder.iterdir())
    monkeypatch.setitem(CATALOG, "T91", dataclasses.replace(CATALOG["T91"], digest=digest))
    assert catalog.verify("T91") == []

    Image.open(folder / "a.png").save(folder / "a.webp", lossless=True)
    (folder / "a.png").unlink()
    assert catalog.verify("T91") == []  # another file, the same pixels

    Image.new("RGB", (4, 3), (254, 0, 0)).save(folder / "a.webp", lossless=True)
    (problem,) = catalog.verify("T91")
    assert problem.startswith(f"{folder} holds other pixels than the T91 that is on record")


def test_a_folder_with_too_few_images_is_reported_and_not_touched(root, server, publish):
    publish(tarred(benchmark("Set5")))
    lay(root / "benchmark/Set5/HR", ["0.png", "1.png"])
    assert catalog.status("Set5").state == "incomplete"
    assert "problem  " in catalog.describe("Set5")
    assert catalog.present() == []
    for use in (catalog.get, catalog.hr_images):
        with pytest.raises(
            DataError, match=r"HR holds 2 images, expected 5\..*glanet data get Set5"
        ):
            use("Set5")
    assert files_in(root) == ["benchmark/Set5/HR/0.png", "benchmark/Set5/HR/1.png"]
    assert server.requests == []


# Pairs


@pytest.fixture
def three(root, monkeypatch):
    """Set5 with three images of its own, whose names sort in another way with x2 after them."""
    monkeypatch.setitem(CATALOG, "Set5", dataclasses.replace(CATALOG["Set5"], count=3))
    lay(root / "benchmark/Set5/HR", ["1.png", "10.png", "a.png"], png(9, 8))
    lay(root / "benchmark/Set5/LR_bicubic/X2", ["1x2.png", "10x2.png", "ax2.png"], png(4, 4))
    return root / "benchmark/Set5"


def test_lr_and_hr_are_paired_by_name_not_by_order(three):
    pairs = catalog.pairs("Set5", 2)
    named = [("1x2", "1"), ("10x2", "10"), ("ax2", "a")]
    assert [(lr.stem, hr.stem) for lr, hr in pairs] == named
    assert [lr for lr, _ in pairs] != sorted(lr for lr, _ in pairs)


def test_images_without_a_partner_are_named(three):
    (three / "LR_bicubic/X2/ax2.png").rename(three / "LR_bicubic/X2/bx2.png")
    with pytest.raises(DataError, match=r"HR/a\.png.*X2/bx2\.png without a partner.*rename"):
        catalog.pairs("Set5", 2)
    assert [problem.rsplit(" has", 1)[0] for problem in catalog.verify("Set5")] == [
        str(three / "HR/a.png"),
        str(three / "LR_bicubic/X2/bx2.png"),
    ]


def test_lr_that_is_absent_is_asked_for_by_the_command_that_brings_it(three):
    with pytest.raises(DataError, match=r"X3 holds 0 images.*glanet data get Set5 --scale 3"):
        catalog.pairs("Set5", 3)


def test_lr_that_nobody_publishes_is_made_with_imresize():
    with pytest.raises(DataError, match=r"T91 has no images at ×2.*degradation\.imresize"):
        catalog.get("T91", 2)


# Verification


def test_a_complete_set_passes_verification(three):
    assert catalog.verify("Set5") == []


def test_a_damaged_image_is_found_by_decoding_it(three):
    large = png(100, 100)
    (three / "HR/a.png").write_bytes(large[: len(large) // 2])
    lay(three / "LR_bicubic/X2", ["ax2.png"], png(50, 50))
    (problem,) = catalog.verify("Set5")
    assert problem.startswith(f"{three / 'HR/a.png'} cannot be read as an image")


def test_a_file_that_is_no_image_is_found(three):
    (three / "HR/a.png").write_text("<html>")
    (problem,) = catalog.verify("Set5")
    assert problem.startswith(f"{three / 'HR/a.png'} cannot be read as an image")


def test_an_lr_image_of_another_scale_is_found(three):
    lay(three / "LR_bicubic/X2", ["ax2.png"], png(3, 4))
    (problem,) = catalog.verify("Set5")
    assert problem.endswith("ax2.png is 3×4 pixels, which is not 9×8, as a.png is, divided by 2")


def test_an_absent_set_and_a_missing_image_are_found(root, three):
    (three / "HR/a.png").unlink()
    assert catalog.verify("Set5")[0] == f"{three / 'HR'} holds 2 images, expected 3"
    assert catalog.verify("Set14") == [f"{root / 'benchmark/Set14/HR'} holds 0 images, expected 14"]


# The catalogue


def test_every_address_is_https_with_a_hash_and_a_size():
    archives = [archive for dataset in CATALOG.values() for archive in dataset.archives.values()]
    assert len(set(archives)) == 9
    for archive in archives:
        assert re.match(r"https://(data\.vision\.ee\.ethz\.ch|cv\.snu\.ac\.kr)/", archive.url)
        assert re.fullmatch("sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}", archive.hash)
        assert archive.size > 10**7


def test_every_set_has_a_source_terms_and_a_citation():
    for dataset in CATALOG.values():
        assert dataset.bundled + bool(dataset.archives) + bool(dataset.by_hand) == 1
        assert dataset.terms
        assert re.search(r"(19|20)\d\d\.", dataset.citation)


def test_the_readme_tells_of_every_set():
    text = README.read_text(encoding="utf-8")
    for name, dataset in CATALOG.items():
        assert f"| `{name}` | {dataset.count} |" in text
        assert dataset.bundled or f"`{dataset.folder.removesuffix('/HR')}`" in text
        assert all(sentence in text for sentence in re.split(r"(?<=\d\.) ", dataset.citation))


def test_the_photographs_are_there_without_a_network(root):
    photos = catalog.hr_images("photos")
    assert [path.name for path in photos][::5] == ["astronaut.png", "rocket.jpg"]
    assert all(Image.open(path).mode == "RGB" for path in photos)
    assert catalog.get("photos") == photos[0].parent
    assert catalog.verify("photos") == []
    assert catalog.present() == []


def test_an_unknown_name_is_rejected_with_the_known_ones():
    with pytest.raises(DataError, match=r"Set6: no such data set.*Set5, Set14"):
        catalog.get("Set6")


def test_the_table_and_the_descriptions_say_what_is_here(three):
    rows = {line.split()[0]: line for line in catalog.table().splitlines() if line}
    assert set(CATALOG) < set(rows)
    assert "present, LR ×2" in rows["Set5"]
    assert "absent" in rows["DIV2K"]
    assert "3.53 GB" in rows["DIV2K"]
    assert "by hand" in rows["Manga109"]
    for name, dataset in CATALOG.items():
        text = catalog.describe(name)
        for archive in dataset.archives.values():
            assert archive.url in text
            assert archive.hash in text
        assert dataset.terms in text
        assert dataset.citation in text


def test_data_root_is_the_variable_checkout_or_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GLANET_DATA", str(tmp_path))
    assert catalog.data_root() == tmp_path.resolve()
    monkeypatch.setenv("GLANET_DATA", "")
    assert catalog.data_root() == README.parent
    monkeypatch.setattr(catalog, "__file__", str(tmp_path / "site-packages/glanet/data/catalog.py"))
    assert catalog.data_root().name == "glanet"
    assert catalog.data_root().is_absolute()


def test_the_images_of_this_machine_are_recognised(data_root, monkeypatch):
    monkeypatch.setenv("GLANET_DATA", str(data_root))
    lr = dict.fromkeys(SCALES)
    sets = {"Set5": lr, "Set14": lr, "B100": {}, "CID22": {}, "CLIC2025": {}}
    counts = {name: CATALOG[name].count for name in sets}
    for name, scales in sets.items():
        found = catalog.status(name)
        assert found.state == "present"
        assert found.found.items() >= dict.fromkeys((HR, *scales), counts[name]).items()
        assert catalog.verify(name) == []
    assert {"T91", "BSDS200", "BSDS500-test"} <= set(catalog.present())
    found = [hr.stem for _, hr in catalog.pairs("Set5", 2)]
    assert found == ["baby", "bird", "butterfly", "head", "woman"]
