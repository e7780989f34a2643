"""Notebook 05: its exercises name mistakes, its figures show what they claim."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from glanet.course.lessons.window_attention import exercises, figures
from glanet.course.lessons.window_attention.widgets import explore_attention
from glanet.model.attention import WindowAttention, relative_position_index
from tests.lessons.verdicts import (
    assert_named,
    assert_not_done,
    assert_rejected,
    assert_right,
    message_on,
)
from tests.lessons.window_attention.variants import (
    ByHand,
    cut_by_slicing,
    fused,
    join_by_slicing,
    pair_by_pair,
    pixel_by_pixel,
    softmax,
)

# Attention, one query at a time


def test_attention_is_accepted_in_other_words():
    assert_right(
        exercises.attend,
        pixel_by_pixel(lambda q, k, b: softmax((k * q).sum(1) / len(q) ** 0.5 + b)),
    )
    assert_right(exercises.attend, fused)


def over_queries(query, key, value, bias):
    scores = torch.einsum("...id,...jd->...ij", query, key) / query.shape[-1] ** 0.5 + bias
    return scores.exp() / scores.exp().sum(-2, keepdim=True) @ value


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (over_queries, "softmax runs over the queries"),
        (
            lambda q, k, v, bias: (
                F.softmax(torch.einsum("...id,...jd->...ij", q, k) / q.shape[-1] ** 0.5 + bias, 1)
                @ v
            ),
            "softmax runs over axis 1",
        ),
        (pixel_by_pixel(lambda q, k, b: softmax(k @ q + b)), "not scaled"),
        (pixel_by_pixel(lambda q, k, b: softmax(k @ q / len(q) + b)), "divided by d"),
        (pixel_by_pixel(lambda q, k, b: softmax(k @ q * len(q) ** 0.5 + b)), "multiplied by √d"),
        (pixel_by_pixel(lambda q, k, b: softmax(k @ q / len(k) ** 0.5 + b)), "number of tokens"),
        (pixel_by_pixel(lambda q, k, b: softmax(k @ q / len(q) ** 0.5)), "bias is missing"),
        (pixel_by_pixel(lambda q, k, b: softmax((k @ q + b) / len(q) ** 0.5)), "scaled too"),
        (
            pixel_by_pixel(lambda q, k, b: softmax(k @ q / len(q) ** 0.5) + b),
            "added after the softmax",
        ),
        (
            lambda q, k, v, bias: fused(k, q, v, bias),
            "queries and keys are exchanged",
        ),
        (pixel_by_pixel(lambda q, k, b: k @ q / len(q) ** 0.5 + b), "softmax is missing"),
        (
            lambda q, k, v, bias: fused(q, k, torch.eye(v.shape[-2]).to(v), bias),
            "these are the weights",
        ),
    ],
)
def test_each_mistake_in_attention_is_named(mistaken, says):
    assert_rejected(exercises.attend, mistaken, says)


def query_scaled_in_place(query, key, value, bias):
    query *= query.shape[-1] ** -0.5
    return (query @ key.mT + bias).softmax(-1) @ value


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (
            lambda q, k, v, bias: F.scaled_dot_product_attention(q, k, v, attn_mask=bias),
            "fails where the bias is the number 0",
        ),
        (query_scaled_in_place, "writes into its input"),
        (torch.no_grad()(fused), "no gradient"),
        (lambda q, k, v, bias: fused(q, v, k, bias), "key and value are exchanged"),
        (lambda q, k, v, bias: fused(v, k, q, bias), "query and value are exchanged"),
    ],
)
def test_what_breaks_later_cells_is_rejected(mistaken, says):
    assert_rejected(exercises.attend, mistaken, says)


def test_an_index_in_numpy_is_told_so():
    right = exercises.relative_position_index.reference
    says = "right, but as a numpy array: return a torch tensor"
    assert message_on(exercises.relative_position_index, lambda m: right(m).numpy()) == says


def test_cutting_only_floats_is_named():
    def by_unfold(tokens, window):
        columns = F.unfold(tokens.permute(0, 3, 1, 2), window, stride=window)
        return columns.unflatten(1, (tokens.shape[3], -1)).permute(0, 3, 2, 1)

    assert_named(exercises.cut_windows, by_unfold, "it fails on integers")


# Windows, by slicing


def test_cutting_and_joining_are_accepted_in_other_words():
    assert_right(exercises.cut_windows, cut_by_slicing)
    assert_right(exercises.join_windows, join_by_slicing)


def test_joining_undoes_cutting():
    image = torch.randn(2, 6, 9, 4)
    assert torch.equal(exercises.image_of(exercises.windows_of(image, 3), 3, 6), image)


def copies_of_the_whole(tokens, window):
    down, across = tokens.shape[1] // window, tokens.shape[2] // window
    return torch.stack(
        [tokens[:, r::down, c::across].flatten(1, 2) for r in range(down) for c in range(across)],
        dim=1,
    )


def column_by_column(tokens, window):
    return cut_by_slicing(tokens.transpose(1, 2), window).unflatten(2, (window, window))


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (copies_of_the_whole, "small copy of the whole image"),
        (lambda x, m: x.contiguous().view(len(x), -1, m * m, x.shape[-1]), "strips"),
        (
            lambda x, m: column_by_column(x, m).transpose(2, 3).flatten(2, 3),
            "windows are counted column by column",
        ),
        (
            lambda x, m: cut_by_slicing(x, m).unflatten(2, (m, m)).transpose(2, 3).flatten(2, 3),
            "pixels inside a window are counted column by column",
        ),
        (lambda x, m: cut_by_slicing(x, m).transpose(1, 2), "windows and their pixels"),
        (lambda x, m: cut_by_slicing(x, m).flatten(0, 1), "into the batch"),
        (
            lambda x, m: (
                cut_by_slicing(x, m).unflatten(1, (x.shape[1] // m, -1)).unflatten(3, (m, m))
            ),
            "rows and columns are still separate axes",
        ),
        (lambda x, m: cut_by_slicing(x, m).flatten(2, 3), "channels are merged into the pixels"),
    ],
)
def test_each_mistake_in_cutting_is_named(mistaken, says):
    assert_rejected(exercises.cut_windows, mistaken, says)


def woven(windows, window, height):
    tall = height // window
    wide = windows.shape[1] // tall
    image = windows.new_empty(len(windows), height, wide * window, windows.shape[-1])
    for number in range(windows.shape[1]):
        row, column = divmod(number, wide)
        image[:, row::tall, column::wide] = windows[:, number].unflatten(1, (window, window))
    return image


def as_if_counted_by_columns(windows, window, height):
    tall = height // window
    wide = windows.shape[1] // tall
    order = [column * tall + row for row in range(tall) for column in range(wide)]
    return join_by_slicing(windows[:, order], window, height)


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (woven, "windows are interleaved"),
        (
            lambda x, m, height: x.flatten(1).view(len(x), height, -1, x.shape[-1]),
            "reshape alone does not reorder it",
        ),
        (as_if_counted_by_columns, "windows were counted row by row"),
        (
            lambda x, m, height: join_by_slicing(
                x.unflatten(2, (m, m)).transpose(2, 3).flatten(2, 3), m, height
            ),
            "pixels of a window were counted row by row",
        ),
        (
            lambda x, m, height: join_by_slicing(x, m, height).transpose(1, 2),
            "of the image are exchanged",
        ),
        (
            lambda x, m, height: (
                join_by_slicing(x, m, height).unflatten(1, (-1, m)).unflatten(3, (-1, m))
            ),
            "windows and pixels are still separate axes",
        ),
    ],
)
def test_each_mistake_in_joining_is_named(mistaken, says):
    assert_rejected(exercises.join_windows, mistaken, says)


# The index, pair by pair


def test_the_index_is_accepted_in_other_words():
    def by_counting(row, column, window):
        steps = range(1 - window, window)
        return [(r, c) for r in steps for c in steps].index((row, column))

    assert_right(exercises.relative_position_index, pair_by_pair(by_counting))


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (
            lambda r, c, m: (2 * m - 1) * (m - 1 - r) + (m - 1 - c),
            "the offsets have the wrong sign",
        ),
        (lambda r, c, m: (2 * m - 1) * r + c, "an index starts at 0"),
        (lambda r, c, m: (2 * m - 1) * r + (c + m - 1), "only one of the two offsets"),
        (lambda r, c, m: m * (r + m - 1) + (c + m - 1), "not by window"),
        (lambda r, c, m: 2 * m * (r + m - 1) + (c + m - 1), "not 2·window"),
        (lambda r, c, m: (r + m - 1) + (2 * m - 1) * (c + m - 1), "rows and columns are exchanged"),
        (lambda r, c, m: (2 * m - 1) * (abs(r) + m - 1) + abs(c) + m - 1, "keep their signs"),
        (lambda r, c, m: r + c + 2 * m - 2, "share a number"),
    ],
)
def test_each_mistake_in_the_index_is_named(number, says):
    assert_rejected(exercises.relative_position_index, pair_by_pair(number), says)


def test_an_index_that_cannot_be_used_as_one_is_rejected():
    right = exercises.relative_position_index.reference
    assert_rejected(
        exercises.relative_position_index,
        lambda m: right(m).float(),
        "is torch.float32, expected integers",
    )


def test_an_index_in_rows_and_columns_is_named():
    def apart(window):
        steps = torch.arange(window)
        offset = steps[:, None] - steps + window - 1
        return offset[:, None, :, None] * (2 * window - 1) + offset[None, :, None, :]

    assert_rejected(exercises.relative_position_index, apart, "still separate axes")


# W-MSA, window by window and head by head


class NoBias(ByHand):
    def bias(self, number, head):
        return None


class BiasOfTheWindow(ByHand):
    def bias(self, number, head):
        return super().bias(head, number)


class BiasTransposed(ByHand):
    def bias(self, number, head):
        return super().bias(number, head).T


class BiasOfTheFirstHead(ByHand):
    def bias(self, number, head):
        return super().bias(number, 0)


class HeadsOutermost(ByHand):
    def parts(self, features):
        per_head = features.unflatten(-1, (self.heads, 3, -1)).unbind(-2)
        return [part.flatten(2) for part in per_head]


class HeadsInTurn(ByHand):
    def parts(self, features):
        return [
            torch.cat([p[..., h :: self.heads] for h in range(self.heads)], -1)
            for p in super().parts(features)
        ]

    def side_by_side(self, found):
        return torch.stack(found, dim=-1).flatten(-2)


class HeadsWoven(ByHand):
    def side_by_side(self, found):
        return torch.stack(found, dim=-1).flatten(-2)


class DistantPixels(ByHand):
    def places(self, height, width):
        down, across = height // self.window, width // self.window
        for top in range(down):
            for left in range(across):
                yield slice(None), slice(top, None, down), slice(left, None, across)


class PutElsewhere(ByHand):
    def forward(self, tokens):
        right = super().forward(tokens)
        return woven(cut_by_slicing(right, self.window), self.window, tokens.shape[1])


class KeyFirst(ByHand):
    def parts(self, features):
        key, query, value = super().parts(features)
        return query, key, value


class ValueFirst(ByHand):
    def parts(self, features):
        return super().parts(features)[::-1]


class NoProj(ByHand):
    def last(self, mixed):
        return mixed


class ScaleOfAllChannels(ByHand):
    def mix(self, query, key, value, bias):
        scale = (query.shape[-1] * self.heads) ** -0.5
        return F.scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=scale)


class NoScale(ByHand):
    def mix(self, query, key, value, bias):
        return F.scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=1.0)


class OverQueries(ByHand):
    def mix(self, query, key, value, bias):
        return over_queries(query, key, value, bias)


class KeyAndValueExchanged(ByHand):
    def parts(self, features):
        query, value, key = super().parts(features)
        return query, key, value


class ThreeInnermost(ByHand):
    def parts(self, features):
        per_head = features.unflatten(-1, (self.heads, -1, 3)).unbind(-1)
        return [part.flatten(2) for part in per_head]


class WholeImage(ByHand):
    def places(self, height, width):
        yield (slice(None),)

    def bias(self, number, head):
        return torch.zeros(())


class BiasDetached(ByHand):
    def bias(self, number, head):
        return super().bias(number, head).detach()


@pytest.mark.parametrize(
    ("mistaken", "says"),
    [
        (KeyAndValueExchanged, "key and value are exchanged"),
        (ThreeInnermost, "q, k, v run fastest"),
        (WholeImage, "attends to the whole image"),
        (BiasDetached, "no gradient reaches `bias_table`"),
        (NoBias, "bias is missing"),
        (BiasOfTheWindow, "each window has its own bias"),
        (BiasTransposed, "bias is transposed"),
        (BiasOfTheFirstHead, "all heads use the bias of the first"),
        (HeadsOutermost, "split in the wrong order"),
        (HeadsInTurn, "channels of a head must be adjacent"),
        (HeadsWoven, "joined in another order"),
        (DistantPixels, "made of distant pixels"),
        (PutElsewhere, "not put back where they were cut"),
        (KeyFirst, "query and key are exchanged"),
        (ValueFirst, "value is used as query"),
        (NoProj, "proj is missing"),
        (ScaleOfAllChannels, "scale uses all channels"),
        (NoScale, "not scaled"),
        (OverQueries, "softmax runs over the queries"),
    ],
)
def test_each_mistake_in_w_msa_is_named(mistaken, says):
    assert_rejected(exercises.window_attention, mistaken, says)


def test_w_msa_is_accepted_in_other_words():
    assert_right(exercises.window_attention, ByHand)


def test_w_msa_without_anything_is_not_done_yet():
    assert_not_done(exercises.window_attention, lambda *settings: nn.Identity())


def test_a_bias_of_a_wrong_shape_is_named_though_it_runs():
    class OneAxisTooMany(WindowAttention):
        def bias(self, height, width, dtype):
            return self.position_bias(dtype)[:, None]

        def forward(self, tokens):
            self.attend = lambda q, k, v, bias: F.scaled_dot_product_attention(
                q, k, v, attn_mask=bias
            )
            return super().forward(tokens)

    assert_rejected(exercises.window_attention, OneAxisTooMany, "each window has its own bias")


# Figures


def test_tables_write_every_number_in_its_field():
    matrix = torch.tensor([[0.5, -1.25, 2.0], [0.0, 3.0, 1.0]])
    figure = figures.tables({"a": (matrix, "query", "key"), "b": (matrix[:, :1], "r", "c")})
    first, second = figure.axes
    written = {text.get_position(): text.get_text() for text in first.texts}
    assert written[(1, 0)] == "-1.25"
    assert written[(2, 1)] == "1.00"
    assert len(written) == 6
    assert len(second.texts) == 2
    assert (first.get_ylabel(), first.get_xlabel()) == ("query", "key")
    assert np.array_equal(first.images[0].get_array(), matrix)


def test_a_table_of_equal_numbers_can_be_drawn():
    figures.tables({"a": (np.ones((2, 2)), "query", "key")}).canvas.draw()


def test_scaling_draws_both_curves_of_every_measure():
    curves = {"without": {4: 2.0, 16: 4.0}, "with": {4: 1.0, 16: 1.0}}
    figure = figures.scaling({"spread": curves, "largest": curves})
    assert [axes.get_title() for axes in figure.axes] == ["spread", "largest"]
    for axes in figure.axes:
        drawn = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
        assert drawn == {"without": [[4, 2], [16, 4]], "with": [[4, 1], [16, 1]]}


def test_sharpness_has_a_bar_for_each_weight_on_one_scale():
    figure = figures.sharpness({0.1: [0.0, 1.0], 10: [0.4, 0.6]})
    heights = [[bar.get_height() for bar in axes.patches] for axes in figure.axes]
    assert heights == [[0, 1], [0.4, 0.6]]
    assert {axes.get_ylim() for axes in figure.axes} == {(0, 1)}


def test_a_mosaic_shows_every_window_in_its_place_with_gaps():
    windows = np.random.default_rng(0).integers(0, 255, (2, 3, 4, 4, 3), dtype=np.uint8)
    figure = figures.mosaic({"right": windows, "wrong": windows[::-1]})
    for axes, expected in zip(figure.axes, (windows, windows[::-1]), strict=True):
        canvas = axes.images[0].get_array()
        assert np.array_equal(canvas[6:10, 12:16], expected[1, 2])
        assert (canvas[4:6] == 255).all()
        assert (canvas[:, 4:6] == 255).all()


def test_offsets_lay_the_row_of_a_pixel_out_as_the_window():
    axes = figures.offsets(relative_position_index(3), pixel=5).axes[0]
    shown = axes.images[0].get_array()
    assert shown.tolist() == relative_position_index(3)[5].reshape(3, 3).tolist()
    assert {text.get_position(): int(text.get_text()) for text in axes.texts}[(2, 1)] == 12
    assert {patch.get_bbox().bounds for patch in axes.patches} == {(1.5, 0.5, 1, 1)}


def test_position_bias_shows_all_heads_on_one_scale_around_zero():
    bias = torch.zeros(2, 5, 5)
    bias[0, 1, 4], bias[1, 2, 2] = -3.0, 1.0
    figure = figures.position_bias(bias)
    for head, axes in enumerate(figure.axes[:2]):
        assert np.array_equal(axes.images[0].get_array(), bias[head])
        assert axes.images[0].get_clim() == (-3, 3)
        assert axes.images[0].get_extent() == [-2.5, 2.5, 2.5, -2.5]


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)


@pytest.fixture
def weights():
    return torch.rand(6, 2, 16, 16).softmax(-1)  # windows of 4 × 4, two heads


@pytest.mark.parametrize(
    ("row", "column", "window", "pixel"), [(0, 0, 0, 0), (5, 10, 5, 6), (3, 4, 1, 12)]
)
def test_pixel_attention_shows_the_pixels_own_window_and_weights(
    photo, weights, row, column, window, pixel
):
    figure = figures.pixel_attention(photo, weights, row=row, column=column)
    whole, crop, *heads, _ = figure.axes
    top, left = window // 3 * 4, window % 3 * 4
    assert {patch.get_bbox().bounds for patch in whole.patches} == {(left - 0.5, top - 0.5, 4, 4)}
    assert np.array_equal(crop.images[0].get_array(), photo[top : top + 4, left : left + 4])
    for head, axes in enumerate(heads):
        expected = weights[window, head, pixel]
        assert np.array_equal(axes.images[0].get_array(), expected.reshape(4, 4))
        assert axes.images[0].get_clim() == (0, weights[window, :, pixel].max())
    place = {patch.get_bbox().bounds for axes in (crop, *heads) for patch in axes.patches}
    assert place == {(column - left - 0.5, row - top - 0.5, 1, 1)}


def test_the_widget_draws_at_all_ends_and_for_every_layer(photo, weights, sweep):
    layers = {"block 1": weights, "block 2": weights.flip(0)}
    assert sweep(explore_attention(photo, layers, row=1, column=2)) == 3
