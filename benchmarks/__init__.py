"""Measurements: timing, memory and training scripts, and the ledger of their figures."""
