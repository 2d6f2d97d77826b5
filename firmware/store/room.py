"""Free space on the flash, and a reserve file that is given up when the flash is full."""

import os

from micropython import const

ENOSPC = const(28)  # has no name in MicroPython's errno

_BLOCK_BYTES = const(4096)
_PIECE_BYTES = const(256)


def free_bytes(path):
    """Returns how many bytes the file system of the file `path` has left. On LittleFS this reads all its pointers."""
    status = os.statvfs(path.rpartition("/")[0])
    return status[0] * status[4]


class Reserve:
    """A file that is there to be removed when the flash is full: the room for thinning, ends and events.

    `whole` is False while the flash has no room for all of it. `wear` (store.wear.Wear) counts what it costs.
    """

    def __init__(self, path, blocks, wear):
        self._path = path
        self._blocks = blocks
        self._wear = wear
        self.whole = False

    def fill(self):
        """Makes the file unless it is there; returns True when it is."""
        size = self._blocks * _BLOCK_BYTES
        try:
            self.whole = os.stat(self._path)[6] == size
        except OSError:
            self.whole = False
        if self.whole:
            return True
        if free_bytes(self._path) < size:
            self.give()
            return False  # without wearing the flash for nothing
        self._wear.wrote(size)
        try:
            with open(self._path, "wb") as f:
                for _ in range(size // _PIECE_BYTES):
                    f.write(bytes(_PIECE_BYTES))
            self.whole = True
        except OSError:
            self.give()
        return self.whole

    def give(self):
        """Removes the file."""
        self.whole = False
        try:
            os.remove(self._path)
        except OSError:
            pass  # given already
