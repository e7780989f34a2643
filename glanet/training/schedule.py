"""The learning rate, a pure function of the step."""

import math


def learning_rate(config, step) -> float:
    """The learning rate of a step, counted from 0.

    It rises linearly over the warm-up; then it is halved at every milestone, or follows half a
    cosine down to 0.
    """
    if step < config.warm_up:
        return config.learning_rate * (step + 1) / config.warm_up
    if config.schedule == "cosine":
        share = (step - config.warm_up) / max(1, config.steps - config.warm_up)
        return config.learning_rate * 0.5 * (1 + math.cos(math.pi * share))
    passed = sum(step >= share * config.steps for share in config.milestones)
    return config.learning_rate * 0.5**passed
