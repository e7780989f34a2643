"""A golden case holds what the model did from which it was made."""

import torch

from glanet import networks
from glanet.networks import NETWORKS
from glanet.weights import load_released
from tests import golden_cases

MEANS = ("sub_mean", "add_mean")


def test_a_written_case_gives_the_models_outputs_again(tmp_path, monkeypatch):
    monkeypatch.setattr(golden_cases, "FOLDER", tmp_path)
    model = networks.build(NETWORKS["rcan"].config.preset("tiny", 3))
    mean = model.sub_mean.bias.clone()
    golden_cases.write(
        "rcan-new",
        model,
        network="rcan",
        arguments={"scale": 3},
        value_range=1,
        gain=0.8,
        kept=MEANS,
    )
    described = golden_cases.description("rcan-new")
    assert described["parameters"] == networks.count_parameters(model)
    torch.save(golden_cases.released_state("rcan-new"), tmp_path / "rcan-new.pt")
    loaded = load_released(tmp_path / "rcan-new.pt")
    assert torch.equal(loaded.sub_mean.bias, mean)
    for lr, sr in golden_cases.images("rcan-new"):
        with torch.no_grad():
            torch.testing.assert_close(loaded(lr), sr, rtol=0, atol=1e-5)
