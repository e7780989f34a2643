"""The learning rate, a pure function of the step."""

import math

from glanet.training.recipe import Recipe


def learning_rate(recipe: Recipe, step: int) -> float:
    """The learning rate of a step, counted from 0.

    It rises linearly over the warm-up; then it is halved at every milestone, or follows half a
    cosine down to 0.
    """
    if step < recipe.warm_up:
        return recipe.learning_rate * (step + 1) / recipe.warm_up
    if recipe.schedule == "cosine":
        share = (step - recipe.warm_up) / max(1, recipe.steps - recipe.warm_up)
        return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * share))
    passed = sum(step >= share * recipe.steps for share in recipe.milestones)
    return recipe.learning_rate * 0.5**passed
