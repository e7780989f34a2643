"""Right answers to the exercises of notebook 07 in other words."""

VARIANTS = {}
