"""Right answers to the exercises of notebook 01 in other words."""

VARIANTS = {}
