"""Right answers to the exercises of notebook 11 in other words."""

VARIANTS = {}
