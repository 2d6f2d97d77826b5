"""Free space on the flash, and a reserve file that is given up when the flash is full."""

import os

from micropython import const

ENOSPC = const(28)  # has no name in MicroPython's errno

_BLOCK_BYTES = const(4096)
_PIECE_BYTES = const(256)


def free_bytes(path):
    """Returns the free bytes of the file system of `path`. Slow on LittleFS, which reads all its pointers."""
    status = os.statvfs(path.rpartition("/")[0])
    return status[0] * status[4]


class Reserve:
    """A file that is removed when the flash is full, to make space for thinning, ends and events.

    `whole` is False while there is not enough space for it. `wear` (store.wear.Wear) counts its writes.
    """

    def __init__(self, path, blocks, wear):
        self._path = path
        self._blocks = blocks
        self._wear = wear
        self.whole = False

    def fill(self):
        """Creates the file if it is missing; returns True when it exists."""
        size = self._blocks * _BLOCK_BYTES
        try:
            self.whole = os.stat(self._path)[6] == size
        except OSError:
            self.whole = False
        if self.whole:
            return True
        if free_bytes(self._path) < size:
            self.give()
            return False  # checked first, to avoid useless writes
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
            pass  # already removed
