"""Figures of the course: each function takes its data and returns a matplotlib Figure."""
