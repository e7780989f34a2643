"""Right answers to the exercises of notebook 06 in other words."""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

from glanet.model.attention import relative_position_index


def moved(tokens, down, right):
    """Pixel (r, c) goes to (r + down, c + right), around the edges."""
    height, width = tokens.shape[1:3]
    rows = (torch.arange(height) - down) % height
    columns = (torch.arange(width) - right) % width
    return tokens[:, rows][:, :, columns]


def moving(away, back):
    return lambda tokens, s, operation: moved(
        operation(moved(tokens, away[0] * s, away[1] * s)), back[0] * s, back[1] * s
    )


def cut_and_glued(tokens, shift, operation):
    for axis in (1, 2):
        first, rest = tokens.split((shift, tokens.shape[axis] - shift), axis)
        tokens = torch.cat((rest, first), axis)
    tokens = operation(tokens)
    for axis in (1, 2):
        rest, last = tokens.split((tokens.shape[axis] - shift, shift), axis)
        tokens = torch.cat((last, rest), axis)
    return tokens


def pair_by_pair(apart, value=-100.0):
    """A mask from ``apart(a, b, sizes)``, where a and b are (row, column) in the rolled image."""

    def mask(height, width, window, shift):
        sizes = (height, width, window, shift)
        windows = [
            [(top + i, left + j) for i in range(window) for j in range(window)]
            for top in range(0, height, window)
            for left in range(0, width, window)
        ]
        return torch.tensor(
            [[[[value if apart(a, b, sizes) else 0.0 for b in w] for a in w]] for w in windows]
        )

    return mask


def parted(*axes, after=lambda size, window, shift: size - shift):
    """Whether two pixels lie on two sides of a line across one of the ``axes``."""

    def apart(a, b, sizes):
        lines = [after(sizes[axis], *sizes[2:]) for axis in axes]
        pairs = zip(axes, lines, strict=True)
        return any((a[axis] >= line) != (b[axis] >= line) for axis, line in pairs)

    return apart


def were_no_neighbours(a, b, sizes):
    """Whether the roll moved one of the two around an edge of the image and not the other."""
    height, width, _, shift = sizes
    (r, c), (t, u) = (((p[0] + shift) % height, (p[1] + shift) % width) for p in (a, b))
    return (r - t, c - u) != (a[0] - b[0], a[1] - b[1])


def of_nine_regions(height, width, window, shift):
    region = torch.zeros(1, height, width, 1)
    ends = (slice(-window), slice(-window, -shift), slice(-shift, None))
    for number, (rows, columns) in enumerate((r, c) for r in ends for c in ends):
        region[:, rows, columns] = number
    cut = F.unfold(region.permute(0, 3, 1, 2), window, stride=window)[0].T  # (windows, N)
    return -100.0 * (cut[:, None, :, None] != cut[:, None, None, :])


def one_by_one(number):
    return lambda position, window, shift: torch.tensor(
        [number(p, window, shift, len(position)) for p in position.tolist()]
    )


def by_counting(p, window, shift, _):
    starts = [0, *range(shift, 100, window)] if shift else list(range(0, 100, window))
    return max(number for number, start in enumerate(starts) if start <= p)


class ByDefinition(nn.Module):
    """SW-MSA without roll, windows or mask; its methods are what a mutant gets wrong."""

    def __init__(self, channels, heads, window, shift):
        super().__init__()
        self.heads, self.window, self.shift = heads, window, shift
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))

    def forward(self, tokens):
        batch, height, width = tokens.shape[:3]
        parts = (
            self.qkv(tokens).view(batch, height * width, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        )
        rows = self.pairs(height)[:, None, :, None]
        columns = self.pairs(width)[None, :, None, :]
        together = (rows & columns).reshape(height * width, -1)
        bias = self.score(height, width).masked_fill(~together, -torch.inf)
        mixed = F.scaled_dot_product_attention(*parts, attn_mask=bias)
        return self.proj(mixed.transpose(1, 2).reshape(tokens.shape))

    def pairs(self, size):
        """Which positions along one side share a window: (size, size)."""
        number = (torch.arange(size) - self.shift).div(self.window, rounding_mode="floor")
        return number[:, None] == number

    def score(self, height, width):
        """The position bias of all pairs: (heads, H·W, H·W)."""
        row, column = self.steps(height), self.steps(width)
        index = row[:, None, :, None] * (2 * self.window - 1) + column[None, :, None, :]
        return self.bias_table[index.reshape(height * width, -1)].permute(2, 0, 1)

    def steps(self, size):
        """Along one side, the offset of two pixels in the table, around the edge: (size, size)."""
        place = (torch.arange(size) - self.shift) % size % self.window  # in the rolled image
        return place[:, None] - place + self.window - 1


class WindowByWindow(ByDefinition):
    """SW-MSA by rolling, and attention in one window after the other."""

    def forward(self, tokens):
        down, right = self.away()
        rolled = moved(tokens, down, right)
        out = torch.zeros_like(tokens)
        m, channels = self.window, tokens.shape[-1]
        masks = self.masks(*tokens.shape[1:3])
        for number in range(len(masks)):
            top, left = (m * k for k in divmod(number, tokens.shape[2] // m))
            part = self.qkv(rolled[:, top : top + m, left : left + m]).flatten(1, 2)
            heads = part.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
            bias = self.bias_table[relative_position_index(m)].permute(2, 0, 1) + masks[number]
            mixed = F.scaled_dot_product_attention(*heads, attn_mask=bias)
            mixed = mixed.transpose(1, 2).reshape(-1, m, m, channels)
            out[:, top : top + m, left : left + m] = self.proj(mixed)
        return moved(out, *self.back())

    def away(self):
        return -self.shift, -self.shift

    def back(self):
        return tuple(-step for step in self.away())

    def masks(self, height, width):
        return of_nine_regions(height, width, self.window, self.shift)


def in_two_rolls(tokens, shift, operation):
    rolled = operation(tokens.roll(-shift, 1).roll(-shift, 2))
    return rolled.roll(shift, 2).roll(shift, 1)


def by_slices(height, width, window, shift):
    """The sides written into the last rows and columns."""
    side = torch.zeros(height, width, dtype=torch.long)
    side[height - shift :] += 2
    side[:, width - shift :] += 1
    side = rearrange(side, "(h i) (w j) -> (h w) 1 (i j)", i=window, j=window)
    return torch.where(side[..., :, None] == side[..., None, :], 0.0, -100.0)


def by_searching(position, window, shift):
    return torch.searchsorted(torch.arange(shift, 10_000, window), position, right=True)


def rounded_down(position, window, shift):
    return ((position - shift) / window).floor()


def backwards(position, window, shift):
    return 7 - torch.div(position + window - shift, window, rounding_mode="floor")


class FusedWithMinusInfinity(WindowByWindow):
    """Forbidden pairs at -inf."""

    def masks(self, height, width):
        mask = super().masks(height, width)
        return mask.masked_fill(mask < 0, -torch.inf)


VARIANTS = {
    "on_rolled": (cut_and_glued, moving((-1, -1), (1, 1)), in_two_rolls),
    "shift_mask": (of_nine_regions, by_slices, pair_by_pair(were_no_neighbours)),
    "shifted_window": (by_searching, backwards, rounded_down),
    "WindowAttention": (WindowByWindow, ByDefinition, FusedWithMinusInfinity),
}
