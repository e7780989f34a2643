"""Right answers to the exercises of notebook 12 in other words."""

import numpy as np

from tests.lessons.full_training.test_lesson import (
    RIGHT_START,
    by_numpy,
    bytes_by_loop,
    start_of,
)


def by_array(batch, rank, world):
    return np.arange(batch).reshape(world, -1)[rank]


def by_range(batch, rank, world):
    return range(rank * batch // world, (rank + 1) * batch // world)


VARIANTS = {
    "decoded_bytes": (bytes_by_loop,),
    "share": (by_array, by_range),
    "start": (start_of(RIGHT_START),),
    "seconds_left": (by_numpy,),
}
