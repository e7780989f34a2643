"""Right answers to the exercises of notebook 10 in other words."""

VARIANTS = {}
