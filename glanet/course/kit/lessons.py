"""The table of lessons: the only place that lists them, in reading order."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Lesson:
    """One notebook with its exercises, figures, widgets and tests.

    ``name`` is the key everywhere: in the folders ``glanet/course/lessons`` and ``tests/lessons``
    and in the exercises. ``stem`` names the notebook's file. ``builds`` is the part of the package
    that the learner builds in it, "" for none; ``shows`` is the notebook's subject. ``assumes``
    numbers the lessons without which it is hard to follow.
    """

    number: str  # two digits, the reading order
    name: str
    title: str
    builds: str
    shows: str
    assumes: tuple[str, ...] = ()

    @property
    def stem(self) -> str:
        """The file name of its notebook without suffix, such as ``05_window_attention``."""
        return f"{self.number}_{self.name}"


LESSONS = (
    Lesson("00", "start_here", "start here", "", "your machine, your first upscaled photograph"),
    Lesson(
        "01",
        "the_problem",
        "the problem",
        "degradation",
        "what a low-resolution image has lost",
        ("00",),
    ),
    Lesson(
        "02",
        "the_yardstick",
        "the yardstick",
        "metrics",
        "PSNR and SSIM (structural similarity) as the papers measure them",
        ("01",),
    ),
    Lesson(
        "03",
        "shallow_features",
        "shallow features",
        "Eq. 1",
        "the first convolution, and a stub of the network that trains",
        ("01", "02"),
    ),
    Lesson(
        "04",
        "inception",
        "Inception",
        "Eq. 3",
        "convolutions as filters; what max-pooling does",
        ("03",),
    ),
    Lesson(
        "05",
        "window_attention",
        "window attention",
        "W-MSA",
        "window-based multi-head self-attention, from toy numbers to position bias",
        ("03",),
    ),
    Lesson(
        "06",
        "shifted_windows",
        "shifted windows",
        "SW-MSA",
        "shifted-window multi-head self-attention: the roll and the mask, checked by brute force",
        ("05",),
    ),
    Lesson(
        "07",
        "gla_layer",
        "the GLA layer",
        "Fig. 2b",
        "both tools combined, and which one the layer listens to",
        ("04", "06"),
    ),
    Lesson(
        "08",
        "dense_blocks",
        "dense blocks",
        "Eq. 2",
        "what dense connections do to gradients",
        ("07",),
    ),
    Lesson(
        "09",
        "the_whole_network",
        "the whole network",
        "Eq. 4, 5",
        "where its 18,142,847 parameters are",
        ("08",),
    ),
    Lesson(
        "10",
        "frequency_lab",
        "frequency lab",
        "",
        "which frequencies the branches carry",
        ("07", "09"),
    ),
    Lesson(
        "11",
        "training_in_miniature",
        "training in miniature",
        "training",
        "a network that you train on a laptop",
        ("02", "09"),
    ),
    Lesson(
        "12",
        "full_training",
        "full training",
        "",
        "the paper's recipe, in a process that survives the notebook",
        ("11",),
    ),
    Lesson(
        "13",
        "evaluation",
        "evaluation",
        "",
        "the paper's tables, with your weights in them",
        ("02", "09"),
    ),
    Lesson(
        "14",
        "speed",
        "speed",
        "",
        "what limits a network on your machine",
        ("07",),
    ),
    Lesson(
        "15",
        "the_rivals",
        "the rivals",
        "rivals",
        "what each network of Table 1 looks at, and what that costs",
        ("05", "09"),
    ),
    Lesson(
        "16",
        "your_own_layer",
        "your own layer",
        "",
        "your change to the layer, judged against chance",
        ("10", "11", "13"),
    ),
)


def lesson(key) -> Lesson:
    """The lesson with ``key`` as its name, number or stem.

    Raises:
        KeyError: there is no such lesson.
    """
    for found in LESSONS:
        if key in (found.name, found.number, found.stem):
            return found
    raise KeyError(f"{key}: no such lesson; there are {', '.join(f.stem for f in LESSONS)}")
