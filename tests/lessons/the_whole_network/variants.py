"""Right answers to the exercises of notebook 09 in other words."""

VARIANTS = {}
