"""Right answers to the exercise of notebook 00 in other words."""

import numpy as np


def with_loops(image, scale):
    larger = np.empty((len(image) * scale, image.shape[1] * scale, 3), np.uint8)
    for row in range(len(larger)):
        for column in range(larger.shape[1]):
            larger[row, column] = image[row // scale, column // scale]
    return larger


def by_kron(image, scale):
    return np.kron(image, np.ones((scale, scale, 1), np.uint8))


def by_index(image, scale):
    rows, columns = (np.arange(scale * n) // scale for n in image.shape[:2])
    return image[rows][:, columns]


VARIANTS = {"nearest": (with_loops, by_kron, by_index)}
