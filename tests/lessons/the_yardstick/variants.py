"""Right answers to the exercises of notebook 02 in other words."""

VARIANTS = {}
