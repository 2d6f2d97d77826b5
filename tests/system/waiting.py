"""Waiting for what nobody tells: a condition is looked at again and again."""

import time

_LOOK_S = 0.02


def until(condition, timeout=10, tell=None):
    """Waits until `condition()` is true and returns what it gave; fails after `timeout` s, with what `tell()` says."""
    deadline = time.monotonic() + timeout
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, tell() if tell else f"not within {timeout} s"
        time.sleep(_LOOK_S)
