"""Kernels in Triton, each beside a plain twin that computes the same.

Nothing uses one by default: whether a kernel is faster is for `benchmarks/gpu.sh` to measure.
"""
