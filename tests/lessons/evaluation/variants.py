"""Right answers to the exercises of notebook 13 in other words."""

VARIANTS = {}
