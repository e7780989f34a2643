"""Right answers to the exercises of notebook 06 in other words."""

VARIANTS = {}
