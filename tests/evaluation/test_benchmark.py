import numpy as np
import pytest
from PIL import Image

from glanet import ModelConfig, networks
from glanet.data.degradation import imresize, modcrop
from glanet.evaluation.benchmark import (
    BenchmarkError,
    Score,
    document,
    evaluate,
    evaluate_folder,
    mean_scores,
    table,
)
from glanet.evaluation.metrics import psnr_y, ssim_y
from glanet.evaluation.published import SETS, published, row_of


@pytest.fixture
def hr_images(tmp_path):
    """Two HR images, whose sides are no multiples of every scale."""
    folder = tmp_path / "HR"
    folder.mkdir()
    rng = np.random.default_rng(0)
    paths = []
    for name, size in (("boat", (33, 41)), ("boat2", (30, 26))):
        coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        paths.append(folder / f"{name}.png")
        coarse.resize(size, Image.Resampling.BICUBIC).save(paths[-1])
    return paths


def read(path):
    return np.asarray(Image.open(path))


def bicubic(scale):
    return lambda lr: (imresize(lr, scale), None)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_each_image_is_cropped_shrunk_upscaled_and_measured(hr_images, scale):
    scores = list(evaluate(bicubic(scale), "mine", hr_images, scale))
    assert [(score.set, score.image, score.tile) for score in scores] == [
        ("mine", "boat", None),
        ("mine", "boat2", None),
    ]
    for score, path in zip(scores, hr_images, strict=True):
        hr = modcrop(read(path), scale)
        sr = imresize(imresize(hr, 1 / scale), scale)
        assert score.psnr_y == psnr_y(sr, hr, scale)
        assert score.ssim_y == ssim_y(sr, hr, scale)
        assert score.seconds >= 0


def test_random_degradations_are_the_same_in_every_measurement(hr_images):
    one, two = (
        [score.psnr_y for score in evaluate(bicubic(2), "mine", hr_images, 2, degradation=name)]
        for name in ("bicubic+noise", "bicubic+noise")
    )
    assert one == two
    plain = [score.psnr_y for score in evaluate(bicubic(2), "mine", hr_images, 2)]
    assert all(noisy < clean for noisy, clean in zip(one, plain, strict=True))


def write_outputs(folder, hr_images, scale, name):
    folder.mkdir()
    for path in hr_images:
        sr, _ = bicubic(scale)(imresize(modcrop(read(path), scale), 1 / scale))
        Image.fromarray(sr).save(folder / name.format(path.stem))


def test_an_image_that_is_too_small_for_the_protocol_is_named(tmp_path):
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    with pytest.raises(BenchmarkError, match=r"dot\.png: an image of shape \(1, 1, 3\).*Leave it"):
        next(evaluate(bicubic(2), "mine", [tmp_path / "dot.png"], 2))
    Image.new("RGB", (9, 9)).save(tmp_path / "small.png")
    with pytest.raises(BenchmarkError, match=r"small\.png: a border of 2 leaves"):
        next(evaluate(bicubic(2), "mine", [tmp_path / "small.png"], 2))


def test_another_methods_image_with_transparent_pixels_is_not_scored(tmp_path, hr_images):
    write_outputs(tmp_path / "theirs", hr_images, 2, "{}.png")
    path = tmp_path / "theirs" / "boat.png"
    image = Image.open(path).convert("RGBA")
    image.save(path)
    assert len(list(evaluate_folder(tmp_path / "theirs", "mine", hr_images, 2))) == 2
    image.putpixel((0, 0), (1, 2, 3, 0))
    image.save(path)
    with pytest.raises(BenchmarkError, match=r"boat\.png: has transparent pixels"):
        list(evaluate_folder(tmp_path / "theirs", "mine", hr_images, 2))


@pytest.mark.parametrize("name", ["{}.png", "{}x3.png", "{}_SwinIR.png", "{}x3_SwinIR.png"])
def test_outputs_in_a_folder_score_as_our_own(tmp_path, hr_images, name):
    write_outputs(tmp_path / "theirs", hr_images, 3, name)
    theirs = list(evaluate_folder(tmp_path / "theirs", "mine", hr_images, 3))
    ours = list(evaluate(bicubic(3), "mine", hr_images, 3))
    assert [(s.image, s.psnr_y, s.ssim_y) for s in theirs] == [
        (s.image, s.psnr_y, s.ssim_y) for s in ours
    ]
    assert {score.seconds for score in theirs} == {None}


def test_missing_double_and_missized_outputs_are_rejected_before_scoring(
    tmp_path, hr_images, monkeypatch
):
    monkeypatch.setattr("glanet.evaluation.benchmark.psnr_y", None)  # would fail if called
    folder = tmp_path / "theirs"
    write_outputs(folder, hr_images, 2, "{}.png")
    with pytest.raises(BenchmarkError, match=r"at ×4: boat2\.png is 30 × 26 pixels, expected 28"):
        evaluate_folder(folder, "mine", hr_images, 4)
    (folder / "boat.png").rename(folder / "ship.png")
    with pytest.raises(BenchmarkError, match=r"theirs: .*for boat\.png there is none"):
        evaluate_folder(folder, "mine", hr_images, 2)
    for name in ("boat.png", "boat_again.png"):
        Image.open(folder / "ship.png").save(folder / name)
    with pytest.raises(BenchmarkError, match=r"for boat\.png there is boat\.png and boat_again"):
        evaluate_folder(folder, "mine", hr_images, 2)


SCORES = [
    Score("Set5", "a", 30.0, 0.9),
    Score("Set5", "b", 32.0, 0.8),
    Score("Set14", "c", 28.0, 0.7),
]


def test_a_set_scores_the_mean_of_its_images():
    means = mean_scores(SCORES)
    assert list(means) == ["Set5", "Set14"]
    assert means["Set5"] == pytest.approx((31.0, 0.85))
    assert means["Set14"] == (28.0, 0.7)


def rows(text):
    return [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in text.splitlines()
        if "|" in line
    ]


def test_the_table_is_markdown_and_states_the_protocol():
    text = table(SCORES, 2, "mine")
    head, rule, mine = rows(text)
    assert head == ["method", "trained on", "Set5", "Set14"]
    assert all(set(cell) == {"-"} for cell in rule)
    assert mine == ["mine", "measured here", "31.00 / 0.8500", "28.00 / 0.7000"]
    assert "×2, PSNR (dB) / SSIM on Y, 2 pixels cut from each side." in text
    assert "tiles" not in text


def test_published_rows_stand_above_ours_and_are_marked():
    body = rows(table([*SCORES, Score("Urban7", "x", 1.0, 0.1)], 4, "mine", with_published=True))[
        2:
    ]
    assert len(body) == len(published(4)) + 1
    assert all(row[0].endswith("(published)") for row in body[:-1])
    vdsr = next(row for row in body if row[0].startswith("VDSR"))
    assert vdsr[1:] == ["291", "31.35 / 0.8838", "28.01 / 0.7674", "–"]
    assert body[-1][0] == "mine"


def test_the_table_says_where_tiles_were_used():
    tiled = [SCORES[0], Score("Set5", "b", 32.0, 0.8, 1.0, 128)]
    assert "**In tiles** of 128 LR pixels: 1 of 2 images" in table(tiled, 2, "mine")


def test_the_table_and_the_document_say_how_images_were_cut(hr_images):
    whole = list(evaluate(bicubic(2), "mine", hr_images, 2))
    cut = list(evaluate(bicubic(2), "mine", hr_images, 2, cut_at=30_000))
    for scores, says in ((whole, "Protocol whole: "), (cut, "again if they have 30,000 LR pixels")):
        assert says in table(scores, 2, "mine")
        assert says in document(scores, 2, "mine")["protocol"]
    assert [image["cut_at"] for image in document(cut, 2, "mine")["images"]] == [30_000] * 2


def test_published_scores_are_of_the_papers_sets_and_hold_its_claim():
    for scale in (2, 3, 4):
        for _, _, scores in published(scale):
            assert set(scores) <= set(SETS)
            assert all(20 < psnr < 45 and 0.5 < ssim < 1 for psnr, ssim in scores.values())
    claim = {method: scores for method, _, scores in published(2)}["GLA-Net"]
    assert claim["Set5"] == (38.37, 0.9620)
    assert published(5) == []


@pytest.mark.parametrize("scale", [2, 4])
def test_published_rows_are_sorted_by_set5_before_the_papers_table(scale):
    names = [method for method, _, _ in published(scale)]
    before = [scores["Set5"] for _, _, scores in published(scale)[: names.index("RCAN")]]
    assert before == sorted(before)
    assert names[names.index("RCAN") : names.index("GLA-Net") + 1] == [
        *("RCAN", "SAN", "IGNN", "HAN", "NLSA", "SwinIR", "GLA-Net")
    ]
    later = names[names.index("GLA-Net") + 1 :]
    assert later == [n for n in ("HiT-SRF", "ATD-light", "ESC", "PFT-light") if n in later]
    assert len(names) == len(set(names))


def test_what_is_not_reported_is_left_out():
    rows = {method: (data, scores) for method, data, scores in published(2)}
    assert rows["IDN"] == (
        "291",
        {
            "Set5": (37.83, 0.96),
            "Set14": (33.3, 0.9148),
            "B100": (32.08, 0.8985),
            "Urban100": (31.27, 0.9196),
        },
    )


def test_each_network_of_the_register_has_the_row_that_its_released_weights_reproduce():
    rows = {method for method, _, _ in published(2)}
    for name, network in networks.NETWORKS.items():
        assert row_of(network.config.preset("paper", 2)) in rows, name
    assert row_of(ModelConfig.preset("tiny", 2)) is None
