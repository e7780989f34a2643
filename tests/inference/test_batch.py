"""Many files: where results go, what is skipped, and that one failure does not stop the rest."""

import io
import os
import threading

import numpy as np
import pytest
from PIL import Image

from glanet.data.images import read_rgb, write_image
from glanet.files import PART
from glanet.inference import batch, report
from glanet.inference.batch import DONE, FAILED, LEFT_OUT, SKIPPED, plan, upscale_all
from glanet.inference.photo import Enlarger
from tests.inference.nearest import Nearest, Silent


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working directory: photos a.png and deep/b.jpg in the folder in."""
    monkeypatch.chdir(tmp_path)
    picture("in/a.png")
    picture("in/deep/b.jpg")
    return tmp_path


def picture(name, size=(4, 3), **options):
    path = batch.Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (9, 99, 199)).save(path, **options)
    return path


def targets(*inputs, **options):
    """source -> target, or what was decided about it."""
    return {
        str(outcome.source): outcome.state or str(outcome.target)
        for outcome in plan(inputs, **{"label": "-x2", **options})
    }


def carried_out(*inputs, animated=False, **options):
    planned = plan(inputs, **{"label": "-x2", **options})
    return list(upscale_all(planned, Enlarger(Nearest()), Silent(), animated=animated))


# Where results go


def test_results_lie_beside_their_inputs_or_in_a_folder_of_the_same_structure(here):
    assert targets("in") == {"in/a.png": "in/a-x2.png", "in/deep/b.jpg": "in/deep/b-x2.jpg"}
    assert targets("in", out=batch.Path("out")) == {
        "in/a.png": "out/a.png",
        "in/deep/b.jpg": "out/deep/b.jpg",
    }
    assert targets("in/a.png", "in/deep/b.jpg", out=batch.Path("out"), ending=".webp") == {
        "in/a.png": "out/a.webp",
        "in/deep/b.jpg": "out/b.webp",
    }


def test_one_file_is_named_or_put_into_a_folder(here):
    assert targets("in/a.png", out=batch.Path("x.jpg")) == {"in/a.png": "x.jpg"}
    assert targets("in/a.png", out=batch.Path("x")) == {"in/a.png": "x/a.png"}
    (here / "x.jpg").mkdir()
    assert targets("in/a.png", out=batch.Path("x.jpg")) == {"in/a.png": "x.jpg/a.png"}


def test_patterns_and_several_inputs_name_each_file_once(here):
    assert targets("in/*.png", "in/**/*.jpg", "in/a.png", "in") == {
        "in/a.png": "in/a-x2.png",
        "in/deep/b.jpg": "in/deep/b-x2.jpg",
    }


def test_a_name_that_looks_like_a_pattern_is_the_file_of_that_name(here):
    picture("in/[1].png")
    assert targets("in/[1].png") == {"in/[1].png": "in/[1]-x2.png"}


def test_results_are_no_inputs_also_at_another_scale_and_in_the_folder_of_the_results(here):
    for name in ("in/a-x2.png", "in/a-x4.jpg", "in/out/c.png"):
        picture(name)
    assert targets("in", out=batch.Path("in/out")).keys() == {
        *("in/a.png", "in/deep/b.jpg", "in/a-x2.png", "in/a-x4.jpg")
    }
    beside = targets("in")
    assert [beside[name] for name in ("in/a-x2.png", "in/a-x4.jpg")] == [LEFT_OUT, LEFT_OUT]


def test_a_result_that_would_replace_an_input_or_another_result_is_rejected(here):
    picture("in/a.jpg")
    picture("other/a.png")
    (here / "link").symlink_to("in")
    rejections = [
        (["in/a.png"], {"out": batch.Path("in/a.png")}, "in/a.png: the source itself"),
        (["in/a.png"], {"out": batch.Path("link/a.png")}, "link/a.png: the source itself"),
        (["in"], {"out": batch.Path("link")}, "the source itself"),
        (["in/a.png", "other"], {"out": batch.Path("other")}, "also an input"),
        (["in"], {"ending": ".png"}, "in/a-x2.png: also the result of in/a.jpg"),
        (["in"], {"out": batch.Path("x.png")}, "x.png: a file; several results need a folder"),
        (["in/a.png"], {"out": batch.Path("x.gif")}, r".gif cannot be written. Use .avif, .bmp"),
        (["in/a.png"], {"out": batch.Path("v1.5")}, "or create the folder first if it is one"),
    ]
    for inputs, options, says in rejections:
        outcomes = plan(inputs, overwrite=True, **{"label": "-x2", **options})
        assert any(o.state == FAILED and says in o.reason for o in outcomes), (inputs, options)


def test_inputs_that_are_not_there_are_named(here):
    (here / "empty").mkdir()
    for given, says in {
        "empty": "empty: no image in it. Choose a folder with files that end in .avif, .bmp",
        "no*.png": "no*.png: no file matches this pattern",
        "in/\0.png": "embedded null",
    }.items():
        (outcome,) = plan([given])
        assert outcome.state == FAILED
        assert says in outcome.reason


def test_a_name_for_the_result_without_its_option_is_explained(here):
    outcomes = plan(["in/a.png", "x.png"], label="-x2")
    assert [outcome.state for outcome in outcomes] == ["", FAILED]
    assert outcomes[1].reason == "x.png: no such file. If the result is to have it, add -o."


def test_a_folders_files_that_are_no_images_are_counted(here):
    for name in ("a.CR2", "b.cr2", "notes", ".hidden.txt", "deep/page.html"):
        (here / "in" / name).touch()
    outcomes = carried_out("in")
    assert [outcome.state for outcome in outcomes] == [LEFT_OUT, DONE, DONE]
    assert report.line(outcomes[0]) == "in: left out 4 with other endings: .cr2, .html, no ending"
    assert report.summary(outcomes) == "2 files: 2 enlarged, 0 skipped, 0 failed"
    assert report.document(outcomes, 2, "tiny-x2")["files"][0]["state"] == "left out"


def test_a_folder_that_cannot_be_searched_is_named_and_the_others_are(here, monkeypatch):
    search = os.scandir

    def scandir(path):
        if os.fspath(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", path)
        return search(path)

    monkeypatch.setattr(os, "scandir", scandir)
    outcomes = plan(["in"], label="-x2")
    assert [outcome.state for outcome in outcomes] == ["", FAILED]
    assert outcomes[1].reason == "in/deep: Permission denied. Check the path."


def test_a_loop_of_links_ends(here):
    (here / "loop").symlink_to("loop")
    (here / "in" / "deep" / "up").symlink_to("..")
    (here / "in" / "loop.png").symlink_to("loop.png")
    assert plan(["loop"])[0].state == FAILED or carried_out("loop")[0].state == FAILED
    states = {outcome.source.name: outcome.state for outcome in carried_out("in")}
    assert states == {"a.png": DONE, "b.jpg": DONE, "loop.png": FAILED}


def test_a_folder_in_the_place_of_a_result_is_named_before_any_work(here):
    (here / "in" / "a-x2.png").mkdir()
    outcomes = {outcome.source.name: outcome for outcome in plan(["in"], label="-x2")}
    assert "in/a-x2.png: a folder; expected a file" in outcomes["a.png"].reason


def test_a_folder_that_cannot_be_written_is_named_before_any_work(here, monkeypatch):
    def full(dir):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(batch, "TemporaryFile", full)
    assert plan(["in/a.png"], label="-x2")[0].reason == (
        "in/a-x2.png: Read-only file system. Check the path."
    )
    (here / "file").touch()
    assert "file is a file" in plan(["in/a.png"], out=batch.Path("file/x.png"))[0].reason


def test_a_folder_of_results_that_cannot_be_looked_into_is_named(here, monkeypatch):
    def is_dir(path):
        if path.name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return look(path)

    look = batch.Path.is_dir
    monkeypatch.setattr(batch.Path, "is_dir", is_dir)
    (outcome,) = plan(["in/a.png"], out=batch.Path("closed"))
    assert outcome.reason == "closed: Permission denied. Check the path."


# Carrying it out


def test_what_is_done_is_not_done_again_unless_asked_for(here):
    assert [outcome.state for outcome in carried_out("in")] == [DONE, DONE]
    before = (here / "in/a-x2.png").stat().st_mtime_ns
    assert [o.state for o in carried_out("in/a.png", "in/deep/b.jpg")] == [SKIPPED, SKIPPED]
    assert (here / "in/a-x2.png").stat().st_mtime_ns == before
    assert [outcome.state for outcome in carried_out("in/a.png", overwrite=True)] == [DONE]
    assert (here / "in/a-x2.png").stat().st_mtime_ns > before


def test_one_photograph_is_read_while_another_is_computed_and_a_third_written(here, monkeypatch):
    for name in ("1.png", "2.png", "3.png"):
        picture(f"three/{name}")
    at_once = threading.Barrier(3, timeout=20)  # breaks, where one of the three waits for another

    def reading(path, deep):
        if path.name == "3.png":
            at_once.wait()
        return read(path, deep)

    def computing(self, photo, progress):
        computed.append(photo)
        if len(computed) == 2:
            at_once.wait()
        return compute(self, photo, progress)

    def writing(path, frames, quality):
        if path.name == "1-x2.png":
            at_once.wait()
        return write(path, frames, quality)

    computed, read, compute, write = [], batch.read_image, Enlarger.__call__, batch.write
    monkeypatch.setattr(batch, "read_image", reading)
    monkeypatch.setattr(Enlarger, "__call__", computing)
    monkeypatch.setattr(batch, "write", writing)
    assert [outcome.state for outcome in carried_out("three")] == [DONE] * 3


def test_a_bad_file_does_not_stop_the_rest(here):
    (here / "in/b.png").write_text("no image")
    (here / "in/c.png").write_bytes((here / "in/a.png").read_bytes()[:-30])
    outcomes = {outcome.source.name: outcome for outcome in carried_out("in")}
    assert {name: outcome.state for name, outcome in outcomes.items()} == {
        "a.png": DONE,
        "b.jpg": DONE,
        "b.png": FAILED,
        "c.png": FAILED,
    }
    assert "in/b.png: not an image" in outcomes["b.png"].reason
    assert sorted(path.name for path in (here / "in").iterdir()) == [
        *("a-x2.png", "a.png", "b.png", "c.png", "deep")
    ]
    assert np.array_equal(
        np.asarray(Image.open("in/a-x2.png")),
        np.asarray(Image.open("in/a.png")).repeat(2, axis=0).repeat(2, axis=1),
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows deletes no open file")
def test_what_a_killed_run_left_half_written_is_removed_by_the_next(here):
    abandoned = here / "in" / f"{PART}1234.png"
    abandoned.write_bytes(b"half")
    carried_out("in/a.png")
    assert sorted(path.name for path in (here / "in").iterdir()) == ["a-x2.png", "a.png", "deep"]


def test_a_file_that_cannot_be_written_does_not_stop_the_rest(here, monkeypatch):
    def full(path, content):
        if path.suffix == ".png":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("glanet.data.images.write_bytes", full)
    outcomes = carried_out("in")
    assert [outcome.state for outcome in outcomes] == [FAILED, DONE]
    assert "a-x2.png: cannot be written (No space left on device). Make" in outcomes[0].reason


def test_a_size_that_a_format_cannot_hold_is_named_before_any_work(here, monkeypatch):
    picture("in/wide.png", size=(9000, 1))
    monkeypatch.setattr(Nearest, "forward", None)
    (outcome,) = carried_out("in/wide.png", ending=".webp")
    assert "18000 × 2 pixels, but WEBP holds at most 16,383 a side" in outcome.reason


def test_several_frames_are_refused_or_all_enlarged(here):
    second = Image.new("RGB", (4, 3), (1, 2, 3))
    picture("in/moving.png", save_all=True, append_images=[second], duration=70)
    (outcome,) = carried_out("in/moving.png")
    assert "in/moving.png: 2 frames or pages. Enlarge each with --animated" in outcome.reason
    (outcome,) = carried_out("in/moving.png", animated=True)
    with Image.open("in/moving-x2.png") as enlarged:
        assert (enlarged.n_frames, enlarged.size, enlarged.info["duration"]) == (2, (8, 6), 70)
    (outcome,) = carried_out("in/moving.png", animated=True, ending=".jpg")
    assert "JPEG holds one image, found 2" in outcome.reason


@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
def test_an_animation_is_refused_by_name_or_every_frame_is_enlarged(here, kind):
    frames = [Image.new("RGB", (4, 3), (level, level, 0)) for level in (10, 200, 90)]
    Image.Image.save(frames[0], f"m.{kind}", save_all=True, append_images=frames[1:], duration=70)
    (outcome,) = carried_out(f"m.{kind}")
    assert outcome.state == FAILED
    assert outcome.reason.startswith(f"m.{kind}: 3 frames or pages. Enlarge each with --animated")
    (outcome,) = carried_out(f"m.{kind}", animated=True)
    assert outcome.target.name == ("m-x2.webp" if kind == "webp" else "m-x2.png")
    with Image.open(outcome.target) as enlarged:
        assert enlarged.n_frames == 3
        for frame, level in enumerate((10, 200, 90)):
            enlarged.seek(frame)
            enlarged.load()
            assert (enlarged.size, enlarged.info["duration"]) == ((8, 6), 70)
            assert np.abs(np.asarray(enlarged.convert("RGB"))[0, 0, 0].astype(int) - level) <= 4


@pytest.mark.parametrize(("loop", "plays"), [(None, 1), (0, 0), (2, 3)])
def test_an_animation_plays_as_often_as_before(here, loop, plays):
    frames = [Image.new("RGB", (4, 3), (level, level, 0)) for level in (10, 200)]
    options = {} if loop is None else {"loop": loop}
    frames[0].save("m.gif", save_all=True, append_images=frames[1:], **options)
    carried_out("m.gif", animated=True)
    with Image.open("m-x2.png") as enlarged:
        assert enlarged.info["loop"] == plays
    (outcome,) = carried_out("m-x2.png", animated=True, ending=".webp")
    with Image.open(outcome.target) as enlarged:
        assert enlarged.info["loop"] == plays


def test_a_still_gif_becomes_a_png_with_its_transparency(here):
    image = Image.new("RGBA", (4, 3), (9, 99, 199, 255))
    image.putpixel((1, 1), (0, 0, 0, 0))
    image.save("a.gif")
    (outcome,) = carried_out("a.gif")
    assert outcome.target.name == "a-x2.png"
    with Image.open("a-x2.png") as enlarged:
        opacity = np.asarray(enlarged.convert("RGBA"))[..., 3]
    assert (opacity < 128).sum() == 4


def test_a_heic_photograph_is_enlarged_into_another(here):
    write_image("a.heic", np.full((30, 40, 3), (9, 99, 199), np.uint8))
    (outcome,) = carried_out("a.heic")
    assert outcome.target.name == "a-x2.heic"
    larger = read_rgb("a-x2.heic")
    assert larger.shape == (60, 80, 3)
    assert np.abs(larger - (9.0, 99.0, 199.0)).max() <= 4


def test_names_with_control_and_undecodable_characters_print_in_one_line(here):
    picture("in/new\nline\x1b.png")
    name = os.fsdecode(b"in/\xff.png")
    picture(name)
    outcomes = carried_out("in")
    assert [outcome.state for outcome in outcomes] == [DONE] * 4
    for outcome in outcomes:
        said = report.line(outcome)
        assert said.isprintable()
        said.encode("utf-8")


# What is said


def test_progress_in_a_pipe_is_a_line_now_and_then(here):
    clock = iter([0.0, 0.0, 5.0, 20.0, 25.0, 26.0, 45.0])
    stream = io.StringIO()
    planned = plan(["in"], label="-x2")
    watcher = report.Watcher(planned, stream, lambda: next(clock))
    watcher.begin(planned[0])
    watcher.tiles(1, 4)
    watcher.tiles(2, 4)
    watcher.begin(planned[1])
    watcher.tiles(1, 2)
    watcher.tiles(2, 2)
    assert stream.getvalue().splitlines() == [
        "[1/2] in/a.png: 50%, 0:20 left; all files: 25%, 1:00 left",
        "[2/2] in/deep/b.jpg: 100%, 0:00 left; all files: 100%, 0:00 left",
    ]


def test_progress_on_a_terminal_rewrites_one_line(here):
    stream = io.StringIO()
    stream.isatty = lambda: True
    clock = iter(range(10))
    planned = plan(["in/a.png"], label="-x2")
    watcher = report.Watcher(planned, stream, lambda: next(clock))
    watcher.begin(planned[0])
    watcher.tiles(1, 2)
    watcher.clear()
    assert stream.getvalue().count("\r") == 3
    assert "\n" not in stream.getvalue()


def test_the_summary_counts_and_gives_reasons(here):
    (here / "in/b.png").write_text("no image")
    said = report.summary(carried_out("in"))
    assert said.splitlines()[0] == "3 files: 2 enlarged, 0 skipped, 1 failed"
    assert said.splitlines()[1].startswith("  in/b.png: not an image")
