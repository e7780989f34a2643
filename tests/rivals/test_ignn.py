import pytest
import torch
from safetensors.torch import load_file
from torch.autograd import gradcheck
from torch.nn import functional as F

from glanet import networks
from glanet.bicubic import shrink
from glanet.errors import ArgumentError
from glanet.networks import NETWORKS
from glanet.rivals.ignn import (
    IGNN,
    Aggregation,
    Graph,
    IGNNConfig,
    read_released,
)
from glanet.rivals.patches import from_patches, nearest, statistics, take, to_patches
from glanet.rivals.vgg import IMAGENET_MEAN, IMAGENET_STD, Embedding
from tests import golden_cases
from tests.peak import values_per_pixel

SMALL = IGNNConfig(blocks=2, channels=2, embedding=3)


def test_gradients_are_right_where_the_choice_of_neighbours_is_fixed():
    model = IGNN(IGNNConfig(blocks=2, channels=2, embedding=3, neighbours=9)).double().eval()
    model.value_range = 1.0  # steps of 1e-6 of 255 would cross ReLUs
    assert gradcheck(model, torch.rand(1, 3, 4, 5, dtype=torch.float64, requires_grad=True))


def test_gradients_of_the_aggregation_are_right():
    aggregation = Aggregation(SMALL).double()
    features, labels = torch.randn(1, 2, 12, 12).double(), torch.rand(1, 5, 3, 12, 12).double()
    neighbours = torch.randint(9, (1, 5, 6, 6))
    given = features.requires_grad_(), labels.requires_grad_()
    assert gradcheck(lambda f, d: aggregation(f, neighbours, d), given, fast_mode=True)


# The second input


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_second_input_is_matlabs_bicubic_of_the_first(scale):
    tensors = load_file(golden_cases.FOLDER / f"ignn-small-x{scale}.safetensors")
    sizes = [key.removeprefix("small_") for key in tensors if key.startswith("small")]
    assert len(sizes) == 2
    for size in sizes:
        shrunk = shrink(tensors[f"input_{size}"], 3 if scale == 3 else 2).clamp(0, 1)
        torch.testing.assert_close(shrunk, tensors[f"small_{size}"], rtol=0, atol=1e-6)


def test_the_second_input_is_clamped_where_bicubic_overshoots():
    graph, seen = Graph(SMALL), []
    graph.embedcnn.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    image = torch.zeros(1, 3, 24, 24)
    image[..., 12:] = 1
    graph(image)
    shrunk = shrink(image, 2)
    assert shrunk.min() < -0.01
    assert shrunk.max() > 1.01
    assert torch.equal(seen[0], image)
    assert torch.equal(seen[1], shrunk.clamp(0, 1))


# The graph


def test_the_embedding_is_two_convolutions_on_imagenets_scale_and_not_negative():
    embedding = Embedding(4)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    image = mean + std * torch.randn(1, 3, 5, 6)
    first, _, second, _ = embedding.model
    expected = F.relu(second(F.relu(first((image - mean) / std))))
    torch.testing.assert_close(embedding(image), expected)
    assert (embedding(image) >= 0).all()


def test_edge_labels_are_differences_summed_over_a_patch_and_averaged_where_patches_overlap():
    graph, image = Graph(SMALL), torch.rand(1, 3, 12, 12)
    neighbours, labels = graph(image)
    small = shrink(image, 2).clamp(0, 1)
    queries, keys = (F.pad(graph.embedcnn(x), (0, 1, 0, 1))[0] for x in (image, small))
    total, count = torch.zeros(5, 3, 13, 13), torch.zeros(13, 13)
    for i in range(6):
        for j in range(6):
            inside = slice(2 * i, 2 * i + 3), slice(2 * j, 2 * j + 3)
            count[inside] += 1
            for k, key in enumerate(neighbours[0, :, i, j].tolist()):
                y, x = 2 * (key // 3), 2 * (key % 3)
                differences = queries[:, *inside] - keys[:, y : y + 3, x : x + 3]
                total[k, :, *inside] += differences.abs().sum((1, 2))[:, None, None]
    torch.testing.assert_close(labels[0], (total / count)[..., :12, :12])


def by_force(queries, keys, neighbours, window, scale):
    """`nearest`, one query at a time, as sets; all keys are measured."""
    rows, columns = keys.shape[2:]
    flat = keys.flatten(2)
    found = {}
    for b, y, x in torch.cartesian_prod(*(torch.arange(queries.shape[a]) for a in (0, 2, 3))):
        top, left = (
            max(0, min(int(place) // scale - window // 2, side - window))
            for place, side in ((y, rows), (x, columns))
        )
        distances = (flat[b] - queries[b, :, y, x, None]).norm(dim=0).view(rows, columns)
        outside = torch.ones(rows, columns, dtype=torch.bool)
        outside[top : top + window, left : left + window] = False
        best = distances.masked_fill(outside, torch.inf).flatten().argsort()[:neighbours]
        found[int(b), int(y), int(x)] = set(best.tolist())
    return found


@pytest.mark.parametrize("window", [3, 6, 30])
@pytest.mark.parametrize("scale", [2, 3])
def test_queries_find_together_what_one_at_a_time_finds(window, scale):
    keys = torch.randn(2, 4, 7, 5, dtype=torch.float64)
    queries = torch.randn(2, 4, 7 * scale - 1, 5 * scale, dtype=torch.float64)
    found = nearest(queries, keys, 3, window, scale)
    assert found.shape == (2, 3, *queries.shape[2:])
    for (b, y, x), expected in by_force(queries, keys, 3, window, scale).items():
        assert set(found[b, :, y, x].tolist()) == expected


def test_the_nearest_comes_first():
    keys = torch.randn(1, 4, 5, 5)
    queries = keys.repeat_interleave(2, 2).repeat_interleave(2, 3)
    own = torch.arange(25).view(5, 5).repeat_interleave(2, 0).repeat_interleave(2, 1)
    assert torch.equal(nearest(queries, keys, 3, 30, 2)[0, 0], own)


def test_neighbours_are_the_same_where_the_rest_is_in_bf16():
    graph, image = Graph(SMALL), torch.rand(1, 3, 24, 24)
    with torch.autocast("cpu", torch.bfloat16):
        found, labels = graph(image)
    assert torch.equal(found, graph(image)[0])
    assert labels.dtype == torch.float32


def test_a_small_image_changes_nothing_for_the_next_one():
    model, image = (
        IGNN(IGNNConfig.preset("tiny", neighbours=3, window=3)).eval(),
        torch.rand(1, 3, 40, 40),
    )
    with torch.no_grad():
        before = model(image)
        model(image[..., :12, :12])
        assert torch.equal(model(image), before)


# Patches


@pytest.mark.parametrize("size", [(3, 3), (4, 7), (12, 13)])
def test_patches_put_together_again_are_the_map(size):
    maps = torch.randn(2, 3, *size)
    patches = to_patches(maps, 3, 2)
    assert patches.shape == (2, 3, 9, size[0] // 2, size[1] // 2)
    torch.testing.assert_close(from_patches(patches, 2, *size), maps)


@pytest.mark.parametrize("scale", [2, 3])
@pytest.mark.parametrize("small", [(2, 3), (4, 5), (6, 9)])
def test_the_image_has_a_larger_patch_for_every_patch_of_the_shrunk_image(scale, small):
    image = torch.zeros(1, 1, *(scale * side for side in small))
    grid = to_patches(torch.zeros(1, 1, *small), 3, 2).shape[3:]
    assert to_patches(image, 3 * scale, 2 * scale).shape[3:] == grid


def test_a_larger_patch_lies_where_its_neighbour_was_shrunk_from():
    place = torch.arange(24.0)
    patches = to_patches(place.expand(1, 1, 24, 24), 6, 4)
    shrunk = to_patches(place[::2].expand(1, 1, 12, 12), 3, 2)
    assert torch.equal(patches[0, 0, 0, 0], shrunk[0, 0, 0, 0])


def test_patches_of_a_tile_are_patches_of_the_image():
    for scale in (2, 3, 4):
        model = IGNN(IGNNConfig(scale=scale, blocks=2, channels=2, embedding=3))
        maps, start = torch.rand(1, 1, 36, 36), model.multiple
        stride = 2 * model.config.graph_scale
        whole = to_patches(maps, 3 * stride // 2, stride)
        tile = to_patches(maps[..., start:, start:], 3 * stride // 2, stride)
        assert torch.equal(tile, whole[..., 1:, 1:])


# The aggregation


def test_neighbours_take_on_mean_and_deviation_of_the_patch_they_replace():
    features = 5 + torch.randn(1, 2, 12, 12)
    own = to_patches(features, 3, 2)
    mean, deviation, _ = statistics(own)
    _, _, values = statistics(to_patches(features, 6, 4))
    patches = mean + deviation * take(values, torch.randint(9, (1, 6, 6)))
    torch.testing.assert_close(patches.mean(2), own.mean(2))
    torch.testing.assert_close(patches.std(2), own.std(2), rtol=1e-3, atol=0)


def test_features_that_are_constant_stay_so():
    features = torch.tensor([3.0, -7.0]).view(1, 2, 1, 1).expand(1, 2, 26, 26)
    neighbours, labels = torch.randint(36, (1, 5, 13, 13)), torch.rand(1, 5, 3, 26, 26)
    detailed, _ = Aggregation(SMALL)(features, neighbours, labels)
    inside = detailed[..., :42, :42]  # patches at the right and the bottom hold zeros
    torch.testing.assert_close(inside, features[..., :1, :1].expand_as(inside))


def test_one_neighbour_has_all_the_weight():
    config = IGNNConfig(blocks=2, channels=2, embedding=3, neighbours=1)
    torch.manual_seed(0)
    aggregation, features = Aggregation(config), torch.randn(1, 2, 12, 12)
    neighbours = torch.randint(9, (1, 1, 6, 6))
    results = [aggregation(features, neighbours, torch.rand(1, 1, 3, 12, 12)) for _ in range(2)]
    for first, second in zip(*results, strict=True):
        torch.testing.assert_close(first, second)


# The network


def test_x4_aggregates_at_x2_and_upsamples_once_more():
    for scale, graph_scale, ends in ((2, 2, 1), (3, 3, 1), (4, 2, 2)):
        model = IGNN(IGNNConfig(scale=scale, blocks=2, channels=2, embedding=3))
        assert model.config.graph_scale == graph_scale
        assert model.gcn.knn_downsample[0][0].stride == (graph_scale, graph_scale)
        assert len(model.tail) == ends


@pytest.mark.parametrize(
    ("scale", "size", "filled"),
    [
        (2, (12, 12), (12, 12)),
        (2, (8, 12), (8, 12)),  # 2 × 3 patches
        (2, (8, 8), (12, 12)),  # 2 × 2, and 5 neighbours are wanted
        (2, (4, 20), (4, 20)),
        (2, (2, 30), (12, 36)),  # one pixel high when shrunk, less than a patch
        (2, (25, 30), (26, 30)),
        (3, (18, 18), (18, 18)),
        (3, (16, 17), (18, 18)),
        (4, (1, 1), (12, 12)),
    ],
)
def test_images_are_mirrored_on_as_far_as_the_graph_needs(scale, size, filled):
    model = IGNN(IGNNConfig(scale=scale, blocks=2, channels=2, embedding=3)).eval()
    image = torch.rand(1, 3, *size)
    larger = model.filled(image)
    assert larger.shape[2:] == filled
    with torch.no_grad():
        expected = model(larger)[..., : scale * size[0], : scale * size[1]]
        assert torch.equal(model(image), expected)


def test_frozen_parameters_are_the_means_vgg_and_two_biases_without_effect():
    model = IGNN(IGNNConfig.preset("paper", blocks=2))
    frozen = {n: p for n, p in model.named_parameters() if not p.requires_grad}
    without_effect = {f"gcn.weightnet_{which}.2.0.bias" for which in ("lr", "hr")}
    assert without_effect < frozen.keys()
    published = [p.numel() for n, p in frozen.items() if n not in without_effect]
    assert sum(published) == 38_756

    model, image = IGNN(SMALL).eval(), torch.rand(1, 3, 14, 12)
    with torch.no_grad():
        before = model(image)
        for name in without_effect:
            model.get_parameter(name).add_(1)
        torch.testing.assert_close(model(image), before)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(("preset", "sides"), [("paper", (48,)), ("tiny", (48, 96, 200))])
def test_memory_is_what_the_model_says_and_grows_with_the_pixels(preset, sides, scale):
    model = IGNN(IGNNConfig.preset(preset, scale, blocks=2)).eval()
    for side in sides:
        assert 0.92 <= values_per_pixel(model, side) / model.values_per_pixel <= 1


def test_the_tiny_preset_trains_as_many_parameters_as_gla_nets():
    for scale, count in ((2, 131_917), (3, 143_517), (4, 141_197)):
        config = IGNNConfig.preset("tiny", scale)
        embedding = Embedding(config.embedding).model
        vgg = sum(p.numel() for p in embedding.parameters()) + 12
        assert networks.count_parameters(config) - vgg == count


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"blocks": 3}, "blocks is 3; expected even"),
        ({"neighbours": 10}, "neighbours is 10; expected 1 to 9"),
        ({"window": 4}, r"window is 4; expected at least 5"),
        ({"channels": 0}, "channels is 0"),
    ],
)
def test_an_impossible_shape_is_rejected(values, message):
    with pytest.raises(ArgumentError, match=message):
        IGNNConfig(**values)


# Released checkpoints


@pytest.mark.parametrize("other", ["rcan-small", "san-small", "han-small", "swinir-full-x2"])
def test_checkpoints_are_told_apart(other):
    assert read_released(golden_cases.released_state(other)) is None


def test_no_other_network_takes_a_checkpoint_of_ignn():
    tensors = golden_cases.released_state("ignn-small-x3")
    taken = [name for name, network in NETWORKS.items() if network.read_released(tensors)]
    assert taken == ["ignn"]


def test_the_graphs_embedding_is_kept_and_its_second_name_dropped():
    tensors = golden_cases.released_state("ignn-small-x2")
    _, kept = read_released(tensors)
    assert {name for name in tensors if name not in kept} == {
        f"vggnet.{name}" for name, _ in Embedding(64).named_parameters()
    }
    assert "graph.embedcnn.model.2.weight" in kept
