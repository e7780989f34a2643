"""Right answers to the exercises of notebook 12 in other words."""

VARIANTS = {}
