"""Waiting for another process."""

import time

PATIENCE = 120.0  # seconds


def wait_for(condition):
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < PATIENCE
        time.sleep(0.02)
