"""Right answers to the exercises of notebook 05 in other words."""

VARIANTS = {}
