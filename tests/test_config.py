from dataclasses import FrozenInstanceError, fields

import pytest

from glanet import GLANet, ModelConfig


def parameters(config):
    return sum(p.numel() for p in GLANet(config).parameters())


@pytest.mark.parametrize(("scale", "count"), [(2, 18_142_847), (3, 18_327_487), (4, 18_290_559)])
def test_paper_has_the_released_number_of_parameters(scale, count):
    assert parameters(ModelConfig.preset("paper", scale)) == count


@pytest.mark.parametrize(("scale", "count"), [(2, 11_752_487), (3, 11_937_127), (4, 11_900_199)])
def test_without_ablations_and_extras_it_has_swinirs_number_of_parameters(scale, count):
    config = ModelConfig.preset("paper", scale, inception=False, dense=False, bilinear_base=False)
    assert parameters(config) == count


def test_each_ablation_removes_just_its_own_parameters():
    c = 180
    paper = parameters(ModelConfig.preset("paper"))
    inception = c * c + 1.875 * c * c + 2.5 * c  # Fig. 3: the branches
    fuse = 2 * c * c + c  # 2C -> C
    assert paper - parameters(ModelConfig.preset("paper", inception=False)) == 36 * (
        inception + fuse
    )
    transitions = sum(i * c * c + c for i in range(1, 7))
    assert paper - parameters(ModelConfig.preset("paper", dense=False)) == transitions
    attention = 4 * c * c + 4 * c + 225 * 6  # qkv, proj, bias table
    fused_less = c * c  # 2C -> C becomes C -> C
    assert paper - parameters(ModelConfig.preset("paper", attention=False)) == 36 * (
        attention + fused_less
    )


def test_five_transitions_as_in_figure_2_save_the_one_before_block_1():
    six = parameters(ModelConfig.preset("paper"))
    five = parameters(ModelConfig.preset("paper", first_transition=False))
    assert six - five == 180 * 180 + 180


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_small_presets_stay_small(scale):
    assert parameters(ModelConfig.preset("tiny", scale)) <= 250_000
    assert 850_000 <= parameters(ModelConfig.preset("light", scale)) <= 1_100_000


def test_a_config_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        ModelConfig().channels = 60


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("scale", 5),
        ("scale", 1),
        ("scale", 2.0),
        ("channels", 0),
        ("channels", 32.0),
        ("channels", 62),  # six heads
        ("channels", 66),  # six heads, but four branches
        ("blocks", 0),
        ("blocks", True),
        ("layers", -1),
        ("heads", 0),
        ("window", 1),
        ("mlp_ratio", 0),
        ("mlp_ratio", -2.0),
        ("mlp_ratio", float("nan")),
        ("mlp_ratio", "2"),
        ("stochastic_depth", 1.0),
        ("stochastic_depth", -0.1),
        ("inception", 1),
        ("attention", 0),
        ("dense", "yes"),
        ("light_head", None),
    ],
)
def test_an_impossible_value_is_refused_by_its_fields_name(field, value):
    with pytest.raises(ValueError, match=rf"^{field} is "):
        ModelConfig.preset("paper", **{field: value})


def test_a_layer_keeps_attention_or_inception():
    with pytest.raises(ValueError, match=r"^attention is off, and so is inception"):
        ModelConfig.preset("tiny", attention=False, inception=False)


def test_channels_need_no_multiple_of_four_without_inception():
    assert ModelConfig.preset("paper", channels=66, inception=False).channels == 66


def test_an_unknown_preset_or_field_is_named_with_what_exists():
    with pytest.raises(ValueError, match=r"'huge'.*tiny, light, paper"):
        ModelConfig.preset("huge")
    with pytest.raises(ValueError, match=r"'chanels'.*channels"):
        ModelConfig.preset("tiny", chanels=3)


def test_a_config_survives_json_values():
    config = ModelConfig.preset("light", 3, dense=False)
    assert ModelConfig.from_dict(config.to_dict()) == config
    assert set(config.to_dict()) == {field.name for field in fields(ModelConfig)}


def test_the_number_of_layers_may_differ_from_block_to_block():
    config = ModelConfig.preset("tiny", layers=(1, 2, 3))
    assert [len(block.layers) for block in GLANet(config).trunk.blocks] == [1, 2, 3]
    assert ModelConfig.from_dict({**config.to_dict(), "layers": [1, 2, 3]}) == config  # as in JSON
    even = ModelConfig.preset("tiny", layers=(2, 2, 2))
    assert parameters(even) == parameters(ModelConfig.preset("tiny", layers=2))


@pytest.mark.parametrize("layers", [(2, 2), (2, 2, 2, 2), (), (2, 2, 0), (2, 2, True), (2, 2, 2.0)])
def test_layers_that_do_not_fit_the_blocks_are_named(layers):
    with pytest.raises(ValueError, match=r"^layers is "):
        ModelConfig.preset("tiny", layers=layers)


def test_stochastic_depth_rises_over_all_layers_of_uneven_blocks():
    config = ModelConfig.preset("tiny", layers=(1, 3, 1), stochastic_depth=0.4)
    layers = GLANet(config).repeated()
    assert [layer.drop.probability for layer in layers] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
