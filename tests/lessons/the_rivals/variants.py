"""Right answers to the exercises of notebook 15 in other words."""

VARIANTS = {}
