"""Right answers to the exercises of notebook 08 in other words."""

VARIANTS = {}
