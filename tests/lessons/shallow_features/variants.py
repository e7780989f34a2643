"""Right answers to the exercises of notebook 03 in other words."""

VARIANTS = {}
