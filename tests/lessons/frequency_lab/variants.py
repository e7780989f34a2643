"""Right answers to the exercises of notebook 10 in other words."""

from tests.lessons.frequency_lab.test_lesson import (
    Recorder,
    by_parts,
    fold_by_slices,
    fold_by_strides,
    means,
    rings_by_histogram,
)

VARIANTS = {
    "by_ring": (means(), rings_by_histogram),
    "record": (Recorder,),
    "coherent": (by_parts,),
    "fold": (fold_by_slices, fold_by_strides),
}
