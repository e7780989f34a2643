"""What is known of published networks besides their scores."""

import pytest

from glanet.evaluation.published import parameters, published


@pytest.mark.parametrize(
    ("method", "scale", "count"),
    [
        ("GLA-Net", 2, 18_142_847),
        ("SwinIR", 4, 11_900_199),
        ("NLSA", 2, 41_796_187),  # NLSN in the register
        ("EDSR", 2, 40_730_000),
        ("IMDN", 4, 715_000),
        ("IDN", 4, None),
        ("bicubic", 2, None),
        ("LapSRN", 2, None),
    ],
)
def test_the_size_of_a_published_network(method, scale, count):
    assert parameters(method, scale) == count


def test_the_light_networks_of_2024_and_2025_have_fewer_than_a_million_parameters():
    for scale in (2, 4):
        names = [method for method, _, _ in published(scale)]
        light = names[names.index("GLA-Net") + 1 :]
        assert light
        assert all(parameters(name, scale) < 1e6 for name in light)
