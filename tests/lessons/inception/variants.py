"""Right answers to the exercises of notebook 04 in other words."""

VARIANTS = {}
