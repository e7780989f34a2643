"""Measuring: the metrics and the benchmark of the paper."""
