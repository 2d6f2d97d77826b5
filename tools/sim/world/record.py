# Small records of the hardware that survive a power cut. MIT license.
"""Small durable records of the hardware around the board: meter registers, time of the real-time clock."""

import struct


class Record:
    """A row of integers in a file; each save is one small write, which a kill cannot tear. Raises OSError."""

    def __init__(self, path, count):
        self._format = "<%dq" % count
        try:
            with open(path, "rb") as file:
                kept = file.read()
        except OSError:
            kept = b""
            open(path, "wb").close()
        whole = len(kept) == struct.calcsize(self._format)
        self.values = struct.unpack(self._format, kept) if whole else None  # None: there was no record
        self._file = open(path, "r+b", buffering=0)

    def save(self, *values):
        self._file.seek(0)
        self._file.write(struct.pack(self._format, *values))
