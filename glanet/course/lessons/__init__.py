"""The lessons: one folder each, named as the notebook is without its number."""
