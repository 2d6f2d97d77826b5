"""Flash wear: estimates the erases and bytes programmed by a write, by LittleFS's rules.

A file is never changed in place: appending copies its last block to an erased one. A file of up to 128 bytes is stored
in its directory, which records every change of a file and is copied when its block is full.
"""

from micropython import const

BLOCK_BYTES = const(4096)
_INLINE_BYTES = const(128)
_ENTRY_BYTES = const(64)


class Wear:
    """Estimated erases and bytes programmed; `a + b` adds two."""

    def __init__(self, erases=0, programmed=0):
        self.erases = erases
        self.programmed = programmed
        self._in_directory = 0  # bytes written since the directory was copied

    def __add__(self, other):
        return Wear(self.erases + other.erases, self.programmed + other.programmed)

    def wrote(self, count, before=0):
        """Counts a write of `count` bytes with one commit, after the `before` bytes of the file that stay."""
        entry = _ENTRY_BYTES
        if before + count > _INLINE_BYTES:
            count += before % BLOCK_BYTES
            self.erases += -(-count // BLOCK_BYTES)
            self.programmed += count
        else:
            entry += count
        self.programmed += entry
        self._in_directory += entry
        self.erases += self._in_directory // BLOCK_BYTES
        self._in_directory %= BLOCK_BYTES
