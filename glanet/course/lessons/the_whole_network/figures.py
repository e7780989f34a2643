"""Figures of the whole network: its padding, Eq. 4 as pictures, and where its parameters are."""

from dataclasses import astuple, dataclass

from matplotlib.patches import Rectangle

from glanet.course.kit.style import LOOKS, new_figure
from glanet.model.config import INCEPTION_BRANCHES, ModelConfig
from glanet.model.inception import KERNEL_SIZES
from glanet.model.reconstruction import HEAD_CHANNELS


def padding(image, *, height, width):
    """A padded image, float (H, W, 3) in [0, 1], with a frame around its ``height`` × ``width``."""
    figure = new_figure(4.6, 4.6 * image.shape[0] / image.shape[1])
    axes = figure.subplots()
    axes.imshow(image, extent=(0, image.shape[1], image.shape[0], 0), interpolation="nearest")
    for colour, thickness in (("black", 4), ("white", 2)):  # visible on dark and on light
        axes.add_patch(Rectangle((0, 0), width, height, fill=False, color=colour, lw=thickness))
    axes.set_xticks([0, width, image.shape[1]])
    axes.set_yticks([0, height, image.shape[0]])
    axes.set_xlabel("column (pixels)")
    axes.set_ylabel("row (pixels)")
    return figure


def equation_4(added, base, result):
    """Θ(F_s + F_d), I_CSR and their sum, side by side.

    ``base`` and ``result`` are float (H, W, 3) in [0, 1]; ``added`` is signed, (H, W, 3), and is
    shown as the mean of its three colours on one scale centred at 0.
    """
    figure = new_figure(10.2, 3.7)
    signed, *pictures = figure.subplots(1, 3)
    grey = added.mean(axis=-1)
    limit = abs(grey).max()
    shown = signed.imshow(grey, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    figure.colorbar(shown, ax=signed, shrink=0.8, label="mean of red, green and blue")
    signed.set_title("Θ(F_s + F_d)")
    for axes, picture, title in zip(
        pictures, (base, result), ("I_CSR", "their sum, I_HR"), strict=True
    ):
        axes.imshow(picture.clip(0, 1), interpolation="nearest")
        axes.set_title(title)
    for axes in (signed, *pictures):
        axes.set_xlabel("column (pixels)")
    signed.set_ylabel("row (pixels)")
    return figure


# Parameters as formulas


@dataclass(frozen=True)
class Terms:
    """A number of parameters, square·C² + linear·C + heads·h + constant; supports + and scaling."""

    square: float = 0
    linear: float = 0
    heads: int = 0
    constant: int = 0

    def __add__(self, other):
        return Terms(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def __rmul__(self, times):
        return Terms(*(times * factor for factor in astuple(self)))

    def __str__(self):
        factors = zip(astuple(self), ("C²", "C", "h", ""), strict=True)
        return " + ".join(
            unit if unit and factor == 1 else f"{factor:,.10g}{unit}"
            for factor, unit in factors
            if factor
        )

    def count(self, config) -> int:
        """The number for the channels C and heads h of a `ModelConfig`."""
        powers = (config.channels**2, config.channels, config.heads, 1)
        return round(sum(f * p for f, p in zip(astuple(self), powers, strict=True)))


@dataclass(frozen=True)
class Part:
    """One row of `account`: ``times`` modules, each with as many parameters as ``one`` says.

    ``names`` is the `fnmatch` pattern of these parameters' names in a GLANet, and ``group`` the bar
    of `parameter_bars` to which they belong.
    """

    label: str
    group: str
    names: str
    times: int
    one: Terms

    def count(self, config) -> int:
        """The parameters of all ``times`` modules together."""
        return self.times * self.one.count(config)


def account(config) -> list[Part]:
    """The parts of the GLANet of ``config``; each parameter is in exactly one of them."""
    inside, layers = "trunk.blocks.*.layers.*.", config.blocks * config.layers
    first = 0 if config.first_transition else 1
    transitions = range(first, config.blocks if config.dense else first)
    rows = [Part("shallow 3×3", "the rest", "shallow.*", 1, Terms(linear=3 * 9 + 1))]
    rows += [
        Part(label, group, inside + name, layers, one)
        for label, group, name, one in _layer_parts(config)
    ]
    rows += [
        Part("block 3×3", "3×3 of the blocks", "trunk.blocks.*.conv.*", config.blocks, _conv3()),
        Part(
            "1×1 before blocks",
            "1×1 before blocks",
            "trunk.transitions.*",
            1,
            sum((Terms(square=i + 1, linear=1) for i in transitions), Terms()),
        ),
        Part("norms of the trunk", "the rest", "trunk.norm_*", 2, Terms(linear=2)),
        Part("trunk 3×3", "the rest", "trunk.conv.*", 1, _conv3()),
        Part("head", "head", "reconstruct.*", 1, _head(config)),
    ]
    return [row for row in rows if row.one != Terms()]


def _conv3():
    return Terms(square=9, linear=1)


def _layer_parts(config):
    """(label, group, names within the layer, formula) of each module of a GLA layer, Fig. 2b."""
    ratio = int(config.channels * config.mlp_ratio) / config.channels
    offsets = (2 * config.window - 1) ** 2
    yield "norm 1", "the rest", "norm1.*", Terms(linear=2)
    if config.attention:
        yield "qkv", "attention", "attention.qkv.*", Terms(square=3, linear=3)
        yield "proj", "attention", "attention.proj.*", Terms(square=1, linear=1)
        yield "bias table", "attention", "attention.bias_table", Terms(heads=offsets)
    if config.inception:
        width = 1 / INCEPTION_BRANCHES  # of a branch, in units of C
        narrowing = Terms(square=width, linear=width)
        branch = "inception.branches.{}.*"
        yield "branch max", "Inception", branch.format(0), narrowing
        for number, size in enumerate(KERNEL_SIZES, start=1):
            row_and_column = 2 * Terms(square=size * width**2, linear=width)
            one = narrowing + row_and_column
            yield f"branch {size}", "Inception", branch.format(number), one
        yield "fusion", "fusion", "fuse.*", Terms(square=1 + config.attention, linear=1)
    yield "norm 2", "the rest", "norm2.*", Terms(linear=2)
    yield "MLP", "MLP", "mlp.*", Terms(square=2 * ratio, linear=ratio + 1)


def _head(config):
    if config.light_head:
        return config.scale**2 * Terms(linear=3 * 9, constant=3)
    steps = {2: [2], 3: [3], 4: [2, 2]}[config.scale]
    sub_pixels = sum(step**2 * (HEAD_CHANNELS * 9 + 1) * HEAD_CHANNELS for step in steps)
    to_image = 3 * (HEAD_CHANNELS * 9 + 1)
    return HEAD_CHANNELS * Terms(linear=9, constant=1) + Terms(constant=sub_pixels + to_image)


GROUPS = (
    "attention",
    "Inception",
    "fusion",
    "MLP",
    "3×3 of the blocks",
    "1×1 before blocks",
    "head",
    "the rest",
)
PAPER = ModelConfig.preset("paper")


def by_group(config) -> dict[str, int]:
    """Number of parameters in each of the ``GROUPS``, zeros included; they sum to the total."""
    counts = dict.fromkeys(GROUPS, 0)
    for part in account(config):
        counts[part.group] += part.count(config)
    return counts


def parameter_bars(config):
    """Each part's share of the parameters of a GLANet of ``config``; outlined, the paper's at ×2.

    The number at the end of a bar is the part's number of parameters. The Inception module's bar is
    divided into its four branches: max, 3, 5 and 7.
    """
    figure = new_figure(8.4, 3.9)
    axes = figure.subplots()
    counts, beside = by_group(config), by_group(PAPER)
    total = sum(counts.values())
    shares = {group: 100 * count / total for group, count in counts.items()}
    paper_shares = [100 * count / sum(beside.values()) for count in beside.values()]
    axes.barh(GROUPS, paper_shares, fill=False, height=0.85, label="the paper's, ×2")
    colours = [LOOKS["attention"]["color"] if g == "attention" else "#9A9A9A" for g in GROUPS]
    axes.barh(GROUPS, (shares | {"Inception": 0}).values(), height=0.55, color=colours)
    start = 0
    for part in account(config):
        if part.group == "Inception":
            branch, share = part.label.removeprefix("branch "), 100 * part.count(config) / total
            colour = LOOKS[branch]["color"]
            axes.barh(part.group, share, left=start, height=0.55, color=colour, edgecolor="white")
            if share > 1:  # otherwise narrower than its name
                place = (start + share / 2, GROUPS.index(part.group))
                axes.text(*place, branch, ha="center", va="center", fontsize=8)
            start += share
    for row, (group, beside_it) in enumerate(zip(GROUPS, paper_shares, strict=True)):
        axes.text(max(shares[group], beside_it) + 0.5, row, f"{counts[group]:,}", va="center")
    axes.invert_yaxis()
    axes.set_xlim(0, max(*shares.values(), *paper_shares) + 7)  # room for the numbers
    axes.set_xlabel("share of all parameters (%)")
    axes.set_title(f"{total:,} parameters")
    axes.legend(frameon=False, loc="lower right")
    return figure
