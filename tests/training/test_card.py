"""The model card: one renderer for a run's own weights and for those that are shipped."""

import pytest

from glanet import networks
from glanet.training.card import model_card


@pytest.fixture
def card(config, recipe):
    """The card of a run; a function of what differs."""

    def render(data=("T91",), scores=None, **options):
        about = {
            "config": networks.to_dict(config),
            "recipe": recipe(data=data, validation=("Set5",)).to_dict(),
            "images": "91 images, 0123456789ab",
        }
        known = {"steps": 8200, "seconds": 5400.0, "where": "a CPU", "left_out": 0}
        return model_card("mine-x2", about, scores=scores or {}, **known | options)

    return render


def rows(text):
    """The table of a card: what each row is called, and what it holds."""
    lines = [line for line in text.splitlines() if line.startswith("| ")][1:]
    return dict(line.strip("| ").split(" | ") for line in lines)


def test_a_card_has_data_steps_hours_and_recipe(card, config):
    text = card()
    assert text.startswith("---\nlibrary_name: glanet\n")
    assert f"# mine-x2\n\nGLA-Net, {networks.count_parameters(config):,} parameters, ×2.\n" in text
    assert rows(text) == {
        "trained on": "T91 (91 images); LR by MATLAB's bicubic",
        "steps": "8,200 of 4 patches of 8×8 LR pixels, seed 0",
        "took": "1.50 hours on a CPU",
        "PSNR on Y": "not measured",
    }
    assert (
        "\n- data: T91\n- validation: Set5\n- degradation: bicubic\n- loss: l1\n- steps: 12\n"
        in text
    )


def test_scores_are_psnr_or_psnr_and_ssim(card):
    psnr = {"Set5": {"psnr_y": 37.784}}
    assert rows(card(scores=psnr))["PSNR on Y"] == "Set5 37.78 dB"
    both = {
        "Set5": {"psnr_y": 37.784, "ssim_y": 0.96021},
        "B100": {"psnr_y": 32.181, "ssim_y": 0.89987},
    }
    shown = rows(card(scores=both))["PSNR / SSIM on Y"]
    assert shown == "Set5 37.78 dB / 0.9602; B100 32.18 dB / 0.8999"


def test_a_card_names_its_start_and_left_out_images(card):
    found = rows(card(init="tiny-x2 as it was after 6,000 steps", left_out=3))
    assert found["steps"].endswith("seed 0, started from tiny-x2 as it was after 6,000 steps")
    assert "(91 images), without 3 smaller than a patch;" in found["trained on"]


def test_many_files_are_counted(card):
    files = tuple(f"{number}.png" for number in range(6))
    text = card(data=files)
    assert rows(text)["trained on"].startswith("6 files (91 images)")
    assert "- data: 6 files\n" in text
    assert "5.png" not in text


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "LR by MATLAB's bicubic |"),
        ({"degradation": "bicubic+jpeg"}, "LR by bicubic+jpeg |"),
        ({"lr": "small"}, "LR from small |"),
    ],
)
def test_it_says_how_lr_images_were_made(config, recipe, settings, says):
    about = {"config": networks.to_dict(config), "recipe": recipe(**settings).to_dict()}
    about["images"] = "2 images, 0123456789ab"
    options = {"steps": 1, "seconds": 1.0, "where": "a CPU", "left_out": 0, "scores": {}}
    assert says in model_card("mine", about, **options)
