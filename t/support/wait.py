"""Waiting for something to become true."""

import time


def until(condition, what, seconds=10, pause=0.02):
    """Returns the condition's value once it is true; fails when that takes too long."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(pause)
