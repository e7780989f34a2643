"""Right answers to the exercises of notebook 11 in other words."""

import torch

from tests.lessons.training_in_miniature.test_lesson import (
    AverageRewritten,
    adam_rewritten,
    by_autograd,
    rate_rewritten,
    step_rewritten,
)


def as_a_list(weight, gradient, m, v, step, rate):
    return list(adam_rewritten(weight, gradient, m, v, step, rate))


def in_torch(recipe, step):
    return torch.tensor(rate_rewritten(recipe, step), dtype=torch.float64).item()


VARIANTS = {
    "l1_gradient": (by_autograd,),
    "adam_step": (adam_rewritten, as_a_list),
    "train_step": (step_rewritten,),
    "learning_rate": (rate_rewritten, in_torch),
    "Average": (AverageRewritten,),
}
