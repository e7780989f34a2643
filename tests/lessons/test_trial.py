"""Wrong answers that learners may write, to exercises of many lessons, and what they read then."""

import subprocess
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from einops import rearrange
from scipy.stats import t
from torch import nn

from glanet.course import report
from glanet.course.lessons.your_own_layer.experiment import Trial
from glanet.model.attention import shift_mask
from glanet.model.inception import Inception
from glanet.model.layer import StochasticDepth
from glanet.model.network import GLANet
from glanet.model.reconstruction import LightHead, PaperHead
from tests.lessons.verdicts import assert_rejected

EXERCISES = {exercise.key: exercise for exercise in report.all_exercises()}


def powers_swapped(distance):
    x = np.abs(distance)
    inner = 1.5 * x**2 - 2.5 * x**3 + 1
    outer = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, inner, np.where(x < 2, outer, 0))


def luma(image, border):
    y = 16 + image @ np.array([65.481, 128.553, 24.966]) / 255
    return y[border : len(y) - border, border : y.shape[1] - border]


def psnr(decibels):
    def psnr(sr, hr, border):
        if np.array_equal(sr, hr) and decibels is not with_epsilon:
            return np.inf
        return decibels(luma(sr, border), luma(hr, border))

    return psnr


def with_epsilon(sr, hr):
    return 10 * np.log10(255**2 / (((sr - hr) ** 2).mean() + 1e-8))


def ssim(*, mean=np.sum, centre=None, denominator=lambda means, spreads: means * spreads, swap=0):
    def window_ssim(x, y, w):
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        mean_x, mean_y = mean(w * x), mean(w * y)
        about_x, about_y = (centre(x), centre(y)) if centre else (0, 0)
        dx, dy = x - about_x, y - about_y
        spreads = [mean(w * product) for product in (dx * dx, dy * dy, dx * dy)]
        if not centre:
            spreads = np.subtract(spreads, (mean_x**2, mean_y**2, mean_x * mean_y))
        above = (c2, c1) if swap else (c1, c2)
        return ((2 * mean_x * mean_y + above[0]) * (2 * spreads[2] + above[1])) / denominator(
            mean_x**2 + mean_y**2 + c1, spreads[0] + spreads[1] + c2
        )

    return window_ssim


def convolve(rows=slice(None), columns=slice(None), *, like=np.shape, read=None):
    def convolve(image, kernel):
        padded = np.pad(image, 1)
        answer = like(image)
        answer = np.zeros(answer) if isinstance(answer, tuple) else answer
        for i in range(image.shape[0])[rows]:
            for j in range(image.shape[1])[columns]:
                window = read(image, i, j) if read else padded[i : i + 3, j : j + 3]
                answer[i, j] = (window * kernel).sum()
        return answer

    return convolve


def around(image, i, j):
    """The neighbours by their indices in the image, where -1 is at the other end."""
    height, width = image.shape
    return np.array(
        [
            [image[r, c] if r < height and c < width else 0 for c in (j - 1, j, j + 1)]
            for r in (i - 1, i, i + 1)
        ]
    )


def nine(tokens, padding=(0, 0, 1, 1, 1, 1)):
    height, width = tokens.shape[1:3]
    padded = F.pad(tokens, padding, value=-torch.inf)
    return [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]


def scores(query, key, bias):
    return query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5 + bias


def offsets(number):
    def index(window):
        row, column = torch.meshgrid(*[torch.arange(window)] * 2, indexing="ij")
        row, column = (p.flatten()[:, None] - p.flatten() for p in (row, column))
        return number(row, column, window)

    return index


def sides(height, width, window, shift, *, ends=None, apart=torch.ne):
    height_end, width_end = ends or (height, width)
    side = 2 * (torch.arange(height) >= height_end - shift)[:, None].long()
    side = side + (torch.arange(width) >= width_end - shift).long()
    side = side.unfold(0, window, window).unfold(1, window, window).flatten(0, 1).flatten(1)
    return -100.0 * apart(side[:, None, :, None], side[:, None, None])


def with_forward(cls, forward):
    return type("Mine", (cls,), {"forward": forward})


def windows_by(cut, join):
    """W-MSA by two patterns for einops."""
    reference = EXERCISES["window_attention.WindowAttention"].reference

    class Mine(reference):
        def forward(self, tokens):
            height, width = tokens.shape[1:3]
            sizes = {"i": self.window, "j": self.window}
            query, key, value = rearrange(
                self.qkv(tokens), f"b {cut}", three=3, heads=self.heads, **sizes
            )
            bias = self.bias_table[self.bias_index].permute(2, 0, 1)
            mixed = scores(query, key, bias).softmax(-1) @ value
            sizes |= {"h": height // self.window, "w": width // self.window}
            return self.proj(rearrange(mixed, f"b (h w) heads (i j) d -> b {join}", **sizes))

    return Mine


def masked_by(mask):
    """SW-MSA step by step, with another mask."""
    reference = EXERCISES["shifted_windows.WindowAttention"].reference

    class Mine(reference):
        def forward(self, tokens):
            height, width = tokens.shape[1:3]
            rolled = tokens.roll((-self.shift, -self.shift), (1, 2))
            parts = rearrange(
                self.qkv(rolled),
                "b (h i) (w j) (three heads d) -> three b (h w) heads (i j) d",
                i=self.window,
                j=self.window,
                three=3,
                heads=self.heads,
            )
            bias = rearrange(self.bias_table[self.bias_index], "i j heads -> heads i j")
            bias = bias + mask(height, width, self.window, self.shift, bias.dtype, bias.device)
            mixed = rearrange(
                scores(*parts[:2], bias).softmax(-1) @ parts[2],
                "b (h w) heads (i j) d -> b (h i) (w j) (heads d)",
                h=height // self.window,
                i=self.window,
            )
            return self.proj(mixed).roll((self.shift, self.shift), (1, 2))

    return Mine


def cut_v(v, weight, multiply, axis=1):
    widths = [len(weight), *[len(weight) // 4] * 4]
    parts = zip(v.split(widths, -1), weight.split(widths, axis), strict=True)
    return torch.stack([multiply(part, columns) for part, columns in parts])


class TwoLinear(nn.Sequential):
    def __init__(self, channels, ratio):
        hidden = int(channels * ratio)
        super().__init__(nn.Linear(channels, hidden), nn.Linear(hidden, channels))


class WidthFloat(nn.Sequential):
    def __init__(self, channels, ratio):
        hidden = channels * ratio
        super().__init__(nn.Linear(channels, hidden), nn.GELU(), nn.Linear(hidden, channels))


def drop(keep):
    return with_forward(
        StochasticDepth,
        lambda self, branch: branch * keep(self, branch) if self.training else branch,
    )


def first_of_dense(tokens, blocks, transitions):
    collected = [tokens]
    for transition, block in zip(transitions, blocks, strict=True):
        collected.insert(0, block(transition(torch.cat(collected, -1))))
    return collected[-1]


def reflected(size, multiple):
    place = torch.arange(size + -size % multiple) % (2 * (size - 1))
    return torch.minimum(place, 2 * (size - 1) - place)


def reflected_by_pad(size, multiple):
    row = torch.arange(size, dtype=torch.float32)[None, None]
    return F.pad(row, (0, -size % multiple), mode="reflect").flatten().long()


def network(*, centre=None, uncentre=None, base=None, crop=None):
    def forward(self, image):
        scale, window = self.config.scale, self.config.window
        height, width = image.shape[-2:]
        centred = centre(self, image) if centre else image - self.mean
        rows, columns = (
            EXERCISES["the_whole_network.reflected_indices"].reference(side, window)
            for side in (height, width)
        )
        padded = centred[:, :, rows][..., columns]
        shallow = self.shallow(padded)
        upscaled = self.reconstruct(shallow + self.trunk(shallow))
        if self.config.bilinear_base:
            options = base or {"mode": "bilinear", "align_corners": False}
            upscaled = upscaled + F.interpolate(padded, scale_factor=scale, **options)
        upscaled = uncentre(self, upscaled) if uncentre else upscaled + self.mean
        scale = crop or scale
        return upscaled[..., : scale * height, : scale * width]

    def checked(self, image):
        GLANet.forward(self, image)  # rejects what is no image
        return forward(self, image)

    return with_forward(GLANet, checked)


def rings(power, width):
    down, across = (torch.fft.fftfreq(side).double() for side in power.shape)
    ring = (torch.hypot(down[:, None], across) / width + 1e-9).long()
    return torch.stack([power[ring == number].mean() for number in range(16)])


def half_of_the_frequencies(power):
    down, across = torch.fft.fftfreq(len(power)), torch.fft.rfftfreq(power.shape[1])
    ring = (32 * torch.hypot(down[:, None], across)).long()
    return torch.stack([power[ring == number].mean() for number in range(16)])


def in_steps_of_a_window(values, m):
    columns = [
        torch.stack([values[:, row::m, column::m].mean((1, 2)) for row in range(m)], 1)
        for column in range(m)
    ]
    return torch.stack(columns, 2)


@contextmanager
def returning(modules):
    """Hooks in a lambda, which returns what it records."""
    heard = {}
    handles = [
        module.register_forward_hook(lambda m, i, o, n=name: heard.setdefault(n, (i[0], o)))
        for name, module in modules.items()
    ]
    yield heard
    for handle in handles:
        handle.remove()


def coherence(y, z, mean, squared):
    cross = mean(y * z.conj())
    powers = mean(y.abs() ** 2), mean(z.abs() ** 2)
    return cross / powers[1], squared(y, z, mean) / (powers[0] * powers[1])


def adam(new):
    def adam_step(weight, gradient, m, v, step, rate):
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        m_hat, root = m / (1 - 0.9**step), (v / (1 - 0.999**step)).sqrt()
        return new(weight, gradient, m_hat, root, rate), m, v

    return adam_step


def right_weight(weight, gradient, m_hat, root, rate):
    return weight - rate * m_hat / (root + 1e-8)


def train_on(loss_of):
    def train_step(model, adam, lr, hr, rate):
        model.train()
        adam.param_groups[0]["lr"] = rate
        loss = loss_of(model(lr), hr)
        adam.zero_grad()
        loss.backward()
        adam.step()
        return loss.item()

    return train_step


def rate(*, warm=None, cosine=None, halving=None):
    right = EXERCISES["training_in_miniature.learning_rate"].reference

    def learning_rate(recipe, step):
        if step < recipe.warm_up:
            return warm(recipe, step) if warm else right(recipe, step)
        if recipe.schedule == "cosine":
            share = (step - recipe.warm_up) / (recipe.steps - recipe.warm_up)
            return cosine(recipe, step, share) if cosine else right(recipe, step)
        passed = sum(step >= milestone * recipe.steps for milestone in recipe.milestones)
        return halving(recipe, passed) if halving else right(recipe, step)

    return learning_rate


class Recording(EXERCISES["training_in_miniature.Average"].reference(nn.Linear(1, 1), 0).__class__):
    def __init__(self, model, decay):
        super().__init__(model)

    def update_parameters(self, model):
        for mine, theirs in zip(self.parameters(), model.parameters(), strict=True):
            mine.copy_(theirs)


def run_and_wait(command, output):
    with Path(output).open("ab") as file:
        return subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False)


def seconds_left(entries, steps):
    first, last = entries[-21], entries[-1]
    pace = (last["seconds"] - first["seconds"]) / (last["step"] - first["step"])
    return pace * (steps - last["step"])


def never_turned_back(model, image):
    answers = []
    for turns in range(4):
        turned = image.rot90(turns, (2, 3))
        answers += [model(turned), model(turned.flip(3)).flip(3)]
    return torch.stack(answers).mean(0)


def turned_by_default(model, image):
    return torch.stack([model(image.rot90(turns)).rot90(-turns) for turns in range(4)]).mean(0)


def divided(weights):
    return weights / weights.sum(-1, keepdim=True)


def bootstrap(seed=None, *, ends=lambda mean, means: np.quantile(means, (0.025, 0.975))):
    def interval(ours, theirs):
        differences = ours - theirs
        draws = np.random.default_rng(seed).choice(differences, (2000, len(differences)))
        return differences.mean(), *ends(differences.mean(), draws.mean(1))

    return interval


def both_sides(mean, means):
    return mean - 1.96 * means.std(), mean + 1.96 * means.std()


def reaching(reach, about=np.mean):
    def interval(ours, theirs):
        differences = ours - theirs
        half = reach(differences, len(differences) ** 0.5)
        return about(differences), about(differences) - half, about(differences) + half

    return interval


def every_seed_of(chosen):
    """A plan of the networks that are ``chosen``, by their share of the original's parameters."""

    def plan(parameters, recipe):
        data = tuple(file for file in recipe.data if file not in recipe.validation)
        return [
            Trial(name, count, replace(recipe, data=data, seed=seed))
            for name, count in parameters.items()
            for seed in range(3)
            if chosen(count / parameters["original"])
        ]

    return plan


def hooks_stay(modules):
    heard = {}
    for name, module in modules.items():
        module.register_forward_hook(lambda m, i, o: heard.update({name: (i[0], o)}))  # noqa: B023
    yield heard


def interval(order):
    right = EXERCISES["your_own_layer.t_interval"].reference
    return lambda ours, theirs: np.array([right(ours, theirs)[place] for place in order])


def trusting(mine, control, weaker):
    return {1: "better", -1: "worse", 0: "undecided"}[mine]


def doubting_only_nothing(mine, control, weaker):
    if mine:
        return "better" if mine == 1 else "worse"
    if control:
        return "broken"
    return "undecided" if weaker == -1 else "insensitive"


NAMES = ("undecided", "better", "worse")

TRIAL = [
    ("start_here.nearest", lambda i, s: np.kron(i, np.ones((s, s), int)), "columns and colours"),
    ("start_here.nearest", lambda i, s: s * i, "multiplied by `scale`"),
    (
        "start_here.nearest",
        lambda i, s: np.array(
            [
                [
                    i[min(round(r / s), len(i) - 1), min(round(c / s), len(i[0]) - 1)]
                    for c in range(s * len(i[0]))
                ]
                for r in range(s * len(i))
            ]
        ),
        "copy of i // scale",
    ),
    ("the_problem.cubic_kernel", powers_swapped, "the powers are swapped"),
    ("the_yardstick.psnr_y", psnr(with_epsilon), "1e-08 is added to the error"),
    (
        "the_yardstick.psnr_y",
        psnr(lambda sr, hr: 10 * np.log10(255**2 / (sr - hr).mean() ** 2)),
        "averaged before they are squared",
    ),
    (
        "the_yardstick.psnr_y",
        psnr(lambda sr, hr: 10 * np.log10(sr.max() ** 2 / ((sr - hr) ** 2).mean())),
        "the largest value of the image",
    ),
    ("the_yardstick.window_ssim", ssim(denominator=np.add), "denominators are added"),
    ("the_yardstick.window_ssim", ssim(centre=np.mean), "from the unweighted means"),
    ("the_yardstick.window_ssim", ssim(mean=np.mean), "means of weighted pixels"),
    ("the_yardstick.window_ssim", ssim(swap=1), "swapped in the numerator"),
    ("shallow_features.convolve", convolve(slice(1, None), slice(1, None)), "the first row"),
    ("shallow_features.convolve", convolve(slice(-1), slice(-1)), "the last row"),
    ("shallow_features.convolve", convolve(read=around), "an index of -1"),
    ("shallow_features.convolve", convolve(like=np.zeros_like), "fractions are cut off"),
    (
        "shallow_features.LightHead",
        with_forward(LightHead, lambda self, tokens: self.to_image(tokens)),
        "a convolution reads (B, C, H, W)",
    ),
    ("shallow_features.pixel_shuffle", lambda c, s: nn.PixelShuffle(s), "it returns PixelShuffle"),
    ("inception.max_pool", lambda t: torch.stack(nine(t, (1,) * 4)).amax(0), "F.pad counts axes"),
    ("inception.max_pool", lambda t: torch.cat(nine(t)).amax(0), "torch.stack makes an axis"),
    ("inception.max_pool", lambda t: sum(nine(t)) / 9, "this is the mean of the nine, -inf"),
    (
        "inception.Inception",
        with_forward(Inception, lambda self, tokens: nn.Sequential(*self.branches)(tokens)),
        "a quarter of the channels",
    ),
    ("window_attention.attend", lambda q, k, v, b: scores(q, k, b).softmax(-1) * v, "by number"),
    (
        "window_attention.attend",
        lambda q, k, v, b: (q * k / q.shape[-1] ** 0.5 + b) @ v,
        "by number",
    ),
    ("window_attention.attend", lambda q, k, v, b: v @ scores(q, k, b).softmax(-1), "wrong order"),
    (
        "window_attention.attend",
        lambda q, k, v, b: scores(q, k, b).softmax(-1).detach() @ v,
        "no gradient passes through to each of its inputs",
    ),
    (
        "window_attention.attend",
        lambda q, k, v, b: scores(q, k, b).relu() @ v,
        "from a ReLU: a softmax",
    ),
    (
        "window_attention.attend",
        lambda q, k, v, b: divided(scores(q, k, b).relu()) @ v,
        "from a ReLU, divided by their sum",
    ),
    (
        "window_attention.attend",
        lambda q, k, v, b: (q @ k.transpose(-2, -1) + b).softmax(-2) @ v,
        "two mistakes: (1) the softmax runs over the queries: each query's weights add up to 1, so "
        "dim=-1; (2) the scores are not scaled",
    ),
    (
        "window_attention.attend",
        lambda q, k, v, b: (q @ k.transpose(-2, -1)).softmax(-1) @ v,
        "two mistakes: (1) the scores are not scaled: multiply q kᵀ by d ** -0.5; (2) the bias is "
        "missing",
    ),
    (
        "window_attention.cut_windows",
        lambda tokens, m: rearrange(tokens, "b (i h) (w j) c -> b (w h) (i j) c", i=m, j=m),
        "two mistakes: (1) the windows are counted column by column: use (h w), not (w h); (2) the "
        "rows are split as (i h)",
    ),
    (
        "window_attention.join_windows",
        lambda windows, m, height: rearrange(
            windows, "b (h w) (j i) c -> b (h i) (j w) c", h=height // m, i=m, j=m
        ),
        "two mistakes: (1) the pixels of a window were counted row by row: use (i j), not (j i); "
        "(2) the columns are joined as (j w)",
    ),
    (
        "window_attention.relative_position_index",
        offsets(lambda row, column, m: column * (2 * m - 1) + row),
        "add window - 1 to both; (2) rows and columns are exchanged",
    ),
    (
        "window_attention.WindowAttention",
        windows_by(
            "(h i) (w j) (heads three d) -> three b (h w) heads (i j) d", "(h i) (j w) (heads d)"
        ),
        "first, then heads, then d, so (three heads d); (2) the columns are split as (w j), but "
        "joined as (j w)",
    ),
    (
        "window_attention.WindowAttention",
        windows_by(
            "(i h) (w j) (three heads d) -> three b (h w) heads (i j) d", "(h i) (w j) (heads d)"
        ),
        "split as (i h), but joined as (h i)",
    ),
    (
        "window_attention.WindowAttention",
        windows_by(
            "(h i) (w j) (three heads d) -> three b (h w) heads (i j) d", "(h i) (j w) (heads d)"
        ),
        "split as (w j), but joined as (j w)",
    ),
    (
        "window_attention.WindowAttention",
        windows_by(
            "(i h) (w j) (three heads d) -> three b (h w) heads (i j) d", "(i h) (w j) (heads d)"
        ),
        "split and joined as (i h)",
    ),
    (
        "window_attention.WindowAttention",
        windows_by(
            "(i h) (j w) (three heads d) -> three b (h w) heads (i j) d", "(h i) (w j) (heads d)"
        ),
        "split as (i h) (j w)",
    ),
    (
        "window_attention.WindowAttention",
        windows_by(
            "(h i) (w j) (heads three d) -> three b (h w) heads (i j) d", "(h i) (w j) (d heads)"
        ),
        "split as (heads three d) and joined as (d heads)",
    ),
    (
        "window_attention.cut_windows",
        lambda t, m: rearrange(t, "b (h i) (w j) c -> b (h w) (i j) c", h=m, w=m),
        "give einops i=window",
    ),
    (
        "window_attention.cut_windows",
        lambda t, m: torch.stack(
            [
                t[:, i : i + m, j : j + m].flatten(1, 2)
                for i in range(0, t.shape[1], m)
                for j in range(0, t.shape[2], m)
            ]
        ),
        "before the batch",
    ),
    (
        "window_attention.cut_windows",
        lambda t, m: torch.stack(
            [
                t[:, i : i + m, j : j + m].flatten(1, 2)
                for i in range(t.shape[1] - m + 1)
                for j in range(t.shape[2] - m + 1)
            ],
            1,
        ),
        "the windows overlap",
    ),
    (
        "window_attention.join_windows",
        lambda windows, m, height: rearrange(
            windows, "b (h w) (i j) c -> b (h i) (w j) c", h=height, i=m, j=m
        ),
        "h=height // window",
    ),
    (
        "window_attention.relative_position_index",
        offsets(lambda row, column, m: abs(row) * m + abs(column)),
        "opposite offsets get the same number, and",
    ),
    (
        "window_attention.relative_position_index",
        offsets(lambda row, column, m: torch.stack([row, column], -1) + m - 1),
        "the two offsets",
    ),
    (
        "shifted_windows.shift_mask",
        lambda h, w, m, s: sides(h, w, m, s, apart=torch.gt),
        "one direction only",
    ),
    (
        "shifted_windows.shift_mask",
        lambda h, w, m, s: sides(h, w, m, s, ends=(m, m)),
        "everything after the first window - shift",
    ),
    (
        "shifted_windows.WindowAttention",
        masked_by(lambda h, w, m, s, *form: shift_mask(h, w, m, m - s, *form)),
        "the mask is that of window - shift",
    ),
    (
        "shifted_windows.WindowAttention",
        masked_by(lambda *sizes: shift_mask(*sizes) / 100),
        "the mask is too weak, -1 for -100",
    ),
    (
        "shifted_windows.WindowAttention",
        masked_by(lambda *sizes: shift_mask(*sizes) / -100),
        "the mask holds 1",
    ),
    ("gla_layer.contributions", lambda v, w: cut_v(v, w, torch.matmul), "W_b is not transposed"),
    (
        "gla_layer.contributions",
        lambda v, w: cut_v(v, w, F.linear, axis=0),
        "the matrix is cut by rows",
    ),
    ("gla_layer.contributions", lambda v, w: cut_v(v, w, lambda z, _: z), "the parts of V"),
    ("gla_layer.MLP", TwoLinear, "put nn.GELU() between them"),
    ("gla_layer.MLP", WidthFloat, "is not a whole number"),
    (
        "gla_layer.StochasticDepth",
        drop(lambda self, branch: torch.rand(1) > self.probability),
        "the whole batch shares one draw, and",
    ),
    (
        "gla_layer.StochasticDepth",
        drop(lambda self, branch: torch.rand(len(branch)) > self.probability),
        "line up with the last axis",
    ),
    ("dense_blocks.dense", first_of_dense, "this is the input"),
    (
        "dense_blocks.transition_parameters",
        lambda c, blocks, first: [i * c**2 + c for i in range(blocks)],
        "i starts at 0",
    ),
    ("the_whole_network.reflected_indices", reflected, "a row of one pixel"),
    ("the_whole_network.reflected_indices", reflected_by_pad, "reflects only once"),
    (
        "the_whole_network.PaperHead",
        with_forward(PaperHead, lambda self, t: self.to_image(self.upsample(self.reduce(t)))),
        "a convolution reads (B, C, H, W)",
    ),
    ("the_whole_network.GLANet", network(centre=lambda self, i: i + self.mean), "at the start"),
    ("the_whole_network.GLANet", network(uncentre=lambda self, u: u - self.mean), "at the end"),
    ("the_whole_network.GLANet", network(centre=lambda self, i: i - i.mean()), "of this image"),
    ("the_whole_network.GLANet", network(base={"mode": "bicubic"}), "I_CSR is bicubic"),
    ("the_whole_network.GLANet", network(base={"mode": "nearest"}), "I_CSR repeats pixels"),
    ("the_whole_network.GLANet", network(crop=2), "always crops to twice"),
    (
        "the_whole_network.layer_parameters",
        lambda *sizes: 1.0 * EXERCISES["the_whole_network.layer_parameters"].reference(*sizes),
        "return an int",
    ),
    ("frequency_lab.by_ring", lambda power: rings(power, 1 / 16), "twice as wide"),
    ("frequency_lab.by_ring", lambda power: rings(power, 1 / 32).log(), "a logarithm"),
    ("frequency_lab.record", returning, "the hook returns something"),
    (
        "frequency_lab.coherent",
        lambda y, z, mean: coherence(y, z, mean, lambda y, z, mean: mean(abs(y * z.conj()) ** 2)),
        "inside the expectation",
    ),
    (
        "frequency_lab.coherent",
        lambda y, z, mean: coherence(y, z, mean, lambda y, z, mean: mean(y * z.conj()) ** 2),
        "a complex number is squared",
    ),
    ("frequency_lab.by_ring", half_of_the_frequencies, "rfftfreq has half"),
    (
        "frequency_lab.record",
        contextmanager(hooks_stay),
        "two mistakes: (1) the hooks are still there at the end",
    ),
    (
        "frequency_lab.coherent",
        lambda y, z, mean: (
            mean(y.conj() * z) / mean(abs(z) ** 2),
            abs(mean(y.conj() * z)) / (mean(abs(y) ** 2) * mean(abs(z) ** 2)) ** 0.5,
        ),
        "two mistakes: (1) Y is conjugated",
    ),
    ("frequency_lab.fold", lambda values, m: values[:, :m, :m], "the first window alone"),
    ("frequency_lab.fold", in_steps_of_a_window, "incomplete windows count, too"),
    (
        "training_in_miniature.l1_gradient",
        lambda output, target: (output - target) / abs(output - target) / output.numel(),
        "0 / 0 gives nan",
    ),
    ("training_in_miniature.l1_gradient", lambda o, t: abs(o - t).mean(), "this is the loss"),
    (
        "training_in_miniature.adam_step",
        adam(lambda w, gradient, m, root, rate: w - rate * m / root + 1e-8),
        "in brackets",
    ),
    (
        "training_in_miniature.adam_step",
        adam(lambda w, gradient, m, root, rate: w - rate * gradient / (root + 1e-8)),
        "the gradient is divided",
    ),
    (
        "training_in_miniature.adam_step",
        adam(lambda w, gradient, m, root, rate: w - rate * gradient),
        "this is gradient descent",
    ),
    (
        "training_in_miniature.adam_step",
        adam(lambda w, *others: right_weight(w, *others) - w),
        "this is the step alone",
    ),
    (
        "training_in_miniature.adam_step",
        lambda *arguments: [adam(right_weight)(*arguments)[place] for place in (0, 2, 1)],
        "v comes before m",
    ),
    ("training_in_miniature.train_step", train_on(lambda o, t: (o - t).mean()), "signs cancel"),
    (
        "training_in_miniature.learning_rate",
        rate(warm=lambda recipe, step: recipe.learning_rate),
        "full from step 0",
    ),
    (
        "training_in_miniature.learning_rate",
        rate(warm=lambda recipe, step: (step + 1) / recipe.warm_up),
        "the warm-up is not multiplied",
    ),
    (
        "training_in_miniature.learning_rate",
        rate(cosine=lambda recipe, step, share: recipe.learning_rate * (1 + np.cos(share)) / 2),
        "π is missing",
    ),
    (
        "training_in_miniature.learning_rate",
        rate(cosine=lambda recipe, step, share: recipe.learning_rate * (1 + np.cos(np.pi * share))),
        "twice the rate",
    ),
    (
        "training_in_miniature.learning_rate",
        rate(
            cosine=lambda recipe, step, share: (
                recipe.learning_rate
                / 2
                * (1 + np.cos(np.pi * (step - recipe.warm_up) / recipe.steps))
            )
        ),
        "divide by the steps after the warm-up",
    ),
    (
        "training_in_miniature.learning_rate",
        rate(halving=lambda recipe, passed: recipe.learning_rate * passed / 2),
        "take it to that power",
    ),
    (
        "training_in_miniature.learning_rate",
        rate(halving=lambda recipe, passed: recipe.learning_rate),
        "never halved",
    ),
    ("training_in_miniature.Average", Recording, "@torch.no_grad()"),
    (
        "full_training.decoded_bytes",
        lambda sizes, s: [3 * (h // s) * (w // s) * (1 + s * s) for h, w in sizes],
        "the bytes of each image",
    ),
    (
        "full_training.share",
        lambda batch, rank, world: list(range(rank * batch / world, (rank + 1) * batch / world)),
        "use //",
    ),
    ("full_training.start", run_and_wait, "use Popen"),
    ("full_training.seconds_left", seconds_left, "a young run"),
    ("evaluation.self_ensemble", never_turned_back, "are not turned back: turn"),
    ("evaluation.self_ensemble", turned_by_default, "pass (2, 3)"),
    (
        "evaluation.blend",
        lambda left, right, overlap: torch.cat([left[..., :-overlap], right], -1),
        "left[..., :-0] is empty",
    ),
    (
        "your_own_layer.hidden_width",
        lambda count, target: count(
            EXERCISES["your_own_layer.hidden_width"].reference(count, target)
        ),
        "the number of parameters",
    ),
    ("your_own_layer.t_interval", interval((1, 0, 2)), "the low end comes first"),
    ("your_own_layer.t_interval", interval((0, 2, 1)), "before the low one"),
    ("your_own_layer.t_interval", bootstrap(seed=0), "not equally far from the mean"),
    ("your_own_layer.t_interval", bootstrap(ends=both_sides), "differ from call to call"),
    (
        "your_own_layer.t_interval",
        reaching(lambda d, root: 1.96 * d.std() / root),
        "two mistakes: (1) you divide the squares by n: use std(ddof=1), which divides by n − 1; "
        "(2) 1.96 holds for many values",
    ),
    (
        "your_own_layer.t_interval",
        reaching(lambda d, root: t.ppf(0.975, len(d) - 1) * d.var(ddof=1) / root),
        "this is the variance",
    ),
    (
        "your_own_layer.t_interval",
        reaching(lambda d, root: t.ppf(0.975, len(d) - 1) * d.std(ddof=1) / (len(d) - 1) ** 0.5),
        "you divide by √(n − 1)",
    ),
    (
        "your_own_layer.t_interval",
        reaching(lambda d, root: t.ppf(0.95, len(d)) * d.std(ddof=1) / root),
        "0.95 leaves 5 % at each side, and the mean uses up",
    ),
    (
        "your_own_layer.t_interval",
        reaching(lambda d, root: t.ppf(0.975, len(d) - 1) * d.std(ddof=1) / root, np.median),
        "around the median",
    ),
    (
        "your_own_layer.t_interval",
        lambda ours, theirs: (
            np.mean(ours - theirs),
            *(interval((1, 2))(ours, theirs) - np.mean(ours - theirs)),
        ),
        "an interval around 0",
    ),
    ("your_own_layer.t_interval", interval((1, 2)), "the two ends alone"),
    ("your_own_layer.plan", every_seed_of(lambda share: share <= 1.03), "more or fewer parameters"),
    (
        "your_own_layer.hidden_width",
        lambda count, target: max(1, int((target - count(1)) / (count(2) - count(1)))),
        "two mistakes: (1) you round down",
    ),
    (
        "your_own_layer.verdict",
        lambda mine, control, weaker: (
            "broken" if control > 0 else "insensitive" if weaker > 0 else NAMES[mine]
        ),
        "two mistakes: (1) a control that is worse counts as well",
    ),
    (
        "your_own_layer.t_interval",
        lambda ours, theirs: (
            np.mean(ours - theirs),
            *np.percentile(ours - theirs, (2.5, 97.5)),
        ),
        "not equally far from the mean",
    ),
    ("your_own_layer.verdict", trusting, "control and weaker are ignored"),
    ("your_own_layer.verdict", doubting_only_nothing, "only where it finds nothing"),
    ("your_own_layer.verdict", lambda *sides: "better", "returns 'better', expected 'broken'"),
]


@pytest.mark.parametrize(
    ("key", "answer", "words"), TRIAL, ids=[f"{key}-{words}" for key, _, words in TRIAL]
)
def test_the_mistake_is_named(key, answer, words):
    assert_rejected(EXERCISES[key], answer, words)
