"""Waiting for something to become true."""

import os
import time

# How many times as long everything may take: below valgrind it does.
PATIENCE = 6 if os.environ.get("KCAUTH_SANITIZED") == "memcheck" else 1


def until(condition, what, seconds=10, pause=0.02):
    """Returns the condition's value once it is true; fails when that takes too long."""
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(pause)
