"""Tiny durable value (up to 128 bytes) that changes often and survives a power loss."""

import json

from firmware.store.slots import OVERHEAD, Slots

# LittleFS stores files of up to 128 bytes in the directory, where a rewrite costs 0.04 erases instead of one.
MAX_BYTES = 128


class StateFile:
    """One JSON value of at most `MAX_BYTES` bytes with its CRC; a power loss leaves the old or the new value."""

    def __init__(self, path, log=None, wear=None):
        self._slots = Slots(path, log, wear)

    def load(self):
        """Returns the value saved last, or None when none is intact."""
        text = self._slots.load()
        return None if text is None else json.loads(text)

    def save(self, value):
        """Writes `value` durably. Raises ValueError when it is too long, or OSError."""
        text = json.dumps(value, separators=(",", ":"))
        if len(text.encode()) > MAX_BYTES - OVERHEAD:
            raise ValueError("state too long")
        self._slots.save(text)
